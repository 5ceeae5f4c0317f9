//! `ps`: jobs, processes and threads as a tree.

use alloc::format;
use alloc::string::String;

use libzx::{println, AsHandle, Process, Rights, Thread};
use zx_abi::info::{
    InfoTopic, JobInfo, TaskRuntimeInfo, TaskStatsInfo, ThreadInfo, ThreadState, ThreadStatsInfo,
};

use super::Builtin;
use crate::task_tree::{walk, Task};
use crate::units;
use crate::words::Place;
use crate::Shell;

pub(super) const PS: Builtin = Builtin {
    name: "ps",
    usage: "",
    summary: "jobs, processes and threads",
    run,
};

fn run(shell: &mut Shell, _: &[&str], _: Place) -> i64 {
    println!(
        "{:<22}{:<12}{:>12}{:>12}  NAME",
        "KOID", "STATE", "CPU", "MEMORY"
    );
    walk(&shell.job, &mut |task, koid, depth| {
        let row = Row::of(task);
        println!(
            "{:<22}{:<12}{:>12}{:>12}  {}",
            format!("{:indent$}{} {koid}", "", letter(task), indent = depth * 2),
            row.state,
            row.cpu,
            row.memory,
            row.name
        );
    });
    println!("(j job, p process, t thread; MEMORY counts shared pages in parts)");
    0
}

const fn letter(task: &Task<'_>) -> char {
    match task {
        Task::Job(_) => 'j',
        Task::Process(_) => 'p',
        Task::Thread(_) => 't',
    }
}

/// What is shown about a task; what the kernel does not tell is a dash.
#[derive(Debug)]
struct Row {
    name: String,
    state: String,
    cpu: String,
    memory: String,
}

impl Row {
    fn of(task: &Task<'_>) -> Self {
        let dash = || String::from("-");
        match task {
            Task::Job(job) => {
                let ended = job
                    .get_info::<JobInfo>(InfoTopic::Job)
                    .is_ok_and(|info| info.exited != 0);
                Self {
                    name: job.name().unwrap_or_default(),
                    state: String::from(if ended { "ended" } else { "" }),
                    cpu: String::new(),
                    memory: String::new(),
                }
            }
            Task::Process(process) => Self {
                name: process.name().unwrap_or_default(),
                state: process_state(process),
                cpu: process_runtime(process).map_or_else(dash, units::duration),
                memory: process_memory(process).map_or_else(dash, units::size),
            },
            Task::Thread(thread) => Self {
                name: thread.name().unwrap_or_default(),
                state: thread
                    .get_info::<ThreadInfo>(InfoTopic::Thread)
                    .map_or_else(|_| dash(), |info| thread_state(info.state)),
                cpu: thread_runtime(thread).map_or_else(dash, units::duration),
                memory: String::new(),
            },
        }
    }
}

fn process_state(process: &Process) -> String {
    match process.info() {
        Ok(info) if info.exited != 0 => format!("exited {}", info.return_code),
        Ok(info) if info.started != 0 => String::from("running"),
        Ok(_) => String::from("new"),
        Err(_) => String::from("-"),
    }
}

/// The kernel of 2019 tells only of threads.
fn process_runtime(process: &Process) -> Option<i64> {
    if let Ok(info) = process.get_info::<TaskRuntimeInfo>(InfoTopic::TaskRuntime) {
        return Some(info.cpu_time);
    }
    let koids = process
        .get_info_list::<u64>(InfoTopic::ProcessThreads)
        .ok()?;
    let threads = koids
        .into_iter()
        .filter_map(|koid| process.thread(koid, Rights::SAME_RIGHTS).ok());
    Some(threads.filter_map(|thread| thread_runtime(&thread)).sum())
}

fn thread_runtime(thread: &Thread) -> Option<i64> {
    let stats = thread.get_info::<ThreadStatsInfo>(InfoTopic::ThreadStats);
    Some(stats.ok()?.total_runtime)
}

fn process_memory(process: &Process) -> Option<u64> {
    let stats = process
        .get_info::<TaskStatsInfo>(InfoTopic::TaskStats)
        .ok()?;
    Some(stats.mem_private_bytes + stats.mem_scaled_shared_bytes)
}

fn thread_state(state: u32) -> String {
    let name = match ThreadState::from_raw(state) {
        Some(ThreadState::New) => "new",
        Some(ThreadState::Running) => "running",
        Some(ThreadState::Suspended) => "suspended",
        Some(ThreadState::Blocked) => "blocked",
        Some(ThreadState::Dying) => "dying",
        Some(ThreadState::Dead) => "dead",
        Some(ThreadState::BlockedException) => "exception",
        Some(ThreadState::BlockedSleeping) => "sleeping",
        Some(ThreadState::BlockedFutex) => "futex",
        Some(ThreadState::BlockedPort) => "port",
        Some(ThreadState::BlockedChannel) => "channel",
        Some(ThreadState::BlockedWaitOne) => "wait-one",
        Some(ThreadState::BlockedWaitMany) => "wait-many",
        Some(ThreadState::BlockedInterrupt) => "interrupt",
        Some(ThreadState::BlockedPager) => "pager",
        None => return format!("{state:#x}"),
    };
    String::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_thread_states_are_shown_as_numbers() {
        assert_eq!(thread_state(0x403), "port");
        assert_eq!(thread_state(0x9999), "0x9999");
    }
}
