//! Ports: user packets, packets of waits, cancelling.

use libzx::{AsHandle, Channel, Event, Handle, Port, Rights, Signals};
use zx_abi::packet::PacketType;
use zx_abi::syscalls::SyscallId;
use zx_abi::{ObjectType, PortPacket, Status};

use crate::check::{check, check_eq, fails, home_only, ok, suite, Case};
use crate::memory::{arg, call, Scratch, BAD_ADDRESSES};
use crate::world::{in_ms, rights_of, soon, World};

suite! {
    "Port":
    new_ones_have_the_usual_rights,
    unknown_options_are_refused,
    packets_come_out_as_they_went_in_and_in_order,
    the_type_of_a_queued_packet_is_always_user,
    an_empty_port_times_out,
    a_packet_wins_over_a_passed_deadline,
    a_waiting_thread_gets_the_packet,
    bad_packet_pointers_are_refused,
    queueing_and_waiting_need_rights,
    a_port_cannot_be_waited_on,
    at_most_2049_user_packets_wait,
    a_wait_on_a_present_signal_queues_at_once,
    a_wait_queues_once_when_the_signal_comes,
    a_wait_tells_how_many_messages_wait,
    unknown_wait_options_are_refused,
    a_timestamp_is_given_when_asked_for,
    an_edge_wait_ignores_a_signal_that_stands_already,
    waiting_needs_rights_on_both_objects,
    closing_the_handle_ends_the_wait,
    cancel_ends_a_wait_and_takes_back_its_packet,
    cancel_needs_handle_and_key_of_the_wait,
}

fn packet(key: u64) -> PortPacket {
    PortPacket::user(
        key,
        Status(-5),
        core::array::from_fn(|index| index.to_le_bytes()[0]),
    )
}

fn new_ones_have_the_usual_rights(_: &World) -> Case {
    let port = ok!(Port::create());
    check_eq!(ok!(rights_of(&port)), Rights::default_for(ObjectType::Port));
    Ok(())
}

fn unknown_options_are_refused(_: &World) -> Case {
    let result = ok!(Scratch::new());
    for options in [2, 4, 1 << 31] {
        fails!(
            call(SyscallId::PortCreate, &[options, result.address()]),
            InvalidArgs
        );
    }
    ok!(call(SyscallId::PortCreate, &[1, result.address()]));
    drop(Handle::from_raw(result.u32(0)));
    Ok(())
}

fn packets_come_out_as_they_went_in_and_in_order(_: &World) -> Case {
    let port = ok!(Port::create());
    for key in [7, u64::MAX, 0] {
        ok!(port.queue(&packet(key)));
    }
    for key in [7, u64::MAX, 0] {
        check_eq!(ok!(port.wait(0)), packet(key));
    }
    fails!(port.wait(0), TimedOut);
    Ok(())
}

fn the_type_of_a_queued_packet_is_always_user(_: &World) -> Case {
    let port = ok!(Port::create());
    ok!(port.queue(&PortPacket {
        kind: 7,
        ..packet(1)
    }));
    check_eq!(ok!(port.wait(0)), packet(1));
    Ok(())
}

fn an_empty_port_times_out(_: &World) -> Case {
    let port = ok!(Port::create());
    fails!(port.wait(0), TimedOut);
    let deadline = in_ms(5);
    fails!(port.wait(deadline), TimedOut);
    check!(libzx::time::now() >= deadline);
    Ok(())
}

fn a_packet_wins_over_a_passed_deadline(_: &World) -> Case {
    let port = ok!(Port::create());
    ok!(port.queue(&packet(3)));
    check_eq!(ok!(port.wait(i64::MIN)).key, 3);
    Ok(())
}

fn a_waiting_thread_gets_the_packet(_: &World) -> Case {
    let (port, answers) = (ok!(Port::create()), ok!(Port::create()));
    let (port2, answers2) = (
        ok!(port.duplicate(Rights::SAME_RIGHTS)),
        ok!(answers.duplicate(Rights::SAME_RIGHTS)),
    );
    let waiter = ok!(libzx::thread::spawn("waiter", move || {
        if let Ok(packet) = port2.wait(soon()) {
            let _ = answers2.queue(&PortPacket {
                key: packet.key + 1,
                ..packet
            });
        }
    }));
    crate::world::sleep_ms(2);
    ok!(port.queue(&packet(41)));
    check_eq!(ok!(answers.wait(soon())).key, 42);
    ok!(waiter.join());
    Ok(())
}

