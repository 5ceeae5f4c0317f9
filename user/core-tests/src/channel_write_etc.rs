//! `channel_write_etc`: each handle moved or duplicated, checked for its type, with rights taken away.

use alloc::vec;

use libzx::{AsHandle, Channel, Event, EventPair, Handle, Rights, Signals};
use zx_abi::syscalls::SyscallId;
use zx_abi::{HandleDisposition, ObjectType, ZxError};

use crate::check::{check, check_eq, fails, ok, suite, Case};
use crate::disposition::{
    entry, event_with, gone, has_write_etc, is_valid, typed, watched, write, write_with, DUPLICATE,
    MOVE,
};
use crate::memory::{arg, call, Scratch};
use crate::world::{rights_of, World};

suite! {
    "ChannelWriteEtc":
    bytes_alone_arrive,
    nothing_at_all_is_a_message,
    a_moved_handle_arrives_and_is_gone_here,
    a_duplicated_handle_arrives_and_stays_here,
    one_handle_can_be_duplicated_several_times,
    one_handle_can_be_duplicated_and_then_moved,
    one_handle_moved_twice_is_a_bad_handle,
    one_handle_moved_and_then_duplicated_is_a_bad_handle,
    rights_are_taken_away_by_both_operations,
    rights_can_all_be_taken_away,
    the_type_must_be_the_named_one,
    type_none_means_any,
    a_source_needs_the_right_to_travel,
    a_duplicated_source_needs_the_right_to_be_duplicated,
    a_moved_source_does_not_need_the_right_to_be_duplicated,
    at_most_64_entries_travel,
    a_message_too_long_is_out_of_range,
    a_channel_cannot_be_sent_through_itself,
    a_channel_cannot_be_duplicated_through_itself,
    the_peer_can_be_sent,
    a_success_leaves_the_results,
}

fn bytes_alone_arrive(world: &World) -> Case {
    has_write_etc!(world);
    let (left, right) = ok!(Channel::create());
    let mut page = ok!(Scratch::new());
    page.put(0, b"bytes");
    let args = [arg(&left), 0, page.address(), 5, 0, 0];
    ok!(call(SyscallId::ChannelWriteEtc, &args));
    check_eq!(ok!(right.read()).bytes, b"bytes");
    Ok(())
}

fn nothing_at_all_is_a_message(world: &World) -> Case {
    has_write_etc!(world);
    let (left, right) = ok!(Channel::create());
    ok!(write(&left, &[]));
    let message = ok!(right.read());
    check_eq!((message.bytes.len(), message.handles.len()), (0, 0));
    Ok(())
}

fn a_moved_handle_arrives_and_is_gone_here(world: &World) -> Case {
    has_write_etc!(world);
    let (left, right) = ok!(Channel::create());
    let event = ok!(Event::create());
    let koid = ok!(event.koid());
    let value = Handle::from(event).into_raw();
    ok!(write(&left, &[entry(MOVE, value)]));
    check!(!is_valid(value));
    let message = ok!(right.read());
    check_eq!(ok!(message.handles[0].koid()), koid);
    check_eq!(
        ok!(rights_of(&message.handles[0])),
        Rights::default_for(ObjectType::Event)
    );
    Ok(())
}

fn a_duplicated_handle_arrives_and_stays_here(world: &World) -> Case {
    has_write_etc!(world);
    let (left, right) = ok!(Channel::create());
    let event = ok!(Event::create());
    ok!(write(&left, &[entry(DUPLICATE, event.raw())]));
    let message = ok!(right.read());
    check_eq!(ok!(message.handles[0].koid()), ok!(event.koid()));
    check!(message.handles[0].raw() != event.raw());
    Ok(())
}

fn one_handle_can_be_duplicated_several_times(world: &World) -> Case {
    has_write_etc!(world);
    let (left, right) = ok!(Channel::create());
    let event = ok!(Event::create());
    ok!(write(&left, &[entry(DUPLICATE, event.raw()); 3]));
    let message = ok!(right.read());
    for handle in &message.handles {
        check_eq!(ok!(handle.koid()), ok!(event.koid()));
    }
    check_eq!(message.handles.len(), 3);
    Ok(())
}

