//! What timers do, in order: traces compared to literals, on a clock that the test sets
#![cfg(not(loom))]
#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, also in its helpers"
)]

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use executor::{Action, Disarmed, Due, Executor, OnTimer, TimerHardware, TimerSlot, Timers, NEVER};

#[derive(Default)]
struct TestClock {
    now: AtomicI64,
    alarms: Mutex<Vec<Option<i64>>>,
}

impl TestClock {
    fn take_alarms(&self) -> Vec<Option<i64>> {
        std::mem::take(&mut self.alarms.lock().unwrap())
    }
}

impl TimerHardware for TestClock {
    fn now(&self) -> i64 {
        self.now.load(Ordering::Relaxed)
    }

    fn set_alarm(&self, deadline: Option<i64>) {
        self.alarms.lock().unwrap().push(deadline);
    }
}

fn new_timers() -> (&'static TestClock, &'static Timers) {
    let clock: &TestClock = Box::leak(Box::default());
    (clock, Box::leak(Box::new(Timers::new(clock))))
}

fn at(clock: &TestClock, timers: &Timers, now: i64) -> Due {
    clock.now.store(now, Ordering::Relaxed);
    timers.expire(now)
}

type Trace = Arc<Mutex<Vec<(&'static str, i64)>>>;

/// Notes its name and the time.
struct Bell(&'static str, Trace);

impl OnTimer for Bell {
    fn on_timer(&self, now: i64) {
        self.1.lock().unwrap().push((self.0, now));
    }
}

fn bell(name: &'static str, trace: &Trace) -> Action {
    Action::Call(Arc::new(Bell(name, trace.clone())))
}

#[test]
fn callbacks_come_by_deadline_and_first_armed_first_among_equals() {
    let (clock, timers) = new_timers();
    let trace = Trace::default();
    let slots: Vec<_> = [("c", 30), ("a", 10), ("d", 30), ("b", 20)]
        .map(|(name, deadline)| {
            let slot = timers.register().unwrap();
            slot.arm(deadline, bell(name, &trace));
            slot
        })
        .into();
    assert_eq!(clock.take_alarms(), [Some(30), Some(10)]);
    assert_eq!(at(clock, timers, 9), Due::None);
    assert_eq!(at(clock, timers, 20), Due::None);
    assert_eq!(*trace.lock().unwrap(), [("a", 20), ("b", 20)]);
    assert_eq!(at(clock, timers, 31), Due::None);
    assert_eq!(trace.lock().unwrap()[2..], [("c", 31), ("d", 31)]);
    assert_eq!(clock.take_alarms(), [Some(10), Some(30), None]);
    assert!(slots.iter().all(|slot| slot.disarm() == Disarmed::NotArmed));
}

#[test]
fn a_head_that_is_disarmed_leaves_the_alarm_to_the_interrupt_that_then_finds_nothing() {
    let (clock, timers) = new_timers();
    let trace = Trace::default();
    let [a, b] = [(); 2].map(|()| timers.register().unwrap());
    a.arm(10, bell("a", &trace));
    b.arm(20, bell("b", &trace));
    assert_eq!(a.disarm(), Disarmed::InTime);
    assert_eq!(a.disarm(), Disarmed::NotArmed);
    assert_eq!(clock.take_alarms(), [Some(10)]);
    b.arm(30, bell("b", &trace));
    assert_eq!(clock.take_alarms(), [], "the alarm comes early enough");
    assert_eq!(at(clock, timers, 10), Due::None);
    assert_eq!(clock.take_alarms(), [Some(30)]);
    drop(b);
    assert_eq!(at(clock, timers, 100), Due::None);
    assert_eq!(clock.take_alarms(), [None]);
    assert_eq!(*trace.lock().unwrap(), []);
}

#[test]
fn a_callback_may_stop_a_later_timer_of_the_same_moment_and_arm_its_own_again() {
    struct Stopper {
        own: Mutex<Option<TimerSlot>>,
        other: TimerSlot,
        trace: Trace,
    }
    impl OnTimer for Stopper {
        fn on_timer(&self, now: i64) {
            assert_eq!(self.other.disarm(), Disarmed::InTime);
            let own = self.own.lock().unwrap();
            own.as_ref()
                .unwrap()
                .arm(now + 5, bell("again", &self.trace));
        }
    }
    let (clock, timers) = new_timers();
    let trace = Trace::default();
    let [own, other] = [(); 2].map(|()| timers.register().unwrap());
    let stopper = Arc::new(Stopper {
        own: Mutex::new(None),
        other,
        trace: trace.clone(),
    });
    own.arm(10, Action::Call(stopper.clone()));
    stopper.other.arm(10, bell("stopped", &trace));
    *stopper.own.lock().unwrap() = Some(own);
    assert_eq!(
        [at(clock, timers, 10), at(clock, timers, 15)],
        [Due::None, Due::None]
    );
    assert_eq!(*trace.lock().unwrap(), [("again", 15)]);
}

#[test]
fn one_expiry_serves_a_bounded_number_and_asks_for_another_interrupt() {
    let (clock, timers) = new_timers();
    let trace = Trace::default();
    let slots: Vec<_> = (0..40).map(|_| timers.register().unwrap()).collect();
    for slot in &slots {
        slot.arm(7, bell("x", &trace));
    }
    clock.take_alarms();
    assert_eq!(at(clock, timers, 7), Due::More);
    assert_eq!(trace.lock().unwrap().len(), 32);
    assert_eq!(clock.take_alarms(), [Some(7)]);
    assert_eq!(at(clock, timers, 7), Due::None);
    assert_eq!(trace.lock().unwrap().len(), 40);
    assert_eq!(clock.take_alarms(), [None]);
}

#[test]
fn slack_couples_a_timer_to_the_nearest_one_in_its_window() {
    let (_, timers) = new_timers();
    let trace = Trace::default();
    let [exact, slack] = [(); 2].map(|()| timers.register().unwrap());
    exact.arm(100, bell("exact", &trace));
    // As measured on a real Zircon (facts/objects.md).
    let chosen =
        |low, high, deadline| slack.arm_coalesced(low..=high, deadline, bell("slack", &trace));
    assert_eq!(chosen(60, 120, 60), 100);
    assert_eq!(chosen(60, 80, 60), 60);
    assert_eq!(chosen(80, 140, 140), 100);
    assert_eq!(chosen(120, 140, 140), 140);
    // It does not couple to itself.
    assert_eq!(chosen(130, 150, 150), 150);
    assert_eq!(timers.next_deadline(), Some(100));
}

#[test]
fn sleepers_wake_at_their_deadlines_in_order() {
    let (clock, timers) = new_timers();
    let executor: &'static Executor = Box::leak(Box::default());
    let trace = Trace::default();
    for (name, deadline) in [("late", 50), ("soon", 20), ("past", 0), ("never", NEVER)] {
        let trace = trace.clone();
        executor
            .spawn(async move {
                timers.sleep_until(deadline).unwrap().await;
                trace.lock().unwrap().push((name, timers.now()));
            })
            .unwrap();
    }
    executor.run_until_idle();
    while let Some(deadline) = timers.next_deadline() {
        at(clock, timers, deadline);
        executor.run_until_idle();
    }
    assert_eq!(
        *trace.lock().unwrap(),
        [("past", 0), ("soon", 20), ("late", 50)]
    );
    assert_eq!(clock.take_alarms(), [Some(50), Some(20), Some(50), None]);
}

#[test]
fn a_wait_that_is_dropped_disarms_and_gives_its_timer_back() {
    let (clock, timers) = new_timers();
    let executor: &'static Executor = Box::leak(Box::default());
    let trace = Trace::default();
    let noted = trace.clone();
    executor
        .spawn(async move {
            let mut slot = timers.register().unwrap();
            let mut wait = slot.until_borrowed(40);
            let first = std::future::poll_fn(|context| {
                std::task::Poll::Ready(std::future::Future::poll(
                    std::pin::Pin::new(&mut wait),
                    context,
                ))
            });
            assert!(first.await.is_pending());
            assert_eq!(timers.next_deadline(), Some(40));
            drop(wait);
            assert_eq!(timers.next_deadline(), None);
            slot.until_borrowed(60).await;
            noted.lock().unwrap().push(("slept", timers.now()));
        })
        .unwrap();
    executor.run_until_idle();
    at(clock, timers, 60);
    executor.run_until_idle();
    assert_eq!(*trace.lock().unwrap(), [("slept", 60)]);
    assert_eq!(clock.take_alarms(), [Some(40), None]);
}
