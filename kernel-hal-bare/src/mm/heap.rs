//! The kernel heap: size classes with free lists, over a buddy system, over frames.
//!
//! Blocks of up to 2 KiB come from a list per size class: allocation pops, freeing pushes. A list that runs empty carves a
//! chunk of the buddy system; larger blocks come from it directly. It grows by whole frames, those of the reserve too, and
//! never shrinks. Without memory the answer is null; the caller turns it into NO_MEMORY.

use super::direct::pointer;
use super::frame_allocator::{alloc_contiguous_for_kernel, HEAP_FRAMES};
use buddy_system_allocator::Heap;
use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr::{null_mut, NonNull};
use core::sync::atomic::Ordering;
use kernel_hal::addr::PAGE_SHIFT;
use kernel_hal::PAGE_SIZE;

/// Block sizes of the classes. All are multiples of 16; powers of two are also aligned to their size.
const SIZES: [u16; 24] = [
    16, 32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 896, 1024,
    1280, 1536, 1792, 2048,
];
const LARGEST: usize = 2048;
const GRANULE: usize = 16;
const CLASS_OF: [u8; LARGEST / GRANULE + 1] = class_table();
/// How much the buddy system grows by at least.
const GROWTH_BYTES: usize = 128 << 10;

const fn class_table() -> [u8; LARGEST / GRANULE + 1] {
    let mut table = [0; LARGEST / GRANULE + 1];
    let mut class = 0_u8;
    let mut granules = 1;
    while granules < table.len() {
        if SIZES[class as usize] as usize >= granules * GRANULE {
            table[granules] = class;
            granules += 1;
        } else {
            class += 1;
        }
    }
    table
}

/// How much memory is carved into blocks of a class at a time.
const fn chunk_bytes(size: usize) -> usize {
    if size <= 512 {
        PAGE_SIZE
    } else {
        4 * PAGE_SIZE
    }
}

// What is left of a chunk is a block of some class, aligned to its size if that is a power of two, since the chunk's end is.
const _: () = {
    let mut class = 0;
    while class < SIZES.len() {
        let size = SIZES[class] as usize;
        let rest = chunk_bytes(size) % size;
        assert!(SIZES[CLASS_OF[rest / GRANULE] as usize] as usize == rest || rest == 0);
        class += 1;
    }
};

struct FreeBlock {
    next: *mut FreeBlock,
}

struct State {
    lists: [*mut FreeBlock; SIZES.len()],
    buddy: Heap<32>,
}

/// The allocator behind `alloc::*`.
struct KernelHeap(UnsafeCell<State>);

// SAFETY: the heap belongs to the only CPU that runs; kernel code runs with interrupts off, and handlers in idle windows
// find no allocation in progress. More CPUs will get a list array each and a lock around the buddy system.
unsafe impl Sync for KernelHeap {}

#[global_allocator]
static HEAP: KernelHeap = KernelHeap(UnsafeCell::new(State {
    lists: [null_mut(); SIZES.len()],
    buddy: Heap::new(),
}));

/// The class for a block, if a list serves it.
#[inline(always)]
fn class_of(layout: Layout) -> Option<usize> {
    let size = if layout.align() <= GRANULE {
        layout.size()
    } else {
        // Powers of two are aligned to their size, because chunks are.
        layout.size().max(layout.align()).next_power_of_two()
    };
    CLASS_OF
        .get(size.div_ceil(GRANULE))
        .map(|&class| usize::from(class))
}

// SAFETY: blocks come from disjoint pieces of frames that the heap owns; sizes and alignments are those of the class or
// of the buddy system; both are found again from the same layout on freeing.
unsafe impl GlobalAlloc for KernelHeap {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: see `Sync`: nobody else has a reference now, and none outlives this call.
        let state = unsafe { &mut *self.0.get() };
        match class_of(layout) {
            Some(class) => state.pop(class),
            None => state.large(layout),
        }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: see `Sync`: nobody else has a reference now, and none outlives this call.
        let state = unsafe { &mut *self.0.get() };
        match class_of(layout) {
            Some(class) => {
                let block = block.cast::<FreeBlock>();
                let list = &mut state.lists[class];
                // SAFETY: the caller gives the block up; it is at least 16 bytes and 16-aligned.
                unsafe { block.write(FreeBlock { next: *list }) };
                *list = block;
            }
            None => {
                if let Some(block) = NonNull::new(block) {
                    // SAFETY: it was allocated with the same layout, hence by the buddy system.
                    unsafe { state.buddy.dealloc(block, layout) }
                }
            }
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: the caller promises that the size, rounded up to the alignment, is no overflow.
        let new_layout = unsafe { Layout::from_size_align_unchecked(new_size, layout.align()) };
        match (class_of(layout), class_of(new_layout)) {
            (Some(old), Some(new)) if old == new => return block,
            _ => {}
        }
        // SAFETY: the new size is not zero (the caller's duty).
        let new_block = unsafe { self.alloc(new_layout) };
        if !new_block.is_null() {
            // SAFETY: both blocks are live, distinct, and at least as long as the smaller size.
            unsafe {
                core::ptr::copy_nonoverlapping(block, new_block, layout.size().min(new_size))
            };
            // SAFETY: the caller gives the old block up.
            unsafe { self.dealloc(block, layout) };
        }
        new_block
    }
}

