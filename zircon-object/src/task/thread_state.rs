//! What a thread is doing, as `zx_info_thread_t::state` says it.

/// Why a thread does not run although it could.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(u32)]
pub enum BlockedOn {
    /// It is not blocked.
    #[default]
    Nothing = 0,
    /// An exception handler decides.
    Exception = 0x103,
    /// `nanosleep`.
    Sleep = 0x203,
    /// `futex_wait`.
    Futex = 0x303,
    /// `port_wait`.
    Port = 0x403,
    /// `channel_call`.
    Channel = 0x503,
    /// `object_wait_one`.
    WaitOne = 0x603,
    /// `object_wait_many`.
    WaitMany = 0x703,
    /// `interrupt_wait`.
    Interrupt = 0x803,
    /// A page that a pager has to supply.
    Pager = 0x903,
    /// Inside the kernel for another reason (console input, teardown).
    Other = 3,
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

/// ZX_THREAD_STATE_* without a reason of blocking.
pub(crate) mod state {
    pub(crate) const NEW: u32 = 0;
    pub(crate) const RUNNING: u32 = 1;
    pub(crate) const SUSPENDED: u32 = 2;
    pub(crate) const DYING: u32 = 4;
    pub(crate) const DEAD: u32 = 5;
}
