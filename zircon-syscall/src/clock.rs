//! Clock objects, and the older calls for the clocks that are always there.

use crate::Caller;
use kernel_hal::user::{UserIn, UserOut};
use zircon_object::object::Handle;
use zircon_object::signal::clock::{self, Update};
use zircon_object::signal::Clock;
use zx_abi::clock::{
    clock_args_version, ClockCreateArgsV1, ClockDetailsV1, ClockId, ClockOptions,
    ClockUpdateArgsV1, ClockUpdateOptions, CLOCK_ARGS_VERSION_MASK,
};
use zx_abi::device::ResourceKind;
use zx_abi::{HandleValue, Rights, ZxError, ZxResult};

/// The time of a clock, in nanoseconds.
///
/// # Errors
/// - `InvalidArgs`: no such clock, or the time cannot be written.
pub(crate) fn sys_clock_get(caller: &Caller<'_>, clock_id: u32, out: UserOut<i64>) -> ZxResult {
    let now = match ClockId::from_raw(clock_id).ok_or(ZxError::InvalidArgs)? {
        ClockId::Monotonic => kernel_hal::time::now(),
        ClockId::Utc => clock::utc(),
        ClockId::Thread => caller.thread().runtime_ns(),
    };
    caller.write(out, &now)
}

/// Sets how far UTC is from the monotonic clock.
///
/// # Errors
/// - `BadHandle`, `WrongType`: the handle is no root resource.
/// - `AccessDenied`: the monotonic clock.
/// - `InvalidArgs`: no such clock, or the thread's.
pub(crate) fn sys_clock_adjust(
    caller: &Caller<'_>,
    handle: HandleValue,
    clock_id: u32,
    offset: i64,
) -> ZxResult {
    caller.check_resource(handle, ResourceKind::Root)?;
    match ClockId::from_raw(clock_id) {
        Some(ClockId::Utc) => {
            clock::set_utc_offset(offset);
            Ok(())
        }
        Some(ClockId::Monotonic) => Err(ZxError::AccessDenied),
        Some(ClockId::Thread) | None => Err(ZxError::InvalidArgs),
    }
}

/// Makes a clock object.
///
/// # Errors
/// - `InvalidArgs`: version or options, or the arguments cannot be read.
/// - What [`Clock::create`] says.
/// - `InvalidArgs`: the handle cannot be written; there is none then.
pub(crate) fn sys_clock_create(
    caller: &Caller<'_>,
    options: u64,
    args: UserIn<u8>,
    out: UserOut<HandleValue>,
) -> ZxResult {
    let version = options & CLOCK_ARGS_VERSION_MASK;
    let args = if version == clock_args_version(0) && args.is_null() {
        ClockCreateArgsV1::default()
    } else if version == clock_args_version(1) {
        caller.read(UserIn::<ClockCreateArgsV1>::new(args.addr()))?
    } else {
        return Err(ZxError::InvalidArgs);
    };
    let options =
        ClockOptions::from_bits(options & !CLOCK_ARGS_VERSION_MASK).ok_or(ZxError::InvalidArgs)?;
    caller.give(
        Handle::new(Clock::create(options, args.backstop_time)?)?,
        out,
    )
}

/// What a clock object shows.
///
/// # Errors
/// - `BadHandle`, `WrongType`, `AccessDenied`: the handle is bad or lacks READ.
/// - `InvalidArgs`: the time cannot be written.
pub(crate) fn sys_clock_read(
    caller: &Caller<'_>,
    handle: HandleValue,
    now: UserOut<i64>,
) -> ZxResult {
    let clock = caller.get::<Clock>(handle, Rights::READ)?;
    caller.write(now, &clock.read())
}

/// How a clock object is set.
///
/// # Errors
/// - `InvalidArgs`: version, or no place.
/// - `BadHandle`, `WrongType`, `AccessDenied`: the handle is bad or lacks READ.
/// - `InvalidArgs`: the record cannot be written.
pub(crate) fn sys_clock_get_details(
    caller: &Caller<'_>,
    handle: HandleValue,
    options: u64,
    details: UserOut<u8>,
) -> ZxResult {
    if options != clock_args_version(1) || details.is_null() {
        return Err(ZxError::InvalidArgs);
    }
    let clock = caller.get::<Clock>(handle, Rights::READ)?;
    caller.write(
        UserOut::<ClockDetailsV1>::new(details.addr()),
        &clock.details(),
    )
}

/// Sets value, rate or error bound of a clock object.
///
/// # Errors
/// - `InvalidArgs`: version or options, nothing to set, arguments that cannot be read, or a rate that is none.
/// - `BadHandle`, `WrongType`, `AccessDenied`: the handle is bad or lacks WRITE.
/// - What [`Clock::update`] says.
pub(crate) fn sys_clock_update(
    caller: &Caller<'_>,
    handle: HandleValue,
    options: u64,
    args: UserIn<u8>,
) -> ZxResult {
    if options & CLOCK_ARGS_VERSION_MASK != clock_args_version(1) || args.is_null() {
        return Err(ZxError::InvalidArgs);
    }
    let args = caller.read(UserIn::<ClockUpdateArgsV1>::new(args.addr()))?;
    let options = ClockUpdateOptions::from_bits(options & !CLOCK_ARGS_VERSION_MASK)
        .ok_or(ZxError::InvalidArgs)?;
    if options.is_empty() {
        return Err(ZxError::InvalidArgs);
    }
    let update = Update {
        value: options
            .contains(ClockUpdateOptions::VALUE_VALID)
            .then_some(args.value),
        rate_adjust: options
            .contains(ClockUpdateOptions::RATE_ADJUST_VALID)
            .then_some(args.rate_adjust),
        error_bound: options
            .contains(ClockUpdateOptions::ERROR_BOUND_VALID)
            .then_some(args.error_bound),
    };
    update.check_rate()?;
    caller.get::<Clock>(handle, Rights::WRITE)?.update(update)
}
