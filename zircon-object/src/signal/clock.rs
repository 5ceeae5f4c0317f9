//! Clocks: time that programs set, as an affine function of the hardware's ticks.
//!
//! A clock that was not started stands at its backstop. An update replaces the function as a whole; one that only changes the
//! rate keeps the value at the moment of the update. What the rules of a clock forbid leaves it as it was.

use super::clock_line::Line;
use crate::alloc_try::try_arc;
use crate::object::{KernelObject, ObjectBase, TypedObject};
use alloc::sync::Arc;
use kernel_hal::sync::Mutex;
use zx_abi::clock::{ClockDetailsV1, ClockOptions, CLOCK_RATE_ADJUST_MAX, CLOCK_UNKNOWN_ERROR};
use zx_abi::{ObjectType, Signals, ZxError, ZxResult};

/// Wall-clock time at which the monotonic clock read zero, once somebody has set it.
static UTC_OFFSET: Mutex<Option<i64>> = Mutex::new(None);

/// The wall clock of `clock_get`, ns since 1970 once it is set; before that what the firmware said.
pub fn utc() -> i64 {
    let offset = *UTC_OFFSET.lock();
    kernel_hal::time::now().saturating_add(offset.unwrap_or_else(kernel_hal::time::boot_wall_clock))
}

/// Sets how far the wall clock is ahead of the monotonic one.
pub fn set_utc_offset(offset: i64) {
    *UTC_OFFSET.lock() = Some(offset);
}

/// A clock.
pub struct Clock {
    base: ObjectBase,
    options: ClockOptions,
    backstop: i64,
    state: Mutex<State>,
}

#[derive(Clone, Copy)]
struct State {
    started: bool,
    from_ticks: Line,
    from_mono: Line,
    error_bound: u64,
    value_ticks: i64,
    rate_ticks: i64,
    error_ticks: i64,
    generation: u32,
}

/// What an update changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Update {
    /// The new value.
    pub value: Option<i64>,
    /// The new rate, in parts per million faster than the monotonic clock.
    pub rate_adjust: Option<i32>,
    /// The new error bound.
    pub error_bound: Option<u64>,
}

impl Update {
    /// Whether the rate is one that a clock can have. Apart, because it is looked at before the clock is.
    ///
    /// # Errors
    /// - `InvalidArgs`: it is not.
    pub fn check_rate(&self) -> ZxResult {
        match self.rate_adjust {
            Some(rate) if rate.unsigned_abs() > CLOCK_RATE_ADJUST_MAX.unsigned_abs() => {
                Err(ZxError::InvalidArgs)
            }
            _ => Ok(()),
        }
    }
}

impl Clock {
    /// A clock that is at least `backstop`; started only with AUTO_START.
    ///
    /// # Errors
    /// - `InvalidArgs`: CONTINUOUS without MONOTONIC, a negative backstop, or one in the future of a clock that starts.
    /// - `NoMemory`: the kernel heap is exhausted.
    pub fn create(options: ClockOptions, backstop: i64) -> ZxResult<Arc<Self>> {
        if options.contains(ClockOptions::CONTINUOUS) && !options.contains(ClockOptions::MONOTONIC)
            || backstop < 0
        {
            return Err(ZxError::InvalidArgs);
        }
        let started = options.contains(ClockOptions::AUTO_START);
        if started && backstop > kernel_hal::time::now() {
            return Err(ZxError::InvalidArgs);
        }
        let now = if started {
            kernel_hal::time::ticks()
        } else {
            0
        };
        let state = State {
            started,
            from_ticks: if started {
                Line::monotonic()
            } else {
                Line::standing_at(backstop)
            },
            from_mono: if started {
                Line::IDENTITY
            } else {
                Line::standing_at(backstop)
            },
            error_bound: CLOCK_UNKNOWN_ERROR,
            value_ticks: now,
            rate_ticks: now,
            error_ticks: 0,
            generation: 0,
        };
        let signals = if started {
            Signals::CLOCK_STARTED
        } else {
            Signals::empty()
        };
        try_arc(Self {
            base: ObjectBase::new(signals),
            options,
            backstop,
            state: Mutex::new(state),
        })
    }

    /// What it shows now.
    pub fn read(&self) -> i64 {
        let line = self.state.lock().from_ticks;
        line.at(kernel_hal::time::ticks())
    }

    /// Changes it.
    ///
    /// # Errors
    /// - `InvalidArgs`: a value before the backstop, for a running continuous clock, or one that takes a monotonic clock back;
    ///   or a rate out of range.
    /// - `BadState`: it has not been started, and there is no value.
    pub fn update(&self, update: Update) -> ZxResult {
        update.check_rate()?;
        if update.value.is_some_and(|value| value < self.backstop) {
            return Err(ZxError::InvalidArgs);
        }
        let wakes = {
            let mut state = self.state.lock();
            self.check(&state, update)?;
            state.apply(update, kernel_hal::time::ticks());
            self.base
                .signals()
                .change(Signals::empty(), Signals::CLOCK_STARTED)
        };
        wakes.wake();
        Ok(())
    }

    fn check(&self, state: &State, update: Update) -> ZxResult {
        let Some(value) = update.value else {
            return if state.started {
                Ok(())
            } else {
                Err(ZxError::BadState)
            };
        };
        if !state.started {
            return Ok(());
        }
        let backwards = value < state.from_ticks.at(kernel_hal::time::ticks());
        if self.options.contains(ClockOptions::CONTINUOUS)
            || self.options.contains(ClockOptions::MONOTONIC) && backwards
        {
            return Err(ZxError::InvalidArgs);
        }
        Ok(())
    }

    /// Everything about it.
    pub fn details(&self) -> ClockDetailsV1 {
        let state = *self.state.lock();
        ClockDetailsV1 {
            options: self.options.bits(),
            backstop_time: self.backstop,
            ticks_to_synthetic: state.from_ticks.record(),
            mono_to_synthetic: state.from_mono.record(),
            error_bound: state.error_bound,
            query_ticks: kernel_hal::time::ticks(),
            last_value_update_ticks: state.value_ticks,
            last_rate_adjust_update_ticks: state.rate_ticks,
            last_error_bounds_update_ticks: state.error_ticks,
            generation_counter: state.generation,
            padding1: [0; 4],
        }
    }
}

impl State {
    fn apply(&mut self, update: Update, now_ticks: i64) {
        if update.value.is_some() || update.rate_adjust.is_some() {
            let value = update
                .value
                .unwrap_or_else(|| self.from_ticks.at(now_ticks));
            let rate = match update.rate_adjust {
                Some(adjust) => Line::adjusted_rate(adjust),
                None if self.started => self.from_mono.rate(),
                None => Line::IDENTITY.rate(),
            };
            self.from_mono = Line::through(Line::monotonic().at(now_ticks), value, rate);
            self.from_ticks = Line::through(now_ticks, value, Line::monotonic().rate_times(rate));
            self.started = true;
        }
        if update.value.is_some() {
            self.value_ticks = now_ticks;
        }
        if update.rate_adjust.is_some() {
            self.rate_ticks = now_ticks;
        }
        if let Some(error_bound) = update.error_bound {
            self.error_bound = error_bound;
            self.error_ticks = now_ticks;
        }
        self.generation = self.generation.wrapping_add(1);
    }
}

impl KernelObject for Clock {
    fn base(&self) -> &ObjectBase {
        &self.base
    }
    fn object_type(&self) -> ObjectType {
        ObjectType::Clock
    }
}

impl TypedObject for Clock {
    const TYPE: ObjectType = ObjectType::Clock;
}