fn bad_packet_pointers_are_refused(_: &World) -> Case {
    let port = ok!(Port::create());
    for bad in BAD_ADDRESSES {
        fails!(call(SyscallId::PortQueue, &[arg(&port), bad]), InvalidArgs);
    }
    fails!(port.wait(0), TimedOut);
    // The packet is taken before it is written, so it is lost.
    ok!(port.queue(&packet(1)));
    fails!(call(SyscallId::PortWait, &[arg(&port), 0, 0]), InvalidArgs);
    fails!(port.wait(0), TimedOut);
    Ok(())
}

fn queueing_and_waiting_need_rights(_: &World) -> Case {
    let port = ok!(Port::create());
    let reader = ok!(port.duplicate(Rights::READ));
    let writer = ok!(port.duplicate(Rights::WRITE));
    fails!(reader.queue(&packet(1)), AccessDenied);
    ok!(writer.queue(&packet(1)));
    fails!(writer.wait(0), AccessDenied);
    ok!(reader.wait(0));
    let event = Port::from(Handle::from(ok!(Event::create())));
    fails!(event.wait(0), WrongType);
    fails!(event.queue(&packet(1)), WrongType);
    Ok(())
}

fn a_port_cannot_be_waited_on(_: &World) -> Case {
    let port = ok!(Port::create());
    fails!(port.wait_one(Signals::all(), 0), AccessDenied);
    fails!(
        port.wait_async(&port, 1, Signals::READABLE, 0),
        AccessDenied
    );
    Ok(())
}

fn at_most_2049_user_packets_wait(_: &World) -> Case {
    let port = ok!(Port::create());
    for _ in 0..2049 {
        ok!(port.queue(&packet(1)));
    }
    fails!(port.queue(&packet(1)), ShouldWait);
    ok!(port.wait(0));
    ok!(port.queue(&packet(2)));
    Ok(())
}

fn a_wait_on_a_present_signal_queues_at_once(_: &World) -> Case {
    let (port, event) = (ok!(Port::create()), ok!(Event::create()));
    ok!(event.signal(Signals::empty(), Signals::USER_0 | Signals::USER_1));
    ok!(event.wait_async(&port, 5, Signals::USER_0 | Signals::USER_2, 0));
    let packet = ok!(port.wait(0));
    check_eq!((packet.key, packet.status), (5, 0));
    check_eq!(packet.packet_type(), Some(PacketType::SignalOne));
    let Some(signal) = packet.as_signal() else {
        crate::check::fail!("no signal packet");
    };
    check_eq!(signal.trigger, Signals::USER_0 | Signals::USER_2);
    check_eq!(signal.observed, Signals::USER_0 | Signals::USER_1);
    check_eq!((signal.count, signal.timestamp), (1, 0));
    Ok(())
}

fn a_wait_queues_once_when_the_signal_comes(_: &World) -> Case {
    let (port, event) = (ok!(Port::create()), ok!(Event::create()));
    ok!(event.wait_async(&port, 6, Signals::SIGNALED, 0));
    ok!(event.signal(Signals::empty(), Signals::USER_0));
    fails!(port.wait(0), TimedOut);
    for _ in 0..2 {
        ok!(event.signal(Signals::empty(), Signals::SIGNALED));
        ok!(event.signal(Signals::SIGNALED, Signals::empty()));
    }
    check_eq!(ok!(port.wait(0)).key, 6);
    fails!(port.wait(0), TimedOut);
    Ok(())
}

fn a_wait_tells_how_many_messages_wait(_: &World) -> Case {
    let port = ok!(Port::create());
    let (left, right) = ok!(Channel::create());
    for _ in 0..3 {
        ok!(left.write(b"x", alloc::vec![]));
    }
    ok!(right.wait_async(&port, 1, Signals::CHANNEL_READABLE, 0));
    let count = ok!(port.wait(0)).as_signal().map(|signal| signal.count);
    check_eq!(count, Some(3));
    Ok(())
}

fn unknown_wait_options_are_refused(_: &World) -> Case {
    let (port, event) = (ok!(Port::create()), ok!(Event::create()));
    for options in [4, 6, 1 << 31] {
        fails!(
            event.wait_async(&port, 1, Signals::SIGNALED, options),
            InvalidArgs
        );
    }
    // Options come first.
    fails!(
        call(SyscallId::ObjectWaitAsync, &[0, 0, 0, 0, 4]),
        InvalidArgs
    );
    Ok(())
}

