//! A ring of bytes that grows up to a limit and then stays.
//!
//! Readers look first and remove afterwards, because between the two the bytes go to user memory, which may fail. A [`Mark`]
//! says what was looked at, so that a second reader that came between is noticed.

use alloc::vec::Vec;
use zx_abi::{ZxError, ZxResult};

/// The ring.
#[derive(Default)]
pub(super) struct ByteRing {
    bytes: Vec<u8>,
    head: usize,
    len: usize,
    limit: usize,
    removed: u64,
}

/// The place of the first byte, counted since the ring was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Mark(u64);

/// What became of an attempt to remove what was looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "what somebody else took first must not be given to the program"]
pub enum Removed {
    /// It is gone from the front.
    Yes,
    /// Somebody else took it first: look again.
    Overtaken,
}

const FIRST_SIZE: usize = 1024;

impl ByteRing {
    /// An empty ring for at most `limit` bytes, without memory.
    pub(super) const fn new(limit: usize) -> Self {
        Self {
            bytes: Vec::new(),
            head: 0,
            len: 0,
            limit,
            removed: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }
    pub(super) fn room(&self) -> usize {
        self.limit - self.len
    }
    pub(super) fn mark(&self) -> Mark {
        Mark(self.removed)
    }

    /// Appends as much of `from` as there is room for; how much that is.
    ///
    /// # Errors
    /// - `NoMemory`: the ring cannot grow; it is unchanged.
    pub(super) fn push(&mut self, from: &[u8]) -> ZxResult<usize> {
        let count = from.len().min(self.room());
        if self.len + count > self.bytes.len() {
            self.grow(self.len + count)?;
        }
        let size = self.bytes.len();
        if count > 0 {
            let tail = (self.head + self.len) % size;
            let (first, second) = from[..count].split_at(count.min(size - tail));
            self.bytes[tail..tail + first.len()].copy_from_slice(first);
            self.bytes[..second.len()].copy_from_slice(second);
            self.len += count;
        }
        Ok(count)
    }

    /// Copies bytes from `offset` on without removing them; how many there were, at most `into.len()`.
    pub(super) fn peek(&self, offset: usize, into: &mut [u8]) -> usize {
        let count = into.len().min(self.len.saturating_sub(offset));
        if count > 0 {
            let size = self.bytes.len();
            let start = (self.head + offset) % size;
            let (first, second) = into[..count].split_at_mut(count.min(size - start));
            first.copy_from_slice(&self.bytes[start..start + first.len()]);
            second.copy_from_slice(&self.bytes[..second.len()]);
        }
        count
    }

    /// Removes bytes from the front.
    pub(super) fn remove(&mut self, count: usize) {
        let count = count.min(self.len);
        self.len -= count;
        self.removed += count as u64;
        self.head = if self.len == 0 {
            0
        } else {
            (self.head + count) % self.bytes.len()
        };
    }

    /// Makes the memory at least `needed` long, and puts the first byte at its start.
    fn grow(&mut self, needed: usize) -> ZxResult {
        let size = needed
            .max(self.bytes.len().saturating_mul(2))
            .max(FIRST_SIZE)
            .min(self.limit);
        let mut bytes = Vec::new();
        bytes
            .try_reserve_exact(size)
            .map_err(|_| ZxError::NoMemory)?;
        bytes.resize(size, 0);
        self.peek(0, &mut bytes);
        (self.bytes, self.head) = (bytes, 0);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::VecDeque;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_ring_behaves_like_a_queue_of_bytes(steps in proptest::collection::vec((any::<bool>(), 0_usize..3000), 1..200)) {
            let (mut ring, mut model, mut next) = (ByteRing::new(5000), VecDeque::new(), 0_u8);
            for (push, count) in steps {
                if push {
                    let bytes: Vec<u8> = (0..count).map(|_| { next = next.wrapping_add(1); next }).collect();
                    let taken = ring.push(&bytes).unwrap();
                    prop_assert_eq!(taken, count.min(5000 - model.len()));
                    model.extend(&bytes[..taken]);
                } else {
                    let mut seen = std::vec![0; count];
                    let seen_count = ring.peek(0, &mut seen);
                    ring.remove(seen_count);
                    let expected: Vec<u8> = model.drain(..count.min(model.len())).collect();
                    prop_assert_eq!(&seen[..seen_count], &expected[..]);
                }
                prop_assert_eq!((ring.len(), ring.room()), (model.len(), 5000 - model.len()));
            }
        }
    }
}
