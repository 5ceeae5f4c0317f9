//! What a program sends through a channel: bytes and handles, gathered, or consumed when the write fails.
//!
//! The handles of `channel_write` and `channel_call` leave the process whatever comes of the call, unless their values cannot
//! even be read. Those of `channel_write_etc` do so when they are to be moved; what is to be duplicated stays.

use crate::closing::{lose_all, Array};
use crate::Caller;
use alloc::vec::Vec;
use kernel_hal::user::{UserIn, UserInOut};
use zircon_object::ipc::message::{Handles, Message};
use zircon_object::ipc::Channel;
use zircon_object::object::{Handle, HandleTable, KernelObject};
use zx_abi::channel::HandleOp;
use zx_abi::limits::{CHANNEL_MAX_BYTES, CHANNEL_MAX_HANDLES, HANDLE_MAX};
use zx_abi::{HandleDisposition, HandleValue, ObjectType, Rights, Status, ZxError, ZxResult};

/// Arguments of `channel_write` and of the sending half of `channel_call`.
#[derive(Clone, Copy)]
pub(crate) struct Outgoing {
    pub(crate) bytes: UserIn<u8>,
    pub(crate) num_bytes: u32,
    pub(crate) handles: UserIn<HandleValue>,
    pub(crate) num_handles: u32,
}

impl Outgoing {
    /// The message. When that fails nothing of it is left in the process.
    ///
    /// # Errors
    /// - `OutOfRange`: too many bytes or handles.
    /// - `NoMemory`: no kernel memory for it.
    /// - `InvalidArgs`: the bytes cannot be read; or the handle array cannot, then no handle is consumed.
    /// - `BadHandle`, `AccessDenied`, `NotSupported`: what is wrong with the first handle that cannot be sent.
    #[inline(always)]
    pub(crate) fn take(self, caller: &Caller<'_>, channel: &Channel) -> ZxResult<Message> {
        if !sizes_are_legal(self.num_bytes, self.num_handles) {
            return Err(self.consume(caller, ZxError::OutOfRange));
        }
        let message = message_with(caller, self.bytes, self.num_bytes);
        if self.num_handles == 0 {
            return message;
        }
        let mut message = message.map_err(|error| self.consume(caller, error))?;
        message.load(self.take_handles(caller, channel)?);
        Ok(message)
    }

    #[inline(always)]
    fn take_handles(self, caller: &Caller<'_>, channel: &Channel) -> ZxResult<Handles> {
        // One handle is the rule, and clearing a large buffer costs more than a few do.
        match self.num_handles {
            1 => self.take_one(caller, channel),
            ..=4 => self.take_up_to::<4>(caller, channel),
            _ => self.take_up_to::<CHANNEL_MAX_HANDLES>(caller, channel),
        }
    }

    #[inline(always)]
    fn take_one(self, caller: &Caller<'_>, channel: &Channel) -> ZxResult<Handles> {
        let value = caller.read(self.handles)?;
        let found = caller.process().handles().remove(value);
        match found.and_then(|handle| may_travel(&handle, channel).map(|()| handle)) {
            Ok(handle) => Ok(Handles::One(handle)),
            Err(error) => Err(caller.lookup_failed(error)),
        }
    }

    #[inline(never)]
    fn take_up_to<const N: usize>(
        self,
        caller: &Caller<'_>,
        channel: &Channel,
    ) -> ZxResult<Handles> {
        let count = (self.num_handles as usize).min(N);
        let mut taken = Vec::new();
        if taken.try_reserve_exact(count).is_err() {
            return Err(self.consume(caller, ZxError::NoMemory));
        }
        let mut values = [0; N];
        caller.read_slice(self.handles, &mut values[..count])?;
        let mut status = Ok(());
        {
            let mut table = caller.process().handles();
            for value in &values[..count] {
                let one = table.remove(*value).and_then(|handle| {
                    let sendable = may_travel(&handle, channel);
                    taken.push(handle);
                    sendable
                });
                status = status.and(one);
            }
        }
        match status {
            Ok(()) => Ok(Handles::Many(taken)),
            Err(error) => {
                drop(taken);
                Err(caller.lookup_failed(error))
            }
        }
    }

    /// Closes all handles that were to be sent, and passes the error on; unless the call is to be made again with them.
    #[cold]
    pub(crate) fn consume(self, caller: &Caller<'_>, error: ZxError) -> ZxError {
        consume(caller, Array::Values(self.handles), self.num_handles, error)
    }
}

