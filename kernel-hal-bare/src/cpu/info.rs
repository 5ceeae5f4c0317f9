//! What user space learns about the processor.

use super::cpuid::{cache_line_bytes, linear_address_bits};
use kernel_hal::cpu::CpuInfo;
use kernel_hal::hal_impl;

/// ZX_HAS_CPU_FEATURES.
const HAS_CPU_FEATURES: u32 = 1;
/// DR0 to DR3 serve as either.
const DEBUG_ADDRESS_REGISTERS: u32 = 4;

hal_impl! {
    kernel_hal::cpu => fn hal_cpu_info() -> CpuInfo {
        let line = cache_line_bytes();
        CpuInfo {
            count: 1,
            features: HAS_CPU_FEATURES,
            hw_breakpoints: DEBUG_ADDRESS_REGISTERS,
            hw_watchpoints: DEBUG_ADDRESS_REGISTERS,
            linear_address_bits: linear_address_bits(),
            dcache_line: line,
            icache_line: line,
        }
    }
}