fn a_timestamp_is_given_when_asked_for(_: &World) -> Case {
    let (port, event) = (ok!(Port::create()), ok!(Event::create()));
    let before = libzx::time::now();
    ok!(event.wait_async(&port, 1, Signals::SIGNALED, 1));
    ok!(event.signal(Signals::empty(), Signals::SIGNALED));
    let after = libzx::time::now();
    let stamp = ok!(port.wait(0))
        .as_signal()
        .map_or(0, |signal| signal.timestamp);
    let stamp = i64::try_from(stamp).unwrap_or(0);
    check!(before <= stamp && stamp <= after);
    Ok(())
}

fn an_edge_wait_ignores_a_signal_that_stands_already(world: &World) -> Case {
    // The option came after 2019.
    home_only!(world);
    let (port, event) = (ok!(Port::create()), ok!(Event::create()));
    ok!(event.signal(Signals::empty(), Signals::SIGNALED));
    ok!(event.wait_async(&port, 1, Signals::SIGNALED, 2));
    fails!(port.wait(0), TimedOut);
    ok!(event.signal(Signals::SIGNALED, Signals::empty()));
    fails!(port.wait(0), TimedOut);
    ok!(event.signal(Signals::empty(), Signals::SIGNALED));
    check_eq!(ok!(port.wait(0)).key, 1);
    Ok(())
}

fn waiting_needs_rights_on_both_objects(_: &World) -> Case {
    let (port, event) = (ok!(Port::create()), ok!(Event::create()));
    let mute = ok!(event.duplicate(Rights::SIGNAL));
    fails!(
        mute.wait_async(&port, 1, Signals::SIGNALED, 0),
        AccessDenied
    );
    let reader = ok!(port.duplicate(Rights::READ));
    fails!(
        event.wait_async(&reader, 1, Signals::SIGNALED, 0),
        AccessDenied
    );
    let no_port = Port::from(ok!(event.duplicate_handle(Rights::SAME_RIGHTS)));
    fails!(
        event.wait_async(&no_port, 1, Signals::SIGNALED, 0),
        WrongType
    );
    fails!(
        call(SyscallId::ObjectWaitAsync, &[0, arg(&port), 1, 8, 0]),
        BadHandle
    );
    Ok(())
}

fn closing_the_handle_ends_the_wait(_: &World) -> Case {
    let (port, event) = (ok!(Port::create()), ok!(Event::create()));
    let copy = ok!(event.duplicate(Rights::SAME_RIGHTS));
    ok!(copy.wait_async(&port, 1, Signals::SIGNALED, 0));
    ok!(event.wait_async(&port, 2, Signals::SIGNALED, 0));
    drop(copy);
    ok!(event.signal(Signals::empty(), Signals::SIGNALED));
    check_eq!(ok!(port.wait(0)).key, 2);
    fails!(port.wait(0), TimedOut);
    Ok(())
}

fn cancel_ends_a_wait_and_takes_back_its_packet(_: &World) -> Case {
    let (port, event) = (ok!(Port::create()), ok!(Event::create()));
    ok!(event.wait_async(&port, 1, Signals::SIGNALED, 0));
    ok!(port.cancel(&event, 1));
    ok!(event.signal(Signals::empty(), Signals::SIGNALED));
    fails!(port.wait(0), TimedOut);
    // Now the packet is there at once, and can be taken back.
    ok!(event.wait_async(&port, 1, Signals::SIGNALED, 0));
    ok!(port.cancel(&event, 1));
    fails!(port.wait(0), TimedOut);
    fails!(port.cancel(&event, 1), NotFound);
    Ok(())
}

fn cancel_needs_handle_and_key_of_the_wait(_: &World) -> Case {
    let (port, event) = (ok!(Port::create()), ok!(Event::create()));
    let copy = ok!(event.duplicate(Rights::SAME_RIGHTS));
    ok!(event.wait_async(&port, 1, Signals::SIGNALED, 0));
    fails!(port.cancel(&event, 2), NotFound);
    fails!(port.cancel(&copy, 1), NotFound);
    let mute = ok!(event.duplicate(Rights::SIGNAL));
    fails!(port.cancel(&mute, 1), AccessDenied);
    ok!(event.signal(Signals::empty(), Signals::SIGNALED));
    check_eq!(ok!(port.wait(0)).key, 1);
    Ok(())
}
