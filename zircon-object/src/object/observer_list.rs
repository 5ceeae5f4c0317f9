//! The observers of one object, in the order in which they are told.
//!
//! The list is a slab with links inside: O(1) to add, O(1) to remove by token, no allocation once it has grown. While observers
//! are few, each is looked at when signals change or a handle goes. A large list also keeps [rosters](super::roster): of who came
//! through which handle, so that a handle that goes finds its own, and of who waits for which signals, so that a change finds
//! those that it concerns. Waits for more different sets of signals than [`KINDS_MAX`] are looked at one by one all the same.

use super::observer::{Attention, Observer, Verdict, Wakes};
use super::roster::{At, Roster, RosterKey, ROSTER_FROM};
use super::HandleKey;
use crate::alloc_try::{try_box, TryPush};
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use zx_abi::{Signals, ZxError, ZxResult};

/// Kinds of attention among which a change of signals chooses.
const KINDS_MAX: usize = 32;
/// No slot.
const NONE: u32 = u32::MAX;

/// Finds an observer in its list again; stale tokens find nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ObserverToken {
    slot: u32,
    generation: u32,
}

/// The observers of one object.
pub struct ObserverList {
    slots: Vec<Slot>,
    free: u32,
    head: u32,
    tail: u32,
    /// Only of a list that has grown large.
    rosters: Option<Box<Rosters>>,
}

#[derive(Default)]
struct Rosters {
    handles: Roster<HandleKey>,
    kinds: Roster<Attention>,
}

struct Slot {
    generation: u32,
    prev: u32,
    next: u32,
    entry: Option<Entry>,
}

struct Entry {
    observer: Arc<dyn Observer>,
    item: usize,
    handle: HandleKey,
    attention: Attention,
}

impl RosterKey for HandleKey {
    fn words(self) -> [usize; 2] {
        [self.number(), 0]
    }
}

impl RosterKey for Attention {
    fn words(self) -> [usize; 2] {
        match self {
            Self::Rise(wanted) => [wanted.bits() as usize, 1],
            Self::Each => [0, 0],
        }
    }
}

