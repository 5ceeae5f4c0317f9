//! What threads cost each other: making, waking, switching, ending one, while very many others wait.

use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicI32, AtomicU32, AtomicUsize, Ordering::SeqCst};

use libzx::{
    own_process, println, thread, time, AsHandle, Channel, Port, Resource, Signals, Thread, Vmo,
    ZxResult,
};
use zx_abi::info::{InfoTopic, KmemStatsInfo};
use zx_abi::syscalls::SyscallId;
use zx_abi::{ChannelCallArgs, PortPacket, Status};

use super::{name, point, COUNTS, HOUR};
use crate::bench::{Bench, Call, Row, Stop};
use crate::measure::Sampler;
use crate::round_trip::{echo, PingPong};
use crate::world::{arg, World, READ_WRITE};

/// Bytes of stack for a thread that makes one call.
const STACK: usize = 2048;
/// A deadline that never comes.
const FOREVER: usize = usize::MAX >> 1;

/// What threads wait for: that it is no longer [`CLOSED`].
static GATE: AtomicI32 = AtomicI32::new(CLOSED);
const CLOSED: i32 = 0;
const OPEN: i32 = 1;
/// Threads that are about to wait.
static ARRIVED: AtomicUsize = AtomicUsize::new(0);
/// Packets that threads have taken.
static TAKEN: AtomicUsize = AtomicUsize::new(0);

pub(super) fn run(bench: &mut Bench, world: &World) {
    for count in COUNTS {
        let about = "Makes a thread and closes it in a process with so many other threads that are not started.";
        let make = |_| Thread::create(&own_process(), "other");
        point(
            bench,
            "ThreadCreateClose/threads",
            about,
            count,
            make,
            |sampler, _| Ok(sampler.run(|_| Thread::create(&own_process(), "one").map(drop))?),
        );
        among_sleepers(bench, world, count);
        calls(bench, world, count);
        line(bench, world, count);
    }
}

/// Threads of this process that wait, on small stacks in one piece of memory.
struct Crowd<'a> {
    world: &'a World,
    threads: Vec<Thread>,
    stacks: Option<usize>,
}

type Entry = extern "C" fn(usize, usize) -> !;

impl<'a> Crowd<'a> {
    /// Starts so many threads at `entry` with these arguments, and lets each run until it waits.
    fn gather(
        world: &'a World,
        count: usize,
        entry: Entry,
        args: [usize; 2],
        meanwhile: impl Fn() -> ZxResult,
    ) -> Result<Self, Stop> {
        let start = Call::new(SyscallId::ThreadStart)?;
        let mut crowd = Self {
            world,
            threads: Vec::new(),
            stacks: None,
        };
        if count == 0 {
            return Ok(crowd);
        }
        let vmo = Vmo::create((count * STACK) as u64, 0)?;
        let stacks = world
            .root_vmar()?
            .map(READ_WRITE, 0, &vmo, 0, count * STACK)?;
        crowd.stacks = Some(stacks);
        ARRIVED.store(0, SeqCst);
        for index in 0..count {
            let thread = Thread::create(&own_process(), "sleeper")?;
            let stack = stacks + (index + 1) * STACK - 8;
            start.make([arg(&thread), entry as usize, stack, args[0], args[1]])?;
            crowd.threads.push(thread);
            if index % 1000 == 999 || index + 1 == count {
                while ARRIVED.load(SeqCst) <= index {
                    time::sleep_until(0);
                }
                // The last of them has said so, but does not wait yet.
                time::sleep_until(time::after(1_000_000));
                meanwhile()?;
            }
        }
        Ok(crowd)
    }

    /// Waits for the threads, which something has sent to their end.
    fn end(self) -> Result<(), Stop> {
        for thread in &self.threads {
            thread.wait_one(Signals::THREAD_TERMINATED, time::INFINITE)?;
        }
        if let Some(stacks) = self.stacks {
            let len = self.threads.len() * STACK;
            self.world.root_vmar()?.unmap(stacks, len)?;
        }
        Ok(())
    }
}

fn gate() -> usize {
    core::ptr::from_ref(&GATE).expose_provenance()
}

