//! The queues behind [`super::futex`]: futexes by address, waiters in line, all in two slabs.
//!
//! A futex exists while somebody waits for it. Waiters are linked in both directions so that leaving takes constant time.
//! Nothing is allocated once the slabs have grown to the greatest number of threads that ever waited at a time.

use crate::alloc_try::TryPush;
use crate::object::Wakes;
use crate::task::Thread;
use alloc::sync::Weak;
use alloc::vec::Vec;
use core::task::Waker;
use zx_abi::{ZxError, ZxResult};

const NONE: u32 = u32::MAX;
const BUCKETS: usize = 32;

/// All queues of a process.
pub(super) struct Queues {
    buckets: [u32; BUCKETS],
    futexes: Vec<Futex>,
    free_futex: u32,
    waiters: Vec<Waiter>,
    free_waiter: u32,
    arrivals: u64,
}

struct Futex {
    address: usize,
    head: u32,
    tail: u32,
    owner: Option<Weak<Thread>>,
    /// The next of its bucket, or of the free ones.
    next: u32,
}

struct Waiter {
    /// The futex it waits for; `NONE` when it was woken.
    futex: u32,
    previous: u32,
    /// The next in line, or of the free ones.
    next: u32,
    arrival: u64,
    thread: Weak<Thread>,
    waker: Option<Waker>,
    /// Where it waited when it was woken.
    address: usize,
}

/// A waiter's index; valid from joining to leaving.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct WaiterName(u32);

/// A futex's index; valid as long as the lock is held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct FutexName(u32);

impl Queues {
    pub(super) const fn new() -> Self {
        Self {
            buckets: [NONE; BUCKETS],
            futexes: Vec::new(),
            free_futex: NONE,
            waiters: Vec::new(),
            free_waiter: NONE,
            arrivals: 0,
        }
    }

    /// The number that the next waiter to join gets.
    pub(super) fn next_arrival(&self) -> u64 {
        self.arrivals
    }

    /// Whether anybody waits for the futex at an address.
    #[inline(always)]
    pub(super) fn is_used(&self, address: usize) -> bool {
        self.find(address).is_some()
    }

