//! A list in the order of growing keys, in which one is added, found and taken out in O(log n): the children of a job by koid,
//! the views of a VMO by number.
//!
//! As keys grow, nearly all are added at the end. Who leaves becomes a gap unless it was the last; when half of the list is
//! gaps it closes up, which costs each that left a constant. A list that was long for a moment gives its memory back.

use alloc::vec::Vec;
use zx_abi::{ZxError, ZxResult};

/// Room that a list keeps in any case once it had it.
const FEW: usize = 16;

/// Values by key, lowest first.
#[derive(Debug)]
pub(crate) struct KeyedList<K, T> {
    rows: Vec<(K, Option<T>)>,
    gaps: usize,
}

impl<K: Copy + Ord, T> KeyedList<K, T> {
    pub(crate) const fn new() -> Self {
        Self {
            rows: Vec::new(),
            gaps: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len() - self.gaps
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes a value in whose key is not there.
    ///
    /// # Errors
    /// - `NoMemory`: the kernel heap is exhausted.
    pub(crate) fn add(&mut self, key: K, value: T) -> ZxResult {
        let at = self.rows.partition_point(|(each, _)| *each < key);
        // A gap next to the place will do: its own neighbours are in order, whatever key it had.
        for gap in [Some(at), at.checked_sub(1)].into_iter().flatten() {
            if let Some((old, place @ None)) = self.rows.get_mut(gap) {
                (*old, *place) = (key, Some(value));
                self.gaps -= 1;
                return Ok(());
            }
        }
        if self.rows.len() == self.rows.capacity() {
            self.rows.try_reserve(1).map_err(|_| ZxError::NoMemory)?;
        }
        self.rows.insert(at, (key, Some(value)));
        Ok(())
    }

    fn index_of(&self, key: K) -> Option<usize> {
        self.rows.binary_search_by_key(&key, |(each, _)| *each).ok()
    }

    /// The value of a key.
    pub(crate) fn get(&self, key: K) -> Option<&T> {
        self.rows[self.index_of(key)?].1.as_ref()
    }

    /// The value of a key.
    pub(crate) fn get_mut(&mut self, key: K) -> Option<&mut T> {
        let index = self.index_of(key)?;
        self.rows[index].1.as_mut()
    }

    /// Takes a value out.
    pub(crate) fn remove(&mut self, key: K) -> Option<T> {
        let index = self.index_of(key)?;
        let value = self.rows[index].1.take()?;
        self.gaps += 1;
        while self.rows.pop_if(|(_, value)| value.is_none()).is_some() {
            self.gaps -= 1;
        }
        if self.gaps > self.len() || self.rows.capacity() > FEW.max(self.rows.len() * 4) {
            self.close_up();
        }
        Some(value)
    }

    /// Closes the gaps. Without memory for a shorter list it stays as long as it was.
    fn close_up(&mut self) {
        self.gaps = 0;
        self.rows.retain(|(_, value)| value.is_some());
        let room = FEW.max(self.rows.len() * 2);
        let mut shorter = Vec::new();
        if self.rows.capacity() > room && shorter.try_reserve_exact(room).is_ok() {
            shorter.append(&mut self.rows);
            self.rows = shorter;
        }
    }

    /// All values, lowest key first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.rows.iter().filter_map(|(_, value)| value.as_ref())
    }

    /// All keys and values, lowest key first.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (K, &T)> {
        self.rows
            .iter()
            .filter_map(|(key, value)| Some((*key, value.as_ref()?)))
    }

    /// The value behind a key, which moves on to it.
    pub(crate) fn next_after(&self, after: &mut K) -> Option<&T> {
        let from = self.rows.partition_point(|(each, _)| *each <= *after);
        let (key, value) = self.rows[from..]
            .iter()
            .find_map(|(key, value)| Some((key, value.as_ref()?)))?;
        *after = *key;
        Some(value)
    }

    /// Keys of all, lowest first.
    ///
    /// # Errors
    /// - `NoMemory`: no kernel memory for the list.
    pub(crate) fn keys(&self) -> ZxResult<Vec<K>> {
        let mut keys = Vec::new();
        keys.try_reserve_exact(self.len())
            .map_err(|_| ZxError::NoMemory)?;
        keys.extend(self.pairs().map(|(key, _)| key));
        Ok(keys)
    }
}

impl<K: Copy + Ord, T> Default for KeyedList<K, T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn any_order_of_coming_and_going_leaves_the_list_that_a_map_has() {
        let (mut list, mut map) = (KeyedList::new(), BTreeMap::new());
        let mut random = 12345_u64;
        for round in 0..20_000_u64 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let key = (random >> 33) % 300;
            if (random >> 20) % 5 < 2 + (round / 4000) % 2 {
                if map.insert(key, round).is_none() {
                    list.add(key, round).unwrap();
                } else {
                    map.insert(key, *list.get(key).unwrap());
                }
            } else {
                assert_eq!(list.remove(key), map.remove(&key));
            }
            assert_eq!(list.len(), map.len());
            if round % 50 == 0 {
                assert!(list.iter().eq(map.values()));
                assert!(list.keys().unwrap().iter().copied().eq(map.keys().copied()));
            }
        }
        let mut after = 100;
        while let Some(value) = list.next_after(&mut after) {
            assert_eq!(
                map.range(101..).find(|(_, other)| *other == value),
                map.get_key_value(&after)
            );
        }
        assert!(list.rows.len() <= 2 * list.len() + 1);
    }

    #[test]
    fn a_list_that_was_long_for_a_moment_gives_its_memory_back() {
        let mut list = KeyedList::new();
        for round in 1..5 {
            for key in 0..1000 * round {
                list.add(key, ()).unwrap();
            }
            // Those that stay are any.
            for key in (0..1000 * round).filter(|key| key % (300 * round) != 7) {
                list.remove(key).unwrap();
            }
            assert_eq!((list.len(), list.rows.capacity()), (4, FEW));
            for key in (0..1000 * round).filter(|key| key % (300 * round) == 7) {
                list.remove(key).unwrap();
            }
        }
    }
}
