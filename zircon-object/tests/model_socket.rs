//! Sockets against a model: bytes or datagrams in two buffers, shutdowns, thresholds
#![cfg(test)]

use proptest::prelude::*;
use std::sync::Arc;
use zircon_object::ipc::socket::{Kind, Shutdown};
use zircon_object::ipc::{After, Failed, Socket};
use zircon_object::object::{Handle, KernelObject};
use zx_abi::{Signals, ZxError};

const CAPACITY: usize = Socket::CAPACITY;

#[derive(Clone, Debug)]
enum Op {
    /// Writes so many bytes, in one piece.
    Write(usize),
    /// Reads or peeks at most so many bytes.
    Read(usize, After),
    /// Writes so many bytes; the program's memory ends before the last.
    WriteInVain(usize),
    /// Reads so many bytes; the program's memory ends before the last that there is.
    ReadInVain(usize, After),
    Shutdown(Shutdown),
    ReadThreshold(usize),
    WriteThreshold(usize),
    /// The end's last handle goes.
    Close,
}

/// Mostly short, sometimes around what a buffer holds.
fn size() -> impl Strategy<Value = usize> {
    prop_oneof![
        4 => 0..2000usize,
        3 => 50_000..150_000usize,
        1 => CAPACITY - 2..CAPACITY + 3,
    ]
}

fn op() -> impl Strategy<Value = Op> {
    let after = prop_oneof![1 => Just(After::Keep), 4 => Just(After::Remove)];
    prop_oneof![
        12 => size().prop_map(Op::Write),
        12 => (size(), after.clone()).prop_map(|(size, after)| Op::Read(size, after)),
        2 => size().prop_map(Op::WriteInVain),
        2 => (size(), after).prop_map(|(size, after)| Op::ReadInVain(size, after)),
        1 => (any::<bool>(), any::<bool>()).prop_map(|(write, read)| Op::Shutdown(Shutdown { write, read })),
        2 => size().prop_map(Op::ReadThreshold),
        2 => size().prop_map(Op::WriteThreshold),
        1 => Just(Op::Close),
    ]
}

/// One end: what it can read, and what it may do.
#[derive(Default)]
struct End {
    bytes: Vec<u8>,
    datagrams: Vec<usize>,
    closed: bool,
    mute: bool,
    peer_mute: bool,
    read_threshold: usize,
    write_threshold: usize,
    /// WRITE_THRESHOLD as it was when the other end lived.
    roomy: bool,
}

struct Model {
    kind: Kind,
    ends: [End; 2],
}

impl Model {
    fn room(&self, end: usize) -> usize {
        CAPACITY - self.ends[1 - end].bytes.len()
    }

    /// How many of `len` bytes a write takes.
    fn would_write(&self, end: usize, len: usize) -> Result<usize, ZxError> {
        let room = self.room(end);
        let whole = self.kind == Kind::Datagram;
        if self.ends[1 - end].closed {
            return Err(ZxError::PeerClosed);
        }
        match len {
            _ if self.ends[end].mute => Err(ZxError::BadState),
            0 => Ok(0),
            _ if room == 0 => Err(ZxError::ShouldWait),
            _ if whole && len > CAPACITY => Err(ZxError::OutOfRange),
            _ if whole && len > room => Err(ZxError::ShouldWait),
            _ => Ok(len.min(room)),
        }
    }

    fn write(&mut self, end: usize, bytes: &[u8]) -> Result<usize, ZxError> {
        let count = self.would_write(end, bytes.len())?;
        let peer = &mut self.ends[1 - end];
        peer.bytes.extend_from_slice(&bytes[..count]);
        if self.kind == Kind::Datagram && count > 0 {
            peer.datagrams.push(count);
        }
        Ok(count)
    }

