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
mod level;
mod out;

mod bti;
mod channel;
mod clock;
mod copy_buffer;
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
mod vmar;
mod vmo;

pub use abi::VdsoAbi;
use args::{arg, result};
pub use caller::Caller;
use kernel_hal::context::GeneralRegs;
pub use level::Level;
use zx_abi::syscalls::SyscallId;
use zx_abi::ZxError;

include!(concat!(env!("OUT_DIR"), "/dispatch.rs"));

/// What became of a call at once.
pub(crate) enum Dispatched {
    /// It is done; the value for rax.
    Done(u64),
    /// It may block: run it with [`complete`].
    Blocking,
    /// The table has it, this kernel does not yet.
    Missing,
}

/// What entering the kernel led to. After the call is done its thread asks [`Caller::has_attention`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Entered {
    /// The call is done; the value for rax.
    Done(u64),
    /// The call may block: await [`complete`].
    Blocking(SyscallId),
    /// No such call, or not from there: the thread gets a policy exception, and BAD_SYSCALL if it lives on.
    Bad,
}

/// Serves the `syscall` that user code just executed, as far as that needs no waiting.
#[inline(always)]
pub fn enter(caller: &Caller<'_>, abi: &VdsoAbi, regs: &GeneralRegs) -> Entered {
    let Some(id) = abi.call(regs.rax, regs.rip, caller.vdso_base()) else {
        return Entered::Bad;
    };
    match dispatch_now(caller, id, regs) {
        Dispatched::Done(value) => Entered::Done(value),
        Dispatched::Blocking => Entered::Blocking(id),
        Dispatched::Missing => {
            log::debug!("zx_{} is not built yet", id.info().name);
            Entered::Done(result(Err(ZxError::NotSupported)))
        }
    }
}

/// Serves a call that may block; the value for rax.
pub async fn complete(caller: &Caller<'_>, id: SyscallId, regs: &GeneralRegs) -> u64 {
    dispatch_blocking(caller, id, regs).await
}
