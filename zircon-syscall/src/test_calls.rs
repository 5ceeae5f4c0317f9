//! The test calls: sums of their arguments, to try the way in and out.

use crate::Caller;
use kernel_hal::user::UserOut;
use zircon_object::object::Handle;
use zircon_object::signal::Event;
use zx_abi::{HandleValue, Status, ZxError, ZxResult};

/// Returns 0: the cheapest call there is.
pub(crate) fn sys_syscall_test_0(_: &Caller<'_>) -> i32 {
    0
}

/// Returns the sum of 1.
pub(crate) fn sys_syscall_test_1(_: &Caller<'_>, a: i32) -> i32 {
    a
}

/// Returns the sum of 2.
pub(crate) fn sys_syscall_test_2(_: &Caller<'_>, a: i32, b: i32) -> i32 {
    a.wrapping_add(b)
}

/// Returns the sum of 3.
pub(crate) fn sys_syscall_test_3(_: &Caller<'_>, a: i32, b: i32, c: i32) -> i32 {
    a.wrapping_add(b).wrapping_add(c)
}

/// Returns the sum of 4.
pub(crate) fn sys_syscall_test_4(_: &Caller<'_>, a: i32, b: i32, c: i32, d: i32) -> i32 {
    a.wrapping_add(b).wrapping_add(c).wrapping_add(d)
}

/// Returns the sum of 5.
pub(crate) fn sys_syscall_test_5(_: &Caller<'_>, a: i32, b: i32, c: i32, d: i32, e: i32) -> i32 {
    a.wrapping_add(b)
        .wrapping_add(c)
        .wrapping_add(d)
        .wrapping_add(e)
}

/// Returns the sum of 6.
pub(crate) fn sys_syscall_test_6(
    _: &Caller<'_>,
    a: i32,
    b: i32,
    c: i32,
    d: i32,
    e: i32,
    f: i32,
) -> i32 {
    a.wrapping_add(b)
        .wrapping_add(c)
        .wrapping_add(d)
        .wrapping_add(e)
        .wrapping_add(f)
}

/// Returns the sum of 7.
#[expect(
    clippy::too_many_arguments,
    reason = "the call is there to pass eight registers"
)]
pub(crate) fn sys_syscall_test_7(
    _: &Caller<'_>,
    a: i32,
    b: i32,
    c: i32,
    d: i32,
    e: i32,
    f: i32,
    g: i32,
) -> i32 {
    a.wrapping_add(b)
        .wrapping_add(c)
        .wrapping_add(d)
        .wrapping_add(e)
        .wrapping_add(f)
        .wrapping_add(g)
}

/// Returns the sum of 8.
#[expect(
    clippy::too_many_arguments,
    reason = "the call is there to pass eight registers"
)]
pub(crate) fn sys_syscall_test_8(
    _: &Caller<'_>,
    a: i32,
    b: i32,
    c: i32,
    d: i32,
    e: i32,
    f: i32,
    g: i32,
    h: i32,
) -> i32 {
    a.wrapping_add(b)
        .wrapping_add(c)
        .wrapping_add(d)
        .wrapping_add(e)
        .wrapping_add(f)
        .wrapping_add(g)
        .wrapping_add(h)
}

/// Returns the sum, with a check before and one behind.
///
/// # Errors
/// - `InvalidArgs`: an argument is negative.
/// - `OutOfRange`: the sum is above 50.
pub(crate) fn sys_syscall_test_wrapper(_: &Caller<'_>, a: i32, b: i32, c: i32) -> i32 {
    if a < 0 || b < 0 || c < 0 {
        return ZxError::InvalidArgs as i32;
    }
    match a.saturating_add(b).saturating_add(c) {
        sum @ 0..=50 => sum,
        _ => ZxError::OutOfRange as i32,
    }
}

/// Makes an event and returns `return_value`; the handle arrives only when that is OK.
///
/// # Errors
/// - `return_value`, when it is an error.
/// - `NoMemory`, `InvalidArgs`: no handle left, or `out` cannot be written.
pub(crate) fn sys_syscall_test_handle_create(
    caller: &Caller<'_>,
    return_value: i32,
    out: UserOut<HandleValue>,
) -> ZxResult {
    let handle = Handle::new(Event::create()?)?;
    Status(return_value).into_result()?;
    caller.give(handle, out)
}
