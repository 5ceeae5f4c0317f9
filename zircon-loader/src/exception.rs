//! What happens when user code does what it may not: whoever listens is asked, and when nobody handles it a crash report is
//! written and the process ends.

use alloc::boxed::Box;
use alloc::sync::Arc;
use core::future::poll_fn;
use core::task::Poll;
use kernel_hal::context::{self, UserContext};
use kernel_hal::user;
use zircon_object::object::KernelObject;
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

/// Frames that a backtrace follows at most.
const BACKTRACE_MAX: usize = 16;

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
        report(thread, &context, cause);
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

/// Writes registers, cause and backtrace to the log. Frames are followed by frame pointers as far as they can be read.
fn report(thread: &Thread, context: &UserContext, cause: Cause) {
    let process = thread.process();
    let name = process.name().map(|name| name.get()).unwrap_or_default();
    let name = core::str::from_utf8(&name)
        .unwrap_or("?")
        .trim_end_matches('\0');
    let (pid, tid) = (process.base().koid().0, thread.base().koid().0);
    log::error!(
        "<== {} in process '{name}' ({pid}), thread {tid}: killed",
        describe(cause)
    );
    match cause {
        Cause::PageFault { addr, code } => {
            log::error!("    fault address {addr:#018x}, error code {code:#x}")
        }
        Cause::Hardware { vector, code } => {
            log::error!("    vector {vector}, error code {code:#x}")
        }
        Cause::BadSyscall | Cause::Policy => {}
    }
    let r = &context.regs;
    log::error!(
        "    rax {:#018x} rbx {:#018x} rcx {:#018x} rdx {:#018x}",
        r.rax,
        r.rbx,
        r.rcx,
        r.rdx
    );
    log::error!(
        "    rsi {:#018x} rdi {:#018x} rbp {:#018x} rsp {:#018x}",
        r.rsi,
        r.rdi,
        r.rbp,
        r.rsp
    );
    log::error!(
        "    r8  {:#018x} r9  {:#018x} r10 {:#018x} r11 {:#018x}",
        r.r8,
        r.r9,
        r.r10,
        r.r11
    );
    log::error!(
        "    r12 {:#018x} r13 {:#018x} r14 {:#018x} r15 {:#018x}",
        r.r12,
        r.r13,
        r.r14,
        r.r15
    );
    log::error!(
        "    rip {:#018x} rflags {:#x} fs {:#x} gs {:#x}",
        r.rip,
        r.rflags,
        r.fs_base,
        r.gs_base
    );
    let mut frame = usize::try_from(r.rbp).unwrap_or(0);
    for depth in 1..BACKTRACE_MAX {
        let mut words = [0; 16];
        if frame == 0 || user::read_bytes(frame, &mut words).is_err() {
            break;
        }
        let (next, back) = words.split_at(8);
        let word = |bytes: &[u8]| {
            bytes
                .iter()
                .rev()
                .fold(0, |value, byte| value << 8 | usize::from(*byte))
        };
        log::error!("    #{depth} {:#018x}", word(back));
        if word(next) <= frame {
            break;
        }
        frame = word(next);
    }
}

const fn describe(cause: Cause) -> &'static str {
    match cause {
        Cause::PageFault { .. } => "page fault",
        Cause::Hardware { vector: 0, .. } => "division error",
        Cause::Hardware { vector: 1, .. } => "hardware breakpoint",
        Cause::Hardware { vector: 3, .. } => "breakpoint",
        Cause::Hardware { vector: 6, .. } => "undefined instruction",
        Cause::Hardware { vector: 13, .. } => "general protection fault",
        Cause::Hardware { vector: 17, .. } => "unaligned access",
        Cause::Hardware { .. } => "CPU exception",
        Cause::BadSyscall => "bad system call",
        Cause::Policy => "policy violation",
    }
}
