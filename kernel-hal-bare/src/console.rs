//! The console: output straight to the serial port, input through a ring that the receive interrupt fills.
//!
//! When the ring is full, the interrupt is turned off and the port's FIFO left as it is, so that the sender is held back
//! (QEMU's character device does wait); a read that makes room drains the FIFO and turns the interrupt on again. So input
//! that arrives all at once is not lost.

use crate::dev::uart::{self, ReceiveInterrupt};
use alloc::vec::Vec;
use core::task::Waker;
use kernel_hal::hal_impl;
use kernel_hal::sync::Mutex;

/// COM1's line on the ISA bus.
pub(crate) const ISA_LINE: u32 = 4;
const RING_BYTES: usize = 4096;

struct Input {
    ring: [u8; RING_BYTES],
    /// Bytes ever put in and taken out; their difference is what the ring holds.
    put: usize,
    taken: usize,
    wakers: Vec<Waker>,
}

static INPUT: Mutex<Input> = Mutex::new(Input {
    ring: [0; RING_BYTES],
    put: 0,
    taken: 0,
    wakers: Vec::new(),
});

impl Input {
    fn is_full(&self) -> bool {
        self.put - self.taken == RING_BYTES
    }

    /// Takes from the port what the ring can hold.
    fn drain_port(&mut self) {
        while !self.is_full() {
            let Some(byte) = uart::receive() else { break };
            self.ring[self.put % RING_BYTES] = byte;
            self.put += 1;
        }
        uart::set_receive_interrupt(if self.is_full() {
            ReceiveInterrupt::Off
        } else {
            ReceiveInterrupt::On
        });
    }

    fn take(&mut self) -> Option<u8> {
        (self.taken < self.put).then(|| {
            let byte = self.ring[self.taken % RING_BYTES];
            self.taken += 1;
            byte
        })
    }
}

/// Lets input in; after the interrupt line is routed.
pub(crate) fn init() {
    INPUT.lock().drain_port();
}

/// The port has received something.
pub(crate) fn on_interrupt() {
    let wakers = {
        let mut input = INPUT.lock();
        input.drain_port();
        if input.put == input.taken {
            return;
        }
        core::mem::take(&mut input.wakers)
    };
    for waker in wakers {
        waker.wake();
    }
}

hal_impl! {
    kernel_hal::console => fn hal_console_write(bytes: &[u8]) {
        uart::early_console_write(bytes);
    }
    kernel_hal::console => fn hal_console_read(into: &mut [u8]) -> usize {
        let mut input = INPUT.lock();
        let mut count = 0;
        let was_full = input.is_full();
        for slot in into {
            let Some(byte) = input.take() else { break };
            *slot = byte;
            count += 1;
        }
        if was_full && count > 0 {
            input.drain_port();
        }
        count
    }
    kernel_hal::console => fn hal_console_wake_on_input(waker: &Waker) {
        let mut input = INPUT.lock();
        if input.put != input.taken {
            drop(input);
            waker.wake_by_ref();
        } else if !input.wakers.iter().any(|known| known.will_wake(waker)) {
            input.wakers.push(waker.clone());
        }
    }
}
