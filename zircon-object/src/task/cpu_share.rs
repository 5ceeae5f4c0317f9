//! A thread's share of the CPU: its rank, its slice, and how long it ran.
//!
//! A *slice* is CPU time, not time on the clock: a thread that waits in between keeps what is left of it. Who has used a slice
//! up goes behind its equals, and gets a new one. A thread that has to make room for a higher one before that goes on
//! before its equals.

use super::budget::{Budget, Next};
use super::profile::{DeadlineParams, Scheduling};
use super::{Deadline, Thread};
use crate::runtime::{self, EXECUTOR};
use core::future::pending;
use core::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU8, Ordering::Relaxed};
use executor::{Contention, Place, Priority, Rank, TaskHandle};
use kernel_hal::sync::Mutex;
use kernel_hal::time;

/// What a thread has had of the CPU, and what it is to get.
#[derive(Debug)]
pub(super) struct CpuShare {
    task: Mutex<Option<TaskHandle>>,
    /// Where it stands: its own rank, or a higher one that it inherits.
    rank: AtomicU8,
    base: AtomicU8,
    inherited: AtomicU8,
    budget: Mutex<Option<Budget>>,
    affinity: AtomicU32,
    runtime_ticks: AtomicI64,
    queue_ticks: AtomicI64,
    on_since: AtomicI64,
    on_cpu: AtomicBool,
    slice_ticks: AtomicI64,
}

impl CpuShare {
    pub(super) const fn new() -> Self {
        Self {
            task: Mutex::new(None),
            rank: AtomicU8::new(Rank::of(Priority::DEFAULT).number()),
            base: AtomicU8::new(Rank::of(Priority::DEFAULT).number()),
            inherited: AtomicU8::new(0),
            budget: Mutex::new(None),
            affinity: AtomicU32::new(u32::MAX),
            runtime_ticks: AtomicI64::new(0),
            queue_ticks: AtomicI64::new(0),
            on_since: AtomicI64::new(0),
            on_cpu: AtomicBool::new(false),
            slice_ticks: AtomicI64::new(0),
        }
    }

    /// The clock starts; how long the thread was ready before counts as waiting for the CPU. Others of its rank are looked at when they come, unless an interrupt will end the slice in any case.
    #[inline]
    pub(super) fn enter(&self) {
        let now = time::ticks();
        let waited = now.wrapping_sub(EXECUTOR.queued_since());
        let waits = self.queue_ticks.load(Relaxed);
        self.queue_ticks.store(waits.wrapping_add(waited), Relaxed);
        self.on_since.store(now, Relaxed);
        self.on_cpu.store(true, Relaxed);
        let left = runtime::slice_ticks().wrapping_sub(self.slice_ticks.load(Relaxed));
        if runtime::interrupt_comes_within(now, left) {
            EXECUTOR.watch_above(self.rank());
        } else {
            EXECUTOR.watch_from(self.rank());
        }
    }

    /// The clock stops. Who has used its slice up will wait behind its equals.
    #[inline]
    pub(super) fn leave(&self) {
        if !self.on_cpu.swap(false, Relaxed) {
            return;
        }
        let ran = time::ticks() - self.on_since.load(Relaxed);
        self.runtime_ticks
            .store(self.runtime_ticks.load(Relaxed) + ran, Relaxed);
        let used = self.slice_ticks.load(Relaxed) + ran;
        if used < runtime::slice_ticks() {
            self.slice_ticks.store(used, Relaxed);
        } else {
            self.slice_over();
        }
    }

    #[cold]
    fn slice_over(&self) {
        self.slice_ticks.store(0, Relaxed);
        if let Some(task) = &*self.task.lock() {
            task.place_next(Place::Last);
        }
    }

    fn on_cpu_ticks(&self) -> i64 {
        if self.on_cpu.load(Relaxed) {
            time::ticks() - self.on_since.load(Relaxed)
        } else {
            0
        }
    }

