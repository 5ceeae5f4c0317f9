//! VMARs: allocate, map, unmap, protect, destroy, operations on ranges.

use crate::caller::NeededFor;
use crate::level::RootVmarEnd;
use crate::unfinished::{Unfinished, MAP_STEP};
use crate::Caller;
use kernel_hal::user::{UserInOut, UserOut};
use kernel_hal::VirtAddr;
use zircon_object::object::Handle;
use zircon_object::vm::{Perms, RangeOp, Rest, VmOptions, Vmar, Vmo, PAGE_SIZE};
use zx_abi::vm_options::VmarOp;
use zx_abi::{HandleValue, ObjectType, Rights, ZxError, ZxResult};

/// Bytes that `vmar_op_range` handles between two chances to do something else.
const STEP: usize = 64 * PAGE_SIZE;
/// `vmar_op_range` with COMMIT: what programs of 2020 ask for under the number that VMOs use.
const COMMIT: u32 = zx_abi::vm_options::VmoOp::Commit.raw();

/// Makes a region inside another one.
///
/// # Errors
/// - `BadHandle`, `WrongType`, `AccessDenied`: the handle is bad or lacks what CAN_MAP_* ask for.
/// - Otherwise what [`Vmar::allocate`] says, or `InvalidArgs` when a pointer cannot be written; there is no region then.
pub(crate) fn sys_vmar_allocate(
    caller: &Caller<'_>,
    parent_vmar: HandleValue,
    options: u32,
    offset: u64,
    size: u64,
    child_vmar: UserOut<HandleValue>,
    child_addr: UserOut<u64>,
) -> ZxResult {
    let options = VmOptions::from_bits_retain(options);
    let can = [
        (VmOptions::CAN_MAP_READ, Rights::READ),
        (VmOptions::CAN_MAP_WRITE, Rights::WRITE),
        (VmOptions::CAN_MAP_EXECUTE, Rights::EXECUTE),
    ];
    let rights = rights_for(options, can);
    let child = caller
        .get::<Vmar>(parent_vmar, rights)?
        .allocate(options, offset, size)?;
    let given = caller
        .write(child_addr, &(child.base_addr() as u64))
        .and_then(|()| {
            let handle = Handle::with_rights(
                child.clone(),
                Rights::default_for(ObjectType::Vmar) | rights,
            )?;
            caller.give(handle, child_vmar)
        });
    if given.is_err() {
        child.destroy()?;
    }
    given
}

/// Unmaps everything in a region and kills it.
///
/// # Errors
/// - `BadHandle`, `WrongType`: the handle is bad.
/// - `AccessDenied`: it is the root (not in 2019).
/// - Otherwise what [`Vmar::destroy`] says.
pub(crate) fn sys_vmar_destroy(caller: &Caller<'_>, handle: HandleValue) -> ZxResult {
    let vmar = caller.get::<Vmar>(handle, Rights::empty())?;
    if vmar.is_root() && caller.level().root_vmar_end == RootVmarEnd::WithProcess {
        return Err(ZxError::AccessDenied);
    }
    if vmar.destroy_step()? == Rest::More {
        caller.leave_unfinished(Unfinished::Destroy(vmar));
    }
    Ok(())
}

/// Maps part of a VMO.
///
/// # Errors
/// - `BadHandle`, `WrongType`: the VMAR's handle, then the VMO's.
/// - `AccessDenied`: the VMO's handle lacks MAP.
/// - Otherwise what [`Vmar::map`] says, or `InvalidArgs` when `mapped_addr` cannot be written; nothing is mapped then.
#[expect(clippy::too_many_arguments, reason = "the call has that many")]
pub(crate) fn sys_vmar_map(
    caller: &Caller<'_>,
    handle: HandleValue,
    options: u32,
    vmar_offset: u64,
    vmo: HandleValue,
    vmo_offset: u64,
    len: u64,
    mapped_addr: UserOut<u64>,
) -> ZxResult {
    let (vmar, vmar_rights) = caller.get_with_rights::<Vmar>(handle)?;
    let (vmo, vmo_rights) = caller.get_with_rights::<Vmo>(vmo)?;
    if !vmo_rights.contains(Rights::MAP) {
        return Err(ZxError::AccessDenied);
    }
    let cap = perms_for(vmar_rights & vmo_rights);
    let options = VmOptions::from_bits_retain(options);
    // What is very long is entered in steps.
    let in_steps = len > MAP_STEP && options.contains(VmOptions::MAP_RANGE);
    let base = vmar.map(options, vmar_offset, &vmo, vmo_offset, len, cap)?;
    if in_steps {
        let len = len.next_multiple_of(PAGE_SIZE as u64);
        let (vmar, addr) = (vmar.clone(), base);
        caller.leave_unfinished(Unfinished::MapRange { vmar, addr, len });
    }
    caller.write(mapped_addr, &(base as u64)).or_else(|error| {
        vmar.unmap(base, len)?;
        Err(error)
    })
}

