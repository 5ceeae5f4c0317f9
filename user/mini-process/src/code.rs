//! An assembler for the few instructions that mini processes need.

use alloc::vec::Vec;

use crate::process::{CODE, DATA};

/// General registers, by the number that instructions have for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the registers' own names")]
pub enum Register {
    Rax = 0,
    Rcx = 1,
    Rdx = 2,
    Rbx = 3,
    Rsp = 4,
    Rbp = 5,
    Rsi = 6,
    Rdi = 7,
    R8 = 8,
    R9 = 9,
    R10 = 10,
    R11 = 11,
    R12 = 12,
    R13 = 13,
    R14 = 14,
    R15 = 15,
}

impl Register {
    /// Every register but the stack pointer.
    pub const ALL_BUT_STACK: [Self; 15] = [
        Self::Rax,
        Self::Rcx,
        Self::Rdx,
        Self::Rbx,
        Self::Rbp,
        Self::Rsi,
        Self::Rdi,
        Self::R8,
        Self::R9,
        Self::R10,
        Self::R11,
        Self::R12,
        Self::R13,
        Self::R14,
        Self::R15,
    ];

    const fn low(self) -> u8 {
        self as u8 & 7
    }

    const fn is_extended(self) -> bool {
        self as u8 > 7
    }
}

/// Instructions in order, the first at [`CODE`]. Words of the data page are named by their index.
#[derive(Clone, Debug, Default)]
pub struct Code(Vec<u8>);

impl Code {
    /// No instruction yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Where the next instruction will be.
    #[must_use]
    pub const fn here(&self) -> usize {
        CODE + self.0.len()
    }

    /// The machine code.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Adds instructions given as bytes.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// Adds an instruction whose operand is a word of the data page: `opcode` up to and with its ModRM byte of the
    /// form mod 00, r/m 101.
    pub fn on_word(&mut self, opcode: &[u8], word: usize) -> &mut Self {
        self.bytes(opcode);
        let next = self.here() + 4;
        self.relative(DATA + word * 8, next)
    }

    /// Adds the distance from `from` to `to`.
    fn relative(&mut self, to: usize, from: usize) -> &mut Self {
        let [b0, b1, b2, b3, ..] = to.wrapping_sub(from).to_le_bytes();
        self.bytes(&[b0, b1, b2, b3])
    }

    /// `mov register, value`
    pub fn set(&mut self, register: Register, value: u64) -> &mut Self {
        let prefix = 0x48 | u8::from(register.is_extended());
        self.bytes(&[prefix, 0xb8 | register.low()])
            .bytes(&value.to_le_bytes())
    }

    /// `mov register, [word]`
    pub fn load(&mut self, register: Register, word: usize) -> &mut Self {
        let prefix = 0x48 | u8::from(register.is_extended()) << 2;
        self.on_word(&[prefix, 0x8b, register.low() << 3 | 5], word)
    }

    /// `mov [word], register`
    pub fn store(&mut self, word: usize, register: Register) -> &mut Self {
        let prefix = 0x48 | u8::from(register.is_extended()) << 2;
        self.on_word(&[prefix, 0x89, register.low() << 3 | 5], word)
    }

    /// `inc [word]`
    pub fn increment(&mut self, word: usize) -> &mut Self {
        self.on_word(&[0x48, 0xff, 0x05], word)
    }

    /// `jmp target`
    pub fn jump(&mut self, target: usize) -> &mut Self {
        self.bytes(&[0xe9]);
        let next = self.here() + 4;
        self.relative(target, next)
    }

    /// `jmp` to itself; gives its address.
    pub fn spin(&mut self) -> usize {
        let here = self.here();
        self.bytes(&[0xeb, 0xfe]);
        here
    }

    /// Spins until a word is not 0, without touching any register but the flags.
    pub fn wait_for(&mut self, word: usize) -> &mut Self {
        // Back: cmp qword [word], 0 (8 bytes, the last the 0); je back (2 bytes).
        self.bytes(&[0x48, 0x83, 0x3d]);
        let next = self.here() + 5;
        self.relative(DATA + word * 8, next).bytes(&[0, 0x74, 0xf6])
    }

    /// `mov rax, function; call rax`
    pub fn call(&mut self, function: usize) -> &mut Self {
        self.set(Register::Rax, function as u64)
            .bytes(&[0xff, 0xd0])
    }

    /// `ud2`; gives its address.
    pub fn undefined(&mut self) -> usize {
        let here = self.here();
        self.bytes(&[0x0f, 0x0b]);
        here
    }

    /// `int3`; gives its address.
    pub fn breakpoint(&mut self) -> usize {
        let here = self.here();
        self.bytes(&[0xcc]);
        here
    }

    /// `nop`; gives its address.
    pub fn nop(&mut self) -> usize {
        let here = self.here();
        self.bytes(&[0x90]);
        here
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_addressed_from_the_end_of_the_instruction() {
        let mut code = Code::new();
        code.store(1, Register::R9);
        assert_eq!(code.as_bytes()[..3], [0x4c, 0x89, 0x0d]);
        let distance = u32::from_le_bytes(code.as_bytes()[3..7].try_into().unwrap());
        assert_eq!(CODE + 7 + distance as usize, DATA + 8);
    }

    #[test]
    fn a_wait_jumps_back_to_its_comparison() {
        let mut code = Code::new();
        code.wait_for(0);
        assert_eq!(code.as_bytes().len(), 10);
        assert_eq!(code.as_bytes()[7..], [0, 0x74, 0xf6]);
        let distance = u32::from_le_bytes(code.as_bytes()[3..7].try_into().unwrap());
        assert_eq!(CODE + 8 + distance as usize, DATA);
    }

    #[test]
    fn sixty_four_bit_values_need_ten_bytes() {
        let mut code = Code::new();
        code.set(Register::R15, 0x1122_3344_5566_7788);
        assert_eq!(
            code.as_bytes(),
            [0x49, 0xbf, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11]
        );
    }
}
