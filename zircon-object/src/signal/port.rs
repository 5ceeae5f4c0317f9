//! Ports: one queue of packets, from programs and from waits for signals, and threads that take them.
//!
//! The port itself observes the objects that are waited for; the item number in their observer lists names the wait's slot
//! in [`PacketSlab`]. A change of signals finds the slot, turns it into a packet and wakes a thread, without allocating.
//!
//! Threads that wait are served in the order in which they came: the thread at position `n` of the line may take a packet when
//! more than `n` are queued. So a packet belongs to nobody until it is taken, and one that is cancelled is really gone.

use super::port_packet::{
    Armed, Edge, Origin, PacketSlab, SlotName, Source, Stamp, Style, Withdrawn,
};
use crate::alloc_try::{try_arc, TryPush};
use crate::object::{
    Attention, HandleKey, KernelObject, Koid, ObjectBase, Observer, TypedObject, Verdict, Wakes,
};
use alloc::collections::VecDeque;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::future::Future;
use core::pin::Pin;
use core::sync::atomic::{AtomicUsize, Ordering};
use core::task::{Context, Poll, Waker};
use kernel_hal::sync::Mutex;
use zx_abi::limits::{PORT_PACKETS_MAX, PORT_QUEUE_MAX};
use zx_abi::packet::{PacketUser, PortPacket};
use zx_abi::{ObjectType, Signals, Status, ZxError, ZxResult};

/// Packets of `port_queue` in all ports.
static USER_PACKETS: AtomicUsize = AtomicUsize::new(0);

/// A port.
pub struct Port {
    base: ObjectBase,
    interrupts: Interrupts,
    end_heard_by: Mutex<Vec<Weak<dyn PortEnd>>>,
    inner: Mutex<Inner>,
}

/// Somebody who wants to know that a port's last handle is gone.
pub(crate) trait PortEnd: Send + Sync {
    /// It is gone. Runs with no lock held.
    fn port_ended(&self);
}

/// Whether interrupts can be bound.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Interrupts {
    Refused,
    Taken,
}

struct Inner {
    packets: PacketSlab,
    /// Threads that wait, by ticket.
    line: VecDeque<Waiting>,
    next_ticket: u64,
    closed: bool,
}

/// A thread in the line.
struct Waiting {
    ticket: u64,
    waker: Waker,
}

/// What to wait for with `object_wait_async`.
#[derive(Clone, Copy, Debug)]
pub struct AsyncWait {
    /// Goes into the packet.
    pub key: u64,
    /// Signals of which one suffices.
    pub trigger: Signals,
    /// The handle through which is waited.
    pub handle: HandleKey,
    /// When it fires, and with what.
    pub style: Style,
}

impl Port {
    /// An empty port.
    ///
    /// # Errors
    /// - `NoMemory`: the kernel heap is exhausted.
    pub fn create() -> ZxResult<Arc<Self>> {
        Self::with(Interrupts::Refused)
    }

    /// An empty port to which interrupts can be bound.
    ///
    /// # Errors
    /// - `NoMemory`: the kernel heap is exhausted.
    pub fn create_for_interrupts() -> ZxResult<Arc<Self>> {
        Self::with(Interrupts::Taken)
    }

    fn with(interrupts: Interrupts) -> ZxResult<Arc<Self>> {
        let inner = Inner {
            packets: PacketSlab::new(),
            line: VecDeque::new(),
            next_ticket: 0,
            closed: false,
        };
        try_arc(Self {
            base: ObjectBase::new(Signals::empty()),
            interrupts,
            end_heard_by: Mutex::new(Vec::new()),
            inner: Mutex::new(inner),
        })
    }

    /// Tells `who` when the port's last handle is gone.
    ///
    /// # Errors
    /// - `NoMemory`: the kernel heap is exhausted.
    pub(crate) fn tell_end_to(&self, who: Weak<dyn PortEnd>) -> ZxResult {
        let mut list = self.end_heard_by.lock();
        if list.len() == list.capacity() {
            // Those that are gone make room, or else the list doubles: either way it is long until it is full again.
            list.retain(|each| each.strong_count() != 0);
            let room = list.len().max(4);
            list.try_reserve(room).map_err(|_| ZxError::NoMemory)?;
        }
        list.try_push(who)
    }

