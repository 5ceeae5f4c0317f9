//! What it costs to wait, to be told and to take a wait back, beside waits that have nothing to do with it.

use alloc::vec::Vec;

use libzx::{AsHandle, Event, Port, Rights, Signals, ZxResult};

use super::{name, point, COUNTS};
use crate::bench::{Bench, Row};

pub(super) fn run(bench: &mut Bench) {
    for count in COUNTS {
        on_the_same_object(bench, count);
        at_the_same_port(bench, count);
    }
}

/// An event for whose second signal so many requests of a port pend, through the handle that is given back.
fn crowded(count: usize) -> ZxResult<(Port, Event)> {
    let (port, event) = (Port::create()?, Event::create()?);
    for key in 0..count {
        event.wait_async(&port, key as u64, Signals::USER_1, 0)?;
    }
    Ok((port, event))
}

fn on_the_same_object(bench: &mut Bench, count: usize) {
    let about =
        "Sets and clears a signal of an event, while so many waits for another signal of it pend.";
    let curve = "Signal/waiters_of_other_signal";
    bench.row(Row::control(name(curve, count), about), |sampler| {
        let (_port, event) = crowded(count)?;
        Ok(sampler.run(|_| {
            event.signal(Signals::empty(), Signals::USER_0)?;
            event.signal(Signals::USER_0, Signals::empty())
        })?)
    });
    let about = "Asks for a packet, sets the signal, takes the packet and clears the signal, while so many waits for another signal of the event pend.";
    let curve = "WaitAsyncFire/waiters_of_other_signal";
    bench.row(Row::control(name(curve, count), about), |sampler| {
        let ((_port, event), own) = (crowded(count)?, Port::create()?);
        Ok(sampler.run(|_| {
            event.wait_async(&own, 1, Signals::USER_0, 0)?;
            event.signal(Signals::empty(), Signals::USER_0)?;
            own.wait(0)?;
            event.signal(Signals::USER_0, Signals::empty())
        })?)
    });
    let about = "Asks for a packet and takes the request back, while so many other requests on the event pend.";
    let curve = "WaitAsyncCancel/waiters";
    bench.row(Row::control(name(curve, count), about), |sampler| {
        let ((port, event), own) = (crowded(count)?, u64::MAX);
        Ok(sampler.run(|_| {
            event.wait_async(&port, own, Signals::USER_0, 0)?;
            port.cancel(&event, own)
        })?)
    });
    let about = "Duplicates a handle to an event and closes the duplicate, while so many waits through the other handle pend.";
    let curve = "DuplicateClose/waiters";
    bench.row(Row::control(name(curve, count), about), |sampler| {
        let (_port, event) = crowded(count)?;
        Ok(sampler.run(|_| event.duplicate(Rights::SAME_RIGHTS).map(drop))?)
    });
}

fn at_the_same_port(bench: &mut Bench, count: usize) {
    let about = "Asks for a packet and takes the request back, while the port waits for so many other events.";
    point(
        bench,
        "WaitAsyncCancel/sources",
        about,
        count,
        |_| Event::create(),
        |sampler, events| {
            let (port, event) = (Port::create()?, Event::create()?);
            for other in events {
                other.wait_async(&port, 1, Signals::USER_0, 0)?;
            }
            Ok(sampler.run(|_| {
                event.wait_async(&port, 2, Signals::USER_0, 0)?;
                port.cancel(&event, 2)
            })?)
        },
    );
    let about =
        "Asks for a packet and takes it back, queued already, while so many others of other keys are queued.";
    let curve = "WaitAsyncCancel/packets";
    bench.row(Row::control(name(curve, count), about), |sampler| {
        let (port, event) = crowded(count)?;
        event.signal(Signals::empty(), Signals::USER_1)?;
        let own = u64::MAX;
        Ok(sampler.run(|_| {
            event.wait_async(&port, own, Signals::USER_1, 0)?;
            port.cancel(&event, own)
        })?)
    });
    let about =
        "Closes one of so many events for each of which the port waits, and makes another one.";
    let curve = "CloseSource/sources";
    bench.row(Row::control(name(curve, count), about), |sampler| {
        let port = Port::create()?;
        let make = || {
            let event = Event::create()?;
            event.wait_async(&port, 1, Signals::USER_0, 0)?;
            Ok(event)
        };
        let _others = (0..count).map(|_| make()).collect::<ZxResult<Vec<_>>>()?;
        Ok(sampler.run(|_| make().map(drop))?)
    });
}
