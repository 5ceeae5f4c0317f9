//! External interrupts: lines of the interrupt controller and what is called when one fires.

use crate::hal::hal_fn;
use alloc::sync::Arc;

/// When a line counts as asserted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trigger {
    /// On the falling edge.
    EdgeLow,
    /// On the rising edge.
    EdgeHigh,
    /// While low.
    LevelLow,
    /// While high.
    LevelHigh,
}

/// Called when a line fires, with interrupts off, after a level line has been masked. Must not block.
pub trait OnInterrupt: Send + Sync {
    /// The line fired at `now` (monotonic nanoseconds).
    fn on_interrupt(&self, now: i64);
}

/// Why a line cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IrqError {
    /// No such line.
    NoSuchLine,
    /// Somebody else has it.
    Taken,
    /// No vector left.
    NoVectors,
}

hal_fn! {
    /// Whether the machine has this line (ACPI global system interrupt number).
    pub fn is_valid as hal_irq_is_valid(line: u32) -> bool;
    /// Registers a handler and leaves the line masked.
    pub fn register as hal_irq_register(line: u32, handler: Arc<dyn OnInterrupt>) -> Result<(), IrqError>;
    /// Removes the handler and masks the line.
    pub fn unregister as hal_irq_unregister(line: u32);
    /// Sets trigger mode and polarity.
    pub fn configure as hal_irq_configure(line: u32, trigger: Trigger) -> Result<(), IrqError>;
    /// Lets the line interrupt.
    pub fn unmask as hal_irq_unmask(line: u32);
    /// Keeps the line from interrupting.
    pub fn mask as hal_irq_mask(line: u32);
}
