//! Events: a state with a few bits that programs set.

use libzx::{AsHandle, Event, Rights, Signals};
use zx_abi::syscalls::SyscallId;
use zx_abi::ObjectType;

use crate::check::{check_eq, fails, ok, suite, Case};
use crate::memory::{arg, call, Scratch, BAD_ADDRESSES};
use crate::world::{in_ms, rights_of, World};

suite! {
    "Event":
    new_ones_have_no_signals_and_the_usual_rights,
    unknown_options_are_refused,
    bad_result_pointers_are_refused,
    signals_are_cleared_then_set,
    signals_stay_until_cleared,
    only_user_signals_and_signaled_can_be_set,
    signal_needs_the_right,
    an_event_has_no_peer,
    waiting_needs_the_right,
}

fn new_ones_have_no_signals_and_the_usual_rights(_: &World) -> Case {
    let event = ok!(Event::create());
    check_eq!(
        ok!(rights_of(&event)),
        Rights::default_for(ObjectType::Event)
    );
    check_eq!(ok!(event.signals_now(Signals::all())), Signals::empty());
    Ok(())
}

fn unknown_options_are_refused(_: &World) -> Case {
    let result = ok!(Scratch::new());
    for options in [1, 2, 1 << 31] {
        fails!(
            call(SyscallId::EventCreate, &[options, result.address()]),
            InvalidArgs
        );
    }
    check_eq!(result.u32(0), 0);
    Ok(())
}

fn bad_result_pointers_are_refused(_: &World) -> Case {
    for address in BAD_ADDRESSES {
        fails!(call(SyscallId::EventCreate, &[0, address]), InvalidArgs);
    }
    Ok(())
}

fn signals_are_cleared_then_set(_: &World) -> Case {
    let event = ok!(Event::create());
    ok!(event.signal(Signals::empty(), Signals::SIGNALED | Signals::USER_3));
    check_eq!(
        ok!(event.signals_now(Signals::all())),
        Signals::SIGNALED | Signals::USER_3
    );
    ok!(event.signal(
        Signals::USER_3 | Signals::SIGNALED,
        Signals::USER_7 | Signals::SIGNALED
    ));
    check_eq!(
        ok!(event.signals_now(Signals::all())),
        Signals::SIGNALED | Signals::USER_7
    );
    ok!(event.signal(Signals::USER_1, Signals::empty()));
    check_eq!(
        ok!(event.signals_now(Signals::all())),
        Signals::SIGNALED | Signals::USER_7
    );
    Ok(())
}

fn signals_stay_until_cleared(_: &World) -> Case {
    let event = ok!(Event::create());
    ok!(event.signal(Signals::empty(), Signals::SIGNALED));
    for _ in 0..2 {
        check_eq!(
            ok!(event.wait_one(Signals::SIGNALED, in_ms(0))),
            Signals::SIGNALED
        );
    }
    ok!(event.signal(Signals::SIGNALED, Signals::empty()));
    fails!(event.wait_one(Signals::SIGNALED, in_ms(0)), TimedOut);
    Ok(())
}

fn only_user_signals_and_signaled_can_be_set(_: &World) -> Case {
    let event = ok!(Event::create());
    for bit in (0..24).filter(|bit| *bit != 3) {
        let signal = Signals::from_bits_retain(1 << bit);
        fails!(event.signal(Signals::empty(), signal), InvalidArgs);
        fails!(event.signal(signal, Signals::empty()), InvalidArgs);
    }
    ok!(event.signal(Signals::empty(), Signals::USER_ALL));
    check_eq!(ok!(event.signals_now(Signals::all())), Signals::USER_ALL);
    Ok(())
}

fn signal_needs_the_right(_: &World) -> Case {
    let event = ok!(ok!(Event::create()).replace(Rights::BASIC));
    fails!(
        event.signal(Signals::empty(), Signals::USER_0),
        AccessDenied
    );
    // The right is asked for before the bits are looked at.
    fails!(
        event.signal(Signals::empty(), Signals::READABLE),
        AccessDenied
    );
    fails!(call(SyscallId::ObjectSignal, &[0, 0, 0]), BadHandle);
    Ok(())
}

fn an_event_has_no_peer(_: &World) -> Case {
    let event = ok!(Event::create());
    fails!(
        event.signal_peer(Signals::empty(), Signals::USER_0),
        AccessDenied
    );
    Ok(())
}

fn waiting_needs_the_right(_: &World) -> Case {
    let event = ok!(ok!(Event::create()).replace(Rights::SIGNAL));
    fails!(event.wait_one(Signals::SIGNALED, 0), AccessDenied);
    let result = ok!(Scratch::new());
    fails!(
        call(
            SyscallId::ObjectWaitOne,
            &[arg(&event), 8, 0, result.address()]
        ),
        AccessDenied
    );
    Ok(())
}
