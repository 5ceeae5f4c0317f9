//! Calls that block: suspending the thread interrupts each, resuming continues it, killing the process ends it.

use alloc::vec;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicI32, Ordering};

use libzx::thread::JoinHandle;
use libzx::{AsHandle, Channel, Event, EventPair, Handle, Port, Process, Rights, Signals};
use libzx::{WaitFor, ZxError, ZxResult};
use zx_abi::info::{InfoTopic, ThreadState};
use zx_abi::syscalls::SyscallId;
use zx_abi::{ChannelCallArgs, PortPacket, Status};

use crate::check::{check, check_eq, fails, needs, ok, skip, suite, Case};
use crate::child::Mode;
use crate::memory::{address_of, arg, call, wait_for_value, Scratch};
use crate::other_thread::{is_in, state};
use crate::world::{in_ms, sleep_ms, soon, World};

suite! {
    "Blocking":
    wait_one_goes_on_after_a_suspension,
    wait_many_goes_on_after_a_suspension,
    wait_many_of_nothing_goes_on_after_a_suspension,
    port_wait_goes_on_after_a_suspension,
    nanosleep_goes_on_after_a_suspension,
    futex_wait_goes_on_after_a_suspension,
    futex_wait_looks_at_the_value_again_after_a_suspension,
    channel_call_goes_on_after_a_suspension,
    channel_call_gets_the_reply_that_came_during_a_suspension,
    a_deadline_that_passes_during_a_suspension_counts,
    killing_a_process_ends_every_blocking_call,
    wait_one_is_cancelled_when_its_transferred_handle_is_read,
    wait_one_is_cancelled_when_its_message_is_destroyed,
    wait_one_hears_of_signals_while_its_handle_is_in_flight,
    wait_one_is_cancelled_when_its_handle_is_replaced,
    wait_many_is_cancelled_when_a_transferred_handle_is_read,
    an_async_wait_ends_when_its_transferred_handle_is_read,
    port_wait_outlives_the_close_of_its_handle,
}

static RESULT: AtomicI32 = AtomicI32::new(0);
static FUTEX: AtomicI32 = AtomicI32::new(0);

/// What the thread stores when its call succeeded; errors are negative.
const WENT_WELL: i32 = 1;

/// Starts a thread that makes a blocking call and tells the result.
fn start(work: impl FnOnce() -> ZxResult + Send + 'static) -> ZxResult<JoinHandle> {
    RESULT.store(0, Ordering::SeqCst);
    libzx::thread::spawn("blocked", move || {
        let result = work().map_or_else(|error| error as i32, |()| WENT_WELL);
        RESULT.store(result, Ordering::SeqCst);
    })
}

/// Suspends a thread that blocks, lets `meanwhile` happen, resumes it.
fn suspend_in(
    blocked: &JoinHandle,
    wanted: ThreadState,
    meanwhile: impl FnOnce() -> ZxResult,
) -> Case {
    let thread = blocked.thread();
    check!(is_in(thread, wanted));
    let token = ok!(thread.suspend());
    ok!(thread.wait_one(Signals::THREAD_SUSPENDED, soon()));
    check_eq!(ok!(state(thread)), Some(ThreadState::Suspended));
    ok!(meanwhile());
    sleep_ms(2);
    check_eq!(RESULT.load(Ordering::SeqCst), 0);
    drop(token);
    ok!(thread.wait_one(Signals::THREAD_RUNNING | Signals::THREAD_TERMINATED, soon()));
    Ok(())
}

fn nothing() -> ZxResult {
    Ok(())
}

/// Two handles to one new event.
fn event() -> ZxResult<(Event, Event)> {
    let event = Event::create()?;
    let copy = event.duplicate(Rights::SAME_RIGHTS)?;
    Ok((event, copy))
}

fn wait_one_goes_on_after_a_suspension(_: &World) -> Case {
    let (event, copy) = ok!(event());
    let blocked = ok!(start(move || copy
        .wait_one(Signals::SIGNALED, soon())
        .map(drop)));
    suspend_in(&blocked, ThreadState::BlockedWaitOne, nothing)?;
    check!(is_in(blocked.thread(), ThreadState::BlockedWaitOne));
    ok!(event.signal(Signals::empty(), Signals::SIGNALED));
    check!(wait_for_value(&RESULT, WENT_WELL));
    ok!(blocked.join());
    Ok(())
}

fn wait_many_goes_on_after_a_suspension(_: &World) -> Case {
    let (event, copy) = ok!(event());
    let blocked = ok!(start(move || {
        let items = [item(copy.raw()), item(copy.raw())];
        libzx::wait_many(&items, soon()).map(drop)
    }));
    // The signal comes while nobody waits.
    suspend_in(&blocked, ThreadState::BlockedWaitMany, || {
        event.signal(Signals::empty(), Signals::SIGNALED)
    })?;
    check!(wait_for_value(&RESULT, WENT_WELL));
    ok!(blocked.join());
    Ok(())
}

