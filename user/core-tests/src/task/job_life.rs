//! Jobs: trees that grow, are killed and fall apart; what happens to the processes in them.

use alloc::vec::Vec;

use libzx::{AsHandle, Event, Handle, Job, Process, Rights, Signals, Unowned};
use mini_process::{Code, MiniProcess};
use zx_abi::info::{InfoTopic, JobInfo, RETCODE_SYSCALL_KILL};
use zx_abi::property::Property;
use zx_abi::syscalls::SyscallId;

use super::subject::{counting, ends_with, job, vdso, SAME};
use crate::check::{check, check_eq, fails, home_only, ok, suite, Case};
use crate::child::Mode;
use crate::memory::{arg, call, Scratch, BAD_ADDRESSES};
use crate::world::{soon, World};

suite! {
    "JobLife":
    an_empty_one_can_be_killed,
    a_kill_goes_down_a_long_chain,
    a_kill_reaches_all_branches_and_no_sibling,
    a_killed_one_leaves_the_tree,
    a_process_keeps_its_job_alive_without_handles,
    a_child_job_keeps_its_parent_alive_without_handles,
    a_process_may_kill_its_own_job,
    a_job_may_be_killed_through_a_handle_of_few_rights,
    a_job_that_cannot_be_told_is_not_made,
    bad_parents_are_refused,
    bad_targets_of_a_kill_are_refused,
    getting_a_child_looks_at_rights_before_the_koid,
    a_child_got_with_fewer_rights_has_those,
    its_name_can_be_set_and_read,
    the_mark_for_lack_of_memory_is_a_number_of_two,
    the_mark_for_lack_of_memory_cannot_be_read,
    user_signals_can_be_set_and_waited_for,
    kernel_signals_cannot_be_set,
}

fn info(job: &Job) -> libzx::ZxResult<JobInfo> {
    job.get_info(InfoTopic::Job)
}

/// What a killed job shows.
fn all_gone() -> Signals {
    Signals::JOB_TERMINATED | Signals::JOB_NO_JOBS | Signals::JOB_NO_PROCESSES
}

fn an_empty_one_can_be_killed(world: &World) -> Case {
    let job = job(world)?;
    ok!(job.kill());
    check!(ok!(job.wait_one(Signals::JOB_TERMINATED, soon())).contains(all_gone()));
    check_eq!(ok!(info(&job)).return_code, RETCODE_SYSCALL_KILL);
    Ok(())
}

fn a_kill_goes_down_a_long_chain(world: &World) -> Case {
    let mut jobs = alloc::vec![job(world)?];
    let mut processes = Vec::new();
    for depth in 0..8 {
        let next = ok!(jobs[depth].create_child());
        processes.push(ok!(Process::create(&next, "link")));
        jobs.push(next);
    }
    ok!(jobs[0].kill());
    ok!(jobs[0].wait_one(Signals::JOB_TERMINATED, soon()));
    // It ends from below: when the top says so, all others do.
    for job in &jobs {
        check!(ok!(job.signals_now(Signals::all())).contains(all_gone()));
        let info = ok!(info(job));
        check_eq!((info.exited, info.return_code), (1, RETCODE_SYSCALL_KILL));
    }
    for (process, _) in &processes {
        ends_with(process, RETCODE_SYSCALL_KILL)?;
    }
    Ok(())
}

fn a_kill_reaches_all_branches_and_no_sibling(world: &World) -> Case {
    let top = job(world)?;
    let (left, right) = (ok!(top.create_child()), ok!(top.create_child()));
    let inside = [
        ok!(Process::create(&left, "a")).0,
        ok!(Process::create(&ok!(left.create_child()), "b")).0,
    ];
    let (outside, _vmar) = ok!(Process::create(&right, "c"));
    ok!(left.kill());
    ok!(left.wait_one(Signals::JOB_TERMINATED, soon()));
    for process in &inside {
        ends_with(process, RETCODE_SYSCALL_KILL)?;
    }
    check_eq!(ok!(info(&right)).exited, 0);
    check_eq!(ok!(outside.info()).exited, 0);
    check_eq!(ok!(info(&top)).exited, 0);
    ok!(right.create_child());
    Ok(())
}

