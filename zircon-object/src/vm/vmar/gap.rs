//! Where something new may go: counting the places between what is there, and picking one.

use crate::vm::space::{aslr, Aslr};
use crate::vm::PAGE;
use core::ops::Range;
use kernel_hal::VirtAddr;

/// Bits of randomness of a place: one of the lowest 2^28 possible ones is taken.
pub(super) const ASLR_BITS: u32 = 28;

/// A wish for a place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wish {
    pub(super) len: usize,
    /// A power of two, at least a page.
    pub(super) align: usize,
    pub(super) spread: Spread,
}

/// How places are chosen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Spread {
    /// The lowest that fits.
    Compact,
    /// At random.
    Random,
}

/// Random numbers for placement, drawn from the HAL several at a time.
pub(super) struct Dice {
    pool: [u8; 64],
    left: usize,
}

impl Default for Dice {
    fn default() -> Self {
        Self {
            pool: [0; 64],
            left: 0,
        }
    }
}

impl Dice {
    /// A number below `bound`, which is not zero.
    fn below(&mut self, bound: u64) -> u64 {
        if self.left == 0 {
            kernel_hal::rng::fill(&mut self.pool);
            self.left = self.pool.len();
        }
        let number = self.pool[self.left - 8..self.left]
            .iter()
            .fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        self.left -= 8;
        number % bound
    }
}

/// How often a random place is tried before the free ones are counted.
const TRIES: usize = 16;

/// A place for the wish in `whole`, of which `gaps` are the free ranges, in order. `is_free` tells of one range.
///
/// A place that is drawn from all and kept if it is free is as random as one that is drawn from the free ones, and need not
/// count them: in an address space, which is empty for the most part, the first try succeeds nearly always.
pub(super) fn find<I: Iterator<Item = Range<VirtAddr>>>(
    whole: &Range<VirtAddr>,
    gaps: impl Fn() -> I,
    is_free: impl Fn(&Range<VirtAddr>) -> bool,
    wish: Wish,
    dice: &mut Dice,
) -> Option<VirtAddr> {
    if wish.spread == Spread::Compact || aslr() == Aslr::Off {
        return gaps().find_map(|gap| wish.first_in(&gap));
    }
    let limit = 1_u64 << ASLR_BITS;
    let first = wish.first_in(whole)?;
    let all = wish.places(whole).min(limit);
    for _ in 0..TRIES {
        let place = first + usize::try_from(dice.below(all)).ok()? * wish.align;
        if is_free(&(place..place + wish.len)) {
            return Some(place);
        }
    }
    let mut total = 0;
    for gap in gaps() {
        total += wish.places(&gap);
        if total >= limit {
            break;
        }
    }
    if total == 0 {
        return None;
    }
    let mut choice = dice.below(total.min(limit));
    for gap in gaps() {
        let places = wish.places(&gap);
        if choice < places {
            return Some(wish.first_in(&gap)? + usize::try_from(choice).ok()? * wish.align);
        }
        choice -= places;
    }
    None
}

impl Wish {
    fn first_in(&self, gap: &Range<VirtAddr>) -> Option<VirtAddr> {
        let first = gap.start.checked_next_multiple_of(self.align)?;
        (first.checked_add(self.len)? <= gap.end).then_some(first)
    }

    fn places(&self, gap: &Range<VirtAddr>) -> u64 {
        self.first_in(gap).map_or(0, |first| {
            ((gap.end - self.len - first) / self.align) as u64 + 1
        })
    }
}

const _: () = assert!(PAGE.is_power_of_two());

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compact_wish_takes_the_lowest_aligned_place() {
        let gaps = || [0x1000..0x2000, 0x3000..0x9000].into_iter();
        let whole = 0..0xa000;
        let any = |_: &Range<VirtAddr>| true;
        let wish = Wish {
            len: 0x2000,
            align: 0x4000,
            spread: Spread::Compact,
        };
        assert_eq!(
            find(&whole, gaps, any, wish, &mut Dice::default()),
            Some(0x4000)
        );
        assert_eq!(wish.places(&(0x3000..0x9000)), 1);
        assert_eq!(
            find(
                &whole,
                gaps,
                any,
                Wish {
                    len: 0x7000,
                    ..wish
                },
                &mut Dice::default()
            ),
            None
        );
    }

    #[test]
    fn a_random_place_is_one_of_the_free_ones_however_few_there_are() {
        kernel_hal_hosted::init();
        let wish = Wish {
            len: 0x2000,
            align: 0x1000,
            spread: Spread::Random,
        };
        for gaps in [
            [0x1000..0x400_0000, 0x400_0000..0x400_0000],
            [0x7000..0x9000, 0x300_0000..0x300_3000],
        ] {
            let whole = 0..0x400_0000;
            let inside = |range: &Range<VirtAddr>| {
                let fits = |gap: &Range<VirtAddr>| gap.start <= range.start && range.end <= gap.end;
                gaps.iter().any(fits)
            };
            let mut found = std::collections::BTreeSet::new();
            let mut dice = Dice::default();
            for _ in 0..200 {
                let all = || gaps.iter().cloned();
                let place = find(&whole, all, inside, wish, &mut dice).unwrap();
                assert!(inside(&(place..place + wish.len)), "{place:#x}");
                found.insert(place);
            }
            assert!(found.len() > 2, "{found:x?}");
        }
    }
}
