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
    pub(super) slots: Mutex<Slots>,
}

/// The slots of a leaf, and in two words which of them hold what, so that pages are counted without a look at each.
pub(super) struct Slots {
    /// Dropped by hand, so that slots which were emptied are not looked at once more.
    slots: ManuallyDrop<[Slot; FANOUT]>,
    /// Bit by slot: it is `Owned`.
    owned: u64,
    /// Bit by slot: it is `Shared`.
    shared: u64,
}

/// A slot that may be changed.
pub(super) struct SlotMut<'a> {
    slots: &'a mut Slots,
    at: usize,
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
            Self::Leaf(try_arc(Leaf::new(owner, Slots::new()))?)
        } else {
            Self::Inner(try_arc(Inner {
                links: [const { None }; FANOUT],
            })?)
        })
    }
}

impl Slot {
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

impl Slots {
    const fn new() -> Self {
        Self {
            slots: ManuallyDrop::new([const { Slot::Empty }; FANOUT]),
            owned: 0,
            shared: 0,
        }
    }

    #[inline(always)]
    pub(super) fn get(&self, at: usize) -> &Slot {
        &self.slots[at]
    }

    #[inline(always)]
    pub(super) fn get_mut(&mut self, at: usize) -> SlotMut<'_> {
        SlotMut { slots: self, at }
    }

    /// Which slots hold pages of this leaf alone, by bits.
    pub(super) const fn owned(&self) -> u64 {
        self.owned
    }

    /// Which slots hold pages that other leaves have too, or had, by bits.
    pub(super) const fn shared(&self) -> u64 {
        self.shared
    }

    /// Empties slots, chosen by bits; `take` gets what is in them.
    #[inline(always)]
    pub(super) fn take(&mut self, chosen: u64, mut take: impl FnMut(Slot)) {
        let present = (self.owned | self.shared) & chosen;
        (self.owned, self.shared) = (self.owned & !chosen, self.shared & !chosen);
        if present == u64::MAX {
            for slot in &mut self.slots[..] {
                take(core::mem::replace(slot, Slot::Empty));
            }
            return;
        }
        for at in bits(present) {
            take(core::mem::replace(&mut self.slots[at], Slot::Empty));
        }
    }

    fn put(&mut self, at: usize, slot: Slot) -> Slot {
        let bit = 1 << at;
        (self.owned, self.shared) = (self.owned & !bit, self.shared & !bit);
        match slot {
            Slot::Empty => {}
            Slot::Owned { .. } => self.owned |= bit,
            Slot::Shared(_) => self.shared |= bit,
        }
        core::mem::replace(&mut self.slots[at], slot)
    }

    /// Turns every owned page into a shared one and gives a second set of references to them.
    fn share_all(&mut self, leaf_owner: u64) -> ZxResult<Self> {
        let mut copy = Self::new();
        for at in bits(self.owned) {
            let mut page = try_arc(SharedPage {
                frame: Mutex::new(None),
                owner: AtomicU64::new(leaf_owner),
            })?;
            let room = Arc::get_mut(&mut page).ok_or(ZxError::Internal)?;
            if let Slot::Owned { frame, .. } = self.put(at, Slot::Empty) {
                *room.frame.get_mut() = Some(frame);
            }
            self.put(at, Slot::Shared(page));
        }
        for at in bits(self.shared) {
            if let Slot::Shared(page) = self.get(at) {
                copy.put(at, Slot::Shared(page.clone()));
            }
        }
        Ok(copy)
    }
}

impl Drop for Slots {
    fn drop(&mut self) {
        self.take(u64::MAX, drop);
    }
}

impl SlotMut<'_> {
    #[inline(always)]
    pub(super) fn get(&self) -> &Slot {
        self.slots.get(self.at)
    }

    /// The number of pins of an owned page.
    pub(super) fn pins(&mut self) -> Option<&mut u32> {
        match &mut self.slots.slots[self.at] {
            Slot::Owned { pins, .. } => Some(pins),
            Slot::Empty | Slot::Shared(_) => None,
        }
    }

    /// Fills a slot that is empty.
    #[inline(always)]
    pub(super) fn fill(&mut self, frame: Frame) {
        self.slots.owned |= 1 << self.at;
        self.slots.slots[self.at] = Slot::Owned { frame, pins: 0 };
    }

    /// Puts something else there and gives what was.
    pub(super) fn put(&mut self, slot: Slot) -> Slot {
        self.slots.put(self.at, slot)
    }
}

/// The numbers of the bits of a word that are set.
pub(super) fn bits(word: u64) -> impl Iterator<Item = usize> {
    let mut left = word;
    core::iter::from_fn(move || {
        let at = left.trailing_zeros() as usize;
        left &= left.checked_sub(1)?;
        Some(at)
    })
}

/// Bits `first..=last`.
pub(super) const fn span(first: usize, last: usize) -> u64 {
    u64::MAX << first & u64::MAX >> (FANOUT - 1 - last)
}

impl Leaf {
    const fn new(owner: u64, slots: Slots) -> Self {
        Self {
            owner: AtomicU64::new(owner),
            slots: Mutex::new(slots),
        }
    }

    fn share_all(&self) -> ZxResult<Slots> {
        let owner = self.owner.load(Ordering::Relaxed);
        self.slots.lock().share_all(owner)
    }
}
