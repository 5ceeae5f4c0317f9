//! Threads: creation, states, suspension, end.

use alloc::vec::Vec;
use core::sync::atomic::{AtomicI32, Ordering};

use libzx::{AsHandle, Event, Handle, Port, Rights, Signals, Thread, ZxResult};
use zx_abi::info::{InfoTopic, ThreadState, ThreadStatsInfo};
use zx_abi::syscalls::SyscallId;
use zx_abi::ObjectType;

use crate::check::{check, check_eq, fail, fails, home_only, ok, suite, Case};
use crate::memory::{address_of, arg, call, wait_for_value, Scratch};
use crate::other_thread::{is_in, state};
use crate::world::{basic_info, in_ms, sleep_ms, soon, World};

suite! {
    "Thread":
    new_ones_have_the_usual_rights,
    unknown_options_are_refused,
    names_are_cut,
    a_new_one_has_not_started,
    one_that_ran_is_dead,
    starting_twice_says_bad_state,
    the_blocking_call_shows_in_the_state,
    a_sleeping_one_says_so,
    its_running_time_is_told,
    a_suspended_one_stands_still,
    two_tokens_suspend_until_both_are_closed,
    one_cannot_suspend_oneself,
    a_dead_one_cannot_be_suspended,
    its_registers_are_read_only_while_stopped,
    a_single_one_cannot_be_killed,
    creation_needs_the_right,
    many_can_run,
}

fn new_thread() -> ZxResult<Thread> {
    Thread::create(&libzx::own_process(), "new")
}

fn new_ones_have_the_usual_rights(_: &World) -> Case {
    let thread = ok!(new_thread());
    let info = ok!(basic_info(&thread));
    check_eq!(info.kind, ObjectType::Thread.raw());
    check_eq!(info.rights, Rights::default_for(ObjectType::Thread));
    check_eq!(info.related_koid, ok!(libzx::own_process().koid()));
    Ok(())
}

fn unknown_options_are_refused(_: &World) -> Case {
    let page = ok!(Scratch::new());
    let (own, at) = (arg(&libzx::own_process()), page.address());
    fails!(
        call(SyscallId::ThreadCreate, &[own, at, 1, 1, at]),
        InvalidArgs
    );
    fails!(
        call(SyscallId::ThreadCreate, &[own, at, 1, 0, 0]),
        InvalidArgs
    );
    Ok(())
}

fn names_are_cut(_: &World) -> Case {
    let thread = ok!(Thread::create(
        &libzx::own_process(),
        "a thread with a very long name indeed"
    ));
    check_eq!(ok!(thread.name()), "a thread with a very long name ");
    ok!(thread.set_name("a"));
    check_eq!(ok!(thread.name()), "a");
    Ok(())
}

fn a_new_one_has_not_started(_: &World) -> Case {
    let thread = ok!(new_thread());
    check_eq!(ok!(state(&thread)), Some(ThreadState::New));
    check_eq!(ok!(thread.signals_now(Signals::all())), Signals::empty());
    Ok(())
}

fn one_that_ran_is_dead(_: &World) -> Case {
    let spawned = ok!(libzx::thread::spawn("short", || {}));
    let thread = ok!(spawned.thread().duplicate(Rights::SAME_RIGHTS));
    ok!(spawned.join());
    check!(ok!(thread.signals_now(Signals::all())).contains(Signals::THREAD_TERMINATED));
    check!(is_in(&thread, ThreadState::Dead));
    Ok(())
}

fn starting_twice_says_bad_state(_: &World) -> Case {
    let spawned = ok!(libzx::thread::spawn("short", || sleep_ms(3)));
    let again = [arg(spawned.thread()), 0x100_0000, 0x100_0000, 0, 0];
    fails!(call(SyscallId::ThreadStart, &again), BadState);
    ok!(spawned.join());
    Ok(())
}

static FUTEX: AtomicI32 = AtomicI32::new(0);

