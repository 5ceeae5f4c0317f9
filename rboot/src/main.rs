//! The UEFI program. Order of work: see `load.rs`.
//!
//! On any other system this is a program that says what it is, so that the workspace builds as a whole on the host.
#![cfg_attr(target_os = "uefi", no_std)]
#![cfg_attr(target_os = "uefi", no_main)]

#[cfg(target_os = "uefi")]
extern crate alloc;

#[cfg(target_os = "uefi")]
mod console;
#[cfg(target_os = "uefi")]
mod cpu;
#[cfg(target_os = "uefi")]
mod failure;
#[cfg(target_os = "uefi")]
mod files;
#[cfg(target_os = "uefi")]
mod firmware;
#[cfg(target_os = "uefi")]
mod jump;
#[cfg(target_os = "uefi")]
mod load;
#[cfg(target_os = "uefi")]
mod pages;
#[cfg(target_os = "uefi")]
mod serial;

#[cfg(target_os = "uefi")]
#[uefi::entry]
fn start() -> uefi::Status {
    let tsc_at_entry = cpu::time_stamp();
    console::init();
    match load::boot(tsc_at_entry) {
        Ok(never) => match never {},
        Err(failure) => console::stop(format_args!("{failure}")),
    }
}

#[cfg(target_os = "uefi")]
#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    console::stop(format_args!("internal error: {info}"))
}

#[cfg(not(target_os = "uefi"))]
fn main() {
    println!("rboot is a UEFI program: build it with --target x86_64-unknown-uefi");
}
