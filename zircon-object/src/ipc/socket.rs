//! Sockets: two ends with a buffer each, for a stream of bytes or for datagrams.
//!
//! What an end may do is in its signals: WRITABLE while the other end's buffer has room and nobody has shut this direction
//! down, READABLE while the own buffer holds something, and the two thresholds.

use super::byte_ring::ByteRing;
use super::socket_control::{Extras, Waiting};
use super::transfer::{After, Failed};
use crate::object::peered::Ends;
use crate::object::{KernelObject, Koid, ObjectBase, Peered, TypedObject};
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use zx_abi::limits::SOCKET_BUFFER_BYTES;
use zx_abi::{ObjectType, Signals, ZxError, ZxResult};

/// One end of a socket.
pub struct Socket {
    pub(super) link: Peered<Self, Inbox>,
    kind: Kind,
    extras: Extras,
}

/// What a socket carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Bytes.
    Stream,
    /// Messages without handles, whole or not at all.
    Datagram,
}

/// What waits at one end, and what that end may do.
pub(super) struct Inbox {
    pub(super) waiting: Waiting,
    ring: ByteRing,
    datagrams: VecDeque<usize>,
    write_disabled: bool,
    peer_write_disabled: bool,
    read_threshold: usize,
    write_threshold: usize,
}

impl Default for Inbox {
    fn default() -> Self {
        Self {
            waiting: Waiting::default(),
            ring: ByteRing::new(SOCKET_BUFFER_BYTES),
            datagrams: VecDeque::new(),
            write_disabled: false,
            peer_write_disabled: false,
            read_threshold: 0,
            write_threshold: 0,
        }
    }
}

/// How full a socket is, as `object_get_info` tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fill {
    /// Bytes in the own buffer.
    pub received: usize,
    /// Bytes that one read can return.
    pub available: usize,
    /// Bytes in the other end's buffer; `None` when it is gone.
    pub sent: Option<usize>,
}

/// The directions that `socket_shutdown` closes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shutdown {
    /// This end writes no more.
    pub write: bool,
    /// This end reads no more than what is there.
    pub read: bool,
}

impl Socket {
    /// Bytes that a buffer holds.
    pub const CAPACITY: usize = SOCKET_BUFFER_BYTES;

    /// Both ends of a new socket for data alone.
    ///
    /// # Errors
    /// - `NoMemory`: the kernel heap is exhausted.
    pub fn create(kind: Kind) -> ZxResult<(Arc<Self>, Arc<Self>)> {
        Self::create_with(kind, Extras::default())
    }

    /// Both ends of a new socket that carries more than data.
    ///
    /// # Errors
    /// - `NoMemory`: the kernel heap is exhausted.
    pub fn create_with(kind: Kind, extras: Extras) -> ZxResult<(Arc<Self>, Arc<Self>)> {
        Peered::create(Signals::WRITABLE | extras.signals(), |link| Self {
            link,
            kind,
            extras,
        })
    }

    /// What it carries besides data.
    pub fn extras(&self) -> Extras {
        self.extras
    }

    /// What it carries.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Queues bytes, as many of `len` as there is room for, or one datagram, and says how many. Nothing is queued for an empty
    /// one. `fill` puts the bytes into place: it gets one part after the other, each with the number of bytes before it.
    ///
    /// # Errors
    /// - `PeerClosed`: the other end is gone.
    /// - `BadState`: this direction is shut down.
    /// - `InvalidArgs`: more than 4 GiB.
    /// - `ShouldWait`: there is no room, or not enough for the datagram.
    /// - `OutOfRange`: no buffer is large enough for the datagram.
    /// - `NoMemory`: the buffer cannot grow.
    /// - Those of `fill`; nothing is queued then.
    #[inline(always)]
    pub fn write<E>(
        &self,
        len: usize,
        fill: impl FnMut(usize, &mut [u8]) -> Result<(), E>,
    ) -> Result<usize, Failed<E>> {
        self.link.with(|ends| self.write_locked(ends, len, fill))
    }

