//! The lock and the atomics of waiting, named in one place.
//!
//! `zircon-object/interleavings` compiles the files beside this one with loom's in place of these.

pub(super) use core::sync::atomic::{AtomicU64, Ordering};
pub(super) use kernel_hal::sync::Mutex;