    fn runtime_ns(&self) -> i64 {
        runtime::ns_of_ticks(self.runtime_ticks.load(Relaxed) + self.on_cpu_ticks())
    }

    #[inline]
    fn rank(&self) -> Rank {
        Rank::from_number(self.rank.load(Relaxed))
    }
}

/// What became of a thread that looked at its budget.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "whoever had to wait looks again at all that may have changed"]
pub enum Waited {
    /// It has some left.
    No,
    /// It had to wait for the next period, or was disturbed while it waited.
    Yes,
}

impl Thread {
    /// Remembers the task that runs the thread, by which it is woken and ranked.
    pub fn set_task(&self, task: TaskHandle) {
        let share = self.share();
        // A profile may have come before the start.
        if share.rank() != Rank::of(Priority::DEFAULT) {
            match (share.rank().priority(), &*share.budget.lock()) {
                (Some(priority), _) => task.set_priority(priority),
                (None, Some(budget)) => task.set_deadline(budget.deadline()),
                (None, None) => {}
            }
        }
        *share.task.lock() = Some(task);
    }

    /// The thread's future has ended.
    pub(super) fn forget_task(&self) {
        let task = self.share().task.lock().take();
        drop(task);
    }

    /// Makes its future look at what has changed.
    pub(crate) fn wake(&self) {
        if let Some(task) = &*self.share().task.lock() {
            task.wake();
        }
    }

    /// Where it stands among those that are ready.
    #[inline(always)]
    pub fn rank(&self) -> Rank {
        self.share().rank()
    }

    /// Whether the thread, which runs and saw that somebody waits whom it watches, has to let others run. If it need not yet, an
    /// interrupt comes at the end of its slice, and it watches only who goes before it.
    #[cold]
    pub fn must_give_way(&self) -> bool {
        let share = self.share();
        let Some(task) = share.task.lock().clone() else {
            return false;
        };
        match task.contention() {
            Contention::None => {
                EXECUTOR.watch_from(self.rank());
                false
            }
            Contention::Higher => {
                task.place_next(Place::First);
                true
            }
            Contention::Equals => {
                let used = share.slice_ticks.load(Relaxed) + share.on_cpu_ticks();
                let left = runtime::slice_ticks() - used;
                if left > 0 {
                    runtime::interrupt_at(time::now() + runtime::ns_of_ticks(left));
                    EXECUTOR.watch_above(self.rank());
                }
                left <= 0
            }
        }
    }

    /// The thread gets the CPU: its clock runs, and its address space is the active one. Every way back from a wait comes
    /// through here, because others have run meanwhile.
    pub fn enter_cpu(&self) {
        self.share().enter();
        self.process().space().activate();
        self.process().ports().enter();
    }

    /// The thread leaves the CPU until its next turn.
    pub fn leave_cpu(&self) {
        self.share().leave();
    }

    /// The thread leaves the CPU, and perhaps comes back in the same turn.
    pub fn step_off_cpu(&self) {
        self.share().leave();
        EXECUTOR.set_queued_since(time::ticks());
    }

    /// Lets others run.
    pub async fn yield_now(&self) {
        self.leave_cpu();
        executor::yield_now().await;
        self.enter_cpu();
    }

    /// Waits for its next period if its budget in this one is used up.
    #[cold]
    pub async fn keep_to_budget(&self) -> Waited {
        let next = {
            let mut budget = self.share().budget.lock();
            match &mut *budget {
                Some(budget) => budget.next(time::now(), self.share().runtime_ns()),
                None => return Waited::No,
            }
        };
        match next {
            Next::GoOn { end, deadline } => {
                if let Some(task) = &*self.share().task.lock() {
                    task.set_deadline(deadline);
                }
                runtime::interrupt_at(end);
                Waited::No
            }
            Next::Wait { until } => {
                let why = super::BlockedOn::Nothing;
                // What disturbs it is seen by the thread's loop.
                let _ = self
                    .block(why, Deadline::exact(until), pending::<()>())
                    .await;
                Waited::Yes
            }
        }
    }

