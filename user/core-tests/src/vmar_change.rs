//! Changing what is mapped: unmapping, protecting and operating on ranges, whole and in parts.

use libzx::{Rights, VmOptions};
use zx_abi::syscalls::SyscallId;

use crate::check::{check_eq, fails, needs, ok, suite, Case};
use crate::crash::Ending;
use crate::memory::{arg, call, PAGE};
use crate::pages::{
    committed, op, pages, snapshot, stamp_of, stamped, stamps, Region, View, COMMIT, READ_WRITE,
};
use crate::vmar_map::{access, load, store};
use crate::world::World;

/// Pages of a mapping that nobody can touch all of: 64 GiB.
const LARGE: usize = 1 << 24;
const DECOMMIT_MAPPED: u32 = 2;
const MAP_AHEAD: u32 = 3;
const READ: VmOptions = VmOptions::PERM_READ;
const SPECIFIC: VmOptions = VmOptions::SPECIFIC;
const ANYTHING: VmOptions = VmOptions::CAN_MAP_READ
    .union(VmOptions::CAN_MAP_WRITE)
    .union(VmOptions::CAN_MAP_SPECIFIC);

suite! {
    "VmarChange":
    unmapping_across_mappings_and_holes,
    unmapping_part_of_a_mapping_leaves_the_others_offset,
    unmapping_the_ends_of_a_mapping,
    unmapping_a_large_untouched_mapping,
    unmapping_in_a_region_at_an_offset,
    protecting_the_middle_splits_a_mapping,
    protecting_the_ends_splits_a_mapping,
    protecting_across_mappings_changes_all,
    protecting_across_a_hole_changes_nothing,
    protecting_across_a_region_is_refused,
    protecting_a_large_untouched_mapping,
    protecting_pages_that_come_later,
    lengths_are_rounded_up,
    op_range_checks_its_arguments,
    op_range_decommits,
    op_range_decommits_across_mappings,
    op_range_maps_ahead,
    op_range_at_an_offset_of_the_vmo,
    op_range_needs_a_whole_range,
}

fn unmapping_across_mappings_and_holes(_: &World) -> Case {
    let region = ok!(Region::new(8));
    let vmo = ok!(stamped(2, 10));
    for page in [0, 3, 6] {
        ok!(region.map(page, &vmo, 0, 2, READ));
    }
    check_eq!(ok!(access(&region, 8)), "rr-rr-rr");
    ok!(region.vmar.unmap(region.at(1), 6 * PAGE));
    check_eq!(ok!(access(&region, 8)), "r------r");
    check_eq!(
        (
            libzx::raw::peek(region.at(0)),
            libzx::raw::peek(region.at(7))
        ),
        (10, 11)
    );
    Ok(())
}

fn unmapping_part_of_a_mapping_leaves_the_others_offset(_: &World) -> Case {
    let region = ok!(Region::new(5));
    let vmo = ok!(stamped(8, 10));
    ok!(region.map(0, &vmo, 2, 5, READ_WRITE));
    ok!(region.vmar.unmap(region.at(2), PAGE));
    check_eq!(ok!(access(&region, 5)), "ww-ww");
    for (page, number) in [(0, 12), (1, 13), (3, 15), (4, 16)] {
        check_eq!(libzx::raw::peek(region.at(page)), number);
    }
    libzx::raw::poke(region.at(4), 99);
    check_eq!(ok!(stamp_of(&vmo, 6)), 99);
    Ok(())
}

fn unmapping_the_ends_of_a_mapping(_: &World) -> Case {
    let region = ok!(Region::new(6));
    let vmo = ok!(stamped(6, 10));
    ok!(region.map(0, &vmo, 0, 6, READ));
    ok!(region.vmar.unmap(region.at(0), 2 * PAGE));
    ok!(region.vmar.unmap(region.at(5), PAGE));
    check_eq!(ok!(access(&region, 6)), "--rrr-");
    check_eq!(
        (
            libzx::raw::peek(region.at(2)),
            libzx::raw::peek(region.at(4))
        ),
        (12, 14)
    );
    ok!(region.vmar.unmap(region.base, 6 * PAGE));
    check_eq!(ok!(access(&region, 6)), "------");
    Ok(())
}

