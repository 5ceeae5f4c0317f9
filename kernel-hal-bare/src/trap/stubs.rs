//! Binds the assembly to the layouts of Rust, and points the CPU at it.

use super::entry::kernel_trap;
use crate::cpu::gdt::{KERNEL_CODE, SYSRET_BASE, USER_CODE, USER_DATA};
use crate::cpu::percpu::{PerCpu, CPU0};
use crate::cpu::registers::{msr, write_msr};
use core::arch::global_asm;
use core::ffi::c_void;
use core::mem::offset_of;
use kernel_hal::context::{EnteredBy, GeneralRegs, UserContext};

/// RFLAGS bits that user code may have: the status flags, TF, IF, DF, NT, RF, AC and ID.
const USER_FLAGS: u32 = 0x0025_4fd5;
/// RFLAGS bits that `syscall` clears: TF, IF, DF, IOPL, NT, RF, AC.
const SYSCALL_CLEARS: u64 = 0x0005_7700;

// The assembly knows these by number.
const _: () = assert!(EnteredBy::Syscall as u64 == 1 && EnteredBy::Trap as u64 == 2);
const _: () = assert!(offset_of!(UserContext, regs) == 0);

global_asm!(
    include_str!("syscall.S"),
    KERNEL_RSP = const offset_of!(PerCpu, kernel_rsp),
    CONTEXT = const offset_of!(PerCpu, context),
    SCRATCH = const offset_of!(PerCpu, scratch),
    SYSCALLS = const offset_of!(PerCpu, syscalls),
    TRAP_VECTOR = const offset_of!(PerCpu, trap_vector),
    TRAP_ERROR = const offset_of!(PerCpu, trap_error),
    SERVER = const offset_of!(PerCpu, server),
    SERVER_STATE = const offset_of!(PerCpu, server_state),
    LEAVE = const offset_of!(PerCpu, leave),
    ENTERED_BY = const offset_of!(UserContext, entered_by),
    ANSWER = const offset_of!(UserContext, answer),
    USER_FLAGS = const USER_FLAGS,
    USER_CODE = const USER_CODE,
    USER_DATA = const USER_DATA,
    RAX = const offset_of!(GeneralRegs, rax),
    RBX = const offset_of!(GeneralRegs, rbx),
    RCX = const offset_of!(GeneralRegs, rcx),
    RDX = const offset_of!(GeneralRegs, rdx),
    RSI = const offset_of!(GeneralRegs, rsi),
    RDI = const offset_of!(GeneralRegs, rdi),
    RBP = const offset_of!(GeneralRegs, rbp),
    RSP = const offset_of!(GeneralRegs, rsp),
    R8 = const offset_of!(GeneralRegs, r8),
    R9 = const offset_of!(GeneralRegs, r9),
    R10 = const offset_of!(GeneralRegs, r10),
    R11 = const offset_of!(GeneralRegs, r11),
    R12 = const offset_of!(GeneralRegs, r12),
    R13 = const offset_of!(GeneralRegs, r13),
    R14 = const offset_of!(GeneralRegs, r14),
    R15 = const offset_of!(GeneralRegs, r15),
    RIP = const offset_of!(GeneralRegs, rip),
    RFLAGS = const offset_of!(GeneralRegs, rflags),
);

global_asm!(
    include_str!("trap.S"),
    KERNEL_TRAP = sym kernel_trap,
    PERCPU = sym CPU0,
);

unsafe extern "C" {
    /// Runs user code, see `syscall.S`; says why it ended. The address is that of a [`UserContext`].
    ///
    /// # Safety
    /// 1. Interrupts are off, GS points at this CPU's data, and the vector registers are the context's.
    /// 2. The context and the server in the per-CPU data stay valid and are nobody else's until it returns.
    pub(super) fn context_enter(context: *mut c_void) -> u64;
    fn syscall_entry();
}

/// Sets up the `syscall` instruction.
pub(crate) fn enable_syscall() {
    let selectors = u64::from(KERNEL_CODE) << 32 | u64::from(SYSRET_BASE) << 48;
    // SAFETY: the register exists; the selectors are in the order that the two instructions want.
    unsafe { write_msr(msr::STAR, selectors) };
    // SAFETY: the entry keeps to the protocol of `syscall`: it switches GS and stack before it touches memory.
    unsafe { write_msr(msr::LSTAR, syscall_entry as *const () as u64) };
    // SAFETY: interrupts stay off in the kernel, as everything there relies on.
    unsafe { write_msr(msr::FMASK, SYSCALL_CLEARS) };
}
