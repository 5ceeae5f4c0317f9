//! Sleeping, and clocks that the vDSO could not read by itself.

use crate::Caller;
use zircon_object::runtime::EXECUTOR;
use zircon_object::task::{BlockedOn, Interrupted};
use zx_abi::{ZxError, ZxResult};

/// `nanosleep` to a moment that has passed, or to let others run when there are none.
pub(crate) fn now_nanosleep(caller: &Caller<'_>, deadline: i64) -> Option<ZxResult> {
    let over = if deadline <= 0 {
        !EXECUTOR.has_ready_from(caller.thread().rank())
    } else {
        kernel_hal::time::now() >= deadline
    };
    over.then_some(Ok(()))
}

/// Sleeps to a deadline; one that is not after zero only yields.
///
/// # Errors
/// - `IntrRetry`: the thread is to stop; the vDSO repeats the call.
pub(crate) async fn sys_nanosleep(caller: &Caller<'_>, deadline: i64) -> ZxResult {
    if deadline <= 0 {
        caller.thread().yield_now().await;
        return Ok(());
    }
    let slept = caller
        .thread()
        .block(
            BlockedOn::Sleep,
            caller.deadline(deadline),
            core::future::pending::<()>(),
        )
        .await;
    match slept {
        Ok(()) | Err(Interrupted::TimedOut) => Ok(()),
        Err(Interrupted::Killed | Interrupted::Suspended) => Err(ZxError::IntrRetry),
    }
}

/// The monotonic clock, for a vDSO that may not use the TSC.
pub(crate) fn sys_clock_get_monotonic_via_kernel(_: &Caller<'_>) -> i64 {
    kernel_hal::time::now()
}

/// Ticks, for a vDSO that may not use the TSC.
pub(crate) fn sys_ticks_get_via_kernel(_: &Caller<'_>) -> i64 {
    kernel_hal::time::ticks()
}
