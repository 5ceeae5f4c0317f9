//! Interrupts: a line of the machine, or one that programs trigger themselves.
//!
//! ```text
//!   Idle, NeedsAck --trigger--> Triggered --wait returns--> NeedsAck --next wait--> Idle        (unbound)
//!   Idle --trigger: packet--> NeedsAck --ack--> Idle, or another packet if triggered meanwhile  (bound to a port)
//!   any --destroy--> Destroyed
//! ```
//! The time that is told is that of the first trigger since the last one that was told. A level line is masked when it fires
//! and unmasked by `ack` or by the next wait.

use crate::alloc_try::try_arc;
use crate::object::{KernelObject, ObjectBase, TypedObject, Wakes};
use crate::signal::Port;
use alloc::sync::Arc;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use kernel_hal::irq::{self, IrqError, OnInterrupt, Trigger};
use kernel_hal::sync::Mutex;
use zx_abi::packet::PortPacket;
use zx_abi::{ObjectType, Signals, ZxError, ZxResult};

/// An interrupt.
pub struct Interrupt {
    base: ObjectBase,
    source: Source,
    inner: Mutex<Inner>,
}

/// Who triggers it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Source {
    /// Programs.
    Virtual,
    /// This line of the interrupt controller.
    Line(u32),
}

struct Inner {
    state: State,
    /// When it was triggered first since somebody was told.
    triggered_at: Option<i64>,
    bound: Option<Binding>,
    waiter: Waiter,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum State {
    Idle,
    Triggered,
    NeedsAck,
    Destroyed,
}

/// Where packets go.
struct Binding {
    port: Arc<Port>,
    key: u64,
}

enum Waiter {
    None,
    Starting,
    Asleep(Waker),
}

impl Interrupt {
    /// An interrupt that only [`Interrupt::trigger`] triggers.
    ///
    /// # Errors
    /// - `NoMemory`: the kernel heap is exhausted.
    pub fn create_virtual() -> ZxResult<Arc<Self>> {
        Self::new(Source::Virtual)
    }

    /// The interrupt of a line; without `trigger` the line keeps the mode that the platform gave it.
    ///
    /// # Errors
    /// - `InvalidArgs`: no such line.
    /// - `AlreadyBound`: somebody has the line.
    /// - `NoMemory`: the kernel heap or the vectors are exhausted.
    pub fn create_line(line: u32, trigger: Option<Trigger>) -> ZxResult<Arc<Self>> {
        if !irq::is_valid(line) {
            return Err(ZxError::InvalidArgs);
        }
        let interrupt = Self::new(Source::Line(line))?;
        irq::register(line, interrupt.clone()).map_err(from_hal)?;
        if let Some(trigger) = trigger {
            if let Err(error) = irq::configure(line, trigger) {
                irq::unregister(line);
                return Err(from_hal(error));
            }
        }
        irq::unmask(line);
        Ok(interrupt)
    }

    fn new(source: Source) -> ZxResult<Arc<Self>> {
        let inner = Inner {
            state: State::Idle,
            triggered_at: None,
            bound: None,
            waiter: Waiter::None,
        };
        try_arc(Self {
            base: ObjectBase::new(Signals::empty()),
            source,
            inner: Mutex::new(inner),
        })
    }

    /// Triggers a virtual interrupt.
    ///
    /// # Errors
    /// - `BadState`: it is the interrupt of a line.
    /// - `Canceled`: it is destroyed.
    pub fn trigger(&self, at: i64) -> ZxResult {
        if self.source != Source::Virtual {
            return Err(ZxError::BadState);
        }
        self.fire(at)
    }

    fn fire(&self, at: i64) -> ZxResult {
        let mut wakes = Wakes::none();
        let fired = self.inner.lock().fire(self, at, &mut wakes);
        wakes.wake();
        fired
    }

    /// Waits for the next trigger; the result is its time.
    ///
    /// # Errors
    /// - `BadState`: it is bound to a port, or somebody waits already.
    /// - `Canceled`: it is destroyed.
    pub fn wait(&self) -> ZxResult<InterruptWait<'_>> {
        let mut inner = self.inner.lock();
        if inner.bound.is_some() {
            return Err(ZxError::BadState);
        }
        inner.alive()?;
        if !matches!(inner.waiter, Waiter::None) {
            return Err(ZxError::BadState);
        }
        inner.waiter = Waiter::Starting;
        Ok(InterruptWait { interrupt: self })
    }

