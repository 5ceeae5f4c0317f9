//! The life of a task as one atomic byte, and why no wake is lost
//!
//! ```text
//!                       wake: the waker queues it
//!             +-------------------------------------------+
//!             |                                           v
//!         +------+                                    +--------+  spawn
//!         | IDLE |                                    | QUEUED | <------
//!         +------+                                    +--------+
//!             ^                                        |      ^
//!             | end_poll                    start_poll |      | end_poll: the executor
//!             | (pending, not woken)                   v      | queues it again
//!             |         +---------+   wake   +-----------------+
//!             +---------| RUNNING |--------->| RUNNING + WOKEN |
//!                       +---------+          +-----------------+
//!                            |   complete            | complete
//!                            v                       v
//!                       +---------------------------------+
//!                       |              DONE               |  wake: nothing
//!                       +---------------------------------+
//! ```
//! (`start_poll` leads from QUEUED to RUNNING. A wake of a task that is QUEUED or already RUNNING + WOKEN changes
//! nothing.)
//!
//! * *One poll at a time*: only `start_poll` enters RUNNING, only the one who took the task from the queue may call it,
//!   and a task is put into the queue only by whoever made the change to QUEUED.
//! * *No lost wake*: every arrow is a read-modify-write with acquire and release, also a wake that changes nothing. So
//!   the operations on one task have one order, and whatever a waker wrote before its wake is seen either by the poll
//!   that is to start (the wake came before `start_poll`) or by the next one (it came after, and left WOKEN behind).
use crate::sync::{AtomicU8, Ordering};

/// Set by a wake. Alone: QUEUED.
const WOKEN: u8 = 1;
/// A poll is under way.
const RUNNING: u8 = 2;
/// The future has completed and is gone.
const DONE: u8 = 4;

const IDLE: u8 = 0;
const QUEUED: u8 = WOKEN;

/// What the caller of `wake` has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AfterWake {
    /// It made the task QUEUED: put it into the run queue.
    Queue,
    /// The task is queued already, or will be by the one that polls it, or is done.
    Nothing,
}

/// What the executor has to do with a task whose poll ended without a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AfterPoll {
    /// It is IDLE: leave it; a waker may already have it.
    Leave,
    /// It was woken during the poll and is now QUEUED: put it into the run queue.
    Queue,
}

/// The state of one task.
pub(crate) struct TaskState(AtomicU8);

impl TaskState {
    /// A new task: QUEUED.
    pub(crate) fn queued() -> Self {
        Self(AtomicU8::new(QUEUED))
    }

    /// IDLE to QUEUED, or RUNNING to RUNNING + WOKEN.
    #[inline]
    pub(crate) fn wake(&self) -> AfterWake {
        match self.0.fetch_or(WOKEN, Ordering::AcqRel) {
            IDLE => AfterWake::Queue,
            _ => AfterWake::Nothing,
        }
    }

    /// QUEUED to RUNNING.
    #[inline]
    pub(crate) fn start_poll(&self) {
        let before = self.0.swap(RUNNING, Ordering::AcqRel);
        debug_assert_eq!(before, QUEUED, "a task was polled that was not queued");
    }

    /// RUNNING to IDLE, or RUNNING + WOKEN to QUEUED. After `Leave` the task may be gone at once.
    #[inline]
    pub(crate) fn end_poll(&self) -> AfterPoll {
        // RUNNING is set, so subtracting clears it, and x86 has one instruction for that.
        match self.0.fetch_sub(RUNNING, Ordering::AcqRel) & WOKEN {
            0 => AfterPoll::Leave,
            _ => AfterPoll::Queue,
        }
    }

    /// RUNNING or RUNNING + WOKEN to DONE.
    pub(crate) fn complete(&self) {
        let before = self.0.swap(DONE, Ordering::AcqRel);
        debug_assert_ne!(before & RUNNING, 0, "a task completed that did not run");
    }

    /// Whether the future has completed and was dropped.
    pub(crate) fn is_done(&self) -> bool {
        self.0.load(Ordering::Acquire) & DONE != 0
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::{AfterPoll, AfterWake, TaskState};

    #[test]
    fn a_wake_of_an_idle_task_queues_it_once() {
        let state = TaskState::queued();
        state.start_poll();
        assert_eq!(state.end_poll(), AfterPoll::Leave);
        assert_eq!(
            [state.wake(), state.wake()],
            [AfterWake::Queue, AfterWake::Nothing]
        );
    }

    #[test]
    fn a_wake_during_the_poll_queues_at_its_end() {
        let state = TaskState::queued();
        state.start_poll();
        assert_eq!(
            [state.wake(), state.wake()],
            [AfterWake::Nothing, AfterWake::Nothing]
        );
        assert_eq!(state.end_poll(), AfterPoll::Queue);
        state.start_poll();
        assert_eq!(state.end_poll(), AfterPoll::Leave);
    }

    #[test]
    fn a_wake_after_completion_is_harmless() {
        let state = TaskState::queued();
        state.start_poll();
        state.wake();
        state.complete();
        assert!(state.is_done());
        assert_eq!(state.wake(), AfterWake::Nothing);
        assert!(state.is_done());
    }
}
