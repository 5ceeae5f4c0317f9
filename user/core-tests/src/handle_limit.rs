//! A process that has as many handles as it can have: what creates one more says NO_MEMORY, leaves nothing behind, and all is
//! well again when there is room.

use alloc::vec::Vec;

use libzx::{
    AsHandle, Channel, Event, EventPair, Exception, Handle, Job, Rights, Signals, Thread, Vmo,
    ZxResult,
};
use mini_process::{Code, MiniProcess};
use zx_abi::exception::ExceptionChannelOptions;
use zx_abi::info::ProcessHandleStatsInfo;
use zx_abi::profile::{ProfileFlags, ProfileInfo};
use zx_abi::syscalls::SyscallId;
use zx_abi::{InfoTopic, ObjectType, ZxError};

use crate::check::{check, check_eq, fail, fails, home_only, ok, suite, Case, Outcome};
use crate::memory::{arg, call, Scratch};
use crate::world::{soon, World};

suite! {
    "HandleLimit":
    calls_that_create_handles_run_out_of_them,
}

/// More than the handles that any Zircon allows (its arena has 262144).
const TOO_MANY: usize = 300_000;

/// Handles of this process, by object type.
fn handles() -> ZxResult<ProcessHandleStatsInfo> {
    libzx::own_process().get_info(InfoTopic::ProcessHandleStats)
}

/// Fills the table with handles to one event.
fn hoard(event: &Event) -> Result<Vec<Handle>, Outcome> {
    let mut hoard = Vec::with_capacity(TOO_MANY);
    while hoard.len() < TOO_MANY {
        match event.duplicate_handle(Rights::SAME_RIGHTS) {
            Ok(handle) => hoard.push(handle),
            Err(ZxError::NoMemory) => return Ok(hoard),
            Err(error) => fail!("handle {}: {error}", hoard.len()),
        }
    }
    fail!("there is no limit")
}

/// A process whose thread stands in an exception.
fn faulted(job: &Job) -> Result<(MiniProcess, Exception), Outcome> {
    let mut code = Code::new();
    code.undefined();
    let mini = ok!(MiniProcess::new(job, &code));
    let options = ExceptionChannelOptions::empty();
    let channel = ok!(Channel::of_exceptions(&mini.process, options));
    ok!(mini.start());
    let (_, exception) = ok!(channel.exception_by(soon()));
    Ok((mini, exception))
}

fn calls_that_create_handles_run_out_of_them(world: &World) -> Case {
    home_only!(world);
    let mut page = ok!(Scratch::new());
    let profile = ProfileInfo {
        flags: ProfileFlags::PRIORITY.bits(),
        ..ProfileInfo::default()
    };
    page.put(256, &profile);
    let (out, second) = (page.address(), page.address() + 8);
    let event = ok!(Event::create());
    let vmo = ok!(Vmo::create(4096, 0));
    let (own, root_job) = (libzx::own_process(), world.job.as_ref());
    let idle = ok!(Thread::create(&own, "idle"));
    let (quit, stop) = ok!(EventPair::create());
    let waiter = ok!(libzx::thread::spawn("waiter", move || {
        let _ = stop.wait_one(Signals::EVENTPAIR_PEER_CLOSED, i64::MAX);
    }));
    let koid = usize::try_from(ok!(waiter.thread().koid())).unwrap_or(0);
    let same = Rights::SAME_RIGHTS.bits() as usize;
    let faulted = match root_job {
        Some(job) => Some(faulted(job)?),
        None => None,
    };
    let before = ok!(handles());

    let hoard = hoard(&event)?;
    check!(hoard.len() > 1000);
    let mut creators = alloc::vec![
        (
            SyscallId::HandleDuplicate,
            alloc::vec![arg(&event), same, out]
        ),
        (
            SyscallId::ObjectGetChild,
            alloc::vec![arg(&own), koid, same, out]
        ),
        (SyscallId::ChannelCreate, alloc::vec![0, out, second]),
        (SyscallId::SocketCreate, alloc::vec![0, out, second]),
        (SyscallId::FifoCreate, alloc::vec![4, 4, 0, out, second]),
        (SyscallId::EventCreate, alloc::vec![0, out]),
        (SyscallId::EventpairCreate, alloc::vec![0, out, second]),
        (SyscallId::PortCreate, alloc::vec![0, out]),
        (SyscallId::TimerCreate, alloc::vec![0, 0, out]),
        (SyscallId::ClockCreate, alloc::vec![0, 0, out]),
        (SyscallId::VmoCreate, alloc::vec![4096, 0, out]),
        (
            SyscallId::VmoCreateChild,
            alloc::vec![arg(&vmo), 1, 0, 4096, out]
        ),
        (SyscallId::PagerCreate, alloc::vec![0, out]),
        (SyscallId::StreamCreate, alloc::vec![3, arg(&vmo), 0, out]),
        (
            SyscallId::ThreadCreate,
            alloc::vec![arg(&own), out, 0, 0, out]
        ),
        (SyscallId::TaskSuspend, alloc::vec![arg(&idle), out]),
        (
            SyscallId::TaskCreateExceptionChannel,
            alloc::vec![arg(&idle), 0, out]
        ),
    ];
    if let Some(job) = root_job {
        creators.push((SyscallId::JobCreate, alloc::vec![arg(job), 0, out]));
        creators.push((SyscallId::SystemGetEvent, alloc::vec![arg(job), 4, out]));
        creators.push((
            SyscallId::ProcessCreate,
            alloc::vec![arg(job), out, 0, 0, out, second],
        ));
    }
    if let Some(job) = root_job {
        let args = alloc::vec![arg(job), 0, page.address() + 256, out];
        creators.push((SyscallId::ProfileCreate, args));
    }
    if let Some((_mini, exception)) = &faulted {
        for id in [
            SyscallId::ExceptionGetThread,
            SyscallId::ExceptionGetProcess,
        ] {
            creators.push((id, alloc::vec![arg(exception), out]));
        }
    }
    if let Some(resource) = &world.resource {
        creators.push((
            SyscallId::DebuglogCreate,
            alloc::vec![arg(resource), 0, out],
        ));
    }
    for (id, args) in &creators {
        fails!(call(*id, args).map_err(|error| named(*id, error)), NoMemory);
    }
    drop(hoard);

    let after = ok!(handles());
    for kind in [
        ObjectType::Event,
        ObjectType::Channel,
        ObjectType::Vmo,
        ObjectType::Thread,
        ObjectType::Process,
    ] {
        let index = kind.raw() as usize;
        check_eq!(
            after.handle_count.get(index),
            before.handle_count.get(index)
        );
    }
    // There is room again.
    ok!(Event::create());
    drop(quit);
    ok!(waiter.join());
    Ok(())
}

/// Tells which call gave an unexpected error.
fn named(id: SyscallId, error: ZxError) -> ZxError {
    if error != ZxError::NoMemory {
        libzx::println!("{} gave {error}", id.info().name);
    }
    error
}
