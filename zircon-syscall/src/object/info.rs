//! `object_get_info`: one record, or a list of records, per topic.

use super::memory;
use crate::Caller;
use alloc::vec::Vec;
use kernel_hal::user::UserOut;
use zerocopy::{Immutable, IntoBytes};
use zircon_object::dev::resource::Sharing;
use zircon_object::dev::{Bti, Resource};
use zircon_object::ipc::socket::Kind;
use zircon_object::ipc::Socket;
use zircon_object::object::{Handle, KernelObject};
use zircon_object::signal::Timer;
use zircon_object::task::job::KillOnOom;
use zircon_object::task::thread_state::Phase;
use zircon_object::task::{Job, Process, ProcessStatus, Runtime, Thread};
use zircon_object::vm::{Stream, Vmar, Vmo};
use zx_abi::device::{ResourceKind, RESOURCE_EXCLUSIVE};
use zx_abi::info::{
    BtiInfo, CpuStatsInfo, HandleBasicInfo, HandleCountInfo, HandleExtendedInfo, InfoTopic,
    JobInfo, KmemStatsInfo, ProcessHandleStatsInfo, ProcessInfo, ResourceInfo, SocketInfo,
    StreamInfo, TaskRuntimeInfo, ThreadInfo, ThreadStatsInfo, TimerInfo, VmarInfo, CPU_ONLINE,
    INVALID_CPU, PROP_WAITABLE,
};
use zx_abi::limits::PAGE_SIZE;
use zx_abi::stream::SocketOptions;
use zx_abi::{HandleValue, ObjectType, Rights, ZxError, ZxResult};

/// Where the records go.
struct Sink<'a, 'b> {
    caller: &'a Caller<'b>,
    buffer: UserOut<u8>,
    size: usize,
    actual: UserOut<usize>,
    avail: UserOut<usize>,
}

impl Sink<'_, '_> {
    /// A topic with exactly one record. A larger buffer is fine.
    fn one<T: IntoBytes + Immutable>(&self, record: &T) -> ZxResult {
        self.one_of_size(record, size_of::<T>())
    }

    /// A topic with exactly one record, of which older levels have only the first `size` bytes.
    fn one_of_size<T: IntoBytes + Immutable>(&self, record: &T, size: usize) -> ZxResult {
        let bytes = record.as_bytes();
        let bytes = bytes.get(..size).unwrap_or(bytes);
        let fits = self.size >= bytes.len();
        if fits {
            self.caller.write_slice(self.buffer, bytes)?;
        }
        self.counts(usize::from(fits), 1)?;
        if fits {
            Ok(())
        } else {
            Err(ZxError::BufferTooSmall)
        }
    }

    /// A topic with any number of records: as many as fit.
    fn list<T: IntoBytes + Immutable>(&self, records: &[T]) -> ZxResult {
        let fit = records.len().min(self.size / size_of::<T>());
        self.caller
            .write_slice(UserOut::<T>::new(self.buffer.addr()), &records[..fit])?;
        self.counts(fit, records.len())
    }

    fn counts(&self, actual: usize, avail: usize) -> ZxResult {
        self.caller.write_optional(self.actual, &actual)?;
        self.caller.write_optional(self.avail, &avail)
    }
}

