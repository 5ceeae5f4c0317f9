//! The local APIC: by MSR (x2APIC) where the CPU has it, else by memory.

use super::vectors::{SPURIOUS_VECTOR, TIMER_VECTOR};
use crate::cpu::features::features;
use crate::cpu::registers::{msr, out8, read_msr, write_msr};
use crate::mm::direct;
use core::sync::atomic::{AtomicU64, Ordering};
use kernel_hal::PhysAddr;

const ID: u32 = 0x20;
const TASK_PRIORITY: u32 = 0x80;
const END_OF_INTERRUPT: u32 = 0xb0;
const SPURIOUS: u32 = 0xf0;
const TIMER: u32 = 0x320;
const LINT0: u32 = 0x350;
const LINT1: u32 = 0x360;
const ERROR: u32 = 0x370;
const INITIAL_COUNT: u32 = 0x380;
const CURRENT_COUNT: u32 = 0x390;
const DIVIDE: u32 = 0x3e0;

const MASKED: u32 = 1 << 16;
const NMI_DELIVERY: u32 = 0b100 << 8;
const SOFTWARE_ENABLE: u32 = 1 << 8;
const DIVIDE_BY_1: u32 = 0b1011;
const BASE_ENABLE: u64 = 1 << 11;
const BASE_X2APIC: u64 = 1 << 10;

/// Physical address of the registers; zero when they are MSRs.
static REGISTERS: AtomicU64 = AtomicU64::new(0);

/// How the timer takes its deadline.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TimerMode {
    /// A count that runs down once.
    OneShot,
    /// A value of the TSC, in an MSR.
    TscDeadline,
}

#[inline(always)]
fn read(register: u32) -> u32 {
    match REGISTERS.load(Ordering::Relaxed) {
        0 => {
            // SAFETY: x2APIC mode is on, so the register exists.
            let value = unsafe { read_msr(msr::X2APIC_FIRST + (register >> 4)) };
            (value & 0xffff_ffff) as u32
        }
        // SAFETY: the address is the APIC's page, in the direct map; the registers used here exist in every APIC.
        base => unsafe {
            direct::pointer::<u32>(PhysAddr(base).add(u64::from(register))).read_volatile()
        },
    }
}

#[inline(always)]
fn write(register: u32, value: u32) {
    match REGISTERS.load(Ordering::Relaxed) {
        // SAFETY: x2APIC mode is on, so the register exists; no register used here makes the APIC write to memory.
        0 => unsafe { write_msr(msr::X2APIC_FIRST + (register >> 4), u64::from(value)) },
        // SAFETY: as for `read`.
        base => unsafe {
            direct::pointer::<u32>(PhysAddr(base).add(u64::from(register))).write_volatile(value)
        },
    }
}

/// Turns the APIC on, everything masked, and the old interrupt controllers off.
pub(crate) fn init(registers: PhysAddr) {
    for (port, value) in [
        (0x20, 0x11),
        (0x21, 0x20),
        (0x21, 4),
        (0x21, 1),
        (0xa0, 0x11),
        (0xa1, 0x28),
        (0xa1, 2),
        (0xa1, 1),
        (0x21, 0xff),
        (0xa1, 0xff),
    ] {
        // SAFETY: the 8259 pair: initialised to vectors that nobody uses, then masked.
        unsafe { out8(port, value) };
    }
    // SAFETY: every 64-bit CPU has the register.
    let base = unsafe { read_msr(msr::APIC_BASE) };
    if features().x2apic {
        // SAFETY: CPUID offers the mode.
        unsafe { write_msr(msr::APIC_BASE, base | BASE_ENABLE | BASE_X2APIC) };
        REGISTERS.store(0, Ordering::Relaxed);
    } else {
        // SAFETY: turns it on where it is.
        unsafe { write_msr(msr::APIC_BASE, base | BASE_ENABLE) };
        REGISTERS.store(registers.0, Ordering::Relaxed);
    }
    write(TIMER, MASKED | u32::from(TIMER_VECTOR));
    write(LINT0, MASKED);
    write(LINT1, NMI_DELIVERY);
    write(ERROR, MASKED | u32::from(SPURIOUS_VECTOR));
    write(TASK_PRIORITY, 0);
    write(SPURIOUS, SOFTWARE_ENABLE | u32::from(SPURIOUS_VECTOR));
    write(END_OF_INTERRUPT, 0);
}

/// This APIC's identifier, for routing lines to it.
pub(crate) fn id() -> u32 {
    match REGISTERS.load(Ordering::Relaxed) {
        0 => read(ID),
        _ => read(ID) >> 24,
    }
}

/// The interrupt has been served.
#[inline(always)]
pub(crate) fn end_of_interrupt() {
    write(END_OF_INTERRUPT, 0);
}

/// Sets the timer's mode, off.
pub(crate) fn set_timer_mode(mode: TimerMode) {
    let bits = match mode {
        TimerMode::OneShot => 0,
        TimerMode::TscDeadline => 0b10 << 17,
    };
    write(DIVIDE, DIVIDE_BY_1);
    write(INITIAL_COUNT, 0);
    write(TIMER, bits | u32::from(TIMER_VECTOR));
}

/// Starts the one-shot timer; zero stops it.
#[inline(always)]
pub(crate) fn set_initial_count(count: u32) {
    write(INITIAL_COUNT, count);
}

/// Starts a countdown without interrupt, to be measured.
pub(crate) fn start_countdown() {
    write(TIMER, MASKED | u32::from(TIMER_VECTOR));
    write(DIVIDE, DIVIDE_BY_1);
    write(INITIAL_COUNT, u32::MAX);
}

/// What is left of the countdown.
pub(crate) fn countdown() -> u32 {
    read(CURRENT_COUNT)
}

/// Ends the countdown.
pub(crate) fn stop_countdown() {
    write(INITIAL_COUNT, 0);
}
