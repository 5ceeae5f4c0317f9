//! Where pages are and where none are, found without a look at each number.

use super::node::{slot_of, span, Link, BITS};
use super::tree::PageTree;
use core::ops::Range;

/// What is looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    FirstPage,
    LastPage,
    FirstGap,
}

impl PageTree {
    /// The first index in the range that has a page.
    pub(in crate::vm) fn first_page(&self, range: Range<u64>) -> Option<u64> {
        self.find_in_range(range, Wanted::FirstPage)
    }

    /// The last index in the range that has a page.
    pub(in crate::vm) fn last_page(&self, range: Range<u64>) -> Option<u64> {
        self.find_in_range(range, Wanted::LastPage)
    }

    /// The first index in the range that has no page.
    pub(in crate::vm) fn first_gap(&self, range: Range<u64>) -> Option<u64> {
        let gap = self.find_in_range(range.clone(), Wanted::FirstGap);
        // Beyond what the tree can hold there is none.
        let beyond = self.range_covered(&range).end.max(range.start);
        gap.or_else(|| (beyond < range.end).then_some(beyond))
    }

    /// Number of pages in the range, whomever they count for.
    pub(in crate::vm) fn pages_in(&self, range: Range<u64>) -> u64 {
        let mut count = 0;
        self.walk(range, &mut |slots, chosen, _, _| {
            count += u64::from(((slots.owned() | slots.shared()) & chosen).count_ones());
        });
        count
    }

    /// The part of a range where the tree can have pages.
    fn range_covered(&self, range: &Range<u64>) -> Range<u64> {
        let end = match self.root {
            Some(_) => range.end.min(self.capacity()),
            None => 0,
        };
        range.start..end
    }

    fn find_in_range(&self, range: Range<u64>, wanted: Wanted) -> Option<u64> {
        let range = self.range_covered(&range);
        let root = self.root.as_ref()?;
        (range.start < range.end)
            .then(|| find_in(root, self.height * BITS, range, wanted))
            .flatten()
    }
}

/// Looks through a range, which is relative to the node and not empty.
fn find_in(link: &Link, shift: u32, range: Range<u64>, wanted: Wanted) -> Option<u64> {
    let (first, last) = (slot_of(range.start, shift), slot_of(range.end - 1, shift));
    match link {
        Link::Leaf(leaf) => {
            let present = {
                let slots = leaf.slots.lock();
                slots.owned() | slots.shared()
            };
            let chosen = span(first, last);
            let found = match wanted {
                Wanted::FirstPage => (present & chosen).trailing_zeros(),
                Wanted::FirstGap => (!present & chosen).trailing_zeros(),
                // All bits are leading zeros when there is none, which makes the number wrap.
                Wanted::LastPage => {
                    (u64::BITS - 1).wrapping_sub((present & chosen).leading_zeros())
                }
            };
            (found < u64::BITS).then_some(u64::from(found))
        }
        Link::Inner(inner) => {
            let in_slot = |slot: usize| {
                let (base, size) = ((slot as u64) << shift, 1 << shift);
                let part = range.start.max(base) - base..range.end.min(base + size) - base;
                let found = match &inner.links[slot] {
                    Some(link) => find_in(link, shift - BITS, part, wanted),
                    None => (wanted == Wanted::FirstGap).then_some(part.start),
                };
                found.map(|found| base + found)
            };
            match wanted {
                Wanted::LastPage => (first..=last).rev().find_map(in_slot),
                Wanted::FirstPage | Wanted::FirstGap => (first..=last).find_map(in_slot),
            }
        }
    }
}
