//! Calls that Zircon of 2019-07 has and the home ABI has no more.

use crate::{clock, Caller};
use kernel_hal::user::UserOut;
use zx_abi::ZxResult;

/// `clock_get_new`: what `clock_get` became.
///
/// # Errors
/// As [`clock::sys_clock_get`].
pub(crate) fn sys_clock_get_new(caller: &Caller<'_>, clock_id: u32, out: UserOut<i64>) -> ZxResult {
    clock::sys_clock_get(caller, clock_id, out)
}
