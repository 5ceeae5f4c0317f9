//! Memory that outlives rboot: pages of the type that becomes `RegionKind::Loaded`.
use core::slice;

use boot_info::layout::to_usize;
use boot_info::{PhysRange, PAGE_SIZE};
use rboot::memory_map::LOADED_TYPE;
use rboot::paging::{Table, TableMemory};
use uefi::boot::{self, AllocateType};
use uefi::mem::memory_map::MemoryType;

use crate::failure::Failure;

/// Allocates whole pages for `bytes` bytes that are never freed. They hold whatever the firmware left there.
///
/// # Errors
/// `NoMemory`, naming `purpose`.
#[expect(
    clippy::mut_from_ref,
    reason = "the memory is new; it does not come from the name"
)]
pub(crate) fn allocate(bytes: u64, purpose: &'static str) -> Result<&'static mut [u8], Failure> {
    let pages = to_usize(bytes.div_ceil(PAGE_SIZE).max(1));
    let memory = boot::allocate_pages(
        AllocateType::AnyPages,
        MemoryType::custom(LOADED_TYPE),
        pages,
    )
    .map_err(|_| Failure::NoMemory(purpose, bytes))?;
    let len = pages * to_usize(PAGE_SIZE);
    // SAFETY: the firmware has just given these pages to us alone; they are mapped one to one, are never freed, and memory
    // from outside the program counts as initialised.
    Ok(unsafe { slice::from_raw_parts_mut(memory.as_ptr(), len) })
}

/// Physical address and length of memory from [`allocate`]: the firmware maps one to one.
pub(crate) fn phys_range(bytes: &[u8]) -> PhysRange {
    PhysRange {
        phys: bytes.as_ptr().addr() as u64,
        len: bytes.len() as u64,
    }
}

/// Copies bytes to pages of their own.
///
/// # Errors
/// `NoMemory`, naming `purpose`.
pub(crate) fn keep(bytes: &[u8], purpose: &'static str) -> Result<PhysRange, Failure> {
    if bytes.is_empty() {
        return Ok(PhysRange::default());
    }
    let pages = allocate(bytes.len() as u64, purpose)?;
    let (start, rest) = pages.split_at_mut(bytes.len());
    start.copy_from_slice(bytes);
    rest.fill(0);
    Ok(phys_range(start))
}

/// Page tables straight from the firmware.
pub(crate) struct FirmwareTables;

impl TableMemory for FirmwareTables {
    type Error = Failure;

    fn allocate(&mut self) -> Result<u64, Failure> {
        let page = allocate(PAGE_SIZE, "page tables")?;
        page.fill(0);
        Ok(phys_range(page).phys)
    }

    fn table(&mut self, phys: u64) -> &mut Table {
        let table = core::ptr::with_exposed_provenance_mut::<Table>(to_usize(phys));
        // SAFETY: `phys` came from `allocate` (the trait says so): a page of our own, zeroed, mapped one to one; the borrow of
        // `self` keeps it the only reference.
        unsafe { &mut *table }
    }
}
