//! What is typed. A thread takes it from the console all the time, so that ^C is noticed while a program runs; what else is
//! typed then is there for the next prompt.
//!
//! So the console is the shell's alone: a program that it runs and that reads the console itself gets only some of the keys.

use alloc::collections::VecDeque;

use libzx::{console, wait_many, AsHandle, Process, Resource, Rights, Signals};
use libzx::{time, Socket, WaitFor, ZxError, ZxResult};

/// What ^C sends.
const INTERRUPT: u8 = 3;

/// Keys in their order.
#[derive(Debug)]
pub(crate) struct Keyboard {
    typed: Socket,
    /// Taken already, and not used.
    ahead: VecDeque<u8>,
}

/// What the wait for a program came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// The program has ended.
    End,
    /// ^C was typed.
    Interrupt,
}

impl Keyboard {
    /// Starts the thread.
    ///
    /// # Errors
    /// Those of making a socket and a thread.
    pub(crate) fn start(resource: &Resource) -> ZxResult<Self> {
        let resource = resource.duplicate(Rights::SAME_RIGHTS)?;
        let (typed, to_shell) = Socket::create(0)?;
        libzx::thread::spawn("keyboard", move || {
            // Ends with the console, and then the shell finds nobody at the other end.
            let _ = pass_on(&resource, &to_shell);
        })?;
        Ok(Self {
            typed,
            ahead: VecDeque::new(),
        })
    }

    /// The next key, as soon as there is one.
    ///
    /// # Errors
    /// - `PeerClosed`: the console cannot be read.
    pub(crate) fn next(&mut self) -> ZxResult<u8> {
        loop {
            if let Some(byte) = self.ahead.pop_front() {
                return Ok(byte);
            }
            let signals = Signals::READABLE | Signals::PEER_CLOSED;
            self.typed.wait_one(signals, time::INFINITE)?;
            self.take()?;
        }
    }

    /// Waits until a process has ended or ^C is typed.
    ///
    /// # Errors
    /// Those of waiting and of [`Keyboard::next`].
    pub(crate) fn listen_during(&mut self, process: &Process) -> ZxResult<Heard> {
        let items = [
            WaitFor {
                handle: process.raw(),
                signals: Signals::PROCESS_TERMINATED,
            },
            WaitFor {
                handle: self.typed.raw(),
                signals: Signals::READABLE | Signals::PEER_CLOSED,
            },
        ];
        loop {
            if take_interrupt(&mut self.ahead) {
                return Ok(Heard::Interrupt);
            }
            let seen = wait_many(&items, time::INFINITE)?;
            if seen[0].contains(Signals::PROCESS_TERMINATED) {
                return Ok(Heard::End);
            }
            self.take()?;
        }
    }

    /// Takes what there is.
    fn take(&mut self) -> ZxResult {
        let mut bytes = [0; 64];
        let count = self.typed.read(0, &mut bytes)?;
        self.ahead.extend(bytes.iter().take(count));
        Ok(())
    }
}

/// Whether ^C is among the keys. What was typed before it goes with it, as on any terminal.
fn take_interrupt(keys: &mut VecDeque<u8>) -> bool {
    match keys.iter().rposition(|byte| *byte == INTERRUPT) {
        Some(at) => {
            keys.drain(..=at);
            true
        }
        None => false,
    }
}

/// Gives each key to the shell.
fn pass_on(resource: &Resource, to_shell: &Socket) -> ZxResult {
    loop {
        let mut key = [0];
        console::read(resource, &mut key)?;
        while let Err(error) = to_shell.write(0, &key) {
            if error != ZxError::ShouldWait {
                return Err(error);
            }
            to_shell.wait_one(Signals::WRITABLE | Signals::PEER_CLOSED, time::INFINITE)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupt_takes_what_was_typed_before_it() {
        let mut keys: VecDeque<u8> = b"ls\n\x03ps\n".iter().copied().collect();
        assert!(take_interrupt(&mut keys));
        assert_eq!(keys, b"ps\n");
        assert!(!take_interrupt(&mut keys));
        assert_eq!(keys, b"ps\n");
    }
}
