//! What tasks and regions tell about memory, and what only the root resource is told.

use libzx::{AsHandle, Process, Rights, VmOptions, Vmar, Vmo};
use mini_process::{Code, MiniProcess, PAGE};
use zx_abi::info::{InfoTopic, TaskStatsInfo, VmarInfo, RETCODE_SYSCALL_KILL};

use super::info_form::{list_suite, record_suite, Question, Subject};
use super::subject::{ends_with, job, mini, standing, SAME};
use crate::check::{check, check_eq, fails, ok, skip, Case, Outcome};
use crate::world::World;

const OF_STATS: Question = Question {
    topic: InfoTopic::TaskStats,
    rights: Rights::INSPECT,
    subject: stats_subject,
};
record_suite! { STATS = "InfoTaskStats", OF_STATS: [
    each_of_its_rights_is_needed, a_job_has_the_wrong_type, a_thread_has_the_wrong_type, an_event_has_the_wrong_type,
] [
    an_unstarted_process_has_statistics, a_dead_process_has_none, shared_pages_count_in_parts,
] }

const OF_RUNTIME: Question = Question {
    topic: InfoTopic::TaskRuntime,
    rights: Rights::INSPECT,
    subject: stats_subject,
};
record_suite! { RUNTIME = "InfoTaskRuntimeOfProcess", OF_RUNTIME: [
    each_of_its_rights_is_needed, an_event_has_the_wrong_type,
] [] }

/// A region of an unstarted process.
fn region(world: &World) -> Result<Subject, Outcome> {
    let mini = mini(world, &Code::new())?;
    Ok(Subject::new(ok!(mini.vmar.duplicate(SAME)), mini))
}

const OF_REGION: Question = Question {
    topic: InfoTopic::Vmar,
    rights: Rights::INSPECT,
    subject: region,
};
record_suite! { REGION = "InfoVmar", OF_REGION: [
    each_of_its_rights_is_needed, a_job_has_the_wrong_type, a_process_has_the_wrong_type, a_thread_has_the_wrong_type,
    an_event_has_the_wrong_type,
] [
    a_region_tells_where_it_is,
] }

const OF_REGION_BASIC: Question = Question {
    topic: InfoTopic::HandleBasic,
    rights: Rights::empty(),
    subject: region,
};
record_suite! { REGION_BASIC = "InfoHandleBasicOfVmar", OF_REGION_BASIC: [each_of_its_rights_is_needed] [] }

/// The root resource.
fn resource(world: &World) -> Result<Subject, Outcome> {
    match &world.resource {
        Some(resource) => Ok(Subject::new(ok!(resource.duplicate(SAME)), ())),
        None => skip!("no root resource"),
    }
}

const OF_KERNEL: Question = Question {
    topic: InfoTopic::KmemStats,
    rights: Rights::empty(),
    subject: resource,
};
record_suite! { KERNEL = "InfoKmemStats", OF_KERNEL: [
    each_of_its_rights_is_needed, a_job_has_the_wrong_type, a_process_has_the_wrong_type, a_thread_has_the_wrong_type,
    an_event_has_the_wrong_type,
] [] }

const OF_CPUS: Question = Question {
    topic: InfoTopic::CpuStats,
    rights: Rights::empty(),
    subject: resource,
};
list_suite! { CPUS = "InfoCpuStats", OF_CPUS: [
    a_job_has_the_wrong_type, a_process_has_the_wrong_type, a_thread_has_the_wrong_type, an_event_has_the_wrong_type,
] [] }

fn stats_subject(world: &World) -> Result<Subject, Outcome> {
    let (mini, token) = standing(world)?;
    Ok(Subject::new(
        ok!(mini.process.duplicate(SAME)),
        (token, mini),
    ))
}

fn stats(process: &Process) -> libzx::ZxResult<TaskStatsInfo> {
    process.get_info(InfoTopic::TaskStats)
}

fn an_unstarted_process_has_statistics(world: &World) -> Case {
    let (process, _vmar) = ok!(Process::create(&job(world)?, "empty"));
    let empty = ok!(stats(&process));
    check_eq!((empty.mem_mapped_bytes, empty.mem_private_bytes), (0, 0));
    let mini = mini(world, &Code::new())?;
    let some = ok!(stats(&mini.process));
    check!(some.mem_mapped_bytes >= 3 * PAGE as u64);
    Ok(())
}

fn a_dead_process_has_none(world: &World) -> Case {
    let (mini, _token) = standing(world)?;
    ok!(mini.process.kill());
    ends_with(&mini.process, RETCODE_SYSCALL_KILL)?;
    fails!(stats(&mini.process), BadState);
    Ok(())
}

fn shared_pages_count_in_parts(world: &World) -> Case {
    let job = job(world)?;
    let (one, one_vmar) = ok!(Process::create(&job, "one"));
    let (two, two_vmar) = ok!(Process::create(&job, "two"));
    let vmo = ok!(Vmo::create(4 * PAGE as u64, 0));
    ok!(vmo.write(&[1; 4 * PAGE], 0));
    let map = |vmar: &Vmar| vmar.map(VmOptions::PERM_READ, 0, &vmo, 0, 4 * PAGE);
    ok!(map(&one_vmar));
    let bytes = 4 * PAGE as u64;
    let alone = ok!(stats(&one));
    check_eq!(
        (alone.mem_mapped_bytes, alone.mem_private_bytes),
        (bytes, bytes)
    );
    check_eq!(
        (alone.mem_shared_bytes, alone.mem_scaled_shared_bytes),
        (0, 0)
    );
    ok!(map(&two_vmar));
    for process in [&one, &two] {
        let shared = ok!(stats(process));
        check_eq!(
            (shared.mem_mapped_bytes, shared.mem_private_bytes),
            (bytes, 0)
        );
        check_eq!(
            (shared.mem_shared_bytes, shared.mem_scaled_shared_bytes),
            (bytes, bytes / 2)
        );
    }
    Ok(())
}

fn a_region_tells_where_it_is(world: &World) -> Case {
    let mini = ok!(MiniProcess::new(&job(world)?, &Code::new()));
    let (region, base) = ok!(mini.vmar.allocate(VmOptions::CAN_MAP_READ, 0, 3 * PAGE));
    let info: VmarInfo = ok!(region.get_info(InfoTopic::Vmar));
    check_eq!((info.base, info.len), (base as u64, 3 * PAGE as u64));
    Ok(())
}
