//! Events of the system's state.

use crate::Caller;
use kernel_hal::user::UserOut;
use zircon_object::object::Handle;
use zircon_object::signal::system_events::system_event;
use zircon_object::task::Job;
use zx_abi::power::SystemEvent;
use zx_abi::{HandleValue, Rights, ZxError, ZxResult};

/// An event that shows one level of memory. Exactly one of the four is signaled.
///
/// # Errors
/// - `BadHandle`, `WrongType`, `AccessDenied`: the job's handle is bad, lacks MANAGE_PROCESS (for the out-of-memory event), or is
///   not the root job's.
/// - `InvalidArgs`: unknown kind, or `event` cannot be written.
/// - `NoMemory`: the system has as many handles as it may have.
pub(crate) fn sys_system_get_event(
    caller: &Caller<'_>,
    root_job: HandleValue,
    kind: u32,
    event: UserOut<HandleValue>,
) -> ZxResult {
    let level = SystemEvent::from_raw(kind);
    let right = if level == Some(SystemEvent::OutOfMemory) {
        Rights::MANAGE_PROCESS
    } else {
        Rights::empty()
    };
    let job = caller.get::<Job>(root_job, right)?;
    if job.parent().is_some() {
        return Err(ZxError::AccessDenied);
    }
    let level = level.ok_or(ZxError::InvalidArgs)?;
    caller.give(
        Handle::with_rights(system_event(level)?, Rights::SYSTEM_EVENT)?,
        event,
    )
}
