//! Reading and writing by syscalls: from and to kernel buffers, and straight from and to user memory.
//!
//! A user copy handles a page at a time with the VMO locked, so that nobody can take the page away meanwhile. The copy
//! routine gives up at a page that is not there; the fault is resolved by the caller, with no lock held, who then goes on.

use super::memory::{Memory, ZEROS};
use super::Vmo;
use crate::vm::{PAGE, PAGE_BYTES};
use kernel_hal::frame::Frame;
use kernel_hal::paging::CachePolicy;
use kernel_hal::user::{self, UserFault};
use kernel_hal::VirtAddr;
use zx_abi::{ZxError, ZxResult};

/// Most bytes that one call copies before the caller may let others run.
const PIECE: usize = 64 * PAGE;

/// How far a user copy came. When `fault` is `None` and `done` is less than was asked for, just call again for the rest.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Progress {
    /// Bytes copied.
    pub done: usize,
    /// What stopped it.
    pub fault: Option<UserFault>,
}

impl Vmo {
    /// Copies out of the VMO.
    ///
    /// # Errors
    /// - `OutOfRange`: not wholly inside; nothing is copied.
    /// - `BadState`: memory is not cached.
    /// - `NotSupported`: physical memory.
    /// - `ShouldWait`: a pager has to be asked, see [`Vmo::ask_for`].
    pub fn read(&self, offset: u64, into: &mut [u8]) -> ZxResult {
        let len = into.len();
        let (mut memory, first) = self.checked(offset, len)?;
        for (index, at, done, count) in pieces(offset, len) {
            let to = &mut into[done..done + count];
            if memory
                .with_page(first + index, |frame| frame.read(at, to))?
                .is_none()
            {
                into[done..done + count].fill(0);
            }
        }
        Ok(())
    }

    /// Copies into the VMO.
    ///
    /// # Errors
    /// - `OutOfRange`: not wholly inside; nothing is copied.
    /// - `BadState`: memory is not cached.
    /// - `NotSupported`: physical memory.
    /// - `NoMemory`: a page could not be made; those before it are written.
    pub fn write(&self, offset: u64, from: &[u8]) -> ZxResult {
        let (mut memory, first) = self.checked(offset, from.len())?;
        for (index, at, done, count) in pieces(offset, from.len()) {
            memory.make_private(first + index, None)?;
            memory.with_frame(first + index, |frame| {
                frame.write(at, &from[done..done + count])
            });
        }
        Ok(())
    }

    /// Copies to user memory of the active address space, at most 64 pages in one call.
    ///
    /// # Errors
    /// As [`Vmo::read`]; a fault is no error here but part of the result.
    #[inline(always)]
    pub fn read_to_user(&self, offset: u64, to: VirtAddr, len: usize) -> ZxResult<Progress> {
        let (mut memory, first) = self.checked(offset, len)?;
        copy(offset, to, len, |index, at, to, count| {
            let index = first + index;
            match memory.with_page(index, |frame| user::write_from_frame(to, frame, at, count))? {
                Some(copied) => Ok(copied),
                None => Ok(user::write_bytes(to, &ZEROS.0[..count])),
            }
        })
    }

    /// Copies from user memory of the active address space, at most 64 pages in one call.
    ///
    /// # Errors
    /// As [`Vmo::write`]; a fault is no error here but part of the result.
    #[inline(always)]
    pub fn write_from_user(&self, offset: u64, from: VirtAddr, len: usize) -> ZxResult<Progress> {
        let (mut memory, first) = self.checked(offset, len)?;
        copy(offset, from, len, |index, at, from, count| {
            let index = first + index;
            let fill = |frame: &Frame| user::read_to_frame(from, frame, at, count);
            if let Some(copied) = memory.with_private(index, fill) {
                return Ok(copied);
            }
            memory.make_private(index, None)?;
            memory.with_frame(index, fill).ok_or(ZxError::Internal)
        })
    }

    /// Checks a transfer in the order in which Zircon finds errors, and locks the memory.
    #[inline(always)]
    fn checked(
        &self,
        offset: u64,
        len: usize,
    ) -> ZxResult<(kernel_hal::sync::MutexGuard<'_, Memory>, u64)> {
        let len = len as u64;
        offset.checked_add(len).ok_or(ZxError::OutOfRange)?;
        let (memory, first) = self.memory();
        if memory.physical().is_some() {
            return Err(ZxError::NotSupported);
        }
        if memory.cache != CachePolicy::Cached {
            return Err(ZxError::BadState);
        }
        Memory::check(offset, len, self.limit(&memory))?;
        Ok((memory, first))
    }
}

/// Copies page by page until done, a fault, or the end of a piece.
#[inline(always)]
fn copy(
    offset: u64,
    user: VirtAddr,
    len: usize,
    mut page: impl FnMut(u64, usize, VirtAddr, usize) -> ZxResult<Result<(), UserFault>>,
) -> ZxResult<Progress> {
    let len = len.min(PIECE);
    for (index, at, done, count) in pieces(offset, len) {
        let user = user.wrapping_add(done);
        if let Err(fault) = page(index, at, user, count)? {
            return Ok(stopped(done, user, count, fault));
        }
    }
    Ok(all(len))
}

const fn all(len: usize) -> Progress {
    Progress {
        done: len,
        fault: None,
    }
}

/// A fault in the copy of `count` bytes from or to `user`, after `done` others. Bytes before the fault have been copied; a fault
/// outside the range counts none.
#[cold]
fn stopped(done: usize, user: VirtAddr, count: usize, fault: UserFault) -> Progress {
    let part = fault.addr.wrapping_sub(user);
    Progress {
        done: if part < count { done + part } else { done },
        fault: Some(fault),
    }
}

/// Cuts `[offset, offset + len)` at page boundaries: page number, offset in the page, bytes before, bytes of this piece.
fn pieces(offset: u64, len: usize) -> impl Iterator<Item = (u64, usize, usize, usize)> {
    let mut done = 0;
    core::iter::from_fn(move || {
        if done == len {
            return None;
        }
        let position = offset + done as u64;
        let at = (position % PAGE_BYTES) as usize;
        let count = (PAGE - at).min(len - done);
        done += count;
        Some((position / PAGE_BYTES, at, done - count, count))
    })
}
