//! A heap that counts: how often a thread has asked it for memory
//!
//! A test binary makes it its own with `#[global_allocator] static HEAP: CountingHeap = CountingHeap;`. The numbers are per
//! thread, so tests that run beside each other do not see each other.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    // Without destructor and lazy initialization: it is used while a thread begins and ends.
    static TAKEN: Cell<usize> = const { Cell::new(0) };
}

/// The host's heap, counting.
#[derive(Debug)]
pub struct CountingHeap;

/// How often `f` asks for memory, or for more of it, on this thread. Always 0 unless the binary has a [`CountingHeap`].
pub fn allocations<R>(f: impl FnOnce() -> R) -> (usize, R) {
    let before = TAKEN.get();
    let result = f();
    (TAKEN.get() - before, result)
}

fn count() {
    TAKEN.set(TAKEN.get() + 1);
}

// SAFETY: everything is the system allocator's doing; counting does not allocate.
unsafe impl GlobalAlloc for CountingHeap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's duties are the same.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's duties are the same.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's duties are the same, and all memory came from the system allocator.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's duties are the same, and all memory came from the system allocator.
        unsafe { System.realloc(at, layout, size) }
    }
}
