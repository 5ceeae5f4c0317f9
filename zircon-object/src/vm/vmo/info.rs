//! What `object_get_info` tells of a VMO.

use super::family::Family;
use super::memory::{Backing, Memory};
use super::object::{Kind, Origin, Resizable, Vmo};
use crate::object::Koid;
use crate::vm::PAGE_BYTES;
use alloc::sync::Arc;
use core::ops::Range;
use zx_abi::info::{VmoInfo, VmoInfoFlags};

impl Vmo {
    /// Koid of the VMO it was made from, or none.
    pub fn parent_koid(&self) -> Koid {
        self.parent
    }

    /// Whether it was made from another VMO.
    pub fn is_child(&self) -> bool {
        self.origin != Origin::Root
    }

    /// Whether its pages are a copy's: its own, or for a slice those it is a window on.
    pub fn shows_copy(&self) -> bool {
        self.pages_owner().is_child()
    }

    /// Children that are alive, with those of children that are not.
    pub fn children(&self) -> usize {
        self.family()
            .map_or(0, |family| family.children_of(self.base.koid()))
    }

    /// Whether a snapshot, or the VMO this is one of, lives and may share pages.
    pub(super) fn has_sharers(&self) -> bool {
        self.family().is_some_and(|family| family.sharers() > 1)
    }

    fn family(&self) -> Option<Arc<Family>> {
        self.family.lock().clone()
    }

    /// Bytes of memory that count for this VMO: pages that it alone has, and shared ones that it committed. None for slices
    /// and physical memory.
    pub fn committed_bytes(&self) -> u64 {
        match &self.kind {
            Kind::Memory(_) => self.committed_pages(0..u64::MAX / PAGE_BYTES) * PAGE_BYTES,
            Kind::Slice { .. } => 0,
        }
    }

    /// Pages that count for the VMO in a range of page numbers of it.
    pub fn committed_pages(&self, range: Range<u64>) -> u64 {
        let (memory, first) = self.memory();
        self.count(&memory, first, range)
    }

    /// Pages that count for the VMO in a range of page numbers of it, and how many address spaces show the VMO.
    pub(in crate::vm) fn usage(&self, range: Range<u64>) -> (u64, usize) {
        let (memory, first) = self.memory();
        (self.count(&memory, first, range), memory.views.spaces())
    }

    fn count(&self, memory: &Memory, first: u64, range: Range<u64>) -> u64 {
        let Ok(tree) = memory.tree() else { return 0 };
        let end = range.end.saturating_add(first).min(memory.pages());
        let range = memory.in_tree(&(range.start.saturating_add(first).min(end)..end));
        // Only pages that relatives see too make the tree ask.
        let lives = |koid| {
            let family = self.pages_owner().family();
            family.is_some_and(|family| family.lives(koid))
        };
        tree.count_own(range, &lives)
    }

    /// Whether its pages are known to adjoin each other.
    pub fn is_contiguous(&self) -> bool {
        matches!(self.memory().0.backing, Backing::Contiguous(_))
    }

    /// The record of `ZX_INFO_VMO`; the caller adds the rights of the handle and how the VMO was found.
    pub fn info(&self) -> VmoInfo {
        let committed_bytes = self.committed_bytes();
        let num_children = self.children() as u64;
        let (memory, _) = self.memory();
        let mut flags = match memory.backing {
            Backing::Paged(_) => VmoInfoFlags::PAGED,
            Backing::Contiguous(_) => VmoInfoFlags::PAGED | VmoInfoFlags::CONTIGUOUS,
            // Not paged, but in one piece.
            Backing::Physical(_) => VmoInfoFlags::CONTIGUOUS,
        };
        flags.set(VmoInfoFlags::PAGER_BACKED, memory.is_pager_backed());
        flags.set(VmoInfoFlags::RESIZABLE, self.resizable == Resizable::Yes);
        flags.set(
            VmoInfoFlags::IS_COW_CLONE,
            matches!(self.origin, Origin::Snapshot | Origin::LateCopy),
        );
        VmoInfo {
            koid: self.base.koid().0,
            name: self.name.get(),
            size_bytes: self.limit(&memory),
            parent_koid: self.parent.0,
            num_children,
            num_mappings: self.mapping_count() as u64,
            // Zircon counts one user of a VMO that nobody maps.
            share_count: memory.views.spaces().max(1) as u64,
            flags: flags.bits(),
            committed_bytes,
            cache_policy: memory.cache as u32,
            ..VmoInfo::default()
        }
    }
}
