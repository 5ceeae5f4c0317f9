//! Timers against the hosted clock: past deadlines, slack windows, races of setting and firing.

use kernel_hal_hosted::time::ClockGuard;
use std::sync::Arc;
use zircon_object::object::{Handle, KernelObject};
use zircon_object::signal::Timer;
use zircon_object::task::job_policy::SlackMode;
use zx_abi::Signals;

struct Bench {
    clock: ClockGuard,
    start: i64,
}

impl Bench {
    fn new() -> Self {
        kernel_hal_hosted::init();
        let clock = kernel_hal_hosted::time::hold();
        let start = clock.advance(1_000);
        Self { clock, start }
    }

    /// Lets time go on to `at` after the start.
    fn run_to(&self, at: i64) {
        self.clock.set_now(self.start + at);
        while zircon_object::runtime::TIMERS.expire(self.start + at) == executor::Due::More {}
    }
}

fn timer(mode: SlackMode) -> (Arc<Timer>, Handle) {
    let made = Timer::create(mode).and_then(|timer| Ok((timer.clone(), Handle::new(timer)?)));
    made.unwrap_or_else(|error| panic!("no timer: {error:?}"))
}

fn fired(timer: &Timer) -> bool {
    timer.base().signals().get().contains(Signals::SIGNALED)
}

#[test]
fn a_past_deadline_fires_before_set_returns_and_setting_again_takes_it_back() {
    let bench = Bench::new();
    let (timer, _handle) = timer(SlackMode::Center);
    timer.set(0, 0);
    assert!(fired(&timer));
    timer.set(bench.start + 100, 0);
    assert!(!fired(&timer));
    bench.run_to(99);
    assert!(!fired(&timer));
    bench.run_to(100);
    assert!(fired(&timer) && timer.setting().is_none());
    timer.cancel();
    assert!(!fired(&timer));
}

#[test]
fn a_timer_that_was_cancelled_or_closed_does_not_fire() {
    let bench = Bench::new();
    let ((cancelled, _h), (closed, handle)) = (timer(SlackMode::Center), timer(SlackMode::Center));
    cancelled.set(bench.start + 10, 0);
    closed.set(bench.start + 10, 0);
    cancelled.cancel();
    drop(handle);
    bench.run_to(20);
    assert!(!fired(&cancelled) && !fired(&closed));
    assert_eq!(Arc::strong_count(&closed), 1);
}

#[test]
fn slack_joins_a_timer_that_is_armed_inside_the_window_when_it_is_set() {
    let cases = [
        (SlackMode::Late, 60, 60, 100),
        (SlackMode::Late, 60, 20, 60),
        (SlackMode::Early, 140, 60, 100),
        (SlackMode::Early, 140, 20, 140),
        (SlackMode::Center, 60, 60, 100),
        (SlackMode::Center, 140, 60, 100),
        (SlackMode::Early, 60, 60, 60),
        (SlackMode::Late, 140, 60, 140),
    ];
    for (mode, deadline, slack, expected) in cases {
        let bench = Bench::new();
        let ((exact, _he), (slacky, _hs)) = (timer(SlackMode::Center), timer(mode));
        exact.set(bench.start + 100, 0);
        slacky.set(bench.start + deadline, slack);
        bench.run_to(expected - 1);
        assert!(!fired(&slacky), "{mode:?} {deadline} {slack}");
        bench.run_to(expected);
        assert!(fired(&slacky), "{mode:?} {deadline} {slack}");
        bench.run_to(300);
    }
}
