//! The tasks that wait to be polled: a FIFO per priority, and a bit per FIFO that is not empty
use alloc::sync::Arc;
use core::sync::atomic::{AtomicUsize, Ordering};

use crate::priority::Priority;
use crate::sync::Mutex;
use crate::task::{Life, Task};
use crate::task_list::Levels;

/// All operations are O(1), allocate nothing, and hold the lock for a few instructions.
pub(crate) struct RunQueue {
    levels: Mutex<Levels>,
    /// Tasks in the lists; written under the lock, read without it as a hint.
    len: AtomicUsize,
}

impl RunQueue {
    #[cfg(not(loom))]
    pub(crate) const fn new() -> Self {
        Self {
            levels: Mutex::new(Levels::EMPTY),
            len: AtomicUsize::new(0),
        }
    }

    #[cfg(loom)]
    pub(crate) fn new() -> Self {
        Self {
            levels: Mutex::new(Levels::EMPTY),
            len: AtomicUsize::new(0),
        }
    }

    /// Appends a task to the list of its priority.
    #[inline]
    pub(crate) fn push(&self, life: Life) {
        let mut levels = self.levels.lock();
        levels.push(life);
        self.len
            .store(self.len.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// Takes the task of highest priority that has waited longest.
    #[inline]
    pub(crate) fn pop(&self) -> Option<Life> {
        let mut levels = self.levels.lock();
        let life = levels.pop()?;
        self.len
            .store(self.len.load(Ordering::Relaxed) - 1, Ordering::Relaxed);
        Some(life)
    }

    /// Whether a task waits to be polled: a hint, because others may add and take tasks.
    #[inline]
    pub(crate) fn has_ready(&self) -> bool {
        self.len.load(Ordering::Relaxed) != 0
    }

    /// Changes the priority of a task of this queue, moving it if it waits here.
    pub(crate) fn set_priority(&self, task: &Arc<Task>, priority: Priority) {
        self.levels.lock().set_priority(task, priority);
    }
}
