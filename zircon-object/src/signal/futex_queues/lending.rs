//! Priority that waiters lend to the owner of their futex, so that nobody between the two keeps it from going on.
//!
//! An owner has at least the priority of everybody who waits for a futex of its, and lends it on to the owner of the futex for
//! which it waits itself. As long as all threads of a process have the default priority nothing of this is done.
//!
//! Here the numbers are kept, under the table's lock; [`Queues::next_changed`] tells which threads have to hear of them.

use super::{Queues, WaiterName, NONE};
use crate::task::Thread;
use alloc::sync::Weak;
use executor::{Priority, Rank};

/// In [`Lending::next_changed`] of a thread that is not in the list.
const UNCHANGED: u32 = NONE - 1;

/// What one thread has to do with lending.
#[derive(Debug)]
pub(super) struct Lending {
    /// Its own rank.
    base: u8,
    /// The highest priority of those who wait for its futexes, once the table is uneven; 0 without any.
    inherited: u8,
    /// How many futexes it owns.
    pub(super) owned: u32,
    next_changed: u32,
}

impl Lending {
    pub(super) const fn new(base: Rank) -> Self {
        Self {
            base: base.number(),
            inherited: 0,
            owned: 0,
            next_changed: UNCHANGED,
        }
    }

    /// What it lends. Who has a deadline lends the highest priority.
    fn lent(&self) -> u8 {
        let highest = Rank::DEADLINE.number() - 1;
        self.base.max(self.inherited).min(highest)
    }

    /// Whether a thread of this rank makes lending necessary.
    fn is_special(base: Rank) -> bool {
        base != Rank::of(Priority::DEFAULT)
    }
}

/// The threads that have to hear of a change, and whether there can be any.
#[derive(Debug)]
pub(super) struct Changes {
    /// Some thread has or had another priority than the default.
    uneven: bool,
    first: u32,
}

impl Changes {
    pub(super) const fn none() -> Self {
        Self {
            uneven: false,
            first: NONE,
        }
    }
}

impl Queues {
    /// A thread's own rank is or has become this.
    pub(in super::super) fn set_base(&mut self, WaiterName(thread): WaiterName, base: Rank) {
        if !self.changes.uneven {
            if !Lending::is_special(base) {
                return;
            }
            self.changes.uneven = true;
            for futex in 0..self.futexes.len() {
                self.press(self.futexes[futex].owner, self.pressure(futex));
            }
        }
        let lending = &mut self.waiters[thread as usize].lending;
        let before = lending.lent();
        lending.base = base.number();
        self.lend_on(thread, before);
    }

    /// A futex went from one owner to another; either may be `NONE`.
    #[inline(always)]
    pub(super) fn owner_changed(&mut self, futex: u32, old: u32, new: u32) {
        if self.changes.uneven {
            self.pass_on(futex, old, new);
        }
    }

    #[cold]
    fn pass_on(&mut self, futex: u32, old: u32, new: u32) {
        if old != new {
            self.count_again(old);
        }
        self.press(new, self.pressure(futex as usize));
    }

    /// Somebody left the line of a futex that this thread owns, if it is any.
    #[inline(always)]
    pub(super) fn relieve(&mut self, owner: u32) {
        if self.changes.uneven {
            self.count_again(owner);
        }
    }

    /// Whether [`Queues::next_changed`] has somebody.
    #[inline(always)]
    pub(in super::super) fn has_changed(&self) -> bool {
        self.changes.first != NONE
    }

    /// A thread that has to hear what it inherits now.
    pub(in super::super) fn next_changed(&mut self) -> Option<(Weak<Thread>, u8)> {
        let waiter = self.waiters.get_mut(self.changes.first as usize)?;
        let lending = &mut waiter.lending;
        self.changes.first = core::mem::replace(&mut lending.next_changed, UNCHANGED);
        Some((waiter.thread.clone(), lending.inherited))
    }

    /// Takes a thread that ends out of the list, and its futexes from it.
    pub(super) fn disown(&mut self, thread: u32) {
        let lending = &self.waiters[thread as usize].lending;
        if lending.next_changed != UNCHANGED {
            self.take_out_of_changed(thread);
        }
        if self.waiters[thread as usize].lending.owned > 0 {
            for futex in &mut self.futexes {
                if futex.owner == thread {
                    futex.owner = NONE;
                }
            }
        }
    }

