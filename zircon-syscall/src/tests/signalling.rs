//! Events, ports, timers, clocks, resources and the debug log: order of errors and results.

use super::{both, input, now, output, Program, NOWHERE};
use crate::{clock, debug, event, port, resource, system_event, timer};
use crate::{Caller, Level};
use zircon_object::dev::Resource;
use zx_abi::clock::{clock_args_version, ClockDetailsV1, ClockUpdateArgsV1};
use zx_abi::{PortPacket, Rights, Signals, Status, ZxError};

#[test]
fn events_and_event_pairs_refuse_options_each_in_its_own_way() {
    let program = Program::new();
    let (caller, out) = (program.caller(), program.room(4));
    assert_eq!(
        event::sys_event_create(&caller, 1, output(out)),
        Err(ZxError::InvalidArgs)
    );
    assert_eq!(
        event::sys_eventpair_create(&caller, 1, output(out), output(out)),
        Err(ZxError::NotSupported)
    );
    assert_eq!(
        event::sys_event_create(&caller, 0, output(NOWHERE)),
        Err(ZxError::InvalidArgs)
    );
    assert_eq!(program.handle_count(), 0);
}

#[test]
fn a_port_gives_back_what_was_queued_and_times_out_when_empty() {
    let program = Program::new();
    let caller = program.caller();
    let handle = program.one(|out| port::sys_port_create(&caller, 0, out));
    let (packet, room) = (
        PortPacket {
            kind: 99,
            ..PortPacket::user(5, Status(-7), [3; 32])
        },
        program.room(48),
    );
    let at = program.put(&packet);
    assert_eq!(
        port::sys_port_create(&caller, 2, output(room)),
        Err(ZxError::InvalidArgs)
    );
    assert_eq!(
        port::sys_port_queue(&caller, handle, input(NOWHERE)),
        Err(ZxError::InvalidArgs)
    );
    port::sys_port_queue(&caller, handle, input(at)).unwrap();
    now(port::sys_port_wait(&caller, handle, 0, output(room))).unwrap();
    assert_eq!(
        program.get::<PortPacket>(room),
        PortPacket::user(5, Status(-7), [3; 32])
    );
    assert_eq!(
        now(port::sys_port_wait(&caller, handle, 0, output(room))),
        Err(ZxError::TimedOut)
    );
}

#[test]
fn wait_async_checks_options_port_and_source_in_that_order() {
    let program = Program::new();
    let caller = program.caller();
    let (event, handle) = (
        program.event(),
        program.one(|out| port::sys_port_create(&caller, 0, out)),
    );
    let deaf = program.with_rights(event, Rights::TRANSFER);
    for (source, to, options, expected) in [
        (0, 0, 8, ZxError::InvalidArgs),
        (0, event, 0, ZxError::WrongType),
        (0, handle, 0, ZxError::BadHandle),
        (deaf, handle, 0, ZxError::AccessDenied),
        (handle, handle, 0, ZxError::AccessDenied),
    ] {
        assert_eq!(
            port::sys_object_wait_async(&caller, source, to, 1, Signals::SIGNALED, options),
            Err(expected)
        );
    }
    port::sys_object_wait_async(&caller, event, handle, 1, Signals::SIGNALED, 0).unwrap();
    assert_eq!(
        port::sys_port_cancel(&caller, handle, event, 2),
        Err(ZxError::NotFound)
    );
    assert_eq!(
        port::sys_port_cancel(&caller, handle, deaf, 1),
        Err(ZxError::AccessDenied)
    );
    assert_eq!(port::sys_port_cancel(&caller, handle, event, 1), Ok(()));
}

#[test]
fn an_edge_wait_counts_only_what_becomes_set_and_2019_has_none() {
    let program = Program::new();
    let caller = program.caller();
    let handle = program.one(|out| port::sys_port_create(&caller, 0, out));
    let (event, room) = (program.event(), program.room(48));
    let signal = |clear, set| {
        crate::object::signal::sys_object_signal(&caller, event, clear, set).unwrap();
    };
    let (a, none) = (Signals::USER_0, Signals::empty());
    signal(none, a);
    port::sys_object_wait_async(&caller, event, handle, 1, a, 2).unwrap();
    signal(none, Signals::USER_1);
    assert_eq!(
        now(port::sys_port_wait(&caller, handle, 0, output(room))),
        Err(ZxError::TimedOut),
        "it stood already"
    );
    signal(a, none);
    signal(none, a);
    now(port::sys_port_wait(&caller, handle, 0, output(room))).unwrap();
    assert_eq!(program.get::<PortPacket>(room).key, 1);

    port::sys_object_wait_async(&caller, event, handle, 2, a, 0).unwrap();
    now(port::sys_port_wait(&caller, handle, 0, output(room))).unwrap();
    assert_eq!(program.get::<PortPacket>(room).key, 2);

    let refused = |caller: &Caller<'_>, options| {
        port::sys_object_wait_async(caller, event, handle, 3, a, options)
            == Err(ZxError::InvalidArgs)
    };
    assert!(refused(&caller, 4));
    let older = program.caller().at(Level::Zircon2019);
    assert_eq!(
        [1, 2, 3].map(|options| refused(&older, options)),
        [false, true, true]
    );
}

