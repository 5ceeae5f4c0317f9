//! The vDSO, libzircon.so: the only place a program may execute `syscall`.
//!
//! Syscall numbers are private to this image; programs find calls by symbol. `build.rs` writes one stub per public
//! call of the home ABI from the table in zx-abi; `functions.S` holds what runs in user mode or makes several
//! syscalls; [`names`] is the rest. `scripts/build-vdso` links all of it into an image with a read-only and an
//! executable segment, whole pages, no relocations (`vdso.ld` and the script check that).
//!
//! What the kernel's loader relies on:
//! - each `syscall` has `mov $number, %eax` (opcode b8) right before it and the symbol
//!   `CODE_SYSRET_zx_<call>_VIA_zx_<function>` right behind it;
//! - `DATA_CONSTANTS` names the 120 bytes it fills in at boot;
//! - `CODE_{ticks_get,clock_get_monotonic,deadline_after}_via_kernel` are the alternates it may point the dynamic
//!   symbols of those functions at.
#![cfg_attr(target_os = "none", no_std)]

pub mod names;

#[cfg(target_os = "none")]
mod image {
    core::arch::global_asm!(include_str!(concat!(env!("OUT_DIR"), "/stubs.s")));
    core::arch::global_asm!(include_str!(concat!(env!("OUT_DIR"), "/functions.s")));

    /// Nothing in the vDSO panics; the compiler wants a handler all the same.
    #[panic_handler]
    fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
        loop {}
    }
}
