//! Processes: an address space, a handle table, and the threads that use them.
//!
//! ```text
//! Init --start--> Running --exit, kill, last thread ends--> Dying --teardown--> Dead
//!  \------------------------exit, kill, last handle closed---^
//! ```
//! When a process starts to die all its threads are killed; the one that ends last runs [`Process::teardown`], which closes
//! handles and unmaps memory in bounded steps and only then sets TERMINATED. A process without threads is torn down by whoever
//! ends it, if that takes one step; otherwise it gets a task of its own.

use super::exception::ExceptionChannel;
use super::job_policy::JobPolicy;
use super::ports::Ports;
use super::thread::Last;
use super::{retcode, Job, Runtime, Thread};
use crate::alloc_try::try_arc_cyclic;
use crate::keyed_list::KeyedList;
use crate::object::{Handle, HandleTable, KernelObject, Koid, Name, ObjectBase, TypedObject};
use crate::runtime;
use crate::signal::futex::FutexTable;
use crate::vm::{AddressSpace, Vmar};
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use kernel_hal::addr::{USER_BASE, USER_SIZE};
use kernel_hal::sync::{Mutex, MutexGuard};
use zx_abi::exception::ExceptionHandler;
use zx_abi::{HandleValue, ObjectType, Rights, Signals, ZxError, ZxResult};

/// Handles closed in one step of a teardown.
const TEARDOWN_STEP: usize = 64;

/// A process.
pub struct Process {
    base: ObjectBase,
    name: Name,
    this: Weak<Self>,
    job: Arc<Job>,
    policy: JobPolicy,
    space: Arc<AddressSpace>,
    root_vmar: Arc<Vmar>,
    handles: Mutex<HandleTable>,
    futexes: FutexTable,
    ports: Ports,
    exceptions: ExceptionChannel,
    debugger: ExceptionChannel,
    inner: Mutex<Inner>,
}

struct Inner {
    status: ProcessStatus,
    started: bool,
    threads: KeyedList<Koid, Arc<Thread>>,
    critical: Option<Critical>,
    suspends: u32,
    debug_addr: usize,
    break_on_load: usize,
    /// Of the threads that have ended.
    ended: Runtime,
}

/// The job that ends with a process.
struct Critical {
    job: Arc<Job>,
    when: CriticalWhen,
}

/// Which end of a critical process ends the job.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CriticalWhen {
    /// Any.
    AnyEnd,
    /// One with a return code other than 0.
    RetcodeNonzero,
}

/// Where a process is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProcessStatus {
    /// Created, not started.
    Init,
    /// Has a running thread.
    Running,
    /// Its threads are ending; with the code that it will show.
    Dying(i64),
    /// Nothing is left of it but its code.
    Dead(i64),
}

impl Process {
    /// A process in `job` that has not started, with an empty address space.
    ///
    /// # Errors
    /// - `BadState`: the job was killed.
    /// - `NoMemory`: no memory for its page table or its parts.
    pub fn create(job: &Arc<Job>, name: &[u8]) -> ZxResult<Arc<Self>> {
        let root_vmar = Vmar::new_root(USER_BASE, USER_SIZE)?;
        let space = root_vmar.space().clone();
        let mut mixer = [0; 4];
        kernel_hal::rng::fill(&mut mixer);
        let policy = job.policy();
        let process = try_arc_cyclic(|this| Self {
            base: ObjectBase::new(Signals::empty()),
            name: Name::new(name),
            this: this.clone(),
            job: job.clone(),
            policy,
            space,
            root_vmar,
            handles: Mutex::new(HandleTable::new(u32::from_le_bytes(mixer))),
            futexes: FutexTable::new(),
            ports: Ports::new(),
            exceptions: ExceptionChannel::new(ExceptionHandler::Process),
            debugger: ExceptionChannel::new(ExceptionHandler::Debugger),
            inner: Mutex::new(Inner {
                status: ProcessStatus::Init,
                started: false,
                threads: KeyedList::new(),
                critical: None,
                suspends: 0,
                debug_addr: 0,
                break_on_load: 0,
                ended: Runtime::default(),
            }),
        })?;
        job.add_process(&process)?;
        Ok(process)
    }

