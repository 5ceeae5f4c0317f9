//! Rules of channels: in which order faults are told, bad memory, writers and readers at once.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicI32, Ordering};

use libzx::{AsHandle, Channel, Event, EventPair, Handle, Mapping, Rights, Signals, Vmo, ZxResult};
use zx_abi::info::{InfoTopic, RETCODE_EXCEPTION_KILL};
use zx_abi::syscalls::SyscallId;

use crate::check::{check, check_eq, fails, home_only, ok, suite, Case};
use crate::child::Mode;
use crate::memory::{arg, call, wait_for_value, Edge, Scratch, BAD_ADDRESSES, PAGE};
use crate::world::{sleep_ms, soon, World};

suite! {
    "ChannelRule":
    channel_create_checks_options_before_pointers,
    channel_write_checks_options_before_the_handle,
    channel_write_checks_the_handle_before_the_size,
    channel_write_checks_the_size_before_the_pointer,
    channel_write_checks_the_bytes_before_the_handles,
    channel_write_checks_the_handles_before_the_peer,
    channel_write_checks_the_right_to_travel_before_itself,
    channel_read_checks_the_handle_before_options,
    channel_read_checks_options_before_the_queue,
    channel_read_checks_the_room_before_pointers,
    a_write_with_too_long_a_message_takes_its_handles,
    a_write_to_no_channel_takes_its_handles,
    a_write_from_bad_bytes_takes_its_handles,
    a_write_with_one_bad_handle_takes_the_others,
    handles_beyond_a_mapping_are_not_taken,
    reading_handles_to_a_bad_pointer_closes_them,
    reading_to_read_only_memory_is_refused,
    reading_across_the_end_of_a_mapping_is_refused,
    counts_to_bad_pointers_are_refused,
    unaligned_buffers_work,
    a_buffer_of_exactly_the_size_is_enough,
    a_received_handle_has_a_value_of_this_process,
    a_channel_in_a_channel_keeps_its_messages,
    signals_do_not_come_from_user_calls,
    peers_can_be_signaled,
    too_many_unread_messages_end_the_writer,
    readers_of_one_end_share_the_messages,
    writers_to_one_end_keep_their_own_order,
    a_waiter_sees_the_peer_close,
    handles_in_unread_messages_close_with_the_reader,
}

/// A handle whose end is seen by the other one.
fn watched() -> ZxResult<(EventPair, u32)> {
    let (witness, sent) = EventPair::create()?;
    Ok((witness, Handle::from(sent).into_raw()))
}

fn gone(witness: &EventPair) -> ZxResult<bool> {
    Ok(witness.signals_now(Signals::all())? == Signals::PEER_CLOSED)
}

fn channel_create_checks_options_before_pointers(_: &World) -> Case {
    // Both say the same; no handle may come out.
    fails!(call(SyscallId::ChannelCreate, &[1, 0, 0]), InvalidArgs);
    Ok(())
}

fn channel_write_checks_options_before_the_handle(_: &World) -> Case {
    fails!(
        call(SyscallId::ChannelWrite, &[0, 1, 0, 0, 0, 0]),
        InvalidArgs
    );
    Ok(())
}

fn channel_write_checks_the_handle_before_the_size(_: &World) -> Case {
    let args = [0, 0, 0, 65_537, 0, 0];
    fails!(call(SyscallId::ChannelWrite, &args), BadHandle);
    let (left, _right) = ok!(Channel::create());
    let reader = ok!(left.replace(Rights::READ));
    let args = [arg(&reader), 0, 0, 65_537, 0, 0];
    fails!(call(SyscallId::ChannelWrite, &args), AccessDenied);
    Ok(())
}

fn channel_write_checks_the_size_before_the_pointer(_: &World) -> Case {
    let (left, _right) = ok!(Channel::create());
    for size in [65_537, u32::MAX as usize] {
        let args = [arg(&left), 0, 0, size, 0, 0];
        fails!(call(SyscallId::ChannelWrite, &args), OutOfRange);
    }
    Ok(())
}

