//! Handles that are closed on one thread while another uses the object
#![cfg(test)]

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use zircon_object::object::wait::{Wait, WaitTarget};
use zircon_object::object::{Handle, HandleTable, KernelObject};
use zircon_object::signal::event::Event;
use zircon_object::signal::event_pair::EventPair;
use zircon_object::{Rights, Signals, ZxError};

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Polls until the wait ends; a missed wake-up hangs here, so it gives up loudly.
fn outcome(mut wait: Wait) -> Result<(), ZxError> {
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(woken.clone());
    let mut wakes_served = 0;
    loop {
        match pin!(&mut wait).poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(outcome) => return outcome,
            Poll::Pending => {
                let since = std::time::Instant::now();
                while woken.0.load(Ordering::SeqCst) == wakes_served {
                    assert!(since.elapsed().as_secs() < 20, "the wake-up was lost");
                    std::thread::yield_now();
                }
                wakes_served += 1;
            }
        }
    }
}

#[test]
fn a_wait_ends_when_its_handle_is_closed_and_its_object_signaled_at_the_same_time() {
    for _ in 0..500 {
        let event = Event::create().unwrap();
        let handle = Handle::new(event.clone()).unwrap();
        let target = WaitTarget {
            object: event.clone(),
            handle: handle.key(),
            signals: Signals::SIGNALED,
        };
        let start = Barrier::new(3);
        let ended = std::thread::scope(|scope| {
            scope.spawn(|| {
                start.wait();
                drop(handle);
            });
            scope.spawn(|| {
                start.wait();
                event
                    .base()
                    .signals()
                    .change(Signals::empty(), Signals::SIGNALED)
                    .wake();
            });
            let wait = Wait::start(vec![target]).unwrap();
            start.wait();
            outcome(wait)
        });
        assert!(
            matches!(ended, Ok(()) | Err(ZxError::Canceled)),
            "{ended:?}"
        );
    }
}

#[test]
fn both_ends_of_a_pair_closed_at_once_leave_nothing_behind() {
    for _ in 0..500 {
        let (one, other) = EventPair::create().unwrap();
        let (weak_one, weak_other) = (Arc::downgrade(&one), Arc::downgrade(&other));
        let (one, other) = (Handle::new(one).unwrap(), Handle::new(other).unwrap());
        let start = Barrier::new(2);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                start.wait();
                drop(one);
            });
            start.wait();
            drop(other);
        });
        assert!(weak_one.upgrade().is_none() && weak_other.upgrade().is_none());
    }
}

#[test]
fn closing_one_end_wakes_who_waits_for_the_other() {
    for _ in 0..200 {
        let (one, other) = EventPair::create().unwrap();
        let (one, other) = (Handle::new(one).unwrap(), Handle::new(other).unwrap());
        let target = WaitTarget {
            object: other.object().clone(),
            handle: other.key(),
            signals: Signals::PEER_CLOSED,
        };
        std::thread::scope(|scope| {
            scope.spawn(|| drop(one));
            assert_eq!(outcome(Wait::start(vec![target]).unwrap()), Ok(()));
        });
        assert!(other
            .object()
            .base()
            .signals()
            .get()
            .contains(Signals::PEER_CLOSED));
    }
}

#[test]
fn a_handle_removed_by_two_threads_is_given_to_one_of_them() {
    let table = Mutex::new(HandleTable::new(77));
    for _ in 0..500 {
        let value = table
            .lock()
            .unwrap()
            .add(Handle::new(Event::create().unwrap()).unwrap())
            .unwrap();
        let start = Barrier::new(2);
        let take = || {
            start.wait();
            table.lock().unwrap().remove(value).is_ok()
        };
        let (first, second) = std::thread::scope(|scope| {
            let second = scope.spawn(take);
            (take(), second.join().unwrap())
        });
        assert!(first != second);
    }
    assert!(table.lock().unwrap().is_empty());
}

#[test]
fn the_last_of_many_duplicates_closes_the_object_once_whoever_drops_it() {
    for _ in 0..200 {
        let (one, other) = EventPair::create().unwrap();
        let (one, other) = (Handle::new(one).unwrap(), Handle::new(other).unwrap());
        let duplicates: Vec<_> = (0..8)
            .map(|_| one.duplicate(Rights::SAME_RIGHTS).unwrap())
            .collect();
        drop(one);
        assert_eq!(
            other.object().base().signals().get() & Signals::PEER_CLOSED,
            Signals::empty()
        );
        std::thread::scope(|scope| {
            for duplicate in duplicates {
                scope.spawn(move || drop(duplicate));
            }
        });
        assert!(other
            .object()
            .base()
            .signals()
            .get()
            .contains(Signals::PEER_CLOSED));
    }
}
