//! The queues behind [`super::futex`]: futexes by address, waiters in line, all in two slabs.
//!
//! A futex exists while somebody waits for it. Waiters are linked in both directions so that leaving takes constant time.
//! Nothing is allocated once the slabs have grown to the greatest number of threads that ever waited at a time.

mod lending;

use crate::alloc_try::TryPush;
use crate::task::Thread;
use alloc::sync::Weak;
use alloc::vec::Vec;
use core::task::Waker;
use executor::Rank;
use lending::{Changes, Lending};
use zx_abi::{ZxError, ZxResult};

const NONE: u32 = u32::MAX;
/// Indices are below this.
pub(super) const LIMIT: u32 = 1 << 31;
/// Buckets of a table that has any.
const FIRST_BUCKETS: usize = 32;

/// All queues of a process.
pub(super) struct Queues {
    /// A power of two of them, at least as many as futexes unless there was no memory; none before the first futex.
    buckets: Vec<u32>,
    futexes: Vec<Futex>,
    /// Futexes in use.
    used: usize,
    free_futex: u32,
    waiters: Vec<Waiter>,
    free_waiter: u32,
    arrivals: u64,
    changes: Changes,
}

struct Futex {
    address: usize,
    head: u32,
    tail: u32,
    /// A thread's place, or `NONE`.
    owner: u32,
    /// The next of its bucket, or of the free ones.
    next: u32,
}

/// A thread's place, kept from the first time that it waits or owns to its end, so that doing it again counts no references.
struct Waiter {
    /// The futex it waits for; `NONE` while it waits for none, or was woken.
    futex: u32,
    previous: u32,
    /// The next in line, or of the free ones.
    next: u32,
    arrival: u64,
    thread: Weak<Thread>,
    waker: Option<Waker>,
    /// Where it waits, or waited when it was woken.
    address: usize,
    lending: Lending,
}

/// A waiter's index; valid from [`Queues::take_place`] to [`Queues::free_place`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct WaiterName(pub(super) u32);

/// A futex's index; valid as long as the lock is held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct FutexName(u32);

/// Whether a futex has waiters left; without them it is gone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Left {
    Some,
    Nobody,
}

/// Whether a futex was made for the waiter that joined; then it has no owner.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Line {
    New,
    Old,
}

/// What a wake did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Woken {
    /// The waiter woken last, if one was.
    pub(super) last: Option<WaiterName>,
    pub(super) left: Left,
}

impl Queues {
    pub(super) const fn new() -> Self {
        Self {
            buckets: Vec::new(),
            futexes: Vec::new(),
            used: 0,
            free_futex: NONE,
            waiters: Vec::new(),
            free_waiter: NONE,
            arrivals: 0,
            changes: Changes::none(),
        }
    }

    /// The number that the next waiter to join gets.
    pub(super) fn next_arrival(&self) -> u64 {
        self.arrivals
    }

    /// A place for a thread of this rank. A wake reaches it by `waker`; who only owns needs none.
    pub(super) fn take_place(
        &mut self,
        thread: Weak<Thread>,
        base: Rank,
        waker: Option<&Waker>,
    ) -> ZxResult<WaiterName> {
        let waiter = Waiter {
            futex: NONE,
            previous: NONE,
            next: NONE,
            arrival: 0,
            thread,
            waker: waker.cloned(),
            address: 0,
            lending: Lending::new(base),
        };
        let index = match self.waiters.get_mut(self.free_waiter as usize) {
            Some(free) => {
                let index = core::mem::replace(&mut self.free_waiter, free.next);
                *free = waiter;
                index
            }
            None => {
                let index = index_of(self.waiters.len())?;
                self.waiters.try_push(waiter)?;
                index
            }
        };
        self.set_base(WaiterName(index), base);
        Ok(WaiterName(index))
    }

    /// Gives a place up whose thread waits no more. What it owns has no owner then.
    pub(super) fn free_place(&mut self, WaiterName(index): WaiterName) {
        self.disown(index);
        let free = self.free_waiter;
        let waiter = &mut self.waiters[index as usize];
        waiter.thread = Weak::new();
        waiter.waker = None;
        waiter.next = free;
        self.free_waiter = index;
    }

    /// Puts a waiter that waits for nothing at the end of a futex's line.
    pub(super) fn join(&mut self, name: WaiterName, address: usize) -> ZxResult<Line> {
        let used = self.used;
        let futex = self.open(address)?;
        self.append(futex, name.0);
        Ok(if self.used > used {
            Line::New
        } else {
            Line::Old
        })
    }

