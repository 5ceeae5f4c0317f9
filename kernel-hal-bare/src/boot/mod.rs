//! From the loader's jump to a machine that can run user code.
//!
//! `_start` (`entry.S`) calls the kernel binary's `kernel_main`; that calls [`init`] before anything else of the HAL.

use crate::cpu::{features, fpu, gdt, idt, percpu, tss};
use crate::dev::acpi;
use crate::irq::{ioapic, lapic, vectors};
use crate::mm::{direct, frame_allocator, page_table, user_copy};
use crate::{console, rng, time, trap};
use boot_info::BootInfo;
use core::arch::global_asm;

global_asm!(include_str!("entry.S"));

/// Makes the machine ready: tables, protection, memory, interrupts, clocks, console. Once, with interrupts off.
///
/// # Panics
/// When the loader's information is of another build, or there is no memory: the machine cannot run the kernel.
pub fn init(boot_info: &'static BootInfo) {
    percpu::install();
    tss::TSS.prepare();
    gdt::load();
    // Loading the segment registers has cleared the base.
    percpu::install();
    idt::load();
    if let Err(error) = boot_info.check() {
        panic!("{error}");
    }
    features::enable();
    fpu::init();
    direct::init();
    user_copy::init(boot_info.kernel);
    trap::stubs::enable_syscall();
    // SAFETY: the structure has passed its check and came from rboot, whose direct map stays.
    frame_allocator::init(unsafe { boot_info.memory_map() });
    page_table::init();
    idt::move_out();

    let platform = acpi::read(
        boot_info.acpi_rsdp,
        boot_info.smbios,
        boot_info.direct_map_len,
    );
    *acpi::PLATFORM.lock() = Some(platform);
    lapic::init(platform.local_apic);
    let frequencies = time::calibrate(platform.pm_timer);
    time::tsc::init(
        frequencies.tsc_hz,
        boot_info.unix_seconds,
        boot_info.tsc_at_entry,
    );
    time::lapic_timer::init(frequencies.lapic_hz);
    rng::init(boot_info.unix_seconds ^ boot_info.tsc_at_entry);
    ioapic::init(&platform);
    vectors::init(&platform);
    console::init();
}
