//! What a program without an operating system's C library needs on Zircon: start, calls, handles, heap, printing.
//!
//! A program is a static position-independent executable that userboot (ours or a real Zircon's), or any parent that
//! speaks processargs, starts with its bootstrap channel and the vDSO's base. [`entry!`] names its main function:
//!
//! ```ignore
//! #![cfg_attr(not(test), no_std, no_main)]
//! #![forbid(unsafe_code)]
//! use libzx::{println, Startup};
//!
//! libzx::entry!(main);
//!
//! fn main(startup: Startup) -> i64 {
//!     println!("{} arguments", startup.args.len());
//!     0
//! }
//! ```
//!
//! Calls are found by name in the vDSO at start ([`vdso`]), so one file runs on every ABI level; [`sys`] has them raw,
//! the typed handles ([`Channel`], [`Vmo`], ...) safe. [`process`] starts other programs. All unsafe code of user
//! programs lives in this crate. Start reading at `start.rs`.
#![cfg_attr(not(test), no_std)]
#![cfg_attr(
    any(feature = "rodso", not(target_os = "none")),
    expect(dead_code, reason = "each way of starting uses its own part")
)]
#![expect(
    internal_features,
    reason = "entry! must name a symbol in programs that forbid unsafe code"
)]
#![feature(allow_internal_unsafe)]

extern crate alloc;

mod boot_files;
pub mod console;
mod device;
pub mod elf;
mod entry;
mod exception;
mod handle;
mod heap;
mod ipc;
#[cfg(feature = "rodso")]
mod kernel_message;
mod pager;
pub mod procargs;
pub mod process;
pub mod raw;
mod signalling;
#[cfg(target_os = "none")]
mod start;
mod startup;
pub mod state;
mod stream;
pub mod sys;
mod task;
pub mod thread;
pub mod time;
pub mod vdso;
mod vmar;
mod vmo;
pub mod witness;

pub use boot_files::{BootFiles, BootFilesError, Program};
pub use device::{Bti, Iommu, Pmt};
pub use exception::Exception;
pub use handle::{AsHandle, Handle, Unowned};
pub use ipc::{Channel, Debuglog, Fifo, Message, Socket};
pub use pager::Pager;
pub use signalling::{wait_many, Event, EventPair, Port, Timer, WaitFor};
pub use startup::Startup;
pub use stream::Stream;
pub use task::{exit, own_process, own_root_vmar, own_vdso_base, Job, Process, Resource, Thread};
pub use vmar::{Mapping, Vmar};
pub use vmo::Vmo;
pub use zx_abi::{ObjectType, Rights, Signals, Status, VmOptions, ZxError, ZxResult};

#[cfg(feature = "rodso")]
pub use kernel_message::KernelMessage;
