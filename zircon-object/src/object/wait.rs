//! Waiting for signals: the future that a thread polls in `object_wait_one` and `object_wait_many`.
//!
//! Register, look again, then sleep. [`Wait`] is the guard: dropping it (deadline, kill, suspend) unregisters everything, and
//! after that no observer touches the waiter. What each object showed while it was watched is collected, so that a signal
//! that came and went still ends the wait and can be seen in the result.

use super::observer::Place;
use super::{HandleKey, KernelObject, Observer, ObserverToken, Verdict, Wakes};
use crate::alloc_try::{try_arc, TryPush};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use kernel_hal::sync::Mutex;
use zx_abi::{Signals, ZxError, ZxResult};

/// One object to wait for.
pub struct WaitTarget {
    /// The object.
    pub object: Arc<dyn KernelObject>,
    /// Identity of the handle through which it is waited for.
    pub handle: HandleKey,
    /// Signals of which one suffices.
    pub signals: Signals,
}

/// A wait in progress. Resolves to `Ok` when a wanted signal was seen, to `Canceled` when a handle went away;
/// [`Wait::pending`] tells then, or at any time, what was seen.
pub struct Wait {
    targets: Vec<(WaitTarget, Option<ObserverToken>)>,
    shared: Arc<Shared>,
}

struct Shared {
    state: Mutex<State>,
}

struct State {
    items: Vec<Item>,
    outcome: Option<ZxResult>,
    waker: Option<Waker>,
}

struct Item {
    wanted: Signals,
    seen: Signals,
}

impl Wait {
    /// Starts to watch all targets.
    ///
    /// # Errors
    /// - `NoMemory`: nothing is watched then.
    pub fn start(targets: Vec<WaitTarget>) -> ZxResult<Self> {
        let mut items = Vec::new();
        items.try_reserve_exact(targets.len()).map_err(|_| ZxError::NoMemory)?;
        items.extend(targets.iter().map(|target| Item { wanted: target.signals, seen: Signals::empty() }));
        let shared = try_arc(Shared { state: Mutex::new(State { items, outcome: None, waker: None }) })?;
        let mut wait = Self { targets: Vec::new(), shared };
        wait.targets.try_reserve_exact(targets.len()).map_err(|_| ZxError::NoMemory)?;
        for (index, target) in targets.into_iter().enumerate() {
            let observer: Arc<dyn Observer> = wait.shared.clone();
            let (token, now) = target.object.base().signals().observe(observer, index, target.handle, Place::Last)?;
            wait.targets.try_push((target, Some(token)))?;
            wait.shared.state.lock().see(index, now);
        }
        Ok(wait)
    }

    /// What each target showed since the wait began, in order. The first `observed.len()` are written.
    pub fn pending(&self, observed: &mut [Signals]) {
        for (to, item) in observed.iter_mut().zip(&self.shared.state.lock().items) {
            *to = item.seen;
        }
    }
}

impl Future for Wait {
    type Output = ZxResult;
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<ZxResult> {
        let mut state = self.shared.state.lock();
        match state.outcome {
            Some(outcome) => Poll::Ready(outcome),
            None => {
                if !state.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                    state.waker = Some(cx.waker().clone());
                }
                Poll::Pending
            }
        }
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        for (target, token) in &mut self.targets {
            if let Some(token) = token.take() {
                target.object.base().signals().unobserve(token);
            }
        }
    }
}

impl State {
    /// Remembers what a target shows; ends the wait when that is enough. Cancelled is final.
    fn see(&mut self, index: usize, now: Signals) -> Option<Waker> {
        let item = &mut self.items[index];
        item.seen |= now;
        if now.intersects(item.wanted) && self.outcome.is_none() {
            self.outcome = Some(Ok(()));
            return self.waker.take();
        }
        None
    }
}

impl Observer for Shared {
    fn notify(&self, item: usize, _old: Signals, new: Signals, wakes: &mut Wakes) -> Verdict {
        if let Some(waker) = self.state.lock().see(item, new) {
            wakes.push(waker);
        }
        Verdict::Keep
    }

    fn cancel(&self, item: usize, signals: Signals, wakes: &mut Wakes) {
        let mut state = self.state.lock();
        state.items[item].seen |= signals;
        state.outcome = Some(Err(ZxError::Canceled));
        if let Some(waker) = state.waker.take() {
            wakes.push(waker);
        }
    }
}
