//! Clocks and sleeping.

use zx_abi::ZxResult;

use crate::sys;

/// The deadline that never comes.
pub const INFINITE: i64 = i64::MAX;

/// Nanoseconds since boot.
#[must_use]
pub fn now() -> i64 {
    // SAFETY: the call touches no memory of the program.
    unsafe { sys::zx_clock_get_monotonic() }
}

/// Wall clock time in nanoseconds since 1970, as far as the kernel knows it.
///
/// # Errors
/// Those of `zx_clock_get`.
pub fn utc() -> ZxResult<i64> {
    let mut time = 0;
    // SAFETY: `time` is this frame's.
    unsafe { sys::zx_clock_get(zx_abi::clock::ClockId::Utc.raw(), &mut time) }.into_result()?;
    Ok(time)
}

/// The deadline `nanoseconds` from now.
#[must_use]
pub fn after(nanoseconds: i64) -> i64 {
    // SAFETY: the call touches no memory of the program.
    unsafe { sys::zx_deadline_after(nanoseconds) }
}

/// Sleeps until the deadline; one in the past gives the CPU away once.
pub fn sleep_until(deadline: i64) {
    // SAFETY: the call touches no memory of the program.
    let _ = unsafe { sys::zx_nanosleep(deadline) };
}

/// The CPU's time stamp counter, or what the kernel puts in its place.
#[must_use]
pub fn ticks() -> i64 {
    // SAFETY: the call touches no memory of the program.
    unsafe { sys::zx_ticks_get() }
}

/// Ticks in a second.
#[must_use]
pub fn ticks_per_second() -> i64 {
    // SAFETY: the call touches no memory of the program.
    unsafe { sys::zx_ticks_per_second() }
}
