//! `Vmo/`, `VmoMap/` and `VmoMapRange/`: memory objects read, written, mapped and committed.

use alloc::format;
use alloc::string::String;
use alloc::vec;
use core::hint::black_box;

use libzx::{Mapping, VmOptions, Vmo, ZxResult};

use crate::bench::{Bench, Kind, Row};
use crate::world::{committed_vmo, COMMIT, PAGE, READ_WRITE};

/// KiB of the memory objects.
pub(crate) const SIZES: [usize; 3] = [128, 512, 2048];

/// Which way bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Read,
    Write,
}

impl Direction {
    pub(crate) const BOTH: [Self; 2] = [Self::Read, Self::Write];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Read => "Read",
            Self::Write => "Write",
        }
    }
}

/// Who copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Copier {
    Program,
    Kernel,
}

pub(crate) fn run(bench: &mut Bench) {
    small(bench);
    for direction in Direction::BOTH {
        for size in SIZES {
            read_write(bench, direction, size);
        }
    }
    let range = VmOptions::MAP_RANGE;
    for (group, options) in [("VmoMap", VmOptions::empty()), ("VmoMapRange", range)] {
        for direction in Direction::BOTH {
            for (suffix, copier) in [("", Copier::Program), ("/Kernel", Copier::Kernel)] {
                for size in SIZES {
                    let name = format!("{group}/{}{suffix}/{size}kbytes", direction.name());
                    map(bench, name, options, direction, copier, size << 10);
                }
            }
        }
    }
    commit(bench);
}

fn small(bench: &mut Bench) {
    let about = "Makes a memory object of one page that is never touched, closes it.";
    let parts = &[("create", Kind::Control), ("close", Kind::Control)];
    bench.row(
        Row::control("Vmo/CreateClose/4KiB", about).parts(parts),
        |sampler| {
            Ok(sampler.run(|laps| {
                let vmo = Vmo::create(4096, 0)?;
                laps.next();
                drop(vmo);
                Ok(())
            })?)
        },
    );
    for (name, len) in [("4bytes", 4), ("4KiB", PAGE)] {
        let about = "Writes bytes into a page that is there.";
        bench.row(
            Row::control(format!("Vmo/Write/{name}"), about),
            |sampler| {
                let vmo = committed_vmo(PAGE)?;
                let bytes = vec![1; len];
                Ok(sampler.run(|_| vmo.write(&bytes, 0))?)
            },
        );
        let about = "Reads bytes from a page that is there.";
        bench.row(Row::control(format!("Vmo/Read/{name}"), about), |sampler| {
            let vmo = committed_vmo(PAGE)?;
            let mut bytes = vec![1; len];
            Ok(sampler.run(|_| vmo.read(&mut bytes, 0))?)
        });
    }
    let about = "Asks for the size.";
    bench.row(Row::control("Vmo/GetSize", about), |sampler| {
        let vmo = Vmo::create(4096, 0)?;
        Ok(sampler.run(|_| vmo.size().map(drop))?)
    });
    let about = "Makes a memory object of one page larger by a page, and smaller again.";
    bench.row(Row::control("Vmo/SetSize", about), |sampler| {
        let vmo = Vmo::create(4096, 2)?;
        Ok(sampler.run(|_| {
            vmo.set_size(8192)?;
            vmo.set_size(4096)
        })?)
    });
    let about =
        "Maps a page that is there and unmaps it; three calls with the question for its size.";
    let parts = &[("map", Kind::Control), ("unmap", Kind::Control)];
    bench.row(
        Row::control("Vmo/MapUnmap/4KiB", about).parts(parts),
        |sampler| {
            let vmo = committed_vmo(PAGE)?;
            Ok(sampler.run(|laps| {
                let mapping = Mapping::writable(&vmo)?;
                laps.next();
                drop(mapping);
                Ok(())
            })?)
        },
    );
}

fn read_write(bench: &mut Bench, direction: Direction, size: usize) {
    let name = format!("Vmo/{}/{size}kbytes", direction.name());
    let about = match direction {
        Direction::Read => "Reads a memory object whose pages are there, with vmo_read.",
        Direction::Write => "Writes a memory object whose pages are there, with vmo_write.",
    };
    bench.row(Row::copying(name, about), |sampler| {
        let vmo = Vmo::create((size << 10) as u64, 0)?;
        let mut bytes = vec![7; size << 10];
        vmo.write(&bytes, 0)?;
        Ok(match direction {
            Direction::Read => sampler.run(|_| vmo.read(&mut bytes, 0)),
            Direction::Write => sampler.run(|_| vmo.write(&bytes, 0)),
        }?)
    });
}

fn map(
    bench: &mut Bench,
    name: String,
    options: VmOptions,
    direction: Direction,
    copier: Copier,
    len: usize,
) {
    let about = match (direction, copier) {
        (Direction::Read, Copier::Program) => {
            "Maps a memory object whose pages are there, copies out of the mapping, unmaps."
        }
        (Direction::Write, Copier::Program) => {
            "Maps a memory object whose pages are there, copies into the mapping, unmaps."
        }
        (Direction::Read, Copier::Kernel) => {
            "Maps a memory object whose pages are there, lets vmo_write copy out of the mapping, unmaps."
        }
        (Direction::Write, Copier::Kernel) => {
            "Maps a memory object whose pages are there, lets vmo_read copy into the mapping, unmaps."
        }
    };
    bench.row(Row::copying(name, about), |sampler| {
        let vmo = Vmo::create(len as u64, 0)?;
        let mut bytes = vec![7; len];
        vmo.write(&bytes, 0)?;
        let other = Vmo::create(len as u64, 0)?;
        let mut operation = || -> ZxResult {
            let mut mapping = Mapping::with_options(&vmo, READ_WRITE | options, len)?;
            match (direction, copier) {
                (Direction::Read, Copier::Program) => bytes.copy_from_slice(mapping.as_slice()),
                (Direction::Write, Copier::Program) => {
                    mapping.as_mut_slice().copy_from_slice(&bytes);
                }
                (Direction::Read, Copier::Kernel) => other.write(mapping.as_slice(), 0)?,
                (Direction::Write, Copier::Kernel) => other.read(mapping.as_mut_slice(), 0)?,
            }
            black_box(&bytes);
            Ok(())
        };
        Ok(sampler.run(|_| operation())?)
    });
}

fn commit(bench: &mut Bench) {
    let about = "Makes a memory object of 2 MiB, commits its pages, decommits them, commits them again and closes it.";
    let parts = &[
        ("create", Kind::Control),
        ("commit", Kind::Control),
        ("decommit", Kind::Control),
        ("recommit", Kind::Control),
        ("close", Kind::Control),
    ];
    bench.row(
        Row::control("Vmo/Commit/2048kbytes", about).parts(parts),
        |sampler| {
            Ok(sampler.run(|laps| {
                let vmo = Vmo::create(2 << 20, 0)?;
                laps.next();
                vmo.op_range(COMMIT, 0, 2 << 20)?;
                laps.next();
                vmo.op_range(DECOMMIT, 0, 2 << 20)?;
                laps.next();
                vmo.op_range(COMMIT, 0, 2 << 20)?;
                laps.next();
                drop(vmo);
                Ok(())
            })?)
        },
    );
}

/// `ZX_VMO_OP_DECOMMIT`.
const DECOMMIT: u32 = 2;
