//! Records about jobs, processes and threads.

use crate::wire::{numbers, records};

/// Return code of a task killed by `task_kill`.
pub const RETCODE_SYSCALL_KILL: i64 = -1024;
/// Return code of a task killed for lack of memory.
pub const RETCODE_OOM_KILL: i64 = -1025;
/// Return code of a process killed by its job's policy.
pub const RETCODE_POLICY_KILL: i64 = -1026;
/// Return code of a process killed by the vDSO.
pub const RETCODE_VDSO_KILL: i64 = -1027;
/// Return code of a process killed by an exception nobody handled.
pub const RETCODE_EXCEPTION_KILL: i64 = -1028;
/// Return code of a job killed because its critical process ended.
pub const RETCODE_CRITICAL_PROCESS_KILL: i64 = -1029;

/// `last_scheduled_cpu` of a thread that never ran.
pub const INVALID_CPU: u32 = u32::MAX;

records! {
    /// `zx_info_process_t`.
    ProcessInfo: 16 {
        /// Valid when exited.
        return_code: i64,
        /// 1 once started, also after it ended.
        started: u8,
        /// 1 once ended.
        exited: u8,
        /// 1 while a debugger listens for its exceptions.
        debugger_attached: u8,
        /// Zero.
        padding1: [u8; 5],
    }
    /// `zx_info_job_t`.
    JobInfo: 16 {
        /// Valid when exited.
        return_code: i64,
        /// 1 once killed.
        exited: u8,
        /// 1 when chosen to be killed first for lack of memory.
        kill_on_oom: u8,
        /// 1 while a debugger listens for its exceptions.
        debugger_attached: u8,
        /// Zero.
        padding1: [u8; 5],
    }
    /// `zx_info_thread_t`. In 2019 only the first two fields exist.
    ThreadInfo: 72 {
        /// Number of the [`ThreadState`].
        state: u32,
        /// Number of the handler an exception waits for, 0 otherwise.
        wait_exception_channel_type: u32,
        /// CPUs the thread may run on, 512 bits.
        cpu_affinity_mask: [u64; 8],
    }
    /// `zx_info_thread_stats_t`. In 2019 only the first field exists.
    ThreadStatsInfo: 16 {
        /// Nanoseconds spent running.
        total_runtime: i64,
        /// CPU it ran on last, or [`INVALID_CPU`].
        last_scheduled_cpu: u32,
        /// Zero.
        padding1: [u8; 4],
    }
    /// `zx_info_task_stats_t`.
    TaskStatsInfo: 32 {
        /// Bytes mapped.
        mem_mapped_bytes: u64,
        /// Committed bytes mapped here only.
        mem_private_bytes: u64,
        /// Committed bytes also mapped elsewhere.
        mem_shared_bytes: u64,
        /// The shared bytes, each divided by the number of its users.
        mem_scaled_shared_bytes: u64,
    }
    /// `zx_info_task_runtime_t` (2020).
    TaskRuntimeInfo: 16 {
        /// Nanoseconds spent running.
        cpu_time: i64,
        /// Nanoseconds spent ready but not running.
        queue_time: i64,
    }
}

numbers! {
    /// What a thread is doing (`ZX_THREAD_STATE_*`).
    ThreadState: u32 {
        /// Created, not started.
        New = 0,
        /// Running or ready.
        Running = 1,
        /// Stopped by a suspend token.
        Suspended = 2,
        /// Never reported alone.
        Blocked = 3,
        /// On its way out.
        Dying = 4,
        /// Ended.
        Dead = 5,
        /// In an exception.
        BlockedException = 0x103,
        /// In `nanosleep`.
        BlockedSleeping = 0x203,
        /// In `futex_wait`.
        BlockedFutex = 0x303,
        /// In `port_wait`.
        BlockedPort = 0x403,
        /// In `channel_call`.
        BlockedChannel = 0x503,
        /// In `object_wait_one`.
        BlockedWaitOne = 0x603,
        /// In `object_wait_many`.
        BlockedWaitMany = 0x703,
        /// In `interrupt_wait`.
        BlockedInterrupt = 0x803,
        /// Waiting for a pager.
        BlockedPager = 0x903,
    }
}
