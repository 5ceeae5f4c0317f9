//! The kernel objects: what a handle can refer to, and everything one can do with it.
//!
//! An object never sees user memory or handle values: the syscall layer decodes, looks up and copies, and calls a method
//! here. Start reading at [`object`] (what all objects share), then [`ipc::channel`] as the model of one object.
//!
//! # Invariants
//! - What users observe follows the *handle count* ([`object::ObjectBase`]), not `Drop`.
//! - Locks nest only as `docs/invariants.md` allows; wakers are collected under a lock and called after it.
//! - Nothing a program does may panic the kernel: allocation is fallible and says `NoMemory`.
#![no_std]
#![forbid(unsafe_code)]
#![feature(allocator_api)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod alloc_try;
pub mod dev;
pub mod diag;
pub mod ipc;
mod keyed_list;
pub mod object;
pub mod runtime;
pub mod signal;
pub mod task;
pub mod vm;

pub use zx_abi::{ObjectType, Rights, Signals, ZxError, ZxResult};
