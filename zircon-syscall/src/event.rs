//! Events and event pairs.

use crate::Caller;
use kernel_hal::user::UserOut;
use zircon_object::object::Handle;
use zircon_object::signal::{Event, EventPair};
use zircon_object::task::PolicyCondition;
use zx_abi::{HandleValue, ZxError, ZxResult};

/// Makes an event.
///
/// # Errors
/// - `InvalidArgs`: options.
/// - `AccessDenied`: job policy.
/// - `NoMemory`: no kernel memory, or no room for the handle.
/// - `InvalidArgs`: the handle cannot be written; there is none then.
pub(crate) fn sys_event_create(
    caller: &Caller<'_>,
    options: u32,
    out: UserOut<HandleValue>,
) -> ZxResult {
    if options != 0 {
        return Err(ZxError::InvalidArgs);
    }
    caller.policy(PolicyCondition::NewEvent)?;
    caller.give(Handle::new(Event::create()?)?, out)
}

/// Makes an event pair and gives both ends.
///
/// # Errors
/// - `NotSupported`: options.
/// - `AccessDenied`: job policy.
/// - `NoMemory`: no kernel memory, or no room for the handles.
/// - `InvalidArgs`: a handle cannot be written; there is none then.
pub(crate) fn sys_eventpair_create(
    caller: &Caller<'_>,
    options: u32,
    out0: UserOut<HandleValue>,
    out1: UserOut<HandleValue>,
) -> ZxResult {
    if options != 0 {
        return Err(ZxError::NotSupported);
    }
    caller.policy(PolicyCondition::NewEventPair)?;
    let (first, second) = EventPair::create()?;
    caller.give_two((Handle::new(first)?, Handle::new(second)?), (out0, out1))
}
