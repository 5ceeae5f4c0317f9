//! The order of checks of the calls for handles, waits, ports, timers, futexes and logs: of two faults the first is told.

use core::sync::atomic::AtomicI32;

use libzx::{AsHandle, Event, EventPair, Handle, Port, Rights, Signals, Timer, Unowned, ZxResult};
use zx_abi::syscalls::SyscallId;

use crate::check::{check, check_eq, fails, needs, ok, suite, Case};
use crate::memory::{address_of, arg, call, Edge, Scratch};
use crate::world::{sleep_ms, soon, World};

suite! {
    "Order":
    handle_duplicate_checks_the_right_before_the_rights,
    handle_duplicate_checks_the_rights_before_the_pointer,
    handle_replace_checks_the_handle_before_the_rights,
    handle_replace_takes_the_handle_with_a_bad_pointer,
    handle_close_many_reads_the_array_before_it_closes,
    object_wait_one_checks_the_handle_before_the_pointer,
    object_wait_one_writes_before_it_says_timed_out,
    object_wait_many_checks_the_count_before_the_pointer,
    object_wait_many_checks_handles_before_signals,
    object_wait_async_checks_options_before_the_port,
    object_wait_async_checks_the_port_before_the_object,
    object_signal_checks_the_right_before_the_mask,
    object_signal_peer_checks_the_right_before_the_mask,
    object_signal_peer_checks_the_mask_before_the_peer,
    object_get_property_checks_the_pointer_before_the_handle,
    object_set_property_checks_the_pointer_before_the_handle,
    object_get_property_checks_the_handle_before_the_property,
    object_get_child_checks_the_right_before_the_koid,
    event_create_checks_options_before_the_pointer,
    eventpair_create_checks_options_before_pointers,
    port_create_checks_options_before_the_pointer,
    port_queue_checks_the_handle_before_the_pointer,
    port_wait_checks_the_deadline_before_the_pointer,
    port_cancel_checks_the_port_before_the_source,
    port_cancel_checks_the_source_before_the_key,
    port_cancel_needs_writing,
    timer_create_checks_the_clock_before_options,
    timer_set_checks_the_slack_before_the_handle,
    timer_cancel_checks_the_type_before_the_right,
    futex_wait_checks_the_address_before_the_value,
    futex_wait_checks_the_value_before_the_owner,
    futex_wait_checks_the_owner_before_the_deadline,
    futex_wait_refuses_the_caller_as_owner,
    futex_wake_checks_the_address_before_the_count,
    futex_requeue_checks_addresses_before_the_value,
    futex_requeue_checks_the_value_before_the_owner,
    futex_get_owner_checks_the_address_before_the_pointer,
    debuglog_write_checks_options_before_the_handle,
    debuglog_read_checks_options_before_the_handle,
    cprng_add_entropy_checks_the_size_before_the_pointer,
    clock_get_checks_the_clock_before_the_pointer,
    clock_adjust_checks_the_resource_before_the_clock,
    clock_adjust_moves_only_the_wall_clock,
}

/// A value that no process has.
const NOBODY: usize = 0xffff_fff3;

fn handle_duplicate_checks_the_right_before_the_rights(_: &World) -> Case {
    let event = ok!(ok!(Event::create()).replace(Rights::WAIT));
    let args = [arg(&event), Rights::MAP.bits() as usize, 0];
    fails!(call(SyscallId::HandleDuplicate, &args), AccessDenied);
    fails!(
        call(SyscallId::HandleDuplicate, &[NOBODY, args[1], 0]),
        BadHandle
    );
    Ok(())
}

fn handle_duplicate_checks_the_rights_before_the_pointer(_: &World) -> Case {
    let event = ok!(Event::create());
    // Both say the same; the count of handles must not change.
    let args = [arg(&event), Rights::MAP.bits() as usize, 0];
    fails!(call(SyscallId::HandleDuplicate, &args), InvalidArgs);
    let count: u32 = ok!(event.get_info(zx_abi::InfoTopic::HandleCount));
    check_eq!(count, 1);
    Ok(())
}

