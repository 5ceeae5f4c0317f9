//! Interrupts, nearly all of them virtual: waits, packets, acknowledgement, the end.

use libzx::{AsHandle, Event, Handle, Port, Rights, Signals, ZxError, ZxResult};
use zx_abi::info::ThreadState;
use zx_abi::syscalls::SyscallId;
use zx_abi::ObjectType;

use crate::check::{check, check_eq, fails, home_only, needs, ok, skip, suite, Case};
use crate::memory::{arg, call, Scratch, BAD_ADDRESSES};
use crate::other_thread::Call;
use crate::resource::create as resource;
use crate::world::{basic_info, sleep_ms, soon, World};

suite! {
    "Interrupt":
    new_ones_have_the_usual_rights,
    making_a_virtual_one_checks_its_arguments,
    making_one_of_a_line_needs_a_resource,
    making_one_of_a_line_checks_its_arguments,
    a_line_belongs_to_one,
    a_line_is_not_triggered_by_programs,
    a_wait_tells_the_time_of_the_first_trigger,
    a_wait_lasts_until_the_trigger,
    the_time_is_optional_and_its_pointer_checked,
    only_one_thread_can_wait,
    a_suspended_wait_goes_on,
    destroying_ends_the_wait_and_everything_after,
    closing_the_last_handle_ends_the_wait,
    calls_need_their_rights,
    bad_handles_and_options_are_refused,
    binding_wants_a_port_for_interrupts,
    binding_happens_once_and_not_while_somebody_waits,
    a_bound_one_sends_one_packet_until_it_is_acknowledged,
    acknowledging_wants_the_packet_to_be_taken,
    unbinding_takes_the_packet_back,
    destroying_a_bound_one_takes_its_packet_back,
    destroying_one_whose_packet_was_taken_tells_so,
}

/// Option of `interrupt_create`: programs trigger it.
const VIRTUAL: usize = 0x10;
/// Option of `port_create`: packets of interrupts may come.
const FOR_INTERRUPTS: usize = 1;
const UNBIND: usize = 1;
/// An ISA line that no device of a PC in QEMU uses.
const LINE: usize = 5;
const KEY: usize = 0x1e7;

fn create(source: usize, line: usize, options: usize) -> ZxResult<Handle> {
    let page = Scratch::new()?;
    let args = [source, line, options, page.address()];
    call(SyscallId::InterruptCreate, &args)?;
    Ok(Handle::from_raw(page.u32(0)))
}

fn virtual_one() -> ZxResult<Handle> {
    create(0, 0, VIRTUAL)
}

fn trigger(interrupt: &Handle, time: usize) -> ZxResult {
    call(SyscallId::InterruptTrigger, &[arg(interrupt), 0, time])
}

fn ack(interrupt: &Handle) -> ZxResult {
    call(SyscallId::InterruptAck, &[arg(interrupt)])
}

fn destroy(interrupt: &Handle) -> ZxResult {
    call(SyscallId::InterruptDestroy, &[arg(interrupt)])
}

/// Waits, and gives the time of the trigger.
fn wait(interrupt: &Handle) -> ZxResult<u64> {
    let page = Scratch::new()?;
    call(SyscallId::InterruptWait, &[arg(interrupt), page.address()])?;
    Ok(page.get(0))
}

fn port() -> ZxResult<Port> {
    let page = Scratch::new()?;
    call(SyscallId::PortCreate, &[FOR_INTERRUPTS, page.address()])?;
    Ok(Handle::from_raw(page.u32(0)).into())
}

fn bind(interrupt: &Handle, port: &Port, options: usize) -> ZxResult {
    let args = [arg(interrupt), arg(port), KEY, options];
    call(SyscallId::InterruptBind, &args)
}

