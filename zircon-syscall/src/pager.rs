//! Pagers.

use crate::Caller;
use kernel_hal::user::UserOut;
use zircon_object::object::Handle;
use zircon_object::signal::Port;
use zircon_object::task::PolicyCondition;
use zircon_object::vm::{Pager, Vmo, PAGE_SIZE};
use zx_abi::vm_options::PagerOp;
use zx_abi::{HandleValue, Rights, Status, ZxError, ZxResult};

/// Makes a pager.
///
/// # Errors
/// - `InvalidArgs`: options.
/// - `NoMemory`: no kernel memory, or no room for the handle.
/// - `InvalidArgs`: the handle cannot be written; there is none then.
pub(crate) fn sys_pager_create(
    caller: &Caller<'_>,
    options: u32,
    out: UserOut<HandleValue>,
) -> ZxResult {
    if options != 0 {
        return Err(ZxError::InvalidArgs);
    }
    caller.give(
        Handle::with_rights(Pager::create()?, caller.level().pager_rights)?,
        out,
    )
}

/// Makes a VMO whose pages the pager supplies.
///
/// # Errors
/// - `AccessDenied`: job policy.
/// - `BadHandle`, `WrongType`, `AccessDenied`: the pager's handle is bad, or the port's is or lacks WRITE.
/// - `InvalidArgs`: options.
/// - `OutOfRange`: the size is beyond the limit.
pub(crate) fn sys_pager_create_vmo(
    caller: &Caller<'_>,
    pager: HandleValue,
    options: u32,
    port: HandleValue,
    key: u64,
    size: u64,
    out: UserOut<HandleValue>,
) -> ZxResult {
    caller.policy(PolicyCondition::NewVmo)?;
    let pager = caller.get::<Pager>(pager, Rights::empty())?;
    let port = caller.get::<Port>(port, Rights::WRITE)?;
    let resizable = (caller.level().vmo_options)(options)?;
    let vmo = pager.create_vmo(port, key, size, resizable, caller.level().pager_gone)?;
    caller.give(Handle::new(vmo)?, out)
}

/// Takes a VMO from its pager: pages that are missing never come.
///
/// # Errors
/// - `BadHandle`, `WrongType`: the handle of the pager is bad, then that of the VMO.
/// - `InvalidArgs`: the VMO is not of this pager.
pub(crate) fn sys_pager_detach_vmo(
    caller: &Caller<'_>,
    pager: HandleValue,
    vmo: HandleValue,
) -> ZxResult {
    let pager = caller.get::<Pager>(pager, Rights::empty())?;
    let vmo = caller.get::<Vmo>(vmo, Rights::empty())?;
    pager.detach(&vmo)
}

/// Does something with a range of one of the pager's VMOs: FAIL ends requests with the status in `data`.
///
/// # Errors
/// - `InvalidArgs`: not whole pages.
/// - `BadHandle`, `WrongType`: the pager's handle or the VMO's is bad.
/// - `InvalidArgs`: the VMO is not one of this pager, or `data` is no status that a pager may say.
/// - `OutOfRange`: not wholly inside.
/// - `NotSupported`: no such operation.
pub(crate) fn sys_pager_op_range(
    caller: &Caller<'_>,
    pager: HandleValue,
    op: u32,
    pager_vmo: HandleValue,
    offset: u64,
    length: u64,
    data: u64,
) -> ZxResult {
    let page = PAGE_SIZE as u64;
    if !offset.is_multiple_of(page) || !length.is_multiple_of(page) {
        return Err(ZxError::InvalidArgs);
    }
    let pager = caller.get::<Pager>(pager, Rights::empty())?;
    let vmo = caller.get::<Vmo>(pager_vmo, Rights::empty())?;
    pager.check(&vmo)?;
    match PagerOp::from_raw(op) {
        Some(PagerOp::Fail) => {
            let status = i32::try_from(data.cast_signed()).map_err(|_| ZxError::InvalidArgs)?;
            let error = Status(status)
                .into_result()
                .err()
                .ok_or(ZxError::InvalidArgs)?;
            pager.fail(&vmo, offset, length, error)
        }
        None => Err(ZxError::NotSupported),
    }
}

/// Moves pages from one VMO into one of the pager's.
///
/// # Errors
/// - `InvalidArgs`: not whole pages.
/// - `BadHandle`, `WrongType`: the pager's handle or the VMO's is bad.
/// - `InvalidArgs`: the VMO is not one of this pager.
/// - `BadHandle`, `WrongType`, `AccessDenied`: `aux_vmo` is bad or lacks READ or WRITE.
/// - Otherwise what [`Pager::supply`] says.
pub(crate) fn sys_pager_supply_pages(
    caller: &Caller<'_>,
    pager: HandleValue,
    pager_vmo: HandleValue,
    offset: u64,
    length: u64,
    aux_vmo: HandleValue,
    aux_offset: u64,
) -> ZxResult {
    let page = PAGE_SIZE as u64;
    if [offset, length, aux_offset]
        .iter()
        .any(|bytes| !bytes.is_multiple_of(page))
    {
        return Err(ZxError::InvalidArgs);
    }
    let pager = caller.get::<Pager>(pager, Rights::empty())?;
    let vmo = caller.get::<Vmo>(pager_vmo, Rights::empty())?;
    pager.check(&vmo)?;
    let aux = caller.get::<Vmo>(aux_vmo, Rights::READ | Rights::WRITE)?;
    pager.supply(&vmo, offset, length, &aux, aux_offset)
}
