//! What the processes do: pieces of code, at whose start a thread may begin.

use alloc::vec::Vec;

use libzx::{Job, Vmo, ZxResult};
use mini_process::{Code, MiniProcess, Register, DATA};
use zx_abi::syscalls::SyscallId;

/// Where results of calls go.
const OUT: u64 = DATA as u64 + 0x800;
/// No deadline.
const FOREVER: u64 = i64::MAX as u64;
/// Bytes of the VMOs that processes commit.
const COMMITTED: u64 = 1 << 18;

/// A process that has not started, and the places where its threads may begin; the first thread begins at one of them
/// by a jump through word 0, which holds the address.
pub(crate) fn process(job: &Job, vdso: &Vmo) -> ZxResult<(MiniProcess, Vec<usize>)> {
    let mut places = Vec::new();
    let mini = MiniProcess::with_vdso(job, vdso, |code, function| {
        // jmp [word 0]
        code.on_word(&[0xff, 0x25], 0);
        for piece in PIECES {
            places.push(code.here());
            piece(code, function);
        }
    })?;
    Ok((mini, places))
}

type Piece = fn(&mut Code, &dyn Fn(SyscallId) -> usize);

const PIECES: &[Piece] = &[
    // Counts for a while, then ends the thread.
    |code, function| {
        code.set(Register::Rcx, 2_000_000);
        // dec rcx; jnz back
        code.bytes(&[0x48, 0xff, 0xc9, 0x75, 0xfb]);
        code.call(function(SyscallId::ThreadExit));
    },
    // Sleeps for ever.
    |code, function| {
        code.set(Register::Rdi, FOREVER);
        code.call(function(SyscallId::Nanosleep));
    },
    // Makes and closes events for ever, sleeping for no time in between.
    |code, function| {
        let start = code.here();
        code.set(Register::Rdi, 0).set(Register::Rsi, OUT);
        code.call(function(SyscallId::EventCreate));
        code.load(Register::Rdi, 256);
        code.call(function(SyscallId::HandleClose));
        code.set(Register::Rdi, 0);
        code.call(function(SyscallId::Nanosleep)).jump(start);
    },
    // Makes 200 channels that it never closes, then ends the thread.
    |code, function| {
        code.set(Register::Rbx, 200);
        let start = code.here();
        code.set(Register::Rdi, 0)
            .set(Register::Rsi, OUT + 16)
            .set(Register::Rdx, OUT + 24);
        code.call(function(SyscallId::ChannelCreate));
        // dec rbx; jz over the jump
        code.bytes(&[0x48, 0xff, 0xcb, 0x74, 0x05]).jump(start);
        code.call(function(SyscallId::ThreadExit));
    },
    // Commits memory, keeps it, and ends the thread.
    |code, function| {
        code.set(Register::Rdi, COMMITTED)
            .set(Register::Rsi, 0)
            .set(Register::Rdx, OUT + 32);
        code.call(function(SyscallId::VmoCreate));
        code.load(Register::Rdi, 260)
            .set(Register::Rsi, 1)
            .set(Register::Rdx, 0)
            .set(Register::Rcx, COMMITTED)
            .set(Register::R8, 0)
            .set(Register::R9, 0);
        code.call(function(SyscallId::VmoOpRange));
        code.call(function(SyscallId::ThreadExit));
    },
    // Waits on a futex for ever.
    |code, function| {
        code.set(Register::Rdi, OUT + 0x100)
            .set(Register::Rsi, 0)
            .set(Register::Rdx, 0)
            .set(Register::Rcx, FOREVER);
        code.call(function(SyscallId::FutexWait));
        code.call(function(SyscallId::ThreadExit));
    },
    // Waits at a port for ever.
    |code, function| {
        code.set(Register::Rdi, 0).set(Register::Rsi, OUT + 40);
        code.call(function(SyscallId::PortCreate));
        code.load(Register::Rdi, 261)
            .set(Register::Rsi, FOREVER)
            .set(Register::Rdx, OUT + 0x200);
        code.call(function(SyscallId::PortWait));
        code.call(function(SyscallId::ThreadExit));
    },
    // Faults in one way each; whoever lets it go on lets it end.
    |code, function| {
        code.undefined();
        code.call(function(SyscallId::ThreadExit));
    },
    |code, function| {
        code.breakpoint();
        code.call(function(SyscallId::ThreadExit));
    },
    |code, _| {
        // mov rax, [rbx] with rbx = 0x1000
        code.set(Register::Rbx, 0x1000).bytes(&[0x48, 0x8b, 0x03]);
    },
    |code, _| {
        // hlt
        code.bytes(&[0xf4]);
    },
    // A call with a bad handle, for ever.
    |code, function| {
        let start = code.here();
        code.set(Register::Rdi, 0x7ff7);
        code.call(function(SyscallId::HandleClose));
        code.set(Register::Rdi, 0);
        code.call(function(SyscallId::Nanosleep)).jump(start);
    },
    // The end of the thread, and of the process.
    |code, function| {
        code.call(function(SyscallId::ThreadExit));
    },
    |code, function| {
        code.set(Register::Rdi, 3);
        code.call(function(SyscallId::ProcessExit));
    },
];