    /// How many bytes a read gives.
    fn would_read(&self, end: usize, max: usize) -> Result<usize, ZxError> {
        let peer_closed = self.ends[1 - end].closed;
        let own = &self.ends[end];
        if own.bytes.is_empty() {
            return Err(match (peer_closed, own.peer_mute) {
                (true, _) => ZxError::PeerClosed,
                (false, true) => ZxError::BadState,
                (false, false) => ZxError::ShouldWait,
            });
        }
        let first = own.datagrams.first().copied();
        Ok(max.min(first.unwrap_or(own.bytes.len())))
    }

    fn read(&mut self, end: usize, max: usize, after: After) -> Result<Vec<u8>, ZxError> {
        let count = self.would_read(end, max)?;
        let own = &mut self.ends[end];
        let read = own.bytes[..count].to_vec();
        if after == After::Remove && max > 0 {
            let first = own.datagrams.first().copied();
            own.bytes.drain(..first.unwrap_or(count));
            own.datagrams.drain(..own.datagrams.len().min(1));
        }
        Ok(read)
    }

    fn shutdown(&mut self, end: usize, how: Shutdown) {
        self.ends[end].mute |= how.write;
        self.ends[end].peer_mute |= how.read;
        if !self.ends[1 - end].closed {
            self.ends[1 - end].mute |= how.read;
            self.ends[1 - end].peer_mute |= how.write;
        }
    }

    fn set_write_threshold(&mut self, end: usize, bytes: usize) -> Result<(), ZxError> {
        if self.ends[1 - end].closed {
            return Err(ZxError::PeerClosed);
        }
        if bytes > CAPACITY {
            return Err(ZxError::InvalidArgs);
        }
        self.ends[end].write_threshold = bytes;
        Ok(())
    }

    fn set_read_threshold(&mut self, end: usize, bytes: usize) -> Result<(), ZxError> {
        if bytes > CAPACITY {
            return Err(ZxError::InvalidArgs);
        }
        self.ends[end].read_threshold = bytes;
        Ok(())
    }

    fn close(&mut self, end: usize) {
        self.ends[end] = End {
            closed: true,
            ..End::default()
        };
    }

    fn signals(&mut self, end: usize) -> Signals {
        let (room, peer_closed) = (self.room(end), self.ends[1 - end].closed);
        let own = &mut self.ends[end];
        if !peer_closed {
            own.roomy = own.write_threshold > 0 && room >= own.write_threshold;
        }
        let reached = own.read_threshold > 0 && own.bytes.len() >= own.read_threshold;
        let mut signals = Signals::empty();
        signals.set(Signals::READABLE, !own.bytes.is_empty());
        signals.set(Signals::SOCKET_READ_THRESHOLD, reached);
        signals.set(Signals::WRITABLE, !peer_closed && !own.mute && room > 0);
        signals.set(Signals::SOCKET_WRITE_THRESHOLD, own.roomy);
        signals.set(Signals::SOCKET_WRITE_DISABLED, own.mute);
        signals.set(Signals::SOCKET_PEER_WRITE_DISABLED, own.peer_mute);
        signals.set(Signals::PEER_CLOSED, peer_closed);
        signals
    }
}

/// What the program is told: its own memory's end is an error like others.
fn told(result: Result<usize, Failed<()>>) -> Result<usize, ZxError> {
    result.map_err(|failed| match failed {
        Failed::Object(error) => error,
        Failed::Copy(()) => ZxError::InvalidArgs,
    })
}

fn write(socket: &Socket, bytes: &[u8]) -> Result<usize, ZxError> {
    told(socket.write(bytes.len(), |before, part| {
        part.copy_from_slice(&bytes[before..][..part.len()]);
        Ok(())
    }))
}

fn read(socket: &Socket, max: usize, after: After) -> Result<Vec<u8>, ZxError> {
    let mut bytes = Vec::new();
    let count = told(socket.read(max, after, |before, part| {
        assert_eq!(before, bytes.len());
        bytes.extend_from_slice(part);
        Ok(())
    }))?;
    assert_eq!(bytes.len(), count);
    Ok(bytes)
}

