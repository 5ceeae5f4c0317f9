//! Jobs: the tree of who may create, watch and kill whom.
//!
//! A job is referred to by its handles, its child jobs and its processes; it refers to them weakly, so a childless job whose
//! last handle closes goes away and leaves its parent's list.

use super::exception::ExceptionChannel;
use super::job_policy::JobPolicy;
use super::{retcode, Process, Runtime};
use crate::alloc_try::try_arc_cyclic;
use crate::keyed_list::KeyedList;
use crate::object::{KernelObject, Koid, Name, ObjectBase, TypedObject};
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};
use kernel_hal::sync::Mutex;
use zx_abi::exception::ExceptionHandler;
use zx_abi::limits::JOB_MAX_HEIGHT;
use zx_abi::{ObjectType, Signals, ZxError, ZxResult};

/// A group of processes and further jobs.
pub struct Job {
    base: ObjectBase,
    name: Name,
    this: Weak<Self>,
    parent: Option<Arc<Self>>,
    height: u32,
    kill_on_oom: AtomicBool,
    exceptions: ExceptionChannel,
    debugger: ExceptionChannel,
    inner: Mutex<Inner>,
}

struct Inner {
    policy: JobPolicy,
    jobs: KeyedList<Koid, Weak<Job>>,
    processes: KeyedList<Koid, Weak<Process>>,
    killed: Option<i64>,
    /// Of the processes and jobs that have left.
    ended: Runtime,
}

impl Job {
    /// The root of all jobs.
    ///
    /// # Errors
    /// - `NoMemory`: the kernel heap is exhausted.
    pub fn new_root() -> ZxResult<Arc<Self>> {
        let root = Self::make(None, JOB_MAX_HEIGHT, JobPolicy::default())?;
        root.name.set(b"root");
        Ok(root)
    }

    /// A child job with this job's policy.
    ///
    /// # Errors
    /// - `OutOfRange`: the tree would become too high.
    /// - `BadState`: this job was killed.
    /// - `NoMemory`: the kernel heap is exhausted.
    pub fn create_child(self: &Arc<Self>) -> ZxResult<Arc<Self>> {
        if self.height == 0 {
            return Err(ZxError::OutOfRange);
        }
        let policy = self.inner.lock().policy;
        let child = Self::make(Some(self.clone()), self.height - 1, policy)?;
        {
            let mut inner = self.inner.lock();
            if inner.killed.is_some() {
                return Err(ZxError::BadState);
            }
            inner.jobs.add(child.base.koid(), Arc::downgrade(&child))?;
        }
        self.base
            .signals()
            .change(Signals::JOB_NO_JOBS, Signals::empty())
            .wake();
        Ok(child)
    }

    fn make(parent: Option<Arc<Self>>, height: u32, policy: JobPolicy) -> ZxResult<Arc<Self>> {
        try_arc_cyclic(|this| Self {
            base: ObjectBase::new(Signals::JOB_NO_JOBS | Signals::JOB_NO_PROCESSES),
            name: Name::default(),
            this: this.clone(),
            parent,
            height,
            kill_on_oom: AtomicBool::new(false),
            exceptions: ExceptionChannel::new(ExceptionHandler::Job),
            debugger: ExceptionChannel::new(ExceptionHandler::JobDebugger),
            inner: Mutex::new(Inner {
                policy,
                jobs: KeyedList::new(),
                processes: KeyedList::new(),
                killed: None,
                ended: Runtime::default(),
            }),
        })
    }

    /// The job above.
    pub fn parent(&self) -> Option<&Arc<Self>> {
        self.parent.as_ref()
    }

    /// Where one may listen for exceptions of all threads below.
    pub fn exception_channel(&self) -> &ExceptionChannel {
        &self.exceptions
    }
    /// Where a debugger may listen for processes that start below.
    pub fn debugger_channel(&self) -> &ExceptionChannel {
        &self.debugger
    }

    /// The policy that a process created now would get.
    pub fn policy(&self) -> JobPolicy {
        self.inner.lock().policy
    }

