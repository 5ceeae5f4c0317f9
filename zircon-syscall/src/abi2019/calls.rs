//! Calls of 2019-07 that the home ABI has no more, or has with other arguments.

use crate::{clock, debug, Caller};
use kernel_hal::user::{UserInOut, UserOut};
use zx_abi::device::ResourceKind;
use zx_abi::{HandleValue, ZxResult};

/// `clock_get_new`: what `clock_get` became.
///
/// # Errors
/// As [`clock::sys_clock_get`].
pub(crate) fn sys_clock_get_new(caller: &Caller<'_>, clock_id: u32, out: UserOut<i64>) -> ZxResult {
    clock::sys_clock_get(caller, clock_id, out)
}

/// `debug_read` with one pointer for the buffer's size and for the number of characters read.
///
/// # Errors
/// - `InvalidArgs`: the size cannot be read or written, or the buffer cannot be written.
/// - As `debug_read` otherwise.
pub(crate) async fn debug_read(
    caller: &Caller<'_>,
    handle: HandleValue,
    buffer: UserOut<u8>,
    size: UserInOut<usize>,
) -> ZxResult {
    caller.check_resource(handle, ResourceKind::Root)?;
    let room = caller.read(size.input())?;
    let count = debug::read_console(caller, buffer, room).await?;
    caller.write(size.output(), &count)
}
