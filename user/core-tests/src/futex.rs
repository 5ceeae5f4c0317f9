//! Futexes: sleeping on a word of memory.

use core::sync::atomic::{AtomicI32, Ordering};

use libzx::{AsHandle, Event, ZxResult};
use zx_abi::syscalls::SyscallId;

use crate::check::{check, check_eq, fails, needs, ok, suite, Case};
use crate::memory::{address_of, arg, call, wait_for_value, Scratch, BAD_ADDRESSES};
use crate::world::{in_ms, sleep_ms, soon, World};

suite! {
    "Futex":
    waking_nobody_is_fine,
    bad_addresses_are_refused,
    another_value_says_bad_state,
    waiting_times_out,
    wake_wakes_a_waiter,
    wake_wakes_as_many_as_asked_in_order,
    wake_of_none_wakes_none,
    requeue_checks_value_and_addresses,
    requeue_moves_waiters,
    the_value_is_checked_before_the_owner,
    an_owner_must_be_another_thread_of_the_process,
    an_owner_is_told_while_somebody_waits,
    single_owner_wake_wakes_one,
}

fn wait(futex: &AtomicI32, value: i32, owner: usize, deadline: i64) -> ZxResult {
    let value = u32::from_ne_bytes(value.to_ne_bytes()) as usize;
    let deadline = usize::try_from(deadline).unwrap_or(0);
    call(
        SyscallId::FutexWait,
        &[address_of(futex), value, owner, deadline],
    )
}

fn wake(futex: &AtomicI32, count: usize) -> ZxResult {
    call(SyscallId::FutexWake, &[address_of(futex), count])
}

fn waking_nobody_is_fine(_: &World) -> Case {
    let futex = AtomicI32::new(0);
    ok!(wake(&futex, 1));
    ok!(wake(&futex, usize::MAX));
    ok!(wake(&futex, 0));
    Ok(())
}

fn bad_addresses_are_refused(_: &World) -> Case {
    let page = ok!(Scratch::new());
    for misaligned in 1..4 {
        let address = page.address() + misaligned;
        fails!(call(SyscallId::FutexWait, &[address, 0, 0, 0]), InvalidArgs);
        fails!(call(SyscallId::FutexWake, &[address, 1]), InvalidArgs);
    }
    for bad in BAD_ADDRESSES {
        fails!(call(SyscallId::FutexWait, &[bad, 0, 0, 0]), InvalidArgs);
    }
    fails!(call(SyscallId::FutexWake, &[0, 1]), InvalidArgs);
    fails!(call(SyscallId::FutexWake, &[0, 0]), InvalidArgs);
    Ok(())
}

fn another_value_says_bad_state(_: &World) -> Case {
    let futex = AtomicI32::new(5);
    fails!(wait(&futex, 6, 0, soon()), BadState);
    fails!(wait(&futex, -5, 0, soon()), BadState);
    Ok(())
}

fn waiting_times_out(_: &World) -> Case {
    let futex = AtomicI32::new(-3);
    fails!(wait(&futex, -3, 0, 0), TimedOut);
    let deadline = in_ms(5);
    fails!(wait(&futex, -3, 0, deadline), TimedOut);
    check!(libzx::time::now() >= deadline);
    Ok(())
}

/// What the threads of these cases share. Cases run one after the other.
static FUTEX: AtomicI32 = AtomicI32::new(0);
static OTHER: AtomicI32 = AtomicI32::new(0);
static WOKEN: AtomicI32 = AtomicI32::new(0);
static ORDER: AtomicI32 = AtomicI32::new(0);

/// Starts a thread that waits on FUTEX, and then counts itself and writes its digit.
fn waiter(digit: i32) -> ZxResult<libzx::thread::JoinHandle> {
    let handle = libzx::thread::spawn("waiter", move || {
        if wait(&FUTEX, 0, 0, soon()).is_ok() {
            let _ =
                ORDER.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| Some(n * 10 + digit));
            WOKEN.fetch_add(1, Ordering::SeqCst);
        }
    });
    // One processor or several: give it time to fall asleep.
    sleep_ms(5);
    handle
}

fn reset() {
    for word in [&FUTEX, &OTHER, &WOKEN, &ORDER] {
        word.store(0, Ordering::SeqCst);
    }
}

fn wake_wakes_a_waiter(_: &World) -> Case {
    reset();
    let thread = ok!(waiter(1));
    check_eq!(WOKEN.load(Ordering::SeqCst), 0);
    ok!(wake(&FUTEX, 1));
    check!(wait_for_value(&WOKEN, 1));
    ok!(thread.join());
    Ok(())
}

fn wake_wakes_as_many_as_asked_in_order(_: &World) -> Case {
    reset();
    let threads = [ok!(waiter(1)), ok!(waiter(2)), ok!(waiter(3))];
    ok!(wake(&FUTEX, 1));
    check!(wait_for_value(&WOKEN, 1));
    check_eq!(ORDER.load(Ordering::SeqCst), 1);
    sleep_ms(3);
    check_eq!(WOKEN.load(Ordering::SeqCst), 1);
    ok!(wake(&FUTEX, 2));
    check!(wait_for_value(&WOKEN, 3));
    for thread in threads {
        ok!(thread.join());
    }
    Ok(())
}