/// Arguments of `channel_write_etc`.
#[derive(Clone, Copy)]
pub(crate) struct Dispositions {
    pub(crate) bytes: UserIn<u8>,
    pub(crate) num_bytes: u32,
    pub(crate) handles: UserInOut<HandleDisposition>,
    pub(crate) num_handles: u32,
}

impl Dispositions {
    /// The message. When that fails because of a handle, each failing entry gets its own result.
    ///
    /// # Errors
    /// - `OutOfRange`: too many bytes or handles.
    /// - `NoMemory`: no kernel memory for it.
    /// - `InvalidArgs`: the bytes or the array cannot be read.
    /// - What is wrong with the first entry that cannot be sent.
    pub(crate) fn take(self, caller: &Caller<'_>, channel: &Channel) -> ZxResult<Message> {
        if !sizes_are_legal(self.num_bytes, self.num_handles) {
            return Err(self.consume(caller, ZxError::OutOfRange));
        }
        let mut message = message_with(caller, self.bytes, self.num_bytes)
            .map_err(|error| self.consume(caller, error))?;
        let mut entries = caller.read_vec(self.handles.input(), self.num_handles as usize)?;
        let mut taken = Vec::new();
        if taken.try_reserve_exact(entries.len()).is_err() {
            return Err(self.consume(caller, ZxError::NoMemory));
        }
        let mut status = Ok(());
        {
            let mut table = caller.process().handles();
            for entry in &mut entries {
                let one = take_entry(&mut table, *entry, channel, &mut taken);
                if let Err(error) = one {
                    entry.result = Status::from(error).0;
                }
                status = status.and(one);
            }
        }
        match status {
            Ok(()) => {
                message.load(Handles::Many(taken));
                Ok(message)
            }
            Err(error) => {
                drop(taken);
                caller.write_slice(self.handles.output(), &entries)?;
                Err(caller.lookup_failed(error))
            }
        }
    }

    /// Closes the handles that were to be moved, and passes the error on; unless the call is to be made again with them.
    #[cold]
    pub(crate) fn consume(self, caller: &Caller<'_>, error: ZxError) -> ZxError {
        let entries = Array::Dispositions(self.handles.input());
        consume(caller, entries, self.num_handles, error)
    }
}

/// Closes the handles of a call that has failed. One whose bytes a pager has yet to supply has not.
#[cold]
fn consume(caller: &Caller<'_>, handles: Array, count: u32, error: ZxError) -> ZxError {
    if error != ZxError::ShouldWait {
        lose_all(caller, handles, (count as usize).min(HANDLE_MAX), error);
    }
    error
}

/// Adds to `taken` what an entry sends; also what it moves without being allowed to, so that it is closed. Nothing is
/// dropped here, because the table is locked.
fn take_entry(
    table: &mut HandleTable,
    entry: HandleDisposition,
    channel: &Channel,
    taken: &mut Vec<Handle>,
) -> ZxResult {
    let operation = HandleOp::from_raw(entry.operation);
    if operation == Some(HandleOp::Duplicate) {
        let source = table.find(entry.handle)?;
        may_travel(source, channel)?;
        is_of_type(source, entry.kind)?;
        source.reduced(entry.rights)?;
        source.require(Rights::DUPLICATE)?;
        taken.push(source.duplicate(entry.rights)?);
        return Ok(());
    }
    let mut handle = table.remove(entry.handle)?;
    let mut sendable = may_travel(&handle, channel).and_then(|()| is_of_type(&handle, entry.kind));
    if sendable.is_ok() {
        sendable = operation
            .ok_or(ZxError::InvalidArgs)
            .and_then(|_| handle.reduce(entry.rights));
    }
    taken.push(handle);
    sendable
}

/// A message with a program's bytes.
#[inline(always)]
fn message_with(caller: &Caller<'_>, bytes: UserIn<u8>, count: u32) -> ZxResult<Message> {
    Message::filled(count as usize, |into| caller.read_slice(bytes, into))
}

fn sizes_are_legal(num_bytes: u32, num_handles: u32) -> bool {
    num_bytes as usize <= CHANNEL_MAX_BYTES && num_handles as usize <= CHANNEL_MAX_HANDLES
}

/// Whether a handle may be sent through this end: an end cannot be sent through itself.
#[inline(always)]
fn may_travel(handle: &Handle, channel: &Channel) -> ZxResult {
    handle.require(Rights::TRANSFER)?;
    if handle.object().base().koid() == channel.base().koid() {
        return Err(ZxError::NotSupported);
    }
    Ok(())
}

fn is_of_type(handle: &Handle, kind: u32) -> ZxResult {
    if kind == ObjectType::None.raw() || kind == handle.object().object_type().raw() {
        Ok(())
    } else {
        Err(ZxError::WrongType)
    }
}
