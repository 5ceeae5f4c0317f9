//! The one primitive for blocking: a future against deadline, kill and suspension.

use super::thread::{Attention, Thread};
use super::thread_state::BlockedOn;
use core::future::{poll_fn, Future};
use core::pin::pin;
use core::task::Poll;
use executor::Action;

/// A moment after which a wait gives up, and how much it may be late or early.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Deadline {
    /// Monotonic nanoseconds; [`kernel_hal::time::NEVER`] for no deadline.
    pub when: i64,
    /// How far before `when` it may come, ns.
    pub early: i64,
    /// How far after `when` it may come, ns.
    pub late: i64,
}

impl Deadline {
    /// No deadline.
    pub const NEVER: Self = Self::exact(kernel_hal::time::NEVER);

    /// Exactly then.
    #[must_use]
    pub const fn exact(when: i64) -> Self {
        Self {
            when,
            early: 0,
            late: 0,
        }
    }
}

/// Why a wait ended without what it waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Interrupted {
    /// The deadline came.
    TimedOut,
    /// The thread is to die: unwind to the thread's loop, which sees it too.
    Killed,
    /// The thread is to stop: unwind with `IntrRetry`; the vDSO repeats the call afterwards.
    Suspended,
}

impl From<Interrupted> for zx_abi::ZxError {
    fn from(interrupted: Interrupted) -> Self {
        match interrupted {
            Interrupted::TimedOut => Self::TimedOut,
            Interrupted::Killed | Interrupted::Suspended => Self::IntrRetry,
        }
    }
}

impl Thread {
    /// Waits for `future`. An event that is already there wins over everything; then kill, then suspension, then the
    /// deadline. While it waits the thread's state says `why`.
    ///
    /// # Errors
    /// [`Interrupted`], with `future` dropped: what it had registered is undone.
    pub async fn block<F: Future>(
        &self,
        why: BlockedOn,
        deadline: Deadline,
        future: F,
    ) -> Result<F::Output, Interrupted> {
        let mut future = pin!(future);
        let mut blocked = Blocked {
            thread: self,
            armed: false,
            counted: false,
        };
        poll_fn(|cx| {
            blocked.go_on();
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Ok(output));
            }
            match self.attention() {
                Attention::None => {}
                Attention::Kill => return Poll::Ready(Err(Interrupted::Killed)),
                Attention::Suspend => return Poll::Ready(Err(Interrupted::Suspended)),
            }
            if deadline.when != kernel_hal::time::NEVER {
                if kernel_hal::time::now() >= deadline.when
                    || (blocked.armed && self.timer().deadline().is_none())
                {
                    return Poll::Ready(Err(Interrupted::TimedOut));
                }
                if !blocked.armed {
                    blocked.armed = true;
                    let action = Action::Wake(cx.waker().clone());
                    if deadline.early == 0 && deadline.late == 0 {
                        self.timer().arm(deadline.when, action);
                    } else {
                        let window = deadline.when.saturating_sub(deadline.early)
                            ..=deadline.when.saturating_add(deadline.late);
                        self.timer().arm_coalesced(window, deadline.when, action);
                    }
                }
            }
            blocked.stop_running(why);
            Poll::Pending
        })
        .await
    }
}

/// While it lives the thread counts as blocked; drop disarms the timer.
struct Blocked<'a> {
    thread: &'a Thread,
    armed: bool,
    counted: bool,
}

impl Blocked<'_> {
    fn stop_running(&mut self, why: BlockedOn) {
        self.counted = true;
        self.thread.set_blocked(why);
        self.thread.leave_cpu();
    }
    fn go_on(&mut self) {
        if self.counted {
            self.counted = false;
            self.thread.enter_cpu();
        }
    }
}

impl Drop for Blocked<'_> {
    fn drop(&mut self) {
        self.go_on();
        self.thread.set_blocked(BlockedOn::Nothing);
        if self.armed {
            self.thread.timer().disarm();
        }
    }
}
