//! Ports, and waits that end in a packet.

use crate::Caller;
use alloc::sync::Arc;
use kernel_hal::user::{UserIn, UserOut};
use zircon_object::ipc::Channel;
use zircon_object::object::{downcast, Handle, KernelObject};
use zircon_object::signal::port::AsyncWait;
use zircon_object::signal::port_packet::{Edge, Stamp, Style};
use zircon_object::signal::Port;
use zircon_object::task::{BlockedOn, PolicyCondition};
use zx_abi::packet::PortOptions;
use zx_abi::wait::WaitAsyncOptions;
use zx_abi::{HandleValue, ObjectType, PortPacket, Rights, Signals, Status, ZxError, ZxResult};

/// Makes a port.
///
/// # Errors
/// - `AccessDenied`: job policy.
/// - `InvalidArgs`: options.
/// - `NoMemory`: no kernel memory, or no room for the handle.
/// - `InvalidArgs`: the handle cannot be written; there is none then.
pub(crate) fn sys_port_create(
    caller: &Caller<'_>,
    options: u32,
    out: UserOut<HandleValue>,
) -> ZxResult {
    caller.policy(PolicyCondition::NewPort)?;
    let options = PortOptions::from_bits(options).ok_or(ZxError::InvalidArgs)?;
    let port = if options.contains(PortOptions::BIND_TO_INTERRUPT) {
        Port::create_for_interrupts()?
    } else {
        Port::create()?
    };
    caller.give(Handle::new(port)?, out)
}

/// Puts a packet of the program's own into a port.
///
/// # Errors
/// - `BadHandle`, `WrongType`, `AccessDenied`: the handle is bad or lacks WRITE.
/// - `InvalidArgs`: the packet cannot be read.
/// - What [`Port::queue`] says.
pub(crate) fn sys_port_queue(
    caller: &Caller<'_>,
    handle: HandleValue,
    packet: UserIn<PortPacket>,
) -> ZxResult {
    let port = caller.get::<Port>(handle, Rights::WRITE)?;
    let packet = caller.read(packet)?;
    port.queue(packet.key, Status(packet.status), packet.payload)
}

/// `port_wait` with a packet that is there: it is taken without the machinery of waiting, where it would win too.
pub(crate) fn now_port_wait(
    caller: &Caller<'_>,
    handle: HandleValue,
    _deadline: i64,
    packet: UserOut<PortPacket>,
) -> Option<ZxResult> {
    match caller.get::<Port>(handle, Rights::READ) {
        Ok(port) => Some(caller.write(packet, &port.take_ready()?)),
        Err(error) => Some(Err(error)),
    }
}

/// Takes the next packet, as soon as there is one.
///
/// # Errors
/// - `BadHandle`, `WrongType`, `AccessDenied`: the handle is bad or lacks READ.
/// - `TimedOut`: none came in time.
/// - `InvalidArgs`: the packet cannot be written; it is lost then.
pub(crate) async fn sys_port_wait(
    caller: &Caller<'_>,
    handle: HandleValue,
    deadline: i64,
    packet: UserOut<PortPacket>,
) -> ZxResult {
    let port = caller.get::<Port>(handle, Rights::READ)?;
    let taken = caller
        .thread()
        .block(BlockedOn::Port, caller.deadline(deadline), port.wait())
        .await??;
    caller.write(packet, &taken)
}

/// Takes back the waits with this key, and their packets.
///
/// # Errors
/// - `BadHandle`, `WrongType`, `AccessDenied`: the handle of the port is bad or lacks WRITE.
/// - `BadHandle`, `AccessDenied`: that of the source is bad or lacks WAIT.
/// - `NotFound`: there is no such wait.
pub(crate) fn sys_port_cancel(
    caller: &Caller<'_>,
    handle: HandleValue,
    source: HandleValue,
    key: u64,
) -> ZxResult {
    let port = caller.get::<Port>(handle, Rights::WRITE)?;
    let (object, through) = caller.get_any(source, Rights::WAIT)?;
    port.cancel(&*object, through, key)
}

/// Makes signals of an object become a packet.
///
/// # Errors
/// - `InvalidArgs`: options.
/// - `BadHandle`, `WrongType`, `AccessDenied`: the handle of the port is bad or lacks WRITE.
/// - `BadHandle`, `AccessDenied`: that of the object is bad or lacks WAIT.
/// - `NoMemory`: no memory for the packet.
pub(crate) fn sys_object_wait_async(
    caller: &Caller<'_>,
    handle: HandleValue,
    port: HandleValue,
    key: u64,
    signals: Signals,
    options: u32,
) -> ZxResult {
    let options = WaitAsyncOptions::from_bits(options)
        .filter(|&options| caller.level().wait_async_options.contains(options))
        .ok_or(ZxError::InvalidArgs)?;
    let edge = if options.contains(WaitAsyncOptions::EDGE) {
        Edge::Rising
    } else {
        Edge::Level
    };
    let stamp = if options.contains(WaitAsyncOptions::TIMESTAMP) {
        Stamp::Time
    } else {
        Stamp::None
    };
    let port = caller.get::<Port>(port, Rights::WRITE)?;
    let (object, through) = caller.get_any(handle, Rights::WAIT)?;
    let style = Style { edge, stamp };
    port.wait_async(
        &object,
        AsyncWait {
            key,
            trigger: signals,
            handle: through,
            style,
        },
        pending_count(&object, signals),
    )
}

/// What a packet says how often its signal stands: messages that wait on a channel, once for everything else.
fn pending_count(object: &Arc<dyn KernelObject>, signals: Signals) -> u64 {
    if object.object_type() != ObjectType::Channel || !signals.contains(Signals::CHANNEL_READABLE) {
        return 1;
    }
    let messages = downcast::<Channel>(object.clone()).map_or(0, |channel| channel.message_count());
    messages.max(1) as u64
}
