//! Channels: above all, which handles a write consumes.

use super::{both, input, made, now, output, Program, NOWHERE};
use crate::channel::{
    sys_channel_call_finish, sys_channel_call_noretry, sys_channel_create, sys_channel_read,
    sys_channel_read_etc, sys_channel_write, sys_channel_write_etc,
};
use crate::Further;
use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use zx_abi::{
    ChannelCallArgs, HandleDisposition, HandleInfo, HandleValue, Rights, ZxError, ZxResult,
};

const NEVER: i64 = i64::MAX;

fn write(
    program: &Program,
    channel: HandleValue,
    bytes: &[u8],
    handles: &[HandleValue],
) -> ZxResult {
    let (at, array) = (program.put(bytes), program.put(handles));
    let (len, count) = (
        u32::try_from(bytes.len()).unwrap(),
        u32::try_from(handles.len()).unwrap(),
    );
    sys_channel_write(
        &program.caller(),
        channel,
        0,
        input(at),
        len,
        input(array),
        count,
    )
}

/// Reads with so much room; the status, and the sizes that were stored.
fn read(
    program: &Program,
    channel: HandleValue,
    options: u32,
    room: (u32, u32),
) -> (ZxResult, u32, u32) {
    let (bytes, handles) = (program.room(64), program.room(64));
    let (actual_bytes, actual_handles) = (program.put(&99_u32), program.put(&99_u32));
    let status = sys_channel_read(
        &program.caller(),
        channel,
        options,
        output(bytes),
        output(handles),
        room.0,
        room.1,
        output(actual_bytes),
        output(actual_handles),
    );
    (
        status,
        program.get(actual_bytes),
        program.get(actual_handles),
    )
}

#[test]
fn create_checks_options_then_pointers_and_leaves_nothing_behind() {
    let program = Program::new();
    let (caller, good) = (program.caller(), program.room(4));
    assert_eq!(
        sys_channel_create(&caller, 1, output(good), output(good)),
        Err(ZxError::InvalidArgs)
    );
    assert_eq!(
        sys_channel_create(&caller, 0, output(good), output(NOWHERE)),
        Err(ZxError::InvalidArgs)
    );
    assert_eq!(program.handle_count(), 0);
}

#[test]
fn whatever_fails_the_handles_of_a_write_are_consumed() {
    let program = Program::new();
    let caller = program.caller();
    let ((a, b), event) = (program.channel(), program.event());
    let closed = program.channel();
    program.close(closed.1);
    let bytes = program.put(b"12345");
    let cases = [
        (a, 1, input(bytes), 5, ZxError::InvalidArgs),
        (0, 0, input(bytes), 5, ZxError::BadHandle),
        (event, 0, input(bytes), 5, ZxError::WrongType),
        (a, 0, input(bytes), 65_537, ZxError::OutOfRange),
        (a, 0, input(NOWHERE), 5, ZxError::InvalidArgs),
        (a, 0, input(0), 5, ZxError::InvalidArgs),
        (closed.0, 0, input(bytes), 5, ZxError::PeerClosed),
    ];
    for (channel, options, from, len, expected) in cases {
        let sent = program.event();
        let array = program.put(&[sent]);
        assert_eq!(
            sys_channel_write(&caller, channel, options, from, len, input(array), 1),
            Err(expected)
        );
        assert!(!program.has(sent), "{expected:?}");
    }
    assert_eq!(read(&program, b, 0, (9, 9)).0, Err(ZxError::ShouldWait));
}

#[test]
fn an_array_that_cannot_be_read_consumes_nothing_and_a_long_one_everything() {
    let program = Program::new();
    let (caller, (a, _b)) = (program.caller(), program.channel());
    let before = program.handle_count();
    assert_eq!(
        sys_channel_write(&caller, a, 0, input(0), 0, input(NOWHERE), 1),
        Err(ZxError::InvalidArgs)
    );
    assert_eq!(program.handle_count(), before);
    let many: [HandleValue; 130] = core::array::from_fn(|_| program.event());
    let array = program.put(&many);
    assert_eq!(
        sys_channel_write(&caller, a, 0, input(0), 0, input(array), 130),
        Err(ZxError::OutOfRange)
    );
    // The first of them at once, the others in steps.
    assert!(caller.take_unfinished());
    while matches!(caller.go_on(), Ok(Further::More)) {}
    assert_eq!(program.handle_count(), before);
}