impl ObserverList {
    /// An empty list.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: NONE,
            head: NONE,
            tail: NONE,
            rosters: None,
        }
    }
    /// Whether nobody observes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.head == NONE
    }
    /// Adds an observer that came through `handle`.
    ///
    /// # Errors
    /// - `NoMemory`: the list cannot grow.
    #[inline(always)]
    pub fn add(
        &mut self,
        observer: Arc<dyn Observer>,
        item: usize,
        handle: HandleKey,
        attention: Attention,
    ) -> ZxResult<ObserverToken> {
        if self.free == NONE {
            self.grow()?;
        }
        let slot = self.free;
        let (prev, next) = match attention {
            Attention::Rise(_) => (NONE, self.head),
            Attention::Each => (self.tail, NONE),
        };
        let this = &mut self.slots[slot as usize];
        self.free = this.next;
        (this.prev, this.next) = (prev, next);
        this.entry = Some(Entry {
            observer,
            item,
            handle,
            attention,
        });
        let generation = this.generation;
        *self.link_after(prev) = slot;
        *self.link_before(next) = slot;
        if self.rosters.is_some() {
            self.file(slot, handle, attention);
        }
        Ok(ObserverToken { slot, generation })
    }
    /// Makes a free slot.
    #[cold]
    fn grow(&mut self) -> ZxResult {
        let slot = u32::try_from(self.slots.len()).ok();
        let slot = slot.filter(|slot| *slot != NONE).ok_or(ZxError::NoMemory)?;
        self.slots.try_push(Slot {
            generation: 0,
            prev: NONE,
            next: NONE,
            entry: None,
        })?;
        self.free = slot;
        let (slots, tail, count) = (&self.slots, self.tail, self.slots.len());
        if count >= ROSTER_FROM && self.rosters.is_none() {
            self.rosters = try_box(Rosters::default()).ok();
        }
        if let Some(rosters) = &mut self.rosters {
            // From the last to the first, each before those that are there.
            let filed = || {
                let exists = |slot: u32| Some(slot).filter(|slot| *slot != NONE);
                let all = core::iter::successors(exists(tail), move |slot| {
                    exists(slots[*slot as usize].prev)
                });
                all.filter_map(|slot| Some((slot, slots[slot as usize].entry.as_ref()?)))
            };
            let by_handle = filed().map(|(slot, entry)| (slot, entry.handle, At::Front));
            rosters.handles.slab_has_grown(count, by_handle);
            let by_kind = filed().map(|(slot, entry)| (slot, entry.attention, At::Front));
            rosters.kinds.slab_has_grown(count, by_kind);
        }
        Ok(())
    }
    #[inline(never)]
    fn file(&mut self, slot: u32, handle: HandleKey, attention: Attention) {
        if let Some(rosters) = &mut self.rosters {
            let at = match attention {
                Attention::Rise(_) => At::Front,
                Attention::Each => At::Back,
            };
            rosters.handles.add(slot, handle, at);
            rosters.kinds.add(slot, attention, at);
        }
    }
    #[inline(never)]
    fn unfile(&mut self, slot: u32) {
        if let Some(rosters) = &mut self.rosters {
            rosters.handles.remove(slot);
            rosters.kinds.remove(slot);
        }
    }
    /// Removes an observer; `false` when it had left already.
    #[inline]
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
    /// Tells everyone whom a change concerns; those who are satisfied leave.
    pub fn notify(&mut self, old: Signals, new: Signals, wakes: &mut Wakes) {
        if self.rosters.is_some() && self.knows_few_kinds() {
            return self.notify_chosen(old, new, wakes);
        }
        let risen = new - old;
        let mut cursor = self.head;
        while let Some(this) = self.slots.get(cursor as usize) {
            let slot = core::mem::replace(&mut cursor, this.next);
            if let Some(entry) = &this.entry {
                if entry.attention.is_for(risen)
                    && entry.observer.notify(entry.item, old, new, wakes) == Verdict::Remove
                {
                    self.take(slot);
                }
            }
        }
    }
    /// As [`ObserverList::notify`], without a look at those whom the change does not concern.
    #[cold]
    fn notify_chosen(&mut self, old: Signals, new: Signals, wakes: &mut Wakes) {
        let risen = new - old;
        let (mut cursors, mut kinds, mut last) = ([NONE; KINDS_MAX], 0, NONE);
        for (attention, first) in self.kinds().into_iter().flat_map(Roster::keys) {
            match attention {
                Attention::Each => last = first,
                Attention::Rise(_) if attention.is_for(risen) => {
                    cursors[kinds] = first;
                    kinds += 1;
                }
                Attention::Rise(_) => {}
            }
        }
        // Of the chosen kinds the latest of all, again and again.
        let number = |list: &Self, slot: &u32| list.kinds().map_or(0, |kinds| kinds.number(*slot));
        loop {
            let left = cursors[..kinds].iter_mut().filter(|slot| **slot != NONE);
            let Some(cursor) = left.max_by_key(|slot| number(self, slot)) else {
                break;
            };
            let slot = core::mem::replace(cursor, self.next_of_kind(*cursor));
            self.tell(slot, old, new, wakes);
        }
        while last != NONE {
            let slot = last;
            last = self.next_of_kind(slot);
            self.tell(slot, old, new, wakes);
        }
    }
    fn kinds(&self) -> Option<&Roster<Attention>> {
        self.rosters.as_ref().map(|rosters| &rosters.kinds)
    }
    fn knows_few_kinds(&self) -> bool {
        self.kinds()
            .is_some_and(|kinds| kinds.is_kept() && kinds.keys_at_most() <= KINDS_MAX)
    }
    fn next_of_kind(&self, slot: u32) -> u32 {
        self.kinds()
            .and_then(|kinds| kinds.next(slot))
            .unwrap_or(NONE)
    }
    fn tell(&mut self, slot: u32, old: Signals, new: Signals, wakes: &mut Wakes) {
        if let Some(entry) = &self.slots[slot as usize].entry {
            if entry.observer.notify(entry.item, old, new, wakes) == Verdict::Remove {
                self.take(slot);
            }
        }
    }
    /// Removes and cancels everyone who came through `handle`.
    pub fn cancel_handle(&mut self, handle: HandleKey, signals: Signals, wakes: &mut Wakes) {
        if let Some(rosters) = self.rosters.as_ref().filter(|all| all.handles.is_kept()) {
            let mut next = rosters.handles.first(handle);
            while let Some(slot) = next {
                self.cancel(slot, signals, wakes);
                next = self.first_through(handle);
            }
            return;
        }
        let mut cursor = self.head;
        while let Some(this) = self.slots.get(cursor as usize) {
            let slot = core::mem::replace(&mut cursor, this.next);
            if this
                .entry
                .as_ref()
                .is_some_and(|entry| entry.handle == handle)
            {
                self.cancel(slot, signals, wakes);
            }
        }
    }
    fn first_through(&self, handle: HandleKey) -> Option<u32> {
        self.rosters.as_ref()?.handles.first(handle)
    }
    fn cancel(&mut self, slot: u32, signals: Signals, wakes: &mut Wakes) {
        if let Some(entry) = self.take(slot) {
            entry.observer.cancel(entry.item, signals, wakes);
        }
    }

    fn take(&mut self, slot: u32) -> Option<Entry> {
        if self.rosters.is_some() {
            self.unfile(slot);
        }
        let free = core::mem::replace(&mut self.free, slot);
        let this = &mut self.slots[slot as usize];
        let entry = this.entry.take();
        let (prev, next) = (this.prev, this.next);
        this.generation = this.generation.wrapping_add(1);
        this.next = free;
        *self.link_after(prev) = next;
        *self.link_before(next) = prev;
        entry
    }
    fn link_after(&mut self, slot: u32) -> &mut u32 {
        match self.slots.get_mut(slot as usize) {
            Some(slot) => &mut slot.next,
            None => &mut self.head,
        }
    }
    fn link_before(&mut self, slot: u32) -> &mut u32 {
        match self.slots.get_mut(slot as usize) {
            Some(slot) => &mut slot.prev,
            None => &mut self.tail,
        }
    }
}

