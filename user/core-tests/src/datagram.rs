//! Sockets of datagrams: one read, one message.

use alloc::vec;

use libzx::{AsHandle, Signals, Socket, ZxResult};
use zx_abi::info::{InfoTopic, SocketInfo};
use zx_abi::syscalls::SyscallId;

use crate::check::{check, check_eq, fails, ok, suite, Case};
use crate::memory::{arg, call, BAD_ADDRESSES};
use crate::world::World;

suite! {
    "Datagram":
    one_read_takes_one_message,
    a_short_read_loses_the_rest,
    an_empty_message_is_not_queued,
    a_message_that_does_not_fit_now_waits,
    a_message_that_never_fits_is_out_of_range,
    peeking_leaves_the_message,
    peeking_into_an_empty_one_says_should_wait,
    the_next_message_is_what_is_available,
    messages_outlive_the_peer,
    reading_to_a_bad_buffer_keeps_the_message,
    writing_from_a_bad_buffer_queues_nothing,
}

const PEEK: u32 = 8;

/// Two ends of a socket of datagrams.
fn pair() -> ZxResult<(Socket, Socket)> {
    Socket::create(1)
}

fn info(socket: &Socket) -> ZxResult<SocketInfo> {
    socket.get_info(InfoTopic::Socket)
}

fn one_read_takes_one_message(_: &World) -> Case {
    let (left, right) = ok!(pair());
    check_eq!(ok!(info(&left)).options, 1);
    for message in [&b"one"[..], b"second", b"3"] {
        check_eq!(ok!(left.write(0, message)), message.len());
    }
    for message in [&b"one"[..], b"second", b"3"] {
        let mut found = [0; 20];
        let size = ok!(right.read(0, &mut found));
        check_eq!(&found[..size], message);
    }
    fails!(right.read(0, &mut [0; 20]), ShouldWait);
    Ok(())
}

fn a_short_read_loses_the_rest(_: &World) -> Case {
    let (left, right) = ok!(pair());
    ok!(left.write(0, b"long message"));
    ok!(left.write(0, b"next"));
    let mut found = [0; 4];
    check_eq!(ok!(right.read(0, &mut found)), 4);
    check_eq!(found, *b"long");
    check_eq!(ok!(right.read(0, &mut found)), 4);
    check_eq!(found, *b"next");
    Ok(())
}

fn an_empty_message_is_not_queued(_: &World) -> Case {
    let (left, right) = ok!(pair());
    check_eq!(ok!(left.write(0, &[])), 0);
    fails!(right.read(0, &mut [0; 4]), ShouldWait);
    Ok(())
}

fn a_message_that_does_not_fit_now_waits(_: &World) -> Case {
    let (left, right) = ok!(pair());
    let room = usize::try_from(ok!(info(&left)).tx_buf_max).unwrap_or(0);
    check_eq!(ok!(left.write(0, &vec![1; room - 10])), room - 10);
    fails!(left.write(0, &[2; 4000]), ShouldWait);
    check_eq!(ok!(info(&right)).rx_buf_available, (room - 10) as u64);
    ok!(right.read(0, &mut [0; 1]));
    check_eq!(ok!(left.write(0, &[2; 4000])), 4000);
    Ok(())
}

fn a_message_that_never_fits_is_out_of_range(_: &World) -> Case {
    let (left, right) = ok!(pair());
    let room = usize::try_from(ok!(info(&left)).tx_buf_max).unwrap_or(0);
    fails!(left.write(0, &vec![1; room + 1]), OutOfRange);
    fails!(right.read(0, &mut [0; 1]), ShouldWait);
    Ok(())
}

fn peeking_leaves_the_message(_: &World) -> Case {
    let (left, right) = ok!(pair());
    ok!(left.write(0, b"first"));
    ok!(left.write(0, b"second"));
    let mut found = [0; 20];
    check_eq!(ok!(right.read(PEEK, &mut found[..3])), 3);
    check_eq!(ok!(right.read(PEEK, &mut found)), 5);
    check_eq!(ok!(right.read(0, &mut found)), 5);
    check_eq!(&found[..5], b"first");
    check_eq!(ok!(right.read(0, &mut found)), 6);
    Ok(())
}

fn peeking_into_an_empty_one_says_should_wait(_: &World) -> Case {
    let (_left, right) = ok!(pair());
    fails!(right.read(PEEK, &mut [0; 4]), ShouldWait);
    Ok(())
}

fn the_next_message_is_what_is_available(_: &World) -> Case {
    let (left, right) = ok!(pair());
    ok!(left.write(0, b"four"));
    ok!(left.write(0, b"thirteen bytes"));
    let before = ok!(info(&right));
    check_eq!((before.rx_buf_size, before.rx_buf_available), (18, 4));
    ok!(right.read(0, &mut [0; 1]));
    check_eq!(ok!(info(&right)).rx_buf_available, 14);
    Ok(())
}

fn messages_outlive_the_peer(_: &World) -> Case {
    let (left, right) = ok!(pair());
    ok!(left.write(0, b"one"));
    ok!(left.write(0, b"three"));
    drop(left);
    check_eq!(ok!(right.read(0, &mut [0; 9])), 3);
    check_eq!(ok!(right.read(0, &mut [0; 9])), 5);
    fails!(right.read(0, &mut [0; 9]), PeerClosed);
    check_eq!(
        ok!(right.signals_now(Signals::all())),
        Signals::SOCKET_PEER_CLOSED
    );
    Ok(())
}

fn reading_to_a_bad_buffer_keeps_the_message(_: &World) -> Case {
    let (left, right) = ok!(pair());
    ok!(left.write(0, b"kept"));
    for bad in BAD_ADDRESSES {
        let args = [arg(&right), 0, bad, 4, 0];
        fails!(call(SyscallId::SocketRead, &args), InvalidArgs);
    }
    check_eq!(ok!(right.read(0, &mut [0; 9])), 4);
    Ok(())
}

fn writing_from_a_bad_buffer_queues_nothing(_: &World) -> Case {
    let (left, right) = ok!(pair());
    for bad in BAD_ADDRESSES {
        let args = [arg(&left), 0, bad, 4, 0];
        fails!(call(SyscallId::SocketWrite, &args), InvalidArgs);
    }
    check!(right.read(0, &mut [0; 9]).is_err());
    check_eq!(ok!(info(&right)).rx_buf_size, 0);
    Ok(())
}
