//! Vectors: who gets which interrupt.

use super::ioapic::{self, Gate};
use super::lapic;
use crate::console;
use crate::cpu::percpu::{count, current};
use crate::dev::acpi::Platform;
use crate::time::tsc;
use alloc::sync::Arc;
use kernel_hal::hal_impl;
use kernel_hal::irq::{IrqError, OnInterrupt, Trigger};
use kernel_hal::sync::Mutex;

/// Interrupt line `n` uses vector `FIRST_LINE_VECTOR + n`.
const FIRST_LINE_VECTOR: u8 = 0x30;
/// The local APIC's timer.
pub(crate) const TIMER_VECTOR: u8 = 0xf0;
/// Interrupts that vanished before they were served.
pub(crate) const SPURIOUS_VECTOR: u8 = 0xff;
const LINES: usize = (TIMER_VECTOR - FIRST_LINE_VECTOR) as usize;
const FIRST_PCI_LINE: u32 = 16;

#[derive(Clone)]
enum Handler {
    Console,
    Object(Arc<dyn OnInterrupt>),
}

struct Line {
    handler: Option<Handler>,
    /// `None`: as is usual for this line.
    trigger: Option<Trigger>,
}

static TABLE: Mutex<[Line; LINES]> = Mutex::new(
    [const {
        Line {
            handler: None,
            trigger: None,
        }
    }; LINES],
);

fn usual_trigger(line: u32) -> Trigger {
    if line < FIRST_PCI_LINE {
        Trigger::EdgeHigh
    } else {
        Trigger::LevelLow
    }
}

fn is_level(trigger: Trigger) -> bool {
    match trigger {
        Trigger::LevelHigh | Trigger::LevelLow => true,
        Trigger::EdgeHigh | Trigger::EdgeLow => false,
    }
}

fn vector_of(line: u32) -> Option<u8> {
    let offset = u8::try_from(line).ok()?;
    (usize::from(offset) < LINES).then(|| FIRST_LINE_VECTOR + offset)
}

/// Applies what firmware says about the ISA lines, and gives the console its own.
pub(crate) fn init(platform: &Platform) {
    let mut table = TABLE.lock();
    for isa in platform.overrides.iter().flatten() {
        if let Some(line) = table.get_mut(isa.line as usize) {
            line.trigger = Some(isa.trigger);
        }
    }
    let console_line = platform.line_of_isa(console::ISA_LINE);
    if let (Some(line), Some(vector)) = (
        table.get_mut(console_line as usize),
        vector_of(console_line),
    ) {
        line.handler = Some(Handler::Console);
        ioapic::route(
            console_line,
            vector,
            line.trigger.unwrap_or(usual_trigger(console_line)),
        );
        ioapic::set_gate(console_line, Gate::Open);
    }
}

/// Serves an interrupt; interrupts are off and no lock is held.
pub(crate) fn dispatch(vector: u64) {
    let Ok(vector) = u8::try_from(vector) else {
        return;
    };
    // One that was let in during a syscall is looked at when that is over, not at the next one in user mode.
    current().leave.set(1);
    match vector {
        TIMER_VECTOR => {
            current().timer_fired.set(true);
            count(|counters| counters.timer_interrupts += 1);
        }
        SPURIOUS_VECTOR => return,
        FIRST_LINE_VECTOR..TIMER_VECTOR => {
            count(|counters| counters.interrupts += 1);
            serve_line(u32::from(vector - FIRST_LINE_VECTOR));
        }
        _ => {}
    }
    lapic::end_of_interrupt();
}

fn serve_line(number: u32) {
    let found = TABLE.lock().get(number as usize).map(|line| {
        (
            line.handler.clone(),
            line.trigger.unwrap_or(usual_trigger(number)),
        )
    });
    let Some((handler, trigger)) = found else {
        return;
    };
    match handler {
        Some(Handler::Console) => console::on_interrupt(),
        Some(Handler::Object(object)) => {
            if is_level(trigger) {
                ioapic::set_gate(number, Gate::Masked);
            }
            object.on_interrupt(tsc::now());
        }
        None => ioapic::set_gate(number, Gate::Masked),
    }
}

hal_impl! {
    kernel_hal::irq => fn hal_irq_is_valid(line: u32) -> bool {
        ioapic::has_line(line) && vector_of(line).is_some()
    }
    kernel_hal::irq => fn hal_irq_register(line: u32, handler: Arc<dyn OnInterrupt>) -> Result<(), IrqError> {
        if !ioapic::has_line(line) {
            return Err(IrqError::NoSuchLine);
        }
        let vector = vector_of(line).ok_or(IrqError::NoVectors)?;
        let mut table = TABLE.lock();
        let entry = table.get_mut(line as usize).ok_or(IrqError::NoVectors)?;
        if entry.handler.is_some() {
            return Err(IrqError::Taken);
        }
        entry.handler = Some(Handler::Object(handler));
        ioapic::route(line, vector, entry.trigger.unwrap_or(usual_trigger(line)));
        Ok(())
    }
    kernel_hal::irq => fn hal_irq_unregister(line: u32) {
        let removed = {
            let mut table = TABLE.lock();
            match table.get_mut(line as usize) {
                Some(entry) if matches!(entry.handler, Some(Handler::Object(_))) => entry.handler.take(),
                _ => None,
            }
        };
        if removed.is_some() {
            ioapic::set_gate(line, Gate::Masked);
        }
    }
    kernel_hal::irq => fn hal_irq_configure(line: u32, trigger: Trigger) -> Result<(), IrqError> {
        if !ioapic::has_line(line) {
            return Err(IrqError::NoSuchLine);
        }
        let vector = vector_of(line).ok_or(IrqError::NoVectors)?;
        let mut table = TABLE.lock();
        let entry = table.get_mut(line as usize).ok_or(IrqError::NoVectors)?;
        if matches!(entry.handler, Some(Handler::Console)) {
            return Err(IrqError::Taken);
        }
        entry.trigger = Some(trigger);
        ioapic::route(line, vector, trigger);
        Ok(())
    }
    kernel_hal::irq => fn hal_irq_unmask(line: u32) {
        ioapic::set_gate(line, Gate::Open);
    }
    kernel_hal::irq => fn hal_irq_mask(line: u32) {
        ioapic::set_gate(line, Gate::Masked);
    }
}
