//! The exception object: what a listener holds while it decides.

use super::port::ExceptionPort;
use super::Audience;
use crate::alloc_try::try_arc;
use crate::object::{Handle, KernelObject, ObjectBase, TypedObject};
use crate::signal::port::Port;
use crate::task::Thread;
use alloc::sync::Arc;
use kernel_hal::sync::Mutex;
use zx_abi::exception::{
    ExceptionHandler, ExceptionReport, ExceptionState, ExceptionStrategy, ExceptionType,
};
use zx_abi::{ObjectType, Signals, ZxError, ZxResult};

/// One exception of one thread. It goes from listener to listener; each answers by closing the last handle.
pub struct Exception {
    base: ObjectBase,
    thread: Arc<Thread>,
    kind: ExceptionType,
    report: ExceptionReport,
    inner: Mutex<Inner>,
}

struct Inner {
    handler: ExceptionHandler,
    audience: Option<Audience>,
    /// The port that was told, unless it was a channel.
    port: Option<Arc<ExceptionPort>>,
    state: ExceptionState,
    strategy: ExceptionStrategy,
    answered: bool,
}

impl Exception {
    /// An exception that nobody has been asked about yet.
    ///
    /// # Errors
    /// - `NoMemory`: the kernel heap is exhausted.
    pub fn new(
        thread: Arc<Thread>,
        kind: ExceptionType,
        report: ExceptionReport,
    ) -> ZxResult<Arc<Self>> {
        let inner = Inner {
            handler: ExceptionHandler::None,
            audience: None,
            port: None,
            state: ExceptionState::TryNext,
            strategy: ExceptionStrategy::FirstChance,
            answered: false,
        };
        try_arc(Self {
            base: ObjectBase::new(Signals::empty()),
            thread,
            kind,
            report,
            inner: Mutex::new(inner),
        })
    }

    /// The thread that stopped.
    pub fn thread(&self) -> &Arc<Thread> {
        &self.thread
    }
    /// What happened.
    pub fn kind(&self) -> ExceptionType {
        self.kind
    }
    /// What the CPU said.
    pub fn report(&self) -> ExceptionReport {
        self.report
    }
    /// Who decides now.
    pub fn handler(&self) -> ExceptionHandler {
        self.inner.lock().handler
    }

    /// A handle to the thread for the listener.
    ///
    /// # Errors
    /// - `AccessDenied`: nobody was asked yet.
    /// - `NoMemory`: the system has as many handles as it may have.
    pub fn thread_handle(&self) -> ZxResult<Handle> {
        let audience = self.inner.lock().audience.ok_or(ZxError::AccessDenied)?;
        Handle::with_rights(self.thread.clone(), audience.thread)
    }

    /// A handle to the process for the listener.
    ///
    /// # Errors
    /// - `AccessDenied`: the listener listens to a thread only.
    /// - `NoMemory`: the system has as many handles as it may have.
    pub fn process_handle(&self) -> ZxResult<Handle> {
        let rights = self
            .inner
            .lock()
            .audience
            .and_then(|audience| audience.process)
            .ok_or(ZxError::AccessDenied)?;
        Handle::with_rights(self.thread.process().clone(), rights)
    }

    /// What closing the last handle will mean.
    pub fn state(&self) -> ExceptionState {
        self.inner.lock().state
    }
    /// Says what closing the last handle means.
    pub fn set_state(&self, state: ExceptionState) {
        self.inner.lock().state = state;
    }

    /// Whether the debugger wants to be asked again.
    pub fn strategy(&self) -> ExceptionStrategy {
        self.inner.lock().strategy
    }

    /// Says whether the debugger wants to be asked again.
    ///
    /// # Errors
    /// - `BadState`: it is not the debugger who decides now.
    pub fn set_strategy(&self, strategy: ExceptionStrategy) -> ZxResult {
        let mut inner = self.inner.lock();
        if inner.handler != ExceptionHandler::Debugger {
            return Err(ZxError::BadState);
        }
        inner.strategy = strategy;
        Ok(())
    }

    /// A new listener is asked: the answer of the one before is forgotten.
    pub(super) fn hand_to(&self, handler: ExceptionHandler, audience: Audience) {
        let mut inner = self.inner.lock();
        inner.handler = handler;
        inner.audience = Some(audience);
        inner.port = None;
        inner.state = ExceptionState::TryNext;
        inner.answered = false;
    }

    /// The same for a port.
    pub(super) fn hand_to_port(&self, handler: ExceptionHandler, port: Arc<ExceptionPort>) {
        let mut inner = self.inner.lock();
        inner.handler = handler;
        inner.audience = None;
        inner.port = Some(port);
        inner.state = ExceptionState::TryNext;
        inner.answered = false;
    }

    /// The answer of who listens through a port.
    ///
    /// # Errors
    /// - `BadState`: no port is being asked, or it has answered.
    /// - `AccessDenied`: another port is being asked.
    pub(crate) fn answer_through(&self, port: &Port, state: ExceptionState) -> ZxResult {
        {
            let mut inner = self.inner.lock();
            if !inner.port.as_ref().ok_or(ZxError::BadState)?.is(port) {
                return Err(ZxError::AccessDenied);
            }
            if inner.answered {
                return Err(ZxError::BadState);
            }
            (inner.state, inner.answered) = (state, true);
        }
        self.thread.wake();
        Ok(())
    }

    /// The port that is being asked will not answer.
    pub(super) fn skip(&self, listener: &ExceptionPort) {
        {
            let mut inner = self.inner.lock();
            let asked = inner
                .port
                .as_ref()
                .is_some_and(|port| core::ptr::eq(&raw const **port, listener));
            if !asked || inner.answered {
                return;
            }
            inner.answered = true;
        }
        self.thread.wake();
    }

    /// The listener's answer, once it has closed its last handle.
    pub(super) fn answer(&self) -> Option<ExceptionState> {
        let inner = self.inner.lock();
        inner.answered.then_some(inner.state)
    }
}

impl KernelObject for Exception {
    fn base(&self) -> &ObjectBase {
        &self.base
    }
    fn object_type(&self) -> ObjectType {
        ObjectType::Exception
    }
    fn on_zero_handles(&self) {
        self.inner.lock().answered = true;
        self.thread.wake();
    }
}

impl TypedObject for Exception {
    const TYPE: ObjectType = ObjectType::Exception;
}