    /// Makes triggers send packets to a port.
    ///
    /// # Errors
    /// - `WrongType`: the port does not take packets of interrupts.
    /// - `Canceled`: it is destroyed.
    /// - `BadState`: somebody waits for it.
    /// - `AlreadyBound`: it is bound to a port.
    pub fn bind(&self, port: Arc<Port>, key: u64) -> ZxResult {
        if !port.takes_interrupts() {
            return Err(ZxError::WrongType);
        }
        let mut inner = self.inner.lock();
        inner.alive()?;
        if !matches!(inner.waiter, Waiter::None) {
            return Err(ZxError::BadState);
        }
        if inner.bound.is_some() {
            return Err(ZxError::AlreadyBound);
        }
        inner.bound = Some(Binding { port, key });
        Ok(())
    }

    /// Takes the binding to this port back, with the packet if it is still queued.
    ///
    /// # Errors
    /// - `NotFound`: it is not bound to this port.
    /// - `Canceled`: it is destroyed.
    pub fn unbind(&self, port: &Arc<Port>) -> ZxResult {
        let mut inner = self.inner.lock();
        if !inner
            .bound
            .as_ref()
            .is_some_and(|binding| Arc::ptr_eq(&binding.port, port))
        {
            return Err(ZxError::NotFound);
        }
        inner.alive()?;
        port.remove_packet_of(self.base.koid());
        inner.bound = None;
        Ok(())
    }

    /// Says that a packet was dealt with: the next trigger, or one that came meanwhile, sends another.
    ///
    /// # Errors
    /// - `BadState`: it is not bound; or it was triggered again and its packet is still queued.
    /// - `Canceled`: it is destroyed.
    pub fn ack(&self) -> ZxResult {
        let mut wakes = Wakes::none();
        let acked = self.inner.lock().ack(self, &mut wakes);
        wakes.wake();
        acked
    }

    /// Ends it: whoever waits hears of it, and a queued packet is removed.
    ///
    /// # Errors
    /// - `NotFound`: its packet was taken and not acknowledged; it is destroyed all the same.
    pub fn destroy(&self) -> ZxResult {
        if let Source::Line(line) = self.source {
            irq::unregister(line);
        }
        let (waiter, in_use) = {
            let mut inner = self.inner.lock();
            if inner.state == State::Destroyed {
                return Ok(());
            }
            let unacked = core::mem::replace(&mut inner.state, State::Destroyed) == State::NeedsAck;
            let in_use = inner
                .bound
                .as_ref()
                .is_some_and(|binding| !binding.port.remove_packet_of(self.base.koid()) && unacked);
            (inner.take_waker(), in_use)
        };
        if let Some(waiter) = waiter {
            waiter.wake();
        }
        if in_use {
            Err(ZxError::NotFound)
        } else {
            Ok(())
        }
    }

    fn unmask(&self) {
        if let Source::Line(line) = self.source {
            irq::unmask(line);
        }
    }
}

impl Inner {
    fn alive(&self) -> ZxResult {
        if self.state == State::Destroyed {
            Err(ZxError::Canceled)
        } else {
            Ok(())
        }
    }

    fn fire(&mut self, interrupt: &Interrupt, at: i64, wakes: &mut Wakes) -> ZxResult {
        self.alive()?;
        self.triggered_at.get_or_insert(at);
        if self.bound.is_none() {
            self.state = State::Triggered;
            if let Some(waker) = self.take_waker() {
                wakes.push(waker);
            }
            return Ok(());
        }
        if self.state != State::NeedsAck {
            self.send(interrupt, wakes)?;
        }
        Ok(())
    }

    fn ack(&mut self, interrupt: &Interrupt, wakes: &mut Wakes) -> ZxResult {
        if self.bound.is_none() {
            return Err(ZxError::BadState);
        }
        self.alive()?;
        if self.state == State::NeedsAck {
            interrupt.unmask();
            if self.triggered_at.is_some() {
                self.send(interrupt, wakes)?;
            } else {
                self.state = State::Idle;
            }
        }
        Ok(())
    }