#[test]
fn timers_check_the_clock_before_the_mode_and_the_slack_before_the_handle() {
    let program = Program::new();
    let (caller, out) = (program.caller(), program.room(4));
    assert_eq!(
        timer::sys_timer_create(&caller, 9, 1, output(out)),
        Err(ZxError::InvalidArgs)
    );
    assert_eq!(
        timer::sys_timer_create(&caller, 3, 0, output(out)),
        Err(ZxError::InvalidArgs)
    );
    let handle = program.one(|out| timer::sys_timer_create(&caller, 2, 0, out));
    assert_eq!(
        timer::sys_timer_set(&caller, 0, 0, -1),
        Err(ZxError::OutOfRange)
    );
    assert_eq!(
        timer::sys_timer_set(&caller, 0, 0, 0),
        Err(ZxError::BadHandle)
    );
    assert_eq!(
        (
            timer::sys_timer_set(&caller, handle, 0, 0),
            timer::sys_timer_cancel(&caller, handle)
        ),
        (Ok(()), Ok(()))
    );
}

#[test]
fn clock_calls_take_their_arguments_by_version() {
    let program = Program::new();
    let (caller, out, v1) = (program.caller(), program.room(128), clock_args_version(1));
    let args = program.put(&5_i64);
    assert_eq!(
        clock::sys_clock_create(&caller, 0, input(args), output(out)),
        Err(ZxError::InvalidArgs)
    );
    assert_eq!(
        clock::sys_clock_create(&caller, clock_args_version(2), input(args), output(out)),
        Err(ZxError::InvalidArgs)
    );
    assert_eq!(
        clock::sys_clock_create(&caller, 8, input(0), output(out)),
        Err(ZxError::InvalidArgs)
    );
    let handle = program.one(|out| clock::sys_clock_create(&caller, v1, input(args), out));
    clock::sys_clock_read(&caller, handle, output(out)).unwrap();
    assert_eq!(program.get::<i64>(out), 5);
    let update = program.put(&ClockUpdateArgsV1 {
        value: 9,
        rate_adjust: 2000,
        ..Default::default()
    });
    assert_eq!(
        clock::sys_clock_update(&caller, handle, 1, input(update)),
        Err(ZxError::InvalidArgs)
    );
    assert_eq!(
        clock::sys_clock_update(&caller, 0, v1 | 2, input(update)),
        Err(ZxError::InvalidArgs)
    );
    assert_eq!(
        clock::sys_clock_update(&caller, 0, v1 | 1, input(update)),
        Err(ZxError::BadHandle)
    );
    assert_eq!(
        clock::sys_clock_update(&caller, handle, v1 | 4, input(update)),
        Err(ZxError::BadState)
    );
    clock::sys_clock_update(&caller, handle, v1 | 1, input(update)).unwrap();
    assert_eq!(
        clock::sys_clock_get_details(&caller, handle, 0, output(out)),
        Err(ZxError::InvalidArgs)
    );
    clock::sys_clock_get_details(&caller, handle, v1, output(out)).unwrap();
    let details: ClockDetailsV1 = program.get(out);
    assert_eq!(
        (
            details.backstop_time,
            details.mono_to_synthetic.synthetic_offset,
            details.error_bound
        ),
        (5, 9, u64::MAX)
    );
}

#[test]
fn the_wall_clock_is_set_with_the_root_resource_only() {
    let program = Program::new();
    let (caller, out, event) = (program.caller(), program.room(8), program.event());
    let root = program.give(Resource::root().unwrap());
    assert_eq!(
        clock::sys_clock_adjust(&caller, event, 1, 0),
        Err(ZxError::WrongType)
    );
    assert_eq!(
        clock::sys_clock_adjust(&caller, root, 0, 0),
        Err(ZxError::AccessDenied)
    );
    assert_eq!(
        clock::sys_clock_adjust(&caller, root, 2, 0),
        Err(ZxError::InvalidArgs)
    );
    assert_eq!(clock::sys_clock_adjust(&caller, root, 1, 1 << 60), Ok(()));
    clock::sys_clock_get(&caller, 1, output(out)).unwrap();
    assert!(program.get::<i64>(out) >= 1 << 60);
    assert_eq!(
        clock::sys_clock_get(&caller, 3, output(out)),
        Err(ZxError::InvalidArgs)
    );
}

