//! The pages of a VMO by index, shared between snapshots node by node.
//!
//! A radix tree with 64 entries per node. Nodes are reference counted: a snapshot takes another reference to the root, which
//! is O(1), and whoever writes first copies the path to the page it writes (`docs/adr/0003-vmo-pages-and-clone-tree.md`).
//! A page is freed when the last tree that can see it lets go, so nothing has to be merged when a VMO closes.
//!
//! # Invariants
//! - A node reached only by references of count one belongs to this tree alone; only then is it changed, except that the
//!   pages of a shared leaf may turn from `Owned` to `Shared` under its lock.
//! - Pinned pages are never in a shared leaf.

use crate::alloc_try::try_arc;
use alloc::sync::Arc;
use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering};
use kernel_hal::frame::{Frame, FrameBatch};
use kernel_hal::sync::Mutex;
use kernel_hal::PhysAddr;
use zx_abi::{ZxError, ZxResult};

const BITS: u32 = 6;
const FANOUT: usize = 1 << BITS;
/// Stamp of a page that counts for nobody until someone claims it.
const NOBODY: u64 = 0;

/// Pages by index.
pub(super) struct PageTree {
    root: Option<Link>,
    /// Levels above the leaf.
    height: u32,
    /// Koid of the VMO whose tree this is: what it commits is stamped with it, for the attribution of shared pages.
    owner: u64,
}

#[derive(Clone)]
enum Link {
    Inner(Arc<Inner>),
    Leaf(Arc<Leaf>),
}

struct Inner {
    links: [Option<Link>; FANOUT],
}

struct Leaf {
    owner: AtomicU64,
    slots: Mutex<[Slot; FANOUT]>,
}

enum Slot {
    Empty,
    Owned { frame: Frame, pins: u32 },
    Shared(Arc<SharedPage>),
}

struct SharedPage {
    /// Always there; an option so that the allocation can be made before the frame leaves its old place.
    frame: Option<Frame>,
    owner: AtomicU64,
}

/// A page as a lookup finds it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Found {
    pub(super) addr: PhysAddr,
    pub(super) sharing: Sharing,
}

/// Whether a page may be written in place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Sharing {
    /// Only this tree sees the page.
    Private,
    /// Some other tree may see it too: a write needs a copy.
    MaybeShared,
}

/// What making a page writable did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Change {
    /// The page was there.
    None,
    /// There was no page at the index.
    New,
    /// A copy took the place of a shared page.
    Replaced,
}

/// What becomes of the stamps on pages that the tree lets go while others still see them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stamps {
    /// The owner lives on without the pages: they count for nobody until claimed.
    Clear,
    /// The owner dies, or does not own what is let go.
    Leave,
}

impl PageTree {
    pub(super) const fn new(owner: u64) -> Self {
        Self {
            root: None,
            height: 0,
            owner,
        }
    }

    /// A tree that sees the same pages. O(1); both sides copy on write from now on.
    pub(super) fn snapshot(&self, owner: u64) -> Self {
        Self {
            root: self.root.clone(),
            height: self.height,
            owner,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.root.is_none()
    }

    /// Whether there is a page anywhere.
    pub(super) fn has_pages(&self) -> bool {
        let mut found = false;
        self.walk(0..u64::MAX, &mut |_, slot, _, _| {
            found |= slot.frame().is_some()
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
                    return Some(use_page(&slots[slot_of(index, 0)], sharing));
                }
            }
        }
    }

    /// The page at `index`, if there is one.
    pub(super) fn find(&self, index: u64) -> Option<Found> {
        self.with_slot(index, |slot, sharing| slot.found(sharing))
            .flatten()
    }

    /// Runs `use_frame` on the page at `index`, with its leaf locked.
    pub(super) fn with_frame<R>(
        &self,
        index: u64,
        use_frame: impl FnOnce(&Frame) -> R,
    ) -> Option<R> {
        self.with_slot(index, |slot, _| slot.frame().map(use_frame))
            .flatten()
    }