    /// Changes the policy by `change`.
    ///
    /// # Errors
    /// - `BadState`: the job has children.
    /// - what `change` says.
    pub fn set_policy(&self, change: impl FnOnce(&JobPolicy) -> ZxResult<JobPolicy>) -> ZxResult {
        let mut inner = self.inner.lock();
        if !inner.jobs.is_empty() || !inner.processes.is_empty() {
            return Err(ZxError::BadState);
        }
        inner.policy = change(&inner.policy)?;
        Ok(())
    }

    /// ZX_PROP_JOB_KILL_ON_OOM.
    pub fn set_kill_on_oom(&self, kill: KillOnOom) {
        self.kill_on_oom
            .store(kill == KillOnOom::Yes, Ordering::Relaxed);
    }
    /// ZX_PROP_JOB_KILL_ON_OOM.
    pub fn kill_on_oom(&self) -> KillOnOom {
        if self.kill_on_oom.load(Ordering::Relaxed) {
            KillOnOom::Yes
        } else {
            KillOnOom::No
        }
    }

    /// Takes a new process in.
    ///
    /// # Errors
    /// - `BadState`: the job was killed.
    /// - `NoMemory`: the kernel heap is exhausted.
    pub(super) fn add_process(&self, process: &Arc<Process>) -> ZxResult {
        {
            let mut inner = self.inner.lock();
            if inner.killed.is_some() {
                return Err(ZxError::BadState);
            }
            inner
                .processes
                .add(process.base().koid(), Arc::downgrade(process))?;
        }
        self.base
            .signals()
            .change(Signals::JOB_NO_PROCESSES, Signals::empty())
            .wake();
        Ok(())
    }

    /// A process has ended.
    pub(super) fn remove_process(&self, process: &Process) {
        let runtime = process.runtime();
        let empty = {
            let mut inner = self.inner.lock();
            // What is taken out is a weak reference: nothing ends with it.
            if inner.processes.remove(process.base().koid()).is_some() {
                inner.ended += runtime;
            }
            inner.processes.is_empty()
        };
        if empty {
            self.base
                .signals()
                .change(Signals::empty(), Signals::JOB_NO_PROCESSES)
                .wake();
        }
        self.finish_if_killed_and_empty();
    }

    fn remove_child(&self, job: &Self) {
        let runtime = job.runtime();
        let empty = {
            let mut inner = self.inner.lock();
            if inner.jobs.remove(job.base.koid()).is_some() {
                inner.ended += runtime;
            }
            inner.jobs.is_empty()
        };
        if empty {
            self.base
                .signals()
                .change(Signals::empty(), Signals::JOB_NO_JOBS)
                .wake();
        }
        self.finish_if_killed_and_empty();
    }

    /// Kills everything below and refuses children for ever. Jobs end bottom-up: a job shows TERMINATED, and leaves its
    /// parent's list, when all below it have.
    pub fn kill(&self) {
        let _ = self.kill_with(retcode::SYSCALL_KILL);
    }

    /// The same with a return code; the first one counts.
    pub(super) fn kill_with(&self, code: i64) -> Killed {
        {
            let mut inner = self.inner.lock();
            if inner.killed.is_some() {
                return Killed::Before;
            }
            inner.killed = Some(code);
        }
        // Nobody joins any more, so one pass in the order of koids meets all. No list is made: memory may be why this runs.
        self.for_each_job(|job| {
            let _ = job.kill_with(code);
        });
        self.for_each_process(|process| process.exit(code));
        self.finish_if_killed_and_empty();
        Killed::Now
    }

    /// Kills one job of those that may be killed when memory runs out, this one or one below it: among the highest in the
    /// tree the youngest. Nothing is allocated.
    pub fn kill_for_memory(&self) -> Option<Arc<Self>> {
        let mut best = None;
        self.find_expendable(&mut best);
        let job = best?;
        (job.kill_with(retcode::OOM_KILL) == Killed::Now).then_some(job)
    }

    fn find_expendable(&self, best: &mut Option<Arc<Self>>) {
        if self.kill_on_oom() == KillOnOom::Yes && self.ended_with().is_none() {
            let higher = best.as_ref().is_none_or(|best| best.height <= self.height);
            if let (true, Some(this)) = (higher, self.this()) {
                *best = Some(this);
            }
        }
        self.for_each_job(|job| job.find_expendable(best));
    }

