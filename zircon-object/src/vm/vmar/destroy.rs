//! The end of regions and mappings: unmapping ranges, destroying regions, the end of an address space in steps.
//!
//! Between two steps others change the address space, also what is being destroyed: they may destroy a part of it or all of it, or
//! let go of the objects of its regions. So each step begins at the region it is about and finds out what is left. What is below a
//! region is no tree any more from when it is destroyed: its regions are taken out of it into a list, so that programs may nest
//! them as deep as they like.

use super::region::{Child, Mapping, RegionId, Standing, What};
use super::tree::RegionTree;
use crate::vm::hw::Hw;
use crate::vm::vmo::Vmo;
use crate::vm::PAGE;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::mem;
use core::ops::Range;
use kernel_hal::VirtAddr;
use zx_abi::{ZxError, ZxResult};

/// What was taken out of the tree; to be dropped once the address space is unlocked, because VMOs may die with it.
#[must_use = "drop it after the address space is unlocked"]
#[derive(Default)]
pub(in crate::vm) struct Removed {
    /// Most steps take one mapping out.
    first: Option<Arc<Vmo>>,
    others: Vec<Arc<Vmo>>,
}

/// Whether a step of something long was the last one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "there may be more to do"]
pub enum Rest {
    /// It was.
    Nothing,
    /// There is more to do.
    More,
}

/// Translations that one step takes away, give or take some: well below a millisecond.
pub(in crate::vm) const STEP_PAGES: usize = 8192;

/// For how many pages a mapping or a region counts in a step, whatever its size.
const MAPPING: usize = 16;

/// Counts a mapping in a walk that cannot stop between two steps, and lets interrupts in after as many as a step has: no handler
/// takes a lock of this module.
#[inline(always)]
pub(super) fn count_mapping(seen: &mut usize) {
    *seen += 1;
    if seen.is_multiple_of(STEP_PAGES / MAPPING) {
        kernel_hal::cpu::interrupt_window();
    }
}

