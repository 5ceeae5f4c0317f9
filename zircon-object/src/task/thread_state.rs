//! What a thread is doing, as `zx_info_thread_t::state` says it.

use zx_abi::info::ThreadState;

/// Why a thread does not run although it could. As a number it is the [`ThreadState`] that shows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u32)]
pub enum BlockedOn {
    /// It is not blocked; how far it is in its life then says more.
    #[default]
    Nothing = 0,
    /// An exception handler decides.
    Exception = ThreadState::BlockedException.raw(),
    /// `nanosleep`.
    Sleep = ThreadState::BlockedSleeping.raw(),
    /// `futex_wait`.
    Futex = ThreadState::BlockedFutex.raw(),
    /// `port_wait`.
    Port = ThreadState::BlockedPort.raw(),
    /// `channel_call`.
    Channel = ThreadState::BlockedChannel.raw(),
    /// `object_wait_one`.
    WaitOne = ThreadState::BlockedWaitOne.raw(),
    /// `object_wait_many`.
    WaitMany = ThreadState::BlockedWaitMany.raw(),
    /// `interrupt_wait`.
    Interrupt = ThreadState::BlockedInterrupt.raw(),
    /// A page that a pager has to supply.
    Pager = ThreadState::BlockedPager.raw(),
    /// Inside the kernel for another reason (console input, teardown).
    Other = ThreadState::Blocked.raw(),
}

/// Where a thread is in its life.
///
/// ```text
/// New --start--> Running --exit, kill--> Dying --end--> Dead
///  \--(last handle closed)--> freed
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Created, never started.
    New,
    /// Started: runs, waits, or is suspended.
    Running,
    /// It will execute no more user code.
    Dying,
    /// Its future has ended.
    Dead,
}

/// What a thread has to do before it may run user code or sleep.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Attention {
    /// Nothing.
    None,
    /// Stop until resumed.
    Suspend,
    /// Die; wins over suspension.
    Kill,
}

/// Whether a thread is to show as suspended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Suspended {
    /// It has stopped.
    Yes,
    /// It goes on.
    No,
}

/// Whether the thread that ended was the last one of its process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "the last thread has to tear its process down"]
pub enum Last {
    /// The process has no thread left: the caller tears it down.
    Yes,
    /// Others go on.
    No,
}
