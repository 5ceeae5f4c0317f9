//! The debug log and the debug console.

use crate::abi2019;
use crate::args::result;
use crate::level::{ConsoleRead, LogCreation};
use crate::Caller;
use core::future::poll_fn;
use core::task::Poll;
use kernel_hal::user::{UserIn, UserInOut, UserOut};
use zircon_object::diag::debuglog::{Reading, Writer};
use zircon_object::diag::DebugLog;
use zircon_object::object::{Handle, KernelObject, TypedObject};
use zircon_object::task::{BlockedOn, Deadline};
use zx_abi::debuglog::{DebuglogOptions, DEBUGLOG_DATA_MAX, DEBUGLOG_FLAGS_MASK};
use zx_abi::device::ResourceKind;
use zx_abi::limits::{DEBUG_WRITE_MAX, LOG_RECORD_MAX};
use zx_abi::{HandleValue, Rights, ZxError, ZxResult};

/// `debuglog_create`. At the older level a program without a resource passes no handle at all.
pub(crate) fn sys_debuglog_create(
    caller: &Caller<'_>,
    resource: HandleValue,
    options: u32,
    out: UserOut<HandleValue>,
) -> ZxResult {
    if resource != zx_abi::HANDLE_INVALID || caller.level().log_creation == LogCreation::RootOnly {
        caller.check_resource(resource, ResourceKind::Root)?;
    }
    let options = DebuglogOptions::from_bits(options).ok_or(ZxError::InvalidArgs)?;
    let (reading, rights) = if options.contains(DebuglogOptions::READABLE) {
        (Reading::Yes, DebugLog::DEFAULT_RIGHTS | Rights::READ)
    } else {
        (Reading::No, DebugLog::DEFAULT_RIGHTS)
    };
    let handle = Handle::first(DebugLog::create(reading)?, rights)?;
    caller.give(handle, out)
}

/// Writes a line to the log; a longer one is cut.
///
/// # Errors
/// - `InvalidArgs`: flags.
/// - `BadHandle`, `WrongType`, `AccessDenied`: the handle is bad or lacks WRITE.
/// - `InvalidArgs`: the line cannot be read.
pub(crate) fn sys_debuglog_write(
    caller: &Caller<'_>,
    handle: HandleValue,
    options: u32,
    buffer: UserIn<u8>,
    buffer_size: usize,
) -> ZxResult {
    let size = buffer_size.min(DEBUGLOG_DATA_MAX);
    let flags = match u16::try_from(options) {
        Ok(flags) if options & !DEBUGLOG_FLAGS_MASK == 0 => flags,
        _ => return Err(ZxError::InvalidArgs),
    };
    let log = caller.get::<DebugLog>(handle, Rights::WRITE)?;
    let mut text = [0; DEBUGLOG_DATA_MAX];
    caller.read_slice(buffer, &mut text[..size])?;
    let writer = Writer {
        process: caller.process().base().koid(),
        thread: caller.thread().base().koid(),
    };
    log.write(flags, &text[..size], writer);
    Ok(())
}

/// `debuglog_read`: returns the number of bytes as a positive status.
pub(crate) fn sys_debuglog_read(
    caller: &Caller<'_>,
    handle: HandleValue,
    options: u32,
    buffer: UserOut<u8>,
    buffer_size: usize,
) -> u64 {
    match read_record(caller, handle, options, buffer, buffer_size) {
        Ok(size) => size as u64,
        Err(error) => result(Err(error)),
    }
}

fn read_record(
    caller: &Caller<'_>,
    handle: HandleValue,
    options: u32,
    buffer: UserOut<u8>,
    buffer_size: usize,
) -> ZxResult<usize> {
    if options != 0 {
        return Err(ZxError::InvalidArgs);
    }
    let log = caller.get::<DebugLog>(handle, Rights::READ)?;
    let mut record = [0; LOG_RECORD_MAX];
    let size = log.read(&mut record)?.min(buffer_size);
    caller.write_slice(buffer, &record[..size])?;
    Ok(size)
}

/// `debug_write`: raw to the console; longer text is cut.
pub(crate) fn sys_debug_write(
    caller: &Caller<'_>,
    buffer: UserIn<u8>,
    buffer_size: usize,
) -> ZxResult {
    let mut text = [0; DEBUG_WRITE_MAX];
    let size = buffer_size.min(text.len());
    caller.read_slice(buffer, &mut text[..size])?;
    kernel_hal::console::write(&text[..size]);
    Ok(())
}

/// `debug_read`: waits until the buffer is full, or until it is interrupted with something in it. A carriage return becomes a
/// newline.
pub(crate) async fn sys_debug_read(
    caller: &Caller<'_>,
    handle: HandleValue,
    buffer: UserOut<u8>,
    buffer_size: usize,
    actual: UserOut<usize>,
) -> ZxResult {
    if caller.level().console_read == ConsoleRead::SizeInAndOut {
        return abi2019::calls::debug_read(caller, handle, buffer, UserInOut::new(buffer_size))
            .await;
    }
    caller.check_resource(handle, ResourceKind::Root)?;
    let count = read_console(caller, buffer, buffer_size).await?;
    caller.write(actual, &count)
}

/// Reads what is typed; how many characters.
///
/// # Errors
/// - `IntrRetry`: interrupted before the first one.
/// - `InvalidArgs`: the buffer cannot be written.
pub(crate) async fn read_console(
    caller: &Caller<'_>,
    buffer: UserOut<u8>,
    buffer_size: usize,
) -> ZxResult<usize> {
    for index in 0..buffer_size {
        let typed = poll_fn(|cx| {
            let mut byte = [0];
            if kernel_hal::console::read(&mut byte) == 1 {
                return Poll::Ready(byte[0]);
            }
            kernel_hal::console::wake_on_input(cx.waker());
            Poll::Pending
        });
        let byte = match caller
            .thread()
            .block(BlockedOn::Other, Deadline::NEVER, typed)
            .await
        {
            Ok(byte) => byte,
            // What was taken from the console must not be lost: the program gets a short count.
            Err(_) if index > 0 => return Ok(index),
            Err(interrupted) => return Err(interrupted.into()),
        };
        let byte = if byte == b'\r' { b'\n' } else { byte };
        caller.write(buffer.element(index), &byte)?;
    }
    Ok(buffer_size)
}
