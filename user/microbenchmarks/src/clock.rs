//! `Clock/`: reading the time, and random numbers beside it.

use core::hint::black_box;

use libzx::time;
use zx_abi::syscalls::SyscallId;

use crate::bench::{Bench, Call, Row};

pub(crate) fn run(bench: &mut Bench) {
    let about = "Nanoseconds since boot, by the way this vDSO takes.";
    bench.row(Row::control("Clock/Monotonic", about), |sampler| {
        Ok(sampler.run(|_| {
            black_box(time::now());
            Ok(())
        })?)
    });
    let about = "The CPU's counter, which times all rows.";
    bench.row(Row::control("Clock/Ticks", about), |sampler| {
        Ok(sampler.run(|_| {
            black_box(time::ticks());
            Ok(())
        })?)
    });
    let about = "Nanoseconds since 1970.";
    bench.row(Row::control("Clock/Utc", about), |sampler| {
        Ok(sampler.run(|_| time::utc().map(drop))?)
    });
    let about = "Draws 32 random bytes.";
    bench.row(Row::control("Random/Draw/32bytes", about), |sampler| {
        let draw = Call::new(SyscallId::CprngDraw)?.prepared();
        let bytes = [0u8; 32];
        let at = core::ptr::from_ref(&bytes).expose_provenance();
        Ok(sampler.run(|_| {
            black_box(draw.call6([at, 32, 0, 0, 0, 0]));
            Ok(())
        })?)
    });
}
