//! VMOs: create, read, write, resize, operations on ranges, children.

use crate::caller::NeededFor;
use crate::copying::{copy, Direction};
use crate::level::{ChildRequest, Decommit};
use crate::unfinished::Unfinished;
use crate::Caller;
use kernel_hal::paging::CachePolicy;
use kernel_hal::user::{UserIn, UserInOut, UserOut};
use kernel_hal::PhysAddr;
use zircon_object::dev::resource::Extent;
use zircon_object::dev::{Bti, Resource};
use zircon_object::object::{Handle, KernelObject};
use zircon_object::task::PolicyCondition;
use zircon_object::vm::{ChildKind, Resizable, Rest, Vmo, PAGE_SIZE};
use zx_abi::device::ResourceKind;
use zx_abi::limits::PAGE_SHIFT;
use zx_abi::vm_options::{VmoChildOptions, VmoOp, VmoOptions};
use zx_abi::{HandleValue, ObjectType, Rights, ZxError, ZxResult};

/// Bytes that are committed between two chances to do something else.
const PIECE: u64 = 64 * PAGE_SIZE as u64;

/// Makes a VMO without pages.
///
/// # Errors
/// - `AccessDenied`: job policy.
/// - `InvalidArgs`: options of this level.
/// - `OutOfRange`: the size is beyond the limit.
/// - `NoMemory`: no kernel memory, or no room for the handle.
/// - `InvalidArgs`: the handle cannot be written; there is none then.
pub(crate) fn sys_vmo_create(
    caller: &Caller<'_>,
    size: u64,
    options: u32,
    out: UserOut<HandleValue>,
) -> ZxResult {
    caller.policy(PolicyCondition::NewVmo)?;
    let resizable = (caller.level().vmo_options)(options)?;
    caller.give(Handle::new(Vmo::new(size, resizable)?)?, out)
}

/// Options of `vmo_create`.
pub(crate) fn options(options: u32) -> ZxResult<Resizable> {
    let options = VmoOptions::from_bits(options).ok_or(ZxError::InvalidArgs)?;
    Ok(if options.contains(VmoOptions::RESIZABLE) {
        Resizable::Yes
    } else {
        Resizable::No
    })
}

/// Copies out of a VMO.
///
/// # Errors
/// - `BadHandle`, `WrongType`, `AccessDenied`: the handle is bad or lacks READ.
/// - `OutOfRange`: not wholly inside.
/// - `BadState`, `NotSupported`: memory that is not cached, or physical.
/// - `InvalidArgs`: the buffer cannot be written.
pub(crate) fn sys_vmo_read(
    caller: &Caller<'_>,
    handle: HandleValue,
    buffer: UserOut<u8>,
    offset: u64,
    buffer_size: usize,
) -> ZxResult {
    let vmo = caller.get::<Vmo>(handle, Rights::READ)?;
    copy(
        caller,
        vmo,
        Direction::Out,
        (offset, buffer.addr(), buffer_size),
    )
}

/// Copies into a VMO.
///
/// # Errors
/// - `BadHandle`, `WrongType`, `AccessDenied`: the handle is bad or lacks WRITE.
/// - `OutOfRange`: not wholly inside.
/// - `BadState`, `NotSupported`: memory that is not cached, or physical.
/// - `InvalidArgs`: the buffer cannot be read.
/// - `NoMemory`: a page could not be made.
pub(crate) fn sys_vmo_write(
    caller: &Caller<'_>,
    handle: HandleValue,
    buffer: UserIn<u8>,
    offset: u64,
    buffer_size: usize,
) -> ZxResult {
    let vmo = caller.get::<Vmo>(handle, Rights::WRITE)?;
    copy(
        caller,
        vmo,
        Direction::In,
        (offset, buffer.addr(), buffer_size),
    )
}

/// Asks a VMO's pager for the first pages of the range that are missing, at most `most` of those that adjoin each other.
///
/// # Errors
/// - `ShouldWait`: it was asked, see [`Caller::want_page`].
/// - What accesses get when a page will never come.
#[cold]
pub(crate) fn ask_for(
    caller: &Caller<'_>,
    vmo: &Vmo,
    offset: u64,
    len: u64,
    most: u64,
) -> ZxResult {
    match vmo.ask_for(offset, len, most)? {
        Some(request) => Err(caller.want_page(request, NeededFor::Object)),
        None => Ok(()),
    }
}

