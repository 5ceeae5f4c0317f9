//! The syscall layer: decode, find the handle, check rights, copy in, call the object, copy out.
//!
//! One table in `zx-abi` names every call; `build.rs` joins it with the functions `sys_NAME` of this crate into the
//! dispatcher. A shim reads: options, look up with rights, policy, copy in, call the method, copy out. It takes no object
//! lock and holds no rules of its own; the object never sees user memory or handle values.
//!
//! Calls that do not block are plain functions and complete within the poll that entered the kernel; calls that may block
//! are `async`. Start reading at [`caller`] (what a shim can do), then `channel.rs`.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod abi;
mod abi2019;
mod args;
pub mod caller;
mod deferred;
mod level;
mod out;

mod bti;
mod channel;
mod clock;
mod closing;
mod copies;
mod copying;
mod debug;
mod event;
mod exception;
mod fifo;
mod futex;
mod handle;
mod interrupt;
mod job;
mod object;
mod outgoing;
mod pager;
mod port;
mod process;
mod profile;
mod resource;
mod socket;
mod stream;
mod system;
mod system_event;
mod task;
mod test_calls;
#[cfg(test)]
mod tests;
mod thread;
mod time;
mod timer;
mod unfinished;
mod vmar;
mod vmo;

pub use abi::VdsoAbi;
use args::{arg, result};
pub use caller::{Caller, Left, NeededFor, WantedPage};
use core::future::Future;
pub use deferred::Delivery;
use kernel_hal::context::GeneralRegs;
pub use level::Level;
pub use unfinished::Further;
use zx_abi::syscalls::SyscallId;
use zx_abi::ZxError;

include!(concat!(env!("OUT_DIR"), "/dispatch.rs"));

/// What serves a call when it comes: runs it, or says that it must wait ([`Caller::must_wait`]). The value for rax.
pub(crate) type Handler = fn(&Caller<'_>, &GeneralRegs) -> u64;

/// Serves a call that the table has and this kernel does not yet.
fn missing(caller: &Caller<'_>, regs: &GeneralRegs) -> u64 {
    if let Some(id) = caller.call_of(regs) {
        log::debug!("zx_{} is not built yet", id.info().name);
    }
    result(Err(ZxError::NotSupported))
}

/// Serves a call that must wait, as [`Caller::take_left`] has said; the value for rax.
#[inline(always)]
pub fn complete<'a, 'b>(
    caller: &'a Caller<'b>,
    regs: &'a GeneralRegs,
) -> impl Future<Output = u64> + use<'a, 'b> {
    dispatch_blocking(caller, caller.call_of(regs), regs)
}