/// Reads information about an object.
///
/// # Errors
/// - `NotSupported`: unknown topic; before the handle is looked at.
/// - `BadHandle`, `WrongType`, `AccessDenied`: the handle does not fit the topic.
/// - `BadState`: the object is in no state to tell.
/// - `InvalidArgs`: a pointer cannot be written.
/// - `BufferTooSmall`: the one record does not fit; the counts are written.
pub(crate) fn sys_object_get_info(
    caller: &Caller<'_>,
    handle: HandleValue,
    topic: u32,
    buffer: UserOut<u8>,
    buffer_size: usize,
    actual: UserOut<usize>,
    avail: UserOut<usize>,
) -> ZxResult {
    let sink = Sink {
        caller,
        buffer,
        size: buffer_size,
        actual,
        avail,
    };
    match InfoTopic::from_raw(topic).ok_or(ZxError::NotSupported)? {
        InfoTopic::HandleValid => caller.process().handles().find(handle).map(|_| ()),
        InfoTopic::HandleBasic => sink.one(&handle_basic(caller, handle)?),
        InfoTopic::HandleCount => {
            let (object, _) = caller.get_any(handle, Rights::INSPECT)?;
            sink.one(&HandleCountInfo {
                handle_count: object.base().handle_count(),
            })
        }
        InfoTopic::Process => sink.one(&process_info(
            &*caller.get::<Process>(handle, Rights::INSPECT)?,
        )),
        InfoTopic::ProcessThreads => sink.list(
            &caller
                .get::<Process>(handle, Rights::ENUMERATE)?
                .thread_koids()?,
        ),
        InfoTopic::ProcessHandleStats => sink.one(&handle_stats(
            &*caller.get::<Process>(handle, Rights::INSPECT)?,
        )),
        InfoTopic::HandleTable => {
            let rights = Rights::INSPECT | Rights::MANAGE_PROCESS | Rights::MANAGE_THREAD;
            let process = caller.get::<Process>(handle, rights)?;
            sink.list(&handle_table(&process)?)
        }
        InfoTopic::Vmar => {
            let vmar = caller.get::<Vmar>(handle, Rights::INSPECT)?;
            sink.one(&VmarInfo {
                base: vmar.base_addr() as u64,
                len: vmar.size() as u64,
            })
        }
        InfoTopic::JobChildren => sink.list(
            &caller
                .get::<Job>(handle, Rights::ENUMERATE)?
                .child_koids()?,
        ),
        InfoTopic::JobProcesses => sink.list(
            &caller
                .get::<Job>(handle, Rights::ENUMERATE)?
                .process_koids()?,
        ),
        InfoTopic::Job => {
            let job = caller.get::<Job>(handle, Rights::INSPECT)?;
            let ended = job.ended_with();
            sink.one(&JobInfo {
                return_code: ended.unwrap_or(0),
                exited: u8::from(ended.is_some()),
                kill_on_oom: u8::from(job.kill_on_oom() == KillOnOom::Yes),
                debugger_attached: u8::from(job.debugger_channel().is_bound()),
                ..JobInfo::default()
            })
        }
        InfoTopic::Thread => {
            let thread = caller.get::<Thread>(handle, Rights::INSPECT)?;
            let record = ThreadInfo {
                state: thread.info_state(),
                wait_exception_channel_type: thread.exception_handler().raw(),
                cpu_affinity_mask: [u64::from(thread.affinity()), 0, 0, 0, 0, 0, 0, 0],
            };
            sink.one_of_size(&record, caller.level().thread_info_size)
        }
        InfoTopic::ThreadStats => {
            let thread = caller.get::<Thread>(handle, Rights::INSPECT)?;
            if matches!(thread.phase(), Phase::Dying | Phase::Dead) {
                return Err(ZxError::BadState);
            }
            let total_runtime = thread.runtime_ns();
            let record = ThreadStatsInfo {
                total_runtime,
                // There is one CPU, or the thread has not run.
                last_scheduled_cpu: if total_runtime > 0 { 0 } else { INVALID_CPU },
                ..ThreadStatsInfo::default()
            };
            sink.one_of_size(&record, caller.level().thread_stats_size)
        }
        InfoTopic::TaskRuntime => {
            let runtime = task_runtime(caller, handle)?;
            sink.one(&TaskRuntimeInfo {
                cpu_time: runtime.cpu_ns(),
                queue_time: runtime.queue_ns(),
            })
        }
        InfoTopic::TaskStats => {
            let process = caller.get::<Process>(handle, Rights::INSPECT)?;
            alive(&process)?;
            sink.one(&memory::task_stats(process.space()))
        }
        InfoTopic::ProcessMaps => {
            let process = caller.get::<Process>(handle, Rights::INSPECT)?;
            if alloc::sync::Arc::ptr_eq(&process, caller.process()) {
                return Err(ZxError::AccessDenied);
            }
            alive(&process)?;
            sink.list(&memory::maps(&process)?)
        }
        InfoTopic::ProcessVmos => {
            let process = caller.get::<Process>(handle, Rights::INSPECT)?;
            if alloc::sync::Arc::ptr_eq(&process, caller.process()) {
                return Err(ZxError::AccessDenied);
            }
            if process.status() != ProcessStatus::Running {
                return Err(ZxError::BadState);
            }
            sink.list(&memory::process_vmos(&process)?)
        }
        InfoTopic::Vmo => {
            let (vmo, rights) = caller.get_with_rights::<Vmo>(handle)?;
            sink.one(&memory::vmo_record(&vmo, rights))
        }
        InfoTopic::Resource => sink.one(&resource_info(
            &*caller.get::<Resource>(handle, Rights::INSPECT)?,
        )),
        InfoTopic::CpuStats => {
            root_resource(caller, handle)?;
            sink.list(&cpu_stats()?)
        }
        InfoTopic::KmemStats => {
            root_resource(caller, handle)?;
            sink.one(&kmem_stats())
        }
        InfoTopic::ThreadExceptionReport => sink.one(
            &caller
                .get::<Thread>(handle, Rights::INSPECT)?
                .exception_report()?,
        ),
        InfoTopic::Timer => sink.one(&timer_info(&*caller.get::<Timer>(handle, Rights::INSPECT)?)),
        InfoTopic::Socket => sink.one(&socket_info(
            &*caller.get::<Socket>(handle, Rights::INSPECT)?,
        )),
        InfoTopic::Bti => {
            let record = bti_info(&*caller.get::<Bti>(handle, Rights::INSPECT)?);
            sink.one_of_size(&record, caller.level().bti_info_size)
        }
        InfoTopic::Stream => {
            let stream = caller.get::<Stream>(handle, Rights::INSPECT)?;
            let (seek, content_size) = (stream.position(), stream.vmo().content_size());
            sink.one(&StreamInfo {
                options: stream.options(),
                padding1: [0; 4],
                seek,
                content_size,
            })
        }
        InfoTopic::Msi => Err(ZxError::NotSupported),
    }
}

