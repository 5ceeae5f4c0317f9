//! Interrupts: the local APIC acknowledges them and has the timer, I/O APICs bring the lines, [`vectors`] dispatches.

pub(crate) mod ioapic;
pub(crate) mod lapic;
pub(crate) mod vectors;
