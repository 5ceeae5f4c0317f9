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

/// Runs from one edge of the reference clock to the first that is `ticks` later.
fn measure(reference_hz: u64, ticks: u64, mask: u64, read: impl Fn() -> u64) -> Span {
    lapic::start_countdown();
    let before = read();
    let mut first = read();
    while first == before {
        first = read();
    }
    let (tsc, lapic) = (read_tsc(), lapic::countdown());
    loop {
        let reference = read().wrapping_sub(first) & mask;
        if reference >= ticks {
            let (tsc, lapic) = (read_tsc() - tsc, u64::from(lapic - lapic::countdown()));
            lapic::stop_countdown();
            return Span {
                reference,
                reference_hz,
                tsc,
                lapic,
            };
        }
    }
}

fn read_pm_timer(timer: PmTimer) -> u64 {
    // SAFETY: the port is the PM timer's, as the FADT says; reading has no effect.
    u64::from(unsafe { in32(timer.port) }) & timer.mask
}

/// Channel 2 of the interval timer counts down once; its output shows at port 0x61.
fn measure_by_pit() -> Span {
    const CONTROL: u16 = 0x61;
    let reference = PIT_HZ * WINDOW_MS / 1000;
    let port = |number: u16, value: u8| {
        // SAFETY: the interval timer and its gate affect no memory.
        unsafe { out8(number, value) }
    };
    // SAFETY: the control port is read without effect.
    let control = unsafe { in8(CONTROL) } & !0b11;
    port(CONTROL, control);
    port(0x43, 0b1011_0000);
    let [low, high, ..] = reference.to_le_bytes();
    port(0x42, low);
    port(0x42, high);
    lapic::start_countdown();
    port(CONTROL, control | 1);
    let (tsc, lapic) = (read_tsc(), lapic::countdown());
    // SAFETY: as above.
    while unsafe { in8(CONTROL) } & 0x20 == 0 {}
    let (tsc, lapic) = (read_tsc() - tsc, u64::from(lapic - lapic::countdown()));
    lapic::stop_countdown();
    port(CONTROL, control);
    Span {
        reference,
        reference_hz: PIT_HZ,
        tsc,
        lapic,
    }
}
