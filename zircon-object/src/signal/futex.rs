//! Futexes: threads that wait for a word of user memory, in one table per process.
//!
//! A wait must not be slept through: the thread has to check the word and join the queue in one step, as seen from a wake. No
//! user memory is touched under the table's lock, so the step is done the other way round: [`FutexTable::enqueue`] first,
//! then the caller reads the word, then it sleeps or takes its place back. A program stores before it wakes; so either
//! the wake finds the waiter, or it came before the waiter joined, and then the waiter reads what was stored. A
//! waiter that takes its place back although a wake has picked it hands that wake on.
//!
//! Requeue reads the word too. [`FutexTable::epoch`], taken before, says who had joined when the word was read; those who came
//! later, perhaps for another value, are left alone.
//!
//! A futex has an owner only while somebody waits for it. The owner has at least the priority of those who wait
//! (`futex_queues/lending.rs`).

use super::futex_queues::{FutexName, Left, Line, Queues, WaiterName, Woken, LIMIT};
use crate::object::{KernelObject, Koid};
use crate::task::thread_state::Phase;
use crate::task::Thread;
use alloc::sync::Arc;
use core::future::Future;
use core::pin::Pin;
use core::sync::atomic::{fence, AtomicU32, AtomicUsize, Ordering};
use core::task::{Context, Poll, Waker};
use kernel_hal::sync::{Mutex, MutexGuard};
use zx_abi::{ZxError, ZxResult};

/// The futexes of one process, by address.
pub struct FutexTable {
    queues: Mutex<Queues>,
    /// Threads that have joined and not left, or more: nobody to wake can be told without the lock.
    joined: AtomicUsize,
}

/// A thread's place in the table of its process: taken when it waits or owns for the first time, kept to its end.
#[derive(Debug)]
pub struct FutexPlace(AtomicU32);

impl FutexPlace {
    const NONE: u32 = u32::MAX;
    /// Mark of a thread that owns and has not waited yet: no wake reaches it.
    const OWNS_ONLY: u32 = LIMIT;

    /// The thread has not waited yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicU32::new(Self::NONE))
    }

    /// The name, if it has waited.
    fn name(&self) -> Option<WaiterName> {
        let index = self.0.load(Ordering::Relaxed);
        (index < LIMIT).then_some(WaiterName(index))
    }

    /// The name, if it has waited or owned.
    fn any_name(&self) -> Option<WaiterName> {
        match self.0.load(Ordering::Relaxed) {
            Self::NONE => None,
            index => Some(WaiterName(index & !Self::OWNS_ONLY)),
        }
    }
}

impl Default for FutexPlace {
    fn default() -> Self {
        Self::new()
    }
}

/// A moment in the life of a table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Epoch(u64);

/// Who owns a futex after a wake.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NewOwner {
    /// Nobody.
    Nobody,
    /// The thread that was woken (`*_single_owner`).
    Woken,
}

