//! Clock, console, interrupt lines and random numbers do what the test says
#![cfg(test)]

use kernel_hal::irq::{IrqError, OnInterrupt, Trigger};
use kernel_hal::{console, cpu, irq, rng, time};
use kernel_hal_hosted::irq::{fire, Fired};
use kernel_hal_hosted::{console as terminal, init, reset};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::task::{Wake, Waker};

#[derive(Default)]
struct Counter(AtomicUsize);

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl OnInterrupt for Counter {
    fn on_interrupt(&self, _now: i64) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn the_timer_expires_once_when_the_clock_reaches_its_deadline() {
    init();
    let clock = kernel_hal_hosted::time::hold();
    let deadline = time::now() + 10;
    time::arm_timer(deadline);
    clock.advance(9);
    assert!(!time::take_expiry());
    assert_eq!(clock.armed(), Some(deadline));
    clock.set_now(deadline);
    assert!(time::take_expiry());
    assert!(!time::take_expiry());
    time::arm_timer(time::now() - 1);
    assert!(time::take_expiry(), "a past deadline fires at once");
    time::arm_timer(time::NEVER);
    assert_eq!(clock.armed(), None);
}

#[test]
fn output_is_captured_and_input_is_typed() {
    init();
    console::write(b"hello\n");
    assert_eq!(terminal::take_output(), b"hello\n");
    assert_eq!(terminal::take_output(), b"");

    let woken = Arc::new(Counter::default());
    let waker = Waker::from(woken.clone());
    console::wake_on_input(&waker);
    console::wake_on_input(&waker);
    terminal::type_input(b"abc");
    assert_eq!(woken.0.load(Ordering::SeqCst), 1, "duplicates are dropped");
    console::wake_on_input(&waker);
    assert_eq!(woken.0.load(Ordering::SeqCst), 2, "input is there already");
    let mut two = [0; 2];
    assert_eq!((console::read(&mut two), &two), (2, b"ab"));
    assert_eq!(console::read(&mut two), 1);
}

#[test]
fn an_open_line_calls_its_handler_and_a_level_line_is_masked_then() {
    init();
    let calls = Arc::new(Counter::default());
    irq::register(4, calls.clone()).unwrap();
    assert_eq!(irq::register(4, calls.clone()), Err(IrqError::Taken));
    assert_eq!(irq::register(99, calls.clone()), Err(IrqError::NoSuchLine));
    assert_eq!(
        fire(4),
        Fired::Ignored,
        "a registered line is masked at first"
    );
    irq::unmask(4);
    assert_eq!((fire(4), fire(4)), (Fired::Served, Fired::Served));
    irq::configure(4, Trigger::LevelHigh).unwrap();
    assert_eq!((fire(4), fire(4)), (Fired::Served, Fired::Ignored));
    irq::unregister(4);
    irq::unmask(4);
    assert_eq!(fire(4), Fired::Ignored);
    assert_eq!(calls.0.load(Ordering::SeqCst), 3);
}

#[test]
fn random_numbers_repeat_on_a_new_machine_and_entropy_changes_them() {
    let draw = || {
        let mut bytes = [0; 20];
        rng::fill(&mut bytes);
        bytes
    };
    init();
    let first = draw();
    assert_ne!(first, draw());
    reset();
    assert_eq!(first, draw());
    reset();
    rng::add_entropy(b"x");
    assert_ne!(first, draw());
}

#[test]
#[should_panic(expected = "the kernel idles")]
fn idling_panics_instead_of_hanging() {
    init();
    cpu::idle();
}
