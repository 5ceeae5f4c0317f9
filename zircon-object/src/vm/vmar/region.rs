//! Regions and mappings.

use super::children::Children;
use crate::alloc_try::try_box;
use crate::vm::hw::Hw;
use crate::vm::registry::{MapToken, View};
use crate::vm::vmo::Vmo;
use crate::vm::{Perms, VmOptions, PAGE, PAGE_BYTES};
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::ops::Range;
use kernel_hal::VirtAddr;
use zx_abi::ZxResult;

/// Number of a region.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct RegionId(pub(super) usize);

/// One VMAR.
pub(super) struct Region {
    pub(super) base: VirtAddr,
    pub(super) len: usize,
    /// CAN_MAP_* and COMPACT.
    pub(super) options: VmOptions,
    pub(super) standing: Standing,
    pub(super) children: Children,
    /// The first of the regions that were taken out of it when it was destroyed and are not empty yet.
    pub(super) doomed: Option<RegionId>,
    pub(super) alive: bool,
    pub(super) has_object: bool,
}

/// Where a region belongs.
pub(super) enum Standing {
    /// It is the root.
    Root,
    /// It is among the children of this one.
    Inside(RegionId),
    /// It is in a list of doomed regions, and this one follows.
    Doomed(Option<RegionId>),
    /// Nowhere: only its VMAR object is left.
    Gone,
}

pub(super) struct Child {
    pub(super) base: VirtAddr,
    pub(super) len: usize,
    pub(super) what: What,
}

pub(super) enum What {
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

/// A mapping and where it is.
pub(in crate::vm) struct Place<'a> {
    pub(in crate::vm) base: VirtAddr,
    pub(in crate::vm) len: usize,
    pub(in crate::vm) mapping: &'a Mapping,
}

impl Place<'_> {
    /// Offset in the VMO of an address inside.
    pub(in crate::vm) fn offset_of(&self, addr: VirtAddr) -> u64 {
        self.mapping.first * PAGE_BYTES + (addr - self.base) as u64
    }
}

/// What a new mapping shows and permits.
pub(super) struct NewMapping<'a> {
    pub(super) vmo: &'a Arc<Vmo>,
    pub(super) first: u64,
    pub(super) perms: Perms,
    pub(super) cap: Perms,
}

impl NewMapping<'_> {
    /// The mapping, once its VMO knows that it is to be shown there.
    ///
    /// # Errors
    /// - `NoMemory`: the kernel heap is exhausted.
    pub(super) fn shown_at(&self, hw: &Arc<Hw>, place: &Range<VirtAddr>) -> ZxResult<Box<Mapping>> {
        let token = self.vmo.add_view(View {
            hw: hw.clone(),
            base: place.start,
            first: self.first,
            pages: place.len() / PAGE,
            perms: self.perms,
        })?;
        try_box(Mapping {
            vmo: self.vmo.clone(),
            first: self.first,
            perms: self.perms,
            cap: self.cap,
            token,
        })
        .inspect_err(|_| self.vmo.remove_view(token))
    }
}

impl Mapping {
    /// What it shows of the vDSO's code, executable.
    pub(super) fn vdso_code(&self) -> Option<Range<u64>> {
        self.vmo
            .vdso_code()
            .filter(|_| self.perms.contains(Perms::EXECUTE))
    }
}

impl Region {
    pub(super) fn end(&self) -> VirtAddr {
        self.base + self.len
    }

    /// The one that it is a child of.
    pub(super) fn parent(&self) -> Option<RegionId> {
        match self.standing {
            Standing::Inside(parent) => Some(parent),
            Standing::Root | Standing::Doomed(_) | Standing::Gone => None,
        }
    }

    pub(super) fn child_at(&self, addr: VirtAddr) -> Option<&Child> {
        self.children
            .get(self.children.first_behind(addr))
            .filter(|child| child.base <= addr)
    }

    pub(super) fn overlapping<'a>(
        &'a self,
        range: &Range<VirtAddr>,
    ) -> impl Iterator<Item = &'a Child> {
        let end = range.end;
        self.children
            .iter_from(self.children.first_behind(range.start))
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
    pub(super) fn gaps(&self, upper: VirtAddr) -> impl Iterator<Item = Range<VirtAddr>> + '_ {
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
}

impl Child {
    pub(super) fn end(&self) -> VirtAddr {
        self.base + self.len
    }
}
