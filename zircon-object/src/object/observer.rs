//! Observers: who is told when an object's signals change, and the list that keeps them.
//!
//! The list is a slab with links inside: O(1) to add, O(1) to remove by token, no allocation once it has grown. Blocked
//! threads are kept in the order in which they came; asynchronous waits of ports stand before them, the latest first, which
//! is the order in which Zircon queues their packets (`facts/objects.md`, 5.11).

use super::HandleKey;
use crate::alloc_try::TryPush;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::task::Waker;
use zx_abi::{Signals, ZxResult};

/// Someone who is told of signal changes. Called with the object's observer list locked: it may lock what nests below
/// (a port, a waiter), and hands wakers out instead of calling them.
pub trait Observer: Send + Sync {
    /// The signals went from `old` to `new`. `item` is the number given at registration.
    fn notify(&self, item: usize, old: Signals, new: Signals, wakes: &mut Wakes) -> Verdict;
    /// The handle through which it was registered is gone; it has been removed from the list.
    fn cancel(&self, item: usize, signals: Signals, wakes: &mut Wakes);
}

/// What becomes of an observer after it was told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// It stays.
    Keep,
    /// It has seen what it waited for and leaves the list.
    Remove,
}

/// Where a new observer goes in the order of notification.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// Before all others: asynchronous waits.
    First,
    /// After all others: blocked threads.
    Last,
}

/// Wakers to be called once no lock is held.
#[derive(Debug, Default)]
#[must_use = "threads stay asleep unless `wake` is called after the locks are released"]
pub struct Wakes(Sleepers);

/// Nearly always nobody; one word says so.
#[derive(Debug, Default)]
enum Sleepers {
    #[default]
    None,
    One(Waker),
    Many(Vec<Waker>),
}

impl Wakes {
    /// Nobody to wake.
    #[inline(always)]
    pub const fn none() -> Self {
        Self(Sleepers::None)
    }
    /// Remembers one more. Without memory for the list it is woken at once.
    #[inline(always)]
    pub fn push(&mut self, waker: Waker) {
        match self.0 {
            Sleepers::None => self.0 = Sleepers::One(waker),
            Sleepers::One(_) | Sleepers::Many(_) => self.push_another(waker),
        }
    }
    #[cold]
    fn push_another(&mut self, waker: Waker) {
        self.0 = match core::mem::take(&mut self.0) {
            Sleepers::None => Sleepers::One(waker),
            Sleepers::One(first) => {
                let mut wakers = Vec::new();
                if wakers.try_reserve(2).is_ok() {
                    wakers.extend([first, waker]);
                    Sleepers::Many(wakers)
                } else {
                    waker.wake();
                    Sleepers::One(first)
                }
            }
            Sleepers::Many(mut wakers) => {
                if wakers.try_reserve(1).is_ok() {
                    wakers.push(waker);
                } else {
                    waker.wake();
                }
                Sleepers::Many(wakers)
            }
        };
    }
    /// Takes over what another list collected.
    #[inline(always)]
    pub fn append(&mut self, other: Self) {
        match (&self.0, &other.0) {
            (_, Sleepers::None) => {}
            (Sleepers::None, _) => *self = other,
            _ => self.append_some(other),
        }
    }
    #[cold]
    fn append_some(&mut self, other: Self) {
        match other.0 {
            Sleepers::None => {}
            Sleepers::One(waker) => self.push(waker),
            Sleepers::Many(wakers) => wakers.into_iter().for_each(|waker| self.push(waker)),
        }
    }
    /// Calls them all, in order. Call with no lock held.
    #[inline(always)]
    pub fn wake(self) {
        if !matches!(self.0, Sleepers::None) {
            self.wake_some();
        }
    }
    #[inline(never)]
    fn wake_some(self) {
        match self.0 {
            Sleepers::None => {}
            Sleepers::One(waker) => waker.wake(),
            Sleepers::Many(wakers) => wakers.into_iter().for_each(Waker::wake),
        }
    }
}

/// Finds an observer in its list again; stale tokens find nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ObserverToken {
    slot: u32,
    generation: u32,
}

/// The observers of one object.
#[derive(Default)]
pub struct ObserverList {
    slots: Vec<Slot>,
    free: Option<u32>,
    head: Option<u32>,
    tail: Option<u32>,
}