impl Default for ObserverList {
    fn default() -> Self {
        Self::new()
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
    use std::sync::Mutex;

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
        let places = [
            Attention::Each,
            Attention::Rise(Signals::USER_0),
            Attention::Each,
            Attention::Rise(Signals::USER_0),
        ];
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
            list.add(recorder(&log, verdict), item, key, Attention::Each)
                .unwrap();
        }
        assert_eq!(told(&mut list, &log), [0, 1, 2]);
        assert_eq!(told(&mut list, &log), [1]);
    }

    #[test]
    fn a_stale_token_does_not_find_the_next_user_of_its_slot() {
        let (mut list, log, key) = (ObserverList::new(), Log::default(), handle_key());
        let first = list
            .add(recorder(&log, Verdict::Keep), 0, key, Attention::Each)
            .unwrap();
        assert!(list.remove(first));
        assert!(!list.remove(first));
        let second = list
            .add(recorder(&log, Verdict::Keep), 1, key, Attention::Each)
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
                .add(
                    recorder(&log, Verdict::Keep),
                    item,
                    key,
                    Attention::Rise(Signals::USER_0),
                )
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
            list.add(recorder(&log, Verdict::Keep), item, key, Attention::Each)
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
    fn a_removed_observer_is_dropped_at_once() {
        let (mut list, log, key) = (ObserverList::new(), Log::default(), handle_key());
        let observer = recorder(&log, Verdict::Keep);
        let token = list.add(observer.clone(), 0, key, Attention::Each).unwrap();
        list.remove(token);
        assert_eq!(Arc::strong_count(&observer), 1);
    }

    const A: Signals = Signals::USER_0;
    const B: Signals = Signals::USER_1;

    #[derive(Clone, Copy, Debug)]
    enum Step {
        /// With so many others of the kind, through one of the handles.
        Add(Attention, usize, usize),
        Remove(usize),
        RemoveStale(usize),
        Tell(Signals),
        Cancel(usize),
    }

    fn attention() -> impl Strategy<Value = Attention> {
        prop_oneof![
            2 => Just(Attention::Each),
            2 => Just(Attention::Rise(A)),
            2 => Just(Attention::Rise(B)),
            1 => Just(Attention::Rise(A.union(B))),
            1 => (0..40_u32).prop_map(|bit| Attention::Rise(Signals::from_bits_retain(bit << 3) | B)),
        ]
    }

    fn step() -> impl Strategy<Value = Step> {
        let some = prop_oneof![3 => Just(1_usize), 1 => 1_usize..50];
        prop_oneof![
            4 => (attention(), some, 0..5_usize).prop_map(|(a, count, handle)| Step::Add(a, count, handle)),
            3 => any::<usize>().prop_map(Step::Remove),
            1 => any::<usize>().prop_map(Step::RemoveStale),
            2 => prop_oneof![Just(A), Just(B), Just(A | B), Just(Signals::USER_2)].prop_map(Step::Tell),
            1 => (0..5_usize).prop_map(Step::Cancel),
        ]
    }

    /// An entry of the model.
    struct Known {
        item: usize,
        token: ObserverToken,
        attention: Attention,
        handle: HandleKey,
    }

    proptest! {
        /// The list, with few observers and with many, says the same as a vector that is searched and shifted. Waits of ports
        /// leave when they are told, threads stay.
        #[test]
        fn a_list_agrees_with_a_vector(steps in prop::collection::vec(step(), 1..120)) {
            kernel_hal_hosted::init();
            let (mut list, log) = (ObserverList::new(), Log::default());
            let handles: [HandleKey; 5] = core::array::from_fn(|_| handle_key());
            let (mut model, mut stale, mut next) = (Vec::<Known>::new(), Vec::new(), 0);
            for step in steps {
                let (mut expected, mut cancelled) = (Vec::new(), false);
                match step {
                    Step::Add(attention, count, handle) => for _ in 0..count {
                        let (item, handle) = (next, handles[handle]);
                        next += 1;
                        let (verdict, at) = match attention {
                            Attention::Each => (Verdict::Keep, model.len()),
                            Attention::Rise(_) => (Verdict::Remove, 0),
                        };
                        let token = list.add(recorder(&log, verdict), item, handle, attention).unwrap();
                        model.insert(at, Known { item, token, attention, handle });
                    },
                    Step::Remove(at) if !model.is_empty() => {
                        let known = model.remove(at % model.len());
                        prop_assert!(list.remove(known.token));
                        stale.push(known.token);
                    }
                    Step::RemoveStale(at) if !stale.is_empty() => {
                        prop_assert!(!list.remove(stale[at % stale.len()]));
                    }
                    Step::Remove(_) | Step::RemoveStale(_) => {}
                    Step::Tell(risen) => {
                        list.notify(Signals::USER_7, Signals::USER_7 | risen, &mut Wakes::none());
                        expected.extend(model.iter().filter(|known| known.attention.is_for(risen)).map(|known| known.item));
                        model.retain(|known| known.attention == Attention::Each || !known.attention.is_for(risen));
                    }
                    Step::Cancel(handle) => {
                        cancelled = true;
                        list.cancel_handle(handles[handle], A, &mut Wakes::none());
                        let gone = |known: &Known| known.handle == handles[handle];
                        expected.extend(model.iter().filter(|known| gone(known)).map(|known| known.item));
                        model.retain(|known| !gone(known));
                    }
                }
                let heard = std::mem::take(&mut *log.lock().unwrap());
                prop_assert!(heard.iter().all(|(_, _, cancel)| *cancel == cancelled));
                prop_assert_eq!(heard.into_iter().map(|(item, ..)| item).collect::<Vec<_>>(), expected);
                prop_assert_eq!(list.is_empty(), model.is_empty());
            }
        }
    }
}
