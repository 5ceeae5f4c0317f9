//! Waiting for interrupts.

use super::fpu::clear_selectors;
use super::percpu::{count, current};
use crate::time::tsc;
use core::arch::asm;
use kernel_hal::cpu::CpuCounters;
use kernel_hal::hal_impl;

hal_impl! {
    kernel_hal::cpu => fn hal_cpu_idle() {
        clear_selectors();
        let before = tsc::now();
        // SAFETY: `sti` takes effect after the next instruction, so no interrupt slips in before the halt; the handlers
        // keep to the trap protocol, and the caller holds no lock.
        unsafe { asm!("sti", "hlt", "cli") }
        let slept = tsc::now() - before;
        count(|counters| counters.idle_ns += slept);
    }
    kernel_hal::cpu => fn hal_cpu_interrupt_window() {
        // SAFETY: as above; the `nop` gives pending interrupts their place.
        unsafe { asm!("sti", "nop", "cli") }
    }
    kernel_hal::cpu => fn hal_cpu_id() -> u32 {
        0
    }
    kernel_hal::cpu => fn hal_cpu_counters(cpu: u32) -> CpuCounters {
        if cpu != 0 {
            return CpuCounters::default();
        }
        let data = current();
        CpuCounters { syscalls: data.syscalls.get(), ..data.counters.get() }
    }
}
