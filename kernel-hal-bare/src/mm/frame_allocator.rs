//! Physical page frames: bitmaps over all RAM, under a stack of free frames.
//!
//! The bitmaps (`bitmap-allocator`, one per 4 GiB) find adjoining frames; single frames come from and go to the stack,
//! which is refilled from and spilled to the bitmaps in batches. The last [`RESERVE`] frames are for the kernel heap and
//! page tables only.

use super::direct::{fill_frame, pointer, zero_page};
use bitmap_allocator::{BitAlloc, BitAlloc1M};
use boot_info::{MemoryRegion, RegionKind};
use core::ops::Range;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use kernel_hal::addr::PAGE_SHIFT;
use kernel_hal::frame::{Fill, FrameStats};
use kernel_hal::sync::Mutex;
use kernel_hal::{hal_impl, PhysAddr, PAGE_SIZE};

/// Frames that user pages cannot have: 1 MiB.
const RESERVE: usize = 256;
/// Depth of the stack of free frames: 8 MiB.
const STACK: usize = 2048;
/// How many free frames are remembered to be all zero: those of page tables that came back empty.
const ZEROED: usize = 32;
/// How many frames move between stack and bitmaps at a time.
const BATCH: usize = 256;
/// Frames below this address stay unused: real-mode code of other CPUs will start there.
const FIRST_USABLE: u64 = 1 << 20;
const FRAMES_PER_MAP: usize = BitAlloc1M::CAP;

/// Frames that serve the heap and the page tables; for the statistics.
pub(crate) static HEAP_FRAMES: AtomicUsize = AtomicUsize::new(0);
pub(crate) static TABLE_FRAMES: AtomicUsize = AtomicUsize::new(0);

static FRAMES: Mutex<Frames> = Mutex::new(Frames {
    maps: &mut [],
    stack: [PhysAddr(0); STACK],
    stacked: 0,
    zeroed: [PhysAddr(0); ZEROED],
    zeroed_count: 0,
    in_maps: 0,
    total: 0,
    wired: 0,
    watched: EVERYTHING,
});

/// A range that the number of free frames never leaves.
const EVERYTHING: (usize, usize) = (0, usize::MAX);

/// The number of free frames has left the range that was watched.
static CROSSED: AtomicBool = AtomicBool::new(false);

/// Who asks for frames.
#[derive(Clone, Copy, PartialEq, Eq)]
enum For {
    /// A user page: leaves the reserve alone.
    User,
    /// The kernel's heap or a page table.
    Kernel,
}

struct Frames {
    maps: &'static mut [BitAlloc1M],
    stack: [PhysAddr; STACK],
    stacked: usize,
    /// Free frames that are all zero, beside those of the stack.
    zeroed: [PhysAddr; ZEROED],
    zeroed_count: usize,
    in_maps: usize,
    total: usize,
    /// Frames of RAM that were never free: kernel image, loaded files, tables of the firmware, these bitmaps.
    wired: usize,
    /// From, to: free frames outside are news. It is looked at when frames move between stack and bitmaps.
    watched: (usize, usize),
}

impl Frames {
    #[inline(always)]
    fn free(&self) -> usize {
        self.stacked + self.zeroed_count + self.in_maps
    }

    fn look_at_free(&mut self) {
        let free = self.free();
        if free < self.watched.0 || free >= self.watched.1 {
            self.watched = EVERYTHING;
            CROSSED.store(true, Ordering::Relaxed);
            crate::time::lapic_timer::fire();
        }
    }

    #[inline(always)]
    fn available(&self, who: For) -> usize {
        let free = self.free();
        match who {
            For::User => free.saturating_sub(RESERVE),
            For::Kernel => free,
        }
    }

    #[inline(always)]
    fn pop(&mut self, who: For) -> Option<PhysAddr> {
        if self.available(who) == 0 {
            return None;
        }
        if self.stacked == 0 {
            self.refill();
        }
        let Some(top) = self.stacked.checked_sub(1) else {
            return self.pop_zeroed(who);
        };
        self.stacked = top;
        self.stack.get(top).copied()
    }

    /// A frame that is all zero, if one is known.
    #[inline(always)]
    fn pop_zeroed(&mut self, who: For) -> Option<PhysAddr> {
        let top = self.zeroed_count.checked_sub(1)?;
        if self.available(who) == 0 {
            return None;
        }
        self.zeroed_count = top;
        self.zeroed.get(top).copied()
    }

    /// As [`Frames::push`], of a frame that is all zero.
    fn push_zeroed(&mut self, frame: PhysAddr) {
        match self.zeroed.get_mut(self.zeroed_count) {
            Some(slot) => {
                *slot = frame;
                self.zeroed_count += 1;
            }
            None => self.push(frame),
        }
    }