    /// Makes the page at `index` private: a zeroed one where there is none, a copy of a shared one.
    pub(super) fn make_private(&mut self, index: u64) -> ZxResult<(PhysAddr, Change)> {
        let owner = self.owner;
        let slot = self.slot_mut(index)?;
        match slot {
            Slot::Owned { frame, .. } => Ok((frame.addr(), Change::None)),
            Slot::Empty => {
                let frame = Frame::zeroed().ok_or(ZxError::NoMemory)?;
                let addr = frame.addr();
                *slot = Slot::Owned { frame, pins: 0 };
                Ok((addr, Change::New))
            }
            Slot::Shared(page) if Arc::strong_count(page) == 1 => {
                let Slot::Shared(page) = core::mem::replace(slot, Slot::Empty) else {
                    return Err(ZxError::Internal);
                };
                let frame = Arc::into_inner(page)
                    .and_then(|page| page.frame)
                    .ok_or(ZxError::Internal)?;
                let addr = frame.addr();
                *slot = Slot::Owned { frame, pins: 0 };
                Ok((addr, Change::None))
            }
            Slot::Shared(page) => {
                let frame = page
                    .frame
                    .as_ref()
                    .and_then(Frame::duplicate)
                    .ok_or(ZxError::NoMemory)?;
                let addr = frame.addr();
                if let Slot::Shared(page) = core::mem::replace(slot, Slot::Owned { frame, pins: 0 })
                {
                    page.disown(owner);
                }
                Ok((addr, Change::Replaced))
            }
        }
    }

    /// Puts a frame where no page is; a page that is there already stays and the frame is freed.
    pub(super) fn insert(&mut self, index: u64, frame: Frame) -> ZxResult {
        let slot = self.slot_mut(index)?;
        if matches!(slot, Slot::Empty) {
            *slot = Slot::Owned { frame, pins: 0 };
        }
        Ok(())
    }

    /// Takes the page at `index` out if it is there, private and not pinned.
    ///
    /// # Errors
    /// - `NoMemory`: a node could not be copied.
    pub(super) fn take(&mut self, index: u64) -> ZxResult<Option<Frame>> {
        let slot = self.slot_mut(index)?;
        if !matches!(slot, Slot::Owned { pins: 0, .. }) {
            return Ok(None);
        }
        Ok(match core::mem::replace(slot, Slot::Empty) {
            Slot::Owned { frame, .. } => Some(frame),
            Slot::Empty | Slot::Shared(_) => None,
        })
    }

    /// Adds a pin to a private page.
    pub(super) fn pin(&mut self, index: u64) -> ZxResult {
        match self.slot_mut(index)? {
            Slot::Owned { pins, .. } => {
                *pins = pins.checked_add(1).ok_or(ZxError::NoResources)?;
                Ok(())
            }
            _ => Err(ZxError::BadState),
        }
    }

    /// Takes a pin off.
    pub(super) fn unpin(&mut self, index: u64) -> ZxResult {
        match self.slot_mut(index)? {
            Slot::Owned { pins, .. } if *pins > 0 => {
                *pins -= 1;
                Ok(())
            }
            _ => Err(ZxError::BadState),
        }
    }

    /// Whether any page in the range is pinned.
    pub(super) fn any_pinned(&self, range: Range<u64>) -> bool {
        let mut pinned = false;
        self.walk(range, &mut |_, slot, _, _| {
            pinned |= matches!(slot, Slot::Owned { pins, .. } if *pins > 0)
        });
        pinned
    }

    /// Number of pages in the range that count for this tree's owner. A shared page counts for the living VMO that
    /// committed it; when that one has let go of it, for the first of the others that is asked.
    pub(super) fn count_own(&self, range: Range<u64>, lives: &dyn Fn(u64) -> bool) -> u64 {
        let (owner, mut count) = (self.owner, 0);
        self.walk(range, &mut |_, slot, sharing, leaf| {
            let mine = match slot {
                Slot::Empty => false,
                Slot::Owned { .. } => {
                    sharing == Sharing::Private || claim(&leaf.owner, owner, lives)
                }
                Slot::Shared(page) => {
                    (sharing == Sharing::Private && Arc::strong_count(page) == 1)
                        || claim(&page.owner, owner, lives)
                }
            };
            count += u64::from(mine);
        });
        count
    }

    /// Lets go of every page in the range.
    ///
    /// # Errors
    /// - `NoMemory`: a shared node at the edge of the range could not be copied. Part of the range may be gone already.
    pub(super) fn remove(&mut self, range: Range<u64>, stamps: Stamps) -> ZxResult {
        let end = range.end.min(self.capacity());
        if range.start >= end {
            return Ok(());
        }
        let mut sink = Sink {
            freed: FrameBatch::new(),
            owner: self.owner,
            stamps,
        };
        let shift = self.height * BITS;
        remove_in(&mut self.root, shift, range.start..end, &mut sink)?;
        if self.root.is_none() {
            self.height = 0;
        }
        Ok(())
    }

    /// Pages the present height can hold.
    fn capacity(&self) -> u64 {
        1 << ((self.height + 1) * BITS)
    }

    fn covers(&self, index: u64) -> bool {
        index >> ((self.height + 1) * BITS) == 0
    }

