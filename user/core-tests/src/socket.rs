//! Sockets: streams, what their signals say, and the ways they end.

use alloc::vec;

use libzx::{AsHandle, Event, Handle, Rights, Signals, Socket, ZxResult};
use zx_abi::info::{InfoTopic, SocketInfo};
use zx_abi::property::Property;
use zx_abi::syscalls::SyscallId;
use zx_abi::ObjectType;

use crate::check::{check, check_eq, fails, home_only, ok, suite, Case};
use crate::memory::{arg, call, Edge, Scratch, BAD_ADDRESSES};
use crate::world::{basic_info, sleep_ms, soon, World};

suite! {
    "Socket":
    ends_know_each_other,
    new_ones_are_writable_only,
    unknown_creation_options_are_refused,
    bad_result_pointers_are_refused,
    bytes_arrive_in_order_whatever_their_pieces,
    an_empty_one_says_should_wait,
    reading_no_bytes_reads_none,
    writing_no_bytes_writes_none,
    a_full_one_takes_what_fits,
    a_full_one_is_not_writable_until_read,
    a_closed_peer_is_seen_after_its_last_bytes,
    writing_to_a_closed_peer_says_peer_closed,
    peeking_leaves_the_bytes,
    peeking_into_an_empty_one_says_should_wait,
    unknown_reading_and_writing_options_are_refused,
    shutting_down_writing_lets_the_peer_drain,
    shutting_down_reading_stops_the_peer,
    shutting_down_both_ways_ends_everything,
    shutting_down_nothing_or_twice_is_fine,
    shutting_down_works_without_a_peer,
    shutting_down_refuses_unknown_options,
    what_waits_is_told,
    a_closed_peer_leaves_no_room_to_tell,
    thresholds_are_kept,
    the_read_threshold_shows_in_the_signals,
    the_write_threshold_shows_in_the_signals,
    thresholds_beyond_the_buffer_are_refused,
    a_write_threshold_needs_a_peer,
    reading_and_writing_need_rights,
    other_objects_have_the_wrong_type,
    a_closed_peer_takes_no_signals,
    reading_to_a_bad_buffer_keeps_the_bytes,
    writing_from_a_bad_buffer_queues_nothing,
    writing_from_a_buffer_that_ends_queues_at_most_what_is_there,
    a_waiting_reader_sees_bytes_and_then_the_close,
    socket_read_checks_options_before_the_handle,
    socket_read_checks_the_pointer_before_the_handle,
    socket_write_checks_options_before_the_handle,
    socket_write_checks_the_pointer_before_the_handle,
    socket_write_checks_the_peer_before_the_shutdown,
    socket_shutdown_checks_options_before_the_handle,
}

const PEEK: u32 = 8;
const NO_WRITING: u32 = 1;
const NO_READING: u32 = 2;

/// Two ends of a stream.
fn stream() -> ZxResult<(Socket, Socket)> {
    Socket::create(0)
}

fn state(socket: &Socket) -> ZxResult<Signals> {
    socket.signals_now(Signals::all())
}

fn info(socket: &Socket) -> ZxResult<SocketInfo> {
    socket.get_info(InfoTopic::Socket)
}

/// Writes until nothing fits.
fn fill(socket: &Socket) -> ZxResult<usize> {
    let mut total = 0;
    loop {
        match socket.write(0, &[7; 5000]) {
            Ok(written) => total += written,
            Err(libzx::ZxError::ShouldWait) => return Ok(total),
            Err(error) => return Err(error),
        }
    }
}

fn ends_know_each_other(_: &World) -> Case {
    let (left, right) = ok!(stream());
    let (left, right) = (ok!(basic_info(&left)), ok!(basic_info(&right)));
    check_eq!(
        (left.related_koid, right.related_koid),
        (right.koid, left.koid)
    );
    check_eq!(left.kind, ObjectType::Socket.raw());
    check_eq!(left.rights, Rights::default_for(ObjectType::Socket));
    check_eq!(right.rights, left.rights);
    Ok(())
}

