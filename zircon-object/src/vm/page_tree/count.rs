//! For whom pages count, and the walk over them.

use super::node::{bits, slot_of, span, Leaf, Link, Slot, Slots, BITS, NOBODY};
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

/// How many of these slots of a leaf, chosen by bits, count for `owner`.
pub(super) fn count_own(
    slots: &Slots,
    chosen: u64,
    sharing: Sharing,
    leaf: &Leaf,
    owner: u64,
    lives: &dyn Fn(u64) -> bool,
) -> u64 {
    let private = sharing == Sharing::Private;
    let owned = slots.owned() & chosen;
    let mut count = 0;
    if owned != 0 && (private || claim(&leaf.owner, owner, lives)) {
        count += u64::from(owned.count_ones());
    }
    for at in bits(slots.shared() & chosen) {
        if let Slot::Shared(page) = slots.get(at) {
            let mine = private && Arc::strong_count(page) == 1;
            count += u64::from(mine || claim(&page.owner, owner, lives));
        }
    }
    count
}

/// Visits the leaves that a range, which is relative to the node and not empty, touches. The slots in the range come as bits.
pub(super) fn walk_in(
    link: &Link,
    shift: u32,
    range: Range<u64>,
    above: Sharing,
    visit: &mut dyn FnMut(&Slots, u64, Sharing, &Leaf),
) {
    let (first, last) = (slot_of(range.start, shift), slot_of(range.end - 1, shift));
    match link {
        Link::Leaf(leaf) => {
            let sharing = below(above, Arc::strong_count(leaf));
            visit(&leaf.slots.lock(), span(first, last), sharing, leaf);
        }
        Link::Inner(inner) => {
            let sharing = below(above, Arc::strong_count(inner));
            for (slot, link) in (first..).zip(&inner.links[first..=last]) {
                if let Some(link) = link {
                    let (base, size) = ((slot as u64) << shift, 1 << shift);
                    let part = range.start.max(base) - base..range.end.min(base + size) - base;
                    walk_in(link, shift - BITS, part, sharing, visit);
                }
            }
        }
    }
}

/// What holds below a node with so many references.
const fn below(above: Sharing, references: usize) -> Sharing {
    match references {
        1 => above,
        _ => Sharing::MaybeShared,
    }
}
