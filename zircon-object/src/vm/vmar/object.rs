//! The VMAR object and its calls, with the checks in the order in which Zircon makes them (`facts/calls.md`, 10).

use super::destroy::{Removed, Rest, STEP_PAGES};
use super::gap::{Spread, Wish};
use super::region::{NewMapping, RegionId};
use super::tree::RegionTree;
use crate::alloc_try::try_arc;
use crate::object::{KernelObject, ObjectBase, TypedObject};
use crate::vm::space::AddressSpace;
use crate::vm::vmo::{Resizable, Vmo};
use crate::vm::{Perms, VmOptions, PAGE, PAGE_BYTES};
use alloc::sync::Arc;
use core::ops::Range;
use kernel_hal::addr::{is_page_aligned, round_up};
use kernel_hal::VirtAddr;
use zx_abi::limits::PAGE_SHIFT;
use zx_abi::{ObjectType, Signals, ZxError, ZxResult};

/// Bytes that MAP_RANGE enters into the page table within [`Vmar::map`].
const MAP_AT_ONCE: usize = 16 << 20;

/// A virtual memory address region.
pub struct Vmar {
    base: ObjectBase,
    pub(super) space: Arc<AddressSpace>,
    pub(super) region: RegionId,
    /// CAN_MAP_* and COMPACT.
    options: VmOptions,
    start: VirtAddr,
    len: usize,
}

impl Vmar {
    /// The root of a new address space.
    ///
    /// # Errors
    /// - `NoMemory`: no frame for the page table, or the kernel heap is exhausted.
    pub fn new_root(base: VirtAddr, len: usize) -> ZxResult<Arc<Self>> {
        let space = AddressSpace::new(base, len)?;
        Self::object(
            space,
            RegionTree::ROOT,
            RegionTree::ROOT_OPTIONS,
            base..base + len,
        )
    }

    fn object(
        space: Arc<AddressSpace>,
        region: RegionId,
        options: VmOptions,
        range: Range<VirtAddr>,
    ) -> ZxResult<Arc<Self>> {
        try_arc(Self {
            base: ObjectBase::new(Signals::empty()),
            space,
            region,
            options,
            start: range.start,
            len: range.len(),
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
        let object = Self::object(self.space.clone(), region, kept, base..base + size);
        if object.is_err() {
            let mut tree = self.space.tree.lock();
            // It is empty: one step is enough.
            let (hw, removed) = (&self.space.hw, &mut Removed::default());
            let _ = tree.destroy_step(hw, region, STEP_PAGES, removed)?;
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
        // What it permits is known of a dead region too; Zircon looks at that first.
        let limit = perms_allowed(self.options);
        if !limit.contains(perms) {
            return Err(ZxError::AccessDenied);
        }
        let len = len
            .checked_add(PAGE_BYTES - 1)
            .ok_or(ZxError::InvalidArgs)?
            & !(PAGE_BYTES - 1);
        if !vmo_offset.is_multiple_of(PAGE_BYTES) || vmo_offset.checked_add(len).is_none() {
            return Err(ZxError::InvalidArgs);
        }
        let mut tree = self.space.tree.lock();
        tree.live(self.region)?;
        let len = nonzero_size(len)?;
        let base = self.place(&mut tree, options, offset, len)?;
        let place = base..base + len;
        if let (Some(code), true) = (vmo.vdso_code(), perms.contains(Perms::EXECUTE)) {
            let whole = vmo_offset == code.start && len as u64 == code.end - code.start;
            if tree.vdso_code().is_some() || !whole || perms.contains(Perms::WRITE) {
                return Err(ZxError::AccessDenied);
            }
        }
        let wanted = NewMapping {
            vmo,
            first: vmo_offset / PAGE_BYTES,
            perms,
            cap: cap & limit,
        };
        let hw = &self.space.hw;
        if overwrite {
            tree.overwrite(hw, self.region, place, wanted, &mut removed)?;
        } else {
            tree.add_mapping(hw, self.region, place, wanted)?;
        }
        if options.contains(VmOptions::MAP_RANGE) {
            if let Some(mapping) = tree.find_mapping(base) {
                // The caller goes on with what is very long, in steps.
                self.enter_present(&mapping, base..base + len.min(MAP_AT_ONCE));
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
        let mut left = self.unmap_step(addr, len)?;
        while left != 0 {
            kernel_hal::cpu::interrupt_window();
            left = self.unmap_step(addr, left)?;
        }
        Ok(())
    }

    /// One step of [`Vmar::unmap`], from the end. Returns how many bytes from `addr` on are left for the next one; what others map
    /// behind them in the meantime is not touched.
    ///
    /// # Errors
    /// As [`Vmar::unmap`].
    pub fn unmap_step(&self, addr: VirtAddr, len: u64) -> ZxResult<u64> {
        let mut removed = Removed::default();
        let mut tree = self.space.tree.lock();
        let range = self.range(&tree, addr, len)?;
        let hw = &self.space.hw;
        let result = if tree.unmap_one(hw, self.region, &range, &mut removed)? {
            Ok(0)
        } else {
            tree.check_unmap(self.region, &range)?;
            tree.unmap_step(hw, self.region, &range, STEP_PAGES, &mut removed)
                .map(|end| (end - addr) as u64)
        };
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
        let mut left = self.destroy_step()?;
        while left == Rest::More {
            kernel_hal::cpu::interrupt_window();
            left = self.destroy_rest()?;
        }
        Ok(())
    }

    /// The first step of [`Vmar::destroy`]; the others are [`Vmar::destroy_rest`].
    ///
    /// # Errors
    /// As [`Vmar::destroy`].
    pub fn destroy_step(&self) -> ZxResult<Rest> {
        let mut removed = Removed::default();
        let mut tree = self.space.tree.lock();
        tree.live(self.region)?;
        if tree.vdso_meets(&(self.start..self.start + self.len)) {
            return Err(ZxError::AccessDenied);
        }
        let result = tree.destroy_step(&self.space.hw, self.region, STEP_PAGES, &mut removed);
        drop(tree);
        drop(removed);
        result
    }

    /// Goes on with what [`Vmar::destroy_step`] left.
    ///
    /// # Errors
    /// - `Internal`: the region was never destroyed (a kernel bug).
    pub fn destroy_rest(&self) -> ZxResult<Rest> {
        let mut removed = Removed::default();
        let mut tree = self.space.tree.lock();
        let result = tree.destroy_step(&self.space.hw, self.region, STEP_PAGES, &mut removed);
        drop(tree);
        drop(removed);
        result
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

    pub(super) fn inside(&self, addr: VirtAddr, size: usize) -> Option<Range<VirtAddr>> {
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
