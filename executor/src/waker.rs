//! The waker: a counted pointer to a task's header behind `core`'s vtable
//!
//! The data pointer of every waker comes from `Arc::<Task>::into_raw`. A waker that a future cloned owns one reference
//! of the `Arc`; the one it is polled with owns none and borrows the executor's [`Life`].
use alloc::sync::Arc;
use core::mem::ManuallyDrop;
use core::ptr::NonNull;
use core::task::{Context, RawWaker, RawWakerVTable, Waker};

use crate::task::{self, Life, Task};

static VTABLE: RawWakerVTable = RawWakerVTable::new(clone, wake, wake_by_ref, drop_waker);

/// Calls `poll` with a context whose waker borrows `life`: no reference count moves.
#[inline]
pub(crate) fn with_borrowed_waker<R>(life: &Life, poll: impl FnOnce(&mut Context<'_>) -> R) -> R {
    let data = life.as_raw().as_ptr().cast_const().cast();
    // SAFETY: the vtable's functions keep `Waker`'s contract (each argues below), and `data` is what they expect. The
    // missing reference is never given up, because the waker is never dropped, and `life` outlives the borrow.
    let waker = ManuallyDrop::new(unsafe { Waker::new(data, &VTABLE) });
    poll(&mut Context::from_waker(&waker))
}

/// # Safety
/// `data` is the data of a live waker of this module.
unsafe fn clone(data: *const ()) -> RawWaker {
    // SAFETY: from `Arc::into_raw`, and the waker that is cloned keeps it alive.
    unsafe { Arc::increment_strong_count(data.cast::<Task>()) };
    RawWaker::new(data, &VTABLE)
}

/// # Safety
/// `data` is the data of a waker of this module that is consumed by the call.
unsafe fn wake(data: *const ()) {
    // SAFETY: the waker is still alive.
    unsafe { wake_by_ref(data) };
    // SAFETY: the caller's duty.
    unsafe { drop_waker(data) };
}

/// # Safety
/// `data` is the data of a live waker of this module.
unsafe fn wake_by_ref(data: *const ()) {
    // SAFETY: `into_raw` never gives null.
    let task = unsafe { NonNull::new_unchecked(data.cast::<Task>().cast_mut()) };
    // SAFETY: from `Arc::into_raw`, and the waker keeps it alive during the call.
    unsafe { task::wake(task) };
}

/// # Safety
/// `data` is the data of a waker of this module that owns a reference and is consumed by the call.
unsafe fn drop_waker(data: *const ()) {
    // SAFETY: from `Arc::into_raw`; the waker's reference is given up once, here. The header that this may free holds
    // no future any more (the life is a reference, too), so no foreign destructor runs.
    unsafe { Arc::decrement_strong_count(data.cast::<Task>()) };
}
