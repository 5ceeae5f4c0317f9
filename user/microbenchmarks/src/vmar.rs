//! `Vmar/`: regions and mappings, few and among many.

use alloc::format;
use alloc::vec::Vec;

use libzx::{VmOptions, Vmar, Vmo, ZxResult};

use crate::bench::{Bench, Kind, Row};
use crate::world::{committed_vmo, World, PAGE, READ_WRITE};

/// Mappings that are there already in the rows with many.
const MANY: [usize; 2] = [0, 1000];

pub(crate) fn run(bench: &mut Bench, world: &World) {
    let about = "Makes a region of one page, destroys it and closes its handle.";
    let parts = &[
        ("allocate", Kind::Control),
        ("destroy", Kind::Control),
        ("close", Kind::Control),
    ];
    bench.row(
        Row::control("Vmar/AllocateDestroy", about).parts(parts),
        |sampler| {
            let root = world.root_vmar()?;
            Ok(sampler.run(|laps| {
                let (region, _) = root.allocate(VmOptions::CAN_MAP_READ, 0, PAGE)?;
                laps.next();
                region.destroy()?;
                laps.next();
                drop(region);
                Ok(())
            })?)
        },
    );
    for count in MANY {
        let about = "Maps a page that is there and unmaps it, among so many other mappings.";
        let parts = &[("map", Kind::Control), ("unmap", Kind::Control)];
        let name = format!("Vmar/MapUnmap/Among{count}");
        bench.row(Row::control(name, about).parts(parts), |sampler| {
            let (region, vmo) = (
                region_with(world.root_vmar()?, count)?,
                committed_vmo(PAGE)?,
            );
            sampler.run(|laps| {
                let address = region.map(VmOptions::PERM_READ, 0, &vmo, 0, PAGE)?;
                laps.next();
                region.unmap(address, PAGE)
            })?;
            Ok(region.destroy()?)
        });
        let about =
            "Takes the right to write from a mapping, and gives it back, among so many others.";
        let parts = &[("read_only", Kind::Control), ("read_write", Kind::Control)];
        let name = format!("Vmar/Protect/Among{count}");
        bench.row(Row::control(name, about).parts(parts), |sampler| {
            let (region, vmo) = (
                region_with(world.root_vmar()?, count)?,
                committed_vmo(PAGE)?,
            );
            let address = region.map(READ_WRITE | VmOptions::MAP_RANGE, 0, &vmo, 0, PAGE)?;
            sampler.run(|laps| {
                region.protect(VmOptions::PERM_READ, address, PAGE)?;
                laps.next();
                region.protect(READ_WRITE, address, PAGE)
            })?;
            Ok(region.destroy()?)
        });
    }
    let about = "Maps eight pages, takes the right to write from every second of them, unmaps.";
    bench.row(Row::control("Vmar/ProtectParts/8pages", about), |sampler| {
        let (root, vmo) = (world.root_vmar()?, committed_vmo(8 * PAGE)?);
        Ok(sampler.run(|_| {
            let address = root.map(READ_WRITE | VmOptions::MAP_RANGE, 0, &vmo, 0, 8 * PAGE)?;
            for page in (0..8).step_by(2) {
                root.protect(VmOptions::PERM_READ, address + page * PAGE, PAGE)?;
            }
            root.unmap(address, 8 * PAGE)
        })?)
    });
}

/// A region with so many mappings of one page, each a page away from the next.
pub(crate) fn region_with(root: &Vmar, count: usize) -> ZxResult<Vmar> {
    let flags = VmOptions::CAN_MAP_READ | VmOptions::CAN_MAP_WRITE | VmOptions::CAN_MAP_SPECIFIC;
    let (region, _) = root.allocate(flags, 0, (2 * count + 64) * PAGE)?;
    let vmo = Vmo::create(PAGE as u64, 0)?;
    let flags = VmOptions::PERM_READ | VmOptions::SPECIFIC;
    (0..count)
        .map(|index| region.map(flags, 2 * index * PAGE, &vmo, 0, PAGE))
        .collect::<ZxResult<Vec<_>>>()?;
    Ok(region)
}
