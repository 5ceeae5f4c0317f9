//! Channels: messages and the handles in them.

use alloc::vec;
use alloc::vec::Vec;

use libzx::{AsHandle, Channel, Event, EventPair, Handle, Rights, Signals, ZxResult};
use zx_abi::info::InfoTopic;
use zx_abi::syscalls::SyscallId;
use zx_abi::{HandleDisposition, HandleInfo, ObjectType, ZxError};

use crate::check::{check, check_eq, fails, home_only, needs, ok, suite, Case};
use crate::memory::{arg, call, Scratch, BAD_ADDRESSES};
use crate::world::{basic_info, rights_of, World};

suite! {
    "Channel":
    ends_know_each_other,
    unknown_options_are_refused,
    bad_result_pointers_are_refused,
    new_ones_are_writable_only,
    messages_arrive_in_order,
    an_empty_channel_says_should_wait,
    an_empty_message_is_a_message,
    messages_outlive_their_sender,
    a_closed_peer_is_seen,
    readable_goes_with_the_last_message,
    a_short_buffer_leaves_the_message_and_tells_its_size,
    discard_drops_what_does_not_fit,
    unknown_read_options_are_not_supported,
    messages_have_a_largest_size,
    bad_message_pointers_are_refused,
    reading_to_a_bad_pointer_loses_the_message,
    handles_move_with_their_rights,
    at_most_64_handles_travel,
    a_failed_write_takes_the_handles,
    a_channel_cannot_be_sent_through_itself,
    the_peer_can_be_sent_through_its_own_channel,
    the_same_handle_twice_is_a_bad_handle,
    handles_need_the_right_to_travel,
    reading_and_writing_need_rights,
    other_objects_have_the_wrong_type,
    handles_in_flight_close_with_the_channel,
    read_etc_tells_type_and_rights,
    write_etc_duplicates_and_moves,
    write_etc_names_the_entry_that_failed,
}

fn ends_know_each_other(_: &World) -> Case {
    let (left, right) = ok!(Channel::create());
    let (left, right) = (ok!(basic_info(&left)), ok!(basic_info(&right)));
    check_eq!(
        (left.related_koid, right.related_koid),
        (right.koid, left.koid)
    );
    check_eq!(left.kind, ObjectType::Channel.raw());
    check_eq!(left.rights, Rights::default_for(ObjectType::Channel));
    check_eq!(right.rights, left.rights);
    Ok(())
}

fn unknown_options_are_refused(_: &World) -> Case {
    let results = ok!(Scratch::new());
    let args = [1, results.address(), results.address() + 4];
    fails!(call(SyscallId::ChannelCreate, &args), InvalidArgs);
    let (left, _right) = ok!(Channel::create());
    fails!(call(SyscallId::ChannelWrite, &[arg(&left), 1]), InvalidArgs);
    Ok(())
}

fn bad_result_pointers_are_refused(_: &World) -> Case {
    let good = ok!(Scratch::new());
    for bad in BAD_ADDRESSES {
        fails!(
            call(SyscallId::ChannelCreate, &[0, bad, good.address()]),
            InvalidArgs
        );
        fails!(
            call(SyscallId::ChannelCreate, &[0, good.address(), bad]),
            InvalidArgs
        );
    }
    Ok(())
}

fn new_ones_are_writable_only(_: &World) -> Case {
    let (left, right) = ok!(Channel::create());
    check_eq!(
        ok!(left.signals_now(Signals::all())),
        Signals::CHANNEL_WRITABLE
    );
    check_eq!(
        ok!(right.signals_now(Signals::all())),
        Signals::CHANNEL_WRITABLE
    );
    Ok(())
}

fn messages_arrive_in_order(_: &World) -> Case {
    let (left, right) = ok!(Channel::create());
    for number in 0..20u8 {
        ok!(left.write(&vec![number; usize::from(number)], vec![]));
    }
    ok!(right.write(b"the other way", vec![]));
    for number in 0..20u8 {
        check_eq!(ok!(right.read()).bytes, vec![number; usize::from(number)]);
    }
    check_eq!(ok!(left.read()).bytes, b"the other way");
    Ok(())
}

