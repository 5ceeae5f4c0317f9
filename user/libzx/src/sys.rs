//! Raw calls, one function per symbol of the vDSO, with the exact C types.
//!
//! A call that this kernel's vDSO lacks gives NOT_SUPPORTED; [`available`] and [`has`] tell before.

use core::mem;

use zx_abi::syscalls::SyscallId;

include!(concat!(env!("OUT_DIR"), "/sys.rs"));

/// Whether the vDSO has the call.
#[must_use]
pub fn available(call: SyscallId) -> bool {
    crate::state::function(call).is_some()
}

/// Whether the vDSO has the call of this name, given without the `zx_` prefix.
#[must_use]
pub fn has(name: &str) -> bool {
    SyscallId::from_name(name).is_some_and(available)
}

/// Stands in for a missing call that does not return.
fn never() -> ! {
    loop {
        core::hint::spin_loop();
    }
}