fn item(handle: u32) -> WaitFor {
    WaitFor {
        handle,
        signals: Signals::SIGNALED,
    }
}

fn wait_many_of_nothing_goes_on_after_a_suspension(_: &World) -> Case {
    let deadline = in_ms(50);
    let blocked = ok!(start(move || libzx::wait_many(&[], deadline).map(drop)));
    sleep_ms(5);
    let token = ok!(blocked.thread().suspend());
    ok!(blocked.thread().wait_one(Signals::THREAD_SUSPENDED, soon()));
    drop(token);
    check!(wait_for_value(&RESULT, ZxError::TimedOut as i32));
    check!(libzx::time::now() >= deadline);
    ok!(blocked.join());
    Ok(())
}

fn port_wait_goes_on_after_a_suspension(_: &World) -> Case {
    let port = ok!(Port::create());
    let copy = ok!(port.duplicate(Rights::SAME_RIGHTS));
    let blocked = ok!(start(move || {
        let packet = copy.wait(soon())?;
        match packet.key {
            7 => Ok(()),
            _ => Err(ZxError::BadState),
        }
    }));
    suspend_in(&blocked, ThreadState::BlockedPort, || {
        port.queue(&PortPacket::user(7, Status::OK, [0; 32]))
    })?;
    check!(wait_for_value(&RESULT, WENT_WELL));
    ok!(blocked.join());
    fails!(port.wait(0), TimedOut);
    Ok(())
}

fn nanosleep_goes_on_after_a_suspension(_: &World) -> Case {
    let deadline = in_ms(60);
    let blocked = ok!(start(move || {
        libzx::time::sleep_until(deadline);
        Ok(())
    }));
    suspend_in(&blocked, ThreadState::BlockedSleeping, nothing)?;
    check!(wait_for_value(&RESULT, WENT_WELL));
    check!(libzx::time::now() >= deadline);
    ok!(blocked.join());
    Ok(())
}

fn wait_on_futex(value: i32) -> ZxResult {
    let value = usize::try_from(value).unwrap_or(0);
    let deadline = usize::try_from(soon()).unwrap_or(0);
    call(
        SyscallId::FutexWait,
        &[address_of(&FUTEX), value, 0, deadline],
    )
}

fn futex_wait_goes_on_after_a_suspension(_: &World) -> Case {
    FUTEX.store(3, Ordering::SeqCst);
    let blocked = ok!(start(|| wait_on_futex(3)));
    suspend_in(&blocked, ThreadState::BlockedFutex, nothing)?;
    check!(is_in(blocked.thread(), ThreadState::BlockedFutex));
    ok!(call(SyscallId::FutexWake, &[address_of(&FUTEX), 1]));
    check!(wait_for_value(&RESULT, WENT_WELL));
    ok!(blocked.join());
    Ok(())
}

fn futex_wait_looks_at_the_value_again_after_a_suspension(_: &World) -> Case {
    FUTEX.store(3, Ordering::SeqCst);
    let blocked = ok!(start(|| wait_on_futex(3)));
    suspend_in(&blocked, ThreadState::BlockedFutex, || {
        FUTEX.store(4, Ordering::SeqCst);
        Ok(())
    })?;
    check!(wait_for_value(&RESULT, ZxError::BadState as i32));
    ok!(blocked.join());
    Ok(())
}

/// Calls through a channel with a request of its number only.
pub(crate) fn call_through(channel: &Channel, deadline: i64) -> ZxResult {
    let mut page = Scratch::new()?;
    let at = page.address();
    let args = ChannelCallArgs {
        wr_bytes: at + 1024,
        rd_bytes: at + 2048,
        rd_handles: at + 3000,
        wr_num_bytes: 4,
        rd_num_bytes: 512,
        rd_num_handles: 8,
        ..ChannelCallArgs::default()
    };
    page.put(0, &args);
    let deadline = usize::try_from(deadline).unwrap_or(usize::MAX);
    let args = [arg(channel), 0, deadline, at, at + 4000, at + 4004];
    call(SyscallId::ChannelCall, &args)
}

fn channel_call_goes_on_after_a_suspension(_: &World) -> Case {
    needs!(ChannelCall);
    let (client, server) = ok!(Channel::create());
    let blocked = ok!(start(move || call_through(&client, soon())));
    suspend_in(&blocked, ThreadState::BlockedChannel, nothing)?;
    let request = ok!(server.read_by(soon()));
    // The request was sent once only.
    fails!(server.read(), ShouldWait);
    ok!(server.write(&request.bytes, vec![]));
    check!(wait_for_value(&RESULT, WENT_WELL));
    ok!(blocked.join());
    Ok(())
}

