//! How threads share the CPU: deadlines with their budgets, and what waits beside what computes.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, Ordering};

use libzx::thread::JoinHandle;
use libzx::{time, AsHandle, Event, Handle, Job, Signals, Thread, ZxResult};
use zx_abi::info::{InfoTopic, TaskRuntimeInfo, ThreadState, ThreadStatsInfo};
use zx_abi::profile::{ProfileFlags, ProfileInfo};
use zx_abi::syscalls::SyscallId;

use crate::check::{check, check_eq, home_only, needs, ok, skip, suite, Case, Outcome};
use crate::memory::{arg, call, Scratch};
use crate::other_thread::{state, Call};
use crate::pages::{pages, View};
use crate::world::{basic_info, sleep_ms, soon, World};

suite! {
    "Scheduling":
    a_deadline_thread_gets_its_capacity_and_no_more,
    a_deadline_thread_gets_its_capacity_beside_others_that_compute,
    a_priority_takes_a_deadline_back,
    a_sleeper_wakes_within_one_slice_beside_many_that_compute,
    a_sleeper_wakes_beside_a_call_that_closes_very_many,
    a_sleeper_wakes_beside_a_call_that_copies_very_much,
    a_thread_that_makes_room_counts_how_long_it_waits,
    a_thread_that_was_woken_counts_how_long_it_waits,
    a_thread_that_sleeps_counts_no_waiting,
}

const MS: i64 = 1_000_000;

/// Threads that compute until they are dropped.
struct Busy {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle>,
}

impl Busy {
    fn start(count: usize) -> ZxResult<Self> {
        let mut busy = Self {
            stop: Arc::new(AtomicBool::new(false)),
            threads: Vec::new(),
        };
        for _ in 0..count {
            let stop = busy.stop.clone();
            let compute = move || while !stop.load(Ordering::Relaxed) {};
            busy.threads.push(libzx::thread::spawn("busy", compute)?);
        }
        Ok(busy)
    }

