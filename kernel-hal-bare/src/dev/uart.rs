//! The 16550 serial port at COM1: registers only, no buffering.

use crate::cpu::registers::{in8, out8};
use core::sync::atomic::{AtomicBool, Ordering};

const BASE: u16 = 0x3f8;
const DATA: u16 = 0;
const INTERRUPT_ENABLE: u16 = 1;
const FIFO_CONTROL: u16 = 2;
const LINE_CONTROL: u16 = 3;
const MODEM_CONTROL: u16 = 4;
const LINE_STATUS: u16 = 5;

const RECEIVED: u8 = 1 << 0;
const TRANSMITTER_EMPTY: u8 = 1 << 5;
const FIFO_BYTES: usize = 16;
/// Looks at the line status before a silent transmitter is given up.
const PATIENCE: u32 = 1_000_000;

static READY: AtomicBool = AtomicBool::new(false);

fn read(register: u16) -> u8 {
    // SAFETY: the port is the UART's; only this file touches it, and it moves no memory.
    unsafe { in8(BASE + register) }
}

fn write(register: u16, value: u8) {
    // SAFETY: as for `read`.
    unsafe { out8(BASE + register, value) }
}

/// Sets up the port at its first use, whatever that is: later, it would turn the receive interrupt off again.
fn ready() {
    if !READY.swap(true, Ordering::Relaxed) {
        init();
    }
}

/// Sets 115200 baud, 8N1, FIFOs on. The receive FIFO keeps what has arrived already.
fn init() {
    write(INTERRUPT_ENABLE, 0);
    write(LINE_CONTROL, 0x80);
    write(DATA, 1);
    write(INTERRUPT_ENABLE, 0);
    write(LINE_CONTROL, 0b11);
    write(FIFO_CONTROL, 0b101);
    // DTR, RTS, and OUT2, which lets the interrupt through.
    write(MODEM_CONTROL, 0b1011);
}

/// Sends bytes, a newline as carriage return and newline. Takes no lock and needs no memory, so it works before
/// [`crate::init`], in a panic and anywhere else.
pub fn early_console_write(bytes: &[u8]) {
    ready();
    let mut room = 0;
    for &byte in bytes {
        if byte == b'\n' {
            send(b'\r', &mut room);
        }
        send(byte, &mut room);
    }
    wait_until_empty();
}

fn send(byte: u8, room: &mut usize) {
    if *room == 0 {
        wait_until_empty();
        *room = FIFO_BYTES;
    }
    write(DATA, byte);
    *room -= 1;
}

fn wait_until_empty() {
    for _ in 0..PATIENCE {
        if read(LINE_STATUS) & TRANSMITTER_EMPTY != 0 {
            return;
        }
        core::hint::spin_loop();
    }
}

/// A received byte, if there is one.
pub(crate) fn receive() -> Option<u8> {
    (read(LINE_STATUS) & RECEIVED != 0).then(|| read(DATA))
}

/// Whether received bytes interrupt.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReceiveInterrupt {
    /// They do.
    On,
    /// They wait in the FIFO; when it is full, the sender waits.
    Off,
}

/// Turns the receive interrupt on or off.
pub(crate) fn set_receive_interrupt(state: ReceiveInterrupt) {
    ready();
    write(INTERRUPT_ENABLE, u8::from(state == ReceiveInterrupt::On));
}
