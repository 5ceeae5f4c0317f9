//! Listening for exceptions through ports, which the home ABI has no more.

use crate::Caller;
use alloc::sync::Arc;
use zircon_object::object::{downcast, KernelObject};
use zircon_object::signal::Port;
use zircon_object::task::exception::ExceptionChannel;
use zircon_object::task::{Job, Process, Thread};
use zx_abi::exception::{ExceptionChannelOptions, ExceptionState};
use zx_abi::{HandleValue, ObjectType, Rights, ZxError, ZxResult, HANDLE_INVALID};

/// `ZX_RESUME_TRY_NEXT`.
const TRY_NEXT: u32 = 2;

/// Lets a port hear the exceptions of a task, or with no port ends that. No rights are needed.
///
/// # Errors
/// - `InvalidArgs`: unknown options.
/// - `BadHandle`, `WrongType`: the port's handle, then the task's.
/// - `InvalidArgs`: a debugger for a thread.
/// - `NotFound`: the task has ended.
/// - `AlreadyBound`: a port listens.
/// - `BadState`: there was no port to take back.
/// - `NoMemory`: the kernel heap is exhausted.
pub(crate) fn sys_task_bind_exception_port(
    caller: &Caller<'_>,
    handle: HandleValue,
    port: HandleValue,
    key: u64,
    options: u32,
) -> ZxResult {
    let options = ExceptionChannelOptions::from_bits(options).ok_or(ZxError::InvalidArgs)?;
    let port = if port == HANDLE_INVALID {
        None
    } else {
        Some(caller.get::<Port>(port, Rights::empty())?)
    };
    let (task, _) = caller.get_any(handle, Rights::empty())?;
    with_place(task, options, |place| match port {
        Some(port) => place.bind_port(port, key),
        None => place.unbind_port(),
    })
}

/// The place for listeners of a task that the options mean.
fn with_place(
    task: Arc<dyn KernelObject>,
    options: ExceptionChannelOptions,
    f: impl FnOnce(&ExceptionChannel) -> ZxResult,
) -> ZxResult {
    let debugger = options.contains(ExceptionChannelOptions::DEBUGGER);
    match task.object_type() {
        ObjectType::Job => {
            let job = downcast::<Job>(task)?;
            f(if debugger {
                job.debugger_channel()
            } else {
                job.exception_channel()
            })
        }
        ObjectType::Process => {
            let process = downcast::<Process>(task)?;
            f(if debugger {
                process.debugger_channel()
            } else {
                process.exception_channel()
            })
        }
        ObjectType::Thread if debugger => Err(ZxError::InvalidArgs),
        ObjectType::Thread => f(downcast::<Thread>(task)?.exception_channel()),
        _ => Err(ZxError::WrongType),
    }
}

/// Answers for a port that is asked about an exception of a thread: the thread goes on, or the next listener is asked.
///
/// # Errors
/// - `BadHandle`, `WrongType`: the thread's handle, then the port's.
/// - `InvalidArgs`: unknown options.
/// - `BadState`: no port is asked about the thread, or it has answered.
/// - `AccessDenied`: another port is asked.
pub(crate) fn sys_task_resume_from_exception(
    caller: &Caller<'_>,
    handle: HandleValue,
    port: HandleValue,
    options: u32,
) -> ZxResult {
    let thread = caller.get::<Thread>(handle, Rights::empty())?;
    let port = caller.get::<Port>(port, Rights::empty())?;
    let state = match options {
        0 => ExceptionState::Handled,
        TRY_NEXT => ExceptionState::TryNext,
        _ => return Err(ZxError::InvalidArgs),
    };
    thread.answer_exception(&port, state)
}
