//! The walk of an exception through its listeners, as part of the stopped thread's future.
//!
//! The caller parks the thread's registers before and takes them back afterwards.

use super::{Exception, ExceptionChannel};
use crate::task::thread_state::BlockedOn;
use crate::task::{Job, Thread};
use alloc::sync::Arc;
use core::future::poll_fn;
use core::task::Poll;
use zx_abi::exception::{ExceptionReport, ExceptionState, ExceptionStrategy, ExceptionType};
use zx_abi::ZxResult;

/// What became of an exception.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// A listener handled it: the thread goes on.
    Handled,
    /// The thread was killed meanwhile.
    Killed,
    /// Nobody handled it: the process is to be killed.
    Unhandled,
}

/// What one listener said.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Answer {
    NobodyThere,
    TryNext,
    Handled,
    Killed,
}

/// Asks the listeners of an exception in their order until one handles it.
pub async fn ask_all(
    thread: &Arc<Thread>,
    kind: ExceptionType,
    report: ExceptionReport,
) -> Verdict {
    let Ok(exception) = Exception::new(thread.clone(), kind, report) else {
        return Verdict::Unhandled;
    };
    let process = thread.process();
    for slot in [
        process.debugger_channel(),
        thread.exception_channel(),
        process.exception_channel(),
    ] {
        if let Some(verdict) = decided(ask(thread, slot, &exception).await) {
            return verdict;
        }
    }
    if exception.strategy() == ExceptionStrategy::SecondChance {
        if let Some(verdict) = decided(ask(thread, process.debugger_channel(), &exception).await) {
            return verdict;
        }
    }
    for job in ancestry(process.job()) {
        if let Some(verdict) = decided(ask(thread, job.exception_channel(), &exception).await) {
            return verdict;
        }
    }
    Verdict::Unhandled
}

/// Tells the nearest job with a debugger, and the process's debugger, that the thread is about to run its first instruction.
pub async fn announce_start(thread: &Arc<Thread>) {
    if thread.is_initial() {
        for job in ancestry(thread.process().job()) {
            if tell(
                thread,
                job.debugger_channel(),
                ExceptionType::ProcessStarting,
            )
            .await
                != Answer::NobodyThere
            {
                break;
            }
        }
    }
    tell(
        thread,
        thread.process().debugger_channel(),
        ExceptionType::ThreadStarting,
    )
    .await;
}

/// Tells the process's debugger that the thread is about to end.
pub async fn announce_exit(thread: &Arc<Thread>) {
    tell(
        thread,
        thread.process().debugger_channel(),
        ExceptionType::ThreadExiting,
    )
    .await;
}

/// Whether anybody would hear of the thread's start or end; only then its registers have to be parked for that.
pub fn anybody_hears(thread: &Thread) -> bool {
    thread.process().debugger_channel().is_bound()
        || thread.is_initial()
            && ancestry(thread.process().job()).any(|job| job.debugger_channel().is_bound())
}

fn ancestry(job: &Arc<Job>) -> impl Iterator<Item = &Arc<Job>> {
    core::iter::successors(Some(job), |job| job.parent())
}

async fn tell(thread: &Arc<Thread>, slot: &ExceptionChannel, kind: ExceptionType) -> Answer {
    if !slot.is_bound() {
        return Answer::NobodyThere;
    }
    let report = ExceptionReport {
        size: REPORT_SIZE,
        kind: kind.raw(),
        ..ExceptionReport::default()
    };
    match Exception::new(thread.clone(), kind, report) {
        Ok(exception) => ask(thread, slot, &exception).await,
        Err(_) => Answer::NobodyThere,
    }
}

/// `size` of every report.
pub const REPORT_SIZE: u32 = 32;

/// Asks who listens at one place, a port before a channel, and waits for the answers.
async fn ask(thread: &Arc<Thread>, slot: &ExceptionChannel, exception: &Arc<Exception>) -> Answer {
    let mut answer = Answer::NobodyThere;
    if slot.has_port() {
        answer = ask_through(thread, slot, exception, ExceptionChannel::send_to_port).await;
        if matches!(answer, Answer::Handled | Answer::Killed) {
            return answer;
        }
    }
    if slot.has_channel() {
        answer = ask_through(thread, slot, exception, ExceptionChannel::send).await;
    }
    answer
}

type Send = fn(&ExceptionChannel, &Arc<Exception>) -> ZxResult;

async fn ask_through(
    thread: &Arc<Thread>,
    slot: &ExceptionChannel,
    exception: &Arc<Exception>,
    send: Send,
) -> Answer {
    // Before it is sent, so that nobody who has the message sees the thread run.
    thread.enter_exception(exception.clone(), slot.kind());
    thread.set_blocked(BlockedOn::Exception);
    let answer = if send(slot, exception).is_ok() {
        answer(thread, exception).await
    } else {
        Answer::NobodyThere
    };
    thread.set_blocked(BlockedOn::Nothing);
    thread.leave_exception();
    answer
}

async fn answer(thread: &Arc<Thread>, exception: &Arc<Exception>) -> Answer {
    thread.step_off_cpu();
    let answer = poll_fn(|_| {
        if thread.is_killed() {
            return Poll::Ready(Answer::Killed);
        }
        match exception.answer() {
            Some(ExceptionState::Handled) => Poll::Ready(Answer::Handled),
            Some(ExceptionState::TryNext) => Poll::Ready(Answer::TryNext),
            None => Poll::Pending,
        }
    });
    let answer = answer.await;
    thread.enter_cpu();
    answer
}

fn decided(answer: Answer) -> Option<Verdict> {
    match answer {
        Answer::NobodyThere | Answer::TryNext => None,
        Answer::Handled => Some(Verdict::Handled),
        Answer::Killed => Some(Verdict::Killed),
    }
}
