//! For whom pages count, and the walk over them.

use super::node::{Leaf, Link, Slot, BITS, NOBODY};
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

pub(super) fn walk_in(
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
