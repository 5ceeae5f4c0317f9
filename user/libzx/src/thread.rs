//! Threads of this program.

use alloc::boxed::Box;
use core::ptr;

use zx_abi::{Signals, VmOptions, ZxResult};

use crate::task::{own_process, with_own_root_vmar};
use crate::{sys, time, AsHandle, Thread, Vmo};

/// Bytes of stack of a thread.
pub const STACK_SIZE: usize = 256 << 10;

/// A running thread of this program. Dropping it leaves the thread running and its stack mapped.
#[derive(Debug)]
pub struct JoinHandle {
    thread: Thread,
    stack: usize,
}

impl JoinHandle {
    /// The thread.
    #[must_use]
    pub const fn thread(&self) -> &Thread {
        &self.thread
    }

    /// Waits for the thread to end and frees its stack.
    ///
    /// # Errors
    /// Those of `zx_object_wait_one`.
    pub fn join(self) -> ZxResult {
        self.thread
            .wait_one(Signals::THREAD_TERMINATED, time::INFINITE)?;
        with_own_root_vmar(|vmar| vmar.unmap(self.stack, STACK_SIZE))
    }
}

/// Starts a thread that runs `work`.
///
/// # Errors
/// `NoMemory`, or those of `zx_thread_create` and `zx_thread_start`.
pub fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> ZxResult<JoinHandle> {
    let thread = Thread::create(&own_process(), name)?;
    let stack_vmo = Vmo::create(STACK_SIZE as u64, 0)?;
    let flags = VmOptions::PERM_READ | VmOptions::PERM_WRITE;
    let stack = with_own_root_vmar(|vmar| vmar.map(flags, 0, &stack_vmo, 0, STACK_SIZE))?;
    // Two boxes, because the thread gets one plain address.
    let work: Box<Box<dyn FnOnce() + Send>> = Box::new(Box::new(work));
    let arg = Box::into_raw(work).expose_provenance();
    let entry = run as *const ();
    // SAFETY: `run` takes this argument, and the stack is mapped for this thread alone.
    let status =
        unsafe { sys::zx_thread_start(thread.raw(), entry.addr(), stack + STACK_SIZE - 8, arg, 0) };
    if let Err(error) = status.into_result() {
        // SAFETY: the thread never ran, so the box is still this function's.
        drop(unsafe {
            Box::from_raw(ptr::with_exposed_provenance_mut::<Box<dyn FnOnce() + Send>>(arg))
        });
        with_own_root_vmar(|vmar| vmar.unmap(stack, STACK_SIZE))?;
        return Err(error);
    }
    Ok(JoinHandle { thread, stack })
}

/// First function of a thread.
extern "C" fn run(arg: usize, _: usize) -> ! {
    // SAFETY: `spawn` boxed the work and gave it away.
    let work =
        unsafe { Box::from_raw(ptr::with_exposed_provenance_mut::<Box<dyn FnOnce() + Send>>(arg)) };
    work();
    exit()
}

/// Ends the calling thread.
pub fn exit() -> ! {
    // SAFETY: nothing of this thread runs after it.
    unsafe { sys::zx_thread_exit() }
}
