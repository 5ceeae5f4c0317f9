//! Races between calls of several threads: whatever happens first, the result is one of the right ones.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicI32, Ordering};

use libzx::{
    AsHandle, Channel, Event, EventPair, Handle, Port, Rights, Signals, ZxError, ZxResult,
};
use zx_abi::syscalls::SyscallId;
use zx_abi::{PortPacket, Status};

use crate::blocking::call_through;
use crate::check::{check, check_eq, fail, fails, needs, ok, suite, Case};
use crate::memory::{address_of, call, wait_for_value};
use crate::world::{in_ms, sleep_ms, soon, World};

suite! {
    "Race":
    a_signal_between_the_check_and_the_sleep_is_seen,
    a_close_against_a_wait_ends_it,
    two_closers_of_one_handle_share_one_success,
    closing_both_ends_at_once_frees_both,
    a_cancelled_wait_gives_no_packet,
    a_cancel_on_a_closed_handle_is_a_bad_handle,
    a_signal_and_a_close_give_at_most_one_packet,
    a_port_closed_with_packets_and_waits_lets_go,
    waiters_at_a_port_get_one_packet_each_in_order,
    a_reply_overtakes_the_caller,
    two_callers_get_their_own_replies,
    a_reply_against_the_deadline_is_not_lost,
    a_wake_against_the_deadline_wakes_one_of_two,
    waiters_of_one_event_wake_all,
    a_write_against_the_close_of_the_peer_closes_its_handles,
}

const ROUNDS: i32 = 100;

/// Lets two threads begin a round at once.
static GATE: AtomicI32 = AtomicI32::new(0);
static DONE: AtomicI32 = AtomicI32::new(0);

fn reset() {
    GATE.store(0, Ordering::SeqCst);
    DONE.store(0, Ordering::SeqCst);
}

/// Waits without sleeping for long, so that the rounds begin close together.
fn pass_gate(round: i32) {
    while GATE.load(Ordering::SeqCst) < round {
        libzx::time::sleep_until(0);
    }
}

fn event() -> ZxResult<(Event, Event)> {
    let event = Event::create()?;
    let copy = event.duplicate(Rights::SAME_RIGHTS)?;
    Ok((event, copy))
}

fn a_signal_between_the_check_and_the_sleep_is_seen(_: &World) -> Case {
    reset();
    let (event, copy) = ok!(event());
    let signaler = ok!(libzx::thread::spawn("signaler", move || {
        for round in 1..=ROUNDS {
            pass_gate(round);
            let _ = copy.signal(Signals::empty(), Signals::SIGNALED);
        }
    }));
    for round in 1..=ROUNDS {
        GATE.store(round, Ordering::SeqCst);
        ok!(event.wait_one(Signals::SIGNALED, soon()));
        ok!(event.signal(Signals::SIGNALED, Signals::empty()));
    }
    ok!(signaler.join());
    Ok(())
}

fn a_close_against_a_wait_ends_it(_: &World) -> Case {
    for _ in 0..20 {
        reset();
        let (_event, copy) = ok!(event());
        let value = Handle::from(copy).into_raw();
        let closer = ok!(libzx::thread::spawn("closer", move || {
            pass_gate(1);
            drop(Handle::from_raw(value));
        }));
        GATE.store(1, Ordering::SeqCst);
        match libzx::Unowned(value).wait_one(Signals::SIGNALED, soon()) {
            Err(ZxError::Canceled | ZxError::BadHandle) => {}
            other => fail!("the wait ended with {other:?}"),
        }
        ok!(closer.join());
    }
    Ok(())
}

fn two_closers_of_one_handle_share_one_success(_: &World) -> Case {
    for _ in 0..20 {
        reset();
        let value = Handle::from(ok!(Event::create())).into_raw() as usize;
        let mut closers = Vec::new();
        for _ in 0..2 {
            closers.push(ok!(libzx::thread::spawn("closer", move || {
                pass_gate(1);
                if call(SyscallId::HandleClose, &[value]).is_ok() {
                    DONE.fetch_add(1, Ordering::SeqCst);
                }
            })));
        }
        GATE.store(1, Ordering::SeqCst);
        for closer in closers {
            ok!(closer.join());
        }
        check_eq!(DONE.load(Ordering::SeqCst), 1);
    }
    Ok(())
}

fn closing_both_ends_at_once_frees_both(_: &World) -> Case {
    for _ in 0..20 {
        reset();
        let (left, right) = ok!(Channel::create());
        let (witness, sent) = ok!(EventPair::create());
        ok!(left.write(b"", vec![sent.into()]));
        let closer = ok!(libzx::thread::spawn("closer", move || {
            pass_gate(1);
            drop(left);
        }));
        GATE.store(1, Ordering::SeqCst);
        drop(right);
        ok!(closer.join());
        ok!(witness.wait_one(Signals::PEER_CLOSED, soon()));
    }
    Ok(())
}

