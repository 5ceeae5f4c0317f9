//! Channels: two ends, each with a queue of messages for its reader, and calls that wait for their own answer.
//!
//! A write puts a message into the *other* end's queue, unless a call there waits for the message's transaction. READABLE
//! says that the own queue is not empty, WRITABLE that the other end lives; both change in the same step as the queue. When an
//! end's last handle goes, its queue is destroyed, its calls end CANCELED and those of the other end PEER_CLOSED; what is
//! queued at the other end can still be read.

use super::calls::{CallName, Calls};
use super::message::Message;
use crate::object::peered::Ends;
use crate::object::{KernelObject, Koid, ObjectBase, Peered, TypedObject};
use alloc::collections::VecDeque;
use alloc::sync::Arc;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use zx_abi::limits::CHANNEL_MAX_MESSAGES;
use zx_abi::{ObjectType, Signals, ZxError, ZxResult};

/// One end of a channel.
pub struct Channel {
    link: Peered<Self, Inbox>,
}

/// What waits at one end.
#[derive(Default)]
struct Inbox {
    messages: VecDeque<Message>,
    calls: Calls,
}

/// What a read does with a message that does not fit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unfit {
    /// It stays.
    Keep,
    /// It is destroyed (MAY_DISCARD).
    Discard,
}

/// What a read found.
#[derive(Debug)]
pub enum Read {
    /// The message, taken out.
    Message(Message),
    /// It does not fit; its size.
    TooSmall {
        /// Its bytes.
        bytes: usize,
        /// Its handles.
        handles: usize,
    },
}

/// How full the queue is into which a message went.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "who writes to a queue that nobody reads is to be stopped"]
pub enum Depth {
    /// As it should be.
    Normal,
    /// Fuller than a program may make it: the writer gets a policy exception.
    TooDeep,
}

impl Channel {
    /// Both ends of a new channel.
    ///
    /// # Errors
    /// - `NoMemory`: the kernel heap is exhausted.
    pub fn create() -> ZxResult<(Arc<Self>, Arc<Self>)> {
        Peered::create(Signals::WRITABLE, |link| Self { link })
    }

    /// Sends a message to the other end. When that fails the message is destroyed.
    ///
    /// # Errors
    /// - `PeerClosed`: the other end is gone.
    /// - `NoMemory`: the queue cannot grow.
    #[inline(always)]
    pub fn write(&self, mut message: Message) -> ZxResult<Depth> {
        let depth = self.link.with(|ends| deliver(ends, &mut message));
        if depth.is_ok() {
            // It was moved away; the compiler need not look.
            core::mem::forget(message);
        }
        depth
    }

    /// Takes the oldest message when it has at most so many bytes and handles.
    ///
    /// # Errors
    /// - `ShouldWait`: there is none.
    /// - `PeerClosed`: there is none, and there will be none.
    #[inline(always)]
    pub fn read(&self, max_bytes: usize, max_handles: usize, unfit: Unfit) -> ZxResult<Read> {
        let read = self
            .link
            .with(|ends| take_fitting(ends, max_bytes, max_handles));
        match read {
            Ok(Read::TooSmall { .. }) if unfit == Unfit::Discard => {
                self.read_or_discard(max_bytes, max_handles)
            }
            read => read,
        }
    }

    /// Looks again, in one step with the removal of what does not fit.
    #[cold]
    fn read_or_discard(&self, max_bytes: usize, max_handles: usize) -> ZxResult<Read> {
        let (read, discarded) = self.link.with(|ends| {
            let read = take_fitting(ends, max_bytes, max_handles);
            let discarded = match read {
                Ok(Read::TooSmall { .. }) => take_first(ends),
                Ok(Read::Message(_)) | Err(_) => None,
            };
            (read, discarded)
        });
        // Dropped without the lock.
        drop(discarded);
        read
    }

    /// Sends a message under a transaction of its own and returns the wait for its answer, which goes past the queue.
    /// When that fails the message is destroyed.
    ///
    /// # Errors
    /// - `PeerClosed`: the other end is gone.
    /// - `NoMemory`: the kernel heap is exhausted.
    pub fn call(self: &Arc<Self>, mut message: Message) -> ZxResult<(PendingCall, Depth)> {
        let name = self.link.with(|ends| {
            if ends.is_severed() {
                return Err(ZxError::PeerClosed);
            }
            ends.own().calls.begin()
        })?;
        // From here on an answer finds the call, however early it comes.
        let pending = PendingCall {
            channel: self.clone(),
            name,
            ended: false,
        };
        message.set_txid(name.txid.0);
        let depth = self.write(message)?;
        Ok((pending, depth))
    }

    /// Whether the other end has lost its last handle.
    pub fn peer_is_gone(&self) -> bool {
        self.link.with(|ends| ends.is_severed())
    }

    /// Messages that wait to be read at this end.
    pub fn message_count(&self) -> usize {
        self.link.with(|ends| ends.own().messages.len())
    }
}

