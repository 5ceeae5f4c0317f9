//! Jobs: trees of jobs and processes, killing them, policy.

use alloc::vec::Vec;

use libzx::{AsHandle, Event, Handle, Job, Process, Rights, Signals, ZxResult};
use zx_abi::info::{HandleBasicInfo, InfoTopic, JobInfo, RETCODE_SYSCALL_KILL};
use zx_abi::syscalls::SyscallId;
use zx_abi::{ObjectType, ZxError};

use crate::check::{check, check_eq, fail, fails, home_only, needs, ok, skip, suite, Case};
use crate::child::Mode;
use crate::memory::{arg, call, Scratch};
use crate::world::{basic_info, rights_of, soon, World};

suite! {
    "Job":
    children_have_the_usual_rights_and_know_their_parent,
    unknown_options_are_refused,
    signals_tell_about_children,
    children_are_listed_and_grandchildren_are_not,
    children_can_be_got_by_koid,
    getting_children_needs_rights,
    the_tree_has_a_greatest_depth,
    making_children_needs_the_right,
    killing_kills_everything_inside,
    a_killed_job_takes_no_children,
    killing_needs_the_right,
    other_objects_have_the_wrong_type,
    policy_denies_what_it_names,
    policy_can_kill,
    policy_for_everything_new,
    policy_denies_making_memory_executable,
    policy_denies_each_kind_that_it_names,
    policy_arguments_are_checked,
    policy_is_fixed_once_there_are_children,
    a_denied_right_cannot_be_given_back,
}

fn child(world: &World) -> Result<Job, crate::check::Outcome> {
    match &world.job {
        Some(job) => Ok(ok!(job.create_child())),
        None => skip!("no job"),
    }
}

fn children_have_the_usual_rights_and_know_their_parent(world: &World) -> Case {
    let parent = child(world)?;
    let job = ok!(parent.create_child());
    let info = ok!(basic_info(&job));
    check_eq!(info.kind, ObjectType::Job.raw());
    check_eq!(info.rights, Rights::default_for(ObjectType::Job));
    check_eq!(info.related_koid, ok!(parent.koid()));
    Ok(())
}

fn unknown_options_are_refused(world: &World) -> Case {
    let job = child(world)?;
    let result = ok!(Scratch::new());
    fails!(
        call(SyscallId::JobCreate, &[arg(&job), 1, result.address()]),
        InvalidArgs
    );
    fails!(
        call(SyscallId::JobCreate, &[0, 1, result.address()]),
        InvalidArgs
    );
    fails!(call(SyscallId::JobCreate, &[arg(&job), 0, 0]), InvalidArgs);
    Ok(())
}

fn signals_tell_about_children(world: &World) -> Case {
    let job = child(world)?;
    let none = Signals::JOB_NO_JOBS | Signals::JOB_NO_PROCESSES;
    check_eq!(ok!(job.signals_now(Signals::all())), none);
    let inner = ok!(job.create_child());
    check_eq!(
        ok!(job.signals_now(Signals::all())),
        Signals::JOB_NO_PROCESSES
    );
    drop(inner);
    check_eq!(ok!(job.signals_now(Signals::all())), none);
    let (process, vmar) = ok!(Process::create(&job, "x"));
    check_eq!(ok!(job.signals_now(Signals::all())), Signals::JOB_NO_JOBS);
    drop((process, vmar));
    check_eq!(ok!(job.wait_one(Signals::JOB_NO_PROCESSES, soon())), none);
    Ok(())
}

fn children_are_listed_and_grandchildren_are_not(world: &World) -> Case {
    let job = child(world)?;
    let inner = ok!(job.create_child());
    let innermost = ok!(inner.create_child());
    let (process, _vmar) = ok!(Process::create(&job, "x"));
    let jobs: Vec<u64> = ok!(job.get_info_list(InfoTopic::JobChildren));
    check_eq!(jobs, [ok!(inner.koid())]);
    let processes: Vec<u64> = ok!(job.get_info_list(InfoTopic::JobProcesses));
    check_eq!(processes, [ok!(process.koid())]);
    check!(!jobs.contains(&ok!(innermost.koid())));
    Ok(())
}