struct Slot {
    generation: u32,
    prev: Option<u32>,
    next: Option<u32>,
    entry: Option<Entry>,
}

struct Entry {
    observer: Arc<dyn Observer>,
    item: usize,
    handle: HandleKey,
}

impl ObserverList {
    /// An empty list.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: None,
            head: None,
            tail: None,
        }
    }
    /// Whether nobody observes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.head.is_none()
    }
    /// Adds an observer that came through `handle`.
    ///
    /// # Errors
    /// - `NoMemory`: the list cannot grow.
    pub fn add(
        &mut self,
        observer: Arc<dyn Observer>,
        item: usize,
        handle: HandleKey,
        place: Place,
    ) -> ZxResult<ObserverToken> {
        let entry = Some(Entry {
            observer,
            item,
            handle,
        });
        let slot = match self.free {
            Some(slot) => slot,
            None => {
                let slot =
                    u32::try_from(self.slots.len()).map_err(|_| zx_abi::ZxError::NoMemory)?;
                self.slots.try_push(Slot {
                    generation: 0,
                    prev: None,
                    next: None,
                    entry: None,
                })?;
                self.free = Some(slot);
                slot
            }
        };
        let (prev, next) = match place {
            Place::First => (None, self.head),
            Place::Last => (self.tail, None),
        };
        let this = &mut self.slots[slot as usize];
        self.free = this.next;
        (this.entry, this.prev, this.next) = (entry, prev, next);
        let generation = this.generation;
        *self.link_after(prev) = Some(slot);
        *self.link_before(next) = Some(slot);
        Ok(ObserverToken { slot, generation })
    }
    /// Removes an observer; `false` when it had left already.
    pub fn remove(&mut self, token: ObserverToken) -> bool {
        let found = self
            .slots
            .get(token.slot as usize)
            .is_some_and(|slot| slot.generation == token.generation && slot.entry.is_some());
        if found {
            self.take(token.slot);
        }
        found
    }
    /// Tells everyone of a change; those who are satisfied leave.
    pub fn notify(&mut self, old: Signals, new: Signals, wakes: &mut Wakes) {
        let mut cursor = self.head;
        while let Some(slot) = cursor {
            let this = &self.slots[slot as usize];
            cursor = this.next;
            let verdict = this
                .entry
                .as_ref()
                .map(|entry| entry.observer.notify(entry.item, old, new, wakes));
            if verdict == Some(Verdict::Remove) {
                self.take(slot);
            }
        }
    }
    /// Removes and cancels everyone who came through `handle`.
    pub fn cancel_handle(&mut self, handle: HandleKey, signals: Signals, wakes: &mut Wakes) {
        let mut cursor = self.head;
        while let Some(slot) = cursor {
            let this = &self.slots[slot as usize];
            cursor = this.next;
            if this
                .entry
                .as_ref()
                .is_some_and(|entry| entry.handle == handle)
            {
                if let Some(entry) = self.take(slot) {
                    entry.observer.cancel(entry.item, signals, wakes);
                }
            }
        }
    }
    /// Removes everyone for whom `matches` says so; returns how many.
    pub fn remove_where(
        &mut self,
        mut matches: impl FnMut(&Arc<dyn Observer>, usize, HandleKey) -> bool,
    ) -> usize {
        let (mut cursor, mut removed) = (self.head, 0);
        while let Some(slot) = cursor {
            let this = &self.slots[slot as usize];
            cursor = this.next;
            if this
                .entry
                .as_ref()
                .is_some_and(|entry| matches(&entry.observer, entry.item, entry.handle))
            {
                self.take(slot);
                removed += 1;
            }
        }
        removed
    }

    fn take(&mut self, slot: u32) -> Option<Entry> {
        let this = &mut self.slots[slot as usize];
        let entry = this.entry.take();
        let (prev, next) = (this.prev.take(), this.next.take());
        this.generation = this.generation.wrapping_add(1);
        this.next = self.free;
        self.free = Some(slot);
        *self.link_after(prev) = next;
        *self.link_before(next) = prev;
        entry
    }
    fn link_after(&mut self, slot: Option<u32>) -> &mut Option<u32> {
        match slot {
            Some(slot) => &mut self.slots[slot as usize].next,
            None => &mut self.head,
        }
    }
    fn link_before(&mut self, slot: Option<u32>) -> &mut Option<u32> {
        match slot {
            Some(slot) => &mut self.slots[slot as usize].prev,
            None => &mut self.tail,
        }
    }
}

