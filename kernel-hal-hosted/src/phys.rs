//! Physical memory: pages by number, never the same number twice

use crate::frame::Pool;
use crate::machine::lock;
use kernel_hal::{PhysAddr, PAGE_SIZE};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};

/// Every page of RAM that is allocated now, of all machines.
pub(crate) struct Ram {
    pages: BTreeMap<u64, Page>,
    next: u64,
}

/// One page and who pays for it.
pub(crate) struct Page {
    bytes: Box<[u8; PAGE_SIZE]>,
    pub(crate) owner: Owner,
}

/// To whose account a page goes.
pub(crate) enum Owner {
    /// A frame that its holder gives back.
    Frame(Arc<Pool>),
    /// A frame of a page table.
    Table(Arc<Pool>),
    /// Memory that was there before the kernel, such as a boot image. It stays.
    Boot,
}

static RAM: Mutex<Ram> = Mutex::new(Ram {
    pages: BTreeMap::new(),
    next: 0x10_0000,
});

/// All of physical memory. Nothing else is locked while it is.
pub(crate) fn ram() -> MutexGuard<'static, Ram> {
    lock(&RAM)
}

/// Cuts `[start, start + len)` at page boundaries: for each piece its address, and where it is in the whole.
pub(crate) fn pieces(start: usize, len: usize) -> impl Iterator<Item = (usize, Range<usize>)> {
    let mut done = 0;
    core::iter::from_fn(move || {
        let at = start.checked_add(done)?;
        let piece = (PAGE_SIZE - at % PAGE_SIZE).min(len - done);
        let range = done..done + piece;
        done += piece;
        (piece != 0).then_some((at, range))
    })
}

/// A physical address as a number of this host.
pub(crate) fn number(at: PhysAddr) -> usize {
    usize::try_from(at.0).unwrap_or(usize::MAX)
}

impl Ram {
    /// Adjoining pages filled with `byte`, behind a page that does not exist.
    pub(crate) fn add(
        &mut self,
        pages: usize,
        align: u64,
        byte: u8,
        owner: impl Fn() -> Owner,
    ) -> PhysAddr {
        let first = (self.next + PAGE_SIZE as u64).next_multiple_of(align.max(PAGE_SIZE as u64));
        self.next = first + (pages * PAGE_SIZE) as u64;
        for page in (first..self.next).step_by(PAGE_SIZE) {
            self.pages.insert(
                page,
                Page {
                    bytes: Box::new([byte; PAGE_SIZE]),
                    owner: owner(),
                },
            );
        }
        PhysAddr(first)
    }

    /// Takes a page away, and with it its number for good.
    pub(crate) fn remove(&mut self, at: PhysAddr) -> Option<Page> {
        self.pages.remove(&at.0)
    }

    pub(crate) fn owner(&self, at: PhysAddr) -> Option<&Owner> {
        self.pages.get(&at.0).map(|page| &page.owner)
    }

    pub(crate) fn read(&self, from: PhysAddr, into: &mut [u8]) {
        for (at, range) in pieces(number(from), into.len()) {
            let bytes = self
                .pages
                .get(&page_of(at))
                .map_or_else(|| not_ram(at), |page| &page.bytes);
            let offset = at % PAGE_SIZE;
            into[range.clone()].copy_from_slice(&bytes[offset..offset + range.len()]);
        }
    }

    pub(crate) fn write(&mut self, to: PhysAddr, from: &[u8]) {
        for (at, range) in pieces(number(to), from.len()) {
            let offset = at % PAGE_SIZE;
            self.bytes_mut(at)[offset..offset + range.len()].copy_from_slice(&from[range]);
        }
    }

    pub(crate) fn zero(&mut self, from: PhysAddr, len: usize) {
        for (at, range) in pieces(number(from), len) {
            let offset = at % PAGE_SIZE;
            self.bytes_mut(at)[offset..offset + range.len()].fill(0);
        }
    }

    fn bytes_mut(&mut self, at: usize) -> &mut [u8; PAGE_SIZE] {
        match self.pages.get_mut(&page_of(at)) {
            Some(page) => &mut page.bytes,
            None => not_ram(at),
        }
    }
}

fn page_of(at: usize) -> u64 {
    (at - at % PAGE_SIZE) as u64
}

fn not_ram(at: usize) -> ! {
    panic!("physical address {at:#x} is not RAM: the frame was freed, or never allocated")
}
