//! Waiting for signals of one object or several.

use alloc::vec::Vec;
use core::sync::atomic::{AtomicI32, Ordering};

use libzx::{wait_many, AsHandle, Event, EventPair, Handle, Rights, Signals, WaitFor};
use zx_abi::limits::{WAIT_MANY_MAX, WAIT_MANY_MAX_2019};
use zx_abi::syscalls::SyscallId;
use zx_abi::{WaitItem, ZxError};

use crate::check::{check, check_eq, fails, ok, suite, Case};
use crate::memory::{arg, call, wait_for_value, Scratch, BAD_ADDRESSES};
use crate::world::{in_ms, soon, Level, World};

suite! {
    "Wait":
    one_gives_all_signals_of_the_object,
    one_times_out_and_still_tells_the_state,
    one_for_nothing_times_out,
    one_needs_no_result_pointer,
    one_with_a_present_signal_ignores_a_passed_deadline,
    one_is_woken_by_another_thread,
    one_is_cancelled_when_its_handle_closes,
    one_is_not_cancelled_when_another_handle_closes,
    many_tells_every_item,
    many_times_out_and_still_tells_the_states,
    many_of_nothing_sleeps,
    many_has_a_limit,
    many_fails_at_the_first_bad_item,
    many_takes_the_same_handle_twice,
    many_is_cancelled_when_a_handle_closes,
    many_refuses_bad_pointers,
}

fn item(handle: &impl AsHandle, signals: Signals) -> WaitFor {
    WaitFor {
        handle: handle.raw(),
        signals,
    }
}

fn one_gives_all_signals_of_the_object(_: &World) -> Case {
    let event = ok!(Event::create());
    ok!(event.signal(Signals::empty(), Signals::USER_1 | Signals::USER_2));
    check_eq!(
        ok!(event.wait_one(Signals::USER_1, 0)),
        Signals::USER_1 | Signals::USER_2
    );
    Ok(())
}

fn one_times_out_and_still_tells_the_state(_: &World) -> Case {
    let event = ok!(Event::create());
    let mut page = ok!(Scratch::new());
    ok!(event.signal(Signals::empty(), Signals::USER_6));
    page.put(0, &0x5555_5555u32);
    let deadline = in_ms(5);
    let args = [
        arg(&event),
        8,
        usize::try_from(deadline).unwrap_or(0),
        page.address(),
    ];
    fails!(call(SyscallId::ObjectWaitOne, &args), TimedOut);
    check!(libzx::time::now() >= deadline);
    check_eq!(page.u32(0), Signals::USER_6.bits());
    Ok(())
}

fn one_for_nothing_times_out(_: &World) -> Case {
    let event = ok!(Event::create());
    ok!(event.signal(Signals::empty(), Signals::USER_ALL));
    fails!(event.wait_one(Signals::empty(), in_ms(1)), TimedOut);
    Ok(())
}

fn one_needs_no_result_pointer(_: &World) -> Case {
    let event = ok!(Event::create());
    ok!(event.signal(Signals::empty(), Signals::SIGNALED));
    ok!(call(SyscallId::ObjectWaitOne, &[arg(&event), 8, 0, 0]));
    for bad in BAD_ADDRESSES.into_iter().filter(|address| *address != 0) {
        fails!(
            call(SyscallId::ObjectWaitOne, &[arg(&event), 8, 0, bad]),
            InvalidArgs
        );
    }
    Ok(())
}

fn one_with_a_present_signal_ignores_a_passed_deadline(_: &World) -> Case {
    let event = ok!(Event::create());
    ok!(event.signal(Signals::empty(), Signals::SIGNALED));
    check_eq!(
        ok!(event.wait_one(Signals::SIGNALED, i64::MIN)),
        Signals::SIGNALED
    );
    Ok(())
}

fn one_is_woken_by_another_thread(_: &World) -> Case {
    let event = ok!(Event::create());
    let copy = ok!(event.duplicate(Rights::SAME_RIGHTS));
    let signaler = ok!(libzx::thread::spawn("signaler", move || {
        crate::world::sleep_ms(3);
        let _ = copy.signal(Signals::empty(), Signals::SIGNALED);
    }));
    check_eq!(
        ok!(event.wait_one(Signals::SIGNALED, soon())),
        Signals::SIGNALED
    );
    ok!(signaler.join());
    Ok(())
}

/// How a wait in another thread ended: 1 as it should with CANCELED, 2 otherwise.
static ENDED: AtomicI32 = AtomicI32::new(0);

fn one_is_cancelled_when_its_handle_closes(_: &World) -> Case {
    ENDED.store(0, Ordering::SeqCst);
    let event = ok!(Event::create());
    let waited = ok!(event.duplicate_handle(Rights::SAME_RIGHTS)).into_raw();
    let waiter = ok!(libzx::thread::spawn("waiter", move || {
        let result = libzx::Unowned(waited).wait_one(Signals::SIGNALED, soon());
        let cancelled = result == Err(ZxError::Canceled);
        ENDED.store(if cancelled { 1 } else { 2 }, Ordering::SeqCst);
    }));
    crate::world::sleep_ms(5);
    drop(Handle::from_raw(waited));
    check!(wait_for_value(&ENDED, 1));
    ok!(waiter.join());
    Ok(())
}

