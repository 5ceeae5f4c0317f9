//! Dropping stale translations: page by page for a few, all at once for many.

use crate::cpu::percpu::current;
use crate::cpu::registers::{invalidate_page, read_cr3, write_cr3};
use kernel_hal::PhysAddr;

/// From how many pages on a reload of CR3 is cheaper.
pub(super) const MANY: usize = 32;

/// Translations of one table that have become stale. Call [`finish`](Self::finish) before the pages, or tables that were cut
/// off, are used otherwise.
///
/// With more CPUs this is where the others are told.
pub(super) struct Stale {
    active: bool,
    pages: usize,
}

impl Stale {
    /// None so far.
    #[inline(always)]
    pub(super) fn of(root: PhysAddr) -> Self {
        Self {
            active: current().active_root.get() == root.0,
            pages: 0,
        }
    }

    /// The translation of this page is stale.
    #[inline(always)]
    pub(super) fn add(&mut self, addr: usize) {
        self.pages += 1;
        if self.active && self.pages <= MANY {
            invalidate_page(addr);
        }
    }

    /// All translations are stale, or more than are worth dropping one by one.
    #[inline(always)]
    pub(super) fn all(&mut self) {
        self.pages = MANY + 1;
    }

    /// After this the CPU uses none of them.
    #[inline(always)]
    pub(super) fn finish(self) {
        if self.active && self.pages > MANY {
            reload();
        }
    }
}

/// Makes the CPU forget how to get to tables that were cut off, before they are used otherwise: it may have looked at the way again
/// since their last translation was dropped. One address suffices, whether anything is mapped there or not (SDM volume 3,
/// 4.10.4.1).
pub(super) fn forget_ways(root: PhysAddr) {
    if current().active_root.get() == root.0 {
        invalidate_page(0);
    }
}

/// Drops all translations but global ones; user pages are never global.
fn reload() {
    // SAFETY: the same root again.
    unsafe { write_cr3(read_cr3()) }
}