    /// Queues a packet with the remembered time.
    fn send(&mut self, interrupt: &Interrupt, wakes: &mut Wakes) -> ZxResult {
        if let (Some(binding), Some(at)) = (&self.bound, self.triggered_at) {
            let packet = PortPacket::interrupt(binding.key, at);
            binding
                .port
                .queue_first(interrupt.base.koid(), packet, wakes)?;
            self.triggered_at = None;
            self.state = State::NeedsAck;
        }
        Ok(())
    }

    fn take_waker(&mut self) -> Option<Waker> {
        match core::mem::replace(&mut self.waiter, Waiter::Starting) {
            Waiter::Asleep(waker) => Some(waker),
            other => {
                self.waiter = other;
                None
            }
        }
    }
}

/// The wait for a trigger; dropping it lets others wait.
pub struct InterruptWait<'a> {
    interrupt: &'a Interrupt,
}

impl Future for InterruptWait<'_> {
    type Output = ZxResult<i64>;
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut inner = self.interrupt.inner.lock();
        match inner.state {
            State::Destroyed => Poll::Ready(Err(ZxError::Canceled)),
            State::Triggered => {
                inner.state = State::NeedsAck;
                Poll::Ready(Ok(inner.triggered_at.take().unwrap_or(0)))
            }
            State::Idle | State::NeedsAck => {
                inner.waiter = Waiter::Asleep(cx.waker().clone());
                if inner.state == State::NeedsAck {
                    inner.state = State::Idle;
                    self.interrupt.unmask();
                }
                Poll::Pending
            }
        }
    }
}

impl Drop for InterruptWait<'_> {
    fn drop(&mut self) {
        let waiter = core::mem::replace(&mut self.interrupt.inner.lock().waiter, Waiter::None);
        drop(waiter);
    }
}

impl OnInterrupt for Interrupt {
    fn on_interrupt(&self, now: i64) {
        if let Err(error) = self.fire(now) {
            log::warn!("an interrupt found nobody: {error:?}");
        }
    }
}

impl KernelObject for Interrupt {
    fn base(&self) -> &ObjectBase {
        &self.base
    }
    fn object_type(&self) -> ObjectType {
        Self::TYPE
    }
    fn on_zero_handles(&self) {
        // Whether the packet was acknowledged interests nobody any more.
        let _ = self.destroy();
        let binding = self.inner.lock().bound.take();
        drop(binding);
    }
}

impl TypedObject for Interrupt {
    const TYPE: ObjectType = ObjectType::Interrupt;
}

