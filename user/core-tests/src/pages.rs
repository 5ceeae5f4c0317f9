//! VMOs seen as pages: a number in each, children of each kind, views through mappings, and devices that pin.

use alloc::vec::Vec;

use libzx::{raw, AsHandle, Bti, Iommu, Rights, VmOptions, Vmar, Vmo, ZxResult};
use zx_abi::info::{InfoTopic, VmoInfo};

use crate::memory::{root_vmar, PAGE};
use crate::world::{Level, World};

/// Bytes of a page, as offsets have it.
pub(crate) const PAGE64: u64 = PAGE as u64;

/// Operations of `vmo_op_range`.
pub(crate) const COMMIT: u32 = 1;
pub(crate) const DECOMMIT: u32 = 2;
pub(crate) const ZERO: u32 = 10;

/// Readable and writable.
pub(crate) const READ_WRITE: VmOptions = VmOptions::PERM_READ.union(VmOptions::PERM_WRITE);

/// A VMO of fixed size.
pub(crate) fn pages(count: u64) -> ZxResult<Vmo> {
    Vmo::create(count * PAGE64, 0)
}

/// A VMO whose size can change.
pub(crate) fn resizable(count: u64) -> ZxResult<Vmo> {
    Vmo::create(count * PAGE64, 2)
}

/// A VMO whose pages hold `first`, `first + 1`, ...
pub(crate) fn stamped(count: u64, first: u64) -> ZxResult<Vmo> {
    let vmo = pages(count)?;
    stamp_all(&vmo, count, first)?;
    Ok(vmo)
}

/// As [`stamped`], and resizable.
pub(crate) fn stamped_resizable(count: u64, first: u64) -> ZxResult<Vmo> {
    let vmo = resizable(count)?;
    stamp_all(&vmo, count, first)?;
    Ok(vmo)
}

/// Writes a number at the start of a page.
pub(crate) fn stamp(vmo: &Vmo, page: u64, value: u64) -> ZxResult {
    vmo.write(&value.to_le_bytes(), page * PAGE64)
}

/// Writes `first`, `first + 1`, ... into the first pages.
pub(crate) fn stamp_all(vmo: &Vmo, count: u64, first: u64) -> ZxResult {
    (0..count).try_for_each(|page| stamp(vmo, page, first + page))
}

/// The number at the start of a page.
pub(crate) fn stamp_of(vmo: &Vmo, page: u64) -> ZxResult<u64> {
    let mut bytes = [0; 8];
    vmo.read(&mut bytes, page * PAGE64)?;
    Ok(u64::from_le_bytes(bytes))
}

/// The numbers of all pages.
pub(crate) fn stamps(vmo: &Vmo) -> ZxResult<Vec<u64>> {
    (0..vmo.size()? / PAGE64)
        .map(|page| stamp_of(vmo, page))
        .collect()
}

/// What the kernel tells of a VMO.
pub(crate) fn info(vmo: &Vmo) -> ZxResult<VmoInfo> {
    vmo.get_info(InfoTopic::Vmo)
}

/// How many pages count for a VMO.
pub(crate) fn committed(vmo: &Vmo) -> ZxResult<u64> {
    Ok(info(vmo)?.committed_bytes / PAGE64)
}

/// How many pages count for each of some VMOs.
pub(crate) fn all_committed(vmos: &[&Vmo]) -> ZxResult<Vec<u64>> {
    vmos.iter().map(|vmo| committed(vmo)).collect()
}

/// Does an operation on pages.
pub(crate) fn op(vmo: &Vmo, op: u32, page: u64, count: u64) -> ZxResult {
    vmo.op_range(op, page * PAGE64, count * PAGE64)
}

/// A kind of child; the numbers differ between the levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A copy of this moment.
    Snapshot,
    /// A copy that may follow its parent until it is written.
    LateCopy,
    /// A window.
    Slice,
}

impl Kind {
    /// The option of `vmo_create_child`.
    pub(crate) fn option(self, world: &World) -> u32 {
        match (self, world.level) {
            (Self::Snapshot, Level::Home) => 1,
            (Self::LateCopy, Level::Home) | (Self::Slice, Level::July2019) => 16,
            (Self::Slice, Level::Home) | (Self::Snapshot, Level::July2019) => 8,
            (Self::LateCopy, Level::July2019) => 1,
        }
    }
}

/// Option of `vmo_create_child`: the child can change its size.
pub(crate) const RESIZABLE_CHILD: u32 = 4;

