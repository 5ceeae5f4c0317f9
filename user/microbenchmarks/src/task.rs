//! `Thread/` and `Process/`: lives of threads and processes; `Exception/`: what happens when one faults.

use libzx::{
    own_process, raw, thread, time, AsHandle, Channel, Handle, Process, Signals, Thread, VmOptions,
    Vmo, ZxError,
};
use zx_abi::property::Property;
use zx_abi::syscalls::SyscallId;
use zx_abi::thread_state::GeneralRegs;

use crate::bench::{Bench, Call, Kind, Row, Stop};
use crate::child::Mode;
use crate::world::{arg, World, PAGE, READ_WRITE};

pub(crate) fn run(bench: &mut Bench, world: &World) {
    let about = "Makes a thread with its stack, starts it, waits until it has ended, closes it and frees the stack.";
    bench.row(Row::control("Thread/SpawnJoin", about), |sampler| {
        Ok(sampler.run(|_| thread::spawn("life", || ())?.join())?)
    });
    let about =
        "Makes a thread, starts it on a stack that is there, waits until it has ended, closes it.";
    let parts = &[
        ("create", Kind::Control),
        ("start_join", Kind::Control),
        ("close", Kind::Control),
    ];
    bench.row(Row::control("Thread/Life", about).parts(parts), |sampler| {
        let start = Call::new(SyscallId::ThreadStart)?;
        let stack = Vmo::create(PAGE as u64, 0)?;
        let stack =
            world
                .root_vmar()?
                .map(READ_WRITE | VmOptions::MAP_RANGE, 0, &stack, 0, PAGE)?;
        let entry = ended as *const () as usize;
        Ok(sampler.run(|laps| {
            let thread = Thread::create(&own_process(), "life")?;
            laps.next();
            start.make([arg(&thread), entry, stack + PAGE - 8, 0, 0])?;
            thread.wait_one(Signals::THREAD_TERMINATED, time::INFINITE)?;
            laps.next();
            drop(thread);
            Ok(())
        })?)
    });
    let about =
        "Makes a process that is never started, closes it and its root VMAR, lets others clean up.";
    let parts = &[
        ("create", Kind::Control),
        ("close", Kind::Control),
        ("settle", Kind::Control),
    ];
    bench.row(
        Row::control("Process/CreateClose", about).parts(parts),
        |sampler| {
            let (job, quiet) = (world.job()?, quiet());
            Ok(sampler.run(|laps| {
                let process = Process::create(job, "life")?;
                laps.next();
                drop(process);
                laps.next();
                settle(quiet);
                Ok(())
            })?)
        },
    );
    let about = "Loads this program into a process, starts it, waits until it has ended, lets others clean up.";
    let parts = &[
        ("start", Kind::Control),
        ("join", Kind::Control),
        ("close", Kind::Control),
        ("settle", Kind::Control),
    ];
    bench.row(
        Row::control("Process/Life", about).parts(parts),
        |sampler| {
            world.job()?;
            let quiet = quiet();
            Ok(sampler.run(|laps| {
                let process = world
                    .start_child(Mode::Exit, None)
                    .map_err(|_| ZxError::Internal)?;
                laps.next();
                process.wait_one(Signals::PROCESS_TERMINATED, time::INFINITE)?;
                laps.next();
                drop(process);
                laps.next();
                settle(quiet);
                Ok(())
            })?)
        },
    );
    suspension(bench);
    exception(bench, world);
}

/// Suspends a thread that waits, and lets it wait again.
fn suspension(bench: &mut Bench) {
    let about =
        "Suspends a thread that sleeps, waits until it stands, resumes it, waits until it runs.";
    bench.row(Row::control("Thread/SuspendResume", about), |sampler| {
        let (near, far) = libzx::EventPair::create()?;
        let sleeper = thread::spawn("sleeper", move || {
            let _ = far.wait_one(Signals::EVENTPAIR_PEER_CLOSED, time::INFINITE);
        })?;
        let samples = sampler.run(|_| {
            let token = sleeper.thread().suspend()?;
            sleeper
                .thread()
                .wait_one(Signals::THREAD_SUSPENDED, time::INFINITE)?;
            drop(token);
            sleeper
                .thread()
                .wait_one(Signals::THREAD_RUNNING, time::INFINITE)?;
            Ok(())
        });
        drop(near);
        sleeper.join()?;
        Ok(samples?)
    });
}

