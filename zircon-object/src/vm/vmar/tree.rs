//! The regions of one address space: sorted arrays of children, under the address space's lock.
//!
//! Regions have numbers, so that a VMAR object can name its region without owning it. A number is given out again only when
//! the region is destroyed and its VMAR object is gone.

use super::gap::{find, Dice, Wish};
use crate::alloc_try::{try_box, TryPush};
use crate::vm::hw::{mmu_flags, Hw};
use crate::vm::registry::{MapToken, View};
use crate::vm::vmo::Vmo;
use crate::vm::{Perms, VmOptions, PAGE, PAGE_BYTES};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;
use kernel_hal::VirtAddr;
use zx_abi::{ZxError, ZxResult};

/// Number of a region.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct RegionId(usize);

/// All regions of an address space.
pub(in crate::vm) struct RegionTree {
    regions: Vec<Option<Region>>,
    dice: Dice,
    /// Where the vDSO's code is mapped, and its offset in the vDSO.
    vdso: Option<(Range<VirtAddr>, u64)>,
}

/// One VMAR.
pub(super) struct Region {
    pub(super) base: VirtAddr,
    pub(super) len: usize,
    /// CAN_MAP_* and COMPACT.
    pub(super) options: VmOptions,
    parent: Option<RegionId>,
    /// In order of addresses, without overlap.
    children: Vec<Child>,
    alive: bool,
    has_object: bool,
}

struct Child {
    base: VirtAddr,
    len: usize,
    what: What,
}

enum What {
    Region(RegionId),
    Mapping(Box<Mapping>),
}

/// Part of a VMO, mapped.
pub(in crate::vm) struct Mapping {
    pub(in crate::vm) vmo: Arc<Vmo>,
    /// First page of the VMO.
    pub(in crate::vm) first: u64,
    /// What the program may do now.
    pub(in crate::vm) perms: Perms,
    /// What `protect` may give it.
    pub(super) cap: Perms,
    pub(in crate::vm) token: MapToken,
}

/// What was taken out of the tree; to be dropped once the address space is unlocked, because VMOs may die with it.
#[must_use = "drop it after the address space is unlocked"]
#[derive(Default)]
pub(in crate::vm) struct Removed(Vec<Arc<Vmo>>);

/// A mapping and where it is.
pub(in crate::vm) struct Place<'a> {
    pub(in crate::vm) base: VirtAddr,
    pub(in crate::vm) len: usize,
    pub(in crate::vm) mapping: &'a Mapping,
}

/// Whether a step of destruction was the last one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::vm) enum Left {
    Nothing,
    More,
}

impl Place<'_> {
    /// Offset in the VMO of an address inside.
    pub(in crate::vm) fn offset_of(&self, addr: VirtAddr) -> u64 {
        self.mapping.first * PAGE_BYTES + (addr - self.base) as u64
    }
}

/// An item of a walk over the tree.
pub(in crate::vm) struct Item<'a> {
    pub(in crate::vm) base: VirtAddr,
    pub(in crate::vm) len: usize,
    pub(in crate::vm) depth: u64,
    pub(in crate::vm) what: Visit<'a>,
}

/// What an item of a walk is.
pub(in crate::vm) enum Visit<'a> {
    Region,
    Mapping(&'a Mapping),
}

impl RegionTree {
    pub(super) const ROOT: RegionId = RegionId(0);

    /// A tree with a root region that may hold everything.
    pub(in crate::vm) fn new(base: VirtAddr, len: usize) -> ZxResult<Self> {
        let options = VmOptions::CAN_MAP_PERMS | VmOptions::CAN_MAP_SPECIFIC;
        let mut regions = Vec::new();
        regions.try_push(Some(Region {
            base,
            len,
            options,
            parent: None,
            children: Vec::new(),
            alive: true,
            has_object: true,
        }))?;
        Ok(Self {
            regions,
            dice: Dice::default(),
            vdso: None,
        })
    }

    pub(in crate::vm) fn vdso_code(&self) -> Option<(Range<VirtAddr>, u64)> {
        self.vdso.clone()
    }

    fn region(&self, id: RegionId) -> Option<&Region> {
        self.regions.get(id.0)?.as_ref()
    }