    /// The job that it belongs to.
    pub fn job(&self) -> &Arc<Job> {
        &self.job
    }
    /// The policy it took from its job when it was created.
    #[inline(always)]
    pub fn policy(&self) -> &JobPolicy {
        &self.policy
    }
    /// Its address space.
    #[inline(always)]
    pub fn space(&self) -> &Arc<AddressSpace> {
        &self.space
    }
    /// The region that is the whole of its address space.
    pub fn root_vmar(&self) -> &Arc<Vmar> {
        &self.root_vmar
    }
    /// Its handles. Lookups only: no other lock is taken under this one, and no handle is dropped under it.
    #[inline(always)]
    pub fn handles(&self) -> MutexGuard<'_, HandleTable> {
        self.handles.lock()
    }
    /// The I/O ports that it may use.
    #[inline(always)]
    pub fn ports(&self) -> &Ports {
        &self.ports
    }
    /// Its futexes.
    pub fn futexes(&self) -> &FutexTable {
        &self.futexes
    }

    /// Where one may listen for the exceptions of its threads.
    pub fn exception_channel(&self) -> &ExceptionChannel {
        &self.exceptions
    }
    /// Where a debugger may listen: it is asked first, and hears of starting and ending threads.
    pub fn debugger_channel(&self) -> &ExceptionChannel {
        &self.debugger
    }

    /// Takes a handle in.
    ///
    /// # Errors
    /// - `NoMemory`: the table cannot grow; the handle is closed.
    pub fn add_handle(&self, handle: Handle) -> ZxResult<HandleValue> {
        let mut table = self.handles();
        if table.is_full() {
            if let Err(error) = table.reserve(1) {
                drop(table);
                drop(handle);
                return Err(error);
            }
        }
        table.add(handle)
    }

    /// Starts the first thread with a handle that moves into this process as its first argument.
    ///
    /// # Errors
    /// - `BadState`: the process was started before or is dead, or the thread was started.
    /// - `NoMemory`: no memory for the thread's future or the handle.
    pub fn start(
        &self,
        thread: &Arc<Thread>,
        entry: usize,
        stack: usize,
        arg1: Option<Handle>,
        arg2: usize,
    ) -> ZxResult {
        {
            let mut inner = self.inner.lock();
            if inner.status != ProcessStatus::Init {
                return Err(ZxError::BadState);
            }
            inner.status = ProcessStatus::Running;
            inner.started = true;
        }
        thread.make_initial();
        let arg1_value = arg1.map_or(Ok(0), |handle| self.add_handle(handle));
        let started = arg1_value.and_then(|value| {
            let started = thread.start(entry, stack, value as usize, arg2);
            if started.is_err() {
                let handle = self.handles().remove(value);
                drop(handle);
            }
            started
        });
        if started.is_err() {
            let mut inner = self.inner.lock();
            if inner.status == ProcessStatus::Running {
                (inner.status, inner.started) = (ProcessStatus::Init, false);
            }
        }
        started
    }

    /// A thread starts.
    pub(super) fn add_thread(&self, thread: Arc<Thread>) -> ZxResult {
        let mut inner = self.inner.lock();
        if inner.status != ProcessStatus::Running {
            return Err(ZxError::BadState);
        }
        for _ in 0..inner.suspends {
            thread.suspend()?;
        }
        inner.threads.add(thread.base().koid(), thread)
    }

    /// A thread that was added could not be started after all.
    pub(super) fn forget_thread(&self, thread: &Thread) {
        let forgotten = self.inner.lock().threads.remove(thread.base().koid());
        drop(forgotten);
    }

    /// A thread has ended.
    pub(super) fn thread_ended(&self, thread: &Thread) -> Last {
        let mut inner = self.inner.lock();
        inner.ended += thread.runtime();
        // The caller has a reference too, so this one is not the last.
        let ended = inner.threads.remove(thread.base().koid());
        if ended.is_none() || !inner.threads.is_empty() {
            return Last::No;
        }
        match inner.status {
            ProcessStatus::Running => {
                inner.status = ProcessStatus::Dying(0);
                Last::Yes
            }
            ProcessStatus::Dying(_) => Last::Yes,
            ProcessStatus::Init | ProcessStatus::Dead(_) => Last::No,
        }
    }

    /// Ends the process with this code; the first call decides the code. Returns at once: TERMINATED shows when it is over.
    pub fn exit(&self, code: i64) {
        let count = {
            let mut inner = self.inner.lock();
            match inner.status {
                ProcessStatus::Init | ProcessStatus::Running => {
                    inner.status = ProcessStatus::Dying(code)
                }
                ProcessStatus::Dying(_) | ProcessStatus::Dead(_) => return,
            }
            inner.started = true;
            inner.threads.len()
        };
        if count == 0 {
            return self.end_without_threads();
        }
        // Nobody joins any more, so one pass in the order of koids meets all.
        let mut after = Koid::NONE;
        loop {
            let next = self.inner.lock().threads.next_after(&mut after).cloned();
            match next {
                Some(thread) => thread.kill(),
                None => return,
            }
        }
    }

    /// Ends the process because of `task_kill`.
    pub fn kill(&self) {
        self.exit(retcode::SYSCALL_KILL);
    }

    /// Nobody else tears a process down that has no threads. One that never ran has no handles and little memory, and one step
    /// does it; more is for a task. (Handles are not closed here: what they end could nest without an end.)
    fn end_without_threads(&self) {
        let no_handles = self.handles().is_empty();
        if no_handles && !self.space.teardown_step() {
            self.finish();
        } else {
            self.spawn_teardown();
        }
    }

    /// Without a thread of its own the process needs another task; without memory for one it is torn down at once.
    fn spawn_teardown(&self) {
        let Some(this) = self.this.upgrade() else {
            return;
        };
        let task = this.clone();
        if runtime::EXECUTOR
            .spawn(async move { task.teardown().await })
            .is_err()
        {
            while this.teardown_step() {}
            this.finish();
        }
    }

    /// Closes all handles and unmaps all memory, yielding between steps; then shows TERMINATED.
    pub async fn teardown(&self) {
        while self.teardown_step() {
            executor::yield_now().await;
        }
        self.finish();
    }

    /// One bounded step; whether there is more to do.
    fn teardown_step(&self) -> bool {
        let closed = self.handles().drain(TEARDOWN_STEP);
        if closed.is_empty() {
            return self.space.teardown_step();
        }
        drop(closed);
        true
    }

    fn finish(&self) {
        let (code, critical) = {
            let mut inner = self.inner.lock();
            let (ProcessStatus::Dying(code) | ProcessStatus::Dead(code)) = inner.status else {
                return;
            };
            inner.status = ProcessStatus::Dead(code);
            (code, inner.critical.take())
        };
        self.base
            .signals()
            .change(Signals::empty(), Signals::TASK_TERMINATED)
            .wake();
        self.exceptions.close();
        self.debugger.close();
        self.job.remove_process(self);
        match critical {
            Some(Critical { job, when }) if when == CriticalWhen::AnyEnd || code != 0 => {
                let _ = job.kill_with(retcode::CRITICAL_PROCESS_KILL);
            }
            Some(_) | None => {}
        }
    }

    /// Asks all threads to stop, those that start later too.
    ///
    /// # Errors
    /// - `BadState`: the process is dying or dead.
    pub fn suspend(&self) -> ZxResult {
        let mut inner = self.inner.lock();
        match inner.status {
            ProcessStatus::Dying(_) | ProcessStatus::Dead(_) => return Err(ZxError::BadState),
            ProcessStatus::Init | ProcessStatus::Running => inner.suspends += 1,
        }
        for thread in inner.threads.iter() {
            // A thread that is dying need not stop.
            let _ = thread.suspend();
        }
        Ok(())
    }

    /// Takes one such request back.
    pub fn resume(&self) {
        let mut inner = self.inner.lock();
        inner.suspends = inner.suspends.saturating_sub(1);
        for thread in inner.threads.iter() {
            thread.resume();
        }
    }

    /// Where it is in its life.
    pub fn status(&self) -> ProcessStatus {
        self.inner.lock().status
    }

    /// Whether it was ever started (also when it was killed before).
    pub fn started(&self) -> bool {
        self.inner.lock().started
    }

    /// Koids of its running threads, oldest first.
    ///
    /// # Errors
    /// - `NoMemory`: no kernel memory for the list.
    pub fn thread_koids(&self) -> ZxResult<Vec<Koid>> {
        self.inner.lock().threads.keys()
    }

    /// A running thread by koid.
    pub fn thread(&self, koid: Koid) -> Option<Arc<Thread>> {
        self.inner.lock().threads.get(koid).cloned()
    }

    /// What its threads, those that ended included, have had of the CPU.
    pub fn runtime(&self) -> Runtime {
        let inner = self.inner.lock();
        let mut sum = inner.ended;
        for thread in inner.threads.iter() {
            sum += thread.runtime();
        }
        sum
    }

    /// Makes the end of this process the end of a job above it, for as long as the process lives.
    ///
    /// # Errors
    /// - `AlreadyBound`: it is critical to some job.
    /// - `InvalidArgs`: the process is not in `job` or below it.
    pub fn set_critical_to(&self, job: &Arc<Job>, when: CriticalWhen) -> ZxResult {
        let mut inner = self.inner.lock();
        if inner.critical.is_some() {
            return Err(ZxError::AlreadyBound);
        }
        if !job.contains(&self.job) {
            return Err(ZxError::InvalidArgs);
        }
        inner.critical = Some(Critical {
            job: job.clone(),
            when,
        });
        Ok(())
    }

    /// ZX_PROP_PROCESS_DEBUG_ADDR.
    pub fn debug_addr(&self) -> usize {
        self.inner.lock().debug_addr
    }

    /// Sets the debug address: once, except from 0 and from the value 1 (break on set).
    ///
    /// # Errors
    /// - `InvalidArgs`: the new value is 0.
    /// - `AccessDenied`: it was set before.
    pub fn set_debug_addr(&self, addr: usize) -> ZxResult {
        if addr == 0 {
            return Err(ZxError::InvalidArgs);
        }
        let mut inner = self.inner.lock();
        if inner.debug_addr > 1 {
            return Err(ZxError::AccessDenied);
        }
        inner.debug_addr = addr;
        Ok(())
    }

    /// ZX_PROP_PROCESS_BREAK_ON_LOAD.
    pub fn break_on_load(&self) -> usize {
        self.inner.lock().break_on_load
    }
    /// ZX_PROP_PROCESS_BREAK_ON_LOAD.
    pub fn set_break_on_load(&self, value: usize) {
        self.inner.lock().break_on_load = value;
    }

    /// The rights of the handle to the root VMAR that `process_create` returns.
    pub const ROOT_VMAR_RIGHTS: Rights = Rights::default_for(ObjectType::Vmar)
        .union(Rights::READ)
        .union(Rights::WRITE)
        .union(Rights::EXECUTE);
}

impl Drop for Process {
    fn drop(&mut self) {
        self.job.remove_process(self);
    }
}

impl KernelObject for Process {
    fn base(&self) -> &ObjectBase {
        &self.base
    }
    fn object_type(&self) -> ObjectType {
        ObjectType::Process
    }
    fn related_koid(&self) -> Koid {
        self.job.base().koid()
    }
    fn name(&self) -> Option<&Name> {
        Some(&self.name)
    }
    /// A process that never started ends with its last handle.
    fn on_zero_handles(&self) {
        if self.status() == ProcessStatus::Init {
            self.exit(retcode::SYSCALL_KILL);
        }
    }
}

impl TypedObject for Process {
    const TYPE: ObjectType = ObjectType::Process;
}