    /// The slot for `index` in a leaf that this tree alone has; makes and copies nodes on the way.
    fn slot_mut(&mut self, index: u64) -> ZxResult<&mut Slot> {
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
                    return Ok(&mut unique_leaf(leaf, owner)?.slots.get_mut()[slot_of(index, 0)])
                }
            }
        }
    }

    fn walk(&self, range: Range<u64>, visit: &mut dyn FnMut(u64, &Slot, Sharing, &Leaf)) {
        let end = range.end.min(self.capacity());
        if let (Some(root), true) = (&self.root, range.start < end) {
            walk_in(
                root,
                self.height * BITS,
                0,
                &(range.start..end),
                Sharing::Private,
                visit,
            );
        }
    }
}

impl Drop for PageTree {
    fn drop(&mut self) {
        if let Some(root) = self.root.take() {
            let mut sink = Sink {
                freed: FrameBatch::new(),
                owner: self.owner,
                stamps: Stamps::Leave,
            };
            release(root, &mut sink);
        }
    }
}

impl Link {
    fn new(shift: u32, owner: u64) -> ZxResult<Self> {
        Ok(if shift == 0 {
            let slots = Mutex::new([const { Slot::Empty }; FANOUT]);
            Self::Leaf(try_arc(Leaf {
                owner: AtomicU64::new(owner),
                slots,
            })?)
        } else {
            Self::Inner(try_arc(Inner {
                links: [const { None }; FANOUT],
            })?)
        })
    }
}

impl Slot {
    fn frame(&self) -> Option<&Frame> {
        match self {
            Self::Empty => None,
            Self::Owned { frame, .. } => Some(frame),
            Self::Shared(page) => page.frame.as_ref(),
        }
    }

    fn found(&self, above: Sharing) -> Option<Found> {
        let addr = self.frame()?.addr();
        let sharing = match self {
            Self::Shared(page) if Arc::strong_count(page) != 1 => Sharing::MaybeShared,
            _ => above,
        };
        Some(Found { addr, sharing })
    }
}

impl SharedPage {
    /// The VMO `owner` lets go of the page: if it counted for it, it counts for nobody now.
    fn disown(&self, owner: u64) {
        disown(&self.owner, owner);
    }
}

fn disown(stamp: &AtomicU64, owner: u64) {
    if stamp.load(Ordering::Relaxed) == owner {
        stamp.store(NOBODY, Ordering::Relaxed);
    }
}

/// Whether a page with this stamp counts for `owner`, who takes it when its own one is gone.
fn claim(stamp: &AtomicU64, owner: u64, lives: &dyn Fn(u64) -> bool) -> bool {
    let current = stamp.load(Ordering::Relaxed);
    if current != owner && (current == NOBODY || !lives(current)) {
        stamp.store(owner, Ordering::Relaxed);
        return true;
    }
    current == owner
}

#[expect(clippy::cast_possible_truncation, reason = "masked to six bits")]
fn slot_of(index: u64, shift: u32) -> usize {
    (index >> shift) as usize & (FANOUT - 1)
}

fn unique_inner(inner: &mut Arc<Inner>) -> ZxResult<&mut Inner> {
    if Arc::strong_count(inner) != 1 {
        *inner = try_arc(Inner {
            links: inner.links.clone(),
        })?;
    }
    Arc::get_mut(inner).ok_or(ZxError::Internal)
}

fn unique_leaf(leaf: &mut Arc<Leaf>, owner: u64) -> ZxResult<&mut Leaf> {
    if Arc::strong_count(leaf) != 1 {
        let slots = leaf.share_all()?;
        *leaf = try_arc(Leaf {
            owner: AtomicU64::new(owner),
            slots: Mutex::new(slots),
        })?;
    }
    let leaf = Arc::get_mut(leaf).ok_or(ZxError::Internal)?;
    *leaf.owner.get_mut() = owner;
    Ok(leaf)
}

