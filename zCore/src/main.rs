//! The kernel: hand-over from rboot, then the executor for ever.
//!
//! [`kernel_main`] is entered once, on the boot stack, with interrupts off. It brings up the machine (`kernel-hal-bare`),
//! starts userboot (`zircon-loader`) and polls tasks. The whole way is in `docs/boot.md`.
#![no_std]
#![no_main]

extern crate alloc;

mod logging;
mod panic;
mod watch;

use alloc::format;
use boot_info::BootInfo;
use kernel_hal::cpu::{self, End, PowerAction};
use zircon_loader::BootImages;
use zircon_object::runtime;

/// Called by the entry code of `kernel-hal-bare`.
///
/// # Safety
/// 1. `boot_info` is the address that rboot passed: a complete structure in the direct map, for good.
/// 2. It is called once, on the boot stack, with interrupts off.
#[no_mangle]
unsafe extern "C" fn kernel_main(boot_info: *const BootInfo) -> ! {
    // SAFETY: duty 1: the structure is there and nothing writes to it.
    let boot_info: &'static BootInfo = unsafe { &*boot_info };
    kernel_hal_bare::init(boot_info);
    logging::init();
    let cmdline = text(boot_info, boot_info.cmdline);
    logging::set_level(cmdline);
    // The monotonic clock counts from the machine's reset, as the TSC does; the kernel starts where the loader left.
    let start_us = ticks_to_us(boot_info.tsc_at_exit);
    let loader_us = start_us - ticks_to_us(boot_info.tsc_at_entry);
    let kernel_us = u64::try_from(kernel_hal::time::now() / 1000)
        .unwrap_or(0)
        .saturating_sub(start_us);
    log::info!(
        "zcore {}: {} CPU, {} MiB free",
        env!("CARGO_PKG_VERSION"),
        cpu::info().count,
        free_mib()
    );
    log::info!("started {start_us} us after reset; loader took {loader_us} us, kernel {kernel_us} us so far");
    // The stages travel to user space as words of the command line, like everything else that is said at boot.
    let cmdline = format!(
        "{cmdline} boot.loader-us={loader_us} boot.start-us={start_us} boot.kernel-us={kernel_us}"
    );
    let images = BootImages {
        userboot: bytes(boot_info, boot_info.images.userboot),
        vdso: bytes(boot_info, boot_info.images.vdso),
        zbi: bytes(boot_info, boot_info.images.zbi),
        decompressor: Some(bytes(boot_info, boot_info.images.decompressor))
            .filter(|bytes| !bytes.is_empty()),
        cmdline: alloc::boxed::Box::leak(cmdline.into_boxed_str()),
    };
    match zircon_loader::start(&images) {
        Ok(userboot) => watch::userboot(userboot),
        Err(error) => fail(format_args!("cannot start userboot: {error}")),
    }
    runtime::EXECUTOR.run_with_window(
        || {
            cpu::interrupt_window();
            runtime::serve_timers();
        },
        || {
            cpu::idle();
            runtime::serve_timers();
        },
    )
}

/// Says in one line why the boot failed, and ends the run with failure.
pub(crate) fn fail(why: core::fmt::Arguments<'_>) -> ! {
    log::error!("boot failed: {why}");
    cpu::power(PowerAction::Off, End::Failed)
}

fn bytes(boot_info: &BootInfo, range: boot_info::PhysRange) -> &'static [u8] {
    // SAFETY: rboot made the structure, the direct map stays, and nothing writes to loaded images.
    unsafe { boot_info.bytes(range) }
}

fn text(boot_info: &BootInfo, range: boot_info::PhysRange) -> &'static str {
    core::str::from_utf8(bytes(boot_info, range)).unwrap_or_default()
}

fn ticks_to_us(ticks: u64) -> u64 {
    let ratio = kernel_hal::time::tick_ratio();
    let ns = u128::from(ticks) * u128::from(ratio.numerator) / u128::from(ratio.denominator);
    u64::try_from(ns / 1000).unwrap_or(u64::MAX)
}

fn free_mib() -> usize {
    kernel_hal::frame::stats().free / 256
}