fn handle_replace_checks_the_handle_before_the_rights(_: &World) -> Case {
    let args = [NOBODY, Rights::MAP.bits() as usize, 0];
    fails!(call(SyscallId::HandleReplace, &args), BadHandle);
    Ok(())
}

fn handle_replace_takes_the_handle_with_a_bad_pointer(_: &World) -> Case {
    let (witness, sent) = ok!(EventPair::create());
    let value = Handle::from(sent).into_raw() as usize;
    let same = Rights::SAME_RIGHTS.bits() as usize;
    fails!(
        call(SyscallId::HandleReplace, &[value, same, 0]),
        InvalidArgs
    );
    check_eq!(
        ok!(witness.signals_now(Signals::all())),
        Signals::PEER_CLOSED
    );
    Ok(())
}

fn handle_close_many_reads_the_array_before_it_closes(_: &World) -> Case {
    let edge = ok!(Edge::new());
    fails!(
        call(SyscallId::HandleCloseMany, &[edge.before_end(4), 2]),
        InvalidArgs
    );
    ok!(call(SyscallId::HandleCloseMany, &[0, 0]));
    Ok(())
}

fn object_wait_one_checks_the_handle_before_the_pointer(_: &World) -> Case {
    fails!(
        call(SyscallId::ObjectWaitOne, &[NOBODY, 0, 0, 0x1000]),
        BadHandle
    );
    let event = ok!(ok!(Event::create()).replace(Rights::DUPLICATE));
    fails!(
        call(SyscallId::ObjectWaitOne, &[arg(&event), 0, 0, 0x1000]),
        AccessDenied
    );
    Ok(())
}

fn object_wait_one_writes_before_it_says_timed_out(_: &World) -> Case {
    let event = ok!(Event::create());
    fails!(
        call(SyscallId::ObjectWaitOne, &[arg(&event), 8, 0, 0x1000]),
        InvalidArgs
    );
    fails!(
        call(SyscallId::ObjectWaitOne, &[arg(&event), 8, 0, 0]),
        TimedOut
    );
    Ok(())
}

fn object_wait_many_checks_the_count_before_the_pointer(_: &World) -> Case {
    fails!(
        call(SyscallId::ObjectWaitMany, &[0x1000, 65, 0]),
        OutOfRange
    );
    fails!(
        call(SyscallId::ObjectWaitMany, &[0x1000, 1, 0]),
        InvalidArgs
    );
    Ok(())
}

fn object_wait_many_checks_handles_before_signals(_: &World) -> Case {
    let event = ok!(Event::create());
    ok!(event.signal(Signals::empty(), Signals::SIGNALED));
    let mute = ok!(event.duplicate(Rights::SIGNAL));
    let item = |handle| libzx::WaitFor {
        handle,
        signals: Signals::SIGNALED,
    };
    let with_bad = [item(event.raw()), item(0)];
    fails!(libzx::wait_many(&with_bad, soon()), BadHandle);
    let with_mute = [item(event.raw()), item(mute.raw()), item(0)];
    fails!(libzx::wait_many(&with_mute, soon()), AccessDenied);
    Ok(())
}

fn object_wait_async_checks_options_before_the_port(_: &World) -> Case {
    fails!(
        call(SyscallId::ObjectWaitAsync, &[NOBODY, NOBODY, 0, 8, 1 << 31]),
        InvalidArgs
    );
    Ok(())
}

fn object_wait_async_checks_the_port_before_the_object(_: &World) -> Case {
    let port = ok!(ok!(Port::create()).replace(Rights::READ));
    let args = [NOBODY, arg(&port), 0, 8, 0];
    fails!(call(SyscallId::ObjectWaitAsync, &args), AccessDenied);
    Ok(())
}

fn object_signal_checks_the_right_before_the_mask(_: &World) -> Case {
    let mute = ok!(ok!(Event::create()).replace(Rights::WAIT));
    fails!(
        mute.signal(Signals::READABLE, Signals::empty()),
        AccessDenied
    );
    fails!(
        Unowned(0).signal(Signals::READABLE, Signals::empty()),
        BadHandle
    );
    Ok(())
}

