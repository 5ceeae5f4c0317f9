//! A ring of bytes that grows up to a limit and then stays.
//!
//! Memory is not cleared when it is taken but, by and by, just before it is written for the first time.
//!
//! Whoever adds or takes bytes copies them himself, into or out of the ring's own memory, with [`ByteRing::add`] and
//! [`ByteRing::look`]. A copy that fails half-way has changed nothing that anybody can see.

use super::held;
use alloc::vec::Vec;
use zx_abi::{ZxError, ZxResult};

/// The ring.
#[derive(Default)]
pub(super) struct ByteRing {
    /// As far as bytes have ever been written; there is room for `size`.
    bytes: Vec<u8>,
    /// Where the ring wraps.
    size: usize,
    head: usize,
    len: usize,
    limit: usize,
}

const FIRST_SIZE: usize = 1024;

impl ByteRing {
    /// An empty ring for at most `limit` bytes, without memory.
    pub(super) const fn new(limit: usize) -> Self {
        Self {
            bytes: Vec::new(),
            size: 0,
            head: 0,
            len: 0,
            limit,
        }
    }

    #[inline(always)]
    pub(super) fn len(&self) -> usize {
        self.len
    }
    #[inline(always)]
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }
    #[inline(always)]
    pub(super) fn room(&self) -> usize {
        self.limit - self.len
    }

    /// Makes sure of memory for `count` more bytes, for which there is room.
    ///
    /// # Errors
    /// - `NoMemory`: the ring cannot grow; it is unchanged.
    #[inline(always)]
    pub(super) fn reserve(&mut self, count: usize) -> ZxResult {
        if self.len + count > self.size {
            return self.grow(self.len + count);
        }
        Ok(())
    }

    /// Appends `count` bytes, which `fill` writes: it gets one place after the other, each with the number of bytes before it.
    /// Memory for them has been reserved.
    ///
    /// # Errors
    /// Those of `fill`; nothing is appended then.
    #[inline(always)]
    pub(super) fn add<E>(
        &mut self,
        count: usize,
        mut fill: impl FnMut(usize, &mut [u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let size = self.size;
        let mut done = 0;
        let mut at = wrapped(self.head + self.len, size);
        while done < count {
            let part = (count - done).min(size - at);
            if at + part > self.bytes.len() {
                self.clear_up_to(at + part);
            }
            fill(done, &mut self.bytes[at..at + part])?;
            done += part;
            at = 0;
        }
        self.len += count;
        Ok(())
    }

    /// Shows `count` bytes from the front, of which there are so many, to `copy`, in one or two parts, each with the number of
    /// bytes before it.
    ///
    /// # Errors
    /// Those of `copy`.
    #[inline(always)]
    pub(super) fn look<E>(
        &self,
        count: usize,
        mut copy: impl FnMut(usize, &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let size = self.size;
        let mut done = 0;
        let mut at = self.head;
        while done < count {
            let part = (count - done).min(size - at);
            copy(done, &self.bytes[at..at + part])?;
            done += part;
            at = 0;
        }
        Ok(())
    }

    /// Removes bytes from the front, of which there are so many.
    #[inline(always)]
    pub(super) fn remove(&mut self, count: usize) {
        self.len -= count;
        self.head = if self.len == 0 {
            0
        } else {
            wrapped(self.head + count, self.size)
        };
    }

    /// Clears memory that is about to be written for the first time; there is room for it.
    #[cold]
    #[inline(never)]
    fn clear_up_to(&mut self, end: usize) {
        self.bytes.resize(end, 0);
    }

    /// Makes the memory at least `needed` long, and puts the first byte at its start.
    #[cold]
    fn grow(&mut self, needed: usize) -> ZxResult {
        let size = needed
            .max(self.size.saturating_mul(2))
            .max(FIRST_SIZE)
            .min(self.limit);
        let mut bytes = Vec::new();
        bytes
            .try_reserve_exact(size)
            .map_err(|_| ZxError::NoMemory)?;
        let first = self.len.min(self.size - self.head);
        bytes.extend_from_slice(&self.bytes[self.head..self.head + first]);
        bytes.extend_from_slice(&self.bytes[..self.len - first]);
        held::grown_by(size - self.size);
        (self.bytes, self.size, self.head) = (bytes, size, 0);
        Ok(())
    }
}

impl Drop for ByteRing {
    fn drop(&mut self) {
        held::shrunk_by(self.size);
    }
}

/// A place up to twice the ring's size, brought back into it.
#[inline(always)]
fn wrapped(at: usize, size: usize) -> usize {
    if at >= size {
        at - size
    } else {
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::VecDeque;
    use proptest::prelude::*;

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Add(usize),
        /// The copy of so many bytes fails in its last part.
        AddInVain(usize),
        Take(usize),
        LookInVain(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        let count = 0_usize..3000;
        prop_oneof![
            4 => count.clone().prop_map(Step::Add),
            1 => count.clone().prop_map(Step::AddInVain),
            4 => count.clone().prop_map(Step::Take),
            1 => count.prop_map(Step::LookInVain),
        ]
    }

    fn low_byte(number: usize) -> u8 {
        number.to_le_bytes()[0]
    }

    proptest! {
        #[test]
        fn a_ring_behaves_like_a_queue_of_bytes_and_failed_copies_change_nothing(
            steps in proptest::collection::vec(step(), 1..200),
        ) {
            let (mut ring, mut model, mut next) = (ByteRing::new(5000), VecDeque::new(), 0_u8);
            for step in steps {
                match step {
                    Step::Add(count) => {
                        let count = count.min(ring.room());
                        ring.reserve(count).unwrap();
                        let added = ring.add(count, |before, part| {
                            for (place, byte) in part.iter_mut().enumerate() {
                                *byte = next.wrapping_add(low_byte(before + place));
                            }
                            Ok::<(), ()>(())
                        });
                        prop_assert!(added.is_ok());
                        model.extend((0..count).map(|place| next.wrapping_add(low_byte(place))));
                        next = next.wrapping_add(low_byte(count));
                    }
                    Step::AddInVain(count) => {
                        let count = count.min(ring.room());
                        ring.reserve(count).unwrap();
                        let added = ring.add(count, |before, part| {
                            part.fill(0xee);
                            if before + part.len() == count { Err(()) } else { Ok(()) }
                        });
                        prop_assert_eq!(added.is_err(), count > 0);
                    }
                    Step::Take(count) => {
                        let count = count.min(ring.len());
                        let mut seen = Vec::new();
                        let looked = ring.look(count, |before, part| {
                            assert_eq!(before, seen.len());
                            seen.extend_from_slice(part);
                            Ok::<(), ()>(())
                        });
                        prop_assert!(looked.is_ok());
                        ring.remove(count);
                        let expected: Vec<u8> = model.drain(..count).collect();
                        prop_assert_eq!(seen, expected);
                    }
                    Step::LookInVain(count) => {
                        let count = count.min(ring.len());
                        prop_assert_eq!(ring.look(count, |_, _| Err(())).is_err(), count > 0);
                    }
                }
                prop_assert_eq!((ring.len(), ring.room()), (model.len(), 5000 - model.len()));
            }
        }
    }
}
