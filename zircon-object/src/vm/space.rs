//! The address space of a process: its page table and its tree of regions.

use super::hw::Hw;
use super::vmar::{RegionTree, Rest, Visit, STEP_PAGES};
use super::vmo::Vmo;
use super::{Perms, PAGE_BYTES};
use crate::alloc_try::try_arc;
use crate::object::Koid;
use alloc::sync::Arc;
use core::ops::Range;
use core::sync::atomic::{AtomicBool, Ordering};
use kernel_hal::sync::Mutex;
use kernel_hal::{PhysAddr, VirtAddr};
use zx_abi::{ZxError, ZxResult};

/// One process's memory as its threads see it.
pub struct AddressSpace {
    pub(super) hw: Arc<Hw>,
    pub(super) tree: Mutex<RegionTree>,
    base: VirtAddr,
    len: usize,
}

/// Whether mappings are placed at random.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Aslr {
    /// At the lowest address that fits (`aslr.disable`).
    Off,
    /// Anywhere; see [`super::Vmar::map`].
    On,
}

static ASLR: AtomicBool = AtomicBool::new(true);

/// Switches random placement for the whole system; said once at boot.
pub fn set_aslr(aslr: Aslr) {
    ASLR.store(aslr == Aslr::On, Ordering::Relaxed);
}

pub(super) fn aslr() -> Aslr {
    if ASLR.load(Ordering::Relaxed) {
        Aslr::On
    } else {
        Aslr::Off
    }
}

/// What a piece of an address space is.
#[derive(Clone, Debug)]
pub enum RegionKind {
    /// A VMAR.
    Vmar,
    /// A mapping.
    Mapping {
        /// What is mapped.
        vmo: Arc<Vmo>,
        /// First byte of the VMO that is mapped.
        vmo_offset: u64,
        /// What the program may do.
        perms: Perms,
    },
}

/// A piece of an address space.
#[derive(Clone, Debug)]
pub struct RegionInfo {
    /// First address.
    pub base: VirtAddr,
    /// Bytes.
    pub len: usize,
    /// 1 for the root VMAR, one more for each level below.
    pub depth: u64,
    /// What it is.
    pub kind: RegionKind,
}

/// Numbers of `ZX_INFO_TASK_STATS`, in bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MemoryStats {
    /// Mapped, committed or not.
    pub mapped: u64,
    /// Committed and mapped here only.
    pub private: u64,
    /// Committed and mapped in other address spaces too.
    pub shared: u64,
    /// As `shared`, each mapping divided by the number of address spaces.
    pub scaled_shared: u64,
}

/// What is at an address.
struct Spot {
    vmo: Arc<Vmo>,
    offset: u64,
    /// Bytes to the end of the mapping.
    room: usize,
}

impl AddressSpace {
    /// An empty address space.
    ///
    /// # Errors
    /// - `NoMemory`: no frame for the page table, or the kernel heap is exhausted.
    pub(super) fn new(base: VirtAddr, len: usize) -> ZxResult<Arc<Self>> {
        let hw = try_arc(Hw::new()?)?;
        let tree = Mutex::new(RegionTree::new(base, len)?);
        try_arc(Self {
            hw,
            tree,
            base,
            len,
        })
    }

    /// Makes it the one that user accesses of this CPU go through.
    #[inline(always)]
    pub fn activate(&self) {
        self.hw.activate();
    }

    /// By what the hardware knows it, also in traces: the frame of its page table's root.
    pub fn hardware_id(&self) -> PhysAddr {
        self.hw.root()
    }

    /// First address.
    pub fn base(&self) -> VirtAddr {
        self.base
    }

    /// Bytes.
    pub fn size(&self) -> usize {
        self.len
    }

    /// Where the code of the vDSO is mapped.
    pub fn vdso_code(&self) -> Option<Range<VirtAddr>> {
        self.tree.lock().vdso_code().map(|(code, _)| code)
    }

    /// Where the vDSO's image begins, judged by where its code is mapped.
    pub fn vdso_base(&self) -> Option<VirtAddr> {
        let (code, offset) = self.tree.lock().vdso_code()?;
        code.start.checked_sub(usize::try_from(offset).ok()?)
    }