fn channel_write_checks_the_bytes_before_the_handles(_: &World) -> Case {
    let (left, _right) = ok!(Channel::create());
    let page = ok!(Scratch::new());
    // The page holds a null handle.
    let args = [arg(&left), 0, 0, 1, page.address(), 1];
    fails!(call(SyscallId::ChannelWrite, &args), InvalidArgs);
    Ok(())
}

fn channel_write_checks_the_handles_before_the_peer(_: &World) -> Case {
    let (left, right) = ok!(Channel::create());
    drop(right);
    let page = ok!(Scratch::new());
    let args = [arg(&left), 0, 0, 0, page.address(), 1];
    fails!(call(SyscallId::ChannelWrite, &args), BadHandle);
    Ok(())
}

fn channel_write_checks_the_right_to_travel_before_itself(_: &World) -> Case {
    let (left, _right) = ok!(Channel::create());
    let left = ok!(left.replace(Rights::READ | Rights::WRITE | Rights::WAIT));
    let mut page = ok!(Scratch::new());
    let value = Handle::from(left).into_raw();
    page.put(0, &value);
    let args = [value as usize, 0, 0, 0, page.address(), 1];
    fails!(call(SyscallId::ChannelWrite, &args), AccessDenied);
    Ok(())
}

fn channel_read_checks_the_handle_before_options(_: &World) -> Case {
    let args = [0, 99, 0, 0, 0, 0, 0, 0];
    fails!(call(SyscallId::ChannelRead, &args), BadHandle);
    let (left, _right) = ok!(Channel::create());
    let writer = ok!(left.replace(Rights::WRITE));
    let args = [arg(&writer), 99, 0, 0, 0, 0, 0, 0];
    fails!(call(SyscallId::ChannelRead, &args), AccessDenied);
    Ok(())
}

fn channel_read_checks_options_before_the_queue(_: &World) -> Case {
    let (left, right) = ok!(Channel::create());
    let args = [arg(&left), 2, 0, 0, 0, 0, 0, 0];
    fails!(call(SyscallId::ChannelRead, &args), NotSupported);
    drop(right);
    fails!(call(SyscallId::ChannelRead, &args), NotSupported);
    Ok(())
}

fn channel_read_checks_the_room_before_pointers(_: &World) -> Case {
    let (left, right) = ok!(Channel::create());
    ok!(right.write(b"four", vec![]));
    let args = [arg(&left), 0, 1, 0, 3, 0, 0, 0];
    fails!(call(SyscallId::ChannelRead, &args), BufferTooSmall);
    check_eq!(ok!(left.read()).bytes, b"four");
    Ok(())
}

/// Writes one handle with faults elsewhere, and checks that it went.
fn takes_the_handle(
    channel: usize,
    bytes: usize,
    size: usize,
) -> Result<ZxResult, crate::check::Outcome> {
    let (witness, value) = ok!(watched());
    let mut page = ok!(Scratch::new());
    page.put(0, &value);
    let args = [channel, 0, bytes, size, page.address(), 1];
    let result = call(SyscallId::ChannelWrite, &args);
    check!(ok!(gone(&witness)));
    Ok(result)
}

fn a_write_with_too_long_a_message_takes_its_handles(_: &World) -> Case {
    let (left, right) = ok!(Channel::create());
    fails!(takes_the_handle(arg(&left), 0, 65_537)?, OutOfRange);
    fails!(right.read(), ShouldWait);
    Ok(())
}

fn a_write_to_no_channel_takes_its_handles(_: &World) -> Case {
    fails!(takes_the_handle(0, 0, 0)?, BadHandle);
    let event = ok!(Event::create());
    fails!(takes_the_handle(arg(&event), 0, 0)?, WrongType);
    let (left, _right) = ok!(Channel::create());
    let reader = ok!(left.replace(Rights::READ));
    fails!(takes_the_handle(arg(&reader), 0, 0)?, AccessDenied);
    Ok(())
}

