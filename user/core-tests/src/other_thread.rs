//! Another thread of this program: a call that it makes, and what it is doing meanwhile.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicI32, Ordering};

use libzx::thread::JoinHandle;
use libzx::{AsHandle, Signals, Thread, ZxResult};
use zx_abi::info::{InfoTopic, ThreadInfo, ThreadState};
use zx_abi::syscalls::SyscallId;
use zx_abi::Status;

use crate::world::{sleep_ms, soon};

/// What no call gives.
const BUSY: i32 = 1;

/// A call made in a thread of its own.
#[derive(Debug)]
pub(crate) struct Call {
    thread: JoinHandle,
    result: Arc<AtomicI32>,
}

impl Call {
    /// Starts a thread that makes the call.
    pub(crate) fn start(id: SyscallId, args: &[usize]) -> ZxResult<Self> {
        let result = Arc::new(AtomicI32::new(BUSY));
        let told = Arc::clone(&result);
        let args = args.to_vec();
        let thread = libzx::thread::spawn("caller", move || {
            told.store(libzx::raw::status(id, &args).0, Ordering::SeqCst);
        })?;
        Ok(Self { thread, result })
    }

    pub(crate) const fn thread(&self) -> &Thread {
        self.thread.thread()
    }

    /// Waits until the thread blocks in this way.
    pub(crate) fn is_in(&self, wanted: ThreadState) -> bool {
        is_in(self.thread(), wanted)
    }

    /// Waits for the call to end, and gives its result.
    pub(crate) fn end(self) -> ZxResult {
        self.thread().wait_one(Signals::THREAD_TERMINATED, soon())?;
        self.thread.join()?;
        Status(self.result.load(Ordering::SeqCst)).into_result()
    }
}

/// What a thread is doing.
pub(crate) fn state(thread: &Thread) -> ZxResult<Option<ThreadState>> {
    let info: ThreadInfo = thread.get_info(InfoTopic::Thread)?;
    Ok(ThreadState::from_raw(info.state))
}

/// Waits until a thread is in a state.
pub(crate) fn is_in(thread: &Thread, wanted: ThreadState) -> bool {
    let deadline = soon();
    while state(thread) != Ok(Some(wanted)) {
        if libzx::time::now() > deadline {
            return false;
        }
        sleep_ms(1);
    }
    true
}
