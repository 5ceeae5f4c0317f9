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
pub struct Wakes {
    first: Option<Waker>,
    more: Vec<Waker>,
}

impl Wakes {
    /// Nobody to wake.
    #[inline(always)]
    pub const fn none() -> Self {
        Self { first: None, more: Vec::new() }
    }
    /// Remembers one more. Without memory for the list it is woken at once.
    pub fn push(&mut self, waker: Waker) {
        if self.first.is_none() {
            self.first = Some(waker);
        } else if self.more.try_reserve(1).is_ok() {
            self.more.push(waker);
        } else {
            waker.wake();
        }
    }
    /// Takes over what another list collected.
    pub fn append(&mut self, other: Self) {
        if let Some(waker) = other.first {
            self.push(waker);
        }
        for waker in other.more {
            self.push(waker);
        }
    }
    /// Calls them all, in order. Call with no lock held.
    #[inline(always)]
    pub fn wake(self) {
        if let Some(first) = self.first {
            first.wake();
            for waker in self.more {
                waker.wake();
            }
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
        Self { slots: Vec::new(), free: None, head: None, tail: None }
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
    pub fn add(&mut self, observer: Arc<dyn Observer>, item: usize, handle: HandleKey, place: Place) -> ZxResult<ObserverToken> {
        let entry = Some(Entry { observer, item, handle });
        let slot = match self.free {
            Some(slot) => slot,
            None => {
                let slot = u32::try_from(self.slots.len()).map_err(|_| zx_abi::ZxError::NoMemory)?;
                self.slots.try_push(Slot { generation: 0, prev: None, next: None, entry: None })?;
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
        let found = self.slots.get(token.slot as usize).is_some_and(|slot| slot.generation == token.generation && slot.entry.is_some());
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
            let verdict = this.entry.as_ref().map(|entry| entry.observer.notify(entry.item, old, new, wakes));
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
            if this.entry.as_ref().is_some_and(|entry| entry.handle == handle) {
                if let Some(entry) = self.take(slot) {
                    entry.observer.cancel(entry.item, signals, wakes);
                }
            }
        }
    }
    /// Removes everyone for whom `matches` says so; returns how many.
    pub fn remove_where(&mut self, mut matches: impl FnMut(&Arc<dyn Observer>, HandleKey) -> bool) -> usize {
        let (mut cursor, mut removed) = (self.head, 0);
        while let Some(slot) = cursor {
            let this = &self.slots[slot as usize];
            cursor = this.next;
            if this.entry.as_ref().is_some_and(|entry| matches(&entry.observer, entry.handle)) {
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
