//! Records about CPUs and kernel memory.

use crate::wire::records;

/// `flags` of a CPU that is online.
pub const CPU_ONLINE: u32 = 1;

records! {
    /// `zx_info_cpu_stats_t`.
    CpuStatsInfo: 120 {
        /// CPU.
        cpu_number: u32,
        /// [`CPU_ONLINE`] or 0.
        flags: u32,
        /// Nanoseconds idle.
        idle_time: i64,
        /// Calls of the scheduler.
        reschedules: u64,
        /// Switches to another thread.
        context_switches: u64,
        /// Preemptions from interrupts.
        irq_preempts: u64,
        /// Preemptions.
        preempts: u64,
        /// Yields.
        yields: u64,
        /// Device interrupts.
        ints: u64,
        /// Timer interrupts.
        timer_ints: u64,
        /// Timer callbacks.
        timers: u64,
        /// Page faults (0 in Zircon).
        page_faults: u64,
        /// Other exceptions (0 in Zircon).
        exceptions: u64,
        /// Syscalls.
        syscalls: u64,
        /// Interrupts from other CPUs asking to reschedule.
        reschedule_ipis: u64,
        /// Other interrupts from other CPUs.
        generic_ipis: u64,
    }
    /// `zx_info_kmem_stats_t`.
    KmemStatsInfo: 72 {
        /// Physical memory.
        total_bytes: u64,
        /// Not allocated.
        free_bytes: u64,
        /// The kernel image and other memory that is never given back.
        wired_bytes: u64,
        /// Kernel heap.
        total_heap_bytes: u64,
        /// Kernel heap not in use.
        free_heap_bytes: u64,
        /// Committed to VMOs.
        vmo_bytes: u64,
        /// Page tables.
        mmu_overhead_bytes: u64,
        /// Messages.
        ipc_bytes: u64,
        /// Everything else.
        other_bytes: u64,
    }
}
