//! Clocks, the one-shot timer, idling, random numbers and what the machine says of itself.
#![no_std]
#![no_main]

extern crate alloc;

mod support;

use boot_info::BootInfo;
use kernel_hal::{cpu, irq, rng, time, PhysAddr};

const MS: i64 = 1_000_000;

#[no_mangle]
unsafe extern "C" fn kernel_main(boot_info: *const BootInfo) -> ! {
    // SAFETY: called once by the entry code, with what rboot passed.
    unsafe {
        support::run(
            boot_info,
            &[
                ("time_is_what_user_space_computes_from_ticks", ratio),
                ("a_sleep_ends_after_its_deadline", sleeps),
                ("a_past_deadline_fires_at_once_and_never_does_not", edges),
                ("random_bytes_differ", random),
                ("the_machine_is_described", machine),
            ],
        )
    }
}

fn ratio() {
    let ratio = time::tick_ratio();
    let to_ns = |ticks: i64| {
        i128::from(ticks) * i128::from(ratio.numerator) / i128::from(ratio.denominator)
    };
    for _ in 0..1000 {
        let (before, now, after) = (time::ticks(), time::now(), time::ticks());
        assert!((to_ns(before)..=to_ns(after)).contains(&i128::from(now)));
    }
    let second = to_ns(ratio.ticks_per_second);
    assert!((999_999_000..=1_000_001_000).contains(&second), "{second}");
    // 2020 or later: the machine's clock was read.
    assert!(time::boot_wall_clock() > 1_577_836_800_000_000_000);
}

fn sleeps() {
    for length in [MS / 10, MS, 5 * MS, 20 * MS] {
        let idle_before = cpu::counters(0).idle_ns;
        let start = time::now();
        time::arm_timer(start + length);
        while !time::take_expiry() {
            cpu::idle();
        }
        let slept = time::now() - start;
        assert!(slept >= length, "slept {slept} of {length}");
        assert!(cpu::counters(0).idle_ns > idle_before);
    }
    assert!(cpu::counters(0).timer_interrupts >= 4);
}

fn edges() {
    for deadline in [0, time::now() - 1, i64::MIN] {
        time::arm_timer(deadline);
        while !time::take_expiry() {
            cpu::interrupt_window();
        }
    }
    time::arm_timer(time::now() + 3 * MS);
    time::arm_timer(time::NEVER);
    let start = time::now();
    while time::now() < start + 6 * MS {
        cpu::interrupt_window();
    }
    assert!(!time::take_expiry());
}

fn random() {
    let (mut first, mut second) = ([0; 64], [0; 64]);
    rng::fill(&mut first);
    rng::add_entropy(b"more");
    rng::fill(&mut second);
    assert_ne!(first, second);
    assert!(first.iter().any(|&byte| byte != 0));
}

fn machine() {
    let info = cpu::info();
    assert_eq!(info.count, 1);
    assert!(info.dcache_line.is_power_of_two());
    assert_ne!(cpu::firmware_tables().0, PhysAddr(0));
    assert!(irq::is_valid(9));
    assert!(!irq::is_valid(100_000));
}
