//! The mappings of one VMO: where its pages may be in page tables.

use super::hw::{mmu_flags, Hw};
use super::{Perms, PAGE};
use crate::keyed_list::KeyedList;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;
use kernel_hal::paging::CachePolicy;
use kernel_hal::VirtAddr;
use zx_abi::ZxResult;

/// Names a registered mapping. None is used twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub(super) struct MapToken(u64);

/// Part of an address space that shows part of a VMO.
#[derive(Clone)]
pub(super) struct View {
    pub(super) hw: Arc<Hw>,
    pub(super) base: VirtAddr,
    /// First page of the VMO that is shown.
    pub(super) first: u64,
    pub(super) pages: usize,
    pub(super) perms: Perms,
}

/// All views of one VMO.
#[derive(Default)]
pub(super) struct Registry {
    views: KeyedList<MapToken, View>,
    next: MapToken,
}

impl Registry {
    pub(super) const fn new() -> Self {
        Self {
            views: KeyedList::new(),
            next: MapToken(0),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.views.is_empty()
    }

    pub(super) fn add(&mut self, view: View) -> ZxResult<MapToken> {
        let token = self.next;
        self.views.add(token, view)?;
        self.next = MapToken(token.0 + 1);
        Ok(token)
    }

    pub(super) fn remove(&mut self, token: MapToken) {
        drop(self.views.remove(token));
    }

    pub(super) fn get_mut(&mut self, token: MapToken) -> Option<&mut View> {
        self.views.get_mut(token)
    }

    /// Takes the pages in `range` out of all page tables, or all but the one of `except`.
    pub(super) fn unmap(&self, range: Range<u64>, except: Option<MapToken>) {
        for (token, view) in self.views.pairs() {
            if except != Some(token) {
                if let Some((at, pages)) = view.part(&range) {
                    view.hw.unmap(at, pages);
                }
            }
        }
    }

    /// Takes write permission away from every page that is mapped.
    pub(super) fn write_protect(&self, cache: CachePolicy) {
        for view in self
            .views
            .iter()
            .filter(|view| view.perms.contains(Perms::WRITE))
        {
            view.hw.protect(
                view.base,
                view.pages,
                mmu_flags(view.perms - Perms::WRITE, cache),
            );
        }
    }

    /// Number of different address spaces; of views when there is no memory to tell them apart.
    pub(super) fn spaces(&self) -> usize {
        let mut all = self.views.iter().map(|view| &view.hw);
        let Some(first) = all.next() else { return 0 };
        // Most VMOs are shown in one.
        if all.all(|hw| Arc::ptr_eq(hw, first)) {
            return 1;
        }
        let mut spaces = Vec::new();
        if spaces.try_reserve_exact(self.views.len()).is_err() {
            return self.views.len();
        }
        spaces.extend(self.views.iter().map(|view| Arc::as_ptr(&view.hw)));
        spaces.sort_unstable();
        spaces.dedup();
        spaces.len()
    }
}

impl View {
    /// Where the pages of `range` that this view shows are: address and number.
    fn part(&self, range: &Range<u64>) -> Option<(VirtAddr, usize)> {
        let start = range.start.max(self.first);
        let end = range.end.min(self.first.saturating_add(self.pages as u64));
        let skipped = usize::try_from(start.checked_sub(self.first)?).ok()?;
        let pages = usize::try_from(end.checked_sub(start)?).ok()?;
        (pages != 0).then_some((self.base + skipped * PAGE, pages))
    }
}
