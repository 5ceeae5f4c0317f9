//! All interleavings of wakers and executors, explored by loom
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p executor --release --test interleavings`
#![cfg(loom)]
#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, also in its helpers"
)]

use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use executor::{Executor, Priority, TaskHandle, Turn};
use loom::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use loom::thread;

fn explore(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

fn new_executor() -> &'static Executor {
    Box::leak(Box::new(Executor::new()))
}

/// A task that is done when `flag` has reached `goal`, and its waker (made before any other thread runs).
///
/// The flag is accessed relaxed: only the executor's own ordering can make a write before a wake visible to the poll.
fn spawn_waiting(
    executor: &'static Executor,
    flag: &Arc<AtomicUsize>,
    goal: usize,
) -> (TaskHandle, Waker) {
    let bell = Arc::new(Mutex::new(None));
    let (rung, flag) = (bell.clone(), flag.clone());
    let task = executor.spawn(poll_fn(move |context| {
        rung.lock()
            .unwrap()
            .get_or_insert_with(|| context.waker().clone());
        if flag.load(Relaxed) == goal {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }));
    assert_eq!(
        [executor.run_one(), executor.run_one()],
        [Turn::Ran, Turn::Idle]
    );
    let waker = bell.lock().unwrap().take().unwrap();
    (task.unwrap(), waker)
}

#[test]
fn the_last_of_two_wakes_is_seen_whenever_the_polls_fall() {
    explore(|| {
        let executor = new_executor();
        let flag = Arc::new(AtomicUsize::new(0));
        let (task, waker) = spawn_waiting(executor, &flag, 2);
        let threads = [(); 2].map(|()| {
            let (flag, waker) = (flag.clone(), waker.clone());
            thread::spawn(move || {
                flag.fetch_add(1, Relaxed);
                waker.wake();
            })
        });
        drop(waker);
        executor.run_until_idle();
        for thread in threads {
            thread.join().unwrap();
        }
        executor.run_until_idle();
        assert!(task.is_done(), "a wake was lost");
    });
}

#[test]
fn a_wake_of_a_queued_task_publishes_what_was_written_before_it() {
    explore(|| {
        let executor = new_executor();
        let flag = Arc::new(AtomicUsize::new(0));
        let (task, waker) = spawn_waiting(executor, &flag, 1);
        waker.wake_by_ref();
        let waking = {
            let flag = flag.clone();
            thread::spawn(move || {
                flag.store(1, Relaxed);
                waker.wake_by_ref();
            })
        };
        executor.run_until_idle();
        // No join in between: joining would order the write by itself.
        while !task.is_done() {
            thread::yield_now();
            executor.run_until_idle();
        }
        waking.join().unwrap();
    });
}

#[test]
fn two_executing_threads_never_poll_one_task_at_once() {
    // loom's cell, in which the future is, panics when two threads are in it.
    explore(|| {
        let executor = new_executor();
        let flag = Arc::new(AtomicUsize::new(0));
        let (task, waker) = spawn_waiting(executor, &flag, 1);
        let runner = thread::spawn(move || executor.run_until_idle());
        flag.store(1, Relaxed);
        waker.wake();
        executor.run_until_idle();
        runner.join().unwrap();
        executor.run_until_idle();
        assert!(task.is_done());
    });
}

#[test]
fn a_change_of_priority_races_with_wake_and_poll() {
    explore(|| {
        let executor = new_executor();
        let flag = Arc::new(AtomicUsize::new(0));
        let (task, waker) = spawn_waiting(executor, &flag, 1);
        let changing = {
            let task = task.clone();
            thread::spawn(move || task.set_priority(Priority::new(31).unwrap()))
        };
        flag.store(1, Relaxed);
        waker.wake();
        executor.run_until_idle();
        changing.join().unwrap();
        executor.run_until_idle();
        assert!(task.is_done());
    });
}
