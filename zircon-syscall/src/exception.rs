//! Exceptions: who listens, and what listeners get.

use crate::Caller;
use kernel_hal::user::UserOut;
use zircon_object::object::{downcast, Handle};
use zircon_object::task::exception::{Audience, ExceptionChannel};
use zircon_object::task::{Exception, Job, PolicyCondition, Process, Thread};
use zx_abi::exception::ExceptionChannelOptions;
use zx_abi::{HandleValue, ObjectType, Rights, ZxError, ZxResult};

/// What a listener must be allowed to do with the task: it gets handles with the rights of this one.
const LISTEN: Rights = Rights::INSPECT
    .union(Rights::DUPLICATE)
    .union(Rights::TRANSFER)
    .union(Rights::MANAGE_THREAD);

/// Makes the channel through which the exceptions of a task are heard.
///
/// # Errors
/// - `InvalidArgs`: unknown options.
/// - `AccessDenied`: job policy.
/// - `BadHandle`, `AccessDenied`: the handle is bad or lacks INSPECT, DUPLICATE, TRANSFER or MANAGE_THREAD.
/// - `InvalidArgs`: a debugger for a thread.
/// - `AccessDenied`: the handle to a job or process lacks ENUMERATE.
/// - `WrongType`: not a task.
/// - `BadState`: the task has ended.
/// - `AlreadyBound`: somebody listens.
/// - `NoMemory`, `InvalidArgs`: no memory, or `out` cannot be written; the place is free again.
pub(crate) fn sys_task_create_exception_channel(
    caller: &Caller<'_>,
    handle: HandleValue,
    options: u32,
    out: UserOut<HandleValue>,
) -> ZxResult {
    let options = ExceptionChannelOptions::from_bits(options).ok_or(ZxError::InvalidArgs)?;
    let debugger = options.contains(ExceptionChannelOptions::DEBUGGER);
    caller.policy(PolicyCondition::NewChannel)?;
    let (object, _) = caller.get_any(handle, LISTEN)?;
    let rights = caller.process().handles().find(handle)?.rights();
    let both = Audience {
        thread: rights,
        process: Some(rights),
    };
    let enumerate = |channel: &ExceptionChannel| {
        if rights.contains(Rights::ENUMERATE) {
            channel.bind(both)
        } else {
            Err(ZxError::AccessDenied)
        }
    };
    let listener = match object.object_type() {
        ObjectType::Job => {
            let job = downcast::<Job>(object)?;
            enumerate(if debugger {
                job.debugger_channel()
            } else {
                job.exception_channel()
            })?
        }
        ObjectType::Process => {
            let process = downcast::<Process>(object)?;
            enumerate(if debugger {
                process.debugger_channel()
            } else {
                process.exception_channel()
            })?
        }
        ObjectType::Thread if debugger => return Err(ZxError::InvalidArgs),
        ObjectType::Thread => downcast::<Thread>(object)?
            .exception_channel()
            .bind(Audience {
                thread: rights,
                process: None,
            })?,
        _ => return Err(ZxError::WrongType),
    };
    caller.give(listener, out)
}

/// The thread of an exception, with the rights of the handle through which the listener came.
///
/// # Errors
/// - `BadHandle`, `WrongType`: not an exception.
/// - `NoMemory`, `InvalidArgs`: no memory, or `out` cannot be written.
pub(crate) fn sys_exception_get_thread(
    caller: &Caller<'_>,
    handle: HandleValue,
    out: UserOut<HandleValue>,
) -> ZxResult {
    give_task(caller, handle, out, Exception::thread_handle)
}

/// The process of an exception, with the rights of the handle through which the listener came.
///
/// # Errors
/// - `BadHandle`, `WrongType`: not an exception.
/// - `AccessDenied`: the listener listens to a thread only.
/// - `NoMemory`, `InvalidArgs`: no memory, or `out` cannot be written.
pub(crate) fn sys_exception_get_process(
    caller: &Caller<'_>,
    handle: HandleValue,
    out: UserOut<HandleValue>,
) -> ZxResult {
    give_task(caller, handle, out, Exception::process_handle)
}

fn give_task(
    caller: &Caller<'_>,
    handle: HandleValue,
    out: UserOut<HandleValue>,
    task: fn(&Exception) -> ZxResult<Handle>,
) -> ZxResult {
    let exception = caller.get::<Exception>(handle, Rights::empty())?;
    caller.give(task(&exception)?, out)
}
