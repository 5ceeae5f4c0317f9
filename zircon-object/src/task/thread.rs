//! Threads: the object that programs hold; the future that runs one is in `zircon-loader`.
//!
//! The future owns the registers while the thread runs. When it stops (suspension, an exception) it puts them into
//! [`Thread::park`], where `thread_read_state` and `thread_write_state` find them, and takes them back to go on.

pub use super::cpu_share::Waited;
use super::cpu_share::{CpuShare, Watch};
use super::exception::{Exception, ExceptionChannel};
pub use super::thread_state::{Attention, Last, Suspended};
use super::thread_state::{BlockedOn, Phase};
use super::Process;
use crate::alloc_try::{try_arc, try_box_with};
use crate::object::{KernelObject, Koid, Name, ObjectBase, TypedObject};
use crate::runtime;
use crate::signal::futex::FutexPlace;
use crate::signal::port::Port;
use alloc::boxed::Box;
use alloc::sync::{Arc, Weak};
use core::sync::atomic::{AtomicU32, Ordering};
use executor::TimerSlot;
use kernel_hal::context::{self, UserContext};
use kernel_hal::sync::Mutex;
use zx_abi::exception::{ExceptionHandler, ExceptionReport, ExceptionState};
use zx_abi::info::ThreadState;
use zx_abi::{ObjectType, Signals, ZxError, ZxResult};

/// A thread of a process.
pub struct Thread {
    base: ObjectBase,
    name: Name,
    this: Weak<Self>,
    process: Arc<Process>,
    timer: TimerSlot,
    attention: AtomicU32,
    blocked: AtomicU32,
    share: CpuShare,
    futex_place: FutexPlace,
    exceptions: ExceptionChannel,
    inner: Mutex<Inner>,
}

struct Inner {
    phase: Phase,
    suspends: u32,
    parked: Option<Box<UserContext>>,
    exception: Option<(Arc<Exception>, ExceptionHandler)>,
    initial: bool,
}

const SUSPEND: u32 = 1;
const KILL: u32 = 2;
/// It was killed and did not exit by itself: it does not even wait for a debugger.
const FORCED: u32 = 4;
/// It has a deadline and a budget to keep to.
const BUDGET: u32 = 8;

impl Thread {
    /// A thread of `process` that has not started. It is not in the process's list yet.
    ///
    /// # Errors
    /// - `NoMemory`: the kernel heap is exhausted.
    pub fn new(process: Arc<Process>, name: &[u8]) -> ZxResult<Arc<Self>> {
        let timer = runtime::TIMERS.register().map_err(|_| ZxError::NoMemory)?;
        let name = Name::new(name);
        crate::alloc_try::try_arc_cyclic(|this| Self {
            base: ObjectBase::new(Signals::empty()),
            name,
            this: this.clone(),
            process,
            timer,
            attention: AtomicU32::new(0),
            blocked: AtomicU32::new(0),
            share: CpuShare::new(),
            futex_place: FutexPlace::new(),
            exceptions: ExceptionChannel::new(ExceptionHandler::Thread),
            inner: Mutex::new(Inner {
                phase: Phase::New,
                suspends: 0,
                parked: None,
                exception: None,
                initial: false,
            }),
        })
    }

    /// The process that it belongs to.
    pub fn process(&self) -> &Arc<Process> {
        &self.process
    }

    /// The timer for this thread's waits; one is enough because it waits for one thing at a time.
    pub(crate) fn timer(&self) -> &TimerSlot {
        &self.timer
    }

    /// Starts the thread with these registers. It counts as running from now on; one that is suspended shows that when it
    /// stops before its first instruction.
    ///
    /// # Errors
    /// - `BadState`: it was started before, or the process does not run.
    /// - `NoMemory`: no memory for its registers or its future.
    pub fn start(&self, entry: usize, stack: usize, arg1: usize, arg2: usize) -> ZxResult {
        let vector = context::vector_new().ok_or(ZxError::NoMemory)?;
        let context =
            try_box_with(|| UserContext::with_vector(entry, stack, [arg1, arg2], vector))?;
        let this = self.this.upgrade().ok_or(ZxError::BadState)?;
        {
            let mut inner = self.inner.lock();
            if inner.phase != Phase::New {
                return Err(ZxError::BadState);
            }
            inner.phase = Phase::Running;
        }
        let started = self
            .process
            .add_thread(this.clone())
            .and_then(|()| runtime::spawn_thread(this, context));
        if let Err(error) = started {
            self.process.forget_thread(self);
            self.inner.lock().phase = Phase::New;
            return Err(error);
        }
        self.base
            .signals()
            .change(Signals::empty(), Signals::THREAD_RUNNING)
            .wake();
        Ok(())
    }

