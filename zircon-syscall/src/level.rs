//! ABI levels: which Zircon's programs run, and a table of what differs between levels.
//!
//! The level follows from the vDSO and is fixed at boot. A shim that differs by level takes the difference from
//! [`Caller::level`](crate::Caller::level): a limit, a size, or a function that decodes. What an older level does otherwise is
//! in a module named after it (`abi2019`); the home ABI's row is here.

use crate::{profile, vmo, Caller};
use core::sync::atomic::{AtomicUsize, Ordering};
use kernel_hal::user::UserIn;
use zircon_object::task::profile::Scheduling;
use zircon_object::vm::{ChildKind, Resizable};
use zx_abi::info::{BtiInfo, ThreadInfo, ThreadStatsInfo};
use zx_abi::limits::WAIT_MANY_MAX;
use zx_abi::stream::{SocketIoOptions, SocketOptions};
use zx_abi::wait::WaitAsyncOptions;
use zx_abi::{ObjectType, Rights, ZxError, ZxResult};

/// A Zircon whose ABI this kernel has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Level {
    /// Zircon of 2019-07-15.
    Zircon2019,
    /// Fuchsia of 2020-06-30, the home ABI.
    Home,
}

/// What differs between levels.
pub(crate) struct Differences {
    /// Most items of `object_wait_many`.
    pub(crate) wait_many_max: usize,
    /// What `object_wait_async` may be told.
    pub(crate) wait_async_options: WaitAsyncOptions,
    /// Bytes of the record of `ZX_INFO_THREAD`.
    pub(crate) thread_info_size: usize,
    /// Bytes of the record of `ZX_INFO_THREAD_STATS`.
    pub(crate) thread_stats_size: usize,
    /// Bytes of the record of `ZX_INFO_BTI`.
    pub(crate) bti_info_size: usize,
    /// How long a channel's queue may become.
    pub(crate) queues: Queues,
    /// What may end a root VMAR.
    pub(crate) root_vmar_end: RootVmarEnd,
    /// What `task_kill` kills.
    pub(crate) killable: Killable,
    /// What `socket_create` may be told.
    pub(crate) socket_options: SocketOptions,
    /// What `socket_read` and `socket_write` may be told.
    pub(crate) socket_io_options: SocketIoOptions,
    /// Rights of a new pager.
    pub(crate) pager_rights: Rights,
    /// What accesses to missing pages get once their pager is gone.
    pub(crate) pager_gone: ZxError,
    /// Which pages can be decommitted.
    pub(crate) decommit: Decommit,
    /// Who may make a debug log.
    pub(crate) log_creation: LogCreation,
    /// Which threads `thread_write_state` lets jump only to what can be an address.
    pub(crate) checked_jump: CheckedJump,
    /// How `debug_read` is told its sizes.
    pub(crate) console_read: ConsoleRead,
    /// Decodes the options of `vmo_create`.
    pub(crate) vmo_options: fn(u32) -> ZxResult<Resizable>,
    /// Decodes the options of `vmo_create_child`.
    pub(crate) vmo_child: fn(u32) -> ZxResult<ChildRequest>,
    /// Reads and checks the record of `profile_create`.
    pub(crate) read_profile: fn(&Caller<'_>, UserIn<u8>) -> ZxResult<Scheduling>,
}

/// Which pages can be decommitted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Decommit {
    /// Those of pagers' VMOs and of children too, as far as the object can; ranges are widened to pages.
    AnyPages,
    /// Only those of VMOs that have neither a pager nor a parent.
    OwnPagesOnly,
}

/// Which threads `thread_write_state` lets jump only to what can be an address. The others fault when they go on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum CheckedJump {
    /// Those in a system call.
    InSyscall,
    /// All.
    Always,
}

/// Who may make a debug log.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum LogCreation {
    /// Anyone, by passing no resource.
    Anyone,
    /// Whoever has the root resource.
    RootOnly,
}

/// How long a channel's queue may become.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Queues {
    /// As long as memory lasts.
    Endless,
    /// Who makes one too long gets a policy exception.
    Limited,
}

/// What may end a root VMAR.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum RootVmarEnd {
    /// `vmar_destroy` too.
    AnyTime,
    /// The end of its process only.
    WithProcess,
}

/// What `task_kill` kills.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Killable {
    /// Threads too.
    AllTasks,
    /// Jobs and processes.
    JobsAndProcesses,
}

/// How `debug_read` is told its sizes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ConsoleRead {
    /// One pointer for the buffer's size and for the number of characters read.
    SizeInAndOut,
    /// The buffer's size, and a pointer for the number of characters.
    SizeAndActual,
}

/// What `vmo_create_child` is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ChildRequest {
    pub(crate) kind: ChildKind,
    pub(crate) resizable: Resizable,
    /// Rights that the child's handle does not get.
    pub(crate) without: Rights,
}

static HOME: Differences = Differences {
    wait_many_max: WAIT_MANY_MAX,
    wait_async_options: WaitAsyncOptions::all(),
    thread_info_size: size_of::<ThreadInfo>(),
    thread_stats_size: size_of::<ThreadStatsInfo>(),
    bti_info_size: size_of::<BtiInfo>(),
    queues: Queues::Limited,
    root_vmar_end: RootVmarEnd::WithProcess,
    killable: Killable::JobsAndProcesses,
    socket_options: SocketOptions::DATAGRAM,
    socket_io_options: SocketIoOptions::PEEK,
    pager_rights: Rights::default_for(ObjectType::Pager),
    pager_gone: ZxError::BadState,
    decommit: Decommit::OwnPagesOnly,
    log_creation: LogCreation::RootOnly,
    checked_jump: CheckedJump::Always,
    console_read: ConsoleRead::SizeAndActual,
    vmo_options: vmo::options,
    vmo_child: vmo::child_request,
    read_profile: profile::read,
};

static TABLE: [&Differences; 2] = [&HOME, &crate::abi2019::DIFFERENCES];
static CURRENT: AtomicUsize = AtomicUsize::new(0);

impl Level {
    /// Makes this the level of all threads that start from now on. Called once, at boot.
    pub fn set(self) {
        CURRENT.store(self.index(), Ordering::Relaxed);
    }

    /// Its row.
    #[cfg(test)]
    pub(crate) fn differences(self) -> &'static Differences {
        TABLE[self.index()]
    }

    const fn index(self) -> usize {
        match self {
            Self::Home => 0,
            Self::Zircon2019 => 1,
        }
    }
}

/// The row of the level that was set.
pub(crate) fn current() -> &'static Differences {
    TABLE[CURRENT.load(Ordering::Relaxed)]
}
