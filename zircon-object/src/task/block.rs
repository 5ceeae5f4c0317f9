//! The one primitive for blocking: a future against deadline, kill and suspension.

use super::thread::{Attention, Thread};
use super::thread_state::BlockedOn;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
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
    /// [`Interrupted`]; drop `future` to undo what it had registered.
    #[inline(always)]
    pub fn block<F: Future + Unpin>(
        &self,
        why: BlockedOn,
        deadline: Deadline,
        future: F,
    ) -> Blocking<'_, F> {
        Blocking {
            thread: self,
            future,
            deadline,
            why,
            armed: false,
            counted: false,
        }
    }
}

/// The wait of [`Thread::block`]. While it lives the thread counts as blocked; drop disarms the timer.
#[must_use = "a future does nothing unless it is polled"]
pub struct Blocking<'a, F> {
    thread: &'a Thread,
    future: F,
    deadline: Deadline,
    why: BlockedOn,
    armed: bool,
    counted: bool,
}

impl<F: Future + Unpin> Future for Blocking<'_, F> {
    type Output = Result<F::Output, Interrupted>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        this.go_on();
        if let Poll::Ready(output) = Pin::new(&mut this.future).poll(cx) {
            return Poll::Ready(Ok(output));
        }
        match this.thread.attention() {
            Attention::None => {}
            Attention::Kill => return Poll::Ready(Err(Interrupted::Killed)),
            Attention::Suspend => return Poll::Ready(Err(Interrupted::Suspended)),
        }
        if this.deadline.when != kernel_hal::time::NEVER && this.is_over(cx) {
            return Poll::Ready(Err(Interrupted::TimedOut));
        }
        this.counted = true;
        this.thread.set_blocked(this.why);
        this.thread.leave_cpu();
        Poll::Pending
    }
}

impl<F> Blocking<'_, F> {
    #[inline(always)]
    fn go_on(&mut self) {
        if self.counted {
            self.counted = false;
            self.thread.enter_cpu();
        }
    }

    /// Whether the deadline has come; if not, it is armed.
    #[inline(never)]
    fn is_over(&mut self, cx: &Context<'_>) -> bool {
        let (thread, deadline) = (self.thread, self.deadline);
        if kernel_hal::time::now() >= deadline.when
            || (self.armed && thread.timer().deadline().is_none())
        {
            return true;
        }
        if !self.armed {
            self.armed = true;
            let action = Action::Wake(cx.waker().clone());
            if deadline.early == 0 && deadline.late == 0 {
                thread.timer().arm(deadline.when, action);
            } else {
                let window = deadline.when.saturating_sub(deadline.early)
                    ..=deadline.when.saturating_add(deadline.late);
                thread.timer().arm_coalesced(window, deadline.when, action);
            }
        }
        false
    }
}

impl<F> Drop for Blocking<'_, F> {
    #[inline(always)]
    fn drop(&mut self) {
        self.go_on();
        self.thread.set_blocked(BlockedOn::Nothing);
        if self.armed {
            self.thread.timer().disarm();
        }
    }
}