fn wake_of_none_wakes_none(_: &World) -> Case {
    reset();
    let thread = ok!(waiter(1));
    ok!(wake(&FUTEX, 0));
    ok!(wake(&OTHER, 1));
    sleep_ms(3);
    check_eq!(WOKEN.load(Ordering::SeqCst), 0);
    ok!(wake(&FUTEX, 1));
    ok!(thread.join());
    Ok(())
}

fn requeue(from: usize, wake: usize, value: usize, to: usize, count: usize) -> ZxResult {
    call(SyscallId::FutexRequeue, &[from, wake, value, to, count, 0])
}

fn requeue_checks_value_and_addresses(_: &World) -> Case {
    reset();
    let (from, to) = (address_of(&FUTEX), address_of(&OTHER));
    fails!(requeue(from, 1, 1, to, 1), BadState);
    fails!(requeue(from, 1, 0, from, 1), InvalidArgs);
    fails!(requeue(from, 1, 1, from, 1), InvalidArgs);
    fails!(requeue(from + 1, 1, 0, to, 1), InvalidArgs);
    fails!(requeue(from, 1, 0, to + 2, 1), InvalidArgs);
    fails!(requeue(0, 1, 0, to, 1), InvalidArgs);
    fails!(requeue(from, 1, 0, 0, 0), InvalidArgs);
    ok!(requeue(from, 1, 0, to, 1));
    Ok(())
}

fn requeue_moves_waiters(_: &World) -> Case {
    reset();
    let threads = [ok!(waiter(1)), ok!(waiter(2)), ok!(waiter(3))];
    ok!(requeue(address_of(&FUTEX), 1, 0, address_of(&OTHER), 1));
    check!(wait_for_value(&WOKEN, 1));
    // The second moved, the third stayed.
    ok!(wake(&OTHER, 10));
    check!(wait_for_value(&WOKEN, 2));
    check_eq!(ORDER.load(Ordering::SeqCst), 12);
    ok!(wake(&FUTEX, 10));
    check!(wait_for_value(&WOKEN, 3));
    for thread in threads {
        ok!(thread.join());
    }
    Ok(())
}

fn the_value_is_checked_before_the_owner(_: &World) -> Case {
    let futex = AtomicI32::new(1);
    fails!(wait(&futex, 2, 0xffff_fff3, soon()), BadState);
    fails!(wait(&futex, 1, 0xffff_fff3, soon()), BadHandle);
    Ok(())
}

fn an_owner_must_be_another_thread_of_the_process(_: &World) -> Case {
    let futex = AtomicI32::new(1);
    let event = ok!(Event::create());
    fails!(wait(&futex, 1, arg(&event), in_ms(1)), WrongType);
    let process = ok!(libzx::own_process().duplicate_handle(libzx::Rights::SAME_RIGHTS));
    fails!(wait(&futex, 1, arg(&process), in_ms(1)), WrongType);
    Ok(())
}

fn owner(futex: &AtomicI32, page: &Scratch) -> ZxResult<u64> {
    call(
        SyscallId::FutexGetOwner,
        &[address_of(futex), page.address()],
    )?;
    Ok(page.get(0))
}

fn an_owner_is_told_while_somebody_waits(_: &World) -> Case {
    needs!(FutexGetOwner);
    reset();
    let page = ok!(Scratch::new());
    check_eq!(ok!(owner(&FUTEX, &page)), 0);
    let sleeper = ok!(libzx::thread::spawn("owner", || {
        let _ = wait(&OTHER, 0, 0, soon());
    }));
    let (value, koid) = (arg(sleeper.thread()), ok!(sleeper.thread().koid()));
    let waiting = ok!(libzx::thread::spawn("waiter", move || {
        let _ = wait(&FUTEX, 0, value, soon());
    }));
    sleep_ms(5);
    check_eq!(ok!(owner(&FUTEX, &page)), koid);
    ok!(wake(&FUTEX, 1));
    ok!(waiting.join());
    check_eq!(ok!(owner(&FUTEX, &page)), 0);
    ok!(wake(&OTHER, 1));
    ok!(sleeper.join());
    fails!(
        call(SyscallId::FutexGetOwner, &[0, page.address()]),
        InvalidArgs
    );
    Ok(())
}

fn single_owner_wake_wakes_one(_: &World) -> Case {
    needs!(FutexWakeSingleOwner);
    reset();
    let threads = [ok!(waiter(1)), ok!(waiter(2))];
    ok!(call(SyscallId::FutexWakeSingleOwner, &[address_of(&FUTEX)]));
    check!(wait_for_value(&WOKEN, 1));
    sleep_ms(2);
    check_eq!(WOKEN.load(Ordering::SeqCst), 1);
    ok!(wake(&FUTEX, 1));
    for thread in threads {
        ok!(thread.join());
    }
    fails!(call(SyscallId::FutexWakeSingleOwner, &[0]), InvalidArgs);
    Ok(())
}