fn unmapping_a_large_untouched_mapping(_: &World) -> Case {
    let region = ok!(Region::new(LARGE));
    let vmo = ok!(pages(LARGE as u64));
    ok!(region.map(0, &vmo, 0, LARGE, READ_WRITE));
    for page in [0, 1, LARGE / 2, LARGE - 1] {
        libzx::raw::poke(region.at(page), 7);
    }
    ok!(region.vmar.unmap(region.at(1), (LARGE - 2) * PAGE));
    check_eq!(
        ok!(load(region.at(LARGE / 2))),
        Ending::fault_at(region.at(LARGE / 2))
    );
    check_eq!(
        (
            libzx::raw::peek(region.at(0)),
            libzx::raw::peek(region.at(LARGE - 1))
        ),
        (7, 7)
    );
    check_eq!(ok!(committed(&vmo)), 4);
    Ok(())
}

fn unmapping_in_a_region_at_an_offset(_: &World) -> Case {
    let outer = ok!(Region::new(16));
    let (inner, base) = ok!(outer.vmar.allocate(ANYTHING | SPECIFIC, 5 * PAGE, 4 * PAGE));
    let region = Region { vmar: inner, base };
    let vmo = ok!(stamped(4, 10));
    ok!(region.map(0, &vmo, 0, 4, READ));
    ok!(region.vmar.unmap(region.at(1), PAGE));
    check_eq!(ok!(access(&region, 4)), "r-rr");
    // Through the outer handle a part of the inner region cannot go, all of it can.
    fails!(outer.vmar.unmap(region.at(2), PAGE), InvalidArgs);
    ok!(outer.vmar.unmap(outer.at(4), 6 * PAGE));
    check_eq!(ok!(access(&region, 4)), "----");
    Ok(())
}

fn protecting_the_middle_splits_a_mapping(_: &World) -> Case {
    let region = ok!(Region::new(5));
    let vmo = ok!(stamped(5, 10));
    ok!(region.map(0, &vmo, 0, 5, READ_WRITE));
    check_eq!(ok!(access(&region, 5)), "wwwww");
    ok!(region.vmar.protect(READ, region.at(1), 3 * PAGE));
    check_eq!(ok!(access(&region, 5)), "wrrrw");
    ok!(region.vmar.protect(VmOptions::empty(), region.at(2), PAGE));
    check_eq!(ok!(access(&region, 5)), "wr-rw");
    ok!(region.vmar.protect(READ_WRITE, region.base, 5 * PAGE));
    check_eq!(ok!(access(&region, 5)), "wwwww");
    for page in 0..5 {
        check_eq!(libzx::raw::peek(region.at(page)), 10 + page as u64);
    }
    Ok(())
}

fn protecting_the_ends_splits_a_mapping(_: &World) -> Case {
    let region = ok!(Region::new(4));
    let vmo = ok!(stamped(4, 10));
    ok!(region.map(0, &vmo, 0, 4, READ_WRITE));
    ok!(region.vmar.protect(READ, region.at(0), PAGE));
    ok!(region.vmar.protect(VmOptions::empty(), region.at(3), PAGE));
    check_eq!(ok!(access(&region, 4)), "rww-");
    ok!(region.vmar.unmap(region.at(0), 2 * PAGE));
    check_eq!(ok!(access(&region, 4)), "--w-");
    Ok(())
}

fn protecting_across_mappings_changes_all(_: &World) -> Case {
    let region = ok!(Region::new(5));
    let (first, second) = (ok!(stamped(2, 10)), ok!(stamped(3, 20)));
    ok!(region.map(0, &first, 0, 2, READ_WRITE));
    ok!(region.map(2, &second, 0, 3, READ));
    ok!(region.vmar.protect(READ, region.at(1), 3 * PAGE));
    check_eq!(ok!(access(&region, 5)), "wrrrr");
    ok!(region.vmar.protect(READ_WRITE, region.at(1), 3 * PAGE));
    check_eq!(ok!(access(&region, 5)), "wwwwr");
    Ok(())
}

fn protecting_across_a_hole_changes_nothing(_: &World) -> Case {
    let region = ok!(Region::new(5));
    let vmo = ok!(stamped(2, 10));
    ok!(region.map(0, &vmo, 0, 2, READ_WRITE));
    ok!(region.map(3, &vmo, 0, 2, READ_WRITE));
    fails!(region.vmar.protect(READ, region.at(0), 5 * PAGE), NotFound);
    fails!(region.vmar.protect(READ, region.at(1), 2 * PAGE), NotFound);
    fails!(region.vmar.protect(READ, region.at(2), PAGE), NotFound);
    check_eq!(ok!(access(&region, 5)), "ww-ww");
    Ok(())
}

