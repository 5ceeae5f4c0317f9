//! `object_get_property` and `object_set_property`.

use crate::Caller;
use alloc::sync::Arc;
use kernel_hal::user::{UserIn, UserOut};
use zircon_object::ipc::Socket;
use zircon_object::object::{downcast, KernelObject};
use zircon_object::task::job::KillOnOom;
use zircon_object::task::{Exception, Job, Process, Thread};
use zircon_object::vm::Vmo;
use zx_abi::exception::{ExceptionState, ExceptionStrategy};
use zx_abi::limits::NAME_LEN;
use zx_abi::property::Property;
use zx_abi::{HandleValue, Rights, ZxError, ZxResult};

/// Reads a property.
///
/// # Errors
/// - `InvalidArgs`: `value` is NULL.
/// - `BadHandle`, `AccessDenied`: the handle is bad or lacks GET_PROPERTY.
/// - `BufferTooSmall`: `value_size` is smaller than the property.
/// - `WrongType`: the object does not have it.
/// - `InvalidArgs`: unknown or write-only property, or `value` cannot be written.
pub(crate) fn sys_object_get_property(
    caller: &Caller<'_>,
    handle: HandleValue,
    property: u32,
    value: UserOut<u8>,
    value_size: usize,
) -> ZxResult {
    if value.is_null() {
        return Err(ZxError::InvalidArgs);
    }
    let (object, _) = caller.get_any(handle, Rights::GET_PROPERTY)?;
    let word = match Property::from_raw(property).ok_or(ZxError::InvalidArgs)? {
        Property::Name => {
            need(value_size, NAME_LEN)?;
            let name = object.name().map_or([0; NAME_LEN], |name| name.get());
            return caller.write_slice(value, &name);
        }
        Property::ProcessDebugAddr => {
            sized(value_size, || Ok(downcast::<Process>(object)?.debug_addr()))?
        }
        Property::ProcessVdsoBaseAddress => sized(value_size, || {
            Ok(downcast::<Process>(object)?
                .space()
                .vdso_base()
                .unwrap_or(0))
        })?,
        Property::ProcessBreakOnLoad => sized(value_size, || {
            Ok(downcast::<Process>(object)?.break_on_load())
        })?,
        Property::ProcessHwTraceContextId => sized(value_size, || {
            let id = downcast::<Process>(object)?.space().hardware_id();
            usize::try_from(id.0).map_err(|_| ZxError::OutOfRange)
        })?,
        Property::VmoContentSize => {
            need(value_size, 8)?;
            let size = downcast::<Vmo>(object)?.content_size();
            return caller.write(UserOut::new(value.addr()), &size);
        }
        Property::SocketRxThreshold => sized(value_size, || {
            Ok(downcast::<Socket>(object)?.thresholds().0)
        })?,
        Property::SocketTxThreshold => sized(value_size, || {
            Ok(downcast::<Socket>(object)?.thresholds().1)
        })?,
        Property::ExceptionState => {
            need(value_size, 4)?;
            let state = downcast::<Exception>(object)?.state().raw();
            return caller.write(UserOut::new(value.addr()), &state);
        }
        Property::ExceptionStrategy => {
            need(value_size, 4)?;
            let strategy = downcast::<Exception>(object)?.strategy().raw();
            return caller.write(UserOut::new(value.addr()), &strategy);
        }
        Property::RegisterGs | Property::RegisterFs | Property::JobKillOnOom => {
            return Err(ZxError::InvalidArgs);
        }
    };
    caller.write(UserOut::new(value.addr()), &word)
}

