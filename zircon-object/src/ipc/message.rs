//! Messages: what one write to a channel carries, bytes and handles.
//!
//! A message of up to 1 KiB is one block of the heap, and so is its handle when it has but one. Blocks come in a few sizes that
//! the compiler knows, so that taking and freeing one is a handful of instructions. Handles in a message belong
//! to nobody. A message that is destroyed closes them, and a handle can be the end of a channel whose queue
//! holds more messages with handles, and so on without limit. So that a program cannot make the kernel recurse, destroyed
//! messages with handles go to one list, linked through themselves, that is worked off in a loop.

use super::held;
use crate::object::Handle;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::marker::PhantomData;
use kernel_hal::sync::Mutex;
use zx_abi::{ZxError, ZxResult};

/// Sizes of the blocks; what is longer has its bytes elsewhere. A block is cleared before the bytes come.
const SHORT: usize = 64;
const MIDDLE: usize = 256;
const LARGE: usize = 1024;

/// Bytes and handles on their way.
#[derive(Debug)]
pub struct Message {
    body: Body,
}

#[derive(Debug, Default)]
enum Body {
    /// The message was moved away.
    #[default]
    Gone,
    Short(Box<Block<[u8; SHORT]>>),
    Middle(Box<Block<[u8; MIDDLE]>>),
    Large(Box<Block<[u8; LARGE]>>),
    Long(Box<Block<LongBytes>>),
}

/// The head comes first, so that it lies at the same place whatever follows.
#[derive(Debug)]
#[repr(C)]
struct Block<B> {
    head: Head,
    bytes: B,
    held: Held<B>,
}

/// Takes the block that it is in from the held bytes when that is freed.
#[derive(Debug)]
struct Held<B>(PhantomData<B>);

impl<B> Drop for Held<B> {
    #[inline(always)]
    fn drop(&mut self) {
        held::shrunk_by(size_of::<Block<B>>());
    }
}

/// Bytes with a block of their own.
#[derive(Debug)]
struct LongBytes(Vec<u8>);

impl Drop for LongBytes {
    fn drop(&mut self) {
        held::shrunk_by(self.0.len());
    }
}

#[derive(Debug)]
struct Head {
    len: usize,
    handles: Handles,
    /// The next one to be destroyed.
    next: Message,
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
    /// A message of `len` bytes, without handles. `fill` gets them, all zero, to put the contents there.
    ///
    /// # Errors
    /// - `NoMemory`: the kernel heap is exhausted.
    /// - Those of `fill`.
    #[inline(always)]
    pub fn filled(len: usize, mut fill: impl FnMut(&mut [u8]) -> ZxResult) -> ZxResult<Self> {
        if len > SHORT {
            return Self::filled_longer(len, &mut fill);
        }
        let mut block = block(len, [0; SHORT])?;
        fill(&mut block.bytes[..len])?;
        Ok(Self {
            body: Body::Short(block),
        })
    }

    #[inline(never)]
    fn filled_longer(len: usize, fill: &mut dyn FnMut(&mut [u8]) -> ZxResult) -> ZxResult<Self> {
        let mut body = if len <= MIDDLE {
            Body::Middle(block(len, [0; MIDDLE])?)
        } else if len <= LARGE {
            Body::Large(block(len, [0; LARGE])?)
        } else {
            Body::Long(block(len, zeros(len)?)?)
        };
        fill(body.bytes_mut())?;
        Ok(Self { body })
    }

    /// A message that the kernel sends.
    ///
    /// # Errors
    /// - `NoMemory`: the kernel heap is exhausted; the handles are closed.
    pub fn from_kernel(bytes: &[u8], handles: Vec<Handle>) -> ZxResult<Self> {
        let mut message = Self::filled(bytes.len(), |into| {
            into.copy_from_slice(bytes);
            Ok(())
        })?;
        message.load(Handles::Many(handles));
        Ok(message)
    }

    /// Gives it handles, in place of those that it had.
    #[inline(always)]
    pub fn load(&mut self, handles: Handles) {
        if let Some(head) = self.body.head_mut() {
            head.handles = handles;
        }
    }

    /// Its bytes.
    #[inline(always)]
    pub fn bytes(&self) -> &[u8] {
        match &self.body {
            Body::Short(block) => &block.bytes[..block.head.len],
            other => other.longer_bytes(),
        }
    }
    /// The number of its bytes and that of its handles.
    #[inline(always)]
    pub fn size(&self) -> (usize, usize) {
        self.body
            .head()
            .map_or((0, 0), |head| (head.len, head.handles.count()))
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
        if let Some(first) = self.body.bytes_mut().first_chunk_mut() {
            *first = txid.to_le_bytes();
        }
    }

    /// Moves it away; an empty one is left.
    #[inline(always)]
    pub(super) fn take(&mut self) -> Self {
        Self {
            body: core::mem::take(&mut self.body),
        }
    }