fn the_blocking_call_shows_in_the_state(_: &World) -> Case {
    let (event, port) = (ok!(Event::create()), ok!(Port::create()));
    let (event2, port2) = (
        ok!(event.duplicate(Rights::SAME_RIGHTS)),
        ok!(port.duplicate(Rights::SAME_RIGHTS)),
    );
    let blocked = ok!(libzx::thread::spawn("blocked", move || {
        let _ = event2.wait_one(Signals::SIGNALED, soon());
        let _ = libzx::wait_many(
            &[libzx::WaitFor {
                handle: event2.raw(),
                signals: Signals::USER_0,
            }],
            soon(),
        );
        let _ = port2.wait(soon());
        let deadline = usize::try_from(soon()).unwrap_or(0);
        let _ = call(SyscallId::FutexWait, &[address_of(&FUTEX), 0, 0, deadline]);
    }));
    check!(is_in(blocked.thread(), ThreadState::BlockedWaitOne));
    ok!(event.signal(Signals::empty(), Signals::SIGNALED));
    check!(is_in(blocked.thread(), ThreadState::BlockedWaitMany));
    ok!(event.signal(Signals::empty(), Signals::USER_0));
    check!(is_in(blocked.thread(), ThreadState::BlockedPort));
    ok!(port.queue(&zx_abi::PortPacket::user(1, zx_abi::Status::OK, [0; 32])));
    check!(is_in(blocked.thread(), ThreadState::BlockedFutex));
    ok!(call(SyscallId::FutexWake, &[address_of(&FUTEX), 1]));
    ok!(blocked.join());
    Ok(())
}

fn a_sleeping_one_says_so(_: &World) -> Case {
    let sleeper = ok!(libzx::thread::spawn("sleeper", || sleep_ms(30)));
    check!(is_in(sleeper.thread(), ThreadState::BlockedSleeping));
    ok!(sleeper.join());
    Ok(())
}

fn its_running_time_is_told(_: &World) -> Case {
    let busy = ok!(libzx::thread::spawn("busy", || {
        let end = in_ms(5);
        while libzx::time::now() < end {}
        sleep_ms(20);
    }));
    check!(is_in(busy.thread(), ThreadState::BlockedSleeping));
    let stats: ThreadStatsInfo = ok!(busy.thread().get_info(InfoTopic::ThreadStats));
    check!(stats.total_runtime >= 1_000_000);
    check!(stats.total_runtime < 10_000_000_000);
    ok!(busy.join());
    Ok(())
}

static COUNTER: AtomicI32 = AtomicI32::new(0);
static STOP: AtomicI32 = AtomicI32::new(0);

/// A thread that counts until it is told to stop.
fn counting() -> ZxResult<libzx::thread::JoinHandle> {
    COUNTER.store(0, Ordering::SeqCst);
    STOP.store(0, Ordering::SeqCst);
    libzx::thread::spawn("counting", || {
        while STOP.load(Ordering::SeqCst) == 0 {
            COUNTER.fetch_add(1, Ordering::SeqCst);
            sleep_ms(1);
        }
    })
}

/// Whether the counter moves.
fn is_counting() -> bool {
    let start = COUNTER.load(Ordering::SeqCst);
    let deadline = in_ms(200);
    while libzx::time::now() < deadline {
        if COUNTER.load(Ordering::SeqCst) != start {
            return true;
        }
        sleep_ms(1);
    }
    false
}

fn a_suspended_one_stands_still(_: &World) -> Case {
    let counting = ok!(counting());
    check!(is_counting());
    let token = ok!(counting.thread().suspend());
    ok!(counting
        .thread()
        .wait_one(Signals::THREAD_SUSPENDED, soon()));
    check_eq!(ok!(state(counting.thread())), Some(ThreadState::Suspended));
    check!(!is_counting());
    drop(token);
    ok!(counting.thread().wait_one(Signals::THREAD_RUNNING, soon()));
    check!(is_counting());
    STOP.store(1, Ordering::SeqCst);
    ok!(counting.join());
    Ok(())
}

