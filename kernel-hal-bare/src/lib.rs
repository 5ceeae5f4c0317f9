//! The HAL on bare x86-64: everything that touches the machine.
//!
//! All `unsafe` of the kernel proper is here. The crates above see the safe functions of `kernel-hal`; this crate defines
//! their strong symbols with `hal_impl!` and nothing else, but for [`init`], the entry point and the early console.
//!
//! # What the whole crate relies on
//! * Kernel code runs with interrupts off; they are taken in user mode, in `hal_cpu_idle` and in
//!   `hal_cpu_interrupt_window`. So data of one CPU ([`cpu::percpu`]) needs no lock, and an interrupt handler never finds
//!   a lock of its own CPU held.
//! * Physical memory is mapped at [`boot_info::PHYS_OFFSET`] for good, by the tables that rboot built; all roots share
//!   the top-level entries of the kernel's half.
//! * The kernel is built without SSE: user vector registers stay in the CPU while it runs ([`cpu::fpu`]).
//! * One CPU runs so far. What belongs to a CPU is in [`cpu::percpu::PerCpu`], reached through GS.
//!
//! Start reading at [`trap`] (how user code runs), then [`mm`], then [`boot`].
#![no_std]

extern crate alloc;

mod boot;
mod console;
mod cpu;
mod dev;
mod irq;
mod mm;
mod power;
mod rng;
mod time;
mod trap;

pub use boot::init;
pub use dev::uart::early_console_write;
