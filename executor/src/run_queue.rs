//! The tasks that wait to be polled: a FIFO per priority, and a bit per FIFO that is not empty
use alloc::sync::Arc;

use crate::priority::Priority;
use crate::sync::Mutex;
use crate::task::{Life, Task};
use crate::task_list::Levels;

/// All operations are O(1), allocate nothing, and hold the lock for a few instructions.
pub(crate) struct RunQueue {
    levels: Mutex<Levels>,
}

impl RunQueue {
    #[cfg(not(loom))]
    pub(crate) const fn new() -> Self {
        Self {
            levels: Mutex::new(Levels::EMPTY),
        }
    }

    #[cfg(loom)]
    pub(crate) fn new() -> Self {
        Self {
            levels: Mutex::new(Levels::EMPTY),
        }
    }

    /// Appends a task to the list of its priority.
    #[inline]
    pub(crate) fn push(&self, life: Life) {
        self.levels.lock().push(life);
    }

    /// Takes the task of highest priority that has waited longest.
    #[inline]
    pub(crate) fn pop(&self) -> Option<Life> {
        self.levels.lock().pop()
    }

    /// Changes the priority of a task of this queue, moving it if it waits here.
    pub(crate) fn set_priority(&self, task: &Arc<Task>, priority: Priority) {
        self.levels.lock().set_priority(task, priority);
    }
}
