//! Streams.

use crate::caller::NeededFor;
use crate::copying::transfer_all;
use crate::vmo::ask_for;
use crate::Caller;
use alloc::vec::Vec;
use core::ops::Range;
use kernel_hal::addr::USER_TOP;
use kernel_hal::user::{UserIn, UserOut};
use kernel_hal::VirtAddr;
use zircon_object::object::{Handle, TypedObject};
use zircon_object::vm::stream::At;
use zircon_object::vm::{Stream, Vmo};
use zx_abi::limits::PAGE_SIZE;
use zx_abi::stream::{Iovec, SeekOrigin, StreamOptions, StreamWriteOptions};
use zx_abi::{HandleValue, Rights, ZxError, ZxResult};

/// Vectors of one call; more than anyone needs, and a bound for kernel memory.
const VECTORS_MAX: usize = 1024;

/// Makes a stream over a VMO.
///
/// # Errors
/// - `InvalidArgs`: options.
/// - `BadHandle`, `WrongType`, `AccessDenied`: the VMO's handle is bad or lacks what the options ask for.
pub(crate) fn sys_stream_create(
    caller: &Caller<'_>,
    options: u32,
    vmo: HandleValue,
    seek: u64,
    out_stream: UserOut<HandleValue>,
) -> ZxResult {
    let modes = StreamOptions::from_bits(options).ok_or(ZxError::InvalidArgs)?;
    let mut rights = Rights::empty();
    rights.set(Rights::READ, modes.contains(StreamOptions::MODE_READ));
    rights.set(Rights::WRITE, modes.contains(StreamOptions::MODE_WRITE));
    let vmo = caller.get::<Vmo>(vmo, rights)?;
    let stream = Stream::create(vmo, options, seek)?;
    caller.give(
        Handle::with_rights(stream, Stream::DEFAULT_RIGHTS | rights)?,
        out_stream,
    )
}

/// Writes at the position, or at the end.
///
/// # Errors
/// - `InvalidArgs`: options, or no vector.
/// - `BadHandle`, `WrongType`, `AccessDenied`: the handle is bad or lacks WRITE.
/// - `InvalidArgs`: the buffers together are beyond all numbers, or cannot be read.
/// - Otherwise what [`Stream::begin_write`] says.
pub(crate) fn sys_stream_writev(
    caller: &Caller<'_>,
    handle: HandleValue,
    options: u32,
    vector: UserIn<Iovec>,
    num_vector: usize,
    actual: UserOut<usize>,
) -> ZxResult {
    let options = StreamWriteOptions::from_bits(options).ok_or(ZxError::InvalidArgs)?;
    let at = if options.contains(StreamWriteOptions::APPEND) {
        At::End
    } else {
        At::Position
    };
    write(caller, handle, at, vector, num_vector, actual)
}

/// Writes at an offset; the position stays.
///
/// # Errors
/// As [`sys_stream_writev`], without options.
pub(crate) fn sys_stream_writev_at(
    caller: &Caller<'_>,
    handle: HandleValue,
    options: u32,
    offset: u64,
    vector: UserIn<Iovec>,
    num_vector: usize,
    actual: UserOut<usize>,
) -> ZxResult {
    if options != 0 {
        return Err(ZxError::InvalidArgs);
    }
    write(
        caller,
        handle,
        At::Offset(offset),
        vector,
        num_vector,
        actual,
    )
}

/// Reads at the position.
///
/// # Errors
/// - `InvalidArgs`: options, or no vector.
/// - `BadHandle`, `WrongType`, `AccessDenied`: the handle is bad or lacks READ.
/// - `InvalidArgs`: too many buffers, or together beyond all numbers; something cannot be read or written.
/// - `NotFound`: a buffer has no memory.
/// - What the pages' pager says.
pub(crate) fn sys_stream_readv(
    caller: &Caller<'_>,
    handle: HandleValue,
    options: u32,
    vector: UserOut<Iovec>,
    num_vector: usize,
    actual: UserOut<usize>,
) -> ZxResult {
    if options != 0 {
        return Err(ZxError::InvalidArgs);
    }
    read(caller, handle, At::Position, vector, num_vector, actual)
}

/// Reads at an offset; the position stays.
///
/// # Errors
/// As [`sys_stream_readv`].
pub(crate) fn sys_stream_readv_at(
    caller: &Caller<'_>,
    handle: HandleValue,
    options: u32,
    offset: u64,
    vector: UserOut<Iovec>,
    num_vector: usize,
    actual: UserOut<usize>,
) -> ZxResult {
    if options != 0 {
        return Err(ZxError::InvalidArgs);
    }
    read(
        caller,
        handle,
        At::Offset(offset),
        vector,
        num_vector,
        actual,
    )
}

/// Moves the position.
///
/// # Errors
/// - `BadHandle`, `WrongType`: the handle is bad.
/// - `AccessDenied`: it has neither READ nor WRITE.
/// - `InvalidArgs`: unknown origin, a position that is none, or the result cannot be written.
pub(crate) fn sys_stream_seek(
    caller: &Caller<'_>,
    handle: HandleValue,
    whence: u32,
    offset: i64,
    out_seek: UserOut<u64>,
) -> ZxResult {
    let (stream, rights) = caller.get_with_rights::<Stream>(handle)?;
    if !rights.intersects(Rights::READ | Rights::WRITE) {
        return Err(ZxError::AccessDenied);
    }
    let origin = SeekOrigin::from_raw(whence).ok_or(ZxError::InvalidArgs)?;
    let position = stream.seek(origin, offset)?;
    caller.write_optional(out_seek, &position)
}