fn from_hal(error: IrqError) -> ZxError {
    match error {
        IrqError::NoSuchLine => ZxError::InvalidArgs,
        IrqError::Taken => ZxError::AlreadyBound,
        IrqError::NoVectors => ZxError::NoMemory,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Handle;
    use core::pin::pin;
    use kernel_hal_hosted::irq::{fire, Fired};

    fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    fn packet(port: &Port) -> Option<(u64, i64)> {
        match poll(pin!(port.wait())) {
            Poll::Ready(Ok(packet)) => packet
                .as_interrupt()
                .map(|interrupt| (packet.key, interrupt.timestamp)),
            _ => None,
        }
    }

    fn bound() -> (Arc<Interrupt>, Arc<Port>) {
        let (interrupt, port) = (
            Interrupt::create_virtual().unwrap(),
            Port::create_for_interrupts().unwrap(),
        );
        interrupt.bind(port.clone(), 7).unwrap();
        (interrupt, port)
    }

    #[test]
    fn triggers_that_nobody_saw_merge_into_the_first() {
        let interrupt = Interrupt::create_virtual().unwrap();
        interrupt.trigger(5).unwrap();
        interrupt.trigger(6).unwrap();
        assert_eq!(poll(pin!(interrupt.wait().unwrap())), Poll::Ready(Ok(5)));
        assert_eq!(poll(pin!(interrupt.wait().unwrap())), Poll::Pending);
    }

    #[test]
    fn only_one_may_wait_and_none_while_it_is_bound() {
        let interrupt = Interrupt::create_virtual().unwrap();
        let wait = interrupt.wait().unwrap();
        assert_eq!(interrupt.wait().err(), Some(ZxError::BadState));
        assert_eq!(
            interrupt.bind(Port::create_for_interrupts().unwrap(), 0),
            Err(ZxError::BadState)
        );
        drop(wait);
        assert!(interrupt.wait().is_ok());
        let (interrupt, port) = bound();
        assert_eq!(interrupt.wait().err(), Some(ZxError::BadState));
        assert_eq!(interrupt.bind(port, 0), Err(ZxError::AlreadyBound));
    }

    #[test]
    fn a_port_that_was_not_made_for_interrupts_is_of_the_wrong_type() {
        let interrupt = Interrupt::create_virtual().unwrap();
        assert_eq!(
            interrupt.bind(Port::create().unwrap(), 0),
            Err(ZxError::WrongType)
        );
    }

    #[test]
    fn a_bound_interrupt_sends_one_packet_per_acknowledgement() {
        let (interrupt, port) = bound();
        interrupt.trigger(1).unwrap();
        interrupt.trigger(2).unwrap();
        interrupt.trigger(3).unwrap();
        assert_eq!(packet(&port), Some((7, 1)));
        assert_eq!(packet(&port), None);
        interrupt.ack().unwrap();
        assert_eq!(packet(&port), Some((7, 2)));
        interrupt.ack().unwrap();
        assert_eq!(packet(&port), None);
    }

    #[test]
    fn acknowledging_before_the_packet_is_taken_is_a_bad_state_if_it_fired_again() {
        let (interrupt, port) = bound();
        interrupt.trigger(1).unwrap();
        interrupt.trigger(2).unwrap();
        assert_eq!(interrupt.ack(), Err(ZxError::BadState));
        assert_eq!(packet(&port), Some((7, 1)));
    }

    #[test]
    fn a_destroyed_interrupt_cancels_everything_and_takes_its_packet_back() {
        let (interrupt, port) = bound();
        interrupt.trigger(1).unwrap();
        assert_eq!(interrupt.destroy(), Ok(()));
        assert_eq!(packet(&port), None);
        assert_eq!(interrupt.trigger(2), Err(ZxError::Canceled));
        assert_eq!(interrupt.ack(), Err(ZxError::Canceled));
        let interrupt = Interrupt::create_virtual().unwrap();
        let mut wait = pin!(interrupt.wait().unwrap());
        assert_eq!(poll(wait.as_mut()), Poll::Pending);
        interrupt.destroy().unwrap();
        assert_eq!(poll(wait.as_mut()), Poll::Ready(Err(ZxError::Canceled)));
    }

    #[test]
    fn destroying_it_between_packet_and_acknowledgement_says_so() {
        let (interrupt, port) = bound();
        interrupt.trigger(1).unwrap();
        assert_eq!(packet(&port), Some((7, 1)));
        assert_eq!(interrupt.destroy(), Err(ZxError::NotFound));
        assert_eq!(interrupt.destroy(), Ok(()));
    }

    #[test]
    fn packets_of_interrupts_overtake_others_but_not_each_other() {
        let (first, port) = bound();
        let second = Interrupt::create_virtual().unwrap();
        second.bind(port.clone(), 8).unwrap();
        port.queue(1, zx_abi::Status::OK, [0; 32]).unwrap();
        first.trigger(1).unwrap();
        second.trigger(2).unwrap();
        assert_eq!(packet(&port), Some((7, 1)));
        assert_eq!(packet(&port), Some((8, 2)));
    }

    #[test]
    fn a_level_line_stays_masked_until_the_next_wait() {
        kernel_hal_hosted::init();
        let interrupt = Interrupt::create_line(3, Some(Trigger::LevelLow)).unwrap();
        assert_eq!(
            Interrupt::create_line(3, None).err(),
            Some(ZxError::AlreadyBound)
        );
        assert_eq!(interrupt.trigger(0), Err(ZxError::BadState));
        assert_eq!(fire(3), Fired::Served);
        assert_eq!(fire(3), Fired::Ignored);
        assert!(poll(pin!(interrupt.wait().unwrap())).is_ready());
        assert_eq!(fire(3), Fired::Ignored);
        assert_eq!(poll(pin!(interrupt.wait().unwrap())), Poll::Pending);
        assert_eq!(fire(3), Fired::Served);
        drop(Handle::new(interrupt).unwrap());
        assert!(Interrupt::create_line(3, None).is_ok());
    }
}
