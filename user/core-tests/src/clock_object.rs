//! Clock objects: time that programs set.

use libzx::{time, AsHandle, Event, Handle, Rights, Signals, Unowned, ZxResult};
use zx_abi::clock::{
    clock_args_version, ClockCreateArgsV1, ClockDetailsV1, ClockUpdateArgsV1, CLOCK_UNKNOWN_ERROR,
};
use zx_abi::syscalls::SyscallId;
use zx_abi::ObjectType;

use crate::check::{check, check_eq, fails, needs, ok, suite, Case};
use crate::memory::{arg, call, Scratch, BAD_ADDRESSES};
use crate::world::{basic_info, in_ms, sleep_ms, soon, World};

suite! {
    "Clock":
    new_ones_have_the_usual_rights_and_stand_still,
    new_ones_stand_at_their_backstop,
    one_that_starts_itself_follows_the_monotonic_clock,
    creation_refuses_unknown_options,
    creation_refuses_arguments_that_do_not_fit_the_version,
    continuous_ones_must_be_monotonic,
    a_backstop_must_not_be_negative,
    one_that_starts_itself_needs_a_backstop_in_the_past,
    bad_creation_pointers_are_refused,
    the_first_value_starts_it,
    a_waiter_sees_the_start,
    the_first_update_needs_a_value,
    a_value_before_the_backstop_is_refused,
    a_plain_one_can_go_back,
    a_monotonic_one_cannot_go_back,
    a_continuous_one_cannot_jump,
    the_rate_shows,
    a_change_of_rate_keeps_the_value,
    rates_out_of_range_are_refused,
    the_error_bound_is_kept,
    each_update_has_a_generation,
    a_failed_update_changes_nothing,
    the_transformations_agree_with_the_readings,
    update_refuses_no_and_unknown_options,
    details_need_their_version,
    bad_pointers_are_refused,
    reading_and_updating_need_rights,
    other_objects_have_the_wrong_type,
    clock_update_checks_options_before_the_handle,
    clock_update_checks_the_rate_before_the_handle,
    clock_update_checks_the_handle_before_the_backstop,
    clock_get_details_checks_options_before_the_handle,
    clock_read_checks_the_handle_before_the_pointer,
}

const MONOTONIC: u64 = 1;
const CONTINUOUS: u64 = 2;
const AUTO_START: u64 = 4;

const VALUE: u64 = 1;
const RATE: u64 = 2;
const ERROR_BOUND: u64 = 4;

/// Options as an argument.
fn word(options: u64) -> usize {
    usize::try_from(options).unwrap_or(usize::MAX)
}

/// A clock without a backstop.
fn clock(options: u64) -> ZxResult<Handle> {
    let page = Scratch::new()?;
    call(SyscallId::ClockCreate, &[word(options), 0, page.address()])?;
    Ok(Handle::from_raw(page.u32(0)))
}

fn with_backstop(options: u64, backstop_time: i64) -> ZxResult<Handle> {
    let mut page = Scratch::new()?;
    page.put(0, &ClockCreateArgsV1 { backstop_time });
    let options = word(options | clock_args_version(1));
    let at = page.address();
    call(SyscallId::ClockCreate, &[options, at, at + 64])?;
    Ok(Handle::from_raw(page.u32(64)))
}

fn read(clock: &impl AsHandle) -> ZxResult<i64> {
    let page = Scratch::new()?;
    call(SyscallId::ClockRead, &[arg(clock), page.address()])?;
    Ok(page.get(0))
}

fn details(clock: &impl AsHandle) -> ZxResult<ClockDetailsV1> {
    let page = Scratch::new()?;
    let args = [arg(clock), word(clock_args_version(1)), page.address()];
    call(SyscallId::ClockGetDetails, &args)?;
    Ok(page.get(0))
}

fn update(clock: &impl AsHandle, options: u64, args: ClockUpdateArgsV1) -> ZxResult {
    let mut page = Scratch::new()?;
    page.put(0, &args);
    let options = word(options | clock_args_version(1));
    call(
        SyscallId::ClockUpdate,
        &[arg(clock), options, page.address()],
    )
}

