//! Who makes a call, and what a shim may do on its behalf: look up handles, ask policy, copy memory.

use crate::deferred::Deferred;
use crate::level::{self, Differences};
use crate::unfinished::Unfinished;
use crate::VdsoAbi;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use kernel_hal::context::{GeneralRegs, Syscalls};
use kernel_hal::sync::Mutex;
use kernel_hal::user::{Curable, UserFault, UserIn, UserOut};
use zerocopy::{FromBytes, Immutable, IntoBytes};
use zircon_object::ipc::channel::PendingCall;
use zircon_object::object::{HandleKey, KernelObject, TypedObject};
use zircon_object::task::thread::Attention;
use zircon_object::task::{retcode, Deadline, PolicyAction, PolicyCondition, Process, Thread};
use zircon_object::vm::{Fault, PageRequest};
use zx_abi::syscalls::SyscallId;
use zx_abi::{HandleValue, Rights, Signals, ZxError, ZxResult};

/// The thread that makes calls; one lives as long as the thread's future.
pub struct Caller<'a> {
    thread: &'a Arc<Thread>,
    process: &'a Arc<Process>,
    /// What a call leaves for its thread to do, bits of [`after`].
    attention: AtomicU32,
    vdso_base: AtomicUsize,
    interrupted_call: Mutex<Option<PendingCall>>,
    wanted_page: Mutex<Option<WantedPage>>,
    deferred: Mutex<Deferred>,
    unfinished: Mutex<Option<Unfinished>>,
    level: &'static Differences,
    abi: &'a VdsoAbi,
}

/// A page that a call met missing before it did anything.
pub struct WantedPage {
    /// The wait for it; then the call is made again.
    pub request: PageRequest,
    /// Whose page it is.
    pub needed_for: NeededFor,
}

/// What a missing page is part of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NeededFor {
    /// The object of the call, which fails with what the pager says.
    Object,
    /// A buffer of the program, which is as good as not there when the pager cannot supply it.
    Buffer,
}

impl NeededFor {
    /// What the call says when the pager has failed the request with `error`.
    #[must_use]
    pub fn error(self, error: ZxError) -> ZxError {
        match self {
            Self::Object => error,
            Self::Buffer => ZxError::InvalidArgs,
        }
    }
}

/// What a call can leave to do.
mod after {
    pub(super) const POLICY_EXCEPTION: u32 = 1;
    pub(super) const PAGE: u32 = 2;
    pub(super) const WAIT: u32 = 4;
    pub(super) const BAD: u32 = 8;
    pub(super) const DEFERRED: u32 = 16;
    pub(super) const UNFINISHED: u32 = 32;
}

/// How far a call came when it was served.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Left {
    /// It is done, with this value for rax.
    Done(u64),
    /// It must wait: await [`complete`](crate::complete).
    Wait,
    /// No such call, or not from there: the thread gets a policy exception, and BAD_SYSCALL if it lives on.
    Bad,
}

impl Syscalls for Caller<'_> {
    #[inline(always)]
    fn serve(&self, regs: &GeneralRegs) -> u64 {
        // An address that is not known yet is 0, which fits no call.
        let base = self.vdso_base.load(Ordering::Relaxed);
        match self.abi.handler(regs.rax, regs.rip, base) {
            Some(run) => run(self, regs),
            None => self.serve_from_elsewhere(regs),
        }
    }
}

impl<'a> Caller<'a> {
    /// The calls of `thread`, as its vDSO makes them.
    #[must_use]
    pub fn new(thread: &'a Arc<Thread>, abi: &'a VdsoAbi) -> Self {
        let process = thread.process();
        Self {
            thread,
            process,
            attention: AtomicU32::new(0),
            vdso_base: AtomicUsize::new(process.space().vdso_base().unwrap_or(0)),
            interrupted_call: Mutex::new(None),
            wanted_page: Mutex::new(None),
            deferred: Mutex::new(Deferred::default()),
            unfinished: Mutex::new(None),
            level: level::current(),
            abi,
        }
    }

