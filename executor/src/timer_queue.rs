//! Timers in order of deadline, first armed first among equals
//!
//! A timer's slot is allocated when it is registered; arming, disarming and expiring allocate nothing and take
//! O(log n), looking at the head O(1). The queue has no lock and no clock: [`crate::Timers`] adds both.
use core::ops::RangeInclusive;

use crate::timer_slots::{Payload, Slots, TimerId, NIL};
use crate::NoMemory;

/// A timer whose deadline has come. It is no longer armed, but still registered.
#[derive(Debug, PartialEq, Eq)]
pub struct Expired<T> {
    /// Which timer.
    pub id: TimerId,
    /// Its deadline, ns.
    pub deadline: i64,
    /// What it was armed with.
    pub payload: T,
}

/// The queue.
pub struct TimerQueue<T> {
    slots: Slots<T>,
    root: u32,
    /// The armed timer with the smallest key, or `NIL`.
    head: u32,
}

/// What came of taking a timer out of the queue.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "the payload must be dropped outside of locks"]
pub enum TakenOut<T> {
    /// It was not armed, or its name was stale.
    NotArmed,
    /// It was, with this.
    Once(T),
    /// It was, with its standing payload.
    Standing,
}

impl<T> TakenOut<T> {
    /// What it was armed with, unless that stands.
    pub fn payload(self) -> Option<T> {
        match self {
            Self::Once(payload) => Some(payload),
            Self::NotArmed | Self::Standing => None,
        }
    }
}

impl<T> TimerQueue<T> {
    /// A queue without timers.
    pub const fn new() -> Self {
        Self {
            slots: Slots::new(),
            root: NIL,
            head: NIL,
        }
    }

    /// Allocates a timer, not armed. It lives until [`TimerQueue::unregister`].
    ///
    /// # Errors
    /// * `NoMemory`: the heap is exhausted.
    pub fn register(&mut self) -> Result<TimerId, NoMemory> {
        self.slots.register()
    }

    /// Disarms and frees a timer; its name is stale from now on. Gives what the timer was armed with, or its standing payload,
    /// to be dropped outside of locks.
    #[must_use = "the payload must be dropped outside of locks"]
    pub fn unregister(&mut self, id: TimerId) -> Option<T> {
        let index = self.slots.index_of(id)?;
        let once = self.take_out(index).payload();
        match self.slots.unregister(index) {
            Payload::Standing(payload) => Some(payload),
            Payload::None | Payload::Once(_) => once,
        }
    }

    /// Gives a timer that is not armed a payload that stands: [`TimerQueue::rearm`] arms it. Gives back what stood before, or, if
    /// the name was stale, `payload`.
    #[must_use = "the payload must be dropped outside of locks"]
    pub fn set_standing(&mut self, id: TimerId, payload: T) -> Option<T> {
        let Some(index) = self.slots.index_of(id) else {
            return Some(payload);
        };
        let slot = self.slots.at_mut(index);
        match core::mem::replace(&mut slot.payload, Payload::Standing(payload)) {
            Payload::Standing(before) | Payload::Once(before) => Some(before),
            Payload::None => None,
        }
    }

    /// Arms a timer for `deadline`, in place of what it was armed for before; a standing payload stands no more. Gives what it
    /// was armed with before, or, if the name was stale, `payload`.
    #[must_use = "the payload must be dropped outside of locks"]
    pub fn arm(&mut self, id: TimerId, deadline: i64, payload: T) -> Option<T> {
        let Some(index) = self.slots.index_of(id) else {
            return Some(payload);
        };
        let once = self.take_out(index).payload();
        let slot = self.slots.at_mut(index);
        let before = core::mem::replace(&mut slot.payload, Payload::Once(payload));
        self.put_in(index, deadline);
        match before {
            Payload::Standing(before) => Some(before),
            Payload::None | Payload::Once(_) => once,
        }
    }

