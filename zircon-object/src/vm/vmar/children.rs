//! The children of a region in the order of their addresses: short sorted chunks, so that one that comes or goes moves few.
//!
//! In one long array a mapping among a hundred thousand would move megabytes. Chunks are also what running out of memory needs:
//! room is made first, and then nothing can fail.

use super::region::Child;
use alloc::vec::Vec;
use core::mem;
use core::ops::Range;
use kernel_hal::VirtAddr;
use zx_abi::{ZxError, ZxResult};

/// The most children of a chunk.
const CHUNK: usize = 64;

/// Children that do not overlap. No chunk is empty.
#[derive(Default)]
pub(super) struct Children(Vec<Vec<Child>>);

/// The place of a child; good until one comes or goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct At {
    chunk: usize,
    index: usize,
}

impl Children {
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    /// The place of the first child that ends behind `addr`, or behind all.
    pub(super) fn first_behind(&self, addr: VirtAddr) -> At {
        let ends_before = |child: &Child| child.end() <= addr;
        // Most regions have few children.
        let chunk = match &self.0[..] {
            [_] => 0,
            chunks => chunks.partition_point(|chunk| chunk.last().is_some_and(ends_before)),
        };
        let index = self
            .0
            .get(chunk)
            .map_or(0, |chunk| chunk.partition_point(ends_before));
        At { chunk, index }
    }

    /// The place of the last child that starts before `addr`.
    pub(super) fn last_before(&self, addr: VirtAddr) -> Option<At> {
        let starts_before = |child: &Child| child.base < addr;
        let chunk = self
            .0
            .partition_point(|chunk| chunk.first().is_some_and(starts_before))
            .checked_sub(1)?;
        let index = self.0[chunk].partition_point(starts_before) - 1;
        Some(At { chunk, index })
    }

    pub(super) fn get(&self, at: At) -> Option<&Child> {
        self.0.get(at.chunk)?.get(at.index)
    }

    pub(super) fn get_mut(&mut self, at: At) -> Option<&mut Child> {
        self.0.get_mut(at.chunk)?.get_mut(at.index)
    }

