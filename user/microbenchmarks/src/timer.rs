//! `Timer/`: alarms.

use libzx::{time, Timer};

use crate::measure::Bench;

/// - `Timer/SetCancel`: an alarm in an hour, stopped again; two calls.
pub(crate) fn run(bench: &mut Bench) {
    let Ok(timer) = Timer::create(0) else {
        return bench.missing("Timer/SetCancel");
    };
    let deadline = time::after(3600 * 1_000_000_000);
    bench.run("Timer/SetCancel", || {
        timer.set(deadline, 0)?;
        timer.cancel()
    });
}
