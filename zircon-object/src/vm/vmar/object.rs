//! The VMAR object and its calls, with the checks in the order in which Zircon makes them (`facts/calls.md`, 10).

use super::destroy::Removed;
use super::gap::{Spread, Wish};
use super::region::{NewMapping, Place, RegionId};
use super::tree::RegionTree;
use crate::alloc_try::try_arc;
use crate::object::{KernelObject, ObjectBase, TypedObject};
use crate::vm::fault::Run;
use crate::vm::hw::mmu_flags;
use crate::vm::space::AddressSpace;
use crate::vm::vmo::{Resizable, Vmo};
use crate::vm::{Perms, VmOptions, PAGE, PAGE_BYTES};
use alloc::sync::Arc;
use core::ops::Range;
use kernel_hal::addr::{is_page_aligned, round_up};
use kernel_hal::VirtAddr;
use zx_abi::limits::PAGE_SHIFT;
use zx_abi::{ObjectType, Signals, ZxError, ZxResult};

/// What `vmar_op_range` does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RangeOp {
    /// Backs the range with pages and enters them into the page table.
    Commit,
    /// Gives pages back.
    Decommit,
    /// Enters pages that are there into the page table.
    MapRange,
}

/// A virtual memory address region.
pub struct Vmar {
    base: ObjectBase,
    space: Arc<AddressSpace>,
    region: RegionId,
    start: VirtAddr,
    len: usize,
}

impl Vmar {
    /// The root of a new address space.
    ///
    /// # Errors
    /// - `NoMemory`: no frame for the page table, or the kernel heap is exhausted.
    pub fn new_root(base: VirtAddr, len: usize) -> ZxResult<Arc<Self>> {
        Self::object(AddressSpace::new(base, len)?, RegionTree::ROOT, base, len)
    }

    fn object(
        space: Arc<AddressSpace>,
        region: RegionId,
        start: VirtAddr,
        len: usize,
    ) -> ZxResult<Arc<Self>> {
        try_arc(Self {
            base: ObjectBase::new(Signals::empty()),
            space,
            region,
            start,
            len,
        })
    }

    /// The address space it is part of.
    pub fn space(&self) -> &Arc<AddressSpace> {
        &self.space
    }

    /// Its first address.
    pub fn base_addr(&self) -> VirtAddr {
        self.start
    }

    /// Its length in bytes.
    pub fn size(&self) -> usize {
        self.len
    }

    /// Makes a region inside this one.
    ///
    /// # Errors
    /// - `InvalidArgs`: options that make no sense here, a size of no or broken pages, a bad offset, a range outside.
    /// - `BadState`: this region was destroyed.
    /// - `AccessDenied`: it would permit more than this one, or be at a fixed place where this one forbids that.
    /// - `NoMemory`: the place is taken, there is no gap, or the kernel heap is exhausted.
    pub fn allocate(&self, options: VmOptions, offset: u64, size: u64) -> ZxResult<Arc<Self>> {
        let forbidden = VmOptions::SPECIFIC_OVERWRITE
            | VmOptions::MAP_RANGE
            | VmOptions::REQUIRE_NON_RESIZABLE
            | VmOptions::ALLOW_FAULTS;
        if is_malformed(options)
            || options.intersects(VmOptions::PERMS)
            || !size.is_multiple_of(PAGE_BYTES)
            || options.intersects(forbidden)
        {
            return Err(ZxError::InvalidArgs);
        }
        let mut tree = self.space.tree.lock();
        let limit = tree.live(self.region)?.options;
        let size = nonzero_size(size)?;
        let kept =
            options & (VmOptions::CAN_MAP_PERMS | VmOptions::CAN_MAP_SPECIFIC | VmOptions::COMPACT);
        if !limit.contains(kept & VmOptions::CAN_MAP_PERMS) {
            return Err(ZxError::AccessDenied);
        }
        let base = self.place(&mut tree, options, offset, size)?;
        let region = tree.add_region(self.region, base, size, kept)?;
        drop(tree);
        let object = Self::object(self.space.clone(), region, base, size);
        if object.is_err() {
            let mut tree = self.space.tree.lock();
            tree.destroy(&self.space.hw, region, &mut Removed::default())?;
            tree.object_gone(region);
        }
        object
    }

