//! Allocation that can fail: what programs ask for ends in `NoMemory`, never in a panic.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use zx_abi::{ZxError, ZxResult};

/// `Arc::new` that can fail.
///
/// # Errors
/// - `NoMemory`: the kernel heap is exhausted.
pub fn try_arc<T>(value: T) -> ZxResult<Arc<T>> {
    Arc::try_new(value).map_err(|_| ZxError::NoMemory)
}

/// `Arc::new_cyclic` after a fallible allocation: `make` gets the weak reference to the value it makes.
///
/// # Errors
/// - `NoMemory`: the kernel heap cannot hold one `T`. What `make` allocates is its own matter.
pub fn try_arc_cyclic<T>(make: impl FnOnce(&alloc::sync::Weak<T>) -> T) -> ZxResult<Arc<T>> {
    // The block that `new_cyclic` takes, which panics without one: taken and given back, so that it is there. The compiler leaves
    // out an allocation whose result nobody looks at, hence the black box.
    let room = Arc::<T>::try_new_uninit().map_err(|_| ZxError::NoMemory)?;
    drop(core::hint::black_box(room));
    Ok(Arc::new_cyclic(make))
}

/// `Box::new` that can fail.
///
/// # Errors
/// - `NoMemory`: the kernel heap is exhausted.
pub fn try_box<T>(value: T) -> ZxResult<Box<T>> {
    Box::try_new(value).map_err(|_| ZxError::NoMemory)
}

/// As [`try_box`], for a value that `make` makes in its place.
///
/// # Errors
/// - `NoMemory`: the kernel heap is exhausted; `make` was dropped.
#[inline]
pub fn try_box_with<T>(make: impl FnOnce() -> T) -> ZxResult<Box<T>> {
    let room = Box::<T>::try_new_uninit().map_err(|_| ZxError::NoMemory)?;
    Ok(Box::write(room, make()))
}

/// `Vec::push` that can fail.
pub trait TryPush<T> {
    /// Appends `value`.
    ///
    /// # Errors
    /// - `NoMemory`: the kernel heap is exhausted; the vector is unchanged.
    fn try_push(&mut self, value: T) -> ZxResult;
}

impl<T> TryPush<T> for Vec<T> {
    #[inline]
    fn try_push(&mut self, value: T) -> ZxResult {
        if self.len() == self.capacity() {
            self.try_reserve(1).map_err(|_| ZxError::NoMemory)?;
        }
        self.push(value);
        Ok(())
    }
}