/// A thread that waits until the gate is open.
extern "C" fn sleep_at_gate(deadline: usize, _: usize) -> ! {
    ARRIVED.fetch_add(1, SeqCst);
    sleep_until_open(deadline);
    thread::exit()
}

fn sleep_until_open(deadline: usize) {
    if let Ok(wait) = Call::new(SyscallId::FutexWait) {
        while GATE.load(SeqCst) == CLOSED {
            let _ = wait.make([gate(), 0, 0, deadline]);
        }
    }
}

/// So many threads at the gate; opens it afterwards.
fn with_sleepers(
    world: &World,
    count: usize,
    deadline: usize,
    work: impl FnOnce() -> Result<(), Stop>,
) -> Result<(), Stop> {
    let wake = Call::new(SyscallId::FutexWake)?;
    GATE.store(CLOSED, SeqCst);
    let before = heap(world);
    let crowd = Crowd::gather(world, count, sleep_at_gate, [deadline, 0], || Ok(()))?;
    if let (Some(before), Some(after), 1000..) = (before, heap(world), count) {
        let each = after.saturating_sub(before) / count as u64;
        println!("{count} threads that wait take {each} bytes of kernel heap each");
    }
    let done = work();
    GATE.store(OPEN, SeqCst);
    wake.make([gate(), u32::MAX as usize])?;
    crowd.end()?;
    done
}

/// Bytes of the kernel's heap that are in use, for a program that may ask.
fn heap(world: &World) -> Option<u64> {
    let resource: &Resource = world.resource()?;
    let stats: KmemStatsInfo = resource.get_info(InfoTopic::KmemStats).ok()?;
    Some(stats.total_heap_bytes - stats.free_heap_bytes)
}

fn among_sleepers(bench: &mut Bench, world: &World, count: usize) {
    let about = "Makes a thread, starts it, waits until it has ended and closes it, while so many others wait on a futex.";
    let row = Row::control(name("ThreadLife/sleepers", count), about);
    bench.row(row, |sampler| {
        with_sleepers(world, count, FOREVER, || lives(sampler, world))
    });
    let about = "Suspends a thread that waits, waits until it stands, lets it go on and waits for that, while so many others wait on a futex.";
    let row = Row::control(name("ThreadSuspendResume/sleepers", count), about);
    bench.row(row, |sampler| {
        with_sleepers(world, count, FOREVER, || suspensions(sampler))
    });
    let about = "Wakes a thread that waits on a futex and waits until it does the same, while so many others wait on another futex.";
    let row = Row::control(name("FutexPingPong/sleepers", count), about);
    bench.row(row, |sampler| {
        with_sleepers(world, count, FOREVER, || switches(sampler))
    });
    let about = "The same, and each of the others has a deadline.";
    let row = Row::control(name("FutexPingPong/sleepers_with_deadlines", count), about);
    bench.row(row, |sampler| {
        let deadline = usize::try_from(time::after(HOUR)).unwrap_or(FOREVER);
        with_sleepers(world, count, deadline, || switches(sampler))
    });
}

/// First and last function of a thread.
extern "C" fn end_at_once(_: usize, _: usize) -> ! {
    thread::exit()
}

fn lives(sampler: &mut Sampler, world: &World) -> Result<(), Stop> {
    let (start, vmar) = (Call::new(SyscallId::ThreadStart)?, world.root_vmar()?);
    let stack = vmar.map(READ_WRITE, 0, &Vmo::create(4096, 0)?, 0, 4096)?;
    sampler.run(|_| {
        let thread = Thread::create(&own_process(), "one")?;
        start.make([
            arg(&thread),
            end_at_once as *const () as usize,
            stack + 4088,
            0,
            0,
        ])?;
        thread
            .wait_one(Signals::THREAD_TERMINATED, time::INFINITE)
            .map(drop)
    })?;
    Ok(vmar.unmap(stack, 4096)?)
}

fn suspensions(sampler: &mut Sampler) -> Result<(), Stop> {
    // It leaves when the gate opens.
    let sleeper = thread::spawn("sleeper", || sleep_until_open(FOREVER))?;
    let thread = sleeper.thread();
    Ok(sampler.run(|_| {
        let token = thread.suspend()?;
        thread.wait_one(Signals::THREAD_SUSPENDED, time::INFINITE)?;
        drop(token);
        thread
            .wait_one(Signals::THREAD_RUNNING, time::INFINITE)
            .map(drop)
    })?)
}

