//! Waiting for the signals of one object, which nearly every wait is: [`super::wait`] without its lists.

use super::sync::Mutex;
use super::wait::WaitTarget;
use super::{Attention, KernelObject, Observer, ObserverToken, Verdict, Wakes};
use crate::alloc_try::try_arc;
use alloc::sync::Arc;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use zx_abi::{Signals, ZxError, ZxResult};

/// A wait in progress. Resolves to `Ok` when a wanted signal was seen, to `Canceled` when the handle went away, and in both cases
/// to what the object showed since the wait began. Dropping it unregisters it.
pub struct WaitOne {
    object: Arc<dyn KernelObject>,
    token: ObserverToken,
    waiter: Arc<Waiter>,
    first_poll: FirstPoll,
}

/// What the first poll has to do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FirstPoll {
    /// Nothing: the waker was there before the object was watched, and nothing wanted was seen then.
    Sleep,
    /// To look, as all others.
    Look,
}

/// What the object's list of observers holds.
struct Waiter {
    wanted: Signals,
    state: Mutex<State>,
}

struct State {
    seen: Signals,
    outcome: Option<ZxResult>,
    waker: Option<Waker>,
}

impl WaitOne {
    /// Starts to watch the target; `waker` is that of the polls to come.
    ///
    /// # Errors
    /// - `NoMemory`: nothing is watched then.
    #[inline(always)]
    pub fn start(target: WaitTarget, waker: &Waker) -> ZxResult<Self> {
        let WaitTarget {
            object,
            handle,
            signals,
        } = target;
        let waiter = try_arc(Waiter {
            wanted: signals,
            state: Mutex::new(State {
                seen: Signals::empty(),
                outcome: None,
                waker: Some(waker.clone()),
            }),
        })?;
        let (token, now) =
            object
                .base()
                .signals()
                .observe(waiter.clone(), 0, handle, Attention::Each)?;
        let mut wait = Self {
            object,
            token,
            waiter,
            first_poll: FirstPoll::Sleep,
        };
        wait.saw_at_first(now);
        Ok(wait)
    }

    #[inline(always)]
    fn saw_at_first(&mut self, now: Signals) {
        let woken = self.waiter.see(now);
        if woken.is_some() {
            self.first_poll = FirstPoll::Look;
        }
    }

    /// What the object showed since the wait began.
    pub fn seen(&self) -> Signals {
        self.waiter.state.lock().seen
    }
}

impl Future for WaitOne {
    type Output = (ZxResult, Signals);
    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if core::mem::replace(&mut self.first_poll, FirstPoll::Look) == FirstPoll::Sleep {
            return Poll::Pending;
        }
        let mut state = self.waiter.state.lock();
        if let Some(outcome) = state.outcome {
            return Poll::Ready((outcome, state.seen));
        }
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

impl Drop for WaitOne {
    #[inline(always)]
    fn drop(&mut self) {
        self.object.base().signals().unobserve(self.token);
    }
}

impl Waiter {
    /// Remembers what the object shows; ends the wait when that is wanted. Cancelled is final.
    #[inline(always)]
    fn see(&self, now: Signals) -> Option<Waker> {
        let mut state = self.state.lock();
        state.seen |= now;
        if now.intersects(self.wanted) && state.outcome.is_none() {
            state.outcome = Some(Ok(()));
            return state.waker.take();
        }
        None
    }
}

impl Observer for Waiter {
    fn notify(&self, _item: usize, _old: Signals, new: Signals, wakes: &mut Wakes) -> Verdict {
        if let Some(waker) = self.see(new) {
            wakes.push(waker);
        }
        Verdict::Keep
    }