fn a_write_from_bad_bytes_takes_its_handles(_: &World) -> Case {
    let (left, right) = ok!(Channel::create());
    for bad in BAD_ADDRESSES {
        fails!(takes_the_handle(arg(&left), bad, 8)?, InvalidArgs);
    }
    let edge = ok!(Edge::new());
    fails!(
        takes_the_handle(arg(&left), edge.before_end(4), 8)?,
        InvalidArgs
    );
    fails!(right.read(), ShouldWait);
    Ok(())
}

fn a_write_with_one_bad_handle_takes_the_others(_: &World) -> Case {
    let (left, right) = ok!(Channel::create());
    let (first, first_value) = ok!(watched());
    let (last, last_value) = ok!(watched());
    let mut page = ok!(Scratch::new());
    page.put(0, &[first_value, 0xffff_fff3, last_value]);
    let args = [arg(&left), 0, 0, 0, page.address(), 3];
    fails!(call(SyscallId::ChannelWrite, &args), BadHandle);
    check!(ok!(gone(&first)));
    check!(ok!(gone(&last)));
    fails!(right.read(), ShouldWait);
    Ok(())
}

fn handles_beyond_a_mapping_are_not_taken(_: &World) -> Case {
    let (left, right) = ok!(Channel::create());
    let edge = ok!(Edge::new());
    let args = [arg(&left), 0, 0, 0, edge.before_end(4), 2];
    fails!(call(SyscallId::ChannelWrite, &args), InvalidArgs);
    fails!(right.read(), ShouldWait);
    Ok(())
}

fn reading_handles_to_a_bad_pointer_closes_them(world: &World) -> Case {
    home_only!(world);
    let (left, right) = ok!(Channel::create());
    let edge = ok!(Edge::new());
    for bad in BAD_ADDRESSES.into_iter().chain([edge.before_end(2)]) {
        let (witness, sent) = ok!(EventPair::create());
        ok!(left.write(b"", vec![sent.into()]));
        let args = [arg(&right), 0, 0, bad, 0, 1, 0, 0];
        fails!(call(SyscallId::ChannelRead, &args), InvalidArgs);
        check!(ok!(gone(&witness)));
        fails!(right.read(), ShouldWait);
    }
    Ok(())
}

fn reading_to_read_only_memory_is_refused(_: &World) -> Case {
    let (left, right) = ok!(Channel::create());
    let vmo = ok!(Vmo::create(PAGE as u64, 0));
    let mapping = ok!(Mapping::readable(&vmo));
    ok!(left.write(b"four", vec![]));
    let args = [arg(&right), 0, mapping.address(), 0, 4, 0, 0, 0];
    fails!(call(SyscallId::ChannelRead, &args), InvalidArgs);
    check_eq!(mapping.as_slice()[..4], [0; 4]);
    Ok(())
}

fn reading_across_the_end_of_a_mapping_is_refused(_: &World) -> Case {
    let (left, right) = ok!(Channel::create());
    let edge = ok!(Edge::new());
    ok!(left.write(b"four", vec![]));
    ok!(left.write(b"four", vec![]));
    let args = [arg(&right), 0, edge.before_end(3), 0, 4, 0, 0, 0];
    fails!(call(SyscallId::ChannelRead, &args), InvalidArgs);
    let args = [arg(&right), 0, edge.before_end(4), 0, 4, 0, 0, 0];
    ok!(call(SyscallId::ChannelRead, &args));
    Ok(())
}

fn counts_to_bad_pointers_are_refused(_: &World) -> Case {
    let (left, right) = ok!(Channel::create());
    for bad in BAD_ADDRESSES.into_iter().filter(|address| *address != 0) {
        for counts in [[bad, 0], [0, bad]] {
            ok!(left.write(b"", vec![]));
            let args = [arg(&right), 0, 0, 0, 0, 0, counts[0], counts[1]];
            fails!(call(SyscallId::ChannelRead, &args), InvalidArgs);
            fails!(right.read(), ShouldWait);
        }
    }
    Ok(())
}