/// Puts a message where it belongs; it stays where it is when that fails.
#[inline(always)]
fn deliver(ends: &mut Ends<'_, Channel, Inbox>, message: &mut Message) -> ZxResult<Depth> {
    let peer = ends.peer()?;
    if !peer.calls.is_empty() {
        if let Some(waker) = peer.calls.answer(message) {
            if let Some(waker) = waker {
                ends.wakes().push(waker);
            }
            return Ok(Depth::Normal);
        }
    }
    let peer = ends.peer()?;
    if peer.messages.len() == peer.messages.capacity() {
        peer.messages
            .try_reserve(1)
            .map_err(|_| ZxError::NoMemory)?;
    }
    peer.messages.push_back(message.take());
    let count = peer.messages.len();
    if count == 1 {
        ends.change_peer(Signals::empty(), Signals::READABLE);
    }
    Ok(if count > CHANNEL_MAX_MESSAGES {
        Depth::TooDeep
    } else {
        Depth::Normal
    })
}

#[inline(always)]
fn take_fitting(
    ends: &mut Ends<'_, Channel, Inbox>,
    max_bytes: usize,
    max_handles: usize,
) -> ZxResult<Read> {
    let Some(first) = ends.own().messages.front() else {
        return Err(if ends.is_severed() {
            ZxError::PeerClosed
        } else {
            ZxError::ShouldWait
        });
    };
    let (bytes, handles) = first.size();
    if bytes > max_bytes || handles > max_handles {
        return Ok(Read::TooSmall { bytes, handles });
    }
    take_first(ends)
        .map(Read::Message)
        .ok_or(ZxError::ShouldWait)
}

#[inline(always)]
fn take_first(ends: &mut Ends<'_, Channel, Inbox>) -> Option<Message> {
    let own = ends.own();
    let message = own.messages.pop_front();
    if own.messages.is_empty() {
        ends.change_own(Signals::READABLE, Signals::empty());
    }
    message
}

/// The wait for the answer to a call; dropping it gives the call up. Resolves to the answer, to `Canceled` when this end's
/// last handle goes, to `PeerClosed` when the other end's does.
pub struct PendingCall {
    channel: Arc<Channel>,
    name: CallName,
    /// Whether the end of the call has been taken, and nothing of it is left.
    ended: bool,
}

impl Future for PendingCall {
    type Output = ZxResult<Message>;
    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let ended = this
            .channel
            .link
            .with(|ends| ends.own().calls.outcome(this.name, cx.waker()));
        this.ended = ended.is_ready();
        ended
    }
}

impl Drop for PendingCall {
    /// An answer that nobody took is an ordinary message.
    #[inline(always)]
    fn drop(&mut self) {
        if !self.ended {
            self.give_up();
        }
    }
}

impl PendingCall {
    #[cold]
    fn give_up(&self) {
        let unread = self.channel.link.with(|ends| {
            let open = ends.is_open();
            let own = ends.own();
            let message = own.calls.give_up(self.name)?;
            if !open || own.messages.try_reserve(1).is_err() {
                return Some(message);
            }
            own.messages.push_back(message);
            ends.change_own(Signals::empty(), Signals::READABLE);
            None
        });
        drop(unread);
    }
}

impl KernelObject for Channel {
    fn base(&self) -> &ObjectBase {
        self.link.base()
    }
    fn object_type(&self) -> ObjectType {
        ObjectType::Channel
    }
    fn related_koid(&self) -> Koid {
        self.link.peer_koid()
    }
    fn peer(&self) -> Option<ZxResult<Arc<dyn KernelObject>>> {
        Some(self.link.peer())
    }
    fn on_zero_handles(&self) {
        let unread = self.link.sever(Signals::WRITABLE, |ends| {
            let mut wakes = ends.own().calls.end_all(ZxError::Canceled);
            if let Ok(peer) = ends.peer() {
                wakes.append(peer.calls.end_all(ZxError::PeerClosed));
            }
            ends.wakes().append(wakes);
            core::mem::take(&mut ends.own().messages)
        });
        drop(unread);
    }
}

impl TypedObject for Channel {
    const TYPE: ObjectType = ObjectType::Channel;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Handle;
    use alloc::vec;
    use alloc::vec::Vec;
    use core::task::Waker;
    use zx_abi::limits::CHANNEL_KERNEL_TXID;

    fn poll(call: &mut PendingCall) -> Poll<ZxResult<Message>> {
        Pin::new(call).poll(&mut Context::from_waker(Waker::noop()))
    }

    fn text(bytes: &[u8]) -> Message {
        Message::from_kernel(bytes, Vec::new()).unwrap()
    }

    fn read(channel: &Channel) -> ZxResult<Vec<u8>> {
        match channel.read(usize::MAX, usize::MAX, Unfit::Keep)? {
            Read::Message(message) => Ok(message.bytes().to_vec()),
            Read::TooSmall { .. } => Err(ZxError::BufferTooSmall),
        }
    }

