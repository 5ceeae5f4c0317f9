//! What a pager is asked for: runs of pages that are not there, found in the tree and not number by number.

use super::memory::{Memory, Missing};
use super::Vmo;
use crate::object::Wakes;
use crate::vm::pager::PageRequest;
use crate::vm::PAGE_BYTES;
use core::ops::Range;
use core::sync::atomic::Ordering;
use zx_abi::ZxResult;

impl Vmo {
    /// Asks the pager for the first pages of the range that are not there: as many as adjoin each other, but `most` pages.
    /// `None` when all are there now.
    ///
    /// # Errors
    /// - What accesses get when a page will never come.
    /// - `NoMemory`: the kernel heap is exhausted.
    pub fn ask_for(&self, offset: u64, len: u64, most: u64) -> ZxResult<Option<PageRequest>> {
        let mut wakes = Wakes::none();
        let (memory, first) = self.memory();
        let end = offset
            .saturating_add(len)
            .min(self.limit(&memory))
            .div_ceil(PAGE_BYTES);
        let asked = memory.ask(first + offset / PAGE_BYTES..first + end, most, &mut wakes);
        drop(memory);
        wakes.wake();
        asked
    }
}

impl Memory {
    /// Asks for the first pages of the range that are not there.
    fn ask(
        &self,
        pages: Range<u64>,
        most: u64,
        wakes: &mut Wakes,
    ) -> ZxResult<Option<PageRequest>> {
        match &self.missing {
            Missing::Zero => Ok(None),
            Missing::Pager(source) => {
                let pages = pages.start..pages.end.min(self.pages());
                let Some(start) = self.first_missing(pages.clone()) else {
                    return Ok(None);
                };
                let limit = pages.end.min(start.saturating_add(most));
                let end = self.first_present(start..limit).unwrap_or(limit);
                source.ask(start..end, wakes).map(Some)
            }
            Missing::Behind {
                of,
                first: behind,
                pages: limit,
            } => {
                let (parent, first) = of.memory();
                let offset = first + behind;
                let limit = limit.load(Ordering::Relaxed);
                let end = limit.min(parent.pages().saturating_sub(offset));
                let pages = pages.start..pages.end.min(end);
                let Some(run) = self.run_missing_in_both(&parent, offset, pages, most) else {
                    return Ok(None);
                };
                parent.ask(offset + run.start..offset + run.end, most, wakes)
            }
        }
    }

    /// The first adjoining pages of the range that neither this memory nor `parent`, at `offset`, has; at most `most`.
    fn run_missing_in_both(
        &self,
        parent: &Self,
        offset: u64,
        pages: Range<u64>,
        most: u64,
    ) -> Option<Range<u64>> {
        let mut start = pages.start;
        loop {
            let own = self.first_missing(start..pages.end)?;
            start = parent.first_missing(offset + own..offset + pages.end)? - offset;
            if start == own {
                break;
            }
        }
        let limit = pages.end.min(start.saturating_add(most));
        let end = self.first_present(start..limit).unwrap_or(limit);
        let theirs = parent.first_present(offset + start..offset + end);
        Some(start..theirs.map_or(end, |page| page - offset))
    }

    /// The first page of the range that is not there.
    fn first_missing(&self, pages: Range<u64>) -> Option<u64> {
        let gap = self.tree().ok()?.first_gap(self.in_tree(&pages));
        gap.map(|index| index - self.bias)
    }

    /// The first page of the range that is there.
    pub(super) fn first_present(&self, pages: Range<u64>) -> Option<u64> {
        let found = self.tree().ok()?.first_page(self.in_tree(&pages));
        found.map(|index| index - self.bias)
    }

    /// The last page of the range that is there.
    pub(super) fn last_present(&self, pages: Range<u64>) -> Option<u64> {
        let found = self.tree().ok()?.last_page(self.in_tree(&pages));
        found.map(|index| index - self.bias)
    }

    /// Number of pages of the range that are not there.
    pub(super) fn count_missing(&self, pages: Range<u64>) -> u64 {
        let len = pages.end - pages.start;
        let present = |tree: &crate::vm::page_tree::PageTree| tree.pages_in(self.in_tree(&pages));
        len - self.tree().map_or(len, present)
    }
}