fn set(clock: &impl AsHandle, value: i64) -> ZxResult {
    let args = ClockUpdateArgsV1 {
        value,
        ..ClockUpdateArgsV1::default()
    };
    update(clock, VALUE, args)
}

fn set_rate(clock: &impl AsHandle, rate_adjust: i32) -> ZxResult {
    let args = ClockUpdateArgsV1 {
        rate_adjust,
        ..ClockUpdateArgsV1::default()
    };
    update(clock, RATE, args)
}

fn set_error_bound(clock: &impl AsHandle, error_bound: u64) -> ZxResult {
    let args = ClockUpdateArgsV1 {
        error_bound,
        ..ClockUpdateArgsV1::default()
    };
    update(clock, ERROR_BOUND, args)
}

fn state(clock: &Handle) -> ZxResult<Signals> {
    clock.signals_now(Signals::all())
}

fn new_ones_have_the_usual_rights_and_stand_still(_: &World) -> Case {
    needs!(ClockCreate);
    let clock = ok!(clock(0));
    let info = ok!(basic_info(&clock));
    check_eq!(info.kind, ObjectType::Clock.raw());
    check_eq!(info.rights, Rights::default_for(ObjectType::Clock));
    check_eq!(ok!(state(&clock)), Signals::empty());
    check_eq!(ok!(read(&clock)), 0);
    sleep_ms(1);
    check_eq!(ok!(read(&clock)), 0);
    Ok(())
}

fn new_ones_stand_at_their_backstop(_: &World) -> Case {
    needs!(ClockCreate);
    for backstop in [0, 1, 123_456_789, i64::MAX] {
        let clock = ok!(with_backstop(MONOTONIC, backstop));
        check_eq!(ok!(read(&clock)), backstop);
        let details = ok!(details(&clock));
        check_eq!(details.backstop_time, backstop);
        check_eq!(details.options & 7, MONOTONIC);
        check_eq!(details.error_bound, CLOCK_UNKNOWN_ERROR);
        check_eq!(details.last_value_update_ticks, 0);
    }
    Ok(())
}

fn one_that_starts_itself_follows_the_monotonic_clock(_: &World) -> Case {
    needs!(ClockCreate);
    for more in [0, MONOTONIC, MONOTONIC | CONTINUOUS] {
        let clock = ok!(clock(AUTO_START | more));
        check_eq!(ok!(state(&clock)), Signals::CLOCK_STARTED);
        let before = time::now();
        let between = ok!(read(&clock));
        // The two roundings may differ by a tick.
        check!(before - 1000 <= between && between <= time::now() + 1000);
    }
    Ok(())
}

fn creation_refuses_unknown_options(_: &World) -> Case {
    needs!(ClockCreate);
    for options in [8, 16, 1 << 31, 1 << 57] {
        fails!(clock(options), InvalidArgs);
        fails!(with_backstop(options, 0), InvalidArgs);
    }
    Ok(())
}

fn creation_refuses_arguments_that_do_not_fit_the_version(_: &World) -> Case {
    needs!(ClockCreate);
    let page = ok!(Scratch::new());
    let at = page.address();
    for (version, args) in [(0, at), (1, 0), (2, 0), (2, at), (63, at)] {
        let options = word(clock_args_version(version));
        fails!(
            call(SyscallId::ClockCreate, &[options, args, at + 64]),
            InvalidArgs
        );
    }
    Ok(())
}

fn continuous_ones_must_be_monotonic(_: &World) -> Case {
    needs!(ClockCreate);
    fails!(clock(CONTINUOUS), InvalidArgs);
    fails!(clock(CONTINUOUS | AUTO_START), InvalidArgs);
    ok!(clock(CONTINUOUS | MONOTONIC));
    Ok(())
}

fn a_backstop_must_not_be_negative(_: &World) -> Case {
    needs!(ClockCreate);
    fails!(with_backstop(0, -1), InvalidArgs);
    fails!(with_backstop(AUTO_START, i64::MIN), InvalidArgs);
    Ok(())
}

fn one_that_starts_itself_needs_a_backstop_in_the_past(_: &World) -> Case {
    needs!(ClockCreate);
    fails!(with_backstop(AUTO_START, soon()), InvalidArgs);
    ok!(with_backstop(AUTO_START, time::now()));
    Ok(())
}