fn an_empty_channel_says_should_wait(_: &World) -> Case {
    let (left, right) = ok!(Channel::create());
    fails!(left.read(), ShouldWait);
    drop(right);
    fails!(left.read(), PeerClosed);
    Ok(())
}

fn an_empty_message_is_a_message(_: &World) -> Case {
    let (left, right) = ok!(Channel::create());
    ok!(left.write(&[], vec![]));
    check!(ok!(right.signals_now(Signals::all())).contains(Signals::CHANNEL_READABLE));
    check_eq!(ok!(right.read()).bytes.len(), 0);
    fails!(right.read(), ShouldWait);
    Ok(())
}

fn messages_outlive_their_sender(_: &World) -> Case {
    let (left, right) = ok!(Channel::create());
    ok!(left.write(b"one", vec![]));
    ok!(left.write(b"two", vec![]));
    drop(left);
    check_eq!(ok!(right.read()).bytes, b"one");
    check_eq!(ok!(right.read()).bytes, b"two");
    fails!(right.read(), PeerClosed);
    Ok(())
}

fn a_closed_peer_is_seen(_: &World) -> Case {
    let (left, right) = ok!(Channel::create());
    ok!(right.write(b"x", vec![]));
    drop(right);
    let signals = Signals::CHANNEL_READABLE | Signals::CHANNEL_PEER_CLOSED;
    check_eq!(ok!(left.signals_now(Signals::all())), signals);
    fails!(left.write(b"x", vec![]), PeerClosed);
    Ok(())
}

fn readable_goes_with_the_last_message(_: &World) -> Case {
    let (left, right) = ok!(Channel::create());
    let both = Signals::CHANNEL_READABLE | Signals::CHANNEL_WRITABLE;
    ok!(left.write(b"one", vec![]));
    ok!(left.write(b"two", vec![]));
    check_eq!(ok!(right.signals_now(Signals::all())), both);
    ok!(right.read());
    check_eq!(ok!(right.signals_now(Signals::all())), both);
    ok!(right.read());
    check_eq!(
        ok!(right.signals_now(Signals::all())),
        Signals::CHANNEL_WRITABLE
    );
    Ok(())
}

fn a_short_buffer_leaves_the_message_and_tells_its_size(_: &World) -> Case {
    let (left, right) = ok!(Channel::create());
    let event: Handle = ok!(Event::create()).into();
    ok!(left.write(&[9; 100], vec![event]));
    let (result, bytes, handles) = right.read_raw(&mut [0; 99], &mut [0; 1]);
    fails!(result, BufferTooSmall);
    check_eq!((bytes, handles), (100, 1));
    let (result, bytes, handles) = right.read_raw(&mut [0; 100], &mut []);
    fails!(result, BufferTooSmall);
    check_eq!((bytes, handles), (100, 1));
    let (result, bytes, handles) = right.read_raw(&mut [], &mut []);
    fails!(result, BufferTooSmall);
    check_eq!((bytes, handles), (100, 1));
    check_eq!(ok!(right.read()).bytes, [9; 100]);
    Ok(())
}

/// `channel_read` with options into a scratch page: bytes at 0, handles at 2048, counts at 4000 and 4004.
fn read_with(channel: &Channel, options: usize, room: (usize, usize), page: &Scratch) -> ZxResult {
    let at = page.address();
    let args = [
        arg(channel),
        options,
        at,
        at + 2048,
        room.0,
        room.1,
        at + 4000,
        at + 4004,
    ];
    call(SyscallId::ChannelRead, &args)
}

fn discard_drops_what_does_not_fit(_: &World) -> Case {
    let (left, right) = ok!(Channel::create());
    let page = ok!(Scratch::new());
    ok!(left.write(b"long", vec![]));
    ok!(left.write(b"x", vec![]));
    fails!(read_with(&right, 1, (3, 0), &page), BufferTooSmall);
    check_eq!((page.u32(4000), page.u32(4004)), (4, 0));
    check_eq!(ok!(right.read()).bytes, b"x");
    fails!(read_with(&right, 1, (3, 0), &page), ShouldWait);
    Ok(())
}