fn a_cancelled_wait_gives_no_packet(_: &World) -> Case {
    reset();
    let port = ok!(Port::create());
    let (event, copy) = ok!(event());
    let signaler = ok!(libzx::thread::spawn("signaler", move || {
        for round in 1..=ROUNDS {
            pass_gate(round);
            let _ = copy.signal(Signals::empty(), Signals::SIGNALED);
            DONE.store(round, Ordering::SeqCst);
        }
    }));
    for round in 1..=ROUNDS {
        ok!(event.wait_async(&port, 1, Signals::SIGNALED, 0));
        GATE.store(round, Ordering::SeqCst);
        // Nobody takes the packet, so there is always something to cancel.
        ok!(port.cancel(&event, 1));
        check!(wait_for_value(&DONE, round));
        fails!(port.wait(0), TimedOut);
        ok!(event.signal(Signals::SIGNALED, Signals::empty()));
    }
    ok!(signaler.join());
    Ok(())
}

fn a_cancel_on_a_closed_handle_is_a_bad_handle(_: &World) -> Case {
    let port = ok!(Port::create());
    let (event, copy) = ok!(event());
    ok!(copy.wait_async(&port, 1, Signals::SIGNALED, 0));
    let value = Handle::from(copy).into_raw();
    drop(Handle::from_raw(value));
    fails!(port.cancel(&libzx::Unowned(value), 1), BadHandle);
    fails!(port.cancel(&event, 1), NotFound);
    Ok(())
}

fn a_signal_and_a_close_give_at_most_one_packet(_: &World) -> Case {
    let port = ok!(Port::create());
    for _ in 0..20 {
        reset();
        let (event, copy) = ok!(event());
        ok!(copy.wait_async(&port, 1, Signals::SIGNALED, 0));
        let closer = ok!(libzx::thread::spawn("closer", move || {
            pass_gate(1);
            drop(copy);
        }));
        GATE.store(1, Ordering::SeqCst);
        ok!(event.signal(Signals::empty(), Signals::SIGNALED));
        ok!(closer.join());
        if let Ok(packet) = port.wait(0) {
            check_eq!(packet.key, 1);
        }
        fails!(port.wait(0), TimedOut);
    }
    Ok(())
}

fn a_port_closed_with_packets_and_waits_lets_go(_: &World) -> Case {
    let (event, copy) = ok!(event());
    for _ in 0..20 {
        let port = ok!(Port::create());
        for key in 0..4 {
            ok!(port.queue(&PortPacket::user(key, Status::OK, [0; 32])));
            ok!(event.wait_async(&port, key, Signals::SIGNALED, 0));
            ok!(event.wait_async(&port, key, Signals::USER_0, 0));
        }
        ok!(copy.signal(Signals::USER_0, Signals::SIGNALED));
        drop(port);
        ok!(copy.signal(Signals::SIGNALED, Signals::USER_0));
        ok!(copy.signal(Signals::USER_0, Signals::empty()));
    }
    // The event works as before.
    let port = ok!(Port::create());
    ok!(event.wait_async(&port, 9, Signals::SIGNALED, 0));
    ok!(copy.signal(Signals::empty(), Signals::SIGNALED));
    check_eq!(ok!(port.wait(0)).key, 9);
    fails!(port.wait(0), TimedOut);
    Ok(())
}

static ORDER: AtomicI32 = AtomicI32::new(0);

fn waiters_at_a_port_get_one_packet_each_in_order(_: &World) -> Case {
    reset();
    ORDER.store(0, Ordering::SeqCst);
    let port = ok!(Port::create());
    let mut waiters = Vec::new();
    for digit in 1..=3 {
        let copy = ok!(port.duplicate(Rights::SAME_RIGHTS));
        waiters.push(ok!(libzx::thread::spawn("waiter", move || {
            if copy.wait(soon()).is_ok() {
                let add = |order| Some(order * 10 + digit);
                let _ = ORDER.fetch_update(Ordering::SeqCst, Ordering::SeqCst, add);
                DONE.fetch_add(1, Ordering::SeqCst);
            }
        })));
        // Time to fall asleep, so that the order is known.
        sleep_ms(5);
    }
    for woken in 1..=3 {
        ok!(port.queue(&PortPacket::user(1, Status::OK, [0; 32])));
        check!(wait_for_value(&DONE, woken));
    }
    for waiter in waiters {
        ok!(waiter.join());
    }
    check_eq!(ORDER.load(Ordering::SeqCst), 123);
    fails!(port.wait(0), TimedOut);
    Ok(())
}

/// A thread that answers each request with itself until the peer closes.
fn echo(server: Channel) -> ZxResult<libzx::thread::JoinHandle> {
    libzx::thread::spawn("echo", move || {
        while let Ok(request) = server.read_by(soon()) {
            let _ = server.write(&request.bytes, vec![]);
        }
    })
}

fn a_reply_overtakes_the_caller(_: &World) -> Case {
    needs!(ChannelCall);
    let (client, server) = ok!(Channel::create());
    let service = ok!(echo(server));
    for _ in 0..ROUNDS {
        ok!(call_through(&client, soon()));
    }
    fails!(client.read(), ShouldWait);
    drop(client);
    ok!(service.join());
    Ok(())
}

