//! Processes: create, start, exit, and access to their memory.

use crate::caller::NeededFor;
use crate::Caller;
use alloc::vec::Vec;
use kernel_hal::user::{UserIn, UserOut};
use zircon_object::object::{Handle, TypedObject};
use zircon_object::task::{Job, PolicyCondition, Process, ProcessStatus, Thread};
use zx_abi::limits::PROCESS_MEMORY_MAX;
use zx_abi::{HandleValue, Rights, ZxError, ZxResult};

/// Bytes copied through the kernel between two chances to do something else.
const PIECE: usize = 64 * 1024;

/// Makes a process with an empty address space.
///
/// # Errors
/// - `InvalidArgs`: options are not 0.
/// - `AccessDenied`: job policy.
/// - `InvalidArgs`: the name cannot be read.
/// - `BadHandle`, `WrongType`, `AccessDenied`: the job handle is bad or has neither MANAGE_PROCESS nor WRITE.
/// - `BadState`: the job was killed.
/// - `NoMemory`, `InvalidArgs`: no memory, or an out pointer cannot be written.
pub(crate) fn sys_process_create(
    caller: &Caller<'_>,
    job: HandleValue,
    name: UserIn<u8>,
    name_size: usize,
    options: u32,
    proc_handle: UserOut<HandleValue>,
    vmar_handle: UserOut<HandleValue>,
) -> ZxResult {
    if options != 0 {
        return Err(ZxError::InvalidArgs);
    }
    caller.policy(PolicyCondition::NewProcess)?;
    let (name, len) = caller.read_name(name, name_size)?;
    let job = caller
        .get::<Job>(job, Rights::MANAGE_PROCESS)
        .or_else(|_| caller.get::<Job>(job, Rights::WRITE))?;
    let process = Process::create(&job, &name[..len])?;
    let vmar = Handle::with_rights(process.root_vmar().clone(), Process::ROOT_VMAR_RIGHTS)?;
    caller.give_two(
        (Handle::with_rights(process, Process::DEFAULT_RIGHTS)?, vmar),
        (proc_handle, vmar_handle),
    )
}

/// Starts the first thread of a process; `arg1` moves into it and is consumed whatever happens.
///
/// # Errors
/// - `BadHandle`, `WrongType`, `AccessDenied`: process (WRITE), then thread (WRITE).
/// - `AccessDenied`: the thread is of another process, or `arg1` lacks TRANSFER.
/// - `BadState`: the process is not new, or the thread was started.
pub(crate) fn sys_process_start(
    caller: &Caller<'_>,
    handle: HandleValue,
    thread: HandleValue,
    entry: usize,
    stack: usize,
    arg1: HandleValue,
    arg2: usize,
) -> ZxResult {
    // The argument may be the handle to the process or the thread itself, so it leaves the table behind them.
    let process = caller.get::<Process>(handle, Rights::WRITE);
    let thread = caller.get::<Thread>(thread, Rights::WRITE);
    let arg1 = caller.process().handles().remove(arg1).ok();
    let (process, thread) = (process?, thread?);
    if !alloc::sync::Arc::ptr_eq(thread.process(), &process) {
        return Err(ZxError::AccessDenied);
    }
    if let Some(arg1) = &arg1 {
        arg1.require(Rights::TRANSFER)?;
    }
    process.start(&thread, entry, stack, arg1, arg2)
}

/// Ends the calling process; the thread's loop sees it and does not return to user code.
pub(crate) fn sys_process_exit(caller: &Caller<'_>, retcode: i64) {
    caller.process().exit(retcode);
}

