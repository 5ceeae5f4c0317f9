//! The owner of a futex has at least the priority of those who wait for it.
//!
//! Each case has an owner of low priority and a hog between it and the waiters. Which of the two the CPU goes to says what the
//! owner has. This thread stands above all.

use core::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use libzx::thread::JoinHandle;
use libzx::{time, AsHandle, Thread, ZxResult};
use zx_abi::info::{InfoTopic, ThreadState, ThreadStatsInfo};
use zx_abi::syscalls::SyscallId;

use super::profile::give_priority;
use super::subject::reaches;
use crate::check::{check_eq, fail, fails, needs, ok, suite, Case, Outcome};
use crate::memory::{address_of, arg, call, Scratch};
use crate::world::{sleep_ms, soon, World};

suite! {
    "FutexPriority":
    an_owner_runs_like_who_waits_for_it_until_the_wake,
    what_was_lent_ends_with_the_time_of_the_wait,
    who_stays_in_line_lends_its_own_priority,
    who_waits_itself_lends_it_on,
    another_owner_takes_what_was_lent,
    the_owner_of_a_target_inherits_from_who_is_moved,
    an_owner_that_ends_leaves_it_to_the_next,
    a_waiter_lends_a_priority_that_it_gets_later,
}

const OWNER: i32 = 1;
const HOG: i32 = 8;
const WAITER: i32 = 15;
const WINDOW_MS: i64 = 60;

static FUTEX: AtomicI32 = AtomicI32::new(0);
static OTHER: AtomicI32 = AtomicI32::new(0);
static STOP: AtomicBool = AtomicBool::new(false);
/// Ends one thread before the others.
static STOP_ONE: AtomicBool = AtomicBool::new(false);

fn wait(futex: &AtomicI32, owner: usize, deadline: i64) -> ZxResult {
    let deadline = usize::try_from(deadline).unwrap_or(0);
    call(
        SyscallId::FutexWait,
        &[address_of(futex), 0, owner, deadline],
    )
}

fn wake(futex: &AtomicI32) -> ZxResult {
    call(SyscallId::FutexWake, &[address_of(futex), usize::MAX >> 33])
}

fn owner_of(futex: &AtomicI32) -> ZxResult<u64> {
    let page = Scratch::new()?;
    let args = [address_of(futex), page.address()];
    call(SyscallId::FutexGetOwner, &args)?;
    Ok(page.get(0))
}

/// An owner and a hog that compute, and who waits.
struct Scene<'a> {
    world: &'a World,
    owner: JoinHandle,
    hog: JoinHandle,
}

/// A thread of this priority that computes until it is told to stop.
fn computing(
    world: &World,
    priority: i32,
    stop: &'static AtomicBool,
) -> Result<JoinHandle, Outcome> {
    let compute = move || while !stop.load(Ordering::Relaxed) {};
    let handle = ok!(libzx::thread::spawn("computing", compute));
    give_priority(world, handle.thread(), priority)?;
    Ok(handle)
}

fn runtime(thread: &Thread) -> ZxResult<i64> {
    let stats: ThreadStatsInfo = thread.get_info(InfoTopic::ThreadStats)?;
    Ok(stats.total_runtime)
}

impl<'a> Scene<'a> {
    fn new(world: &'a World) -> Result<Self, Outcome> {
        needs!(FutexGetOwner);
        STOP.store(false, Ordering::Relaxed);
        STOP_ONE.store(false, Ordering::Relaxed);
        let owner = computing(world, OWNER, &STOP)?;
        let hog = computing(world, HOG, &STOP)?;
        Ok(Self { world, owner, hog })
    }

    /// A thread that waits for a futex of this owner.
    fn waiter(
        &self,
        priority: i32,
        futex: &'static AtomicI32,
        owner: &Thread,
        deadline: i64,
    ) -> Result<JoinHandle, Outcome> {
        let owner = arg(owner);
        let handle = ok!(libzx::thread::spawn("waiter", move || {
            let _ = wait(futex, owner, deadline);
        }));
        reaches(handle.thread(), ThreadState::BlockedFutex)?;
        give_priority(self.world, handle.thread(), priority)?;
        Ok(handle)
    }

    /// Which part of what it and the hog have a thread gets, in percent.
    fn part_of(&self, thread: &Thread) -> Result<i64, Outcome> {
        let hog = self.hog.thread();
        let before = (ok!(runtime(thread)), ok!(runtime(hog)));
        sleep_ms(WINDOW_MS);
        let of_thread = ok!(runtime(thread)) - before.0;
        let of_hog = ok!(runtime(hog)) - before.1;
        Ok(of_thread * 100 / (of_thread + of_hog).max(1))
    }

    /// A thread goes before the hog.
    fn is_high(&self, thread: &Thread) -> Case {
        match self.part_of(thread)? {
            part @ ..=55 => fail!("it has {part} percent of what it and the hog have"),
            _ => Ok(()),
        }
    }

    /// The hog goes before a thread.
    fn is_low(&self, thread: &Thread) -> Case {
        match self.part_of(thread)? {
            ..30 => Ok(()),
            part => fail!("it has {part} percent of what it and the hog have"),
        }
    }