    /// Finds or makes the futex at an address. One that nobody joins is to be given to [`Queues::close_if_unused`].
    pub(super) fn open(&mut self, address: usize) -> ZxResult<FutexName> {
        let mut bucket = self.bucket_of(address);
        if let Some(found) = self.find_in(bucket, address) {
            return Ok(found);
        }
        if self.used >= self.buckets.len() {
            self.grow()?;
            bucket = self.bucket_of(address);
        }
        let futex = Futex {
            address,
            head: NONE,
            tail: NONE,
            owner: NONE,
            next: self.buckets[bucket],
        };
        let index = match self.futexes.get_mut(self.free_futex as usize) {
            Some(free) => {
                let index = core::mem::replace(&mut self.free_futex, free.next);
                *free = futex;
                index
            }
            None => {
                let index = index_of(self.futexes.len())?;
                self.futexes.try_push(futex)?;
                index
            }
        };
        self.buckets[bucket] = index;
        self.used += 1;
        Ok(FutexName(index))
    }

    /// Doubles the buckets. Without memory those that there are go on, with longer chains.
    #[cold]
    fn grow(&mut self) -> ZxResult {
        let count = (self.buckets.len() * 2).max(FIRST_BUCKETS);
        let mut buckets = Vec::new();
        if buckets.try_reserve_exact(count).is_err() {
            return if self.buckets.is_empty() {
                Err(ZxError::NoMemory)
            } else {
                Ok(())
            };
        }
        buckets.resize(count, NONE);
        let old = core::mem::replace(&mut self.buckets, buckets);
        for mut index in old {
            while let Some(futex) = self.futexes.get(index as usize) {
                let (address, next) = (futex.address, futex.next);
                let bucket = self.bucket_of(address);
                self.futexes[index as usize].next = self.buckets[bucket];
                self.buckets[bucket] = index;
                index = next;
            }
        }
        Ok(())
    }

    /// Frees the futex at an address if nobody waits for it.
    pub(super) fn close_if_unused(&mut self, address: usize) {
        if let Some(FutexName(index)) = self.find(address) {
            if self.futexes[index as usize].head == NONE {
                self.close(index);
            }
        }
    }

    /// Wakes up to `count` waiters that joined before `epoch`, and says which was the last. Their wakers are called here, under the
    /// table's lock: they lock nothing but the run queue, and need not be taken out.
    #[inline(always)]
    pub(super) fn wake(&mut self, FutexName(futex): FutexName, count: usize, epoch: u64) -> Woken {
        let mut last = None;
        for _ in 0..count {
            let head = self.futexes[futex as usize].head;
            let Some(waiter) = self.waiters.get_mut(head as usize) else {
                break;
            };
            if waiter.arrival >= epoch {
                break;
            }
            waiter.futex = NONE;
            last = Some(WaiterName(head));
            let next = waiter.next;
            if let Some(waker) = &waiter.waker {
                waker.wake_by_ref();
            }
            let Some(behind) = self.waiters.get_mut(next as usize) else {
                self.close(futex);
                return Woken {
                    last,
                    left: Left::Nobody,
                };
            };
            behind.previous = NONE;
            self.futexes[futex as usize].head = next;
        }
        Woken {
            last,
            left: Left::Some,
        }
    }

    /// Moves up to `count` waiters that joined before `epoch` to the end of another futex's line.
    pub(super) fn relocate(
        &mut self,
        FutexName(from): FutexName,
        count: usize,
        epoch: u64,
        to: FutexName,
    ) -> Left {
        for _ in 0..count {
            let Some(index) = self.first_before(from, epoch) else {
                break;
            };
            let left = self.unlink(index);
            self.append(to, index);
            if left == Left::Nobody {
                return left;
            }
        }
        Left::Some
    }

    /// Sets the owner of a futex with waiters.
    #[inline(always)]
    pub(super) fn set_owner(&mut self, FutexName(futex): FutexName, owner: Option<WaiterName>) {
        let new = owner.map_or(NONE, |owner| owner.0);
        let old = core::mem::replace(&mut self.futexes[futex as usize].owner, new);
        if old != new {
            if let Some(old) = self.waiters.get_mut(old as usize) {
                old.lending.owned -= 1;
            }
            if let Some(new) = self.waiters.get_mut(new as usize) {
                new.lending.owned += 1;
            }
        }
        self.owner_changed(futex, old, new);
    }

    /// The owner.
    pub(super) fn owner(&self, address: usize) -> Option<Weak<Thread>> {
        let FutexName(index) = self.find(address)?;
        let owner = self.futexes[index as usize].owner;
        Some(self.waiters.get(owner as usize)?.thread.clone())
    }

    /// Whether a thread waits for a futex.
    pub(super) fn waits(&self, address: usize, WaiterName(thread): WaiterName) -> bool {
        let waiter = &self.waiters[thread as usize];
        waiter.futex != NONE && waiter.address == address
    }

    /// The futex that a waiter waits for; `None` when it was woken.
    #[inline(always)]
    pub(super) fn futex_of(&self, WaiterName(index): WaiterName) -> Option<FutexName> {
        let futex = self.waiters[index as usize].futex;
        (futex != NONE).then_some(FutexName(futex))
    }

