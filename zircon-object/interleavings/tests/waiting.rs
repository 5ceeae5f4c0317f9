//! All interleavings of waits, signals, cancellations and departures, explored by loom
#![cfg(test)]

use loom::thread;
use object_interleavings::object::wait::{Wait, WaitTarget};
use object_interleavings::object::wait_one::WaitOne;
use object_interleavings::object::{
    Attention, HandleKey, KernelObject, ObjectBase, Observer, Verdict, Wakes,
};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use zircon_object::object::Handle;
use zircon_object::signal::Event;
use zx_abi::{Signals, ZxError, ZxResult};

const A: Signals = Signals::USER_0;
const B: Signals = Signals::USER_1;
const NONE: Signals = Signals::empty();

/// Counts calls. Not watched by loom: it is read after the other threads have ended.
#[derive(Default)]
struct Count(AtomicUsize);

impl Count {
    fn up(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
    fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.up();
    }
}

/// Counts what it is told, and leaves when it sees `until`.
struct Listener {
    until: Signals,
    told: Count,
    cancelled: Count,
}

impl Listener {
    fn until(until: Signals) -> Arc<Self> {
        Arc::new(Self {
            until,
            told: Count::default(),
            cancelled: Count::default(),
        })
    }
}

impl Observer for Listener {
    fn notify(&self, _item: usize, _old: Signals, new: Signals, _wakes: &mut Wakes) -> Verdict {
        self.told.up();
        if new.intersects(self.until) {
            Verdict::Remove
        } else {
            Verdict::Keep
        }
    }
    fn cancel(&self, _item: usize, _signals: Signals, _wakes: &mut Wakes) {
        self.cancelled.up();
    }
}

fn explore(model: impl Fn(HandleKey) + Sync + Send + 'static) {
    kernel_hal_hosted::init();
    let handle = Handle::new(Event::create().unwrap()).unwrap();
    let key = handle.key();
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(move || model(key));
}

fn object() -> Arc<ObjectBase> {
    Arc::new(ObjectBase::new(NONE))
}

fn change(object: &ObjectBase, clear: Signals, set: Signals) {
    object.signals().change(clear, set).wake();
}

fn start(object: &Arc<ObjectBase>, handle: HandleKey, signals: Signals) -> Wait {
    let object: Arc<dyn KernelObject> = object.clone();
    let target = WaitTarget {
        object,
        handle,
        signals,
    };
    Wait::start(vec![target]).unwrap()
}

fn poll(wait: &mut Wait, woken: &Arc<Count>) -> Poll<ZxResult> {
    Pin::new(wait).poll(&mut Context::from_waker(&Waker::from(woken.clone())))
}

fn start_one(
    object: &Arc<ObjectBase>,
    handle: HandleKey,
    signals: Signals,
    woken: &Arc<Count>,
) -> WaitOne {
    let object: Arc<dyn KernelObject> = object.clone();
    let target = WaitTarget {
        object,
        handle,
        signals,
    };
    WaitOne::start(target, &Waker::from(woken.clone())).unwrap()
}

fn poll_one(wait: &mut WaitOne, woken: &Arc<Count>) -> Poll<(ZxResult, Signals)> {
    Pin::new(wait).poll(&mut Context::from_waker(&Waker::from(woken.clone())))
}

fn seen(wait: &Wait) -> Signals {
    let mut seen = [NONE];
    wait.pending(&mut seen);
    seen[0]
}

#[test]
fn a_signal_that_comes_and_goes_while_a_wait_starts_either_wakes_it_or_was_over() {
    explore(|key| {
        let (object, woken) = (object(), Arc::default());
        let other = object.clone();
        let changer = thread::spawn(move || {
            change(&other, NONE, A);
            change(&other, A, B);
        });
        let mut wait = start(&object, key, A);
        let asleep = poll(&mut wait, &woken).is_pending();
        changer.join().unwrap();
        let ended = poll(&mut wait, &woken).is_ready();
        assert_eq!(woken.get(), usize::from(asleep && ended));
        assert_eq!(seen(&wait).contains(A), ended);
        assert!(seen(&wait).contains(B));
    });
}

#[test]
fn a_signal_while_a_wait_for_one_starts_wakes_it_or_was_over_or_ends_it_at_the_first_poll() {
    explore(|key| {
        let (object, woken) = (object(), Arc::default());
        let other = object.clone();
        let changer = thread::spawn(move || {
            change(&other, NONE, A);
            change(&other, A, B);
        });
        let mut wait = start_one(&object, key, A, &woken);
        let asleep = poll_one(&mut wait, &woken).is_pending();
        changer.join().unwrap();
        match poll_one(&mut wait, &woken) {
            Poll::Ready((outcome, seen)) => {
                assert_eq!((outcome, seen), (Ok(()), A | B));
                // Nobody sleeps through it.
                assert!(!asleep || woken.get() == 1);
            }
            Poll::Pending => assert_eq!((asleep, woken.get(), wait.seen()), (true, 0, B)),
        }
    });
}

