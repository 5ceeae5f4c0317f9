//! Single privileged instructions as functions.
//!
//! A function here is safe when executing it in ring 0 cannot break memory safety, whatever its argument; else it is
//! `unsafe` and says what the caller owes.

use core::arch::asm;

/// Model-specific registers that the kernel uses.
pub(crate) mod msr {
    pub(crate) const APIC_BASE: u32 = 0x1b;
    pub(crate) const PAT: u32 = 0x277;
    pub(crate) const TSC_DEADLINE: u32 = 0x6e0;
    pub(crate) const X2APIC_FIRST: u32 = 0x800;
    pub(crate) const EFER: u32 = 0xc000_0080;
    pub(crate) const STAR: u32 = 0xc000_0081;
    pub(crate) const LSTAR: u32 = 0xc000_0082;
    pub(crate) const FMASK: u32 = 0xc000_0084;
    pub(crate) const FS_BASE: u32 = 0xc000_0100;
    pub(crate) const GS_BASE: u32 = 0xc000_0101;
    pub(crate) const KERNEL_GS_BASE: u32 = 0xc000_0102;
}

/// Reads a model-specific register.
///
/// # Safety
/// 1. The CPU has the register; otherwise the kernel dies of a general protection fault.
#[inline(always)]
pub(crate) unsafe fn read_msr(register: u32) -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: reading a register that exists (caller duty 1) changes nothing in memory.
    unsafe {
        asm!("rdmsr", in("ecx") register, out("eax") low, out("edx") high, options(nomem, nostack, preserves_flags));
    }
    u64::from(high) << 32 | u64::from(low)
}

/// Writes a model-specific register.
///
/// # Safety
/// 1. The CPU has the register and takes the value.
/// 2. The new value keeps everything that running code relies on: addresses in it are mapped, entry points follow their
///    protocol.
#[inline(always)]
pub(crate) unsafe fn write_msr(register: u32, value: u64) {
    let (low, high) = (value & 0xffff_ffff, value >> 32);
    // SAFETY: the caller answers for register and value.
    unsafe {
        asm!("wrmsr", in("ecx") register, in("rax") low, in("rdx") high, options(nostack, preserves_flags));
    }
}

/// Writes a byte to an I/O port.
///
/// # Safety
/// 1. The device behind the port does nothing to memory that somebody else owns.
#[inline(always)]
pub(crate) unsafe fn out8(port: u16, value: u8) {
    // SAFETY: the caller answers for the device.
    unsafe {
        asm!("out dx, al", in("dx") port, in("al") value, options(nomem, nostack, preserves_flags))
    }
}

/// Writes a 16-bit word to an I/O port.
///
/// # Safety
/// 1. The device behind the port does nothing to memory that somebody else owns.
#[inline(always)]
pub(crate) unsafe fn out16(port: u16, value: u16) {
    // SAFETY: the caller answers for the device.
    unsafe {
        asm!("out dx, ax", in("dx") port, in("ax") value, options(nomem, nostack, preserves_flags))
    }
}

/// Writes a 32-bit word to an I/O port.
///
/// # Safety
/// 1. The device behind the port does nothing to memory that somebody else owns.
#[inline(always)]
pub(crate) unsafe fn out32(port: u16, value: u32) {
    // SAFETY: the caller answers for the device.
    unsafe {
        asm!("out dx, eax", in("dx") port, in("eax") value, options(nomem, nostack, preserves_flags))
    }
}

/// Reads a byte from an I/O port.
///
/// # Safety
/// 1. Reading has no side effect that breaks the device's driver.
#[inline(always)]
pub(crate) unsafe fn in8(port: u16) -> u8 {
    let value;
    // SAFETY: the caller answers for the device.
    unsafe {
        asm!("in al, dx", in("dx") port, out("al") value, options(nomem, nostack, preserves_flags))
    }
    value
}

/// Reads a 16-bit word from an I/O port.
///
/// # Safety
/// 1. Reading has no side effect that breaks the device's driver.
#[inline(always)]
pub(crate) unsafe fn in16(port: u16) -> u16 {
    let value;
    // SAFETY: the caller answers for the device.
    unsafe {
        asm!("in ax, dx", in("dx") port, out("ax") value, options(nomem, nostack, preserves_flags))
    }
    value
}

