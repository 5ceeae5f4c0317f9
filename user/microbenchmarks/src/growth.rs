//! `Growth/OPERATION/NUMBER`: how the cost of an operation grows with the number of things that are there, or with the
//! size of what it works on. The word `SET=growth` chooses these rows instead of the others.
//!
//! Each operation works on one thing; the others have nothing to do with it but that they exist, wait, or are set.

mod threads;
mod waiting;

use alloc::collections::VecDeque;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use libzx::{time, Channel, Event, Fifo, Port, Rights, Timer, VmOptions, Vmo, ZxResult};
use zx_abi::{PortPacket, Status};

use crate::bench::{Bench, Row, Stop};
use crate::measure::Sampler;
use crate::vmar::region_with;
use crate::vmo_clone::snapshot_option;
use crate::world::{committed_vmo, World, PAGE};

/// How many unrelated things there are.
const COUNTS: [usize; 6] = [0, 10, 100, 1000, 10_000, 100_000];
/// The same for things that need a page or more each.
const COUNTS_OF_LARGE: [usize; 5] = [0, 10, 100, 1000, 10_000];
/// KiB of memory objects.
const SIZES: [usize; 6] = [128, 512, 2 << 10, 8 << 10, 32 << 10, 64 << 10];
/// Bytes of messages.
const MESSAGES: [usize; 5] = [16, 64, 1 << 10, 16 << 10, 64 << 10];
/// An hour in nanoseconds.
const HOUR: i64 = 3600 * 1_000_000_000;

pub(crate) fn run(bench: &mut Bench, world: &World) {
    handles(bench);
    waiting::run(bench);
    timers(bench);
    packets(bench);
    threads::run(bench, world);
    mappings(bench, world);
    sizes(bench, world);
}

/// The name of a row.
fn name(curve: &str, count: usize) -> String {
    // The scale of a chart has no place for 0: "none but this one" is 1.
    format!("Growth/{curve}/{}", count.max(1))
}

/// One point: prepares `count` things with `make`, then measures `operation` with them there.
fn point<T>(
    bench: &mut Bench,
    name: &str,
    about: &str,
    count: usize,
    make: impl Fn(usize) -> ZxResult<T>,
    measure: impl FnOnce(&mut Sampler, &[T]) -> Result<(), Stop>,
) {
    bench.row(Row::control(self::name(name, count), about), |sampler| {
        let things = (0..count).map(make).collect::<ZxResult<Vec<T>>>()?;
        measure(sampler, &things)
    });
}

fn handles(bench: &mut Bench) {
    for count in COUNTS {
        let about =
            "Makes an event and closes it in a process with so many handles to other events.";
        point(
            bench,
            "EventCreateClose/handles",
            about,
            count,
            |_| Event::create(),
            |sampler, _| Ok(sampler.run(|_| Event::create().map(drop))?),
        );
        let about = "Duplicates one of so many handles to the same event, closes the duplicate.";
        bench.row(
            Row::control(format!("Growth/Duplicate/handles/{}", count.max(1)), about),
            |sampler| {
                let event = Event::create()?;
                let _others = (0..count)
                    .map(|_| event.duplicate(Rights::SAME_RIGHTS))
                    .collect::<ZxResult<Vec<_>>>()?;
                Ok(sampler.run(|_| event.duplicate(Rights::SAME_RIGHTS).map(drop))?)
            },
        );
        let about = "Writes and reads a message of 64 bytes while so many other channels exist.";
        let channels = count / 2;
        point(
            bench,
            "WriteRead/channels",
            about,
            channels,
            |_| Channel::create(),
            |sampler, _| {
                let ((left, right), mut bytes) = (Channel::create()?, [7; 64]);
                Ok(sampler.run(|_| {
                    left.write_raw(&bytes, &[])?;
                    right.read_raw(&mut bytes, &mut []).0
                })?)
            },
        );
    }
}

fn timers(bench: &mut Bench) {
    for count in COUNTS {
        let about = "Sets and stops a timer while so many others are set.";
        let set = |index: usize| {
            let timer = Timer::create(0)?;
            // Half of them earlier, half of them later, none in order.
            let spread = i64::try_from(index * 7919 % 100_003).unwrap_or(0);
            timer.set(time::after(HOUR + spread * 1_000_000), 0)?;
            Ok(timer)
        };
        point(
            bench,
            "TimerSetCancel/timers",
            about,
            count,
            set,
            |sampler, _| {
                let (timer, deadline) = (Timer::create(0)?, time::after(HOUR + 50_000 * 1_000_000));
                Ok(sampler.run(|_| {
                    timer.set(deadline, 0)?;
                    timer.cancel()
                })?)
            },
        );
    }
}

fn packets(bench: &mut Bench) {
    for count in COUNTS_OF_LARGE {
        let about = "Queues a packet and takes one while so many are queued (at most 2048).";
        bench.row(
            Row::control(
                format!("Growth/QueueWait/packets/{}", count.clamp(1, 2000)),
                about,
            ),
            |sampler| {
                let port = Port::create()?;
                for _ in 0..count.min(2000) {
                    port.queue(&PortPacket::user(1, Status::OK, [0; 32]))?;
                }
                Ok(sampler.run(|_| {
                    port.queue(&PortPacket::user(2, Status::OK, [0; 32]))?;
                    port.wait(0).map(drop)
                })?)
            },
        );
        let about = "Writes a message and reads one while so many are queued (at most 3000).";
        bench.row(
            Row::control(
                format!("Growth/WriteRead/messages/{}", count.clamp(1, 3000)),
                about,
            ),
            |sampler| {
                let ((left, right), mut bytes) = (Channel::create()?, [7; 64]);
                for _ in 0..count.min(3000) {
                    left.write_raw(&bytes, &[])?;
                }
                Ok(sampler.run(|_| {
                    left.write_raw(&bytes, &[])?;
                    right.read_raw(&mut bytes, &mut []).0
                })?)
            },
        );
    }
}

