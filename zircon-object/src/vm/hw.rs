//! The page table of an address space, with the lock under which it changes.

use super::{Perms, PAGE};
use core::ops::Range;
use kernel_hal::paging::{CachePolicy, MmuFlags, PageTable};
use kernel_hal::sync::Mutex;
use kernel_hal::{PhysAddr, VirtAddr};
use zx_abi::{ZxError, ZxResult};

/// Pages that are changed in one go.
const PIECE: usize = 16 << 10;

/// A page table that VMOs and the address space change; the innermost lock of this module.
pub(super) struct Hw {
    table: PageTable,
    change: Mutex<()>,
}

impl Hw {
    pub(super) fn new() -> ZxResult<Self> {
        let table = PageTable::new().ok_or(ZxError::NoMemory)?;
        Ok(Self {
            table,
            change: Mutex::new(()),
        })
    }

    pub(super) fn root(&self) -> PhysAddr {
        self.table.root()
    }

    #[inline(always)]
    pub(super) fn activate(&self) {
        self.table.activate();
    }

    pub(super) fn map(&self, at: VirtAddr, frames: &[PhysAddr], flags: MmuFlags) -> ZxResult {
        let _change = self.change.lock();
        self.table
            .map(at, frames, flags)
            .map_err(|_| ZxError::NoMemory)
    }

    pub(super) fn map_contiguous(
        &self,
        at: VirtAddr,
        first: PhysAddr,
        pages: usize,
        flags: MmuFlags,
    ) -> ZxResult {
        let _change = self.change.lock();
        self.table
            .map_contiguous(at, first, pages, flags)
            .map_err(|_| ZxError::NoMemory)
    }

    pub(super) fn unmap(&self, at: VirtAddr, pages: usize) {
        in_pieces(at, pages, |at, pages| {
            let _change = self.change.lock();
            self.table.unmap(at, pages);
        });
    }

    /// As [`Hw::unmap`]; nothing else is mapped in `alone`, so tables that serve nothing else need not be emptied.
    pub(super) fn unmap_alone(&self, at: VirtAddr, pages: usize, alone: Range<VirtAddr>) {
        if pages > PIECE {
            return self.unmap(at, pages);
        }
        let _change = self.change.lock();
        self.table.unmap_alone(at, pages, alone);
    }

    pub(super) fn protect(&self, at: VirtAddr, pages: usize, flags: MmuFlags) {
        in_pieces(at, pages, |at, pages| {
            let _change = self.change.lock();
            self.table.protect(at, pages, flags);
        });
    }
}

/// Changes a long range piece by piece and lets interrupts in between: no handler takes a lock of this module. Absent parts are
/// skipped fast, so pieces of what is very long may be longer.
fn in_pieces(at: VirtAddr, pages: usize, mut change: impl FnMut(VirtAddr, usize)) {
    const LONGEST: usize = 256 << 10;
    let piece = (pages / 1024).clamp(PIECE, LONGEST);
    let mut done = 0;
    loop {
        let now = (pages - done).min(piece);
        change(at + done * PAGE, now);
        done += now;
        if done == pages {
            return;
        }
        kernel_hal::cpu::interrupt_window();
    }
}

/// Flags for the hardware. Every accessible page is readable: x86 has no write-only or execute-only pages.
pub(super) fn mmu_flags(perms: Perms, cache: CachePolicy) -> MmuFlags {
    MmuFlags {
        read: !perms.is_empty(),
        write: perms.contains(Perms::WRITE),
        execute: perms.contains(Perms::EXECUTE),
        cache,
    }
}
