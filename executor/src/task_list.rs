//! Lists of tasks whose links are in the tasks, one per priority
//!
//! A list owns the lives of its tasks (see [`crate::task`]); so every pointer in it is to a task that is allocated. All
//! links are read and written under the lock of the one queue that a task belongs to: they are atomics only to be plain
//! shared fields, their accesses are relaxed, that is, ordinary moves.
use alloc::sync::Arc;
use core::ptr::{null_mut, NonNull};
use core::sync::atomic::{AtomicPtr, AtomicU8, Ordering::Relaxed};

use crate::priority::Priority;
use crate::task::{Life, Task};

/// A task's place in the run queue.
pub(crate) struct Links {
    next: AtomicPtr<Task>,
    previous: AtomicPtr<Task>,
    priority: AtomicU8,
    /// The level at which it is queued, or `UNLINKED`.
    level: AtomicU8,
}

const UNLINKED: u8 = u8::MAX;

impl Links {
    pub(crate) fn new(priority: Priority) -> Self {
        Self {
            next: AtomicPtr::new(null_mut()),
            previous: AtomicPtr::new(null_mut()),
            priority: AtomicU8::new(priority.level()),
            level: AtomicU8::new(UNLINKED),
        }
    }

    #[inline]
    pub(crate) fn priority(&self) -> Priority {
        Priority::from_level(self.priority.load(Relaxed))
    }

    fn set_priority(&self, priority: Priority) {
        self.priority.store(priority.level(), Relaxed);
    }

    /// The level at which the task is queued now.
    fn queued_at(&self) -> Option<Priority> {
        match self.level.load(Relaxed) {
            UNLINKED => None,
            level => Some(Priority::from_level(level)),
        }
    }
}

/// A list per priority, and a bit per list that is not empty.
pub(crate) struct Levels {
    /// Bit n is set if and only if `lists[n]` is not empty.
    ready: u32,
    lists: [TaskList; Priority::COUNT],
}

impl Levels {
    pub(crate) const EMPTY: Self = Self {
        ready: 0,
        lists: [const { TaskList::EMPTY }; Priority::COUNT],
    };

    #[inline]
    pub(crate) fn push(&mut self, life: Life) {
        let level = life.links.priority();
        self.ready |= bit(level);
        self.lists[usize::from(level.level())].push_back(life, level);
    }

    #[inline]
    pub(crate) fn pop(&mut self) -> Option<Life> {
        let highest = self.ready.checked_ilog2()?;
        let list = &mut self.lists[highest as usize];
        let life = list.pop_front();
        if list.is_empty() {
            self.ready &= !(1 << highest);
        }
        life
    }

    /// Changes a task's priority; if it waits here, it goes to the tail of its new level.
    pub(crate) fn set_priority(&mut self, task: &Arc<Task>, priority: Priority) {
        task.links.set_priority(priority);
        if let Some(level) = task.links.queued_at().filter(|level| *level != priority) {
            let life = self.take_out(task, level);
            self.push(life);
        }
    }

    fn take_out(&mut self, task: &Arc<Task>, level: Priority) -> Life {
        let list = &mut self.lists[usize::from(level.level())];
        let raw = Arc::as_ptr(task).cast_mut();
        // SAFETY: an `Arc`'s pointer is not null.
        let raw = unsafe { NonNull::new_unchecked(raw) };
        // SAFETY: `queued_at` is set by the list that holds the task and by no other (a task has one queue), and its
        // lock is held.
        let life = unsafe { list.unlink(raw) };
        if list.is_empty() {
            self.ready &= !bit(level);
        }
        life
    }
}

#[inline]
fn bit(level: Priority) -> u32 {
    1 << level.level()
}

/// First in, first out.
struct TaskList {
    head: *mut Task,
    tail: *mut Task,
}

// SAFETY: the pointers stand for the lives in the list, and a `Life` is Send.
unsafe impl Send for TaskList {}

impl TaskList {
    const EMPTY: Self = Self {
        head: null_mut(),
        tail: null_mut(),
    };

    #[inline]
    fn is_empty(&self) -> bool {
        self.head.is_null()
    }

    /// Appends a task at `level`, which must be this list's.
    #[inline]
    fn push_back(&mut self, life: Life, level: Priority) {
        life.links.next.store(null_mut(), Relaxed);
        life.links.previous.store(self.tail, Relaxed);
        life.links.level.store(level.level(), Relaxed);
        let task = life.into_raw().as_ptr();
        // SAFETY: the tail is null or in the list, hence alive.
        match unsafe { self.tail.as_ref() } {
            Some(last) => last.links.next.store(task, Relaxed),
            None => self.head = task,
        }
        self.tail = task;
    }

    /// Takes the task that has waited longest.
    #[inline]
    fn pop_front(&mut self) -> Option<Life> {
        let first = NonNull::new(self.head)?;
        // SAFETY: it is this list's first.
        Some(unsafe { self.unlink(first) })
    }

    /// Takes `task` out of the list.
    ///
    /// # Safety
    /// `task` is in this list.
    #[inline]
    unsafe fn unlink(&mut self, task: NonNull<Task>) -> Life {
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
        life.links.level.store(UNLINKED, Relaxed);
        life
    }
}
