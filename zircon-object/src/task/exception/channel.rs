//! A task's place for one listener: the kernel's end of an exception channel; until 2019 beside it a port.

use super::port::ExceptionPort;
use super::Exception;
use crate::ipc::{Channel, Message};
use crate::object::Handle;
use crate::signal::port::{Port, PortEnd};
use alloc::sync::Arc;
use alloc::vec::Vec;
use kernel_hal::sync::Mutex;
use zerocopy::IntoBytes;
use zx_abi::exception::{ExceptionHandler, ExceptionInfo};
use zx_abi::{Rights, ZxError, ZxResult};

/// What a listener may do with the tasks of an exception.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Audience {
    /// Rights of the thread handles it gets.
    pub thread: Rights,
    /// Rights of the process handles it gets; none who listens to a thread only.
    pub process: Option<Rights>,
}

/// The place for one listener.
pub struct ExceptionChannel {
    kind: ExceptionHandler,
    slot: Mutex<Slot>,
    port: Mutex<Option<Arc<ExceptionPort>>>,
}

#[derive(Debug)]
enum Slot {
    Free,
    Bound(Listener),
    /// The task has ended.
    Closed,
}

#[derive(Debug)]
struct Listener {
    end: Handle,
    audience: Audience,
}

impl Listener {
    fn channel(&self) -> ZxResult<Arc<Channel>> {
        self.end.get(Rights::empty())
    }
    fn is_there(&self) -> bool {
        self.channel().is_ok_and(|channel| !channel.peer_is_gone())
    }
}

impl ExceptionChannel {
    /// Rights of the listener's end: it can be read, waited for and sent, not written to.
    pub const LISTENER_RIGHTS: Rights = Rights::TRANSFER.union(Rights::WAIT).union(Rights::READ);

    /// A free place of this kind.
    #[must_use]
    pub const fn new(kind: ExceptionHandler) -> Self {
        Self {
            kind,
            slot: Mutex::new(Slot::Free),
            port: Mutex::new(None),
        }
    }

    /// Which handler listens here.
    #[must_use]
    pub fn kind(&self) -> ExceptionHandler {
        self.kind
    }

    /// Takes the place; returns the listener's end.
    ///
    /// # Errors
    /// - `NoMemory`: no memory for the channel.
    /// - `BadState`: the task has ended.
    /// - `AlreadyBound`: somebody listens.
    pub fn bind(&self, audience: Audience) -> ZxResult<Handle> {
        let (kernel, listener) = Channel::create()?;
        let end = Handle::new(kernel)?;
        let listener = Handle::with_rights(listener, Self::LISTENER_RIGHTS)?;
        let old = {
            let mut slot = self.slot.lock();
            match &*slot {
                Slot::Closed => return Err(ZxError::BadState),
                Slot::Bound(other) if other.is_there() => return Err(ZxError::AlreadyBound),
                Slot::Free | Slot::Bound(_) => {
                    core::mem::replace(&mut *slot, Slot::Bound(Listener { end, audience }))
                }
            }
        };
        drop(old);
        Ok(listener)
    }

    /// Lets a port listen.
    ///
    /// # Errors
    /// - `NotFound`: the task has ended.
    /// - `AlreadyBound`: a port listens.
    /// - `NoMemory`: the kernel heap is exhausted.
    pub fn bind_port(&self, port: Arc<Port>, key: u64) -> ZxResult {
        if matches!(*self.slot.lock(), Slot::Closed) {
            return Err(ZxError::NotFound);
        }
        let new = ExceptionPort::new(port, key)?;
        let mut place = self.port.lock();
        if place.as_ref().is_some_and(|port| port.is_there()) {
            return Err(ZxError::AlreadyBound);
        }
        let old = place.replace(new);
        drop(place);
        drop(old);
        Ok(())
    }

    /// Takes the port back that listens: those who are being asked about go to the next listener.
    ///
    /// # Errors
    /// - `BadState`: no port listens.
    pub fn unbind_port(&self) -> ZxResult {
        let port = self
            .port
            .lock()
            .take()
            .filter(|port| port.is_there())
            .ok_or(ZxError::BadState)?;
        port.port_ended();
        Ok(())
    }

    /// Whether a port listens.
    pub(super) fn has_port(&self) -> bool {
        self.port
            .lock()
            .as_ref()
            .is_some_and(|port| port.is_there())
    }

    /// Queues an exception at the port.
    ///
    /// # Errors
    /// - `Next`: no port listens.
    /// - `NoMemory`: no memory for the packet.
    pub(super) fn send_to_port(&self, exception: &Arc<Exception>) -> ZxResult {
        let port = self
            .port
            .lock()
            .clone()
            .filter(|port| port.is_there())
            .ok_or(ZxError::Next)?;
        exception.hand_to_port(self.kind, port.clone());
        port.send(exception)
    }

    /// Whether somebody listens.
    pub fn is_bound(&self) -> bool {
        self.has_port() || self.has_channel()
    }

    /// Whether somebody listens through a channel.
    pub(super) fn has_channel(&self) -> bool {
        match &*self.slot.lock() {
            Slot::Bound(listener) => listener.is_there(),
            Slot::Free | Slot::Closed => false,
        }
    }

    /// The task has ended: the listener's end shows PEER_CLOSED behind what is queued. A port stays until it is taken back.
    pub fn close(&self) {
        let old = core::mem::replace(&mut *self.slot.lock(), Slot::Closed);
        drop(old);
    }

    /// Hands an exception to the listener.
    ///
    /// # Errors
    /// - `Next`: nobody listens.
    /// - `NoMemory`: no memory for the message.
    pub(super) fn send(&self, exception: &Arc<Exception>) -> ZxResult {
        let (channel, audience) = match &*self.slot.lock() {
            Slot::Bound(listener) if listener.is_there() => {
                (listener.channel()?, listener.audience)
            }
            Slot::Bound(_) | Slot::Free | Slot::Closed => return Err(ZxError::Next),
        };
        let mut handles = Vec::new();
        handles
            .try_reserve_exact(1)
            .map_err(|_| ZxError::NoMemory)?;
        exception.hand_to(self.kind, audience);
        handles.push(Handle::new(exception.clone())?);
        let message = Message::from_kernel(message_of(exception).as_bytes(), handles)?;
        match channel.write(message) {
            Ok(_) => Ok(()),
            Err(ZxError::PeerClosed) => Err(ZxError::Next),
            Err(error) => Err(error),
        }
    }
}

fn message_of(exception: &Exception) -> ExceptionInfo {
    use crate::object::KernelObject;
    let thread = exception.thread();
    ExceptionInfo {
        pid: thread.process().base().koid().0,
        tid: thread.base().koid().0,
        kind: exception.kind().raw(),
        padding1: [0; 4],
    }
}
