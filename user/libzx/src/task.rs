//! Jobs, processes, threads, resources, and this program's own.

use core::mem::ManuallyDrop;
use core::sync::atomic::Ordering::Relaxed;

use zx_abi::info::{InfoTopic, ProcessInfo};
use zx_abi::power::PowerCommand;
use zx_abi::ZxResult;

use crate::handle::object;
use crate::state::state;
use crate::{sys, AsHandle, Handle, Unowned, Vmar};

object! {
    /// A job.
    Job
}

impl Job {
    /// A child job.
    ///
    /// # Errors
    /// Those of `zx_job_create`.
    pub fn create_child(&self) -> ZxResult<Self> {
        let mut out = 0;
        // SAFETY: `out` is this frame's.
        unsafe { sys::zx_job_create(self.raw(), 0, &mut out) }.into_result()?;
        Ok(Self(Handle::from_raw(out)))
    }

    /// Kills every process in it and below.
    ///
    /// # Errors
    /// Those of `zx_task_kill`.
    pub fn kill(&self) -> ZxResult {
        // SAFETY: the call touches no memory of the program.
        unsafe { sys::zx_task_kill(self.raw()) }.into_result()
    }

    /// The child, process or job, with this koid.
    ///
    /// # Errors
    /// Those of `zx_object_get_child`.
    pub fn child(&self, koid: u64, rights: zx_abi::Rights) -> ZxResult<Handle> {
        get_child(self.raw(), koid, rights)
    }
}

object! {
    /// A process.
    Process
}

impl Process {
    /// A process without threads, and its root VMAR.
    ///
    /// # Errors
    /// Those of `zx_process_create`.
    pub fn create(job: &Job, name: &str) -> ZxResult<(Self, Vmar)> {
        let (mut process, mut vmar) = (0, 0);
        // SAFETY: both results are this frame's; the name lives through the call.
        unsafe {
            sys::zx_process_create(
                job.raw(),
                name.as_ptr(),
                name.len(),
                0,
                &mut process,
                &mut vmar,
            )
        }
        .into_result()?;
        Ok((
            Self(Handle::from_raw(process)),
            Handle::from_raw(vmar).into(),
        ))
    }

    /// Starts its first thread. `arg` moves to the new process and becomes its first argument.
    ///
    /// # Errors
    /// Those of `zx_process_start`.
    pub fn start(
        &self,
        thread: &Thread,
        entry: usize,
        stack: usize,
        arg: Handle,
        arg2: usize,
    ) -> ZxResult {
        // SAFETY: another process runs there; `arg` was given up.
        unsafe {
            sys::zx_process_start(self.raw(), thread.raw(), entry, stack, arg.into_raw(), arg2)
        }
        .into_result()
    }

    /// Whether it runs, and its exit code.
    ///
    /// # Errors
    /// Those of `zx_object_get_info`.
    pub fn info(&self) -> ZxResult<ProcessInfo> {
        self.get_info(InfoTopic::Process)
    }

    /// Kills it.
    ///
    /// # Errors
    /// Those of `zx_task_kill`.
    pub fn kill(&self) -> ZxResult {
        // SAFETY: the call touches no memory of the program (unless it ends it).
        unsafe { sys::zx_task_kill(self.raw()) }.into_result()
    }

    /// The thread with this koid.
    ///
    /// # Errors
    /// Those of `zx_object_get_child`.
    pub fn thread(&self, koid: u64, rights: zx_abi::Rights) -> ZxResult<Thread> {
        get_child(self.raw(), koid, rights).map(Thread)
    }

    /// Reads the process's memory and says how much there was.
    ///
    /// # Errors
    /// Those of `zx_process_read_memory`.
    pub fn read_memory(&self, address: usize, buffer: &mut [u8]) -> ZxResult<usize> {
        let mut actual = 0;
        let (pointer, len) = (buffer.as_mut_ptr(), buffer.len());
        // SAFETY: `buffer` is borrowed for the call, `actual` is this frame's.
        unsafe { sys::zx_process_read_memory(self.raw(), address, pointer, len, &mut actual) }
            .into_result()?;
        Ok(actual)
    }

    /// Writes the process's memory and says how much there was.
    ///
    /// # Errors
    /// Those of `zx_process_write_memory`.
    pub fn write_memory(&self, address: usize, bytes: &[u8]) -> ZxResult<usize> {
        let mut actual = 0;
        let (pointer, len) = (bytes.as_ptr(), bytes.len());
        // SAFETY: `bytes` lives through the call, `actual` is this frame's; memory that safe code of this very program
        // refers to is not the caller's to write.
        unsafe { sys::zx_process_write_memory(self.raw(), address, pointer, len, &mut actual) }
            .into_result()?;
        Ok(actual)
    }
}

object! {
    /// A thread.
    Thread
}

impl Thread {
    /// A thread of `process` that does not run yet.
    ///
    /// # Errors
    /// Those of `zx_thread_create`.
    pub fn create(process: &impl AsHandle, name: &str) -> ZxResult<Self> {
        let mut out = 0;
        // SAFETY: `out` is this frame's; the name lives through the call.
        unsafe { sys::zx_thread_create(process.raw(), name.as_ptr(), name.len(), 0, &mut out) }
            .into_result()?;
        Ok(Self(Handle::from_raw(out)))
    }

    /// Suspends the thread for as long as the returned token lives.
    ///
    /// # Errors
    /// Those of `zx_task_suspend`.
    pub fn suspend(&self) -> ZxResult<Handle> {
        let mut token = 0;
        // SAFETY: `token` is this frame's.
        unsafe { sys::zx_task_suspend(self.raw(), &mut token) }.into_result()?;
        Ok(Handle::from_raw(token))
    }
}

object! {
    /// A resource: permission to ask for something privileged.
    Resource
}

impl Resource {
    /// Powers off, reboots...
    ///
    /// # Errors
    /// Those of `zx_system_powerctl`.
    pub fn powerctl(&self, command: PowerCommand) -> ZxResult {
        // SAFETY: the commands that take an argument refuse a null pointer.
        unsafe { sys::zx_system_powerctl(self.raw(), command.raw(), core::ptr::null()) }
            .into_result()
    }
}

fn get_child(parent: u32, koid: u64, rights: zx_abi::Rights) -> ZxResult<Handle> {
    let mut out = 0;
    // SAFETY: `out` is this frame's.
    unsafe { sys::zx_object_get_child(parent, koid, rights, &mut out) }.into_result()?;
    Ok(Handle::from_raw(out))
}

/// This program's process; an invalid handle when the bootstrap message had none.
#[must_use]
pub fn own_process() -> Unowned {
    Unowned(state().process.load(Relaxed))
}

/// This program's root VMAR; an invalid handle when the bootstrap message had none.
#[must_use]
pub fn own_root_vmar() -> Unowned {
    Unowned(state().root_vmar.load(Relaxed))
}

/// Where the vDSO is mapped in this program.
#[must_use]
pub fn own_vdso_base() -> usize {
    state().vdso_base.load(Relaxed)
}

/// Runs `work` on this program's root VMAR without closing it afterwards.
pub(crate) fn with_own_root_vmar<R>(work: impl FnOnce(&Vmar) -> R) -> R {
    let vmar = ManuallyDrop::new(Vmar::from(Handle::from_raw(own_root_vmar().0)));
    work(&vmar)
}

/// Ends the program.
pub fn exit(code: i64) -> ! {
    // SAFETY: nothing runs after it.
    unsafe { sys::zx_process_exit(code) }
}
