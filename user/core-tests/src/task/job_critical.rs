//! Critical processes: whose end is the end of a job.

use libzx::{AsHandle, Event, Job, Process, Rights, Signals, ZxResult};
use mini_process::{Code, MiniProcess, Register};
use zx_abi::info::{InfoTopic, JobInfo, RETCODE_CRITICAL_PROCESS_KILL, RETCODE_SYSCALL_KILL};
use zx_abi::syscalls::SyscallId;

use super::subject::{ends_with, job, vdso};
use crate::check::{check_eq, fails, needs, ok, suite, Case, Outcome};
use crate::memory::{arg, call};
use crate::world::{soon, World};

suite! {
    "JobCritical":
    its_death_kills_the_job,
    its_death_kills_the_tree_below,
    it_may_be_critical_to_an_ancestor,
    one_of_many_is_enough,
    a_good_end_does_not_count_if_only_bad_ones_should,
    a_bad_end_counts_if_only_bad_ones_should,
    a_good_end_counts_if_every_end_should,
    it_is_critical_once_only,
    a_job_that_is_no_ancestor_is_refused,
    a_kill_of_the_job_is_still_a_kill,
    unknown_options_are_refused_first,
    handles_are_checked,
    rights_are_checked,
}

/// Counts only ends with a code other than 0.
const RETCODE_NONZERO: usize = 1;

fn set_critical(job: &Job, options: usize, process: &Process) -> ZxResult {
    call(
        SyscallId::JobSetCritical,
        &[arg(job), options, arg(process)],
    )
}

/// A job that has ended with this code.
fn job_ends_with(job: &Job, code: i64) -> Case {
    ok!(job.wait_one(Signals::JOB_TERMINATED, soon()));
    let info: JobInfo = ok!(job.get_info(InfoTopic::Job));
    check_eq!((info.exited, info.return_code), (1, code));
    Ok(())
}

fn is_alive(job: &Job) -> Case {
    let info: JobInfo = ok!(job.get_info(InfoTopic::Job));
    check_eq!(info.exited, 0);
    check_eq!(
        ok!(job.signals_now(Signals::JOB_TERMINATED)) & Signals::JOB_TERMINATED,
        Signals::empty()
    );
    Ok(())
}

/// A process in `job` that ends with `code` once it is started.
fn ending(world: &World, job: &Job, code: i64) -> Result<MiniProcess, Outcome> {
    let vdso = vdso(world)?;
    Ok(ok!(MiniProcess::with_vdso(job, vdso, |text, function| {
        text.set(Register::Rdi, code.cast_unsigned());
        text.call(function(SyscallId::ProcessExit));
    })))
}

fn its_death_kills_the_job(world: &World) -> Case {
    needs!(JobSetCritical);
    let job = job(world)?;
    let mini = ok!(MiniProcess::new(&job, &Code::new()));
    ok!(set_critical(&job, 0, &mini.process));
    is_alive(&job)?;
    ok!(mini.process.kill());
    job_ends_with(&job, RETCODE_CRITICAL_PROCESS_KILL)?;
    ends_with(&mini.process, RETCODE_SYSCALL_KILL)
}

fn its_death_kills_the_tree_below(world: &World) -> Case {
    needs!(JobSetCritical);
    let top = job(world)?;
    let below = ok!(top.create_child());
    let critical = ok!(MiniProcess::new(&top, &Code::new()));
    let other = ok!(MiniProcess::new(&below, &Code::new()));
    ok!(set_critical(&top, 0, &critical.process));
    ok!(critical.process.kill());
    job_ends_with(&top, RETCODE_CRITICAL_PROCESS_KILL)?;
    job_ends_with(&below, RETCODE_CRITICAL_PROCESS_KILL)?;
    ends_with(&other.process, RETCODE_CRITICAL_PROCESS_KILL)
}

fn it_may_be_critical_to_an_ancestor(world: &World) -> Case {
    needs!(JobSetCritical);
    let top = job(world)?;
    let middle = ok!(top.create_child());
    let low = ok!(middle.create_child());
    let critical = ok!(MiniProcess::new(&low, &Code::new()));
    ok!(set_critical(&middle, 0, &critical.process));
    ok!(critical.process.kill());
    job_ends_with(&middle, RETCODE_CRITICAL_PROCESS_KILL)?;
    job_ends_with(&low, RETCODE_CRITICAL_PROCESS_KILL)?;
    is_alive(&top)
}

fn one_of_many_is_enough(world: &World) -> Case {
    needs!(JobSetCritical);
    let job = job(world)?;
    let first = ok!(MiniProcess::new(&job, &Code::new()));
    let second = ok!(MiniProcess::new(&job, &Code::new()));
    for mini in [&first, &second] {
        ok!(set_critical(&job, 0, &mini.process));
    }
    ok!(second.process.kill());
    job_ends_with(&job, RETCODE_CRITICAL_PROCESS_KILL)?;
    ends_with(&second.process, RETCODE_SYSCALL_KILL)?;
    ends_with(&first.process, RETCODE_CRITICAL_PROCESS_KILL)
}

