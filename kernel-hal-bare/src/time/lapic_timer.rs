//! The one-shot timer of the local APIC: by TSC deadline where the CPU has it, else by a countdown.

use super::tsc::{now, ticks_at};
use crate::cpu::features::features;
use crate::cpu::percpu::current;
use crate::cpu::registers::{msr, write_msr};
use crate::irq::lapic;
use core::sync::atomic::{AtomicU64, Ordering};
use kernel_hal::hal_impl;
use kernel_hal::time::NEVER;

/// Countdown ticks per nanosecond, times 2^32; zero when deadlines are given as TSC values.
static COUNTDOWN_RATE: AtomicU64 = AtomicU64::new(0);

/// Sets the timer up, off.
pub(crate) fn init(lapic_hz: u64) {
    if features().tsc_deadline {
        lapic::set_timer_mode(lapic::TimerMode::TscDeadline);
    } else {
        let rate = (u128::from(lapic_hz) << 32) / 1_000_000_000;
        COUNTDOWN_RATE.store(
            u64::try_from(rate).unwrap_or(u64::MAX).max(1),
            Ordering::Relaxed,
        );
        lapic::set_timer_mode(lapic::TimerMode::OneShot);
    }
}

/// Makes the timer fire at once, whatever it was set to: who serves it sets it anew.
pub(crate) fn fire() {
    kernel_hal::time::arm_timer(now());
}

hal_impl! {
    kernel_hal::time => fn hal_timer_arm(deadline: i64) {
        let rate = COUNTDOWN_RATE.load(Ordering::Relaxed);
        if rate == 0 {
            let ticks = if deadline == NEVER { 0 } else { ticks_at(deadline) };
            // SAFETY: the CPU has the register (`init` asked); zero turns the timer off.
            unsafe { write_msr(msr::TSC_DEADLINE, ticks) };
            return;
        }
        let count = if deadline == NEVER { 0 } else { countdown(deadline, rate) };
        lapic::set_initial_count(count);
    }
    kernel_hal::time => fn hal_timer_take_expiry() -> bool {
        current().timer_fired.replace(false)
    }
}

/// Ticks until the deadline: at least one, and so many that it is over when they are. A deadline beyond the counter's range
/// fires early; whoever armed it sees that it is not due and arms it again.
fn countdown(deadline: i64, rate: u64) -> u32 {
    let left = u64::try_from(deadline.saturating_sub(now())).unwrap_or(0);
    let ticks = (u128::from(left) * u128::from(rate)) >> 32;
    u32::try_from(ticks + 1).unwrap_or(u32::MAX)
}