impl FutexTable {
    /// Nobody waits.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            queues: Mutex::new(Queues::new()),
            joined: AtomicUsize::new(0),
        }
    }

    /// Lets `thread` join the queue of the futex at `address`; a wake calls `waker`. Then read the word, and either call
    /// [`FutexWait::begin`] and poll, or drop what this returns.
    ///
    /// # Errors
    /// - `NoMemory`: the kernel heap is exhausted.
    pub fn enqueue(
        &self,
        address: usize,
        thread: &Arc<Thread>,
        waker: &Waker,
    ) -> ZxResult<FutexWait<'_>> {
        // Counted before the caller reads the word. The other half is in `wake`.
        self.joined.fetch_add(1, Ordering::SeqCst);
        let joined = {
            let mut queues = self.queues.lock();
            let name = match thread.futex_place().name() {
                Some(name) => Ok(name),
                None => Self::first_place(&mut queues, thread, waker),
            };
            name.and_then(|name| Ok((name, queues.join(name, address)?)))
        };
        match joined {
            Ok((name, line)) => Ok(FutexWait {
                table: self,
                name: Some(name),
                address,
                line,
                fresh: Fresh::Yes,
            }),
            Err(error) => {
                self.joined.fetch_sub(1, Ordering::Release);
                Err(error)
            }
        }
    }

    #[cold]
    fn first_place(
        queues: &mut Queues,
        thread: &Arc<Thread>,
        waker: &Waker,
    ) -> ZxResult<WaiterName> {
        let name = match thread.futex_place().any_name() {
            Some(name) => {
                queues.set_waker(name, waker);
                name
            }
            None => queues.take_place(Arc::downgrade(thread), thread.base_rank(), Some(waker))?,
        };
        thread.futex_place().0.store(name.0, Ordering::Relaxed);
        Ok(name)
    }

    /// The place of a thread that is to own; none for one that is dead.
    fn owner_place(queues: &mut Queues, owner: &Arc<Thread>) -> ZxResult<Option<WaiterName>> {
        if let Some(name) = owner.futex_place().any_name() {
            return Ok(Some(name));
        }
        if owner.phase() == Phase::Dead {
            return Ok(None);
        }
        let name = queues.take_place(Arc::downgrade(owner), owner.base_rank(), None)?;
        let marked = name.0 | FutexPlace::OWNS_ONLY;
        owner.futex_place().0.store(marked, Ordering::Relaxed);
        Ok(Some(name))
    }

    /// Lets threads know what they inherit now. With the lock, since the last change counts; but none of them may end under it.
    #[inline(always)]
    fn settle<'a>(&'a self, queues: MutexGuard<'a, Queues>) {
        if queues.has_changed() {
            self.tell_heirs(queues);
        }
    }

    #[cold]
    fn tell_heirs<'a>(&'a self, mut queues: MutexGuard<'a, Queues>) {
        while let Some((heir, inherited)) = queues.next_changed() {
            let heir = heir.upgrade();
            if let Some(heir) = &heir {
                heir.inherit(inherited);
            }
            drop(queues);
            drop(heir);
            queues = self.queues.lock();
        }
    }

    /// A profile has given a thread another rank.
    pub(crate) fn base_changed(&self, thread: &Thread) {
        let mut queues = self.queues.lock();
        if let Some(name) = thread.futex_place().any_name() {
            queues.set_base(name, thread.base_rank());
        }
        self.settle(queues);
    }

    /// Frees the place of a thread that has ended.
    pub(crate) fn forget(&self, thread: &Thread) {
        let place = thread.futex_place();
        if let Some(name) = place.any_name() {
            place.0.store(FutexPlace::NONE, Ordering::Relaxed);
            self.queues.lock().free_place(name);
        }
    }

    /// Wakes up to `count` threads, who came first first. The futex then has the owner that `owner` says.
    #[inline(always)]
    pub fn wake(&self, address: usize, count: usize, owner: NewOwner) {
        // The program's store comes before this look: a waiter that is not counted yet will read what was stored.
        fence(Ordering::SeqCst);
        if self.joined.load(Ordering::Acquire) != 0 {
            self.wake_some(address, count, owner);
        }
    }

    fn wake_some(&self, address: usize, count: usize, owner: NewOwner) {
        let mut queues = self.queues.lock();
        let Some(futex) = queues.find(address) else {
            return;
        };
        let woken = queues.wake(futex, count, u64::MAX);
        own_after(&mut queues, futex, woken, owner);
        self.settle(queues);
    }

    /// Takes a thread out of its line; or says for which futex a wake has come before.
    fn give_up(&self, name: WaiterName) -> Option<usize> {
        let mut queues = self.queues.lock();
        let woken_at = queues.give_up(name);
        self.settle(queues);
        woken_at
    }

    /// Hands a wake on.
    #[cold]
    fn wake_one(&self, address: usize) {
        let mut queues = self.queues.lock();
        if let Some(futex) = queues.find(address) {
            if queues.wake(futex, 1, u64::MAX).left == Left::Some {
                queues.shortened(futex);
            }
        }
        self.settle(queues);
    }

    /// Now.
    pub fn epoch(&self) -> Epoch {
        Epoch(self.queues.lock().next_arrival())
    }

    /// Wakes up to `wake_count` threads of `from` and moves up to `move_count` of the next ones to `to`, whose owner becomes
    /// `to_owner`. Only threads that had joined before `epoch` take part.
    ///
    /// # Errors
    /// - `InvalidArgs`: the new owner waits on one of the two.
    /// - `NoMemory`: the kernel heap is exhausted.
    pub fn requeue(
        &self,
        from: Requeue,
        to: usize,
        to_owner: Option<&Arc<Thread>>,
        epoch: Epoch,
    ) -> ZxResult {
        let mut queues = self.queues.lock();
        let to_owner = match to_owner {
            Some(owner) => Self::owner_place(&mut queues, owner)?,
            None => None,
        };
        if let Some(owner) = to_owner {
            if queues.waits(from.address, owner) || queues.waits(to, owner) {
                return Err(ZxError::InvalidArgs);
            }
        }
        let target = queues.open(to)?;
        if let Some(futex) = queues.find(from.address) {
            let woken = queues.wake(futex, from.wake_count, epoch.0);
            if woken.left == Left::Some {
                let left = queues.relocate(futex, from.move_count, epoch.0, target);
                own_after(&mut queues, futex, Woken { left, ..woken }, from.owner);
            }
        }
        queues.set_owner(target, to_owner);
        queues.close_if_unused(to);
        self.settle(queues);
        Ok(())
    }

    /// Koid of the owner, if the futex has one that lives.
    pub fn owner(&self, address: usize) -> Koid {
        let owner = self
            .queues
            .lock()
            .owner(address)
            .and_then(|owner| owner.upgrade());
        match owner {
            Some(thread) if thread.phase() != Phase::Dead => thread.base().koid(),
            _ => Koid::NONE,
        }
    }
}

