//! Messages: what one write to a channel carries, bytes and handles.
//!
//! Handles in a message belong to nobody. A message that is destroyed closes them, and a handle can be the end of a channel
//! whose queue holds more messages with handles, and so on without limit. So that a program cannot make the kernel recurse,
//! destroyed handles go to one list that is worked off in a loop; room in that list is made when a message is.

use crate::alloc_try::TryPush;
use crate::object::Handle;
use alloc::vec::Vec;
use kernel_hal::sync::Mutex;
use zx_abi::{ZxError, ZxResult};

/// Bytes and handles on their way.
#[derive(Debug)]
pub struct Message {
    bytes: Vec<u8>,
    handles: Vec<Handle>,
}

impl Message {
    /// A message of these parts. On failure the handles are closed.
    ///
    /// # Errors
    /// - `NoMemory`: the kernel heap is exhausted.
    #[inline(always)]
    pub fn new(bytes: Vec<u8>, handles: Vec<Handle>) -> ZxResult<Self> {
        if !handles.is_empty() {
            GRAVEYARD.lock().reserve()?;
        }
        Ok(Self { bytes, handles })
    }

    /// A message that the kernel sends.
    ///
    /// # Errors
    /// - `NoMemory`: the kernel heap is exhausted; the handles are closed.
    pub fn from_kernel(bytes: &[u8], handles: Vec<Handle>) -> ZxResult<Self> {
        let mut copy = Vec::new();
        copy.try_reserve_exact(bytes.len())
            .map_err(|_| ZxError::NoMemory)?;
        copy.extend_from_slice(bytes);
        Self::new(copy, handles)
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
    /// Its handles.
    pub fn handles(&self) -> &[Handle] {
        &self.handles
    }

    /// The transaction that it belongs to: the first four bytes, 0 for shorter messages.
    #[inline(always)]
    pub fn txid(&self) -> u32 {
        self.bytes
            .first_chunk()
            .map_or(0, |txid| u32::from_le_bytes(*txid))
    }

    /// Makes it belong to a transaction. No effect on a message of fewer than four bytes.
    pub(super) fn set_txid(&mut self, txid: u32) {
        if let Some(first) = self.bytes.first_chunk_mut() {
            *first = txid.to_le_bytes();
        }
    }

    /// Takes it apart because somebody has read it. Waits through handles that travelled end now: the values under which
    /// they were started are gone.
    pub fn open(mut self) -> (Vec<u8>, Vec<Handle>) {
        let handles = core::mem::take(&mut self.handles);
        if !handles.is_empty() {
            GRAVEYARD.lock().in_flight -= 1;
        }
        for handle in &handles {
            handle
                .object()
                .base()
                .signals()
                .cancel_handle(handle.key())
                .wake();
        }
        (core::mem::take(&mut self.bytes), handles)
    }
}

impl Drop for Message {
    #[inline(always)]
    fn drop(&mut self) {
        if !self.handles.is_empty() {
            bury(core::mem::take(&mut self.handles));
        }
    }
}

static GRAVEYARD: Mutex<Graveyard> = Mutex::new(Graveyard {
    waiting: Vec::new(),
    in_flight: 0,
    at_work: false,
});

/// Handles of destroyed messages that wait to be closed.
struct Graveyard {
    waiting: Vec<Vec<Handle>>,
    /// Messages with handles that exist: `waiting` has room for all of them.
    in_flight: usize,
    at_work: bool,
}

impl Graveyard {
    fn reserve(&mut self) -> ZxResult {
        let room = self.waiting.capacity() - self.waiting.len();
        if room <= self.in_flight {
            self.waiting
                .try_reserve(self.in_flight + 1)
                .map_err(|_| ZxError::NoMemory)?;
        }
        self.in_flight += 1;
        Ok(())
    }
}

/// Closes handles; those of messages that are destroyed on the way too.
#[cold]
fn bury(handles: Vec<Handle>) {
    let mut graveyard = GRAVEYARD.lock();
    graveyard.in_flight -= 1;
    // There is room: it was made with the message.
    let _ = graveyard.waiting.try_push(handles);
    if core::mem::replace(&mut graveyard.at_work, true) {
        return;
    }
    while let Some(handles) = graveyard.waiting.pop() {
        drop(graveyard);
        drop(handles);
        graveyard = GRAVEYARD.lock();
    }
    graveyard.at_work = false;
}
