//! The hardware abstraction layer: types, and `hal_*` functions that a backend defines.
//!
//! Everything above this crate (objects, syscalls, loader) is free of `unsafe` and of any machine's name; everything that
//! a machine does is behind the functions declared here. Two backends exist: `kernel-hal-bare` (x86-64) and
//! `kernel-hal-hosted` (a host process, for `cargo test`). [`hal`] tells how a function is declared and what keeps a
//! forgotten one from being a surprise at run time.
//!
//! # Rules that hold for every function
//! - Kernel code runs with interrupts disabled, always. Interrupts are taken in user mode ([`context::run`] returns), in
//!   [`cpu::idle`], and in [`cpu::interrupt_window`]. So no lock needs an interrupt-safe form.
//! - A function never panics for want of memory; it says so in its result.
//! - Start reading at [`context`] (how user code runs), then [`frame`], [`paging`] and [`user`].
#![no_std]
#![feature(linkage)]

extern crate alloc;

pub mod addr;
pub mod console;
pub mod context;
pub mod cpu;
pub mod frame;
pub mod hal;
pub mod irq;
pub mod paging;
pub mod ports;
pub mod rng;
pub mod server;
pub mod sync;
pub mod time;
pub mod user;
pub mod xsave;

pub use addr::{PhysAddr, VirtAddr, PAGE_SIZE};
