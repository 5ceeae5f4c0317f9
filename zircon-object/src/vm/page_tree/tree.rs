//! Pages by index: looked up, made, shared with snapshots.

use super::count::{count_own, walk_in};
use super::frames::{copied_frame, zeroed_frame};
use super::node::{
    bits, slot_of, unique_inner, unique_leaf, Inner, Leaf, Link, SharedPage, Slot, SlotMut, Slots,
    BITS, FANOUT,
};
use super::release::{release, remove_in, Sink};
use crate::alloc_try::try_arc;
use alloc::sync::Arc;
use core::ops::Range;
use kernel_hal::frame::Frame;
use kernel_hal::PhysAddr;
use zx_abi::{ZxError, ZxResult};

/// How often a page can be pinned, as in Zircon.
const PINS_MAX: u32 = 31;

/// No page has this index or a higher one: a tree of the greatest height whose numbers fit in 64 bits has so many.
pub(in crate::vm) const INDEX_END: u64 = 1 << 60;

/// Pages by index, all below [`INDEX_END`].
pub(in crate::vm) struct PageTree {
    pub(super) root: Option<Link>,
    /// Levels above the leaf.
    pub(super) height: u32,
    /// Koid of the VMO whose tree this is: what it commits is stamped with it, for the attribution of shared pages.
    owner: u64,
}

/// A page as a lookup finds it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::vm) struct Found {
    pub(in crate::vm) addr: PhysAddr,
    pub(in crate::vm) sharing: Sharing,
}

/// Whether a page may be written in place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::vm) enum Sharing {
    /// Only this tree sees the page.
    Private,
    /// Some other tree may see it too: a write needs a copy.
    MaybeShared,
}

/// What making a page writable did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::vm) enum Change {
    /// The page was there.
    None,
    /// There was no page at the index.
    New,
    /// A copy took the place of a shared page.
    Replaced,
}

/// What becomes of the stamps on pages that the tree lets go while others still see them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::vm) enum Stamps {
    /// The owner lives on without the pages: they count for nobody until claimed.
    Clear,
    /// The owner dies, or does not own what is let go.
    Leave,
}

impl PageTree {
    pub(in crate::vm) const fn new(owner: u64) -> Self {
        Self {
            root: None,
            height: 0,
            owner,
        }
    }

    /// A tree that sees the same pages. O(1); both sides copy on write from now on.
    pub(in crate::vm) fn snapshot(&self, owner: u64) -> Self {
        Self {
            root: self.root.clone(),
            height: self.height,
            owner,
        }
    }

    pub(in crate::vm) fn is_empty(&self) -> bool {
        self.root.is_none()
    }

    /// Whether there is a page anywhere.
    pub(in crate::vm) fn has_pages(&self) -> bool {
        let mut found = false;
        self.walk(0..u64::MAX, &mut |slots, _, _, _| {
            found |= slots.owned() | slots.shared() != 0;
        });
        found
    }

    /// Runs `use_page` on the leaf slot of a page that is there.
    fn with_slot<R>(&self, index: u64, use_page: impl FnOnce(&Slot, Sharing) -> R) -> Option<R> {
        if !self.covers(index) {
            return None;
        }
        let mut shift = self.height * BITS;
        let mut link = self.root.as_ref()?;
        let mut sharing = Sharing::Private;
        loop {
            match link {
                Link::Inner(inner) => {
                    if Arc::strong_count(inner) != 1 {
                        sharing = Sharing::MaybeShared;
                    }
                    link = inner.links[slot_of(index, shift)].as_ref()?;
                    shift -= BITS;
                }
                Link::Leaf(leaf) => {
                    if Arc::strong_count(leaf) != 1 {
                        sharing = Sharing::MaybeShared;
                    }
                    let slots = leaf.slots.lock();
                    return Some(use_page(slots.get(slot_of(index, 0)), sharing));
                }
            }
        }
    }

    /// The page at `index`, if there is one.
    pub(in crate::vm) fn find(&self, index: u64) -> Option<Found> {
        self.with_slot(index, |slot, sharing| slot.found(sharing))
            .flatten()
    }

    /// Runs `use_frame` on the page at `index`, with its leaf locked.
    pub(in crate::vm) fn with_frame<R>(
        &self,
        index: u64,
        use_frame: impl FnOnce(&Frame) -> R,
    ) -> Option<R> {
        self.with_slot(index, |slot, _| slot.with_frame(use_frame))
            .flatten()
    }