/// The size in bytes, whole pages.
///
/// # Errors
/// - `BadHandle`, `WrongType`: the handle is bad.
/// - `InvalidArgs`: the size cannot be written.
pub(crate) fn sys_vmo_get_size(
    caller: &Caller<'_>,
    handle: HandleValue,
    size: UserOut<u64>,
) -> ZxResult {
    let vmo = caller.get::<Vmo>(handle, Rights::empty())?;
    caller.write(size, &vmo.size())
}

/// Changes the size. What is long is finished by the thread before it goes on.
///
/// # Errors
/// - `BadHandle`, `WrongType`, `AccessDenied`: the handle is bad or lacks WRITE.
/// - What [`Vmo::set_size_step`] says.
pub(crate) fn sys_vmo_set_size(caller: &Caller<'_>, handle: HandleValue, size: u64) -> ZxResult {
    let vmo = caller.get::<Vmo>(handle, Rights::WRITE)?;
    if vmo.set_size_step(size)? == Rest::More {
        caller.leave_unfinished(Unfinished::Resize { vmo, size });
    }
    Ok(())
}

/// Does something with a range; each operation needs a right of its own.
///
/// # Errors
/// - `BadHandle`, `WrongType`, `AccessDenied`: the handle is bad or lacks the right.
/// - `InvalidArgs`: no such operation.
/// - `NotSupported`: `LOCK`, `UNLOCK`, and what the kind of VMO does not have.
/// - Otherwise what [`Vmo`] says.
pub(crate) async fn sys_vmo_op_range(
    caller: &Caller<'_>,
    handle: HandleValue,
    op: u32,
    offset: u64,
    size: u64,
    _buffer: UserInOut<u8>,
    _buffer_size: usize,
) -> ZxResult {
    let (vmo, rights) = caller.get_with_rights::<Vmo>(handle)?;
    let require = |right| {
        if rights.contains(right) {
            Ok(())
        } else {
            Err(ZxError::AccessDenied)
        }
    };
    match VmoOp::from_raw(op).ok_or(ZxError::InvalidArgs)? {
        VmoOp::Commit => {
            require(Rights::WRITE)?;
            commit(caller, &vmo, offset, size).await
        }
        VmoOp::Decommit => {
            require(Rights::WRITE)?;
            decommit(caller, &vmo, offset, size).await
        }
        VmoOp::Zero => {
            require(Rights::WRITE)?;
            zero(caller, &vmo, offset, size).await
        }
        VmoOp::Lock | VmoOp::Unlock => Err(ZxError::NotSupported),
        VmoOp::CacheSync | VmoOp::CacheClean | VmoOp::CacheCleanInvalidate => {
            require(Rights::READ)?;
            vmo.cache_op(offset, size)
        }
        VmoOp::CacheInvalidate => {
            require(Rights::WRITE)?;
            vmo.cache_op(offset, size)
        }
    }
}

/// Zeroes in steps, yielding between them.
async fn zero(caller: &Caller<'_>, vmo: &Vmo, offset: u64, size: u64) -> ZxResult {
    let mut done = 0;
    loop {
        match vmo.zero_step(offset.saturating_add(done), size - done) {
            Err(ZxError::ShouldWait) => ask_for(caller, vmo, offset, size, u64::MAX)?,
            step => done += step?,
        }
        if done >= size {
            return Ok(());
        }
        caller.give_way().await?;
    }
}

async fn decommit(caller: &Caller<'_>, vmo: &Vmo, offset: u64, size: u64) -> ZxResult {
    match caller.level().decommit {
        Decommit::OwnPagesOnly if vmo.is_pager_backed() || vmo.shows_copy() => {
            Err(ZxError::NotSupported)
        }
        Decommit::OwnPagesOnly => decommit_pages(caller, vmo, offset, size).await,
        Decommit::AnyPages => {
            let page = PAGE_SIZE as u64;
            let end = offset
                .checked_add(size)
                .and_then(|end| end.checked_next_multiple_of(page))
                .ok_or(ZxError::OutOfRange)?;
            let start = offset / page * page;
            decommit_pages(caller, vmo, start, end - start).await
        }
    }
}

