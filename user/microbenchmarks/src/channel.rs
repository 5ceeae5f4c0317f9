//! `Channel/`: messages.

use libzx::{Channel, Event, Handle};

use crate::measure::Bench;

/// - `Channel/CreateClose`: two ends, both closed again; three calls.
/// - `Channel/WriteRead/64bytes`: a message of 64 bytes into one end and out of the other; two calls.
/// - `Channel/WriteRead/64bytes1handle`: the same with a handle that goes round.
/// - `Channel/WriteRead/32KiB`: a long message.
pub(crate) fn run(bench: &mut Bench) {
    bench.run("Channel/CreateClose", || Channel::create().map(drop));
    let Ok((left, right)) = Channel::create() else {
        return bench.missing("Channel/WriteRead/64bytes");
    };
    let message = [7; 64];
    let mut buffer = [0; 64];
    bench.run("Channel/WriteRead/64bytes", || {
        left.write(&message, alloc::vec![])?;
        right.read_raw(&mut buffer, &mut []).0
    });
    let Ok(event) = Event::create() else {
        return bench.missing("Channel/WriteRead/64bytes1handle");
    };
    let mut travelling = Some(Handle::from(event));
    bench.run("Channel/WriteRead/64bytes1handle", || {
        left.write(&message, travelling.take().into_iter().collect())?;
        let mut values = [0];
        let (result, _, _) = right.read_raw(&mut buffer, &mut values);
        travelling = Some(Handle::from_raw(values[0]));
        result
    });
    let message = alloc::vec![7; 32 << 10];
    let mut buffer = alloc::vec![0; 32 << 10];
    bench.run("Channel/WriteRead/32KiB", || {
        left.write(&message, alloc::vec![])?;
        right.read_raw(&mut buffer, &mut []).0
    });
}
