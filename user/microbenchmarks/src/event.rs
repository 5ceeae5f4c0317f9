//! `Event/`: signals.

use libzx::{AsHandle, Event, Signals};

use crate::measure::Bench;

/// - `Event/CreateClose`: a new event, closed again; two calls.
/// - `Event/Signal`: sets and clears a user signal nobody waits for.
/// - `Event/WaitOneReady`: waits for a signal that is there.
pub(crate) fn run(bench: &mut Bench) {
    bench.run("Event/CreateClose", || Event::create().map(drop));
    let Ok(event) = Event::create() else {
        return bench.missing("Event/Signal");
    };
    bench.run("Event/Signal", || {
        event.signal(Signals::USER_0, Signals::USER_1)
    });
    bench.run("Event/WaitOneReady", || {
        event.wait_one(Signals::USER_1, 0).map(drop)
    });
}