/// Decommits in steps, yielding between them.
async fn decommit_pages(caller: &Caller<'_>, vmo: &Vmo, offset: u64, size: u64) -> ZxResult {
    const STEP: u64 = 1 << 30;
    let mut done = 0;
    loop {
        done += vmo.decommit_step(offset.saturating_add(done), size - done, STEP)?;
        if done >= size {
            return Ok(());
        }
        caller.give_way().await?;
    }
}

/// Commits in bounded pieces, yielding between them.
async fn commit(caller: &Caller<'_>, vmo: &Vmo, offset: u64, size: u64) -> ZxResult {
    let end = offset
        .checked_add(size)
        .ok_or(ZxError::OutOfRange)?
        .min(vmo.size());
    let mut at = offset;
    loop {
        let next = at.saturating_add(PIECE).min(end).max(at);
        match vmo.commit(at, next - at) {
            Err(ZxError::ShouldWait) => {
                ask_for(caller, vmo, offset, size, u64::MAX)?;
                continue;
            }
            result => result?,
        }
        at = next;
        if at >= end {
            return Ok(());
        }
        caller.give_way().await?;
    }
}

/// Makes a snapshot or a slice.
///
/// # Errors
/// - `BadHandle`, `WrongType`, `AccessDenied`: the handle is bad or lacks DUPLICATE or READ.
/// - `InvalidArgs`: not exactly one kind, or unknown options.
/// - Otherwise what [`Vmo::create_child`] says.
pub(crate) fn sys_vmo_create_child(
    caller: &Caller<'_>,
    handle: HandleValue,
    options: u32,
    offset: u64,
    size: u64,
    out: UserOut<HandleValue>,
) -> ZxResult {
    let (parent, rights) = caller.get_with_rights::<Vmo>(handle)?;
    if !rights.contains(Rights::DUPLICATE | Rights::READ) {
        return Err(ZxError::AccessDenied);
    }
    let ChildRequest {
        kind,
        resizable,
        without,
    } = (caller.level().vmo_child)(options)?;
    let child = parent.create_child(kind, resizable, offset, size)?;
    if rights.contains(Rights::GET_PROPERTY) {
        child.set_name(&parent.name().map(|name| name.get()).unwrap_or_default());
    }
    let mut rights = rights | Rights::PROPERTY;
    if kind != ChildKind::Slice {
        rights = (rights | Rights::WRITE) - Rights::EXECUTE;
    }
    caller.give(Handle::with_rights(child, rights - without)?, out)
}

/// Options of `vmo_create_child`.
///
/// # Errors
/// - `InvalidArgs`: not exactly one kind, or unknown bits; a slice with any other bit.
pub(crate) fn child_request(options: u32) -> ZxResult<ChildRequest> {
    let options = VmoChildOptions::from_bits(options).ok_or(ZxError::InvalidArgs)?;
    let without = if options.contains(VmoChildOptions::NO_WRITE) {
        Rights::WRITE
    } else {
        Rights::empty()
    };
    let resizable = if options.contains(VmoChildOptions::RESIZABLE) {
        Resizable::Yes
    } else {
        Resizable::No
    };
    let kind = match options - VmoChildOptions::NO_WRITE - VmoChildOptions::RESIZABLE {
        VmoChildOptions::SNAPSHOT => ChildKind::Snapshot,
        VmoChildOptions::SNAPSHOT_AT_LEAST_ON_WRITE => ChildKind::SnapshotAtLeastOnWrite,
        VmoChildOptions::SLICE if resizable == Resizable::No => ChildKind::Slice,
        _ => return Err(ZxError::InvalidArgs),
    };
    Ok(ChildRequest {
        kind,
        resizable,
        without,
    })
}

