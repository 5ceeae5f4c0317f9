//! Where rboot's lines go: once to the screen and once to the serial port.
//!
//! Some firmware (OVMF in QEMU) copies its text console to the serial port, most PCs do not. The variable `ConOut` tells
//! which: when it names a UART, the console is enough; when not, rboot writes to COM1 as well. After the boot services are
//! gone there is only COM1.
use core::fmt::{self, Write};
use core::sync::atomic::{AtomicBool, Ordering};
use core::time::Duration;

use uefi::runtime::{self, ResetType, VariableVendor};
use uefi::{boot, cstr16, system, table, Status};

use crate::serial::{self, Serial};

/// How long a message stays on the screen of a real machine before it is switched off.
const READING_TIME: Duration = Duration::from_secs(10);

static USE_FIRMWARE: AtomicBool = AtomicBool::new(false);
static USE_SERIAL: AtomicBool = AtomicBool::new(true);

/// Finds out where to write. Before this, and after [`leave_firmware`], lines go to COM1 only.
pub(crate) fn init() {
    // SAFETY: the firmware keeps its table valid while boot services last, and the program has just been started.
    let has_console =
        table::system_table_raw().is_some_and(|table| unsafe { !table.as_ref().stdout.is_null() });
    let on_serial = has_console && firmware_console_is_serial();
    if !on_serial {
        Serial::init();
    }
    USE_FIRMWARE.store(has_console, Ordering::Relaxed);
    USE_SERIAL.store(!on_serial, Ordering::Relaxed);
}

/// From now on the firmware's console must not be used.
pub(crate) fn leave_firmware() {
    USE_FIRMWARE.store(false, Ordering::Relaxed);
    USE_SERIAL.store(true, Ordering::Relaxed);
}

/// Writes `rboot: ` and one line.
pub(crate) fn line(text: fmt::Arguments<'_>) {
    // Nothing can be done about a console that fails to print.
    if USE_FIRMWARE.load(Ordering::Relaxed) {
        let _ = system::with_stdout(|out| writeln!(out, "rboot: {text}"));
    }
    if USE_SERIAL.load(Ordering::Relaxed) {
        let _ = writeln!(Serial, "rboot: {text}");
    }
}

/// Says why there will be no boot, and stops the machine: QEMU ends with a failing status, a PC switches off after a while.
pub(crate) fn stop(text: fmt::Arguments<'_>) -> ! {
    line(text);
    serial::debug_exit();
    if USE_FIRMWARE.load(Ordering::Relaxed) {
        boot::stall(READING_TIME);
    }
    runtime::reset(ResetType::SHUTDOWN, Status::ABORTED, None)
}

fn firmware_console_is_serial() -> bool {
    let variable = runtime::get_variable_boxed(cstr16!("ConOut"), &VariableVendor::GLOBAL_VARIABLE);
    variable.is_ok_and(|(paths, _)| rboot::device_path::names_a_uart(&paths))
}