fn a_killed_one_leaves_the_tree(world: &World) -> Case {
    let top = job(world)?;
    let child = ok!(top.create_child());
    let koid = ok!(child.koid());
    ok!(top.child(koid, SAME));
    ok!(child.kill());
    ok!(child.wait_one(Signals::JOB_TERMINATED, soon()));
    ok!(top.wait_one(Signals::JOB_NO_JOBS, soon()));
    fails!(top.child(koid, SAME), NotFound);
    Ok(())
}

fn a_process_keeps_its_job_alive_without_handles(world: &World) -> Case {
    let top = job(world)?;
    let inner = ok!(top.create_child());
    let koid = ok!(inner.koid());
    let (process, vmar) = ok!(Process::create(&inner, "keeper"));
    drop(inner);
    let again = Job::from(ok!(top.child(koid, SAME)));
    check_eq!(ok!(again.koid()), koid);
    drop(again);
    drop((process, vmar));
    ok!(top.wait_one(Signals::JOB_NO_JOBS, soon()));
    fails!(top.child(koid, SAME), NotFound);
    Ok(())
}

fn a_child_job_keeps_its_parent_alive_without_handles(world: &World) -> Case {
    let top = job(world)?;
    let middle = ok!(top.create_child());
    let koid = ok!(middle.koid());
    let low = ok!(middle.create_child());
    drop(middle);
    ok!(top.child(koid, SAME));
    drop(low);
    ok!(top.wait_one(Signals::JOB_NO_JOBS, soon()));
    Ok(())
}

fn a_process_may_kill_its_own_job(world: &World) -> Case {
    let job = job(world)?;
    let mini = ok!(MiniProcess::with_vdso(
        &job,
        vdso(world)?,
        |code, function| {
            code.call(function(SyscallId::TaskKill)).increment(0);
            code.spin();
        }
    ));
    ok!(mini.start_with(ok!(job.duplicate(SAME)).into()));
    ok!(job.wait_one(Signals::JOB_TERMINATED, soon()));
    ends_with(&mini.process, RETCODE_SYSCALL_KILL)?;
    // The call that kills the caller does not return.
    check_eq!(ok!(mini.word(0)), 0);
    Ok(())
}

fn a_job_may_be_killed_through_a_handle_of_few_rights(world: &World) -> Case {
    let job = job(world)?;
    let sleeper = match world.start_child(&job, Mode::Sleep) {
        Ok(process) => process,
        Err(what) => crate::check::fail!("{what}"),
    };
    fails!(
        ok!(job.duplicate(Rights::BASIC | Rights::IO)).kill(),
        AccessDenied
    );
    check_eq!(ok!(sleeper.info()).exited, 0);
    ok!(ok!(job.duplicate(Rights::DESTROY)).kill());
    ends_with(&sleeper, RETCODE_SYSCALL_KILL)
}

fn a_job_that_cannot_be_told_is_not_made(world: &World) -> Case {
    let job = job(world)?;
    for bad in BAD_ADDRESSES {
        fails!(
            call(SyscallId::JobCreate, &[arg(&job), 0, bad]),
            InvalidArgs
        );
    }
    let children: Vec<u64> = ok!(job.get_info_list(InfoTopic::JobChildren));
    check_eq!(children.len(), 0);
    Ok(())
}

fn bad_parents_are_refused(world: &World) -> Case {
    let page = ok!(Scratch::new());
    let create = |parent: usize| call(SyscallId::JobCreate, &[parent, 0, page.address()]);
    fails!(create(0), BadHandle);
    let closed = ok!(Event::create()).raw() as usize;
    fails!(create(closed), BadHandle);
    let (process, _vmar) = ok!(Process::create(&job(world)?, "no job"));
    fails!(create(arg(&process)), WrongType);
    let weak = ok!(job(world)?.duplicate(Rights::BASIC | Rights::READ | Rights::MANAGE_PROCESS));
    fails!(create(arg(&weak)), AccessDenied);
    Ok(())
}

fn bad_targets_of_a_kill_are_refused(world: &World) -> Case {
    let kill = |target: usize| call(SyscallId::TaskKill, &[target]);
    fails!(kill(0), BadHandle);
    let closed = ok!(Event::create()).raw() as usize;
    fails!(kill(closed), BadHandle);
    // Nothing but tasks can have the right.
    fails!(kill(arg(&ok!(Event::create()))), AccessDenied);
    home_only!(world);
    let mini = counting(world)?;
    fails!(kill(arg(&mini.thread)), WrongType);
    Ok(())
}

