//! What the processor says that it can do.

use core::arch::x86_64::{__cpuid_count, CpuidResult};

/// One CPUID leaf; zeros when the CPU does not have it.
pub(crate) fn leaf(number: u32, sub: u32) -> CpuidResult {
    let base = number & 0xc000_0000;
    let largest = __cpuid_count(base, 0).eax;
    if number > largest {
        return CpuidResult {
            eax: 0,
            ebx: 0,
            ecx: 0,
            edx: 0,
        };
    }
    __cpuid_count(number, sub)
}

/// The features that the kernel adapts to.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Features {
    pub(crate) fsgsbase: bool,
    pub(crate) smep: bool,
    pub(crate) smap: bool,
    pub(crate) umip: bool,
    pub(crate) pge: bool,
    pub(crate) xsave: bool,
    pub(crate) xsaveopt: bool,
    pub(crate) avx: bool,
    pub(crate) avx512: bool,
    pub(crate) rdrand: bool,
    pub(crate) rdseed: bool,
    pub(crate) x2apic: bool,
    pub(crate) tsc_deadline: bool,
    /// `rep movsb` and `rep stosb` are the fastest way to move bytes.
    pub(crate) fast_string: bool,
    /// The TCG emulator runs this: string instructions cost as much as a loop, long vector stores are cheap.
    pub(crate) tcg: bool,
}

impl Features {
    /// Asks the CPU. Slow: a few dozen CPUID instructions; once per boot.
    pub(crate) fn detect() -> Self {
        let basic = leaf(1, 0);
        let extended = leaf(7, 0);
        let bit = |word: u32, number: u32| word >> number & 1 == 1;
        let hypervisor = if bit(basic.ecx, 31) {
            __cpuid_count(0x4000_0000, 0)
        } else {
            leaf(u32::MAX >> 2, 0)
        };
        let xsave = bit(basic.ecx, 26);
        Self {
            fsgsbase: bit(extended.ebx, 0),
            smep: bit(extended.ebx, 7),
            smap: bit(extended.ebx, 20),
            umip: bit(extended.ecx, 2),
            pge: bit(basic.edx, 13),
            xsave,
            xsaveopt: xsave && bit(leaf(0xd, 1).eax, 0),
            avx: xsave && bit(basic.ecx, 28),
            avx512: xsave && bit(extended.ebx, 16),
            rdrand: bit(basic.ecx, 30),
            rdseed: bit(extended.ebx, 18),
            x2apic: bit(basic.ecx, 21),
            tsc_deadline: bit(basic.ecx, 24),
            fast_string: bit(extended.ebx, 9),
            tcg: hypervisor.ebx == u32::from_le_bytes(*b"TCGT"),
        }
    }
}

/// Bits of a linear address; 48 when the CPU does not say.
pub(crate) fn linear_address_bits() -> u32 {
    match leaf(0x8000_0008, 0).eax >> 8 & 0xff {
        0 => 48,
        bits => bits,
    }
}

/// Bytes in a cache line, as CLFLUSH sees it; 64 when the CPU does not say.
pub(crate) fn cache_line_bytes() -> u32 {
    match (leaf(1, 0).ebx >> 8 & 0xff) * 8 {
        0 => 64,
        bytes => bytes,
    }
}