    fn pair() -> ((Arc<Channel>, Handle), (Arc<Channel>, Handle)) {
        let (a, b) = Channel::create().unwrap();
        let (ha, hb) = (
            Handle::new(a.clone()).unwrap(),
            Handle::new(b.clone()).unwrap(),
        );
        ((a, ha), (b, hb))
    }

    #[test]
    fn messages_are_read_at_the_other_end_in_order_and_show_as_readable() {
        let ((a, _ha), (b, _hb)) = pair();
        assert_eq!(read(&b), Err(ZxError::ShouldWait));
        let _ = (a.write(text(b"1")).unwrap(), a.write(text(b"2")).unwrap());
        assert_eq!(
            b.base().signals().get(),
            Signals::WRITABLE | Signals::READABLE
        );
        assert_eq!(
            (read(&b).unwrap(), read(&b).unwrap()),
            (vec![b'1'], vec![b'2'])
        );
        assert_eq!(b.base().signals().get(), Signals::WRITABLE);
    }

    #[test]
    fn what_was_written_before_an_end_closed_can_still_be_read() {
        let ((a, ha), (b, _hb)) = pair();
        let _ = a.write(text(b"last")).unwrap();
        drop(ha);
        assert_eq!(
            b.base().signals().get(),
            Signals::PEER_CLOSED | Signals::READABLE
        );
        assert_eq!(b.write(text(b"x")), Err(ZxError::PeerClosed));
        assert_eq!(read(&b).unwrap(), b"last");
        assert_eq!(read(&b), Err(ZxError::PeerClosed));
    }

    #[test]
    fn a_message_that_does_not_fit_stays_unless_it_may_be_discarded() {
        let ((a, _ha), (b, _hb)) = pair();
        let _ = a.write(text(b"12345")).unwrap();
        assert!(matches!(
            b.read(4, 0, Unfit::Keep).unwrap(),
            Read::TooSmall {
                bytes: 5,
                handles: 0
            }
        ));
        assert!(matches!(
            b.read(4, 0, Unfit::Discard).unwrap(),
            Read::TooSmall {
                bytes: 5,
                handles: 0
            }
        ));
        assert_eq!(read(&b), Err(ZxError::ShouldWait));
    }

    #[test]
    fn an_answer_goes_to_its_call_and_not_into_the_queue() {
        let ((a, _ha), (b, _hb)) = pair();
        let (mut call, _) = a.call(text(b"????ping")).unwrap();
        assert!(poll(&mut call).is_pending());
        let mut answer = read(&b).unwrap();
        assert!(u32::from_le_bytes(*answer.first_chunk().unwrap()) >= CHANNEL_KERNEL_TXID);
        let _ = b.write(text(b"other")).unwrap();
        answer.truncate(4);
        let _ = b.write(text(&answer)).unwrap();
        let Poll::Ready(Ok(message)) = poll(&mut call) else {
            panic!("no answer")
        };
        assert_eq!(message.bytes(), answer);
        assert_eq!(read(&a).unwrap(), b"other");
    }

    #[test]
    fn an_answer_that_nobody_waits_for_any_more_is_an_ordinary_message() {
        let ((a, _ha), (b, _hb)) = pair();
        let (call, _) = a.call(text(b"????")).unwrap();
        let answer = read(&b).unwrap();
        let _ = b.write(text(&answer)).unwrap();
        drop(call);
        assert_eq!(read(&a).unwrap(), answer);
    }

    #[test]
    fn calls_end_when_either_end_closes() {
        let ((a, ha), (_b, hb)) = pair();
        let (mut call, _) = a.call(text(b"????")).unwrap();
        drop(ha);
        assert!(matches!(
            poll(&mut call),
            Poll::Ready(Err(ZxError::Canceled))
        ));
        drop(hb);

        let ((a, _ha), (_b, hb)) = pair();
        let (mut call, _) = a.call(text(b"????")).unwrap();
        drop(hb);
        assert!(matches!(
            poll(&mut call),
            Poll::Ready(Err(ZxError::PeerClosed))
        ));
    }

    #[test]
    fn closing_a_long_chain_of_channels_inside_channels_does_not_recurse() {
        let ((first, keep), (_, mut inner)) = pair();
        for _ in 0..100_000 {
            let ((a, ha), (_, hb)) = pair();
            let _ = a
                .write(Message::from_kernel(&[], vec![inner]).unwrap())
                .unwrap();
            drop(ha);
            inner = hb;
        }
        drop(inner);
        assert_eq!(first.base().signals().get(), Signals::PEER_CLOSED);
        drop(keep);
    }

    #[test]
    fn the_writer_is_told_when_the_queue_is_too_deep() {
        let ((a, _ha), (_b, _hb)) = pair();
        for _ in 0..CHANNEL_MAX_MESSAGES {
            assert_eq!(a.write(text(b"")), Ok(Depth::Normal));
        }
        assert_eq!(a.write(text(b"")), Ok(Depth::TooDeep));
    }
}