    /// Makes the thread die: it unwinds from whatever it does and runs no more user code. No effect on a thread that was
    /// never started.
    pub fn kill(&self) {
        self.die(KILL | FORCED);
    }

    /// The thread ends by itself: as [`Thread::kill`], but its debugger may have a look before it is gone.
    pub fn exit(&self) {
        self.die(KILL);
    }

    fn die(&self, how: u32) {
        {
            let mut inner = self.inner.lock();
            if !matches!(inner.phase, Phase::Running | Phase::Dying) {
                return;
            }
            inner.phase = Phase::Dying;
            self.notice(how);
        }
        self.wake();
    }

    /// Makes it look at something before it goes on. It may be the thread whose call does this.
    fn notice(&self, what: u32) {
        self.attention.fetch_or(what, Ordering::Release);
        context::leave();
    }

    /// Whether it was killed and did not exit by itself.
    pub(crate) fn is_killed(&self) -> bool {
        self.attention.load(Ordering::Acquire) & FORCED != 0
    }

    /// Asks for one more reason to stop.
    ///
    /// # Errors
    /// - `BadState`: the thread is dying or dead.
    pub fn suspend(&self) -> ZxResult {
        {
            let mut inner = self.inner.lock();
            match inner.phase {
                Phase::Dying | Phase::Dead => return Err(ZxError::BadState),
                Phase::New | Phase::Running => {}
            }
            inner.suspends += 1;
            self.notice(SUSPEND);
        }
        self.wake();
        Ok(())
    }

    /// Takes one reason to stop back.
    pub fn resume(&self) {
        {
            let mut inner = self.inner.lock();
            inner.suspends = inner.suspends.saturating_sub(1);
            if inner.suspends > 0 {
                return;
            }
            self.attention.fetch_and(!SUSPEND, Ordering::Release);
        }
        self.wake();
    }

    /// Whether there is anything to do before it goes on: the quick look of the hot path.
    #[inline(always)]
    pub fn needs_attention(&self) -> bool {
        self.attention.load(Ordering::Acquire) != 0
    }

    /// What it has to do before it goes on.
    #[inline(always)]
    pub fn attention(&self) -> Attention {
        match self.attention.load(Ordering::Acquire) {
            0 => Attention::None,
            bits if bits & KILL != 0 => Attention::Kill,
            bits if bits & SUSPEND != 0 => Attention::Suspend,
            _ => Attention::None,
        }
    }

    /// Whether the thread's loop is to look at a budget.
    pub(super) fn watch_budget(&self, watch: Watch) {
        match watch {
            Watch::Yes => self.attention.fetch_or(BUDGET, Ordering::Release),
            Watch::No => self.attention.fetch_and(!BUDGET, Ordering::Release),
        };
    }

    /// Where it waits for futexes.
    #[inline(always)]
    pub(crate) fn futex_place(&self) -> &FutexPlace {
        &self.futex_place
    }

    #[inline(always)]
    pub(super) fn share(&self) -> &CpuShare {
        &self.share
    }

    /// Leaves the registers where others can read and change them, until [`Thread::unpark`].
    pub fn park(&self, context: Box<UserContext>) {
        self.inner.lock().parked = Some(context);
    }

    /// Takes the registers back.
    pub fn unpark(&self) -> Option<Box<UserContext>> {
        self.inner.lock().parked.take()
    }

    /// Looks at or changes the registers of a stopped thread.
    ///
    /// # Errors
    /// - `BadState`: the thread is not stopped.
    /// - `NotSupported`: it is about to end and has no registers any more.
    pub fn with_parked<R>(&self, f: impl FnOnce(&mut UserContext) -> ZxResult<R>) -> ZxResult<R> {
        let mut inner = self.inner.lock();
        let missing = if inner.exception.is_some() {
            ZxError::NotSupported
        } else {
            ZxError::BadState
        };
        f(inner.parked.as_mut().ok_or(missing)?)
    }

    /// Where one may listen for its exceptions.
    pub fn exception_channel(&self) -> &ExceptionChannel {
        &self.exceptions
    }

