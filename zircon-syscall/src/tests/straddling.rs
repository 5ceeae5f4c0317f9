//! Transfers whose memory ends half-way: an error, and nothing is lost, written or removed.

use super::{input, output, Program, MEMORY};
use crate::{fifo, socket};
use zx_abi::stream::SocketIoOptions;
use zx_abi::{ObjectType, Signals, ZxError, ZxResult};

const LEN: usize = 128;

/// The last half of this many bytes is not there.
fn last_bytes(program: &Program) -> usize {
    let first = program.room(0);
    first + usize::try_from(MEMORY).unwrap() - LEN / 2
}

fn signals(program: &Program, handle: u32) -> Signals {
    let table = program.thread.process().handles();
    let handle = table.find(handle).unwrap();
    assert_ne!(handle.object().object_type(), ObjectType::None);
    handle.object().base().signals().get()
}

#[test]
fn a_socket_keeps_what_cannot_be_read_out_and_takes_nothing_that_cannot_be_read_in() {
    for options in [0, 1] {
        let program = Program::new();
        let caller = program.caller();
        let bad = last_bytes(&program);
        let (a, b) = program.two(|a, b| socket::sys_socket_create(&caller, options, a, b));
        let sent: std::vec::Vec<u8> = (0..128).collect();
        let (from, to, actual) = (program.put(&sent[..]), program.room(LEN), program.room(8));
        let write = |at| socket::sys_socket_write(&caller, a, 0, input(at), LEN, output(actual));
        let read = |options: SocketIoOptions, at| {
            socket::sys_socket_read(&caller, b, options.bits(), output(at), LEN, output(actual))
        };
        assert_eq!(write(bad), Err(ZxError::InvalidArgs));
        assert_eq!(signals(&program, b), Signals::WRITABLE);
        assert_eq!(write(from), Ok(()));
        for how in [SocketIoOptions::PEEK, SocketIoOptions::empty()] {
            assert_eq!(read(how, bad), Err(ZxError::InvalidArgs));
            assert_eq!(signals(&program, b), Signals::WRITABLE | Signals::READABLE);
        }
        assert_eq!(read(SocketIoOptions::empty(), to), Ok(()));
        assert_eq!(program.get::<usize>(actual), LEN);
        assert_eq!(program.bytes(to, LEN), sent);
        assert_eq!(read(SocketIoOptions::empty(), to), Err(ZxError::ShouldWait));
    }
}

#[test]
fn a_long_transfer_brings_all_its_pages_and_then_happens_once() {
    let program = Program::new();
    let caller = program.caller();
    let (a, b) = program.two(|a, b| socket::sys_socket_create(&caller, 0, a, b));
    // Nobody has touched this memory: each page is a fault.
    const LONG: usize = 20 * 4096 + 100;
    let (from, to) = (program.room(LONG), program.room(LONG));
    let actual = program.room(8);
    assert_eq!(
        socket::sys_socket_write(&caller, a, 0, input(from), LONG, output(actual)),
        Ok(())
    );
    assert_eq!(program.get::<usize>(actual), LONG);
    assert_eq!(
        socket::sys_socket_read(&caller, b, 0, output(to), LONG + 1, output(actual)),
        Ok(())
    );
    assert_eq!(program.get::<usize>(actual), LONG);
    assert_eq!(program.bytes(to, LONG), std::vec![0; LONG]);
}

#[test]
fn a_fifo_keeps_what_cannot_be_read_out_and_takes_nothing_that_cannot_be_read_in() {
    let program = Program::new();
    let caller = program.caller();
    let bad = last_bytes(&program);
    let (a, b) = program.two(|a, b| fifo::sys_fifo_create(&caller, 16, 16, 0, a, b));
    let sent: std::vec::Vec<u8> = (0..128).collect();
    let (from, to, actual) = (program.put(&sent[..]), program.room(LEN), program.room(8));
    let write = |at| fifo::sys_fifo_write(&caller, a, 16, input(at), 8, output(actual));
    let read = |at| fifo::sys_fifo_read(&caller, b, 16, output(at), 8, output(actual));
    // The second time round the queue wraps within what is copied.
    for _ in 0..3 {
        assert_eq!(write(bad), Err(ZxError::InvalidArgs));
        assert_eq!(signals(&program, b), Signals::WRITABLE);
        assert_eq!(write(from), Ok(()));
        assert_eq!(write_three(&program, a, from), Ok(()));
        assert_eq!(read(bad), Err(ZxError::InvalidArgs));
        assert_eq!(read(to), Ok(()));
        assert_eq!(
            (program.get::<usize>(actual), program.bytes(to, LEN)),
            (8, sent.clone())
        );
        assert_eq!(read(to), Ok(()));
        assert_eq!(program.get::<usize>(actual), 3);
        assert_eq!(read(to), Err(ZxError::ShouldWait));
    }
}

fn write_three(program: &Program, fifo: u32, from: usize) -> ZxResult {
    fifo::sys_fifo_write(&program.caller(), fifo, 16, input(from), 3, output(0))
}