/// A child of `count` pages from `page` on.
pub(crate) fn child(world: &World, vmo: &Vmo, kind: Kind, page: u64, count: u64) -> ZxResult<Vmo> {
    vmo.create_child(kind.option(world), page * PAGE64, count * PAGE64)
}

/// A snapshot of `count` pages from `page` on.
pub(crate) fn snapshot(world: &World, vmo: &Vmo, page: u64, count: u64) -> ZxResult<Vmo> {
    child(world, vmo, Kind::Snapshot, page, count)
}

/// A resizable snapshot.
pub(crate) fn elastic_snapshot(world: &World, vmo: &Vmo, page: u64, count: u64) -> ZxResult<Vmo> {
    let options = Kind::Snapshot.option(world) | RESIZABLE_CHILD;
    vmo.create_child(options, page * PAGE64, count * PAGE64)
}

/// A slice of `count` pages from `page` on.
pub(crate) fn slice(world: &World, vmo: &Vmo, page: u64, count: u64) -> ZxResult<Vmo> {
    child(world, vmo, Kind::Slice, page, count)
}

/// A mapping, touched as a program does. Its pages come as they are touched.
#[derive(Debug)]
pub(crate) struct View {
    base: usize,
    len: usize,
}

impl View {
    /// Maps the first `count` pages readable and writable.
    pub(crate) fn new(vmo: &Vmo, count: usize) -> ZxResult<Self> {
        Self::with(vmo, READ_WRITE, 0, count)
    }

    /// Maps `count` pages from `page` on.
    pub(crate) fn with(vmo: &Vmo, flags: VmOptions, page: u64, count: usize) -> ZxResult<Self> {
        let len = count * PAGE;
        let base = root_vmar()?.map(flags, 0, vmo, page * PAGE64, len)?;
        Ok(Self { base, len })
    }

    pub(crate) const fn at(&self, page: usize) -> usize {
        self.base + page * PAGE
    }

    /// Loads the number at the start of a page.
    pub(crate) fn load(&self, page: usize) -> u64 {
        raw::peek(self.at(page))
    }

    /// Stores a number at the start of a page.
    pub(crate) fn store(&self, page: usize, value: u64) {
        raw::poke(self.at(page), value);
    }

    /// Changes access to all of it.
    pub(crate) fn protect(&self, flags: VmOptions) -> ZxResult {
        root_vmar()?.protect(flags, self.base, self.len)
    }
}

impl Drop for View {
    fn drop(&mut self) {
        if let Ok(root) = root_vmar() {
            let _ = root.unmap(self.base, self.len);
        }
    }
}

/// A region of this program that goes with its value.
#[derive(Debug)]
pub(crate) struct Region {
    pub(crate) vmar: Vmar,
    pub(crate) base: usize,
}

impl Region {
    /// One in which everything but execution is allowed.
    pub(crate) fn new(count: usize) -> ZxResult<Self> {
        let flags =
            VmOptions::CAN_MAP_READ | VmOptions::CAN_MAP_WRITE | VmOptions::CAN_MAP_SPECIFIC;
        Self::with(flags, count)
    }

    pub(crate) fn with(flags: VmOptions, count: usize) -> ZxResult<Self> {
        let (vmar, base) = root_vmar()?.allocate(flags, 0, count * PAGE)?;
        Ok(Self { vmar, base })
    }

    /// The address of a page.
    pub(crate) const fn at(&self, page: usize) -> usize {
        self.base + page * PAGE
    }

    /// Maps pages of a VMO at a page of the region.
    pub(crate) fn map(
        &self,
        page: usize,
        vmo: &Vmo,
        vmo_page: u64,
        count: usize,
        flags: VmOptions,
    ) -> ZxResult<usize> {
        let flags = flags | VmOptions::SPECIFIC;
        self.vmar
            .map(flags, page * PAGE, vmo, vmo_page * PAGE64, count * PAGE)
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        let _ = self.vmar.destroy();
    }
}

/// A device that can pin memory; None without the root resource.
pub(crate) fn device(world: &World) -> ZxResult<Option<Bti>> {
    let Some(resource) = &world.resource else {
        return Ok(None);
    };
    Bti::create(&Iommu::dummy(resource)?, 0).map(Some)
}

/// Copies of a handle, for threads.
pub(crate) fn same(vmo: &Vmo) -> ZxResult<Vmo> {
    vmo.duplicate(Rights::SAME_RIGHTS)
}
