//! IOMMUs, bus transaction initiators and pinned memory.

use crate::Caller;
use kernel_hal::user::{UserIn, UserOut};
use zircon_object::dev::bti::AddressForm;
use zircon_object::dev::{Bti, Iommu, Pmt};
use zircon_object::object::{downcast, Handle};
use zircon_object::vm::{Vmo, PAGE_SIZE};
use zx_abi::device::{BtiOptions, IommuType, ResourceKind};
use zx_abi::limits::IOMMU_DESC_MAX;
use zx_abi::{HandleValue, Rights, ZxError, ZxResult, HANDLE_INVALID};

/// Makes an IOMMU.
///
/// # Errors
/// - `BadHandle`, `WrongType`: the handle is no root resource.
/// - `InvalidArgs`: a description that is too long, cannot be read, or does not fit the kind.
/// - `NotSupported`: another kind than the dummy.
// PARTIAL: only the dummy, which translates nothing
pub(crate) fn sys_iommu_create(
    caller: &Caller<'_>,
    resource: HandleValue,
    kind: u32,
    desc: UserIn<u8>,
    desc_size: usize,
    out: UserOut<HandleValue>,
) -> ZxResult {
    caller.check_resource(resource, ResourceKind::Root)?;
    if desc_size > IOMMU_DESC_MAX {
        return Err(ZxError::InvalidArgs);
    }
    let desc = caller.read_vec(desc, desc_size)?;
    match IommuType::from_raw(kind) {
        Some(IommuType::Dummy) if desc.len() == 1 => {
            caller.give(Handle::new(Iommu::create_dummy()?)?, out)
        }
        Some(IommuType::Dummy) => Err(ZxError::InvalidArgs),
        Some(IommuType::Intel) | None => Err(ZxError::NotSupported),
    }
}

/// Makes the device `bti_id` behind an IOMMU.
///
/// # Errors
/// - `InvalidArgs`: options.
/// - `BadHandle`, `WrongType`: the handle is no IOMMU's.
/// - `NoMemory`: no kernel memory, or no room for the handle.
/// - `InvalidArgs`: the handle cannot be written; there is none then.
pub(crate) fn sys_bti_create(
    caller: &Caller<'_>,
    iommu: HandleValue,
    options: u32,
    bti_id: u64,
    out: UserOut<HandleValue>,
) -> ZxResult {
    if options != 0 {
        return Err(ZxError::InvalidArgs);
    }
    let iommu = caller.get::<Iommu>(iommu, Rights::empty())?;
    caller.give(Handle::new(Bti::create(iommu, bti_id)?)?, out)
}

/// Pins memory for a device and tells where it is.
///
/// # Errors
/// - `BadHandle`, `WrongType`, `AccessDenied`: `handle` is bad or lacks MAP.
/// - `InvalidArgs`: not whole pages.
/// - `BadHandle`, `WrongType`, `AccessDenied`: `vmo` is bad, or lacks MAP or what the options ask for.
/// - `InvalidArgs`: options that are unknown, exclude each other, or permit nothing.
/// - Otherwise what [`Bti::pin`] says; `InvalidArgs`: the addresses cannot be written.
#[expect(clippy::too_many_arguments, reason = "the call has that many")]
pub(crate) fn sys_bti_pin(
    caller: &Caller<'_>,
    handle: HandleValue,
    options: u32,
    vmo: HandleValue,
    offset: u64,
    size: u64,
    addrs: UserOut<u64>,
    addrs_count: usize,
    pmt: UserOut<HandleValue>,
) -> ZxResult {
    let bti = caller.get::<Bti>(handle, Rights::MAP)?;
    let page = PAGE_SIZE as u64;
    if !offset.is_multiple_of(page) || !size.is_multiple_of(page) {
        return Err(ZxError::InvalidArgs);
    }
    let (vmo, rights) = caller.get_with_rights::<Vmo>(vmo)?;
    if !rights.contains(Rights::MAP | needed(BtiOptions::from_bits_retain(options))) {
        return Err(ZxError::AccessDenied);
    }
    let form = address_form(BtiOptions::from_bits(options).ok_or(ZxError::InvalidArgs)?)?;
    let (token, addresses) = bti.pin(vmo, offset, size, form, addrs_count)?;
    // Both places are tried before there is a handle: a handle that fails to arrive would leave its memory in quarantine.
    let told = caller
        .write_slice(addrs, &addresses)
        .and_then(|()| caller.write(pmt, &HANDLE_INVALID));
    if told.is_err() {
        token.unpin();
        return told;
    }
    let handle = Handle::new(token.clone()).inspect_err(|_| token.unpin())?;
    caller.give(handle, pmt)
}

/// Rights on the VMO that the permissions need.
fn needed(options: BtiOptions) -> Rights {
    let mut rights = Rights::empty();
    if options.intersects(BtiOptions::PERM_READ | BtiOptions::PERM_EXECUTE) {
        rights |= Rights::READ;
    }
    if options.contains(BtiOptions::PERM_WRITE) {
        rights |= Rights::WRITE;
    }
    rights
}

fn address_form(options: BtiOptions) -> ZxResult<AddressForm> {
    let permissions = BtiOptions::PERM_READ | BtiOptions::PERM_WRITE | BtiOptions::PERM_EXECUTE;
    match options - permissions {
        _ if !options.intersects(permissions) => Err(ZxError::InvalidArgs),
        BtiOptions::CONTIGUOUS => Ok(AddressForm::Single),
        rest if rest.is_empty() || rest == BtiOptions::COMPRESS => Ok(AddressForm::PerPage),
        _ => Err(ZxError::InvalidArgs),
    }
}

/// Unpins what closed tokens have left pinned.
///
/// # Errors
/// - `BadHandle`, `WrongType`, `AccessDenied`: the handle is bad or lacks WRITE.
pub(crate) fn sys_bti_release_quarantine(caller: &Caller<'_>, handle: HandleValue) -> ZxResult {
    caller
        .get::<Bti>(handle, Rights::WRITE)?
        .release_quarantine();
    Ok(())
}

/// Unpins memory. The handle is consumed whatever it is.
///
/// # Errors
/// - `BadHandle`: no such handle.
/// - `WrongType`: no token.
pub(crate) fn sys_pmt_unpin(caller: &Caller<'_>, handle: HandleValue) -> ZxResult {
    let removed = caller.process().handles().remove(handle);
    let handle = removed.map_err(|error| caller.lookup_failed(error))?;
    downcast::<Pmt>(handle.object().clone())?.unpin();
    Ok(())
}
