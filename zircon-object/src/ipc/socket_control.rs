//! What sockets of 2019 carry besides their data: control messages, and other sockets.
//!
//! Each end has room for one control message and for one socket. Both are apart from the data: shutting a direction down does
//! not touch them.

use super::Socket;
use crate::object::{Handle, KernelObject};
use alloc::vec::Vec;
use zx_abi::limits::SOCKET_CONTROL_MAX;
use zx_abi::{Rights, Signals, ZxError, ZxResult};

/// What the ends of a socket can carry besides data.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Extras {
    /// Control messages.
    pub control: bool,
    /// Sockets.
    pub accept: bool,
}

impl Extras {
    /// Signals of new ends: all room is free.
    pub(super) fn signals(self) -> Signals {
        let mut signals = Signals::empty();
        signals.set(Signals::SOCKET_CONTROL_WRITABLE, self.control);
        signals.set(Signals::SOCKET_SHARE, self.accept);
        signals
    }
}

/// What waits at one end besides data.
#[derive(Default)]
pub(super) struct Waiting {
    /// A control message; none is empty.
    message: Vec<u8>,
    /// How many messages were removed, so that a reader knows whether its message is still there.
    removed: usize,
    socket: Option<Handle>,
}

/// A control message that was looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ControlSeen {
    /// How many bytes were copied.
    pub bytes: usize,
    removed: usize,
}

/// What became of an attempt to remove what was looked at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "what somebody else took first must not be given to the program"]
pub enum Removed {
    /// It is gone.
    Yes,
    /// Somebody else took it first: look again.
    Overtaken,
}

impl Socket {
    /// Bytes of the longest control message.
    pub const CONTROL_MAX: usize = SOCKET_CONTROL_MAX;

    /// Whether a control message of `len` bytes could be sent now.
    ///
    /// # Errors
    /// - `BadState`: the socket carries no control messages.
    /// - `InvalidArgs`: it is empty.
    /// - `OutOfRange`: it is too long.
    /// - `PeerClosed`: the other end is gone.
    /// - `ShouldWait`: the last one has not been read.
    pub fn control_writable(&self, len: usize) -> ZxResult {
        if !self.extras().control {
            return Err(ZxError::BadState);
        }
        if len == 0 {
            return Err(ZxError::InvalidArgs);
        }
        if len > Self::CONTROL_MAX {
            return Err(ZxError::OutOfRange);
        }
        self.link.with(|ends| {
            if ends.peer()?.waiting.message.is_empty() {
                Ok(())
            } else {
                Err(ZxError::ShouldWait)
            }
        })
    }

    /// Sends a control message.
    ///
    /// # Errors
    /// As [`Socket::control_writable`].
    pub fn write_control(&self, message: Vec<u8>) -> ZxResult {
        self.control_writable(message.len())?;
        self.link.with(|ends| {
            let waiting = &mut ends.peer()?.waiting;
            if !waiting.message.is_empty() {
                return Err(ZxError::ShouldWait);
            }
            waiting.message = message;
            ends.change_peer(Signals::empty(), Signals::SOCKET_CONTROL_READABLE);
            ends.change_own(Signals::SOCKET_CONTROL_WRITABLE, Signals::empty());
            Ok(())
        })
    }

    /// Looks at the control message that waits, as far as there is room.
    ///
    /// # Errors
    /// - `BadState`: the socket carries no control messages.
    /// - `ShouldWait`: there is none.
    pub fn peek_control(&self, into: &mut [u8]) -> ZxResult<ControlSeen> {
        if !self.extras().control {
            return Err(ZxError::BadState);
        }
        self.link.with(|ends| {
            let waiting = &ends.own().waiting;
            if waiting.message.is_empty() {
                return Err(ZxError::ShouldWait);
            }
            let bytes = waiting.message.len().min(into.len());
            into[..bytes].copy_from_slice(&waiting.message[..bytes]);
            Ok(ControlSeen {
                bytes,
                removed: waiting.removed,
            })
        })
    }

