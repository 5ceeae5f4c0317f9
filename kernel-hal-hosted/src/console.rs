//! A console that keeps what is written and reads what the test types

use crate::machine::{lock, Machine};
use kernel_hal::hal_impl;
use std::collections::VecDeque;
use std::task::Waker;

#[derive(Debug, Default)]
pub(crate) struct ConsoleState {
    output: Vec<u8>,
    input: VecDeque<u8>,
    waiting: Vec<Waker>,
}

/// Everything written since the last call, as it was written (a newline stays one byte).
#[must_use]
pub fn take_output() -> Vec<u8> {
    std::mem::take(&mut lock(&Machine::current().parts().console).output)
}

/// Types bytes: they can be read from now on, and who waits for input is woken.
pub fn type_input(bytes: &[u8]) {
    let waiting = {
        let machine = Machine::current();
        let mut console = lock(&machine.parts().console);
        console.input.extend(bytes);
        std::mem::take(&mut console.waiting)
    };
    waiting.into_iter().for_each(Waker::wake);
}

hal_impl! {
    kernel_hal::console => fn hal_console_write(bytes: &[u8]) {
        lock(&Machine::current().parts().console).output.extend_from_slice(bytes);
    }
    kernel_hal::console => fn hal_console_read(into: &mut [u8]) -> usize {
        let machine = Machine::current();
        let mut console = lock(&machine.parts().console);
        let count = into.len().min(console.input.len());
        for (to, from) in into.iter_mut().zip(console.input.drain(..count)) {
            *to = from;
        }
        count
    }
    kernel_hal::console => fn hal_console_wake_on_input(waker: &Waker) {
        let machine = Machine::current();
        let mut console = lock(&machine.parts().console);
        if !console.input.is_empty() {
            drop(console);
            waker.wake_by_ref();
        } else if !console.waiting.iter().any(|waiting| waiting.will_wake(waker)) {
            console.waiting.push(waker.clone());
        }
    }
}