    /// Arms a timer that has a standing payload for `deadline`, in place of what it was armed for before. One without is left
    /// alone.
    #[inline(always)]
    pub fn rearm(&mut self, id: TimerId, deadline: i64) {
        let Some(index) = self.slots.index_of(id) else {
            return;
        };
        let slot = self.slots.at(index);
        if !matches!(slot.payload, Payload::Standing(_)) {
            return;
        }
        if slot.height != 0 {
            self.unlink(index);
        }
        self.put_in(index, deadline);
    }

    /// Disarms a timer. Gives what it was armed with, if it was.
    #[inline(always)]
    pub fn disarm(&mut self, id: TimerId) -> TakenOut<T> {
        match self.slots.index_of(id) {
            Some(index) => self.take_out(index),
            None => TakenOut::NotArmed,
        }
    }

    /// What a timer is armed for, ns.
    pub fn deadline(&self, id: TimerId) -> Option<i64> {
        let slot = self.slots.at(self.slots.index_of(id)?);
        (slot.height != 0).then_some(slot.deadline)
    }

    /// What a timer is armed with; changing it changes nothing in the order.
    pub fn payload_mut(&mut self, id: TimerId) -> Option<&mut T> {
        let index = self.slots.index_of(id)?;
        let slot = self.slots.at_mut(index);
        match &mut slot.payload {
            Payload::Once(payload) | Payload::Standing(payload) if slot.height != 0 => {
                Some(payload)
            }
            _ => None,
        }
    }

    /// The earliest deadline, ns.
    #[inline]
    pub fn head_deadline(&self) -> Option<i64> {
        (self.head != NIL).then(|| self.slots.at(self.head).deadline)
    }

    /// Takes the earliest timer if its deadline is not after `now`. Call until it gives `None`, then look at the head.
    pub fn pop_expired(&mut self, now: i64) -> Option<Expired<T>>
    where
        T: Clone,
    {
        let deadline = self.head_deadline().filter(|deadline| *deadline <= now)?;
        let index = self.head;
        let payload = match self.take_out(index) {
            TakenOut::Once(payload) => payload,
            TakenOut::Standing | TakenOut::NotArmed => match &self.slots.at(index).payload {
                Payload::Standing(payload) | Payload::Once(payload) => payload.clone(),
                Payload::None => return None,
            },
        };
        Some(Expired {
            id: self.slots.id_of(index),
            deadline,
            payload,
        })
    }

    /// The armed deadline in `window` that is nearest to `around`, the earlier of two equally near.
    ///
    /// This is what Zircon's timer slack coalesces with (`facts/objects.md`, "Slack").
    pub fn nearest_in(&self, window: RangeInclusive<i64>, around: i64) -> Option<i64> {
        let (low, high) = window.into_inner();
        if low > high {
            return None;
        }
        let middle = around.clamp(low, high);
        let before = self
            .slots
            .at_or_before(self.root, middle)
            .filter(|deadline| *deadline >= low);
        let after = self
            .slots
            .at_or_after(self.root, middle)
            .filter(|deadline| *deadline <= high);
        match (before, after) {
            (Some(before), Some(after)) if after.abs_diff(middle) < before.abs_diff(middle) => {
                Some(after)
            }
            (Some(before), _) => Some(before),
            (None, after) => after,
        }
    }

    /// Puts a timer that is not armed into the tree.
    #[inline(always)]
    fn put_in(&mut self, index: u32, deadline: i64) {
        self.slots.at_mut(index).deadline = deadline;
        if self.head == NIL || deadline < self.slots.at(self.head).deadline {
            self.head = index;
        }
        self.root = self.slots.insert(self.root, index);
    }

    /// Takes a timer out of the tree if it is armed.
    #[inline(always)]
    fn take_out(&mut self, index: u32) -> TakenOut<T> {
        let slot = self.slots.at_mut(index);
        if slot.height == 0 {
            return TakenOut::NotArmed;
        }
        let taken = if matches!(slot.payload, Payload::Standing(_)) {
            TakenOut::Standing
        } else {
            match core::mem::take(&mut slot.payload) {
                Payload::Once(payload) => TakenOut::Once(payload),
                Payload::Standing(_) | Payload::None => TakenOut::Standing,
            }
        };
        self.unlink(index);
        taken
    }