fn new_ones_are_writable_only(_: &World) -> Case {
    let (left, right) = ok!(stream());
    check_eq!(ok!(state(&left)), Signals::SOCKET_WRITABLE);
    check_eq!(ok!(state(&right)), Signals::SOCKET_WRITABLE);
    Ok(())
}

fn unknown_creation_options_are_refused(world: &World) -> Case {
    home_only!(world);
    for options in [2, 4, 8, 1 << 31, u32::MAX] {
        fails!(Socket::create(options), InvalidArgs);
    }
    Ok(())
}

fn bad_result_pointers_are_refused(_: &World) -> Case {
    let good = ok!(Scratch::new());
    for bad in BAD_ADDRESSES {
        let (first, second) = ([0, bad, good.address()], [0, good.address(), bad]);
        fails!(call(SyscallId::SocketCreate, &first), InvalidArgs);
        fails!(call(SyscallId::SocketCreate, &second), InvalidArgs);
    }
    Ok(())
}

fn bytes_arrive_in_order_whatever_their_pieces(_: &World) -> Case {
    let (left, right) = ok!(stream());
    let bytes: [u8; 200] = core::array::from_fn(|index| index.to_le_bytes()[0]);
    for piece in bytes.chunks(7) {
        check_eq!(ok!(left.write(0, piece)), piece.len());
    }
    let (mut found, mut start) = ([0; 200], 0);
    for size in [1, 30, 64, 105] {
        check_eq!(ok!(right.read(0, &mut found[start..start + size])), size);
        start += size;
    }
    check_eq!(found, bytes);
    check_eq!(ok!(state(&right)), Signals::SOCKET_WRITABLE);
    Ok(())
}

fn an_empty_one_says_should_wait(_: &World) -> Case {
    let (left, _right) = ok!(stream());
    fails!(left.read(0, &mut [0; 8]), ShouldWait);
    fails!(left.read(0, &mut []), ShouldWait);
    Ok(())
}

fn reading_no_bytes_reads_none(_: &World) -> Case {
    let (left, right) = ok!(stream());
    ok!(left.write(0, b"ab"));
    check_eq!(ok!(right.read(0, &mut [])), 0);
    ok!(call(SyscallId::SocketRead, &[arg(&right), 0, 0, 0, 0]));
    check_eq!(ok!(info(&right)).rx_buf_size, 2);
    Ok(())
}

fn writing_no_bytes_writes_none(_: &World) -> Case {
    let (left, right) = ok!(stream());
    check_eq!(ok!(left.write(0, &[])), 0);
    ok!(call(SyscallId::SocketWrite, &[arg(&left), 0, 0, 0, 0]));
    check_eq!(ok!(state(&right)), Signals::SOCKET_WRITABLE);
    Ok(())
}

fn a_full_one_takes_what_fits(_: &World) -> Case {
    let (left, right) = ok!(stream());
    let room = usize::try_from(ok!(info(&left)).tx_buf_max).unwrap_or(0);
    check!(room >= 65_536);
    check_eq!(ok!(left.write(0, &vec![1; room + 100])), room);
    fails!(left.write(0, &[1]), ShouldWait);
    check_eq!(ok!(right.read(0, &mut vec![0; room + 100])), room);
    check_eq!(ok!(left.write(0, &[1])), 1);
    Ok(())
}

fn a_full_one_is_not_writable_until_read(_: &World) -> Case {
    let (left, right) = ok!(stream());
    ok!(fill(&left));
    check_eq!(ok!(state(&left)), Signals::empty());
    let both = Signals::SOCKET_READABLE | Signals::SOCKET_WRITABLE;
    check_eq!(ok!(state(&right)), both);
    ok!(right.read(0, &mut [0; 5000]));
    check_eq!(ok!(state(&left)), Signals::SOCKET_WRITABLE);
    Ok(())
}

