//! `object_get_child`.

use crate::Caller;
use alloc::sync::Arc;
use kernel_hal::user::UserOut;
use zircon_object::object::{downcast, Handle, KernelObject, Koid};
use zircon_object::task::{Job, Process};
use zx_abi::{HandleValue, Rights, ZxError, ZxResult};

/// A handle to a direct child: a thread of a process, a child job or process of a job.
///
/// # Errors
/// - `BadHandle`: no such handle.
/// - `AccessDenied`: it lacks ENUMERATE, or `rights` exceed the parent handle's.
/// - `NotFound`: no such child.
/// - `WrongType`: neither process nor job.
/// - `NoMemory`, `InvalidArgs`: no handle left, or `out` cannot be written.
pub(crate) fn sys_object_get_child(
    caller: &Caller<'_>,
    handle: HandleValue,
    koid: u64,
    rights: Rights,
    out: UserOut<HandleValue>,
) -> ZxResult {
    let found = {
        let table = caller.process().handles();
        table.find(handle).and_then(|handle| {
            handle.require(Rights::ENUMERATE)?;
            let rights = handle.reduced(rights).map_err(|_| ZxError::AccessDenied)?;
            Ok((handle.object().clone(), rights))
        })
    };
    let (parent, rights) = found.map_err(|error| caller.lookup_failed(error))?;
    let child = child_of(parent, Koid(koid))?;
    caller.give(Handle::with_rights(child, rights)?, out)
}

fn child_of(parent: Arc<dyn KernelObject>, koid: Koid) -> ZxResult<Arc<dyn KernelObject>> {
    if let Ok(process) = downcast::<Process>(parent.clone()) {
        return Ok(process.thread(koid).ok_or(ZxError::NotFound)?);
    }
    let job = downcast::<Job>(parent)?;
    if let Some(child) = job.child(koid) {
        return Ok(child);
    }
    Ok(job.process(koid).ok_or(ZxError::NotFound)?)
}
