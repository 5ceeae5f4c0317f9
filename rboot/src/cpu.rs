//! What the CPU can do, and its clock.
use core::arch::asm;
use core::arch::x86_64::{__cpuid, _rdtsc};

use rboot::paging::LargestPage;

use crate::failure::Failure;

const BASIC_FEATURES: u32 = 1;
const EXTENDED_LEAVES: u32 = 0x8000_0000;
const EXTENDED_FEATURES: u32 = 0x8000_0001;
const EDX_PGE: u32 = 1 << 13;
const EDX_NX: u32 = 1 << 20;
const EDX_GIB_PAGES: u32 = 1 << 26;
const CR4_FIVE_LEVELS: u64 = 1 << 12;

/// The time-stamp counter.
pub(crate) fn time_stamp() -> u64 {
    // SAFETY: every x86-64 CPU has the counter, and the firmware (ring 0) may read it.
    unsafe { _rdtsc() }
}

/// Checks that the kernel's page tables will work, and says how large their pages can be.
///
/// # Errors
/// `Cpu`: no NX, no global pages, or the firmware uses five levels of page tables.
pub(crate) fn check() -> Result<LargestPage, Failure> {
    let extended = if __cpuid(EXTENDED_LEAVES).eax >= EXTENDED_FEATURES {
        __cpuid(EXTENDED_FEATURES).edx
    } else {
        0
    };
    if extended & EDX_NX == 0 {
        return Err(Failure::Cpu("has no NX bit"));
    }
    if __cpuid(BASIC_FEATURES).edx & EDX_PGE == 0 {
        return Err(Failure::Cpu("has no global pages"));
    }
    if control_register_4() & CR4_FIVE_LEVELS != 0 {
        return Err(Failure::Cpu(
            "was left with five-level page tables by the firmware",
        ));
    }
    Ok(if extended & EDX_GIB_PAGES != 0 {
        LargestPage::Gib1
    } else {
        LargestPage::Mib2
    })
}

fn control_register_4() -> u64 {
    let value;
    // SAFETY: reading CR4 in ring 0 has no effect.
    unsafe { asm!("mov {}, cr4", out(reg) value, options(nomem, nostack, preserves_flags)) }
    value
}