/// The time in the next packet, which must be of this interrupt; None when there is no packet.
fn packet(port: &Port) -> ZxResult<Option<i64>> {
    match port.wait(0) {
        Ok(packet) if packet.key == KEY as u64 => {
            let interrupt = packet.as_interrupt().ok_or(ZxError::Internal)?;
            Ok(Some(interrupt.timestamp))
        }
        Ok(_) => Err(ZxError::Internal),
        Err(ZxError::TimedOut) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A thread that waits.
fn waiting(interrupt: &Handle) -> ZxResult<Call> {
    let thread = Call::start(SyscallId::InterruptWait, &[arg(interrupt), 0])?;
    match thread.is_in(ThreadState::BlockedInterrupt) {
        true => Ok(thread),
        false => Err(ZxError::TimedOut),
    }
}

fn new_ones_have_the_usual_rights(_: &World) -> Case {
    let interrupt = ok!(virtual_one());
    let info = ok!(basic_info(&interrupt));
    check_eq!(info.kind, ObjectType::Interrupt.raw());
    check_eq!(info.rights, Rights::default_for(ObjectType::Interrupt));
    Ok(())
}

fn making_a_virtual_one_checks_its_arguments(_: &World) -> Case {
    for other in [1, 2, 4, 0x20, 1 << 31] {
        fails!(create(0, 0, VIRTUAL | other), InvalidArgs);
    }
    // Source and number are not looked at.
    ok!(create(0x7ff7, 77_777, VIRTUAL));
    for bad in BAD_ADDRESSES {
        let args = [0, 0, VIRTUAL, bad];
        fails!(call(SyscallId::InterruptCreate, &args), InvalidArgs);
    }
    Ok(())
}

fn making_one_of_a_line_needs_a_resource(world: &World) -> Case {
    needs!(ResourceCreate);
    fails!(create(0, LINE, 0), BadHandle);
    fails!(create(arg(&ok!(Event::create())), LINE, 0), WrongType);
    let Some(root) = &world.resource else {
        skip!("no root resource");
    };
    let (irq, ports) = (1, 2);
    let other_kind = ok!(resource(root, ports, LINE, 1));
    fails!(create(arg(&other_kind), LINE, 0), WrongType);
    // Resources begin where lines end on a PC, so one that gives the right to a line does not help.
    fails!(resource(root, irq, LINE, 1), NotFound);
    let beyond = ok!(resource(root, irq, 0x40, 1));
    fails!(create(arg(&beyond), 0x41, 0), OutOfRange);
    fails!(create(arg(&beyond), 0x40, 0), InvalidArgs);
    ok!(create(arg(root), LINE, 0));
    Ok(())
}

fn making_one_of_a_line_checks_its_arguments(world: &World) -> Case {
    let Some(root) = &world.resource else {
        skip!("no root resource");
    };
    // Beyond all lines; a mode that no controller has, and two that are none; an unknown bit.
    fails!(create(arg(root), 70_000, 0), InvalidArgs);
    for options in [10, 12, 14, 0x20, 1 << 31] {
        fails!(create(arg(root), LINE, options), InvalidArgs);
    }
    Ok(())
}

fn a_line_belongs_to_one(world: &World) -> Case {
    let Some(root) = &world.resource else {
        skip!("no root resource");
    };
    let first = ok!(create(arg(root), LINE, 0));
    fails!(create(arg(root), LINE, 0), AlreadyBound);
    drop(first);
    let second = ok!(create(arg(root), LINE, 0));
    ok!(destroy(&second));
    // Destroyed is as good as closed.
    ok!(create(arg(root), LINE, 0));
    Ok(())
}

fn a_line_is_not_triggered_by_programs(world: &World) -> Case {
    let Some(root) = &world.resource else {
        skip!("no root resource");
    };
    let interrupt = ok!(create(arg(root), LINE, 0));
    fails!(trigger(&interrupt, 1), BadState);
    Ok(())
}

fn a_wait_tells_the_time_of_the_first_trigger(_: &World) -> Case {
    let interrupt = ok!(virtual_one());
    ok!(trigger(&interrupt, 1234));
    check_eq!(ok!(wait(&interrupt)), 1234);
    ok!(trigger(&interrupt, 5));
    ok!(trigger(&interrupt, 7));
    check_eq!(ok!(wait(&interrupt)), 5);
    // The second of them was not kept for another wait.
    let thread = ok!(waiting(&interrupt));
    ok!(trigger(&interrupt, 9));
    ok!(thread.end());
    Ok(())
}

fn a_wait_lasts_until_the_trigger(_: &World) -> Case {
    let interrupt = ok!(virtual_one());
    for time in 1..10 {
        let thread = ok!(waiting(&interrupt));
        ok!(trigger(&interrupt, time));
        ok!(thread.end());
    }
    Ok(())
}

fn the_time_is_optional_and_its_pointer_checked(_: &World) -> Case {
    let interrupt = ok!(virtual_one());
    let wait = |out| call(SyscallId::InterruptWait, &[arg(&interrupt), out]);
    ok!(trigger(&interrupt, 1));
    ok!(wait(0));
    for bad in BAD_ADDRESSES.into_iter().skip(1) {
        ok!(trigger(&interrupt, 1));
        fails!(wait(bad), InvalidArgs);
    }
    Ok(())
}

fn only_one_thread_can_wait(_: &World) -> Case {
    let interrupt = ok!(virtual_one());
    let thread = ok!(waiting(&interrupt));
    fails!(wait(&interrupt), BadState);
    ok!(trigger(&interrupt, 1));
    ok!(thread.end());
    Ok(())
}

fn a_suspended_wait_goes_on(_: &World) -> Case {
    let interrupt = ok!(virtual_one());
    let thread = ok!(waiting(&interrupt));
    let token = ok!(thread.thread().suspend());
    ok!(thread.thread().wait_one(Signals::THREAD_SUSPENDED, soon()));
    // What is triggered meanwhile is there when it goes on.
    ok!(trigger(&interrupt, 1));
    sleep_ms(2);
    drop(token);
    ok!(thread.end());
    Ok(())
}

fn destroying_ends_the_wait_and_everything_after(_: &World) -> Case {
    let interrupt = ok!(virtual_one());
    let thread = ok!(waiting(&interrupt));
    ok!(destroy(&interrupt));
    fails!(thread.end(), Canceled);
    fails!(wait(&interrupt), Canceled);
    fails!(trigger(&interrupt, 1), Canceled);
    fails!(bind(&interrupt, &ok!(port()), 0), Canceled);
    fails!(ack(&interrupt), BadState);
    ok!(destroy(&interrupt));
    Ok(())
}

fn closing_the_last_handle_ends_the_wait(_: &World) -> Case {
    let interrupt = ok!(virtual_one());
    let copy = ok!(interrupt.duplicate_handle(Rights::SAME_RIGHTS));
    let thread = ok!(waiting(&interrupt));
    drop(interrupt);
    check!(thread.is_in(ThreadState::BlockedInterrupt));
    drop(copy);
    fails!(thread.end(), Canceled);
    Ok(())
}

fn calls_need_their_rights(_: &World) -> Case {
    let (interrupt, port) = (ok!(virtual_one()), ok!(port()));
    let all = Rights::default_for(ObjectType::Interrupt);
    let without = |right| interrupt.duplicate_handle(all.difference(right));
    fails!(trigger(&ok!(without(Rights::SIGNAL)), 1), AccessDenied);
    fails!(wait(&ok!(without(Rights::WAIT))), AccessDenied);
    fails!(ack(&ok!(without(Rights::WRITE))), AccessDenied);
    fails!(bind(&ok!(without(Rights::READ)), &port, 0), AccessDenied);
    let reader = ok!(port.duplicate(Rights::READ));
    fails!(bind(&interrupt, &reader, 0), AccessDenied);
    // Ending it takes none.
    ok!(destroy(&ok!(without(all))));
    fails!(trigger(&interrupt, 1), Canceled);
    Ok(())
}

fn bad_handles_and_options_are_refused(_: &World) -> Case {
    let (interrupt, port) = (arg(&ok!(virtual_one())), ok!(port()));
    let (event, to) = (ok!(Event::create()), arg(&port));
    // The first one is closed by now.
    for (handle, expected) in [
        (interrupt, ZxError::BadHandle),
        (arg(&event), ZxError::WrongType),
    ] {
        for (id, args) in [
            (SyscallId::InterruptTrigger, [handle, 0, 1, 0]),
            (SyscallId::InterruptWait, [handle, 0, 0, 0]),
            (SyscallId::InterruptAck, [handle, 0, 0, 0]),
            (SyscallId::InterruptDestroy, [handle, 0, 0, 0]),
            (SyscallId::InterruptBind, [handle, to, KEY, 0]),
        ] {
            check_eq!(call(id, &args), Err(expected));
        }
    }
    // Options come before handles.
    fails!(call(SyscallId::InterruptTrigger, &[0, 1, 0]), InvalidArgs);
    fails!(
        call(SyscallId::InterruptBind, &[0, to, KEY, 2]),
        InvalidArgs
    );
    Ok(())
}

fn binding_wants_a_port_for_interrupts(_: &World) -> Case {
    let interrupt = ok!(virtual_one());
    fails!(bind(&interrupt, &ok!(Port::create()), 0), WrongType);
    let bind_to = |port| call(SyscallId::InterruptBind, &[arg(&interrupt), port, KEY, 0]);
    fails!(bind_to(0), BadHandle);
    fails!(bind_to(arg(&interrupt)), WrongType);
    ok!(bind(&interrupt, &ok!(port()), 0));
    Ok(())
}

fn binding_happens_once_and_not_while_somebody_waits(_: &World) -> Case {
    let (interrupt, port) = (ok!(virtual_one()), ok!(port()));
    let thread = ok!(waiting(&interrupt));
    fails!(bind(&interrupt, &port, 0), BadState);
    ok!(trigger(&interrupt, 1));
    ok!(thread.end());
    ok!(bind(&interrupt, &port, 0));
    fails!(bind(&interrupt, &port, 0), AlreadyBound);
    fails!(wait(&interrupt), BadState);
    Ok(())
}

fn a_bound_one_sends_one_packet_until_it_is_acknowledged(_: &World) -> Case {
    let (interrupt, port) = (ok!(virtual_one()), ok!(port()));
    ok!(bind(&interrupt, &port, 0));
    ok!(ack(&interrupt));
    check_eq!(ok!(packet(&port)), None);
    ok!(trigger(&interrupt, 10));
    check_eq!(ok!(packet(&port)), Some(10));
    // Of what comes before the acknowledgement, the first time is kept.
    ok!(trigger(&interrupt, 20));
    ok!(trigger(&interrupt, 30));
    check_eq!(ok!(packet(&port)), None);
    ok!(ack(&interrupt));
    check_eq!(ok!(packet(&port)), Some(20));
    ok!(ack(&interrupt));
    check_eq!(ok!(packet(&port)), None);
    ok!(trigger(&interrupt, 40));
    check_eq!(ok!(packet(&port)), Some(40));
    Ok(())
}

fn acknowledging_wants_the_packet_to_be_taken(_: &World) -> Case {
    let (interrupt, port) = (ok!(virtual_one()), ok!(port()));
    fails!(ack(&interrupt), BadState);
    ok!(bind(&interrupt, &port, 0));
    ok!(trigger(&interrupt, 1));
    ok!(trigger(&interrupt, 2));
    fails!(ack(&interrupt), BadState);
    check_eq!(ok!(packet(&port)), Some(1));
    Ok(())
}

fn unbinding_takes_the_packet_back(world: &World) -> Case {
    home_only!(world);
    let (interrupt, port, other) = (ok!(virtual_one()), ok!(port()), ok!(port()));
    fails!(bind(&interrupt, &port, UNBIND), NotFound);
    ok!(bind(&interrupt, &port, 0));
    fails!(bind(&interrupt, &other, UNBIND), NotFound);
    ok!(trigger(&interrupt, 1));
    ok!(bind(&interrupt, &port, UNBIND));
    check_eq!(ok!(packet(&port)), None);
    // That trigger was not acknowledged: the next waits for it.
    ok!(bind(&interrupt, &other, 0));
    ok!(trigger(&interrupt, 2));
    check_eq!(ok!(packet(&other)), None);
    ok!(ack(&interrupt));
    check_eq!(ok!(packet(&other)), Some(2));
    ok!(ack(&interrupt));
    ok!(destroy(&interrupt));
    fails!(bind(&interrupt, &other, UNBIND), Canceled);
    Ok(())
}

fn destroying_a_bound_one_takes_its_packet_back(_: &World) -> Case {
    let (interrupt, port) = (ok!(virtual_one()), ok!(port()));
    ok!(bind(&interrupt, &port, 0));
    ok!(trigger(&interrupt, 1));
    ok!(destroy(&interrupt));
    check_eq!(ok!(packet(&port)), None);
    fails!(ack(&interrupt), Canceled);
    fails!(trigger(&interrupt, 2), Canceled);
    Ok(())
}

fn destroying_one_whose_packet_was_taken_tells_so(_: &World) -> Case {
    let (interrupt, port) = (ok!(virtual_one()), ok!(port()));
    ok!(bind(&interrupt, &port, 0));
    ok!(trigger(&interrupt, 1));
    check_eq!(ok!(packet(&port)), Some(1));
    fails!(destroy(&interrupt), NotFound);
    // It is destroyed all the same.
    fails!(trigger(&interrupt, 2), Canceled);
    Ok(())
}
