//! Clocks and the one-shot timer. Times are nanoseconds on the monotonic clock since boot, as `i64`.

use crate::hal::hal_fn;

/// The time that never comes.
pub const NEVER: i64 = i64::MAX;

/// How user space turns ticks into nanoseconds: `ns = ticks * numerator / denominator`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TickRatio {
    /// Numerator.
    pub numerator: u32,
    /// Denominator, not zero.
    pub denominator: u32,
    /// Ticks in one second.
    pub ticks_per_second: i64,
}

hal_fn! {
    /// Raw ticks (the TSC).
    pub fn ticks as hal_ticks() -> i64;
    /// Nanoseconds since boot; exactly what user space computes from [`ticks`] and [`tick_ratio`].
    pub fn now as hal_now() -> i64;
    /// The ratio between ticks and nanoseconds, measured or taken from CPUID at boot.
    pub fn tick_ratio as hal_tick_ratio() -> TickRatio;
    /// Arms this CPU's one-shot timer for a deadline; [`NEVER`] turns it off. A past deadline fires at once.
    pub fn arm_timer as hal_timer_arm(deadline: i64);
    /// Whether the timer has fired since the last call.
    pub fn take_expiry as hal_timer_take_expiry() -> bool;
    /// Wall-clock time at which the monotonic clock read zero, in nanoseconds since 1970; 0 when unknown.
    pub fn boot_wall_clock as hal_boot_wall_clock() -> i64;
}
