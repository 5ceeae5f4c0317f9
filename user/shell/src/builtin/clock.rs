//! `clock`: what time it is.

use libzx::{println, time};

use super::Builtin;
use crate::units::{clock, date};
use crate::words::Place;
use crate::Shell;

pub(super) const CLOCK: Builtin = Builtin {
    name: "clock",
    usage: "",
    summary: "the wall clock and the time since boot",
    run,
};

/// Nanoseconds in a day.
const DAY: i64 = 86_400_000_000_000;

fn run(_: &mut Shell, _: &[&str], _: Place) -> i64 {
    let now = time::now();
    match time::utc() {
        Ok(utc) => println!("UTC    {} {}", date(utc), clock(utc.rem_euclid(DAY))),
        Err(error) => println!("UTC    unknown ({error})"),
    }
    println!(
        "uptime {} ({} ticks of {} a second)",
        clock(now),
        time::ticks(),
        time::ticks_per_second()
    );
    0
}
