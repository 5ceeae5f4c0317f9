//! Listening through a port, as Zircon did until 2019: a packet names the thread, and a call answers for it.

use super::Exception;
use crate::alloc_try::{try_arc, TryPush};
use crate::object::{KernelObject, Wakes};
use crate::signal::port::{Port, PortEnd};
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};
use kernel_hal::sync::Mutex;
use zx_abi::packet::PortPacket;
use zx_abi::ZxResult;

/// A port that hears of exceptions. When it is taken back, or the port's last handle closes, those who are being asked about
/// go to the next listener.
pub(super) struct ExceptionPort {
    port: Arc<Port>,
    key: u64,
    ended: AtomicBool,
    asked: Mutex<Vec<Weak<Exception>>>,
}

impl ExceptionPort {
    pub(super) fn new(port: Arc<Port>, key: u64) -> ZxResult<Arc<Self>> {
        let listener = try_arc(Self {
            port,
            key,
            ended: AtomicBool::new(false),
            asked: Mutex::new(Vec::new()),
        })?;
        let weak = Arc::downgrade(&listener);
        listener.port.tell_end_to(weak)?;
        Ok(listener)
    }

    pub(super) fn is_there(&self) -> bool {
        !self.ended.load(Ordering::Relaxed)
    }

    pub(super) fn is(&self, port: &Port) -> bool {
        core::ptr::eq(&raw const *self.port, port)
    }

    /// Queues the packet.
    ///
    /// # Errors
    /// - `NoMemory`: the kernel heap is exhausted.
    pub(super) fn send(&self, exception: &Arc<Exception>) -> ZxResult {
        {
            let mut asked = self.asked.lock();
            asked.retain(|each| each.strong_count() != 0);
            asked.try_push(Arc::downgrade(exception))?;
        }
        let thread = exception.thread();
        let mut payload = [0; 32];
        payload[..8].copy_from_slice(&thread.process().base().koid().0.to_le_bytes());
        payload[8..16].copy_from_slice(&thread.base().koid().0.to_le_bytes());
        let packet = PortPacket {
            key: self.key,
            kind: exception.kind().raw(),
            status: 0,
            payload,
        };
        let mut wakes = Wakes::none();
        let queued = self.port.queue_of(thread.base().koid(), packet, &mut wakes);
        wakes.wake();
        queued
    }
}

impl PortEnd for ExceptionPort {
    fn port_ended(&self) {
        self.ended.store(true, Ordering::Relaxed);
        let asked = core::mem::take(&mut *self.asked.lock());
        for exception in asked.iter().filter_map(Weak::upgrade) {
            exception.skip(self);
        }
    }
}
