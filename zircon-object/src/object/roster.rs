//! Rosters: which slots of a slab belong to a key, for slabs of so many slots that looking at each would be long.
//!
//! The owner of a small slab looks at each slot; its roster is one null pointer. When the slab grows beyond [`ROSTER_FROM`]
//! slots, all are filed here, by key, and from then on each that comes or goes. Slots of a key are in a list of their own, linked
//! in both directions, so that filing, finding and taking out need no search however many there are, of the same key or of
//! others. Keys are spread by a secret, since programs choose some of them. A roster that gets no memory is given up, and its
//! owner looks at each slot again.

use crate::alloc_try::{try_box, TryPush};
use alloc::boxed::Box;
use alloc::vec::Vec;
use zx_abi::{ZxError, ZxResult};

/// Slots of the smallest slab that keeps a roster.
pub const ROSTER_FROM: usize = 32;

/// No slot, no list.
const NONE: u32 = u32::MAX;

/// What slots can be filed by.
pub trait RosterKey: Copy + Eq {
    /// Two numbers that together differ from those of each other key.
    fn words(self) -> [usize; 2];
}

/// Where in its key's list a slot goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum At {
    /// Before the others.
    Front,
    /// After the others.
    Back,
}

/// Slots by key, or nothing as long as they are few.
#[derive(Debug)]
pub struct Roster<K>(Option<Box<Index<K>>>);

#[derive(Debug)]
struct Index<K> {
    /// Lists that begin in each bucket; a power of two of them.
    buckets: Vec<u32>,
    lists: Vec<List<K>>,
    free_list: u32,
    used_lists: usize,
    /// By slot.
    members: Vec<Member>,
    filed: u64,
    secret: [usize; 2],
}

/// The slots of a key; at least one unless it is free.
#[derive(Debug)]
struct List<K> {
    key: K,
    head: u32,
    tail: u32,
    /// The next of its bucket, or of the free ones.
    next: u32,
}

/// A slot's links.
#[derive(Clone, Copy, Debug)]
struct Member {
    /// `NONE` for a slot that is not filed.
    list: u32,
    previous: u32,
    next: u32,
    /// Slots that were filed before it.
    number: u64,
}

const ABSENT: Member = Member {
    list: NONE,
    previous: NONE,
    next: NONE,
    number: 0,
};

impl<K> Default for Roster<K> {
    fn default() -> Self {
        Self(None)
    }
}

impl<K: RosterKey> Roster<K> {
    /// None kept.
    pub const fn new() -> Self {
        Self(None)
    }

    /// Whether it is kept; otherwise the owner is to look at each slot.
    #[inline(always)]
    pub const fn is_kept(&self) -> bool {
        self.0.is_some()
    }

    /// The slab has grown to `slots` slots, of which those in use are `filed`, in the order in which they came. Called before the
    /// newest is filed.
    #[inline]
    pub fn slab_has_grown(&mut self, slots: usize, filed: impl Iterator<Item = (u32, K, At)>) {
        // After a failure the next chance is when the slab has doubled.
        if slots >= ROSTER_FROM && slots.is_power_of_two() && self.0.is_none() {
            self.0 = Index::with(filed).ok();
        }
    }

    /// Files a slot that is not filed.
    #[inline(always)]
    pub fn add(&mut self, slot: u32, key: K, at: At) {
        if self.0.is_some() {
            self.add_kept(slot, key, at);
        }
    }

    #[inline(never)]
    fn add_kept(&mut self, slot: u32, key: K, at: At) {
        if self
            .0
            .as_mut()
            .is_some_and(|index| index.add(slot, key, at).is_err())
        {
            self.0 = None;
        }
    }

    /// Takes a slot out; nothing happens to one that is not filed.
    #[inline(always)]
    pub fn remove(&mut self, slot: u32) {
        if let Some(index) = &mut self.0 {
            index.remove(slot);
        }
    }

    /// The first slot of a key.
    pub fn first(&self, key: K) -> Option<u32> {
        let index = self.0.as_ref()?;
        let list = index.find(key)?;
        some(index.lists[list as usize].head)
    }

    /// The slot after one, of the same key.
    pub fn next(&self, slot: u32) -> Option<u32> {
        some(self.0.as_ref()?.members.get(slot as usize)?.next)
    }

    /// How many slots were filed before this one.
    pub fn number(&self, slot: u32) -> u64 {
        let member = self
            .0
            .as_ref()
            .and_then(|index| index.members.get(slot as usize));
        member.map_or(0, |member| member.number)
    }

    /// How many keys at most [`Roster::keys`] goes through: as many as had slots at a time since there was none.
    pub fn keys_at_most(&self) -> usize {
        self.0.as_ref().map_or(0, |index| index.lists.len())
    }