fn children_can_be_got_by_koid(world: &World) -> Case {
    let job = child(world)?;
    let inner = ok!(job.create_child());
    let innermost = ok!(inner.create_child());
    let (process, _vmar) = ok!(Process::create(&job, "x"));
    for koid in [ok!(inner.koid()), ok!(process.koid())] {
        let handle = ok!(job.child(koid, Rights::SAME_RIGHTS));
        check_eq!(ok!(handle.koid()), koid);
        check_eq!(
            ok!(rights_of(&handle)),
            Rights::default_for(ObjectType::Job)
        );
    }
    fails!(
        job.child(ok!(innermost.koid()), Rights::SAME_RIGHTS),
        NotFound
    );
    fails!(job.child(1, Rights::SAME_RIGHTS), NotFound);
    Ok(())
}

fn getting_children_needs_rights(world: &World) -> Case {
    let job = child(world)?;
    let inner = ok!(job.create_child());
    let koid = ok!(inner.koid());
    let blind = ok!(job.duplicate(Rights::BASIC));
    fails!(blind.child(koid, Rights::SAME_RIGHTS), AccessDenied);
    let seeing = ok!(job.duplicate(Rights::ENUMERATE));
    fails!(seeing.child(koid, Rights::WAIT), AccessDenied);
    let handle = ok!(seeing.child(koid, Rights::SAME_RIGHTS));
    check_eq!(ok!(basic_info(&handle)).rights, Rights::ENUMERATE);
    fails!(
        blind.get_info_list::<u64>(InfoTopic::JobChildren),
        AccessDenied
    );
    Ok(())
}

fn the_tree_has_a_greatest_depth(world: &World) -> Case {
    let mut jobs = alloc::vec![child(world)?];
    loop {
        let last = jobs.last().map(Job::create_child);
        match last {
            Some(Ok(job)) => jobs.push(job),
            Some(Err(ZxError::OutOfRange)) => break,
            other => fail!("{other:?} at depth {}", jobs.len()),
        }
        check!(jobs.len() <= 32);
    }
    // The root job has height 32; this program's own is at most a few levels below it.
    check!(jobs.len() >= 24);
    Ok(())
}

fn making_children_needs_the_right(world: &World) -> Case {
    let job = child(world)?;
    let weak = ok!(job.duplicate(Rights::BASIC));
    fails!(weak.create_child(), AccessDenied);
    fails!(Process::create(&weak, "x"), AccessDenied);
    ok!(ok!(job.duplicate(Rights::MANAGE_JOB)).create_child());
    ok!(Process::create(
        &ok!(job.duplicate(Rights::MANAGE_PROCESS)),
        "x"
    ));
    // WRITE stands in for both.
    let writer = ok!(job.duplicate(Rights::WRITE));
    ok!(writer.create_child());
    ok!(Process::create(&writer, "x"));
    Ok(())
}

fn killing_kills_everything_inside(world: &World) -> Case {
    let job = child(world)?;
    let inner = ok!(job.create_child());
    let sleeper = match world.start_child(&inner, Mode::Sleep) {
        Ok(process) => process,
        Err(what) => fail!("{what}"),
    };
    let (unstarted, _vmar) = ok!(Process::create(&job, "unstarted"));
    ok!(job.kill());
    ok!(job.wait_one(Signals::JOB_TERMINATED, soon()));
    for process in [&sleeper, &unstarted] {
        ok!(process.wait_one(Signals::PROCESS_TERMINATED, soon()));
        let info = ok!(process.info());
        check_eq!((info.exited, info.return_code), (1, RETCODE_SYSCALL_KILL));
    }
    for job in [&job, &inner] {
        let info: JobInfo = ok!(job.get_info(InfoTopic::Job));
        check_eq!((info.exited, info.return_code), (1, RETCODE_SYSCALL_KILL));
        let all = Signals::JOB_TERMINATED | Signals::JOB_NO_JOBS | Signals::JOB_NO_PROCESSES;
        check_eq!(ok!(job.signals_now(Signals::all())), all);
    }
    Ok(())
}

