//! FIFOs.

use crate::copies::{copy_in, copy_out};
use crate::Caller;
use kernel_hal::user::{UserIn, UserOut};
use zircon_object::ipc::Fifo;
use zircon_object::object::Handle;
use zircon_object::task::PolicyCondition;
use zx_abi::{HandleValue, Rights, ZxError, ZxResult};

/// Makes a fifo and gives both ends.
///
/// # Errors
/// - `AccessDenied`: job policy.
/// - `OutOfRange`: options, or sizes that [`Fifo::create`] does not make.
/// - `NoMemory`: no kernel memory, or no room for the handles.
/// - `InvalidArgs`: a handle cannot be written; there is none then.
pub(crate) fn sys_fifo_create(
    caller: &Caller<'_>,
    elem_count: usize,
    elem_size: usize,
    options: u32,
    out0: UserOut<HandleValue>,
    out1: UserOut<HandleValue>,
) -> ZxResult {
    caller.policy(PolicyCondition::NewFifo)?;
    if options != 0 {
        return Err(ZxError::OutOfRange);
    }
    let (first, second) = Fifo::create(elem_count, elem_size)?;
    caller.give_two((Handle::new(first)?, Handle::new(second)?), (out0, out1))
}

/// Takes up to `count` elements.
///
/// # Errors
/// - `BadHandle`, `WrongType`, `AccessDenied`: the handle is bad or lacks READ.
/// - What [`Fifo::read`] says; `InvalidArgs`: the buffer cannot be written, nothing is taken then.
/// - `InvalidArgs`: the count cannot be written.
pub(crate) fn sys_fifo_read(
    caller: &Caller<'_>,
    handle: HandleValue,
    elem_size: usize,
    data: UserOut<u8>,
    count: usize,
    actual_count: UserOut<usize>,
) -> ZxResult {
    let fifo = caller.get::<Fifo>(handle, Rights::READ)?;
    let taken = caller.with_copies(|| {
        fifo.read(elem_size, count, |before, part| {
            copy_out(data.element(before), part)
        })
    })?;
    caller.write_optional(actual_count, &taken)
}

/// Puts in up to `count` elements.
///
/// # Errors
/// - `BadHandle`, `WrongType`, `AccessDenied`: the handle is bad or lacks WRITE.
/// - What [`Fifo::write`] says; `InvalidArgs`: the buffer cannot be read, nothing is put in then.
/// - `InvalidArgs`: the count cannot be written.
pub(crate) fn sys_fifo_write(
    caller: &Caller<'_>,
    handle: HandleValue,
    elem_size: usize,
    data: UserIn<u8>,
    count: usize,
    actual_count: UserOut<usize>,
) -> ZxResult {
    let fifo = caller.get::<Fifo>(handle, Rights::WRITE)?;
    let written = caller.with_copies(|| {
        fifo.write(elem_size, count, |before, part| {
            copy_in(data.element(before), part)
        })
    })?;
    caller.write_optional(actual_count, &written)
}
