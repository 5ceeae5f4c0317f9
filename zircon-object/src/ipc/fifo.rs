//! FIFOs: two ends with a short queue of equally long elements each.

use super::byte_ring::{ByteRing, Mark, Removed};
use crate::object::{KernelObject, Koid, ObjectBase, Peered, TypedObject};
use alloc::sync::Arc;
use zx_abi::limits::FIFO_MAX_BYTES;
use zx_abi::{ObjectType, Signals, ZxError, ZxResult};

/// One end of a FIFO.
pub struct Fifo {
    link: Peered<Self, ByteRing>,
    element_size: usize,
}

/// Elements that were looked at: how many bytes, and which.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seen {
    /// Bytes copied, whole elements.
    pub bytes: usize,
    mark: Mark,
}

impl Fifo {
    /// Both ends of a new FIFO.
    ///
    /// # Errors
    /// - `OutOfRange`: the count is no power of two, the size is 0, or together they exceed 4096 bytes.
    /// - `NoMemory`: the kernel heap is exhausted.
    pub fn create(element_count: usize, element_size: usize) -> ZxResult<(Arc<Self>, Arc<Self>)> {
        let bytes = element_count
            .checked_mul(element_size)
            .filter(|bytes| (1..=FIFO_MAX_BYTES).contains(bytes));
        let bytes = bytes
            .filter(|_| element_count.is_power_of_two())
            .ok_or(ZxError::OutOfRange)?;
        let (first, second) =
            Peered::create(Signals::WRITABLE, |link| Self { link, element_size })?;
        first.link.with(|ends| {
            *ends.own() = ByteRing::new(bytes);
            ends.peer().map(|peer| *peer = ByteRing::new(bytes))
        })?;
        Ok((first, second))
    }

    fn check(&self, element_size: usize, count: usize) -> ZxResult {
        if element_size == self.element_size && count > 0 {
            Ok(())
        } else {
            Err(ZxError::OutOfRange)
        }
    }

    /// How many bytes a write of `count` elements would queue now.
    ///
    /// # Errors
    /// - `PeerClosed`: the other end is gone.
    /// - `OutOfRange`: another element size, or no element.
    /// - `ShouldWait`: it is full.
    pub fn writable(&self, element_size: usize, count: usize) -> ZxResult<usize> {
        let room = self.link.with(|ends| ends.peer().map(|peer| peer.room()))?;
        self.check(element_size, count)?;
        if room == 0 {
            return Err(ZxError::ShouldWait);
        }
        Ok(count.saturating_mul(element_size).min(room))
    }

    /// Queues as many whole elements as there is room for; how many.
    ///
    /// # Errors
    /// - `PeerClosed`: the other end is gone.
    /// - `ShouldWait`: it is full.
    /// - `NoMemory`: the kernel heap is exhausted.
    pub fn write(&self, elements: &[u8]) -> ZxResult<usize> {
        self.link.with(|ends| {
            let peer = ends.peer()?;
            let was_empty = peer.is_empty();
            // Room is a whole number of elements, as capacity and content are.
            let written = peer.push(elements)?;
            let is_full = peer.room() == 0;
            if written == 0 {
                return Err(ZxError::ShouldWait);
            }
            if was_empty {
                ends.change_peer(Signals::empty(), Signals::READABLE);
            }
            if is_full {
                ends.change_own(Signals::WRITABLE, Signals::empty());
            }
            Ok(written / self.element_size)
        })
    }

    /// Looks at the first `count` elements.
    ///
    /// # Errors
    /// - `OutOfRange`: another element size, or no element.
    /// - `PeerClosed`: it is empty and the other end is gone.
    /// - `ShouldWait`: it is empty.
    pub fn peek(&self, element_size: usize, count: usize, into: &mut [u8]) -> ZxResult<Seen> {
        self.check(element_size, count)?;
        self.link.with(|ends| {
            let severed = ends.is_severed();
            let own = ends.own();
            if own.is_empty() {
                return Err(if severed {
                    ZxError::PeerClosed
                } else {
                    ZxError::ShouldWait
                });
            }
            let wanted = into.len().min(count.saturating_mul(element_size));
            let whole = wanted - wanted % element_size;
            Ok(Seen {
                bytes: own.peek(0, &mut into[..whole]),
                mark: own.mark(),
            })
        })
    }

