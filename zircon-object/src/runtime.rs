//! The kernel's one executor, its timers, and the way from a started thread to the future that runs it.

use crate::task::Thread;
use alloc::sync::Arc;
use executor::{Executor, TimerHardware, Timers};
use kernel_hal::context::UserContext;
use kernel_hal::sync::Mutex;
use zx_abi::{ZxError, ZxResult};

/// Polls every kernel task: user threads, teardowns.
pub static EXECUTOR: Executor = Executor::new();

/// Every deadline of the kernel.
pub static TIMERS: Timers = Timers::new(&HalTimer);

struct HalTimer;

impl TimerHardware for HalTimer {
    fn now(&self) -> i64 {
        kernel_hal::time::now()
    }
    fn set_alarm(&self, deadline: Option<i64>) {
        kernel_hal::time::arm_timer(deadline.unwrap_or(kernel_hal::time::NEVER));
    }
}

/// Serves timers if the hardware says that one may have expired, and tells log readers of new lines of the kernel. Call after an
/// interrupt and after idling, with no lock held.
pub fn serve_timers() {
    crate::diag::debuglog::announce();
    if kernel_hal::time::take_expiry() {
        while TIMERS.expire(kernel_hal::time::now()) == executor::Due::More {}
    }
}

/// Spawns the future that runs a user thread; the crate above provides it, because it decodes syscalls.
pub type ThreadRunner = fn(Arc<Thread>, UserContext) -> ZxResult;

static RUNNER: Mutex<Option<ThreadRunner>> = Mutex::new(None);

/// Says how threads run. Called once at boot.
pub fn set_thread_runner(runner: ThreadRunner) {
    *RUNNER.lock() = Some(runner);
}

/// Hands a thread that is to start to the executor.
///
/// # Errors
/// - `NoMemory`: no memory for the future.
/// - `BadState`: the kernel was built without a way to run threads (host tests).
pub(crate) fn spawn_thread(thread: Arc<Thread>, context: UserContext) -> ZxResult {
    let runner = *RUNNER.lock();
    runner.ok_or(ZxError::BadState)?(thread, context)
}

/// How long a thread may run while others of its priority wait, ns.
pub const SLICE_NS: i64 = 10_000_000;

static SLICE_TIMER: Mutex<Option<executor::TimerSlot>> = Mutex::new(None);

/// Makes the timer that ends time slices.
///
/// # Errors
/// - `NoMemory`: the kernel heap is exhausted.
pub fn init_slices() -> ZxResult {
    *SLICE_TIMER.lock() = Some(TIMERS.register().map_err(|_| ZxError::NoMemory)?);
    Ok(())
}

/// Before user code runs while others are ready: makes sure that an interrupt comes when the slice of a thread that has
/// had the CPU for `used_ns` is over. Nothing needs to be woken; the interrupt alone brings the thread back to its loop.
#[cold]
pub fn arm_slice(used_ns: i64) {
    if let Some(timer) = &*SLICE_TIMER.lock() {
        if timer.deadline().is_none() {
            let end = kernel_hal::time::now() + (SLICE_NS - used_ns).max(0);
            timer.arm(
                end,
                executor::Action::Wake(core::task::Waker::noop().clone()),
            );
        }
    }
}
