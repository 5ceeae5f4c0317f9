//! What the executor does, in order: traces compared to literals
#![cfg(not(loom))]
#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, also in its helpers"
)]

use std::cell::RefCell;
use std::future::{poll_fn, Future};
use std::panic::{catch_unwind, panic_any, AssertUnwindSafe};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use executor::{yield_now, Executor, Priority, TaskHandle, Turn};

/// A list that tasks write what they do to.
#[derive(Clone, Default)]
struct Trace(Arc<Mutex<Vec<String>>>);

impl Trace {
    fn note(&self, event: impl Into<String>) {
        self.0.lock().unwrap().push(event.into());
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// Notes its drop.
struct Witness(Trace, &'static str);

impl Drop for Witness {
    fn drop(&mut self) {
        self.0.note(self.1);
    }
}

/// Where a task leaves its waker for the test.
#[derive(Clone, Default)]
struct Bell(Arc<Mutex<Option<Waker>>>);

impl Bell {
    /// Completes at the second poll; whoever rings in between causes that poll.
    fn wait(&self) -> impl Future<Output = ()> + Send + 'static {
        let bell = self.clone();
        let mut polls = 0;
        poll_fn(move |context| {
            polls += 1;
            *bell.0.lock().unwrap() = Some(context.waker().clone());
            if polls == 1 {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })
    }

    fn waker(&self) -> Waker {
        self.0.lock().unwrap().clone().unwrap()
    }
}

fn new_executor() -> &'static Executor {
    Box::leak(Box::new(Executor::new()))
}

/// Notes `name` and a number at each of three polls.
fn spawn_counting(executor: &'static Executor, trace: &Trace, name: &'static str) -> TaskHandle {
    let trace = trace.clone();
    let task = executor.spawn(async move {
        for round in 1..=3 {
            trace.note(format!("{name}{round}"));
            yield_now().await;
        }
    });
    task.unwrap()
}

#[test]
fn an_executor_can_be_a_static() {
    static EXECUTOR: Executor = Executor::new();
    let task = EXECUTOR.spawn(async {}).unwrap();
    assert_eq!(
        [EXECUTOR.run_one(), EXECUTOR.run_one()],
        [Turn::Ran, Turn::Idle]
    );
    assert!(task.is_done());
}

#[test]
fn tasks_that_yield_take_turns_in_order_of_spawning() {
    let (executor, trace) = (new_executor(), Trace::default());
    for name in ["a", "b", "c"] {
        spawn_counting(executor, &trace, name);
    }
    executor.run_until_idle();
    assert_eq!(
        trace.take(),
        ["a1", "b1", "c1", "a2", "b2", "c2", "a3", "b3", "c3"]
    );
}

#[test]
fn a_higher_priority_runs_first_and_a_queued_task_moves_at_once() {
    let (executor, trace) = (new_executor(), Trace::default());
    let [_a, b, c] = ["a", "b", "c"].map(|name| spawn_counting(executor, &trace, name));
    c.set_priority(Priority::new(31).unwrap());
    b.set_priority(Priority::new(0).unwrap());
    assert_eq!(b.rank().priority(), Priority::new(0));
    executor.run_until_idle();
    assert_eq!(
        trace.take(),
        ["c1", "c2", "c3", "a1", "a2", "a3", "b1", "b2", "b3"]
    );
}

#[test]
fn a_task_leaves_the_middle_and_the_ends_of_its_level() {
    for (moved, expected) in [
        (0, ["a", "b", "c"]),
        (1, ["b", "a", "c"]),
        (2, ["c", "a", "b"]),
    ] {
        let (executor, trace) = (new_executor(), Trace::default());
        let tasks = ["a", "b", "c"].map(|name| {
            let noted = trace.clone();
            executor.spawn(async move { noted.note(name) }).unwrap()
        });
        tasks[moved].set_priority(Priority::new(20).unwrap());
        executor.run_until_idle();
        assert_eq!(trace.take(), expected);
    }
}

#[test]
fn a_running_task_can_lower_its_own_priority_for_its_next_turn() {
    let (executor, trace) = (new_executor(), Trace::default());
    let handle = Arc::new(Mutex::new(None::<TaskHandle>));
    let (own, noted) = (handle.clone(), trace.clone());
    let task = executor.spawn(async move {
        own.lock()
            .unwrap()
            .take()
            .unwrap()
            .set_priority(Priority::new(3).unwrap());
        noted.note("lowered");
        yield_now().await;
        noted.note("last");
    });
    *handle.lock().unwrap() = Some(task.unwrap());
    spawn_counting(executor, &trace, "a");
    executor.run_until_idle();
    assert_eq!(trace.take(), ["lowered", "a1", "a2", "a3", "last"]);
}

#[test]
fn a_task_that_waits_is_not_polled_until_woken_and_then_once() {
    let (executor, bell) = (new_executor(), Bell::default());
    let task = executor.spawn(bell.wait()).unwrap();
    assert_eq!(
        [executor.run_one(), executor.run_one()],
        [Turn::Ran, Turn::Idle]
    );
    let waker = bell.waker();
    waker.wake_by_ref();
    waker.wake_by_ref();
    waker.wake();
    assert_eq!(
        [executor.run_one(), executor.run_one()],
        [Turn::Ran, Turn::Idle]
    );
    assert!(task.is_done());
}

#[test]
fn a_wake_during_the_poll_queues_the_task_behind_the_others() {
    let (executor, trace) = (new_executor(), Trace::default());
    let noted = trace.clone();
    let mut polls = 0;
    let task = executor.spawn(poll_fn(move |context| {
        polls += 1;
        noted.note(format!("w{polls}"));
        if polls == 3 {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        let owned = context.waker().clone();
        owned.wake();
        Poll::Pending
    }));
    spawn_counting(executor, &trace, "a");
    executor.run_until_idle();
    assert_eq!(trace.take(), ["w1", "a1", "w2", "a2", "w3", "a3"]);
    assert!(task.unwrap().is_done());
}

#[test]
fn the_future_is_dropped_at_completion_although_wakers_remain() {
    let (executor, trace, bell) = (new_executor(), Trace::default(), Bell::default());
    let (noted, wait) = (trace.clone(), bell.wait());
    let task = executor.spawn(async move {
        let _witness = Witness(noted.clone(), "dropped");
        wait.await;
        noted.note("completes");
    });
    executor.run_until_idle();
    let waker = bell.waker();
    waker.wake_by_ref();
    assert_eq!(executor.run_one(), Turn::Ran);
    assert_eq!(trace.take(), ["completes", "dropped"]);
    assert!(task.unwrap().is_done());
    waker.wake_by_ref();
    waker.wake();
    assert_eq!(executor.run_one(), Turn::Idle);
}

#[test]
fn a_future_that_never_awaits_is_dropped_before_the_task_counts_as_done() {
    let (executor, trace) = (new_executor(), Trace::default());
    let handle = Arc::new(Mutex::new(None::<TaskHandle>));
    struct SeesItself(Arc<Mutex<Option<TaskHandle>>>, Trace);
    impl Drop for SeesItself {
        fn drop(&mut self) {
            let task = self.0.lock().unwrap().clone().unwrap();
            self.1
                .note(format!("done while dropping: {}", task.is_done()));
        }
    }
    let sees = SeesItself(handle.clone(), trace.clone());
    let task = executor.spawn(async move { drop(sees) }).unwrap();
    *handle.lock().unwrap() = Some(task.clone());
    executor.run_until_idle();
    assert!(task.is_done());
    assert_eq!(trace.take(), ["done while dropping: false"]);
}

#[test]
fn dropping_the_last_waker_does_not_drop_the_future() {
    let (executor, trace, bell) = (new_executor(), Trace::default(), Bell::default());
    let (wait, witness) = (bell.wait(), Witness(trace.clone(), "dropped"));
    let task = executor.spawn(async move {
        let _witness = witness;
        wait.await;
    });
    drop(task);
    executor.run_until_idle();
    let waker = bell.0.lock().unwrap().take().unwrap();
    drop(waker);
    assert_eq!(trace.take(), [""; 0]);
}

#[test]
fn a_task_may_spawn_and_wake_others() {
    let (executor, trace, bell) = (new_executor(), Trace::default(), Bell::default());
    let (noted, wait) = (trace.clone(), bell.wait());
    executor
        .spawn(async move {
            wait.await;
            noted.note("woken");
        })
        .unwrap();
    let noted = trace.clone();
    executor
        .spawn(async move {
            let inner = noted.clone();
            executor
                .spawn(async move { inner.note("spawned within") })
                .unwrap();
            bell.waker().wake();
            noted.note("spawner ends");
        })
        .unwrap();
    executor.run_until_idle();
    assert_eq!(trace.take(), ["spawner ends", "spawned within", "woken"]);
}

#[test]
fn run_calls_the_window_after_each_poll_and_idle_when_nothing_is_ready() {
    let (executor, trace, bell) = (new_executor(), Trace::default(), Bell::default());
    let (noted, wait) = (trace.clone(), bell.wait());
    executor
        .spawn(async move {
            noted.note("first");
            wait.await;
            noted.note("second");
        })
        .unwrap();
    // The "interrupt" of each idle period: one wakes, the other ends the test.
    let interrupts: RefCell<Vec<Box<dyn FnOnce()>>> = RefCell::new(vec![
        Box::new(|| panic_any("end of the test")),
        Box::new(|| bell.waker().wake()),
    ]);
    let idle = || {
        trace.note("idle");
        let interrupt = interrupts.borrow_mut().pop().unwrap();
        interrupt();
    };
    let window = || trace.note("window");
    let end = catch_unwind(AssertUnwindSafe(|| -> () {
        executor.run_with_window(window, idle)
    }));
    assert_eq!(end.unwrap_err().downcast_ref(), Some(&"end of the test"));
    assert_eq!(
        trace.take(),
        ["first", "window", "idle", "second", "window", "idle"]
    );
}

#[test]
fn wakes_from_other_threads_all_arrive() {
    let executor = new_executor();
    let bell = Bell::default();
    let count = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let (rung, counted) = (bell.clone(), count.clone());
    let task = executor.spawn(poll_fn(move |context| {
        *rung.0.lock().unwrap() = Some(context.waker().clone());
        if counted.load(std::sync::atomic::Ordering::Relaxed) == 4000 {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }));
    let task = task.unwrap();
    executor.run_until_idle();
    let waker = bell.waker();
    let threads = [(); 4].map(|()| {
        let (waker, count) = (waker.clone(), count.clone());
        std::thread::spawn(move || {
            for _ in 0..1000 {
                count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                waker.wake_by_ref();
            }
        })
    });
    while !task.is_done() {
        executor.run_until_idle();
        std::thread::yield_now();
    }
    for thread in threads {
        thread.join().unwrap();
    }
}
