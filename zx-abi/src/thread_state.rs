//! Register sets for `thread_read_state` and `thread_write_state` on x86-64.

use crate::wire::{numbers, records};

numbers! {
    /// Which registers (`ZX_THREAD_STATE_*`).
    ThreadStateKind: u32 {
        /// [`GeneralRegs`].
        GeneralRegs = 0,
        /// [`FpRegs`].
        FpRegs = 1,
        /// [`VectorRegs`].
        VectorRegs = 2,
        /// [`DebugRegs`].
        DebugRegs = 4,
        /// A u32, 0 or 1.
        SingleStep = 5,
        /// A u64.
        X86RegisterFs = 6,
        /// A u64.
        X86RegisterGs = 7,
    }
}

records! {
    /// `zx_thread_state_general_regs_t`; in 2018 without the last two.
    GeneralRegs: 160 {
        /// rax
        rax: u64,
        /// rbx
        rbx: u64,
        /// rcx
        rcx: u64,
        /// rdx
        rdx: u64,
        /// rsi
        rsi: u64,
        /// rdi
        rdi: u64,
        /// rbp
        rbp: u64,
        /// rsp
        rsp: u64,
        /// r8
        r8: u64,
        /// r9
        r9: u64,
        /// r10
        r10: u64,
        /// r11
        r11: u64,
        /// r12
        r12: u64,
        /// r13
        r13: u64,
        /// r14
        r14: u64,
        /// r15
        r15: u64,
        /// rip
        rip: u64,
        /// rflags
        rflags: u64,
        /// fs.base
        fs_base: u64,
        /// gs.base
        gs_base: u64,
    }
    /// `zx_thread_state_fp_regs_t`.
    FpRegs: 160 {
        /// Control word.
        fcw: u16,
        /// Status word.
        fsw: u16,
        /// Abridged tag word.
        ftw: u8,
        /// Zero.
        reserved: u8,
        /// Last opcode.
        fop: u16,
        /// Last instruction.
        fip: u64,
        /// Last operand.
        fdp: u64,
        /// Zero.
        padding1: [u8; 8],
        /// x87 registers, low and high half.
        st: [[u64; 2]; 8],
    }
    /// `zx_thread_state_vector_regs_t`.
    VectorRegs: 2120 {
        /// zmm registers; what the CPU lacks is zero.
        zmm: [[u64; 8]; 32],
        /// AVX-512 mask registers.
        opmask: [u64; 8],
        /// SSE control and status.
        mxcsr: u32,
        /// Zero.
        padding1: [u8; 4],
    }
    /// `zx_thread_state_debug_regs_t`.
    DebugRegs: 64 {
        /// Breakpoint addresses.
        dr: [u64; 4],
        /// Status.
        dr6: u64,
        /// Control.
        dr7: u64,
        /// Status again.
        dr6_status: u64,
        /// Control again.
        dr7_control: u64,
    }
}
