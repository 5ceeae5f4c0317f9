//! `Timer/`: alarms.

use libzx::{time, AsHandle, Signals, Timer};

use crate::bench::{Bench, Kind, Row};

/// An hour in nanoseconds.
const HOUR: i64 = 3600 * 1_000_000_000;

pub(crate) fn run(bench: &mut Bench) {
    let about = "Sets an alarm in an hour, stops it.";
    let parts = &[("set", Kind::Control), ("cancel", Kind::Control)];
    bench.row(
        Row::control("Timer/SetCancel", about).parts(parts),
        |sampler| {
            let (timer, deadline) = (Timer::create(0)?, time::after(HOUR));
            Ok(sampler.run(|laps| {
                timer.set(deadline, 0)?;
                laps.next();
                timer.cancel()
            })?)
        },
    );
    let about = "Sets an alarm that is set already to another time.";
    bench.row(Row::control("Timer/SetAgain", about), |sampler| {
        let (timer, deadline) = (Timer::create(0)?, time::after(HOUR));
        let mut later = 0;
        Ok(sampler.run(|_| {
            later = 1 - later;
            timer.set(deadline + later, 0)
        })?)
    });
    let about = "Sets an alarm for a time that has passed, waits for it.";
    bench.row(Row::control("Timer/FirePast", about), |sampler| {
        let timer = Timer::create(0)?;
        Ok(sampler.run(|_| {
            timer.set(1, 0)?;
            timer
                .wait_one(Signals::TIMER_SIGNALED, time::INFINITE)
                .map(drop)
        })?)
    });
}