#[test]
fn the_first_faulty_handle_decides_and_all_others_go_too() {
    let program = Program::new();
    let (a, b) = program.channel();
    let good = || program.event();
    let stuck = program.with_rights(program.event(), Rights::WAIT);
    let twice = good();
    let cases = [
        ([good(), 0, stuck], ZxError::BadHandle),
        ([stuck, 0, good()], ZxError::BadHandle),
        ([good(), twice, twice], ZxError::BadHandle),
    ];
    for (index, (handles, expected)) in cases.into_iter().enumerate() {
        let status = write(&program, a, b"", &handles);
        // In the second case the handle without TRANSFER is gone already.
        assert_eq!(status, Err(expected), "case {index}");
        assert!(handles.iter().all(|handle| !program.has(*handle)));
    }
    let stuck = program.with_rights(program.event(), Rights::WAIT);
    assert_eq!(
        write(&program, a, b"", &[good(), stuck, 0]),
        Err(ZxError::AccessDenied)
    );
    assert!(!program.has(stuck));
    assert_eq!(write(&program, a, b"", &[a]), Err(ZxError::NotSupported));
    assert!(!program.has(a) && program.has(b));
}

#[test]
fn a_message_arrives_with_its_handles_and_their_rights() {
    let program = Program::new();
    let (a, b) = program.channel();
    let sent = program.with_rights(program.event(), Rights::TRANSFER | Rights::WAIT);
    write(&program, a, b"hello", &[sent]).unwrap();
    let (bytes, infos) = (program.room(5), program.room(size_of::<HandleInfo>()));
    sys_channel_read_etc(
        &program.caller(),
        b,
        0,
        output(bytes),
        output(infos),
        5,
        1,
        output(0),
        output(0),
    )
    .unwrap();
    let info: HandleInfo = program.get(infos);
    assert_eq!(program.bytes(bytes, 5), b"hello");
    assert_eq!(
        (info.kind, info.rights, info.unused),
        (5, Rights::TRANSFER | Rights::WAIT, 0)
    );
    assert!(program.has(info.handle));
}

#[test]
fn a_read_with_too_little_room_tells_the_sizes() {
    let program = Program::new();
    let (a, b) = program.channel();
    write(&program, a, b"12345", &[program.event(), program.event()]).unwrap();
    assert_eq!(
        read(&program, b, 0, (4, 2)),
        (Err(ZxError::BufferTooSmall), 5, 2)
    );
    assert_eq!(
        read(&program, b, 0, (5, 1)),
        (Err(ZxError::BufferTooSmall), 5, 2)
    );
    assert_eq!(
        read(&program, b, 2, (0, 0)),
        (Err(ZxError::NotSupported), 99, 99)
    );
    let before = program.handle_count();
    assert_eq!(
        read(&program, b, 1, (0, 0)),
        (Err(ZxError::BufferTooSmall), 5, 2)
    );
    assert_eq!(
        read(&program, b, 0, (5, 2)),
        (Err(ZxError::ShouldWait), 99, 99)
    );
    assert_eq!(program.handle_count(), before);
    program.close(a);
    assert_eq!(
        read(&program, b, 0, (5, 2)),
        (Err(ZxError::PeerClosed), 99, 99)
    );
}

#[test]
fn a_bad_pointer_loses_the_message_but_leaves_no_handle() {
    let program = Program::new();
    let (caller, (a, b), room) = (program.caller(), program.channel(), program.room(64));
    let places = [
        (NOWHERE, room, 0, 0),
        (room, NOWHERE, 0, 0),
        (room, room, NOWHERE, 0),
        (room, room, 0, NOWHERE),
    ];
    for (bytes, handles, actual_bytes, actual_handles) in places {
        write(&program, a, b"12345", &[program.event()]).unwrap();
        let before = program.handle_count();
        let actual = (output(actual_bytes), output(actual_handles));
        let status = sys_channel_read(
            &caller,
            b,
            0,
            output(bytes),
            output(handles),
            64,
            1,
            actual.0,
            actual.1,
        );
        assert_eq!(
            (status, program.handle_count()),
            (Err(ZxError::InvalidArgs), before)
        );
        assert_eq!(read(&program, b, 0, (9, 9)).0, Err(ZxError::ShouldWait));
    }
}

fn entry(operation: u32, handle: HandleValue, kind: u32, rights: Rights) -> HandleDisposition {
    HandleDisposition {
        operation,
        handle,
        kind,
        rights,
        result: 0,
    }
}

