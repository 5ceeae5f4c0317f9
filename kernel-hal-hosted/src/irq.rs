//! Interrupt lines that a test fires

use crate::machine::{lock, Machine};
use kernel_hal::hal_impl;
use kernel_hal::irq::{IrqError, OnInterrupt, Trigger};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Lines of a machine, numbered from 0.
pub const LINES: u32 = 24;

/// The lines that have a handler or were configured.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    lines: BTreeMap<u32, Line>,
}

struct Line {
    handler: Option<Arc<dyn OnInterrupt>>,
    trigger: Trigger,
    open: bool,
}

impl Default for Line {
    fn default() -> Self {
        Self {
            handler: None,
            trigger: Trigger::EdgeHigh,
            open: false,
        }
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Line({:?}, {})",
            self.trigger,
            if self.open { "open" } else { "masked" }
        )
    }
}

/// What became of an interrupt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fired {
    /// The handler was called. A level line is masked now.
    Served,
    /// The line is masked or nobody has it: nothing happened. It is not kept pending.
    Ignored,
}

/// Asserts a line once.
#[expect(
    clippy::must_use_candidate,
    reason = "tests often know that the line is open"
)]
pub fn fire(line: u32) -> Fired {
    let handler = {
        let machine = Machine::current();
        let mut lines = lock(&machine.parts().lines);
        let Some(line) = lines.lines.get_mut(&line).filter(|line| line.open) else {
            return Fired::Ignored;
        };
        if matches!(line.trigger, Trigger::LevelLow | Trigger::LevelHigh) {
            line.open = false;
        }
        line.handler.clone()
    };
    match handler {
        Some(handler) => {
            handler.on_interrupt(kernel_hal::time::now());
            Fired::Served
        }
        None => Fired::Ignored,
    }
}

/// How a line was configured last.
#[must_use]
pub fn trigger(line: u32) -> Option<Trigger> {
    lock(&Machine::current().parts().lines)
        .lines
        .get(&line)
        .map(|line| line.trigger)
}

fn with_line<R>(line: u32, f: impl FnOnce(&mut Line) -> R) -> R {
    f(lock(&Machine::current().parts().lines)
        .lines
        .entry(line)
        .or_default())
}

hal_impl! {
    kernel_hal::irq => fn hal_irq_is_valid(line: u32) -> bool {
        line < LINES
    }
    kernel_hal::irq => fn hal_irq_register(line: u32, handler: Arc<dyn OnInterrupt>) -> Result<(), IrqError> {
        if line >= LINES {
            return Err(IrqError::NoSuchLine);
        }
        with_line(line, |line| {
            if line.handler.is_some() {
                return Err(IrqError::Taken);
            }
            (line.handler, line.open) = (Some(handler), false);
            Ok(())
        })
    }
    kernel_hal::irq => fn hal_irq_unregister(line: u32) {
        // The handler is dropped with nothing locked.
        drop(with_line(line, |line| {
            line.open = false;
            line.handler.take()
        }));
    }
    kernel_hal::irq => fn hal_irq_configure(line: u32, trigger: Trigger) -> Result<(), IrqError> {
        if line >= LINES {
            return Err(IrqError::NoSuchLine);
        }
        with_line(line, |line| line.trigger = trigger);
        Ok(())
    }
    kernel_hal::irq => fn hal_irq_unmask(line: u32) {
        with_line(line, |line| line.open = true);
    }
    kernel_hal::irq => fn hal_irq_mask(line: u32) {
        with_line(line, |line| line.open = false);
    }
}
