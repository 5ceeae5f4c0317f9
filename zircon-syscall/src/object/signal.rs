//! `object_signal` and `object_signal_peer`.

use crate::Caller;
use zircon_object::object::KernelObject;
use zx_abi::{HandleValue, Rights, Signals, ZxError, ZxResult};

/// Clears and sets signals of an object in one step.
///
/// # Errors
/// - `BadHandle`, `AccessDenied`: the handle is bad or lacks SIGNAL.
/// - `InvalidArgs`: a bit that programs may not change.
pub(crate) fn sys_object_signal(
    caller: &Caller<'_>,
    handle: HandleValue,
    clear: Signals,
    set: Signals,
) -> ZxResult {
    let (object, _) = caller.get_any(handle, Rights::SIGNAL)?;
    change(&*object, &*object, clear, set)
}

/// Clears and sets signals of an object's other end.
///
/// # Errors
/// - `BadHandle`, `AccessDenied`: the handle is bad or lacks SIGNAL_PEER.
/// - `NotSupported`: the type has no peer.
/// - `InvalidArgs`: a bit that programs may not change.
/// - `PeerClosed`: the other end is gone.
pub(crate) fn sys_object_signal_peer(
    caller: &Caller<'_>,
    handle: HandleValue,
    clear: Signals,
    set: Signals,
) -> ZxResult {
    let (object, _) = caller.get_any(handle, Rights::SIGNAL_PEER)?;
    let peer = object.peer().ok_or(ZxError::NotSupported)?;
    if !object.user_signals().contains(clear | set) {
        return Err(ZxError::InvalidArgs);
    }
    change(&*object, &*peer?, clear, set)
}

fn change(
    allowed_by: &dyn KernelObject,
    object: &dyn KernelObject,
    clear: Signals,
    set: Signals,
) -> ZxResult {
    if !allowed_by.user_signals().contains(clear | set) {
        return Err(ZxError::InvalidArgs);
    }
    object.base().signals().change(clear, set).wake();
    Ok(())
}
