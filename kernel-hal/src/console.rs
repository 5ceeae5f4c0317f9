//! The serial console: output at once, input by interrupt.

use crate::hal::hal_fn;
use core::task::Waker;

hal_fn! {
    /// Writes bytes; a newline is sent as carriage return and newline. Returns when the UART has taken them.
    pub fn write as hal_console_write(bytes: &[u8]);
    /// Takes received bytes; returns how many. Never waits.
    pub fn read as hal_console_read(into: &mut [u8]) -> usize;
    /// Wakes `waker` when bytes arrive (at once when some are there). One waker per caller; duplicates are dropped.
    pub fn wake_on_input as hal_console_wake_on_input(waker: &Waker);
}
