//! The worker: one request, one answer.

use alloc::format;
use alloc::string::String;

use libzx::{Channel, Mapping, Startup, Vmo, ZxError};
use zx_abi::procargs::PA_USER0;

use crate::message::Request;

pub(crate) fn run(mut startup: Startup) -> Result<(), String> {
    // The parent put one end of a channel into the bootstrap message, under a tag both know.
    let parent: Channel = startup
        .take(PA_USER0, 0)
        .ok_or("the parent passed no channel")?;

    // Waits until there is a message, then takes it. Handles in it now belong to this process.
    let mut message = parent
        .read_by(libzx::time::INFINITE)
        .map_err(|error| format!("reading the request: {error}"))?;
    let request = Request::from_bytes(&message.bytes).ok_or("the request makes no sense")?;
    let numbers = Vmo::from(message.handles.pop().ok_or("the request has no VMO")?);

    let sum =
        add_up(&numbers, request).map_err(|error| format!("looking at the numbers: {error}"))?;
    parent
        .write(&sum.to_le_bytes(), alloc::vec![])
        .map_err(|error| format!("answering: {error}"))
    // The end of `main` ends the process; the kernel closes its handles, and the parent's end of the channel sees that
    // its peer is gone.
}

fn add_up(numbers: &Vmo, request: Request) -> Result<u64, ZxError> {
    // Mapping puts the VMO's pages into this process's address space: the very pages the parent wrote. The handle has no
    // WRITE right, so the mapping can only be read.
    let mapping = Mapping::readable(numbers)?;
    let index = |number: u64| usize::try_from(number).map_err(|_| ZxError::OutOfRange);
    let (first, count) = (index(request.first)?, index(request.count)?);
    let words = mapping.as_slice().chunks_exact(4);
    let wanted = words.skip(first).take(count);
    Ok(wanted
        .map(|word| u64::from(u32::from_le_bytes([word[0], word[1], word[2], word[3]])))
        .sum())
}