fn unaligned_buffers_work(_: &World) -> Case {
    let (left, right) = ok!(Channel::create());
    let event = ok!(Event::create());
    let koid = ok!(event.koid());
    let mut page = ok!(Scratch::new());
    page.put(1, b"four");
    page.put(101, &Handle::from(event).into_raw());
    let at = page.address();
    ok!(call(
        SyscallId::ChannelWrite,
        &[arg(&left), 0, at + 1, 4, at + 101, 1]
    ));
    let args = [arg(&right), 0, at + 203, at + 301, 4, 1, at + 401, at + 407];
    ok!(call(SyscallId::ChannelRead, &args));
    check_eq!(page.get::<[u8; 4]>(203), *b"four");
    check_eq!((page.u32(401), page.u32(407)), (4, 1));
    check_eq!(ok!(Handle::from_raw(page.u32(301)).koid()), koid);
    Ok(())
}

fn a_buffer_of_exactly_the_size_is_enough(_: &World) -> Case {
    let (left, right) = ok!(Channel::create());
    ok!(left.write(&[1; 100], vec![ok!(Event::create()).into()]));
    let mut handles = [0; 1];
    let (result, bytes, count) = right.read_raw(&mut [0; 100], &mut handles);
    ok!(result);
    check_eq!((bytes, count), (100, 1));
    drop(Handle::from_raw(handles[0]));
    Ok(())
}

fn a_received_handle_has_a_value_of_this_process(_: &World) -> Case {
    let (left, right) = ok!(Channel::create());
    let event = Handle::from(ok!(Event::create()));
    ok!(left.write(b"", vec![event]));
    let message = ok!(right.read());
    let value = arg(&message.handles[0]);
    check_eq!(value & 3, 3);
    let args = [value, InfoTopic::HandleValid.raw() as usize];
    ok!(call(SyscallId::ObjectGetInfo, &args));
    Ok(())
}

fn a_channel_in_a_channel_keeps_its_messages(_: &World) -> Case {
    let (left, right) = ok!(Channel::create());
    let (inner, carried) = ok!(Channel::create());
    ok!(inner.write(b"before", vec![]));
    ok!(left.write(b"", vec![carried.into()]));
    ok!(inner.write(b"on the way", vec![]));
    let mut message = ok!(right.read());
    let Some(carried) = message.handles.pop() else {
        crate::check::fail!("no handle arrived");
    };
    let carried = Channel::from(carried);
    check_eq!(ok!(carried.read()).bytes, b"before");
    check_eq!(ok!(carried.read()).bytes, b"on the way");
    ok!(carried.write(b"back", vec![]));
    check_eq!(ok!(inner.read()).bytes, b"back");
    Ok(())
}

fn signals_do_not_come_from_user_calls(_: &World) -> Case {
    let (left, _right) = ok!(Channel::create());
    for signals in [Signals::CHANNEL_READABLE, Signals::CHANNEL_WRITABLE] {
        fails!(left.signal(Signals::empty(), signals), InvalidArgs);
        fails!(left.signal(signals, Signals::empty()), InvalidArgs);
        fails!(left.signal_peer(Signals::empty(), signals), InvalidArgs);
    }
    ok!(left.signal(Signals::empty(), Signals::USER_0));
    Ok(())
}

fn peers_can_be_signaled(_: &World) -> Case {
    let (left, right) = ok!(Channel::create());
    ok!(left.signal_peer(Signals::empty(), Signals::USER_3));
    check!(ok!(right.signals_now(Signals::all())).contains(Signals::USER_3));
    check!(!ok!(left.signals_now(Signals::all())).contains(Signals::USER_3));
    drop(right);
    fails!(
        left.signal_peer(Signals::empty(), Signals::USER_3),
        PeerClosed
    );
    Ok(())
}