/// Unmaps a range.
///
/// # Errors
/// - `BadHandle`, `WrongType`: the handle is bad.
/// - Otherwise what [`Vmar::unmap`] says.
pub(crate) fn sys_vmar_unmap(
    caller: &Caller<'_>,
    handle: HandleValue,
    addr: VirtAddr,
    len: u64,
) -> ZxResult {
    let vmar = caller.get::<Vmar>(handle, Rights::empty())?;
    let len = vmar.unmap_step(addr, len)?;
    if len != 0 {
        caller.leave_unfinished(Unfinished::Unmap { vmar, addr, len });
    }
    Ok(())
}

/// Changes the permissions of a range.
///
/// # Errors
/// - `BadHandle`, `WrongType`, `AccessDenied`: the handle is bad or lacks what PERM_* ask for.
/// - Otherwise what [`Vmar::protect`] says.
pub(crate) fn sys_vmar_protect(
    caller: &Caller<'_>,
    handle: HandleValue,
    options: u32,
    addr: VirtAddr,
    len: u64,
) -> ZxResult {
    let options = VmOptions::from_bits_retain(options);
    let perms = [
        (VmOptions::PERM_READ, Rights::READ),
        (VmOptions::PERM_WRITE, Rights::WRITE),
        (VmOptions::PERM_EXECUTE, Rights::EXECUTE),
    ];
    caller
        .get::<Vmar>(handle, rights_for(options, perms))?
        .protect(options, addr, len)
}

/// Does something with the pages of a range.
///
/// # Errors
/// - `BadHandle`, `WrongType`: the handle is bad.
/// - `InvalidArgs`: `buffer` or `buffer_size` is not 0.
/// - `NotSupported`: no such operation.
/// - Otherwise what [`Vmar::op_range`] says.
pub(crate) async fn sys_vmar_op_range(
    caller: &Caller<'_>,
    handle: HandleValue,
    op: u32,
    address: VirtAddr,
    size: usize,
    buffer: UserInOut<u8>,
    buffer_size: usize,
) -> ZxResult {
    let vmar = caller.get::<Vmar>(handle, Rights::empty())?;
    if !buffer.is_null() || buffer_size != 0 {
        return Err(ZxError::InvalidArgs);
    }
    let op = match VmarOp::from_raw(op) {
        Some(VmarOp::Decommit) => Some(RangeOp::Decommit),
        Some(VmarOp::MapRange) => Some(RangeOp::MapRange),
        None if op == COMMIT => Some(RangeOp::Commit),
        None => None,
    };
    vmar.check_op_range(op, address, size as u64)?;
    let mut done = 0;
    while done < size {
        let (at, len) = (address + done, (size - done).min(STEP));
        match vmar.op_range(op, at, len as u64) {
            Err(ZxError::ShouldWait) => {
                if let Some(request) = vmar.space().ask_for_range(at, size - done)? {
                    return Err(caller.want_page(request, NeededFor::Object));
                }
            }
            result => {
                result?;
                done += len;
                if done < size {
                    caller.give_way().await?;
                }
            }
        }
    }
    Ok(())
}

/// The rights that go with the options that are set.
fn rights_for(options: VmOptions, pairs: [(VmOptions, Rights); 3]) -> Rights {
    let wanted = pairs
        .into_iter()
        .filter(|(option, _)| options.contains(*option));
    wanted.fold(Rights::empty(), |rights, (_, right)| rights | right)
}

/// What handles with these rights let a mapping do.
fn perms_for(rights: Rights) -> Perms {
    let mut perms = Perms::empty();
    perms.set(Perms::READ, rights.contains(Rights::READ));
    perms.set(Perms::WRITE, rights.contains(Rights::WRITE));
    perms.set(Perms::EXECUTE, rights.contains(Rights::EXECUTE));
    perms
}
