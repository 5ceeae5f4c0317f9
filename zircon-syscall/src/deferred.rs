//! Results for memory that a pager has yet to supply: kept by the thread and written once the page is there.
//!
//! What a call tells is known only after its effect, which cannot be taken back (a message has left its queue), and waiting is
//! not possible inside a plain function. So the bytes are put aside, the call goes on as if they had been written, and its
//! thread writes them before it returns to the program (`docs/adr/0004-sync-and-async-syscalls.md`).

use crate::Caller;
use alloc::vec::Vec;
use kernel_hal::user::UserOut;
use kernel_hal::VirtAddr;
use zircon_object::vm::PageRequest;
use zx_abi::{HandleValue, ZxError, ZxResult};

/// What a call could not write yet, in order.
#[derive(Default)]
pub(crate) struct Deferred {
    writes: Vec<Write>,
    /// The request for the page that the first of them met missing.
    page: Option<PageRequest>,
}

struct Write {
    to: VirtAddr,
    bytes: Vec<u8>,
    /// Handles that the program learns of by it, closed when it never does.
    handles: Vec<HandleValue>,
}

/// A step of writing what was deferred.
#[derive(Debug)]
pub enum Delivery {
    /// All is written.
    Done,
    /// A pager has to supply a page first.
    Waits(PageRequest),
    /// The memory cannot be written; the call fails. Handles of which the program cannot be told are closed.
    Failed(ZxError),
}

impl Deferred {
    fn add(
        &mut self,
        to: VirtAddr,
        bytes: &[u8],
        handles: &[HandleValue],
    ) -> Result<(), alloc::collections::TryReserveError> {
        let (mut own_bytes, mut own_handles) = (Vec::new(), Vec::new());
        own_bytes.try_reserve_exact(bytes.len())?;
        own_bytes.extend_from_slice(bytes);
        own_handles.try_reserve_exact(handles.len())?;
        own_handles.extend_from_slice(handles);
        match self.writes.last_mut() {
            Some(last) if last.to.wrapping_add(last.bytes.len()) == to && handles.is_empty() => {
                last.bytes.try_reserve(bytes.len())?;
                last.bytes.extend_from_slice(bytes);
            }
            _ => {
                self.writes.try_reserve(1)?;
                self.writes.push(Write {
                    to,
                    bytes: own_bytes,
                    handles: own_handles,
                });
            }
        }
        Ok(())
    }
}

impl Caller<'_> {
    /// What became of a write: one that met a page which a pager has to supply is put aside.
    ///
    /// # Errors
    /// - `InvalidArgs`: the memory is not there or does not permit it.
    /// - `NoMemory`: no kernel memory to keep the bytes.
    #[cold]
    pub(crate) fn defer(
        &self,
        error: ZxError,
        to: VirtAddr,
        bytes: &[u8],
        handles: &[HandleValue],
    ) -> ZxResult {
        if error != ZxError::ShouldWait {
            return Err(error);
        }
        let page = self.unwant_page();
        let mut deferred = self.deferred().lock();
        let result = deferred
            .add(to, bytes, handles)
            .map_err(|_| ZxError::NoMemory);
        let surplus = if deferred.page.is_none() && result.is_ok() {
            deferred.page = page;
            None
        } else {
            page
        };
        drop(deferred);
        drop(surplus);
        if result.is_ok() {
            self.note_deferred();
        }
        result
    }

    /// Goes on writing what the last call deferred. After `Waits` it is to be called again once the wait is over, whatever
    /// ended it.
    pub fn deliver(&self) -> Delivery {
        loop {
            let (to, bytes) = {
                let mut deferred = self.deferred().lock();
                if let Some(page) = deferred.page.take() {
                    return Delivery::Waits(page);
                }
                let Some(first) = deferred.writes.first_mut() else {
                    return Delivery::Done;
                };
                // User memory is not touched under the lock.
                (first.to, core::mem::take(&mut first.bytes))
            };
            let written = self.with_faults(|| UserOut::<u8>::new(to).write_slice(&bytes));
            let mut deferred = self.deferred().lock();
            match written {
                Ok(()) => {
                    let done = deferred.writes.remove(0);
                    drop(deferred);
                    drop(done);
                }
                Err(ZxError::ShouldWait) => {
                    if let Some(first) = deferred.writes.first_mut() {
                        first.bytes = bytes;
                    }
                    drop(deferred);
                    if let Some(page) = self.unwant_page() {
                        return Delivery::Waits(page);
                    }
                }
                Err(error) => {
                    drop(deferred);
                    self.forget_deferred();
                    return Delivery::Failed(error);
                }
            }
        }
    }

    /// Drops what the last call deferred, and closes the handles of which the program does not hear.
    #[cold]
    pub fn forget_deferred(&self) {
        let deferred = core::mem::take(&mut *self.deferred().lock());
        for value in deferred.writes.iter().flat_map(|write| &write.handles) {
            let handle = self.process().handles().remove(*value);
            drop(handle);
        }
    }
}