fn a_good_end_does_not_count_if_only_bad_ones_should(world: &World) -> Case {
    needs!(JobSetCritical);
    let job = job(world)?;
    let mini = ending(world, &job, 0)?;
    ok!(set_critical(&job, RETCODE_NONZERO, &mini.process));
    ok!(mini.start());
    ends_with(&mini.process, 0)?;
    is_alive(&job)?;
    ok!(job.create_child());
    Ok(())
}

fn a_bad_end_counts_if_only_bad_ones_should(world: &World) -> Case {
    needs!(JobSetCritical);
    let job = job(world)?;
    let mini = ending(world, &job, 7)?;
    ok!(set_critical(&job, RETCODE_NONZERO, &mini.process));
    ok!(mini.start());
    job_ends_with(&job, RETCODE_CRITICAL_PROCESS_KILL)?;
    ends_with(&mini.process, 7)
}

fn a_good_end_counts_if_every_end_should(world: &World) -> Case {
    needs!(JobSetCritical);
    let job = job(world)?;
    let mini = ending(world, &job, 0)?;
    ok!(set_critical(&job, 0, &mini.process));
    ok!(mini.start());
    job_ends_with(&job, RETCODE_CRITICAL_PROCESS_KILL)
}

fn it_is_critical_once_only(world: &World) -> Case {
    needs!(JobSetCritical);
    let top = job(world)?;
    let low = ok!(top.create_child());
    let mini = ok!(MiniProcess::new(&low, &Code::new()));
    ok!(set_critical(&low, 0, &mini.process));
    fails!(set_critical(&low, 0, &mini.process), AlreadyBound);
    fails!(set_critical(&top, 0, &mini.process), AlreadyBound);
    Ok(())
}

fn a_job_that_is_no_ancestor_is_refused(world: &World) -> Case {
    needs!(JobSetCritical);
    let top = job(world)?;
    let (here, there) = (ok!(top.create_child()), ok!(top.create_child()));
    let below = ok!(here.create_child());
    let mini = ok!(MiniProcess::new(&here, &Code::new()));
    fails!(set_critical(&there, 0, &mini.process), InvalidArgs);
    fails!(set_critical(&below, 0, &mini.process), InvalidArgs);
    // A refusal binds nothing.
    ok!(set_critical(&here, 0, &mini.process));
    Ok(())
}

fn a_kill_of_the_job_is_still_a_kill(world: &World) -> Case {
    needs!(JobSetCritical);
    let job = job(world)?;
    let mini = ok!(MiniProcess::new(&job, &Code::new()));
    ok!(set_critical(&job, 0, &mini.process));
    ok!(job.kill());
    job_ends_with(&job, RETCODE_SYSCALL_KILL)?;
    ends_with(&mini.process, RETCODE_SYSCALL_KILL)
}

fn unknown_options_are_refused_first(_: &World) -> Case {
    needs!(JobSetCritical);
    for options in [2, 3, 1 << 31] {
        fails!(
            call(SyscallId::JobSetCritical, &[0, options, 0]),
            InvalidArgs
        );
    }
    Ok(())
}

fn handles_are_checked(world: &World) -> Case {
    needs!(JobSetCritical);
    let job = job(world)?;
    let mini = ok!(MiniProcess::new(&job, &Code::new()));
    let event = ok!(Event::create());
    let set = |job: usize, process: usize| call(SyscallId::JobSetCritical, &[job, 0, process]);
    fails!(set(0, arg(&mini.process)), BadHandle);
    fails!(set(arg(&job), 0), BadHandle);
    fails!(set(arg(&event), arg(&mini.process)), WrongType);
    fails!(set(arg(&job), arg(&event)), WrongType);
    fails!(set(arg(&mini.process), arg(&job)), WrongType);
    Ok(())
}

fn rights_are_checked(world: &World) -> Case {
    needs!(JobSetCritical);
    let job = job(world)?;
    let mini = ok!(MiniProcess::new(&job, &Code::new()));
    let all = Rights::default_for(zx_abi::ObjectType::Job);
    let tame = ok!(job.duplicate(all.difference(Rights::DESTROY)));
    fails!(set_critical(&tame, 0, &mini.process), AccessDenied);
    let all = Rights::default_for(zx_abi::ObjectType::Process);
    let deaf = ok!(mini.process.duplicate(all.difference(Rights::WAIT)));
    fails!(set_critical(&job, 0, &deaf), AccessDenied);
    let (job, process) = (
        ok!(job.duplicate(Rights::DESTROY)),
        ok!(mini.process.duplicate(Rights::WAIT)),
    );
    ok!(set_critical(&job, 0, &process));
    Ok(())
}