fn channel_call_gets_the_reply_that_came_during_a_suspension(_: &World) -> Case {
    needs!(ChannelCall);
    let (client, server) = ok!(Channel::create());
    let blocked = ok!(start(move || call_through(&client, soon())));
    suspend_in(&blocked, ThreadState::BlockedChannel, || {
        let request = server.read()?;
        server.write(&request.bytes, vec![])
    })?;
    check!(wait_for_value(&RESULT, WENT_WELL));
    ok!(blocked.join());
    Ok(())
}

fn a_deadline_that_passes_during_a_suspension_counts(_: &World) -> Case {
    let (_event, copy) = ok!(event());
    let deadline = in_ms(20);
    let blocked = ok!(start(move || copy
        .wait_one(Signals::SIGNALED, deadline)
        .map(drop)));
    suspend_in(&blocked, ThreadState::BlockedWaitOne, || {
        libzx::time::sleep_until(deadline + 1_000_000);
        Ok(())
    })?;
    check!(wait_for_value(&RESULT, ZxError::TimedOut as i32));
    ok!(blocked.join());
    Ok(())
}

/// How the threads of the child with [`Mode::BlockEverywhere`] block.
const WAYS: [ThreadState; 6] = [
    ThreadState::BlockedWaitOne,
    ThreadState::BlockedWaitMany,
    ThreadState::BlockedPort,
    ThreadState::BlockedFutex,
    ThreadState::BlockedChannel,
    ThreadState::BlockedSleeping,
];

/// The child's part: a thread in each blocking call.
pub(crate) fn block_everywhere() -> ZxResult<i64> {
    static NEVER: AtomicI32 = AtomicI32::new(0);
    let mut threads = Vec::new();
    threads.push(libzx::thread::spawn("one", || {
        let _ = Event::create().and_then(|event| event.wait_one(Signals::SIGNALED, soon()));
    })?);
    threads.push(libzx::thread::spawn("many", || {
        let _ = Event::create()
            .and_then(|event| libzx::wait_many(&[item(event.raw())], soon()).map(drop));
    })?);
    threads.push(libzx::thread::spawn("port", || {
        let _ = Port::create().and_then(|port| port.wait(soon()));
    })?);
    threads.push(libzx::thread::spawn("futex", || {
        let deadline = usize::try_from(soon()).unwrap_or(0);
        let _ = call(SyscallId::FutexWait, &[address_of(&NEVER), 0, 0, deadline]);
    })?);
    threads.push(libzx::thread::spawn("call", || {
        let _ = Channel::create().and_then(|(client, _server)| call_through(&client, soon()));
    })?);
    sleep_ms(60_000);
    Ok(crate::child::SURVIVED)
}

/// The states of all threads of a process.
fn states(process: &Process) -> ZxResult<Vec<ThreadState>> {
    let koids = process.get_info_list::<u64>(InfoTopic::ProcessThreads)?;
    let threads = koids
        .into_iter()
        .filter_map(|koid| process.thread(koid, Rights::SAME_RIGHTS).ok());
    Ok(threads
        .filter_map(|thread| state(&thread).ok().flatten())
        .collect())
}

fn killing_a_process_ends_every_blocking_call(world: &World) -> Case {
    needs!(ChannelCall);
    let Some(job) = &world.job else {
        skip!("no job");
    };
    let child = match world.start_child(job, Mode::BlockEverywhere) {
        Ok(child) => child,
        Err(what) => crate::check::fail!("{what}"),
    };
    let deadline = soon();
    loop {
        let states = ok!(states(&child));
        if WAYS.iter().all(|way| states.contains(way)) {
            break;
        }
        check!(libzx::time::now() < deadline);
        sleep_ms(1);
    }
    ok!(child.kill());
    ok!(child.wait_one(Signals::PROCESS_TERMINATED, soon()));
    Ok(())
}

/// A thread that waits on a handle of which only the value is kept here.
fn waiting_on(handle: u32) -> ZxResult<JoinHandle> {
    start(move || {
        libzx::Unowned(handle)
            .wait_one(Signals::SIGNALED, soon())
            .map(drop)
    })
}

fn wait_one_is_cancelled_when_its_transferred_handle_is_read(_: &World) -> Case {
    let (_event, copy) = ok!(event());
    let blocked = ok!(waiting_on(copy.raw()));
    check!(is_in(blocked.thread(), ThreadState::BlockedWaitOne));
    let (left, right) = ok!(Channel::create());
    ok!(left.write(b"", vec![copy.into()]));
    sleep_ms(2);
    // The handle is as it was until somebody takes it out.
    check_eq!(RESULT.load(Ordering::SeqCst), 0);
    let message = ok!(right.read());
    check!(wait_for_value(&RESULT, ZxError::Canceled as i32));
    check_eq!(message.handles.len(), 1);
    ok!(blocked.join());
    Ok(())
}

