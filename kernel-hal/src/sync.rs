//! The kernel's lock: a spin mutex whose guard cannot cross an `.await`.
//!
//! Kernel code runs with interrupts disabled, so a plain spin lock is enough on every CPU. The guard is `!Send` and the
//! executor takes only `Send` futures, so a future that holds a guard over an `.await` does not compile:
//!
//! ```compile_fail
//! fn needs_send(_: impl core::future::Future + Send) {}
//! static LOCK: kernel_hal::sync::Mutex<u32> = kernel_hal::sync::Mutex::new(0);
//! needs_send(async {
//!     let guard = LOCK.lock();
//!     core::future::ready(()).await;
//!     drop(guard);
//! });
//! ```

use core::fmt;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};

/// Mutual exclusion by spinning. The order in which locks may nest is in `docs/invariants.md`.
pub struct Mutex<T: ?Sized> {
    inner: spin::Mutex<T>,
}

/// Proof that the lock is held; released on drop. `!Send`.
#[must_use = "the lock is released at once when its guard is dropped"]
pub struct MutexGuard<'a, T: ?Sized> {
    inner: spin::MutexGuard<'a, T>,
    not_send: PhantomData<*const ()>,
}

impl<T> Mutex<T> {
    /// A free lock around `value`.
    pub const fn new(value: T) -> Self {
        Self {
            inner: spin::Mutex::new(value),
        }
    }
    /// The value, when nobody else can hold the lock any more.
    pub fn into_inner(self) -> T {
        self.inner.into_inner()
    }
}

impl<T: ?Sized> Mutex<T> {
    /// Waits for the lock and takes it.
    #[inline(always)]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        MutexGuard {
            inner: self.inner.lock(),
            not_send: PhantomData,
        }
    }
    /// Takes the lock if it is free.
    #[inline(always)]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        Some(MutexGuard {
            inner: self.inner.try_lock()?,
            not_send: PhantomData,
        })
    }
    /// The value, through an exclusive reference: no locking needed.
    pub fn get_mut(&mut self) -> &mut T {
        self.inner.get_mut()
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T: ?Sized> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mutex")
    }
}

impl<T: ?Sized> Deref for MutexGuard<'_, T> {
    type Target = T;
    #[inline(always)]
    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T: ?Sized> DerefMut for MutexGuard<'_, T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}
