//! Every number, layout and name of the Zircon ABI, as plain data without behaviour.
//!
//! The crate knows nothing of the kernel; the kernel, the vDSO, user programs and host tools all build against it.
#![no_std]
#![forbid(unsafe_code)]

pub mod object_type;
pub mod rights;
pub mod signals;
pub mod status;
pub mod syscalls;

pub use object_type::ObjectType;
pub use rights::Rights;
pub use signals::Signals;
pub use status::{Status, ZxError, ZxResult};

/// A handle as programs see it: a number that means something in one process only. 0 is no handle.
pub type HandleValue = u32;

/// No handle.
#[doc(alias = "ZX_HANDLE_INVALID")]
pub const HANDLE_INVALID: HandleValue = 0;