    #[inline(always)]
    fn write_locked<E>(
        &self,
        ends: &mut Ends<'_, Self, Inbox>,
        len: usize,
        fill: impl FnMut(usize, &mut [u8]) -> Result<(), E>,
    ) -> Result<usize, Failed<E>> {
        let room = ends.peer()?.ring.room();
        let own = ends.own();
        let threshold = own.write_threshold;
        if own.write_disabled {
            return Err(Failed::Object(ZxError::BadState));
        }
        if len == 0 {
            return Ok(0);
        }
        let count = self.fitting(len, room)?;
        let peer = ends.peer()?;
        let was_empty = peer.ring.is_empty();
        peer.ring.reserve(count)?;
        if self.kind == Kind::Datagram {
            peer.datagrams
                .try_reserve(1)
                .map_err(|_| ZxError::NoMemory)?;
        }
        peer.ring.add(count, fill).map_err(Failed::Copy)?;
        if self.kind == Kind::Datagram {
            peer.datagrams.push_back(count);
        }
        let mut arrived = Signals::empty();
        arrived.set(Signals::READABLE, was_empty);
        arrived.set(
            Signals::SOCKET_READ_THRESHOLD,
            peer.read_threshold > 0 && peer.ring.len() >= peer.read_threshold,
        );
        if !arrived.is_empty() {
            ends.change_peer(Signals::empty(), arrived);
        }
        let left = room - count;
        let mut lost = Signals::empty();
        lost.set(Signals::WRITABLE, left == 0);
        lost.set(Signals::SOCKET_WRITE_THRESHOLD, left < threshold);
        if !lost.is_empty() {
            ends.change_own(lost, Signals::empty());
        }
        Ok(count)
    }

    /// How many of `len` bytes, which are not none, can be queued.
    #[inline(always)]
    fn fitting(&self, len: usize, room: usize) -> ZxResult<usize> {
        if len <= room {
            return Ok(len);
        }
        u32::try_from(len).map_err(|_| ZxError::InvalidArgs)?;
        match self.kind {
            _ if room == 0 => Err(ZxError::ShouldWait),
            Kind::Stream => Ok(room),
            Kind::Datagram if len > Self::CAPACITY => Err(ZxError::OutOfRange),
            Kind::Datagram => Err(ZxError::ShouldWait),
        }
    }

    /// Reads at most `max` bytes, or the first datagram as far as it fits, and says how many. With no room nothing is removed,
    /// otherwise a datagram is as a whole. `copy` copies the bytes: it gets one part after the other, each with the number
    /// of bytes before it.
    ///
    /// # Errors
    /// - `PeerClosed`: nothing is there and the other end is gone.
    /// - `BadState`: nothing is there and this direction is shut down.
    /// - `ShouldWait`: nothing is there.
    /// - Those of `copy`; nothing is removed then.
    #[inline(always)]
    pub fn read<E>(
        &self,
        max: usize,
        after: After,
        copy: impl FnMut(usize, &[u8]) -> Result<(), E>,
    ) -> Result<usize, Failed<E>> {
        self.link
            .with(|ends| self.read_locked(ends, max, after, copy))
    }

    #[inline(always)]
    fn read_locked<E>(
        &self,
        ends: &mut Ends<'_, Self, Inbox>,
        max: usize,
        after: After,
        copy: impl FnMut(usize, &[u8]) -> Result<(), E>,
    ) -> Result<usize, Failed<E>> {
        let severed = ends.is_severed();
        let own = ends.own();
        if own.ring.is_empty() {
            return Err(Failed::Object(match (severed, own.peer_write_disabled) {
                (true, _) => ZxError::PeerClosed,
                (false, true) => ZxError::BadState,
                (false, false) => ZxError::ShouldWait,
            }));
        }
        let datagram = match self.kind {
            Kind::Stream => None,
            Kind::Datagram => own.datagrams.front().copied(),
        };
        let count = max.min(datagram.unwrap_or(own.ring.len()));
        own.ring.look(count, copy).map_err(Failed::Copy)?;
        if after == After::Remove && max > 0 {
            remove(ends, datagram.unwrap_or(count));
        }
        Ok(count)
    }

    /// Ends directions. To do so again is no error.
    pub fn shutdown(&self, how: Shutdown) {
        self.link.with(|ends| {
            let own = ends.own();
            own.write_disabled |= how.write;
            own.peer_write_disabled |= how.read;
            let (clear, set) = disabled_signals(how.write, how.read);
            ends.change_own(clear, set);
            if let Ok(peer) = ends.peer() {
                peer.write_disabled |= how.read;
                peer.peer_write_disabled |= how.write;
                let (clear, set) = disabled_signals(how.read, how.write);
                ends.change_peer(clear, set);
            }
        });
    }