impl core::fmt::Debug for ObserverList {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "ObserverList({} slots)", self.slots.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Handle;
    use crate::signal::event::Event;
    use alloc::format;
    use proptest::prelude::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::Mutex;
    use std::task::Wake;
    use std::vec;

    /// What observers were told: item, signals, and whether it was a cancellation.
    type Log = Arc<Mutex<Vec<(usize, Signals, bool)>>>;

    struct Recorder {
        log: Log,
        verdict: Verdict,
    }

    impl Observer for Recorder {
        fn notify(&self, item: usize, _old: Signals, new: Signals, _wakes: &mut Wakes) -> Verdict {
            self.log.lock().unwrap().push((item, new, false));
            self.verdict
        }
        fn cancel(&self, item: usize, signals: Signals, _wakes: &mut Wakes) {
            self.log.lock().unwrap().push((item, signals, true));
        }
    }

    fn handle_key() -> HandleKey {
        Handle::new(Event::create().unwrap()).unwrap().key()
    }

    fn recorder(log: &Log, verdict: Verdict) -> Arc<dyn Observer> {
        Arc::new(Recorder {
            log: log.clone(),
            verdict,
        })
    }

    fn told(list: &mut ObserverList, log: &Log) -> Vec<usize> {
        list.notify(Signals::empty(), Signals::USER_0, &mut Wakes::none());
        std::mem::take(&mut *log.lock().unwrap())
            .into_iter()
            .map(|(item, ..)| item)
            .collect()
    }

    #[test]
    fn the_latest_first_comes_before_the_others_and_last_ones_follow_in_order() {
        let (mut list, log, key) = (ObserverList::new(), Log::default(), handle_key());
        let places = [Place::Last, Place::First, Place::Last, Place::First];
        for (item, place) in places.into_iter().enumerate() {
            list.add(recorder(&log, Verdict::Keep), item, key, place)
                .unwrap();
        }
        assert_eq!(told(&mut list, &log), [3, 1, 0, 2]);
    }

    #[test]
    fn those_who_are_satisfied_leave_while_the_others_are_told() {
        let (mut list, log, key) = (ObserverList::new(), Log::default(), handle_key());
        for (item, verdict) in [Verdict::Remove, Verdict::Keep, Verdict::Remove]
            .into_iter()
            .enumerate()
        {
            list.add(recorder(&log, verdict), item, key, Place::Last)
                .unwrap();
        }
        assert_eq!(told(&mut list, &log), [0, 1, 2]);
        assert_eq!(told(&mut list, &log), [1]);
    }

    #[test]
    fn a_stale_token_does_not_find_the_next_user_of_its_slot() {
        let (mut list, log, key) = (ObserverList::new(), Log::default(), handle_key());
        let first = list
            .add(recorder(&log, Verdict::Keep), 0, key, Place::Last)
            .unwrap();
        assert!(list.remove(first));
        assert!(!list.remove(first));
        let second = list
            .add(recorder(&log, Verdict::Keep), 1, key, Place::Last)
            .unwrap();
        assert_eq!(first.slot, second.slot);
        assert!(!list.remove(first));
        assert_eq!(told(&mut list, &log), [1]);
    }

    #[test]
    fn slots_are_used_again_instead_of_growing_the_list() {
        let (mut list, log, key) = (ObserverList::new(), Log::default(), handle_key());
        for item in 0..1000 {
            let token = list
                .add(recorder(&log, Verdict::Keep), item, key, Place::First)
                .unwrap();
            list.remove(token);
        }
        assert_eq!(format!("{list:?}"), "ObserverList(1 slots)");
        assert!(list.is_empty());
    }