    /// Removes what was looked at.
    pub fn remove(&self, seen: Seen) -> Removed {
        self.link.with(|ends| {
            let own = ends.own();
            if own.mark() != seen.mark {
                return Removed::Overtaken;
            }
            let was_full = own.room() == 0;
            own.remove(seen.bytes);
            if own.is_empty() {
                ends.change_own(Signals::READABLE, Signals::empty());
            }
            if was_full && !ends.is_severed() {
                ends.change_peer(Signals::empty(), Signals::WRITABLE);
            }
            Removed::Yes
        })
    }

    /// Bytes of an element.
    pub fn element_size(&self) -> usize {
        self.element_size
    }
}

impl KernelObject for Fifo {
    fn base(&self) -> &ObjectBase {
        self.link.base()
    }
    fn object_type(&self) -> ObjectType {
        ObjectType::Fifo
    }
    fn related_koid(&self) -> Koid {
        self.link.peer_koid()
    }
    fn peer(&self) -> Option<ZxResult<Arc<dyn KernelObject>>> {
        Some(self.link.peer())
    }
    fn on_zero_handles(&self) {
        drop(
            self.link
                .sever(Signals::WRITABLE, |ends| core::mem::take(ends.own())),
        );
    }
}

impl TypedObject for Fifo {
    const TYPE: ObjectType = ObjectType::Fifo;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Handle;

    fn take(fifo: &Fifo, count: usize) -> ZxResult<alloc::vec::Vec<u8>> {
        let mut bytes = [0; 64];
        let seen = fifo.peek(4, count, &mut bytes)?;
        assert_eq!(fifo.remove(seen), Removed::Yes);
        Ok(bytes[..seen.bytes].to_vec())
    }

    #[test]
    fn only_legal_shapes_are_made() {
        for (count, size) in [
            (0, 4),
            (4, 0),
            (35, 1),
            (128, 33),
            (usize::MAX, 2),
            (1 << 63, 2),
        ] {
            assert_eq!(
                Fifo::create(count, size).err(),
                Some(ZxError::OutOfRange),
                "{count} x {size}"
            );
        }
        assert!(Fifo::create(1, 4096).is_ok() && Fifo::create(4096, 1).is_ok());
    }

    #[test]
    fn elements_go_round_and_a_full_queue_is_not_writable() {
        let (a, b) = Fifo::create(4, 4).unwrap();
        let (ha, _hb) = (
            Handle::new(a.clone()).unwrap(),
            Handle::new(b.clone()).unwrap(),
        );
        assert_eq!(a.write(b"aaaabbbbcccc"), Ok(3));
        assert_eq!(take(&b, 2).unwrap(), b"aaaabbbb");
        assert_eq!(a.writable(4, 9), Ok(12));
        assert_eq!(a.write(b"ddddeeeeffff"), Ok(3));
        assert_eq!(
            (a.base().signals().get(), a.writable(4, 1)),
            (Signals::empty(), Err(ZxError::ShouldWait))
        );
        assert_eq!(take(&b, 9).unwrap(), b"ccccddddeeeeffff");
        assert_eq!(a.base().signals().get(), Signals::WRITABLE);
        assert_eq!(take(&b, 1), Err(ZxError::ShouldWait));
        assert_eq!(a.write(b"last"), Ok(1));
        drop(ha);
        assert_eq!(take(&b, 1).unwrap(), b"last");
        assert_eq!(
            (take(&b, 1), b.writable(3, 0)),
            (Err(ZxError::PeerClosed), Err(ZxError::PeerClosed))
        );
    }

    #[test]
    fn a_second_reader_that_comes_between_is_noticed() {
        let (a, b) = Fifo::create(4, 4).unwrap();
        let _handles = (
            Handle::new(a.clone()).unwrap(),
            Handle::new(b.clone()).unwrap(),
        );
        assert_eq!(a.write(b"aaaabbbb"), Ok(2));
        let seen = b.peek(4, 1, &mut [0; 4]).unwrap();
        take(&b, 1).unwrap();
        assert_eq!(b.remove(seen), Removed::Overtaken);
    }
}