fn object_signal_peer_checks_the_right_before_the_mask(_: &World) -> Case {
    let (left, _right) = ok!(EventPair::create());
    let left = ok!(left.replace(Rights::SIGNAL));
    fails!(
        left.signal_peer(Signals::READABLE, Signals::empty()),
        AccessDenied
    );
    Ok(())
}

fn object_signal_peer_checks_the_mask_before_the_peer(_: &World) -> Case {
    let (left, right) = ok!(EventPair::create());
    drop(right);
    fails!(
        left.signal_peer(Signals::READABLE, Signals::empty()),
        InvalidArgs
    );
    fails!(
        left.signal_peer(Signals::SIGNALED, Signals::empty()),
        PeerClosed
    );
    Ok(())
}

fn object_get_property_checks_the_pointer_before_the_handle(_: &World) -> Case {
    fails!(
        call(SyscallId::ObjectGetProperty, &[NOBODY, 3, 0, 32]),
        InvalidArgs
    );
    Ok(())
}

fn object_set_property_checks_the_pointer_before_the_handle(_: &World) -> Case {
    fails!(
        call(SyscallId::ObjectSetProperty, &[NOBODY, 3, 0, 32]),
        InvalidArgs
    );
    Ok(())
}

fn object_get_property_checks_the_handle_before_the_property(_: &World) -> Case {
    let page = ok!(Scratch::new());
    fails!(
        call(
            SyscallId::ObjectGetProperty,
            &[NOBODY, 999, page.address(), 32]
        ),
        BadHandle
    );
    let event = ok!(Event::create());
    let args = [arg(&event), 999, page.address(), 32];
    fails!(call(SyscallId::ObjectGetProperty, &args), AccessDenied);
    Ok(())
}

fn object_get_child_checks_the_right_before_the_koid(_: &World) -> Case {
    let weak = ok!(libzx::own_process().duplicate_handle(Rights::BASIC));
    let page = ok!(Scratch::new());
    let same = Rights::SAME_RIGHTS.bits() as usize;
    let args = [arg(&weak), 1, same, page.address()];
    fails!(call(SyscallId::ObjectGetChild, &args), AccessDenied);
    let args = [arg(&libzx::own_process()), 1, same, page.address()];
    fails!(call(SyscallId::ObjectGetChild, &args), NotFound);
    Ok(())
}

fn event_create_checks_options_before_the_pointer(_: &World) -> Case {
    fails!(call(SyscallId::EventCreate, &[1, 0]), InvalidArgs);
    Ok(())
}

fn eventpair_create_checks_options_before_pointers(_: &World) -> Case {
    fails!(call(SyscallId::EventpairCreate, &[1, 0, 0]), NotSupported);
    fails!(call(SyscallId::EventpairCreate, &[0, 0, 0]), InvalidArgs);
    Ok(())
}

fn port_create_checks_options_before_the_pointer(_: &World) -> Case {
    fails!(call(SyscallId::PortCreate, &[2, 0]), InvalidArgs);
    fails!(call(SyscallId::PortCreate, &[0, 0]), InvalidArgs);
    Ok(())
}

fn port_queue_checks_the_handle_before_the_pointer(_: &World) -> Case {
    fails!(call(SyscallId::PortQueue, &[NOBODY, 0]), BadHandle);
    let reader = ok!(ok!(Port::create()).replace(Rights::READ));
    fails!(call(SyscallId::PortQueue, &[arg(&reader), 0]), AccessDenied);
    Ok(())
}

fn port_wait_checks_the_deadline_before_the_pointer(_: &World) -> Case {
    let port = ok!(Port::create());
    fails!(call(SyscallId::PortWait, &[arg(&port), 0, 0]), TimedOut);
    fails!(call(SyscallId::PortWait, &[NOBODY, 0, 0]), BadHandle);
    Ok(())
}

fn port_cancel_checks_the_port_before_the_source(_: &World) -> Case {
    let reader = ok!(ok!(Port::create()).replace(Rights::READ));
    fails!(reader.cancel(&Unowned(0), 1), AccessDenied);
    let event = Port::from(Handle::from(ok!(Event::create())));
    fails!(event.cancel(&Unowned(0), 1), WrongType);
    Ok(())
}

