//! The I/O APICs: one redirection entry per interrupt line.

use super::lapic;
use crate::dev::acpi::{IoApicInfo, Platform};
use crate::mm::direct;
use kernel_hal::irq::Trigger;
use kernel_hal::sync::Mutex;
use kernel_hal::PhysAddr;

const VERSION: u32 = 1;
const FIRST_ENTRY: u32 = 0x10;
const MASKED: u32 = 1 << 16;
const LEVEL: u32 = 1 << 15;
const LOW: u32 = 1 << 13;

/// At most as many as firmware lists here.
pub(crate) const MAX_IO_APICS: usize = 8;

#[derive(Clone, Copy)]
struct IoApic {
    registers: PhysAddr,
    first_line: u32,
    lines: u32,
}

static IO_APICS: Mutex<[Option<IoApic>; MAX_IO_APICS]> = Mutex::new([None; MAX_IO_APICS]);

impl IoApic {
    fn select(self, register: u32) -> *mut u32 {
        let base = direct::pointer::<u32>(self.registers);
        // SAFETY: the page is an I/O APIC's, as the MADT says, and in the direct map; the lock around all users keeps
        // selection and access together.
        unsafe { base.write_volatile(register) };
        base.wrapping_add(4)
    }
    fn read(self, register: u32) -> u32 {
        let window = self.select(register);
        // SAFETY: the window register of the same page.
        unsafe { window.read_volatile() }
    }
    fn write(self, register: u32, value: u32) {
        let window = self.select(register);
        // SAFETY: the window register of the same page; entries only direct interrupts to vectors that have stubs.
        unsafe { window.write_volatile(value) }
    }
}

/// Takes over the I/O APICs, all lines masked.
pub(crate) fn init(platform: &Platform) {
    let mut all = IO_APICS.lock();
    for (slot, info) in all.iter_mut().zip(platform.io_apics.iter().flatten()) {
        let IoApicInfo {
            registers,
            first_line,
        } = *info;
        let mut found = IoApic {
            registers,
            first_line,
            lines: 0,
        };
        found.lines = (found.read(VERSION) >> 16 & 0xff) + 1;
        for line in 0..found.lines {
            found.write(FIRST_ENTRY + 2 * line, MASKED);
        }
        *slot = Some(found);
    }
}

/// Runs `action` with the I/O APIC of a line and the register of the line's entry.
fn with_line<R>(line: u32, action: impl FnOnce(IoApic, u32) -> R) -> Option<R> {
    let all = IO_APICS.lock();
    let owner = all
        .iter()
        .flatten()
        .find(|apic| line >= apic.first_line && line - apic.first_line < apic.lines)?;
    Some(action(*owner, FIRST_ENTRY + 2 * (line - owner.first_line)))
}

/// Whether some I/O APIC has the line.
pub(crate) fn has_line(line: u32) -> bool {
    with_line(line, |_, _| ()).is_some()
}

/// Directs a line to a vector of this CPU, masked.
pub(crate) fn route(line: u32, vector: u8, trigger: Trigger) {
    let mode = match trigger {
        Trigger::EdgeHigh => 0,
        Trigger::EdgeLow => LOW,
        Trigger::LevelHigh => LEVEL,
        Trigger::LevelLow => LEVEL | LOW,
    };
    with_line(line, |apic, entry| {
        apic.write(entry + 1, lapic::id() << 24);
        apic.write(entry, MASKED | mode | u32::from(vector));
    });
}

/// Whether a line's interrupts are held back.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gate {
    /// They arrive.
    Open,
    /// They are held back.
    Masked,
}

/// Opens or masks a line.
pub(crate) fn set_gate(line: u32, gate: Gate) {
    with_line(line, |apic, entry| {
        let rest = apic.read(entry) & !MASKED;
        apic.write(
            entry,
            if gate == Gate::Masked {
                rest | MASKED
            } else {
                rest
            },
        );
    });
}
