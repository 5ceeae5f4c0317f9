//! Tasks: jobs hold processes, processes hold threads; each can be watched, suspended and killed.
//!
//! Start with [`thread`] (life cycle and how it blocks), then [`process`], then [`job`].

pub mod block;
mod budget;
mod cpu_share;
pub mod exception;
pub mod job;
pub mod job_policy;
pub mod ports;
pub mod process;
pub mod profile;
pub mod suspend_token;
pub mod thread;
pub mod thread_state;

pub use block::{Deadline, Interrupted};
pub use cpu_share::Runtime;
pub use exception::Exception;
pub use job::Job;
pub use job_policy::{JobPolicy, PolicyAction, PolicyCondition};
pub use process::{CriticalWhen, Process, ProcessStatus};
pub use profile::Profile;
pub use suspend_token::SuspendToken;
pub use thread::Thread;
pub use thread_state::BlockedOn;

/// What exited tasks report, as `facts/objects.md` section 2 lists them.
pub mod retcode {
    pub use zx_abi::info::{
        RETCODE_CRITICAL_PROCESS_KILL as CRITICAL_PROCESS_KILL,
        RETCODE_EXCEPTION_KILL as EXCEPTION_KILL, RETCODE_OOM_KILL as OOM_KILL,
        RETCODE_POLICY_KILL as POLICY_KILL, RETCODE_SYSCALL_KILL as SYSCALL_KILL,
        RETCODE_VDSO_KILL as VDSO_KILL,
    };
}