    /// The address of the futex that a waiter waits for, or waited for when it was woken.
    pub(super) fn address_of(&self, WaiterName(index): WaiterName) -> usize {
        self.waiters[index as usize].address
    }

    pub(super) fn set_waker(&mut self, WaiterName(index): WaiterName, waker: &Waker) {
        let kept = &mut self.waiters[index as usize].waker;
        if !kept.as_ref().is_some_and(|kept| kept.will_wake(waker)) {
            *kept = Some(waker.clone());
        }
    }

    /// Takes a waiter out, wherever it stands. If a wake had picked it and it has not seen that: where.
    pub(super) fn give_up(&mut self, WaiterName(index): WaiterName) -> Option<usize> {
        let waiter = &self.waiters[index as usize];
        if waiter.futex == NONE {
            return Some(waiter.address);
        }
        self.unlink(index);
        None
    }

    /// The futex at an address, if anybody waits for it.
    #[inline(always)]
    pub(super) fn find(&self, address: usize) -> Option<FutexName> {
        self.find_in(self.bucket_of(address), address)
    }

    #[inline(always)]
    fn find_in(&self, bucket: usize, address: usize) -> Option<FutexName> {
        let mut index = *self.buckets.get(bucket)?;
        while let Some(futex) = self.futexes.get(index as usize) {
            if futex.address == address {
                return Some(FutexName(index));
            }
            index = futex.next;
        }
        None
    }

    #[inline(always)]
    fn bucket_of(&self, address: usize) -> usize {
        // Words of one structure differ in few low bits, those of two in the bits of their pages; a product brings all of them
        // into its upper half.
        const ODD: usize = 0x9e37_79b9_7f4a_7c15;
        (address.wrapping_mul(ODD) >> 32) & self.buckets.len().wrapping_sub(1)
    }

    #[inline(always)]
    fn first_before(&self, futex: u32, epoch: u64) -> Option<u32> {
        let head = self.futexes[futex as usize].head;
        (self.waiters.get(head as usize)?.arrival < epoch).then_some(head)
    }

    fn append(&mut self, FutexName(futex): FutexName, index: u32) {
        debug_assert_eq!(
            self.waiters[index as usize].futex, NONE,
            "a thread waits for one futex at a time"
        );
        let line = &mut self.futexes[futex as usize];
        let (previous, address) = (line.tail, line.address);
        line.tail = index;
        match self.waiters.get_mut(previous as usize) {
            Some(last) => last.next = index,
            None => line.head = index,
        }
        let waiter = &mut self.waiters[index as usize];
        (waiter.futex, waiter.previous, waiter.next) = (futex, previous, NONE);
        (waiter.arrival, waiter.address) = (self.arrivals, address);
        self.arrivals += 1;
    }

    /// Takes a waiter out of its line; with the last one the futex goes, and its owner with it.
    #[inline(always)]
    fn unlink(&mut self, index: u32) -> Left {
        let waiter = &mut self.waiters[index as usize];
        let (futex, previous, next) = (
            core::mem::replace(&mut waiter.futex, NONE),
            waiter.previous,
            waiter.next,
        );
        match self.waiters.get_mut(previous as usize) {
            Some(before) => before.next = next,
            None => self.futexes[futex as usize].head = next,
        }
        match self.waiters.get_mut(next as usize) {
            Some(behind) => behind.previous = previous,
            None => self.futexes[futex as usize].tail = previous,
        }
        let line = &self.futexes[futex as usize];
        if line.head == NONE {
            self.close(futex);
            return Left::Nobody;
        }
        self.relieve(line.owner);
        Left::Some
    }

    /// Somebody was taken from a futex's line whose owner stays.
    pub(super) fn shortened(&mut self, FutexName(futex): FutexName) {
        self.relieve(self.futexes[futex as usize].owner);
    }

    fn close(&mut self, futex: u32) {
        let address = self.futexes[futex as usize].address;
        let after = self.futexes[futex as usize].next;
        let bucket = self.bucket_of(address);
        self.used -= 1;
        if self.buckets[bucket] == futex {
            self.buckets[bucket] = after;
        } else {
            let mut index = self.buckets[bucket];
            while let Some(before) = self.futexes.get_mut(index as usize) {
                if before.next == futex {
                    before.next = after;
                    break;
                }
                index = before.next;
            }
        }
        let free = self.free_futex;
        let gone = &mut self.futexes[futex as usize];
        let owner = core::mem::replace(&mut gone.owner, NONE);
        gone.next = free;
        self.free_futex = futex;
        if let Some(waiter) = self.waiters.get_mut(owner as usize) {
            waiter.lending.owned -= 1;
            self.relieve(owner);
        }
    }
}

fn index_of(len: usize) -> ZxResult<u32> {
    u32::try_from(len)
        .ok()
        .filter(|index| *index < LIMIT)
        .ok_or(ZxError::NoMemory)
}
