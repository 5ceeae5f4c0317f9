//! Exceptions: their types, reports and the messages handlers get.

use crate::wire::{numbers, options, records};

numbers! {
    /// What happened (`ZX_EXCP_*`).
    ExceptionType: u32 {
        /// Anything without a type of its own.
        General = 0x008,
        /// A page fault that cannot be resolved.
        FatalPageFault = 0x108,
        /// An instruction the CPU does not know.
        UndefinedInstruction = 0x208,
        /// A breakpoint instruction.
        SwBreakpoint = 0x308,
        /// A debug register, or a single step.
        HwBreakpoint = 0x408,
        /// An unaligned access.
        UnalignedAccess = 0x508,
        /// A thread is about to run its first instruction; for process debuggers.
        ThreadStarting = 0x8008,
        /// A thread is about to end; for process debuggers.
        ThreadExiting = 0x8108,
        /// Job policy asked for an exception, or a bad syscall was made.
        PolicyError = 0x8208,
        /// A process is about to start; for job debuggers.
        ProcessStarting = 0x8308,
    }
    /// Who handles an exception (`ZX_EXCEPTION_CHANNEL_TYPE_*`).
    ExceptionHandler: u32 {
        /// Nobody.
        None = 0,
        /// The process's debugger.
        Debugger = 1,
        /// The thread's own channel.
        Thread = 2,
        /// The process's channel.
        Process = 3,
        /// A job's channel.
        Job = 4,
        /// A job's debugger.
        JobDebugger = 5,
    }
    /// What happens when the exception is closed (`ZX_EXCEPTION_STATE_*`).
    ExceptionState: u32 {
        /// The next handler is asked.
        TryNext = 0,
        /// The thread goes on.
        Handled = 1,
    }
    /// Whether a debugger is asked again after the thread's and the process's handlers (2020).
    ExceptionStrategy: u32 {
        /// Asked first only.
        FirstChance = 0,
        /// Asked again.
        SecondChance = 1,
    }
}

impl ExceptionType {
    /// Whether the CPU raised it.
    #[must_use]
    pub const fn is_architectural(self) -> bool {
        self.raw() & 0x8000 == 0
    }
}

options! {
    /// Options of `task_create_exception_channel`.
    ExceptionChannelOptions: u32 {
        /// For debuggers: asked first, and told of starts and ends.
        DEBUGGER = 1,
    }
}

records! {
    /// `zx_exception_report_t` on x86-64.
    ExceptionReport: 32 {
        /// Bytes of the report, 32.
        size: u32,
        /// Number of the [`ExceptionType`].
        kind: u32,
        /// CPU vector.
        vector: u64,
        /// CPU error code.
        err_code: u64,
        /// Fault address, for page faults.
        cr2: u64,
    }
    /// `zx_exception_info_t`: the bytes of an exception message; its one handle is the exception.
    ExceptionInfo: 24 {
        /// Koid of the process.
        pid: u64,
        /// Koid of the thread.
        tid: u64,
        /// Number of the [`ExceptionType`].
        kind: u32,
        /// Zero.
        padding1: [u8; 4],
    }
}
