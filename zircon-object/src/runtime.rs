//! The kernel's one executor, its timers, and the way from a started thread to the future that runs it.

use crate::task::Thread;
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::sync::atomic::{AtomicI64, Ordering};
use executor::{Executor, Rank, TimerHardware, Timers};
use kernel_hal::context::UserContext;
use kernel_hal::sync::Mutex;
use zx_abi::{ZxError, ZxResult};

/// Polls every kernel task: user threads, teardowns.
pub static EXECUTOR: Executor =
    Executor::with_bell(kernel_hal::context::leave, kernel_hal::time::ticks);

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

/// Serves timers if the hardware says that one may have expired, tells log readers of new lines of the kernel, and looks
/// whether memory runs short. Call after an interrupt and after idling, with no lock held.
#[inline(always)]
pub fn serve_timers() {
    crate::diag::debuglog::announce();
    crate::vm::memory_watchdog::look();
    if kernel_hal::time::take_expiry() {
        expire_timers();
    }
}

#[cold]
fn expire_timers() {
    // A slice may be over. The thread that runs looks anew at who waits.
    INTERRUPT_AT.store(i64::MAX, Ordering::Relaxed);
    EXECUTOR.watch_from(Rank::LOWEST);
    while TIMERS.expire(kernel_hal::time::now()) == executor::Due::More {}
}

/// Spawns the future that runs a user thread; the crate above provides it, because it decodes syscalls.
pub type ThreadRunner = fn(Arc<Thread>, Box<UserContext>) -> ZxResult;

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
pub(crate) fn spawn_thread(thread: Arc<Thread>, context: Box<UserContext>) -> ZxResult {
    let runner = *RUNNER.lock();
    runner.ok_or(ZxError::BadState)?(thread, context)
}

/// How long a thread may run while others of its priority wait, ns.
pub const SLICE_NS: i64 = 10_000_000;

static SLICE_TICKS: AtomicI64 = AtomicI64::new(i64::MAX);
static SLICE_TIMER: Mutex<Option<executor::TimerSlot>> = Mutex::new(None);

/// Makes the timer that ends time slices. Without it they are endless.
///
/// # Errors
/// - `NoMemory`: the kernel heap is exhausted.
pub fn init_slices() -> ZxResult {
    *SLICE_TIMER.lock() = Some(TIMERS.register().map_err(|_| ZxError::NoMemory)?);
    let per_second = kernel_hal::time::tick_ratio().ticks_per_second;
    SLICE_TICKS.store(per_second / (1_000_000_000 / SLICE_NS), Ordering::Relaxed);
    Ok(())
}

/// [`SLICE_NS`] in ticks.
#[inline]
pub(crate) fn slice_ticks() -> i64 {
    SLICE_TICKS.load(Ordering::Relaxed)
}

/// Ticks as nanoseconds.
pub(crate) fn ns_of_ticks(ticks: i64) -> i64 {
    let ratio = kernel_hal::time::tick_ratio();
    let (times, by) = (i64::from(ratio.numerator), i64::from(ratio.denominator));
    if let Some(product) = ticks.checked_mul(times) {
        return product / by;
    }
    let ns = i128::from(ticks) * i128::from(times) / i128::from(by);
    i64::try_from(ns).unwrap_or(i64::MAX)
}

/// When the interrupt comes that the thread's loop relies on, in ticks; never later than the timer below says.
static INTERRUPT_AT: AtomicI64 = AtomicI64::new(i64::MAX);

/// Whether an interrupt comes before the thread that runs has had `left` ticks more, of which it has none behind `now`.
#[inline]
pub(crate) fn interrupt_comes_within(now: i64, left: i64) -> bool {
    INTERRUPT_AT.load(Ordering::Relaxed).wrapping_sub(now) <= left
}

/// Makes sure that an interrupt comes at `when` or before, so that user code that runs then comes back to its thread's loop.
/// Nothing needs to be woken.
pub(crate) fn interrupt_at(when: i64) {
    if let Some(timer) = &*SLICE_TIMER.lock() {
        let at = match timer.deadline() {
            Some(earlier) if earlier <= when => earlier,
            Some(_) | None => {
                timer.arm(
                    when,
                    executor::Action::Wake(core::task::Waker::noop().clone()),
                );
                when
            }
        };
        INTERRUPT_AT.store(ticks_at(at), Ordering::Relaxed);
    }
}

/// The ticks that will be counted at a moment.
fn ticks_at(when: i64) -> i64 {
    let ratio = kernel_hal::time::tick_ratio();
    let ns = i128::from(when) - i128::from(kernel_hal::time::now());
    let ticks = ns * i128::from(ratio.denominator) / i128::from(ratio.numerator.max(1));
    kernel_hal::time::ticks().saturating_add(i64::try_from(ticks).unwrap_or(i64::MAX))
}