fn one_is_not_cancelled_when_another_handle_closes(_: &World) -> Case {
    let event = ok!(Event::create());
    let copy = ok!(event.duplicate(Rights::SAME_RIGHTS));
    let signaler = ok!(event.duplicate(Rights::SAME_RIGHTS));
    let closer = ok!(libzx::thread::spawn("closer", move || {
        crate::world::sleep_ms(2);
        drop(copy);
        crate::world::sleep_ms(2);
        let _ = signaler.signal(Signals::empty(), Signals::SIGNALED);
    }));
    check_eq!(
        ok!(event.wait_one(Signals::SIGNALED, soon())),
        Signals::SIGNALED
    );
    ok!(closer.join());
    Ok(())
}

fn many_tells_every_item(_: &World) -> Case {
    let (first, second) = (ok!(Event::create()), ok!(Event::create()));
    let (pair, _peer) = ok!(EventPair::create());
    ok!(second.signal(Signals::empty(), Signals::SIGNALED | Signals::USER_1));
    ok!(pair.signal(Signals::empty(), Signals::USER_2));
    let items = [
        item(&first, Signals::SIGNALED),
        item(&second, Signals::SIGNALED),
        item(&pair, Signals::SIGNALED),
    ];
    let pending = ok!(wait_many(&items, soon()));
    let expected = [
        Signals::empty(),
        Signals::SIGNALED | Signals::USER_1,
        Signals::USER_2,
    ];
    check_eq!(pending, expected);
    Ok(())
}

fn many_times_out_and_still_tells_the_states(_: &World) -> Case {
    let event = ok!(Event::create());
    ok!(event.signal(Signals::empty(), Signals::USER_4));
    let mut page = ok!(Scratch::new());
    let wait = WaitItem {
        handle: event.raw(),
        waitfor: Signals::SIGNALED,
        pending: Signals::empty(),
    };
    page.put(0, &wait);
    fails!(
        call(SyscallId::ObjectWaitMany, &[page.address(), 1, 0]),
        TimedOut
    );
    check_eq!(page.get::<WaitItem>(0).pending, Signals::USER_4);
    Ok(())
}

fn many_of_nothing_sleeps(_: &World) -> Case {
    let deadline = in_ms(3);
    fails!(wait_many(&[], deadline), TimedOut);
    check!(libzx::time::now() >= deadline);
    Ok(())
}

fn many_has_a_limit(world: &World) -> Case {
    let limit = match world.level {
        Level::Home => WAIT_MANY_MAX,
        Level::July2019 => WAIT_MANY_MAX_2019,
    };
    let event = ok!(Event::create());
    ok!(event.signal(Signals::empty(), Signals::SIGNALED));
    let items: Vec<WaitFor> = (0..=limit)
        .map(|_| item(&event, Signals::SIGNALED))
        .collect();
    ok!(wait_many(&items[..limit], 0));
    fails!(wait_many(&items, 0), OutOfRange);
    Ok(())
}

fn many_fails_at_the_first_bad_item(_: &World) -> Case {
    let event = ok!(Event::create());
    ok!(event.signal(Signals::empty(), Signals::SIGNALED));
    let good = item(&event, Signals::SIGNALED);
    let none = WaitFor { handle: 0, ..good };
    fails!(wait_many(&[good, none], 0), BadHandle);
    let mute = ok!(event.duplicate(Rights::SIGNAL));
    fails!(
        wait_many(&[good, item(&mute, Signals::SIGNALED)], 0),
        AccessDenied
    );
    fails!(
        wait_many(&[item(&mute, Signals::SIGNALED), none], 0),
        AccessDenied
    );
    Ok(())
}

fn many_takes_the_same_handle_twice(_: &World) -> Case {
    let event = ok!(Event::create());
    ok!(event.signal(Signals::empty(), Signals::USER_0));
    let items = [item(&event, Signals::USER_1), item(&event, Signals::USER_0)];
    check_eq!(ok!(wait_many(&items, soon())), [Signals::USER_0; 2]);
    Ok(())
}

fn many_is_cancelled_when_a_handle_closes(_: &World) -> Case {
    let (event, other) = (ok!(Event::create()), ok!(Event::create()));
    let closed = Handle::from(other);
    let items = [
        item(&event, Signals::SIGNALED),
        item(&closed, Signals::SIGNALED),
    ];
    let closer = ok!(libzx::thread::spawn("closer", move || {
        crate::world::sleep_ms(5);
        drop(closed);
    }));
    fails!(wait_many(&items, soon()), Canceled);
    ok!(closer.join());
    Ok(())
}

fn many_refuses_bad_pointers(_: &World) -> Case {
    for bad in BAD_ADDRESSES {
        fails!(call(SyscallId::ObjectWaitMany, &[bad, 1, 0]), InvalidArgs);
    }
    Ok(())
}