    /// Nothing in place of a message.
    pub(super) const EMPTY: Self = Self { body: Body::Gone };

    /// Takes the handles out because somebody has read the message. Waits through handles that travelled end now: the
    /// values under which they were started are gone.
    #[inline(always)]
    pub fn unload(&mut self) -> Handles {
        match self.body.head_mut() {
            Some(head) => core::mem::replace(&mut head.handles, Handles::None).arrived(),
            None => Handles::None,
        }
    }

    /// Destroys it. The same as dropping it, but quick for a short one without handles.
    #[inline(always)]
    pub fn consumed(mut self) {
        match &self.body {
            Body::Short(block) if !block.head.has_handles() => {}
            _ => return,
        }
        if let Body::Short(block) = core::mem::take(&mut self.body) {
            let Block { head, held, .. } = *block;
            drop(held);
            // Neither has anything to drop, and the compiler need not look.
            core::mem::forget((head.handles, head.next));
        }
        core::mem::forget(self);
    }
}

impl Body {
    #[inline(always)]
    fn head(&self) -> Option<&Head> {
        match self {
            Self::Gone => None,
            Self::Short(block) => Some(&block.head),
            Self::Middle(block) => Some(&block.head),
            Self::Large(block) => Some(&block.head),
            Self::Long(block) => Some(&block.head),
        }
    }
    #[inline(always)]
    fn head_mut(&mut self) -> Option<&mut Head> {
        match self {
            Self::Gone => None,
            Self::Short(block) => Some(&mut block.head),
            Self::Middle(block) => Some(&mut block.head),
            Self::Large(block) => Some(&mut block.head),
            Self::Long(block) => Some(&mut block.head),
        }
    }
    #[inline(never)]
    fn longer_bytes(&self) -> &[u8] {
        match self {
            Self::Gone => &[],
            Self::Short(block) => &block.bytes[..block.head.len],
            Self::Middle(block) => &block.bytes[..block.head.len],
            Self::Large(block) => &block.bytes[..block.head.len],
            Self::Long(block) => &block.bytes.0,
        }
    }
    fn bytes_mut(&mut self) -> &mut [u8] {
        match self {
            Self::Gone => &mut [],
            Self::Short(block) => &mut block.bytes[..block.head.len],
            Self::Middle(block) => &mut block.bytes[..block.head.len],
            Self::Large(block) => &mut block.bytes[..block.head.len],
            Self::Long(block) => &mut block.bytes.0,
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
fn block<B>(len: usize, bytes: B) -> ZxResult<Box<Block<B>>> {
    let block = Box::try_new_uninit().map_err(|_| ZxError::NoMemory)?;
    let head = Head {
        len,
        handles: Handles::None,
        next: Message::EMPTY,
    };
    let held = Held(PhantomData);
    let block = Box::write(block, Block { head, bytes, held });
    // Not before: the compiler would make the block elsewhere and copy it.
    held::grown_by(size_of::<Block<B>>());
    Ok(block)
}

#[inline(never)]
fn zeros(len: usize) -> ZxResult<LongBytes> {
    let mut bytes = Vec::new();
    bytes
        .try_reserve_exact(len)
        .map_err(|_| ZxError::NoMemory)?;
    bytes.resize(len, 0);
    held::grown_by(len);
    Ok(LongBytes(bytes))
}

impl Drop for Message {
    #[inline(always)]
    fn drop(&mut self) {
        if self.body.head().is_some_and(Head::has_handles) {
            bury(self.take());
        }
    }
}

impl Head {
    #[inline(always)]
    fn has_handles(&self) -> bool {
        match self.handles {
            Handles::None => false,
            Handles::One(_) | Handles::Many(_) => true,
        }
    }
}

static GRAVEYARD: Mutex<Graveyard> = Mutex::new(Graveyard {
    first: Message::EMPTY,
    at_work: false,
});

/// Destroyed messages whose handles wait to be closed.
struct Graveyard {
    first: Message,
    at_work: bool,
}

/// Closes handles; those of messages that are destroyed on the way too.
#[cold]
#[inline(never)]
fn bury(mut message: Message) {
    let mut graveyard = GRAVEYARD.lock();
    if let Some(head) = message.body.head_mut() {
        head.next = graveyard.first.take();
    }
    graveyard.first = message;
    if core::mem::replace(&mut graveyard.at_work, true) {
        return;
    }
    loop {
        let mut first = graveyard.first.take();
        let Some(head) = first.body.head_mut() else {
            break;
        };
        graveyard.first = head.next.take();
        let handles = core::mem::replace(&mut head.handles, Handles::None);
        drop(graveyard);
        drop(first);
        drop(handles);
        graveyard = GRAVEYARD.lock();
    }
    graveyard.at_work = false;
}