fn unknown_read_options_are_not_supported(_: &World) -> Case {
    let (left, right) = ok!(Channel::create());
    let page = ok!(Scratch::new());
    ok!(left.write(b"x", vec![]));
    fails!(read_with(&right, 2, (10, 0), &page), NotSupported);
    check_eq!(ok!(right.read()).bytes, b"x");
    Ok(())
}

fn messages_have_a_largest_size(_: &World) -> Case {
    let (left, right) = ok!(Channel::create());
    let message = vec![3; 65_536];
    ok!(left.write(&message, vec![]));
    check!(ok!(right.read()).bytes == message);
    fails!(left.write(&vec![3; 65_537], vec![]), OutOfRange);
    fails!(right.read(), ShouldWait);
    Ok(())
}

fn bad_message_pointers_are_refused(_: &World) -> Case {
    let (left, right) = ok!(Channel::create());
    for bad in BAD_ADDRESSES {
        fails!(
            call(SyscallId::ChannelWrite, &[arg(&left), 0, bad, 1, 0, 0]),
            InvalidArgs
        );
        fails!(
            call(SyscallId::ChannelWrite, &[arg(&left), 0, 0, 0, bad, 1]),
            InvalidArgs
        );
    }
    fails!(right.read(), ShouldWait);
    Ok(())
}

fn reading_to_a_bad_pointer_loses_the_message(_: &World) -> Case {
    let (left, right) = ok!(Channel::create());
    ok!(left.write(b"xyz", vec![]));
    fails!(
        call(SyscallId::ChannelRead, &[arg(&right), 0, 0, 0, 3, 0, 0, 0]),
        InvalidArgs
    );
    fails!(right.read(), ShouldWait);
    Ok(())
}

fn handles_move_with_their_rights(_: &World) -> Case {
    let (left, right) = ok!(Channel::create());
    let event = ok!(ok!(Event::create()).replace(Rights::TRANSFER | Rights::WAIT));
    let (koid, value) = (ok!(event.koid()), arg(&event));
    ok!(left.write(b"", vec![event.into()]));
    fails!(
        call(
            SyscallId::ObjectGetInfo,
            &[value, InfoTopic::HandleValid.raw() as usize]
        ),
        BadHandle
    );
    let message = ok!(right.read());
    check_eq!(message.handles.len(), 1);
    check_eq!(ok!(message.handles[0].koid()), koid);
    check_eq!(
        ok!(rights_of(&message.handles[0])),
        Rights::TRANSFER | Rights::WAIT
    );
    Ok(())
}

fn events(count: usize) -> ZxResult<Vec<Handle>> {
    (0..count)
        .map(|_| Event::create().map(Handle::from))
        .collect()
}

fn at_most_64_handles_travel(_: &World) -> Case {
    let (left, right) = ok!(Channel::create());
    ok!(left.write(b"", ok!(events(64))));
    check_eq!(ok!(right.read()).handles.len(), 64);
    let (witness, sent) = ok!(EventPair::create());
    let mut handles = ok!(events(64));
    handles.push(sent.into());
    fails!(left.write(b"", handles), OutOfRange);
    check_eq!(
        ok!(witness.signals_now(Signals::all())),
        Signals::PEER_CLOSED
    );
    Ok(())
}

fn a_failed_write_takes_the_handles(_: &World) -> Case {
    let (left, right) = ok!(Channel::create());
    drop(right);
    let (witness, sent) = ok!(EventPair::create());
    fails!(left.write(b"", vec![sent.into()]), PeerClosed);
    check_eq!(
        ok!(witness.signals_now(Signals::all())),
        Signals::PEER_CLOSED
    );

    let (witness, sent) = ok!(EventPair::create());
    let mut page = ok!(Scratch::new());
    page.put(0, &Handle::from(sent).into_raw());
    let bad_options = [arg(&left), 7, 0, 0, page.address(), 1];
    fails!(call(SyscallId::ChannelWrite, &bad_options), InvalidArgs);
    check_eq!(
        ok!(witness.signals_now(Signals::all())),
        Signals::PEER_CLOSED
    );
    Ok(())
}

