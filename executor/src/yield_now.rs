//! Giving way to the other tasks of the same priority
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

/// Goes to the tail of the run queue once.
pub fn yield_now() -> YieldNow {
    YieldNow { turn: Turn::Give }
}

/// The future of [`yield_now`].
#[derive(Debug)]
#[must_use = "a future does nothing unless it is awaited"]
pub struct YieldNow {
    turn: Turn,
}

#[derive(Debug)]
enum Turn {
    Give,
    Given,
}

impl Future for YieldNow {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        match self.turn {
            Turn::Give => {
                self.turn = Turn::Given;
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Turn::Given => Poll::Ready(()),
        }
    }
}
