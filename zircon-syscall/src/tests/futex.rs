//! Futexes: order of errors, owners, and the word that is read after joining the queue.

use super::{input, now, output, Program, NOWHERE};
use crate::futex::{
    sys_futex_get_owner, sys_futex_requeue, sys_futex_requeue_single_owner, sys_futex_wait,
    sys_futex_wake, sys_futex_wake_single_owner,
};
use crate::Caller;
use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use std::sync::Arc;
use zircon_object::task::{Process, Thread};
use zx_abi::ZxError;

const NEVER: i64 = i64::MAX;

#[test]
fn wait_looks_at_address_value_and_owner_in_that_order() {
    let program = Program::new();
    let (caller, word, event) = (program.caller(), program.put(&7_i32), program.event());
    let own = program.give(program.thread.clone());
    let other = Process::create(&program.job, b"other")
        .and_then(|process| Thread::new(process, b""))
        .unwrap();
    let foreign = program.give(other);
    for (address, value, owner, expected) in [
        (word + 2, 7, 0, ZxError::InvalidArgs),
        (0, 7, 0, ZxError::InvalidArgs),
        (NOWHERE, 7, 0, ZxError::InvalidArgs),
        (word, 8, 1, ZxError::BadState),
        (word, 7, 1, ZxError::BadHandle),
        (word, 7, event, ZxError::WrongType),
        (word, 7, foreign, ZxError::InvalidArgs),
        (word, 7, own, ZxError::InvalidArgs),
        (word, 7, 0, ZxError::TimedOut),
    ] {
        assert_eq!(
            now(sys_futex_wait(&caller, input(address), value, owner, 0)),
            Err(expected),
            "{address:#x} {value}"
        );
    }
}

#[test]
fn a_wake_ends_the_oldest_wait_and_needs_no_memory_behind_the_address() {
    let program = Program::new();
    let word = program.put(&0_i32);
    let other = Thread::new(program.thread.process().clone(), b"other").unwrap();
    let (first, second) = (program.caller(), Caller::new(&other, &program.abi));
    let mut a = pin!(sys_futex_wait(&first, input(word), 0, 0, NEVER));
    let mut b = pin!(sys_futex_wait(&second, input(word), 0, 0, NEVER));
    let cx = &mut Context::from_waker(Waker::noop());
    assert!(a.as_mut().poll(cx).is_pending() && b.as_mut().poll(cx).is_pending());
    assert_eq!(sys_futex_wake(&first, input(NOWHERE), 1), Ok(()));
    assert_eq!(
        sys_futex_wake(&first, input(word + 1), 0),
        Err(ZxError::InvalidArgs)
    );
    sys_futex_wake(&first, input(word), 1).unwrap();
    assert_eq!(
        (a.as_mut().poll(cx), b.as_mut().poll(cx)),
        (Poll::Ready(Ok(())), Poll::Pending)
    );
}

#[test]
fn requeue_checks_addresses_first_and_moves_waiters() {
    let program = Program::new();
    let (caller, from, to, koid) = (
        program.caller(),
        program.put(&3_i32),
        program.put(&0_i32),
        program.room(8),
    );
    for (source, value, target, owner, expected) in [
        (from, 9, from, 0, ZxError::InvalidArgs),
        (from, 9, 0, 0, ZxError::InvalidArgs),
        (from, 9, to + 1, 0, ZxError::InvalidArgs),
        (from, 9, to, 1, ZxError::BadState),
        (from, 3, to, 1, ZxError::BadHandle),
        (NOWHERE, 3, to, 0, ZxError::InvalidArgs),
    ] {
        let requeued = sys_futex_requeue(&caller, input(source), 0, value, input(target), 0, owner);
        assert_eq!(requeued, Err(expected));
    }
    let waiter = program.caller();
    let mut wait = pin!(sys_futex_wait(&waiter, input(from), 3, 0, NEVER));
    let cx = &mut Context::from_waker(Waker::noop());
    assert!(wait.as_mut().poll(cx).is_pending());
    sys_futex_requeue(&caller, input(from), 0, 3, input(to), 1, 0).unwrap();
    sys_futex_wake(&caller, input(from), 9).unwrap();
    assert!(wait.as_mut().poll(cx).is_pending());
    sys_futex_get_owner(&caller, input(to), output(koid)).unwrap();
    assert_eq!(program.get::<u64>(koid), 0);
    sys_futex_requeue_single_owner(&caller, input(to), 0, input(from), 0, 0).unwrap();
    assert_eq!(wait.as_mut().poll(cx), Poll::Ready(Ok(())));
}

#[test]
fn who_is_woken_as_single_owner_owns_the_futex_while_others_wait() {
    let program = Program::new();
    let (word, koid) = (program.put(&0_i32), program.room(8));
    let threads: [Arc<Thread>; 2] =
        core::array::from_fn(|_| Thread::new(program.thread.process().clone(), b"").unwrap());
    let callers = [
        Caller::new(&threads[0], &program.abi),
        Caller::new(&threads[1], &program.abi),
    ];
    let mut a = pin!(sys_futex_wait(&callers[0], input(word), 0, 0, NEVER));
    let mut b = pin!(sys_futex_wait(&callers[1], input(word), 0, 0, NEVER));
    let cx = &mut Context::from_waker(Waker::noop());
    assert!(a.as_mut().poll(cx).is_pending() && b.as_mut().poll(cx).is_pending());
    let caller = program.caller();
    sys_futex_wake_single_owner(&caller, input(word)).unwrap();
    assert!(a.as_mut().poll(cx).is_ready());
    sys_futex_get_owner(&caller, input(word), output(koid)).unwrap();
    assert_eq!(
        program.get::<u64>(koid),
        zircon_object::object::KernelObject::base(&*threads[0])
            .koid()
            .0
    );
    sys_futex_wake(&caller, input(word), 0).unwrap();
    sys_futex_get_owner(&caller, input(word), output(koid)).unwrap();
    assert_eq!(program.get::<u64>(koid), 0);
}