impl Leaf {
    /// Turns every owned page into a shared one and gives a second set of references to them.
    fn share_all(&self) -> ZxResult<[Slot; FANOUT]> {
        let mut copy = [const { Slot::Empty }; FANOUT];
        let mut slots = self.slots.lock();
        for (to, slot) in copy.iter_mut().zip(slots.iter_mut()) {
            if matches!(slot, Slot::Owned { .. }) {
                let owner = AtomicU64::new(self.owner.load(Ordering::Relaxed));
                let mut page = try_arc(SharedPage { frame: None, owner })?;
                let room = Arc::get_mut(&mut page).ok_or(ZxError::Internal)?;
                if let Slot::Owned { frame, .. } = core::mem::replace(slot, Slot::Empty) {
                    room.frame = Some(frame);
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

struct Sink {
    freed: FrameBatch,
    owner: u64,
    stamps: Stamps,
}

impl Sink {
    fn take(&mut self, slot: Slot) {
        match slot {
            Slot::Empty => {}
            Slot::Owned { frame, .. } => self.freed.push(frame),
            Slot::Shared(page) => {
                if self.stamps == Stamps::Clear {
                    page.disown(self.owner);
                }
                if let Some(frame) = Arc::into_inner(page).and_then(|page| page.frame) {
                    self.freed.push(frame);
                }
            }
        }
    }
}

/// Lets go of everything below a link. Nodes that others have too are not entered, unless stamps are to be cleared.
fn release(link: Link, sink: &mut Sink) {
    match link {
        Link::Leaf(leaf) => {
            if sink.stamps == Stamps::Clear && Arc::strong_count(&leaf) != 1 {
                clear_leaf(&leaf, sink.owner);
            }
            if let Some(leaf) = Arc::into_inner(leaf) {
                for slot in leaf.slots.into_inner() {
                    sink.take(slot);
                }
            }
        }
        Link::Inner(inner) => {
            if sink.stamps == Stamps::Clear && Arc::strong_count(&inner) != 1 {
                clear_inner(&inner, sink.owner);
            }
            if let Some(inner) = Arc::into_inner(inner) {
                for link in inner.links.into_iter().flatten() {
                    release(link, sink);
                }
            }
        }
    }
}

fn clear_leaf(leaf: &Leaf, owner: u64) {
    disown(&leaf.owner, owner);
    for slot in leaf.slots.lock().iter() {
        if let Slot::Shared(page) = slot {
            page.disown(owner);
        }
    }
}

fn clear_inner(inner: &Inner, owner: u64) {
    for link in inner.links.iter().flatten() {
        match link {
            Link::Inner(inner) => clear_inner(inner, owner),
            Link::Leaf(leaf) => clear_leaf(leaf, owner),
        }
    }
}

/// Removes `range`, which is relative to the node and not empty.
fn remove_in(link: &mut Option<Link>, shift: u32, range: Range<u64>, sink: &mut Sink) -> ZxResult {
    if range.start == 0 && range.end == 1 << (shift + BITS) {
        if let Some(link) = link.take() {
            release(link, sink);
        }
        return Ok(());
    }
    match link {
        None => Ok(()),
        Some(Link::Leaf(leaf)) => {
            let (start, end) = (slot_of(range.start, 0), slot_of(range.end - 1, 0));
            if leaf.slots.lock()[start..=end]
                .iter()
                .all(|slot| matches!(slot, Slot::Empty))
            {
                return Ok(());
            }
            for slot in &mut unique_leaf(leaf, sink.owner)?.slots.get_mut()[start..=end] {
                sink.take(core::mem::replace(slot, Slot::Empty));
            }
            Ok(())
        }
        Some(Link::Inner(inner)) => {
            let (first, last) = (slot_of(range.start, shift), slot_of(range.end - 1, shift));
            if inner.links[first..=last].iter().all(Option::is_none) {
                return Ok(());
            }
            for (slot, link) in unique_inner(inner)?
                .links
                .iter_mut()
                .enumerate()
                .take(last + 1)
                .skip(first)
            {
                let (base, span) = ((slot as u64) << shift, 1 << shift);
                let part = range.start.max(base) - base..range.end.min(base + span) - base;
                remove_in(link, shift - BITS, part, sink)?;
            }
            Ok(())
        }
    }
}

fn walk_in(
    link: &Link,
    shift: u32,
    base: u64,
    range: &Range<u64>,
    above: Sharing,
    visit: &mut dyn FnMut(u64, &Slot, Sharing, &Leaf),
) {
    match link {
        Link::Leaf(leaf) => {
            let sharing = if Arc::strong_count(leaf) == 1 {
                above
            } else {
                Sharing::MaybeShared
            };
            for (index, slot) in (base..).zip(leaf.slots.lock().iter()) {
                if range.contains(&index) {
                    visit(index, slot, sharing, leaf);
                }
            }
        }
        Link::Inner(inner) => {
            let sharing = if Arc::strong_count(inner) == 1 {
                above
            } else {
                Sharing::MaybeShared
            };
            for (slot, link) in inner.links.iter().enumerate() {
                let start = base + ((slot as u64) << shift);
                if let (Some(link), true) = (
                    link,
                    start < range.end && start + (1 << shift) > range.start,
                ) {
                    walk_in(link, shift - BITS, start, range, sharing, visit);
                }
            }
        }
    }
}