fn write(
    caller: &Caller<'_>,
    handle: HandleValue,
    at: At,
    vector: UserIn<Iovec>,
    count: usize,
    actual: UserOut<usize>,
) -> ZxResult {
    if vector.is_null() {
        return Err(ZxError::InvalidArgs);
    }
    let stream = caller.get::<Stream>(handle, Rights::WRITE)?;
    let (buffers, total) = buffers(caller, vector, count)?;
    let vmo = stream.vmo();
    ask_for_buffers(caller, &buffers)?;
    let (start, content) = (stream.start_of(at), vmo.content_size());
    if content < start && !content.is_multiple_of(PAGE_SIZE as u64) {
        // What is behind the end of the content there becomes zero.
        ask_for(caller, vmo, content, 1, 1)?;
    }
    ask_for(caller, vmo, start, total, u64::MAX)?;
    let range = stream.begin_write(at, total)?;
    copy(caller, &buffers, range, actual, |offset, buffer, len| {
        transfer_all(caller, vmo, offset, buffer, len, |offset, user, len| {
            vmo.write_from_user(offset, user, len)
        })
    })
}

fn read(
    caller: &Caller<'_>,
    handle: HandleValue,
    at: At,
    vector: UserOut<Iovec>,
    count: usize,
    actual: UserOut<usize>,
) -> ZxResult {
    if vector.is_null() {
        return Err(ZxError::InvalidArgs);
    }
    let stream = caller.get::<Stream>(handle, Rights::READ)?;
    let (buffers, total) = buffers(caller, UserIn::new(vector.addr()), count)?;
    let vmo = stream.vmo();
    ask_for_buffers(caller, &buffers)?;
    // Pages that a pager has are asked for while the call can still be made again.
    ask_for(caller, vmo, stream.start_of(at), total, u64::MAX)?;
    let range = stream.begin_read(at, total);
    copy(caller, &buffers, range, actual, |offset, buffer, len| {
        transfer_all(caller, vmo, offset, buffer, len, |offset, user, len| {
            vmo.read_to_user(offset, user, len)
        })
    })
}

/// Asks for memory of the program that a pager has yet to supply: once the range is fixed, and the position has moved, the call
/// cannot be made again.
fn ask_for_buffers(caller: &Caller<'_>, buffers: &[Iovec]) -> ZxResult {
    for buffer in buffers {
        let missing = caller
            .process()
            .space()
            .ask_for_range(buffer.buffer, buffer.capacity)?;
        if let Some(request) = missing {
            return Err(caller.want_page(request, NeededFor::Buffer));
        }
    }
    Ok(())
}

/// The buffers and how many bytes they have together.
fn buffers(
    caller: &Caller<'_>,
    vector: UserIn<Iovec>,
    count: usize,
) -> ZxResult<(Vec<Iovec>, u64)> {
    if count > VECTORS_MAX {
        return Err(ZxError::InvalidArgs);
    }
    let buffers = caller.read_vec(vector, count)?;
    let mut total = 0_usize;
    for buffer in &buffers {
        total = total
            .checked_add(buffer.capacity)
            .ok_or(ZxError::InvalidArgs)?;
    }
    Ok((buffers, total as u64))
}

/// Copies a range buffer by buffer and tells how much that was.
fn copy(
    caller: &Caller<'_>,
    buffers: &[Iovec],
    range: Range<u64>,
    actual: UserOut<usize>,
    step: impl Fn(u64, usize, usize) -> ZxResult,
) -> ZxResult {
    let mut at = range.start;
    for buffer in buffers {
        let left = usize::try_from(range.end - at).unwrap_or(usize::MAX);
        let len = buffer.capacity.min(left);
        if len != 0 {
            step(at, buffer.buffer, len).map_err(|error| match error {
                // What the copy met missing is the program's loss: the call cannot be made again once its range is fixed.
                ZxError::ShouldWait => ZxError::NotFound,
                ZxError::InvalidArgs => why_not_copied(caller, buffer.buffer, len),
                error => error,
            })?;
            at += len as u64;
        }
    }
    caller.write_optional(
        actual,
        &usize::try_from(at - range.start).unwrap_or(usize::MAX),
    )
}

/// What a buffer is refused with that could not be copied as a whole. Streams say where nothing is mapped, other calls do not
/// (`facts/calls.md`, section 12).
#[cold]
fn why_not_copied(caller: &Caller<'_>, buffer: VirtAddr, len: usize) -> ZxError {
    let end = buffer.saturating_add(len);
    let mut at = buffer;
    while at < end.min(USER_TOP) {
        match caller.process().space().mapped_after(at) {
            Ok(mapped) => at += mapped,
            Err(_) => return ZxError::NotFound,
        }
        kernel_hal::cpu::interrupt_window();
    }
    ZxError::InvalidArgs
}
