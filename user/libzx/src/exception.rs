//! Exceptions of threads, and what those who handle them do: registers, memory, suspension.

use zerocopy::{FromBytes, Immutable, IntoBytes};
use zx_abi::exception::{ExceptionChannelOptions, ExceptionInfo, ExceptionState};
use zx_abi::property::Property;
use zx_abi::thread_state::ThreadStateKind;
use zx_abi::{ZxError, ZxResult};

use crate::handle::object;
use crate::{sys, AsHandle, Channel, Handle, Process, Thread};

object! {
    /// An exception: its thread stands still until the last handle is closed.
    Exception
}

impl Exception {
    /// The thread, with the rights that the task handle had when the channel was made.
    ///
    /// # Errors
    /// Those of `zx_exception_get_thread`.
    pub fn thread(&self) -> ZxResult<Thread> {
        let mut out = 0;
        // SAFETY: `out` is this frame's.
        unsafe { sys::zx_exception_get_thread(self.raw(), &mut out) }.into_result()?;
        Ok(Handle::from_raw(out).into())
    }

    /// The thread's process.
    ///
    /// # Errors
    /// Those of `zx_exception_get_process`; `AccessDenied` when the channel was a thread's.
    pub fn process(&self) -> ZxResult<Process> {
        let mut out = 0;
        // SAFETY: `out` is this frame's.
        unsafe { sys::zx_exception_get_process(self.raw(), &mut out) }.into_result()?;
        Ok(Handle::from_raw(out).into())
    }

    /// Says what happens when the exception is closed.
    ///
    /// # Errors
    /// Those of `zx_object_set_property`.
    pub fn set_state(&self, state: ExceptionState) -> ZxResult {
        self.set_property(Property::ExceptionState, state.raw().as_bytes())
    }

    /// Lets the thread go on.
    ///
    /// # Errors
    /// As [`Exception::set_state`].
    pub fn resume(self) -> ZxResult {
        self.set_state(ExceptionState::Handled)
    }
}

impl Channel {
    /// A channel on which a thread, process or job tells of its exceptions.
    ///
    /// # Errors
    /// Those of `zx_task_create_exception_channel`.
    pub fn of_exceptions(task: &impl AsHandle, options: ExceptionChannelOptions) -> ZxResult<Self> {
        let mut out = 0;
        // SAFETY: `out` is this frame's.
        unsafe { sys::zx_task_create_exception_channel(task.raw(), options.bits(), &mut out) }
            .into_result()?;
        Ok(Handle::from_raw(out).into())
    }

    /// Waits for the next exception.
    ///
    /// # Errors
    /// `TimedOut`; `PeerClosed` when the task has ended; `InvalidArgs` when the message is none of an exception.
    pub fn exception_by(&self, deadline: i64) -> ZxResult<(ExceptionInfo, Exception)> {
        let mut message = self.read_by(deadline)?;
        let info = ExceptionInfo::read_from_bytes(&message.bytes);
        match (info, message.handles.pop()) {
            (Ok(info), Some(handle)) => Ok((info, handle.into())),
            _ => Err(ZxError::InvalidArgs),
        }
    }
}

impl Thread {
    /// Starts it in a process that runs already.
    ///
    /// # Errors
    /// Those of `zx_thread_start`.
    pub fn start(&self, entry: usize, stack: usize, arg1: usize, arg2: usize) -> ZxResult {
        // SAFETY: what runs there is another process's, or the caller's responsibility as with `raw::call`.
        unsafe { sys::zx_thread_start(self.raw(), entry, stack, arg1, arg2) }.into_result()
    }

    /// Registers of a stopped thread.
    ///
    /// # Errors
    /// Those of `zx_thread_read_state`.
    pub fn read_state<T: FromBytes + IntoBytes>(&self, kind: ThreadStateKind) -> ZxResult<T> {
        let mut state = T::new_zeroed();
        let to = state.as_mut_bytes().as_mut_ptr();
        // SAFETY: `state` is this frame's, the size is its.
        unsafe { sys::zx_thread_read_state(self.raw(), kind.raw(), to, size_of::<T>()) }
            .into_result()?;
        Ok(state)
    }

    /// Changes registers of a stopped thread.
    ///
    /// # Errors
    /// Those of `zx_thread_write_state`.
    pub fn write_state<T: IntoBytes + Immutable>(
        &self,
        kind: ThreadStateKind,
        state: &T,
    ) -> ZxResult {
        let from = state.as_bytes();
        // SAFETY: `state` lives through the call.
        unsafe { sys::zx_thread_write_state(self.raw(), kind.raw(), from.as_ptr(), from.len()) }
            .into_result()
    }
}

impl Process {
    /// Suspends all its threads, also those to come, for as long as the returned token lives.
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
