//! `Handle/`: what every handle can do.

use libzx::{AsHandle, Event, Rights};

use crate::measure::Bench;

/// - `Handle/DuplicateClose`: another handle to an event, closed again; two calls.
pub(crate) fn run(bench: &mut Bench) {
    let Ok(event) = Event::create() else {
        return bench.missing("Handle/DuplicateClose");
    };
    bench.run("Handle/DuplicateClose", || {
        event.duplicate_handle(Rights::SAME_RIGHTS).map(drop)
    });
}
