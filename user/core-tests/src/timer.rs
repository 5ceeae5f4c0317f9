//! Timers.

use alloc::vec::Vec;

use libzx::{AsHandle, Event, Handle, Port, Rights, Signals, Timer};
use zx_abi::info::{InfoTopic, TimerInfo};
use zx_abi::syscalls::SyscallId;
use zx_abi::ObjectType;

use crate::check::{check, check_eq, fail, fails, home_only, ok, suite, Case};
use crate::memory::{arg, call, Scratch};
use crate::world::{in_ms, rights_of, soon, World};

suite! {
    "Timer":
    new_ones_are_not_signaled,
    only_the_monotonic_clock_and_three_slack_modes_exist,
    it_fires_after_its_deadline_and_not_before,
    a_passed_deadline_fires_at_once,
    it_stays_signaled_until_cancelled,
    setting_again_replaces_the_deadline,
    cancel_keeps_it_from_firing,
    negative_slack_is_out_of_range_before_anything_else,
    setting_and_cancelling_need_the_right,
    it_takes_user_signals,
    its_state_is_told,
    early_slack_may_fire_before_the_deadline_and_late_may_not,
    timers_fire_in_the_order_of_their_deadlines,
    a_closed_one_cancels_its_waiter,
}

fn new_ones_are_not_signaled(_: &World) -> Case {
    let timer = ok!(Timer::create(0));
    check_eq!(
        ok!(rights_of(&timer)),
        Rights::default_for(ObjectType::Timer)
    );
    check_eq!(ok!(timer.signals_now(Signals::all())), Signals::empty());
    Ok(())
}

fn only_the_monotonic_clock_and_three_slack_modes_exist(_: &World) -> Case {
    let result = ok!(Scratch::new());
    for clock in [1, 2, 3] {
        fails!(
            call(SyscallId::TimerCreate, &[0, clock, result.address()]),
            InvalidArgs
        );
    }
    for options in 0..3 {
        ok!(Timer::create(options));
    }
    fails!(Timer::create(3), InvalidArgs);
    fails!(Timer::create(1 << 31), InvalidArgs);
    Ok(())
}

fn it_fires_after_its_deadline_and_not_before(_: &World) -> Case {
    let timer = ok!(Timer::create(0));
    for milliseconds in [1, 5, 10] {
        let deadline = in_ms(milliseconds);
        ok!(timer.set(deadline, 0));
        check_eq!(
            ok!(timer.wait_one(Signals::TIMER_SIGNALED, soon())),
            Signals::TIMER_SIGNALED
        );
        check!(libzx::time::now() >= deadline);
    }
    Ok(())
}

fn a_passed_deadline_fires_at_once(_: &World) -> Case {
    let timer = ok!(Timer::create(0));
    for deadline in [0, -1, i64::MIN, libzx::time::now()] {
        ok!(timer.set(deadline, 0));
        check_eq!(
            ok!(timer.signals_now(Signals::all())),
            Signals::TIMER_SIGNALED
        );
    }
    Ok(())
}

fn it_stays_signaled_until_cancelled(_: &World) -> Case {
    let timer = ok!(Timer::create(0));
    ok!(timer.set(0, 0));
    for _ in 0..2 {
        ok!(timer.wait_one(Signals::TIMER_SIGNALED, 0));
    }
    ok!(timer.cancel());
    check_eq!(ok!(timer.signals_now(Signals::all())), Signals::empty());
    ok!(timer.cancel());
    Ok(())
}

fn setting_again_replaces_the_deadline(_: &World) -> Case {
    let timer = ok!(Timer::create(0));
    ok!(timer.set(in_ms(2), 0));
    ok!(timer.set(soon(), 0));
    fails!(timer.wait_one(Signals::TIMER_SIGNALED, in_ms(10)), TimedOut);
    ok!(timer.set(0, 0));
    ok!(timer.set(soon(), 0));
    check_eq!(ok!(timer.signals_now(Signals::all())), Signals::empty());
    ok!(timer.set(in_ms(1), 0));
    ok!(timer.wait_one(Signals::TIMER_SIGNALED, soon()));
    Ok(())
}

fn cancel_keeps_it_from_firing(_: &World) -> Case {
    let timer = ok!(Timer::create(0));
    ok!(timer.set(in_ms(2), 0));
    ok!(timer.cancel());
    fails!(timer.wait_one(Signals::TIMER_SIGNALED, in_ms(10)), TimedOut);
    Ok(())
}

