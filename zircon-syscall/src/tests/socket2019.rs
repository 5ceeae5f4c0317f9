//! Control messages and shared sockets at the 2019 level: order of errors, and what becomes of handles.

use super::{input, output, Program, NOWHERE};
use crate::abi2019::socket::{sys_socket_accept, sys_socket_share};
use crate::{socket, Level};
use zx_abi::{Rights, ZxError};

const CONTROL: u32 = 4;
const PEEK: u32 = 8;

#[test]
fn a_control_message_is_peeked_read_and_cut() {
    let program = Program::new();
    let caller = program.caller().at(Level::Zircon2019);
    let (a, b) = program.two(|a, b| socket::sys_socket_create(&caller, 2, a, b));
    let (data, room, actual) = (program.put(b"hello"), program.room(64), program.room(8));
    let write = |options, at, size| {
        socket::sys_socket_write(&caller, a, options, input(at), size, output(actual))
    };
    let read = |options, at, size| {
        socket::sys_socket_read(&caller, b, options, output(at), size, output(actual))
    };
    assert_eq!(write(CONTROL | PEEK, data, 5), Err(ZxError::InvalidArgs));
    assert_eq!(write(CONTROL, NOWHERE, 5), Err(ZxError::InvalidArgs));
    assert_eq!(write(CONTROL, data, 5), Ok(()));
    assert_eq!(program.get::<usize>(actual), 5);
    assert_eq!(write(CONTROL, NOWHERE, 5), Err(ZxError::ShouldWait));
    assert_eq!(read(0, room, 64), Err(ZxError::ShouldWait));
    assert_eq!(read(CONTROL, NOWHERE, 5), Err(ZxError::InvalidArgs));
    for (options, size, expected) in [(CONTROL | PEEK, 64, &b"hello"[..]), (CONTROL, 2, b"he")] {
        assert_eq!(read(options, room, size), Ok(()));
        assert_eq!(program.bytes(room, program.get(actual)), expected);
    }
    assert_eq!(read(CONTROL, room, 64), Err(ZxError::ShouldWait));
}

#[test]
fn a_socket_travels_through_another_and_is_consumed_whatever_happens() {
    let program = Program::new();
    let caller = program.caller().at(Level::Zircon2019);
    let (a, b) = program.two(|a, b| socket::sys_socket_create(&caller, 4, a, b));
    let (c, d) = program.two(|c, d| socket::sys_socket_create(&caller, 0, c, d));
    let event = program.event();
    assert_eq!(sys_socket_share(&caller, a, event), Err(ZxError::WrongType));
    assert_eq!(sys_socket_share(&caller, a, event), Err(ZxError::BadHandle));
    let deaf = program.with_rights(c, Rights::WRITE);
    assert_eq!(
        sys_socket_share(&caller, a, deaf),
        Err(ZxError::AccessDenied)
    );
    assert!(!program.has(deaf));
    assert_eq!(sys_socket_share(&caller, a, c), Ok(()));
    assert_eq!(sys_socket_share(&caller, 0, d), Err(ZxError::BadHandle));
    assert!(!program.has(c) && !program.has(d));
    let accepted = program.one(|out| sys_socket_accept(&caller, b, out));
    assert!(program.has(accepted));
    let refused = sys_socket_accept(&caller, accepted, output(NOWHERE));
    assert_eq!(refused, Err(ZxError::NotSupported));
}