impl RegionTree {
    /// Checks that a range may be unmapped: the vDSO's code stays, and regions go as a whole or not at all.
    pub(super) fn check_unmap(&self, id: RegionId, range: &Range<VirtAddr>) -> ZxResult {
        if self.vdso_meets(range) {
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

    /// Takes a mapping out whose range is this one, which most unmapping is, if it is short enough for one step; whether it was.
    pub(super) fn unmap_one(
        &mut self,
        hw: &Arc<Hw>,
        id: RegionId,
        range: &Range<VirtAddr>,
        removed: &mut Removed,
    ) -> ZxResult<bool> {
        if self.vdso_meets(range) || range.len() > STEP_PAGES * PAGE {
            return Ok(false);
        }
        let region = self.region_mut(id)?;
        let at = region.children.first_behind(range.start);
        let is_it = region.children.get(at).is_some_and(|child| {
            matches!(child.what, What::Mapping(_))
                && (child.base, child.end()) == (range.start, range.end)
        });
        if !is_it {
            return Ok(false);
        }
        let room = region.children.room_around(at, region.base..region.end());
        hw.unmap_alone(range.start, range.len() / PAGE, room);
        if let Some(Child {
            what: What::Mapping(mapping),
            ..
        }) = region.children.remove(at)
        {
            removed.push(*mapping);
        }
        Ok(true)
    }

    pub(super) fn vdso_meets(&self, range: &Range<VirtAddr>) -> bool {
        self.vdso
            .as_ref()
            .is_some_and(|(code, _)| code.start < range.end && range.start < code.end)
    }

    /// One step of taking out the mappings and whole regions of a range: translations of about `pages` pages go. Mappings at the
    /// edges are cut first. Returns where what is left of the range ends: at its start when nothing is. Behind that others may
    /// map something new, which the next step should leave alone.
    ///
    /// # Errors
    /// - `NoMemory`: no memory to cut a mapping; nothing is unmapped.
    pub(super) fn unmap_step(
        &mut self,
        hw: &Arc<Hw>,
        id: RegionId,
        range: &Range<VirtAddr>,
        pages: usize,
        removed: &mut Removed,
    ) -> ZxResult<VirtAddr> {
        self.split_at(hw, id, range.start)?;
        self.split_at(hw, id, range.end)?;
        let mut budget = pages;
        let mut end = range.end;
        loop {
            let region = self.region_mut(id)?;
            let Some(at) = region.children.last_before(end) else {
                return Ok(range.start);
            };
            let room = region.children.room_around(at, region.base..region.end());
            let Some(child) = region.children.get_mut(at) else {
                return Ok(range.start);
            };
            if child.end() <= range.start {
                return Ok(range.start);
            }
            end = child.end();
            if budget == 0 {
                return Ok(end);
            }
            let left = match child.what {
                What::Region(inner) => self.bury(hw, inner, removed, &mut budget),
                What::Mapping(_) => child.shorten(hw, room, &mut budget),
            };
            if left == Rest::Nothing {
                match self.region_mut(id)?.children.remove(at) {
                    Some(Child {
                        what: What::Mapping(mapping),
                        ..
                    }) => removed.push(*mapping),
                    Some(Child {
                        what: What::Region(inner),
                        ..
                    }) => self.gone(inner),
                    None => {}
                }
            }
        }
    }

    /// One step of taking a region and all below it out of its parent; it is dead from the first step on.
    pub(super) fn destroy_step(
        &mut self,
        hw: &Arc<Hw>,
        id: RegionId,
        pages: usize,
        removed: &mut Removed,
    ) -> ZxResult<Rest> {
        if self.bury(hw, id, removed, &mut { pages }) == Rest::More {
            return Ok(Rest::More);
        }
        let region = self.region_mut(id)?;
        let base = region.base;
        // Whoever destroys what is around it may have taken it out before.
        if let Some(parent) = region.parent() {
            let siblings = &mut self.region_mut(parent)?.children;
            siblings.remove(siblings.first_behind(base));
            self.gone(id);
        }
        Ok(Rest::Nothing)
    }

    /// Destroys everything, the root too, in steps of about `pages` pages; whether more is left to do.
    pub(in crate::vm) fn teardown_step(&mut self, hw: &Arc<Hw>, pages: usize) -> (Removed, Rest) {
        let mut removed = Removed::default();
        self.vdso = None;
        let left = self.bury(hw, Self::ROOT, &mut removed, &mut { pages });
        (removed, left)
    }

    /// Marks a region and all below it dead and takes its mappings out, from the highest address down, until the budget is used
    /// up.
    fn bury(
        &mut self,
        hw: &Arc<Hw>,
        id: RegionId,
        removed: &mut Removed,
        budget: &mut usize,
    ) -> Rest {
        loop {
            let Ok(region) = self.region_mut(id) else {
                return Rest::Nothing;
            };
            region.alive = false;
            if region.doomed.is_none() && region.children.is_empty() {
                return Rest::Nothing;
            }
            let (at, end) = (region.doomed.unwrap_or(id), region.end());
            // What is above the last child is gone, unless whoever destroys what is around this region works on that.
            let is_alone = at == id && !matches!(region.standing, Standing::Doomed(_));
            let Ok(region) = self.region_mut(at) else {
                return Rest::Nothing;
            };
            let start = region
                .children
                .before_last()
                .map_or(region.base, Child::end);
            let Some(child) = region.children.last_mut() else {
                if *budget == 0 {
                    return Rest::More;
                }
                *budget = budget.saturating_sub(MAPPING);
                self.undoom_first(id, at);
                continue;
            };
            if *budget == 0 {
                return Rest::More;
            }
            let left = match &child.what {
                What::Mapping(_) if is_alone => child.shorten(hw, start..end, budget),
                What::Mapping(_) => child.shorten(hw, child.base..child.end(), budget),
                What::Region(_) => {
                    *budget = budget.saturating_sub(MAPPING);
                    Rest::Nothing
                }
            };
            if left == Rest::More {
                return Rest::More;
            }
            match region.children.pop().map(|child| child.what) {
                Some(What::Mapping(mapping)) => removed.push(*mapping),
                Some(What::Region(inner)) => self.doom(id, inner),
                None => {}
            }
        }
    }

    /// Puts a region that was taken out in front of the doomed ones of `id`.
    fn doom(&mut self, id: RegionId, inner: RegionId) {
        let next = self.region(id).and_then(|region| region.doomed);
        if let Ok(inner) = self.region_mut(inner) {
            inner.alive = false;
            inner.standing = Standing::Doomed(next);
        }
        if let Ok(region) = self.region_mut(id) {
            region.doomed = Some(inner);
        }
    }

    /// The first doomed region of `id` has no children any more. If it has doomed ones itself, because someone destroys it too,
    /// the first of them goes over to `id`; otherwise it is gone.
    fn undoom_first(&mut self, id: RegionId, first: RegionId) {
        let Ok(region) = self.region_mut(first) else {
            return;
        };
        if let Some(inner) = region.doomed {
            let next = self.next_doomed(inner);
            if let Ok(region) = self.region_mut(first) {
                region.doomed = next;
            }
            return self.doom(id, inner);
        }
        let next = self.next_doomed(first);
        if let Ok(region) = self.region_mut(id) {
            region.doomed = next;
        }
        self.gone(first);
    }

    fn next_doomed(&self, id: RegionId) -> Option<RegionId> {
        match self.region(id)?.standing {
            Standing::Doomed(next) => next,
            _ => None,
        }
    }

    /// The VMAR object of the region is gone.
    pub(super) fn object_gone(&mut self, id: RegionId) {
        if let Ok(region) = self.region_mut(id) {
            region.has_object = false;
            if matches!(region.standing, Standing::Gone) {
                self.free(id);
            }
        }
    }

    /// A dead region without children was taken out.
    fn gone(&mut self, id: RegionId) {
        if let Ok(region) = self.region_mut(id) {
            region.standing = Standing::Gone;
            if !region.has_object {
                self.free(id);
            }
        }
    }

    fn free(&mut self, id: RegionId) {
        if let Some(slot @ Some(_)) = self.regions.get_mut(id.0) {
            *slot = None;
            // There is room: it was made with the region.
            self.free.push(id);
        }
    }
}

impl Child {
    /// Takes translations of a mapping away from its end, as many as the budget has. `Nothing`: none is left, and the mapping may
    /// go. Nothing else is mapped in `room`.
    fn shorten(&mut self, hw: &Arc<Hw>, room: Range<VirtAddr>, budget: &mut usize) -> Rest {
        const LONGEST: usize = 256 << 10;
        let What::Mapping(mapping) = &self.what else {
            return Rest::Nothing;
        };
        let pages = self.len / PAGE;
        // Of what is very long most is absent, and skipped fast.
        let piece = (*budget).max((pages / 4096).min(LONGEST)).max(1);
        let now = pages.min(piece);
        let rest = pages - now;
        let from = self.base + rest * PAGE;
        let alone = if rest == 0 { room } else { from..room.end };
        hw.unmap_alone(from, now, alone);
        *budget = budget.saturating_sub(now.max(MAPPING));
        if rest == 0 {
            return Rest::Nothing;
        }
        mapping
            .vmo
            .change_view(mapping.token, |view| view.pages = rest);
        self.len = rest * PAGE;
        Rest::More
    }

    /// Puts a mapping, of which the VMO knows, in place of this one, once its translations are gone.
    pub(super) fn replace(
        &mut self,
        hw: &Arc<Hw>,
        place: Range<VirtAddr>,
        new: Box<Mapping>,
        removed: &mut Removed,
    ) {
        while self.shorten(hw, self.base..self.end(), &mut { STEP_PAGES }) == Rest::More {
            kernel_hal::cpu::interrupt_window();
        }
        (self.base, self.len) = (place.start, place.len());
        if let What::Mapping(old) = mem::replace(&mut self.what, What::Mapping(new)) {
            removed.push(*old);
        }
    }
}

impl Removed {
    /// Takes a mapping in: its VMO forgets it now and is let go later, or now when there is no memory for the list.
    fn push(&mut self, mapping: Mapping) {
        mapping.vmo.remove_view(mapping.token);
        if self.first.is_none() {
            self.first = Some(mapping.vmo);
        } else if self.others.try_reserve(1).is_ok() {
            self.others.push(mapping.vmo);
        }
    }
}