fn a_killed_job_takes_no_children(world: &World) -> Case {
    let job = child(world)?;
    ok!(job.kill());
    ok!(job.wait_one(Signals::JOB_TERMINATED, soon()));
    fails!(job.create_child(), BadState);
    fails!(Process::create(&job, "x"), BadState);
    ok!(job.kill());
    Ok(())
}

fn killing_needs_the_right(world: &World) -> Case {
    let job = child(world)?;
    let weak = ok!(job.duplicate(Rights::BASIC | Rights::IO));
    fails!(weak.kill(), AccessDenied);
    ok!(ok!(job.duplicate(Rights::DESTROY)).kill());
    Ok(())
}

fn other_objects_have_the_wrong_type(world: &World) -> Case {
    let event = ok!(Event::create());
    let no_job = Job::from(Handle::from(event));
    fails!(no_job.create_child(), WrongType);
    fails!(Process::create(&no_job, "x"), WrongType);
    let job = child(world)?;
    let (process, _vmar) = ok!(Process::create(&job, "x"));
    let no_job = Job::from(Handle::from(process));
    fails!(no_job.create_child(), WrongType);
    ok!(no_job.get_info::<HandleBasicInfo>(InfoTopic::HandleBasic));
    Ok(())
}

const BAD_HANDLE: u32 = 0;
const NEW_ANY: u32 = 3;
const NEW_CHANNEL: u32 = 5;
const NEW_EVENT: u32 = 6;
const AMBIENT_MARK_VMO_EXEC: u32 = 14;
const ALLOW: u32 = 0;
const DENY: u32 = 1;
const KILL: u32 = 4;

/// Sets basic policy: pairs of condition and action. The first argument of the call is 1 for an absolute setting.
fn set_policy(job: &Job, absolute: usize, entries: &[[u32; 2]]) -> ZxResult {
    let mut page = Scratch::new()?;
    for (index, entry) in entries.iter().enumerate() {
        page.put(index * 8, entry);
    }
    let args = [arg(job), absolute, 0, page.address(), entries.len()];
    call(SyscallId::JobSetPolicy, &args)
}

fn code_of(world: &World, job: &Job, mode: Mode) -> Result<i64, crate::check::Outcome> {
    match world.child_code(job, mode) {
        Ok(code) => Ok(code),
        Err(what) => fail!("{what}"),
    }
}

fn policy_denies_what_it_names(world: &World) -> Case {
    needs!(JobSetPolicy);
    let job = child(world)?;
    ok!(set_policy(&job, 1, &[[NEW_EVENT, DENY]]));
    let denied = -i64::from(ZxError::AccessDenied as i32);
    check_eq!(code_of(world, &job, Mode::CreateEvent)?, denied);
    check_eq!(code_of(world, &job, Mode::CreateChannel)?, 0);
    Ok(())
}

fn policy_can_kill(world: &World) -> Case {
    needs!(JobSetPolicy);
    let job = child(world)?;
    ok!(set_policy(
        &job,
        1,
        &[[NEW_CHANNEL, KILL], [BAD_HANDLE, KILL]]
    ));
    let killed = zx_abi::info::RETCODE_POLICY_KILL;
    check_eq!(code_of(world, &job, Mode::CreateChannel)?, killed);
    check_eq!(code_of(world, &job, Mode::BadHandle)?, killed);
    check_eq!(code_of(world, &job, Mode::CreateEvent)?, 0);
    Ok(())
}

fn policy_for_everything_new(world: &World) -> Case {
    needs!(JobSetPolicy);
    // A program could not even start without VMOs of its own, so it is asked of a process that never runs.
    let job = child(world)?;
    ok!(set_policy(&job, 1, &[[NEW_ANY, ALLOW]]));
    check_eq!(code_of(world, &job, Mode::CreateEvent)?, 0);
    let bad_handle = -i64::from(ZxError::BadHandle as i32);
    check_eq!(code_of(world, &job, Mode::BadHandle)?, bad_handle);
    Ok(())
}