#[test]
fn closing_the_handle_against_a_signal_always_cancels_a_wait_for_one() {
    explore(|key| {
        let (object, woken) = (object(), Arc::default());
        let mut wait = start_one(&object, key, A, &woken);
        assert!(poll_one(&mut wait, &woken).is_pending());
        let (first, second) = (object.clone(), object.clone());
        let changer = thread::spawn(move || change(&first, NONE, A));
        let closer = thread::spawn(move || second.signals().cancel_handle(key).wake());
        changer.join().unwrap();
        closer.join().unwrap();
        assert_eq!(woken.get(), 1);
        let ended = poll_one(&mut wait, &woken);
        assert!(matches!(ended, Poll::Ready((Err(ZxError::Canceled), seen))
            if seen.contains(Signals::HANDLE_CLOSED)));
    });
}

#[test]
fn a_signal_that_stays_ends_every_wait_that_starts_meanwhile() {
    explore(|key| {
        let object = object();
        let sleepers = [(); 2].map(|()| {
            let object = object.clone();
            thread::spawn(move || {
                let (mut wait, woken) = (start(&object, key, A), Arc::default());
                let asleep = poll(&mut wait, &woken).is_pending();
                (wait, woken, asleep)
            })
        });
        change(&object, NONE, A);
        for sleeper in sleepers {
            let (mut wait, woken, asleep) = sleeper.join().unwrap();
            assert_eq!(woken.get(), usize::from(asleep));
            assert_eq!(poll(&mut wait, &woken), Poll::Ready(Ok(())));
        }
    });
}

#[test]
fn the_last_one_to_leave_does_not_hide_one_who_comes() {
    explore(|key| {
        let (object, leaving) = (object(), Listener::until(A));
        object
            .signals()
            .observe(leaving.clone(), 0, key, Attention::Rise(A))
            .unwrap();
        let (first, second) = (object.clone(), object.clone());
        let releaser = thread::spawn(move || change(&first, NONE, A));
        let changer = thread::spawn(move || change(&second, NONE, B));
        let (mut wait, woken) = (start(&object, key, B), Arc::default());
        let asleep = poll(&mut wait, &woken).is_pending();
        releaser.join().unwrap();
        changer.join().unwrap();
        assert_eq!(woken.get(), usize::from(asleep));
        assert_eq!(poll(&mut wait, &woken), Poll::Ready(Ok(())));
        // B alone may have come before or after the one that made it leave.
        assert!((1..=2).contains(&leaving.told.get()));
    });
}

#[test]
fn closing_the_handle_against_a_signal_always_ends_in_canceled() {
    explore(|key| {
        let (object, woken) = (object(), Arc::default());
        let mut wait = start(&object, key, A);
        assert!(poll(&mut wait, &woken).is_pending());
        let (first, second) = (object.clone(), object.clone());
        let changer = thread::spawn(move || change(&first, NONE, A));
        let closer = thread::spawn(move || second.signals().cancel_handle(key).wake());
        changer.join().unwrap();
        closer.join().unwrap();
        assert_eq!(woken.get(), 1);
        assert_eq!(poll(&mut wait, &woken), Poll::Ready(Err(ZxError::Canceled)));
        assert!(seen(&wait).contains(Signals::HANDLE_CLOSED));
    });
}

#[test]
fn of_a_signal_and_a_cancellation_exactly_one_takes_an_observer_that_leaves() {
    explore(|key| {
        let (object, listener) = (object(), Listener::until(A));
        object
            .signals()
            .observe(listener.clone(), 0, key, Attention::Rise(A))
            .unwrap();
        let (first, second) = (object.clone(), object.clone());
        let changer = thread::spawn(move || change(&first, NONE, A));
        let closer = thread::spawn(move || second.signals().cancel_handle(key).wake());
        changer.join().unwrap();
        closer.join().unwrap();
        assert_eq!(listener.told.get() + listener.cancelled.get(), 1);
    });
}

#[test]
fn one_that_was_taken_out_is_not_called_any_more() {
    explore(|key| {
        let (object, listener) = (object(), Listener::until(NONE));
        let other = object.clone();
        let changer = thread::spawn(move || {
            change(&other, NONE, A);
            change(&other, NONE, B);
        });
        let (token, _) = object
            .signals()
            .observe(listener.clone(), 0, key, Attention::Each)
            .unwrap();
        assert!(object.signals().unobserve(token));
        let told = listener.told.get();
        changer.join().unwrap();
        assert_eq!(listener.told.get(), told);
        assert!(!object.signals().unobserve(token));
        assert_eq!(Arc::strong_count(&listener), 1, "the list has let it go");
    });
}

#[test]
fn changes_on_two_threads_both_stand_and_an_observer_hears_of_each() {
    explore(|key| {
        let (object, listener) = (object(), Listener::until(NONE));
        object
            .signals()
            .observe(listener.clone(), 0, key, Attention::Each)
            .unwrap();
        let other = object.clone();
        let changer = thread::spawn(move || change(&other, NONE, A));
        change(&object, NONE, B);
        changer.join().unwrap();
        assert_eq!(object.signals().get(), A | B);
        assert_eq!(listener.told.get(), 2);
    });
}
