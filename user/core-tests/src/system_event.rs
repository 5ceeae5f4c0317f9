//! Events that the kernel signals: how much memory is left.

use alloc::vec::Vec;

use libzx::{AsHandle, Event, Handle, Job, Rights, Signals, WaitFor, ZxResult};
use zx_abi::syscalls::SyscallId;
use zx_abi::ObjectType;

use crate::check::{check, check_eq, fails, home_only, needs, ok, skip, suite, Case, Outcome};
use crate::memory::{arg, call, Scratch, BAD_ADDRESSES};
use crate::world::{basic_info, World};

suite! {
    "SystemEvent":
    out_of_memory_is_only_for_the_root_job,
    critical_pressure_is_only_for_the_root_job,
    warning_pressure_is_only_for_the_root_job,
    normal_pressure_is_only_for_the_root_job,
    out_of_memory_cannot_be_signaled_by_programs,
    critical_pressure_cannot_be_signaled_by_programs,
    warning_pressure_cannot_be_signaled_by_programs,
    normal_pressure_cannot_be_signaled_by_programs,
    exactly_one_is_signaled,
    a_kind_is_one_object,
    unknown_kinds_are_refused,
    out_of_memory_needs_a_right,
    a_bad_result_pointer_is_refused,
    system_get_event_checks_the_handle_before_the_kind,
    system_get_event_checks_the_job_before_the_kind,
}

const OUT_OF_MEMORY: usize = 1;
const CRITICAL: usize = 2;
const WARNING: usize = 3;
const NORMAL: usize = 4;

/// The root job, which this program has when userboot started it.
fn root_job(world: &World) -> Result<&Job, Outcome> {
    home_only!(world);
    needs!(SystemGetEvent);
    let Some(job) = &world.job else {
        skip!("no job");
    };
    if ok!(basic_info(job)).related_koid != 0 {
        skip!("the job passed on is not the root job");
    }
    Ok(job)
}

fn event(job: &impl AsHandle, kind: usize) -> ZxResult<Event> {
    let page = Scratch::new()?;
    call(SyscallId::SystemGetEvent, &[arg(job), kind, page.address()])?;
    Ok(Event::from(Handle::from_raw(page.u32(0))))
}

/// What holds for each kind: the root job gets it, no other handle does.
fn only_the_root_job_gets(world: &World, kind: usize) -> Case {
    let root = root_job(world)?;
    let found = ok!(event(root, kind));
    let info = ok!(basic_info(&found));
    check_eq!(info.kind, ObjectType::Event.raw());
    check_eq!(info.rights, Rights::BASIC - Rights::INSPECT);
    let child = ok!(root.create_child());
    fails!(event(&child, kind), AccessDenied);
    fails!(event(&libzx::own_process(), kind), WrongType);
    fails!(event(&libzx::Unowned(0), kind), BadHandle);
    Ok(())
}

fn nobody_signals(world: &World, kind: usize) -> Case {
    let event = ok!(event(root_job(world)?, kind));
    for signals in [Signals::SIGNALED, Signals::USER_0] {
        fails!(event.signal(Signals::empty(), signals), AccessDenied);
        fails!(event.signal(signals, Signals::empty()), AccessDenied);
    }
    Ok(())
}

fn out_of_memory_is_only_for_the_root_job(world: &World) -> Case {
    only_the_root_job_gets(world, OUT_OF_MEMORY)
}

fn critical_pressure_is_only_for_the_root_job(world: &World) -> Case {
    only_the_root_job_gets(world, CRITICAL)
}

fn warning_pressure_is_only_for_the_root_job(world: &World) -> Case {
    only_the_root_job_gets(world, WARNING)
}

fn normal_pressure_is_only_for_the_root_job(world: &World) -> Case {
    only_the_root_job_gets(world, NORMAL)
}

fn out_of_memory_cannot_be_signaled_by_programs(world: &World) -> Case {
    nobody_signals(world, OUT_OF_MEMORY)
}

fn critical_pressure_cannot_be_signaled_by_programs(world: &World) -> Case {
    nobody_signals(world, CRITICAL)
}

fn warning_pressure_cannot_be_signaled_by_programs(world: &World) -> Case {
    nobody_signals(world, WARNING)
}

fn normal_pressure_cannot_be_signaled_by_programs(world: &World) -> Case {
    nobody_signals(world, NORMAL)
}

fn exactly_one_is_signaled(world: &World) -> Case {
    let root = root_job(world)?;
    let mut events = Vec::new();
    for kind in [OUT_OF_MEMORY, CRITICAL, WARNING, NORMAL] {
        events.push(ok!(event(root, kind)));
    }
    let items: Vec<_> = events
        .iter()
        .map(|event| WaitFor {
            handle: event.raw(),
            signals: Signals::SIGNALED,
        })
        .collect();
    let pending = ok!(libzx::wait_many(&items, 0));
    let signaled = pending
        .iter()
        .filter(|signals| signals.contains(Signals::SIGNALED));
    check_eq!(signaled.count(), 1);
    Ok(())
}

fn a_kind_is_one_object(world: &World) -> Case {
    let root = root_job(world)?;
    let (first, again) = (ok!(event(root, NORMAL)), ok!(event(root, NORMAL)));
    check_eq!(ok!(first.koid()), ok!(again.koid()));
    let other = ok!(event(root, WARNING));
    check!(ok!(other.koid()) != ok!(first.koid()));
    Ok(())
}

fn unknown_kinds_are_refused(world: &World) -> Case {
    let root = root_job(world)?;
    for kind in [0, 99, 0xffff_ffff] {
        fails!(event(root, kind), InvalidArgs);
    }
    Ok(())
}

fn out_of_memory_needs_a_right(world: &World) -> Case {
    let root = root_job(world)?;
    let weak = ok!(root.duplicate_handle(Rights::BASIC));
    fails!(event(&weak, OUT_OF_MEMORY), AccessDenied);
    ok!(event(&weak, NORMAL));
    Ok(())
}

fn a_bad_result_pointer_is_refused(world: &World) -> Case {
    let root = root_job(world)?;
    for bad in BAD_ADDRESSES {
        fails!(
            call(SyscallId::SystemGetEvent, &[arg(root), NORMAL, bad]),
            InvalidArgs
        );
    }
    Ok(())
}

fn system_get_event_checks_the_handle_before_the_kind(world: &World) -> Case {
    root_job(world)?;
    fails!(event(&libzx::Unowned(0), 99), BadHandle);
    fails!(event(&libzx::own_process(), 99), WrongType);
    Ok(())
}

fn system_get_event_checks_the_job_before_the_kind(world: &World) -> Case {
    let child = ok!(root_job(world)?.create_child());
    fails!(event(&child, 99), AccessDenied);
    Ok(())
}