    /// It is the first thread of its process.
    pub(super) fn make_initial(&self) {
        self.inner.lock().initial = true;
    }
    /// Whether it is the first thread of its process.
    pub(super) fn is_initial(&self) -> bool {
        self.inner.lock().initial
    }

    /// Somebody is being asked about an exception of the thread.
    pub(super) fn enter_exception(&self, exception: Arc<Exception>, handler: ExceptionHandler) {
        self.inner.lock().exception = Some((exception, handler));
    }

    /// Nobody is being asked any more.
    pub(super) fn leave_exception(&self) {
        let exception = self.inner.lock().exception.take();
        drop(exception);
    }

    /// Who is being asked about an exception of the thread.
    pub fn exception_handler(&self) -> ExceptionHandler {
        self.inner
            .lock()
            .exception
            .as_ref()
            .map_or(ExceptionHandler::None, |(_, handler)| *handler)
    }

    /// Answers for a port that is being asked about an exception of the thread.
    ///
    /// # Errors
    /// - `BadState`: no port is being asked, or it has answered.
    /// - `AccessDenied`: another port is being asked.
    pub fn answer_exception(&self, port: &Port, state: ExceptionState) -> ZxResult {
        let exception = self
            .inner
            .lock()
            .exception
            .as_ref()
            .map(|(exception, _)| exception.clone());
        exception
            .ok_or(ZxError::BadState)?
            .answer_through(port, state)
    }

    /// What the CPU said about the exception in which the thread is.
    ///
    /// # Errors
    /// - `BadState`: it is in none.
    pub fn exception_report(&self) -> ZxResult<ExceptionReport> {
        self.inner
            .lock()
            .exception
            .as_ref()
            .map(|(exception, _)| exception.report())
            .ok_or(ZxError::BadState)
    }

    /// Shows the suspension, or its end, in the signals. Called by the thread's future when it stops and goes on.
    pub fn show_suspended(&self, suspended: Suspended) {
        let (clear, set) = match suspended {
            Suspended::Yes => (Signals::THREAD_RUNNING, Signals::THREAD_SUSPENDED),
            Suspended::No => (Signals::THREAD_SUSPENDED, Signals::THREAD_RUNNING),
        };
        self.base.signals().change(clear, set).wake();
    }

    /// The thread's future has ended. Returns whether it was the last of its process.
    pub fn ended(&self) -> Last {
        {
            let mut inner = self.inner.lock();
            inner.phase = Phase::Dead;
            inner.parked = None;
        }
        self.leave_cpu();
        self.process.futexes().forget(self);
        self.forget_task();
        let clear = Signals::THREAD_RUNNING | Signals::THREAD_SUSPENDED;
        self.base
            .signals()
            .change(clear, Signals::TASK_TERMINATED)
            .wake();
        self.exceptions.close();
        self.process.thread_ended(self)
    }

    /// Where it is in its life.
    pub fn phase(&self) -> Phase {
        self.inner.lock().phase
    }

    /// `zx_info_thread_t::state`.
    pub fn info_state(&self) -> u32 {
        let is_suspended = || {
            let signals = self.base.signals().get();
            signals.contains(Signals::THREAD_SUSPENDED)
        };
        let state = match self.phase() {
            Phase::New => ThreadState::New,
            Phase::Dying => ThreadState::Dying,
            Phase::Dead => ThreadState::Dead,
            Phase::Running => match self.blocked.load(Ordering::Relaxed) {
                0 if is_suspended() => ThreadState::Suspended,
                0 => ThreadState::Running,
                blocked => return blocked,
            },
        };
        state.raw()
    }

    pub(crate) fn set_blocked(&self, why: BlockedOn) {
        self.blocked.store(why as u32, Ordering::Relaxed);
    }
}

impl KernelObject for Thread {
    fn base(&self) -> &ObjectBase {
        &self.base
    }
    fn object_type(&self) -> ObjectType {
        ObjectType::Thread
    }
    fn related_koid(&self) -> Koid {
        self.process.base().koid()
    }
    fn name(&self) -> Option<&Name> {
        Some(&self.name)
    }
}

impl TypedObject for Thread {
    const TYPE: ObjectType = ObjectType::Thread;
}

/// A reason to stop for a thread, kept by [`super::SuspendToken`].
pub(crate) fn token_for(thread: Arc<Thread>) -> ZxResult<Arc<super::SuspendToken>> {
    thread.suspend()?;
    try_arc(super::SuspendToken::of_thread(thread))
}
