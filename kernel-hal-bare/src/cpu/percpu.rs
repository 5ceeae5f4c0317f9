//! Data that belongs to one CPU, reached through GS in the kernel.
//!
//! In the kernel GS points at [`PerCpu`]; `swapgs` exchanges it for the user's base on the way out and back. Its first
//! word is its own address, so that Rust code gets a plain pointer by one load.

use super::registers::{msr, write_msr};
use core::arch::asm;
use core::cell::{Cell, UnsafeCell};
use core::ptr::{null, null_mut};
use kernel_hal::context::{CacheLine, UserContext};
use kernel_hal::cpu::CpuCounters;
use kernel_hal::server::ServeFn;

/// What one CPU knows about itself. The trap assembly uses offsets of the first fields.
#[repr(C)]
pub(crate) struct PerCpu {
    /// This structure's own address.
    this: Cell<*const PerCpu>,
    /// Kernel stack pointer to return to at the next trap from user mode.
    pub(crate) kernel_rsp: Cell<u64>,
    /// Where user registers go at the next trap from user mode.
    pub(crate) context: Cell<*mut UserContext>,
    /// User stack pointer for a few instructions of the syscall entry.
    pub(crate) scratch: Cell<u64>,
    /// Who serves syscalls, and on what.
    pub(crate) server: Cell<Option<ServeFn>>,
    pub(crate) server_state: Cell<*const ()>,
    /// Whether user code is to be left after the syscall that is being served; a word, for the assembly.
    pub(crate) leave: Cell<u32>,
    /// Vector number of the last trap from user mode.
    pub(crate) trap_vector: Cell<u64>,
    /// Error code of the last trap from user mode.
    pub(crate) trap_error: Cell<u64>,
    /// Syscalls entered since boot.
    pub(crate) syscalls: Cell<u64>,
    /// Whose vector registers and FS/GS bases are in the CPU: the address of an area, or null.
    pub(crate) vector_owner: Cell<*mut CacheLine>,
    /// Physical address of the active top-level page table.
    pub(crate) active_root: Cell<u64>,
    /// Whether some thread's breakpoints are in the CPU.
    pub(crate) breakpoints_loaded: Cell<bool>,
    /// The timer has fired since somebody asked.
    pub(crate) timer_fired: Cell<bool>,
    /// Counters but for `syscalls`.
    pub(crate) counters: Cell<CpuCounters>,
}

/// The only CPU's data.
pub(crate) static CPU0: PerCpuCell = PerCpuCell(UnsafeCell::new(PerCpu {
    this: Cell::new(null_mut()),
    kernel_rsp: Cell::new(0),
    context: Cell::new(null_mut()),
    scratch: Cell::new(0),
    server: Cell::new(None),
    server_state: Cell::new(null()),
    leave: Cell::new(0),
    trap_vector: Cell::new(0),
    trap_error: Cell::new(0),
    syscalls: Cell::new(0),
    vector_owner: Cell::new(null_mut()),
    active_root: Cell::new(0),
    breakpoints_loaded: Cell::new(false),
    timer_fired: Cell::new(false),
    counters: Cell::new(CpuCounters {
        idle_ns: 0,
        interrupts: 0,
        timer_interrupts: 0,
        syscalls: 0,
        page_faults: 0,
    }),
}));

/// A static that only its CPU touches.
pub(crate) struct PerCpuCell(UnsafeCell<PerCpu>);

// SAFETY: only the CPU that the data belongs to reaches it (through its GS), with interrupts off; the fields are cells, so
// an interrupt handler in an idle window sees whole values.
unsafe impl Sync for PerCpuCell {}

impl PerCpuCell {
    /// Address of the data, for the GS base and for the paranoid entry points.
    pub(crate) const fn address(&self) -> *mut PerCpu {
        self.0.get()
    }
}

/// This CPU's data.
#[inline(always)]
pub(crate) fn current() -> &'static PerCpu {
    let address: *const PerCpu;
    // SAFETY: GS points at this CPU's `PerCpu` in all kernel code after `install`; its first word is never written again.
    unsafe {
        asm!("mov {}, gs:[0]", out(reg) address, options(pure, readonly, nostack, preserves_flags))
    }
    // SAFETY: the word is the address of the static that GS points at.
    unsafe { &*address }
}

/// Points GS at the boot CPU's data; before anything calls [`current`].
pub(crate) fn install() {
    let data = CPU0.address();
    // SAFETY: no reference to the data exists yet; `this` is a cell of a live static.
    unsafe { (*data).this.set(data) };
    // SAFETY: the register exists in every 64-bit CPU; the address is that of a static.
    unsafe { write_msr(msr::GS_BASE, data as u64) };
    // SAFETY: as above; it holds the user's base while the kernel runs, which is zero at first.
    unsafe { write_msr(msr::KERNEL_GS_BASE, 0) };
}

/// Changes this CPU's counters.
pub(crate) fn count(change: impl FnOnce(&mut CpuCounters)) {
    let cell = &current().counters;
    let mut counters = cell.get();
    change(&mut counters);
    cell.set(counters);
}
