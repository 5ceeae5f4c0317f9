//! Handles: close, duplicate, replace.

use crate::closing::close_all;
use crate::Caller;
use kernel_hal::user::{UserIn, UserOut};
use zx_abi::{HandleValue, Rights, ZxResult, HANDLE_INVALID};

/// Closes a handle. 0 is no error.
///
/// # Errors
/// - `BadHandle`: no such handle.
#[inline(always)]
pub(crate) fn sys_handle_close(caller: &Caller<'_>, handle: HandleValue) -> ZxResult {
    if handle == HANDLE_INVALID {
        return Ok(());
    }
    let removed = caller.process().handles().remove(handle);
    match removed {
        Ok(handle) => {
            drop(handle);
            Ok(())
        }
        Err(error) => Err(caller.lookup_failed(error)),
    }
}

/// Closes every handle of an array that is good; zeros are skipped.
///
/// # Errors
/// - `InvalidArgs`: a piece of the array cannot be read; the pieces before it are closed.
/// - `BadHandle`: an entry was not a handle, or stood there twice.
pub(crate) fn sys_handle_close_many(
    caller: &Caller<'_>,
    handles: UserIn<HandleValue>,
    num_handles: usize,
) -> ZxResult {
    close_all(caller, handles, num_handles)
}

/// Makes another handle with the same or fewer rights.
///
/// # Errors
/// - `BadHandle`: no such handle.
/// - `AccessDenied`: it has no right to be duplicated.
/// - `InvalidArgs`: `rights` is not a subset, or `out` cannot be written.
/// - `NoMemory`: no handle is left.
pub(crate) fn sys_handle_duplicate(
    caller: &Caller<'_>,
    handle: HandleValue,
    rights: Rights,
    out: UserOut<HandleValue>,
) -> ZxResult {
    let copy = {
        let table = caller.process().handles();
        table.find(handle).and_then(|handle| {
            handle.require(Rights::DUPLICATE)?;
            handle.duplicate(rights)
        })
    };
    let copy = copy.map_err(|error| caller.lookup_failed(error))?;
    caller.give(copy, out)
}

/// Replaces a handle by one with the same or fewer rights. The old one is gone on every outcome but `BadHandle`.
///
/// # Errors
/// - `BadHandle`: no such handle.
/// - `InvalidArgs`: `rights` is not a subset, or `out` cannot be written.
/// - `NoMemory`: no handle is left.
pub(crate) fn sys_handle_replace(
    caller: &Caller<'_>,
    handle: HandleValue,
    rights: Rights,
    out: UserOut<HandleValue>,
) -> ZxResult {
    let removed = caller.process().handles().remove(handle);
    let old = removed.map_err(|error| caller.lookup_failed(error))?;
    let new = old.duplicate(rights);
    let given = new.and_then(|new| caller.give(new, out));
    drop(old);
    given
}