fn bad_creation_pointers_are_refused(_: &World) -> Case {
    needs!(ClockCreate);
    let page = ok!(Scratch::new());
    let versioned = word(clock_args_version(1));
    for bad in BAD_ADDRESSES {
        fails!(call(SyscallId::ClockCreate, &[0, 0, bad]), InvalidArgs);
        fails!(
            call(SyscallId::ClockCreate, &[versioned, bad, page.address()]),
            InvalidArgs
        );
    }
    Ok(())
}

fn the_first_value_starts_it(_: &World) -> Case {
    needs!(ClockCreate);
    let clock = ok!(clock(0));
    ok!(set(&clock, 1_000_000));
    check_eq!(ok!(state(&clock)), Signals::CLOCK_STARTED);
    let first = ok!(read(&clock));
    check!((1_000_000..1_000_000_000_000).contains(&first));
    sleep_ms(2);
    check!(ok!(read(&clock)) >= first + 2_000_000);
    check!(ok!(details(&clock)).last_value_update_ticks > 0);
    Ok(())
}

fn a_waiter_sees_the_start(_: &World) -> Case {
    needs!(ClockCreate);
    let clock = ok!(clock(0));
    let copy = ok!(clock.duplicate_handle(Rights::SAME_RIGHTS));
    fails!(clock.wait_one(Signals::CLOCK_STARTED, in_ms(1)), TimedOut);
    let starter = ok!(libzx::thread::spawn("starter", move || {
        sleep_ms(2);
        let _ = set(&copy, 5);
    }));
    ok!(clock.wait_one(Signals::CLOCK_STARTED, soon()));
    ok!(starter.join());
    Ok(())
}

fn the_first_update_needs_a_value(_: &World) -> Case {
    needs!(ClockCreate);
    let clock = ok!(clock(MONOTONIC));
    fails!(set_rate(&clock, 10), BadState);
    fails!(set_error_bound(&clock, 10), BadState);
    check_eq!(ok!(state(&clock)), Signals::empty());
    ok!(set(&clock, 5));
    ok!(set_rate(&clock, 10));
    Ok(())
}

fn a_value_before_the_backstop_is_refused(_: &World) -> Case {
    needs!(ClockCreate);
    let clock = ok!(with_backstop(0, 1000));
    fails!(set(&clock, 999), InvalidArgs);
    fails!(set(&clock, -1), InvalidArgs);
    check_eq!(ok!(state(&clock)), Signals::empty());
    ok!(set(&clock, 1000));
    fails!(set(&clock, 999), InvalidArgs);
    Ok(())
}

fn a_plain_one_can_go_back(_: &World) -> Case {
    needs!(ClockCreate);
    let clock = ok!(clock(0));
    let late = 1_000_000_000_000_000;
    ok!(set(&clock, late));
    ok!(set(&clock, 7));
    check!((7..late).contains(&ok!(read(&clock))));
    Ok(())
}

fn a_monotonic_one_cannot_go_back(_: &World) -> Case {
    needs!(ClockCreate);
    let clock = ok!(clock(MONOTONIC));
    let late = 1_000_000_000_000_000;
    ok!(set(&clock, late));
    fails!(set(&clock, late - 1), InvalidArgs);
    fails!(set(&clock, 0), InvalidArgs);
    check!(ok!(read(&clock)) >= late);
    ok!(set(&clock, 2 * late));
    check!(ok!(read(&clock)) >= 2 * late);
    Ok(())
}

fn a_continuous_one_cannot_jump(_: &World) -> Case {
    needs!(ClockCreate);
    let clock = ok!(clock(MONOTONIC | CONTINUOUS));
    ok!(set(&clock, 1000));
    fails!(set(&clock, 1_000_000_000_000_000), InvalidArgs);
    fails!(set(&clock, 1), InvalidArgs);
    ok!(set_rate(&clock, -100));
    Ok(())
}

fn the_rate_shows(_: &World) -> Case {
    needs!(ClockCreate);
    let clock = ok!(clock(0));
    ok!(set(&clock, 0));
    let ratio = |clock: &Handle| {
        details(clock).map(|details| {
            let rate = details.mono_to_synthetic.rate;
            i64::from(rate.synthetic_ticks) * 1_000_000 / i64::from(rate.reference_ticks.max(1))
        })
    };
    check_eq!(ok!(ratio(&clock)), 1_000_000);
    for rate in [-1000, -1, 0, 1, 1000] {
        ok!(set_rate(&clock, rate));
        check_eq!(ok!(ratio(&clock)), 1_000_000 + i64::from(rate));
    }
    Ok(())
}