    /// Maps part of a VMO. `cap` is what the handles of both allow: neither `options` nor a later protect may exceed it.
    /// Without a fixed place, one of the lowest 2^28 places that fit is taken at random, or the lowest one in a region that
    /// was made `COMPACT`.
    ///
    /// # Errors
    /// - `InvalidArgs`: options that make no sense here, no bytes, a bad offset, a range outside, a region to be overwritten.
    /// - `AccessDenied`: permissions beyond `cap` or the region's own, a fixed place where that is forbidden, the vDSO's rules.
    /// - `NotSupported`: a resizable VMO with `REQUIRE_NON_RESIZABLE`.
    /// - `BadState`: this region was destroyed.
    /// - `NoMemory`: the place is taken, there is no gap, or the kernel heap is exhausted.
    pub fn map(
        &self,
        options: VmOptions,
        offset: u64,
        vmo: &Arc<Vmo>,
        vmo_offset: u64,
        len: u64,
        cap: Perms,
    ) -> ZxResult<VirtAddr> {
        let perms = perms_of(options);
        let overwrite = options.contains(VmOptions::SPECIFIC_OVERWRITE);
        if lacks_read(perms)
            || (overwrite && options.contains(VmOptions::MAP_RANGE))
            || options.intersects(VmOptions::CAN_MAP_PERMS)
        {
            return Err(ZxError::InvalidArgs);
        }
        if !cap.contains(perms) {
            return Err(ZxError::AccessDenied);
        }
        if is_malformed(options) {
            return Err(ZxError::InvalidArgs);
        }
        if options.contains(VmOptions::REQUIRE_NON_RESIZABLE) && vmo.resizable() == Resizable::Yes {
            return Err(ZxError::NotSupported);
        }
        if options.intersects(VmOptions::COMPACT | VmOptions::CAN_MAP_SPECIFIC) {
            return Err(ZxError::InvalidArgs);
        }
        let mut removed = Removed::default();
        let mut tree = self.space.tree.lock();
        let limit = perms_allowed(tree.live(self.region)?.options);
        if !limit.contains(perms) {
            return Err(ZxError::AccessDenied);
        }
        let len = len
            .checked_add(PAGE_BYTES - 1)
            .ok_or(ZxError::InvalidArgs)?
            & !(PAGE_BYTES - 1);
        let len = nonzero_size(len)?;
        if !vmo_offset.is_multiple_of(PAGE_BYTES) || vmo_offset.checked_add(len as u64).is_none() {
            return Err(ZxError::InvalidArgs);
        }
        let base = self.place(&mut tree, options, offset, len)?;
        let place = base..base + len;
        if let (Some(code), true) = (vmo.vdso_code(), perms.contains(Perms::EXECUTE)) {
            let whole = vmo_offset == code.start && len as u64 == code.end - code.start;
            if tree.vdso_code().is_some() || !whole || perms.contains(Perms::WRITE) {
                return Err(ZxError::AccessDenied);
            }
        }
        if overwrite {
            tree.unmap(&self.space.hw, self.region, &place, &mut removed)?;
        }
        let wanted = NewMapping {
            vmo,
            first: vmo_offset / PAGE_BYTES,
            perms,
            cap: cap & limit,
        };
        tree.add_mapping(&self.space.hw, self.region, place, wanted)?;
        if options.contains(VmOptions::MAP_RANGE) {
            if let Some(mapping) = tree.find_mapping(base) {
                self.enter_present(&mapping, base..base + len);
            }
        }
        drop(tree);
        drop(removed);
        Ok(base)
    }