fn one_handle_can_be_duplicated_and_then_moved(world: &World) -> Case {
    has_write_etc!(world);
    let (left, right) = ok!(Channel::create());
    let value = Handle::from(ok!(Event::create())).into_raw();
    ok!(write(&left, &[entry(DUPLICATE, value), entry(MOVE, value)]));
    check!(!is_valid(value));
    check_eq!(ok!(right.read()).handles.len(), 2);
    Ok(())
}

fn one_handle_moved_twice_is_a_bad_handle(world: &World) -> Case {
    has_write_etc!(world);
    let (left, right) = ok!(Channel::create());
    let (witness, value) = ok!(watched());
    let entries = [entry(MOVE, value); 2];
    let (result, results) = ok!(write_with(arg(&left), 0, &entries));
    fails!(result, BadHandle);
    check_eq!(results, [0, ZxError::BadHandle as i32]);
    check!(ok!(gone(&witness)));
    fails!(right.read(), ShouldWait);
    Ok(())
}

fn one_handle_moved_and_then_duplicated_is_a_bad_handle(world: &World) -> Case {
    has_write_etc!(world);
    let (left, right) = ok!(Channel::create());
    let (witness, value) = ok!(watched());
    let entries = [entry(MOVE, value), entry(DUPLICATE, value)];
    fails!(write(&left, &entries), BadHandle);
    check!(ok!(gone(&witness)));
    fails!(right.read(), ShouldWait);
    Ok(())
}

fn rights_are_taken_away_by_both_operations(world: &World) -> Case {
    has_write_etc!(world);
    let (left, right) = ok!(Channel::create());
    let (moved, kept) = (ok!(Event::create()), ok!(Event::create()));
    let fewer = Rights::TRANSFER | Rights::WAIT;
    let with_fewer = |operation, handle| HandleDisposition {
        rights: fewer,
        ..entry(operation, handle)
    };
    let entries = [
        with_fewer(MOVE, Handle::from(moved).into_raw()),
        with_fewer(DUPLICATE, kept.raw()),
    ];
    ok!(write(&left, &entries));
    for handle in &ok!(right.read()).handles {
        check_eq!(ok!(rights_of(handle)), fewer);
    }
    check_eq!(
        ok!(rights_of(&kept)),
        Rights::default_for(ObjectType::Event)
    );
    Ok(())
}

fn rights_can_all_be_taken_away(world: &World) -> Case {
    has_write_etc!(world);
    let (left, right) = ok!(Channel::create());
    let event = ok!(Event::create());
    let none = HandleDisposition {
        rights: Rights::empty(),
        ..entry(DUPLICATE, event.raw())
    };
    ok!(write(&left, &[none]));
    let message = ok!(right.read());
    check_eq!(ok!(rights_of(&message.handles[0])), Rights::empty());
    Ok(())
}

fn the_type_must_be_the_named_one(world: &World) -> Case {
    has_write_etc!(world);
    let (left, right) = ok!(Channel::create());
    let (witness, value) = ok!(watched());
    fails!(
        write(&left, &[typed(MOVE, value, ObjectType::Event.raw())]),
        WrongType
    );
    check!(ok!(gone(&witness)));
    let (_witness, value) = ok!(watched());
    ok!(write(
        &left,
        &[typed(MOVE, value, ObjectType::EventPair.raw())]
    ));
    check_eq!(ok!(right.read()).handles.len(), 1);
    Ok(())
}

fn type_none_means_any(world: &World) -> Case {
    has_write_etc!(world);
    let (left, right) = ok!(Channel::create());
    let (event, other) = (ok!(Event::create()), ok!(EventPair::create()).0);
    let entries = [
        typed(DUPLICATE, event.raw(), 0),
        typed(DUPLICATE, other.raw(), 0),
    ];
    ok!(write(&left, &entries));
    check_eq!(ok!(right.read()).handles.len(), 2);
    Ok(())
}