    /// Removes the whole message that was looked at; whether nobody else was faster.
    pub fn remove_control(&self, seen: ControlSeen) -> Removed {
        let message = self.link.with(|ends| {
            let waiting = &mut ends.own().waiting;
            if waiting.removed != seen.removed || waiting.message.is_empty() {
                return None;
            }
            waiting.removed = waiting.removed.wrapping_add(1);
            let message = core::mem::take(&mut waiting.message);
            ends.change_own(Signals::SOCKET_CONTROL_READABLE, Signals::empty());
            if !ends.is_severed() {
                ends.change_peer(Signals::empty(), Signals::SOCKET_CONTROL_WRITABLE);
            }
            Some(message)
        });
        match message {
            Some(_) => Removed::Yes,
            None => Removed::Overtaken,
        }
    }

    /// Passes a handle to a socket to the other end. It is gone from here on every outcome.
    ///
    /// # Errors
    /// - `AccessDenied`: the handle may not be transferred.
    /// - `WrongType`: it is none to a socket.
    /// - `BadState`: that socket can itself carry sockets, or is an end of this one.
    /// - `NotSupported`: this socket carries no sockets.
    /// - `PeerClosed`: the other end is gone.
    /// - `ShouldWait`: the last one has not been accepted.
    pub fn share(&self, handle: Handle) -> ZxResult {
        handle.require(Rights::TRANSFER)?;
        // A socket that carries sockets cannot be carried: so there are no cycles, and no chains of closing ends.
        let shared = handle.get::<Self>(Rights::empty())?;
        let koid = shared.base().koid();
        if shared.extras().accept || koid == self.base().koid() || koid == self.related_koid() {
            return Err(ZxError::BadState);
        }
        if !self.extras().accept {
            return Err(ZxError::NotSupported);
        }
        let mut handle = Some(handle);
        self.link.with(|ends| {
            let waiting = &mut ends.peer()?.waiting;
            if waiting.socket.is_some() {
                return Err(ZxError::ShouldWait);
            }
            waiting.socket = handle.take();
            ends.change_peer(Signals::empty(), Signals::SOCKET_ACCEPT);
            ends.change_own(Signals::SOCKET_SHARE, Signals::empty());
            Ok(())
        })
    }

