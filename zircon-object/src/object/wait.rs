//! Waiting for signals: the future that a thread polls in `object_wait_many`; [`super::wait_one`] is that of `object_wait_one`.
//!
//! Register, look again, then sleep. [`Wait`] is the guard: dropping it (deadline, kill, suspend) unregisters everything, and
//! after that no observer touches the waiter. What each object showed while it was watched is collected, so that a signal
//! that came and went still ends the wait and can be seen in the result.

use super::sync::Mutex;
use super::{Attention, HandleKey, KernelObject, Observer, ObserverToken, Verdict, Wakes};
use crate::alloc_try::try_arc;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
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
        items
            .try_reserve_exact(targets.len())
            .map_err(|_| ZxError::NoMemory)?;
        items.extend(targets.iter().map(Item::of));
        let mut watched = Vec::new();
        watched
            .try_reserve_exact(targets.len())
            .map_err(|_| ZxError::NoMemory)?;
        watched.extend(targets.into_iter().map(|target| (target, None)));
        let shared = try_arc(Shared {
            state: Mutex::new(State {
                items,
                outcome: None,
                waker: None,
            }),
        })?;
        let mut wait = Self {
            targets: watched,
            shared,
        };
        for (index, (target, token)) in wait.targets.iter_mut().enumerate() {
            let observer: Arc<dyn Observer> = wait.shared.clone();
            let (registered, now) = target.object.base().signals().observe(
                observer,
                index,
                target.handle,
                Attention::Each,
            )?;
            *token = Some(registered);
            wait.shared.state.lock().see(index, now);
        }
        Ok(wait)
    }

    /// What each target showed since the wait began, in order. The first `observed.len()` are written.
    pub fn pending(&self, observed: &mut [Signals]) {
        for (to, item) in observed
            .iter_mut()
            .zip(self.shared.state.lock().items.iter())
        {
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
                if !state
                    .waker
                    .as_ref()
                    .is_some_and(|waker| waker.will_wake(cx.waker()))
                {
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

impl Item {
    fn of(target: &WaitTarget) -> Self {
        Self {
            wanted: target.signals,
            seen: Signals::empty(),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Handle;
    use crate::signal::event::Event;
    use alloc::vec;
    use core::pin::pin;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::Wake;

    const A: Signals = Signals::USER_0;
    const B: Signals = Signals::USER_1;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    impl Woken {
        fn times(&self) -> usize {
            self.0.load(Ordering::SeqCst)
        }
    }

    fn event() -> (Arc<Event>, Handle) {
        let event = Event::create().unwrap();
        (event.clone(), Handle::new(event).unwrap())
    }

    fn target(handle: &Handle, signals: Signals) -> WaitTarget {
        WaitTarget {
            object: handle.object().clone(),
            handle: handle.key(),
            signals,
        }
    }

    fn wait_for(handle: &Handle, signals: Signals) -> Wait {
        Wait::start(vec![target(handle, signals)]).unwrap()
    }

    fn set(event: &Event, signals: Signals) {
        event
            .base()
            .signals()
            .change(Signals::empty(), signals)
            .wake();
    }

    fn clear(event: &Event, signals: Signals) {
        event
            .base()
            .signals()
            .change(signals, Signals::empty())
            .wake();
    }

    fn poll(wait: &mut Wait, woken: &Arc<Woken>) -> Poll<ZxResult> {
        pin!(wait).poll(&mut Context::from_waker(&Waker::from(woken.clone())))
    }

    fn seen<const N: usize>(wait: &Wait) -> [Signals; N] {
        let mut seen = [Signals::empty(); N];
        wait.pending(&mut seen);
        seen
    }

    #[test]
    fn a_signal_that_is_there_already_ends_the_wait_at_the_first_poll() {
        let (event, handle) = event();
        set(&event, A | B);
        let (mut wait, woken) = (wait_for(&handle, A), Arc::default());
        assert_eq!(poll(&mut wait, &woken), Poll::Ready(Ok(())));
        assert_eq!(seen(&wait), [A | B], "unwanted signals show too");
    }

    #[test]
    fn a_wanted_signal_wakes_once_and_an_unwanted_one_does_not() {
        let (event, handle) = event();
        let (mut wait, woken) = (wait_for(&handle, A), Arc::default());
        assert_eq!(poll(&mut wait, &woken), Poll::Pending);
        set(&event, B);
        assert_eq!((woken.times(), poll(&mut wait, &woken)), (0, Poll::Pending));
        set(&event, A);
        set(&event, Signals::USER_2);
        assert_eq!(
            (woken.times(), poll(&mut wait, &woken)),
            (1, Poll::Ready(Ok(())))
        );
        assert_eq!(seen(&wait), [A | B | Signals::USER_2]);
    }

    #[test]
    fn a_signal_that_came_and_went_is_seen() {
        let (event, handle) = event();
        let (mut wait, woken) = (wait_for(&handle, A), Arc::default());
        assert_eq!(poll(&mut wait, &woken), Poll::Pending);
        set(&event, A);
        clear(&event, A);
        assert_eq!(
            (woken.times(), poll(&mut wait, &woken)),
            (1, Poll::Ready(Ok(())))
        );
        assert_eq!(seen(&wait), [A]);
        assert_eq!(event.base().signals().get(), Signals::empty());
    }

    #[test]
    fn one_of_several_targets_suffices_and_each_has_its_own_result() {
        let ((first, first_handle), (second, second_handle)) = (event(), event());
        let targets = vec![target(&first_handle, A), target(&second_handle, B)];
        let (mut wait, woken) = (Wait::start(targets).unwrap(), Arc::default());
        set(&first, B);
        assert_eq!(poll(&mut wait, &woken), Poll::Pending);
        set(&second, B);
        assert_eq!(
            (woken.times(), poll(&mut wait, &woken)),
            (1, Poll::Ready(Ok(())))
        );
        assert_eq!(seen(&wait), [B, B]);
    }

    #[test]
    fn the_same_object_may_be_waited_for_twice() {
        let (event, handle) = event();
        let targets = vec![target(&handle, A), target(&handle, B)];
        let (mut wait, woken) = (Wait::start(targets).unwrap(), Arc::default());
        set(&event, B);
        assert_eq!(poll(&mut wait, &woken), Poll::Ready(Ok(())));
        assert_eq!(seen(&wait), [B, B]);
    }

    #[test]
    fn closing_the_handle_cancels_and_shows_handle_closed() {
        let (event, handle) = event();
        set(&event, B);
        let (mut wait, woken) = (wait_for(&handle, A), Arc::default());
        assert_eq!(poll(&mut wait, &woken), Poll::Pending);
        drop(handle);
        assert_eq!(
            (woken.times(), poll(&mut wait, &woken)),
            (1, Poll::Ready(Err(ZxError::Canceled)))
        );
        assert_eq!(seen(&wait), [B | Signals::HANDLE_CLOSED]);
        set(&event, A);
        assert_eq!(
            poll(&mut wait, &woken),
            Poll::Ready(Err(ZxError::Canceled)),
            "cancelled is final"
        );
    }

    #[test]
    fn closing_the_handle_after_the_signal_but_before_the_thread_ran_cancels() {
        let (event, handle) = event();
        let (mut wait, woken) = (wait_for(&handle, A), Arc::default());
        assert_eq!(poll(&mut wait, &woken), Poll::Pending);
        set(&event, A);
        drop(handle);
        assert_eq!(
            (woken.times(), poll(&mut wait, &woken)),
            (1, Poll::Ready(Err(ZxError::Canceled)))
        );
        assert_eq!(seen(&wait), [A | Signals::HANDLE_CLOSED]);
    }

    #[test]
    fn closing_another_handle_to_the_object_does_not_cancel() {
        let (event, handle) = event();
        let duplicate = handle.duplicate(zx_abi::Rights::SAME_RIGHTS).unwrap();
        let (mut wait, woken) = (wait_for(&handle, A), Arc::default());
        drop(duplicate);
        assert_eq!(poll(&mut wait, &woken), Poll::Pending);
        set(&event, A);
        assert_eq!(poll(&mut wait, &woken), Poll::Ready(Ok(())));
    }

    #[test]
    fn dropping_a_wait_unregisters_it_everywhere() {
        let ((first, first_handle), (second, second_handle)) = (event(), event());
        let targets = vec![target(&first_handle, A), target(&second_handle, A)];
        let (mut wait, woken) = (Wait::start(targets).unwrap(), Arc::default());
        assert_eq!(poll(&mut wait, &woken), Poll::Pending);
        let shared = Arc::downgrade(&wait.shared);
        drop(wait);
        assert!(
            shared.upgrade().is_none(),
            "an object still knows the waiter"
        );
        set(&first, A);
        set(&second, A);
        drop((first_handle, second_handle));
        assert_eq!(woken.times(), 0);
    }

    #[test]
    fn the_waker_of_the_latest_poll_is_the_one_that_is_called() {
        let (event, handle) = event();
        let (mut wait, old, new) = (wait_for(&handle, A), Arc::default(), Arc::default());
        assert_eq!(poll(&mut wait, &old), Poll::Pending);
        assert_eq!(poll(&mut wait, &new), Poll::Pending);
        set(&event, A);
        assert_eq!((old.times(), new.times()), (0, 1));
    }

    #[test]
    fn a_wait_for_nothing_ends_only_by_cancellation() {
        let (event, handle) = event();
        let (mut wait, woken) = (wait_for(&handle, Signals::empty()), Arc::default());
        set(&event, Signals::USER_ALL);
        assert_eq!(poll(&mut wait, &woken), Poll::Pending);
        drop(handle);
        assert_eq!(poll(&mut wait, &woken), Poll::Ready(Err(ZxError::Canceled)));
    }

    #[test]
    fn waits_that_end_while_signals_change_on_another_thread_are_never_stuck() {
        let (event, handle) = event();
        let stop = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::SeqCst) {
                    set(&event, A);
                    clear(&event, A);
                }
            });
            for round in 0..2000 {
                let (mut wait, woken) = (wait_for(&handle, A), Arc::<Woken>::default());
                // Every other wait is given up at once, like one whose thread is killed.
                if round % 2 == 0 && poll(&mut wait, &woken) == Poll::Pending {
                    while woken.times() == 0 {
                        std::thread::yield_now();
                    }
                    assert_eq!(poll(&mut wait, &woken), Poll::Ready(Ok(())));
                }
            }
            stop.store(true, Ordering::SeqCst);
        });
    }
}
