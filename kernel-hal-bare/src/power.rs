//! The ways to end: power off, reset.

use crate::cpu::registers::{halt_forever, in16, out16, out32, out8};
use crate::dev::acpi::{ResetRegister, SleepControl, PLATFORM};
use crate::mm::direct;
use kernel_hal::cpu::{End, PowerAction};
use kernel_hal::hal_impl;

/// QEMU's `isa-debug-exit`; a machine without it ignores the write. Ends QEMU with code `2 * value + 1`.
const DEBUG_EXIT: u16 = 0xf4;
const SLEEP_ENABLE: u16 = 1 << 13;
const ACPI_ENABLED: u16 = 1;

hal_impl! {
    kernel_hal::cpu => fn hal_cpu_power(action: PowerAction, end: End) -> ! {
        match action {
            PowerAction::Off => {
                let code = match end {
                    End::Good => 0x10,
                    End::Failed => 0x21,
                };
                // SAFETY: either an emulator ends here, or nobody listens.
                unsafe { out32(DEBUG_EXIT, code) };
                if let Some(sleep) = PLATFORM.lock().and_then(|platform| platform.sleep) {
                    power_off(sleep);
                }
            }
            PowerAction::Reboot => {
                if let Some(reset) = PLATFORM.lock().and_then(|platform| platform.reset) {
                    reset_by_register(reset);
                }
                // The keyboard controller's reset line.
                // SAFETY: the machine resets, or nothing happens.
                unsafe { out8(0x64, 0xfe) };
            }
        }
        halt_forever()
    }
}

/// ACPI state S5.
fn power_off(sleep: SleepControl) {
    // SAFETY: the port is the PM1a control register, as the FADT says.
    let control = unsafe { in16(sleep.pm1a) };
    if control & ACPI_ENABLED == 0 && sleep.smi_port != 0 {
        // SAFETY: asks firmware for ACPI mode, as the FADT says how.
        unsafe { out8(sleep.smi_port, sleep.acpi_enable) };
        for _ in 0..1_000_000 {
            // SAFETY: as above.
            if unsafe { in16(sleep.pm1a) } & ACPI_ENABLED != 0 {
                break;
            }
        }
    }
    // SAFETY: the machine powers off; nothing runs after that.
    unsafe { out16(sleep.pm1a, sleep.type_a << 10 | SLEEP_ENABLE | ACPI_ENABLED) };
    if sleep.pm1b != 0 {
        // SAFETY: as above.
        unsafe { out16(sleep.pm1b, sleep.type_b << 10 | SLEEP_ENABLE | ACPI_ENABLED) };
    }
}

fn reset_by_register(reset: ResetRegister) {
    match reset {
        ResetRegister::Port { port, value } => {
            // SAFETY: the machine resets; nothing runs after that.
            unsafe { out8(port, value) };
        }
        ResetRegister::Memory { at, value } => {
            // SAFETY: as above; the register is below 4 GiB (checked when the table was read), so it is mapped.
            unsafe { direct::pointer::<u8>(at).write_volatile(value) };
        }
    }
    // The machine may take a moment.
    for _ in 0..10_000_000 {
        core::hint::spin_loop();
    }
}
