//! Channels: create, read, write and call.
//!
//! What becomes of the handles in a write is in [`outgoing`]; this file has the order of the steps.

use crate::level::Queues;
use crate::outgoing::{Dispositions, Outgoing};
use crate::Caller;
use alloc::sync::Arc;
use alloc::vec::Vec;
use kernel_hal::user::{UserIn, UserInOut, UserOut};
use zerocopy::{Immutable, IntoBytes};
use zircon_object::ipc::channel::{Depth, PendingCall, Read, Unfit};
use zircon_object::ipc::{Channel, Message};
use zircon_object::object::Handle;
use zircon_object::task::{retcode, BlockedOn, Interrupted, PolicyCondition};
use zx_abi::channel::ChannelReadOptions;
use zx_abi::limits::CHANNEL_MAX_HANDLES;
use zx_abi::{
    ChannelCallArgs, HandleDisposition, HandleInfo, HandleValue, Rights, ZxError, ZxResult,
};

/// `channel_create`
pub(crate) fn sys_channel_create(
    caller: &Caller<'_>,
    options: u32,
    out0: UserOut<HandleValue>,
    out1: UserOut<HandleValue>,
) -> ZxResult {
    if options != 0 {
        return Err(ZxError::InvalidArgs);
    }
    caller.policy(PolicyCondition::NewChannel)?;
    let (first, second) = Channel::create()?;
    caller.give_two((Handle::new(first)?, Handle::new(second)?), (out0, out1))
}

/// `channel_read`
#[expect(clippy::too_many_arguments, reason = "the call has that many")]
pub(crate) fn sys_channel_read(
    caller: &Caller<'_>,
    handle: HandleValue,
    options: u32,
    bytes: UserOut<u8>,
    handles: UserOut<HandleValue>,
    num_bytes: u32,
    num_handles: u32,
    actual_bytes: UserOut<u32>,
    actual_handles: UserOut<u32>,
) -> ZxResult {
    let received = receive(
        caller,
        handle,
        options,
        bytes,
        (num_bytes, num_handles),
        (actual_bytes, actual_handles),
    )?;
    accept(caller, received, handles)
}

/// `channel_read_etc`
#[expect(clippy::too_many_arguments, reason = "the call has that many")]
pub(crate) fn sys_channel_read_etc(
    caller: &Caller<'_>,
    handle: HandleValue,
    options: u32,
    bytes: UserOut<u8>,
    handles: UserOut<HandleInfo>,
    num_bytes: u32,
    num_handles: u32,
    actual_bytes: UserOut<u32>,
    actual_handles: UserOut<u32>,
) -> ZxResult {
    let received = receive(
        caller,
        handle,
        options,
        bytes,
        (num_bytes, num_handles),
        (actual_bytes, actual_handles),
    )?;
    accept(caller, received, handles)
}

/// Takes the oldest message and copies its sizes and bytes out; what is left are its handles.
fn receive(
    caller: &Caller<'_>,
    handle: HandleValue,
    options: u32,
    bytes: UserOut<u8>,
    room: (u32, u32),
    actual: (UserOut<u32>, UserOut<u32>),
) -> ZxResult<Vec<Handle>> {
    let channel = caller.get::<Channel>(handle, Rights::READ)?;
    let options = ChannelReadOptions::from_bits(options).ok_or(ZxError::NotSupported)?;
    let unfit = if options.contains(ChannelReadOptions::MAY_DISCARD) {
        Unfit::Discard
    } else {
        Unfit::Keep
    };
    match channel.read(room.0 as usize, room.1 as usize, unfit)? {
        Read::Message(message) => {
            let (content, handles) = message.open();
            caller.write_optional(actual.0, &narrow(content.len()))?;
            caller.write_optional(actual.1, &narrow(handles.len()))?;
            caller.write_slice(bytes, &content)?;
            Ok(handles)
        }
        Read::TooSmall { bytes, handles } => {
            caller.write_optional(actual.0, &narrow(bytes))?;
            caller.write_optional(actual.1, &narrow(handles))?;
            Err(ZxError::BufferTooSmall)
        }
    }
}