    /// Reads memory of the one mapping that has `addr`, whatever its permissions are; returns how many bytes it had.
    ///
    /// # Errors
    /// - `NoMemory`: no mapping has the address.
    /// - As [`Vmo::read`].
    pub fn read_memory(&self, addr: VirtAddr, into: &mut [u8]) -> ZxResult<usize> {
        let Spot {
            vmo, offset, room, ..
        } = self.memory_at(addr)?;
        let count = into.len().min(room);
        vmo.read(offset, &mut into[..count])?;
        Ok(count)
    }

    /// Writes memory of the one mapping that has `addr`, whatever its permissions are; returns how many bytes it had.
    ///
    /// # Errors
    /// - `NoMemory`: no mapping has the address.
    /// - `AccessDenied`: it is a vDSO, which all processes share, in whatever mapping.
    /// - As [`Vmo::write`].
    pub fn write_memory(&self, addr: VirtAddr, from: &[u8]) -> ZxResult<usize> {
        let Spot { vmo, offset, room } = self.memory_at(addr)?;
        if vmo.shows_vdso() {
            return Err(ZxError::AccessDenied);
        }
        let count = from.len().min(room);
        vmo.write(offset, &from[..count])?;
        Ok(count)
    }

    /// Bytes from `addr` to the end of the one mapping that has it.
    ///
    /// # Errors
    /// - `NoMemory`: no mapping has the address.
    pub fn mapped_after(&self, addr: VirtAddr) -> ZxResult<usize> {
        Ok(self.memory_at(addr)?.room)
    }

    fn memory_at(&self, addr: VirtAddr) -> ZxResult<Spot> {
        let tree = self.tree.lock();
        let place = tree.find_mapping(addr).ok_or(ZxError::NoMemory)?;
        let (vmo, offset, room) = (
            place.mapping.vmo.clone(),
            place.offset_of(addr),
            place.base + place.len - addr,
        );
        Ok(Spot { vmo, offset, room })
    }

    /// Calls `visit` for each VMAR and each mapping, parents first, by address. The address space is locked meanwhile:
    /// `visit` must neither touch user memory nor call back.
    pub fn for_each(&self, visit: &mut dyn FnMut(&RegionInfo)) {
        self.tree.lock().for_each(&mut |item| {
            let kind = match item.what {
                Visit::Region => RegionKind::Vmar,
                Visit::Mapping(mapping) => RegionKind::Mapping {
                    vmo: mapping.vmo.clone(),
                    vmo_offset: mapping.first * PAGE_BYTES,
                    perms: mapping.perms,
                },
            };
            visit(&RegionInfo {
                base: item.base,
                len: item.len,
                depth: item.depth,
                kind,
            });
        });
    }

    /// How many entries [`AddressSpace::for_each`] has at most.
    pub fn entries(&self) -> usize {
        self.tree.lock().entries()
    }

    /// Whether any mapping shows this VMO.
    pub fn maps(&self, vmo: Koid) -> bool {
        let mut found = false;
        self.tree.lock().for_each(&mut |item| {
            found |= matches!(item.what, Visit::Mapping(mapping) if crate::object::KernelObject::base(&*mapping.vmo).koid() == vmo);
        });
        found
    }

    /// Numbers of `ZX_INFO_TASK_STATS`.
    pub fn stats(&self) -> MemoryStats {
        let mut stats = MemoryStats::default();
        self.tree.lock().for_each(&mut |item| {
            let Visit::Mapping(mapping) = item.what else {
                return;
            };
            let pages = (item.len as u64) / PAGE_BYTES;
            let range = mapping.first..mapping.first.saturating_add(pages);
            let (committed, spaces) = mapping.vmo.usage(range);
            let committed = committed * PAGE_BYTES;
            stats.mapped += item.len as u64;
            if spaces > 1 {
                stats.shared += committed;
                stats.scaled_shared += committed / spaces as u64;
            } else {
                stats.private += committed;
            }
        });
        stats
    }

    /// One step of unmapping everything, for the end of the process; whether there is more to do. After the first step no
    /// access finds a mapping and every use of the root VMAR says `BadState`.
    pub fn teardown_step(&self) -> bool {
        let (removed, left) = self.tree.lock().teardown_step(&self.hw, STEP_PAGES);
        drop(removed);
        left == Rest::More
    }

    /// All steps at once.
    pub fn destroy_all(&self) {
        while self.teardown_step() {}
    }
}

impl Drop for AddressSpace {
    fn drop(&mut self) {
        // VMOs must forget their views of this address space.
        self.destroy_all();
    }
}

impl core::fmt::Debug for AddressSpace {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "AddressSpace({:#x} + {:#x})", self.base, self.len)
    }
}
