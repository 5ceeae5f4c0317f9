//! The one-shot timer: never early, seldom late, once for each time it is armed; and a clock that never goes back.
#![no_std]
#![no_main]

extern crate alloc;

mod support;

use alloc::vec::Vec;
use boot_info::BootInfo;
use kernel_hal::{cpu, time};

const US: i64 = 1000;
const MS: i64 = 1_000_000;
/// How late a timer may fire under an emulator on an otherwise idle host.
const LATE: i64 = 2 * MS;

#[no_mangle]
unsafe extern "C" fn kernel_main(boot_info: *const BootInfo) -> ! {
    // SAFETY: called once by the entry code, with what rboot passed.
    unsafe {
        support::run(
            boot_info,
            &[
                ("a_deadline_is_never_early_and_seldom_late", lateness),
                ("many_short_deadlines_all_fire", short),
                ("a_timer_fires_once", once),
                ("arming_again_replaces_the_deadline", replaced),
                ("an_expiry_in_kernel_code_waits_for_the_window", held_back),
                ("never_and_the_far_future_stay_away", far),
                ("the_clock_never_goes_back", monotonic),
                ("time_passes_while_the_cpu_idles", idling),
            ],
        )
    }
}

/// Idles until the timer has fired; returns the time then.
fn idle_until_expiry() -> i64 {
    while !time::take_expiry() {
        cpu::idle();
    }
    time::now()
}

/// Serves interrupts for a while; returns whether the timer fired.
fn fires_within(length: i64) -> bool {
    let end = time::now() + length;
    let mut fired = false;
    while time::now() < end {
        cpu::interrupt_window();
        fired |= time::take_expiry();
    }
    fired
}

fn lateness() {
    for length in [50 * US, 300 * US, MS, 3 * MS, 10 * MS, 40 * MS] {
        let mut delays: Vec<i64> = (0..9)
            .map(|_| {
                let deadline = time::now() + length;
                time::arm_timer(deadline);
                idle_until_expiry() - deadline
            })
            .collect();
        delays.sort_unstable();
        assert!(delays[0] >= 0, "early by {} ns of {length}", -delays[0]);
        // The host may take the CPU away now and then: the better half counts.
        assert!(delays[4] <= LATE, "late: {delays:?} ns of {length}");
    }
}

fn short() {
    let before = cpu::counters(0).timer_interrupts;
    for number in 0..300 {
        let deadline = time::now() + number * 100;
        time::arm_timer(deadline);
        assert!(idle_until_expiry() >= deadline);
    }
    assert_eq!(cpu::counters(0).timer_interrupts - before, 300);
}

fn once() {
    time::arm_timer(time::now() + MS);
    idle_until_expiry();
    assert!(!fires_within(5 * MS));
}

fn replaced() {
    // By a later one.
    let start = time::now();
    time::arm_timer(start + 2 * MS);
    time::arm_timer(start + 20 * MS);
    assert!(idle_until_expiry() >= start + 20 * MS);
    // By an earlier one.
    let start = time::now();
    time::arm_timer(start + 2000 * MS);
    time::arm_timer(start + 2 * MS);
    let fired = idle_until_expiry();
    assert!((start + 2 * MS..start + 1000 * MS).contains(&fired));
    assert!(!fires_within(5 * MS));
}

fn held_back() {
    let start = time::now();
    time::arm_timer(start + MS);
    while time::now() < start + 5 * MS {
        assert!(!time::take_expiry());
    }
    cpu::interrupt_window();
    assert!(time::take_expiry());
    assert!(!time::take_expiry());
}

fn far() {
    for deadline in [
        time::NEVER,
        time::NEVER - 1,
        time::now() + 1_000_000 * MS,
        i64::MAX / 2,
    ] {
        time::arm_timer(deadline);
        assert!(!fires_within(3 * MS), "{deadline}");
    }
    time::arm_timer(time::NEVER);
}

fn monotonic() {
    let (mut ticks, mut now) = (time::ticks(), time::now());
    time::arm_timer(now + MS);
    for round in 0..200_000 {
        let (next_ticks, next_now) = (time::ticks(), time::now());
        assert!(next_ticks >= ticks && next_now >= now);
        (ticks, now) = (next_ticks, next_now);
        if round % 1000 == 0 {
            cpu::interrupt_window();
        }
    }
    time::arm_timer(time::NEVER);
    time::take_expiry();
}

fn idling() {
    let (ticks, now, idle) = (time::ticks(), time::now(), cpu::counters(0).idle_ns);
    let deadline = now + 50 * MS;
    time::arm_timer(deadline);
    let end = idle_until_expiry();
    let ratio = time::tick_ratio();
    let by_ticks = i128::from(time::ticks() - ticks) * i128::from(ratio.numerator)
        / i128::from(ratio.denominator);
    assert!(by_ticks >= i128::from(50 * MS));
    let slept = cpu::counters(0).idle_ns - idle;
    assert!(
        slept > 40 * MS && slept <= end - now,
        "idle for {slept} of {}",
        end - now
    );
}
