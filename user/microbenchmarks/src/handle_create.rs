//! `HandleCreate_*`: what it costs to make an object of each type and to close it again.

use libzx::{
    own_process, Channel, Event, EventPair, Fifo, Port, Process, Socket, Thread, Timer, Vmo,
    ZxResult,
};

use crate::bench::{Bench, Kind, Row, Stop};
use crate::world::World;

const PARTS: &[(&str, Kind)] = &[("create", Kind::Control), ("close", Kind::Control)];

/// Measures making something and dropping it.
fn create<T>(bench: &mut Bench, name: &str, about: &str, make: impl Fn() -> ZxResult<T>) {
    bench.row(Row::control(name, about).parts(PARTS), |sampler| {
        sampler.run(|laps| {
            let made = make()?;
            laps.next();
            drop(made);
            Ok(())
        })?;
        Ok(())
    });
}

pub(crate) fn run(bench: &mut Bench, world: &World) {
    create(
        bench,
        "HandleCreate_Channel",
        "Makes a channel, closes both ends.",
        Channel::create,
    );
    create(
        bench,
        "HandleCreate_Event",
        "Makes an event, closes it.",
        Event::create,
    );
    create(
        bench,
        "HandleCreate_EventPair",
        "Makes an event pair, closes both ends.",
        EventPair::create,
    );
    create(
        bench,
        "HandleCreate_Fifo",
        "Makes a fifo of two elements of 2048 bytes, closes both ends.",
        || Fifo::create(2, 2048, 0),
    );
    create(
        bench,
        "HandleCreate_Port",
        "Makes a port, closes it.",
        Port::create,
    );
    create(
        bench,
        "HandleCreate_Socket",
        "Makes a stream socket, closes both ends.",
        || Socket::create(0),
    );
    create(
        bench,
        "HandleCreate_Thread",
        "Makes a thread that is never started, closes it.",
        || Thread::create(&own_process(), "perftest-thread"),
    );
    create(
        bench,
        "HandleCreate_Timer",
        "Makes a timer, closes it.",
        || Timer::create(0),
    );
    create(
        bench,
        "HandleCreate_Vmo",
        "Makes a memory object of 64 KiB without pages, closes it.",
        || Vmo::create(64 << 10, 0),
    );
    let about = "Makes a process that is never started, closes it and its root VMAR.";
    bench.row(
        Row::control("HandleCreate_Process", about).parts(PARTS),
        |sampler| {
            let job = world.job()?;
            sampler.run(|laps| {
                let made = Process::create(job, "perftest-process")?;
                laps.next();
                drop(made);
                Ok(())
            })?;
            Ok::<(), Stop>(())
        },
    );
    let about = "Makes a job, closes it.";
    bench.row(
        Row::control("HandleCreate_Job", about).parts(PARTS),
        |sampler| {
            let job = world.job()?;
            sampler.run(|laps| {
                let made = job.create_child()?;
                laps.next();
                drop(made);
                Ok(())
            })?;
            Ok::<(), Stop>(())
        },
    );
}
