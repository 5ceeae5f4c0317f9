//! The record of `profile_create` in 2019.

use crate::{profile, Caller};
use kernel_hal::user::UserIn;
use zircon_object::task::profile::Scheduling;
use zx_abi::profile::ProfileInfo2019;
use zx_abi::{ZxError, ZxResult};

/// The scheduler's kind of profile, the only one.
const SCHEDULER: u32 = 1;

/// Reads and checks the record.
///
/// # Errors
/// - `InvalidArgs`: it cannot be read, or the priority is none.
/// - `NotSupported`: another kind.
pub(super) fn read(caller: &Caller<'_>, info: UserIn<u8>) -> ZxResult<Scheduling> {
    let info = caller.read(UserIn::<ProfileInfo2019>::new(info.addr()))?;
    if info.kind != SCHEDULER {
        return Err(ZxError::NotSupported);
    }
    Ok(Scheduling {
        priority: Some(profile::checked(info.priority)?),
        ..Scheduling::default()
    })
}
