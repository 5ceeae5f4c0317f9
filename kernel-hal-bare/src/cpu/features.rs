//! Turns the processor's features on, once per CPU.

use super::cpuid::Features;
use super::registers::{
    msr, read_cr0, read_cr4, read_msr, write_cr0, write_cr4, write_msr, write_xcr0,
};
use kernel_hal::sync::Mutex;

const CR0_MONITOR_FPU: u64 = 1 << 1;
const CR0_EMULATE_FPU: u64 = 1 << 2;
const CR0_TASK_SWITCHED: u64 = 1 << 3;
const CR0_NUMERIC_ERROR: u64 = 1 << 5;
const CR0_WRITE_PROTECT: u64 = 1 << 16;

/// Every 64-bit CPU has it; without it a machine check resets the machine instead of being reported.
const CR4_MACHINE_CHECK: u64 = 1 << 6;
const CR4_GLOBAL_PAGES: u64 = 1 << 7;
const CR4_FXSR: u64 = 1 << 9;
const CR4_SIMD_EXCEPTIONS: u64 = 1 << 10;
const CR4_UMIP: u64 = 1 << 11;
const CR4_FSGSBASE: u64 = 1 << 16;
const CR4_XSAVE: u64 = 1 << 18;
const CR4_SMEP: u64 = 1 << 20;
const CR4_SMAP: u64 = 1 << 21;

const EFER_SYSCALL: u64 = 1 << 0;
const EFER_NO_EXECUTE: u64 = 1 << 11;

const XCR0_X87_SSE: u64 = 0b11;
const XCR0_AVX: u64 = 1 << 2;
const XCR0_AVX512: u64 = 0b111 << 5;

/// Page attribute table: write-back, write-combining, uncached-minus, uncached; and the same again. The page tables pick
/// an entry by their PWT (1) and PCD (2) bits.
const PAT: u64 = 0x0007_0106_0007_0106;

static DETECTED: Mutex<Option<Features>> = Mutex::new(None);

/// What the CPU has, asked once.
pub(crate) fn features() -> Features {
    *DETECTED.lock().get_or_insert_with(Features::detect)
}

/// Turns on protection and everything that user code may use.
pub(crate) fn enable() {
    let has = features();
    let cr0 = read_cr0() & !(CR0_EMULATE_FPU | CR0_TASK_SWITCHED)
        | CR0_MONITOR_FPU
        | CR0_NUMERIC_ERROR
        | CR0_WRITE_PROTECT;
    // SAFETY: paging stays on; with write protection the kernel honours its own read-only mappings, which it never
    // writes through.
    unsafe { write_cr0(cr0) };
    let mut cr4 = read_cr4() | CR4_FXSR | CR4_SIMD_EXCEPTIONS | CR4_MACHINE_CHECK;
    for (present, bit) in [
        (has.pge, CR4_GLOBAL_PAGES),
        (has.umip, CR4_UMIP),
        (has.fsgsbase, CR4_FSGSBASE),
        (has.xsave, CR4_XSAVE),
        (has.smep, CR4_SMEP),
        (has.smap, CR4_SMAP),
    ] {
        if present {
            cr4 |= bit;
        }
    }
    // SAFETY: only bits that CPUID offers are set; the kernel executes no user page and touches user memory only in
    // `mm/user_copy.S`, between STAC and CLAC.
    unsafe { write_cr4(cr4) };
    if has.xsave {
        let avx = if has.avx { XCR0_AVX } else { 0 };
        let avx512 = if has.avx && has.avx512 {
            XCR0_AVX512
        } else {
            0
        };
        // SAFETY: CR4.OSXSAVE is set just above, and CPUID offers the components.
        unsafe { write_xcr0(XCR0_X87_SSE | avx | avx512) };
    }
    // SAFETY: every 64-bit CPU has EFER.
    let efer = unsafe { read_msr(msr::EFER) };
    // SAFETY: adds SYSCALL (its entry point is set before user code runs) and NX, which rboot's tables already use.
    unsafe { write_msr(msr::EFER, efer | EFER_SYSCALL | EFER_NO_EXECUTE) };
    // SAFETY: every 64-bit CPU has the PAT; entry 0 stays write-back, which is all that mappings use so far.
    unsafe { write_msr(msr::PAT, PAT) };
}