    fn runtime(&self, index: usize) -> ZxResult<i64> {
        let thread: &Thread = self.threads[index].thread();
        let stats: ThreadStatsInfo = thread.get_info(InfoTopic::ThreadStats)?;
        Ok(stats.total_runtime)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn root_job(world: &World) -> Result<&Job, Outcome> {
    home_only!(world);
    needs!(ProfileCreate);
    let Some(job) = &world.job else {
        skip!("no job");
    };
    if ok!(basic_info(job)).related_koid != 0 {
        skip!("the job passed on is not the root job");
    }
    Ok(job)
}

fn apply(root: &Job, thread: &Thread, flags: ProfileFlags, params: [i64; 3]) -> ZxResult {
    let mut page = Scratch::new()?;
    let info = ProfileInfo {
        flags: flags.bits(),
        params,
        ..ProfileInfo::default()
    };
    page.put(64, &info);
    call(
        SyscallId::ProfileCreate,
        &[arg(root), 0, page.address() + 64, page.address()],
    )?;
    let profile = Handle::from_raw(page.u32(0));
    call(
        SyscallId::ObjectSetProfile,
        &[arg(thread), arg(&profile), 0],
    )
}

/// 4 ms of each 10 ms.
fn give_two_fifths(root: &Job, thread: &Thread) -> ZxResult {
    let params = [4 * MS, 8 * MS, 10 * MS];
    apply(root, thread, ProfileFlags::DEADLINE, params)
}

/// Whether the last of `count` threads that compute gets about its two fifths of the CPU.
///
/// A virtual CPU that stands still while the thread runs makes it seem to run on. So one good window among many is enough; a
/// thread without a budget would have nearly all in each, and one without a deadline its part among equals.
fn keeps_to_two_fifths(root: &Job, count: usize) -> ZxResult<bool> {
    const WINDOWS: usize = 200;
    let busy = Busy::start(count)?;
    give_two_fifths(root, busy.threads[count - 1].thread())?;
    for _ in 0..WINDOWS {
        let (start, before) = (time::now(), busy.runtime(count - 1)?);
        sleep_ms(50);
        let (passed, ran) = (time::now() - start, busy.runtime(count - 1)? - before);
        if (25..=65).contains(&(ran * 100 / passed)) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn a_deadline_thread_gets_its_capacity_and_no_more(world: &World) -> Case {
    check!(ok!(keeps_to_two_fifths(root_job(world)?, 1)));
    Ok(())
}

fn a_deadline_thread_gets_its_capacity_beside_others_that_compute(world: &World) -> Case {
    check!(ok!(keeps_to_two_fifths(root_job(world)?, 6)));
    Ok(())
}

fn a_priority_takes_a_deadline_back(world: &World) -> Case {
    let root = root_job(world)?;
    let busy = ok!(Busy::start(1));
    let thread = busy.threads[0].thread();
    ok!(give_two_fifths(root, thread));
    sleep_ms(30);
    ok!(apply(root, thread, ProfileFlags::PRIORITY, [16, 0, 0]));
    let (start, before) = (time::now(), ok!(busy.runtime(0)));
    sleep_ms(100);
    let (passed, ran) = (time::now() - start, ok!(busy.runtime(0)) - before);
    check!(ran >= passed * 7 / 10);
    Ok(())
}

/// How often, of at most 20 times, a sleeper is at most 25 ms late while a call of another thread is under way.
fn in_time_during(call: &Call) -> ZxResult<usize> {
    let mut in_time = 0;
    for _ in 0..20 {
        let when = time::now() + MS;
        time::sleep_until(when);
        if matches!(state(call.thread())?, Some(ThreadState::Dead) | None) {
            break;
        }
        in_time += usize::from(time::now() - when < 25 * MS);
    }
    Ok(in_time)
}

/// Zeros, as many as a mapping has that nobody has written.
fn a_sleeper_wakes_beside_a_call_that_closes_very_many(_: &World) -> Case {
    const PAGES: usize = 1 << 15;
    let zeros = ok!(pages(PAGES as u64));
    let view = ok!(View::new(&zeros, PAGES));
    let args = [view.at(0), PAGES * 1024];
    let call = ok!(Call::start(SyscallId::HandleCloseMany, &args));
    let in_time = ok!(in_time_during(&call));
    ok!(call.end());
    check!(in_time >= 4);
    Ok(())
}

fn a_sleeper_wakes_beside_a_call_that_copies_very_much(_: &World) -> Case {
    const PAGES: usize = 1 << 15;
    let vmo = ok!(pages(PAGES as u64));
    let target = ok!(pages(PAGES as u64));
    let view = ok!(View::new(&target, PAGES));
    let args = [arg(&vmo), view.at(0), 0, PAGES * 4096];
    let call = ok!(Call::start(SyscallId::VmoRead, &args));
    let in_time = ok!(in_time_during(&call));
    ok!(call.end());
    check!(in_time >= 4);
    Ok(())
}

/// Each of the others may use up a slice of 10 ms before the next one has its turn, but not before this thread has.
fn a_sleeper_wakes_within_one_slice_beside_many_that_compute(_: &World) -> Case {
    const ROUNDS: usize = 40;
    let busy = ok!(Busy::start(5));
    let mut in_time = 0;
    for _ in 0..ROUNDS {
        let due = time::after(3 * MS);
        time::sleep_until(due);
        in_time += usize::from(time::now() - due <= 15 * MS);
    }
    drop(busy);
    // In the order of a plain queue none would be in time, but for a virtual CPU that stands still.
    check!(in_time >= ROUNDS / 4);
    Ok(())
}

/// Time on the CPU and time ready without it, ns.
fn waits(thread: &Thread) -> ZxResult<(i64, i64)> {
    let runtime: TaskRuntimeInfo = thread.get_info(InfoTopic::TaskRuntime)?;
    Ok((runtime.cpu_time, runtime.queue_time))
}

/// What a thread has waited for the CPU within the next 60 ms, in ms; it must not have run.
fn waited_meanwhile(thread: &Thread) -> Result<i64, Outcome> {
    let before = ok!(waits(thread));
    sleep_ms(60);
    let after = ok!(waits(thread));
    check_eq!(after.0, before.0);
    Ok((after.1 - before.1) / MS)
}

fn give(root: &Job, thread: &Thread, priority: i64) -> ZxResult {
    apply(root, thread, ProfileFlags::PRIORITY, [priority, 0, 0])
}

fn a_thread_that_makes_room_counts_how_long_it_waits(world: &World) -> Case {
    let root = root_job(world)?;
    let busy = ok!(Busy::start(2));
    let [low, high] = [0, 1].map(|index| busy.threads[index].thread());
    ok!(give(root, low, 1));
    sleep_ms(5);
    ok!(give(root, high, 2));
    check!(waited_meanwhile(low)? >= 50);
    // It waits on, also while nobody looks.
    check!(waited_meanwhile(low)? >= 50);
    Ok(())
}

fn a_thread_that_was_woken_counts_how_long_it_waits(world: &World) -> Case {
    let root = root_job(world)?;
    let event = Arc::new(ok!(Event::create()));
    let awaited = event.clone();
    let woken = ok!(libzx::thread::spawn("woken", move || {
        let _ = awaited.wait_one(Signals::SIGNALED, soon());
    }));
    ok!(give(root, woken.thread(), 1));
    sleep_ms(5);
    let busy = ok!(Busy::start(1));
    ok!(give(root, busy.threads[0].thread(), 2));
    check_eq!(waited_meanwhile(woken.thread())?, 0);
    ok!(event.signal(Signals::empty(), Signals::SIGNALED));
    check!(waited_meanwhile(woken.thread())? >= 50);
    drop(busy);
    ok!(woken.join());
    Ok(())
}

fn a_thread_that_sleeps_counts_no_waiting(world: &World) -> Case {
    root_job(world)?;
    let sleeper = ok!(libzx::thread::spawn("sleeper", || sleep_ms(150)));
    sleep_ms(5);
    check_eq!(waited_meanwhile(sleeper.thread())?, 0);
    ok!(sleeper.join());
    Ok(())
}
