//! For whom pages count, and the walk over them.

use super::node::{Leaf, Link, Slot, BITS, FANOUT, NOBODY};
use super::tree::Sharing;
use alloc::sync::Arc;
use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering};

/// Whether a page with this stamp counts for `owner`, who takes it when its own one is gone.
pub(super) fn claim(stamp: &AtomicU64, owner: u64, lives: &dyn Fn(u64) -> bool) -> bool {
    let current = stamp.load(Ordering::Relaxed);
    if current != owner && (current == NOBODY || !lives(current)) {
        stamp.store(owner, Ordering::Relaxed);
        return true;
    }
    current == owner
}

/// A number of pages, but no more than a leaf has.
fn slot_at(pages: u64) -> usize {
    usize::try_from(pages).map_or(FANOUT, |pages| pages.min(FANOUT))
}

/// How many of these slots of a leaf count for `owner`.
pub(super) fn count_own(
    slots: &[Slot],
    sharing: Sharing,
    leaf: &Leaf,
    owner: u64,
    lives: &dyn Fn(u64) -> bool,
) -> usize {
    let private = sharing == Sharing::Private;
    // Most leaves have only pages of their own: two short loops without calls.
    let owned = slots
        .iter()
        .filter(|slot| matches!(slot, Slot::Owned { .. }))
        .count();
    let mut count = match owned {
        0 => 0,
        _ if private || claim(&leaf.owner, owner, lives) => owned,
        _ => 0,
    };
    for slot in slots {
        if let Slot::Shared(page) = slot {
            let mine = private && Arc::strong_count(page) == 1;
            count += usize::from(mine || claim(&page.owner, owner, lives));
        }
    }
    count
}

/// Visits the slots of a range, those of one leaf at a time.
pub(super) fn walk_in(
    link: &Link,
    shift: u32,
    base: u64,
    range: &Range<u64>,
    above: Sharing,
    visit: &mut dyn FnMut(&[Slot], Sharing, &Leaf),
) {
    match link {
        Link::Leaf(leaf) => {
            let sharing = if Arc::strong_count(leaf) == 1 {
                above
            } else {
                Sharing::MaybeShared
            };
            let inside = |index: u64| slot_at(index.saturating_sub(base));
            let slots = leaf.slots.lock();
            let wanted = slots.get(inside(range.start)..inside(range.end));
            visit(wanted.unwrap_or(&[]), sharing, leaf);
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
