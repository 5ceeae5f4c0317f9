//! Jobs: create, policy.

use crate::Caller;
use alloc::vec::Vec;
use kernel_hal::user::{UserIn, UserOut};
use zircon_object::object::Handle;
use zircon_object::task::job_policy::{Conflict, Override, PolicyEntry, SlackMode, CONDITIONS};
use zircon_object::task::{CriticalWhen, Job, Process};
use zx_abi::device::JobCriticalOptions;
use zx_abi::policy::{
    PolicyBasicV1, PolicyBasicV2, PolicyMode, PolicyOverride, PolicyTimerSlack, PolicyTopic,
};
use zx_abi::{HandleValue, Rights, ZxError, ZxResult};

/// Entries that are read at all; more than there are conditions, so that the count is refused after the handle.
const POLICY_ENTRIES_MAX: usize = 32;

/// Makes a child job.
///
/// # Errors
/// - `InvalidArgs`: options are not 0.
/// - `BadHandle`, `WrongType`, `AccessDenied`: the parent handle has neither MANAGE_JOB nor WRITE.
/// - `OutOfRange`: the tree would become too high.
/// - `BadState`: the parent was killed.
/// - `NoMemory`, `InvalidArgs`: no memory, or `out` cannot be written.
pub(crate) fn sys_job_create(
    caller: &Caller<'_>,
    parent: HandleValue,
    options: u32,
    out: UserOut<HandleValue>,
) -> ZxResult {
    if options != 0 {
        return Err(ZxError::InvalidArgs);
    }
    let parent = caller
        .get::<Job>(parent, Rights::MANAGE_JOB)
        .or_else(|_| caller.get::<Job>(parent, Rights::WRITE))?;
    caller.give(Handle::new(parent.create_child()?)?, out)
}

/// Makes the end of a process the end of a job above it.
///
/// # Errors
/// - `InvalidArgs`: unknown options.
/// - `BadHandle`, `WrongType`, `AccessDenied`: the job (DESTROY), then the process (WAIT).
/// - `AlreadyBound`: the process is critical to some job.
/// - `InvalidArgs`: the process is not in the job or below it.
pub(crate) fn sys_job_set_critical(
    caller: &Caller<'_>,
    job: HandleValue,
    options: u32,
    process: HandleValue,
) -> ZxResult {
    let when = match JobCriticalOptions::from_bits(options).ok_or(ZxError::InvalidArgs)? {
        JobCriticalOptions::RETCODE_NONZERO => CriticalWhen::RetcodeNonzero,
        _ => CriticalWhen::AnyEnd,
    };
    let job = caller.get::<Job>(job, Rights::DESTROY)?;
    let process = caller.get::<Process>(process, Rights::WAIT)?;
    process.set_critical_to(&job, when)
}

/// Sets what the processes of a job may do. Nothing changes on any error.
///
/// # Errors
/// - `InvalidArgs`: unknown topic, unknown options, no entries or too many, or they cannot be read.
/// - `BadHandle`, `WrongType`, `AccessDenied`: the handle lacks SET_POLICY.
/// - `BadState`: the job has children.
/// - `OutOfRange`: more entries than there are conditions.
/// - `NotSupported`: unknown action.
/// - `InvalidArgs`: unknown condition or override flag; bad slack.
/// - `AlreadyExists`: an entry contradicts what may not be overridden.
pub(crate) fn sys_job_set_policy(
    caller: &Caller<'_>,
    handle: HandleValue,
    options: u32,
    topic: u32,
    policy: UserIn<u8>,
    count: u32,
) -> ZxResult {
    let topic = PolicyTopic::from_raw(topic).ok_or(ZxError::InvalidArgs)?;
    let mode = PolicyMode::from_raw(options).ok_or(ZxError::InvalidArgs)?;
    let count = count as usize;
    match topic {
        PolicyTopic::Basic => {
            check_count(policy, count)?;
            let raw = caller.read_vec(UserIn::<PolicyBasicV1>::new(policy.addr()), count)?;
            set_basic(caller, handle, mode, &raw, |entry| {
                (entry.condition, entry.policy, PolicyOverride::Deny.raw())
            })
        }
        PolicyTopic::BasicV2 => {
            check_count(policy, count)?;
            let raw = caller.read_vec(UserIn::<PolicyBasicV2>::new(policy.addr()), count)?;
            set_basic(caller, handle, mode, &raw, |entry| {
                (entry.condition, entry.action, entry.flags)
            })
        }
        PolicyTopic::TimerSlack => {
            if mode != PolicyMode::Relative || count != 1 {
                return Err(ZxError::InvalidArgs);
            }
            let slack: PolicyTimerSlack = caller.read(UserIn::new(policy.addr()))?;
            let job = caller.get::<Job>(handle, Rights::SET_POLICY)?;
            job.set_policy(|policy| {
                let mode = SlackMode::from_raw(slack.default_mode).ok_or(ZxError::InvalidArgs)?;
                if slack.min_slack < 0 {
                    return Err(ZxError::InvalidArgs);
                }
                Ok(policy.with_slack(slack.min_slack, mode))
            })
        }
    }
}

fn check_count(policy: UserIn<u8>, count: usize) -> ZxResult {
    if count == 0 || count > POLICY_ENTRIES_MAX || policy.is_null() {
        return Err(ZxError::InvalidArgs);
    }
    Ok(())
}

/// `parts` gives condition, action and flags of a raw entry.
fn set_basic<R>(
    caller: &Caller<'_>,
    handle: HandleValue,
    mode: PolicyMode,
    raw: &[R],
    parts: impl Fn(&R) -> (u32, u32, u32),
) -> ZxResult {
    let job = caller.get::<Job>(handle, Rights::SET_POLICY)?;
    let conflict = match mode {
        PolicyMode::Relative => Conflict::Skip,
        PolicyMode::Absolute => Conflict::Fail,
    };
    job.set_policy(|policy| {
        if raw.len() > CONDITIONS {
            return Err(ZxError::OutOfRange);
        }
        let mut entries = Vec::new();
        entries
            .try_reserve_exact(raw.len())
            .map_err(|_| ZxError::NoMemory)?;
        for (condition, action, flags) in raw.iter().map(&parts) {
            let overridable = match PolicyOverride::from_raw(flags) {
                Some(PolicyOverride::Allow) => Override::Allow,
                Some(PolicyOverride::Deny) => Override::Deny,
                None => return Err(ZxError::InvalidArgs),
            };
            entries.push(PolicyEntry {
                condition,
                action,
                overridable,
            });
        }
        policy.with_entries(conflict, &entries)
    })
}
