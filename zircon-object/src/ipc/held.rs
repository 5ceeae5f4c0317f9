//! How much of the kernel's heap messages and buffers hold, for `KMEM_STATS`.
//!
//! What counts is the memory, not the bytes in it: a block of a message has one of a few sizes, and a ring keeps what it once
//! needed. So a message costs one addition, and a write to a ring none.

use core::sync::atomic::{AtomicUsize, Ordering};

static HELD: AtomicUsize = AtomicUsize::new(0);

/// Bytes that are held now.
#[must_use]
pub fn held_bytes() -> usize {
    HELD.load(Ordering::Relaxed)
}

/// So many bytes more.
#[inline(always)]
pub(super) fn grown_by(bytes: usize) {
    change(bytes);
}

/// So many bytes less.
#[inline(always)]
pub(super) fn shrunk_by(bytes: usize) {
    change(bytes.wrapping_neg());
}

/// One instruction that locks nothing: kernel code is not interrupted in between, and there is one CPU.
#[inline(always)]
fn change(by: usize) {
    HELD.store(
        HELD.load(Ordering::Relaxed).wrapping_add(by),
        Ordering::Relaxed,
    );
}