    /// Whether interrupts can be bound to it.
    pub fn takes_interrupts(&self) -> bool {
        self.interrupts == Interrupts::Taken
    }

    /// Queues the packet of an interrupt before those of others. Nothing happens when the port's last handle is gone.
    ///
    /// # Errors
    /// - `BadState`: a packet of it is queued already.
    /// - `NoMemory`: the kernel heap is exhausted.
    pub(crate) fn queue_first(&self, of: Koid, packet: PortPacket, wakes: &mut Wakes) -> ZxResult {
        let mut inner = self.inner.lock();
        if inner.closed {
            return Ok(());
        }
        if inner.packets.has(Origin::Object(of)) {
            return Err(ZxError::BadState);
        }
        inner.packets.push_first(packet, Source::Object(of))?;
        inner.wake_last_served(wakes);
        Ok(())
    }

    /// Queues a packet of a pager's VMO. Nothing happens when the port's last handle is gone.
    ///
    /// # Errors
    /// - `NoMemory`: the kernel heap is exhausted.
    pub(crate) fn queue_of(&self, of: Koid, packet: PortPacket, wakes: &mut Wakes) -> ZxResult {
        let mut inner = self.inner.lock();
        if !inner.closed {
            inner.packets.push(packet, Source::Object(of))?;
            inner.wake_last_served(wakes);
        }
        Ok(())
    }

    /// Removes the packets of an interrupt or a pager's VMO; whether there was one.
    pub(crate) fn remove_packet_of(&self, of: Koid) -> bool {
        let mut inner = self.inner.lock();
        let mut found = false;
        while inner.packets.withdraw(Origin::Object(of)).is_some() {
            found = true;
        }
        found
    }

    /// Queues a packet of a program.
    ///
    /// # Errors
    /// - `NoMemory`: the system has as many such packets as it may have.
    /// - `BadHandle`: the port's last handle is gone.
    /// - `ShouldWait`: the port has as many such packets as it may have.
    pub fn queue(&self, key: u64, status: Status, payload: PacketUser) -> ZxResult {
        if USER_PACKETS.fetch_add(1, Ordering::Relaxed) >= PORT_PACKETS_MAX {
            USER_PACKETS.fetch_sub(1, Ordering::Relaxed);
            return Err(ZxError::NoMemory);
        }
        let mut wakes = Wakes::none();
        let queued = self
            .inner
            .lock()
            .queue_user(&PortPacket::user(key, status, payload), &mut wakes);
        if queued.is_err() {
            USER_PACKETS.fetch_sub(1, Ordering::Relaxed);
        }
        wakes.wake();
        queued
    }

    /// The first packet, when there is one beyond those for the threads that stand in the line already.
    #[inline(always)]
    pub fn take_ready(&self) -> Option<PortPacket> {
        let mut inner = self.inner.lock();
        let position = inner.line.len();
        inner.take(position)
    }