    /// The place behind a child's.
    pub(super) fn after(&self, at: At) -> At {
        let in_chunk = self.0.get(at.chunk).map_or(0, Vec::len);
        match at.index + 1 < in_chunk {
            true => At {
                index: at.index + 1,
                ..at
            },
            false => At {
                chunk: at.chunk + 1,
                index: 0,
            },
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Child> {
        self.0.iter().flatten()
    }

    /// From a place on.
    pub(super) fn iter_from(&self, at: At) -> impl Iterator<Item = &Child> {
        let (first, others) = match self.0.get(at.chunk..) {
            Some([first, others @ ..]) => (first.get(at.index..).unwrap_or(&[]), others),
            _ => (&[][..], &[][..]),
        };
        first.iter().chain(others.iter().flatten())
    }

    /// From a place on.
    pub(super) fn iter_mut_from(&mut self, at: At) -> impl Iterator<Item = &mut Child> {
        let (first, others) = match self.0.get_mut(at.chunk..) {
            Some([first, others @ ..]) => (first.get_mut(at.index..).unwrap_or(&mut []), others),
            _ => (&mut [][..], &mut [][..]),
        };
        first.iter_mut().chain(others.iter_mut().flatten())
    }

    /// What is free around a child, with the child itself: from the end of the one before to the start of the one behind, within
    /// `whole`.
    pub(super) fn room_around(&self, at: At, whole: Range<VirtAddr>) -> Range<VirtAddr> {
        let before = match at.index.checked_sub(1) {
            Some(index) => self.0.get(at.chunk).and_then(|chunk| chunk.get(index)),
            None => at
                .chunk
                .checked_sub(1)
                .and_then(|chunk| self.0.get(chunk)?.last()),
        };
        let start = before.map_or(whole.start, Child::end);
        let end = self
            .get(self.after(at))
            .map_or(whole.end, |child| child.base);
        start..end
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        // Room that was made and not used is a chunk of its own.
        self.0.last().is_none_or(Vec::is_empty)
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.0.iter().map(Vec::len).sum()
    }

    /// The child below the one with the highest address.
    pub(super) fn before_last(&self) -> Option<&Child> {
        match &self.0[..] {
            [.., chunk] if chunk.len() > 1 => chunk.get(chunk.len() - 2),
            [.., before, _] => before.last(),
            _ => None,
        }
    }

    /// The child with the highest address.
    pub(super) fn last_mut(&mut self) -> Option<&mut Child> {
        self.0.last_mut()?.last_mut()
    }

    /// Takes the child with the highest address out.
    pub(super) fn pop(&mut self) -> Option<Child> {
        let chunk = self.0.last_mut()?;
        let child = chunk.pop();
        if chunk.is_empty() {
            self.0.pop();
        }
        child
    }

    /// The chunk in which one that starts at `base` belongs, and where in it.
    fn place_for(&self, base: VirtAddr) -> At {
        let at = self.first_behind(base);
        if at.chunk < self.0.len() || self.0.is_empty() {
            return at;
        }
        // Behind all: at the end of the last chunk.
        let chunk = self.0.len() - 1;
        At {
            chunk,
            index: self.0[chunk].len(),
        }
    }

    /// Makes sure that the next [`Self::insert`], of one that starts at `base`, needs no memory.
    ///
    /// # Errors
    /// - `NoMemory`: the kernel heap is exhausted.
    pub(super) fn make_room(&mut self, base: VirtAddr) -> ZxResult {
        let At { chunk, .. } = self.place_for(base);
        let Some(full) = self.0.get_mut(chunk) else {
            let mut first = Vec::new();
            first.try_reserve(1).map_err(|_| ZxError::NoMemory)?;
            self.0.try_reserve(1).map_err(|_| ZxError::NoMemory)?;
            self.0.push(first);
            return Ok(());
        };
        if full.len() < CHUNK {
            return full.try_reserve(1).map_err(|_| ZxError::NoMemory);
        }
        let mut upper = Vec::new();
        upper
            .try_reserve_exact(CHUNK)
            .map_err(|_| ZxError::NoMemory)?;
        self.0.try_reserve(1).map_err(|_| ZxError::NoMemory)?;
        let full = &mut self.0[chunk];
        upper.extend(full.drain(CHUNK / 2..));
        self.0.insert(chunk + 1, upper);
        Ok(())
    }

    /// Takes a child in that overlaps none.
    ///
    /// # Errors
    /// - `NoMemory`: the kernel heap is exhausted; not after [`Self::make_room`].
    pub(super) fn insert(&mut self, child: Child) -> ZxResult {
        self.make_room(child.base)?;
        let At { chunk, index } = self.place_for(child.base);
        self.0[chunk].insert(index, child);
        Ok(())
    }

    /// Takes a child out.
    pub(super) fn remove(&mut self, at: At) -> Option<Child> {
        self.get(at)?;
        let chunk = self.0.get_mut(at.chunk)?;
        let child = chunk.remove(at.index);
        let left = chunk.len();
        if left == 0 {
            self.0.remove(at.chunk);
        } else if left < CHUNK / 4 && self.0.len() > 1 {
            self.merge(at.chunk);
            if let Some(before) = at.chunk.checked_sub(1) {
                self.merge(before);
            }
        }
        Some(child)
    }

    /// Lets a chunk and the one behind it become one, if both are small and there is memory.
    fn merge(&mut self, chunk: usize) {
        let Some([small, behind, ..]) = self.0.get_mut(chunk..) else {
            return;
        };
        if small.len() + behind.len() <= CHUNK / 2 && small.try_reserve(behind.len()).is_ok() {
            small.append(&mut mem::take(behind));
            self.0.remove(chunk + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vm::vmar::region::{RegionId, What};
    use std::collections::BTreeMap;

    fn child(base: usize, len: usize) -> Child {
        Child {
            base,
            len,
            what: What::Region(RegionId(base)),
        }
    }

    /// Places and lengths, as pairs.
    fn pairs<'a>(children: impl Iterator<Item = &'a Child>) -> Vec<(usize, usize)> {
        children.map(|child| (child.base, child.len)).collect()
    }

    #[test]
    fn any_order_of_coming_and_going_leaves_what_a_map_has() {
        let (mut children, mut map) = (Children::new(), BTreeMap::new());
        let mut random = 99_u64;
        let mut draw = |below: usize| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            usize::try_from(random >> 33).unwrap() % below
        };
        for round in 0..20_000 {
            let (base, len) = (draw(1000) * 10, 1 + draw(10));
            if draw(10) < if round % 8000 < 4000 { 7 } else { 3 } {
                if map.insert(base, len).is_none() {
                    children.insert(child(base, len)).unwrap();
                } else {
                    let at = children.first_behind(base);
                    children.get_mut(at).unwrap().len = len;
                }
            } else {
                let at = children.first_behind(base);
                let found = children.get(at).is_some_and(|child| child.base == base);
                assert_eq!(found, map.remove(&base).is_some());
                if found {
                    assert_eq!(children.remove(at).unwrap().base, base);
                }
            }
            let probe = draw(10_000);
            let before = children.last_before(probe).and_then(|at| children.get(at));
            assert_eq!(
                before.map(|child| child.base),
                map.range(..probe).next_back().map(|(base, _)| *base)
            );
            if round % 500 == 0 {
                let all: Vec<_> = map.iter().map(|(base, len)| (*base, *len)).collect();
                assert_eq!(pairs(children.iter()), all);
                let from = children.first_behind(probe);
                let behind: Vec<_> = all
                    .iter()
                    .copied()
                    .filter(|(base, len)| base + len > probe)
                    .collect();
                assert_eq!(pairs(children.iter_from(from)), behind);
                assert_eq!(children.iter_mut_from(from).count(), behind.len());
                let mut at = At::default();
                for (base, _) in all {
                    assert_eq!(children.get(at).unwrap().base, base);
                    at = children.after(at);
                }
                assert!(children.get(at).is_none());
            }
        }
        while let Some(last) = children.pop() {
            assert_eq!(map.pop_last(), Some((last.base, last.len)));
        }
        assert!(map.is_empty() && children.0.is_empty());
    }

    #[test]
    fn chunks_stay_short_and_few() {
        let mut children = Children::new();
        for base in 0..10_000 {
            children.insert(child(base * 2, 1)).unwrap();
        }
        assert!(children.0.iter().all(|chunk| chunk.len() <= CHUNK));
        assert!(children.0.len() <= 10_000 / (CHUNK / 2) + 1);
        for base in (0..10_000).filter(|base| base % 100 != 0) {
            children.remove(children.first_behind(base * 2)).unwrap();
        }
        assert_eq!(children.iter().count(), 100);
        assert!(children.0.len() <= 20, "{}", children.0.len());
    }
}
