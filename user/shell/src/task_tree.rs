//! Walking jobs, processes and threads from the root job.

use libzx::{AsHandle, Handle, Job, Process, Rights, Thread};
use zx_abi::info::InfoTopic;

/// A task met on the walk.
#[derive(Debug)]
pub(crate) enum Task<'a> {
    Job(&'a Job),
    Process(&'a Process),
    Thread(&'a Thread),
}

impl Task<'_> {
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Job(_) => "job",
            Self::Process(_) => "process",
            Self::Thread(_) => "thread",
        }
    }

    pub(crate) fn duplicate(&self) -> libzx::ZxResult<Handle> {
        match self {
            Self::Job(job) => job.duplicate_handle(Rights::SAME_RIGHTS),
            Self::Process(process) => process.duplicate_handle(Rights::SAME_RIGHTS),
            Self::Thread(thread) => thread.duplicate_handle(Rights::SAME_RIGHTS),
        }
    }
}

/// Shows `visit` each task with its koid and depth, parents first. What ends meanwhile is left out.
pub(crate) fn walk(job: &Job, visit: &mut dyn FnMut(&Task<'_>, u64, usize)) {
    let koid = job.koid().unwrap_or(0);
    walk_job(job, koid, 0, visit);
}

fn walk_job(job: &Job, koid: u64, depth: usize, visit: &mut dyn FnMut(&Task<'_>, u64, usize)) {
    visit(&Task::Job(job), koid, depth);
    let children = |topic| job.get_info_list::<u64>(topic).unwrap_or_default();
    for koid in children(InfoTopic::JobProcesses) {
        if let Ok(handle) = job.child(koid, Rights::SAME_RIGHTS) {
            walk_process(&Process::from(handle), koid, depth + 1, visit);
        }
    }
    for koid in children(InfoTopic::JobChildren) {
        if let Ok(handle) = job.child(koid, Rights::SAME_RIGHTS) {
            walk_job(&Job::from(handle), koid, depth + 1, visit);
        }
    }
}

fn walk_process(
    process: &Process,
    koid: u64,
    depth: usize,
    visit: &mut dyn FnMut(&Task<'_>, u64, usize),
) {
    visit(&Task::Process(process), koid, depth);
    let threads = process.get_info_list::<u64>(InfoTopic::ProcessThreads);
    for koid in threads.unwrap_or_default() {
        if let Ok(thread) = process.thread(koid, Rights::SAME_RIGHTS) {
            visit(&Task::Thread(&thread), koid, depth + 1);
        }
    }
}

/// What kind of task has this koid, and a handle to it.
pub(crate) fn find(job: &Job, wanted: u64) -> Option<(&'static str, Handle)> {
    let mut found = None;
    walk(job, &mut |task, koid, _| {
        if koid == wanted && found.is_none() {
            found = task.duplicate().ok().map(|handle| (task.kind(), handle));
        }
    });
    found
}