fn a_change_of_rate_keeps_the_value(_: &World) -> Case {
    needs!(ClockCreate);
    let clock = ok!(clock(MONOTONIC | CONTINUOUS));
    ok!(set(&clock, 0));
    let mut last = ok!(read(&clock));
    for rate in [1000, -1000, 500, 0] {
        ok!(set_rate(&clock, rate));
        let now = ok!(read(&clock));
        check!(now >= last && now < last + 1_000_000_000);
        last = now;
    }
    Ok(())
}

fn rates_out_of_range_are_refused(_: &World) -> Case {
    needs!(ClockCreate);
    let clock = ok!(clock(AUTO_START));
    for rate in [1001, -1001, i32::MIN, i32::MAX] {
        fails!(set_rate(&clock, rate), InvalidArgs);
    }
    ok!(set_rate(&clock, 1000));
    ok!(set_rate(&clock, -1000));
    Ok(())
}

fn the_error_bound_is_kept(_: &World) -> Case {
    needs!(ClockCreate);
    let clock = ok!(clock(AUTO_START));
    check_eq!(ok!(details(&clock)).error_bound, CLOCK_UNKNOWN_ERROR);
    for bound in [0, 12_345, CLOCK_UNKNOWN_ERROR] {
        let before = ok!(details(&clock));
        ok!(set_error_bound(&clock, bound));
        let after = ok!(details(&clock));
        check_eq!(after.error_bound, bound);
        check!(after.last_error_bounds_update_ticks >= before.query_ticks);
        check_eq!(
            after.last_value_update_ticks,
            before.last_value_update_ticks
        );
    }
    Ok(())
}

fn each_update_has_a_generation(_: &World) -> Case {
    needs!(ClockCreate);
    let clock = ok!(clock(0));
    let mut last = ok!(details(&clock)).generation_counter;
    check_eq!(ok!(details(&clock)).generation_counter, last);
    for value in [5, 6] {
        ok!(set(&clock, value));
        let now = ok!(details(&clock)).generation_counter;
        check!(now != last);
        last = now;
    }
    Ok(())
}

fn a_failed_update_changes_nothing(_: &World) -> Case {
    needs!(ClockCreate);
    let clock = ok!(clock(MONOTONIC | CONTINUOUS));
    ok!(set(&clock, 1000));
    let before = ok!(details(&clock));
    let args = ClockUpdateArgsV1 {
        rate_adjust: 500,
        value: 1_000_000_000,
        error_bound: 3,
        ..ClockUpdateArgsV1::default()
    };
    fails!(
        update(&clock, VALUE | RATE | ERROR_BOUND, args),
        InvalidArgs
    );
    let after = ok!(details(&clock));
    let same = ClockDetailsV1 {
        query_ticks: before.query_ticks,
        ..after
    };
    check!(same == before);
    Ok(())
}

fn the_transformations_agree_with_the_readings(_: &World) -> Case {
    needs!(ClockCreate);
    let clock = ok!(clock(0));
    ok!(set(&clock, 1_000_000_000));
    ok!(set_rate(&clock, 250));
    let details = ok!(details(&clock));
    let line = details.ticks_to_synthetic;
    let at = |reference: i64| {
        let passed = i128::from(reference) - i128::from(line.reference_offset);
        let scaled = passed * i128::from(line.rate.synthetic_ticks)
            / i128::from(line.rate.reference_ticks.max(1));
        scaled + i128::from(line.synthetic_offset)
    };
    let before = at(details.query_ticks);
    let now = i128::from(ok!(read(&clock)));
    check!(before - 10 <= now && now <= before + 1_000_000_000);
    Ok(())
}

