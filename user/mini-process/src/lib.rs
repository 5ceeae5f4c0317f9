//! Processes of a few bytes of machine code, for tests, the stress program and the debugger.
//!
//! What a kernel does to a thread (stop it, show its registers, let it fault) is best seen on a thread of which every
//! instruction is known. [`Code`] puts such instructions together, [`MiniProcess`] runs them: a page of code, a page of
//! words that both sides read and write, a stack, and the vDSO if the code makes calls. All addresses are constants, so
//! that a test can name the instruction at which a thread must stand.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod code;
mod process;

pub use code::{Code, Register};
pub use process::{MiniProcess, CODE, DATA, PAGE, STACK, STACK_SIZE};