fn too_many_unread_messages_end_the_writer(world: &World) -> Case {
    home_only!(world);
    let Some(job) = &world.job else {
        crate::check::skip!("no job");
    };
    match world.child_code(job, Mode::FloodChannel) {
        Ok(code) => check_eq!(code, RETCODE_EXCEPTION_KILL),
        Err(what) => crate::check::fail!("{what}"),
    }
    Ok(())
}

static SUM: AtomicI32 = AtomicI32::new(0);
static READ: AtomicI32 = AtomicI32::new(0);

fn readers_of_one_end_share_the_messages(_: &World) -> Case {
    SUM.store(0, Ordering::SeqCst);
    READ.store(0, Ordering::SeqCst);
    let (left, right) = ok!(Channel::create());
    let right = Arc::new(right);
    let mut readers = Vec::new();
    for _ in 0..3 {
        // Handles to channels cannot be duplicated: the threads use one value.
        let end = Arc::clone(&right);
        readers.push(ok!(libzx::thread::spawn("reader", move || {
            // Another reader may have been faster.
            let deadline = soon();
            loop {
                match end.read_by(deadline) {
                    Ok(message) => {
                        SUM.fetch_add(i32::from(message.bytes[0]), Ordering::SeqCst);
                        READ.fetch_add(1, Ordering::SeqCst);
                    }
                    Err(libzx::ZxError::ShouldWait) => {}
                    Err(_) => return,
                }
            }
        })));
    }
    for number in 0..100u8 {
        ok!(left.write(&[number], vec![]));
    }
    check!(wait_for_value(&READ, 100));
    drop(left);
    for reader in readers {
        ok!(reader.join());
    }
    check_eq!(SUM.load(Ordering::SeqCst), 99 * 100 / 2);
    Ok(())
}

fn writers_to_one_end_keep_their_own_order(_: &World) -> Case {
    let (left, right) = ok!(Channel::create());
    let left = Arc::new(left);
    let mut writers = Vec::new();
    for writer in 0..3u8 {
        let end = Arc::clone(&left);
        writers.push(ok!(libzx::thread::spawn("writer", move || {
            for number in 0..50u8 {
                let _ = end.write(&[writer, number], vec![]);
            }
        })));
    }
    let mut next = [0; 3];
    for _ in 0..150 {
        let message = ok!(right.read_by(soon())).bytes;
        let expected = &mut next[usize::from(message[0])];
        check_eq!(message[1], *expected);
        *expected += 1;
    }
    for writer in writers {
        ok!(writer.join());
    }
    Ok(())
}

fn a_waiter_sees_the_peer_close(_: &World) -> Case {
    let (left, right) = ok!(Channel::create());
    let closer = ok!(libzx::thread::spawn("closer", move || {
        sleep_ms(2);
        drop(left);
    }));
    ok!(right.wait_one(Signals::CHANNEL_PEER_CLOSED, soon()));
    check_eq!(
        ok!(right.signals_now(Signals::all())),
        Signals::CHANNEL_PEER_CLOSED
    );
    ok!(closer.join());
    Ok(())
}

fn handles_in_unread_messages_close_with_the_reader(_: &World) -> Case {
    let (left, right) = ok!(Channel::create());
    let (inner, carried) = ok!(Channel::create());
    let (witness, sent) = ok!(EventPair::create());
    // A handle in a message in a channel in a message.
    ok!(inner.write(b"", vec![sent.into()]));
    ok!(left.write(b"", vec![carried.into()]));
    check_eq!(ok!(witness.signals_now(Signals::all())), Signals::empty());
    drop(right);
    check!(ok!(gone(&witness)));
    check_eq!(
        ok!(inner.signals_now(Signals::all())),
        Signals::CHANNEL_PEER_CLOSED
    );
    Ok(())
}
