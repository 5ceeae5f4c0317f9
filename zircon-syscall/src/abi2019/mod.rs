//! What Zircon of 2019-07 does otherwise than the home ABI: records, options, limits, and calls that are gone by 2020.

pub(crate) mod calls;
pub(crate) mod exception;
mod options;
mod profile;
pub(crate) mod socket;

use crate::level::{
    CheckedJump, ConsoleRead, Decommit, Differences, Killable, LogCreation, Queues, RootVmarEnd,
};
use zx_abi::limits::WAIT_MANY_MAX_2019;
use zx_abi::stream::{SocketIoOptions, SocketOptions};
use zx_abi::wait::WaitAsyncOptions;
use zx_abi::{Rights, ZxError};

/// Its row of the table.
pub(crate) static DIFFERENCES: Differences = Differences {
    wait_many_max: WAIT_MANY_MAX_2019,
    wait_async_options: WaitAsyncOptions::TIMESTAMP,
    thread_info_size: 8,
    thread_stats_size: 8,
    bti_info_size: 16,
    queues: Queues::Endless,
    root_vmar_end: RootVmarEnd::AnyTime,
    killable: Killable::AllTasks,
    socket_options: SocketOptions::all(),
    socket_io_options: SocketIoOptions::all(),
    pager_rights: Rights::from_bits_retain(0x81c2),
    pager_gone: ZxError::NotFound,
    decommit: Decommit::AnyPages,
    log_creation: LogCreation::Anyone,
    checked_jump: CheckedJump::InSyscall,
    console_read: ConsoleRead::SizeInAndOut,
    vmo_options: options::vmo,
    vmo_child: options::vmo_child,
    read_profile: profile::read,
};
