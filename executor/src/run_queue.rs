//! The tasks that wait to be polled, behind one lock
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};

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
}

impl RunQueue {
    #[cfg(not(loom))]
    pub(crate) const fn new() -> Self {
        Self {
            levels: Mutex::new(Levels::EMPTY),
            ready: AtomicU64::new(0),
        }
    }

    #[cfg(loom)]
    pub(crate) fn new() -> Self {
        Self {
            levels: Mutex::new(Levels::EMPTY),
            ready: AtomicU64::new(0),
        }
    }

    /// Queues a task where it wishes, or else at `usual`.
    #[inline]
    pub(crate) fn push(&self, life: Life, usual: Place) {
        let mut levels = self.levels.lock();
        levels.push(life, usual);
        self.ready.store(levels.ready(), Ordering::Relaxed);
    }

    /// Takes the task whose turn it is.
    #[inline]
    pub(crate) fn pop(&self) -> Option<Life> {
        let mut levels = self.levels.lock();
        let life = levels.pop()?;
        self.ready.store(levels.ready(), Ordering::Relaxed);
        Some(life)
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
        let mut levels = self.levels.lock();
        levels.set_rank(task, rank, deadline);
        self.ready.store(levels.ready(), Ordering::Relaxed);
    }
}