fn bti_info(bti: &Bti) -> BtiInfo {
    let pins = bti.pin_counts();
    BtiInfo {
        minimum_contiguity: PAGE_SIZE as u64,
        aspace_size: u64::MAX,
        pmo_count: pins.pinned as u64,
        quarantine_count: pins.quarantined as u64,
    }
}

fn timer_info(timer: &Timer) -> TimerInfo {
    let (deadline, slack) = timer
        .setting()
        .map_or((0, 0), |setting| (setting.deadline, setting.slack));
    TimerInfo {
        options: timer.mode() as u32,
        padding1: [0; 4],
        deadline,
        slack,
    }
}

fn socket_info(socket: &Socket) -> SocketInfo {
    let (fill, capacity) = (socket.fill(), Socket::CAPACITY as u64);
    let mut options = SocketOptions::empty();
    options.set(SocketOptions::DATAGRAM, socket.kind() == Kind::Datagram);
    options.set(SocketOptions::HAS_CONTROL, socket.extras().control);
    options.set(SocketOptions::HAS_ACCEPT, socket.extras().accept);
    SocketInfo {
        options: options.bits(),
        padding1: [0; 4],
        rx_buf_max: capacity,
        rx_buf_size: fill.received as u64,
        rx_buf_available: fill.available as u64,
        tx_buf_max: fill.sent.map_or(0, |_| capacity),
        tx_buf_size: fill.sent.unwrap_or(0) as u64,
    }
}

fn resource_info(resource: &Resource) -> ResourceInfo {
    let extent = resource.extent();
    ResourceInfo {
        kind: resource.kind().raw(),
        flags: if resource.sharing() == Sharing::Exclusive {
            RESOURCE_EXCLUSIVE
        } else {
            0
        },
        base: extent.base,
        size: extent.size,
        name: resource.name().map(|name| name.get()).unwrap_or_default(),
    }
}

fn root_resource(caller: &Caller<'_>, handle: HandleValue) -> ZxResult {
    caller
        .get::<Resource>(handle, Rights::empty())?
        .check(ResourceKind::Root)
}

fn alive(process: &Process) -> ZxResult {
    match process.status() {
        ProcessStatus::Init | ProcessStatus::Running => Ok(()),
        ProcessStatus::Dying(_) | ProcessStatus::Dead(_) => Err(ZxError::BadState),
    }
}

fn waitable(kind: ObjectType) -> u32 {
    if Rights::default_for(kind).contains(Rights::WAIT) {
        PROP_WAITABLE
    } else {
        0
    }
}

fn handle_basic(caller: &Caller<'_>, handle: HandleValue) -> ZxResult<HandleBasicInfo> {
    let table = caller.process().handles();
    let record = table.find(handle).map(|handle| {
        let object = handle.object();
        let kind = object.object_type();
        HandleBasicInfo {
            koid: object.base().koid().0,
            rights: handle.rights(),
            kind: kind.raw(),
            related_koid: object.related_koid().0,
            props: waitable(kind),
            ..HandleBasicInfo::default()
        }
    });
    drop(table);
    record.map_err(|error| caller.lookup_failed(error))
}