fn a_channel_cannot_be_sent_through_itself(_: &World) -> Case {
    let (left, right) = ok!(Channel::create());
    let mut page = ok!(Scratch::new());
    page.put(0, &left.raw());
    let value = Handle::from(left).into_raw() as usize;
    fails!(
        call(
            SyscallId::ChannelWrite,
            &[value, 0, 0, 0, page.address(), 1]
        ),
        NotSupported
    );
    // It is gone nevertheless.
    check_eq!(
        ok!(right.signals_now(Signals::all())),
        Signals::CHANNEL_PEER_CLOSED
    );
    Ok(())
}

fn the_peer_can_be_sent_through_its_own_channel(_: &World) -> Case {
    let (left, right) = ok!(Channel::create());
    ok!(left.write(b"", vec![right.into()]));
    // Nobody can read it: the message holds the only handle to its own end.
    check!(ok!(left.signals_now(Signals::all())).contains(Signals::CHANNEL_WRITABLE));
    Ok(())
}

fn the_same_handle_twice_is_a_bad_handle(_: &World) -> Case {
    let (left, right) = ok!(Channel::create());
    let event = Handle::from(ok!(Event::create())).into_raw();
    let mut page = ok!(Scratch::new());
    page.put(0, &[event, event]);
    fails!(
        call(
            SyscallId::ChannelWrite,
            &[arg(&left), 0, 0, 0, page.address(), 2]
        ),
        BadHandle
    );
    page.put(0, &[0u32]);
    fails!(
        call(
            SyscallId::ChannelWrite,
            &[arg(&left), 0, 0, 0, page.address(), 1]
        ),
        BadHandle
    );
    fails!(right.read(), ShouldWait);
    Ok(())
}

fn handles_need_the_right_to_travel(_: &World) -> Case {
    let (left, right) = ok!(Channel::create());
    let event = ok!(ok!(Event::create()).replace(Rights::WAIT | Rights::DUPLICATE));
    fails!(left.write(b"", vec![event.into()]), AccessDenied);
    fails!(right.read(), ShouldWait);
    Ok(())
}

fn reading_and_writing_need_rights(_: &World) -> Case {
    let (left, right) = ok!(Channel::create());
    let left = ok!(left.replace(Rights::READ));
    let right = ok!(right.replace(Rights::WRITE));
    fails!(left.write(b"", vec![]), AccessDenied);
    fails!(right.read(), AccessDenied);
    ok!(right.write(b"x", vec![]));
    check_eq!(ok!(left.read()).bytes, b"x");
    Ok(())
}

fn other_objects_have_the_wrong_type(_: &World) -> Case {
    let page = ok!(Scratch::new());
    // An event lacks READ too: the type is looked at first.
    let event = Channel::from(Handle::from(ok!(Event::create())));
    fails!(read_with(&event, 0, (8, 8), &page), WrongType);
    fails!(event.write(b"", vec![]), WrongType);
    fails!(
        call(SyscallId::ChannelRead, &[0, 0, 0, 0, 0, 0, 0, 0]),
        BadHandle
    );
    Ok(())
}

fn handles_in_flight_close_with_the_channel(_: &World) -> Case {
    let (left, right) = ok!(Channel::create());
    let (witness, sent) = ok!(EventPair::create());
    ok!(left.write(b"", vec![sent.into()]));
    drop(left);
    check_eq!(ok!(witness.signals_now(Signals::all())), Signals::empty());
    drop(right);
    check_eq!(
        ok!(witness.signals_now(Signals::all())),
        Signals::PEER_CLOSED
    );
    Ok(())
}