/// Gives a futex its owner after a wake, if it still has waiters.
#[inline(always)]
fn own_after(queues: &mut Queues, futex: FutexName, woken: Woken, owner: NewOwner) {
    if woken.left == Left::Some {
        let owner = match owner {
            NewOwner::Nobody => None,
            NewOwner::Woken => woken.last,
        };
        queues.set_owner(futex, owner);
    }
}

impl Default for FutexTable {
    fn default() -> Self {
        Self::new()
    }
}

/// What `requeue` takes from its first futex.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Requeue {
    /// Its address.
    pub address: usize,
    /// How many threads to wake.
    pub wake_count: usize,
    /// How many of the next ones to move.
    pub move_count: usize,
    /// Who owns it afterwards.
    pub owner: NewOwner,
}

/// A thread's place in a queue. Dropping it gives the place up; a wake that had picked the thread goes to the next one.
pub struct FutexWait<'a> {
    table: &'a FutexTable,
    /// `None` once the wait is over.
    name: Option<WaiterName>,
    address: usize,
    line: Line,
    fresh: Fresh,
}

/// Whether the waker was put in place by the poll that goes on: then a wake leads to another poll, and this one need not look.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fresh {
    Yes,
    No,
}

impl FutexWait<'_> {
    /// The word had the right value: the wait counts, and the futex gets this owner.
    ///
    /// # Errors
    /// - `InvalidArgs`: the new owner waits on the futex.
    /// - `NoMemory`: the kernel heap is exhausted.
    #[inline(always)]
    pub fn begin(&mut self, owner: Option<&Arc<Thread>>) -> ZxResult {
        // A line that was made for this wait has no owner. If others have joined since, they came later, and so do their owners.
        if owner.is_none() && self.line == Line::New {
            return Ok(());
        }
        self.own(owner)
    }

    fn own(&self, owner: Option<&Arc<Thread>>) -> ZxResult {
        let mut queues = self.table.queues.lock();
        let Some(name) = self.name else {
            return Ok(());
        };
        let owner = match owner {
            Some(owner) => FutexTable::owner_place(&mut queues, owner)?,
            None => None,
        };
        if owner.is_some_and(|owner| queues.waits(self.address, owner)) {
            return Err(ZxError::InvalidArgs);
        }
        let Some(futex) = queues.futex_of(name) else {
            return Ok(());
        };
        // If it was moved already, who moved it has said who owns the other futex.
        if queues.address_of(name) == self.address {
            queues.set_owner(futex, owner);
        }
        self.table.settle(queues);
        Ok(())
    }

    /// Gives the place up for want of time. Whether a wake had come after all: then the wait has succeeded.
    #[must_use]
    pub fn leave(mut self) -> Ended {
        let Some(name) = self.name.take() else {
            return Ended::Woken;
        };
        match self.table.give_up(name) {
            Some(_) => Ended::Woken,
            None => Ended::Waiting,
        }
    }
}

/// How a wait stood when it was given up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ended {
    /// A wake had picked the thread.
    Woken,
    /// None had.
    Waiting,
}

impl Future for FutexWait<'_> {
    type Output = ();
    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(name) = self.name else {
            return Poll::Ready(());
        };
        if core::mem::replace(&mut self.fresh, Fresh::No) == Fresh::Yes {
            return Poll::Pending;
        }
        {
            let mut queues = self.table.queues.lock();
            if queues.futex_of(name).is_some() {
                queues.set_waker(name, cx.waker());
                return Poll::Pending;
            }
        }
        self.name = None;
        Poll::Ready(())
    }
}

impl FutexWait<'_> {
    fn give_up(&self, name: WaiterName) {
        let unused_wake = self.table.give_up(name);
        if let Some(address) = unused_wake {
            self.table.wake_one(address);
        }
    }
}