fn protecting_across_a_region_is_refused(_: &World) -> Case {
    let region = ok!(Region::new(4));
    let vmo = ok!(stamped(1, 10));
    ok!(region.map(0, &vmo, 0, 1, READ_WRITE));
    let (inner, base) = ok!(region.vmar.allocate(ANYTHING | SPECIFIC, PAGE, PAGE));
    ok!(inner.map(READ, 0, &vmo, 0, PAGE));
    fails!(
        region.vmar.protect(READ, region.at(0), 2 * PAGE),
        InvalidArgs
    );
    fails!(region.vmar.protect(READ, base, PAGE), InvalidArgs);
    ok!(inner.protect(READ_WRITE, base, PAGE));
    check_eq!(ok!(access(&region, 2)), "ww");
    Ok(())
}

fn protecting_a_large_untouched_mapping(_: &World) -> Case {
    let region = ok!(Region::new(LARGE));
    let vmo = ok!(pages(LARGE as u64));
    ok!(region.map(0, &vmo, 0, LARGE, READ_WRITE));
    libzx::raw::poke(region.at(LARGE / 3), 7);
    ok!(region.vmar.protect(READ, region.base, LARGE * PAGE));
    check_eq!(
        ok!(store(region.at(LARGE / 3))),
        Ending::fault_at(region.at(LARGE / 3))
    );
    check_eq!(
        ok!(store(region.at(LARGE - 1))),
        Ending::fault_at(region.at(LARGE - 1))
    );
    check_eq!(libzx::raw::peek(region.at(LARGE / 3)), 7);
    Ok(())
}

fn protecting_pages_that_come_later(_: &World) -> Case {
    let vmo = ok!(pages(2));
    let view = ok!(View::new(&vmo, 2));
    ok!(view.protect(READ));
    ok!(op(&vmo, COMMIT, 0, 2));
    check_eq!(view.load(0), 0);
    check_eq!(ok!(store(view.at(0))), Ending::fault_at(view.at(0)));
    ok!(view.protect(READ_WRITE));
    view.store(0, 5);
    check_eq!(ok!(stamps(&vmo)), [5, 0]);
    Ok(())
}

fn lengths_are_rounded_up(_: &World) -> Case {
    let region = ok!(Region::new(4));
    let vmo = ok!(stamped(4, 10));
    let at = ok!(region
        .vmar
        .map(READ_WRITE | SPECIFIC, 0, &vmo, 0, 2 * PAGE + 1));
    check_eq!((at, ok!(access(&region, 4))), (region.base, "www-".into()));
    ok!(region.vmar.protect(READ, at, PAGE + 7));
    check_eq!(ok!(access(&region, 4)), "rrw-");
    ok!(region.vmar.unmap(region.at(1), 1));
    check_eq!(ok!(access(&region, 4)), "r-w-");
    Ok(())
}

fn op_range_checks_its_arguments(_: &World) -> Case {
    needs!(VmarOpRange);
    let region = ok!(Region::new(4));
    let vmo = ok!(stamped(4, 10));
    ok!(region.map(0, &vmo, 0, 4, READ_WRITE));
    let range = |address, len| region.vmar.op_range(DECOMMIT_MAPPED, address, len);
    fails!(range(region.base + 1, PAGE), InvalidArgs);
    fails!(range(region.base, PAGE + 1), InvalidArgs);
    fails!(range(region.base, 0), InvalidArgs);
    fails!(range(region.base - PAGE, PAGE), OutOfRange);
    fails!(range(region.base, 5 * PAGE), OutOfRange);
    for unknown in [0, 4, 5, u32::MAX] {
        fails!(
            region.vmar.op_range(unknown, region.base, PAGE),
            NotSupported
        );
    }
    let (at, handle) = (region.base, arg(&region.vmar));
    fails!(
        call(SyscallId::VmarOpRange, &[handle, 2, at, PAGE, at, 0]),
        InvalidArgs
    );
    fails!(
        call(SyscallId::VmarOpRange, &[handle, 2, at, PAGE, 0, 1]),
        InvalidArgs
    );
    fails!(
        call(SyscallId::VmarOpRange, &[0, 2, at, PAGE, 0, 0]),
        BadHandle
    );
    fails!(
        call(SyscallId::VmarOpRange, &[arg(&vmo), 2, at, PAGE, 0, 0]),
        WrongType
    );
    check_eq!(ok!(stamps(&vmo)), [10, 11, 12, 13]);
    ok!(region.vmar.destroy());
    fails!(range(region.base, PAGE), BadState);
    Ok(())
}

