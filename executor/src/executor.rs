//! Spawning, and the loop that polls
use core::future::Future;

use crate::links::Place;
use crate::priority::Rank;
use crate::run_queue::RunQueue;
use crate::task::{Task, TaskHandle};
use crate::NoMemory;

/// What a call of [`Executor::run_one`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// A task was polled.
    Ran,
    /// No task was ready.
    Idle,
}

/// A run queue and the loop that empties it. One per CPU, in a `static`: tasks refer to it for ever.
pub struct Executor {
    queue: RunQueue,
}

impl Executor {
    /// An executor without tasks.
    #[cfg(not(loom))]
    pub const fn new() -> Self {
        Self::with_bell(|| (), || 0)
    }

    /// An executor without tasks that calls `bell` when a task becomes ready of whose rank the task that runs wants to hear
    /// ([`Executor::watch_from`]), and that asks `clock` when tasks are queued ([`Executor::queued_since`]). Both are called in
    /// any context, the bell with no lock of this crate held; neither must wake.
    #[cfg(not(loom))]
    pub const fn with_bell(bell: fn(), clock: fn() -> i64) -> Self {
        Self {
            queue: RunQueue::new(bell, clock),
        }
    }

    /// An executor without tasks (loom's lock has no `const` constructor).
    #[cfg(loom)]
    pub fn new() -> Self {
        Self {
            queue: RunQueue::new(|| (), || 0),
        }
    }

    /// Takes a future; it is polled for the first time when its turn comes, at [`crate::Priority::DEFAULT`].
    ///
    /// The future is dropped as soon as it completes. Any context, also within a poll.
    ///
    /// # Errors
    /// * `NoMemory`: the heap is exhausted; the future was dropped.
    pub fn spawn(
        &'static self,
        future: impl Future<Output = ()> + Send + 'static,
    ) -> Result<TaskHandle, NoMemory> {
        self.spawn_with(|| future)
    }

    /// As [`Executor::spawn`], for a future that `make` gives: made in its place, a large one is not copied there.
    ///
    /// # Errors
    /// * `NoMemory`: the heap is exhausted; `make` was dropped.
    #[inline]
    pub fn spawn_with<F: Future<Output = ()> + Send + 'static>(
        &'static self,
        make: impl FnOnce() -> F,
    ) -> Result<TaskHandle, NoMemory> {
        let (life, handle) = Task::try_new(make, &self.queue)?;
        self.queue.push(life, Place::Woken);
        Ok(handle)
    }

    /// Polls the task whose turn it is.
    #[inline]
    pub fn run_one(&self) -> Turn {
        match self.queue.pop() {
            Some(life) => {
                life.poll();
                Turn::Ran
            }
            None => Turn::Idle,
        }
    }

    /// Whether a task of this rank or a higher one waits for its turn: a hint for a task that asks itself whether to give way.
    #[inline]
    pub fn has_ready_from(&self, rank: Rank) -> bool {
        self.queue.has_ready_from(rank)
    }

    /// Makes the bell tell of tasks of this rank and above: whom the task that runs has to make room for, at once or later.
    #[inline]
    pub fn watch_from(&self, rank: Rank) {
        self.queue.watch(rank.number());
    }

    /// Makes the bell tell of tasks above this rank; among those with a deadline of all, as one may be earlier.
    #[inline]
    pub fn watch_above(&self, rank: Rank) {
        self.queue
            .watch(Rank::DEADLINE.number().min(rank.number() + 1));
    }

    /// Whether a task waits of which the bell would tell.
    #[inline]
    pub fn has_watched(&self) -> bool {
        self.queue.has_watched()
    }

    /// When the task that runs was queued, by the clock.
    #[inline]
    pub fn queued_since(&self) -> i64 {
        self.queue.queued_since()
    }

    /// The task that runs has waited for its turn until now, as far as [`Executor::queued_since`] will tell.
    #[inline]
    pub fn set_queued_since(&self, now: i64) {
        self.queue.set_queued_since(now);
    }

    /// Polls until no task is ready.
    pub fn run_until_idle(&self) {
        while self.run_one() == Turn::Ran {}
    }

    /// Polls for ever, and calls `idle` whenever no task is ready.
    ///
    /// Call with interrupts disabled. `idle` is called with interrupts disabled right after the queue was found empty;
    /// it must wait for an interrupt and enable them in one step (on x86 `sti; hlt; cli`: `sti` takes effect after the
    /// next instruction), let the handlers run, and return with interrupts disabled. An interrupt that arrives after the
    /// queue was checked stays pending until that step and ends the wait, so no wake falls between check and wait.
    pub fn run(&self, idle: impl Fn()) -> ! {
        self.run_with_window(|| (), idle)
    }

    /// As [`Executor::run`], and calls `window` after every poll.
    ///
    /// Tasks that keep one another ready without ever entering user mode would keep interrupts off for ever; `window`
    /// opens them for a moment (on x86 `sti; nop; cli`), so that they are off no longer than one poll takes.
    pub fn run_with_window(&self, window: impl Fn(), idle: impl Fn()) -> ! {
        loop {
            match self.run_one() {
                Turn::Ran => window(),
                Turn::Idle => idle(),
            }
        }
    }
}

impl Default for Executor {
    fn default() -> Self {
        Self::new()
    }
}