fn port_cancel_checks_the_source_before_the_key(_: &World) -> Case {
    let port = ok!(Port::create());
    fails!(port.cancel(&Unowned(0), 1), BadHandle);
    fails!(port.cancel(&port, 1), AccessDenied);
    fails!(port.cancel(&ok!(Event::create()), 1), NotFound);
    Ok(())
}

fn port_cancel_needs_writing(_: &World) -> Case {
    let (port, event) = (ok!(Port::create()), ok!(Event::create()));
    ok!(event.wait_async(&port, 1, Signals::SIGNALED, 0));
    let reader = ok!(port.duplicate(Rights::READ));
    fails!(reader.cancel(&event, 1), AccessDenied);
    let writer = ok!(port.duplicate(Rights::WRITE));
    ok!(writer.cancel(&event, 1));
    Ok(())
}

fn timer_create_checks_the_clock_before_options(_: &World) -> Case {
    fails!(call(SyscallId::TimerCreate, &[99, 1, 0]), InvalidArgs);
    fails!(call(SyscallId::TimerCreate, &[0, 0, 0]), InvalidArgs);
    Ok(())
}

fn timer_set_checks_the_slack_before_the_handle(_: &World) -> Case {
    fails!(
        call(SyscallId::TimerSet, &[NOBODY, 0, usize::MAX]),
        OutOfRange
    );
    fails!(call(SyscallId::TimerSet, &[NOBODY, 0, 0]), BadHandle);
    Ok(())
}

fn timer_cancel_checks_the_type_before_the_right(_: &World) -> Case {
    let event = ok!(ok!(Event::create()).replace(Rights::WAIT));
    fails!(call(SyscallId::TimerCancel, &[arg(&event)]), WrongType);
    let weak = ok!(ok!(Timer::create(0)).replace(Rights::WAIT));
    fails!(weak.cancel(), AccessDenied);
    fails!(call(SyscallId::TimerCancel, &[NOBODY]), BadHandle);
    Ok(())
}

fn wait_on(futex: usize, value: usize, owner: usize, deadline: usize) -> ZxResult {
    call(SyscallId::FutexWait, &[futex, value, owner, deadline])
}

fn futex_wait_checks_the_address_before_the_value(_: &World) -> Case {
    let futex = AtomicI32::new(1);
    fails!(wait_on(address_of(&futex) + 2, 9, NOBODY, 0), InvalidArgs);
    fails!(wait_on(0, 9, NOBODY, 0), InvalidArgs);
    Ok(())
}

fn futex_wait_checks_the_value_before_the_owner(_: &World) -> Case {
    let futex = AtomicI32::new(1);
    fails!(wait_on(address_of(&futex), 9, NOBODY, 0), BadState);
    let event = ok!(Event::create());
    fails!(wait_on(address_of(&futex), 9, arg(&event), 0), BadState);
    Ok(())
}

fn futex_wait_checks_the_owner_before_the_deadline(_: &World) -> Case {
    let futex = AtomicI32::new(1);
    fails!(wait_on(address_of(&futex), 1, NOBODY, 0), BadHandle);
    let event = ok!(Event::create());
    fails!(wait_on(address_of(&futex), 1, arg(&event), 0), WrongType);
    Ok(())
}

fn futex_wait_refuses_the_caller_as_owner(_: &World) -> Case {
    static FUTEX: AtomicI32 = AtomicI32::new(1);
    static RESULT: AtomicI32 = AtomicI32::new(0);
    use core::sync::atomic::Ordering;
    // The handle to the thread is made before the thread looks for it.
    static OWN: AtomicI32 = AtomicI32::new(0);
    for word in [&RESULT, &OWN] {
        word.store(0, Ordering::SeqCst);
    }
    let thread = ok!(libzx::thread::spawn("own owner", || {
        while OWN.load(Ordering::SeqCst) == 0 {
            sleep_ms(1);
        }
        let own = u32::from_ne_bytes(OWN.load(Ordering::SeqCst).to_ne_bytes());
        let result = wait_on(address_of(&FUTEX), 1, own as usize, 0);
        let told = result.map_or_else(|error| error as i32, |()| 1);
        RESULT.store(told, Ordering::SeqCst);
    }));
    let value = thread.thread().raw();
    OWN.store(i32::from_ne_bytes(value.to_ne_bytes()), Ordering::SeqCst);
    ok!(thread.join());
    check_eq!(
        RESULT.load(Ordering::SeqCst),
        libzx::ZxError::InvalidArgs as i32
    );
    Ok(())
}

