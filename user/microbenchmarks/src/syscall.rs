//! `Syscall/`: the way into the kernel and back.

use core::hint::black_box;

use zx_abi::syscalls::SyscallId;

use crate::bench::{Bench, Call, Row};

pub(crate) fn run(bench: &mut Bench) {
    let about = "A call without arguments that does nothing.";
    bench.row(Row::control("Syscall/Null", about), |sampler| {
        let call = Call::new(SyscallId::SyscallTest0)?.prepared();
        sampler.run(|_| {
            black_box(call.call0());
            Ok(())
        })?;
        Ok(())
    });
    let about = "A call that adds up its eight arguments.";
    bench.row(Row::control("Syscall/EightArguments", about), |sampler| {
        let call = Call::new(SyscallId::SyscallTest8)?.prepared();
        sampler.run(|_| {
            black_box(call.call([1, 2, 3, 4, 5, 6, 7, 8]));
            Ok(())
        })?;
        Ok(())
    });
}
