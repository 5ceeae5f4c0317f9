//! Owners of futexes, and waiters that move from one futex to another.

use core::sync::atomic::{AtomicI32, Ordering};

use libzx::thread::JoinHandle;
use libzx::{AsHandle, Thread, ZxResult};
use zx_abi::syscalls::SyscallId;

use crate::check::{check, check_eq, fails, home_only, ok, suite, Case};
use crate::memory::{address_of, arg, call, wait_for_value, Scratch};
use crate::world::{in_ms, sleep_ms, soon, World};

suite! {
    "FutexOwner":
    a_timed_out_waiter_leaves_no_owner_behind,
    each_wait_replaces_the_owner,
    a_wake_takes_the_owner_away,
    a_single_owner_wake_makes_the_woken_thread_the_owner,
    a_requeue_names_the_owner_of_the_target,
    a_requeue_takes_the_owner_of_the_source_away,
    an_owner_that_has_not_started_is_refused,
    a_dead_owner_is_none,
    a_moved_waiter_keeps_its_deadline,
    a_moved_waiter_is_not_woken_at_its_old_futex,
    moved_waiters_keep_their_order_behind_those_who_wait,
    a_requeue_without_waiters_is_fine,
    a_wake_needs_no_memory_at_the_address,
}

static FUTEX: AtomicI32 = AtomicI32::new(0);
static OTHER: AtomicI32 = AtomicI32::new(0);
static STOP: AtomicI32 = AtomicI32::new(0);
static ENDED: AtomicI32 = AtomicI32::new(0);
static ORDER: AtomicI32 = AtomicI32::new(0);

fn reset() {
    for word in [&FUTEX, &OTHER, &STOP, &ENDED, &ORDER] {
        word.store(0, Ordering::SeqCst);
    }
}

fn wait(futex: &AtomicI32, owner: usize, deadline: i64) -> ZxResult {
    let deadline = usize::try_from(deadline).unwrap_or(0);
    call(
        SyscallId::FutexWait,
        &[address_of(futex), 0, owner, deadline],
    )
}

fn wake(futex: &AtomicI32, count: usize) -> ZxResult {
    call(SyscallId::FutexWake, &[address_of(futex), count])
}

/// Moves up to `count` waiters, after waking `woken`, from FUTEX to OTHER.
fn requeue(woken: usize, count: usize, owner: usize) -> ZxResult {
    let (from, to) = (address_of(&FUTEX), address_of(&OTHER));
    call(SyscallId::FutexRequeue, &[from, woken, 0, to, count, owner])
}

fn owner_of(futex: &AtomicI32) -> ZxResult<u64> {
    let page = Scratch::new()?;
    call(
        SyscallId::FutexGetOwner,
        &[address_of(futex), page.address()],
    )?;
    Ok(page.get(0))
}

/// A thread that waits, and then writes its digit.
fn waiter(
    futex: &'static AtomicI32,
    digit: i32,
    owner: usize,
    deadline: i64,
) -> ZxResult<JoinHandle> {
    let handle = libzx::thread::spawn("waiter", move || {
        let woken = wait(futex, owner, deadline).is_ok();
        let add = |order| Some(order * 10 + if woken { digit } else { 0 });
        let _ = ORDER.fetch_update(Ordering::SeqCst, Ordering::SeqCst, add);
        ENDED.fetch_add(1, Ordering::SeqCst);
    })?;
    // Time to fall asleep.
    sleep_ms(5);
    Ok(handle)
}

/// A thread to own something, until [`STOP`] is woken.
fn sleeper() -> ZxResult<JoinHandle> {
    libzx::thread::spawn("sleeper", || {
        let _ = wait(&STOP, 0, soon());
    })
}

fn a_timed_out_waiter_leaves_no_owner_behind(_: &World) -> Case {
    reset();
    let sleeper = ok!(sleeper());
    fails!(wait(&FUTEX, arg(sleeper.thread()), in_ms(2)), TimedOut);
    check_eq!(ok!(owner_of(&FUTEX)), 0);
    sleep_ms(3);
    ok!(wake(&STOP, 1));
    ok!(sleeper.join());
    Ok(())
}

fn each_wait_replaces_the_owner(_: &World) -> Case {
    reset();
    let sleeper = ok!(sleeper());
    let koid = ok!(sleeper.thread().koid());
    let first = ok!(waiter(&FUTEX, 1, arg(sleeper.thread()), soon()));
    check_eq!(ok!(owner_of(&FUTEX)), koid);
    let second = ok!(waiter(&FUTEX, 2, 0, soon()));
    check_eq!(ok!(owner_of(&FUTEX)), 0);
    ok!(wake(&FUTEX, 2));
    ok!(wake(&STOP, 1));
    for thread in [first, second, sleeper] {
        ok!(thread.join());
    }
    Ok(())
}

fn a_wake_takes_the_owner_away(_: &World) -> Case {
    reset();
    let sleeper = ok!(sleeper());
    let owner = arg(sleeper.thread());
    let threads = [
        ok!(waiter(&FUTEX, 1, owner, soon())),
        ok!(waiter(&FUTEX, 2, owner, soon())),
    ];
    ok!(wake(&FUTEX, 1));
    check!(wait_for_value(&ENDED, 1));
    check_eq!(ok!(owner_of(&FUTEX)), 0);
    ok!(wake(&FUTEX, 1));
    ok!(wake(&STOP, 1));
    for thread in threads {
        ok!(thread.join());
    }
    ok!(sleeper.join());
    Ok(())
}

