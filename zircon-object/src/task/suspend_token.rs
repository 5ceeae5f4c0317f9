//! Suspend tokens: while one lives, its thread or process does not run user code.

use super::thread::token_for;
use super::{Process, Thread};
use crate::alloc_try::try_arc;
use crate::object::{KernelObject, ObjectBase, TypedObject};
use alloc::sync::Arc;
use kernel_hal::sync::Mutex;
use zx_abi::{ObjectType, Signals, ZxResult};

/// Keeps a task suspended until its last handle is closed.
pub struct SuspendToken {
    base: ObjectBase,
    target: Mutex<Option<Target>>,
}

enum Target {
    Thread(Arc<Thread>),
    Process(Arc<Process>),
}

impl SuspendToken {
    /// Suspends a thread.
    ///
    /// # Errors
    /// - `BadState`: the thread is dying or dead.
    /// - `NoMemory`: the kernel heap is exhausted.
    pub fn suspend_thread(thread: Arc<Thread>) -> ZxResult<Arc<Self>> {
        token_for(thread)
    }

    /// Suspends all threads of a process, those to come as well.
    ///
    /// # Errors
    /// - `BadState`: the process is dying or dead.
    /// - `NoMemory`: the kernel heap is exhausted.
    pub fn suspend_process(process: Arc<Process>) -> ZxResult<Arc<Self>> {
        process.suspend()?;
        try_arc(Self {
            base: ObjectBase::new(Signals::empty()),
            target: Mutex::new(Some(Target::Process(process))),
        })
    }

    pub(crate) fn of_thread(thread: Arc<Thread>) -> Self {
        Self {
            base: ObjectBase::new(Signals::empty()),
            target: Mutex::new(Some(Target::Thread(thread))),
        }
    }

    fn release(&self) {
        let target = self.target.lock().take();
        match target {
            Some(Target::Thread(thread)) => thread.resume(),
            Some(Target::Process(process)) => process.resume(),
            None => {}
        }
    }
}

impl Drop for SuspendToken {
    fn drop(&mut self) {
        self.release();
    }
}

impl KernelObject for SuspendToken {
    fn base(&self) -> &ObjectBase {
        &self.base
    }
    fn object_type(&self) -> ObjectType {
        ObjectType::SuspendToken
    }
    fn on_zero_handles(&self) {
        self.release();
    }
}

impl TypedObject for SuspendToken {
    const TYPE: ObjectType = ObjectType::SuspendToken;
}