impl State {
    #[inline(always)]
    fn pop(&mut self, class: usize) -> *mut u8 {
        let block = self.lists[class];
        if block.is_null() {
            return self.refill(class);
        }
        // SAFETY: blocks on a list are free and were written by `dealloc` or `refill`.
        self.lists[class] = unsafe { (*block).next };
        block.cast()
    }

    /// Carves a chunk; returns one block and lists the others. What is too short for one more goes to the class of that size.
    #[cold]
    #[inline(never)]
    fn refill(&mut self, class: usize) -> *mut u8 {
        let size = usize::from(SIZES[class]);
        let chunk_bytes = chunk_bytes(size);
        let Ok(layout) = Layout::from_size_align(chunk_bytes, PAGE_SIZE) else {
            return null_mut();
        };
        let chunk = self.large(layout);
        if chunk.is_null() {
            return null_mut();
        }
        let mut list = self.lists[class];
        for index in (1..chunk_bytes / size).rev() {
            // SAFETY: the index keeps the whole block inside the chunk.
            let block = unsafe { chunk.add(index * size) }.cast::<FreeBlock>();
            // SAFETY: the chunk is ours, and the block is 16-aligned because chunk and size are.
            unsafe { block.write(FreeBlock { next: list }) };
            list = block;
        }
        self.lists[class] = list;
        let rest = chunk_bytes % size;
        if rest != 0 {
            // SAFETY: the rest is the end of the chunk.
            let block = unsafe { chunk.add(chunk_bytes - rest) }.cast::<FreeBlock>();
            let list = &mut self.lists[usize::from(CLASS_OF[rest / GRANULE])];
            // SAFETY: as above; it is as long as the blocks of its class, which is checked below.
            unsafe { block.write(FreeBlock { next: *list }) };
            *list = block;
        }
        chunk
    }

    #[inline(never)]
    fn large(&mut self, layout: Layout) -> *mut u8 {
        loop {
            if let Ok(block) = self.buddy.alloc(layout) {
                return block.as_ptr();
            }
            if !self.grow(layout.size().max(layout.align())) {
                return null_mut();
            }
        }
    }

    fn grow(&mut self, needed_bytes: usize) -> bool {
        let Some(needed) = needed_bytes.checked_next_power_of_two() else {
            return false;
        };
        let sizes = [needed.max(GROWTH_BYTES), needed.max(PAGE_SIZE)];
        for bytes in sizes {
            let pages = bytes >> PAGE_SHIFT;
            if let Some(first) = alloc_contiguous_for_kernel(pages, bytes.trailing_zeros()) {
                let start = pointer::<u8>(first) as usize;
                HEAP_FRAMES.fetch_add(pages, Ordering::Relaxed);
                // SAFETY: the frames are RAM in the direct map and belong to the heap from now on.
                unsafe { self.buddy.add_to_heap(start, start + bytes) };
                return true;
            }
        }
        false
    }
}

/// Bytes of the heap that are not allocated. Walks the free lists: for statistics only.
pub(crate) fn free_bytes() -> usize {
    // SAFETY: see `Sync`: nobody else has a reference now, and none outlives this call.
    let state = unsafe { &*HEAP.0.get() };
    let mut bytes = state.buddy.stats_total_bytes() - state.buddy.stats_alloc_actual();
    for (mut block, size) in state.lists.iter().copied().zip(SIZES) {
        while !block.is_null() {
            bytes += usize::from(size);
            // SAFETY: blocks on a list are free and were written by `dealloc` or `refill`.
            block = unsafe { (*block).next };
        }
    }
    bytes
}
