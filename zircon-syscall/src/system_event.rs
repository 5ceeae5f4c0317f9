//! Events of the system's state.

use crate::Caller;
use kernel_hal::user::UserOut;
use zircon_object::object::Handle;
use zircon_object::signal::system_events::system_event;
use zircon_object::task::Job;
use zx_abi::power::SystemEvent;
use zx_abi::{HandleValue, Rights, ZxError, ZxResult};

/// `system_get_event`
// PARTIAL: the memory level is always normal
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
