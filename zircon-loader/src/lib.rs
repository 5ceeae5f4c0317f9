//! From the boot images to the first user thread.
//!
//! The kernel makes the root job, the vDSO and its variants, a process for userboot with both mapped side by side, a stack
//! and one message, and starts a thread: [`userboot::start`]. From then on [`run`] is the life of every user thread.
//! `docs/boot.md` tells the whole story; [`vdso`] is where syscall numbers come from.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod backtrace;
mod bootstrap;
mod crash_report;
mod exception;
pub mod images;
mod run;
pub mod userboot;
mod vdso;

pub use images::{BootImages, LoadError};
pub use userboot::start;
