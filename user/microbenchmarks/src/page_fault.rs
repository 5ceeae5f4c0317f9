//! `PageFault/`: the first touch of each of 512 pages, by what has to be done for it.

use core::hint::black_box;

use libzx::{Mapping, VmOptions, Vmo, ZxResult};

use crate::bench::{Bench, Kind, Row, Stop};
use crate::measure::Sampler;
use crate::vmo_clone::snapshot_option;
use crate::world::{committed_vmo, World, PAGE, READ_WRITE};

/// Bytes of the memory objects.
const LEN: usize = 2 << 20;
const PARTS: &[(&str, Kind)] = &[
    ("map", Kind::Control),
    ("touch", Kind::Control),
    ("unmap", Kind::Control),
];

/// How pages are touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Touch {
    Read,
    Write,
}

pub(crate) fn run(bench: &mut Bench, world: &World) {
    let about = "Maps 512 pages that are there, writes to each, unmaps.";
    bench.row(
        Row::control("PageFault/Present", about).parts(PARTS),
        |sampler| {
            let vmo = committed_vmo(LEN)?;
            measure(
                sampler,
                || vmo.duplicate(libzx::Rights::SAME_RIGHTS),
                Touch::Write,
                VmOptions::empty(),
            )
        },
    );
    let about = "Maps 512 pages that are there with their entries in the page table, writes to each, unmaps.";
    bench.row(
        Row::control("PageFault/MapRange", about).parts(PARTS),
        |sampler| {
            let vmo = committed_vmo(LEN)?;
            let same = || vmo.duplicate(libzx::Rights::SAME_RIGHTS);
            measure(sampler, same, Touch::Write, VmOptions::MAP_RANGE)
        },
    );
    let about = "Maps 512 pages that are not there yet, writes to each, unmaps.";
    bench.row(
        Row::control("PageFault/FirstWrite", about).parts(PARTS),
        |sampler| {
            measure(
                sampler,
                || Vmo::create(LEN as u64, 0),
                Touch::Write,
                VmOptions::empty(),
            )
        },
    );
    let about = "Maps 512 pages that are not there, reads each, unmaps.";
    bench.row(
        Row::control("PageFault/FirstRead", about).parts(PARTS),
        |sampler| {
            measure(
                sampler,
                || Vmo::create(LEN as u64, 0),
                Touch::Read,
                VmOptions::empty(),
            )
        },
    );
    let about = "Maps a snapshot of 512 pages (2019: COPY_ON_WRITE2), writes to each, unmaps.";
    bench.row(
        Row::copying("PageFault/CopyOnWrite", about).parts(&[
            ("map", Kind::Control),
            ("touch", Kind::Copying),
            ("unmap", Kind::Control),
        ]),
        |sampler| {
            let (vmo, options) = (committed_vmo(LEN)?, snapshot_option(world.level));
            measure(
                sampler,
                || vmo.create_child(options, 0, LEN as u64),
                Touch::Write,
                VmOptions::empty(),
            )
        },
    );
}

/// Measures mapping, touching and unmapping a memory object of its own for each run.
fn measure(
    sampler: &mut Sampler,
    make: impl Fn() -> ZxResult<Vmo>,
    touch: Touch,
    options: VmOptions,
) -> Result<(), Stop> {
    let mut vmo = make()?;
    sampler.run_with(
        &mut vmo,
        |laps, vmo| {
            let mut mapping = Mapping::with_options(vmo, READ_WRITE | options, LEN)?;
            laps.next();
            match touch {
                Touch::Read => mapping.as_slice().iter().step_by(PAGE).for_each(|byte| {
                    black_box(*byte);
                }),
                Touch::Write => mapping
                    .as_mut_slice()
                    .iter_mut()
                    .step_by(PAGE)
                    .for_each(|byte| {
                        *black_box(byte) = 1;
                    }),
            }
            laps.next();
            drop(mapping);
            Ok(())
        },
        |vmo| {
            *vmo = make()?;
            Ok(())
        },
    )?;
    Ok(())
}
