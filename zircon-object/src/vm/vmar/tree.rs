//! The regions of one address space, under the address space's lock: finding, adding, cutting, protecting.
//!
//! Regions have numbers, so that a VMAR object can name its region without owning it. A number is given out again only when
//! the region is destroyed and its VMAR object is gone.

use super::children::Children;
use super::destroy::{count_mapping, Removed, STEP_PAGES};
use super::gap::{find, Dice, Wish};
use super::region::{Child, NewMapping, Place, Region, RegionId, Standing, What};
use crate::alloc_try::TryPush;
use crate::vm::hw::{mmu_flags, Hw};
use crate::vm::{Perms, VmOptions, PAGE};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;
use kernel_hal::VirtAddr;
use zx_abi::{ZxError, ZxResult};

/// All regions of an address space.
pub(in crate::vm) struct RegionTree {
    pub(super) regions: Vec<Option<Region>>,
    /// Numbers that were given back. As long as the list above at most, and with room for that.
    pub(super) free: Vec<RegionId>,
    dice: Dice,
    /// Where the vDSO's code is mapped, and its offset in the vDSO.
    pub(super) vdso: Option<(Range<VirtAddr>, u64)>,
}

impl RegionTree {
    pub(super) const ROOT: RegionId = RegionId(0);
    pub(super) const ROOT_OPTIONS: VmOptions =
        VmOptions::CAN_MAP_PERMS.union(VmOptions::CAN_MAP_SPECIFIC);

    /// A tree with a root region that may hold everything.
    pub(in crate::vm) fn new(base: VirtAddr, len: usize) -> ZxResult<Self> {
        let options = Self::ROOT_OPTIONS;
        let mut regions = Vec::new();
        regions.try_push(Some(Region {
            base,
            len,
            options,
            standing: Standing::Root,
            children: Children::new(),
            doomed: None,
            alive: true,
            has_object: true,
        }))?;
        let mut free = Vec::new();
        free.try_reserve(1).map_err(|_| ZxError::NoMemory)?;
        Ok(Self {
            regions,
            free,
            dice: Dice::default(),
            vdso: None,
        })
    }

    pub(in crate::vm) fn vdso_code(&self) -> Option<(Range<VirtAddr>, u64)> {
        self.vdso.clone()
    }

    pub(super) fn region(&self, id: RegionId) -> Option<&Region> {
        self.regions.get(id.0)?.as_ref()
    }

    pub(super) fn region_mut(&mut self, id: RegionId) -> ZxResult<&mut Region> {
        self.regions
            .get_mut(id.0)
            .and_then(Option::as_mut)
            .ok_or(ZxError::Internal)
    }

    /// The region, if it was not destroyed.
    pub(super) fn live(&self, id: RegionId) -> ZxResult<&Region> {
        self.region(id)
            .filter(|region| region.alive)
            .ok_or(ZxError::BadState)
    }

