//! Entries of `channel_write_etc`, and handles that show what became of them.

use alloc::vec::Vec;

use libzx::{AsHandle, Event, EventPair, Handle, Rights, Signals, ZxResult};
use zx_abi::info::InfoTopic;
use zx_abi::syscalls::SyscallId;
use zx_abi::HandleDisposition;

use crate::memory::{arg, call, Scratch};

pub(crate) const MOVE: u32 = 0;
pub(crate) const DUPLICATE: u32 = 1;

/// Bytes of an entry.
pub(crate) const ENTRY: usize = 20;

/// What an entry asks for.
pub(crate) fn entry(operation: u32, handle: u32) -> HandleDisposition {
    HandleDisposition {
        operation,
        handle,
        kind: 0,
        rights: Rights::SAME_RIGHTS,
        result: 0,
    }
}

/// Makes the call, and gives its result and those of the entries.
pub(crate) fn write_with(
    channel: usize,
    options: usize,
    entries: &[HandleDisposition],
) -> ZxResult<(ZxResult, Vec<i32>)> {
    let mut page = Scratch::new()?;
    for (index, entry) in entries.iter().enumerate() {
        page.put(index * ENTRY, entry);
    }
    let args = [channel, options, 0, 0, page.address(), entries.len()];
    let result = call(SyscallId::ChannelWriteEtc, &args);
    let results = (0..entries.len())
        .map(|index| page.get::<HandleDisposition>(index * ENTRY).result)
        .collect();
    Ok((result, results))
}

pub(crate) fn write(channel: &impl AsHandle, entries: &[HandleDisposition]) -> ZxResult {
    write_with(arg(channel), 0, entries)?.0
}

/// A handle that is the only one to its object, and an end that sees it go.
pub(crate) fn watched() -> ZxResult<(EventPair, u32)> {
    let (witness, sent) = EventPair::create()?;
    Ok((witness, Handle::from(sent).into_raw()))
}

/// Whether the other end is gone.
pub(crate) fn gone(witness: &EventPair) -> ZxResult<bool> {
    Ok(witness.signals_now(Signals::all())? == Signals::PEER_CLOSED)
}

pub(crate) fn is_valid(handle: u32) -> bool {
    let args = [handle as usize, InfoTopic::HandleValid.raw() as usize];
    call(SyscallId::ObjectGetInfo, &args).is_ok()
}

/// An entry that names a type.
pub(crate) fn typed(operation: u32, handle: u32, kind: u32) -> HandleDisposition {
    HandleDisposition {
        kind,
        ..entry(operation, handle)
    }
}

/// An event with these rights only.
pub(crate) fn event_with(rights: Rights) -> ZxResult<Event> {
    Event::create()?.replace(rights)
}

/// Skips where the call is missing.
macro_rules! has_write_etc {
    ($world:expr) => {
        $crate::check::needs!(ChannelWriteEtc);
        $crate::check::home_only!($world);
    };
}

pub(crate) use has_write_etc;
