//! `Port/`, `Fifo/` and `Socket/`: what waits to be taken, put in and taken out on one thread.

use alloc::format;
use alloc::vec;

use libzx::{AsHandle, Event, Fifo, Port, Signals, Socket};
use zx_abi::{PortPacket, Status};

use crate::bench::{Bench, Kind, Row};

const WRITE_READ: &[(&str, Kind)] = &[("write", Kind::Control), ("read", Kind::Control)];

pub(crate) fn run(bench: &mut Bench) {
    port(bench);
    let about = "Writes an element of 16 bytes and reads it at the other end.";
    bench.row(
        Row::control("Fifo/WriteRead/16bytes", about).parts(WRITE_READ),
        |sampler| {
            let (left, right) = Fifo::create(8, 16, 0)?;
            let mut bytes = [7; 16];
            Ok(sampler.run(|laps| {
                left.write(16, &bytes)?;
                laps.next();
                right.read(16, &mut bytes).map(drop)
            })?)
        },
    );
    for (options, name) in [(0, "Socket/WriteRead"), (1, "Socket/Datagram")] {
        for size in [64, 1024] {
            let about = "Writes bytes and reads them at the other end.";
            let name = format!("{name}/{size}bytes");
            bench.row(Row::control(name, about).parts(WRITE_READ), |sampler| {
                let (left, right) = Socket::create(options)?;
                let mut bytes = vec![7; size];
                Ok(sampler.run(|laps| {
                    left.write(0, &bytes)?;
                    laps.next();
                    right.read(0, &mut bytes).map(drop)
                })?)
            });
        }
    }
}

fn port(bench: &mut Bench) {
    let packet = PortPacket::user(1, Status::OK, [0; 32]);
    let about = "Queues a packet and takes it.";
    let parts = &[("queue", Kind::Control), ("wait", Kind::Control)];
    bench.row(
        Row::control("Port/QueueWait", about).parts(parts),
        |sampler| {
            let port = Port::create()?;
            Ok(sampler.run(|laps| {
                port.queue(&packet)?;
                laps.next();
                port.wait(0).map(drop)
            })?)
        },
    );
    let about = "Asks for a packet when a signal comes that is there, and takes the packet.";
    let parts = &[("register", Kind::Control), ("wait", Kind::Control)];
    bench.row(
        Row::control("Port/WaitAsync", about).parts(parts),
        |sampler| {
            let (port, event) = (Port::create()?, Event::create()?);
            event.signal(Signals::empty(), Signals::USER_0)?;
            Ok(sampler.run(|laps| {
                event.wait_async(&port, 2, Signals::USER_0, 0)?;
                laps.next();
                port.wait(0).map(drop)
            })?)
        },
    );
    let about = "Asks for a packet when a signal comes, sets the signal, takes the packet, clears the signal.";
    let parts = &[
        ("register", Kind::Control),
        ("fire", Kind::Control),
        ("wait", Kind::Control),
        ("clear", Kind::Control),
    ];
    bench.row(
        Row::control("Port/WaitAsyncFire", about).parts(parts),
        |sampler| {
            let (port, event) = (Port::create()?, Event::create()?);
            Ok(sampler.run(|laps| {
                event.wait_async(&port, 2, Signals::USER_0, 0)?;
                laps.next();
                event.signal(Signals::empty(), Signals::USER_0)?;
                laps.next();
                port.wait(0)?;
                laps.next();
                event.signal(Signals::USER_0, Signals::empty())
            })?)
        },
    );
    let about = "Asks for a packet when a signal comes, and takes the request back.";
    let parts = &[("register", Kind::Control), ("cancel", Kind::Control)];
    bench.row(
        Row::control("Port/WaitAsyncCancel", about).parts(parts),
        |sampler| {
            let (port, event) = (Port::create()?, Event::create()?);
            Ok(sampler.run(|laps| {
                event.wait_async(&port, 2, Signals::USER_0, 0)?;
                laps.next();
                port.cancel(&event, 2)
            })?)
        },
    );
}