fn two_callers_get_their_own_replies(_: &World) -> Case {
    needs!(ChannelCall);
    reset();
    let (client, server) = ok!(Channel::create());
    let client = Arc::new(client);
    let mut callers = Vec::new();
    for _ in 0..2 {
        let end = Arc::clone(&client);
        callers.push(ok!(libzx::thread::spawn("caller", move || {
            for _ in 0..20 {
                if call_through(&end, soon()).is_ok() {
                    DONE.fetch_add(1, Ordering::SeqCst);
                }
            }
        })));
    }
    for _ in 0..20 {
        // Both wait for a reply; the later one gets it first.
        let (first, second) = (ok!(server.read_by(soon())), ok!(server.read_by(soon())));
        check!(first.bytes != second.bytes);
        ok!(server.write(&second.bytes, vec![]));
        ok!(server.write(&first.bytes, vec![]));
    }
    for caller in callers {
        ok!(caller.join());
    }
    check_eq!(DONE.load(Ordering::SeqCst), 40);
    Ok(())
}

fn a_reply_against_the_deadline_is_not_lost(_: &World) -> Case {
    needs!(ChannelCall);
    let (client, server) = ok!(Channel::create());
    let service = ok!(echo(server));
    for delay in 0..20 {
        match call_through(&client, libzx::time::after(delay * 20_000)) {
            Ok(()) => fails!(client.read(), ShouldWait),
            Err(ZxError::TimedOut) => {
                check_eq!(ok!(client.read_by(soon())).bytes.len(), 4);
            }
            Err(error) => fail!("the call ended with {error}"),
        }
    }
    drop(client);
    ok!(service.join());
    Ok(())
}

static FUTEX: AtomicI32 = AtomicI32::new(0);

fn wait_on_futex(deadline: i64) -> ZxResult {
    let deadline = usize::try_from(deadline).unwrap_or(0);
    call(SyscallId::FutexWait, &[address_of(&FUTEX), 0, 0, deadline])
}

fn a_wake_against_the_deadline_wakes_one_of_two(_: &World) -> Case {
    static WOKEN: AtomicI32 = AtomicI32::new(0);
    for round in 0..10 {
        reset();
        WOKEN.store(0, Ordering::SeqCst);
        let deadline = in_ms(6);
        let mut waiters = Vec::new();
        // The first times out about when the wake comes, the second does not.
        for deadline in [deadline, soon()] {
            waiters.push(ok!(libzx::thread::spawn("waiter", move || {
                if wait_on_futex(deadline).is_ok() {
                    WOKEN.fetch_add(1, Ordering::SeqCst);
                }
                DONE.fetch_add(1, Ordering::SeqCst);
            })));
        }
        libzx::time::sleep_until(deadline + (round - 5) * 20_000);
        ok!(call(SyscallId::FutexWake, &[address_of(&FUTEX), 1]));
        sleep_ms(3);
        // A wake that went to a waiter that timed out would be lost.
        check!(WOKEN.load(Ordering::SeqCst) <= 1);
        while DONE.load(Ordering::SeqCst) < 2 {
            ok!(call(SyscallId::FutexWake, &[address_of(&FUTEX), 1]));
            sleep_ms(1);
        }
        check!(WOKEN.load(Ordering::SeqCst) >= 1);
        for waiter in waiters {
            ok!(waiter.join());
        }
    }
    Ok(())
}

fn waiters_of_one_event_wake_all(_: &World) -> Case {
    reset();
    let event = ok!(Event::create());
    let mut waiters = Vec::new();
    for _ in 0..8 {
        let copy = ok!(event.duplicate(Rights::SAME_RIGHTS));
        waiters.push(ok!(libzx::thread::spawn("waiter", move || {
            if copy.wait_one(Signals::SIGNALED, soon()).is_ok() {
                DONE.fetch_add(1, Ordering::SeqCst);
            }
        })));
    }
    sleep_ms(3);
    ok!(event.signal(Signals::empty(), Signals::SIGNALED));
    check!(wait_for_value(&DONE, 8));
    for waiter in waiters {
        ok!(waiter.join());
    }
    Ok(())
}

fn a_write_against_the_close_of_the_peer_closes_its_handles(_: &World) -> Case {
    for _ in 0..20 {
        reset();
        let (left, right) = ok!(Channel::create());
        let (witness, sent) = ok!(EventPair::create());
        let closer = ok!(libzx::thread::spawn("closer", move || {
            pass_gate(1);
            drop(right);
        }));
        GATE.store(1, Ordering::SeqCst);
        match left.write(b"", vec![sent.into()]) {
            Ok(()) | Err(ZxError::PeerClosed) => {}
            Err(error) => fail!("the write ended with {error}"),
        }
        // Delivered or not, the handle is gone with the reader.
        ok!(witness.wait_one(Signals::PEER_CLOSED, soon()));
        ok!(closer.join());
    }
    Ok(())
}