/// Changes a property.
///
/// # Errors
/// - `InvalidArgs`: `value` is NULL.
/// - `BadHandle`, `AccessDenied`: the handle is bad or lacks SET_PROPERTY.
/// - `BufferTooSmall`, `WrongType`: as for reading.
/// - `InvalidArgs`: unknown or read-only property, `value` cannot be read, or its value is not allowed.
/// - `AccessDenied`: a register of another thread, a debug address that was set before.
/// - `NotSupported`: the object's type has no name.
pub(crate) fn sys_object_set_property(
    caller: &Caller<'_>,
    handle: HandleValue,
    property: u32,
    value: UserIn<u8>,
    value_size: usize,
) -> ZxResult {
    if value.is_null() {
        return Err(ZxError::InvalidArgs);
    }
    let (object, _) = caller.get_any(handle, Rights::SET_PROPERTY)?;
    let property = Property::from_raw(property).ok_or(ZxError::InvalidArgs)?;
    match property {
        Property::Name => {
            let mut name = [0; NAME_LEN];
            let len = value_size.min(NAME_LEN - 1);
            caller.read_slice(value, &mut name[..len])?;
            object
                .name()
                .ok_or(ZxError::NotSupported)?
                .set(&name[..len]);
            Ok(())
        }
        Property::RegisterFs => set_base(caller, object, value, value_size, BaseRegister::Fs),
        Property::RegisterGs => set_base(caller, object, value, value_size, BaseRegister::Gs),
        Property::ProcessDebugAddr => {
            need(value_size, 8)?;
            let process = downcast::<Process>(object)?;
            process.set_debug_addr(caller.read(UserIn::new(value.addr()))?)
        }
        Property::ProcessBreakOnLoad => {
            need(value_size, 8)?;
            let process = downcast::<Process>(object)?;
            process.set_break_on_load(caller.read(UserIn::new(value.addr()))?);
            Ok(())
        }
        Property::JobKillOnOom => {
            let job = downcast::<Job>(object)?;
            job.set_kill_on_oom(match caller.read(UserIn::<u64>::new(value.addr()))? {
                0 => KillOnOom::No,
                1 => KillOnOom::Yes,
                _ => return Err(ZxError::InvalidArgs),
            });
            Ok(())
        }
        Property::VmoContentSize => {
            need(value_size, 8)?;
            let vmo = downcast::<Vmo>(object)?;
            vmo.set_content_size(caller.read(UserIn::new(value.addr()))?);
            Ok(())
        }
        Property::SocketRxThreshold | Property::SocketTxThreshold => {
            need(value_size, size_of::<usize>())?;
            let socket = downcast::<Socket>(object)?;
            let bytes = caller.read(UserIn::<usize>::new(value.addr()))?;
            if property == Property::SocketRxThreshold {
                socket.set_read_threshold(bytes)
            } else {
                socket.set_write_threshold(bytes)
            }
        }
        Property::ExceptionState => {
            need(value_size, 4)?;
            let exception = downcast::<Exception>(object)?;
            let state = caller.read(UserIn::<u32>::new(value.addr()))?;
            exception.set_state(ExceptionState::from_raw(state).ok_or(ZxError::InvalidArgs)?);
            Ok(())
        }
        Property::ExceptionStrategy => {
            need(value_size, 4)?;
            let exception = downcast::<Exception>(object)?;
            let strategy = caller.read(UserIn::<u32>::new(value.addr()))?;
            exception
                .set_strategy(ExceptionStrategy::from_raw(strategy).ok_or(ZxError::InvalidArgs)?)
        }
        Property::ProcessVdsoBaseAddress | Property::ProcessHwTraceContextId => {
            Err(ZxError::InvalidArgs)
        }
    }
}

/// Which segment base.
#[derive(Clone, Copy, PartialEq, Eq)]
enum BaseRegister {
    Fs,
    Gs,
}

fn set_base(
    caller: &Caller<'_>,
    object: Arc<dyn KernelObject>,
    value: UserIn<u8>,
    size: usize,
    register: BaseRegister,
) -> ZxResult {
    need(size, 8)?;
    let thread = downcast::<Thread>(object)?;
    if !Arc::ptr_eq(&thread, caller.thread()) {
        return Err(ZxError::AccessDenied);
    }
    let base: usize = caller.read(UserIn::new(value.addr()))?;
    if !kernel_hal::addr::is_user_range(base, 1) {
        return Err(ZxError::InvalidArgs);
    }
    match register {
        BaseRegister::Fs => kernel_hal::context::set_fs_base(base),
        BaseRegister::Gs => kernel_hal::context::set_gs_base(base),
    }
    Ok(())
}

fn need(size: usize, wanted: usize) -> ZxResult {
    if size < wanted {
        Err(ZxError::BufferTooSmall)
    } else {
        Ok(())
    }
}

fn sized(size: usize, get: impl FnOnce() -> ZxResult<usize>) -> ZxResult<usize> {
    need(size, size_of::<usize>())?;
    get()
}