    /// The calling thread.
    #[inline(always)]
    #[must_use]
    pub fn thread(&self) -> &'a Arc<Thread> {
        self.thread
    }

    /// Its process.
    #[inline(always)]
    #[must_use]
    pub fn process(&self) -> &'a Arc<Process> {
        self.process
    }

    /// What its ABI level does otherwise than others.
    #[inline(always)]
    pub(crate) fn level(&self) -> &'static Differences {
        self.level
    }

    /// The same caller at another level.
    #[cfg(test)]
    pub(crate) fn at(self, level: crate::Level) -> Self {
        Self {
            level: level.differences(),
            ..self
        }
    }

    /// Serves a call that is not made from the first site of its number, as far as this thread knows where the vDSO is. The
    /// address is remembered: once the vDSO's code is mapped it stays.
    #[cold]
    fn serve_from_elsewhere(&self, regs: &GeneralRegs) -> u64 {
        let base = self.process.space().vdso_base().unwrap_or(0);
        self.vdso_base.store(base, Ordering::Relaxed);
        match self.abi.handler_anywhere(regs.rax, regs.rip, base) {
            Some(run) => run(self, regs),
            None => self.refuse(),
        }
    }

    /// The call that is being made.
    pub(crate) fn call_of(&self, regs: &GeneralRegs) -> Option<SyscallId> {
        self.abi.call(regs.rax)
    }

    /// Makes the thread run the call where it can wait, instead of going on; for handlers.
    #[inline(always)]
    pub(crate) fn must_wait(&self) -> u64 {
        self.leave(after::WAIT)
    }

    /// Makes the thread hear that its call is none; for handlers.
    #[cold]
    pub(crate) fn refuse(&self) -> u64 {
        self.leave(after::BAD)
    }

    /// Makes the thread do something before it goes on.
    #[inline(always)]
    fn leave(&self, what: u32) -> u64 {
        self.attention.fetch_or(what, Ordering::Relaxed);
        kernel_hal::context::leave();
        0
    }

    /// How far the last call came, which was answered with `value`. Asking resets it.
    #[inline(always)]
    pub fn take_left(&self, value: u64) -> Left {
        let attention = self.attention.load(Ordering::Relaxed);
        if attention & (after::WAIT | after::BAD) == 0 {
            return Left::Done(value);
        }
        // Only the thread itself writes here.
        self.attention
            .store(attention & !(after::WAIT | after::BAD), Ordering::Relaxed);
        if attention & after::WAIT != 0 {
            Left::Wait
        } else {
            Left::Bad
        }
    }

    /// Whether the last call left something to do before its thread goes on: see [`Caller::take_wanted_page`],
    /// [`Caller::take_unfinished`], [`Caller::take_deferred`] and [`Caller::take_policy_exception`].
    #[inline(always)]
    pub fn has_attention(&self) -> bool {
        self.attention.load(Ordering::Relaxed) != 0
    }

    /// Whether a policy has asked for an exception. Asking resets it.
    #[cold]
    pub fn take_policy_exception(&self) -> bool {
        self.attention
            .fetch_and(!after::POLICY_EXCEPTION, Ordering::Relaxed)
            & after::POLICY_EXCEPTION
            != 0
    }

    /// The wait for a page that the last call, which returned `value`, met missing before it did anything: the call is to be
    /// made again afterwards. A call that did something in spite of that is not.
    #[cold]
    pub fn take_wanted_page(&self, value: u64) -> Option<WantedPage> {
        self.attention.fetch_and(!after::PAGE, Ordering::Relaxed);
        let page = self.wanted_page.lock().take();
        page.filter(|_| value == i64::cast_unsigned(ZxError::ShouldWait as i64))
    }

    /// Whether the last call has results that wait for a pager, see [`Caller::deliver`]. Asking resets it.
    #[cold]
    pub fn take_deferred(&self) -> bool {
        self.attention
            .fetch_and(!after::DEFERRED, Ordering::Relaxed)
            & after::DEFERRED
            != 0
    }

    /// Whether the last call left work to its thread, see [`Caller::go_on`]. Asking resets it.
    #[cold]
    pub fn take_unfinished(&self) -> bool {
        self.attention
            .fetch_and(!after::UNFINISHED, Ordering::Relaxed)
            & after::UNFINISHED
            != 0
    }

    pub(crate) fn unfinished(&self) -> &Mutex<Option<Unfinished>> {
        &self.unfinished
    }

    pub(crate) fn note_unfinished(&self) {
        self.leave(after::UNFINISHED);
    }

    pub(crate) fn deferred(&self) -> &Mutex<Deferred> {
        &self.deferred
    }

    pub(crate) fn note_deferred(&self) {
        self.leave(after::DEFERRED);
    }

    /// The `channel_call` that a suspension interrupted: it waits here for `channel_call_finish`.
    pub(crate) fn interrupted_call(&self) -> &Mutex<Option<PendingCall>> {
        &self.interrupted_call
    }

    /// The object behind a handle, as `T`, when the handle has `rights`.
    ///
    /// # Errors
    /// - `BadHandle`: no such handle; job policy hears of it.
    /// - `WrongType`: the object is not a `T`.
    /// - `AccessDenied`: a right is missing.
    #[inline(always)]
    pub(crate) fn get<T: TypedObject>(
        &self,
        handle: HandleValue,
        rights: Rights,
    ) -> ZxResult<Arc<T>> {
        let found = self.process.handles().get::<T>(handle, rights);
        found.map_err(|error| self.lookup_failed(error))
    }

    /// As [`Caller::get`] without a required right, and the handle's rights.
    ///
    /// # Errors
    /// - `BadHandle`: no such handle; job policy hears of it.
    /// - `WrongType`: the object is not a `T`.
    pub(crate) fn get_with_rights<T: TypedObject>(
        &self,
        handle: HandleValue,
    ) -> ZxResult<(Arc<T>, Rights)> {
        let found = self.process.handles().get_with_rights::<T>(handle);
        found.map_err(|error| self.lookup_failed(error))
    }

    /// The object behind a handle, of any type, and the handle's identity for waits.
    ///
    /// # Errors
    /// - `BadHandle`: no such handle; job policy hears of it.
    /// - `AccessDenied`: a right is missing.
    #[inline(always)]
    pub(crate) fn get_any(
        &self,
        handle: HandleValue,
        rights: Rights,
    ) -> ZxResult<(Arc<dyn KernelObject>, HandleKey)> {
        let found = self.process.handles().get_object(handle, rights);
        found.map_err(|error| self.lookup_failed(error))
    }

    /// What an object of any type shows.
    ///
    /// # Errors
    /// - `BadHandle`: no such handle; job policy hears of it.
    /// - `AccessDenied`: a right is missing.
    #[inline(always)]
    pub(crate) fn signals_of(&self, handle: HandleValue, rights: Rights) -> ZxResult<Signals> {
        let shown = self.process.handles().signals_of(handle, rights);
        shown.map_err(|error| self.lookup_failed(error))
    }

    /// Tells job policy of a failed lookup and passes the error on.
    #[cold]
    pub(crate) fn lookup_failed(&self, error: ZxError) -> ZxError {
        if error == ZxError::BadHandle {
            match self.process.policy().action(PolicyCondition::BadHandle) {
                PolicyAction::Allow | PolicyAction::Deny => {}
                PolicyAction::AllowException | PolicyAction::DenyException => {
                    self.ask_for_exception()
                }
                PolicyAction::Kill => self.process.exit(retcode::POLICY_KILL),
            }
        }
        error
    }

    /// Asks job policy.
    ///
    /// # Errors
    /// - `AccessDenied`: the policy denies it.
    #[inline(always)]
    pub(crate) fn policy(&self, condition: PolicyCondition) -> ZxResult {
        match self.process.policy().action(condition) {
            PolicyAction::Allow => Ok(()),
            action => self.policy_says(action),
        }
    }

    #[cold]
    fn policy_says(&self, action: PolicyAction) -> ZxResult {
        match action {
            PolicyAction::Allow => Ok(()),
            PolicyAction::Deny => Err(ZxError::AccessDenied),
            PolicyAction::AllowException => {
                self.ask_for_exception();
                Ok(())
            }
            PolicyAction::DenyException => {
                self.ask_for_exception();
                Err(ZxError::AccessDenied)
            }
            PolicyAction::Kill => {
                self.process.exit(retcode::POLICY_KILL);
                Err(ZxError::AccessDenied)
            }
        }
    }

    /// Makes the thread take a policy exception before it goes on.
    pub(crate) fn ask_for_exception(&self) {
        self.leave(after::POLICY_EXCEPTION);
    }

    /// The window that the process's policy gives a deadline.
    #[inline(always)]
    pub(crate) fn deadline(&self, when: i64) -> Deadline {
        self.process.policy().deadline(when)
    }

    /// Lets others run between the steps of a long call.
    ///
    /// # Errors
    /// - `Canceled`: the thread is to die, and the call need not go on.
    pub(crate) async fn give_way(&self) -> ZxResult {
        self.thread.yield_now().await;
        if self.thread.needs_attention() && self.thread.attention() == Attention::Kill {
            return Err(ZxError::Canceled);
        }
        Ok(())
    }

    /// Does `access`, and again as long as its faults can be resolved.
    ///
    /// # Errors
    /// - `InvalidArgs`: the memory is not there or does not permit it.
    #[inline(always)]
    pub(crate) fn with_faults<R>(
        &self,
        mut access: impl FnMut() -> Result<R, UserFault>,
    ) -> ZxResult<R> {
        loop {
            match access() {
                Ok(value) => return Ok(value),
                Err(fault) => self.resolve(fault)?,
            }
        }
    }

    /// Resolves a fault of a copy like a fault of the program.
    ///
    /// # Errors
    /// - `InvalidArgs`: it cannot be resolved.
    /// - `NoMemory`: a pager has to supply the page, and there is no memory to ask it.
    /// - `ShouldWait`: a pager has to supply the page. When this is what the call returns, the thread waits for the page and makes
    ///   the call again.
    #[cold]
    pub(crate) fn resolve(&self, fault: UserFault) -> ZxResult {
        if fault.curable == Curable::Never {
            return Err(ZxError::InvalidArgs);
        }
        match self.process.space().fault(fault.addr, fault.access) {
            Ok(()) => Ok(()),
            Err(Fault::Pager) => match self.process.space().ask_for(fault.addr)? {
                Some(request) => Err(self.want_page(request, NeededFor::Buffer)),
                None => Ok(()),
            },
            Err(_) => Err(ZxError::InvalidArgs),
        }
    }

    /// Makes the thread wait for a page before it makes the call again, once the call has returned this error.
    pub(crate) fn want_page(&self, request: PageRequest, needed_for: NeededFor) -> ZxError {
        let wanted = WantedPage {
            request,
            needed_for,
        };
        let old = self.wanted_page.lock().replace(wanted);
        drop(old);
        self.leave(after::PAGE);
        ZxError::ShouldWait
    }

    /// Takes back [`Caller::want_page`]: somebody else waits for the page.
    pub(crate) fn unwant_page(&self) -> Option<PageRequest> {
        self.attention.fetch_and(!after::PAGE, Ordering::Relaxed);
        self.wanted_page.lock().take().map(|wanted| wanted.request)
    }

    /// Reads one value.
    ///
    /// # Errors
    /// - `InvalidArgs`: the memory cannot be read.
    #[inline(always)]
    pub(crate) fn read<T: FromBytes + IntoBytes>(&self, from: UserIn<T>) -> ZxResult<T> {
        self.with_faults(|| from.read())
    }

    /// Reads as many values as `into` holds.
    ///
    /// # Errors
    /// - `InvalidArgs`: the memory cannot be read.
    #[inline(always)]
    pub(crate) fn read_slice<T: FromBytes + IntoBytes>(
        &self,
        from: UserIn<T>,
        into: &mut [T],
    ) -> ZxResult {
        self.with_faults(|| from.read_slice(into))
    }

    /// Reads `count` values into a vector. The caller has checked `count` against the limit of its call.
    ///
    /// # Errors
    /// - `NoMemory`: no kernel memory for them.
    /// - `InvalidArgs`: the memory cannot be read.
    pub(crate) fn read_vec<T: FromBytes + IntoBytes + Clone>(
        &self,
        from: UserIn<T>,
        count: usize,
    ) -> ZxResult<Vec<T>> {
        let mut values = Vec::new();
        values
            .try_reserve_exact(count)
            .map_err(|_| ZxError::NoMemory)?;
        values.resize(count, T::new_zeroed());
        self.read_slice(from, &mut values)?;
        Ok(values)
    }

    /// Writes one value; later, if a pager has to supply the memory.
    ///
    /// # Errors
    /// - `InvalidArgs`: the memory cannot be written.
    /// - `NoMemory`: no kernel memory to keep the value until it can.
    #[inline(always)]
    pub(crate) fn write<T: IntoBytes + Immutable>(&self, to: UserOut<T>, value: &T) -> ZxResult {
        match self.with_faults(|| to.write(value)) {
            Ok(()) => Ok(()),
            Err(error) => self.defer(error, to.addr(), value.as_bytes(), &[]),
        }
    }

    /// Writes one value unless the pointer is NULL.
    ///
    /// # Errors
    /// - `InvalidArgs`: the memory cannot be written.
    #[inline(always)]
    pub(crate) fn write_optional<T: IntoBytes + Immutable>(
        &self,
        to: UserOut<T>,
        value: &T,
    ) -> ZxResult {
        if to.is_null() {
            Ok(())
        } else {
            self.write(to, value)
        }
    }

    /// Writes values back to back; later, if a pager has to supply the memory.
    ///
    /// # Errors
    /// - `InvalidArgs`: the memory cannot be written.
    /// - `NoMemory`: no kernel memory to keep them until it can.
    #[inline(always)]
    pub(crate) fn write_slice<T: IntoBytes + Immutable>(
        &self,
        to: UserOut<T>,
        values: &[T],
    ) -> ZxResult {
        match self.with_faults(|| to.write_slice(values)) {
            Ok(()) => Ok(()),
            Err(error) => self.defer(error, to.addr(), values.as_bytes(), &[]),
        }
    }

    /// Writes bytes of a call that has no effect but this and can be made again as a whole.
    ///
    /// # Errors
    /// - `InvalidArgs`: the memory cannot be written.
    /// - `ShouldWait`: a pager has to supply it, see [`Caller::resolve`].
    pub(crate) fn write_or_start_over(&self, to: UserOut<u8>, bytes: &[u8]) -> ZxResult {
        self.with_faults(|| to.write_slice(bytes))
    }

    /// Reads a name: at most 31 bytes are kept of `len`. NULL is an error even when `len` is 0.
    ///
    /// # Errors
    /// - `InvalidArgs`: NULL, or the memory cannot be read.
    pub(crate) fn read_name(&self, from: UserIn<u8>, len: usize) -> ZxResult<([u8; 31], usize)> {
        if from.is_null() {
            return Err(ZxError::InvalidArgs);
        }
        let mut name = [0; 31];
        let len = len.min(name.len());
        self.read_slice(from, &mut name[..len])?;
        Ok((name, len))
    }
}
