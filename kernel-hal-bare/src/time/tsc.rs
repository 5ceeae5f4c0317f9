//! The monotonic clock: TSC ticks times a ratio, the same that user space computes.

use crate::cpu::registers::read_tsc;
use core::arch::asm;
use core::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use kernel_hal::hal_impl;
use kernel_hal::time::TickRatio;

static NUMERATOR: AtomicU32 = AtomicU32::new(1);
static DENOMINATOR: AtomicU32 = AtomicU32::new(1);
static KHZ: AtomicI64 = AtomicI64::new(1_000_000);
static WALL_CLOCK_AT_ZERO: AtomicI64 = AtomicI64::new(0);

/// Sets the frequency; the clock has run since the TSC was zero.
pub(crate) fn init(tsc_hz: u64, unix_seconds: u64, tsc_then: u64) {
    // A ratio of kHz fits into 32 bits for every CPU, and rounding to them is below the error of measurement.
    let khz = u32::try_from((tsc_hz + 500) / 1000)
        .unwrap_or(u32::MAX)
        .max(1);
    let divisor = greatest_common_divisor(1_000_000, khz);
    NUMERATOR.store(1_000_000 / divisor, Ordering::Relaxed);
    DENOMINATOR.store(khz / divisor, Ordering::Relaxed);
    KHZ.store(i64::from(khz), Ordering::Relaxed);
    if unix_seconds != 0 {
        let wall = i64::try_from(unix_seconds)
            .unwrap_or(0)
            .saturating_mul(1_000_000_000);
        WALL_CLOCK_AT_ZERO.store(
            wall.saturating_sub(nanoseconds(tsc_then)),
            Ordering::Relaxed,
        );
    }
}

const fn greatest_common_divisor(mut a: u32, mut b: u32) -> u32 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// `value * factor / divisor` by the CPU's 128-bit product and quotient, or `None` when the result exceeds 64 bits.
#[inline(always)]
fn scale(value: u64, factor: u32, divisor: u32) -> Option<u64> {
    let (low, high) = value.carrying_mul(u64::from(factor), 0);
    let divisor = u64::from(divisor);
    if high >= divisor {
        return None;
    }
    let quotient: u64;
    // SAFETY: the quotient fits, as the upper half is below the divisor, which therefore is not zero.
    unsafe {
        asm!("div {}", in(reg) divisor, inout("rax") low => quotient, inout("rdx") high => _, options(pure, nomem, nostack));
    }
    Some(quotient)
}

#[inline(always)]
fn nanoseconds(ticks: u64) -> i64 {
    let scaled = scale(
        ticks,
        NUMERATOR.load(Ordering::Relaxed),
        DENOMINATOR.load(Ordering::Relaxed),
    );
    scaled
        .and_then(|ns| i64::try_from(ns).ok())
        .unwrap_or(i64::MAX)
}

/// Nanoseconds on the monotonic clock.
#[inline(always)]
pub(crate) fn now() -> i64 {
    nanoseconds(read_tsc())
}

/// The first tick at which the clock reads at least `deadline`.
pub(super) fn ticks_at(deadline: i64) -> u64 {
    let (numerator, denominator) = (
        NUMERATOR.load(Ordering::Relaxed),
        DENOMINATOR.load(Ordering::Relaxed),
    );
    match u64::try_from(deadline) {
        // The floor of the floor may fall short by less than one tick's worth; one more tick makes it never early.
        Ok(ns) => {
            scale(ns, denominator, numerator).map_or(u64::MAX, |ticks| ticks.saturating_add(1))
        }
        Err(_) => 1,
    }
}

hal_impl! {
    kernel_hal::time => fn hal_ticks() -> i64 {
        read_tsc().cast_signed()
    }
    kernel_hal::time => fn hal_now() -> i64 {
        now()
    }
    kernel_hal::time => fn hal_tick_ratio() -> TickRatio {
        TickRatio {
            numerator: NUMERATOR.load(Ordering::Relaxed),
            denominator: DENOMINATOR.load(Ordering::Relaxed),
            ticks_per_second: KHZ.load(Ordering::Relaxed) * 1000,
        }
    }
    kernel_hal::time => fn hal_boot_wall_clock() -> i64 {
        WALL_CLOCK_AT_ZERO.load(Ordering::Relaxed)
    }
}