    /// Unmaps a range; what lies across its edges is cut, regions wholly inside are destroyed, holes are fine.
    ///
    /// # Errors
    /// - `InvalidArgs`: an address inside a page, no bytes, a range outside, a region that would be cut.
    /// - `BadState`: this region was destroyed.
    /// - `AccessDenied`: the vDSO's code is there.
    /// - `NoMemory`: no memory for the second part of a mapping that is cut; nothing is unmapped.
    pub fn unmap(&self, addr: VirtAddr, len: u64) -> ZxResult {
        let mut removed = Removed::default();
        let mut tree = self.space.tree.lock();
        let range = self.range(&tree, addr, len)?;
        tree.check_unmap(self.region, &range)?;
        let result = tree.unmap(&self.space.hw, self.region, &range, &mut removed);
        drop(tree);
        drop(removed);
        result
    }

    /// Changes the permissions of a range that mappings cover without a hole.
    ///
    /// # Errors
    /// - `InvalidArgs`: options that are no permissions, WRITE or EXECUTE without READ, an address inside a page, no bytes,
    ///   a range outside, a region in the range.
    /// - `BadState`: this region was destroyed.
    /// - `NotFound`: a hole.
    /// - `AccessDenied`: more than the mapping was made with, or the vDSO's code.
    /// - `NoMemory`: no memory to cut a mapping.
    pub fn protect(&self, options: VmOptions, addr: VirtAddr, len: u64) -> ZxResult {
        let perms = perms_of(options);
        if lacks_read(perms) || !is_page_aligned(addr) || !VmOptions::PERMS.contains(options) {
            return Err(ZxError::InvalidArgs);
        }
        let mut tree = self.space.tree.lock();
        let range = self.range(&tree, addr, len)?;
        tree.check_protect(self.region, &range, perms)?;
        tree.protect(&self.space.hw, self.region, &range, perms)
    }

    /// Whether it is the whole of its address space.
    pub fn is_root(&self) -> bool {
        self.region == RegionTree::ROOT
    }

    /// Unmaps everything inside and kills this region and all below it.
    ///
    /// # Errors
    /// - `BadState`: it was destroyed before.
    /// - `AccessDenied`: it holds the vDSO's code.
    pub fn destroy(&self) -> ZxResult {
        let mut removed = Removed::default();
        let mut tree = self.space.tree.lock();
        tree.live(self.region)?;
        tree.check_unmap(self.region, &(self.start..self.start + self.len))?;
        let result = tree.destroy(&self.space.hw, self.region, &mut removed);
        drop(tree);
        drop(removed);
        result
    }

    /// Does something with the pages of a range that mappings cover without a hole.
    ///
    /// # Errors
    /// - `InvalidArgs`: not whole pages, or none.
    /// - `BadState`: this region was destroyed; a hole or a region in the range.
    /// - `OutOfRange`: a range outside.
    /// - `AccessDenied`: the vDSO's code, or commit or decommit of what cannot be written.
    /// - Otherwise what the VMO says.
    pub fn op_range(&self, op: RangeOp, addr: VirtAddr, len: u64) -> ZxResult {
        let size = usize::try_from(len).map_err(|_| ZxError::OutOfRange)?;
        if !is_page_aligned(addr) || !is_page_aligned(size) || size == 0 {
            return Err(ZxError::InvalidArgs);
        }
        let tree = self.space.tree.lock();
        tree.live(self.region)?;
        let range = self.inside(addr, size).ok_or(ZxError::OutOfRange)?;
        tree.mappings_in(self.region, &range, &mut |_| Ok(()))?;
        if tree
            .vdso_code()
            .is_some_and(|(code, _)| code.start < range.end && range.start < code.end)
        {
            return Err(ZxError::AccessDenied);
        }
        tree.mappings_in(self.region, &range, &mut |place| {
            let part = range.start.max(place.base)..range.end.min(place.base + place.len);
            match op {
                RangeOp::MapRange => self.enter_present(&place, part),
                RangeOp::Commit if !place.mapping.perms.contains(Perms::WRITE) => {
                    return Err(ZxError::AccessDenied)
                }
                RangeOp::Commit => {
                    place
                        .mapping
                        .vmo
                        .commit(place.offset_of(part.start), part.len() as u64)?;
                    self.enter_present(&place, part);
                }
                RangeOp::Decommit if !place.mapping.cap.contains(Perms::WRITE) => {
                    return Err(ZxError::AccessDenied)
                }
                RangeOp::Decommit => place
                    .mapping
                    .vmo
                    .decommit(place.offset_of(part.start), part.len() as u64)?,
            }
            Ok(())
        })
    }