fn a_closed_peer_is_seen_after_its_last_bytes(_: &World) -> Case {
    let (left, right) = ok!(stream());
    ok!(left.write(0, b"last"));
    drop(left);
    let signals = Signals::SOCKET_READABLE | Signals::SOCKET_PEER_CLOSED;
    check_eq!(ok!(state(&right)), signals);
    check_eq!(ok!(right.read(0, &mut [0; 10])), 4);
    check_eq!(ok!(state(&right)), Signals::SOCKET_PEER_CLOSED);
    fails!(right.read(0, &mut [0; 10]), PeerClosed);
    Ok(())
}

fn writing_to_a_closed_peer_says_peer_closed(_: &World) -> Case {
    let (left, right) = ok!(stream());
    drop(right);
    fails!(left.write(0, b"x"), PeerClosed);
    fails!(left.write(0, &[]), PeerClosed);
    Ok(())
}

fn peeking_leaves_the_bytes(_: &World) -> Case {
    let (left, right) = ok!(stream());
    ok!(left.write(0, b"peek"));
    let mut found = [0; 6];
    for (size, expected) in [(2, 2), (4, 4), (6, 4)] {
        check_eq!(ok!(right.read(PEEK, &mut found[..size])), expected);
    }
    check_eq!(&found[..4], b"peek");
    check!(ok!(state(&right)).contains(Signals::SOCKET_READABLE));
    check_eq!(ok!(right.read(0, &mut found)), 4);
    fails!(right.read(PEEK, &mut found), ShouldWait);
    Ok(())
}

fn peeking_into_an_empty_one_says_should_wait(_: &World) -> Case {
    let (left, right) = ok!(stream());
    fails!(right.read(PEEK, &mut [0; 4]), ShouldWait);
    drop(left);
    fails!(right.read(PEEK, &mut [0; 4]), PeerClosed);
    Ok(())
}

fn unknown_reading_and_writing_options_are_refused(_: &World) -> Case {
    let (left, right) = ok!(stream());
    ok!(left.write(0, b"x"));
    for options in [1, 2, 16, PEEK | 1, 1 << 31] {
        fails!(right.read(options, &mut [0; 4]), InvalidArgs);
        fails!(left.write(options, b"x"), InvalidArgs);
    }
    fails!(left.write(PEEK, b"x"), InvalidArgs);
    check_eq!(ok!(right.read(0, &mut [0; 4])), 1);
    Ok(())
}

fn shutting_down_writing_lets_the_peer_drain(_: &World) -> Case {
    let (left, right) = ok!(stream());
    ok!(left.write(0, b"rest"));
    ok!(left.shutdown(NO_WRITING));
    check_eq!(ok!(state(&left)), Signals::SOCKET_WRITE_DISABLED);
    let signals =
        Signals::SOCKET_READABLE | Signals::SOCKET_WRITABLE | Signals::SOCKET_PEER_WRITE_DISABLED;
    check_eq!(ok!(state(&right)), signals);
    fails!(left.write(0, b"x"), BadState);
    fails!(left.write(0, &[]), BadState);
    check_eq!(ok!(right.read(0, &mut [0; 10])), 4);
    fails!(right.read(0, &mut [0; 10]), BadState);
    // The other direction goes on.
    check_eq!(ok!(right.write(0, b"back")), 4);
    check_eq!(ok!(left.read(0, &mut [0; 10])), 4);
    Ok(())
}

fn shutting_down_reading_stops_the_peer(_: &World) -> Case {
    let (left, right) = ok!(stream());
    ok!(left.write(0, b"rest"));
    ok!(right.shutdown(NO_READING));
    check_eq!(ok!(state(&left)), Signals::SOCKET_WRITE_DISABLED);
    fails!(left.write(0, b"x"), BadState);
    check_eq!(ok!(right.read(0, &mut [0; 10])), 4);
    fails!(right.read(0, &mut [0; 10]), BadState);
    check_eq!(ok!(right.write(0, b"back")), 4);
    Ok(())
}

fn shutting_down_both_ways_ends_everything(_: &World) -> Case {
    let (left, right) = ok!(stream());
    ok!(left.shutdown(NO_WRITING | NO_READING));
    let signals = Signals::SOCKET_WRITE_DISABLED | Signals::SOCKET_PEER_WRITE_DISABLED;
    for end in [&left, &right] {
        check_eq!(ok!(state(end)), signals);
        fails!(end.write(0, b"x"), BadState);
        fails!(end.read(0, &mut [0; 4]), BadState);
    }
    Ok(())
}