fn read_etc_tells_type_and_rights(_: &World) -> Case {
    needs!(ChannelReadEtc);
    let (left, right) = ok!(Channel::create());
    let event = ok!(ok!(Event::create()).replace(Rights::TRANSFER | Rights::WAIT));
    let (port_like, _other) = ok!(EventPair::create());
    ok!(left.write(b"ab", vec![event.into(), port_like.into()]));
    let page = ok!(Scratch::new());
    let at = page.address();
    let args = [arg(&right), 0, at, at + 2048, 2, 2, at + 4000, at + 4004];
    ok!(call(SyscallId::ChannelReadEtc, &args));
    check_eq!((page.u32(4000), page.u32(4004)), (2, 2));
    let [first, second]: [HandleInfo; 2] = [page.get(2048), page.get(2064)];
    check_eq!(first.kind, ObjectType::Event.raw());
    check_eq!(first.rights, Rights::TRANSFER | Rights::WAIT);
    check_eq!(second.kind, ObjectType::EventPair.raw());
    check_eq!(second.rights, Rights::default_for(ObjectType::EventPair));
    let handles = [first.handle, second.handle].map(Handle::from_raw);
    check!(handles.iter().all(|handle| handle.koid().is_ok()));
    Ok(())
}

fn disposition(operation: u32, handle: u32, kind: u32, rights: Rights) -> HandleDisposition {
    HandleDisposition {
        operation,
        handle,
        kind,
        rights,
        result: 0,
    }
}

fn write_etc_duplicates_and_moves(world: &World) -> Case {
    needs!(ChannelWriteEtc);
    home_only!(world);
    let (left, right) = ok!(Channel::create());
    let (moved, kept) = (ok!(Event::create()), ok!(Event::create()));
    let koids = [ok!(moved.koid()), ok!(kept.koid())];
    let mut page = ok!(Scratch::new());
    let moved = Handle::from(moved).into_raw();
    page.put(0, &disposition(0, moved, 0, Rights::SAME_RIGHTS));
    page.put(
        20,
        &disposition(
            1,
            kept.raw(),
            ObjectType::Event.raw(),
            Rights::WAIT | Rights::TRANSFER,
        ),
    );
    ok!(call(
        SyscallId::ChannelWriteEtc,
        &[arg(&left), 0, 0, 0, page.address(), 2]
    ));
    let message = ok!(right.read());
    check_eq!(message.handles.len(), 2);
    check_eq!(
        [
            ok!(message.handles[0].koid()),
            ok!(message.handles[1].koid())
        ],
        koids
    );
    check_eq!(
        ok!(rights_of(&message.handles[1])),
        Rights::WAIT | Rights::TRANSFER
    );
    ok!(kept.koid());
    Ok(())
}

fn write_etc_names_the_entry_that_failed(world: &World) -> Case {
    needs!(ChannelWriteEtc);
    home_only!(world);
    let (left, right) = ok!(Channel::create());
    let (first, second) = (ok!(Event::create()), ok!(Event::create()));
    let (witness, third) = ok!(EventPair::create());
    let mut page = ok!(Scratch::new());
    page.put(0, &disposition(1, first.raw(), 0, Rights::SAME_RIGHTS));
    page.put(
        20,
        &disposition(1, second.raw(), ObjectType::Port.raw(), Rights::SAME_RIGHTS),
    );
    page.put(
        40,
        &disposition(0, Handle::from(third).into_raw(), 0, Rights::SAME_RIGHTS),
    );
    fails!(
        call(
            SyscallId::ChannelWriteEtc,
            &[arg(&left), 0, 0, 0, page.address(), 3]
        ),
        WrongType
    );
    let results = [0, 20, 40].map(|at| page.get::<HandleDisposition>(at).result);
    check_eq!(results, [0, ZxError::WrongType as i32, 0]);
    check_eq!(
        ok!(witness.signals_now(Signals::all())),
        Signals::PEER_CLOSED
    );
    fails!(right.read(), ShouldWait);
    Ok(())
}