fn getting_a_child_looks_at_rights_before_the_koid(world: &World) -> Case {
    let job = job(world)?;
    let blind = ok!(job.duplicate(Rights::BASIC));
    fails!(blind.child(1, SAME), AccessDenied);
    let seeing = ok!(job.duplicate(Rights::ENUMERATE | Rights::READ));
    fails!(seeing.child(1, Rights::WRITE), AccessDenied);
    fails!(seeing.child(1, Rights::READ), NotFound);
    fails!(Job::from(Handle::from_raw(0)).child(1, SAME), BadHandle);
    let page = ok!(Scratch::new());
    let event = ok!(Event::create());
    let args = [arg(&event), 1, SAME.bits() as usize, page.address()];
    fails!(call(SyscallId::ObjectGetChild, &args), AccessDenied);
    Ok(())
}

fn a_child_got_with_fewer_rights_has_those(world: &World) -> Case {
    let job = job(world)?;
    let (process, _vmar) = ok!(Process::create(&job, "got"));
    let got = ok!(job.child(ok!(process.koid()), Rights::READ | Rights::WAIT));
    check_eq!(
        ok!(crate::world::rights_of(&got)),
        Rights::READ | Rights::WAIT
    );
    for bad in BAD_ADDRESSES {
        let args = [
            arg(&job),
            usize::try_from(ok!(process.koid())).unwrap_or(0),
            SAME.bits() as usize,
            bad,
        ];
        fails!(call(SyscallId::ObjectGetChild, &args), InvalidArgs);
    }
    Ok(())
}

fn its_name_can_be_set_and_read(world: &World) -> Case {
    let job = job(world)?;
    check_eq!(ok!(job.name()), "");
    ok!(job.set_name("work"));
    check_eq!(ok!(job.name()), "work");
    let mute = ok!(job.duplicate(Rights::BASIC));
    fails!(mute.name(), AccessDenied);
    fails!(mute.set_name("x"), AccessDenied);
    Ok(())
}

fn the_mark_for_lack_of_memory_is_a_number_of_two(world: &World) -> Case {
    let job = job(world)?;
    let set = |value: u64| job.set_property(Property::JobKillOnOom, &value.to_le_bytes());
    ok!(set(1));
    for wrong in [2, u64::MAX, 1 << 32] {
        fails!(set(wrong), InvalidArgs);
    }
    check_eq!(ok!(info(&job)).kill_on_oom, 1);
    ok!(set(0));
    check_eq!(ok!(info(&job)).kill_on_oom, 0);
    let mute = ok!(job.duplicate(Rights::BASIC));
    fails!(
        mute.set_property(Property::JobKillOnOom, &[0; 8]),
        AccessDenied
    );
    let (process, _vmar) = ok!(Process::create(&job, "no job"));
    fails!(
        process.set_property(Property::JobKillOnOom, &[0; 8]),
        WrongType
    );
    fails!(
        Unowned(0).set_property(Property::JobKillOnOom, &[0; 8]),
        BadHandle
    );
    Ok(())
}

fn the_mark_for_lack_of_memory_cannot_be_read(world: &World) -> Case {
    let job = job(world)?;
    fails!(
        job.get_property(Property::JobKillOnOom, &mut [0; 8]),
        InvalidArgs
    );
    Ok(())
}

fn user_signals_can_be_set_and_waited_for(world: &World) -> Case {
    let job = job(world)?;
    ok!(job.signal(Signals::empty(), Signals::USER_3));
    check!(ok!(job.wait_one(Signals::USER_3, 0)).contains(Signals::USER_3));
    ok!(job.signal(Signals::USER_3, Signals::empty()));
    fails!(job.wait_one(Signals::USER_3, 0), TimedOut);
    Ok(())
}

fn kernel_signals_cannot_be_set(world: &World) -> Case {
    let mini = ok!(MiniProcess::new(&job(world)?, &Code::new()));
    fails!(
        job(world)?.signal(Signals::empty(), Signals::JOB_TERMINATED),
        InvalidArgs
    );
    fails!(
        mini.process
            .signal(Signals::empty(), Signals::PROCESS_TERMINATED),
        InvalidArgs
    );
    fails!(
        mini.thread
            .signal(Signals::empty(), Signals::THREAD_RUNNING),
        InvalidArgs
    );
    Ok(())
}