    /// Takes an armed timer out of the tree.
    #[inline]
    fn unlink(&mut self, index: u32) {
        if index == self.head {
            self.head = self.slots.second(index);
        }
        self.root = self.slots.remove(self.root, index);
    }
}

impl<T> Default for TimerQueue<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::{prop_oneof, proptest, Just, Strategy};

    use super::{TakenOut, TimerQueue};
    use crate::timer_slots::{TimerId, NIL};

    #[test]
    fn timers_expire_by_deadline_and_first_armed_first_among_equals() {
        let mut queue = TimerQueue::new();
        for (deadline, name) in [(30, 'a'), (10, 'b'), (30, 'c'), (10, 'd'), (20, 'e')] {
            let id = queue.register().expect("memory");
            let _ = queue.arm(id, deadline, name);
        }
        let trace: Vec<_> = std::iter::from_fn(|| queue.pop_expired(29))
            .map(|e| (e.deadline, e.payload))
            .collect();
        assert_eq!(trace, [(10, 'b'), (10, 'd'), (20, 'e')]);
        assert_eq!(queue.head_deadline(), Some(30));
    }

    #[test]
    fn arming_and_disarming_move_the_head_and_give_back_what_was_there() {
        let mut queue = TimerQueue::new();
        let [a, b] = [(); 2].map(|()| queue.register().expect("memory"));
        let mut step = |change: &dyn Fn(&mut TimerQueue<char>) -> Option<char>| {
            let removed = change(&mut queue);
            (removed, queue.head_deadline())
        };
        assert_eq!(step(&|queue| queue.arm(a, 50, 'a')), (None, Some(50)));
        assert_eq!(step(&|queue| queue.arm(b, 60, 'b')), (None, Some(50)));
        assert_eq!(step(&|queue| queue.arm(b, 40, 'B')), (Some('b'), Some(40)));
        assert_eq!(step(&|queue| queue.arm(a, 40, 'A')), (Some('a'), Some(40)));
        assert_eq!(
            step(&|queue| queue.disarm(b).payload()),
            (Some('B'), Some(40))
        );
        assert_eq!(step(&|queue| queue.disarm(b).payload()), (None, Some(40)));
        assert_eq!(step(&|queue| queue.unregister(a)), (Some('A'), None));
    }

    #[test]
    fn a_stale_name_does_not_touch_the_slot_s_next_owner() {
        let mut queue = TimerQueue::new();
        let old = queue.register().expect("memory");
        let _ = queue.unregister(old);
        let new = queue.register().expect("memory");
        let _ = queue.arm(new, 5, 'n');
        assert_eq!(queue.arm(old, 1, 'o'), Some('o'));
        assert_eq!(queue.disarm(old), TakenOut::NotArmed);
        assert_eq!((queue.deadline(new), queue.deadline(old)), (Some(5), None));
    }

    #[test]
    fn the_nearest_deadline_in_the_window_is_found_as_zircon_coalesces() {
        let mut queue = TimerQueue::new();
        let ids = [(); 2].map(|()| queue.register().expect("memory"));
        let mut nearest = |armed: [i64; 2], window, around| {
            let _ = queue.arm(ids[0], armed[0], ());
            let _ = queue.arm(ids[1], armed[1], ());
            queue.nearest_in(window, around)
        };
        // CENTER 100 +- 60 as measured on a real Zircon (facts/objects.md).
        assert_eq!(nearest([80, 140], 40..=160, 100), Some(80));
        assert_eq!(nearest([50, 110], 40..=160, 100), Some(110));
        assert_eq!(nearest([90, 110], 40..=160, 100), Some(90));
        assert_eq!(nearest([10, 161], 40..=160, 100), None);
        assert_eq!(nearest([30, 150], 40..=160, 100), Some(150));
        assert_eq!(
            nearest([i64::MIN, i64::MAX], i64::MIN..=i64::MAX, 0),
            Some(i64::MAX)
        );
    }

    #[derive(Clone, Debug)]
    enum Step {
        Register,
        Unregister(usize),
        Arm(usize, i64),
        Rearm(usize, i64),
        Disarm(usize),
        Expire(i64),
        Nearest(i64, i64, i64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            2 => Just(Step::Register),
            1 => (0..64usize).prop_map(Step::Unregister),
            6 => (0..64usize, 0..40i64).prop_map(|(timer, deadline)| Step::Arm(timer, deadline)),
            4 => (0..64usize, 0..40i64).prop_map(|(timer, deadline)| Step::Rearm(timer, deadline)),
            3 => (0..64usize).prop_map(Step::Disarm),
            1 => (0..40i64).prop_map(Step::Expire),
            1 => (0..40i64, 0..40i64, 0..40i64).prop_map(|(low, high, around)| Step::Nearest(low, high, around)),
        ]
    }

    proptest! {
        #[test]
        fn a_timer_queue_behaves_as_a_sorted_list(steps in proptest::collection::vec(step(), 0..400)) {
            let mut queue = TimerQueue::new();
            let mut ids: Vec<TimerId> = Vec::new();
            // (deadline, order of arming, name, payload), sorted.
            let mut model: Vec<(i64, u64, TimerId, u64)> = Vec::new();
            let mut standing: HashMap<TimerId, u64> = HashMap::new();
            for (order, step) in (0u64..).zip(steps) {
                match step {
                    Step::Register => ids.push(queue.register().expect("memory")),
                    Step::Unregister(at) if at < ids.len() => {
                        let id = ids.swap_remove(at);
                        let _ = queue.unregister(id);
                        standing.remove(&id);
                        model.retain(|entry| entry.2 != id);
                    }
                    Step::Arm(at, deadline) if at < ids.len() => {
                        let _ = queue.arm(ids[at], deadline, order);
                        standing.remove(&ids[at]);
                        model.retain(|entry| entry.2 != ids[at]);
                        model.push((deadline, order, ids[at], order));
                        model.sort_by_key(|entry| (entry.0, entry.1));
                    }
                    Step::Rearm(at, deadline) if at < ids.len() => {
                        let id = ids[at];
                        let payload = *standing.entry(id).or_insert_with(|| {
                            let _ = queue.disarm(id);
                            let _ = queue.set_standing(id, order);
                            order
                        });
                        queue.rearm(id, deadline);
                        model.retain(|entry| entry.2 != id);
                        model.push((deadline, order, id, payload));
                        model.sort_by_key(|entry| (entry.0, entry.1));
                    }
                    Step::Disarm(at) if at < ids.len() => {
                        let place = model.iter().position(|entry| entry.2 == ids[at]);
                        let expected = match place.map(|place| model.remove(place).3) {
                            None => TakenOut::NotArmed,
                            Some(_) if standing.contains_key(&ids[at]) => TakenOut::Standing,
                            Some(payload) => TakenOut::Once(payload),
                        };
                        assert_eq!(queue.disarm(ids[at]), expected);
                    }
                    Step::Expire(now) => {
                        while let Some(expired) = queue.pop_expired(now) {
                            let first = model.remove(0);
                            assert_eq!((expired.deadline, expired.id, expired.payload), (first.0, first.2, first.3));
                        }
                        assert!(model.first().is_none_or(|entry| entry.0 > now));
                    }
                    Step::Nearest(low, high, around) => {
                        let middle = if low <= high { around.clamp(low, high) } else { around };
                        let expected = model.iter().map(|entry| entry.0).filter(|d| (low..=high).contains(d));
                        let expected = expected.min_by_key(|d| (d.abs_diff(middle), *d));
                        assert_eq!(queue.nearest_in(low..=high, around), expected);
                    }
                    _ => {}
                }
                assert_eq!(queue.head_deadline(), model.first().map(|entry| entry.0));
                let mut deadlines = Vec::new();
                queue.slots.check(NIL, queue.root, &mut deadlines);
                let expected: Vec<_> = model.iter().map(|entry| entry.0).collect();
                assert_eq!(deadlines, expected);
            }
        }
    }
}
