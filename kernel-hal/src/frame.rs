//! Physical page frames: owned by value, freed on drop, read and written only through methods.
//!
//! A [`Frame`] is proof that one page of RAM belongs to its holder. It gives no reference into the page, because user
//! space may have it mapped: contents are only ever copied.

use crate::addr::{PhysAddr, VirtAddr, PAGE_SIZE};
use crate::hal::hal_fn;
use alloc::vec::Vec;
use core::num::NonZeroU64;
use core::ops::Range;

/// What a fresh frame contains.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fill {
    /// All zero bytes.
    Zero,
    /// Whatever was there; the caller overwrites all of it before anyone else can see it.
    Garbage,
}

/// Numbers of page frames.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FrameStats {
    /// Frames that the allocator was given at boot.
    pub total: usize,
    /// Frames of RAM that it was not given: kernel image, boot files, tables of the firmware, its own bitmaps.
    pub wired: usize,
    /// Frames that are free now.
    pub free: usize,
    /// Frames that serve the kernel heap.
    pub heap: usize,
    /// Bytes of the kernel heap that are not allocated.
    pub heap_free_bytes: usize,
    /// Frames that hold page tables.
    pub page_tables: usize,
}

hal_fn! {
    /// Takes one frame, or `None` when none is left for user pages (a reserve stays for the kernel heap).
    pub fn raw_alloc as hal_frame_alloc(fill: Fill) -> Option<PhysAddr>;
    /// Takes up to `out.len()` frames at once; returns how many. Fewer only when memory ran out.
    pub fn raw_alloc_many as hal_frame_alloc_many(out: &mut [PhysAddr], fill: Fill) -> usize;
    /// Takes `pages` physically adjoining zeroed frames whose first address is a multiple of `1 << align_log2` bytes.
    pub fn raw_alloc_contiguous as hal_frame_alloc_contiguous(pages: usize, align_log2: u32) -> Option<PhysAddr>;
    /// Gives frames back. Each must have come from one of the calls above and not have been given back since.
    pub fn raw_free_many as hal_frame_free_many(frames: &[PhysAddr]);
    /// Gives one frame back; the same duty.
    pub fn raw_free as hal_frame_free(frame: PhysAddr);
    /// How many frames there are and how they are used.
    pub fn stats as hal_frame_stats() -> FrameStats;
    /// Watches the number of free frames until it leaves `range`, give or take some MiB. Then [`take_crossing`] says so, once,
    /// and user code that runs is interrupted as by a timer.
    pub fn watch_free as hal_frame_watch_free(range: Range<usize>);
    /// Whether the number of free frames has left the range that was watched, since the last call.
    pub fn take_crossing as hal_frame_take_crossing() -> bool;
    /// Copies out of RAM at a physical address. The range must be RAM.
    pub fn phys_read as hal_phys_read(from: PhysAddr, into: &mut [u8]);
    /// Copies into RAM at a physical address. The caller owns the range.
    pub fn phys_write as hal_phys_write(to: PhysAddr, from: &[u8]);
    /// Zeroes RAM at a physical address. The caller owns the range.
    pub fn phys_zero as hal_phys_zero(at: PhysAddr, len: usize);
    /// Where a byte of the kernel's own image lies in RAM; `None` for other addresses, and for a kernel that is a program of a host.
    pub fn image_paddr as hal_image_paddr(at: VirtAddr) -> Option<PhysAddr>;
    /// Copies one whole page. The caller owns `to`; both are page aligned.
    pub fn phys_copy_page as hal_phys_copy_page(to: PhysAddr, from: PhysAddr);
}

/// One owned page of RAM. `Option<Frame>` takes eight bytes.
#[derive(PartialEq, Eq, Debug)]
#[repr(transparent)]
pub struct Frame(NonZeroU64);

impl Frame {
    /// A zeroed frame.
    ///
    /// # Errors
    /// `None` when memory has run out.
    #[must_use]
    pub fn zeroed() -> Option<Self> {
        Self::from_raw(raw_alloc(Fill::Zero)?)
    }

    /// A frame whose contents the caller overwrites at once.
    #[must_use]
    pub fn garbage() -> Option<Self> {
        Self::from_raw(raw_alloc(Fill::Garbage)?)
    }

    /// Takes over a frame that was allocated by a raw call, or given up by [`Frame::into_raw`].
    #[must_use]
    pub fn from_raw(addr: PhysAddr) -> Option<Self> {
        NonZeroU64::new(addr.0).map(Self)
    }

    /// Gives up ownership without freeing.
    #[must_use = "the frame leaks unless its address is kept"]
    pub fn into_raw(self) -> PhysAddr {
        let addr = self.addr();
        core::mem::forget(self);
        addr
    }

    /// Where the frame is, for the page table.
    #[must_use]
    pub fn addr(&self) -> PhysAddr {
        PhysAddr(self.0.get())
    }

    /// Copies `into.len()` bytes from `offset`.
    ///
    /// # Panics
    /// When the range leaves the page (a kernel bug).
    pub fn read(&self, offset: usize, into: &mut [u8]) {
        assert!(offset + into.len() <= PAGE_SIZE);
        phys_read(self.addr().add(offset as u64), into);
    }

    /// Copies `from` to `offset`.
    ///
    /// # Panics
    /// When the range leaves the page (a kernel bug).
    pub fn write(&self, offset: usize, from: &[u8]) {
        assert!(offset + from.len() <= PAGE_SIZE);
        phys_write(self.addr().add(offset as u64), from);
    }

    /// Zeroes `len` bytes at `offset`.
    ///
    /// # Panics
    /// When the range leaves the page (a kernel bug).
    pub fn zero(&self, offset: usize, len: usize) {
        assert!(offset + len <= PAGE_SIZE);
        phys_zero(self.addr().add(offset as u64), len);
    }

    /// A new frame with the same contents, or `None` when memory has run out.
    #[must_use]
    pub fn duplicate(&self) -> Option<Self> {
        let copy = Self::garbage()?;
        phys_copy_page(copy.addr(), self.addr());
        Some(copy)
    }
}

impl Drop for Frame {
    fn drop(&mut self) {
        raw_free(self.addr());
    }
}

/// Frames collected to be given back in one call; drop gives back what is left.
#[derive(Debug, Default)]
pub struct FrameBatch {
    addrs: Vec<PhysAddr>,
}

impl FrameBatch {
    const FLUSH_AT: usize = 512;

    /// An empty batch; allocates nothing yet.
    #[must_use]
    pub const fn new() -> Self {
        Self { addrs: Vec::new() }
    }

    /// Takes a frame; frees a full batch on the way. Without memory for the list the frame is freed on its own.
    pub fn push(&mut self, frame: Frame) {
        if self.addrs.len() == self.addrs.capacity() {
            if self.addrs.len() >= Self::FLUSH_AT {
                self.flush();
            } else if self.addrs.try_reserve_exact(Self::FLUSH_AT).is_err() {
                return;
            }
        }
        self.addrs.push(frame.into_raw());
    }

    /// Gives back everything collected so far.
    pub fn flush(&mut self) {
        raw_free_many(&self.addrs);
        self.addrs.clear();
    }
}

impl Drop for FrameBatch {
    fn drop(&mut self) {
        self.flush();
    }
}