fn shutting_down_nothing_or_twice_is_fine(_: &World) -> Case {
    let (left, _right) = ok!(stream());
    ok!(left.shutdown(0));
    check_eq!(ok!(state(&left)), Signals::SOCKET_WRITABLE);
    ok!(left.shutdown(NO_WRITING));
    ok!(left.shutdown(NO_WRITING));
    check_eq!(ok!(state(&left)), Signals::SOCKET_WRITE_DISABLED);
    Ok(())
}

fn shutting_down_works_without_a_peer(_: &World) -> Case {
    let (left, right) = ok!(stream());
    drop(right);
    ok!(left.shutdown(NO_WRITING));
    fails!(left.write(0, b"x"), PeerClosed);
    fails!(left.read(0, &mut [0; 4]), PeerClosed);
    Ok(())
}

fn shutting_down_refuses_unknown_options(_: &World) -> Case {
    let (left, _right) = ok!(stream());
    for options in [4, 8, NO_WRITING | 4, u32::MAX] {
        fails!(left.shutdown(options), InvalidArgs);
    }
    check_eq!(ok!(state(&left)), Signals::SOCKET_WRITABLE);
    Ok(())
}

fn what_waits_is_told(_: &World) -> Case {
    let (left, right) = ok!(stream());
    ok!(left.write(0, b"12345"));
    ok!(right.write(0, b"678"));
    let (at_left, at_right) = (ok!(info(&left)), ok!(info(&right)));
    check_eq!((at_left.rx_buf_size, at_left.tx_buf_size), (3, 5));
    check_eq!((at_right.rx_buf_size, at_right.tx_buf_size), (5, 3));
    check_eq!(at_right.rx_buf_available, 5);
    check_eq!(at_right.options, 0);
    check_eq!(at_left.rx_buf_max, at_right.tx_buf_max);
    ok!(right.read(0, &mut [0; 2]));
    check_eq!(ok!(info(&right)).rx_buf_available, 3);
    // What was written before a shutdown still counts.
    ok!(left.shutdown(NO_WRITING));
    check_eq!(ok!(info(&right)).rx_buf_size, 3);
    ok!(right.shutdown(NO_READING));
    check_eq!(ok!(info(&right)).rx_buf_size, 3);
    Ok(())
}

fn a_closed_peer_leaves_no_room_to_tell(_: &World) -> Case {
    let (left, right) = ok!(stream());
    ok!(right.write(0, b"678"));
    drop(right);
    let info = ok!(info(&left));
    check_eq!((info.tx_buf_max, info.tx_buf_size), (0, 0));
    check_eq!(info.rx_buf_size, 3);
    Ok(())
}

fn threshold(socket: &Socket, property: Property) -> ZxResult<u64> {
    let mut value = [0; 8];
    socket.get_property(property, &mut value)?;
    Ok(u64::from_le_bytes(value))
}

fn set_threshold(socket: &Socket, property: Property, value: u64) -> ZxResult {
    socket.set_property(property, &value.to_le_bytes())
}

fn thresholds_are_kept(_: &World) -> Case {
    let (left, _right) = ok!(stream());
    for property in [Property::SocketRxThreshold, Property::SocketTxThreshold] {
        check_eq!(ok!(threshold(&left, property)), 0);
        ok!(set_threshold(&left, property, 1234));
        check_eq!(ok!(threshold(&left, property)), 1234);
        fails!(left.get_property(property, &mut [0; 7]), BufferTooSmall);
        fails!(left.set_property(property, &[0; 7]), BufferTooSmall);
        check_eq!(ok!(threshold(&left, property)), 1234);
        let event = ok!(Event::create());
        fails!(event.get_property(property, &mut [0; 8]), AccessDenied);
    }
    Ok(())
}