impl Drop for FutexWait<'_> {
    fn drop(&mut self) {
        if let Some(name) = self.name {
            self.give_up(name);
        }
        self.table.joined.fetch_sub(1, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::sync::Weak;
    use executor::{Priority, Rank};

    const RANK: Rank = Rank::of(Priority::DEFAULT);

    fn poll(wait: &mut FutexWait<'_>) -> bool {
        Pin::new(wait)
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_ready()
    }

    fn join(table: &FutexTable, address: usize) -> FutexWait<'_> {
        table.joined.fetch_add(1, Ordering::SeqCst);
        let mut queues = table.queues.lock();
        let place = queues.take_place(Weak::new(), RANK, Some(Waker::noop()));
        let name = place.unwrap();
        let line = queues.join(name, address).unwrap();
        FutexWait {
            table,
            name: Some(name),
            address,
            line,
            fresh: Fresh::No,
        }
    }

    #[test]
    fn wakes_pick_threads_in_the_order_in_which_they_came() {
        let table = FutexTable::new();
        let (mut a, mut b, mut other) = (join(&table, 4), join(&table, 4), join(&table, 8));
        assert!(!poll(&mut a) && !poll(&mut b));
        table.wake(4, 1, NewOwner::Nobody);
        assert!(poll(&mut a) && !poll(&mut b));
        table.wake(4, 7, NewOwner::Nobody);
        assert!(poll(&mut b) && !poll(&mut other));
    }

    #[test]
    fn a_wake_that_found_a_thread_which_gives_up_goes_to_the_next_one() {
        let table = FutexTable::new();
        let (a, mut b) = (join(&table, 4), join(&table, 4));
        table.wake(4, 1, NewOwner::Nobody);
        drop(a);
        assert!(poll(&mut b));
    }

    #[test]
    fn a_wake_wins_over_a_timeout() {
        let table = FutexTable::new();
        let (a, mut b) = (join(&table, 4), join(&table, 4));
        table.wake(4, 1, NewOwner::Nobody);
        assert_eq!(a.leave(), Ended::Woken);
        assert!(!poll(&mut b));
    }

    #[test]
    fn a_wake_against_a_timeout_counts_for_one_of_two() {
        for round in 0..2000 {
            let table = FutexTable::new();
            let (first, mut second) = (join(&table, 4), join(&table, 4));
            let start = std::sync::Barrier::new(2);
            let left = std::thread::scope(|scope| {
                let left = scope.spawn(|| {
                    start.wait();
                    (0..round % 64).for_each(|_| core::hint::spin_loop());
                    first.leave()
                });
                start.wait();
                table.wake(4, 1, NewOwner::Nobody);
                left.join().unwrap()
            });
            // Who came first takes the wake unless it had gone before; then it is the other's.
            assert_eq!(poll(&mut second), left == Ended::Waiting, "round {round}");
        }
    }

    #[test]
    fn requeue_wakes_first_then_moves_and_leaves_who_came_after_the_epoch() {
        let table = FutexTable::new();
        let (mut a, mut b, mut c) = (join(&table, 4), join(&table, 4), join(&table, 4));
        let epoch = table.epoch();
        let mut late = join(&table, 4);
        let from = Requeue {
            address: 4,
            wake_count: 1,
            move_count: 9,
            owner: NewOwner::Nobody,
        };
        table.requeue(from, 8, None, epoch).unwrap();
        assert!(poll(&mut a) && !poll(&mut b) && !poll(&mut c));
        table.wake(4, 9, NewOwner::Nobody);
        assert!(poll(&mut late) && !poll(&mut b));
        table.wake(8, 1, NewOwner::Nobody);
        assert!(poll(&mut b) && !poll(&mut c));
    }

    #[test]
    fn who_has_waited_or_given_up_is_not_counted_any_more() {
        let table = FutexTable::new();
        let (mut woken, left, dropped) = (join(&table, 4), join(&table, 8), join(&table, 8));
        table.wake(4, 1, NewOwner::Nobody);
        assert!(poll(&mut woken));
        assert_eq!(left.leave(), Ended::Waiting);
        drop((woken, dropped));
        assert_eq!(table.joined.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn many_futexes_come_and_go() {
        let table = FutexTable::new();
        for round in 0..10 {
            let mut waits: std::vec::Vec<_> =
                (0..500).map(|i| join(&table, (i + round) * 4)).collect();
            for i in 0..250 {
                table.wake((i * 2 + round) * 4, 1, NewOwner::Nobody);
            }
            assert_eq!(
                waits
                    .iter_mut()
                    .filter_map(|wait| poll(wait).then_some(()))
                    .count(),
                250
            );
        }
    }
}