    /// Runs `use_frame` on the page at `index` if it is there and nobody shares it, with its leaf locked.
    pub(in crate::vm) fn with_private<R>(
        &self,
        index: u64,
        use_frame: impl FnOnce(&Frame) -> R,
    ) -> Option<R> {
        self.with_slot(index, |slot, sharing| match (slot, sharing) {
            (Slot::Owned { frame, .. }, Sharing::Private) => Some(use_frame(frame)),
            (_, Sharing::Private | Sharing::MaybeShared) => None,
        })
        .flatten()
    }

    /// Makes the page at `index` private: a zeroed one where there is none, a copy of a shared one.
    pub(in crate::vm) fn make_private(&mut self, index: u64) -> ZxResult<(PhysAddr, Change)> {
        let owner = self.owner;
        let mut slot = self.slot_mut(index)?;
        match slot.get() {
            Slot::Owned { frame, .. } => Ok((frame.addr(), Change::None)),
            Slot::Empty => {
                let frame = zeroed_frame().ok_or(ZxError::NoMemory)?;
                let addr = frame.addr();
                slot.fill(frame);
                Ok((addr, Change::New))
            }
            Slot::Shared(page) if Arc::strong_count(page) == 1 => {
                let Slot::Shared(page) = slot.put(Slot::Empty) else {
                    return Err(ZxError::Internal);
                };
                let frame = SharedPage::into_frame(page).ok_or(ZxError::Internal)?;
                let addr = frame.addr();
                slot.put(Slot::Owned { frame, pins: 0 });
                Ok((addr, Change::None))
            }
            Slot::Shared(page) => {
                let frame = page.frame.lock().as_ref().and_then(copied_frame);
                let frame = frame.ok_or(ZxError::NoMemory)?;
                let addr = frame.addr();
                if let Slot::Shared(page) = slot.put(Slot::Owned { frame, pins: 0 }) {
                    page.disown(owner);
                }
                Ok((addr, Change::Replaced))
            }
        }
    }

    /// Makes the page at `index` private without moving it: the others who see it get a copy. `unmap` runs before that, and has to
    /// take it out of the page tables of the others.
    ///
    /// # Errors
    /// - `NoMemory`: no frame for the copy, or no heap for a node.
    pub(in crate::vm) fn keep_private(
        &mut self,
        index: u64,
        unmap: impl FnOnce(),
    ) -> ZxResult<PhysAddr> {
        let owner = self.owner;
        let mut slot = self.slot_mut(index)?;
        if let Slot::Shared(page) = slot.get() {
            if Arc::strong_count(page) != 1 {
                let mut theirs = page.frame.lock();
                let copy = theirs.as_ref().and_then(copied_frame);
                let copy = copy.ok_or(ZxError::NoMemory)?;
                unmap();
                let own = theirs.replace(copy).ok_or(ZxError::Internal)?;
                drop(theirs);
                page.disown(owner);
                let addr = own.addr();
                slot.put(Slot::Owned {
                    frame: own,
                    pins: 0,
                });
                return Ok(addr);
            }
        }
        self.make_private(index).map(|(addr, _)| addr)
    }

    /// Puts a frame where no page is; a page that is there already stays and the frame is freed.
    pub(in crate::vm) fn insert(&mut self, index: u64, frame: Frame) -> ZxResult {
        let mut slot = self.slot_mut(index)?;
        if matches!(slot.get(), Slot::Empty) {
            slot.fill(frame);
        }
        Ok(())
    }

    /// Takes the page at `index` out if it is there, private and not pinned.
    ///
    /// # Errors
    /// - `NoMemory`: a node could not be copied.
    pub(in crate::vm) fn take(&mut self, index: u64) -> ZxResult<Option<Frame>> {
        let mut slot = self.slot_mut(index)?;
        if !matches!(slot.get(), Slot::Owned { pins: 0, .. }) {
            return Ok(None);
        }
        Ok(match slot.put(Slot::Empty) {
            Slot::Owned { frame, .. } => Some(frame),
            Slot::Empty | Slot::Shared(_) => None,
        })
    }

