//! Threads: create, start, exit. Reading and writing registers is not built yet.

use crate::Caller;
use kernel_hal::user::{UserIn, UserOut};
use zircon_object::object::Handle;
use zircon_object::task::{Process, Thread};
use zx_abi::{HandleValue, Rights, ZxError, ZxResult};

/// Makes a thread that has not started.
///
/// # Errors
/// - `InvalidArgs`: options are not 0, or the name cannot be read.
/// - `BadHandle`, `WrongType`, `AccessDenied`: the process handle lacks MANAGE_THREAD.
/// - `NoMemory`, `InvalidArgs`: no memory, or `out` cannot be written.
pub(crate) fn sys_thread_create(
    caller: &Caller<'_>,
    process: HandleValue,
    name: UserIn<u8>,
    name_size: usize,
    options: u32,
    out: UserOut<HandleValue>,
) -> ZxResult {
    if options != 0 {
        return Err(ZxError::InvalidArgs);
    }
    let (name, len) = caller.read_name(name, name_size)?;
    let process = caller.get::<Process>(process, Rights::MANAGE_THREAD)?;
    caller.give(Handle::new(Thread::new(process, &name[..len])?)?, out)
}

/// Starts a thread of a running process.
///
/// # Errors
/// - `BadHandle`, `WrongType`, `AccessDenied`: the handle lacks MANAGE_THREAD.
/// - `BadState`: it was started before, or its process does not run.
/// - `NoMemory`: no memory to run it.
pub(crate) fn sys_thread_start(
    caller: &Caller<'_>,
    handle: HandleValue,
    entry: usize,
    stack: usize,
    arg1: usize,
    arg2: usize,
) -> ZxResult {
    caller.get::<Thread>(handle, Rights::MANAGE_THREAD)?.start(entry, stack, arg1, arg2)
}

/// Ends the calling thread; its loop sees it and does not return to user code.
pub(crate) fn sys_thread_exit(caller: &Caller<'_>) {
    caller.thread().kill();
}