fn policy_denies_making_memory_executable(world: &World) -> Case {
    needs!(JobSetPolicy, VmoReplaceAsExecutable);
    home_only!(world);
    let job = child(world)?;
    check_eq!(code_of(world, &job, Mode::MarkExecutable)?, 0);
    let job = child(world)?;
    ok!(set_policy(&job, 1, &[[AMBIENT_MARK_VMO_EXEC, DENY]]));
    let denied = -i64::from(ZxError::AccessDenied as i32);
    check_eq!(code_of(world, &job, Mode::MarkExecutable)?, denied);
    Ok(())
}

fn policy_denies_each_kind_that_it_names(world: &World) -> Case {
    needs!(JobSetPolicy);
    // Conditions of policy.h: channel, event, eventpair, port, socket, FIFO, timer; the child needs VMOs for its heap.
    let kinds = [5, 6, 7, 8, 9, 10, 11];
    let job = child(world)?;
    ok!(set_policy(&job, 1, &kinds.map(|kind| [kind, DENY])));
    check_eq!(code_of(world, &job, Mode::CreateAll)?, 0);
    let job = child(world)?;
    check_eq!(code_of(world, &job, Mode::CreateAll)?, 7);
    Ok(())
}

fn policy_arguments_are_checked(world: &World) -> Case {
    needs!(JobSetPolicy);
    let job = child(world)?;
    fails!(set_policy(&job, 2, &[[NEW_EVENT, DENY]]), InvalidArgs);
    fails!(set_policy(&job, 0, &[]), InvalidArgs);
    fails!(set_policy(&job, 0, &[[99, DENY]]), InvalidArgs);
    fails!(set_policy(&job, 0, &[[NEW_EVENT, 5]]), NotSupported);
    fails!(set_policy(&job, 0, &[[NEW_EVENT, DENY]; 16]), OutOfRange);
    let topic = [arg(&job), 0, 2, 0, 0];
    fails!(call(SyscallId::JobSetPolicy, &topic), InvalidArgs);
    let weak = ok!(job.duplicate(Rights::BASIC));
    fails!(set_policy(&weak, 0, &[[NEW_EVENT, DENY]]), AccessDenied);
    // A bad entry leaves everything as it was.
    fails!(
        set_policy(&job, 1, &[[NEW_EVENT, DENY], [99, DENY]]),
        InvalidArgs
    );
    check_eq!(code_of(world, &job, Mode::CreateEvent)?, 0);
    Ok(())
}

fn policy_is_fixed_once_there_are_children(world: &World) -> Case {
    needs!(JobSetPolicy);
    let job = child(world)?;
    let inner = ok!(job.create_child());
    fails!(set_policy(&job, 0, &[[NEW_EVENT, DENY]]), BadState);
    drop(inner);
    ok!(set_policy(&job, 0, &[[NEW_EVENT, DENY]]));
    let (process, _vmar) = ok!(Process::create(&job, "x"));
    fails!(set_policy(&job, 0, &[[NEW_CHANNEL, DENY]]), BadState);
    drop(process);
    Ok(())
}

fn a_denied_right_cannot_be_given_back(world: &World) -> Case {
    needs!(JobSetPolicy);
    let job = child(world)?;
    ok!(set_policy(&job, 1, &[[NEW_EVENT, DENY]]));
    let inner = ok!(job.create_child());
    fails!(set_policy(&inner, 1, &[[NEW_EVENT, ALLOW]]), AlreadyExists);
    ok!(set_policy(&inner, 0, &[[NEW_EVENT, ALLOW]]));
    ok!(set_policy(&inner, 1, &[[NEW_EVENT, DENY]]));
    let denied = -i64::from(ZxError::AccessDenied as i32);
    check_eq!(code_of(world, &inner, Mode::CreateEvent)?, denied);
    Ok(())
}
