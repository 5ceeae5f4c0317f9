//! Nodes: inner ones with 64 links, leaves with 64 pages, and pages that several leaves have.

use super::tree::{Found, Sharing};
use crate::alloc_try::try_arc;
use alloc::sync::Arc;
use core::mem::ManuallyDrop;
use core::sync::atomic::{AtomicU64, Ordering};
use kernel_hal::frame::Frame;
use kernel_hal::sync::Mutex;
use zx_abi::{ZxError, ZxResult};

pub(super) const BITS: u32 = 6;
pub(super) const FANOUT: usize = 1 << BITS;
/// Stamp of a page that counts for nobody until someone claims it.
pub(super) const NOBODY: u64 = 0;

#[derive(Clone)]
pub(super) enum Link {
    Inner(Arc<Inner>),
    Leaf(Arc<Leaf>),
}

pub(super) struct Inner {
    pub(super) links: [Option<Link>; FANOUT],
}

pub(super) struct Leaf {
    pub(super) owner: AtomicU64,
    /// Dropped by hand, so that slots which were emptied one by one are not looked at once more.
    pub(super) slots: Mutex<ManuallyDrop<[Slot; FANOUT]>>,
    emptied: bool,
}

pub(super) enum Slot {
    Empty,
    Owned { frame: Frame, pins: u32 },
    Shared(Arc<SharedPage>),
}

pub(super) struct SharedPage {
    /// Always there; an option so that the allocation can be made before the frame leaves its old place. It is replaced by a
    /// copy when it belongs in one place, a contiguous VMO, and that is written.
    pub(super) frame: Mutex<Option<Frame>>,
    pub(super) owner: AtomicU64,
}

impl Link {
    pub(super) fn new(shift: u32, owner: u64) -> ZxResult<Self> {
        Ok(if shift == 0 {
            Self::Leaf(try_arc(Leaf::new(owner, [const { Slot::Empty }; FANOUT]))?)
        } else {
            Self::Inner(try_arc(Inner {
                links: [const { None }; FANOUT],
            })?)
        })
    }
}

impl Slot {
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    /// Runs `use_frame` on the frame, which stays where it is meanwhile.
    #[inline(always)]
    pub(super) fn with_frame<R>(&self, use_frame: impl FnOnce(&Frame) -> R) -> Option<R> {
        match self {
            Self::Empty => None,
            Self::Owned { frame, .. } => Some(use_frame(frame)),
            Self::Shared(page) => page.frame.lock().as_ref().map(use_frame),
        }
    }

    pub(super) fn found(&self, above: Sharing) -> Option<Found> {
        let addr = self.with_frame(Frame::addr)?;
        let sharing = match self {
            Self::Shared(page) if Arc::strong_count(page) != 1 => Sharing::MaybeShared,
            _ => above,
        };
        Some(Found { addr, sharing })
    }
}

impl SharedPage {
    /// The frame of a page that nobody else has any more.
    pub(super) fn into_frame(page: Arc<Self>) -> Option<Frame> {
        Arc::into_inner(page)?.frame.into_inner()
    }

    /// The VMO `owner` lets go of the page: if it counted for it, it counts for nobody now.
    pub(super) fn disown(&self, owner: u64) {
        disown(&self.owner, owner);
    }
}

pub(super) fn disown(stamp: &AtomicU64, owner: u64) {
    if stamp.load(Ordering::Relaxed) == owner {
        stamp.store(NOBODY, Ordering::Relaxed);
    }
}

#[expect(clippy::cast_possible_truncation, reason = "masked to six bits")]
pub(super) fn slot_of(index: u64, shift: u32) -> usize {
    (index >> shift) as usize & (FANOUT - 1)
}

pub(super) fn unique_inner(inner: &mut Arc<Inner>) -> ZxResult<&mut Inner> {
    if Arc::strong_count(inner) != 1 {
        *inner = try_arc(Inner {
            links: inner.links.clone(),
        })?;
    }
    Arc::get_mut(inner).ok_or(ZxError::Internal)
}

pub(super) fn unique_leaf(leaf: &mut Arc<Leaf>, owner: u64) -> ZxResult<&mut Leaf> {
    if Arc::strong_count(leaf) != 1 {
        let slots = leaf.share_all()?;
        *leaf = try_arc(Leaf::new(owner, slots))?;
    }
    let leaf = Arc::get_mut(leaf).ok_or(ZxError::Internal)?;
    *leaf.owner.get_mut() = owner;
    Ok(leaf)
}

impl Leaf {
    fn new(owner: u64, slots: [Slot; FANOUT]) -> Self {
        Self {
            owner: AtomicU64::new(owner),
            slots: Mutex::new(ManuallyDrop::new(slots)),
            emptied: false,
        }
    }

    /// Its slots, all of which the caller empties.
    pub(super) fn all_slots(&mut self) -> &mut [Slot] {
        self.emptied = true;
        &mut self.slots.get_mut()[..]
    }

    /// Turns every owned page into a shared one and gives a second set of references to them.
    pub(super) fn share_all(&self) -> ZxResult<[Slot; FANOUT]> {
        let mut copy = [const { Slot::Empty }; FANOUT];
        let mut slots = self.slots.lock();
        for (to, slot) in copy.iter_mut().zip(slots.iter_mut()) {
            if matches!(slot, Slot::Owned { .. }) {
                let owner = AtomicU64::new(self.owner.load(Ordering::Relaxed));
                let mut page = try_arc(SharedPage {
                    frame: Mutex::new(None),
                    owner,
                })?;
                let room = Arc::get_mut(&mut page).ok_or(ZxError::Internal)?;
                if let Slot::Owned { frame, .. } = core::mem::replace(slot, Slot::Empty) {
                    *room.frame.get_mut() = Some(frame);
                }
                *slot = Slot::Shared(page);
            }
            if let Slot::Shared(page) = slot {
                *to = Slot::Shared(page.clone());
            }
        }
        Ok(copy)
    }
}

impl Drop for Leaf {
    fn drop(&mut self) {
        if !self.emptied {
            for slot in self.slots.get_mut().iter_mut() {
                *slot = Slot::Empty;
            }
        }
    }
}
