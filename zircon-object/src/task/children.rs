//! What a job or process keeps of those below it: a list by koid, in which one is added, found and taken out in O(log n).
//!
//! Koids grow, so nearly all are added at the end. Who leaves becomes a gap; when half of the list is gaps it closes up,
//! which costs each that left a constant.

use crate::object::Koid;
use alloc::vec::Vec;
use zx_abi::{ZxError, ZxResult};

/// Children of one kind, oldest first.
#[derive(Debug)]
pub(super) struct Children<T> {
    rows: Vec<(Koid, Option<T>)>,
    gaps: usize,
}

impl<T> Children<T> {
    pub(super) const fn new() -> Self {
        Self {
            rows: Vec::new(),
            gaps: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len() - self.gaps
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes a child in that is not there.
    ///
    /// # Errors
    /// - `NoMemory`: the kernel heap is exhausted.
    pub(super) fn add(&mut self, koid: Koid, child: T) -> ZxResult {
        let at = self.rows.partition_point(|(each, _)| *each < koid);
        // A gap next to the place will do: its own neighbours are in order, whatever koid it had.
        for gap in [Some(at), at.checked_sub(1)].into_iter().flatten() {
            if let Some((old, place @ None)) = self.rows.get_mut(gap) {
                (*old, *place) = (koid, Some(child));
                self.gaps -= 1;
                return Ok(());
            }
        }
        if self.rows.len() == self.rows.capacity() {
            self.rows.try_reserve(1).map_err(|_| ZxError::NoMemory)?;
        }
        self.rows.insert(at, (koid, Some(child)));
        Ok(())
    }

    fn index_of(&self, koid: Koid) -> Option<usize> {
        self.rows
            .binary_search_by_key(&koid, |(each, _)| *each)
            .ok()
    }

    /// A child.
    pub(super) fn get(&self, koid: Koid) -> Option<&T> {
        self.rows[self.index_of(koid)?].1.as_ref()
    }

    /// Takes a child out.
    pub(super) fn remove(&mut self, koid: Koid) -> Option<T> {
        let index = self.index_of(koid)?;
        let child = self.rows[index].1.take()?;
        self.gaps += 1;
        if self.gaps > self.len() {
            self.rows.retain(|(_, child)| child.is_some());
            self.gaps = 0;
            self.give_memory_back();
        }
        Some(child)
    }

    fn give_memory_back(&mut self) {
        const FEW: usize = 16;
        if self.rows.len() * 4 < self.rows.capacity() {
            self.rows.shrink_to(FEW.max(self.rows.len() * 2));
        }
    }

    /// All, oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.rows.iter().filter_map(|(_, child)| child.as_ref())
    }

    /// The child after a koid, which moves on to it.
    pub(super) fn next_after(&self, after: &mut Koid) -> Option<&T> {
        let from = self.rows.partition_point(|(each, _)| *each <= *after);
        let (koid, child) = self.rows[from..]
            .iter()
            .find_map(|(koid, child)| Some((koid, child.as_ref()?)))?;
        *after = *koid;
        Some(child)
    }

    /// Koids of all, oldest first.
    ///
    /// # Errors
    /// - `NoMemory`: no kernel memory for the list.
    pub(super) fn koids(&self) -> ZxResult<Vec<Koid>> {
        let mut koids = Vec::new();
        koids
            .try_reserve_exact(self.len())
            .map_err(|_| ZxError::NoMemory)?;
        let children = self.rows.iter().filter(|(_, child)| child.is_some());
        koids.extend(children.map(|(koid, _)| *koid));
        Ok(koids)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn any_order_of_coming_and_going_leaves_the_list_that_a_map_has() {
        let (mut children, mut map) = (Children::new(), BTreeMap::new());
        let mut random = 12345_u64;
        for round in 0..20_000_u64 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let key = (random >> 33) % 300;
            if (random >> 20) % 5 < 2 + (round / 4000) % 2 {
                if map.insert(key, round).is_none() {
                    children.add(Koid(key), round).unwrap();
                } else {
                    map.insert(key, *children.get(Koid(key)).unwrap());
                }
            } else {
                assert_eq!(children.remove(Koid(key)), map.remove(&key));
            }
            assert_eq!(children.len(), map.len());
            if round % 50 == 0 {
                assert!(children.iter().eq(map.values()));
                assert!(children
                    .koids()
                    .unwrap()
                    .iter()
                    .map(|koid| koid.0)
                    .eq(map.keys().copied()));
            }
        }
        let mut after = Koid(100);
        while let Some(child) = children.next_after(&mut after) {
            assert_eq!(
                map.range(101..).find(|(_, value)| *value == child),
                map.get_key_value(&after.0)
            );
        }
        assert!(children.rows.len() <= 2 * children.len() + 1);
    }
}
