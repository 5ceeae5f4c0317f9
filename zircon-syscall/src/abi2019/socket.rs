//! Control messages and shared sockets, which only the levels before 2020 have.

use crate::Caller;
use kernel_hal::user::{UserIn, UserOut};
use zircon_object::ipc::socket_control::Removed;
use zircon_object::ipc::{After, Socket};
use zx_abi::{HandleValue, Rights, ZxResult};

/// `socket_write` with the option CONTROL.
///
/// # Errors
/// - As [`Socket::control_writable`].
/// - `InvalidArgs`: the buffer cannot be read.
pub(crate) fn write_control(
    caller: &Caller<'_>,
    socket: &Socket,
    buffer: UserIn<u8>,
    size: usize,
    actual: UserOut<usize>,
) -> ZxResult {
    socket.control_writable(size)?;
    socket.write_control(caller.read_vec(buffer, size)?)?;
    caller.write_optional(actual, &size)
}

/// `socket_read` with the option CONTROL. What does not fit is lost with its message.
///
/// # Errors
/// - As [`Socket::peek_control`].
/// - `InvalidArgs`: the buffer cannot be written; the message stays.
pub(crate) fn read_control(
    caller: &Caller<'_>,
    socket: &Socket,
    buffer: UserOut<u8>,
    size: usize,
    actual: UserOut<usize>,
    after: After,
) -> ZxResult {
    let mut copy = [0; Socket::CONTROL_MAX];
    let room = size.min(copy.len());
    loop {
        let seen = socket.peek_control(&mut copy[..room])?;
        caller.write_slice(buffer, &copy[..seen.bytes])?;
        if after == After::Keep || socket.remove_control(seen) == Removed::Yes {
            return caller.write_optional(actual, &seen.bytes);
        }
    }
}

/// `socket_accept`: takes the socket that the other end has shared.
///
/// # Errors
/// - `BadHandle`, `WrongType`, `AccessDenied`: the handle is bad or lacks READ.
/// - As [`Socket::accept`].
/// - `InvalidArgs`: the value cannot be written; the accepted handle is lost.
pub(crate) fn sys_socket_accept(
    caller: &Caller<'_>,
    handle: HandleValue,
    out_socket: UserOut<HandleValue>,
) -> ZxResult {
    let socket = caller.get::<Socket>(handle, Rights::READ)?;
    caller.give(socket.accept()?, out_socket)
}

/// `socket_share`: passes a socket to the other end. Its handle is consumed on every outcome.
///
/// # Errors
/// - `BadHandle`, `WrongType`, `AccessDenied`: the handle is bad or lacks WRITE; or the shared one is.
/// - As [`Socket::share`].
pub(crate) fn sys_socket_share(
    caller: &Caller<'_>,
    handle: HandleValue,
    socket_to_share: HandleValue,
) -> ZxResult {
    let socket = caller.get::<Socket>(handle, Rights::WRITE);
    let shared = caller.process().handles().remove(socket_to_share);
    let socket = socket?;
    socket.share(shared.map_err(|error| caller.lookup_failed(error))?)
}