fn a_source_needs_the_right_to_travel(world: &World) -> Case {
    has_write_etc!(world);
    let (left, right) = ok!(Channel::create());
    for operation in [MOVE, DUPLICATE] {
        let event = ok!(event_with(Rights::DUPLICATE | Rights::WAIT));
        let entries = [entry(operation, Handle::from(event).into_raw())];
        let (result, results) = ok!(write_with(arg(&left), 0, &entries));
        fails!(result, AccessDenied);
        check_eq!(results, [ZxError::AccessDenied as i32]);
    }
    fails!(right.read(), ShouldWait);
    Ok(())
}

fn a_duplicated_source_needs_the_right_to_be_duplicated(world: &World) -> Case {
    has_write_etc!(world);
    let (left, right) = ok!(Channel::create());
    let event = ok!(event_with(Rights::TRANSFER | Rights::WAIT));
    fails!(write(&left, &[entry(DUPLICATE, event.raw())]), AccessDenied);
    ok!(event.koid());
    fails!(right.read(), ShouldWait);
    Ok(())
}

fn a_moved_source_does_not_need_the_right_to_be_duplicated(world: &World) -> Case {
    has_write_etc!(world);
    let (left, right) = ok!(Channel::create());
    let event = ok!(event_with(Rights::TRANSFER));
    ok!(write(&left, &[entry(MOVE, Handle::from(event).into_raw())]));
    check_eq!(ok!(right.read()).handles.len(), 1);
    Ok(())
}

fn at_most_64_entries_travel(world: &World) -> Case {
    has_write_etc!(world);
    let (left, right) = ok!(Channel::create());
    let event = ok!(Event::create());
    ok!(write(&left, &[entry(DUPLICATE, event.raw()); 64]));
    check_eq!(ok!(right.read()).handles.len(), 64);
    fails!(
        write(&left, &[entry(DUPLICATE, event.raw()); 65]),
        OutOfRange
    );
    fails!(right.read(), ShouldWait);
    Ok(())
}

fn a_message_too_long_is_out_of_range(world: &World) -> Case {
    has_write_etc!(world);
    let (left, right) = ok!(Channel::create());
    let (witness, value) = ok!(watched());
    let mut page = ok!(Scratch::new());
    page.put(0, &entry(MOVE, value));
    let at = page.address();
    let args = [arg(&left), 0, at, 65_537, at, 1];
    fails!(call(SyscallId::ChannelWriteEtc, &args), OutOfRange);
    check!(ok!(gone(&witness)));
    fails!(right.read(), ShouldWait);
    Ok(())
}

fn a_channel_cannot_be_sent_through_itself(world: &World) -> Case {
    has_write_etc!(world);
    let (left, right) = ok!(Channel::create());
    let value = Handle::from(left).into_raw();
    let entries = [entry(MOVE, value)];
    let (result, results) = ok!(write_with(value as usize, 0, &entries));
    fails!(result, NotSupported);
    check_eq!(results, [ZxError::NotSupported as i32]);
    check_eq!(
        ok!(right.signals_now(Signals::all())),
        Signals::CHANNEL_PEER_CLOSED
    );
    Ok(())
}

fn a_channel_cannot_be_duplicated_through_itself(world: &World) -> Case {
    has_write_etc!(world);
    let (left, _right) = ok!(Channel::create());
    fails!(write(&left, &[entry(DUPLICATE, left.raw())]), NotSupported);
    ok!(left.write(b"still here", vec![]));
    Ok(())
}

fn the_peer_can_be_sent(world: &World) -> Case {
    has_write_etc!(world);
    let (left, right) = ok!(Channel::create());
    let value = Handle::from(right).into_raw();
    let entries = [typed(MOVE, value, ObjectType::Channel.raw())];
    ok!(write(&left, &entries));
    check!(!is_valid(value));
    check_eq!(
        ok!(left.signals_now(Signals::all())),
        Signals::CHANNEL_WRITABLE
    );
    Ok(())
}

fn a_success_leaves_the_results(world: &World) -> Case {
    has_write_etc!(world);
    let (left, _right) = ok!(Channel::create());
    let event = ok!(Event::create());
    let marked = HandleDisposition {
        result: 77,
        ..entry(DUPLICATE, event.raw())
    };
    let (result, results) = ok!(write_with(arg(&left), 0, &[marked]));
    ok!(result);
    check_eq!(results, [77]);
    Ok(())
}