    /// The keys that have slots, each with the first of them, in no order.
    pub fn keys(&self) -> impl Iterator<Item = (K, u32)> + '_ {
        let lists = self.0.iter().flat_map(|index| &index.lists);
        lists
            .filter(|list| list.head != NONE)
            .map(|list| (list.key, list.head))
    }
}

fn some(slot: u32) -> Option<u32> {
    (slot != NONE).then_some(slot)
}

impl<K: RosterKey> Index<K> {
    fn with(filed: impl Iterator<Item = (u32, K, At)>) -> ZxResult<Box<Self>> {
        let mut secret = [[0; size_of::<usize>()]; 2];
        kernel_hal::rng::fill(secret.as_flattened_mut());
        let mut index = try_box(Self {
            buckets: Vec::new(),
            lists: Vec::new(),
            free_list: NONE,
            used_lists: 0,
            members: Vec::new(),
            filed: 0,
            secret: secret.map(|bytes| usize::from_le_bytes(bytes) | 1),
        })?;
        for (slot, key, at) in filed {
            index.add(slot, key, at)?;
        }
        Ok(index)
    }

    fn add(&mut self, slot: u32, key: K, at: At) -> ZxResult {
        let place = slot as usize;
        if place >= self.members.len() {
            let more = place + 1 - self.members.len();
            self.members
                .try_reserve(more)
                .map_err(|_| ZxError::NoMemory)?;
            self.members.resize(place + 1, ABSENT);
        }
        let list = match self.find(key) {
            Some(list) => list,
            None => self.begin(key)?,
        };
        let row = &mut self.lists[list as usize];
        let (previous, next) = match at {
            At::Front => (NONE, row.head),
            At::Back => (row.tail, NONE),
        };
        self.members[place] = Member {
            list,
            previous,
            next,
            number: self.filed,
        };
        self.filed += 1;
        *self.link_after(previous, list) = slot;
        *self.link_before(next, list) = slot;
        Ok(())
    }

    #[inline(never)]
    fn remove(&mut self, slot: u32) {
        let Some(member) = self.members.get_mut(slot as usize) else {
            return;
        };
        let Member {
            list,
            previous,
            next,
            ..
        } = core::mem::replace(member, ABSENT);
        if list == NONE {
            return;
        }
        *self.link_after(previous, list) = next;
        *self.link_before(next, list) = previous;
        if self.lists[list as usize].head == NONE {
            self.end(list);
        }
    }

    fn link_after(&mut self, slot: u32, list: u32) -> &mut u32 {
        match slot {
            NONE => &mut self.lists[list as usize].head,
            slot => &mut self.members[slot as usize].next,
        }
    }

    fn link_before(&mut self, slot: u32, list: u32) -> &mut u32 {
        match slot {
            NONE => &mut self.lists[list as usize].tail,
            slot => &mut self.members[slot as usize].previous,
        }
    }

    fn bucket_of(&self, key: K) -> usize {
        let ([first, second], [a, b]) = (key.words(), self.secret);
        let spread = first.wrapping_add(b).wrapping_mul(a);
        let spread = (spread ^ spread >> 32 ^ second).wrapping_mul(b);
        (spread ^ spread >> 32) & self.buckets.len().wrapping_sub(1)
    }

    fn find(&self, key: K) -> Option<u32> {
        let mut list = *self.buckets.get(self.bucket_of(key))?;
        while let Some(row) = self.lists.get(list as usize) {
            if row.key == key {
                return Some(list);
            }
            list = row.next;
        }
        None
    }

    /// An empty list for a key that has none.
    fn begin(&mut self, key: K) -> ZxResult<u32> {
        if self.used_lists >= self.buckets.len() {
            self.double_buckets()?;
        }
        let bucket = self.bucket_of(key);
        let row = List {
            key,
            head: NONE,
            tail: NONE,
            next: self.buckets[bucket],
        };
        let list = match self.lists.get_mut(self.free_list as usize) {
            Some(free) => {
                let list = core::mem::replace(&mut self.free_list, free.next);
                *free = row;
                list
            }
            None => {
                let list = u32::try_from(self.lists.len()).map_err(|_| ZxError::NoMemory)?;
                self.lists.try_push(row)?;
                list
            }
        };
        self.buckets[bucket] = list;
        self.used_lists += 1;
        Ok(list)
    }