fn wait_one_is_cancelled_when_its_message_is_destroyed(_: &World) -> Case {
    let (_event, copy) = ok!(event());
    let blocked = ok!(waiting_on(copy.raw()));
    check!(is_in(blocked.thread(), ThreadState::BlockedWaitOne));
    let (left, right) = ok!(Channel::create());
    ok!(left.write(b"", vec![copy.into()]));
    drop(right);
    check!(wait_for_value(&RESULT, ZxError::Canceled as i32));
    ok!(blocked.join());
    Ok(())
}

fn wait_one_hears_of_signals_while_its_handle_is_in_flight(_: &World) -> Case {
    let (event, copy) = ok!(event());
    let blocked = ok!(waiting_on(copy.raw()));
    check!(is_in(blocked.thread(), ThreadState::BlockedWaitOne));
    let (left, _right) = ok!(Channel::create());
    ok!(left.write(b"", vec![copy.into()]));
    ok!(event.signal(Signals::empty(), Signals::SIGNALED));
    check!(wait_for_value(&RESULT, WENT_WELL));
    ok!(blocked.join());
    Ok(())
}

fn wait_one_is_cancelled_when_its_handle_is_replaced(_: &World) -> Case {
    let (_event, copy) = ok!(event());
    let blocked = ok!(waiting_on(copy.raw()));
    check!(is_in(blocked.thread(), ThreadState::BlockedWaitOne));
    let _replaced = ok!(copy.replace(Rights::SAME_RIGHTS));
    check!(wait_for_value(&RESULT, ZxError::Canceled as i32));
    ok!(blocked.join());
    Ok(())
}

fn wait_many_is_cancelled_when_a_transferred_handle_is_read(_: &World) -> Case {
    let (event, copy) = ok!(event());
    let values = [event.raw(), copy.raw()];
    let blocked = ok!(start(
        move || libzx::wait_many(&values.map(item), soon()).map(drop)
    ));
    check!(is_in(blocked.thread(), ThreadState::BlockedWaitMany));
    let (left, right) = ok!(Channel::create());
    ok!(left.write(b"", vec![copy.into()]));
    sleep_ms(2);
    // The handle is as it was until somebody takes it out.
    check_eq!(RESULT.load(Ordering::SeqCst), 0);
    let message = ok!(right.read());
    check!(wait_for_value(&RESULT, ZxError::Canceled as i32));
    check_eq!(message.handles.len(), 1);
    ok!(blocked.join());
    Ok(())
}

fn an_async_wait_ends_when_its_transferred_handle_is_read(_: &World) -> Case {
    let port = ok!(Port::create());
    let (event, copy) = ok!(event());
    ok!(copy.wait_async(&port, 1, Signals::SIGNALED, 0));
    let (left, right) = ok!(Channel::create());
    ok!(left.write(b"", vec![copy.into()]));
    let message = ok!(right.read());
    ok!(event.signal(Signals::empty(), Signals::SIGNALED));
    fails!(port.wait(0), TimedOut);
    check_eq!(message.handles.len(), 1);
    // A packet that was queued already stays.
    let (witness, sent) = ok!(EventPair::create());
    ok!(sent.wait_async(&port, 2, Signals::SIGNALED, 0));
    ok!(witness.signal_peer(Signals::empty(), Signals::SIGNALED));
    ok!(left.write(b"", vec![sent.into()]));
    ok!(right.read());
    check_eq!(ok!(port.wait(0)).key, 2);
    Ok(())
}

fn port_wait_outlives_the_close_of_its_handle(_: &World) -> Case {
    let port = ok!(Port::create());
    let value = Handle::from(ok!(port.duplicate(Rights::SAME_RIGHTS))).into_raw();
    let blocked = ok!(start(move || {
        let page = Scratch::new()?;
        let deadline = usize::try_from(soon()).unwrap_or(0);
        call(
            SyscallId::PortWait,
            &[value as usize, deadline, page.address()],
        )
    }));
    check!(is_in(blocked.thread(), ThreadState::BlockedPort));
    drop(Handle::from_raw(value));
    sleep_ms(2);
    check_eq!(RESULT.load(Ordering::SeqCst), 0);
    ok!(port.queue(&PortPacket::user(1, Status::OK, [0; 32])));
    check!(wait_for_value(&RESULT, WENT_WELL));
    ok!(blocked.join());
    Ok(())
}