fn update_refuses_no_and_unknown_options(_: &World) -> Case {
    needs!(ClockCreate);
    let clock = ok!(clock(0));
    let mut page = ok!(Scratch::new());
    page.put(0, &ClockUpdateArgsV1::default());
    let version = clock_args_version(1);
    for options in [version, version | 8, version | VALUE | 1 << 40, VALUE] {
        let args = [arg(&clock), word(options), page.address()];
        fails!(call(SyscallId::ClockUpdate, &args), InvalidArgs);
    }
    let future = word(clock_args_version(2) | VALUE);
    let args = [arg(&clock), future, page.address()];
    fails!(call(SyscallId::ClockUpdate, &args), InvalidArgs);
    check_eq!(ok!(state(&clock)), Signals::empty());
    Ok(())
}

fn details_need_their_version(_: &World) -> Case {
    needs!(ClockCreate);
    let clock = ok!(clock(0));
    let page = ok!(Scratch::new());
    for options in [0, 1, clock_args_version(2), clock_args_version(1) | 1] {
        let args = [arg(&clock), word(options), page.address()];
        fails!(call(SyscallId::ClockGetDetails, &args), InvalidArgs);
    }
    Ok(())
}

fn bad_pointers_are_refused(_: &World) -> Case {
    needs!(ClockCreate);
    let clock = ok!(clock(0));
    let version = word(clock_args_version(1));
    let set_value = word(clock_args_version(1) | VALUE);
    for bad in BAD_ADDRESSES {
        fails!(call(SyscallId::ClockRead, &[arg(&clock), bad]), InvalidArgs);
        fails!(
            call(SyscallId::ClockGetDetails, &[arg(&clock), version, bad]),
            InvalidArgs
        );
        fails!(
            call(SyscallId::ClockUpdate, &[arg(&clock), set_value, bad]),
            InvalidArgs
        );
    }
    check_eq!(ok!(state(&clock)), Signals::empty());
    Ok(())
}

fn reading_and_updating_need_rights(_: &World) -> Case {
    needs!(ClockCreate);
    let clock = ok!(clock(0));
    let reader = ok!(clock.duplicate_handle(Rights::READ));
    let writer = ok!(clock.duplicate_handle(Rights::WRITE));
    fails!(set(&reader, 5), AccessDenied);
    fails!(read(&writer), AccessDenied);
    fails!(details(&writer), AccessDenied);
    ok!(set(&writer, 5));
    check!(ok!(read(&reader)) >= 5);
    Ok(())
}

fn other_objects_have_the_wrong_type(_: &World) -> Case {
    needs!(ClockCreate);
    let event = ok!(Event::create());
    fails!(read(&event), WrongType);
    fails!(details(&event), WrongType);
    fails!(set(&event, 5), WrongType);
    fails!(read(&Unowned(0)), BadHandle);
    fails!(details(&Unowned(0)), BadHandle);
    fails!(set(&Unowned(0), 5), BadHandle);
    Ok(())
}

fn clock_update_checks_options_before_the_handle(_: &World) -> Case {
    needs!(ClockCreate);
    fails!(
        update(&Unowned(0), 0, ClockUpdateArgsV1::default()),
        InvalidArgs
    );
    fails!(call(SyscallId::ClockUpdate, &[0, 1, 0]), InvalidArgs);
    Ok(())
}

fn clock_update_checks_the_rate_before_the_handle(_: &World) -> Case {
    needs!(ClockCreate);
    fails!(set_rate(&Unowned(0), 1001), InvalidArgs);
    Ok(())
}

fn clock_update_checks_the_handle_before_the_backstop(_: &World) -> Case {
    needs!(ClockCreate);
    let clock = ok!(with_backstop(0, 1000));
    let reader = ok!(clock.duplicate_handle(Rights::READ));
    fails!(set(&reader, 1), AccessDenied);
    Ok(())
}

fn clock_get_details_checks_options_before_the_handle(_: &World) -> Case {
    needs!(ClockCreate);
    fails!(call(SyscallId::ClockGetDetails, &[0, 0, 0]), InvalidArgs);
    let version = word(clock_args_version(1));
    fails!(
        call(SyscallId::ClockGetDetails, &[0, version, 0]),
        InvalidArgs
    );
    Ok(())
}

fn clock_read_checks_the_handle_before_the_pointer(_: &World) -> Case {
    needs!(ClockCreate);
    fails!(call(SyscallId::ClockRead, &[0, 0]), BadHandle);
    Ok(())
}
