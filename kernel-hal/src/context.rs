//! User registers, and the call that runs user code until it traps.

use crate::addr::VirtAddr;
use crate::hal::hal_fn;
pub use crate::server::{Server, Syscalls};
use crate::sync::Mutex;
use crate::xsave::Layout;
use alloc::boxed::Box;
use alloc::vec::Vec;
pub use zx_abi::thread_state::GeneralRegs;

/// All registers of one user thread. General registers are plain memory while the kernel runs; FPU, SSE and AVX state and the
/// FS and GS bases stay in the CPU until another user thread takes it, see [`flush`].
#[repr(C)]
#[derive(Debug)]
pub struct UserContext {
    /// General registers, saved at each trap and loaded at each return. `fs_base` and `gs_base` are only true after
    /// [`flush`].
    pub regs: GeneralRegs,
    /// How the thread last entered the kernel: decides between a fast and a full return.
    pub entered_by: EnteredBy,
    /// What the server said to the syscall with which [`run`] ended. The registers still hold the call.
    pub answer: u64,
    /// FPU and vector state.
    pub vector: VectorState,
    /// Breakpoints.
    pub debug: DebugState,
}

/// Debug registers of a thread. Loaded when it runs after a change that [`invalidate`] was told of.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DebugState {
    /// Breakpoint addresses, DR0 to DR3: of user space.
    pub addresses: [u64; 4],
    /// What happened last, DR6.
    pub status: u64,
    /// Which breakpoints count, and how, DR7.
    pub control: u64,
}

impl DebugState {
    /// Bits of [`DebugState::control`] that a program may set: enabling, kind and length of each breakpoint.
    pub const CONTROL_USER: u64 = 0xffff_00ff;

    /// Whether any breakpoint is enabled.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        self.control & 0xff != 0
    }
}

/// How user code entered the kernel.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u64)]
pub enum EnteredBy {
    /// Not yet, or its registers were changed from outside: return must load everything (`iretq`).
    Nothing = 0,
    /// By `syscall`; rcx and r11 are free, `sysretq` may be used.
    Syscall = 1,
    /// By an exception or interrupt.
    Trap = 2,
}

/// FPU and vector registers in memory: an XSAVE area (standard format) whose size the backend takes from the CPU.
#[derive(Debug)]
pub struct VectorState {
    area: Box<[CacheLine]>,
}

/// 64 bytes at a 64-byte boundary, as XSAVE wants its area.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub struct CacheLine(pub [u8; 64]);

/// The area of a thread that has ended, for the next one.
static SPARE: Mutex<Option<Box<[CacheLine]>>> = Mutex::new(None);

impl VectorState {
    /// An area of `len_bytes` (rounded up to 64) that another thread has had, with what that left there, if one is kept. The
    /// backend sees to it that none of that can be read.
    #[must_use]
    pub fn used(len_bytes: usize) -> Option<Self> {
        let mut spare = SPARE.lock();
        let fits = spare
            .as_ref()
            .is_some_and(|area| area.len() == len_bytes.div_ceil(64));
        if fits {
            spare.take().map(|area| Self { area })
        } else {
            None
        }
    }

    /// An area of `len_bytes` (rounded up to 64) of zeros; the backend fills in the reset state. `None` without memory.
    #[must_use]
    pub fn with_len(len_bytes: usize) -> Option<Self> {
        let lines = len_bytes.div_ceil(64);
        let mut area = Vec::new();
        area.try_reserve_exact(lines).ok()?;
        area.resize(lines, CacheLine([0; 64]));
        Some(Self {
            area: area.into_boxed_slice(),
        })
    }
    /// The area, true only after [`flush`].
    #[must_use]
    pub fn lines(&self) -> &[CacheLine] {
        &self.area
    }
    /// The area for changing; call [`flush`] before and [`invalidate`] after.
    pub fn lines_mut(&mut self) -> &mut [CacheLine] {
        &mut self.area
    }
}