    #[inline(always)]
    fn push(&mut self, frame: PhysAddr) {
        if self.stacked == STACK {
            self.spill(STACK / 2);
        }
        if let Some(slot) = self.stack.get_mut(self.stacked) {
            *slot = frame;
            self.stacked += 1;
        }
    }

    /// As [`Frames::push`], of at most [`BATCH`] frames.
    fn push_many(&mut self, frames: &[PhysAddr]) {
        if self.stacked + frames.len() > STACK {
            self.spill(STACK / 2);
        }
        let end = self.stacked + frames.len();
        if let Some(room) = self.stack.get_mut(self.stacked..end) {
            room.copy_from_slice(frames);
            self.stacked = end;
        }
    }

    #[inline(never)]
    fn refill(&mut self) {
        for (number, map) in self.maps.iter_mut().enumerate() {
            while self.stacked < BATCH {
                let Some(index) = map.alloc() else { break };
                self.stack[self.stacked] = address(number * FRAMES_PER_MAP + index);
                self.stacked += 1;
                self.in_maps -= 1;
            }
        }
        // The lowest address on top.
        self.stack[..self.stacked].reverse();
        self.look_at_free();
    }

    #[inline(never)]
    fn spill(&mut self, keep: usize) {
        while self.stacked > keep {
            self.stacked -= 1;
            let number = frame_number(self.stack[self.stacked]);
            let fresh = self.maps[number / FRAMES_PER_MAP].dealloc(number % FRAMES_PER_MAP);
            debug_assert!(fresh, "a frame was freed twice");
            self.in_maps += 1;
        }
        self.look_at_free();
    }

    fn contiguous(&mut self, pages: usize, align_log2: u32, who: For) -> Option<PhysAddr> {
        if pages == 0 || self.available(who) < pages {
            return None;
        }
        let align = (align_log2 as usize).saturating_sub(PAGE_SHIFT);
        for pass in 0..2 {
            for (number, map) in self.maps.iter_mut().enumerate() {
                if let Some(index) = map.alloc_contiguous(None, pages, align) {
                    self.in_maps -= pages;
                    self.look_at_free();
                    return Some(address(number * FRAMES_PER_MAP + index));
                }
            }
            if pass == 0 {
                // The gap may be on the stacks.
                while let Some(frame) = self.pop_zeroed(For::Kernel) {
                    self.push(frame);
                }
                self.spill(0);
            }
        }
        None
    }
}

fn address(frame: usize) -> PhysAddr {
    PhysAddr((frame << PAGE_SHIFT) as u64)
}

fn frame_number(frame: PhysAddr) -> usize {
    boot_info::layout::to_usize(frame.0) >> PAGE_SHIFT
}

/// Takes over all free memory of the map; once, before any other function here.
pub(crate) fn init(memory: &[MemoryRegion]) {
    let free = || {
        memory
            .iter()
            .filter(|region| region.kind().is_free())
            .map(|region| (region.start.max(FIRST_USABLE), region.end()))
            .filter(|(start, end)| start < end)
    };
    let top = free().map(|(_, end)| end).max().unwrap_or(0);
    let maps = frame_number(PhysAddr(top)).div_ceil(FRAMES_PER_MAP);
    let map_pages = (maps * size_of::<BitAlloc1M>()).div_ceil(PAGE_SIZE);
    let map_bytes = (map_pages * PAGE_SIZE) as u64;
    // The bitmaps live at the start of the first region that has room for them.
    let Some((home, _)) = free().find(|(start, end)| end - start >= map_bytes) else {
        panic!("no room for {map_pages} pages of frame bitmaps");
    };
    for page in 0..map_pages {
        // SAFETY: the region is free RAM, in the direct map, and nobody else has been given memory yet.
        unsafe { zero_page(pointer(PhysAddr(home).add((page * PAGE_SIZE) as u64))) };
    }
    // SAFETY: the memory is zeroed, which is the empty state of a bitmap (all words zero); it is page aligned, long enough,
    // and left out below, so this is its only use.
    let maps =
        unsafe { core::slice::from_raw_parts_mut(pointer::<BitAlloc1M>(PhysAddr(home)), maps) };
    let mut total = 0;
    for (start, end) in free() {
        let start = if start == home {
            home + map_bytes
        } else {
            start
        };
        let (mut first, end) = (frame_number(PhysAddr(start)), frame_number(PhysAddr(end)));
        while first < end {
            let (number, offset) = (first / FRAMES_PER_MAP, first % FRAMES_PER_MAP);
            let count = (end - first).min(FRAMES_PER_MAP - offset);
            maps[number].insert(offset..offset + count);
            first += count;
            total += count;
        }
    }
    let mut frames = FRAMES.lock();
    frames.maps = maps;
    frames.total = total;
    frames.wired = ram(memory).saturating_sub(total);
    frames.in_maps = total;
}