    fn region_mut(&mut self, id: RegionId) -> ZxResult<&mut Region> {
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
        let place = self
            .live(id)
            .map(|region| find(|| region.gaps(upper), wish, &mut dice));
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
        self.region_mut(parent)?
            .children
            .try_reserve(1)
            .map_err(|_| ZxError::NoMemory)?;
        let region = Region {
            base,
            len,
            options,
            parent: Some(parent),
            children: Vec::new(),
            alive: true,
            has_object: true,
        };
        let id = match self.regions.iter().position(Option::is_none) {
            Some(free) => {
                self.regions[free] = Some(region);
                RegionId(free)
            }
            None => {
                self.regions.try_push(Some(region))?;
                RegionId(self.regions.len() - 1)
            }
        };
        self.region_mut(parent)?.insert(Child {
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
    ) -> ZxResult<MapToken> {
        let NewMapping {
            vmo,
            first,
            perms,
            cap,
        } = wanted;
        let (base, len) = (place.start, place.len());
        let region = self.region_mut(parent)?;
        region
            .children
            .try_reserve(1)
            .map_err(|_| ZxError::NoMemory)?;
        let token = vmo.add_view(View {
            hw: hw.clone(),
            base,
            first,
            pages: len / PAGE,
            perms,
        })?;
        let mapping = try_box(Mapping {
            vmo: vmo.clone(),
            first,
            perms,
            cap,
            token,
        })
        .inspect_err(|_| vmo.remove_view(token))?;
        region.insert(Child {
            base,
            len,
            what: What::Mapping(mapping),
        })?;
        if let (Some(code), true) = (vmo.vdso_code(), perms.contains(Perms::EXECUTE)) {
            self.vdso = Some((place, code.start));
        }
        Ok(token)
    }

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

    /// Cuts the mapping that has `at` inside into two that meet there.
    pub(super) fn split_at(&mut self, hw: &Arc<Hw>, id: RegionId, at: VirtAddr) -> ZxResult {
        let region = self.region_mut(id)?;
        let position = region.position(at);
        let Some(child) = region.children.get(position) else {
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
        region
            .children
            .try_reserve(1)
            .map_err(|_| ZxError::NoMemory)?;
        let token = vmo.add_view(View {
            hw: hw.clone(),
            base: at,
            first,
            pages: right,
            perms,
        })?;
        let mapping = try_box(Mapping {
            vmo: vmo.clone(),
            first,
            perms,
            cap,
            token,
        })
        .inspect_err(|_| vmo.remove_view(token))?;
        vmo.change_view(left_token, |view| view.pages = left);
        region.children[position].len = left * PAGE;
        region.insert(Child {
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
        let mut next = range.start;
        for child in self.live(id)?.overlapping(range) {
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
        let start = region.position(range.start);
        for child in region.children[start..]
            .iter_mut()
            .take_while(|child| child.base < range.end)
        {
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

    /// The mappings of a range, which must have no holes and no regions.
    ///
    /// # Errors
    /// - `BadState`: it has.
    pub(super) fn mappings_in(
        &self,
        id: RegionId,
        range: &Range<VirtAddr>,
        visit: &mut dyn FnMut(Place<'_>) -> ZxResult,
    ) -> ZxResult {
        let mut next = range.start;
        for child in self.live(id)?.overlapping(range) {
            let What::Mapping(mapping) = &child.what else {
                return Err(ZxError::BadState);
            };
            if child.base > next {
                return Err(ZxError::BadState);
            }
            visit(Place {
                base: child.base,
                len: child.len,
                mapping,
            })?;
            next = child.end();
        }
        if next < range.end {
            return Err(ZxError::BadState);
        }
        Ok(())
    }

    /// Walks over everything, parents first.
    pub(in crate::vm) fn for_each(&self, visit: &mut dyn FnMut(Item<'_>)) {
        let Ok(root) = self.live(Self::ROOT) else {
            return;
        };
        visit(Item {
            base: root.base,
            len: root.len,
            depth: 1,
            what: Visit::Region,
        });
        let (mut region, mut depth, mut position) = (root, 2, 0);
        loop {
            let Some(child) = region.children.get(position) else {
                // Up again: go on behind this region in its parent.
                let Some(parent) = region.parent.and_then(|parent| self.region(parent)) else {
                    return;
                };
                position = parent.position(region.base) + 1;
                region = parent;
                depth -= 1;
                continue;
            };
            match &child.what {
                What::Mapping(mapping) => {
                    visit(Item {
                        base: child.base,
                        len: child.len,
                        depth,
                        what: Visit::Mapping(mapping),
                    });
                    position += 1;
                }
                What::Region(id) => {
                    visit(Item {
                        base: child.base,
                        len: child.len,
                        depth,
                        what: Visit::Region,
                    });
                    let Some(inner) = self.region(*id) else {
                        return;
                    };
                    (region, depth, position) = (inner, depth + 1, 0);
                }
            }
        }
    }
}

/// What a new mapping shows and permits.
pub(super) struct NewMapping<'a> {
    pub(super) vmo: &'a Arc<Vmo>,
    pub(super) first: u64,
    pub(super) perms: Perms,
    pub(super) cap: Perms,
}

impl Region {
    pub(super) fn end(&self) -> VirtAddr {
        self.base + self.len
    }

    /// Position of the first child that ends behind `addr`.
    fn position(&self, addr: VirtAddr) -> usize {
        self.children.partition_point(|child| child.end() <= addr)
    }

    fn child_at(&self, addr: VirtAddr) -> Option<&Child> {
        self.children
            .get(self.position(addr))
            .filter(|child| child.base <= addr)
    }

    fn overlapping<'a>(&'a self, range: &Range<VirtAddr>) -> impl Iterator<Item = &'a Child> {
        let end = range.end;
        self.children[self.position(range.start)..]
            .iter()
            .take_while(move |child| child.base < end)
    }

    /// Whether nothing is in a range.
    pub(super) fn is_free(&self, range: &Range<VirtAddr>) -> bool {
        self.overlapping(range).next().is_none()
    }

    /// Whether a region is in a range, wholly or partly.
    pub(super) fn has_region(&self, range: &Range<VirtAddr>) -> bool {
        self.overlapping(range)
            .any(|child| matches!(child.what, What::Region(_)))
    }

    /// The free ranges below `upper`, in order.
    fn gaps(&self, upper: VirtAddr) -> impl Iterator<Item = Range<VirtAddr>> + '_ {
        let mut next = self.base;
        let ends = self
            .children
            .iter()
            .map(|child| (child.base, child.end()))
            .chain([(upper, upper)]);
        ends.filter_map(move |(base, end)| {
            let gap = next..base.min(upper);
            next = end;
            (gap.start < gap.end).then_some(gap)
        })
    }

    fn insert(&mut self, child: Child) -> ZxResult {
        self.children
            .try_reserve(1)
            .map_err(|_| ZxError::NoMemory)?;
        let at = self.position(child.base);
        self.children.insert(at, child);
        Ok(())
    }
}

impl Child {
    fn end(&self) -> VirtAddr {
        self.base + self.len
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
