//! How often whole calls, from shim to object, ask the heap for memory.

use super::{both, input, now, output, Program};
use crate::{channel, fifo, futex, object, port, socket, timer};

use kernel_hal_hosted::heap::{allocations, CountingHeap};
use std::vec::Vec;
use zx_abi::{PortPacket, Signals, Status, WaitItem, ZxError, ZxResult};

#[global_allocator]
static HEAP: CountingHeap = CountingHeap;

/// How often ten rounds allocate after a few others.
fn in_the_long_run(mut round: impl FnMut() -> ZxResult) -> usize {
    let mut rounds = |count| {
        for _ in 0..count {
            round().unwrap();
        }
    };
    rounds(3);
    allocations(|| rounds(10)).0
}

#[test]
fn a_ready_object_is_waited_for_without_memory() {
    let program = Program::new();
    let (caller, event) = (program.caller(), program.event());
    let observed = program.room(4);
    object::signal::sys_object_signal(&caller, event, Signals::empty(), Signals::SIGNALED).unwrap();
    let wait = || {
        object::wait::now_object_wait_one(
            &caller,
            event,
            Signals::SIGNALED,
            i64::MAX,
            output(observed),
        )
        .unwrap()
    };
    assert_eq!(in_the_long_run(wait), 0);
}

#[test]
fn signals_change_without_memory() {
    let program = Program::new();
    let (caller, event) = (program.caller(), program.event());
    let flip = || {
        let (set, none) = (Signals::SIGNALED, Signals::empty());
        object::signal::sys_object_signal(&caller, event, none, set)?;
        object::signal::sys_object_signal(&caller, event, set, none)
    };
    assert_eq!(in_the_long_run(flip), 0);
}

#[test]
fn a_port_takes_and_gives_packets_without_memory() {
    let program = Program::new();
    let caller = program.caller();
    let handle = program.one(|out| port::sys_port_create(&caller, 0, out));
    let at = program.put(&PortPacket::user(1, Status(0), [0; 32]));
    let round = || {
        port::sys_port_queue(&caller, handle, input(at))?;
        now(port::sys_port_wait(&caller, handle, i64::MAX, output(at)))
    };
    assert_eq!(in_the_long_run(round), 0);
}

#[test]
fn timers_are_set_and_cancelled_without_memory() {
    let program = Program::new();
    let _clock = kernel_hal_hosted::time::hold();
    let caller = program.caller();
    let handle = program.one(|out| timer::sys_timer_create(&caller, 0, 0, out));
    let round = || {
        timer::sys_timer_set(&caller, handle, i64::MAX / 2, 0)?;
        timer::sys_timer_cancel(&caller, handle)
    };
    assert_eq!(in_the_long_run(round), 0);
}

#[test]
fn a_message_of_up_to_1_kib_takes_one_buffer_and_nothing_else() {
    let program = Program::new();
    let caller = program.caller();
    let ((a, b), data, actual) = (program.channel(), program.room(1024), program.room(8));
    for len in [1, 64, 1024] {
        let round = || {
            channel::sys_channel_write(&caller, a, 0, input(data), len, input(0), 0)?;
            channel::sys_channel_read(
                &caller,
                b,
                0,
                output(data),
                output(0),
                len,
                0,
                output(actual),
                output(actual + 4),
            )
        };
        assert_eq!(in_the_long_run(round), 10, "{len} bytes, ten rounds");
    }
}

#[test]
fn objects_that_are_ready_are_waited_for_without_memory_however_many() {
    let program = Program::new();
    let caller = program.caller();
    for count in [1, 8, 9, 64] {
        let items: Vec<WaitItem> = (0..count)
            .map(|_| WaitItem {
                handle: program.event(),
                waitfor: Signals::SIGNALED,
                pending: Signals::empty(),
            })
            .collect();
        let at = program.put(&items[..]);
        let wait = || object::wait::now_object_wait_many(&caller, both(at), count, 0).unwrap();
        // Not ready, and no time: nothing is made for a wait either.
        let timed_out = || match wait() {
            Err(ZxError::TimedOut) => Ok(()),
            other => other,
        };
        assert_eq!(in_the_long_run(timed_out), 0, "{count} objects, time-out");
        let last = items[count - 1].handle;
        object::signal::sys_object_signal(&caller, last, Signals::empty(), Signals::SIGNALED)
            .unwrap();
        assert_eq!(in_the_long_run(wait), 0, "{count} objects");
    }
}

#[test]
fn waits_that_end_in_a_packet_take_no_memory() {
    let program = Program::new();
    let (caller, event) = (program.caller(), program.event());
    let port = program.one(|out| port::sys_port_create(&caller, 0, out));
    let at = program.room(size_of::<PortPacket>());
    let round = || {
        port::sys_object_wait_async(&caller, event, port, 1, Signals::SIGNALED, 0)?;
        let (set, none) = (Signals::SIGNALED, Signals::empty());
        object::signal::sys_object_signal(&caller, event, none, set)?;
        now(port::sys_port_wait(&caller, port, i64::MAX, output(at)))?;
        object::signal::sys_object_signal(&caller, event, set, none)
    };
    assert_eq!(in_the_long_run(round), 0);
}

#[test]
fn waking_nobody_at_a_futex_takes_no_memory() {
    let program = Program::new();
    let caller = program.caller();
    let at = program.room(4);
    let wake = || futex::sys_futex_wake(&caller, input(at), 1);
    assert_eq!(in_the_long_run(wake), 0);
}

#[test]
fn transfers_through_sockets_take_no_memory_once_the_buffer_has_grown() {
    let program = Program::new();
    let caller = program.caller();
    for options in [0, 1] {
        let (a, b) = program.two(|a, b| socket::sys_socket_create(&caller, options, a, b));
        for len in [1, 256, 4096, 3 * 4096] {
            let data = program.room(len);
            let round = || {
                socket::sys_socket_write(&caller, a, 0, input(data), len, output(0))?;
                socket::sys_socket_read(&caller, b, 0, output(data), len, output(0))
            };
            assert_eq!(in_the_long_run(round), 0, "{len} bytes");
        }
    }
}

#[test]
fn transfers_through_fifos_take_no_memory() {
    let program = Program::new();
    let caller = program.caller();
    let (a, b) = program.two(|a, b| fifo::sys_fifo_create(&caller, 256, 16, 0, a, b));
    let data = program.room(4096);
    for count in [1, 16, 256] {
        let round = || {
            fifo::sys_fifo_write(&caller, a, 16, input(data), count, output(0))?;
            fifo::sys_fifo_read(&caller, b, 16, output(data), count, output(0))
        };
        assert_eq!(in_the_long_run(round), 0, "{count} elements");
    }
}
