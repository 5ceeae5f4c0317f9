//! How a run ends: one case per boot, named by the command line `end=NAME`; the harness knows what each must lead to.
//!
//! The panic handler is the kernel's own. Cases that must die say what they are about to do first.
#![no_std]
#![no_main]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a panic is how a case fails"
)]

extern crate alloc;

#[path = "../src/panic.rs"]
mod panic;

use alloc::vec::Vec;
use boot_info::BootInfo;
use core::arch::asm;
use core::hint::black_box;
use kernel_hal::cpu::{power, End, PowerAction};
use kernel_hal::frame::Frame;
use kernel_hal::paging::{CachePolicy, MmuFlags, PageTable};
use kernel_hal::{console, PAGE_SIZE};

/// Where a user page is mapped that the kernel itself must not touch.
const USER_PAGE: usize = 0x200_0000;

#[no_mangle]
unsafe extern "C" fn kernel_main(boot_info: *const BootInfo) -> ! {
    // SAFETY: rboot made the structure and nothing writes to it.
    let boot_info: &'static BootInfo = unsafe { &*boot_info };
    kernel_hal_bare::init(boot_info);
    // SAFETY: rboot made the structure, and the command line stays.
    let words = unsafe { boot_info.bytes(boot_info.cmdline) };
    let name = core::str::from_utf8(words)
        .unwrap()
        .split_ascii_whitespace()
        .find_map(|word| word.strip_prefix("end="));
    console::write(b"end: ");
    console::write(name.unwrap_or("no").as_bytes());
    console::write(b"\n");
    match name {
        Some("good") => power(PowerAction::Off, End::Good),
        Some("failed") => power(PowerAction::Off, End::Failed),
        Some("reboot") => power(PowerAction::Reboot, End::Good),
        Some("panic") => panic!("as the command line says"),
        Some("null") => poke(core::ptr::null_mut()),
        Some("write-text") => poke(kernel_main as *mut u8),
        Some("write-constant") => poke(words_in_rodata().cast_mut()),
        Some("execute-data") => execute((&raw const DATA).cast()),
        Some("touch-user-page") => poke(user_page() as *mut u8),
        Some("execute-user-page") => execute(user_page() as *const u8),
        Some("stack-overflow") => deepen(0),
        Some("out-of-memory") => drop(black_box(Vec::<u8>::with_capacity(1 << 40))),
        Some("undefined-instruction") => {
            // SAFETY: the instruction does nothing but trap.
            unsafe { asm!("ud2") }
        }
        _ => {}
    }
    console::write(b"nothing happened\n");
    power(PowerAction::Off, End::Good)
}

static mut DATA: [u8; 16] = [0xc3; 16];

fn words_in_rodata() -> *const u8 {
    static WORDS: [u8; 5] = *b"words";
    black_box(&WORDS).as_ptr()
}

/// Writes where it must not.
fn poke(at: *mut u8) {
    // SAFETY: none: the page table is expected to stop it.
    unsafe { asm!("mov byte ptr [{}], 0xc3", in(reg) at, options(nostack)) }
}

/// Runs what is not code.
fn execute(at: *const u8) {
    // SAFETY: none: the page table is expected to stop it; otherwise a `ret` is there.
    unsafe { asm!("call {}", in(reg) at, clobber_abi("C")) }
}

/// A user page of `ret` instructions, in the active table.
fn user_page() -> usize {
    let flags = MmuFlags {
        read: true,
        write: true,
        execute: true,
        cache: CachePolicy::Cached,
    };
    let frame = Frame::zeroed().expect("no memory");
    frame.write(0, &[0xc3; PAGE_SIZE]);
    let table = PageTable::new().expect("no memory");
    table
        .map(USER_PAGE, &[frame.into_raw()], flags)
        .expect("no memory");
    table.activate();
    core::mem::forget(table);
    USER_PAGE
}

#[expect(unconditional_recursion, reason = "it shall end at the guard page")]
fn deepen(depth: u64) {
    let frame = black_box([depth; 64]);
    deepen(depth + 1);
    black_box(frame);
}
