//! `Port/`: packets.

use libzx::{AsHandle, Event, Port, Signals};
use zx_abi::{PortPacket, Status};

use crate::measure::Bench;

/// - `Port/QueueWait`: a user packet in and out; two calls.
/// - `Port/WaitAsync`: a wait for a signal that is there, and its packet; two calls.
pub(crate) fn run(bench: &mut Bench) {
    let (Ok(port), Ok(event)) = (Port::create(), Event::create()) else {
        return bench.missing("Port/QueueWait");
    };
    let packet = PortPacket::user(1, Status::OK, [0; 32]);
    bench.run("Port/QueueWait", || {
        port.queue(&packet)?;
        port.wait(0).map(drop)
    });
    let _ = event.signal(Signals::empty(), Signals::USER_0);
    bench.run("Port/WaitAsync", || {
        event.wait_async(&port, 2, Signals::USER_0, 0)?;
        port.wait(0).map(drop)
    });
}