    /// Checks an address and a length that is rounded up to pages.
    fn range(&self, tree: &RegionTree, addr: VirtAddr, len: u64) -> ZxResult<Range<VirtAddr>> {
        let size = usize::try_from(len)
            .ok()
            .and_then(round_up)
            .ok_or(ZxError::InvalidArgs)?;
        if !is_page_aligned(addr) || size == 0 {
            return Err(ZxError::InvalidArgs);
        }
        tree.live(self.region)?;
        self.inside(addr, size).ok_or(ZxError::InvalidArgs)
    }

    fn inside(&self, addr: VirtAddr, size: usize) -> Option<Range<VirtAddr>> {
        let end = addr.checked_add(size)?;
        (addr >= self.start && end <= self.start + self.len).then_some(addr..end)
    }

    /// The rules of placement that `map` and `allocate` share.
    fn place(
        &self,
        tree: &mut RegionTree,
        options: VmOptions,
        offset: u64,
        size: usize,
    ) -> ZxResult<VirtAddr> {
        let fixed = options.intersects(VmOptions::SPECIFIC | VmOptions::SPECIFIC_OVERWRITE);
        let upper_limit = options.contains(VmOptions::OFFSET_IS_UPPER_LIMIT);
        let region = tree.live(self.region)?;
        if (offset != 0 && !fixed && !upper_limit) || (fixed && upper_limit) {
            return Err(ZxError::InvalidArgs);
        }
        if (fixed || upper_limit) && !region.options.contains(VmOptions::CAN_MAP_SPECIFIC) {
            return Err(ZxError::AccessDenied);
        }
        let align = options
            .alignment()
            .and_then(|align| usize::try_from(align).ok())
            .ok_or(ZxError::InvalidArgs)?;
        let offset = usize::try_from(offset).map_err(|_| ZxError::InvalidArgs)?;
        if size > region.len || offset > region.len {
            return Err(ZxError::InvalidArgs);
        }
        if !fixed {
            let upper = if upper_limit {
                region.base + offset
            } else {
                region.end()
            };
            if !is_page_aligned(offset) || (upper_limit && size > offset) {
                return Err(ZxError::InvalidArgs);
            }
            // A compact region is filled without gaps, and an alignment would leave some.
            if region.options.contains(VmOptions::COMPACT) && options.align_log2() > PAGE_SHIFT {
                return Err(ZxError::InvalidArgs);
            }
            let compact =
                region.options.contains(VmOptions::COMPACT) || options.contains(VmOptions::COMPACT);
            if region.options.contains(VmOptions::COMPACT) && align > PAGE {
                return Err(ZxError::InvalidArgs);
            }
            let spread = if compact {
                Spread::Compact
            } else {
                Spread::Random
            };
            return tree.find_gap(
                self.region,
                Wish {
                    len: size,
                    align,
                    spread,
                },
                upper,
            );
        }
        let base = region.base + offset;
        if size > region.len - offset || !is_page_aligned(offset) || base % align != 0 {
            return Err(ZxError::InvalidArgs);
        }
        let range = base..base + size;
        if options.contains(VmOptions::SPECIFIC_OVERWRITE) {
            if tree
                .vdso_code()
                .is_some_and(|(code, _)| code.start < range.end && range.start < code.end)
            {
                return Err(ZxError::AccessDenied);
            }
            if region.has_region(&range) {
                return Err(ZxError::InvalidArgs);
            }
            tree.check_unmap(self.region, &range)?;
        } else if !region.is_free(&range) {
            return Err(ZxError::NoMemory);
        }
        Ok(base)
    }

