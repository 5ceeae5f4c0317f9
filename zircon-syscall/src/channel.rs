//! Channels: create, read, write and call.
//!
//! What becomes of the handles in a write is in `outgoing.rs`; this file has the order of the steps.

use crate::level::Queues;
use crate::outgoing::{Dispositions, Outgoing};
use crate::Caller;
use alloc::sync::Arc;
use alloc::vec::Vec;
use kernel_hal::user::{UserIn, UserInOut, UserOut};
use zerocopy::{Immutable, IntoBytes};
use zircon_object::ipc::channel::{Depth, PendingCall, Read, Unfit};
use zircon_object::ipc::message::{Handles, Message};
use zircon_object::ipc::Channel;
use zircon_object::object::Handle;
use zircon_object::task::{retcode, BlockedOn, Interrupted, PolicyCondition};
use zx_abi::channel::ChannelReadOptions;
use zx_abi::limits::CHANNEL_MAX_HANDLES;
use zx_abi::{
    ChannelCallArgs, HandleDisposition, HandleInfo, HandleValue, Rights, ZxError, ZxResult,
};

/// Makes a channel and gives both ends.
///
/// # Errors
/// - `InvalidArgs`: options.
/// - `AccessDenied`: job policy.
/// - `NoMemory`: no kernel memory, or no room for the handles.
/// - `InvalidArgs`: a handle cannot be written; there is none then.
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

/// Takes the oldest message.
///
/// # Errors
/// - `BadHandle`, `WrongType`, `AccessDenied`: the handle is bad or lacks READ.
/// - `NotSupported`: options.
/// - `ShouldWait`, `PeerClosed`: there is no message, and there can come one or not.
/// - `BufferTooSmall`: it does not fit. Its sizes are told; it stays, unless MAY_DISCARD was said.
/// - `InvalidArgs`: something cannot be written. The message and its handles are gone.
/// - `NoMemory`: no room for the handles; they are closed.
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

/// As [`sys_channel_read`], and tells type and rights of each handle.
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
#[inline(always)]
fn receive(
    caller: &Caller<'_>,
    handle: HandleValue,
    options: u32,
    bytes: UserOut<u8>,
    room: (u32, u32),
    actual: (UserOut<u32>, UserOut<u32>),
) -> ZxResult<Handles> {
    let channel = caller.get::<Channel>(handle, Rights::READ)?;
    let options = ChannelReadOptions::from_bits(options).ok_or(ZxError::NotSupported)?;
    let unfit = if options.contains(ChannelReadOptions::MAY_DISCARD) {
        Unfit::Discard
    } else {
        Unfit::Keep
    };
    match channel.read(room.0 as usize, room.1 as usize, unfit)? {
        Read::Message(mut message) => {
            let (len, handles) = message.size();
            caller.write_optional(actual.0, &narrow(len))?;
            caller.write_optional(actual.1, &narrow(handles))?;
            caller.write_slice(bytes, message.bytes())?;
            if handles == 0 {
                message.consumed();
                return Ok(Handles::None);
            }
            Ok(message.unload())
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
    /// What there is to say of a handle before it has a value.
    fn describe(handle: &Handle) -> Self;
    fn with_value(self, value: HandleValue) -> Self;
}

impl Record for HandleValue {
    #[inline(always)]
    fn describe(_: &Handle) -> Self {
        0
    }
    #[inline(always)]
    fn with_value(self, value: HandleValue) -> Self {
        value
    }
}

impl Record for HandleInfo {
    fn describe(handle: &Handle) -> Self {
        Self {
            handle: 0,
            kind: handle.object().object_type().raw(),
            rights: handle.rights(),
            unused: 0,
        }
    }
    fn with_value(self, handle: HandleValue) -> Self {
        Self { handle, ..self }
    }
}

/// Few handles are the rule, and clearing a large buffer costs more than they do.
const FEW: usize = 4;

/// Gives received handles to the process and tells the program of them. When that fails all are closed.
#[inline(always)]
fn accept<T: Record>(caller: &Caller<'_>, received: Handles, out: UserOut<T>) -> ZxResult {
    match received {
        Handles::None => Ok(()),
        Handles::One(handle) => accept_one(caller, handle, out),
        Handles::Many(handles) if handles.len() <= FEW => {
            accept_up_to::<T, FEW>(caller, handles, out)
        }
        Handles::Many(handles) => accept_up_to::<T, CHANNEL_MAX_HANDLES>(caller, handles, out),
    }
}

#[inline(always)]
fn accept_one<T: Record>(caller: &Caller<'_>, handle: Handle, out: UserOut<T>) -> ZxResult {
    let record = T::describe(&handle);
    let value = {
        let mut table = caller.process().handles();
        table.reserve(1)?;
        table.add(handle)?
    };
    let record = record.with_value(value);
    let copied = caller
        .with_faults(|| out.write(&record))
        .or_else(|error| caller.defer(error, out.addr(), record.as_bytes(), &[value]));
    if copied.is_err() {
        take_back(caller, &[value]);
    }
    copied
}

#[inline(never)]
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
            let description = T::describe(&handle);
            *value = table.add(handle)?;
            *record = description.with_value(*value);
        }
    }
    let (records, values) = (&records[..count], &values[..count]);
    let copied = caller
        .with_faults(|| out.write_slice(records))
        .or_else(|error| caller.defer(error, out.addr(), records.as_bytes(), values));
    if copied.is_err() {
        take_back(caller, values);
    }
    copied
}

/// Closes handles of which the program could not be told.
#[cold]
fn take_back(caller: &Caller<'_>, values: &[HandleValue]) {
    for value in values {
        let handle = caller.process().handles().remove(*value);
        drop(handle);
    }
}

/// Sends bytes and handles. The handles leave the process whatever comes of it.
///
/// # Errors
/// - `InvalidArgs`: options.
/// - `BadHandle`, `WrongType`, `AccessDenied`: the handle is bad or lacks WRITE.
/// - What [`Outgoing::take`] says of the bytes and handles.
/// - `PeerClosed`: nobody can receive it.
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

/// Sends bytes, and handles or copies of handles, with other rights if asked for. Each entry says what was wrong with it.
///
/// # Errors
/// As [`sys_channel_write`], with [`Dispositions::take`].
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
    let mut answer = match caller
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
    let (bytes, handles) = answer.size();
    let too_large = bytes > args.rd_num_bytes as usize || handles > args.rd_num_handles as usize;
    if too_large {
        return Err(ZxError::BufferTooSmall);
    }
    caller.write(actual.0, &narrow(bytes))?;
    caller.write(actual.1, &narrow(handles))?;
    caller.write_slice(UserOut::new(args.rd_bytes), answer.bytes())?;
    if handles == 0 {
        answer.consumed();
        return Ok(());
    }
    accept(
        caller,
        answer.unload(),
        UserOut::<HandleValue>::new(args.rd_handles),
    )
}