    #[test]
    fn cancelling_a_handle_removes_and_tells_only_those_who_came_through_it() {
        let (mut list, log, key, other) = (
            ObserverList::new(),
            Log::default(),
            handle_key(),
            handle_key(),
        );
        for (item, key) in [key, other, key].into_iter().enumerate() {
            list.add(recorder(&log, Verdict::Keep), item, key, Place::Last)
                .unwrap();
        }
        list.cancel_handle(key, Signals::HANDLE_CLOSED, &mut Wakes::none());
        let cancelled = std::mem::take(&mut *log.lock().unwrap());
        assert_eq!(
            cancelled,
            [
                (0, Signals::HANDLE_CLOSED, true),
                (2, Signals::HANDLE_CLOSED, true)
            ]
        );
        assert_eq!(told(&mut list, &log), [1]);
    }

    #[test]
    fn removing_by_a_condition_counts_and_tells_nobody() {
        let (mut list, log, key, other) = (
            ObserverList::new(),
            Log::default(),
            handle_key(),
            handle_key(),
        );
        for (item, key) in [key, other, key].into_iter().enumerate() {
            list.add(recorder(&log, Verdict::Keep), item, key, Place::Last)
                .unwrap();
        }
        assert_eq!(list.remove_where(|_, _, handle| handle == key), 2);
        assert_eq!(list.remove_where(|_, _, handle| handle == key), 0);
        assert_eq!(told(&mut list, &log), [1]);
    }

    #[test]
    fn a_removed_observer_is_dropped_at_once() {
        let (mut list, log, key) = (ObserverList::new(), Log::default(), handle_key());
        let observer = recorder(&log, Verdict::Keep);
        let token = list.add(observer.clone(), 0, key, Place::Last).unwrap();
        list.remove(token);
        assert_eq!(Arc::strong_count(&observer), 1);
    }

    #[test]
    fn wakers_are_called_in_the_order_in_which_they_were_collected() {
        struct Named(usize, Arc<Mutex<Vec<usize>>>);
        impl Wake for Named {
            fn wake(self: Arc<Self>) {
                self.1.lock().unwrap().push(self.0);
            }
        }
        let woken = Arc::new(Mutex::new(vec![]));
        let waker = |name| Waker::from(Arc::new(Named(name, woken.clone())));
        let (mut wakes, mut more) = (Wakes::none(), Wakes::none());
        wakes.push(waker(1));
        wakes.push(waker(2));
        more.push(waker(3));
        more.push(waker(4));
        wakes.append(more);
        assert!(woken.lock().unwrap().is_empty());
        wakes.wake();
        assert_eq!(*woken.lock().unwrap(), [1, 2, 3, 4]);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Add(bool),
        Remove(usize),
        RemoveStale(usize),
        Tell,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => any::<bool>().prop_map(Step::Add),
            3 => any::<usize>().prop_map(Step::Remove),
            1 => any::<usize>().prop_map(Step::RemoveStale),
            1 => Just(Step::Tell),
        ]
    }

    proptest! {
        /// The list of links says the same as a vector that is searched and shifted.
        #[test]
        fn links_agree_with_a_vector(steps in prop::collection::vec(step(), 1..80)) {
            static NEXT: AtomicUsize = AtomicUsize::new(0);
            let (mut list, log, key) = (ObserverList::new(), Log::default(), handle_key());
            let (mut model, mut stale) = (Vec::new(), Vec::new());
            for step in steps {
                match step {
                    Step::Add(first) => {
                        let item = NEXT.fetch_add(1, Ordering::Relaxed);
                        let place = if first { Place::First } else { Place::Last };
                        let token = list.add(recorder(&log, Verdict::Keep), item, key, place).unwrap();
                        model.insert(if first { 0 } else { model.len() }, (item, token));
                    }
                    Step::Remove(at) if !model.is_empty() => {
                        let (_, token) = model.remove(at % model.len());
                        prop_assert!(list.remove(token));
                        stale.push(token);
                    }
                    Step::RemoveStale(at) if !stale.is_empty() => prop_assert!(!list.remove(stale[at % stale.len()])),
                    _ => {
                        let expected: Vec<_> = model.iter().map(|(item, _)| *item).collect();
                        prop_assert_eq!(told(&mut list, &log), expected);
                    }
                }
                prop_assert_eq!(list.is_empty(), model.is_empty());
            }
        }
    }
}
