//! The global allocator: a buddy heap over VMOs mapped into the root VMAR, growing on demand.

use core::alloc::{GlobalAlloc, Layout};
use core::ptr::{self, NonNull};

use buddy_system_allocator::Heap as Buddy;
use spin::mutex::SpinMutex;
use zx_abi::{VmOptions, ZxResult};

use crate::task::with_own_root_vmar;
use crate::{time, Vmo};

/// Bytes the heap grows by at least.
const GROWTH: usize = 1 << 20;

/// The heap behind Rust's allocation interface.
pub(crate) struct Heap(SpinMutex<Buddy<40>>);

impl core::fmt::Debug for Heap {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Heap")
    }
}

impl Heap {
    pub(crate) const fn new() -> Self {
        Self(SpinMutex::new(Buddy::empty()))
    }

    /// Runs `work` under the lock. The holder may be a thread that is not running: give it the CPU.
    fn locked<R>(&self, work: impl FnOnce(&mut Buddy<40>) -> R) -> R {
        loop {
            if let Some(mut buddy) = self.0.try_lock() {
                return work(&mut buddy);
            }
            time::sleep_until(0);
        }
    }

    fn allocate(&self, layout: Layout) -> Option<NonNull<u8>> {
        if let Ok(block) = self.locked(|buddy| buddy.alloc(layout)) {
            return Some(block);
        }
        let (start, end) = map_more(layout)?;
        self.locked(|buddy| {
            // SAFETY: the range was mapped just now for the heap alone and stays mapped.
            unsafe { buddy.add_to_heap(start, end) };
            buddy.alloc(layout).ok()
        })
    }
}

// SAFETY: blocks come from the buddy heap, which hands out each byte once until it is freed.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.allocate(layout)
            .map_or(ptr::null_mut(), NonNull::as_ptr)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if let Some(block) = NonNull::new(block) {
            // SAFETY: the caller got the block from alloc with this layout.
            self.locked(|buddy| unsafe { buddy.dealloc(block, layout) });
        }
    }
}

/// Maps memory with room for a block of `layout`; the buddy heap wants a power of two that is naturally aligned.
fn map_more(layout: Layout) -> Option<(usize, usize)> {
    let block = layout
        .size()
        .max(layout.align())
        .checked_next_power_of_two()?;
    let len = block.checked_mul(2)?.max(GROWTH);
    let mapped: ZxResult<usize> = with_own_root_vmar(|vmar| {
        let vmo = Vmo::create(len as u64, 0)?;
        vmar.map(
            VmOptions::PERM_READ | VmOptions::PERM_WRITE,
            0,
            &vmo,
            0,
            len,
        )
    });
    let start = mapped.ok()?;
    Some((start, start + len))
}

/// Rust's global allocator is the heap in the program's state.
#[cfg(target_os = "none")]
mod global {
    use super::{GlobalAlloc, Layout};
    use crate::state::state;

    struct Global;

    #[global_allocator]
    static GLOBAL: Global = Global;

    // SAFETY: passes everything on to the heap.
    unsafe impl GlobalAlloc for Global {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            // SAFETY: the caller's promise is passed on.
            unsafe { state().heap.alloc(layout) }
        }

        unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
            // SAFETY: the caller's promise is passed on.
            unsafe { state().heap.dealloc(block, layout) }
        }
    }
}
