//! `Clock/`: reading the time.

use core::hint::black_box;

use libzx::time;

use crate::measure::Bench;

/// - `Clock/Monotonic`: nanoseconds since boot, without entering the kernel where the CPU allows it.
/// - `Clock/Ticks`: the CPU's counter, as used for all rows here.
pub(crate) fn run(bench: &mut Bench) {
    bench.run("Clock/Monotonic", || {
        black_box(time::now());
        Ok(())
    });
    bench.run("Clock/Ticks", || {
        black_box(time::ticks());
        Ok(())
    });
}
