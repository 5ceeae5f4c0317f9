//! What jobs tell: their children, and how they ended.

use alloc::vec::Vec;

use libzx::{AsHandle, Job, Process, Rights, Signals};
use zx_abi::info::{HandleBasicInfo, InfoTopic, JobInfo, TaskRuntimeInfo, RETCODE_SYSCALL_KILL};
use zx_abi::property::Property;
use zx_abi::ObjectType;

use super::info_form::{list_suite, record_suite, Question, Subject};
use super::subject::{counting, job, SAME};
use crate::check::{check, check_eq, home_only, ok, Case, Outcome};
use crate::world::{sleep_ms, soon, World};

/// A job with a child job and a process.
fn parent(world: &World) -> Result<Subject, Outcome> {
    let job = job(world)?;
    let child = ok!(job.create_child());
    let process = ok!(Process::create(&job, "listed"));
    Ok(Subject::new(job, (child, process)))
}

const OF_BASIC: Question = Question {
    topic: InfoTopic::HandleBasic,
    rights: Rights::empty(),
    subject: parent,
};
record_suite! { BASIC = "InfoHandleBasicOfJob", OF_BASIC: [each_of_its_rights_is_needed] [
    a_job_names_its_parent,
] }

const OF_CHILDREN: Question = Question {
    topic: InfoTopic::JobChildren,
    rights: Rights::ENUMERATE,
    subject: parent,
};
list_suite! { CHILDREN = "InfoJobChildren", OF_CHILDREN: [
    a_process_has_the_wrong_type, a_thread_has_the_wrong_type, an_event_has_the_wrong_type,
] [
    only_direct_child_jobs_are_listed, a_child_without_handles_leaves_the_list, a_killed_child_leaves_the_list,
] }

const OF_PROCESSES: Question = Question {
    topic: InfoTopic::JobProcesses,
    rights: Rights::ENUMERATE,
    subject: parent,
};
list_suite! { PROCESSES = "InfoJobProcesses", OF_PROCESSES: [
    a_process_has_the_wrong_type, a_thread_has_the_wrong_type, an_event_has_the_wrong_type,
] [
    only_direct_processes_are_listed, a_dead_process_leaves_the_list,
] }

const OF_LIFE: Question = Question {
    topic: InfoTopic::Job,
    rights: Rights::INSPECT,
    subject: parent,
};
record_suite! { LIFE = "InfoJob", OF_LIFE: [
    each_of_its_rights_is_needed, a_process_has_the_wrong_type, a_thread_has_the_wrong_type, an_event_has_the_wrong_type,
] [
    a_kill_shows_in_every_job_below, the_mark_for_lack_of_memory_shows,
] }

const OF_RUNTIME: Question = Question {
    topic: InfoTopic::TaskRuntime,
    rights: Rights::INSPECT,
    subject: parent,
};
record_suite! { RUNTIME = "InfoTaskRuntimeOfJob", OF_RUNTIME: [
    each_of_its_rights_is_needed, an_event_has_the_wrong_type,
] [
    a_job_keeps_the_runtime_of_its_dead,
] }

fn a_job_names_its_parent(world: &World) -> Case {
    let parent = job(world)?;
    let child = ok!(parent.create_child());
    let info: HandleBasicInfo = ok!(child.get_info(InfoTopic::HandleBasic));
    check_eq!(info.koid, ok!(child.koid()));
    check_eq!(info.related_koid, ok!(parent.koid()));
    check_eq!(info.kind, ObjectType::Job.raw());
    check_eq!(info.rights, Rights::default_for(ObjectType::Job));
    check_eq!(info.props, 1);
    Ok(())
}

fn list(job: &Job, topic: InfoTopic) -> libzx::ZxResult<Vec<u64>> {
    job.get_info_list(topic)
}

fn only_direct_child_jobs_are_listed(world: &World) -> Case {
    let parent = job(world)?;
    let (one, two) = (ok!(parent.create_child()), ok!(parent.create_child()));
    let below = ok!(one.create_child());
    let listed = ok!(list(&parent, InfoTopic::JobChildren));
    check_eq!(listed.len(), 2);
    for job in [&one, &two] {
        check!(listed.contains(&ok!(job.koid())));
    }
    check_eq!(ok!(list(&one, InfoTopic::JobChildren)), [ok!(below.koid())]);
    check_eq!(ok!(list(&two, InfoTopic::JobChildren)), Vec::<u64>::new());
    Ok(())
}

