//! The kernel's executor and timers, on a clock that only the test moves
#![cfg(test)]

use std::future::{poll_fn, Future};
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use zircon_object::object::wait::{Wait, WaitTarget};
use zircon_object::object::{Handle, KernelObject};
use zircon_object::runtime::{serve_timers, EXECUTOR, TIMERS};
use zircon_object::signal::event::Event;
use zircon_object::{Signals, ZxError, ZxResult};

/// A wait with a deadline, as `object_wait_one` makes it; its result appears in the slot.
fn spawn_wait(handle: &Handle, deadline: i64) -> Arc<Mutex<Option<(ZxResult, Signals)>>> {
    let target = WaitTarget {
        object: handle.object().clone(),
        handle: handle.key(),
        signals: Signals::SIGNALED,
    };
    let result = Arc::new(Mutex::new(None));
    let slot = result.clone();
    let future = async move {
        let mut wait = Wait::start(vec![target]).unwrap();
        let mut timer = pin!(TIMERS.sleep_until(deadline).unwrap());
        let ended = poll_fn(|cx| match pin!(&mut wait).poll(cx) {
            Poll::Ready(outcome) => Poll::Ready(outcome),
            Poll::Pending => timer.as_mut().poll(cx).map(|_| Err(ZxError::TimedOut)),
        })
        .await;
        let mut seen = [Signals::empty()];
        wait.pending(&mut seen);
        *slot.lock().unwrap() = Some((ended, seen[0]));
    };
    EXECUTOR.spawn(future).unwrap();
    EXECUTOR.run_until_idle();
    result
}

/// What the kernel does after an interrupt.
fn interrupt() {
    serve_timers();
    EXECUTOR.run_until_idle();
}

#[test]
fn a_wait_times_out_at_its_deadline_and_not_before() {
    kernel_hal_hosted::init();
    let clock = kernel_hal_hosted::time::hold();
    let event = Event::create().unwrap();
    let handle = Handle::new(event.clone()).unwrap();
    let deadline = kernel_hal::time::now() + 1000;
    let result = spawn_wait(&handle, deadline);
    assert_eq!(TIMERS.next_deadline(), Some(deadline));
    assert!(clock.armed().is_some_and(|alarm| alarm <= deadline));

    clock.advance(999);
    interrupt();
    assert_eq!(*result.lock().unwrap(), None);
    clock.advance(1);
    interrupt();
    assert_eq!(
        *result.lock().unwrap(),
        Some((Err(ZxError::TimedOut), Signals::empty()))
    );
    assert_eq!(TIMERS.next_deadline(), None);

    event
        .base()
        .signals()
        .change(Signals::empty(), Signals::SIGNALED)
        .wake();
    EXECUTOR.run_until_idle();
}

#[test]
fn a_signal_before_the_deadline_ends_the_wait_and_disarms_its_timer() {
    kernel_hal_hosted::init();
    let _clock = kernel_hal_hosted::time::hold();
    let event = Event::create().unwrap();
    let handle = Handle::new(event.clone()).unwrap();
    let result = spawn_wait(&handle, kernel_hal::time::now() + 1000);
    event
        .base()
        .signals()
        .change(Signals::empty(), Signals::SIGNALED)
        .wake();
    EXECUTOR.run_until_idle();
    assert_eq!(*result.lock().unwrap(), Some((Ok(()), Signals::SIGNALED)));
    assert_eq!(TIMERS.next_deadline(), None);
}

#[test]
fn closing_the_handle_ends_the_wait_before_its_deadline() {
    kernel_hal_hosted::init();
    let _clock = kernel_hal_hosted::time::hold();
    let handle = Handle::new(Event::create().unwrap()).unwrap();
    let result = spawn_wait(&handle, kernel_hal::time::now() + 1000);
    drop(handle);
    EXECUTOR.run_until_idle();
    assert_eq!(
        *result.lock().unwrap(),
        Some((Err(ZxError::Canceled), Signals::HANDLE_CLOSED))
    );
    assert_eq!(TIMERS.next_deadline(), None);
}

#[test]
fn threads_that_wait_for_one_event_go_on_in_the_order_in_which_they_came() {
    kernel_hal_hosted::init();
    let _clock = kernel_hal_hosted::time::hold();
    let event = Event::create().unwrap();
    let handle = Handle::new(event.clone()).unwrap();
    let order = Arc::new(Mutex::new(Vec::new()));
    for name in 0..5 {
        let target = WaitTarget {
            object: event.clone(),
            handle: handle.key(),
            signals: Signals::SIGNALED,
        };
        let order = order.clone();
        let future = async move {
            Wait::start(vec![target]).unwrap().await.unwrap();
            order.lock().unwrap().push(name);
        };
        EXECUTOR.spawn(future).unwrap();
    }
    EXECUTOR.run_until_idle();
    event
        .base()
        .signals()
        .change(Signals::empty(), Signals::SIGNALED)
        .wake();
    EXECUTOR.run_until_idle();
    assert_eq!(*order.lock().unwrap(), [0, 1, 2, 3, 4]);
}
