//! The way into user code and back.
//!
//! The kernel *calls* user code: `hal_context_run` calls `context_enter` (`syscall.S`), which remembers the kernel's stack
//! pointer in the per-CPU data, loads the user's registers and leaves ring 0. A trap from user mode stores the registers
//! straight into the same [`UserContext`](kernel_hal::context::UserContext), takes the remembered stack pointer, and *returns*
//! from `context_enter`. No frame is built and copied on the way. A syscall first calls the server, on the same stack, and
//! goes back to user mode if nobody has asked for more (ADR 5).
//!
//! * `syscall.S`: entry and exit; of a syscall that is served 21 instructions in and 14 out.
//! * `trap.S`: exceptions and interrupts. From user mode they end like a syscall. From kernel mode they call
//!   [`entry::kernel_trap`]: an interrupt (only in `hal_cpu_idle` and the interrupt window), a page fault of the user-copy
//!   routine, or a bug. NMI, machine check, double fault and debug exceptions have stacks of their own and do not trust GS.
//!
//! **Where GS points.** In the kernel: at this CPU's data, from the second instruction of an entry to the last but one of
//! an exit. Only the four vectors on own stacks can strike outside that range.

mod entry;
pub(crate) mod stubs;
