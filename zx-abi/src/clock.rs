//! Clocks and timers.

use crate::wire::{numbers, options, records};

numbers! {
    /// Built-in clocks of `clock_get` and `timer_create` (`ZX_CLOCK_*`).
    ClockId: u32 {
        /// Time since boot.
        Monotonic = 0,
        /// Wall clock.
        Utc = 1,
        /// Running time of the calling thread.
        Thread = 2,
    }
    /// Where slack lies around a deadline (`ZX_TIMER_SLACK_*`).
    TimerSlackMode: u32 {
        /// On both sides.
        Center = 0,
        /// Before.
        Early = 1,
        /// After.
        Late = 2,
    }
}

options! {
    /// Options of `clock_create`, without the version field.
    ClockOptions: u64 {
        /// Never goes backwards.
        MONOTONIC = 1,
        /// Never jumps after the first update.
        CONTINUOUS = 2,
        /// Starts at once, following monotonic time.
        AUTO_START = 4,
    }
    /// Options of `clock_update`, without the version field.
    ClockUpdateOptions: u64 {
        /// `value` counts.
        VALUE_VALID = 1,
        /// `rate_adjust` counts.
        RATE_ADJUST_VALID = 2,
        /// `error_bound` counts.
        ERROR_BOUND_VALID = 4,
    }
}

/// Where clock options carry the version of their argument record.
pub const CLOCK_ARGS_VERSION_SHIFT: u32 = 58;
/// The version field of clock options.
pub const CLOCK_ARGS_VERSION_MASK: u64 = 0x3f << CLOCK_ARGS_VERSION_SHIFT;
/// Error bound that nobody has set.
pub const CLOCK_UNKNOWN_ERROR: u64 = u64::MAX;
/// Largest rate adjustment either way, in parts per million.
pub const CLOCK_RATE_ADJUST_MAX: i32 = 1000;

/// The version field with this version in it.
#[must_use]
pub const fn clock_args_version(version: u8) -> u64 {
    ((version as u64) << CLOCK_ARGS_VERSION_SHIFT) & CLOCK_ARGS_VERSION_MASK
}

records! {
    /// `zx_clock_create_args_v1_t`.
    ClockCreateArgsV1: 8 {
        /// Earliest value the clock may have.
        backstop_time: i64,
    }
    /// `zx_clock_update_args_v1_t`.
    ClockUpdateArgsV1: 24 {
        /// Parts per million.
        rate_adjust: i32,
        /// Zero.
        padding1: [u8; 4],
        /// New value.
        value: i64,
        /// New error bound.
        error_bound: u64,
    }
    /// `zx_clock_rate_t`.
    ClockRate: 8 {
        /// Ticks of the clock ...
        synthetic_ticks: u32,
        /// ... in so many ticks of the reference.
        reference_ticks: u32,
    }
    /// `zx_clock_transformation_t`.
    ClockTransformation: 24 {
        /// Subtracted from the reference.
        reference_offset: i64,
        /// Added after scaling.
        synthetic_offset: i64,
        /// Scale.
        rate: ClockRate,
    }
    /// `zx_clock_details_v1_t`.
    ClockDetailsV1: 112 {
        /// Options of `clock_create`.
        options: u64,
        /// Earliest value the clock may have.
        backstop_time: i64,
        /// From hardware ticks.
        ticks_to_synthetic: ClockTransformation,
        /// From monotonic time.
        mono_to_synthetic: ClockTransformation,
        /// Error bound, or [`CLOCK_UNKNOWN_ERROR`].
        error_bound: u64,
        /// Ticks at this reading.
        query_ticks: i64,
        /// Ticks at the last change of value.
        last_value_update_ticks: i64,
        /// Ticks at the last change of rate.
        last_rate_adjust_update_ticks: i64,
        /// Ticks at the last change of error bound.
        last_error_bounds_update_ticks: i64,
        /// Changes with every update.
        generation_counter: u32,
        /// Zero.
        padding1: [u8; 4],
    }
}
