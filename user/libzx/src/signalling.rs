//! Events, ports, timers, and waiting for several objects.

use alloc::vec::Vec;

use zx_abi::{HandleValue, PortPacket, Signals, WaitItem, ZxResult};

use crate::handle::object;
use crate::{sys, AsHandle, Handle};

object! {
    /// An event.
    Event
}

impl Event {
    /// A new event.
    ///
    /// # Errors
    /// Those of `zx_event_create`.
    pub fn create() -> ZxResult<Self> {
        let mut out = 0;
        // SAFETY: `out` is this frame's.
        unsafe { sys::zx_event_create(0, &mut out) }.into_result()?;
        Ok(Self(Handle::from_raw(out)))
    }
}

object! {
    /// One of two events that know each other.
    EventPair
}

impl EventPair {
    /// A new pair.
    ///
    /// # Errors
    /// Those of `zx_eventpair_create`.
    pub fn create() -> ZxResult<(Self, Self)> {
        let (mut left, mut right) = (0, 0);
        // SAFETY: both results are this frame's.
        unsafe { sys::zx_eventpair_create(0, &mut left, &mut right) }.into_result()?;
        Ok((Self(Handle::from_raw(left)), Self(Handle::from_raw(right))))
    }
}

object! {
    /// A queue of packets.
    Port
}

impl Port {
    /// A new port.
    ///
    /// # Errors
    /// Those of `zx_port_create`.
    pub fn create() -> ZxResult<Self> {
        let mut out = 0;
        // SAFETY: `out` is this frame's.
        unsafe { sys::zx_port_create(0, &mut out) }.into_result()?;
        Ok(Self(Handle::from_raw(out)))
    }

    /// Queues a user packet.
    ///
    /// # Errors
    /// Those of `zx_port_queue`.
    pub fn queue(&self, packet: &PortPacket) -> ZxResult {
        // SAFETY: `packet` lives through the call.
        unsafe { sys::zx_port_queue(self.raw(), packet) }.into_result()
    }

    /// Takes the next packet, waiting for one until the deadline.
    ///
    /// # Errors
    /// Those of `zx_port_wait`.
    pub fn wait(&self, deadline: i64) -> ZxResult<PortPacket> {
        let mut packet = <PortPacket as zerocopy::FromZeros>::new_zeroed();
        // SAFETY: `packet` is this frame's.
        unsafe { sys::zx_port_wait(self.raw(), deadline, &mut packet) }.into_result()?;
        Ok(packet)
    }

    /// Drops pending waits on `source` with `key` and their packets.
    ///
    /// # Errors
    /// Those of `zx_port_cancel`.
    pub fn cancel(&self, source: &impl AsHandle, key: u64) -> ZxResult {
        // SAFETY: the call touches no memory of the program.
        unsafe { sys::zx_port_cancel(self.raw(), source.raw(), key) }.into_result()
    }
}

object! {
    /// A timer.
    Timer
}

impl Timer {
    /// A new timer on the monotonic clock; options: slack centre 0, early 1, late 2.
    ///
    /// # Errors
    /// Those of `zx_timer_create`.
    pub fn create(options: u32) -> ZxResult<Self> {
        let mut out = 0;
        // SAFETY: `out` is this frame's.
        unsafe { sys::zx_timer_create(options, 0, &mut out) }.into_result()?;
        Ok(Self(Handle::from_raw(out)))
    }

    /// Starts the timer.
    ///
    /// # Errors
    /// Those of `zx_timer_set`.
    pub fn set(&self, deadline: i64, slack: i64) -> ZxResult {
        // SAFETY: the call touches no memory of the program.
        unsafe { sys::zx_timer_set(self.raw(), deadline, slack) }.into_result()
    }

    /// Stops the timer.
    ///
    /// # Errors
    /// Those of `zx_timer_cancel`.
    pub fn cancel(&self) -> ZxResult {
        // SAFETY: the call touches no memory of the program.
        unsafe { sys::zx_timer_cancel(self.raw()) }.into_result()
    }
}

/// One of several things to wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitFor {
    /// Whose signals.
    pub handle: HandleValue,
    /// Which signals.
    pub signals: Signals,
}

/// Waits until one item has one of its signals; gives what each item showed.
///
/// # Errors
/// Those of `zx_object_wait_many`.
pub fn wait_many(items: &[WaitFor], deadline: i64) -> ZxResult<Vec<Signals>> {
    let to_item = |item: &WaitFor| WaitItem {
        handle: item.handle,
        waitfor: item.signals,
        pending: Signals::empty(),
    };
    let mut list: Vec<WaitItem> = items.iter().map(to_item).collect();
    // SAFETY: `list` is this frame's.
    unsafe { sys::zx_object_wait_many(list.as_mut_ptr(), list.len(), deadline) }.into_result()?;
    Ok(list.iter().map(|item| item.pending).collect())
}