fn futex_wake_checks_the_address_before_the_count(_: &World) -> Case {
    fails!(call(SyscallId::FutexWake, &[2, 0]), InvalidArgs);
    fails!(call(SyscallId::FutexWake, &[0, 0]), InvalidArgs);
    Ok(())
}

fn futex_requeue_checks_addresses_before_the_value(_: &World) -> Case {
    let futex = AtomicI32::new(1);
    let at = address_of(&futex);
    for other in [0, at, at + 1] {
        let args = [at, 1, 9, other, 1, 0];
        fails!(call(SyscallId::FutexRequeue, &args), InvalidArgs);
    }
    Ok(())
}

fn futex_requeue_checks_the_value_before_the_owner(_: &World) -> Case {
    let (from, to) = (AtomicI32::new(1), AtomicI32::new(1));
    let args = [address_of(&from), 1, 9, address_of(&to), 1, NOBODY];
    fails!(call(SyscallId::FutexRequeue, &args), BadState);
    Ok(())
}

fn futex_get_owner_checks_the_address_before_the_pointer(_: &World) -> Case {
    needs!(FutexGetOwner);
    let futex = AtomicI32::new(1);
    let at = address_of(&futex);
    fails!(call(SyscallId::FutexGetOwner, &[at + 1, 0]), InvalidArgs);
    fails!(call(SyscallId::FutexGetOwner, &[at, 0x1000]), InvalidArgs);
    Ok(())
}

fn debuglog_write_checks_options_before_the_handle(_: &World) -> Case {
    fails!(
        call(SyscallId::DebuglogWrite, &[NOBODY, 0x1_0000, 0, 0]),
        InvalidArgs
    );
    Ok(())
}

fn debuglog_read_checks_options_before_the_handle(_: &World) -> Case {
    fails!(
        call(SyscallId::DebuglogRead, &[NOBODY, 1, 0, 0]),
        InvalidArgs
    );
    Ok(())
}

fn cprng_add_entropy_checks_the_size_before_the_pointer(_: &World) -> Case {
    let page = ok!(Scratch::new());
    let at = page.address();
    fails!(call(SyscallId::CprngAddEntropy, &[at, 257]), InvalidArgs);
    fails!(call(SyscallId::CprngAddEntropy, &[0, 8]), InvalidArgs);
    ok!(call(SyscallId::CprngAddEntropy, &[at, 256]));
    ok!(call(SyscallId::CprngAddEntropy, &[at, 0]));
    Ok(())
}

fn clock_get_checks_the_clock_before_the_pointer(_: &World) -> Case {
    needs!(ClockGet);
    fails!(call(SyscallId::ClockGet, &[99, 0]), InvalidArgs);
    Ok(())
}

fn clock_adjust_checks_the_resource_before_the_clock(_: &World) -> Case {
    fails!(call(SyscallId::ClockAdjust, &[NOBODY, 99, 0]), BadHandle);
    let event = ok!(Event::create());
    let args = [arg(&event), 0, 0];
    fails!(call(SyscallId::ClockAdjust, &args), WrongType);
    Ok(())
}

fn clock_adjust_moves_only_the_wall_clock(world: &World) -> Case {
    let Some(resource) = &world.resource else {
        crate::check::skip!("no root resource");
    };
    let adjust = |clock, offset| call(SyscallId::ClockAdjust, &[arg(resource), clock, offset]);
    fails!(adjust(0, 5), AccessDenied);
    fails!(adjust(2, 5), InvalidArgs);
    fails!(adjust(99, 5), InvalidArgs);
    let offset = ok!(libzx::time::utc()) - libzx::time::now() + 1_000_000_000;
    ok!(adjust(1, usize::try_from(offset).unwrap_or(0)));
    let found = ok!(libzx::time::utc()) - libzx::time::now();
    check!((offset - 100_000_000..=offset).contains(&found));
    Ok(())
}