fn switches(sampler: &mut Sampler) -> Result<(), Stop> {
    let pair = PingPong::start()?;
    sampler.run(|_| pair.round())?;
    pair.end()
}

/// What all callers read their answers into.
static COUNTS_READ: [AtomicU32; 2] = [AtomicU32::new(0), AtomicU32::new(0)];

/// Makes a `channel_call` without an end.
fn call_for_ever(channel: usize, args: usize) -> ZxResult {
    let place = core::ptr::from_ref(&COUNTS_READ).expose_provenance();
    match Call::new(SyscallId::ChannelCall) {
        Ok(call) => call.make([channel, 0, FOREVER, args, place, place + 4]),
        Err(_) => Err(libzx::ZxError::NotSupported),
    }
}

/// A thread whose call nobody answers.
extern "C" fn call_in_vain(channel: usize, args: usize) -> ! {
    ARRIVED.fetch_add(1, SeqCst);
    let _ = call_for_ever(channel, args);
    thread::exit()
}

fn calls(bench: &mut Bench, world: &World, count: usize) {
    let about = "channel_call of 64 bytes to a thread that answers, while so many other calls from the same end have no answer.";
    bench.row(
        Row::control(name("ChannelCall/calls", count), about),
        |sampler| {
            let (near, far) = Channel::create()?;
            let far = Arc::new(far);
            let (sent, received) = ([7_u8; 64], [0_u8; 64]);
            let args = ChannelCallArgs {
                wr_bytes: core::ptr::from_ref(&sent).expose_provenance(),
                rd_bytes: core::ptr::from_ref(&received).expose_provenance(),
                wr_num_bytes: 64,
                rd_num_bytes: 64,
                ..ChannelCallArgs::default()
            };
            let args = core::ptr::from_ref(&args).expose_provenance();
            // What they ask is thrown away.
            let throw_away = || {
                let mut bytes = [0; 64];
                while far.read_raw(&mut bytes, &mut []).0.is_ok() {}
                Ok(())
            };
            let crowd = Crowd::gather(world, count, call_in_vain, [arg(&near), args], throw_away)?;
            let answering = far.clone();
            let other = thread::spawn("echo", move || echo(&answering))?;
            let measured = sampler.run(|_| call_for_ever(arg(&near), args));
            drop(near);
            other.join()?;
            crowd.end()?;
            Ok(measured?)
        },
    );
}

/// A thread that takes packets until one has the key 0.
extern "C" fn take_packets(port: usize, _: usize) -> ! {
    let mut packet = [0_u64; 6];
    let place = core::ptr::from_mut(&mut packet).expose_provenance();
    if let Ok(wait) = Call::new(SyscallId::PortWait) {
        ARRIVED.fetch_add(1, SeqCst);
        while wait.make([port, FOREVER, place]).is_ok() && libzx::raw::peek(place) != 0 {
            TAKEN.fetch_add(1, SeqCst);
        }
    }
    thread::exit()
}

fn line(bench: &mut Bench, world: &World, count: usize) {
    let about = "Queues a packet for the first of so many threads that wait at the port, which takes it and joins the line again.";
    bench.row(
        Row::control(name("PortHandOver/threads", count), about),
        |sampler| {
            let count = count.max(1);
            let port = Arc::new(Port::create()?);
            let packet = |key| PortPacket::user(key, Status::OK, [0; 32]);
            let crowd = Crowd::gather(world, count, take_packets, [arg(&*port), 0], || Ok(()))?;
            let measured = sampler.run(|_| {
                let before = TAKEN.load(SeqCst);
                port.queue(&packet(1))?;
                while TAKEN.load(SeqCst) == before {
                    time::sleep_until(0);
                }
                Ok(())
            });
            for index in 0..count {
                port.queue(&packet(0))?;
                if index % 1000 == 999 {
                    time::sleep_until(time::after(10_000_000));
                }
            }
            crowd.end()?;
            Ok(measured?)
        },
    );
}
