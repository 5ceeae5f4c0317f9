//! `Syscall/`: the way into the kernel and back.

use core::hint::black_box;

use libzx::raw::Prepared;
use zx_abi::syscalls::SyscallId;

use crate::measure::Bench;

/// - `Syscall/Null`: a call without arguments that does nothing.
/// - `Syscall/EightArguments`: a call that adds up its eight arguments.
pub(crate) fn run(bench: &mut Bench) {
    let rows = [
        ("Syscall/Null", SyscallId::SyscallTest0),
        ("Syscall/EightArguments", SyscallId::SyscallTest8),
    ];
    for (name, id) in rows {
        let Some(call) = Prepared::new(id) else {
            bench.missing(name);
            continue;
        };
        bench.run(name, || {
            black_box(call.call([1, 2, 3, 4, 5, 6, 7, 8]));
            Ok(())
        });
    }
}