    /// Adds a waiter at the end of a futex's line.
    pub(super) fn join(&mut self, address: usize, thread: Weak<Thread>) -> ZxResult<WaiterName> {
        let waiter = Waiter {
            futex: NONE,
            previous: NONE,
            next: NONE,
            arrival: 0,
            thread,
            waker: None,
            address,
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
        match self.open(address) {
            Ok(futex) => {
                self.append(futex, index);
                Ok(WaiterName(index))
            }
            Err(error) => {
                self.forget(WaiterName(index));
                Err(error)
            }
        }
    }

    /// Finds or makes the futex at an address. One that nobody joins is to be given to [`Queues::close_if_unused`].
    pub(super) fn open(&mut self, address: usize) -> ZxResult<FutexName> {
        if let Some(found) = self.find(address) {
            return Ok(found);
        }
        let bucket = bucket_of(address);
        let futex = Futex {
            address,
            head: NONE,
            tail: NONE,
            owner: None,
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
        Ok(FutexName(index))
    }

    /// Frees the futex at an address if nobody waits for it.
    pub(super) fn close_if_unused(&mut self, address: usize) {
        if let Some(FutexName(index)) = self.find(address) {
            if self.futexes[index as usize].head == NONE {
                self.close(index);
            }
        }
    }

    /// Wakes up to `count` waiters that joined before `epoch`. If it was at least one, the thread woken last.
    pub(super) fn wake(
        &mut self,
        address: usize,
        count: usize,
        epoch: u64,
        wakes: &mut Wakes,
    ) -> Option<Weak<Thread>> {
        let mut woken = None;
        for _ in 0..count {
            let Some(index) = self.first_before(address, epoch) else {
                break;
            };
            self.unlink(index);
            let waiter = &mut self.waiters[index as usize];
            woken = Some(waiter.thread.clone());
            if let Some(waker) = waiter.waker.take() {
                wakes.push(waker);
            }
        }
        woken
    }

    /// Moves up to `count` waiters that joined before `epoch` to the end of another futex's line.
    pub(super) fn relocate(&mut self, address: usize, count: usize, epoch: u64, to: FutexName) {
        for _ in 0..count {
            let Some(index) = self.first_before(address, epoch) else {
                break;
            };
            self.unlink(index);
            self.append(to, index);
        }
    }

    /// Sets the owner, which only a futex with waiters has. Gives back what is to be dropped without the lock.
    pub(super) fn set_owner(
        &mut self,
        address: usize,
        owner: Option<Weak<Thread>>,
    ) -> Option<Weak<Thread>> {
        match self.find(address) {
            Some(FutexName(index)) => {
                core::mem::replace(&mut self.futexes[index as usize].owner, owner)
            }
            None => owner,
        }
    }

    /// The owner.
    pub(super) fn owner(&self, address: usize) -> Option<Weak<Thread>> {
        self.find(address)
            .and_then(|FutexName(index)| self.futexes[index as usize].owner.clone())
    }

    /// Whether a thread waits for a futex.
    pub(super) fn waits(&self, address: usize, thread: &Weak<Thread>) -> bool {
        let mut next = self
            .find(address)
            .map_or(NONE, |FutexName(index)| self.futexes[index as usize].head);
        while let Some(waiter) = self.waiters.get(next as usize) {
            if waiter.thread.ptr_eq(thread) {
                return true;
            }
            next = waiter.next;
        }
        false
    }

    pub(super) fn is_woken(&self, WaiterName(index): WaiterName) -> bool {
        self.waiters[index as usize].futex == NONE
    }

    pub(super) fn set_waker(&mut self, WaiterName(index): WaiterName, waker: &Waker) {
        let kept = &mut self.waiters[index as usize].waker;
        if !kept.as_ref().is_some_and(|kept| kept.will_wake(waker)) {
            *kept = Some(waker.clone());
        }
    }

    /// Frees a waiter that was woken; its owner has seen it.
    pub(super) fn forget(&mut self, WaiterName(index): WaiterName) {
        let free = self.free_waiter;
        let waiter = &mut self.waiters[index as usize];
        waiter.thread = Weak::new();
        waiter.waker = None;
        waiter.next = free;
        self.free_waiter = index;
    }

    /// Takes a waiter out, wherever it stands. If a wake had picked it and it has not seen that: where.
    pub(super) fn give_up(&mut self, name: WaiterName) -> Option<usize> {
        let waiter = &self.waiters[name.0 as usize];
        let (futex, address) = (waiter.futex, waiter.address);
        let woken = futex == NONE;
        if !woken {
            self.unlink(name.0);
        }
        self.forget(name);
        woken.then_some(address)
    }

    fn find(&self, address: usize) -> Option<FutexName> {
        let mut index = self.buckets[bucket_of(address)];
        while let Some(futex) = self.futexes.get(index as usize) {
            if futex.address == address {
                return Some(FutexName(index));
            }
            index = futex.next;
        }
        None
    }

    fn first_before(&self, address: usize, epoch: u64) -> Option<u32> {
        let FutexName(futex) = self.find(address)?;
        let head = self.futexes[futex as usize].head;
        (self.waiters.get(head as usize)?.arrival < epoch).then_some(head)
    }

    fn append(&mut self, FutexName(futex): FutexName, index: u32) {
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
    fn unlink(&mut self, index: u32) {
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
        if self.futexes[futex as usize].head == NONE {
            self.close(futex);
        }
    }

    fn close(&mut self, futex: u32) {
        let address = self.futexes[futex as usize].address;
        let after = self.futexes[futex as usize].next;
        let bucket = bucket_of(address);
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
        let gone = &mut self.futexes[futex as usize];
        gone.owner = None;
        gone.next = self.free_futex;
        self.free_futex = futex;
    }
}

fn index_of(len: usize) -> ZxResult<u32> {
    u32::try_from(len)
        .ok()
        .filter(|index| *index != NONE)
        .ok_or(ZxError::NoMemory)
}

fn bucket_of(address: usize) -> usize {
    // Words of one structure differ in few low bits, those of two in the bits of their pages.
    ((address >> 2) ^ (address >> 12)) % BUCKETS
}
