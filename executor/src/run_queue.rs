//! The tasks that wait to be polled, behind one lock
use alloc::sync::Arc;
use core::sync::atomic::{AtomicI64, AtomicU64, AtomicU8, Ordering};

use crate::levels::{Contention, Levels};
use crate::links::Place;
use crate::priority::Rank;
use crate::sync::Mutex;
use crate::task::{Life, Task};

/// Operations allocate nothing and hold the lock for a few instructions.
pub(crate) struct RunQueue {
    levels: Mutex<Levels>,
    /// Bit n: rank n has a task. Written under the lock, read without it as a hint.
    ready: AtomicU64,
    /// The lowest rank of which the bell tells.
    watched: AtomicU8,
    bell: fn(),
    clock: fn() -> i64,
    /// When the task that runs was queued.
    queued_since: AtomicI64,
}

impl RunQueue {
    #[cfg(not(loom))]
    pub(crate) const fn new(bell: fn(), clock: fn() -> i64) -> Self {
        Self {
            levels: Mutex::new(Levels::EMPTY),
            ready: AtomicU64::new(0),
            watched: AtomicU8::new(0),
            bell,
            clock,
            queued_since: AtomicI64::new(0),
        }
    }

    #[cfg(loom)]
    pub(crate) fn new(bell: fn(), clock: fn() -> i64) -> Self {
        Self {
            levels: Mutex::new(Levels::EMPTY),
            ready: AtomicU64::new(0),
            watched: AtomicU8::new(0),
            bell,
            clock,
            queued_since: AtomicI64::new(0),
        }
    }

    /// Queues a task where it wishes, or else at `usual`.
    #[inline]
    pub(crate) fn push(&self, life: Life, usual: Place) {
        let rank = life.links.rank();
        life.links.set_queued_at((self.clock)());
        {
            let mut levels = self.levels.lock();
            levels.push(life, usual);
            self.ready.store(levels.ready(), Ordering::Relaxed);
        }
        self.ring_for(rank);
    }

    #[inline]
    fn ring_for(&self, rank: Rank) {
        if rank.number() >= self.watched.load(Ordering::Relaxed) {
            (self.bell)();
        }
    }

    /// Makes the bell tell of tasks of this rank and above.
    #[inline]
    pub(crate) fn watch(&self, lowest: u8) {
        self.watched.store(lowest, Ordering::Relaxed);
    }

    /// Whether a task waits of which the bell would tell.
    #[inline]
    pub(crate) fn has_watched(&self) -> bool {
        self.ready.load(Ordering::Relaxed) >> self.watched.load(Ordering::Relaxed) != 0
    }

    /// Takes the task whose turn it is.
    #[inline]
    pub(crate) fn pop(&self) -> Option<Life> {
        let mut levels = self.levels.lock();
        let life = levels.pop()?;
        self.ready.store(levels.ready(), Ordering::Relaxed);
        self.set_queued_since(life.links.queued_at());
        Some(life)
    }

    #[inline]
    pub(crate) fn queued_since(&self) -> i64 {
        self.queued_since.load(Ordering::Relaxed)
    }

    #[inline]
    pub(crate) fn set_queued_since(&self, when: i64) {
        self.queued_since.store(when, Ordering::Relaxed);
    }

    /// Whether a task of this rank or a higher one waits: a hint, because others may add and take tasks.
    #[inline]
    pub(crate) fn has_ready_from(&self, rank: Rank) -> bool {
        self.ready.load(Ordering::Relaxed) >> rank.number() != 0
    }

    /// Who waits beside a task of this queue that runs.
    pub(crate) fn contention(&self, task: &Task) -> Contention {
        self.levels.lock().contention(task)
    }

    /// Changes the rank of a task of this queue, moving it if it waits here.
    pub(crate) fn set_rank(&self, task: &Arc<Task>, rank: Rank, deadline: i64) {
        {
            let mut levels = self.levels.lock();
            levels.set_rank(task, rank, deadline);
            self.ready.store(levels.ready(), Ordering::Relaxed);
        }
        self.ring_for(rank);
    }
}
