//! How fast the counters run: told by CPUID, or measured once at boot against a clock of known frequency.

use crate::cpu::cpuid::leaf;
use crate::cpu::registers::{in32, in8, out8, read_tsc};
use crate::dev::acpi::PmTimer;
use crate::irq::lapic;
use core::arch::x86_64::__cpuid_count;

const PM_TIMER_HZ: u64 = 3_579_545;
const PIT_HZ: u64 = 1_193_182;
/// How long to measure. With both ends on an edge of the reference clock 4 ms are good for a few millionths.
const WINDOW_MS: u64 = 4;

/// Ticks per second.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frequencies {
    pub(crate) tsc_hz: u64,
    pub(crate) lapic_hz: u64,
}

/// Finds out both frequencies; the local APIC is on and its timer unused.
pub(crate) fn calibrate(pm_timer: Option<PmTimer>) -> Frequencies {
    let measured = |span: Span| Frequencies {
        tsc_hz: span.per_second(span.tsc),
        lapic_hz: span.per_second(span.lapic),
    };
    let known = told_by_cpuid();
    match (known, pm_timer) {
        (Some((tsc_hz, Some(lapic_hz))), _) => Frequencies { tsc_hz, lapic_hz },
        (Some((tsc_hz, None)), _) => {
            // The TSC is the reference for the APIC then.
            let span = measure(tsc_hz, tsc_hz / 1000, u64::MAX, read_tsc);
            Frequencies {
                tsc_hz,
                lapic_hz: span.per_second(span.lapic),
            }
        }
        (None, Some(timer)) => measured(measure(
            PM_TIMER_HZ,
            PM_TIMER_HZ * WINDOW_MS / 1000,
            timer.mask,
            || read_pm_timer(timer),
        )),
        (None, None) => measured(measure_by_pit()),
    }
}

/// Frequencies of TSC and, where known, local APIC timer.
fn told_by_cpuid() -> Option<(u64, Option<u64>)> {
    let hypervisor = leaf(1, 0).ecx >> 31 == 1;
    if hypervisor && __cpuid_count(0x4000_0000, 0).eax >= 0x4000_0010 {
        let timing = __cpuid_count(0x4000_0010, 0);
        if timing.eax != 0 {
            let lapic = (timing.ebx != 0).then_some(u64::from(timing.ebx) * 1000);
            return Some((u64::from(timing.eax) * 1000, lapic));
        }
    }
    let ratio = leaf(0x15, 0);
    let (denominator, numerator, crystal) = (
        u64::from(ratio.eax),
        u64::from(ratio.ebx),
        u64::from(ratio.ecx),
    );
    if denominator == 0 || numerator == 0 {
        return None;
    }
    if crystal != 0 {
        // The APIC timer runs from the same crystal.
        return Some((crystal * numerator / denominator, Some(crystal)));
    }
    match leaf(0x16, 0).eax & 0xffff {
        0 => None,
        mhz => Some((u64::from(mhz) * 1_000_000, None)),
    }
}

/// What the counters did while the reference clock took `reference` ticks.
#[derive(Clone, Copy)]
struct Span {
    reference: u64,
    reference_hz: u64,
    tsc: u64,
    lapic: u64,
}

impl Span {
    fn per_second(self, ticks: u64) -> u64 {
        let product = u128::from(ticks) * u128::from(self.reference_hz);
        u64::try_from(product / u128::from(self.reference.max(1))).unwrap_or(u64::MAX)
    }
}

/// All three counters at one moment.
#[derive(Clone, Copy)]
struct Moment {
    reference: u64,
    tsc: u64,
    lapic: u32,
}

/// Runs from one moment just behind a tick of the reference clock to one that is about `ticks` later.
fn measure(reference_hz: u64, ticks: u64, mask: u64, read: impl Fn() -> u64) -> Span {
    lapic::start_countdown();
    let first = sharpest_of_several(&read);
    while read().wrapping_sub(first.reference) & mask < ticks {}
    let last = sharpest_of_several(&read);
    lapic::stop_countdown();
    Span {
        reference: last.reference.wrapping_sub(first.reference) & mask,
        reference_hz,
        tsc: last.tsc - first.tsc,
        lapic: u64::from(first.lapic - last.lapic),
    }
}

/// Of the first ticks that are seen, the one that was read in the shortest time: an emulator, a hypervisor or firmware may
/// steal the CPU between reading one counter and the next.
fn sharpest_of_several(read: &impl Fn() -> u64) -> Moment {
    const TICKS: u32 = 8;
    let mut best = Moment {
        reference: 0,
        tsc: 0,
        lapic: 0,
    };
    let mut narrowest = u64::MAX;
    let mut seen = 0;
    let mut previous = read();
    while seen < TICKS {
        let before = read_tsc();
        let reference = read();
        let tsc = read_tsc();
        let lapic = lapic::countdown();
        if reference != previous {
            previous = reference;
            seen += 1;
            if tsc - before < narrowest {
                narrowest = tsc - before;
                best = Moment {
                    reference,
                    tsc,
                    lapic,
                };
            }
        }
    }
    best
}

fn read_pm_timer(timer: PmTimer) -> u64 {
    // SAFETY: the port is the PM timer's, as the FADT says; reading has no effect.
    u64::from(unsafe { in32(timer.port) }) & timer.mask
}

/// Channel 2 of the interval timer counts down from the top of its range.
fn measure_by_pit() -> Span {
    const CONTROL: u16 = 0x61;
    const COMMAND: u16 = 0x43;
    const CHANNEL: u16 = 0x42;
    const RANGE: u64 = 0xffff;
    let write = |port: u16, value: u8| {
        // SAFETY: the interval timer and its gate affect no memory.
        unsafe { out8(port, value) }
    };
    let read = |port: u16| {
        // SAFETY: the ports are read without other effect.
        u64::from(unsafe { in8(port) })
    };
    // SAFETY: the control port is read without effect.
    let control = unsafe { in8(CONTROL) } & !0b11;
    // Gate open, speaker off; count once from 65535, low byte first.
    write(CONTROL, control | 1);
    write(COMMAND, 0b1011_0000);
    write(CHANNEL, 0xff);
    write(CHANNEL, 0xff);
    let span = measure(PIT_HZ, PIT_HZ * WINDOW_MS / 1000, RANGE, || {
        write(COMMAND, 0b1000_0000);
        let low = read(CHANNEL);
        RANGE - (read(CHANNEL) << 8 | low)
    });
    write(CONTROL, control);
    span
}
