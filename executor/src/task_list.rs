//! Lists of tasks whose links are in the tasks
//!
//! A list owns the lives of its tasks (see [`crate::task`]); so every pointer in it is to a task that is allocated.
use core::ptr::{null_mut, NonNull};
use core::sync::atomic::Ordering::Relaxed;

use crate::task::{Life, Task};

/// A list of tasks. Each list of a queue has a number, by which a task knows in which one it is.
pub(crate) struct TaskList {
    head: *mut Task,
    tail: *mut Task,
}

// SAFETY: the pointers stand for the lives in the list, and a `Life` is Send.
unsafe impl Send for TaskList {}

impl TaskList {
    pub(crate) const EMPTY: Self = Self {
        head: null_mut(),
        tail: null_mut(),
    };

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.head.is_null()
    }

    /// Appends a task to this list, which is number `list`.
    #[inline]
    pub(crate) fn push_back(&mut self, life: Life, list: u8) {
        self.insert_before(null_mut(), life, list);
    }

    /// Puts a task before all others of this list, which is number `list`.
    pub(crate) fn push_front(&mut self, life: Life, list: u8) {
        self.insert_before(self.head, life, list);
    }

    /// Puts a task behind all others of this list whose deadline is not later, looking from the back.
    pub(crate) fn insert_by_deadline(&mut self, life: Life, list: u8) {
        let deadline = life.links.deadline();
        let (mut next, mut at) = (null_mut(), self.tail);
        // SAFETY: null or in the list, hence alive.
        while let Some(task) = unsafe { at.as_ref() } {
            if task.links.deadline() <= deadline {
                break;
            }
            next = at;
            at = task.links.previous.load(Relaxed);
        }
        self.insert_before(next, life, list);
    }

    /// `next` is in this list, or null for the end.
    #[inline]
    fn insert_before(&mut self, next: *mut Task, life: Life, list: u8) {
        // SAFETY: null or in the list, hence alive.
        let after = unsafe { next.as_ref() };
        let previous = after.map_or(self.tail, |after| after.links.previous.load(Relaxed));
        life.links.next.store(next, Relaxed);
        life.links.previous.store(previous, Relaxed);
        life.links.set_list(list);
        let task = life.into_raw().as_ptr();
        match after {
            Some(after) => after.links.previous.store(task, Relaxed),
            None => self.tail = task,
        }
        // SAFETY: null or in the list, hence alive.
        match unsafe { previous.as_ref() } {
            Some(before) => before.links.next.store(task, Relaxed),
            None => self.head = task,
        }
    }

    /// The deadline of the first task.
    pub(crate) fn first_deadline(&self) -> Option<i64> {
        // SAFETY: null or in the list, hence alive.
        unsafe { self.head.as_ref() }.map(|task| task.links.deadline())
    }

    /// Takes the first task.
    #[inline]
    pub(crate) fn pop_front(&mut self) -> Option<Life> {
        let first = NonNull::new(self.head)?;
        // SAFETY: it is this list's first.
        Some(unsafe { self.unlink(first) })
    }

    /// Takes `task` out of the list.
    ///
    /// # Safety
    /// `task` is in this list.
    #[inline]
    pub(crate) unsafe fn unlink(&mut self, task: NonNull<Task>) -> Life {
        // SAFETY: the list held the life, and after the lines below holds it no more. The list's own pointers came from
        // `Life::into_raw`, and the caller's is to the same task.
        let life = unsafe { Life::take_up(task) };
        let next = life.links.next.load(Relaxed);
        let previous = life.links.previous.load(Relaxed);
        // SAFETY: null or in the list, hence alive.
        match unsafe { next.as_ref() } {
            Some(after) => after.links.previous.store(previous, Relaxed),
            None => self.tail = previous,
        }
        // SAFETY: null or in the list, hence alive.
        match unsafe { previous.as_ref() } {
            Some(before) => before.links.next.store(next, Relaxed),
            None => self.head = next,
        }
        life.links.unlinked();
        life
    }
}
