//! One processor that cannot sleep and whose switch is a panic

use core::cell::Cell;
use kernel_hal::cpu::{CpuCounters, CpuInfo, End, PowerAction};
use kernel_hal::ports::{PortSet, NOBODY};
use kernel_hal::{hal_impl, PhysAddr};

/// What [`kernel_hal::cpu::info`] says here.
pub const INFO: CpuInfo = CpuInfo {
    count: 1,
    features: 1,
    hw_breakpoints: 4,
    hw_watchpoints: 4,
    linear_address_bits: 48,
    dcache_line: 64,
    icache_line: 64,
};

std::thread_local! {
    static WINDOWS: Cell<usize> = const { Cell::new(0) };
}

/// How often the calling thread has let interrupts in: work that takes long should.
#[must_use]
pub fn interrupt_windows() -> usize {
    WINDOWS.get()
}

hal_impl! {
    kernel_hal::cpu => fn hal_cpu_idle() {
        panic!("the kernel idles: everything waits, and in a host test no interrupt comes; move the clock or wake somebody")
    }
    kernel_hal::cpu => fn hal_cpu_interrupt_window() {
        WINDOWS.set(WINDOWS.get() + 1);
    }
    kernel_hal::cpu => fn hal_cpu_id() -> u32 {
        0
    }
    kernel_hal::cpu => fn hal_cpu_info() -> CpuInfo {
        INFO
    }
    kernel_hal::cpu => fn hal_cpu_counters(_cpu: u32) -> CpuCounters {
        CpuCounters::default()
    }
    kernel_hal::cpu => fn hal_cpu_power(action: PowerAction, end: End) -> ! {
        panic!("the machine ends: {action:?}, {end:?}")
    }
    kernel_hal::cpu => fn hal_firmware_tables() -> (PhysAddr, PhysAddr) {
        (PhysAddr(0), PhysAddr(0))
    }
    // There are no ports, and user code does not run.
    kernel_hal::ports => fn hal_ports_owner() -> u64 {
        NOBODY
    }
    kernel_hal::ports => fn hal_ports_load(_owner: u64, _ports: Option<&PortSet>) {}
}
