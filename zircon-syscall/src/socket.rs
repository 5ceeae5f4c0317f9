//! Sockets.

use crate::copy_buffer::CopyBuffer;
use crate::{abi2019, Caller};
use kernel_hal::user::{UserIn, UserOut};
use zircon_object::ipc::socket::{Kind, Shutdown};
use zircon_object::ipc::socket_control::Extras;
use zircon_object::ipc::{Removed, Socket};
use zircon_object::object::Handle;
use zircon_object::task::PolicyCondition;
use zx_abi::stream::{SocketIoOptions, SocketOptions, SocketShutdown};
use zx_abi::{HandleValue, Rights, ZxError, ZxResult};

/// Bytes that are copied between user memory and a stream in one step.
const STEP: usize = 16 << 10;

/// `socket_create`
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

/// `socket_write`
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
    let total = socket.writable(buffer_size)?;
    let step = if socket.kind() == Kind::Stream {
        total.min(STEP)
    } else {
        total
    };
    let mut copy = CopyBuffer::new(step)?;
    let mut written = 0;
    while written < total {
        let part = &mut copy.bytes()[..step.min(total - written)];
        if let Err(error) = caller.read_slice(buffer.element(written), part) {
            if written == 0 {
                return Err(error);
            }
            break;
        }
        let (wanted, taken) = (part.len(), socket.write(part)?);
        written += taken;
        if taken < wanted {
            break;
        }
    }
    caller.write_optional(actual, &written)
}

/// `socket_read`
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
    let read = match socket.kind() {
        Kind::Stream => read_stream(caller, &socket, buffer, buffer_size, after)?,
        Kind::Datagram => read_part(
            caller,
            &socket,
            buffer,
            buffer_size.min(Socket::CAPACITY),
            0,
            after,
        )?,
    };
    caller.write_optional(actual, &read)
}

/// The options of `socket_read` and `socket_write` that the caller's level has.
fn io_options(caller: &Caller<'_>, options: u32) -> ZxResult<SocketIoOptions> {
    SocketIoOptions::from_bits(options)
        .filter(|options| caller.level().socket_io_options.contains(*options))
        .ok_or(ZxError::InvalidArgs)
}

/// What happens to bytes that were copied out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    Remove,
    Keep,
}

fn read_stream(
    caller: &Caller<'_>,
    socket: &Socket,
    buffer: UserOut<u8>,
    size: usize,
    after: After,
) -> ZxResult<usize> {
    let mut read = 0;
    loop {
        let wanted = (size - read).min(STEP);
        let offset = if after == After::Keep { read } else { 0 };
        match read_part(caller, socket, buffer.element(read), wanted, offset, after) {
            Ok(part) => read += part,
            // What came before is the program's already.
            Err(_) if read > 0 => return Ok(read),
            Err(error) => return Err(error),
        }
        if read == size || read % STEP != 0 || read == 0 {
            return Ok(read);
        }
    }
}

/// Copies one part out, and removes it; with no room nothing is removed.
fn read_part(
    caller: &Caller<'_>,
    socket: &Socket,
    to: UserOut<u8>,
    room: usize,
    offset: usize,
    after: After,
) -> ZxResult<usize> {
    let mut copy = CopyBuffer::new(room.min(socket.fill().available))?;
    loop {
        let seen = socket.peek(offset, copy.bytes())?;
        caller.write_slice(to, &copy.bytes()[..seen.bytes])?;
        if after == After::Keep || room == 0 || socket.remove(seen) == Removed::Yes {
            return Ok(seen.bytes);
        }
    }
}

/// `socket_shutdown`
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
