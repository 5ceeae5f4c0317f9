//! The end of regions and mappings: unmapping ranges, destroying regions, the end of an address space in steps.

use super::region::{Child, Mapping, RegionId, What};
use super::tree::RegionTree;
use crate::vm::hw::Hw;
use crate::vm::vmo::Vmo;
use crate::vm::PAGE;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;
use kernel_hal::VirtAddr;
use zx_abi::{ZxError, ZxResult};

/// What was taken out of the tree; to be dropped once the address space is unlocked, because VMOs may die with it.
#[must_use = "drop it after the address space is unlocked"]
#[derive(Default)]
pub(in crate::vm) struct Removed(Vec<Arc<Vmo>>);

/// Whether a step of destruction was the last one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::vm) enum Left {
    Nothing,
    More,
}

impl RegionTree {
    /// Checks that a range may be unmapped: the vDSO's code stays, and regions go as a whole or not at all.
    pub(super) fn check_unmap(&self, id: RegionId, range: &Range<VirtAddr>) -> ZxResult {
        if self
            .vdso
            .as_ref()
            .is_some_and(|(code, _)| code.start < range.end && range.start < code.end)
        {
            return Err(ZxError::AccessDenied);
        }
        for child in self.live(id)?.overlapping(range) {
            if matches!(child.what, What::Region(_))
                && !(range.start <= child.base && child.end() <= range.end)
            {
                return Err(ZxError::InvalidArgs);
            }
        }
        Ok(())
    }

    /// Takes out mappings, cutting those at the edges, and whole regions.
    pub(super) fn unmap(
        &mut self,
        hw: &Arc<Hw>,
        id: RegionId,
        range: &Range<VirtAddr>,
        removed: &mut Removed,
    ) -> ZxResult {
        self.split_at(hw, id, range.start)?;
        self.split_at(hw, id, range.end)?;
        hw.unmap(range.start, range.len() / PAGE);
        loop {
            let region = self.region_mut(id)?;
            let at = region.position(range.start);
            if region
                .children
                .get(at)
                .is_none_or(|child| child.base >= range.end)
            {
                return Ok(());
            }
            match region.children.remove(at).what {
                What::Mapping(mapping) => removed.push(*mapping),
                What::Region(child) => {
                    self.bury(child, removed, usize::MAX);
                }
            }
        }
    }

    /// Takes a region and all below it out of its parent. Its page table entries are gone already or go with the range.
    pub(super) fn destroy(
        &mut self,
        hw: &Arc<Hw>,
        id: RegionId,
        removed: &mut Removed,
    ) -> ZxResult {
        let region = self.live(id)?;
        let (base, len, parent) = (region.base, region.len, region.parent);
        hw.unmap(base, len / PAGE);
        if let Some(parent) = parent {
            self.region_mut(parent)?
                .children
                .retain(|child| !matches!(child.what, What::Region(child) if child == id));
        }
        self.bury(id, removed, usize::MAX);
        Ok(())
    }

    /// Destroys everything, the root too, in steps of at most `budget` mappings; whether more is left to do.
    pub(in crate::vm) fn teardown_step(&mut self, hw: &Arc<Hw>, budget: usize) -> (Removed, Left) {
        let mut removed = Removed::default();
        self.vdso = None;
        if let Ok(root) = self.live(Self::ROOT) {
            hw.unmap(root.base, root.len / PAGE);
        }
        let left = self.bury(Self::ROOT, &mut removed, budget);
        (removed, left)
    }

    /// Marks a region and all below it dead. Depth first without recursion: programs choose the depth.
    fn bury(&mut self, id: RegionId, removed: &mut Removed, mut budget: usize) -> Left {
        let mut at = id;
        loop {
            let Ok(region) = self.region_mut(at) else {
                return Left::Nothing;
            };
            region.alive = false;
            match region.children.last() {
                Some(Child {
                    what: What::Region(child),
                    ..
                }) => at = *child,
                Some(Child {
                    what: What::Mapping(_),
                    ..
                }) => {
                    if budget == 0 {
                        return Left::More;
                    }
                    budget -= 1;
                    if let Some(Child {
                        what: What::Mapping(mapping),
                        ..
                    }) = region.children.pop()
                    {
                        removed.push(*mapping);
                    }
                }
                None => {
                    let parent = region.parent;
                    region.children = Vec::new();
                    if !region.has_object {
                        self.free(at);
                    }
                    let Some(parent) = parent.filter(|_| at != id) else {
                        return Left::Nothing;
                    };
                    if let Ok(parent) = self.region_mut(parent) {
                        parent.children.pop();
                    }
                    at = parent;
                }
            }
        }
    }

    /// The VMAR object of the region is gone.
    pub(super) fn object_gone(&mut self, id: RegionId) {
        if let Ok(region) = self.region_mut(id) {
            region.has_object = false;
            if !region.alive {
                self.free(id);
            }
        }
    }

    fn free(&mut self, id: RegionId) {
        if let Some(slot) = self.regions.get_mut(id.0) {
            *slot = None;
        }
    }
}

impl Removed {
    /// Takes a mapping in: its VMO forgets it now and is let go later, or now when there is no memory for the list.
    fn push(&mut self, mapping: Mapping) {
        mapping.vmo.remove_view(mapping.token);
        if self.0.try_reserve(1).is_ok() {
            self.0.push(mapping.vmo);
        }
    }
}
