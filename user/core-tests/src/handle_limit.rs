//! A process that has as many handles as it can have: what creates one more says NO_MEMORY, leaves nothing behind, and all is
//! well again when there is room.

use alloc::vec::Vec;

use libzx::{
    AsHandle, Channel, Event, EventPair, Exception, Handle, Job, Rights, Signals, Thread, Vmo,
    ZxResult,
};
use mini_process::{Code, MiniProcess};
use zx_abi::exception::ExceptionChannelOptions;
use zx_abi::info::{BtiInfo, ProcessHandleStatsInfo};
use zx_abi::profile::{ProfileFlags, ProfileInfo};
use zx_abi::syscalls::SyscallId;
use zx_abi::{InfoTopic, ObjectType, ZxError};

use crate::check::{check, check_eq, fail, fails, home_only, ok, suite, Case, Outcome};
use crate::memory::{arg, call, Scratch};
use crate::pages::device;
use crate::world::{soon, World};

suite! {
    "HandleLimit":
    calls_that_create_handles_run_out_of_them,
}

/// Options, ports and a line that nobody else uses, for calls that take something.
const EXCLUSIVE_PORTS: usize = 0x1_0002;
const UNUSED_PORT: usize = 0x4d0;
const UNUSED_LINE: usize = 5;
const READABLE_LOG: usize = 0x4000_0000;
const READABLE_PIN: usize = 1;

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
    // These take something that is there once, and give it back when there is no handle to it.
    let bti = ok!(device(world));
    let mut takers = Vec::new();
    if let Some(resource) = &world.resource {
        let root = arg(resource);
        takers.push((
            SyscallId::ResourceCreate,
            alloc::vec![root, EXCLUSIVE_PORTS, UNUSED_PORT, 4, out, 0, out],
        ));
        takers.push((
            SyscallId::InterruptCreate,
            alloc::vec![root, UNUSED_LINE, 0, out],
        ));
        takers.push((
            SyscallId::DebuglogCreate,
            alloc::vec![root, READABLE_LOG, out],
        ));
    }
    if let Some(bti) = &bti {
        takers.push((
            SyscallId::BtiPin,
            alloc::vec![arg(bti), READABLE_PIN, arg(&vmo), 0, 4096, second, 1, out],
        ));
    }
    let hoard = hoard(&event)?;
    check!(hoard.len() > 1000);
    for (id, args) in creators.iter().chain(&takers) {
        fails!(call(*id, args).map_err(|error| named(*id, error)), NoMemory);
    }
    drop(hoard);
    if let Some(bti) = &bti {
        let info: BtiInfo = ok!(bti.get_info(InfoTopic::Bti));
        check_eq!((info.pmo_count, info.quarantine_count), (0, 0));
    }
    for (id, args) in &takers {
        ok!(call(*id, args).map_err(|error| named(*id, error)));
        let handle = Handle::from_raw(page.u32(0));
        if *id == SyscallId::BtiPin {
            ok!(call(SyscallId::PmtUnpin, &[handle.into_raw() as usize]));
        }
    }

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