/// Chooses how mappings to come are cached.
///
/// # Errors
/// - `InvalidArgs`: no such policy.
/// - `BadHandle`, `WrongType`, `AccessDenied`: the handle is bad or lacks MAP.
/// - What [`Vmo::set_cache_policy`] says.
pub(crate) fn sys_vmo_set_cache_policy(
    caller: &Caller<'_>,
    handle: HandleValue,
    cache_policy: u32,
) -> ZxResult {
    let policy = match cache_policy {
        0 => CachePolicy::Cached,
        1 => CachePolicy::Uncached,
        2 => CachePolicy::UncachedDevice,
        3 => CachePolicy::WriteCombining,
        _ => return Err(ZxError::InvalidArgs),
    };
    caller
        .get::<Vmo>(handle, Rights::MAP)?
        .set_cache_policy(policy)
}

/// Replaces a handle by one that has EXECUTE too. The handle is consumed unless it is bad.
///
/// # Errors
/// - `BadHandle`: the handle is bad, or not a VMO's.
/// - `BadHandle`, `WrongType`: what is wrong with `vmex`.
/// - `AccessDenied`: `vmex` is 0 and job policy does not let that pass.
pub(crate) fn sys_vmo_replace_as_executable(
    caller: &Caller<'_>,
    handle: HandleValue,
    vmex: HandleValue,
    out: UserOut<HandleValue>,
) -> ZxResult {
    let allowed = if vmex == 0 {
        caller.policy(PolicyCondition::AmbientMarkVmoExec)
    } else {
        caller.check_resource(vmex, ResourceKind::Vmex)
    };
    let removed = caller.process().handles().remove(handle);
    let old = removed.map_err(|error| caller.lookup_failed(error))?;
    allowed?;
    if old.object().object_type() != ObjectType::Vmo {
        return Err(ZxError::BadHandle);
    }
    caller.give(
        Handle::with_rights(old.object().clone(), old.rights() | Rights::EXECUTE)?,
        out,
    )
}

/// Makes a VMO of physically adjoining pages.
///
/// # Errors
/// - `InvalidArgs`: no bytes, or an alignment that is none.
/// - `AccessDenied`: job policy.
/// - `BadHandle`, `WrongType`, `AccessDenied`: `bti` is bad or lacks MAP.
/// - `OutOfRange`: the size is beyond the limit.
/// - `NoMemory`: there is no such run of frames.
pub(crate) fn sys_vmo_create_contiguous(
    caller: &Caller<'_>,
    bti: HandleValue,
    size: usize,
    alignment_log2: u32,
    out: UserOut<HandleValue>,
) -> ZxResult {
    let alignment_log2 = match alignment_log2 {
        0 => PAGE_SHIFT,
        PAGE_SHIFT..64 => alignment_log2,
        _ => return Err(ZxError::InvalidArgs),
    };
    if size == 0 {
        return Err(ZxError::InvalidArgs);
    }
    caller.policy(PolicyCondition::NewVmo)?;
    caller.get::<Bti>(bti, Rights::MAP)?;
    caller.give(
        Handle::new(Vmo::new_contiguous(size as u64, alignment_log2)?)?,
        out,
    )
}

/// Makes a VMO over a range of physical addresses.
///
/// # Errors
/// - `AccessDenied`: job policy.
/// - `BadHandle`, `WrongType`, `OutOfRange`: the resource does not give the right to the range.
/// - `InvalidArgs`: no bytes, an address inside a page, or a range that wraps.
pub(crate) fn sys_vmo_create_physical(
    caller: &Caller<'_>,
    resource: HandleValue,
    paddr: u64,
    size: usize,
    out: UserOut<HandleValue>,
) -> ZxResult {
    caller.policy(PolicyCondition::NewVmo)?;
    let size = size as u64;
    let resource = caller.get::<Resource>(resource, Rights::empty())?;
    resource.check_range(ResourceKind::Mmio, Extent { base: paddr, size })?;
    caller.give(
        Handle::new(Vmo::new_physical(
            PhysAddr(paddr),
            size,
            CachePolicy::Uncached,
        )?)?,
        out,
    )
}
