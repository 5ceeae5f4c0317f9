//! Runs user code, and serves traps of the kernel itself.

use super::stubs::context_enter;
use crate::cpu::percpu::{count, current};
use crate::cpu::registers::read_cr2;
use crate::cpu::{debug, fpu};
use crate::irq::vectors;
use crate::mm::fault_table;
use kernel_hal::context::{Server, Trap, UserContext};
use kernel_hal::hal_impl;

mod vector {
    pub(super) const DEBUG: u64 = 1;
    pub(super) const NMI: u64 = 2;
    pub(super) const DOUBLE_FAULT: u64 = 8;
    pub(super) const GENERAL_PROTECTION: u64 = 13;
    pub(super) const PAGE_FAULT: u64 = 14;
    pub(super) const MACHINE_CHECK: u64 = 18;
    pub(super) const FIRST_INTERRUPT: u64 = 32;
}

/// What `context_enter` returns.
mod outcome {
    pub(super) const SYSCALL: u64 = 0;
    pub(super) const TRAP: u64 = 1;
}

hal_impl! {
    kernel_hal::context => fn hal_context_run(context: &mut UserContext, server: Server<'_>) -> Trap {
        let cpu = current();
        if !core::ptr::eq(cpu.vector_owner.get(), context.vector.lines().as_ptr()) {
            fpu::take_over(context);
        }
        let (serve, state) = server.parts();
        cpu.server.set(Some(serve));
        cpu.server_state.set(state);
        cpu.leave.set(0);
        // SAFETY: the context is exclusively borrowed, and the server borrowed, until the call returns; GS points at this
        // CPU's data; user code can reach only what the active page table gives it.
        let outcome = unsafe { context_enter((&raw mut *context).cast()) };
        if outcome == outcome::SYSCALL {
            return Trap::Syscall;
        }
        other_trap(outcome, context)
    }

    kernel_hal::context => fn hal_context_leave() {
        current().leave.set(1);
    }
}

#[inline(never)]
fn other_trap(outcome: u64, context: &mut UserContext) -> Trap {
    if outcome != outcome::TRAP {
        // The rip is not canonical: the CPU would fault in ring 0, so the exception is reported without trying.
        return Trap::Exception {
            vector: vector::GENERAL_PROTECTION,
            code: 0,
        };
    }
    let cpu = current();
    let code = cpu.trap_error.get();
    match cpu.trap_vector.get() {
        vector::PAGE_FAULT => {
            let addr = read_cr2();
            count(|counters| counters.page_faults += 1);
            Trap::PageFault { addr, code }
        }
        vector::NMI => Trap::Interrupt,
        number @ (vector::DOUBLE_FAULT | vector::MACHINE_CHECK) => {
            panic!(
                "machine failure in user mode: vector {number}, error {code:#x}, rip {:#x}",
                context.regs.rip
            )
        }
        number if number >= vector::FIRST_INTERRUPT => {
            vectors::dispatch(number);
            Trap::Interrupt
        }
        vector => {
            if vector == vector::DEBUG {
                debug::took_exception(context);
            }
            Trap::Exception { vector, code }
        }
    }
}

/// What `trap.S` pushes for a trap in kernel mode, in the order of addresses.
#[repr(C)]
#[derive(Debug)]
pub(super) struct KernelFrame {
    r15: u64,
    r14: u64,
    r13: u64,
    r12: u64,
    r11: u64,
    r10: u64,
    r9: u64,
    r8: u64,
    rbp: u64,
    rdi: u64,
    rsi: u64,
    rdx: u64,
    rcx: u64,
    rbx: u64,
    rax: u64,
    vector: u64,
    error: u64,
    rip: u64,
    cs: u64,
    rflags: u64,
    rsp: u64,
    ss: u64,
}

/// Serves a trap in kernel mode; returning continues where `frame` says.
pub(super) extern "C" fn kernel_trap(frame: &mut KernelFrame) {
    match frame.vector {
        number if number >= vector::FIRST_INTERRUPT => vectors::dispatch(number),
        // Nobody sends one on purpose; a watchdog's may be ignored.
        vector::NMI => {}
        // Single-stepped user code that entered by `syscall` right behind a load of SS, or the kernel touched for the user
        // what the user watches.
        vector::DEBUG => debug::clear_status(),
        vector::PAGE_FAULT => {
            let addr = read_cr2();
            match fault_table::fixup(frame.rip) {
                Some(resume) => {
                    frame.rip = resume;
                    frame.rax = addr as u64;
                }
                None => panic!("page fault in the kernel at address {addr:#x}\n{frame:#x?}"),
            }
        }
        number => panic!(
            "exception {number} in the kernel, CR2 {:#x}\n{frame:#x?}",
            read_cr2()
        ),
    }
}