    #[cold]
    fn double_buckets(&mut self) -> ZxResult {
        let count = (self.buckets.len() * 2).max(ROSTER_FROM);
        let mut buckets = Vec::new();
        buckets
            .try_reserve_exact(count)
            .map_err(|_| ZxError::NoMemory)?;
        buckets.resize(count, NONE);
        for mut list in core::mem::replace(&mut self.buckets, buckets) {
            while let Some(row) = self.lists.get(list as usize) {
                let (key, next) = (row.key, row.next);
                let bucket = self.bucket_of(key);
                self.lists[list as usize].next =
                    core::mem::replace(&mut self.buckets[bucket], list);
                list = next;
            }
        }
        Ok(())
    }

    /// Frees a list without slots.
    fn end(&mut self, list: u32) {
        let row = &self.lists[list as usize];
        let (bucket, after) = (self.bucket_of(row.key), row.next);
        let mut before = self.buckets[bucket];
        if before == list {
            self.buckets[bucket] = after;
        }
        while let Some(row) = self.lists.get_mut(before as usize) {
            if row.next == list {
                row.next = after;
                break;
            }
            before = row.next;
        }
        self.lists[list as usize].next = core::mem::replace(&mut self.free_list, list);
        self.used_lists -= 1;
        if self.used_lists == 0 {
            self.lists.clear();
            self.free_list = NONE;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::{BTreeMap, VecDeque};

    impl RosterKey for u8 {
        fn words(self) -> [usize; 2] {
            [self.into(), 0]
        }
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Add(u32, u8, At),
        Remove(u32),
    }

    fn step() -> impl Strategy<Value = Step> {
        let at = prop_oneof![Just(At::Front), Just(At::Back)];
        prop_oneof![
            3 => (0..200_u32, 0..60_u8, at).prop_map(|(slot, key, at)| Step::Add(slot, key, at)),
            2 => (0..200_u32).prop_map(Step::Remove),
        ]
    }

    fn list(roster: &Roster<u8>, key: u8) -> Vec<u32> {
        core::iter::successors(roster.first(key), |slot| roster.next(*slot)).collect()
    }

    proptest! {
        #[test]
        fn a_roster_says_what_a_map_of_queues_says(
            before in 0..60_u32,
            steps in prop::collection::vec(step(), 0..400),
        ) {
            kernel_hal_hosted::init();
            let mut roster = Roster::new();
            let mut model: BTreeMap<u8, VecDeque<u32>> = BTreeMap::new();
            let mut keys = BTreeMap::new();
            let early = (0..before).map(|slot| (slot, 7, At::Back));
            roster.slab_has_grown(ROSTER_FROM, early.clone());
            prop_assert!(roster.is_kept());
            for (slot, key, _) in early {
                model.entry(key).or_default().push_back(slot);
                keys.insert(slot, key);
            }
            for step in steps {
                match step {
                    Step::Add(slot, key, at) if !keys.contains_key(&slot) => {
                        roster.add(slot, key, at);
                        let queue = model.entry(key).or_default();
                        match at {
                            At::Front => queue.push_front(slot),
                            At::Back => queue.push_back(slot),
                        }
                        keys.insert(slot, key);
                    }
                    Step::Add(..) => {}
                    Step::Remove(slot) => {
                        roster.remove(slot);
                        if let Some(key) = keys.remove(&slot) {
                            model.entry(key).or_default().retain(|each| *each != slot);
                        }
                    }
                }
                model.retain(|_, queue| !queue.is_empty());
                prop_assert!(roster.keys_at_most() >= model.len());
                prop_assert!(roster.keys_at_most() == 0 || !model.is_empty());
            }
            for key in 0..60 {
                let expected = model.get(&key).cloned().unwrap_or_default();
                prop_assert_eq!(list(&roster, key), Vec::from(expected));
            }
            let firsts: BTreeMap<u8, u32> = roster.keys().collect();
            prop_assert!(firsts.iter().eq(model.iter().map(|(key, queue)| (key, &queue[0]))));
        }
    }

    #[test]
    fn none_is_kept_before_the_slab_is_large() {
        let mut roster = Roster::new();
        roster.slab_has_grown(ROSTER_FROM - 1, core::iter::empty());
        roster.add(3, 1_u8, At::Back);
        assert!(!roster.is_kept());
        assert_eq!((roster.first(1), roster.keys_at_most()), (None, 0));
    }

    #[test]
    fn later_ones_have_higher_numbers_wherever_they_stand() {
        kernel_hal_hosted::init();
        let mut roster = Roster::new();
        roster.slab_has_grown(ROSTER_FROM, core::iter::empty());
        for (slot, at) in [(5, At::Back), (3, At::Front), (9, At::Front), (1, At::Back)] {
            roster.add(slot, 1_u8, at);
        }
        assert_eq!(list(&roster, 1), [9, 3, 5, 1]);
        assert_eq!([9, 3, 5, 1].map(|slot| roster.number(slot)), [2, 1, 0, 3]);
    }
}