/// Reads a 32-bit word from an I/O port.
///
/// # Safety
/// 1. Reading has no side effect that breaks the device's driver.
#[inline(always)]
pub(crate) unsafe fn in32(port: u16) -> u32 {
    let value;
    // SAFETY: the caller answers for the device.
    unsafe {
        asm!("in eax, dx", in("dx") port, out("eax") value, options(nomem, nostack, preserves_flags))
    }
    value
}

macro_rules! control_register {
    ($read:ident, $write:ident, $name:literal) => {
        #[doc = concat!("Reads ", $name, ".")]
        #[inline(always)]
        pub(crate) fn $read() -> u64 {
            let value;
            // SAFETY: reading a control register changes nothing.
            unsafe { asm!(concat!("mov {}, ", $name), out(reg) value, options(nomem, nostack, preserves_flags)) }
            value
        }
        #[doc = concat!("Writes ", $name, ".")]
        ///
        /// # Safety
        /// 1. The CPU takes the value, and all memory that running code uses stays mapped as it is.
        #[inline(always)]
        pub(crate) unsafe fn $write(value: u64) {
            // SAFETY: the caller answers for the value.
            unsafe { asm!(concat!("mov ", $name, ", {}"), in(reg) value, options(nostack, preserves_flags)) }
        }
    };
}
control_register!(read_cr0, write_cr0, "cr0");
control_register!(read_cr3, write_cr3, "cr3");
control_register!(read_cr4, write_cr4, "cr4");
control_register!(read_dr6, write_dr6, "dr6");

macro_rules! debug_register {
    ($write:ident, $name:literal) => {
        #[doc = concat!("Writes ", $name, ".")]
        ///
        /// # Safety
        /// 1. The CPU takes the value, and the kernel does not come to a stop where it says.
        #[inline(always)]
        pub(crate) unsafe fn $write(value: u64) {
            // SAFETY: the caller answers for the value.
            unsafe { asm!(concat!("mov ", $name, ", {}"), in(reg) value, options(nostack, preserves_flags)) }
        }
    };
}
debug_register!(write_dr0, "dr0");
debug_register!(write_dr1, "dr1");
debug_register!(write_dr2, "dr2");
debug_register!(write_dr3, "dr3");
debug_register!(write_dr7, "dr7");

/// Reads CR2, the address of the last page fault.
#[inline(always)]
pub(crate) fn read_cr2() -> usize {
    let value;
    // SAFETY: reading a control register changes nothing.
    unsafe { asm!("mov {}, cr2", out(reg) value, options(nomem, nostack, preserves_flags)) }
    value
}

/// Writes an extended control register (XCR0 is number 0).
///
/// # Safety
/// 1. CR4.OSXSAVE is set and the CPU takes the value.
pub(crate) unsafe fn write_xcr0(value: u64) {
    let (low, high) = (value & 0xffff_ffff, value >> 32);
    // SAFETY: the caller answers for the value; the kernel uses no vector registers of its own.
    unsafe {
        asm!("xsetbv", in("ecx") 0, in("rax") low, in("rdx") high, options(nomem, nostack, preserves_flags))
    }
}

/// Drops this CPU's translation of one page.
#[inline(always)]
pub(crate) fn invalidate_page(addr: usize) {
    // SAFETY: dropping a cached translation only makes the CPU read the tables again.
    unsafe { asm!("invlpg [{}]", in(reg) addr, options(nostack, preserves_flags)) }
}

/// The time-stamp counter, read after earlier loads have completed.
#[inline(always)]
pub(crate) fn read_tsc() -> u64 {
    let (low, high): (u64, u64);
    // SAFETY: reading the counter changes nothing. `rdtsc` clears the upper halves of both registers.
    unsafe {
        asm!("rdtsc", out("rax") low, out("rdx") high, options(nomem, nostack, preserves_flags))
    }
    high << 32 | low
}

/// Halts for good, interrupts off.
pub(crate) fn halt_forever() -> ! {
    loop {
        // SAFETY: stopping breaks nothing.
        unsafe { asm!("cli", "hlt", options(nomem, nostack)) }
    }
}
