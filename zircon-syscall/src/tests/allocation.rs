//! How often whole calls, from shim to object, ask the heap for memory.

use super::{input, now, output, Program};
use crate::{channel, fifo, object, port, socket, timer};

use kernel_hal_hosted::heap::{allocations, CountingHeap};
use zx_abi::{PortPacket, Signals, Status, ZxResult};

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
        now(object::wait::sys_object_wait_one(
            &caller,
            event,
            Signals::SIGNALED,
            i64::MAX,
            output(observed),
        ))
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

/// What is copied by way of the stack; longer transfers take a buffer each.
const SHORT: usize = 256;

#[test]
fn short_transfers_through_sockets_take_no_memory() {
    let program = Program::new();
    let caller = program.caller();
    for options in [0, 1] {
        let (a, b) = program.two(|a, b| socket::sys_socket_create(&caller, options, a, b));
        let data = program.room(SHORT);
        let round = || {
            socket::sys_socket_write(&caller, a, 0, input(data), SHORT, output(0))?;
            socket::sys_socket_read(&caller, b, 0, output(data), SHORT, output(0))
        };
        assert_eq!(in_the_long_run(round), 0);
    }
}

#[test]
fn short_transfers_through_fifos_take_no_memory() {
    let program = Program::new();
    let caller = program.caller();
    let (a, b) = program.two(|a, b| fifo::sys_fifo_create(&caller, 16, 16, 0, a, b));
    let data = program.room(SHORT);
    let round = || {
        fifo::sys_fifo_write(&caller, a, 16, input(data), 16, output(0))?;
        fifo::sys_fifo_read(&caller, b, 16, output(data), 16, output(0))
    };
    assert_eq!(in_the_long_run(round), 0);
}
