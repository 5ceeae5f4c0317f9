//! Jobs, processes, threads and their exceptions as a program sees them, in suites by idea.
//!
//! `info_*` ask every topic in every way that `info_form` has; the others follow what tasks do. `subject` makes the
//! tasks they look at, most of them processes of a few known instructions.

mod debug_registers;
mod exception_channel;
mod exception_order;
mod exception_type;
mod futex_priority;
mod info_form;
mod info_job;
mod info_memory;
mod info_process;
mod info_thread;
mod job_critical;
mod job_life;
mod policy_condition;
mod policy_rule;
mod process_life;
mod process_suspend;
mod profile;
mod registers;
mod subject;
mod task_property;
mod thread_life;
mod thread_suspend;
mod vector_registers;

use crate::runner::Suite;

/// Every suite about tasks.
pub(crate) const SUITES: &[&Suite] = &[
    &info_job::BASIC,
    &info_job::CHILDREN,
    &info_job::PROCESSES,
    &info_job::LIFE,
    &info_job::RUNTIME,
    &info_process::BASIC,
    &info_process::LIFE,
    &info_process::THREADS,
    &info_process::MAPS,
    &info_process::VMOS,
    &info_process::HANDLE_STATS,
    &info_process::HANDLE_TABLE,
    &info_thread::BASIC,
    &info_thread::COUNT,
    &info_thread::STATE,
    &info_thread::STATS,
    &info_thread::RUNTIME,
    &info_thread::REPORT,
    &info_memory::STATS,
    &info_memory::RUNTIME,
    &info_memory::REGION,
    &info_memory::REGION_BASIC,
    &info_memory::KERNEL,
    &info_memory::CPUS,
    &job_life::SUITE,
    &job_critical::SUITE,
    &policy_condition::BAD_HANDLES,
    &policy_condition::NEW_VMOS,
    &policy_condition::NEW_CHANNELS,
    &policy_condition::NEW_EVENTS,
    &policy_condition::NEW_EVENTPAIRS,
    &policy_condition::NEW_PORTS,
    &policy_condition::NEW_SOCKETS,
    &policy_condition::NEW_FIFOS,
    &policy_condition::NEW_TIMERS,
    &policy_condition::NEW_PROCESSES,
    &policy_condition::NEW_PROFILES,
    &policy_condition::MARK_EXECUTABLE,
    &policy_rule::SUITE,
    &process_life::SUITE,
    &process_suspend::SUITE,
    &task_property::SUITE,
    &thread_life::SUITE,
    &thread_suspend::SUITE,
    &registers::SUITE,
    &vector_registers::SUITE,
    &debug_registers::SUITE,
    &exception_channel::SUITE,
    &exception_order::SUITE,
    &exception_type::SUITE,
    &profile::SUITE,
    &futex_priority::SUITE,
];
