//! What tests of address spaces share: an address space, mappings at fixed pages, accesses as a program makes them.

use crate::vm::{AddressSpace, Fault, Perms, Resizable, VmOptions, Vmar, Vmo, PAGE, PAGE_BYTES};
use alloc::sync::Arc;
use kernel_hal::addr::{USER_BASE, USER_SIZE};
use kernel_hal::user::{self, UserFault};
use kernel_hal::VirtAddr;
use zx_abi::ZxResult;

pub(super) const RW: VmOptions = VmOptions::PERM_READ.union(VmOptions::PERM_WRITE);
pub(super) const SPECIFIC: VmOptions = VmOptions::SPECIFIC;
pub(super) const OVERWRITE: VmOptions = VmOptions::SPECIFIC_OVERWRITE;
pub(super) const ALL_CAN: VmOptions = VmOptions::CAN_MAP_PERMS.union(VmOptions::CAN_MAP_SPECIFIC);

pub(super) fn root() -> Arc<Vmar> {
    let root = Vmar::new_root(USER_BASE, USER_SIZE).unwrap();
    root.space().activate();
    root
}

pub(super) fn vmo(pages: u64) -> Arc<Vmo> {
    Vmo::new(pages * PAGE_BYTES, Resizable::Yes).unwrap()
}

pub(super) fn map_at(
    vmar: &Vmar,
    options: VmOptions,
    page: usize,
    vmo: &Arc<Vmo>,
    pages: u64,
) -> ZxResult<VirtAddr> {
    vmar.map(
        options | SPECIFIC,
        (page * PAGE) as u64,
        vmo,
        0,
        pages * PAGE_BYTES,
        Perms::ALL,
    )
}

/// Stores a byte as a program would, with faults resolved.
pub(super) fn poke(space: &AddressSpace, at: VirtAddr, value: u8) -> Result<(), Fault> {
    resolving(space, || user::write_bytes(at, &[value]))
}

pub(super) fn peek(space: &AddressSpace, at: VirtAddr) -> Result<u8, Fault> {
    let mut byte = [0];
    resolving(space, || user::read_bytes(at, &mut byte))?;
    Ok(byte[0])
}

pub(super) fn resolving(
    space: &AddressSpace,
    mut access: impl FnMut() -> Result<(), UserFault>,
) -> Result<(), Fault> {
    for _ in 0..4 {
        match access() {
            Ok(()) => return Ok(()),
            Err(fault) => space.fault(fault.addr, fault.access)?,
        }
    }
    panic!("a resolved fault came back");
}