    /// Waits for the first packet.
    pub fn wait(&self) -> PacketWait<'_> {
        PacketWait {
            port: self,
            ticket: None,
        }
    }

    /// Queues a packet when `object` shows a wanted signal, now or later. `count` is what the packet says when that is now.
    ///
    /// # Errors
    /// - `NoMemory`: the kernel heap is exhausted.
    /// - `BadHandle`: the port's last handle is gone.
    pub fn wait_async(
        self: &Arc<Self>,
        object: &Arc<dyn KernelObject>,
        wait: AsyncWait,
        count: u64,
    ) -> ZxResult {
        let AsyncWait {
            key,
            trigger,
            handle,
            style,
        } = wait;
        let name = {
            let mut inner = self.inner.lock();
            if inner.closed {
                return Err(ZxError::BadHandle);
            }
            inner.packets.arm(Armed {
                key,
                trigger,
                handle,
                style,
                place: None,
            })?
        };
        let signals = object.base().signals();
        let signals_now = signals.get();
        if style.edge == Edge::Level && signals_now.intersects(trigger) {
            self.fire_now(name, signals_now, count, style);
            return Ok(());
        }
        let (token, now) =
            match signals.observe(self.clone(), name.0, handle, Attention::Rise(trigger)) {
                Ok(registered) => registered,
                Err(error) => {
                    self.inner.lock().packets.disarm(name);
                    return Err(error);
                }
            };
        if style.edge == Edge::Level && now.intersects(trigger) {
            // Whoever takes the observer out of the list, the one who changed the signals or this call, queues the packet.
            if signals.unobserve(token) {
                self.fire_now(name, now, count, style);
            }
            return Ok(());
        }
        let kept = {
            let mut inner = self.inner.lock();
            let closed = inner.closed;
            match inner.packets.armed(name) {
                Some(armed) if !closed => {
                    armed.place = Some((Arc::downgrade(object), token));
                    true
                }
                // It fired, or was taken back, or the port is gone.
                Some(_) | None => false,
            }
        };
        if !kept {
            signals.unobserve(token);
        }
        Ok(())
    }

    /// Takes back all waits for `object` through `handle` with this key, and their packets if they are still queued.
    ///
    /// # Errors
    /// - `NotFound`: there was none.
    pub fn cancel(&self, object: &dyn KernelObject, handle: HandleKey, key: u64) -> ZxResult {
        let origin = Origin::Wait(handle, key);
        let mut found = Err(ZxError::NotFound);
        let mut more = true;
        while more {
            let token = {
                let mut inner = self.inner.lock();
                match inner.packets.withdraw(origin) {
                    None => return found,
                    Some((Withdrawn::Packet, left)) => {
                        more = left;
                        None
                    }
                    Some((Withdrawn::Wait(token), left)) => {
                        more = left;
                        token
                    }
                }
            };
            // The slot is free: if the object tells of a signal before this, the port does not know the wait any more.
            if let Some(token) = token {
                object.base().signals().unobserve(token);
            }
            found = Ok(());
        }
        found
    }

    /// Queues the packet of a wait that is satisfied while it is being made.
    fn fire_now(&self, name: SlotName, observed: Signals, count: u64, style: Style) {
        let mut wakes = Wakes::none();
        self.inner
            .lock()
            .fire(name, observed, count, style.stamp, &mut wakes);
        wakes.wake();
    }
}

impl Inner {
    #[inline(always)]
    fn queue_user(&mut self, packet: &PortPacket, wakes: &mut Wakes) -> ZxResult {
        if self.closed {
            return Err(ZxError::BadHandle);
        }
        if self.packets.user() > PORT_QUEUE_MAX {
            return Err(ZxError::ShouldWait);
        }
        self.packets.push(*packet, Source::User)?;
        self.wake_last_served(wakes);
        Ok(())
    }

    fn fire(
        &mut self,
        name: SlotName,
        observed: Signals,
        count: u64,
        stamp: Stamp,
        wakes: &mut Wakes,
    ) {
        let timestamp = match stamp {
            Stamp::None => 0,
            Stamp::Time => kernel_hal::time::now(),
        };
        self.packets.fire(name, observed, count, timestamp);
        self.wake_last_served(wakes);
    }

    /// Where in the line a thread stands.
    fn position(&self, ticket: u64) -> Option<usize> {
        self.line
            .binary_search_by_key(&ticket, |waiting| waiting.ticket)
            .ok()
    }

    /// Wakes the last thread of the line for which there is a packet: those before it were woken before.
    fn wake_last_served(&self, wakes: &mut Wakes) {
        let served = self
            .packets
            .queued()
            .checked_sub(1)
            .and_then(|last| self.line.get(last));
        if let Some(waiting) = served {
            wakes.push(waiting.waker.clone());
        }
    }

