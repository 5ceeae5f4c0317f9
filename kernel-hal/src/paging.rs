//! Address spaces as the hardware sees them: page tables, and who may do what with a page.

use crate::addr::{PhysAddr, VirtAddr, PAGE_SIZE};
use crate::hal::hal_fn;
use core::ops::Range;

/// What a mapping permits, and how its memory is cached. User pages only; the kernel's own half is the backend's.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MmuFlags {
    /// User code may read. A mapping without it is not present.
    pub read: bool,
    /// User code may write.
    pub write: bool,
    /// User code may execute.
    pub execute: bool,
    /// How accesses are cached.
    pub cache: CachePolicy,
}

/// ZX_CACHE_POLICY_*: how the CPU caches accesses.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u32)]
pub enum CachePolicy {
    /// Write-back.
    #[default]
    Cached = 0,
    /// Uncached.
    Uncached = 1,
    /// Uncached, for devices; the same as uncached on x86.
    UncachedDevice = 2,
    /// Write-combining.
    WriteCombining = 3,
}

/// A page table could not be extended: no frame left. Pages mapped before the failure stay mapped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct OutOfTables;

hal_fn! {
    /// Makes a table that maps the kernel and nothing of user space; `None` without memory.
    pub fn raw_new as hal_page_table_new() -> Option<PhysAddr>;
    /// Frees a table and its lower levels, not the pages mapped in it. If this CPU is in it, it leaves it first, as by
    /// [`deactivate`]; another CPU must not be.
    pub fn raw_free as hal_page_table_free(root: PhysAddr);
    /// Maps `frames[i]` at `at + i * PAGE_SIZE`, replacing what was mapped. Invalidates replaced translations.
    pub fn raw_map as hal_page_table_map(root: PhysAddr, at: VirtAddr, frames: &[PhysAddr], flags: MmuFlags) -> Result<(), OutOfTables>;
    /// Maps `pages` adjoining physical pages from `first`; large pages may be used where alignment allows.
    pub fn raw_map_contiguous as hal_page_table_map_contiguous(root: PhysAddr, at: VirtAddr, first: PhysAddr, pages: usize, flags: MmuFlags) -> Result<(), OutOfTables>;
    /// Unmaps `pages` pages from `at`; holes are skipped quickly (a whole absent table in one step). Invalidates. Levels that
    /// map nothing any more are freed. The caller says that in `alone`, which holds the range, nothing else is mapped: what
    /// only serves that need not be emptied first.
    pub fn raw_unmap as hal_page_table_unmap(root: PhysAddr, at: VirtAddr, pages: usize, alone: Range<VirtAddr>);
    /// Changes the permissions of the pages that are present in the range; holes stay holes. Invalidates.
    pub fn raw_protect as hal_page_table_protect(root: PhysAddr, at: VirtAddr, pages: usize, flags: MmuFlags);
    /// Where an address maps and what it permits.
    pub fn raw_query as hal_page_table_query(root: PhysAddr, at: VirtAddr) -> Option<(PhysAddr, MmuFlags)>;
    /// Makes the table the one that user accesses of this CPU go through. Free when it is already.
    pub fn raw_activate as hal_page_table_activate(root: PhysAddr);
    /// Leaves user space unmapped on this CPU (before the active table is freed).
    pub fn deactivate as hal_page_table_deactivate();
}

/// An owned page table: an address space of the hardware. Freed on drop, which leaves it if, and only if, it is active here.
#[derive(Debug)]
pub struct PageTable {
    root: PhysAddr,
}

impl PageTable {
    /// A table without user mappings, or `None` without memory.
    #[must_use]
    pub fn new() -> Option<Self> {
        raw_new().map(|root| Self { root })
    }
    /// Maps separate frames; see [`raw_map`].
    ///
    /// # Errors
    /// `OutOfTables`: no frame for a table level. What was mapped before stays mapped.
    pub fn map(
        &self,
        at: VirtAddr,
        frames: &[PhysAddr],
        flags: MmuFlags,
    ) -> Result<(), OutOfTables> {
        raw_map(self.root, at, frames, flags)
    }
    /// Maps adjoining physical pages; see [`raw_map_contiguous`].
    ///
    /// # Errors
    /// `OutOfTables`: no frame for a table level.
    pub fn map_contiguous(
        &self,
        at: VirtAddr,
        first: PhysAddr,
        pages: usize,
        flags: MmuFlags,
    ) -> Result<(), OutOfTables> {
        raw_map_contiguous(self.root, at, first, pages, flags)
    }
    /// Unmaps a range; holes are fine.
    pub fn unmap(&self, at: VirtAddr, pages: usize) {
        self.unmap_alone(at, pages, at..at + pages * PAGE_SIZE);
    }
    /// As [`PageTable::unmap`], of all that is mapped in `alone`; see [`raw_unmap`].
    pub fn unmap_alone(&self, at: VirtAddr, pages: usize, alone: Range<VirtAddr>) {
        raw_unmap(self.root, at, pages, alone);
    }
    /// Changes permissions of present pages.
    pub fn protect(&self, at: VirtAddr, pages: usize, flags: MmuFlags) {
        raw_protect(self.root, at, pages, flags);
    }
    /// What is mapped at an address.
    #[must_use]
    pub fn query(&self, at: VirtAddr) -> Option<(PhysAddr, MmuFlags)> {
        raw_query(self.root, at)
    }
    /// What names the table to the hardware: the frame of its root.
    #[must_use]
    pub const fn root(&self) -> PhysAddr {
        self.root
    }
    /// Makes this the active address space of this CPU.
    #[inline(always)]
    pub fn activate(&self) {
        raw_activate(self.root);
    }
}

impl Drop for PageTable {
    fn drop(&mut self) {
        raw_free(self.root);
    }
}