    fn end(self, others: impl IntoIterator<Item = JoinHandle>) -> Case {
        STOP.store(true, Ordering::Relaxed);
        ok!(wake(&FUTEX));
        ok!(wake(&OTHER));
        for thread in [self.owner, self.hog].into_iter().chain(others) {
            ok!(thread.join());
        }
        Ok(())
    }
}

fn an_owner_runs_like_who_waits_for_it_until_the_wake(world: &World) -> Case {
    let scene = Scene::new(world)?;
    let owner = scene.owner.thread();
    scene.is_low(owner)?;
    let waiter = scene.waiter(WAITER, &FUTEX, owner, soon())?;
    scene.is_high(owner)?;
    ok!(wake(&FUTEX));
    scene.is_low(owner)?;
    scene.end([waiter])
}

fn what_was_lent_ends_with_the_time_of_the_wait(world: &World) -> Case {
    let scene = Scene::new(world)?;
    let owner = scene.owner.thread();
    let deadline = time::after(2 * WINDOW_MS * 1_000_000);
    let waiter = scene.waiter(WAITER, &FUTEX, owner, deadline)?;
    scene.is_high(owner)?;
    time::sleep_until(deadline + 5_000_000);
    scene.is_low(owner)?;
    scene.end([waiter])
}

fn who_stays_in_line_lends_its_own_priority(world: &World) -> Case {
    let scene = Scene::new(world)?;
    let owner = scene.owner.thread();
    let deadline = time::after(3 * WINDOW_MS * 1_000_000);
    let low = scene.waiter(OWNER, &FUTEX, owner, soon())?;
    let high = scene.waiter(WAITER, &FUTEX, owner, deadline)?;
    scene.is_high(owner)?;
    ok!(high.join());
    scene.is_low(owner)?;
    check_eq!(ok!(owner_of(&FUTEX)), ok!(owner.koid()));
    scene.end([low])
}

fn who_waits_itself_lends_it_on(world: &World) -> Case {
    let scene = Scene::new(world)?;
    let owner = scene.owner.thread();
    let between = scene.waiter(OWNER, &FUTEX, owner, soon())?;
    scene.is_low(owner)?;
    let waiter = scene.waiter(WAITER, &OTHER, between.thread(), soon())?;
    scene.is_high(owner)?;
    ok!(wake(&OTHER));
    scene.is_low(owner)?;
    scene.end([between, waiter])
}

fn another_owner_takes_what_was_lent(world: &World) -> Case {
    let scene = Scene::new(world)?;
    let (owner, next) = (scene.owner.thread(), computing(world, OWNER, &STOP)?);
    let first = scene.waiter(WAITER, &FUTEX, owner, soon())?;
    scene.is_high(owner)?;
    let second = scene.waiter(OWNER, &FUTEX, next.thread(), soon())?;
    scene.is_low(owner)?;
    scene.is_high(next.thread())?;
    scene.end([next, first, second])
}

fn the_owner_of_a_target_inherits_from_who_is_moved(world: &World) -> Case {
    let scene = Scene::new(world)?;
    let (owner, next) = (scene.owner.thread(), computing(world, OWNER, &STOP)?);
    let waiter = scene.waiter(WAITER, &FUTEX, next.thread(), soon())?;
    scene.is_low(owner)?;
    let (from, to) = (address_of(&FUTEX), address_of(&OTHER));
    ok!(call(
        SyscallId::FutexRequeue,
        &[from, 0, 0, to, 1, arg(owner)]
    ));
    scene.is_high(owner)?;
    scene.is_low(next.thread())?;
    scene.end([next, waiter])
}

fn an_owner_that_ends_leaves_it_to_the_next(world: &World) -> Case {
    let scene = Scene::new(world)?;
    let (owner, gone) = (scene.owner.thread(), computing(world, OWNER, &STOP_ONE)?);
    let first = scene.waiter(WAITER, &FUTEX, gone.thread(), soon())?;
    scene.is_high(gone.thread())?;
    STOP_ONE.store(true, Ordering::Relaxed);
    ok!(gone.join());
    check_eq!(ok!(owner_of(&FUTEX)), 0);
    scene.is_low(owner)?;
    let second = scene.waiter(OWNER, &FUTEX, owner, soon())?;
    scene.is_high(owner)?;
    scene.end([first, second])
}

fn a_waiter_lends_a_priority_that_it_gets_later(world: &World) -> Case {
    let scene = Scene::new(world)?;
    let owner = scene.owner.thread();
    let waiter = scene.waiter(OWNER, &FUTEX, owner, soon())?;
    scene.is_low(owner)?;
    give_priority(world, waiter.thread(), WAITER)?;
    scene.is_high(owner)?;
    give_priority(world, waiter.thread(), OWNER)?;
    scene.is_low(owner)?;
    // Its own priority counts too, and what it inherits is not more than that.
    give_priority(world, owner, WAITER)?;
    scene.is_high(owner)?;
    fails!(wait(&FUTEX, arg(waiter.thread()), 0), InvalidArgs);
    scene.end([waiter])
}