    /// Sets how many bytes READ_THRESHOLD needs; 0 turns it off.
    ///
    /// # Errors
    /// - `InvalidArgs`: more than a buffer holds.
    pub fn set_read_threshold(&self, bytes: usize) -> ZxResult {
        if bytes > Self::CAPACITY {
            return Err(ZxError::InvalidArgs);
        }
        self.link.with(|ends| {
            let own = ends.own();
            own.read_threshold = bytes;
            let reached = bytes > 0 && own.ring.len() >= bytes;
            ends.change_own(
                Signals::SOCKET_READ_THRESHOLD,
                if reached {
                    Signals::SOCKET_READ_THRESHOLD
                } else {
                    Signals::empty()
                },
            );
        });
        Ok(())
    }

    /// Sets how much room WRITE_THRESHOLD needs; 0 turns it off.
    ///
    /// # Errors
    /// - `PeerClosed`: the other end is gone; this is looked at first.
    /// - `InvalidArgs`: more than a buffer holds.
    pub fn set_write_threshold(&self, bytes: usize) -> ZxResult {
        self.link.with(|ends| {
            let room = ends.peer()?.ring.room();
            if bytes > Self::CAPACITY {
                return Err(ZxError::InvalidArgs);
            }
            ends.own().write_threshold = bytes;
            let reached = bytes > 0 && room >= bytes;
            ends.change_own(
                Signals::SOCKET_WRITE_THRESHOLD,
                if reached {
                    Signals::SOCKET_WRITE_THRESHOLD
                } else {
                    Signals::empty()
                },
            );
            Ok(())
        })
    }

    /// The read threshold and the write threshold.
    pub fn thresholds(&self) -> (usize, usize) {
        self.link
            .with(|ends| (ends.own().read_threshold, ends.own().write_threshold))
    }

    /// How full it is.
    pub fn fill(&self) -> Fill {
        self.link.with(|ends| {
            let sent = ends.peer().ok().map(|peer| peer.ring.len());
            let own = ends.own();
            let received = own.ring.len();
            Fill {
                received,
                available: own.datagrams.front().copied().unwrap_or(received),
                sent,
            }
        })
    }
}

/// Signals that change at an end that may write no more, or read no more than what is there.
fn disabled_signals(write: bool, read: bool) -> (Signals, Signals) {
    let mut set = Signals::empty();
    set.set(Signals::SOCKET_WRITE_DISABLED, write);
    set.set(Signals::SOCKET_PEER_WRITE_DISABLED, read);
    (
        if write {
            Signals::WRITABLE
        } else {
            Signals::empty()
        },
        set,
    )
}

/// Removes bytes from the front of the own buffer, or the first datagram with that many.
#[inline(always)]
fn remove(ends: &mut Ends<'_, Socket, Inbox>, count: usize) {
    let own = ends.own();
    let was_full = own.ring.room() == 0;
    own.ring.remove(count);
    own.datagrams.pop_front();
    let (len, room) = (own.ring.len(), own.ring.room());
    let mut lost = Signals::empty();
    lost.set(Signals::READABLE, len == 0);
    lost.set(Signals::SOCKET_READ_THRESHOLD, len < own.read_threshold);
    if !lost.is_empty() {
        ends.change_own(lost, Signals::empty());
    }
    // The other end may write again.
    let Ok(peer) = ends.peer() else { return };
    let mut set = Signals::empty();
    set.set(
        Signals::WRITABLE,
        was_full && room > 0 && !peer.write_disabled,
    );
    set.set(
        Signals::SOCKET_WRITE_THRESHOLD,
        peer.write_threshold > 0 && room >= peer.write_threshold,
    );
    if !set.is_empty() {
        ends.change_peer(Signals::empty(), set);
    }
}

