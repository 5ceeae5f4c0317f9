//! Messages: what one write to a channel carries, bytes and handles.
//!
//! A message of up to 1 KiB is one block of the heap, and so is its handle when it has but one. Handles in a message belong
//! to nobody. A message that is destroyed closes them, and a handle can be the end of a channel whose queue
//! holds more messages with handles, and so on without limit. So that a program cannot make the kernel recurse, destroyed
//! messages with handles go to one list, linked through themselves, that is worked off in a loop.

use crate::object::Handle;
use alloc::boxed::Box;
use alloc::vec::Vec;
use kernel_hal::sync::Mutex;
use zx_abi::{ZxError, ZxResult};

/// Sizes of the blocks; what is longer has its bytes elsewhere. A block is cleared before the bytes come.
const SHORT: usize = 64;
const MIDDLE: usize = 256;
const LARGE: usize = 1024;

/// Bytes and handles on their way.
#[derive(Debug)]
pub struct Message {
    /// `None` only in a message that was moved away.
    body: Option<Box<Body>>,
}

#[derive(Debug)]
struct Body<B: ?Sized = [u8]> {
    handles: Handles,
    len: usize,
    /// The bytes when there are more than `LARGE`.
    long: Vec<u8>,
    /// The next one to be destroyed.
    next: Option<Box<Body>>,
    bytes: B,
}

/// Handles of a message. Few messages have any, and few of those more than one.
#[derive(Debug)]
pub enum Handles {
    /// None.
    None,
    /// One, in the message's own block.
    One(Handle),
    /// Any number.
    Many(Vec<Handle>),
}

impl Message {
    /// A message of `len` zero bytes, which are filled in afterwards, without handles.
    ///
    /// # Errors
    /// - `NoMemory`: the kernel heap is exhausted.
    #[inline(always)]
    pub fn of_length(len: usize) -> ZxResult<Self> {
        let body = if len <= SHORT {
            block::<SHORT>(len, Vec::new())?
        } else if len <= MIDDLE {
            block::<MIDDLE>(len, Vec::new())?
        } else if len <= LARGE {
            block::<LARGE>(len, Vec::new())?
        } else {
            block::<0>(len, zeros(len)?)?
        };
        Ok(Self { body: Some(body) })
    }

    /// A message that the kernel sends.
    ///
    /// # Errors
    /// - `NoMemory`: the kernel heap is exhausted; the handles are closed.
    pub fn from_kernel(bytes: &[u8], handles: Vec<Handle>) -> ZxResult<Self> {
        let mut message = Self::of_length(bytes.len())?;
        message.bytes_mut().copy_from_slice(bytes);
        message.load(Handles::Many(handles));
        Ok(message)
    }

    /// Gives it handles, in place of those that it had.
    #[inline(always)]
    pub fn load(&mut self, handles: Handles) {
        if let Some(body) = &mut self.body {
            body.handles = handles;
        }
    }

    /// Its bytes.
    #[inline(always)]
    pub fn bytes(&self) -> &[u8] {
        match &self.body {
            Some(body) if body.len <= LARGE => &body.bytes[..body.len],
            Some(body) => &body.long,
            None => &[],
        }
    }
    /// Its bytes, to be changed.
    #[inline(always)]
    pub fn bytes_mut(&mut self) -> &mut [u8] {
        match &mut self.body {
            Some(body) => {
                if body.len <= LARGE {
                    &mut body.bytes[..body.len]
                } else {
                    &mut body.long
                }
            }
            None => &mut [],
        }
    }
    /// The number of its bytes and that of its handles.
    #[inline(always)]
    pub fn size(&self) -> (usize, usize) {
        self.body
            .as_ref()
            .map_or((0, 0), |body| (body.len, body.handles.count()))
    }

    /// The transaction that it belongs to: the first four bytes, 0 for shorter messages.
    #[inline(always)]
    pub fn txid(&self) -> u32 {
        self.bytes()
            .first_chunk()
            .map_or(0, |txid| u32::from_le_bytes(*txid))
    }

    /// Makes it belong to a transaction. No effect on a message of fewer than four bytes.
    pub(super) fn set_txid(&mut self, txid: u32) {
        if let Some(first) = self.bytes_mut().first_chunk_mut() {
            *first = txid.to_le_bytes();
        }
    }

    /// Moves it away; an empty one is left.
    #[inline(always)]
    pub(super) fn take(&mut self) -> Self {
        Self {
            body: self.body.take(),
        }
    }

    /// Nothing in place of a message.
    pub(super) const EMPTY: Self = Self { body: None };

    /// Takes the handles out because somebody has read the message. Waits through handles that travelled end now: the
    /// values under which they were started are gone.
    #[inline(always)]
    pub fn unload(&mut self) -> Handles {
        match &mut self.body {
            Some(body) => core::mem::replace(&mut body.handles, Handles::None).arrived(),
            None => Handles::None,
        }
    }
}

impl Handles {
    /// How many.
    #[inline(always)]
    pub fn count(&self) -> usize {
        match self {
            Self::None => 0,
            Self::One(_) => 1,
            Self::Many(handles) => handles.len(),
        }
    }

    #[inline(always)]
    fn arrived(self) -> Self {
        match &self {
            Self::None => {}
            Self::One(handle) => end_waits(handle),
            Self::Many(handles) => handles.iter().for_each(end_waits),
        }
        self
    }
}

#[inline(always)]
fn end_waits(handle: &Handle) {
    handle
        .object()
        .base()
        .signals()
        .cancel_handle(handle.key())
        .wake();
}

#[inline(always)]
fn block<const N: usize>(len: usize, long: Vec<u8>) -> ZxResult<Box<Body>> {
    let block = Box::try_new_uninit().map_err(|_| ZxError::NoMemory)?;
    let body = Body {
        handles: Handles::None,
        len,
        long,
        next: None,
        bytes: [0; N],
    };
    Ok(Box::write(block, body))
}

#[inline(never)]
fn zeros(len: usize) -> ZxResult<Vec<u8>> {
    let mut bytes = Vec::new();
    bytes
        .try_reserve_exact(len)
        .map_err(|_| ZxError::NoMemory)?;
    bytes.resize(len, 0);
    Ok(bytes)
}

impl Drop for Message {
    #[inline(always)]
    fn drop(&mut self) {
        if let Some(body) = self.body.take() {
            match &body.handles {
                Handles::None => {}
                Handles::One(_) | Handles::Many(_) => bury(body),
            }
        }
    }
}

static GRAVEYARD: Mutex<Graveyard> = Mutex::new(Graveyard {
    first: None,
    at_work: false,
});

/// Destroyed messages whose handles wait to be closed.
struct Graveyard {
    first: Option<Box<Body>>,
    at_work: bool,
}

/// Closes handles; those of messages that are destroyed on the way too.
#[cold]
#[inline(never)]
fn bury(mut body: Box<Body>) {
    let mut graveyard = GRAVEYARD.lock();
    body.next = graveyard.first.take();
    graveyard.first = Some(body);
    if core::mem::replace(&mut graveyard.at_work, true) {
        return;
    }
    while let Some(mut body) = graveyard.first.take() {
        graveyard.first = body.next.take();
        drop(graveyard);
        drop(body);
        graveyard = GRAVEYARD.lock();
    }
    graveyard.at_work = false;
}
