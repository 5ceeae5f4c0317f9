//! Letting pages go: whole subtrees, and ranges cut out of them.

use super::node::{disown, slot_of, unique_inner, unique_leaf, Inner, Leaf, Link, Slot, BITS};
use super::tree::Stamps;
use alloc::sync::Arc;
use core::ops::Range;
use kernel_hal::frame::FrameBatch;
use zx_abi::ZxResult;

pub(super) struct Sink {
    pub(super) freed: FrameBatch,
    pub(super) owner: u64,
    pub(super) stamps: Stamps,
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
pub(super) fn release(link: Link, sink: &mut Sink) {
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
