//! Sockets: two ends with a buffer each, for a stream of bytes or for datagrams.
//!
//! What an end may do is in its signals: WRITABLE while the other end's buffer has room and nobody has shut this direction
//! down, READABLE while the own buffer holds something, and the two thresholds.

use super::byte_ring::{ByteRing, Mark, Removed};
use super::socket_control::{Extras, Waiting};
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

/// Bytes that were looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Seen {
    /// How many were copied.
    pub bytes: usize,
    /// How many go when they are removed: a datagram goes as a whole.
    whole: usize,
    mark: Mark,
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

    /// How many bytes a write of `len` would queue now.
    ///
    /// # Errors
    /// - `PeerClosed`: the other end is gone.
    /// - `BadState`: this direction is shut down.
    /// - `InvalidArgs`: more than 4 GiB.
    /// - `ShouldWait`: there is no room, or not enough for the datagram.
    /// - `OutOfRange`: no buffer is large enough for the datagram.
    pub fn writable(&self, len: usize) -> ZxResult<usize> {
        let room = self.link.with(|ends| {
            let room = ends.peer()?.ring.room();
            if ends.own().write_disabled {
                return Err(ZxError::BadState);
            }
            Ok(room)
        })?;
        if len == 0 {
            return Ok(0);
        }
        u32::try_from(len).map_err(|_| ZxError::InvalidArgs)?;
        if room == 0 {
            return Err(ZxError::ShouldWait);
        }
        match self.kind {
            Kind::Stream => Ok(len.min(room)),
            Kind::Datagram if len > Self::CAPACITY => Err(ZxError::OutOfRange),
            Kind::Datagram if len > room => Err(ZxError::ShouldWait),
            Kind::Datagram => Ok(len),
        }
    }

    /// Queues bytes, as many as there is room for, or one datagram; how many bytes. Nothing is queued for an empty one.
    ///
    /// # Errors
    /// As [`Socket::writable`], and
    /// - `NoMemory`: the buffer cannot grow.
    pub fn write(&self, bytes: &[u8]) -> ZxResult<usize> {
        if bytes.is_empty() {
            return Ok(0);
        }
        self.link.with(|ends| {
            if ends.own().write_disabled {
                return Err(ZxError::BadState);
            }
            let peer = ends.peer()?;
            if peer.ring.room() == 0
                || (self.kind == Kind::Datagram && peer.ring.room() < bytes.len())
            {
                return Err(ZxError::ShouldWait);
            }
            if self.kind == Kind::Datagram {
                peer.datagrams
                    .try_reserve(1)
                    .map_err(|_| ZxError::NoMemory)?;
            }
            let was_empty = peer.ring.is_empty();
            let written = peer.ring.push(bytes)?;
            if self.kind == Kind::Datagram {
                peer.datagrams.push_back(written);
            }
            let reached = peer.read_threshold > 0 && peer.ring.len() >= peer.read_threshold;
            let room = peer.ring.room();
            let mut arrived = Signals::empty();
            arrived.set(Signals::READABLE, was_empty);
            arrived.set(Signals::SOCKET_READ_THRESHOLD, reached);
            if !arrived.is_empty() {
                ends.change_peer(Signals::empty(), arrived);
            }
            let threshold = ends.own().write_threshold;
            let mut lost = Signals::empty();
            lost.set(Signals::WRITABLE, room == 0);
            lost.set(
                Signals::SOCKET_WRITE_THRESHOLD,
                threshold > 0 && room < threshold,
            );
            if !lost.is_empty() {
                ends.change_own(lost, Signals::empty());
            }
            Ok(written)
        })
    }

    /// Looks at the bytes from `offset` on, or at the first datagram.
    ///
    /// # Errors
    /// - `PeerClosed`: nothing is there and the other end is gone.
    /// - `BadState`: nothing is there and this direction is shut down.
    /// - `ShouldWait`: nothing is there.
    pub fn peek(&self, offset: usize, into: &mut [u8]) -> ZxResult<Seen> {
        self.link.with(|ends| {
            let severed = ends.is_severed();
            let own = ends.own();
            if own.ring.is_empty() {
                return Err(match (severed, own.peer_write_disabled) {
                    (true, _) => ZxError::PeerClosed,
                    (false, true) => ZxError::BadState,
                    (false, false) => ZxError::ShouldWait,
                });
            }
            let mark = own.ring.mark();
            let Some(&datagram) = own.datagrams.front() else {
                let bytes = own.ring.peek(offset, into);
                return Ok(Seen {
                    bytes,
                    whole: bytes,
                    mark,
                });
            };
            let left = datagram.saturating_sub(offset).min(into.len());
            let bytes = own.ring.peek(offset, &mut into[..left]);
            Ok(Seen {
                bytes,
                whole: datagram,
                mark,
            })
        })
    }

    /// Removes what was looked at from the front; whether nobody else was faster.
    pub fn remove(&self, seen: Seen) -> Removed {
        self.link.with(|ends| {
            let own = ends.own();
            if own.ring.mark() != seen.mark {
                return Removed::Overtaken;
            }
            let was_full = own.ring.room() == 0;
            own.ring.remove(seen.whole);
            if self.kind == Kind::Datagram {
                own.datagrams.pop_front();
            }
            let (len, room) = (own.ring.len(), own.ring.room());
            let mut lost = Signals::empty();
            lost.set(Signals::READABLE, len == 0);
            lost.set(
                Signals::SOCKET_READ_THRESHOLD,
                own.read_threshold > 0 && len < own.read_threshold,
            );
            if !lost.is_empty() {
                ends.change_own(lost, Signals::empty());
            }
            tell_writer(ends, room, was_full);
            Removed::Yes
        })
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

/// After a read: the other end may write again.
fn tell_writer(ends: &mut Ends<'_, Socket, Inbox>, room: usize, was_full: bool) {
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

    fn take(socket: &Socket, max: usize) -> ZxResult<Vec<u8>> {
        let mut bytes = vec![0; max];
        let seen = socket.peek(0, &mut bytes)?;
        assert_eq!(socket.remove(seen), Removed::Yes);
        bytes.truncate(seen.bytes);
        Ok(bytes)
    }

    #[test]
    fn a_stream_takes_what_fits_and_is_writable_again_after_a_read() {
        let ((a, _ha), (b, _hb)) = pair(Kind::Stream);
        assert_eq!(
            a.write(&vec![1; Socket::CAPACITY + 5]),
            Ok(Socket::CAPACITY)
        );
        assert_eq!(
            (a.writable(1), a.base().signals().get()),
            (Err(ZxError::ShouldWait), Signals::empty())
        );
        assert_eq!(take(&b, 3).unwrap(), [1, 1, 1]);
        assert_eq!(
            (a.writable(9), a.base().signals().get()),
            (Ok(3), Signals::WRITABLE)
        );
    }

    #[test]
    fn a_datagram_is_read_whole_and_what_does_not_fit_is_lost() {
        let ((a, _ha), (b, _hb)) = pair(Kind::Datagram);
        assert_eq!((a.write(b"first"), a.write(b"second")), (Ok(5), Ok(6)));
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
        assert_eq!(take(&b, 1), Err(ZxError::ShouldWait));
        assert_eq!(a.writable(Socket::CAPACITY + 1), Err(ZxError::OutOfRange));
    }

    #[test]
    fn after_a_shutdown_what_is_there_can_be_read_and_then_nothing() {
        let ((a, _ha), (b, hb)) = pair(Kind::Stream);
        assert_eq!(a.write(b"rest"), Ok(4));
        a.shutdown(Shutdown {
            write: true,
            read: false,
        });
        assert_eq!(a.writable(1), Err(ZxError::BadState));
        assert_eq!(a.base().signals().get(), Signals::SOCKET_WRITE_DISABLED);
        assert!(b
            .base()
            .signals()
            .get()
            .contains(Signals::SOCKET_PEER_WRITE_DISABLED));
        assert_eq!(take(&b, 9).unwrap(), b"rest");
        assert_eq!(
            (take(&b, 9), b.write(b"back")),
            (Err(ZxError::BadState), Ok(4))
        );
        drop(hb);
        assert_eq!(take(&a, 9).unwrap(), b"back");
        assert_eq!(
            (take(&a, 9), a.writable(1)),
            (Err(ZxError::PeerClosed), Err(ZxError::PeerClosed))
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
        assert_eq!(a.write(b"123"), Ok(3));
        assert!(!b
            .base()
            .signals()
            .get()
            .contains(Signals::SOCKET_READ_THRESHOLD));
        assert_eq!(a.write(b"4"), Ok(1));
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