impl KernelObject for Socket {
    fn base(&self) -> &ObjectBase {
        self.link.base()
    }
    fn object_type(&self) -> ObjectType {
        ObjectType::Socket
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

impl TypedObject for Socket {
    const TYPE: ObjectType = ObjectType::Socket;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Handle;
    use alloc::vec;
    use alloc::vec::Vec;

    fn pair(kind: Kind) -> ((Arc<Socket>, Handle), (Arc<Socket>, Handle)) {
        let (a, b) = Socket::create(kind).unwrap();
        let (ha, hb) = (
            Handle::new(a.clone()).unwrap(),
            Handle::new(b.clone()).unwrap(),
        );
        ((a, ha), (b, hb))
    }

    fn put(socket: &Socket, bytes: &[u8]) -> Result<usize, Failed<()>> {
        socket.write(bytes.len(), |before, part| {
            part.copy_from_slice(&bytes[before..][..part.len()]);
            Ok(())
        })
    }

    fn take(socket: &Socket, max: usize) -> Result<Vec<u8>, Failed<()>> {
        let mut bytes = Vec::new();
        let count = socket.read(max, After::Remove, |before, part| {
            assert_eq!(before, bytes.len());
            bytes.extend_from_slice(part);
            Ok(())
        })?;
        assert_eq!(bytes.len(), count);
        Ok(bytes)
    }

    const fn object<T>(error: ZxError) -> Result<T, Failed<()>> {
        Err(Failed::Object(error))
    }

    #[test]
    fn a_stream_takes_what_fits_and_is_writable_again_after_a_read() {
        let ((a, _ha), (b, _hb)) = pair(Kind::Stream);
        assert_eq!(
            put(&a, &vec![1; Socket::CAPACITY + 5]),
            Ok(Socket::CAPACITY)
        );
        assert_eq!(
            (put(&a, b"x"), a.base().signals().get()),
            (object(ZxError::ShouldWait), Signals::empty())
        );
        assert_eq!(take(&b, 3).unwrap(), [1, 1, 1]);
        assert_eq!(
            (a.base().signals().get(), put(&a, b"123456789")),
            (Signals::WRITABLE, Ok(3))
        );
    }

    #[test]
    fn a_datagram_is_read_whole_and_what_does_not_fit_is_lost() {
        let ((a, _ha), (b, _hb)) = pair(Kind::Datagram);
        assert_eq!((put(&a, b"first"), put(&a, b"second")), (Ok(5), Ok(6)));
        assert_eq!(
            b.fill(),
            Fill {
                received: 11,
                available: 5,
                sent: Some(0)
            }
        );
        assert_eq!(take(&b, 2).unwrap(), b"fi");
        assert_eq!(take(&b, 100).unwrap(), b"second");
        assert_eq!(take(&b, 1), object(ZxError::ShouldWait));
        assert_eq!(
            put(&a, &vec![0; Socket::CAPACITY + 1]),
            object(ZxError::OutOfRange)
        );
    }

    #[test]
    fn after_a_shutdown_what_is_there_can_be_read_and_then_nothing() {
        let ((a, _ha), (b, hb)) = pair(Kind::Stream);
        assert_eq!(put(&a, b"rest"), Ok(4));
        a.shutdown(Shutdown {
            write: true,
            read: false,
        });
        assert_eq!(put(&a, b"x"), object(ZxError::BadState));
        assert_eq!(a.base().signals().get(), Signals::SOCKET_WRITE_DISABLED);
        assert!(b
            .base()
            .signals()
            .get()
            .contains(Signals::SOCKET_PEER_WRITE_DISABLED));
        assert_eq!(take(&b, 9).unwrap(), b"rest");
        assert_eq!(
            (take(&b, 9), put(&b, b"back")),
            (object(ZxError::BadState), Ok(4))
        );
        drop(hb);
        assert_eq!(take(&a, 9).unwrap(), b"back");
        assert_eq!(
            (take(&a, 9), put(&a, b"x")),
            (object(ZxError::PeerClosed), object(ZxError::PeerClosed))
        );
    }

    #[test]
    fn thresholds_show_when_they_are_reached() {
        let ((a, _ha), (b, _hb)) = pair(Kind::Stream);
        b.set_read_threshold(4).unwrap();
        a.set_write_threshold(Socket::CAPACITY - 3).unwrap();
        assert!(a
            .base()
            .signals()
            .get()
            .contains(Signals::SOCKET_WRITE_THRESHOLD));
        assert_eq!(put(&a, b"123"), Ok(3));
        assert!(!b
            .base()
            .signals()
            .get()
            .contains(Signals::SOCKET_READ_THRESHOLD));
        assert_eq!(put(&a, b"4"), Ok(1));
        assert!(b
            .base()
            .signals()
            .get()
            .contains(Signals::SOCKET_READ_THRESHOLD));
        assert!(!a
            .base()
            .signals()
            .get()
            .contains(Signals::SOCKET_WRITE_THRESHOLD));
        take(&b, 1).unwrap();
        assert!(!b
            .base()
            .signals()
            .get()
            .contains(Signals::SOCKET_READ_THRESHOLD));
        assert!(a
            .base()
            .signals()
            .get()
            .contains(Signals::SOCKET_WRITE_THRESHOLD));
        assert_eq!(
            a.set_write_threshold(Socket::CAPACITY + 1),
            Err(ZxError::InvalidArgs)
        );
    }
}