fn op_range_decommits(_: &World) -> Case {
    needs!(VmarOpRange);
    let region = ok!(Region::new(6));
    let vmo = ok!(stamped(4, 10));
    ok!(region.map(1, &vmo, 0, 4, READ_WRITE));
    check_eq!(libzx::raw::peek(region.at(2)), 11);
    ok!(region
        .vmar
        .op_range(DECOMMIT_MAPPED, region.at(2), 2 * PAGE));
    check_eq!(ok!(stamps(&vmo)), [10, 0, 0, 13]);
    check_eq!(
        (libzx::raw::peek(region.at(2)), ok!(committed(&vmo))),
        (0, 2)
    );
    // Not through a mapping that could never be written.
    let reader = ok!(vmo.duplicate(Rights::READ | Rights::MAP));
    ok!(region.map(5, &reader, 0, 1, READ));
    fails!(
        region.vmar.op_range(DECOMMIT_MAPPED, region.at(5), PAGE),
        AccessDenied
    );
    check_eq!(ok!(stamp_of(&vmo, 0)), 10);
    Ok(())
}

fn op_range_decommits_across_mappings(world: &World) -> Case {
    needs!(VmarOpRange);
    let region = ok!(Region::new(4));
    let (first, second) = (ok!(stamped(2, 10)), ok!(stamped(4, 20)));
    ok!(region.map(0, &first, 0, 2, READ_WRITE));
    ok!(region.map(2, &second, 1, 2, READ_WRITE));
    ok!(region
        .vmar
        .op_range(DECOMMIT_MAPPED, region.at(1), 2 * PAGE));
    check_eq!(ok!(stamps(&first)), [10, 0]);
    check_eq!(ok!(stamps(&second)), [20, 0, 22, 23]);
    let copy = ok!(snapshot(world, &second, 0, 4));
    fails!(
        region.vmar.op_range(DECOMMIT_MAPPED, region.at(2), PAGE),
        NotSupported
    );
    drop(copy);
    Ok(())
}

fn op_range_maps_ahead(_: &World) -> Case {
    needs!(VmarOpRange);
    let region = ok!(Region::new(8));
    let vmo = ok!(pages(8));
    ok!(op(&vmo, COMMIT, 0, 4));
    ok!(region.map(0, &vmo, 0, 8, READ_WRITE));
    ok!(region.vmar.op_range(MAP_AHEAD, region.base, 4 * PAGE));
    check_eq!(ok!(committed(&vmo)), 4);
    libzx::raw::poke(region.at(3), 5);
    check_eq!(ok!(stamp_of(&vmo, 3)), 5);
    // What is protected afterwards is protected, mapped ahead or not.
    ok!(region.vmar.protect(READ, region.base, 8 * PAGE));
    check_eq!(ok!(store(region.at(2))), Ending::fault_at(region.at(2)));
    Ok(())
}

fn op_range_at_an_offset_of_the_vmo(_: &World) -> Case {
    needs!(VmarOpRange);
    let region = ok!(Region::new(2));
    let vmo = ok!(stamped(6, 10));
    ok!(region.map(0, &vmo, 3, 2, READ_WRITE));
    ok!(region.vmar.op_range(MAP_AHEAD, region.base, 2 * PAGE));
    check_eq!(
        (
            libzx::raw::peek(region.at(0)),
            libzx::raw::peek(region.at(1))
        ),
        (13, 14)
    );
    ok!(region.vmar.op_range(DECOMMIT_MAPPED, region.at(1), PAGE));
    check_eq!(ok!(stamps(&vmo)), [10, 11, 12, 13, 0, 15]);
    Ok(())
}

fn op_range_needs_a_whole_range(_: &World) -> Case {
    needs!(VmarOpRange);
    let region = ok!(Region::new(6));
    let vmo = ok!(stamped(1, 10));
    for op in [DECOMMIT_MAPPED, MAP_AHEAD] {
        fails!(region.vmar.op_range(op, region.base, PAGE), BadState);
    }
    ok!(region.map(0, &vmo, 0, 1, READ_WRITE));
    ok!(region.map(2, &vmo, 0, 1, READ_WRITE));
    fails!(
        region.vmar.op_range(DECOMMIT_MAPPED, region.base, 3 * PAGE),
        BadState
    );
    let (inner, _) = ok!(region.vmar.allocate(ANYTHING | SPECIFIC, 3 * PAGE, PAGE));
    ok!(inner.map(READ_WRITE, 0, &vmo, 0, PAGE));
    fails!(
        region
            .vmar
            .op_range(DECOMMIT_MAPPED, region.at(2), 2 * PAGE),
        BadState
    );
    Ok(())
}