#[test]
fn write_etc_tells_of_every_failing_entry_and_moves_only_what_is_to_move() {
    let program = Program::new();
    let (caller, (a, b)) = (program.caller(), program.channel());
    let (moved, kept, strange) = (program.event(), program.event(), program.event());
    let same = Rights::SAME_RIGHTS;
    let entries = [
        entry(0, moved, 5, same),
        entry(1, kept, 6, same),
        entry(7, strange, 0, same),
        entry(1, kept, 0, Rights::WRITE),
        entry(0, moved, 0, same),
    ];
    let array = program.put(&entries);
    assert_eq!(
        sys_channel_write_etc(&caller, a, 0, input(0), 0, both(array), 5),
        Err(ZxError::WrongType)
    );
    let results: [HandleDisposition; 5] =
        core::array::from_fn(|index| program.get(array + index * 20));
    assert_eq!(results.map(|entry| entry.result), [0, -12, -10, -10, -11]);
    assert!(!program.has(moved) && !program.has(strange) && program.has(kept));

    let array = program.put(&[
        entry(1, kept, 5, Rights::WAIT | Rights::TRANSFER),
        entry(1, kept, 0, same),
    ]);
    sys_channel_write_etc(&caller, a, 0, input(0), 0, both(array), 2).unwrap();
    assert_eq!(read(&program, b, 0, (0, 2)), (Ok(()), 0, 2));
    assert!(program.has(kept));

    let moved = program.event();
    let array = program.put(&[entry(0, moved, 0, same), entry(1, kept, 0, same)]);
    assert_eq!(
        sys_channel_write_etc(&caller, a, 1, input(0), 0, both(array), 2),
        Err(ZxError::InvalidArgs)
    );
    assert!(!program.has(moved) && program.has(kept));
}

struct CallBuffers {
    args: usize,
    reply: usize,
    actual: (usize, usize),
}

fn call_args(program: &Program, bytes: &[u8], handles: &[HandleValue], room: u32) -> CallBuffers {
    let (reply, reply_handles) = (program.room(64), program.room(64));
    let args = program.put(&ChannelCallArgs {
        wr_bytes: program.put(bytes),
        wr_handles: program.put(handles),
        rd_bytes: reply,
        rd_handles: reply_handles,
        wr_num_bytes: u32::try_from(bytes.len()).unwrap(),
        wr_num_handles: u32::try_from(handles.len()).unwrap(),
        rd_num_bytes: room,
        rd_num_handles: 4,
    });
    CallBuffers {
        args,
        reply,
        actual: (program.put(&99_u32), program.put(&99_u32)),
    }
}

#[test]
fn a_call_gets_the_answer_to_its_transaction() {
    let program = Program::new();
    let (caller, (a, b)) = (program.caller(), program.channel());
    let buffers = call_args(&program, b"....ping", &[], 64);
    let actual = (output(buffers.actual.0), output(buffers.actual.1));
    let mut call = pin!(sys_channel_call_noretry(
        &caller,
        a,
        0,
        NEVER,
        input(buffers.args),
        actual.0,
        actual.1
    ));
    let cx = &mut Context::from_waker(Waker::noop());
    assert!(call.as_mut().poll(cx).is_pending());
    let question = program.room(8);
    let status = sys_channel_read(
        &caller,
        b,
        0,
        output(question),
        output(0),
        8,
        0,
        output(0),
        output(0),
    );
    status.unwrap();
    let mut answer = program.bytes(question, 8);
    assert_eq!(&answer[4..], b"ping");
    assert!(answer[3] & 0x80 != 0);
    answer[4..].copy_from_slice(b"pong");
    write(&program, b, &answer, &[program.event()]).unwrap();
    assert_eq!(call.as_mut().poll(cx), Poll::Ready(Ok(())));
    assert_eq!(program.bytes(buffers.reply, 8), answer);
    assert_eq!(
        (
            program.get::<u32>(buffers.actual.0),
            program.get::<u32>(buffers.actual.1)
        ),
        (8, 1)
    );
}

#[test]
fn a_call_that_times_out_has_sent_its_message_and_its_late_answer_is_an_ordinary_one() {
    let program = Program::new();
    let (caller, (a, b)) = (program.caller(), program.channel());
    let buffers = call_args(&program, b"....", &[program.event()], 64);
    let actual = (output(buffers.actual.0), output(buffers.actual.1));
    let called = now(sys_channel_call_noretry(
        &caller,
        a,
        0,
        0,
        input(buffers.args),
        actual.0,
        actual.1,
    ));
    assert_eq!(called, Err(ZxError::TimedOut));
    let question = program.room(4);
    sys_channel_read(
        &caller,
        b,
        0,
        output(question),
        output(question),
        4,
        1,
        output(0),
        output(0),
    )
    .unwrap();
    write(&program, b, b"late", &[]).unwrap();
    assert_eq!(read(&program, a, 0, (64, 4)), (Ok(()), 4, 0));
}

