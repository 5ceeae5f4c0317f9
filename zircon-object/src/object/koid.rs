//! Kernel object identifiers: numbers that are never used twice.

use core::sync::atomic::{AtomicU64, Ordering};
use zerocopy::{Immutable, IntoBytes};

/// A kernel object's number. The first 1024 are never given to objects.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, IntoBytes, Immutable)]
#[repr(transparent)]
pub struct Koid(pub u64);

impl Koid {
    /// No object.
    pub const NONE: Self = Self(0);
    /// The kernel itself (ZX_KOID_KERNEL).
    pub const KERNEL: Self = Self(1);
    /// The first number that an object may have.
    pub const FIRST: u64 = 1024;

    /// A number that no object had before.
    #[must_use]
    pub fn next() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(Koid::FIRST);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}
