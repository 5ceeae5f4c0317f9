//! The end of the kernel: what happened, on the console, and a failing exit.

use core::fmt::Write as _;
use core::panic::PanicInfo;
use core::sync::atomic::{AtomicBool, Ordering};
use kernel_hal::cpu::{power, End, PowerAction};

struct Console;

impl core::fmt::Write for Console {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        kernel_hal_bare::early_console_write(text.as_bytes());
        Ok(())
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    static AGAIN: AtomicBool = AtomicBool::new(false);
    if !AGAIN.swap(true, Ordering::Relaxed) {
        let _ = writeln!(Console, "\nkernel panic: {info}");
    }
    power(PowerAction::Off, End::Failed)
}
