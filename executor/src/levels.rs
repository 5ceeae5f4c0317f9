//! Whose turn it is: by rank, and within a rank by what the tasks have had
//!
//! Tasks of one priority wait in two lists. One has those that were woken, in order of waking; the other those that have had
//! their time slice, or gave way. The first goes before the second, so that a task that waits for events comes to run after
//! at most the slice that is under way, however many others compute. Those that compute are not forgotten: a task that has
//! used a slice up goes to the second list also when it is woken (who runs it says so, by [`Place`]), and after
//! [`AHEAD_MAX`] turns of the first list the second has one in any case.
//!
//! Tasks with a deadline stand above all priorities, the earliest deadline first. Their list is in that order, which is the
//! one operation here that is not O(1); it grows with the tasks that have a deadline and are ready.
use alloc::sync::Arc;
use core::ptr::NonNull;

use crate::links::Place;
use crate::priority::{Priority, Rank};
use crate::task::{Life, Task};
use crate::task_list::TaskList;

/// Turns that tasks that were woken have in a row while others of their priority wait.
pub(crate) const AHEAD_MAX: u32 = 4096;

/// Who waits beside a task that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contention {
    /// Nobody whose turn could come before it blocks.
    None,
    /// Others of its priority: it may go on until its slice is over.
    Equals,
    /// Somebody who goes before it.
    Higher,
}

/// All lists of a queue, and a bit per rank that has a task.
pub(crate) struct Levels {
    /// Bit n is set if and only if rank n has a task.
    ready: u64,
    priorities: [Level; Priority::COUNT],
    deadlines: TaskList,
}

impl Levels {
    pub(crate) const EMPTY: Self = Self {
        ready: 0,
        priorities: [const { Level::EMPTY }; Priority::COUNT],
        deadlines: TaskList::EMPTY,
    };

    /// Bit n: rank n has a task.
    #[inline]
    pub(crate) fn ready(&self) -> u64 {
        self.ready
    }

    #[inline]
    pub(crate) fn push(&mut self, life: Life, usual: Place) {
        let rank = life.links.rank();
        let place = life.links.take_place(usual);
        self.ready |= bit(rank);
        match self.priorities.get_mut(usize::from(rank.number())) {
            Some(level) => level.push(life, place, rank),
            None => self.deadlines.insert_by_deadline(life, list_of(rank, 0)),
        }
    }

    #[inline]
    pub(crate) fn pop(&mut self) -> Option<Life> {
        let highest = self.ready.checked_ilog2()?;
        let (life, rest) = match self.priorities.get_mut(highest as usize) {
            Some(level) => (level.pop(), level.is_empty()),
            None => (self.deadlines.pop_front(), self.deadlines.is_empty()),
        };
        if rest {
            self.ready &= !(1 << highest);
        }
        life
    }

    /// Changes a task's rank; if it waits here, it goes behind the others of its new rank.
    pub(crate) fn set_rank(&mut self, task: &Arc<Task>, rank: Rank, deadline: i64) {
        let links = &task.links;
        if links.rank() == rank && (rank != Rank::DEADLINE || links.deadline() == deadline) {
            return;
        }
        let queued = links.list().map(|list| self.take_out(task, list));
        links.set_rank(rank);
        links.set_deadline(deadline);
        if let Some(life) = queued {
            self.push(life, Place::Last);
        }
    }

    fn take_out(&mut self, task: &Arc<Task>, list: u8) -> Life {
        let raw = Arc::as_ptr(task).cast_mut();
        // SAFETY: an `Arc`'s pointer is not null.
        let raw = unsafe { NonNull::new_unchecked(raw) };
        let rank = Rank::from_number(list / 2);
        let (holder, other) = match self.priorities.get_mut(usize::from(rank.number())) {
            Some(level) if list.is_multiple_of(2) => (&mut level.woken, Some(&level.ran)),
            Some(level) => (&mut level.ran, Some(&level.woken)),
            None => (&mut self.deadlines, None),
        };
        // SAFETY: the number is set by the list that holds the task and by no other (a task has one queue), and its lock is
        // held.
        let life = unsafe { holder.unlink(raw) };
        if holder.is_empty() && other.is_none_or(TaskList::is_empty) {
            self.ready &= !bit(rank);
        }
        life
    }

    /// Who waits beside this task, which runs.
    pub(crate) fn contention(&self, task: &Task) -> Contention {
        let rank = task.links.rank();
        let above = self.ready >> rank.number();
        if rank == Rank::DEADLINE {
            return match self.deadlines.first_deadline() {
                Some(first) if first < task.links.deadline() => Contention::Higher,
                Some(_) | None => Contention::None,
            };
        }
        match above {
            0 => Contention::None,
            1 => Contention::Equals,
            _ => Contention::Higher,
        }
    }
}

#[inline]
fn bit(rank: Rank) -> u64 {
    1 << rank.number()
}

/// The number of a list: `second` is 1 for that of tasks that have had their slice.
#[inline]
const fn list_of(rank: Rank, second: u8) -> u8 {
    rank.number() * 2 + second
}

const _: () = assert!(Rank::COUNT * 2 < u8::MAX as usize);

/// The tasks of one priority.
struct Level {
    woken: TaskList,
    ran: TaskList,
    /// Turns that `woken` has had in a row while `ran` had tasks.
    ahead: u32,
}

impl Level {
    const EMPTY: Self = Self {
        woken: TaskList::EMPTY,
        ran: TaskList::EMPTY,
        ahead: 0,
    };

    #[inline]
    fn is_empty(&self) -> bool {
        self.woken.is_empty() && self.ran.is_empty()
    }

    #[inline]
    fn push(&mut self, life: Life, place: Place, rank: Rank) {
        match place {
            Place::Woken => self.woken.push_back(life, list_of(rank, 0)),
            Place::Last => self.ran.push_back(life, list_of(rank, 1)),
            Place::First => self.woken.push_front(life, list_of(rank, 0)),
        }
    }

    #[inline]
    fn pop(&mut self) -> Option<Life> {
        if self.ran.is_empty() {
            return self.woken.pop_front();
        }
        if self.woken.is_empty() || self.ahead >= AHEAD_MAX {
            self.ahead = 0;
            return self.ran.pop_front();
        }
        self.ahead += 1;
        self.woken.pop_front()
    }
}