impl Drop for VectorState {
    fn drop(&mut self) {
        if !self.area.is_empty() {
            vector_forget(self);
            let area = core::mem::take(&mut self.area);
            let mut spare = SPARE.lock();
            if spare.is_none() {
                *spare = Some(area);
            }
        }
    }
}

/// Why user code stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trap {
    /// It executed `syscall`, the server has answered, and [`leave`] was called: [`UserContext::answer`] has what the server
    /// said, and the registers are those of the call: number in rax, arguments in rdi, rsi, rdx, r10, r8, r9, r12, r13.
    Syscall,
    /// An interrupt arrived and has been acknowledged; timers may have expired, see [`crate::time::take_expiry`].
    Interrupt,
    /// An access to `addr` failed.
    PageFault {
        /// Faulting address (CR2).
        addr: VirtAddr,
        /// The CPU's error code, for the exception report.
        code: u64,
    },
    /// Any other exception.
    Exception {
        /// Vector number, as in the exception report.
        vector: u64,
        /// The CPU's error code, or 0.
        code: u64,
    },
}

hal_fn! {
    /// Runs user code with these registers in the active address space until it traps. On return the general registers
    /// hold its state. Called with interrupts off, returns with interrupts off; interrupts that arrived were served.
    ///
    /// A syscall goes to `server`, and its answer to the program, without a return from here, unless somebody has called
    /// [`leave`] since the beginning.
    pub fn run as hal_context_run(context: &mut UserContext, server: Server<'_>) -> Trap;
    /// Makes the [`run`] in progress on this CPU return after the syscall that is being served. Any context; no effect while
    /// none is in progress.
    pub fn leave as hal_context_leave();
    /// A vector area in reset state (fcw 0x37f, mxcsr 0x1f80); `None` without memory.
    pub fn vector_new as hal_vector_new() -> Option<VectorState>;
    /// Where the parts of a vector area are.
    pub fn vector_layout as hal_vector_layout() -> Layout;
    /// Writes live vector registers and FS/GS bases of this context, if this CPU still holds them, to memory; the CPU
    /// keeps them.
    pub fn flush as hal_context_flush(context: &mut UserContext);
    /// The memory was changed (registers, vector state, breakpoints, FS/GS bases): the next [`run`] loads everything from it. Call
    /// [`flush`] first when only part is changed.
    pub fn invalidate as hal_context_invalidate(context: &mut UserContext);
    /// Sets the FS base of the thread whose registers this CPU holds: the one that is making a syscall. A user address.
    pub fn set_fs_base as hal_context_set_fs_base(base: VirtAddr);
    /// Sets the GS base of that thread.
    pub fn set_gs_base as hal_context_set_gs_base(base: VirtAddr);
    /// This area goes away: no CPU may write to it any more.
    pub fn vector_forget as hal_vector_forget(state: &VectorState);
}

impl UserContext {
    /// The registers with which a new thread starts: all zero but these. `None` without memory.
    #[must_use]
    pub fn new(entry: VirtAddr, stack: VirtAddr, arg1: usize, arg2: usize) -> Option<Self> {
        vector_new().map(|vector| Self::with_vector(entry, stack, [arg1, arg2], vector))
    }

    /// As [`UserContext::new`], with a vector area that [`vector_new`] made.
    #[must_use]
    #[inline(always)]
    pub fn with_vector(
        entry: VirtAddr,
        stack: VirtAddr,
        [arg1, arg2]: [usize; 2],
        vector: VectorState,
    ) -> Self {
        let regs = GeneralRegs {
            rip: entry as u64,
            rsp: stack as u64,
            rdi: arg1 as u64,
            rsi: arg2 as u64,
            // Interrupts on. The CPU adds the bit that is always one.
            rflags: 0x200,
            ..GeneralRegs::default()
        };
        Self {
            regs,
            entered_by: EnteredBy::Nothing,
            answer: 0,
            vector,
            debug: DebugState::default(),
        }
    }
}
