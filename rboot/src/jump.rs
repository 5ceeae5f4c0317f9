//! The last instructions: from the firmware's world to the kernel's.
use core::arch::global_asm;
use core::ptr;

// rdi: top page table (physical). rsi: entry point. rdx: top of the stack. rcx: BootInfo (virtual). All but rdi are
// addresses of the new world. Runs from `rboot_jump` to `rboot_jump_end`, which both worlds map at the same place.
global_asm!(
    ".balign 16",
    ".global rboot_jump",
    "rboot_jump:",
    "cli",
    "cld",
    "mov r8, rcx",
    "mov r9, rdx",
    "mov ecx, 0xc0000080", // EFER.NXE, before tables with NX bits
    "rdmsr",
    "or eax, 0x800",
    "wrmsr",
    "mov rax, cr4", // CR4.PGE off and on: no global entry of the firmware survives
    "and rax, -129",
    "mov cr4, rax",
    "mov cr3, rdi",
    "or rax, 128",
    "mov cr4, rax",
    "mov rax, cr0", // CR0.WP on; EM and TS off
    "or rax, 0x10000",
    "and rax, -13",
    "mov cr0, rax",
    "mov rsp, r9",
    "mov rdi, r8",
    "xor ebp, ebp",
    "push rbp", // a return address of 0 ends every backtrace, and aligns as a call does
    "jmp rsi",
    ".global rboot_jump_end",
    "rboot_jump_end:",
);

extern "sysv64" {
    fn rboot_jump(root: u64, entry: u64, stack_top: u64, boot_info: u64) -> !;
}

extern "C" {
    static rboot_jump_end: u8;
}

/// Where to go, in the terms of the new page tables but for `root`.
#[derive(Debug)]
pub(crate) struct Destination {
    /// Physical address of the top page table.
    pub(crate) root: u64,
    /// Virtual address of the kernel's entry point.
    pub(crate) entry: u64,
    /// Virtual end of the stack, 16-byte aligned.
    pub(crate) stack_top: u64,
    /// Virtual address of the `BootInfo`.
    pub(crate) boot_info: u64,
}

/// Start and end of the code that must be mapped at its own physical address in the new tables.
pub(crate) fn code_range() -> (u64, u64) {
    let start = (rboot_jump as *const ()).addr() as u64;
    (start, ptr::addr_of!(rboot_jump_end).addr() as u64)
}

/// Enters the kernel.
///
/// # Safety
/// 1. Boot services are over.
/// 2. The tables at `root` map the pages of [`code_range`] one to one, readable and executable.
/// 3. They map `entry` executable, the stack below `stack_top` writable, and `boot_info`.
pub(crate) unsafe fn enter(to: &Destination) -> ! {
    // SAFETY: nothing of the firmware is needed any more (duty 1), the code goes on under the new tables (duty 2), and finds
    // what it was promised (duty 3).
    unsafe { rboot_jump(to.root, to.entry, to.stack_top, to.boot_info) }
}
