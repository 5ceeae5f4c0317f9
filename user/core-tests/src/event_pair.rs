//! Event pairs: two events that can signal each other.

use libzx::{AsHandle, EventPair, Rights, Signals};
use zx_abi::syscalls::SyscallId;
use zx_abi::ObjectType;

use crate::check::{check, check_eq, fails, ok, suite, Case};
use crate::memory::{call, Scratch, BAD_ADDRESSES};
use crate::world::{basic_info, World};

suite! {
    "EventPair":
    ends_know_each_other,
    options_are_not_supported,
    bad_result_pointers_are_refused,
    each_end_has_its_own_signals,
    the_peer_can_be_signaled,
    signaling_a_closed_peer_says_peer_closed,
    bad_signals_are_told_before_a_closed_peer,
    signals_stay_when_the_peer_goes,
    signaling_the_peer_needs_the_right,
}

fn ends_know_each_other(_: &World) -> Case {
    let (left, right) = ok!(EventPair::create());
    let (left, right) = (ok!(basic_info(&left)), ok!(basic_info(&right)));
    check_eq!(
        (left.related_koid, right.related_koid),
        (right.koid, left.koid)
    );
    check!(left.koid != right.koid);
    check_eq!(left.kind, ObjectType::EventPair.raw());
    check_eq!(left.rights, Rights::default_for(ObjectType::EventPair));
    check_eq!(right.rights, left.rights);
    Ok(())
}

fn options_are_not_supported(_: &World) -> Case {
    let results = ok!(Scratch::new());
    let args = [1, results.address(), results.address() + 4];
    fails!(call(SyscallId::EventpairCreate, &args), NotSupported);
    Ok(())
}

fn bad_result_pointers_are_refused(_: &World) -> Case {
    let good = ok!(Scratch::new());
    for bad in BAD_ADDRESSES {
        fails!(
            call(SyscallId::EventpairCreate, &[0, bad, good.address()]),
            InvalidArgs
        );
        fails!(
            call(SyscallId::EventpairCreate, &[0, good.address(), bad]),
            InvalidArgs
        );
    }
    Ok(())
}

fn each_end_has_its_own_signals(_: &World) -> Case {
    let (left, right) = ok!(EventPair::create());
    check_eq!(ok!(left.signals_now(Signals::all())), Signals::empty());
    ok!(left.signal(Signals::empty(), Signals::USER_0 | Signals::SIGNALED));
    check_eq!(
        ok!(left.signals_now(Signals::all())),
        Signals::USER_0 | Signals::SIGNALED
    );
    check_eq!(ok!(right.signals_now(Signals::all())), Signals::empty());
    Ok(())
}

fn the_peer_can_be_signaled(_: &World) -> Case {
    let (left, right) = ok!(EventPair::create());
    ok!(left.signal_peer(Signals::empty(), Signals::SIGNALED | Signals::USER_2));
    check_eq!(
        ok!(right.signals_now(Signals::all())),
        Signals::SIGNALED | Signals::USER_2
    );
    check_eq!(ok!(left.signals_now(Signals::all())), Signals::empty());
    ok!(left.signal_peer(Signals::USER_2, Signals::empty()));
    check_eq!(ok!(right.signals_now(Signals::all())), Signals::SIGNALED);
    Ok(())
}

fn signaling_a_closed_peer_says_peer_closed(_: &World) -> Case {
    let (left, right) = ok!(EventPair::create());
    drop(right);
    check_eq!(ok!(left.signals_now(Signals::all())), Signals::PEER_CLOSED);
    fails!(
        left.signal_peer(Signals::empty(), Signals::USER_0),
        PeerClosed
    );
    ok!(left.signal(Signals::empty(), Signals::USER_0));
    Ok(())
}

fn bad_signals_are_told_before_a_closed_peer(_: &World) -> Case {
    let (left, right) = ok!(EventPair::create());
    fails!(
        left.signal_peer(Signals::empty(), Signals::PEER_CLOSED),
        InvalidArgs
    );
    drop(right);
    fails!(
        left.signal_peer(Signals::PEER_CLOSED, Signals::empty()),
        InvalidArgs
    );
    Ok(())
}

fn signals_stay_when_the_peer_goes(_: &World) -> Case {
    let (left, right) = ok!(EventPair::create());
    ok!(right.signal_peer(Signals::empty(), Signals::USER_5));
    drop(right);
    check_eq!(
        ok!(left.signals_now(Signals::all())),
        Signals::USER_5 | Signals::PEER_CLOSED
    );
    Ok(())
}

fn signaling_the_peer_needs_the_right(_: &World) -> Case {
    let (left, _right) = ok!(EventPair::create());
    let left = ok!(left.replace(Rights::BASIC | Rights::SIGNAL));
    fails!(
        left.signal_peer(Signals::empty(), Signals::USER_0),
        AccessDenied
    );
    ok!(left.signal(Signals::empty(), Signals::USER_0));
    Ok(())
}
