//! The naive executor: threads are futures, and this polls them
//!
//! # What
//! * [`Executor`]: takes futures ([`Executor::spawn`]), polls those that were woken, highest [`Rank`] first and in order of
//!   waking among equals (those that have had their slice last), and calls an idle function when there are none.
//! * [`Timers`]: deadlines in nanoseconds, each with a waker or a callback; [`TimerQueue`] is the ordered map below it.
//!
//! # Why this shape
//! * *A wake costs O(1) and no memory.* The links of the run queue live in the task's header, and the timer's node lives
//!   in a slot that was allocated when the timer was made. So waking and arming cannot fail, not even in an interrupt.
//! * *A poll costs a few instructions*: one lock and unlock of the queue, one `xchg` (queued to running), the call through
//!   the future's vtable, one `xadd` (running to idle). No reference count moves: the waker passed to the future borrows
//!   the task, and the queue holds the *life* of the task, a token of which there is exactly one (see [`task`]).
//! * *Dropping a waker never runs foreign code.* A future is dropped by the executor, when it completes, and nowhere
//!   else; the last waker frees a header. So wakers may be dropped under any lock.
//!
//! # Invariants
//! * A wake is never lost and a task is never polled twice at once: [`state`] draws why.
//! * The kernel runs with interrupts off, so no lock here can be taken by an interrupt handler on a CPU that holds it;
//!   hence the locks are plain spin locks and save no flags. Whoever runs this with interrupts on must not wake from them.
//! * Lock order: a timer lock and a queue lock are leaves. Wakers and callbacks are called with neither held; the one
//!   foreign function called under a lock is [`TimerHardware::set_alarm`], and its contract says so.
//! * Nothing relies on one CPU: an executor may be driven by several at once. What several CPUs still need is an
//!   interrupt to the CPU that sleeps in its idle function when another one wakes a task of its executor.
//!
//! Unsafe code is in `task.rs` (the life token, the future's cell), `task_list.rs` and `levels.rs` (lists) and `waker.rs` (vtable).
//!
//! Start reading at [`state`], then `executor.rs`.
#![cfg_attr(not(any(test, loom)), no_std)]
#![feature(allocator_api)]

extern crate alloc;

mod executor;
mod levels;
mod links;
mod priority;
mod run_queue;
pub mod state;
mod sync;
pub mod task;
mod task_list;
mod timer_queue;
mod timer_slots;
mod timer_tree;
mod timers;
mod waker;
mod yield_now;

pub use executor::{Executor, Turn};
pub use levels::Contention;
pub use links::Place;
pub use priority::{Priority, Rank};
pub use task::TaskHandle;
pub use timer_queue::{Expired, TakenOut, TimerQueue};
pub use timer_slots::TimerId;
pub use timers::{
    Action, Deadline, Disarmed, Due, OnTimer, TimerHardware, TimerSlot, Timers, NEVER,
};
pub use yield_now::{yield_now, YieldNow};

/// The kernel heap could not give the memory that was asked for; nothing was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoMemory;
