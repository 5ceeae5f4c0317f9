//! Clocks against the hosted time: what each kind of clock permits, and what a refused update leaves.

use kernel_hal_hosted::time::ClockGuard;
use zircon_object::object::KernelObject;
use zircon_object::signal::clock::Update;
use zircon_object::signal::Clock;
use zx_abi::clock::{ClockOptions, CLOCK_UNKNOWN_ERROR};
use zx_abi::{Signals, ZxError};

fn held() -> ClockGuard {
    kernel_hal_hosted::init();
    kernel_hal_hosted::time::hold()
}

fn value(value: i64) -> Update {
    Update {
        value: Some(value),
        ..Update::default()
    }
}

#[test]
fn a_clock_stands_at_its_backstop_until_its_first_value() {
    let time = held();
    let clock = Clock::create(ClockOptions::empty(), 50).unwrap();
    time.advance(10);
    assert_eq!(clock.read(), 50);
    assert_eq!(
        clock.update(Update {
            rate_adjust: Some(1),
            ..Update::default()
        }),
        Err(ZxError::BadState)
    );
    assert_eq!(clock.update(value(49)), Err(ZxError::InvalidArgs));
    assert_eq!(clock.base().signals().get(), Signals::empty());
    clock.update(value(1000)).unwrap();
    assert_eq!(clock.base().signals().get(), Signals::CLOCK_STARTED);
    time.advance(10);
    assert_eq!(clock.read(), 1010);
}

#[test]
fn a_rate_goes_on_from_the_value_at_which_it_was_set() {
    let time = held();
    let clock = Clock::create(ClockOptions::empty(), 0).unwrap();
    clock.update(value(0)).unwrap();
    time.advance(1_000_000);
    clock
        .update(Update {
            rate_adjust: Some(-1000),
            ..Update::default()
        })
        .unwrap();
    assert_eq!(clock.read(), 1_000_000);
    time.advance(1_000_000);
    assert_eq!(clock.read(), 1_999_000);
    assert_eq!(
        clock.update(Update {
            rate_adjust: Some(1001),
            ..Update::default()
        }),
        Err(ZxError::InvalidArgs)
    );
    assert_eq!(
        clock.update(Update {
            rate_adjust: Some(i32::MIN),
            ..Update::default()
        }),
        Err(ZxError::InvalidArgs)
    );
}

#[test]
fn a_monotonic_clock_does_not_go_back_and_a_continuous_one_does_not_jump() {
    let time = held();
    let monotonic = Clock::create(ClockOptions::MONOTONIC, 0).unwrap();
    let continuous = Clock::create(ClockOptions::MONOTONIC | ClockOptions::CONTINUOUS, 0).unwrap();
    assert_eq!(
        Clock::create(ClockOptions::CONTINUOUS, 0).err(),
        Some(ZxError::InvalidArgs)
    );
    monotonic.update(value(100)).unwrap();
    continuous.update(value(100)).unwrap();
    time.advance(10);
    let before = monotonic.details();
    assert_eq!(monotonic.update(value(109)), Err(ZxError::InvalidArgs));
    assert_eq!(
        monotonic.details().generation_counter,
        before.generation_counter
    );
    assert_eq!(monotonic.update(value(200)), Ok(()));
    assert_eq!(continuous.update(value(200)), Err(ZxError::InvalidArgs));
    assert_eq!(
        continuous.update(Update {
            error_bound: Some(3),
            ..Update::default()
        }),
        Ok(())
    );
    assert_eq!(
        (before.error_bound, continuous.details().error_bound),
        (CLOCK_UNKNOWN_ERROR, 3)
    );
}

#[test]
fn a_clock_that_starts_by_itself_follows_monotonic_time() {
    let time = held();
    let now = time.advance(5);
    let clock = Clock::create(ClockOptions::AUTO_START, now).unwrap();
    assert_eq!(
        Clock::create(ClockOptions::AUTO_START, now + 1).err(),
        Some(ZxError::InvalidArgs)
    );
    assert_eq!(clock.read(), now);
    assert_eq!(clock.base().signals().get(), Signals::CLOCK_STARTED);
}