    /// Enters the pages that the VMO has into the page table. Failure is harmless: the pages fault later.
    fn enter_present(&self, place: &Place<'_>, part: Range<VirtAddr>) {
        let mapping = place.mapping;
        if mapping.perms.is_empty() {
            return;
        }
        let (memory, first) = mapping.vmo.memory();
        let start = first
            .saturating_add(mapping.first)
            .saturating_add(((part.start - place.base) / PAGE) as u64);
        let pages = (part.len() / PAGE)
            .min(usize::try_from(memory.pages().saturating_sub(start)).unwrap_or(usize::MAX));
        let flags = |writable| {
            mmu_flags(
                if writable {
                    mapping.perms
                } else {
                    mapping.perms - Perms::WRITE
                },
                memory.cache(),
            )
        };
        if let Some(base) = memory.physical() {
            let _ = self.space.hw.map_contiguous(
                part.start,
                base.add(start * PAGE_BYTES),
                pages,
                flags(true),
            );
            return;
        }
        let mut run: Option<(VirtAddr, bool, Run)> = None;
        let flush = |run: Option<(VirtAddr, bool, Run)>| match run {
            Some((at, writable, run)) => self.space.hw.map(at, run.addrs(), flags(writable)),
            None => Ok(()),
        };
        for (page, at) in
            (start..start.saturating_add(pages as u64)).zip((part.start..).step_by(PAGE))
        {
            let present = memory.present(page);
            run = match (run, present) {
                (Some((base, writable, mut run)), Some(page))
                    if page.writable == writable && !run.is_full() =>
                {
                    run.push(page.addr);
                    Some((base, writable, run))
                }
                (old, present) => {
                    if flush(old).is_err() {
                        return;
                    }
                    present.map(|page| (at, page.writable, Run::start(page)))
                }
            };
        }
        let _ = flush(run);
    }
}

impl Drop for Vmar {
    fn drop(&mut self) {
        self.space.tree.lock().object_gone(self.region);
    }
}

impl KernelObject for Vmar {
    fn base(&self) -> &ObjectBase {
        &self.base
    }
    fn object_type(&self) -> ObjectType {
        Self::TYPE
    }
}

impl TypedObject for Vmar {
    const TYPE: ObjectType = ObjectType::Vmar;
}

impl core::fmt::Debug for Vmar {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Vmar({:#x} + {:#x})", self.start, self.len)
    }
}

/// Unknown bits, or an alignment that does not exist.
fn is_malformed(options: VmOptions) -> bool {
    !VmOptions::all().contains(options) || options.alignment().is_none()
}

fn lacks_read(perms: Perms) -> bool {
    !perms.is_empty() && !perms.contains(Perms::READ)
}

fn perms_of(options: VmOptions) -> Perms {
    Perms::from_bits_truncate(options.bits())
}

/// What a region with these options lets its mappings do.
fn perms_allowed(options: VmOptions) -> Perms {
    let mut perms = Perms::empty();
    perms.set(Perms::READ, options.contains(VmOptions::CAN_MAP_READ));
    perms.set(Perms::WRITE, options.contains(VmOptions::CAN_MAP_WRITE));
    perms.set(Perms::EXECUTE, options.contains(VmOptions::CAN_MAP_EXECUTE));
    perms
}

fn nonzero_size(size: u64) -> ZxResult<usize> {
    match usize::try_from(size) {
        Ok(0) | Err(_) => Err(ZxError::InvalidArgs),
        Ok(size) => Ok(size),
    }
}