fn the_read_threshold_shows_in_the_signals(_: &World) -> Case {
    let (left, right) = ok!(stream());
    let reached = |socket: &Socket| {
        state(socket).map(|signals| signals.contains(Signals::SOCKET_READ_THRESHOLD))
    };
    ok!(set_threshold(&right, Property::SocketRxThreshold, 4));
    check!(!ok!(reached(&right)));
    ok!(left.write(0, b"123"));
    check!(!ok!(reached(&right)));
    ok!(left.write(0, b"4"));
    check!(ok!(reached(&right)));
    ok!(right.read(0, &mut [0; 1]));
    check!(!ok!(reached(&right)));
    // A new threshold is looked at immediately, and 0 ends it.
    ok!(set_threshold(&right, Property::SocketRxThreshold, 2));
    check!(ok!(reached(&right)));
    ok!(set_threshold(&right, Property::SocketRxThreshold, 0));
    check!(!ok!(reached(&right)));
    Ok(())
}

fn the_write_threshold_shows_in_the_signals(_: &World) -> Case {
    let (left, right) = ok!(stream());
    let reached = |socket: &Socket| {
        state(socket).map(|signals| signals.contains(Signals::SOCKET_WRITE_THRESHOLD))
    };
    let room = ok!(info(&left)).tx_buf_max;
    ok!(set_threshold(&left, Property::SocketTxThreshold, room));
    check!(ok!(reached(&left)));
    ok!(left.write(0, b"1"));
    check!(!ok!(reached(&left)));
    ok!(right.read(0, &mut [0; 1]));
    check!(ok!(reached(&left)));
    ok!(set_threshold(&left, Property::SocketTxThreshold, 0));
    check!(!ok!(reached(&left)));
    Ok(())
}

fn thresholds_beyond_the_buffer_are_refused(_: &World) -> Case {
    let (left, _right) = ok!(stream());
    let room = ok!(info(&left)).tx_buf_max;
    for property in [Property::SocketRxThreshold, Property::SocketTxThreshold] {
        ok!(set_threshold(&left, property, room));
        fails!(set_threshold(&left, property, room + 1), InvalidArgs);
        fails!(set_threshold(&left, property, u64::MAX), InvalidArgs);
        check_eq!(ok!(threshold(&left, property)), room);
    }
    Ok(())
}

fn a_write_threshold_needs_a_peer(_: &World) -> Case {
    let (left, right) = ok!(stream());
    drop(right);
    ok!(set_threshold(&left, Property::SocketRxThreshold, 1));
    fails!(
        set_threshold(&left, Property::SocketTxThreshold, 1),
        PeerClosed
    );
    fails!(
        set_threshold(&left, Property::SocketTxThreshold, u64::MAX),
        PeerClosed
    );
    Ok(())
}

fn reading_and_writing_need_rights(_: &World) -> Case {
    let (left, right) = ok!(stream());
    let left = ok!(left.replace(Rights::READ));
    let right = ok!(right.replace(Rights::WRITE));
    fails!(left.write(0, b"x"), AccessDenied);
    fails!(left.shutdown(NO_WRITING), AccessDenied);
    fails!(right.read(0, &mut [0; 4]), AccessDenied);
    ok!(right.write(0, b"x"));
    check_eq!(ok!(left.read(0, &mut [0; 4])), 1);
    Ok(())
}

fn other_objects_have_the_wrong_type(_: &World) -> Case {
    // An event lacks the rights too: the type is looked at first.
    let event = Socket::from(Handle::from(ok!(Event::create())));
    fails!(event.read(0, &mut [0; 4]), WrongType);
    fails!(event.write(0, b"x"), WrongType);
    fails!(event.shutdown(NO_READING), WrongType);
    for id in [SyscallId::SocketRead, SyscallId::SocketWrite] {
        fails!(call(id, &[0, 0, 0, 0, 0]), BadHandle);
    }
    fails!(call(SyscallId::SocketShutdown, &[0, 0]), BadHandle);
    Ok(())
}

