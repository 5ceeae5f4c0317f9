//! Sockets.

use crate::copies::{copy_in, copy_out};
use crate::{abi2019, Caller};
use kernel_hal::user::{UserIn, UserOut};
use zircon_object::ipc::socket::{Kind, Shutdown};
use zircon_object::ipc::socket_control::Extras;
use zircon_object::ipc::{After, Socket};
use zircon_object::object::Handle;
use zircon_object::task::PolicyCondition;
use zx_abi::stream::{SocketIoOptions, SocketOptions, SocketShutdown};
use zx_abi::{HandleValue, Rights, ZxError, ZxResult};

/// Makes a socket and gives both ends.
///
/// # Errors
/// - `AccessDenied`: job policy.
/// - `InvalidArgs`: options, or ones that this level does not have.
/// - `NoMemory`: no kernel memory, or no room for the handles.
/// - `InvalidArgs`: a handle cannot be written; there is none then.
pub(crate) fn sys_socket_create(
    caller: &Caller<'_>,
    options: u32,
    out0: UserOut<HandleValue>,
    out1: UserOut<HandleValue>,
) -> ZxResult {
    caller.policy(PolicyCondition::NewSocket)?;
    let options = SocketOptions::from_bits(options)
        .filter(|options| caller.level().socket_options.contains(*options))
        .ok_or(ZxError::InvalidArgs)?;
    let kind = if options.contains(SocketOptions::DATAGRAM) {
        Kind::Datagram
    } else {
        Kind::Stream
    };
    let extras = Extras {
        control: options.contains(SocketOptions::HAS_CONTROL),
        accept: options.contains(SocketOptions::HAS_ACCEPT),
    };
    let (first, second) = Socket::create_with(kind, extras)?;
    caller.give_two((Handle::new(first)?, Handle::new(second)?), (out0, out1))
}

/// Puts bytes in, as many as there is room for; a datagram as a whole.
///
/// # Errors
/// - `InvalidArgs`: options, or no buffer.
/// - `BadHandle`, `WrongType`, `AccessDenied`: the handle is bad or lacks WRITE.
/// - What [`Socket::write`] says; `InvalidArgs`: the buffer cannot be read, nothing is put in then.
/// - `InvalidArgs`: the count cannot be written.
pub(crate) fn sys_socket_write(
    caller: &Caller<'_>,
    handle: HandleValue,
    options: u32,
    buffer: UserIn<u8>,
    buffer_size: usize,
    actual: UserOut<usize>,
) -> ZxResult {
    let options = io_options(caller, options)?;
    if options.contains(SocketIoOptions::PEEK) || (buffer.is_null() && buffer_size > 0) {
        return Err(ZxError::InvalidArgs);
    }
    let socket = caller.get::<Socket>(handle, Rights::WRITE)?;
    if options.contains(SocketIoOptions::CONTROL) {
        return abi2019::socket::write_control(caller, &socket, buffer, buffer_size, actual);
    }
    let written = caller.with_copies(|| {
        socket.write(buffer_size, |before, part| {
            copy_in(buffer.element(before), part)
        })
    })?;
    caller.write_optional(actual, &written)
}

/// Takes bytes, or shows them only.
///
/// # Errors
/// - `InvalidArgs`: options, or no buffer.
/// - `BadHandle`, `WrongType`, `AccessDenied`: the handle is bad or lacks READ.
/// - `InvalidArgs`: a size beyond 32 bits.
/// - What [`Socket::read`] says; `InvalidArgs`: the buffer cannot be written, nothing is taken then.
/// - `InvalidArgs`: the count cannot be written.
pub(crate) fn sys_socket_read(
    caller: &Caller<'_>,
    handle: HandleValue,
    options: u32,
    buffer: UserOut<u8>,
    buffer_size: usize,
    actual: UserOut<usize>,
) -> ZxResult {
    let options = io_options(caller, options)?;
    let after = if options.contains(SocketIoOptions::PEEK) {
        After::Keep
    } else {
        After::Remove
    };
    if buffer.is_null() && buffer_size > 0 {
        return Err(ZxError::InvalidArgs);
    }
    let socket = caller.get::<Socket>(handle, Rights::READ)?;
    if options.contains(SocketIoOptions::CONTROL) {
        return abi2019::socket::read_control(caller, &socket, buffer, buffer_size, actual, after);
    }
    u32::try_from(buffer_size).map_err(|_| ZxError::InvalidArgs)?;
    let read = caller.with_copies(|| {
        socket.read(buffer_size, after, |before, part| {
            copy_out(buffer.element(before), part)
        })
    })?;
    caller.write_optional(actual, &read)
}

/// The options of `socket_read` and `socket_write` that the caller's level has.
fn io_options(caller: &Caller<'_>, options: u32) -> ZxResult<SocketIoOptions> {
    SocketIoOptions::from_bits(options)
        .filter(|options| caller.level().socket_io_options.contains(*options))
        .ok_or(ZxError::InvalidArgs)
}

/// Ends one direction of a socket, or both.
///
/// # Errors
/// - `InvalidArgs`: options.
/// - `BadHandle`, `WrongType`, `AccessDenied`: the handle is bad or lacks WRITE.
pub(crate) fn sys_socket_shutdown(
    caller: &Caller<'_>,
    handle: HandleValue,
    options: u32,
) -> ZxResult {
    let options = SocketShutdown::from_bits(options).ok_or(ZxError::InvalidArgs)?;
    let socket = caller.get::<Socket>(handle, Rights::WRITE)?;
    socket.shutdown(Shutdown {
        write: options.contains(SocketShutdown::WRITE),
        read: options.contains(SocketShutdown::READ),
    });
    Ok(())
}
