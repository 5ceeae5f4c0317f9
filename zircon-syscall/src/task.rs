//! What can be done to tasks of any kind: kill and suspend.

use crate::level::Killable;
use crate::Caller;
use alloc::sync::Arc;
use kernel_hal::user::UserOut;
use zircon_object::object::{downcast, Handle};
use zircon_object::task::{Job, Process, SuspendToken, Thread};
use zx_abi::{HandleValue, ObjectType, Rights, ZxError, ZxResult};

/// Kills a process, or a job and all below it, in 2019 also a thread. Returns at once; a dead task is no error.
///
/// # Errors
/// - `BadHandle`, `AccessDenied`: the handle is bad or lacks DESTROY.
/// - `WrongType`: not a task.
pub(crate) fn sys_task_kill(caller: &Caller<'_>, handle: HandleValue) -> ZxResult {
    let (object, _) = caller.get_any(handle, Rights::DESTROY)?;
    match object.object_type() {
        ObjectType::Thread if caller.level().killable == Killable::AllTasks => {
            downcast::<Thread>(object)?.kill()
        }
        ObjectType::Process => downcast::<Process>(object)?.kill(),
        ObjectType::Job => downcast::<Job>(object)?.kill(),
        _ => return Err(ZxError::WrongType),
    }
    Ok(())
}

/// Suspends a thread or process until the token's last handle closes.
///
/// # Errors
/// - `BadHandle`, `AccessDenied`: the handle is bad or lacks WRITE.
/// - `NotSupported`: the caller itself, or its process.
/// - `WrongType`: neither thread nor process.
/// - `BadState`: it is dying or dead.
/// - `NoMemory`, `InvalidArgs`: no memory, or `token` cannot be written; it runs on.
pub(crate) fn sys_task_suspend(
    caller: &Caller<'_>,
    handle: HandleValue,
    token: UserOut<HandleValue>,
) -> ZxResult {
    let (object, _) = caller.get_any(handle, Rights::WRITE)?;
    let suspension = match object.object_type() {
        ObjectType::Thread => {
            let thread = downcast::<Thread>(object)?;
            if Arc::ptr_eq(&thread, caller.thread()) {
                return Err(ZxError::NotSupported);
            }
            SuspendToken::suspend_thread(thread)?
        }
        ObjectType::Process => {
            let process = downcast::<Process>(object)?;
            if Arc::ptr_eq(&process, caller.process()) {
                return Err(ZxError::NotSupported);
            }
            SuspendToken::suspend_process(process)?
        }
        _ => return Err(ZxError::WrongType),
    };
    caller.give(Handle::new(suspension)?, token)
}

/// The same as `task_suspend`.
///
/// # Errors
/// As [`sys_task_suspend`].
pub(crate) fn sys_task_suspend_token(
    caller: &Caller<'_>,
    handle: HandleValue,
    token: UserOut<HandleValue>,
) -> ZxResult {
    sys_task_suspend(caller, handle, token)
}
