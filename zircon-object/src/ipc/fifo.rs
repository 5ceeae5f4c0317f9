//! FIFOs: two ends with a short queue of equally long elements each.

use super::byte_ring::ByteRing;
use super::transfer::Failed;
use crate::object::peered::Ends;
use crate::object::{KernelObject, Koid, ObjectBase, Peered, TypedObject};
use alloc::sync::Arc;
use zx_abi::limits::FIFO_MAX_BYTES;
use zx_abi::{ObjectType, Signals, ZxError, ZxResult};

/// One end of a FIFO.
pub struct Fifo {
    link: Peered<Self, ByteRing>,
    element_size: usize,
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
            for ring in ends.both() {
                *ring = ByteRing::new(bytes);
                ring.reserve(bytes)?;
            }
            Ok::<(), ZxError>(())
        })?;
        Ok((first, second))
    }

    #[inline(always)]
    fn check(&self, element_size: usize, count: usize) -> ZxResult {
        if element_size == self.element_size && count > 0 {
            Ok(())
        } else {
            Err(ZxError::OutOfRange)
        }
    }

    /// Queues as many of `count` elements as there is room for, and says how many. `fill` puts them into place: it gets one
    /// part after the other, each with the number of bytes before it.
    ///
    /// # Errors
    /// - `PeerClosed`: the other end is gone.
    /// - `OutOfRange`: another element size, or no element.
    /// - `ShouldWait`: it is full.
    /// - Those of `fill`; nothing is queued then.
    #[inline(always)]
    pub fn write<E>(
        &self,
        element_size: usize,
        count: usize,
        fill: impl FnMut(usize, &mut [u8]) -> Result<(), E>,
    ) -> Result<usize, Failed<E>> {
        self.link
            .with(|ends| self.write_locked(ends, element_size, count, fill))
    }

    #[inline(always)]
    fn write_locked<E>(
        &self,
        ends: &mut Ends<'_, Self, ByteRing>,
        element_size: usize,
        count: usize,
        fill: impl FnMut(usize, &mut [u8]) -> Result<(), E>,
    ) -> Result<usize, Failed<E>> {
        let peer = ends.peer()?;
        self.check(element_size, count)?;
        let (room, was_empty) = (peer.room(), peer.is_empty());
        if room == 0 {
            return Err(Failed::Object(ZxError::ShouldWait));
        }
        let (bytes, count) = self.fitting(count, room);
        peer.add(bytes, fill).map_err(Failed::Copy)?;
        if was_empty {
            ends.change_peer(Signals::empty(), Signals::READABLE);
        }
        if bytes == room {
            ends.change_own(Signals::WRITABLE, Signals::empty());
        }
        Ok(count)
    }

    /// Takes at most `count` elements, and says how many. `copy` copies them: it gets one part after the other, each with the
    /// number of bytes before it.
    ///
    /// # Errors
    /// - `OutOfRange`: another element size, or no element.
    /// - `PeerClosed`: it is empty and the other end is gone.
    /// - `ShouldWait`: it is empty.
    /// - Those of `copy`; nothing is taken then.
    #[inline(always)]
    pub fn read<E>(
        &self,
        element_size: usize,
        count: usize,
        copy: impl FnMut(usize, &[u8]) -> Result<(), E>,
    ) -> Result<usize, Failed<E>> {
        self.check(element_size, count)?;
        self.link.with(|ends| self.read_locked(ends, count, copy))
    }

    #[inline(always)]
    fn read_locked<E>(
        &self,
        ends: &mut Ends<'_, Self, ByteRing>,
        count: usize,
        copy: impl FnMut(usize, &[u8]) -> Result<(), E>,
    ) -> Result<usize, Failed<E>> {
        let severed = ends.is_severed();
        let own = ends.own();
        let (len, was_full) = (own.len(), own.room() == 0);
        if len == 0 {
            return Err(Failed::Object(if severed {
                ZxError::PeerClosed
            } else {
                ZxError::ShouldWait
            }));
        }
        let (bytes, count) = self.fitting(count, len);
        own.look(bytes, copy).map_err(Failed::Copy)?;
        own.remove(bytes);
        if bytes == len {
            ends.change_own(Signals::READABLE, Signals::empty());
        }
        if was_full && !severed {
            ends.change_peer(Signals::empty(), Signals::WRITABLE);
        }
        Ok(count)
    }

    /// Bytes and number of the elements, at most `count`, that take up to `limit` bytes. Room and content are whole elements.
    #[inline(always)]
    fn fitting(&self, count: usize, limit: usize) -> (usize, usize) {
        let bytes = count.saturating_mul(self.element_size);
        if bytes <= limit {
            (bytes, count)
        } else {
            (limit, limit / self.element_size)
        }
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

    fn put(fifo: &Fifo, elements: &[u8]) -> Result<usize, Failed<()>> {
        fifo.write(4, elements.len() / 4, |before, part| {
            part.copy_from_slice(&elements[before..][..part.len()]);
            Ok(())
        })
    }

    fn take(fifo: &Fifo, count: usize) -> Result<alloc::vec::Vec<u8>, Failed<()>> {
        let mut bytes = alloc::vec::Vec::new();
        let taken = fifo.read(4, count, |before, part| {
            assert_eq!(before, bytes.len());
            bytes.extend_from_slice(part);
            Ok(())
        })?;
        assert_eq!(bytes.len(), taken * 4);
        Ok(bytes)
    }

    const SHOULD_WAIT: Failed<()> = Failed::Object(ZxError::ShouldWait);
    const PEER_CLOSED: Failed<()> = Failed::Object(ZxError::PeerClosed);

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
        assert_eq!(put(&a, b"aaaabbbbcccc"), Ok(3));
        assert_eq!(take(&b, 2).unwrap(), b"aaaabbbb");
        assert_eq!(put(&a, b"ddddeeeeffffgggg"), Ok(3), "as many as fit");
        assert_eq!(
            (a.base().signals().get(), put(&a, b"hhhh")),
            (Signals::empty(), Err(SHOULD_WAIT))
        );
        assert_eq!(take(&b, 9).unwrap(), b"ccccddddeeeeffff");
        assert_eq!(a.base().signals().get(), Signals::WRITABLE);
        assert_eq!(take(&b, 1), Err(SHOULD_WAIT));
        assert_eq!(put(&a, b"last"), Ok(1));
        drop(ha);
        assert_eq!(take(&b, 1).unwrap(), b"last");
        assert_eq!(
            (take(&b, 1), put(&b, b"")),
            (Err(PEER_CLOSED), Err(PEER_CLOSED))
        );
    }

    #[test]
    fn a_copy_that_fails_in_its_second_part_changes_nothing() {
        let (a, b) = Fifo::create(4, 4).unwrap();
        let _handles = (
            Handle::new(a.clone()).unwrap(),
            Handle::new(b.clone()).unwrap(),
        );
        assert_eq!(put(&a, b"aaaabbbb"), Ok(2));
        assert_eq!(take(&b, 1).unwrap(), b"aaaa");
        let second_part = |before| if before > 0 { Err(()) } else { Ok(()) };
        let failed = a.write(4, 3, |before, part| {
            part.fill(b'x');
            second_part(before)
        });
        assert_eq!(failed, Err(Failed::Copy(())));
        assert_eq!(put(&a, b"ccccddddeeee"), Ok(3));
        assert_eq!(
            b.read(4, 4, |before, _| second_part(before)),
            Err(Failed::Copy(()))
        );
        assert_eq!(a.base().signals().get(), Signals::empty(), "still full");
        assert_eq!(take(&b, 9).unwrap(), b"bbbbccccddddeeee");
    }
}
