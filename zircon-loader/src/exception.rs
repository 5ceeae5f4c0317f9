//! What happens when user code does what it may not: whoever listens is asked, and when nobody handles it a crash report is
//! written and the process ends.

use crate::crash_report;
use alloc::boxed::Box;
use alloc::sync::Arc;
use core::future::poll_fn;
use core::task::Poll;
use kernel_hal::context::{self, UserContext};
use zircon_object::task::exception::{raise, Verdict};
use zircon_object::task::{retcode, Thread};
use zx_abi::exception::{ExceptionReport, ExceptionType};

/// What a thread did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Cause {
    /// An access that the address space could not satisfy.
    PageFault {
        /// Where.
        addr: usize,
        /// The CPU's error code.
        code: u64,
    },
    /// Another exception of the CPU.
    Hardware {
        /// Vector number.
        vector: u64,
        /// The CPU's error code, or 0.
        code: u64,
    },
    /// A syscall that does not exist, or from outside the vDSO.
    BadSyscall,
    /// Job policy asked for it.
    Policy,
}

/// Raises an exception in the calling thread. When it returns the thread goes on, or finds that it was killed.
#[inline(never)]
pub(crate) async fn raise(
    thread: &Arc<Thread>,
    mut context: Box<UserContext>,
    cause: Cause,
) -> Box<UserContext> {
    context::flush(&mut context);
    thread.park(context);
    let verdict = raise::ask_all(thread, kind_of(cause), report_of(cause)).await;
    let context = taken_back(thread).await;
    if verdict == Verdict::Unhandled {
        crash_report::write(thread, &context, cause);
        thread.process().exit(retcode::EXCEPTION_KILL);
    }
    context
}

/// Before the first instruction: tells debuggers, to whom the thread looks as if it stood there.
pub(crate) async fn announce_start(
    thread: &Arc<Thread>,
    mut context: Box<UserContext>,
) -> Box<UserContext> {
    if !raise::anybody_hears(thread) {
        return context;
    }
    context::flush(&mut context);
    thread.park(context);
    raise::announce_start(thread).await;
    taken_back(thread).await
}

/// The registers, whatever became of them.
async fn taken_back(thread: &Thread) -> Box<UserContext> {
    // Nobody but the thread's own future takes them, so they are there at the first poll.
    let mut context = poll_fn(|_| thread.unpark().map_or(Poll::Pending, Poll::Ready)).await;
    context::invalidate(&mut context);
    context
}

const fn kind_of(cause: Cause) -> ExceptionType {
    match cause {
        Cause::PageFault { .. } => ExceptionType::FatalPageFault,
        Cause::Hardware { vector: 1, .. } => ExceptionType::HwBreakpoint,
        Cause::Hardware { vector: 3, .. } => ExceptionType::SwBreakpoint,
        Cause::Hardware { vector: 6, .. } => ExceptionType::UndefinedInstruction,
        Cause::Hardware { vector: 17, .. } => ExceptionType::UnalignedAccess,
        Cause::Hardware { .. } => ExceptionType::General,
        Cause::BadSyscall | Cause::Policy => ExceptionType::PolicyError,
    }
}

fn report_of(cause: Cause) -> ExceptionReport {
    const PAGE_FAULT: u64 = 14;
    let (vector, err_code, cr2) = match cause {
        Cause::PageFault { addr, code } => (PAGE_FAULT, code, addr as u64),
        Cause::Hardware { vector, code } => (vector, code, 0),
        Cause::BadSyscall | Cause::Policy => (0, 0, 0),
    };
    ExceptionReport {
        size: raise::REPORT_SIZE,
        kind: kind_of(cause).raw(),
        vector,
        err_code,
        cr2,
    }
}