    fn take_out_of_changed(&mut self, thread: u32) {
        let after = self.waiters[thread as usize].lending.next_changed;
        if self.changes.first == thread {
            self.changes.first = after;
        } else {
            let mut index = self.changes.first;
            while let Some(before) = self.waiters.get_mut(index as usize) {
                if before.lending.next_changed == thread {
                    before.lending.next_changed = after;
                    break;
                }
                index = before.lending.next_changed;
            }
        }
        self.waiters[thread as usize].lending.next_changed = UNCHANGED;
    }

    /// The highest priority in a futex's line.
    fn pressure(&self, futex: usize) -> u8 {
        let (mut highest, mut next) = (0, self.futexes[futex].head);
        while let Some(waiter) = self.waiters.get(next as usize) {
            highest = waiter.lending.lent().max(highest);
            next = waiter.next;
        }
        highest
    }

    /// The highest priority of all who wait for a thread.
    fn pressure_on(&self, thread: u32) -> u8 {
        let owned = (0..self.futexes.len()).filter(|futex| self.futexes[*futex].owner == thread);
        owned.map(|futex| self.pressure(futex)).max().unwrap_or(0)
    }

    /// Lends to a thread, if it is any.
    fn press(&mut self, thread: u32, priority: u8) {
        match self.waiters.get(thread as usize) {
            Some(waiter) if priority > waiter.lending.inherited => {
                let before = self.inherit(thread, priority);
                self.lend_on(thread, before);
            }
            Some(_) | None => {}
        }
    }

    /// Counts anew what a thread inherits, if it is any and inherits something: it may have become less.
    fn count_again(&mut self, thread: u32) {
        match self.waiters.get(thread as usize) {
            Some(waiter) if waiter.lending.inherited > 0 => {
                let before = self.inherit(thread, self.pressure_on(thread));
                self.lend_on(thread, before);
            }
            Some(_) | None => {}
        }
    }

    /// A thread inherits this, and hears of it if that is news. Gives what it lent before.
    fn inherit(&mut self, thread: u32, priority: u8) -> u8 {
        let lending = &mut self.waiters[thread as usize].lending;
        let before = lending.lent();
        if lending.inherited != priority {
            lending.inherited = priority;
            if lending.next_changed == UNCHANGED {
                lending.next_changed = core::mem::replace(&mut self.changes.first, thread);
            }
        }
        before
    }

