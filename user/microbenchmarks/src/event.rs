//! `Event/` and `EventPair/`: signals, and waiting for one of them.

use libzx::{AsHandle, Event, EventPair, Signals, ZxError};
use zx_abi::syscalls::SyscallId;

use crate::bench::{Bench, Call, Kind, Row};
use crate::world::{Level, World};

const CREATE_CLOSE: &[(&str, Kind)] = &[("create", Kind::Control), ("close", Kind::Control)];
/// Objects in the rows with many, and the first level that takes so many.
const MANY: [(usize, Level); 2] = [(8, Level::July2019), (64, Level::Home)];

pub(crate) fn run(bench: &mut Bench, world: &World) {
    let about = "Makes an event, closes it.";
    bench.row(
        Row::control("Event/CreateClose", about).parts(CREATE_CLOSE),
        |sampler| {
            Ok(sampler.run(|laps| {
                let event = Event::create()?;
                laps.next();
                drop(event);
                Ok(())
            })?)
        },
    );
    let about = "Sets and clears signals that nobody waits for.";
    bench.row(Row::control("Event/Signal", about), |sampler| {
        let event = Event::create()?;
        Ok(sampler.run(|_| event.signal(Signals::USER_0, Signals::USER_1))?)
    });
    let about = "Waits for a signal that is there.";
    bench.row(Row::control("Event/WaitOneReady", about), |sampler| {
        let event = Event::create()?;
        event.signal(Signals::empty(), Signals::USER_1)?;
        Ok(sampler.run(|_| event.wait_one(Signals::USER_1, 0).map(drop))?)
    });
    let about = "Waits for a signal that is not there until a time that has passed.";
    bench.row(Row::control("Event/WaitOneTimeout", about), |sampler| {
        let event = Event::create()?;
        Ok(sampler.run(|_| match event.wait_one(Signals::USER_1, 0) {
            Err(ZxError::TimedOut) => Ok(()),
            _ => Err(ZxError::BadState),
        })?)
    });
    for (count, since) in MANY {
        let name = alloc::format!("Event/WaitManyReady/{count}handles");
        let about = "Waits for several events of which the last has its signal.";
        bench.row(Row::control(name, about), |sampler| {
            world.since(since)?;
            let wait = Call::new(SyscallId::ObjectWaitMany)?;
            let events = (0..count)
                .map(|_| Event::create())
                .collect::<Result<alloc::vec::Vec<_>, _>>()?;
            if let Some(last) = events.last() {
                last.signal(Signals::empty(), Signals::USER_1)?;
            }
            let items: alloc::vec::Vec<_> = events
                .iter()
                .map(|event| [event.raw(), Signals::USER_1.bits(), 0])
                .collect();
            let at = items.as_ptr().expose_provenance();
            Ok(sampler.run(|_| wait.make([at, count, 0]))?)
        });
    }
    let about = "Makes an event pair, closes both ends.";
    bench.row(
        Row::control("EventPair/CreateClose", about).parts(CREATE_CLOSE),
        |sampler| {
            Ok(sampler.run(|laps| {
                let pair = EventPair::create()?;
                laps.next();
                drop(pair);
                Ok(())
            })?)
        },
    );
    let about = "Sets and clears signals of the other end that nobody waits for.";
    bench.row(Row::control("EventPair/SignalPeer", about), |sampler| {
        let (left, _right) = EventPair::create()?;
        Ok(sampler.run(|_| left.signal_peer(Signals::USER_0, Signals::USER_1))?)
    });
}