#[test]
fn a_call_fails_before_it_looks_at_the_channel_when_it_cannot_have_a_transaction() {
    let program = Program::new();
    let (caller, (a, _b)) = (program.caller(), program.channel());
    for (bytes, options, channel, expected) in [
        (&b"..."[..], 0, 0, ZxError::InvalidArgs),
        (b"....", 1, 0, ZxError::InvalidArgs),
        (b"....", 0, 0, ZxError::BadHandle),
        (
            b"....",
            0,
            program.with_less_than_call_rights(a),
            ZxError::AccessDenied,
        ),
    ] {
        let sent = program.event();
        let buffers = call_args(&program, bytes, &[sent], 64);
        let call = sys_channel_call_noretry(
            &caller,
            channel,
            options,
            NEVER,
            input(buffers.args),
            output(0),
            output(0),
        );
        assert_eq!(now(call), Err(expected));
        assert!(!program.has(sent));
    }
    let call = sys_channel_call_noretry(&caller, a, 0, NEVER, input(NOWHERE), output(0), output(0));
    assert_eq!(now(call), Err(ZxError::InvalidArgs));
    let buffers = call_args(&program, b"....", &[], 64);
    let finish = sys_channel_call_finish(&caller, NEVER, input(buffers.args), output(0), output(0));
    assert_eq!(now(finish), Err(ZxError::BadState));
}

impl Program {
    /// A channel end that may be written and not read.
    fn with_less_than_call_rights(&self, channel: HandleValue) -> HandleValue {
        self.with_rights(channel, Rights::WRITE | Rights::TRANSFER)
    }
}

#[test]
fn a_call_ends_when_an_end_closes() {
    let program = Program::new();
    let caller = program.caller();
    for (close_own, expected) in [(true, ZxError::Canceled), (false, ZxError::PeerClosed)] {
        let (a, b) = program.channel();
        let buffers = call_args(&program, b"....", &[], 64);
        let mut call = pin!(sys_channel_call_noretry(
            &caller,
            a,
            0,
            NEVER,
            input(buffers.args),
            output(0),
            output(0)
        ));
        let cx = &mut Context::from_waker(Waker::noop());
        assert!(call.as_mut().poll(cx).is_pending());
        program.close(if close_own { a } else { b });
        assert_eq!(call.as_mut().poll(cx), Poll::Ready(Err(expected)));
    }
}

#[test]
fn an_answer_that_does_not_fit_is_lost() {
    let program = Program::new();
    let (caller, (a, b)) = (program.caller(), program.channel());
    let buffers = call_args(&program, b"....", &[], 3);
    let actual = (output(buffers.actual.0), output(buffers.actual.1));
    let mut call = pin!(sys_channel_call_noretry(
        &caller,
        a,
        0,
        NEVER,
        input(buffers.args),
        actual.0,
        actual.1
    ));
    let cx = &mut Context::from_waker(Waker::noop());
    assert!(call.as_mut().poll(cx).is_pending());
    let question = program.room(4);
    made(sys_channel_read(
        &caller,
        b,
        0,
        output(question),
        output(0),
        4,
        0,
        output(0),
        output(0),
    ));
    write(&program, b, &program.bytes(question, 4), &[]).unwrap();
    assert_eq!(
        call.as_mut().poll(cx),
        Poll::Ready(Err(ZxError::BufferTooSmall))
    );
    assert_eq!(
        (
            program.get::<u32>(buffers.actual.0),
            read(&program, a, 0, (9, 9)).0
        ),
        (99, Err(ZxError::ShouldWait))
    );
}

#[test]
fn a_call_that_a_suspension_interrupts_is_finished_later_and_loses_no_answer() {
    let program = Program::new();
    let (caller, (a, b)) = (program.caller(), program.channel());
    let buffers = call_args(&program, b"....", &[], 64);
    let actual = (output(buffers.actual.0), output(buffers.actual.1));
    program.thread.suspend().unwrap();
    let call = sys_channel_call_noretry(
        &caller,
        a,
        0,
        NEVER,
        input(buffers.args),
        actual.0,
        actual.1,
    );
    assert_eq!(now(call), Err(ZxError::IntrRetry));
    let question = program.room(4);
    sys_channel_read(
        &caller,
        b,
        0,
        output(question),
        output(0),
        4,
        0,
        output(0),
        output(0),
    )
    .unwrap();
    write(&program, b, &program.bytes(question, 4), &[]).unwrap();
    program.thread.resume();
    now(sys_channel_call_finish(
        &caller,
        NEVER,
        input(buffers.args),
        actual.0,
        actual.1,
    ))
    .unwrap();
    assert_eq!(program.bytes(buffers.reply, 4), program.bytes(question, 4));
    assert_eq!(
        now(sys_channel_call_finish(
            &caller,
            0,
            input(buffers.args),
            actual.0,
            actual.1
        )),
        Err(ZxError::BadState)
    );
}