fn mappings(bench: &mut Bench, world: &World) {
    for count in COUNTS_OF_LARGE {
        let about =
            "Maps a page at any place and unmaps it, in a region with so many other mappings.";
        bench.row(
            Row::control(format!("Growth/MapUnmap/mappings/{}", count.max(1)), about),
            |sampler| {
                let (region, vmo) = (
                    region_with(world.root_vmar()?, count)?,
                    committed_vmo(PAGE)?,
                );
                sampler.run(|_| {
                    let address = region.map(VmOptions::PERM_READ, 0, &vmo, 0, PAGE)?;
                    region.unmap(address, PAGE)
                })?;
                Ok(region.destroy()?)
            },
        );
        let about =
            "Maps a page at a given place and unmaps it, in a region with so many other mappings.";
        bench.row(
            Row::control(
                format!("Growth/MapSpecificUnmap/mappings/{}", count.max(1)),
                about,
            ),
            |sampler| {
                let (region, vmo) = (
                    region_with(world.root_vmar()?, count)?,
                    committed_vmo(PAGE)?,
                );
                let options = VmOptions::PERM_READ | VmOptions::SPECIFIC;
                let free = (2 * (count / 2) + 1) * PAGE;
                sampler.run(|_| {
                    let address = region.map(options, free, &vmo, 0, PAGE)?;
                    region.unmap(address, PAGE)
                })?;
                Ok(region.destroy()?)
            },
        );
        let about =
            "Makes a snapshot of a page and closes it while so many other snapshots of it exist.";
        bench.row(
            Row::control(format!("Growth/Snapshot/copies/{}", count.max(1)), about),
            |sampler| {
                let (vmo, options) = (committed_vmo(PAGE)?, snapshot_option(world.level));
                // A chain of hidden parents would be dropped by recursion: close them one by one, the last first.
                let mut copies: VecDeque<Vmo> = VecDeque::new();
                for _ in 0..count {
                    copies.push_front(vmo.create_child(options, 0, PAGE as u64)?);
                }
                Ok(sampler.run(|_| vmo.create_child(options, 0, PAGE as u64).map(drop))?)
            },
        );
    }
}

fn sizes(bench: &mut Bench, world: &World) {
    for size in SIZES {
        let about =
            "Makes a snapshot of a memory object of so many KiB whose pages are there, closes it.";
        bench.row(
            Row::control(format!("Growth/SnapshotClose/KiB/{size}"), about),
            |sampler| {
                let (vmo, options) = (committed_vmo(size << 10)?, snapshot_option(world.level));
                Ok(sampler.run(|_| vmo.create_child(options, 0, (size << 10) as u64).map(drop))?)
            },
        );
        let about = "Writes a page of a memory object of so many KiB.";
        bench.row(
            Row::control(format!("Growth/WritePage/KiB/{size}"), about),
            |sampler| {
                let (vmo, bytes) = (committed_vmo(size << 10)?, vec![7; PAGE]);
                let middle = (size << 9) as u64;
                Ok(sampler.run(|_| vmo.write(&bytes, middle))?)
            },
        );
        let about = "Commits a memory object of so many KiB and closes it, by the page.";
        bench.row(
            Row::control(format!("Growth/CommitClose/KiB/{size}"), about),
            |sampler| Ok(sampler.run(|_| committed_vmo(size << 10).map(drop))?),
        );
    }
    for size in MESSAGES {
        let about = "Writes and reads a message of so many bytes.";
        bench.row(
            Row::control(format!("Growth/WriteRead/bytes/{size}"), about),
            |sampler| {
                let ((left, right), mut bytes) = (Channel::create()?, vec![7; size]);
                Ok(sampler.run(|_| {
                    left.write_raw(&bytes, &[])?;
                    right.read_raw(&mut bytes, &mut []).0
                })?)
            },
        );
    }
    for count in [1, 2, 4, 16, 64] {
        let about = "Writes and reads a message with so many handles.";
        bench.row(
            Row::control(format!("Growth/WriteRead/handles/{count}"), about),
            |sampler| {
                let (left, right) = Channel::create()?;
                let mut values = vec![0; count];
                for value in &mut values {
                    *value = libzx::Handle::from(Event::create()?).into_raw();
                }
                sampler.run(|_| {
                    left.write_raw(&[], &values)?;
                    right.read_raw(&mut [], &mut values).0
                })?;
                values
                    .into_iter()
                    .map(libzx::Handle::from_raw)
                    .for_each(drop);
                Ok(())
            },
        );
        let about = "Writes and reads so many elements of a fifo by one call.";
        bench.row(
            Row::control(format!("Growth/Fifo/elements/{count}"), about),
            |sampler| {
                let ((left, right), mut bytes) = (Fifo::create(64, 16, 0)?, vec![7; count * 16]);
                Ok(sampler.run(|_| {
                    left.write(16, &bytes)?;
                    right.read(16, &mut bytes).map(drop)
                })?)
            },
        );
    }
}
