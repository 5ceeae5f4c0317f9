//! The first serial port (COM1), written to directly.
//!
//! Used where the firmware's console does not lead to a serial port, and after the boot services are gone. All port I/O of
//! rboot is in this file; the ports are fixed by the PC platform, and writing them has no effect on memory.
use core::arch::asm;
use core::fmt;

const COM1: u16 = 0x3f8;
const DEBUG_EXIT: u16 = 0xf4;

const INTERRUPT_ENABLE: u16 = COM1 + 1;
const FIFO_CONTROL: u16 = COM1 + 2;
const LINE_CONTROL: u16 = COM1 + 3;
const MODEM_CONTROL: u16 = COM1 + 4;
const LINE_STATUS: u16 = COM1 + 5;
const SCRATCH: u16 = COM1 + 7;

const TRANSMITTER_EMPTY: u8 = 0x20;

/// COM1 as a text sink. A machine without one swallows the text.
pub(crate) struct Serial;

impl Serial {
    /// Programs the port for 115200 baud, 8 bits, no parity, no interrupts.
    pub(crate) fn init() {
        for (port, value) in [
            (INTERRUPT_ENABLE, 0),
            (LINE_CONTROL, 0x80),
            (COM1, 1),
            (INTERRUPT_ENABLE, 0),
            (LINE_CONTROL, 3),
            (FIFO_CONTROL, 0xc7),
            (MODEM_CONTROL, 3),
        ] {
            write_port(port, value);
        }
    }

    fn is_present() -> bool {
        write_port(SCRATCH, 0x5a);
        read_port(SCRATCH) == 0x5a
    }

    fn send(byte: u8) {
        // Bounded, so that a port that never gets ready does not stop the boot.
        for _ in 0..1_000_000 {
            if read_port(LINE_STATUS) & TRANSMITTER_EMPTY != 0 {
                break;
            }
        }
        write_port(COM1, byte);
    }
}

impl fmt::Write for Serial {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if Self::is_present() {
            for byte in text.bytes() {
                if byte == b'\n' {
                    Self::send(b'\r');
                }
                Self::send(byte);
            }
        }
        Ok(())
    }
}

/// Ends QEMU with a failing status (67) when it has its debug-exit device; does nothing elsewhere.
pub(crate) fn debug_exit() {
    write_port(DEBUG_EXIT, 0x21);
}

fn write_port(port: u16, value: u8) {
    // SAFETY: only the UART's registers and the debug-exit port are written (callers above); neither touches memory.
    unsafe {
        asm!("out dx, al", in("dx") port, in("al") value, options(nomem, nostack, preserves_flags))
    }
}

fn read_port(port: u16) -> u8 {
    let value;
    // SAFETY: only the UART's registers are read (callers above), which does not touch memory.
    unsafe {
        asm!("in al, dx", in("dx") port, out("al") value, options(nomem, nostack, preserves_flags))
    }
    value
}
