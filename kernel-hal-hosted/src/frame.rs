//! Frames with accounts: a limit per test, and panics for what would be silent corruption

use crate::machine::Machine;
use crate::phys::{ram, Owner};
use kernel_hal::frame::{Fill, FrameStats};
use kernel_hal::{hal_impl, PhysAddr, VirtAddr, PAGE_SIZE};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Frames that a machine has unless the test says otherwise: 256 MiB, of which only those in use exist.
pub const DEFAULT_LIMIT: usize = 65536;

/// What a frame allocated with [`Fill::Garbage`] contains.
pub const GARBAGE: u8 = 0xa5;

/// The account of one machine.
#[derive(Debug)]
pub(crate) struct Pool {
    limit: AtomicUsize,
    frames: AtomicUsize,
    tables: AtomicUsize,
    watched: Mutex<Option<Range<usize>>>,
}

impl Default for Pool {
    fn default() -> Self {
        Self {
            limit: AtomicUsize::new(DEFAULT_LIMIT),
            frames: AtomicUsize::new(0),
            tables: AtomicUsize::new(0),
            watched: Mutex::new(None),
        }
    }
}

impl Pool {
    fn used(&self) -> usize {
        self.frames.load(Ordering::SeqCst) + self.tables.load(Ordering::SeqCst)
    }
    fn free(&self) -> usize {
        self.limit
            .load(Ordering::SeqCst)
            .saturating_sub(self.used())
    }
}

/// Sets how many frames the machine has, page tables included. Fewer than are in use now: none is left until enough are
/// freed. It stays until the next call, [`reset`](crate::reset) or the end of the thread.
pub fn set_frame_limit(frames: usize) {
    pool().limit.store(frames, Ordering::SeqCst);
}

/// Frames of this machine in use now, page tables included.
#[must_use]
pub fn frames_in_use() -> usize {
    pool().used()
}

/// Physical memory that the kernel did not allocate, such as a boot image, with these contents from its first byte; zeros
/// to the end of the page. It is on no account and stays until the process ends.
#[must_use]
pub fn boot_memory(contents: &[u8]) -> PhysAddr {
    let mut ram = ram();
    let at = ram.add(contents.len().div_ceil(PAGE_SIZE), 1, 0, || Owner::Boot);
    ram.write(at, contents);
    at
}

/// Proof that a piece of test leaks no frame: on drop as many are in use as at the start, or it panics.
#[derive(Debug)]
#[must_use = "the balance is drawn when this is dropped"]
pub struct FrameBalance {
    pool: Arc<Pool>,
    at_start: usize,
}

impl FrameBalance {
    /// Remembers how many frames of this machine are in use.
    pub fn start() -> Self {
        let pool = pool();
        Self {
            at_start: pool.used(),
            pool,
        }
    }
}

impl Drop for FrameBalance {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(
                self.pool.used(),
                self.at_start,
                "frames in use at the end (left) and at the start (right) differ"
            );
        }
    }
}

fn pool() -> Arc<Pool> {
    Machine::current().parts().frames.clone()
}

fn byte(fill: Fill) -> u8 {
    match fill {
        Fill::Zero => 0,
        Fill::Garbage => GARBAGE,
    }
}

/// Adjoining frames, or `None` when the account does not allow for all of them.
fn take(pages: usize, align: u64, fill: Fill) -> Option<PhysAddr> {
    let pool = pool();
    let mut ram = ram();
    if pool.free() < pages {
        return None;
    }
    pool.frames.fetch_add(pages, Ordering::SeqCst);
    Some(ram.add(pages, align, byte(fill), || Owner::Frame(pool.clone())))
}

/// A frame for a page table.
pub(crate) fn take_table() -> Option<PhysAddr> {
    let pool = pool();
    let mut ram = ram();
    if pool.free() == 0 {
        return None;
    }
    pool.tables.fetch_add(1, Ordering::SeqCst);
    Some(ram.add(1, 1, 0, || Owner::Table(pool.clone())))
}

/// Gives back a frame of a page table.
pub(crate) fn give_back_table(at: PhysAddr) {
    if let Some(Owner::Table(pool)) = ram().remove(at).map(|page| page.owner) {
        pool.tables.fetch_sub(1, Ordering::SeqCst);
    }
}

fn give_back(at: PhysAddr) {
    let mut ram = ram();
    match ram.owner(at) {
        Some(Owner::Frame(pool)) => {
            pool.frames.fetch_sub(1, Ordering::SeqCst);
            ram.remove(at);
        }
        // A failing test that unwinds through a drop should report its failure, not end in a second panic.
        _ if std::thread::panicking() => {}
        Some(Owner::Table(_)) => panic!(
            "frame {:#x} holds a page table; it cannot be freed as a page",
            at.0
        ),
        Some(Owner::Boot) => panic!("frame {:#x} was there at boot; it cannot be freed", at.0),
        None => panic!("frame {:#x} was freed twice, or never allocated", at.0),
    }
}

hal_impl! {
    kernel_hal::frame => fn hal_frame_alloc(fill: Fill) -> Option<PhysAddr> {
        take(1, 1, fill)
    }
    kernel_hal::frame => fn hal_frame_alloc_many(out: &mut [PhysAddr], fill: Fill) -> usize {
        let mut count = 0;
        for (slot, frame) in out.iter_mut().zip(std::iter::from_fn(|| take(1, 1, fill))) {
            *slot = frame;
            count += 1;
        }
        count
    }
    kernel_hal::frame => fn hal_frame_alloc_contiguous(pages: usize, align_log2: u32) -> Option<PhysAddr> {
        take(pages, 1u64.checked_shl(align_log2)?, Fill::Zero)
    }
    kernel_hal::frame => fn hal_frame_free_many(frames: &[PhysAddr]) {
        for frame in frames {
            give_back(*frame);
        }
    }
    kernel_hal::frame => fn hal_frame_free(frame: PhysAddr) {
        give_back(frame);
    }
    kernel_hal::frame => fn hal_frame_stats() -> FrameStats {
        let pool = pool();
        FrameStats {
            total: pool.limit.load(Ordering::SeqCst),
            wired: 0,
            free: pool.free(),
            heap: 0,
            heap_free_bytes: 0,
            page_tables: pool.tables.load(Ordering::SeqCst),
        }
    }
    kernel_hal::frame => fn hal_frame_watch_free(range: Range<usize>) {
        let pool = pool();
        *pool.watched.lock().unwrap_or_else(PoisonError::into_inner) = Some(range);
    }
    kernel_hal::frame => fn hal_frame_take_crossing() -> bool {
        let pool = pool();
        let mut watched = pool.watched.lock().unwrap_or_else(PoisonError::into_inner);
        watched.take_if(|range| !range.contains(&pool.free())).is_some()
    }
    kernel_hal::frame => fn hal_phys_read(from: PhysAddr, into: &mut [u8]) {
        ram().read(from, into);
    }
    kernel_hal::frame => fn hal_phys_write(to: PhysAddr, from: &[u8]) {
        ram().write(to, from);
    }
    kernel_hal::frame => fn hal_image_paddr(_at: VirtAddr) -> Option<PhysAddr> {
        None
    }
    kernel_hal::frame => fn hal_phys_zero(at: PhysAddr, len: usize) {
        ram().zero(at, len);
    }
    kernel_hal::frame => fn hal_phys_copy_page(to: PhysAddr, from: PhysAddr) {
        assert!(to.is_page_aligned() && from.is_page_aligned(), "page copies are between page boundaries");
        let mut page = [0; PAGE_SIZE];
        let mut ram = ram();
        ram.read(from, &mut page);
        ram.write(to, &page);
    }
}