    /// Adds a pin to a private page.
    ///
    /// # Errors
    /// - `BadState`: the page is not private.
    /// - `Unavailable`: it is pinned as often as it can be.
    /// - `NoMemory`: a node could not be copied.
    pub(in crate::vm) fn pin(&mut self, index: u64) -> ZxResult {
        let mut slot = self.slot_mut(index)?;
        let pins = slot.pins().ok_or(ZxError::BadState)?;
        if *pins == PINS_MAX {
            return Err(ZxError::Unavailable);
        }
        *pins += 1;
        Ok(())
    }

    /// Takes a pin off.
    pub(in crate::vm) fn unpin(&mut self, index: u64) -> ZxResult {
        let mut slot = self.slot_mut(index)?;
        let pins = slot.pins().ok_or(ZxError::BadState)?;
        *pins = pins.checked_sub(1).ok_or(ZxError::BadState)?;
        Ok(())
    }

    /// Whether any page in the range is pinned.
    pub(in crate::vm) fn any_pinned(&self, range: Range<u64>) -> bool {
        let mut pinned = false;
        let is_pinned = |slot: &Slot| matches!(slot, Slot::Owned { pins, .. } if *pins > 0);
        self.walk(range, &mut |slots, chosen, _, _| {
            pinned |= bits(slots.owned() & chosen).any(|at| is_pinned(slots.get(at)));
        });
        pinned
    }

    /// Number of pages in the range that count for this tree's owner. A shared page counts for the living VMO that
    /// committed it; when that one has let go of it, for the first of the others that is asked.
    pub(in crate::vm) fn count_own(&self, range: Range<u64>, lives: &dyn Fn(u64) -> bool) -> u64 {
        let mut count = 0;
        self.walk(range, &mut |slots, chosen, sharing, leaf| {
            count += count_own(slots, chosen, sharing, leaf, self.owner, lives);
        });
        count
    }

    /// Lets go of every page in the range.
    ///
    /// # Errors
    /// - `NoMemory`: a shared node at the edge of the range could not be copied. Part of the range may be gone already.
    pub(in crate::vm) fn remove(&mut self, range: Range<u64>, stamps: Stamps) -> ZxResult {
        let end = range.end.min(self.capacity());
        if range.start >= end || self.root.is_none() {
            return Ok(());
        }
        let mut sink = Sink::new(self.owner, stamps);
        let shift = self.height * BITS;
        remove_in(&mut self.root, shift, range.start..end, &mut sink)?;
        if self.root.is_none() {
            self.height = 0;
        }
        Ok(())
    }

    /// Pages the present height can hold.
    pub(super) fn capacity(&self) -> u64 {
        1 << ((self.height + 1) * BITS)
    }

    fn covers(&self, index: u64) -> bool {
        index >> ((self.height + 1) * BITS) == 0
    }

    /// The slot for `index` in a leaf that this tree alone has; makes and copies nodes on the way.
    fn slot_mut(&mut self, index: u64) -> ZxResult<SlotMut<'_>> {
        while !self.covers(index) {
            if let Some(old) = self.root.take() {
                let mut links = [const { None }; FANOUT];
                links[0] = Some(old.clone());
                match try_arc(Inner { links }) {
                    Ok(inner) => self.root = Some(Link::Inner(inner)),
                    Err(error) => {
                        self.root = Some(old);
                        return Err(error);
                    }
                }
            }
            self.height += 1;
        }
        let owner = self.owner;
        let mut shift = self.height * BITS;
        let mut link = &mut self.root;
        loop {
            let present = match link {
                Some(present) => present,
                empty => empty.insert(Link::new(shift, owner)?),
            };
            match present {
                Link::Inner(inner) => {
                    link = &mut unique_inner(inner)?.links[slot_of(index, shift)];
                    shift -= BITS;
                }
                Link::Leaf(leaf) => {
                    let slots = unique_leaf(leaf, owner)?.slots.get_mut();
                    return Ok(slots.get_mut(slot_of(index, 0)));
                }
            }
        }
    }

    pub(super) fn walk(
        &self,
        range: Range<u64>,
        visit: &mut dyn FnMut(&Slots, u64, Sharing, &Leaf),
    ) {
        let end = range.end.min(self.capacity());
        if let (Some(root), true) = (&self.root, range.start < end) {
            walk_in(
                root,
                self.height * BITS,
                range.start..end,
                Sharing::Private,
                visit,
            );
        }
    }
}

impl Drop for PageTree {
    fn drop(&mut self) {
        if let Some(root) = self.root.take() {
            release(root, &mut Sink::new(self.owner, Stamps::Leave));
        }
    }
}
