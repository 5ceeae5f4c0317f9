//! Timers.

use crate::Caller;
use kernel_hal::user::UserOut;
use zircon_object::object::Handle;
use zircon_object::signal::Timer;
use zircon_object::task::job_policy::SlackMode;
use zircon_object::task::PolicyCondition;
use zx_abi::clock::ClockId;
use zx_abi::{HandleValue, Rights, ZxError, ZxResult};

/// Makes a timer.
///
/// # Errors
/// - `InvalidArgs`: another clock than the monotonic one.
/// - `AccessDenied`: job policy.
/// - `InvalidArgs`: no such slack mode.
/// - `NoMemory`: no kernel memory, or no room for the handle.
/// - `InvalidArgs`: the handle cannot be written; there is none then.
pub(crate) fn sys_timer_create(
    caller: &Caller<'_>,
    options: u32,
    clock_id: u32,
    out: UserOut<HandleValue>,
) -> ZxResult {
    if clock_id != ClockId::Monotonic.raw() {
        return Err(ZxError::InvalidArgs);
    }
    caller.policy(PolicyCondition::NewTimer)?;
    let mode = SlackMode::from_raw(options).ok_or(ZxError::InvalidArgs)?;
    caller.give(Handle::new(Timer::create(mode)?)?, out)
}

/// Starts or restarts a timer. The slack is at least that of the job.
///
/// # Errors
/// - `OutOfRange`: slack below 0.
/// - `BadHandle`, `WrongType`, `AccessDenied`: the handle is bad or lacks WRITE.
pub(crate) fn sys_timer_set(
    caller: &Caller<'_>,
    handle: HandleValue,
    deadline: i64,
    slack: i64,
) -> ZxResult {
    if slack < 0 {
        return Err(ZxError::OutOfRange);
    }
    let timer = caller.get::<Timer>(handle, Rights::WRITE)?;
    timer.set(deadline, slack.max(caller.process().policy().slack_ns()));
    Ok(())
}

/// Stops a timer.
///
/// # Errors
/// - `BadHandle`, `WrongType`, `AccessDenied`: the handle is bad or lacks WRITE.
pub(crate) fn sys_timer_cancel(caller: &Caller<'_>, handle: HandleValue) -> ZxResult {
    caller.get::<Timer>(handle, Rights::WRITE)?.cancel();
    Ok(())
}
