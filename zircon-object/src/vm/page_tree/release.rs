//! Letting pages go: whole subtrees, and ranges cut out of them.
//!
//! What is large is not let go at once, since nobody waits for it: it is put aside in O(1), and a task of the executor lets
//! it go in steps ([`release_some`]). Whoever finds no free frame meanwhile does such steps himself ([`super::frames`]).

use super::node::{
    bits, disown, slot_of, span, unique_inner, unique_leaf, Leaf, Link, SharedPage, Slot, Slots,
    BITS, FANOUT,
};
use super::tree::Stamps;
use crate::runtime::EXECUTOR;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;
use core::sync::atomic::{AtomicBool, Ordering};
use kernel_hal::frame::raw_free_many;
use kernel_hal::sync::Mutex;
use kernel_hal::PhysAddr;
use zx_abi::ZxResult;

/// Leaves that are let go in one step: 8192 pages, well below a millisecond.
const STEP: usize = 128;

/// Takes what is let go.
pub(super) struct Sink {
    /// Room for the frames of one leaf.
    frames: [PhysAddr; FANOUT],
    owner: u64,
    stamps: Stamps,
    /// Leaves that may still be entered; the others are put aside.
    leaves: usize,
}

/// A subtree that waits to be let go.
struct Waiting {
    link: Link,
    owner: u64,
    stamps: Stamps,
}

static WAITING: Mutex<Vec<Waiting>> = Mutex::new(Vec::new());
/// Whether a task lets go of what waits.
static ATTENDED: AtomicBool = AtomicBool::new(false);

impl Sink {
    pub(super) fn new(owner: u64, stamps: Stamps) -> Self {
        Self {
            frames: [PhysAddr(0); FANOUT],
            owner,
            stamps,
            leaves: STEP,
        }
    }

    /// Takes the pages of slots of one leaf, chosen by bits, which are empty then.
    #[inline(always)]
    fn take(&mut self, slots: &mut Slots, chosen: u64) {
        let mut room = self.frames.iter_mut();
        slots.take(chosen, |slot| {
            let frame = match slot {
                Slot::Empty => None,
                Slot::Owned { frame, .. } => Some(frame),
                Slot::Shared(page) => {
                    if self.stamps == Stamps::Clear {
                        page.disown(self.owner);
                    }
                    SharedPage::into_frame(page)
                }
            };
            if let Some(frame) = frame {
                if let Some(room) = room.next() {
                    *room = frame.into_raw();
                }
            }
        });
        let count = FANOUT - room.len();
        raw_free_many(&self.frames[..count]);
    }

    /// Puts a subtree aside; without memory for the list it is let go now.
    #[cold]
    fn put_aside(&mut self, link: Link) {
        let waiting = Waiting {
            link,
            owner: self.owner,
            stamps: self.stamps,
        };
        let mut list = WAITING.lock();
        if list.try_reserve(1).is_err() {
            drop(list);
            self.leaves = usize::MAX;
            release(waiting.link, self);
            return;
        }
        list.push(waiting);
        drop(list);
        if !ATTENDED.swap(true, Ordering::SeqCst) && EXECUTOR.spawn(attend()).is_err() {
            // Those who find no frame look here; so does the next one who puts something aside.
            ATTENDED.store(false, Ordering::SeqCst);
        }
    }
}

async fn attend() {
    loop {
        while release_some() {
            executor::yield_now().await;
        }
        ATTENDED.store(false, Ordering::SeqCst);
        // Whoever put something aside just before that has left it to this task.
        if WAITING.lock().is_empty() || ATTENDED.swap(true, Ordering::SeqCst) {
            return;
        }
    }
}

/// Lets go of all that was put aside, so that the number of free frames tells the truth.
pub fn release_all() {
    while release_some() {
        kernel_hal::cpu::interrupt_window();
    }
}

/// Lets go of some of what was put aside; whether there was any.
pub(super) fn release_some() -> bool {
    let Some(waiting) = WAITING.lock().pop() else {
        return false;
    };
    release(waiting.link, &mut Sink::new(waiting.owner, waiting.stamps));
    true
}

/// Lets go of everything below a link. Nodes that others have too are not entered, unless stamps are to be cleared.
pub(super) fn release(link: Link, sink: &mut Sink) {
    if sink.leaves == 0 {
        return sink.put_aside(link);
    }
    match link {
        Link::Leaf(leaf) => {
            if sink.stamps == Stamps::Clear && Arc::strong_count(&leaf) != 1 {
                sink.leaves -= 1;
                clear_leaf(&leaf, sink.owner);
            }
            let mut leaf = leaf;
            if let Some(leaf) = Arc::get_mut(&mut leaf) {
                sink.leaves = sink.leaves.saturating_sub(1);
                sink.take(leaf.slots.get_mut(), u64::MAX);
            }
        }
        Link::Inner(inner) => {
            if sink.stamps == Stamps::Clear && Arc::strong_count(&inner) != 1 {
                for link in inner.links.iter().flatten() {
                    release(link.clone(), sink);
                }
            }
            let mut inner = inner;
            if let Some(inner) = Arc::get_mut(&mut inner) {
                for link in &mut inner.links {
                    if let Some(link) = link.take() {
                        release(link, sink);
                    }
                }
            }
        }
    }
}

fn clear_leaf(leaf: &Leaf, owner: u64) {
    disown(&leaf.owner, owner);
    let slots = leaf.slots.lock();
    for at in bits(slots.shared()) {
        if let Slot::Shared(page) = slots.get(at) {
            page.disown(owner);
        }
    }
}

/// Removes `range`, which is relative to the node and not empty.
pub(super) fn remove_in(
    link: &mut Option<Link>,
    shift: u32,
    range: Range<u64>,
    sink: &mut Sink,
) -> ZxResult {
    if range.start == 0 && range.end == 1 << (shift + BITS) {
        if let Some(link) = link.take() {
            release(link, sink);
        }
        return Ok(());
    }
    match link {
        None => Ok(()),
        Some(Link::Leaf(leaf)) => {
            let chosen = span(slot_of(range.start, 0), slot_of(range.end - 1, 0));
            let slots = leaf.slots.lock();
            let present = (slots.owned() | slots.shared()) & chosen;
            drop(slots);
            if present != 0 {
                sink.take(unique_leaf(leaf, sink.owner)?.slots.get_mut(), present);
            }
            Ok(())
        }
        Some(Link::Inner(inner)) => {
            let (first, last) = (slot_of(range.start, shift), slot_of(range.end - 1, shift));
            if inner.links[first..=last].iter().all(Option::is_none) {
                return Ok(());
            }
            let links = &mut unique_inner(inner)?.links[first..=last];
            for (slot, link) in (first..).zip(links) {
                let (base, span) = ((slot as u64) << shift, 1 << shift);
                let part = range.start.max(base) - base..range.end.min(base + span) - base;
                remove_in(link, shift - BITS, part, sink)?;
            }
            Ok(())
        }
    }
}