/// A copy that fails in the last part of a transfer of so many bytes.
fn fails_at_the_end(transfer: Result<usize, ZxError>, done: usize) -> Result<(), ()> {
    if transfer == Ok(done) {
        Err(())
    } else {
        Ok(())
    }
}

/// What is told of such a transfer.
fn in_vain(possible: Result<usize, ZxError>) -> Result<usize, ZxError> {
    match possible {
        Ok(0) | Err(_) => possible,
        Ok(_) => Err(ZxError::InvalidArgs),
    }
}

fn play(kind: Kind, ops: Vec<(usize, Op)>) -> Result<(), TestCaseError> {
    kernel_hal_hosted::init();
    let (first, second) = Socket::create(kind).unwrap();
    let sockets: [Arc<Socket>; 2] = [first, second];
    let mut handles = sockets.clone().map(|end| Some(Handle::new(end).unwrap()));
    let mut model = Model {
        kind,
        ends: Default::default(),
    };
    let mut next = 0u8;
    for (end, op) in ops {
        if model.ends[end].closed {
            continue;
        }
        let socket = &sockets[end];
        match op {
            Op::Write(len) => {
                next = next.wrapping_add(1);
                let bytes = vec![next; len];
                prop_assert_eq!(write(socket, &bytes), model.write(end, &bytes));
            }
            Op::Read(max, after) => {
                let (real, modelled) = (read(socket, max, after), model.read(end, max, after));
                prop_assert!(real == modelled, "read {max} {after:?}");
            }
            Op::WriteInVain(len) => {
                let possible = model.would_write(end, len);
                let real = told(socket.write(len, |before, part| {
                    part.fill(0xee);
                    fails_at_the_end(possible, before + part.len())
                }));
                prop_assert_eq!(real, in_vain(possible));
            }
            Op::ReadInVain(max, after) => {
                let possible = model.would_read(end, max);
                let real = told(socket.read(max, after, |before, part| {
                    fails_at_the_end(possible, before + part.len())
                }));
                prop_assert_eq!(real, in_vain(possible));
            }
            Op::Shutdown(how) => {
                socket.shutdown(how);
                model.shutdown(end, how);
            }
            Op::ReadThreshold(bytes) => prop_assert_eq!(
                socket.set_read_threshold(bytes),
                model.set_read_threshold(end, bytes)
            ),
            Op::WriteThreshold(bytes) => prop_assert_eq!(
                socket.set_write_threshold(bytes),
                model.set_write_threshold(end, bytes)
            ),
            Op::Close => {
                handles[end] = None;
                model.close(end);
            }
        }
        for (end, socket) in sockets.iter().enumerate() {
            let open = !model.ends[end].closed;
            prop_assert_eq!(socket.base().handle_count(), u32::from(open));
            let shown = model.signals(end);
            if open {
                prop_assert_eq!(socket.base().signals().get(), shown);
                let own = &model.ends[end];
                let fill = socket.fill();
                let available = own.datagrams.first().copied().unwrap_or(own.bytes.len());
                prop_assert_eq!(
                    (fill.received, fill.available),
                    (own.bytes.len(), available)
                );
                let peer = &model.ends[1 - end];
                prop_assert_eq!(fill.sent, (!peer.closed).then_some(peer.bytes.len()));
                prop_assert_eq!(
                    socket.thresholds(),
                    (own.read_threshold, own.write_threshold)
                );
            }
        }
    }
    drop(handles);
    prop_assert!(sockets.iter().all(|end| end.base().handle_count() == 0));
    Ok(())
}

fn ops() -> impl Strategy<Value = Vec<(usize, Op)>> {
    prop::collection::vec((0..2usize, op()), 1..60)
}

proptest! {
    #[test]
    fn streams_do_what_two_buffers_would(ops in ops()) {
        play(Kind::Stream, ops)?;
    }

    #[test]
    fn datagrams_do_what_two_queues_would(ops in ops()) {
        play(Kind::Datagram, ops)?;
    }
}
