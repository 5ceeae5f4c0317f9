//! The mappings of one VMO: where its pages may be in page tables.

use super::hw::{mmu_flags, Hw};
use super::{Perms, PAGE};
use crate::alloc_try::TryPush;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;
use kernel_hal::paging::CachePolicy;
use kernel_hal::VirtAddr;
use zx_abi::{ZxError, ZxResult};

/// Names a registered mapping.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct MapToken(usize);

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
    views: Vec<Option<View>>,
    /// Places in the list that are empty, with room for as many as the list is long.
    free: Vec<usize>,
}

impl Registry {
    pub(super) const fn new() -> Self {
        Self {
            views: Vec::new(),
            free: Vec::new(),
        }
    }

    fn count(&self) -> usize {
        self.views.len() - self.free.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count() == 0
    }

    pub(super) fn add(&mut self, view: View) -> ZxResult<MapToken> {
        if let Some(free) = self.free.pop() {
            self.views[free] = Some(view);
            return Ok(MapToken(free));
        }
        self.free
            .try_reserve(self.views.len() + 1)
            .map_err(|_| ZxError::NoMemory)?;
        self.views.try_push(Some(view))?;
        Ok(MapToken(self.views.len() - 1))
    }

    pub(super) fn remove(&mut self, token: MapToken) {
        if let Some(place @ Some(_)) = self.views.get_mut(token.0) {
            *place = None;
            self.free.push(token.0);
        }
        if self.is_empty() {
            self.views.clear();
            self.free.clear();
        }
    }

    pub(super) fn get_mut(&mut self, token: MapToken) -> Option<&mut View> {
        self.views.get_mut(token.0)?.as_mut()
    }

    /// Takes the pages in `range` out of all page tables, or all but the one of `except`.
    pub(super) fn unmap(&self, range: Range<u64>, except: Option<MapToken>) {
        for (token, view) in self.views.iter().enumerate() {
            if let (Some(view), true) = (view, except != Some(MapToken(token))) {
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
            .flatten()
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
        let mut spaces = Vec::new();
        if self.count() < 2 || spaces.try_reserve_exact(self.count()).is_err() {
            return self.count();
        }
        spaces.extend(
            self.views
                .iter()
                .flatten()
                .map(|view| Arc::as_ptr(&view.hw)),
        );
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