#[test]
fn resources_come_from_the_root_or_from_a_range_that_holds_theirs() {
    let program = Program::new();
    let (caller, root) = (program.caller(), program.give(Resource::root().unwrap()));
    let create = |parent, options, base, size| {
        let at = program.room(4);
        resource::sys_resource_create(
            &caller,
            parent,
            options,
            base,
            size,
            input(0),
            0,
            output(at),
        )
        .map(|()| program.get::<u32>(at))
    };
    let mmio = create(root, 0, 0x10_0000, 0x2000).unwrap();
    assert!(create(mmio, 0, 0x10_1000, 0x1000).is_ok());
    assert_eq!(
        create(mmio, 0, 0x10_1000, 0x2000),
        Err(ZxError::AccessDenied)
    );
    assert_eq!(create(mmio, 1, 0, 1), Err(ZxError::AccessDenied));
    assert_eq!(
        create(mmio, 0x1_0000, 0x10_1000, 0x1000),
        Err(ZxError::InvalidArgs)
    );
    assert_eq!(create(root, 7, 0, 0), Err(ZxError::InvalidArgs));
    assert_eq!(create(root, 0xff_0000, 0, 0), Err(ZxError::InvalidArgs));
    assert_eq!(
        create(root, 0x1_0000, 0x10_0000, 0x1000),
        Err(ZxError::NotFound)
    );
    assert_eq!(create(root, 4, 1, 1), Err(ZxError::InvalidArgs));
}

#[test]
fn a_debug_log_needs_the_root_resource_since_2020() {
    let program = Program::new();
    let room = program.room(4);
    assert_eq!(
        debug::sys_debuglog_create(&program.caller(), 0, 0, output(room)),
        Err(ZxError::BadHandle)
    );
}

#[test]
fn waits_for_more_items_than_the_level_allows_are_refused() {
    let program = Program::new();
    let event = program.event();
    let items = program.put(
        &[zx_abi::WaitItem {
            handle: event,
            waitfor: Signals::empty(),
            pending: Signals::empty(),
        }; 17],
    );
    let wait = |caller: &Caller<'_>| {
        now(crate::object::wait::sys_object_wait_many(
            caller,
            both(items),
            17,
            0,
        ))
    };
    assert_eq!(wait(&program.caller()), Err(ZxError::TimedOut));
    assert_eq!(
        wait(&program.caller().at(Level::Zircon2019)),
        Err(ZxError::OutOfRange)
    );
}

#[test]
fn the_debug_log_is_written_and_read_with_its_rights() {
    let program = Program::new();
    // Making one without a resource is for programs of 2019.
    let caller = program.caller().at(Level::Zircon2019);
    let (writer, reader) = (
        program.one(|out| debug::sys_debuglog_create(&caller, 0, 0, out)),
        program.one(|out| debug::sys_debuglog_create(&caller, 0, 0x4000_0000, out)),
    );
    let (text, room) = (program.put(b"hello"), program.room(256));
    assert_eq!(
        debug::sys_debuglog_create(&caller, 0, 1, output(room)),
        Err(ZxError::InvalidArgs)
    );
    assert_eq!(
        debug::sys_debuglog_write(&caller, 0, 0x1_0000, input(text), 5),
        Err(ZxError::InvalidArgs)
    );
    assert_eq!(
        debug::sys_debuglog_write(&caller, writer, 0, input(NOWHERE), 5),
        Err(ZxError::InvalidArgs)
    );
    debug::sys_debuglog_write(&caller, writer, 0, input(text), 5).unwrap();
    assert_eq!(
        debug::sys_debuglog_read(&caller, writer, 0, output(room), 256),
        crate::result(Err(ZxError::AccessDenied))
    );
    assert_eq!(
        debug::sys_debuglog_read(&caller, reader, 1, output(room), 256),
        crate::result(Err(ZxError::InvalidArgs))
    );
    assert_eq!(
        debug::sys_debuglog_read(&caller, reader, 0, output(room), 256),
        37
    );
    assert_eq!(program.bytes(room + 32, 5), b"hello");
    assert_eq!(
        debug::sys_debuglog_read(&caller, reader, 0, output(room), 256),
        crate::result(Err(ZxError::ShouldWait))
    );
}

#[test]
fn system_events_are_for_the_root_job() {
    let program = Program::new();
    let (caller, out) = (program.caller(), program.room(4));
    let (root, child) = (
        program.give(program.job.clone()),
        program.give(program.job.create_child().unwrap()),
    );
    let process = program.give(program.thread.process().clone());
    for (job, kind, expected) in [
        (0, 1, ZxError::BadHandle),
        (process, 1, ZxError::WrongType),
        (child, 1, ZxError::AccessDenied),
        (root, u32::MAX, ZxError::InvalidArgs),
    ] {
        assert_eq!(
            system_event::sys_system_get_event(&caller, job, kind, output(out)),
            Err(expected)
        );
    }
    for kind in 1..=4 {
        let event = program.one(|out| system_event::sys_system_get_event(&caller, root, kind, out));
        let (object, _) = program
            .thread
            .process()
            .handles()
            .get_object(event, Rights::WAIT)
            .unwrap();
        assert_eq!(
            object.base().signals().get().contains(Signals::SIGNALED),
            kind == 4
        );
    }
}
