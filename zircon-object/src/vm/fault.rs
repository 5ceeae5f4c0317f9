//! Page faults: find the mapping, ask the VMO for the page, enter it into the page table.

use super::hw::mmu_flags;
use super::space::AddressSpace;
use super::vmo::{CommitAccess, Resolved, Vmo};
use super::{PageRequest, Perms, PAGE};
use kernel_hal::user::Access;
use kernel_hal::{PhysAddr, VirtAddr};
use zx_abi::{ZxError, ZxResult};

/// Pages looked at beyond the faulting one; those that are there are mapped too.
const AHEAD: usize = 15;

/// Why a fault could not be resolved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// No mapping has the address.
    NotMapped,
    /// The mapping does not permit the access.
    Permission,
    /// The mapping reaches beyond the end of its VMO here.
    OutOfRange,
    /// No memory for the page or for the page table.
    NoMemory,
    /// The pager must supply the page first: wait for [`AddressSpace::ask_for`].
    Pager,
    /// The pager is gone without having supplied the page.
    NeverComes,
}

impl From<Fault> for ZxError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::NotMapped => Self::NotFound,
            Fault::Permission => Self::AccessDenied,
            Fault::OutOfRange => Self::OutOfRange,
            Fault::NoMemory => Self::NoMemory,
            Fault::Pager => Self::ShouldWait,
            Fault::NeverComes => Self::NotFound,
        }
    }
}

impl AddressSpace {
    /// Resolves a fault of user code, or of the kernel's copy to and from user memory. After `Ok` the access can be tried
    /// again. A few pages after the faulting one are mapped as well when the VMO has them.
    ///
    /// # Errors
    /// A [`Fault`] that tells what becomes an exception.
    pub fn fault(&self, addr: VirtAddr, access: Access) -> Result<(), Fault> {
        let tree = self.tree.lock();
        let place = tree.find_mapping(addr).ok_or(Fault::NotMapped)?;
        let mapping = place.mapping;
        let (wanted, commit) = match access {
            Access::Read => (Perms::READ, CommitAccess::Read),
            Access::Write => (Perms::WRITE, CommitAccess::Write),
            Access::Execute => (Perms::EXECUTE, CommitAccess::Read),
        };
        if !mapping.perms.contains(wanted) {
            return Err(Fault::Permission);
        }
        let skipped = (addr - place.base) / PAGE;
        let (mut memory, window) = mapping.vmo.window();
        let original = memory.original();
        let _held = original.as_ref().map(|original| original.hold());
        let index = window
            .start
            .saturating_add(mapping.first)
            .saturating_add(skipped as u64);
        // Beyond a slice its parent goes on.
        if index >= window.end {
            return Err(Fault::OutOfRange);
        }
        let page =
            memory
                .resolve(index, commit, Some(mapping.token))
                .map_err(|error| match error {
                    ZxError::OutOfRange => Fault::OutOfRange,
                    ZxError::ShouldWait => Fault::Pager,
                    ZxError::NoMemory => Fault::NoMemory,
                    _ => Fault::NeverComes,
                })?;
        let mut run = Run::start(page);
        let ahead = AHEAD.min(place.len / PAGE - skipped - 1);
        for next in index + 1..window.end.min(index + 1 + ahead as u64) {
            match memory.present(next) {
                Some(next) if next.writable == page.writable => run.push(next.addr),
                _ => break,
            }
        }
        let perms = if page.writable {
            mapping.perms
        } else {
            mapping.perms - Perms::WRITE
        };
        let at = addr & !(PAGE - 1);
        self.hw
            .map(at, run.addrs(), mmu_flags(perms, memory.cache()))
            .map_err(|_| Fault::NoMemory)?;
        // Only threads of this address space fault in it. Should the CPU have left it meanwhile (the page table of another
        // process was freed), the access would fault for ever.
        self.hw.activate();
        Ok(())
    }
}

impl AddressSpace {
    /// Asks the pager for the page at an address, after [`Fault::Pager`]. `None` when the access can be tried again at once.
    ///
    /// # Errors
    /// - `NoMemory`: the kernel heap is exhausted.
    pub fn ask_for(&self, addr: VirtAddr) -> ZxResult<Option<PageRequest>> {
        let tree = self.tree.lock();
        let Some(place) = tree.find_mapping(addr) else {
            return Ok(None);
        };
        let offset = place.offset_of(addr & !(PAGE - 1));
        let vmo = place.mapping.vmo.clone();
        drop(tree);
        ask(&vmo, offset, PAGE as u64, 1)
    }
}

impl AddressSpace {
    /// Asks pagers for pages of a range that are mapped and missing, as many as adjoin each other from the first one on.
    ///
    /// # Errors
    /// - `NoMemory`: the kernel heap is exhausted.
    pub fn ask_for_range(&self, addr: VirtAddr, len: usize) -> ZxResult<Option<PageRequest>> {
        let Some(end) = addr.checked_add(len) else {
            return Ok(None);
        };
        let mut at = addr;
        while at < end {
            let (vmo, offset, room) = {
                let tree = self.tree.lock();
                let Some(place) = tree.find_mapping(at) else {
                    return Ok(None);
                };
                (
                    place.mapping.vmo.clone(),
                    place.offset_of(at),
                    place.base + place.len - at,
                )
            };
            if vmo.is_pager_backed() {
                let len = room.min(end - at) as u64;
                if let Some(request) = ask(&vmo, offset, len, u64::MAX)? {
                    return Ok(Some(request));
                }
            }
            at += room;
        }
        Ok(None)
    }
}

/// Asks a VMO's pager. That pages will never come shows again when the access is tried, but not that there is no memory to ask.
fn ask(vmo: &Vmo, offset: u64, len: u64, most: u64) -> ZxResult<Option<PageRequest>> {
    match vmo.ask_for(offset, len, most) {
        Err(ZxError::NoMemory) => Err(ZxError::NoMemory),
        Err(_) => Ok(None),
        asked => asked,
    }
}

/// Adjoining pages of a mapping with the same permissions, to be entered in one step.
pub(super) struct Run {
    addrs: [PhysAddr; AHEAD + 1],
    len: usize,
}

impl Run {
    pub(super) fn start(page: Resolved) -> Self {
        let mut addrs = [PhysAddr(0); AHEAD + 1];
        addrs[0] = page.addr;
        Self { addrs, len: 1 }
    }

    pub(super) fn is_full(&self) -> bool {
        self.len == self.addrs.len()
    }

    /// Adds a page; one that does not fit is left out.
    pub(super) fn push(&mut self, addr: PhysAddr) {
        if let Some(slot) = self.addrs.get_mut(self.len) {
            *slot = addr;
            self.len += 1;
        }
    }

    pub(super) fn addrs(&self) -> &[PhysAddr] {
        &self.addrs[..self.len]
    }
}