/// Reads memory of a process, up to the end of the one mapping that holds `vaddr`.
///
/// # Errors
/// - `InvalidArgs`: NULL buffer, size 0 or above 64 MiB.
/// - `BadHandle`, `WrongType`, `AccessDenied`: the process handle lacks READ or WRITE.
/// - `BadState`: the process is dead.
/// - `NoMemory`: nothing is mapped there.
/// - `InvalidArgs`: the buffer or `actual` cannot be written.
pub(crate) async fn sys_process_read_memory(
    caller: &Caller<'_>,
    handle: HandleValue,
    vaddr: usize,
    buffer: UserOut<u8>,
    buffer_size: usize,
    actual: UserOut<usize>,
) -> ZxResult {
    if buffer.is_null() || buffer_size == 0 || buffer_size > PROCESS_MEMORY_MAX {
        return Err(ZxError::InvalidArgs);
    }
    let process = caller.get::<Process>(handle, Rights::READ | Rights::WRITE)?;
    not_dead(&process)?;
    let buffer_size = buffer_size.min(process.space().mapped_after(vaddr)?);
    let mut piece = piece_buffer(buffer_size)?;
    let mut done = 0;
    while done < buffer_size {
        let want = (buffer_size - done).min(PIECE);
        let got = match process
            .space()
            .read_memory(vaddr.wrapping_add(done), &mut piece[..want])
        {
            Ok(got) => got,
            Err(ZxError::ShouldWait) => {
                ask_for(caller, &process, vaddr.wrapping_add(done), want)?;
                continue;
            }
            Err(error) if done == 0 => return Err(error),
            Err(_) => break,
        };
        caller.write_or_start_over(buffer.element(done), &piece[..got])?;
        done += got;
        if got < want {
            break;
        }
        caller.thread().yield_now().await;
    }
    caller.write(actual, &done)
}

/// Writes memory of a process, also where it may not write itself.
///
/// # Errors
/// - `InvalidArgs`: NULL buffer, size 0 or above 64 MiB.
/// - `BadHandle`, `WrongType`, `AccessDenied`: the process handle lacks WRITE.
/// - `BadState`: the process is dead.
/// - `NoMemory`: nothing is mapped there.
/// - `AccessDenied`: the vDSO is mapped there.
/// - `InvalidArgs`: the buffer cannot be read, or `actual` cannot be written.
pub(crate) async fn sys_process_write_memory(
    caller: &Caller<'_>,
    handle: HandleValue,
    vaddr: usize,
    buffer: UserIn<u8>,
    buffer_size: usize,
    actual: UserOut<usize>,
) -> ZxResult {
    if buffer.is_null() || buffer_size == 0 || buffer_size > PROCESS_MEMORY_MAX {
        return Err(ZxError::InvalidArgs);
    }
    let process = caller.get::<Process>(handle, Rights::WRITE)?;
    not_dead(&process)?;
    let buffer_size = buffer_size.min(process.space().mapped_after(vaddr)?);
    let mut piece = piece_buffer(buffer_size)?;
    let mut done = 0;
    while done < buffer_size {
        let want = (buffer_size - done).min(PIECE);
        caller.read_slice(buffer.element(done), &mut piece[..want])?;
        let got = match process
            .space()
            .write_memory(vaddr.wrapping_add(done), &piece[..want])
        {
            Ok(got) => got,
            Err(ZxError::ShouldWait) => {
                ask_for(caller, &process, vaddr.wrapping_add(done), want)?;
                continue;
            }
            Err(error) if done == 0 => return Err(error),
            Err(_) => break,
        };
        done += got;
        if got < want {
            break;
        }
        caller.thread().yield_now().await;
    }
    caller.write(actual, &done)
}

/// Asks the pager of a mapping for what of the range is missing. The call is made again as a whole: it reads or writes the
/// same bytes once more.
#[cold]
fn ask_for(caller: &Caller<'_>, process: &Process, vaddr: usize, len: usize) -> ZxResult {
    match process.space().ask_for_range(vaddr, len)? {
        Some(request) => Err(caller.want_page(request, NeededFor::Object)),
        None => Ok(()),
    }
}

fn not_dead(process: &Process) -> ZxResult {
    match process.status() {
        ProcessStatus::Dead(_) => Err(ZxError::BadState),
        ProcessStatus::Init | ProcessStatus::Running | ProcessStatus::Dying(_) => Ok(()),
    }
}

fn piece_buffer(size: usize) -> ZxResult<Vec<u8>> {
    let mut buffer = Vec::new();
    let len = size.min(PIECE);
    buffer
        .try_reserve_exact(len)
        .map_err(|_| ZxError::NoMemory)?;
    buffer.resize(len, 0);
    Ok(buffer)
}
