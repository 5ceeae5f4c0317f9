//! Scheduling profiles.

use crate::Caller;
use executor::Priority;
use kernel_hal::user::{UserIn, UserOut};
use zircon_object::object::Handle;
use zircon_object::task::profile::{DeadlineParams, Scheduling};
use zircon_object::task::{Job, PolicyCondition, Profile, Thread};
use zx_abi::profile::{ProfileFlags, ProfileInfo};
use zx_abi::{HandleValue, Rights, ZxError, ZxResult};

/// Makes a profile.
///
/// # Errors
/// - `InvalidArgs`: options.
/// - `AccessDenied`: job policy.
/// - `BadHandle`, `WrongType`, `AccessDenied`: the handle is bad, lacks MANAGE_PROCESS or is not the root job's.
/// - `InvalidArgs`, `NotSupported`: the record cannot be read or makes no sense.
pub(crate) fn sys_profile_create(
    caller: &Caller<'_>,
    root_job: HandleValue,
    options: u32,
    profile: UserIn<u8>,
    out: UserOut<HandleValue>,
) -> ZxResult {
    if options != 0 {
        return Err(ZxError::InvalidArgs);
    }
    caller.policy(PolicyCondition::NewProfile)?;
    let job = caller.get::<Job>(root_job, Rights::MANAGE_PROCESS)?;
    if job.parent().is_some() {
        return Err(ZxError::AccessDenied);
    }
    let scheduling = (caller.level().read_profile)(caller, profile)?;
    caller.give(Handle::new(Profile::create(scheduling)?)?, out)
}

/// Applies a profile to a thread.
///
/// # Errors
/// - `BadHandle`, `WrongType`, `AccessDenied`: the thread lacks MANAGE_THREAD, or the profile APPLY_PROFILE.
/// - `BadState`: the thread is ending or dead.
pub(crate) fn sys_object_set_profile(
    caller: &Caller<'_>,
    handle: HandleValue,
    profile: HandleValue,
    _options: u32,
) -> ZxResult {
    let thread = caller.get::<Thread>(handle, Rights::MANAGE_THREAD)?;
    let profile = caller.get::<Profile>(profile, Rights::APPLY_PROFILE)?;
    profile.apply_to(&thread)
}

/// Reads and checks the record of the home ABI.
///
/// # Errors
/// - `InvalidArgs`: it cannot be read, says nothing or something impossible.
pub(crate) fn read(caller: &Caller<'_>, info: UserIn<u8>) -> ZxResult<Scheduling> {
    let info = caller.read(UserIn::<ProfileInfo>::new(info.addr()))?;
    let flags = ProfileFlags::from_bits(info.flags).ok_or(ZxError::InvalidArgs)?;
    if flags.is_empty() || flags.contains(ProfileFlags::PRIORITY | ProfileFlags::DEADLINE) {
        return Err(ZxError::InvalidArgs);
    }
    let deadline = if flags.contains(ProfileFlags::DEADLINE) {
        let [capacity, relative_deadline, period] = info.params;
        if capacity <= 0 || capacity > relative_deadline || relative_deadline > period {
            return Err(ZxError::InvalidArgs);
        }
        Some(DeadlineParams {
            capacity,
            relative_deadline,
            period,
        })
    } else {
        None
    };
    Ok(Scheduling {
        priority: info.priority().map(checked).transpose()?,
        deadline,
        cpu_mask: flags
            .contains(ProfileFlags::CPU_MASK)
            .then(|| first_cpus(&info.cpu_affinity_mask)),
    })
}

/// A priority that exists.
pub(crate) fn checked(priority: i32) -> ZxResult<Priority> {
    u8::try_from(priority)
        .ok()
        .and_then(Priority::new)
        .ok_or(ZxError::InvalidArgs)
}

/// The CPUs that a kernel can have at most, 32; what else the mask says is ignored.
fn first_cpus(mask: &[u64; 8]) -> u32 {
    let [first, ..] = mask.map(|word| word & u64::from(u32::MAX));
    u32::try_from(first).unwrap_or(u32::MAX)
}
