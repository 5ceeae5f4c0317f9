//! `Syscall/`: the way into the kernel and back.

use core::hint::black_box;

use libzx::raw::Prepared;
use zx_abi::syscalls::SyscallId;

use crate::measure::Bench;

/// - `Syscall/Null`: a call without arguments that does nothing.
/// - `Syscall/EightArguments`: a call that adds up its eight arguments.
pub(crate) fn run(bench: &mut Bench) {
    match Prepared::new(SyscallId::SyscallTest0) {
        None => bench.missing("Syscall/Null"),
        Some(call) => bench.run("Syscall/Null", || {
            black_box(call.call0());
            Ok(())
        }),
    }
    match Prepared::new(SyscallId::SyscallTest8) {
        None => bench.missing("Syscall/EightArguments"),
        Some(call) => bench.run("Syscall/EightArguments", || {
            black_box(call.call([1, 2, 3, 4, 5, 6, 7, 8]));
            Ok(())
        }),
    }
}