    /// Takes a packet when there is one for position `position` of the line.
    fn take(&mut self, position: usize) -> Option<PortPacket> {
        if self.packets.queued() <= position {
            return None;
        }
        let (packet, source) = self.packets.pop()?;
        if source == Source::User {
            USER_PACKETS.fetch_sub(1, Ordering::Relaxed);
        }
        Some(packet)
    }
}

/// The wait for a packet; dropping it leaves the line.
pub struct PacketWait<'a> {
    port: &'a Port,
    ticket: Option<u64>,
}

impl Future for PacketWait<'_> {
    type Output = ZxResult<PortPacket>;
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut inner = self.port.inner.lock();
        let Some(ticket) = self.ticket else {
            let position = inner.line.len();
            if let Some(packet) = inner.take(position) {
                return Poll::Ready(Ok(packet));
            }
            let ticket = inner.next_ticket;
            inner.next_ticket += 1;
            if inner.line.try_reserve(1).is_err() {
                return Poll::Ready(Err(ZxError::NoMemory));
            }
            let waker = cx.waker().clone();
            inner.line.push_back(Waiting { ticket, waker });
            drop(inner);
            self.ticket = Some(ticket);
            return Poll::Pending;
        };
        let Some(position) = inner.position(ticket) else {
            return Poll::Ready(Err(ZxError::BadState));
        };
        let Some(packet) = inner.take(position) else {
            let waiting = &mut inner.line[position];
            if !waiting.waker.will_wake(cx.waker()) {
                waiting.waker = cx.waker().clone();
            }
            return Poll::Pending;
        };
        let left = inner.line.remove(position);
        drop(inner);
        drop(left);
        self.ticket = None;
        Poll::Ready(Ok(packet))
    }
}

impl Drop for PacketWait<'_> {
    /// Those behind move up, and one of them may find a packet for its new position.
    fn drop(&mut self) {
        let Some(ticket) = self.ticket else { return };
        let mut wakes = Wakes::none();
        let left = {
            let mut inner = self.port.inner.lock();
            let left = inner
                .position(ticket)
                .and_then(|position| inner.line.remove(position));
            inner.wake_last_served(&mut wakes);
            left
        };
        drop(left);
        wakes.wake();
    }
}

impl Observer for Port {
    fn notify(&self, item: usize, old: Signals, new: Signals, wakes: &mut Wakes) -> Verdict {
        let name = SlotName(item);
        let mut inner = self.inner.lock();
        let Some(armed) = inner.packets.armed(name) else {
            return Verdict::Remove;
        };
        let (trigger, style) = (armed.trigger, armed.style);
        let shown = match style.edge {
            Edge::Level => new,
            Edge::Rising => new - old,
        };
        if !shown.intersects(trigger) {
            return Verdict::Keep;
        }
        inner.fire(name, new, 1, style.stamp, wakes);
        Verdict::Remove
    }

    fn cancel(&self, item: usize, _signals: Signals, _wakes: &mut Wakes) {
        self.inner.lock().packets.disarm(SlotName(item));
    }
}

impl KernelObject for Port {
    fn base(&self) -> &ObjectBase {
        &self.base
    }
    fn object_type(&self) -> ObjectType {
        ObjectType::Port
    }
    /// Packets and waits are gone at once. Threads that wait are not woken: they stay until their deadline.
    fn on_zero_handles(&self) {
        let (registered, user) = {
            let mut inner = self.inner.lock();
            inner.closed = true;
            let user = inner.packets.user();
            (inner.packets.close(), user)
        };
        USER_PACKETS.fetch_sub(user, Ordering::Relaxed);
        for (object, token) in registered {
            if let Some(object) = object.upgrade() {
                object.base().signals().unobserve(token);
            }
        }
        let heard_by = core::mem::take(&mut *self.end_heard_by.lock());
        for who in heard_by.iter().filter_map(Weak::upgrade) {
            who.port_ended();
        }
    }
}

impl TypedObject for Port {
    const TYPE: ObjectType = ObjectType::Port;
}
