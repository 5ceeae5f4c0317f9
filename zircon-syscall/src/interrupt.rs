//! Interrupts.

use crate::Caller;
use kernel_hal::irq::Trigger;
use kernel_hal::user::UserOut;
use zircon_object::dev::resource::Extent;
use zircon_object::dev::{Interrupt, Resource};
use zircon_object::object::{Handle, TypedObject};
use zircon_object::signal::Port;
use zircon_object::task::{BlockedOn, Deadline};
use zx_abi::device::{InterruptBind, InterruptMode, InterruptOptions, ResourceKind};
use zx_abi::{HandleValue, Rights, ZxError, ZxResult};

/// Makes the interrupt of a line, or a virtual one, for which `src_obj` is not looked at.
///
/// # Errors
/// - `BadHandle`, `WrongType`, `OutOfRange`: the resource does not give the right to the line.
/// - `InvalidArgs`: unknown options or mode, or no such line.
/// - `AlreadyBound`: somebody has the line.
// PARTIAL: REMAP_IRQ leaves the number as it is
pub(crate) fn sys_interrupt_create(
    caller: &Caller<'_>,
    src_obj: HandleValue,
    src_num: u32,
    options: u32,
    out_handle: UserOut<HandleValue>,
) -> ZxResult {
    if options & InterruptOptions::VIRTUAL.bits() != 0 {
        if options != InterruptOptions::VIRTUAL.bits() {
            return Err(ZxError::InvalidArgs);
        }
        return caller.give(Handle::new(Interrupt::create_virtual()?)?, out_handle);
    }
    let resource = caller.get::<Resource>(src_obj, Rights::empty())?;
    let line = Extent {
        base: u64::from(src_num),
        size: 1,
    };
    resource.check_range(ResourceKind::Irq, line)?;
    let options = InterruptOptions::from_bits(options).ok_or(ZxError::InvalidArgs)?;
    let mode = InterruptMode::from_raw((options & InterruptOptions::MODE_MASK).bits())
        .ok_or(ZxError::InvalidArgs)?;
    let trigger = match mode {
        InterruptMode::Default => None,
        InterruptMode::EdgeLow => Some(Trigger::EdgeLow),
        InterruptMode::EdgeHigh => Some(Trigger::EdgeHigh),
        InterruptMode::LevelLow => Some(Trigger::LevelLow),
        InterruptMode::LevelHigh => Some(Trigger::LevelHigh),
        InterruptMode::EdgeBoth => return Err(ZxError::InvalidArgs),
    };
    let interrupt = Interrupt::create_line(src_num, trigger)?;
    let handle = Handle::first(interrupt, Interrupt::DEFAULT_RIGHTS)?;
    caller.give(handle, out_handle)
}

/// Binds an interrupt to a port, or takes that back.
///
/// # Errors
/// - `InvalidArgs`: options.
/// - `BadHandle`, `WrongType`, `AccessDenied`: the interrupt lacks READ, or the port WRITE.
/// - Otherwise what [`Interrupt::bind`] and [`Interrupt::unbind`] say.
pub(crate) fn sys_interrupt_bind(
    caller: &Caller<'_>,
    handle: HandleValue,
    port_handle: HandleValue,
    key: u64,
    options: u32,
) -> ZxResult {
    let action = InterruptBind::from_raw(options).ok_or(ZxError::InvalidArgs)?;
    let interrupt = caller.get::<Interrupt>(handle, Rights::READ)?;
    let port = caller.get::<Port>(port_handle, Rights::WRITE)?;
    if !port.takes_interrupts() {
        return Err(ZxError::WrongType);
    }
    match action {
        InterruptBind::Bind => interrupt.bind(port, key),
        InterruptBind::Unbind => interrupt.unbind(&port),
    }
}

/// Waits until an interrupt is triggered.
///
/// # Errors
/// - `BadHandle`, `WrongType`, `AccessDenied`: the handle is bad or lacks WAIT.
/// - `BadState`: it is bound, or another thread waits.
/// - `Canceled`: it is destroyed, before or while waiting.
/// - `InvalidArgs`: the time cannot be written.
pub(crate) async fn sys_interrupt_wait(
    caller: &Caller<'_>,
    handle: HandleValue,
    out_timestamp: UserOut<i64>,
) -> ZxResult {
    let interrupt = caller.get::<Interrupt>(handle, Rights::WAIT)?;
    let wait = interrupt.wait()?;
    let at = caller
        .thread()
        .block(BlockedOn::Interrupt, Deadline::NEVER, wait)
        .await??;
    caller.write_optional(out_timestamp, &at)
}

/// Ends an interrupt.
///
/// # Errors
/// - `BadHandle`, `WrongType`: the handle is bad.
/// - What [`Interrupt::destroy`] says.
pub(crate) fn sys_interrupt_destroy(caller: &Caller<'_>, handle: HandleValue) -> ZxResult {
    caller.get::<Interrupt>(handle, Rights::empty())?.destroy()
}

/// Says that a packet was dealt with.
///
/// # Errors
/// - `BadHandle`, `WrongType`, `AccessDenied`: the handle is bad or lacks WRITE.
/// - What [`Interrupt::ack`] says.
pub(crate) fn sys_interrupt_ack(caller: &Caller<'_>, handle: HandleValue) -> ZxResult {
    caller.get::<Interrupt>(handle, Rights::WRITE)?.ack()
}

/// Triggers a virtual interrupt, at the time that is told to whoever waits.
///
/// # Errors
/// - `InvalidArgs`: options.
/// - `BadHandle`, `WrongType`, `AccessDenied`: the handle is bad or lacks SIGNAL.
/// - What [`Interrupt::trigger`] says.
pub(crate) fn sys_interrupt_trigger(
    caller: &Caller<'_>,
    handle: HandleValue,
    options: u32,
    timestamp: i64,
) -> ZxResult {
    if options != 0 {
        return Err(ZxError::InvalidArgs);
    }
    caller
        .get::<Interrupt>(handle, Rights::SIGNAL)?
        .trigger(timestamp)
}
