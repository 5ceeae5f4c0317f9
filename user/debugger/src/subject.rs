//! The program that is debugged: it adds up a list of numbers, then reads through a bad pointer.

use alloc::vec::Vec;

use mini_process::{Code, Register, DATA};
use zx_abi::syscalls::SyscallId;

/// Words of its memory.
pub(crate) const COUNT: usize = 0;
/// The sum, for others to read.
pub(crate) const SUM: usize = 1;
/// A word that a good pointer can point to.
pub(crate) const GOOD: usize = 2;
/// What it adds up.
pub(crate) const NUMBERS: usize = 8;
/// Where its bad pointer points.
pub(crate) const BAD_ADDRESS: u64 = 0xbad_0000;

/// A line of the listing.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) address: usize,
    pub(crate) text: &'static str,
}

/// The instructions that matter, by address.
#[derive(Clone, Debug, Default)]
pub(crate) struct Listing {
    lines: Vec<Line>,
    /// The addition in the loop.
    pub(crate) add: usize,
    /// Behind the store of the sum.
    pub(crate) stored: usize,
    /// The read through the bad pointer.
    pub(crate) bad_read: usize,
}

impl Listing {
    /// What stands at an address.
    pub(crate) fn text(&self, address: usize) -> &'static str {
        let line = self.lines.iter().find(|line| line.address == address);
        line.map_or("(in the vDSO, or nowhere)", |line| line.text)
    }

    pub(crate) fn lines(&self) -> &[Line] {
        &self.lines
    }
}

/// Puts the program together.
pub(crate) fn assemble(
    code: &mut Code,
    function: &dyn Fn(SyscallId) -> usize,
    listing: &mut Listing,
) {
    let lines = &mut listing.lines;
    let mut line = |code: &Code, text| {
        let address = code.here();
        lines.push(Line { address, text });
        address
    };
    line(code, "mov rcx, [count]");
    code.load(Register::Rcx, COUNT);
    line(code, "mov rbx, numbers");
    code.set(Register::Rbx, (DATA + NUMBERS * 8) as u64);
    line(code, "mov rax, 0");
    code.set(Register::Rax, 0);
    listing.add = line(code, "add rax, [rbx]");
    code.bytes(&[0x48, 0x03, 0x03]);
    line(code, "add rbx, 8");
    code.bytes(&[0x48, 0x83, 0xc3, 0x08]);
    line(code, "dec rcx");
    code.bytes(&[0x48, 0xff, 0xc9]);
    line(code, "jnz the addition");
    // Back over the three instructions and itself: 3 + 4 + 3 + 2 bytes.
    code.bytes(&[0x75, 0xf4]);
    line(code, "mov [sum], rax");
    code.store(SUM, Register::Rax);
    listing.stored = line(code, "mov rdx, bad pointer");
    code.set(Register::Rdx, BAD_ADDRESS);
    listing.bad_read = line(code, "mov rdi, [rdx]");
    code.bytes(&[0x48, 0x8b, 0x3a]);
    line(code, "call process_exit");
    code.call(function(SyscallId::ProcessExit));
}