/// Sizes of messages fit: they were limited when the message was written.
fn narrow(size: usize) -> u32 {
    u32::try_from(size).unwrap_or(u32::MAX)
}

/// What a read stores for each handle.
trait Record: IntoBytes + Immutable + Copy + Default {
    fn of(value: HandleValue, kind: u32, rights: Rights) -> Self;
}

impl Record for HandleValue {
    fn of(value: HandleValue, _: u32, _: Rights) -> Self {
        value
    }
}

impl Record for HandleInfo {
    fn of(handle: HandleValue, kind: u32, rights: Rights) -> Self {
        Self {
            handle,
            kind,
            rights,
            unused: 0,
        }
    }
}

/// Few handles are the rule, and clearing a large buffer costs more than they do.
const FEW: usize = 4;

/// Gives received handles to the process and tells the program of them. When that fails all are closed.
#[inline(always)]
fn accept<T: Record>(caller: &Caller<'_>, received: Vec<Handle>, out: UserOut<T>) -> ZxResult {
    match received.len() {
        0 => Ok(()),
        1..=FEW => accept_up_to::<T, FEW>(caller, received, out),
        _ => accept_up_to::<T, CHANNEL_MAX_HANDLES>(caller, received, out),
    }
}

fn accept_up_to<T: Record, const N: usize>(
    caller: &Caller<'_>,
    received: Vec<Handle>,
    out: UserOut<T>,
) -> ZxResult {
    let count = received.len().min(N);
    let (mut values, mut records) = ([0; N], [T::default(); N]);
    {
        let mut table = caller.process().handles();
        table.reserve(count)?;
        for ((value, record), handle) in values.iter_mut().zip(&mut records).zip(received) {
            let (kind, rights) = (handle.object().object_type().raw(), handle.rights());
            *value = table.add(handle)?;
            *record = T::of(*value, kind, rights);
        }
    }
    let copied = caller.write_slice(out, &records[..count]);
    if copied.is_err() {
        for value in &values[..count] {
            let handle = caller.process().handles().remove(*value);
            drop(handle);
        }
    }
    copied
}

/// `channel_write`
pub(crate) fn sys_channel_write(
    caller: &Caller<'_>,
    handle: HandleValue,
    options: u32,
    bytes: UserIn<u8>,
    num_bytes: u32,
    handles: UserIn<HandleValue>,
    num_handles: u32,
) -> ZxResult {
    let outgoing = Outgoing {
        bytes,
        num_bytes,
        handles,
        num_handles,
    };
    match writable_end(caller, handle, options) {
        Ok(channel) => send(caller, &channel, outgoing.take(caller, &channel)?),
        Err(error) => Err(outgoing.consume(caller, error)),
    }
}

/// `channel_write_etc`
pub(crate) fn sys_channel_write_etc(
    caller: &Caller<'_>,
    handle: HandleValue,
    options: u32,
    bytes: UserIn<u8>,
    num_bytes: u32,
    handles: UserInOut<HandleDisposition>,
    num_handles: u32,
) -> ZxResult {
    let outgoing = Dispositions {
        bytes,
        num_bytes,
        handles,
        num_handles,
    };
    match writable_end(caller, handle, options) {
        Ok(channel) => send(caller, &channel, outgoing.take(caller, &channel)?),
        Err(error) => Err(outgoing.consume(caller, error)),
    }
}

#[inline(always)]
fn writable_end(caller: &Caller<'_>, handle: HandleValue, options: u32) -> ZxResult<Arc<Channel>> {
    if options != 0 {
        return Err(ZxError::InvalidArgs);
    }
    caller.get::<Channel>(handle, Rights::WRITE)
}

#[inline(always)]
fn send(caller: &Caller<'_>, channel: &Channel, message: Message) -> ZxResult {
    note_depth(caller, channel.write(message)?);
    Ok(())
}

