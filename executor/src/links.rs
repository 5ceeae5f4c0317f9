//! A task's own part of the run queue: its links, its rank, and where it goes when it is queued next
//!
//! All of it is read and written under the lock of the one queue that a task belongs to, but for [`Links::take_place`]'s mark,
//! which the task itself leaves while it runs. They are atomics only to be plain shared fields; their accesses are relaxed,
//! that is, ordinary moves.
use core::ptr::null_mut;
use core::sync::atomic::{AtomicI64, AtomicPtr, AtomicU8, Ordering::Relaxed};

use crate::priority::Rank;
use crate::task::Task;

/// A task's place in the run queue.
pub(crate) struct Links {
    pub(crate) next: AtomicPtr<Task>,
    pub(crate) previous: AtomicPtr<Task>,
    rank: AtomicU8,
    /// The number of the list in which it is queued, or `UNLINKED`.
    list: AtomicU8,
    /// A [`Place`] for the next time only, or `NO_MARK`.
    mark: AtomicU8,
    deadline: AtomicI64,
    queued_at: AtomicI64,
}

const UNLINKED: u8 = u8::MAX;
const NO_MARK: u8 = u8::MAX;

/// Where in its level a task goes when it is queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Place {
    /// Before all that wait: it had to give way before its slice was over.
    First = 0,
    /// Behind those that were woken, before those that have had their slice.
    Woken = 1,
    /// Behind all that wait.
    Last = 2,
}

impl Links {
    pub(crate) fn new(rank: Rank) -> Self {
        Self {
            next: AtomicPtr::new(null_mut()),
            previous: AtomicPtr::new(null_mut()),
            rank: AtomicU8::new(rank.number()),
            list: AtomicU8::new(UNLINKED),
            mark: AtomicU8::new(NO_MARK),
            deadline: AtomicI64::new(0),
            queued_at: AtomicI64::new(0),
        }
    }

    #[inline]
    pub(crate) fn rank(&self) -> Rank {
        Rank::from_number(self.rank.load(Relaxed))
    }

    pub(crate) fn set_rank(&self, rank: Rank) {
        self.rank.store(rank.number(), Relaxed);
    }

    pub(crate) fn deadline(&self) -> i64 {
        self.deadline.load(Relaxed)
    }

    pub(crate) fn set_deadline(&self, deadline: i64) {
        self.deadline.store(deadline, Relaxed);
    }

    /// When it was queued the last time, by the queue's clock.
    #[inline]
    pub(crate) fn queued_at(&self) -> i64 {
        self.queued_at.load(Relaxed)
    }

    #[inline]
    pub(crate) fn set_queued_at(&self, when: i64) {
        self.queued_at.store(when, Relaxed);
    }

    /// The number of the list that holds the task.
    pub(crate) fn list(&self) -> Option<u8> {
        match self.list.load(Relaxed) {
            UNLINKED => None,
            list => Some(list),
        }
    }

    #[inline]
    pub(crate) fn set_list(&self, list: u8) {
        self.list.store(list, Relaxed);
    }

    #[inline]
    pub(crate) fn unlinked(&self) {
        self.list.store(UNLINKED, Relaxed);
    }

    /// Says where the task goes the next time it is queued.
    pub(crate) fn mark(&self, place: Place) {
        self.mark.store(place as u8, Relaxed);
    }

    /// Where it goes now: where it was said, or else to `usual`.
    #[inline]
    pub(crate) fn take_place(&self, usual: Place) -> Place {
        match self.mark.load(Relaxed) {
            NO_MARK => usual,
            marked => {
                self.mark.store(NO_MARK, Relaxed);
                match marked {
                    0 => Place::First,
                    1 => Place::Woken,
                    _ => Place::Last,
                }
            }
        }
    }
}