    /// Schedules the thread as a profile says.
    pub(super) fn schedule(&self, how: &Scheduling) {
        let share = self.share();
        if let Some(mask) = how.cpu_mask {
            share.affinity.store(mask, Relaxed);
        }
        if let Some(priority) = how.priority {
            *share.budget.lock() = None;
            self.watch_budget(Watch::No);
            share.base.store(priority.level(), Relaxed);
            self.take_rank();
        }
        if let Some(params) = how.deadline {
            let deadline = self.start_budget(params);
            self.watch_budget(Watch::Yes);
            share.base.store(Rank::DEADLINE.number(), Relaxed);
            self.set_rank(Rank::DEADLINE, |task| task.set_deadline(deadline));
        }
        self.process().futexes().base_changed(self);
    }

    /// The rank that it has by itself.
    pub(crate) fn base_rank(&self) -> Rank {
        Rank::from_number(self.share().base.load(Relaxed))
    }

    /// The highest priority of those who wait for it. It has no effect on a thread with a deadline, which goes before all.
    pub(crate) fn inherit(&self, priority: u8) {
        self.share().inherited.store(priority, Relaxed);
        self.take_rank();
    }

    /// Takes the priority that it has or inherits, whichever is higher, unless it has a deadline.
    fn take_rank(&self) {
        let inherited = self.share().inherited.load(Relaxed);
        let highest = self.base_rank().number().max(inherited);
        if let Some(priority) = Rank::from_number(highest).priority() {
            self.set_rank(Rank::of(priority), |task| task.set_priority(priority));
        }
    }

    fn start_budget(&self, params: DeadlineParams) -> i64 {
        let budget = Budget::new(params, time::now(), self.share().runtime_ns());
        let deadline = budget.deadline();
        *self.share().budget.lock() = Some(budget);
        deadline
    }

    fn set_rank(&self, rank: Rank, tell: impl FnOnce(&TaskHandle)) {
        let share = self.share();
        share.rank.store(rank.number(), Relaxed);
        if let Some(task) = &*share.task.lock() {
            tell(task);
        }
        // It may be the one that runs.
        EXECUTOR.watch_from(Rank::LOWEST);
        kernel_hal::context::leave();
    }

    /// The CPUs that it prefers, one bit each.
    pub fn affinity(&self) -> u32 {
        self.share().affinity.load(Relaxed)
    }

    /// Time for which it had a CPU, ns.
    pub fn runtime_ns(&self) -> i64 {
        self.share().runtime_ns()
    }

    /// What it has had of the CPU so far, and how long it has waited for it.
    pub fn runtime(&self) -> Runtime {
        let share = self.share();
        let task = share.task.lock().clone();
        let waits_since = task.and_then(|task| task.queued_since());
        let waited = waits_since.map_or(0, |since| time::ticks().wrapping_sub(since));
        Runtime {
            cpu_ticks: share.runtime_ticks.load(Relaxed) + share.on_cpu_ticks(),
            queue_ticks: share.queue_ticks.load(Relaxed) + waited,
        }
    }
}

/// What a task has had of the CPU.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Runtime {
    cpu_ticks: i64,
    queue_ticks: i64,
}

impl Runtime {
    /// Time on a CPU, ns.
    pub fn cpu_ns(&self) -> i64 {
        runtime::ns_of_ticks(self.cpu_ticks)
    }

    /// Time for which it was ready and others had the CPU, ns.
    pub fn queue_ns(&self) -> i64 {
        runtime::ns_of_ticks(self.queue_ticks)
    }
}

impl core::ops::AddAssign for Runtime {
    fn add_assign(&mut self, more: Self) {
        self.cpu_ticks += more.cpu_ticks;
        self.queue_ticks += more.queue_ticks;
    }
}

/// Whether the thread's loop has to look at its budget.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Watch {
    Yes,
    No,
}
