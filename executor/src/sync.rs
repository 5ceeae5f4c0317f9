//! Locks, atomics and cells: the real ones, or loom's when it explores interleavings

#[cfg(not(loom))]
mod real {
    pub(crate) use core::sync::atomic::{AtomicU8, Ordering};
    pub(crate) use spin::Mutex;

    /// `core`'s cell with the closure-shaped access that loom can watch.
    pub(crate) struct UnsafeCell<T>(core::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(core::cell::UnsafeCell::new(value))
        }

        #[inline]
        pub(crate) fn with_mut<R>(&self, access: impl FnOnce(*mut T) -> R) -> R {
            access(self.0.get())
        }
    }
}

#[cfg(loom)]
mod modelled {
    pub(crate) use loom::cell::UnsafeCell;
    pub(crate) use loom::sync::atomic::{AtomicU8, Ordering};

    /// loom's mutex behind the interface of `spin`'s.
    pub(crate) struct Mutex<T>(loom::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Self {
            Self(loom::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> loom::sync::MutexGuard<'_, T> {
            self.0.lock().expect("a panic in a model run ends that run")
        }
    }
}

#[cfg(loom)]
pub(crate) use modelled::{AtomicU8, Mutex, Ordering, UnsafeCell};
#[cfg(not(loom))]
pub(crate) use real::{AtomicU8, Mutex, Ordering, UnsafeCell};