    /// What a thread lends has changed from `before`, perhaps: so has what those inherit for whom it waits, as far as it matters.
    fn lend_on(&mut self, mut thread: u32, mut before: u8) {
        loop {
            let waiter = &self.waiters[thread as usize];
            let after = waiter.lending.lent();
            let Some(futex) = self.futexes.get(waiter.futex as usize) else {
                return;
            };
            let owner = futex.owner;
            let Some(above) = self.waiters.get(owner as usize) else {
                return;
            };
            let inherited = above.lending.inherited;
            let now = if after > inherited {
                after
            } else if after < before && before == inherited {
                self.pressure_on(owner)
            } else {
                return;
            };
            before = self.inherit(owner, now);
            thread = owner;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    const THREADS: u32 = 8;
    const FUTEXES: usize = 4;

    fn rank(level: u8) -> Rank {
        Rank::from_number(level)
    }

    fn place(queues: &mut Queues, level: u8) -> WaiterName {
        queues.take_place(Weak::new(), rank(level), None).unwrap()
    }

    fn inherited(queues: &Queues, WaiterName(thread): WaiterName) -> u8 {
        queues.waiters[thread as usize].lending.inherited
    }

    #[test]
    fn equals_of_the_default_priority_do_not_count_anything() {
        let mut queues = Queues::new();
        let [owner, waiter] = [16, 16].map(|level| place(&mut queues, level));
        queues.join(waiter, 4).unwrap();
        let futex = queues.find(4).unwrap();
        queues.set_owner(futex, Some(owner));
        assert_eq!(inherited(&queues, owner), 0);
        assert!(!queues.has_changed());
        // One of another priority makes up for that.
        queues.set_base(owner, rank(3));
        assert_eq!(inherited(&queues, owner), 16);
        assert!(queues.has_changed());
    }

    #[test]
    fn each_change_is_told_once_and_a_thread_that_ended_hears_nothing() {
        let mut queues = Queues::new();
        let [low, between, high] = [1, 2, 30].map(|level| place(&mut queues, level));
        for (waiter, address, owner) in [(between, 4, low), (high, 8, between)] {
            queues.join(waiter, address).unwrap();
            let futex = queues.find(address).unwrap();
            queues.set_owner(futex, Some(owner));
        }
        assert_eq!(
            [low, between].map(|name| inherited(&queues, name)),
            [30, 30]
        );
        queues.free_place(low);
        let told: Vec<u8> = core::iter::from_fn(|| queues.next_changed())
            .map(|heir| heir.1)
            .collect();
        assert_eq!(told, [30]);
        assert!(queues.owner(4).is_none());
    }

    #[derive(Clone, Debug)]
    enum Step {
        Join(u32, usize),
        Leave(u32),
        Wake(usize, usize),
        Own(usize, Option<u32>),
        Move(usize, usize),
        Rank(u32, u8),
    }

    fn step() -> impl Strategy<Value = Step> {
        let (thread, futex) = (0..THREADS, 0..FUTEXES);
        prop_oneof![
            4 => (thread.clone(), futex.clone()).prop_map(|(thread, futex)| Step::Join(thread, futex)),
            2 => thread.clone().prop_map(Step::Leave),
            1 => (futex.clone(), 1..3_usize).prop_map(|(futex, count)| Step::Wake(futex, count)),
            4 => (futex.clone(), prop::option::of(thread.clone()))
                .prop_map(|(futex, owner)| Step::Own(futex, owner)),
            1 => (futex.clone(), futex).prop_map(|(from, to)| Step::Move(from, to)),
            2 => (thread, 0..=32_u8).prop_map(|(thread, level)| Step::Rank(thread, level)),
        ]
    }

    const fn address(futex: usize) -> usize {
        (futex + 1) * 4
    }

    /// Who waits has a lower number than the owner, so that nobody waits for itself in a circle.
    fn is_in_order(queues: &Queues, futex: usize, owner: u32) -> bool {
        let mut next = queues.futexes[futex].head;
        while let Some(waiter) = queues.waiters.get(next as usize) {
            if next >= owner {
                return false;
            }
            next = waiter.next;
        }
        true
    }

    proptest! {
        /// Counting step by step gives the same as counting all at the end.
        #[test]
        fn every_thread_inherits_the_highest_priority_of_who_waits_for_it(
            steps in prop::collection::vec(step(), 1..120)
        ) {
            let mut queues = Queues::new();
            let names: Vec<_> = (0..THREADS).map(|_| place(&mut queues, 16)).collect();
            for step in steps {
                match step {
                    Step::Join(thread, futex) => {
                        let owner = queues.find(address(futex)).map(|found| queues.futexes[found.0 as usize].owner);
                        if queues.waiters[thread as usize].futex == NONE && owner.is_none_or(|owner| thread < owner) {
                            queues.join(names[thread as usize], address(futex)).unwrap();
                            let found = queues.find(address(futex)).unwrap();
                            let owner = queues.futexes[found.0 as usize].owner;
                            queues.set_owner(found, (owner != NONE).then_some(WaiterName(owner)));
                        }
                    }
                    Step::Leave(thread) => drop(queues.give_up(names[thread as usize])),
                    Step::Wake(futex, count) => {
                        if let Some(found) = queues.find(address(futex)) {
                            let woken = queues.wake(found, count, u64::MAX);
                            if woken.left == super::super::Left::Some {
                                queues.shortened(found);
                            }
                        }
                    }
                    Step::Own(futex, owner) => {
                        if let Some(found) = queues.find(address(futex)) {
                            if owner.is_none_or(|owner| is_in_order(&queues, found.0 as usize, owner)) {
                                queues.set_owner(found, owner.map(WaiterName));
                            }
                        }
                    }
                    Step::Move(from, to) => {
                        if let (Some(found), true) = (queues.find(address(from)), from != to) {
                            let target = queues.open(address(to)).unwrap();
                            let _ = queues.relocate(found, 2, u64::MAX, target);
                            queues.set_owner(target, None);
                            queues.close_if_unused(address(to));
                        }
                    }
                    Step::Rank(thread, level) => queues.set_base(names[thread as usize], rank(level)),
                }
                // Owners have higher numbers than who waits for them, so one pass upwards counts all.
                let mut right = [0_u8; THREADS as usize];
                for owner in 0..THREADS as usize {
                    for thread in 0..owner {
                        let waiter = &queues.waiters[thread];
                        let waits = waiter.futex != NONE && queues.futexes[waiter.futex as usize].owner as usize == owner;
                        if waits {
                            right[owner] = right[owner].max(waiter.lending.base.max(right[thread]).min(31));
                        }
                    }
                }
                for (thread, waiter) in queues.waiters.iter().enumerate() {
                    let owned = queues.futexes.iter().filter(|futex| futex.owner as usize == thread);
                    prop_assert_eq!(waiter.lending.owned as usize, owned.count());
                    if queues.changes.uneven {
                        prop_assert_eq!(waiter.lending.inherited, right[thread]);
                    }
                }
            }
        }
    }
}
