//! The system as a whole: power and random numbers.

use crate::Caller;
use kernel_hal::cpu::{power, End, PowerAction};
use kernel_hal::user::{UserIn, UserOut};
use zircon_object::dev::Resource;
use zx_abi::device::ResourceKind;
use zx_abi::limits::{CPRNG_ADD_ENTROPY_MAX, CPRNG_DRAW_MAX};
use zx_abi::power::PowerCommand;
use zx_abi::{HandleValue, Rights, SystemPowerctlArg, ZxError, ZxResult};

/// Turns the machine off, restarts it, and the like.
///
/// # Errors
/// - `BadHandle`, `WrongType`: the handle is no root resource.
/// - `InvalidArgs`: unknown command, an argument that cannot be read, or an S-state that does not exist.
/// - `NotSupported`: the machine cannot do it.
// PARTIAL: ACPI_TRANSITION_S_STATE only to S5, package power limits and CPU hot-plug are not supported
pub(crate) fn sys_system_powerctl(
    caller: &Caller<'_>,
    resource: HandleValue,
    cmd: u32,
    arg: UserIn<SystemPowerctlArg>,
) -> ZxResult {
    caller
        .get::<Resource>(resource, Rights::empty())?
        .check(ResourceKind::Root)?;
    match PowerCommand::from_raw(cmd).ok_or(ZxError::InvalidArgs)? {
        PowerCommand::EnableAllCpus | PowerCommand::DisableAllCpusButPrimary => Ok(()),
        PowerCommand::AcpiTransitionSState => match caller.read(arg)?.words[0] & 0xff {
            5 => power(PowerAction::Off, End::Good),
            1..=4 => Err(ZxError::NotSupported),
            _ => Err(ZxError::InvalidArgs),
        },
        PowerCommand::X86SetPkgPl1 => caller.read(arg).and(Err(ZxError::NotSupported)),
        PowerCommand::Reboot | PowerCommand::RebootBootloader | PowerCommand::RebootRecovery => {
            power(PowerAction::Reboot, End::Good)
        }
        PowerCommand::Shutdown => power(PowerAction::Off, End::Good),
    }
}

/// Fills a buffer of at most 256 bytes with random bytes.
///
/// # Errors
/// - `InvalidArgs`: the buffer is too large or cannot be written.
pub(crate) fn sys_cprng_draw_once(
    caller: &Caller<'_>,
    buffer: UserOut<u8>,
    size: usize,
) -> ZxResult {
    let mut bytes = [0; CPRNG_DRAW_MAX];
    let bytes = bytes.get_mut(..size).ok_or(ZxError::InvalidArgs)?;
    kernel_hal::rng::fill(bytes);
    caller.write_slice(buffer, bytes)
}

/// Mixes at most 256 bytes into the random generator.
///
/// # Errors
/// - `InvalidArgs`: the buffer is too large or cannot be read.
pub(crate) fn sys_cprng_add_entropy(
    caller: &Caller<'_>,
    buffer: UserIn<u8>,
    size: usize,
) -> ZxResult {
    let mut bytes = [0; CPRNG_ADD_ENTROPY_MAX];
    let bytes = bytes.get_mut(..size).ok_or(ZxError::InvalidArgs)?;
    caller.read_slice(buffer, bytes)?;
    kernel_hal::rng::add_entropy(bytes);
    Ok(())
}

/// Tells where the tables of the firmware are; 0 where there is none.
///
/// # Errors
/// - `BadHandle`, `WrongType`: the handle is no root resource.
/// - `InvalidArgs`: a pointer cannot be written.
pub(crate) fn sys_pc_firmware_tables(
    caller: &Caller<'_>,
    handle: HandleValue,
    acpi_rsdp: UserOut<u64>,
    smbios: UserOut<u64>,
) -> ZxResult {
    caller.check_resource(handle, ResourceKind::Root)?;
    let (rsdp, entry_point) = kernel_hal::cpu::firmware_tables();
    caller.write(acpi_rsdp, &rsdp.0)?;
    caller.write(smbios, &entry_point.0)
}