fn process_info(process: &Process) -> ProcessInfo {
    let (exited, return_code) = match process.status() {
        ProcessStatus::Init | ProcessStatus::Running => (0, 0),
        ProcessStatus::Dying(code) => (0, code),
        ProcessStatus::Dead(code) => (1, code),
    };
    ProcessInfo {
        return_code,
        started: u8::from(process.started()),
        exited,
        debugger_attached: u8::from(process.debugger_channel().is_bound()),
        ..ProcessInfo::default()
    }
}

fn handle_stats(process: &Process) -> ProcessHandleStatsInfo {
    let mut stats = ProcessHandleStatsInfo::default();
    for (_, handle) in process.handles().iter() {
        let kind = handle.object().object_type().raw() as usize;
        if let Some(count) = stats.handle_count.get_mut(kind) {
            *count += 1;
        }
    }
    stats
}

fn handle_table(process: &Process) -> ZxResult<Vec<HandleExtendedInfo>> {
    let table = process.handles();
    let mut rows = Vec::new();
    rows.try_reserve_exact(table.len())
        .map_err(|_| ZxError::NoMemory)?;
    rows.extend(table.iter().map(|(value, handle)| extended(value, handle)));
    Ok(rows)
}

fn extended(handle_value: HandleValue, handle: &Handle) -> HandleExtendedInfo {
    let object: &dyn KernelObject = &**handle.object();
    HandleExtendedInfo {
        kind: object.object_type().raw(),
        handle_value,
        rights: handle.rights(),
        props: waitable(object.object_type()),
        koid: object.base().koid().0,
        related_koid: object.related_koid().0,
        peer_owner_koid: 0,
    }
}

fn task_runtime(caller: &Caller<'_>, handle: HandleValue) -> ZxResult<Runtime> {
    match caller.get::<Thread>(handle, Rights::INSPECT) {
        Ok(thread) => return Ok(thread.runtime()),
        Err(ZxError::WrongType) => {}
        Err(error) => return Err(error),
    }
    match caller.get::<Process>(handle, Rights::INSPECT) {
        Ok(process) => return Ok(process.runtime()),
        Err(ZxError::WrongType) => {}
        Err(error) => return Err(error),
    }
    Ok(caller.get::<Job>(handle, Rights::INSPECT)?.runtime())
}

fn cpu_stats() -> ZxResult<Vec<CpuStatsInfo>> {
    let count = kernel_hal::cpu::info().count;
    let mut rows = Vec::new();
    rows.try_reserve_exact(count as usize)
        .map_err(|_| ZxError::NoMemory)?;
    rows.extend((0..count).map(|cpu_number| {
        let counters = kernel_hal::cpu::counters(cpu_number);
        CpuStatsInfo {
            cpu_number,
            flags: CPU_ONLINE,
            idle_time: counters.idle_ns,
            ints: counters.interrupts,
            timer_ints: counters.timer_interrupts,
            page_faults: counters.page_faults,
            syscalls: counters.syscalls,
            ..CpuStatsInfo::default()
        }
    }));
    Ok(rows)
}

fn kmem_stats() -> KmemStatsInfo {
    // What large VMOs have left behind counts as free.
    zircon_object::vm::release_all();
    let stats = kernel_hal::frame::stats();
    let bytes = |frames: usize| (frames * PAGE_SIZE) as u64;
    let vmo_frames = (stats.total - stats.free).saturating_sub(stats.heap + stats.page_tables);
    // Messages are on the heap, and are told apart from it.
    let ipc_bytes = zircon_object::ipc::held_bytes() as u64;
    KmemStatsInfo {
        total_bytes: bytes(stats.total + stats.wired),
        wired_bytes: bytes(stats.wired),
        free_bytes: bytes(stats.free),
        total_heap_bytes: bytes(stats.heap).saturating_sub(ipc_bytes),
        free_heap_bytes: stats.heap_free_bytes as u64,
        vmo_bytes: bytes(vmo_frames),
        mmu_overhead_bytes: bytes(stats.page_tables),
        ipc_bytes,
        ..KmemStatsInfo::default()
    }
}