fn a_single_owner_wake_makes_the_woken_thread_the_owner(_: &World) -> Case {
    reset();
    let first = ok!(libzx::thread::spawn("first", || {
        let _ = wait(&FUTEX, 0, soon());
        ENDED.fetch_add(1, Ordering::SeqCst);
        // It stays alive, so that it can be the owner.
        let _ = wait(&STOP, 0, soon());
    }));
    sleep_ms(5);
    let second = ok!(waiter(&FUTEX, 2, 0, soon()));
    let koid = ok!(first.thread().koid());
    ok!(call(SyscallId::FutexWakeSingleOwner, &[address_of(&FUTEX)]));
    check!(wait_for_value(&ENDED, 1));
    check_eq!(ok!(owner_of(&FUTEX)), koid);
    ok!(call(SyscallId::FutexWakeSingleOwner, &[address_of(&FUTEX)]));
    check!(wait_for_value(&ENDED, 2));
    // Nobody waits any more.
    check_eq!(ok!(owner_of(&FUTEX)), 0);
    sleep_ms(3);
    ok!(wake(&STOP, 1));
    for thread in [first, second] {
        ok!(thread.join());
    }
    Ok(())
}

fn a_requeue_names_the_owner_of_the_target(_: &World) -> Case {
    reset();
    let sleeper = ok!(sleeper());
    let koid = ok!(sleeper.thread().koid());
    let moved = ok!(waiter(&FUTEX, 1, 0, soon()));
    ok!(requeue(0, 1, arg(sleeper.thread())));
    check_eq!(ok!(owner_of(&OTHER)), koid);
    ok!(wake(&OTHER, 1));
    ok!(moved.join());
    // Without waiters there is no owner.
    check_eq!(ok!(owner_of(&OTHER)), 0);
    ok!(requeue(0, 1, arg(sleeper.thread())));
    check_eq!(ok!(owner_of(&OTHER)), 0);
    ok!(wake(&STOP, 1));
    ok!(sleeper.join());
    Ok(())
}

fn a_requeue_takes_the_owner_of_the_source_away(_: &World) -> Case {
    reset();
    let sleeper = ok!(sleeper());
    let owner = arg(sleeper.thread());
    let threads = [
        ok!(waiter(&FUTEX, 1, owner, soon())),
        ok!(waiter(&FUTEX, 2, owner, soon())),
    ];
    ok!(requeue(0, 1, 0));
    check_eq!((ok!(owner_of(&FUTEX)), ok!(owner_of(&OTHER))), (0, 0));
    for futex in [&FUTEX, &OTHER, &STOP] {
        ok!(wake(futex, 2));
    }
    for thread in threads {
        ok!(thread.join());
    }
    ok!(sleeper.join());
    Ok(())
}

fn an_owner_that_has_not_started_is_refused(world: &World) -> Case {
    home_only!(world);
    reset();
    let new = ok!(Thread::create(&libzx::own_process(), "new"));
    fails!(wait(&FUTEX, arg(&new), in_ms(1)), InvalidArgs);
    fails!(requeue(0, 1, arg(&new)), InvalidArgs);
    Ok(())
}

fn a_dead_owner_is_none(_: &World) -> Case {
    reset();
    let sleeper = ok!(sleeper());
    let waiting = ok!(waiter(&FUTEX, 1, arg(sleeper.thread()), soon()));
    check!(ok!(owner_of(&FUTEX)) != 0);
    ok!(wake(&STOP, 1));
    ok!(sleeper.join());
    sleep_ms(2);
    check_eq!(ok!(owner_of(&FUTEX)), 0);
    ok!(wake(&FUTEX, 1));
    ok!(waiting.join());
    Ok(())
}

fn a_moved_waiter_keeps_its_deadline(_: &World) -> Case {
    reset();
    let deadline = in_ms(25);
    let moved = ok!(waiter(&FUTEX, 1, 0, deadline));
    ok!(requeue(0, 1, 0));
    check!(wait_for_value(&ENDED, 1));
    check!(libzx::time::now() >= deadline);
    check_eq!(ORDER.load(Ordering::SeqCst), 0);
    ok!(moved.join());
    // It left no trace at either futex.
    ok!(wake(&OTHER, 1));
    Ok(())
}

fn a_moved_waiter_is_not_woken_at_its_old_futex(_: &World) -> Case {
    reset();
    let moved = ok!(waiter(&FUTEX, 1, 0, soon()));
    ok!(requeue(0, 1, 0));
    ok!(wake(&FUTEX, 10));
    sleep_ms(3);
    check_eq!(ENDED.load(Ordering::SeqCst), 0);
    ok!(wake(&OTHER, 1));
    check!(wait_for_value(&ENDED, 1));
    ok!(moved.join());
    Ok(())
}

fn moved_waiters_keep_their_order_behind_those_who_wait(_: &World) -> Case {
    reset();
    let threads = [
        ok!(waiter(&OTHER, 1, 0, soon())),
        ok!(waiter(&FUTEX, 2, 0, soon())),
        ok!(waiter(&FUTEX, 3, 0, soon())),
    ];
    ok!(requeue(0, 2, 0));
    for woken in 1..=3 {
        ok!(wake(&OTHER, 1));
        check!(wait_for_value(&ENDED, woken));
    }
    check_eq!(ORDER.load(Ordering::SeqCst), 123);
    for thread in threads {
        ok!(thread.join());
    }
    Ok(())
}

fn a_requeue_without_waiters_is_fine(_: &World) -> Case {
    reset();
    ok!(requeue(0, 0, 0));
    ok!(requeue(5, 5, 0));
    Ok(())
}

fn a_wake_needs_no_memory_at_the_address(_: &World) -> Case {
    // Nothing is mapped there, but a program could map something.
    ok!(call(SyscallId::FutexWake, &[0x3000_0000_0000, 1]));
    Ok(())
}