fn negative_slack_is_out_of_range_before_anything_else(_: &World) -> Case {
    let timer = ok!(Timer::create(0));
    fails!(timer.set(0, -1), OutOfRange);
    check_eq!(ok!(timer.signals_now(Signals::all())), Signals::empty());
    fails!(call(SyscallId::TimerSet, &[0, 0, usize::MAX]), OutOfRange);
    ok!(timer.set(0, i64::MAX));
    Ok(())
}

fn setting_and_cancelling_need_the_right(_: &World) -> Case {
    let timer = ok!(ok!(Timer::create(0)).replace(Rights::BASIC));
    fails!(timer.set(0, 0), AccessDenied);
    fails!(timer.cancel(), AccessDenied);
    let event = Timer::from(Handle::from(ok!(Event::create())));
    fails!(event.set(0, 0), WrongType);
    fails!(call(SyscallId::TimerCancel, &[arg(&event)]), WrongType);
    Ok(())
}

fn it_takes_user_signals(_: &World) -> Case {
    let timer = ok!(Timer::create(0));
    ok!(timer.signal(Signals::empty(), Signals::USER_0));
    fails!(
        timer.signal(Signals::empty(), Signals::SIGNALED),
        InvalidArgs
    );
    ok!(timer.set(0, 0));
    check_eq!(
        ok!(timer.signals_now(Signals::all())),
        Signals::USER_0 | Signals::TIMER_SIGNALED
    );
    Ok(())
}

fn its_state_is_told(world: &World) -> Case {
    home_only!(world);
    let timer = ok!(Timer::create(2));
    let unset: TimerInfo = ok!(timer.get_info(InfoTopic::Timer));
    check_eq!((unset.options, unset.deadline, unset.slack), (2, 0, 0));
    let deadline = soon();
    ok!(timer.set(deadline, 5_000));
    let set: TimerInfo = ok!(timer.get_info(InfoTopic::Timer));
    check_eq!((set.deadline, set.slack), (deadline, 5_000));
    ok!(timer.cancel());
    let cancelled: TimerInfo = ok!(timer.get_info(InfoTopic::Timer));
    check_eq!(cancelled.deadline, 0);
    Ok(())
}

fn early_slack_may_fire_before_the_deadline_and_late_may_not(_: &World) -> Case {
    let slack = 4_000_000;
    for (mode, earliest) in [(0, -slack), (1, -slack), (2, 0)] {
        let timer = ok!(Timer::create(mode));
        let deadline = in_ms(10);
        ok!(timer.set(deadline, slack));
        ok!(timer.wait_one(Signals::TIMER_SIGNALED, soon()));
        check!(libzx::time::now() >= deadline + earliest);
    }
    Ok(())
}

/// How often something is tried that a busy host may hold up.
const ATTEMPTS: usize = 20;

fn timers_fire_in_the_order_of_their_deadlines(_: &World) -> Case {
    for _ in 0..ATTEMPTS {
        let port = ok!(Port::create());
        let first = in_ms(10);
        let mut timers = Vec::new();
        for key in [3, 1, 4, 2] {
            let timer = ok!(Timer::create(0));
            ok!(timer.wait_async(&port, key, Signals::TIMER_SIGNALED, 0));
            let after = i64::try_from(key - 1).unwrap_or(0) * 5_000_000;
            ok!(timer.set(first + after, 0));
            timers.push(timer);
        }
        if libzx::time::now() < first {
            for key in 1..=4 {
                check_eq!(ok!(port.wait(soon())).key, key);
            }
            return Ok(());
        }
    }
    fail!("four timers were never set within 10 ms")
}

fn a_closed_one_cancels_its_waiter(_: &World) -> Case {
    for _ in 0..ATTEMPTS {
        let port = ok!(Port::create());
        let timer = ok!(Timer::create(0));
        let deadline = in_ms(5);
        ok!(timer.wait_async(&port, 1, Signals::TIMER_SIGNALED, 0));
        ok!(timer.set(deadline, 0));
        drop(timer);
        if libzx::time::now() < deadline {
            fails!(port.wait(deadline + 6_000_000), TimedOut);
            return Ok(());
        }
    }
    fail!("a timer was never closed within 5 ms")
}