fn two_tokens_suspend_until_both_are_closed(_: &World) -> Case {
    let counting = ok!(counting());
    let first = ok!(counting.thread().suspend());
    let second = ok!(counting.thread().suspend());
    ok!(counting
        .thread()
        .wait_one(Signals::THREAD_SUSPENDED, soon()));
    drop(first);
    sleep_ms(2);
    check!(!is_counting());
    drop(second);
    check!(is_counting());
    STOP.store(1, Ordering::SeqCst);
    ok!(counting.join());
    Ok(())
}

/// A handle to the thread that asks: the only one of its process besides those of the cases.
fn own_thread() -> ZxResult<Thread> {
    let koids = libzx::own_process().get_info_list::<u64>(InfoTopic::ProcessThreads)?;
    let process = libzx::Process::from(libzx::own_process().duplicate_handle(Rights::SAME_RIGHTS)?);
    let first = koids.first().copied().unwrap_or(0);
    process.thread(first, Rights::SAME_RIGHTS)
}

fn one_cannot_suspend_oneself(_: &World) -> Case {
    fails!(ok!(own_thread()).suspend(), NotSupported);
    let process = ok!(libzx::own_process().duplicate_handle(Rights::SAME_RIGHTS));
    fails!(Thread::from(process).suspend(), NotSupported);
    let event = Thread::from(Handle::from(ok!(Event::create())));
    check!(event.suspend().is_err());
    Ok(())
}

fn a_dead_one_cannot_be_suspended(_: &World) -> Case {
    let spawned = ok!(libzx::thread::spawn("short", || {}));
    let thread = ok!(spawned.thread().duplicate(Rights::SAME_RIGHTS));
    ok!(spawned.join());
    fails!(thread.suspend(), BadState);
    Ok(())
}

fn its_registers_are_read_only_while_stopped(_: &World) -> Case {
    let counting = ok!(counting());
    let page = ok!(Scratch::new());
    let read = |kind: usize, size: usize| {
        call(
            SyscallId::ThreadReadState,
            &[arg(counting.thread()), kind, page.address(), size],
        )
    };
    fails!(read(0, 160), BadState);
    fails!(read(99, 160), InvalidArgs);
    fails!(read(0, 100), BufferTooSmall);
    let token = ok!(counting.thread().suspend());
    ok!(counting
        .thread()
        .wait_one(Signals::THREAD_SUSPENDED, soon()));
    ok!(read(0, 160));
    let registers: zx_abi::thread_state::GeneralRegs = page.get(0);
    check!(registers.rip > 0x100_0000 && registers.rip < 0x7fff_ffff_f000);
    check!(registers.rsp > 0x100_0000 && registers.rsp < 0x7fff_ffff_f000);
    drop(token);
    STOP.store(1, Ordering::SeqCst);
    ok!(counting.join());
    Ok(())
}

fn a_single_one_cannot_be_killed(world: &World) -> Case {
    home_only!(world);
    let thread = ok!(new_thread());
    fails!(call(SyscallId::TaskKill, &[arg(&thread)]), WrongType);
    Ok(())
}

fn creation_needs_the_right(_: &World) -> Case {
    let weak = ok!(libzx::own_process().duplicate_handle(Rights::BASIC | Rights::DESTROY));
    fails!(Thread::create(&weak, "x"), AccessDenied);
    let event = ok!(Event::create());
    fails!(Thread::create(&event, "x"), WrongType);
    Ok(())
}

fn many_can_run(_: &World) -> Case {
    COUNTER.store(0, Ordering::SeqCst);
    let mut threads = Vec::new();
    for _ in 0..20 {
        threads.push(ok!(libzx::thread::spawn("one of many", || {
            for _ in 0..10 {
                COUNTER.fetch_add(1, Ordering::SeqCst);
                libzx::time::sleep_until(0);
            }
        })));
    }
    if !wait_for_value(&COUNTER, 200) {
        fail!("only {} steps of 200", COUNTER.load(Ordering::SeqCst));
    }
    for thread in threads {
        ok!(thread.join());
    }
    Ok(())
}