fn a_closed_peer_takes_no_signals(_: &World) -> Case {
    let (left, right) = ok!(stream());
    ok!(left.signal_peer(Signals::empty(), Signals::USER_0));
    check!(ok!(state(&right)).contains(Signals::USER_0));
    drop(right);
    fails!(
        left.signal_peer(Signals::empty(), Signals::USER_0),
        PeerClosed
    );
    fails!(
        left.signal_peer(Signals::empty(), Signals::READABLE),
        InvalidArgs
    );
    Ok(())
}

fn reading_to_a_bad_buffer_keeps_the_bytes(_: &World) -> Case {
    let (left, right) = ok!(stream());
    ok!(left.write(0, b"kept"));
    for bad in BAD_ADDRESSES {
        let args = [arg(&right), 0, bad, 4, 0];
        fails!(call(SyscallId::SocketRead, &args), InvalidArgs);
    }
    let edge = ok!(Edge::new());
    let args = [arg(&right), 0, edge.before_end(2), 4, 0];
    fails!(call(SyscallId::SocketRead, &args), InvalidArgs);
    check_eq!(ok!(right.read(0, &mut [0; 10])), 4);
    Ok(())
}

fn writing_from_a_bad_buffer_queues_nothing(_: &World) -> Case {
    let (left, right) = ok!(stream());
    for bad in BAD_ADDRESSES {
        let args = [arg(&left), 0, bad, 4, 0];
        fails!(call(SyscallId::SocketWrite, &args), InvalidArgs);
    }
    fails!(right.read(0, &mut [0; 4]), ShouldWait);
    Ok(())
}

fn writing_from_a_buffer_that_ends_queues_at_most_what_is_there(_: &World) -> Case {
    let (left, right) = ok!(stream());
    let edge = ok!(Edge::new());
    let args = [arg(&left), 0, edge.before_end(2), 100, 0];
    let written = call(SyscallId::SocketWrite, &args);
    let waits = ok!(info(&right)).rx_buf_size;
    check!(waits <= 2);
    check_eq!(written.is_ok(), waits > 0);
    Ok(())
}

fn a_waiting_reader_sees_bytes_and_then_the_close(_: &World) -> Case {
    let (left, right) = ok!(stream());
    let writer = ok!(libzx::thread::spawn("writer", move || {
        sleep_ms(2);
        let _ = left.write(0, b"late");
        sleep_ms(2);
    }));
    let signals = ok!(right.wait_one(Signals::SOCKET_READABLE, soon()));
    check!(signals.contains(Signals::SOCKET_READABLE));
    check_eq!(ok!(right.read(0, &mut [0; 10])), 4);
    ok!(right.wait_one(Signals::SOCKET_PEER_CLOSED, soon()));
    fails!(right.read(0, &mut [0; 10]), PeerClosed);
    ok!(writer.join());
    Ok(())
}

fn socket_read_checks_options_before_the_handle(_: &World) -> Case {
    fails!(call(SyscallId::SocketRead, &[0, 1, 0, 0, 0]), InvalidArgs);
    Ok(())
}

fn socket_read_checks_the_pointer_before_the_handle(_: &World) -> Case {
    fails!(call(SyscallId::SocketRead, &[0, 0, 0, 1, 0]), InvalidArgs);
    Ok(())
}

fn socket_write_checks_options_before_the_handle(_: &World) -> Case {
    fails!(call(SyscallId::SocketWrite, &[0, 1, 0, 0, 0]), InvalidArgs);
    Ok(())
}

fn socket_write_checks_the_pointer_before_the_handle(_: &World) -> Case {
    fails!(call(SyscallId::SocketWrite, &[0, 0, 0, 1, 0]), InvalidArgs);
    Ok(())
}

fn socket_write_checks_the_peer_before_the_shutdown(_: &World) -> Case {
    let (left, right) = ok!(stream());
    ok!(left.shutdown(NO_WRITING));
    fails!(left.write(0, b"x"), BadState);
    drop(right);
    fails!(left.write(0, b"x"), PeerClosed);
    Ok(())
}

fn socket_shutdown_checks_options_before_the_handle(_: &World) -> Case {
    fails!(call(SyscallId::SocketShutdown, &[0, 4]), InvalidArgs);
    Ok(())
}