    /// Takes the handle that the other end has passed.
    ///
    /// # Errors
    /// - `NotSupported`: this socket carries no sockets.
    /// - `ShouldWait`: there is none.
    pub fn accept(&self) -> ZxResult<Handle> {
        if !self.extras().accept {
            return Err(ZxError::NotSupported);
        }
        self.link.with(|ends| {
            let socket = ends.own().waiting.socket.take();
            let socket = socket.ok_or(ZxError::ShouldWait)?;
            ends.change_own(Signals::SOCKET_ACCEPT, Signals::empty());
            if !ends.is_severed() {
                ends.change_peer(Signals::empty(), Signals::SOCKET_SHARE);
            }
            Ok(socket)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipc::socket::{Kind, Shutdown};
    use alloc::sync::Arc;
    use alloc::vec;

    type End = (Arc<Socket>, Handle);

    fn pair(control: bool, accept: bool) -> (End, End) {
        let extras = Extras { control, accept };
        let (a, b) = Socket::create_with(Kind::Stream, extras).unwrap();
        let (ha, hb) = (
            Handle::new(a.clone()).unwrap(),
            Handle::new(b.clone()).unwrap(),
        );
        ((a, ha), (b, hb))
    }

    fn signals(socket: &Socket) -> Signals {
        socket.base().signals().get()
    }

    #[test]
    fn one_control_message_waits_at_each_end() {
        let ((a, _ha), (b, hb)) = pair(true, false);
        let idle = Signals::WRITABLE | Signals::SOCKET_CONTROL_WRITABLE;
        assert_eq!((signals(&a), signals(&b)), (idle, idle));
        assert_eq!(a.write_control(b"first".to_vec()), Ok(()));
        assert_eq!(a.control_writable(1), Err(ZxError::ShouldWait));
        assert_eq!(signals(&a), Signals::WRITABLE);
        assert_eq!(signals(&b), idle | Signals::SOCKET_CONTROL_READABLE);
        let mut room = [0; 3];
        let seen = b.peek_control(&mut room).unwrap();
        assert_eq!((seen.bytes, &room), (3, b"fir"));
        assert_eq!(b.remove_control(seen), Removed::Yes);
        assert_eq!(b.remove_control(seen), Removed::Overtaken);
        assert_eq!(b.peek_control(&mut room), Err(ZxError::ShouldWait));
        assert_eq!((signals(&a), signals(&b)), (idle, idle));
        assert_eq!(a.control_writable(0), Err(ZxError::InvalidArgs));
        assert_eq!(
            a.write_control(vec![0; Socket::CONTROL_MAX + 1]),
            Err(ZxError::OutOfRange)
        );
        drop(hb);
        assert_eq!(a.control_writable(1), Err(ZxError::PeerClosed));
    }

    #[test]
    fn control_messages_pass_a_shutdown() {
        let ((a, _ha), (b, _hb)) = pair(true, false);
        a.shutdown(Shutdown {
            write: true,
            read: true,
        });
        assert_eq!(a.write_control(b"a".to_vec()), Ok(()));
        assert_eq!(b.write_control(b"b".to_vec()), Ok(()));
        assert!(signals(&a).contains(Signals::SOCKET_CONTROL_READABLE));
    }

    #[test]
    fn a_socket_without_these_planes_says_so() {
        let ((a, _ha), (b, hb)) = pair(false, false);
        let (_c, (_, hd)) = pair(false, false);
        assert_eq!(a.write_control(b"a".to_vec()), Err(ZxError::BadState));
        assert_eq!(b.peek_control(&mut []), Err(ZxError::BadState));
        assert_eq!(a.accept().err(), Some(ZxError::NotSupported));
        assert_eq!(a.share(hb), Err(ZxError::BadState));
        assert_eq!(a.share(hd), Err(ZxError::NotSupported));
        assert_eq!(signals(&a), Signals::PEER_CLOSED);
    }

    #[test]
    fn one_socket_at_a_time_is_shared_and_accepted() {
        let ((a, _ha), (b, hb)) = pair(false, true);
        let ((_, ha2), _b2) = pair(false, true);
        let ((c, hc), (d, hd)) = pair(false, false);
        assert_eq!(a.share(ha2), Err(ZxError::BadState));
        assert_eq!(a.share(hc), Ok(()));
        assert_eq!(signals(&a), Signals::WRITABLE);
        assert!(signals(&b).contains(Signals::SOCKET_ACCEPT | Signals::SOCKET_SHARE));
        assert_eq!(a.share(hd), Err(ZxError::ShouldWait));
        assert!(signals(&c).contains(Signals::PEER_CLOSED));
        let hc = b.accept().unwrap();
        assert_eq!(hc.object().base().koid(), c.base().koid());
        assert_eq!(b.accept().err(), Some(ZxError::ShouldWait));
        assert!(signals(&a).contains(Signals::SOCKET_SHARE));
        drop(hb);
        assert_eq!(a.share(hc), Err(ZxError::PeerClosed));
        assert_eq!(d.base().koid(), c.related_koid());
    }

    #[test]
    fn what_was_never_accepted_is_closed_with_the_end_it_waits_at() {
        let ((a, _ha), (_b, hb)) = pair(false, true);
        let ((_, hc), (d, _hd)) = pair(false, false);
        assert_eq!(a.share(hc), Ok(()));
        drop(hb);
        assert!(signals(&d).contains(Signals::PEER_CLOSED));
    }
}
