//! `Vmo/Clone*`: copies of memory objects made, read, written and closed.
//!
//! All but `Vmo/OneWayCopy/` are snapshots: copies that see no later write to the original. The levels name the two
//! kinds differently: snapshots are option 1 in 2020 and 8 (COPY_ON_WRITE2) in 2019; copies that may see later writes
//! are option 16 in 2020 and 1 in 2019. Like is compared with like.

use alloc::format;
use alloc::vec;

use libzx::{VmOptions, Vmo, ZxResult};

use crate::bench::{Bench, Kind, Row};
use crate::vmo::{Direction, SIZES};
use crate::world::{committed_vmo, Level, World, PAGE};

/// Every how many pages the rows `Some` touch one.
const INTERVAL: usize = 8 * PAGE;

/// The options of `vmo_create_child` for the two kinds of copies.
#[derive(Clone, Copy, Debug)]
struct Kinds {
    snapshot: u32,
    one_way: u32,
}

impl Kinds {
    const fn at(level: Level) -> Self {
        match level {
            Level::Home => Self {
                snapshot: 1,
                one_way: 16,
            },
            Level::July2019 => Self {
                snapshot: 8,
                one_way: 1,
            },
        }
    }
}

/// The option for a copy that sees no later write to the original.
pub(crate) const fn snapshot_option(level: Level) -> u32 {
    Kinds::at(level).snapshot
}

/// Which of the two memory objects is read or written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Original,
    Copy,
}

pub(crate) fn run(bench: &mut Bench, world: &World) {
    let options = snapshot_option(world.level);
    for size in SIZES {
        clone(bench, options, size);
    }
    for size in SIZES {
        clone_mapped(bench, world, size);
    }
    for direction in Direction::BOTH {
        for target in [Target::Original, Target::Copy] {
            for (extent, step) in [("Some", INTERVAL), ("All", 0)] {
                for size in SIZES {
                    let span = Span { extent, step, size };
                    read_write(bench, options, direction, target, span);
                }
            }
        }
    }
    one_way(bench, world);
}

/// A copy of a memory object's whole length.
fn copy(vmo: &Vmo, options: u32, len: usize) -> ZxResult<Vmo> {
    vmo.create_child(options, 0, len as u64)
}

fn clone(bench: &mut Bench, options: u32, size: usize) {
    let about =
        "Makes a copy that sees no later write to the original (2019: COPY_ON_WRITE2), closes it.";
    let parts = &[("clone", Kind::Control), ("close", Kind::Control)];
    bench.row(
        Row::control(format!("Vmo/Clone/{size}kbytes"), about).parts(parts),
        |sampler| {
            let vmo = committed_vmo(size << 10)?;
            Ok(sampler.run(|laps| {
                let child = copy(&vmo, options, size << 10)?;
                laps.next();
                drop(child);
                Ok(())
            })?)
        },
    );
}

fn clone_mapped(bench: &mut Bench, world: &World, size: usize) {
    let about = "Maps a memory object with all its pages, copies it, closes the copy, unmaps.";
    let parts = &[
        ("map", Kind::Control),
        ("clone", Kind::Control),
        ("close", Kind::Control),
        ("unmap", Kind::Control),
    ];
    bench.row(
        Row::control(format!("Vmo/CloneMap/{size}kbytes"), about).parts(parts),
        |sampler| {
            let (vmo, vmar, len) = (committed_vmo(size << 10)?, world.root_vmar()?, size << 10);
            let (flags, options) = (
                VmOptions::PERM_READ | VmOptions::MAP_RANGE,
                snapshot_option(world.level),
            );
            Ok(sampler.run(|laps| {
                let address = vmar.map(flags, 0, &vmo, 0, len)?;
                laps.next();
                let child = copy(&vmo, options, len)?;
                laps.next();
                drop(child);
                laps.next();
                vmar.unmap(address, len)
            })?)
        },
    );
}

/// How much of a memory object is read or written.
#[derive(Clone, Copy, Debug)]
struct Span {
    extent: &'static str,
    /// Bytes from one access to the next, 0 for all in one.
    step: usize,
    /// KiB of the memory object.
    size: usize,
}

fn read_write(bench: &mut Bench, options: u32, direction: Direction, target: Target, span: Span) {
    let Span { extent, step, size } = span;
    let (target_name, about) = match (target, step) {
        (Target::Original, 0) => (
            "Orig",
            "Copies a memory object, accesses all of the original, closes the copy.",
        ),
        (Target::Copy, 0) => (
            "Clone",
            "Copies a memory object, accesses all of the copy, closes the copy.",
        ),
        (Target::Original, _) => (
            "Orig",
            "Copies a memory object, accesses every eighth page of the original, closes the copy.",
        ),
        (Target::Copy, _) => (
            "Clone",
            "Copies a memory object, accesses every eighth page of the copy, closes the copy.",
        ),
    };
    let access = match direction {
        Direction::Read => "read",
        Direction::Write => "write",
    };
    let name = format!(
        "Vmo/Clone/{}{target_name}{extent}/{size}kbytes",
        direction.name()
    );
    let parts = &[
        ("clone", Kind::Control),
        (access, Kind::Copying),
        ("close", Kind::Control),
    ];
    bench.row(Row::copying(name, about).parts(parts), |sampler| {
        let len = size << 10;
        let vmo = committed_vmo(len)?;
        let mut bytes = vec![7; len];
        let piece = match step {
            0 => len,
            _ => PAGE,
        };
        Ok(sampler.run(|laps| {
            let child = copy(&vmo, options, len)?;
            laps.next();
            let accessed = match target {
                Target::Original => &vmo,
                Target::Copy => &child,
            };
            for offset in (0..len).step_by(step.max(piece)) {
                let bytes = bytes.get_mut(..piece).unwrap_or_default();
                match direction {
                    Direction::Read => accessed.read(bytes, offset as u64)?,
                    Direction::Write => accessed.write(bytes, offset as u64)?,
                }
            }
            laps.next();
            drop(child);
            Ok(())
        })?)
    });
}

fn one_way(bench: &mut Bench, world: &World) {
    let about =
        "Makes a copy that may see later writes to the original (2019: COPY_ON_WRITE), closes it.";
    let parts = &[("clone", Kind::Control), ("close", Kind::Control)];
    for size in SIZES {
        bench.row(
            Row::control(format!("Vmo/OneWayCopy/{size}kbytes"), about).parts(parts),
            |sampler| {
                let (vmo, options) = (committed_vmo(size << 10)?, Kinds::at(world.level).one_way);
                Ok(sampler.run(|laps| {
                    let child = copy(&vmo, options, size << 10)?;
                    laps.next();
                    drop(child);
                    Ok(())
                })?)
            },
        );
    }
}