/// Frames of RAM, whatever they hold.
fn ram(memory: &[MemoryRegion]) -> usize {
    let is_ram = |kind| match kind {
        RegionKind::Usable
        | RegionKind::BootloaderReclaimable
        | RegionKind::Loaded
        | RegionKind::AcpiReclaimable
        | RegionKind::AcpiNvs => true,
        RegionKind::Reserved | RegionKind::Mmio => false,
    };
    let regions = memory.iter().filter(|region| is_ram(region.kind()));
    boot_info::layout::to_usize(regions.map(|region| region.pages).sum())
}

/// One frame for the kernel's own use.
pub(crate) fn alloc_for_kernel(fill: Fill) -> Option<PhysAddr> {
    alloc(For::Kernel, fill)
}

#[inline(always)]
fn alloc(who: For, fill: Fill) -> Option<PhysAddr> {
    let mut frames = FRAMES.lock();
    if fill == Fill::Zero {
        if let Some(frame) = frames.pop_zeroed(who) {
            return Some(frame);
        }
    }
    let frame = frames.pop(who)?;
    drop(frames);
    fill_frame(frame, fill);
    Some(frame)
}

/// Adjoining frames for the heap, not zeroed.
pub(crate) fn alloc_contiguous_for_kernel(pages: usize, align_log2: u32) -> Option<PhysAddr> {
    FRAMES.lock().contiguous(pages, align_log2, For::Kernel)
}

/// Gives frames back.
pub(crate) fn free_many(frames: &[PhysAddr]) {
    let mut all = FRAMES.lock();
    for part in frames.chunks(BATCH) {
        all.push_many(part);
    }
}

/// Gives frames back that are all zero.
pub(crate) fn free_zeroed(frames: &[PhysAddr]) {
    let mut all = FRAMES.lock();
    for frame in frames {
        all.push_zeroed(*frame);
    }
}

hal_impl! {
    kernel_hal::frame => fn hal_frame_alloc(fill: Fill) -> Option<PhysAddr> {
        alloc(For::User, fill)
    }
    kernel_hal::frame => fn hal_frame_alloc_many(out: &mut [PhysAddr], fill: Fill) -> usize {
        let mut frames = FRAMES.lock();
        let count = out.len().min(frames.available(For::User));
        let (wanted, _) = out.split_at_mut(count);
        let mut taken = 0;
        for slot in wanted.iter_mut() {
            // The reserve was left out of the count.
            let Some(frame) = frames.pop(For::Kernel) else { break };
            *slot = frame;
            taken += 1;
        }
        drop(frames);
        if fill == Fill::Zero {
            for &frame in wanted.iter().take(taken) {
                fill_frame(frame, fill);
            }
        }
        taken
    }
    kernel_hal::frame => fn hal_frame_alloc_contiguous(pages: usize, align_log2: u32) -> Option<PhysAddr> {
        let first = FRAMES.lock().contiguous(pages, align_log2, For::User)?;
        for page in 0..pages {
            fill_frame(first.add((page * PAGE_SIZE) as u64), Fill::Zero);
        }
        Some(first)
    }
    kernel_hal::frame => fn hal_frame_free_many(frames: &[PhysAddr]) {
        free_many(frames);
    }
    kernel_hal::frame => fn hal_frame_free(frame: PhysAddr) {
        FRAMES.lock().push(frame);
    }
    kernel_hal::frame => fn hal_frame_stats() -> FrameStats {
        let (total, free, wired) = {
            let frames = FRAMES.lock();
            (
                frames.total,
                frames.free(),
                frames.wired,
            )
        };
        FrameStats {
            total,
            free,
            wired,
            heap: HEAP_FRAMES.load(Ordering::Relaxed),
            heap_free_bytes: super::heap::free_bytes(),
            page_tables: TABLE_FRAMES.load(Ordering::Relaxed),
        }
    }
    kernel_hal::frame => fn hal_frame_watch_free(range: Range<usize>) {
        let mut frames = FRAMES.lock();
        frames.watched = (range.start, range.end);
        frames.look_at_free();
    }
    kernel_hal::frame => fn hal_frame_take_crossing() -> bool {
        CROSSED.load(Ordering::Relaxed) && CROSSED.swap(false, Ordering::Relaxed)
    }
}