/// Who fills a queue that nobody reads gets a policy exception; the message is delivered all the same.
fn note_depth(caller: &Caller<'_>, depth: Depth) {
    if depth == Depth::TooDeep && caller.level().queues == Queues::Limited {
        log::warn!("a channel has too many unread messages");
        caller.ask_for_exception();
    }
}

/// `channel_call_noretry`: sends and waits. Interrupted by a suspension it leaves the wait with the thread.
pub(crate) async fn sys_channel_call_noretry(
    caller: &Caller<'_>,
    handle: HandleValue,
    options: u32,
    deadline: i64,
    args: UserIn<ChannelCallArgs>,
    actual_bytes: UserOut<u32>,
    actual_handles: UserOut<u32>,
) -> ZxResult {
    let args = caller.read(args)?;
    let call = start_call(caller, handle, options, &args)?;
    await_answer(
        caller,
        call,
        deadline,
        &args,
        (actual_bytes, actual_handles),
    )
    .await
}

/// `channel_call_finish`: goes on with the call that a suspension interrupted.
pub(crate) async fn sys_channel_call_finish(
    caller: &Caller<'_>,
    deadline: i64,
    args: UserIn<ChannelCallArgs>,
    actual_bytes: UserOut<u32>,
    actual_handles: UserOut<u32>,
) -> ZxResult {
    let args = caller.read(args)?;
    let call = caller
        .interrupted_call()
        .lock()
        .take()
        .ok_or(ZxError::BadState)?;
    await_answer(
        caller,
        call,
        deadline,
        &args,
        (actual_bytes, actual_handles),
    )
    .await
}

fn start_call(
    caller: &Caller<'_>,
    handle: HandleValue,
    options: u32,
    args: &ChannelCallArgs,
) -> ZxResult<PendingCall> {
    let outgoing = Outgoing {
        bytes: UserIn::new(args.wr_bytes),
        num_bytes: args.wr_num_bytes,
        handles: UserIn::new(args.wr_handles),
        num_handles: args.wr_num_handles,
    };
    let channel = if options != 0 || args.wr_num_bytes < 4 {
        Err(ZxError::InvalidArgs)
    } else {
        caller.get::<Channel>(handle, Rights::READ | Rights::WRITE)
    };
    let channel = channel.map_err(|error| outgoing.consume(caller, error))?;
    let message = outgoing.take(caller, &channel)?;
    if caller.interrupted_call().lock().is_some() {
        // The vDSO never begins a call before it has finished the one before.
        caller.process().exit(retcode::VDSO_KILL);
        return Err(ZxError::BadState);
    }
    let (call, depth) = channel.call(message)?;
    note_depth(caller, depth);
    Ok(call)
}

async fn await_answer(
    caller: &Caller<'_>,
    mut call: PendingCall,
    deadline: i64,
    args: &ChannelCallArgs,
    actual: (UserOut<u32>, UserOut<u32>),
) -> ZxResult {
    let answer = match caller
        .thread()
        .block(BlockedOn::Channel, caller.deadline(deadline), &mut call)
        .await
    {
        Ok(answer) => answer?,
        Err(interrupted) => {
            if interrupted == Interrupted::Suspended {
                *caller.interrupted_call().lock() = Some(call);
            }
            return Err(interrupted.into());
        }
    };
    let too_large = answer.bytes().len() > args.rd_num_bytes as usize
        || answer.handles().len() > args.rd_num_handles as usize;
    if too_large {
        return Err(ZxError::BufferTooSmall);
    }
    let (content, handles) = answer.open();
    caller.write(actual.0, &narrow(content.len()))?;
    caller.write(actual.1, &narrow(handles.len()))?;
    caller.write_slice(UserOut::new(args.rd_bytes), &content)?;
    accept(
        caller,
        handles,
        UserOut::<HandleValue>::new(args.rd_handles),
    )
}