    /// Whether `job` is this one or below it.
    pub fn contains(&self, job: &Self) -> bool {
        core::iter::successors(Some(job), |job| job.parent().map(|parent| &**parent))
            .any(|job| core::ptr::eq(job, self))
    }

    fn for_each_job(&self, mut visit: impl FnMut(Arc<Self>)) {
        let mut after = Koid::NONE;
        loop {
            let next = self.inner.lock().jobs.next_after(&mut after).cloned();
            match next.map(|job| job.upgrade()) {
                Some(Some(job)) => visit(job),
                Some(None) => {}
                None => return,
            }
        }
    }

    fn for_each_process(&self, mut visit: impl FnMut(Arc<Process>)) {
        let mut after = Koid::NONE;
        loop {
            let next = self.inner.lock().processes.next_after(&mut after).cloned();
            match next.map(|process| process.upgrade()) {
                Some(Some(process)) => visit(process),
                Some(None) => {}
                None => return,
            }
        }
    }

    fn finish_if_killed_and_empty(&self) {
        let ended = {
            let inner = self.inner.lock();
            inner.killed.is_some() && inner.jobs.is_empty() && inner.processes.is_empty()
        };
        if ended && !self.base.signals().get().contains(Signals::TASK_TERMINATED) {
            self.base
                .signals()
                .change(Signals::empty(), Signals::TASK_TERMINATED)
                .wake();
            self.exceptions.close();
            self.debugger.close();
            if let Some(parent) = &self.parent {
                parent.remove_child(self);
            }
        }
    }

    /// The return code and whether it has ended, for ZX_INFO_JOB.
    pub fn ended_with(&self) -> Option<i64> {
        self.inner.lock().killed
    }

    /// What all threads in it and below, those that ended included, have had of the CPU.
    pub fn runtime(&self) -> Runtime {
        let mut sum = self.inner.lock().ended;
        self.for_each_job(|job| sum += job.runtime());
        self.for_each_process(|process| sum += process.runtime());
        sum
    }

    /// Koids of the direct child jobs, oldest first.
    ///
    /// # Errors
    /// - `NoMemory`: no kernel memory for the list.
    pub fn child_koids(&self) -> ZxResult<Vec<Koid>> {
        self.inner.lock().jobs.keys()
    }

    /// Koids of the direct processes, oldest first.
    ///
    /// # Errors
    /// - `NoMemory`: no kernel memory for the list.
    pub fn process_koids(&self) -> ZxResult<Vec<Koid>> {
        self.inner.lock().processes.keys()
    }

    /// A direct child job.
    pub fn child(&self, koid: Koid) -> Option<Arc<Self>> {
        self.inner.lock().jobs.get(koid)?.upgrade()
    }

    /// A direct process.
    pub fn process(&self, koid: Koid) -> Option<Arc<Process>> {
        self.inner.lock().processes.get(koid)?.upgrade()
    }

    /// A strong reference to itself.
    pub fn this(&self) -> Option<Arc<Self>> {
        self.this.upgrade()
    }
}

/// Whether the job is killed when memory runs out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KillOnOom {
    /// It is.
    Yes,
    /// It is not.
    No,
}

/// What an order to kill found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Killed {
    /// The job was alive.
    Now,
    /// It was killed before.
    Before,
}

impl Drop for Job {
    fn drop(&mut self) {
        if let Some(parent) = &self.parent {
            parent.remove_child(self);
        }
    }
}

impl KernelObject for Job {
    fn base(&self) -> &ObjectBase {
        &self.base
    }
    fn object_type(&self) -> ObjectType {
        ObjectType::Job
    }
    fn related_koid(&self) -> Koid {
        self.parent
            .as_ref()
            .map_or(Koid::NONE, |parent| parent.base.koid())
    }
    fn name(&self) -> Option<&Name> {
        Some(&self.name)
    }
}

impl TypedObject for Job {
    const TYPE: ObjectType = ObjectType::Job;
}