fn a_child_without_handles_leaves_the_list(world: &World) -> Case {
    let parent = job(world)?;
    let child = ok!(parent.create_child());
    let below = ok!(child.create_child());
    drop(child);
    // Its own child keeps it.
    check_eq!(ok!(list(&parent, InfoTopic::JobChildren)).len(), 1);
    drop(below);
    ok!(parent.wait_one(Signals::JOB_NO_JOBS, soon()));
    check_eq!(ok!(list(&parent, InfoTopic::JobChildren)).len(), 0);
    Ok(())
}

fn a_killed_child_leaves_the_list(world: &World) -> Case {
    let parent = job(world)?;
    let child = ok!(parent.create_child());
    ok!(child.kill());
    ok!(child.wait_one(Signals::JOB_TERMINATED, soon()));
    ok!(parent.wait_one(Signals::JOB_NO_JOBS, soon()));
    check_eq!(ok!(list(&parent, InfoTopic::JobChildren)).len(), 0);
    Ok(())
}

fn only_direct_processes_are_listed(world: &World) -> Case {
    let parent = job(world)?;
    let below = ok!(parent.create_child());
    let (one, _one_vmar) = ok!(Process::create(&parent, "one"));
    let (two, _two_vmar) = ok!(Process::create(&parent, "two"));
    let (deep, _deep_vmar) = ok!(Process::create(&below, "deep"));
    let listed = ok!(list(&parent, InfoTopic::JobProcesses));
    check_eq!(listed.len(), 2);
    for process in [&one, &two] {
        check!(listed.contains(&ok!(process.koid())));
    }
    check_eq!(
        ok!(list(&below, InfoTopic::JobProcesses)),
        [ok!(deep.koid())]
    );
    Ok(())
}

fn a_dead_process_leaves_the_list(world: &World) -> Case {
    let parent = job(world)?;
    let (process, _vmar) = ok!(Process::create(&parent, "short"));
    ok!(process.kill());
    ok!(process.wait_one(Signals::PROCESS_TERMINATED, soon()));
    ok!(parent.wait_one(Signals::JOB_NO_PROCESSES, soon()));
    check_eq!(ok!(list(&parent, InfoTopic::JobProcesses)).len(), 0);
    Ok(())
}

fn a_kill_shows_in_every_job_below(world: &World) -> Case {
    let top = job(world)?;
    let middle = ok!(top.create_child());
    let low = ok!(middle.create_child());
    for job in [&top, &middle, &low] {
        let info: JobInfo = ok!(job.get_info(InfoTopic::Job));
        check_eq!((info.exited, info.debugger_attached), (0, 0));
    }
    ok!(top.kill());
    ok!(top.wait_one(Signals::JOB_TERMINATED, soon()));
    for job in [&top, &middle, &low] {
        let info: JobInfo = ok!(job.get_info(InfoTopic::Job));
        check_eq!((info.exited, info.return_code), (1, RETCODE_SYSCALL_KILL));
    }
    Ok(())
}

fn the_mark_for_lack_of_memory_shows(world: &World) -> Case {
    let job = job(world)?;
    let marked = || -> libzx::ZxResult<u8> {
        let info: JobInfo = job.get_info(InfoTopic::Job)?;
        Ok(info.kill_on_oom)
    };
    check_eq!(ok!(marked()), 0);
    ok!(job.set_property(Property::JobKillOnOom, &1u64.to_le_bytes()));
    check_eq!(ok!(marked()), 1);
    ok!(job.set_property(Property::JobKillOnOom, &0u64.to_le_bytes()));
    check_eq!(ok!(marked()), 0);
    Ok(())
}

fn a_job_keeps_the_runtime_of_its_dead(world: &World) -> Case {
    home_only!(world);
    let mini = counting(world)?;
    let info: HandleBasicInfo = ok!(mini.process.get_info(InfoTopic::HandleBasic));
    let Some(own) = &world.job else {
        crate::check::skip!("no job");
    };
    let job = Job::from(ok!(own.child(info.related_koid, SAME)));
    let runtime = |task: &dyn AsHandle| -> libzx::ZxResult<i64> {
        let mut record = [0u8; 16];
        task.get_info_bytes(InfoTopic::TaskRuntime, &mut record)?;
        let info = <TaskRuntimeInfo as zerocopy::FromBytes>::read_from_bytes(&record);
        Ok(info.map_or(-1, |info| info.cpu_time))
    };
    sleep_ms(20);
    let (process, below) = (ok!(runtime(&mini.process)), ok!(runtime(&job)));
    check!(process > 0 && below >= process);
    ok!(mini.process.kill());
    ok!(mini.process.wait_one(Signals::PROCESS_TERMINATED, soon()));
    check!(ok!(runtime(&mini.process)) >= process);
    check!(ok!(runtime(&job)) >= process);
    Ok(())
}