    /// The mapping that has an address.
    pub(in crate::vm) fn find_mapping(&self, addr: VirtAddr) -> Option<Place<'_>> {
        let mut region = self.live(Self::ROOT).ok()?;
        loop {
            let child = region.child_at(addr)?;
            match &child.what {
                What::Region(id) => region = self.region(*id)?,
                What::Mapping(mapping) => {
                    return Some(Place {
                        base: child.base,
                        len: child.len,
                        mapping,
                    })
                }
            }
        }
    }

    /// A place for something new in a region.
    ///
    /// # Errors
    /// - `NoMemory`: nothing that fits.
    pub(super) fn find_gap(
        &mut self,
        id: RegionId,
        wish: Wish,
        upper: VirtAddr,
    ) -> ZxResult<VirtAddr> {
        let mut dice = core::mem::take(&mut self.dice);
        let place = self.live(id).map(|region| {
            let whole = region.base..upper;
            let is_free = |range: &Range<VirtAddr>| region.is_free(range);
            find(&whole, || region.gaps(upper), is_free, wish, &mut dice)
        });
        self.dice = dice;
        place?.ok_or(ZxError::NoMemory)
    }

    /// Enters a new region at a place that is free.
    pub(super) fn add_region(
        &mut self,
        parent: RegionId,
        base: VirtAddr,
        len: usize,
        options: VmOptions,
    ) -> ZxResult<RegionId> {
        self.region_mut(parent)?.children.make_room(base)?;
        let region = Region {
            base,
            len,
            options,
            standing: Standing::Inside(parent),
            children: Children::new(),
            doomed: None,
            alive: true,
            has_object: true,
        };
        let id = match self.free.pop() {
            Some(free) => {
                self.regions[free.0] = Some(region);
                free
            }
            None => {
                self.free
                    .try_reserve(self.regions.len() + 1)
                    .map_err(|_| ZxError::NoMemory)?;
                self.regions.try_push(Some(region))?;
                RegionId(self.regions.len() - 1)
            }
        };
        self.region_mut(parent)?.children.insert(Child {
            base,
            len,
            what: What::Region(id),
        })?;
        Ok(id)
    }

    /// Enters a mapping at a place that is free.
    pub(super) fn add_mapping(
        &mut self,
        hw: &Arc<Hw>,
        parent: RegionId,
        place: Range<VirtAddr>,
        wanted: NewMapping<'_>,
    ) -> ZxResult {
        let region = self.region_mut(parent)?;
        region.children.make_room(place.start)?;
        let mapping = wanted.shown_at(hw, &place)?;
        let code = mapping.vdso_code().map(|code| (place.clone(), code.start));
        region.children.insert(Child {
            base: place.start,
            len: place.len(),
            what: What::Mapping(mapping),
        })?;
        if code.is_some() {
            self.vdso = code;
        }
        Ok(())
    }

    /// Enters a mapping in place of the mappings of a range. What fails leaves those as they were, but perhaps cut.
    pub(super) fn overwrite(
        &mut self,
        hw: &Arc<Hw>,
        parent: RegionId,
        place: Range<VirtAddr>,
        wanted: NewMapping<'_>,
        removed: &mut Removed,
    ) -> ZxResult {
        self.split_at(hw, parent, place.start)?;
        self.split_at(hw, parent, place.end)?;
        let others = match self.region(parent).map(|region| &region.children) {
            Some(all) => match all.get(all.first_behind(place.start)) {
                Some(first) if first.base < place.end => first.end()..place.end,
                _ => return self.add_mapping(hw, parent, place, wanted),
            },
            None => return Err(ZxError::Internal),
        };
        let mapping = wanted.shown_at(hw, &place)?;
        // No cut and so no memory is needed from here on. The first of the old ones gives its place in the list.
        while !others.is_empty()
            && self.unmap_step(hw, parent, &others, STEP_PAGES, removed)? != others.start
        {
            kernel_hal::cpu::interrupt_window();
        }
        let code = mapping.vdso_code().map(|code| (place.clone(), code.start));
        let children = &mut self.region_mut(parent)?.children;
        if let Some(child) = children.get_mut(children.first_behind(place.start)) {
            child.replace(hw, place, mapping, removed);
        }
        if code.is_some() {
            self.vdso = code;
        }
        Ok(())
    }

    /// Cuts the mapping that has `at` inside into two that meet there.
    pub(super) fn split_at(&mut self, hw: &Arc<Hw>, id: RegionId, at: VirtAddr) -> ZxResult {
        let region = self.region_mut(id)?;
        let place = region.children.first_behind(at);
        let Some(child) = region.children.get(place) else {
            return Ok(());
        };
        let What::Mapping(mapping) = &child.what else {
            return Ok(());
        };
        if child.base >= at {
            return Ok(());
        }
        let (left, right) = ((at - child.base) / PAGE, (child.end() - at) / PAGE);
        let (vmo, perms, cap, left_token) = (
            mapping.vmo.clone(),
            mapping.perms,
            mapping.cap,
            mapping.token,
        );
        let first = mapping.first + left as u64;
        region.children.make_room(at)?;
        let right_part = NewMapping {
            vmo: &vmo,
            first,
            perms,
            cap,
        };
        let mapping = right_part.shown_at(hw, &(at..at + right * PAGE))?;
        vmo.change_view(left_token, |view| view.pages = left);
        // Making room may have moved it.
        let place = region.children.first_behind(at);
        if let Some(child) = region.children.get_mut(place) {
            child.len = left * PAGE;
        }
        region.children.insert(Child {
            base: at,
            len: right * PAGE,
            what: What::Mapping(mapping),
        })
    }

    /// Checks that a range is covered by mappings that can have `perms`, from the lowest address up.
    pub(super) fn check_protect(
        &self,
        id: RegionId,
        range: &Range<VirtAddr>,
        perms: Perms,
    ) -> ZxResult {
        let (mut next, mut seen) = (range.start, 0);
        for child in self.live(id)?.overlapping(range) {
            count_mapping(&mut seen);
            if child.base > next {
                return Err(ZxError::NotFound);
            }
            let What::Mapping(mapping) = &child.what else {
                return Err(ZxError::InvalidArgs);
            };
            let is_vdso_code = self
                .vdso
                .as_ref()
                .is_some_and(|(code, _)| code.contains(&child.base));
            if !mapping.cap.contains(perms) || is_vdso_code {
                return Err(ZxError::AccessDenied);
            }
            next = child.end();
        }
        if next < range.end {
            return Err(ZxError::NotFound);
        }
        Ok(())
    }

    /// Gives the mappings of a range, which was checked, new permissions.
    pub(super) fn protect(
        &mut self,
        hw: &Arc<Hw>,
        id: RegionId,
        range: &Range<VirtAddr>,
        perms: Perms,
    ) -> ZxResult {
        self.split_at(hw, id, range.start)?;
        self.split_at(hw, id, range.end)?;
        let region = self.region_mut(id)?;
        let start = region.children.first_behind(range.start);
        let mut seen = 0;
        for child in region
            .children
            .iter_mut_from(start)
            .take_while(|child| child.base < range.end)
        {
            count_mapping(&mut seen);
            let What::Mapping(mapping) = &mut child.what else {
                continue;
            };
            mapping.perms = perms;
            mapping
                .vmo
                .change_view(mapping.token, |view| view.perms = perms);
            let (base, pages) = (child.base, child.len / PAGE);
            if perms.is_empty() {
                hw.unmap(base, pages);
            } else {
                // A page that the VMO shares must not become writable here; the first write to each finds out by a fault.
                hw.protect(
                    base,
                    pages,
                    mmu_flags(perms - Perms::WRITE, mapping.vmo.cache_policy()),
                );
            }
        }
        Ok(())
    }
}