    fn cancel(&self, _item: usize, signals: Signals, wakes: &mut Wakes) {
        let mut state = self.state.lock();
        state.seen |= signals;
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
    use core::pin::pin;
    use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
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

    /// An event, a wait for its signal A through the handle, and how often the wait was woken.
    struct World {
        event: Arc<Event>,
        handle: Option<Handle>,
        wait: WaitOne,
        woken: Arc<Woken>,
    }

    impl World {
        fn with(signals: Signals) -> Self {
            let event = Event::create().unwrap();
            let handle = Handle::new(event.clone()).unwrap();
            event
                .base()
                .signals()
                .change(Signals::empty(), signals)
                .wake();
            let woken = Arc::<Woken>::default();
            let wait = start(&handle, &woken);
            Self {
                event,
                handle: Some(handle),
                wait,
                woken,
            }
        }
        fn change(&self, clear: Signals, set: Signals) {
            self.event.base().signals().change(clear, set).wake();
        }
        fn close(&mut self) {
            self.handle = None;
        }
        fn poll(&mut self) -> Poll<(ZxResult, Signals)> {
            let woken = self.woken.clone();
            self.poll_as(&woken)
        }
        fn poll_as(&mut self, woken: &Arc<Woken>) -> Poll<(ZxResult, Signals)> {
            let waker = Waker::from(woken.clone());
            pin!(&mut self.wait).poll(&mut Context::from_waker(&waker))
        }
    }

    fn start(handle: &Handle, woken: &Arc<Woken>) -> WaitOne {
        let target = WaitTarget {
            object: handle.object().clone(),
            handle: handle.key(),
            signals: A,
        };
        WaitOne::start(target, &Waker::from(woken.clone())).unwrap()
    }

    #[test]
    fn a_signal_that_is_there_already_ends_the_wait_at_the_first_poll() {
        let mut world = World::with(A | B);
        assert_eq!(world.poll(), Poll::Ready((Ok(()), A | B)));
    }

    #[test]
    fn a_signal_before_the_first_poll_wakes_who_sleeps_through_that() {
        let mut world = World::with(Signals::empty());
        world.change(Signals::empty(), A);
        // The thread is woken while it goes to sleep, so it is polled once more.
        assert_eq!((world.poll(), world.woken.times()), (Poll::Pending, 1));
        assert_eq!(world.poll(), Poll::Ready((Ok(()), A)));
    }

    #[test]
    fn a_wanted_signal_wakes_once_and_an_unwanted_one_does_not() {
        let mut world = World::with(Signals::empty());
        assert_eq!(world.poll(), Poll::Pending);
        world.change(Signals::empty(), B);
        assert_eq!((world.woken.times(), world.poll()), (0, Poll::Pending));
        world.change(Signals::empty(), A);
        world.change(Signals::empty(), Signals::USER_2);
        assert_eq!(world.woken.times(), 1);
        assert_eq!(world.poll(), Poll::Ready((Ok(()), A | B | Signals::USER_2)));
    }

    #[test]
    fn a_signal_that_came_and_went_is_seen() {
        let mut world = World::with(Signals::empty());
        assert_eq!(world.poll(), Poll::Pending);
        world.change(Signals::empty(), A);
        world.change(A, Signals::empty());
        assert_eq!(world.poll(), Poll::Ready((Ok(()), A)));
    }

    #[test]
    fn closing_the_handle_cancels_also_after_the_signal() {
        for signal in [Signals::empty(), A] {
            let mut world = World::with(B);
            assert_eq!(world.poll(), Poll::Pending);
            world.change(Signals::empty(), signal);
            world.close();
            let seen = B | signal | Signals::HANDLE_CLOSED;
            assert_eq!(world.woken.times(), 1);
            assert_eq!(world.poll(), Poll::Ready((Err(ZxError::Canceled), seen)));
        }
    }

    #[test]
    fn what_was_seen_can_be_asked_when_time_is_up() {
        let mut world = World::with(B);
        assert_eq!((world.poll(), world.wait.seen()), (Poll::Pending, B));
    }

    #[test]
    fn the_waker_of_the_latest_poll_is_the_one_that_is_called() {
        let mut world = World::with(Signals::empty());
        let (old, new) = (world.woken.clone(), Arc::default());
        assert_eq!(world.poll(), Poll::Pending);
        assert_eq!(world.poll_as(&new), Poll::Pending);
        world.change(Signals::empty(), A);
        assert_eq!((old.times(), new.times()), (0, 1));
    }

    #[test]
    fn dropping_a_wait_unregisters_it() {
        let mut world = World::with(Signals::empty());
        assert_eq!(world.poll(), Poll::Pending);
        let World {
            event, wait, woken, ..
        } = world;
        let waiter = Arc::downgrade(&wait.waiter);
        drop(wait);
        assert!(
            waiter.upgrade().is_none(),
            "the object still knows the waiter"
        );
        event.base().signals().change(Signals::empty(), A).wake();
        assert_eq!(woken.times(), 0);
    }

    #[test]
    fn waits_that_begin_while_signals_change_on_another_thread_are_never_stuck() {
        let event = Event::create().unwrap();
        let handle = Handle::new(event.clone()).unwrap();
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::SeqCst) {
                    event.base().signals().change(Signals::empty(), A).wake();
                    event.base().signals().change(A, Signals::empty()).wake();
                }
            });
            for round in 0..2000 {
                let woken = Arc::<Woken>::default();
                let mut wait = start(&handle, &woken);
                let waker = Waker::from(woken.clone());
                let mut poll = || pin!(&mut wait).poll(&mut Context::from_waker(&waker));
                // Every other wait is given up at once, like one whose thread is killed.
                if round % 2 == 0 && poll().is_pending() {
                    while woken.times() == 0 {
                        std::thread::yield_now();
                    }
                    assert!(poll().is_ready());
                }
            }
            stop.store(true, Ordering::SeqCst);
        });
    }
}
