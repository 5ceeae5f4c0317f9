//! A clock that only a test moves, and the timer that goes with it

use crate::machine::lock;
use kernel_hal::hal_impl;
use kernel_hal::time::{TickRatio, NEVER};
use std::sync::{Mutex, MutexGuard};

/// Wall-clock time at which the pretended clock read zero: 2020-06-30, in nanoseconds since 1970.
pub const BOOT_WALL_CLOCK: i64 = 1_593_475_200_000_000_000;

struct Clock {
    now: i64,
    armed: i64,
}

static CLOCK: Mutex<Clock> = Mutex::new(Clock {
    now: 1_000_000_000,
    armed: NEVER,
});
static HOLDER: Mutex<()> = Mutex::new(());

/// Takes the clock: until the guard is dropped no other test moves it. A test that waits for deadlines, or that polls the
/// kernel's static executor or timers, holds it from its first line to its last.
pub fn hold() -> ClockGuard {
    ClockGuard {
        _only: lock(&HOLDER),
    }
}

/// The right to move the clock.
#[derive(Debug)]
#[must_use = "the clock is given up when this is dropped"]
pub struct ClockGuard {
    _only: MutexGuard<'static, ()>,
}

impl ClockGuard {
    /// Lets `ns` nanoseconds pass and returns the time then. Nothing is called: the test serves timers as the kernel would.
    ///
    /// # Panics
    /// When `ns` is negative, or time would overflow.
    #[expect(
        clippy::must_use_candidate,
        reason = "moving the clock is the purpose, the time is a service"
    )]
    pub fn advance(&self, ns: i64) -> i64 {
        assert!(ns >= 0, "time does not run backwards");
        let mut clock = lock(&CLOCK);
        clock.now = clock
            .now
            .checked_add(ns)
            .unwrap_or_else(|| panic!("{ns} ns is past the end of time"));
        clock.now
    }

    /// Sets the time. It never goes back, because timers of other tests are in the same queue.
    ///
    /// # Panics
    /// When `now` is in the past.
    pub fn set_now(&self, now: i64) {
        let mut clock = lock(&CLOCK);
        assert!(now >= clock.now, "time does not run backwards");
        clock.now = now;
    }

    /// The deadline for which the timer is armed, if it is.
    #[must_use]
    pub fn armed(&self) -> Option<i64> {
        let armed = lock(&CLOCK).armed;
        (armed != NEVER).then_some(armed)
    }
}

hal_impl! {
    kernel_hal::time => fn hal_ticks() -> i64 {
        lock(&CLOCK).now
    }
    kernel_hal::time => fn hal_now() -> i64 {
        lock(&CLOCK).now
    }
    kernel_hal::time => fn hal_tick_ratio() -> TickRatio {
        TickRatio { numerator: 1, denominator: 1, ticks_per_second: 1_000_000_000 }
    }
    kernel_hal::time => fn hal_timer_arm(deadline: i64) {
        lock(&CLOCK).armed = deadline;
    }
    kernel_hal::time => fn hal_timer_take_expiry() -> bool {
        let mut clock = lock(&CLOCK);
        let fired = clock.armed != NEVER && clock.armed <= clock.now;
        if fired {
            clock.armed = NEVER;
        }
        fired
    }
    kernel_hal::time => fn hal_boot_wall_clock() -> i64 {
        BOOT_WALL_CLOCK
    }
}