/// Ticks that giving the CPU away takes when nobody takes it.
fn quiet() -> i64 {
    let yielded = |_| {
        let start = time::ticks();
        time::sleep_until(0);
        time::ticks().wrapping_sub(start)
    };
    (0..8).map(yielded).min().unwrap_or(0)
}

/// Gives the CPU away until nobody takes it: what a kernel puts off until later belongs to the cost.
fn settle(quiet: i64) {
    for _ in 0..100 {
        let start = time::ticks();
        time::sleep_until(0);
        if time::ticks().wrapping_sub(start) <= quiet + quiet / 2 {
            return;
        }
    }
}

/// First and last function of a thread.
extern "C" fn ended(_: usize, _: usize) -> ! {
    thread::exit()
}

/// An instruction that the CPU refuses: `ud2`.
const UNDEFINED: [u8; 2] = [0x0f, 0x0b];
/// `ZX_EXCEPTION_STATE_HANDLED`.
const HANDLED: u32 = 1;

/// A thread faults, its handler is told and says that the thread may try again, and it faults anew.
fn exception(bench: &mut Bench, world: &World) {
    let about = "Reads an exception of a thread, marks it handled, and waits until the thread faults again.";
    bench.row(Row::control("Exception/RoundTrip", about), |sampler| {
        let create = Call::new(SyscallId::TaskCreateExceptionChannel)?;
        let (vmar, code) = (world.root_vmar()?, Vmo::create(PAGE as u64, 0)?);
        code.write(&UNDEFINED, 0)?;
        let code = code.replace_as_executable(&libzx::Unowned(0))?;
        let entry = vmar.map(
            VmOptions::PERM_READ | VmOptions::PERM_EXECUTE,
            0,
            &code,
            0,
            PAGE,
        )?;
        let stack = vmar.map(READ_WRITE, 0, &Vmo::create(PAGE as u64, 0)?, 0, PAGE)?;
        let thread = Thread::create(&own_process(), "faults")?;
        let mut channel = 0u32;
        let out = core::ptr::from_mut(&mut channel).expose_provenance();
        create.make([arg(&thread), 0, out])?;
        let channel = Channel::from(Handle::from_raw(channel));
        let start = [arg(&thread), entry, stack + PAGE - 8, 0, 0];
        raw::status(SyscallId::ThreadStart, &start).into_result()?;
        let wanted = Signals::CHANNEL_READABLE | Signals::CHANNEL_PEER_CLOSED;
        channel.wait_one(wanted, time::INFINITE)?;
        let (mut info, mut handle) = ([0; 24], [0]);
        sampler.run(|_| {
            channel.read_raw(&mut info, &mut handle).0?;
            let exception = Handle::from_raw(handle[0]);
            exception.set_property(Property::ExceptionState, &HANDLED.to_le_bytes())?;
            drop(exception);
            channel.wait_one(wanted, time::INFINITE).map(drop)
        })?;
        // The last time it goes on elsewhere.
        channel.read_raw(&mut info, &mut handle).0?;
        let exception = Handle::from_raw(handle[0]);
        let ended = ended as *const () as u64;
        go_on_at(&thread, ended)?;
        exception.set_property(Property::ExceptionState, &HANDLED.to_le_bytes())?;
        drop(exception);
        thread.wait_one(Signals::THREAD_TERMINATED, time::INFINITE)?;
        vmar.unmap(entry, PAGE)?;
        Ok::<(), Stop>(vmar.unmap(stack, PAGE)?)
    });
}

/// Gives a thread that stands still another place to go on at.
fn go_on_at(thread: &Thread, rip: u64) -> Result<(), Stop> {
    let mut registers = GeneralRegs::default();
    let at = core::ptr::from_mut(&mut registers).expose_provenance();
    let args = [arg(thread), 0, at, size_of::<GeneralRegs>()];
    Call::new(SyscallId::ThreadReadState)?.make(args)?;
    registers.rip = rip;
    let at = core::ptr::from_mut(&mut registers).expose_provenance();
    let args = [arg(thread), 0, at, size_of::<GeneralRegs>()];
    Ok(Call::new(SyscallId::ThreadWriteState)?.make(args)?)
}
