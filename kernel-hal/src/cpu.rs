//! The processor: idling, features, the ways to end.

use crate::hal::hal_fn;
use crate::PhysAddr;

/// What the machine does when the kernel is done with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PowerAction {
    /// ACPI S5. `End` goes to an emulator that listens (isa-debug-exit).
    Off,
    /// ACPI or keyboard-controller reset.
    Reboot,
}

/// How the run ended, for whoever started an emulator.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// User space asked for it.
    Good,
    /// The boot failed or the kernel panicked.
    Failed,
}

/// What user space learns about the processor.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CpuInfo {
    /// Number of CPUs that run threads.
    pub count: u32,
    /// ZX_SYSTEM_GET_FEATURES kind CPU.
    pub features: u32,
    /// Hardware breakpoints.
    pub hw_breakpoints: u32,
    /// Hardware watchpoints.
    pub hw_watchpoints: u32,
    /// Bits of a linear address, as CPUID says: 48 or 57.
    pub linear_address_bits: u32,
    /// Bytes in a data cache line.
    pub dcache_line: u32,
    /// Bytes in an instruction cache line.
    pub icache_line: u32,
}

/// Counters of one CPU since boot.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CpuCounters {
    /// Nanoseconds spent in [`idle`].
    pub idle_ns: i64,
    /// External interrupts served.
    pub interrupts: u64,
    /// Timer interrupts served.
    pub timer_interrupts: u64,
    /// Syscalls entered.
    pub syscalls: u64,
    /// Page faults taken in user mode.
    pub page_faults: u64,
}

hal_fn! {
    /// Sleeps until the next interrupt and serves it. No wake is lost between the caller's last look and the sleep:
    /// interrupts are enabled by the very instruction before the halt.
    pub fn idle as hal_cpu_idle();
    /// Serves interrupts that are pending, without sleeping. For long kernel work between its steps.
    pub fn interrupt_window as hal_cpu_interrupt_window();
    /// Which CPU this is, from 0.
    pub fn id as hal_cpu_id() -> u32;
    /// What user space learns about the processor.
    pub fn info as hal_cpu_info() -> CpuInfo;
    /// Counters of the given CPU.
    pub fn counters as hal_cpu_counters(cpu: u32) -> CpuCounters;
    /// Ends the run; console output has been drained. Does not return, also when the machine refuses (it halts).
    pub fn power as hal_cpu_power(action: PowerAction, end: End) -> !;
    /// Physical addresses of the ACPI RSDP and the SMBIOS entry point; zero where there is none.
    pub fn firmware_tables as hal_firmware_tables() -> (PhysAddr, PhysAddr);
}
