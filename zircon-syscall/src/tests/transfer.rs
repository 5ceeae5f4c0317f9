//! FIFOs and sockets: order of errors, and pointers that turn bad in the middle.

use super::{input, output, Program, NOWHERE};
use crate::{fifo, socket};
use zx_abi::ZxError;

#[test]
fn a_fifo_keeps_its_elements_when_the_reader_cannot_take_them() {
    let program = Program::new();
    let caller = program.caller();
    let (a, b) = program.two(|a, b| fifo::sys_fifo_create(&caller, 4, 8, 0, a, b));
    let (data, room, actual) = (
        program.put(b"aaaaaaaabbbbbbbb"),
        program.room(64),
        program.room(8),
    );
    assert_eq!(
        fifo::sys_fifo_create(&caller, 3, 8, 0, output(room), output(room)),
        Err(ZxError::OutOfRange)
    );
    assert_eq!(
        fifo::sys_fifo_write(&caller, a, 4, input(data), 1, output(0)),
        Err(ZxError::OutOfRange)
    );
    assert_eq!(
        fifo::sys_fifo_write(&caller, a, 8, input(NOWHERE), 1, output(0)),
        Err(ZxError::InvalidArgs)
    );
    assert_eq!(
        fifo::sys_fifo_read(&caller, b, 8, output(room), 1, output(0)),
        Err(ZxError::ShouldWait)
    );
    fifo::sys_fifo_write(&caller, a, 8, input(data), 2, output(actual)).unwrap();
    assert_eq!(program.get::<usize>(actual), 2);
    assert_eq!(
        fifo::sys_fifo_read(&caller, b, 8, output(NOWHERE), 2, output(0)),
        Err(ZxError::InvalidArgs)
    );
    assert_eq!(
        fifo::sys_fifo_read(&caller, b, 8, output(room), 0, output(0)),
        Err(ZxError::OutOfRange)
    );
    fifo::sys_fifo_read(&caller, b, 8, output(room), usize::MAX, output(actual)).unwrap();
    assert_eq!(
        (program.get::<usize>(actual), program.bytes(room, 16)),
        (2, b"aaaaaaaabbbbbbbb".to_vec())
    );
    program.close(b);
    assert_eq!(
        fifo::sys_fifo_write(&caller, a, 4, input(data), 0, output(0)),
        Err(ZxError::PeerClosed)
    );
}

#[test]
fn a_socket_is_read_in_parts_peeked_and_drained() {
    let program = Program::new();
    let caller = program.caller();
    let (a, b) = program.two(|a, b| socket::sys_socket_create(&caller, 0, a, b));
    let (room, actual) = (program.room(40_000), program.room(8));
    let long: std::vec::Vec<u8> = (0..40_000_u32).map(|byte| byte.to_le_bytes()[0]).collect();
    let data = program.put(&long[..]);
    assert_eq!(
        socket::sys_socket_write(&caller, 0, 1, input(data), 1, output(0)),
        Err(ZxError::InvalidArgs)
    );
    assert_eq!(
        socket::sys_socket_write(&caller, a, 0, input(0), 1, output(0)),
        Err(ZxError::InvalidArgs)
    );
    assert_eq!(
        socket::sys_socket_write(&caller, a, 0, input(NOWHERE), 1, output(0)),
        Err(ZxError::InvalidArgs)
    );
    assert_eq!(
        socket::sys_socket_write(&caller, a, 0, input(0), 0, output(0)),
        Ok(())
    );
    assert_eq!(
        socket::sys_socket_read(&caller, b, 0, output(room), 1, output(0)),
        Err(ZxError::ShouldWait)
    );
    socket::sys_socket_write(&caller, a, 0, input(data), 40_000, output(actual)).unwrap();
    assert_eq!(program.get::<usize>(actual), 40_000);
    assert_eq!(
        socket::sys_socket_read(&caller, b, 4, output(room), 1, output(0)),
        Err(ZxError::InvalidArgs)
    );
    assert_eq!(
        socket::sys_socket_read(&caller, b, 0, output(NOWHERE), 1, output(0)),
        Err(ZxError::InvalidArgs)
    );
    for options in [8, 0] {
        socket::sys_socket_read(&caller, b, options, output(room), 40_000, output(actual)).unwrap();
        assert_eq!(program.get::<usize>(actual), 40_000);
        assert!(program.bytes(room, 40_000) == long);
    }
    assert_eq!(
        socket::sys_socket_shutdown(&caller, 0, 4),
        Err(ZxError::InvalidArgs)
    );
    socket::sys_socket_shutdown(&caller, a, 1).unwrap();
    assert_eq!(
        socket::sys_socket_read(&caller, b, 0, output(room), 1, output(0)),
        Err(ZxError::BadState)
    );
    assert_eq!(
        socket::sys_socket_write(&caller, a, 0, input(data), 1, output(0)),
        Err(ZxError::BadState)
    );
}

#[test]
fn a_datagram_socket_keeps_boundaries() {
    let program = Program::new();
    let caller = program.caller();
    let (room, actual) = (program.room(64), program.room(8));
    for options in [2, 3, 4] {
        assert_eq!(
            socket::sys_socket_create(&caller, options, output(room), output(room)),
            Err(ZxError::InvalidArgs)
        );
    }
    let (a, b) = program.two(|a, b| socket::sys_socket_create(&caller, 1, a, b));
    let data = program.put(b"onetwo");
    socket::sys_socket_write(&caller, a, 0, input(data), 3, output(0)).unwrap();
    socket::sys_socket_write(&caller, a, 0, input(data + 3), 3, output(0)).unwrap();
    for (options, size, expected) in [(8, 64, &b"one"[..]), (0, 2, b"on"), (0, 64, b"two")] {
        socket::sys_socket_read(&caller, b, options, output(room), size, output(actual)).unwrap();
        assert_eq!(program.bytes(room, program.get(actual)), expected);
    }
}
