//! Placing things in regions: offsets, alignments, limits, nesting, partial unmapping and protection, whole and in parts.

use libzx::{Event, Handle, Rights, VmOptions, Vmar, Vmo, ZxResult};
use zx_abi::syscalls::SyscallId;

use crate::check::{check, check_eq, fails, home_only, needs, ok, suite, Case};
use crate::crash::{ending_of, Ending};
use crate::memory::{arg, call, root_vmar, PAGE};
use crate::pages::{
    committed, op, pages, resizable, snapshot, stamp_of, stamped, stamps, Region, View, COMMIT,
    READ_WRITE,
};
use crate::world::{Level, World};

suite! {
    "VmarMap":
    a_fixed_vmo_can_be_required,
    alignment_holds_for_regions_too,
    alignment_of_a_chosen_place_is_the_callers,
    a_region_fits_under_an_upper_limit,
    upper_limits_are_checked,
    compact_regions_keep_mappings_together,
    places_are_random_elsewhere,
    a_full_region_has_no_room,
    a_freed_place_is_used_again,
    overmapping_replaces_exactly_its_range,
    overmapping_over_several_mappings,
    overmapping_into_free_space,
    overmapping_needs_room_inside,
    mapping_over_a_destroyed_region_is_fine,
    nested_regions_limit_permissions,
    every_right_that_a_vmar_handle_drops_is_missed,
    every_right_that_a_vmo_handle_drops_is_missed,
    map_range_enters_present_pages,
    map_range_is_not_for_overwriting,
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
    the_same_memory_mapped_twice_is_one,
    handles_that_are_none_are_refused,
}

const READ: VmOptions = VmOptions::PERM_READ;
const SPECIFIC: VmOptions = VmOptions::SPECIFIC;
const OVERWRITE: VmOptions = VmOptions::SPECIFIC_OVERWRITE;
const LIMIT: VmOptions = VmOptions::OFFSET_IS_UPPER_LIMIT;
const CAN_READ: VmOptions = VmOptions::CAN_MAP_READ;
const ANYTHING: VmOptions = CAN_READ
    .union(VmOptions::CAN_MAP_WRITE)
    .union(VmOptions::CAN_MAP_SPECIFIC);

/// How code that loads from an address ends.
fn load(address: usize) -> ZxResult<Ending> {
    ending_of(move || {
        let _ = libzx::raw::peek(address);
    })
}

/// How code that stores to an address ends.
fn store(address: usize) -> ZxResult<Ending> {
    ending_of(move || libzx::raw::poke(address, 1))
}

/// The access to each page of a region: '-', 'r' or 'w'.
fn access(region: &Region, count: usize) -> ZxResult<alloc::string::String> {
    (0..count)
        .map(|page| {
            let at = region.at(page);
            if load(at)? != Ending::Well {
                return Ok('-');
            }
            Ok(if store(at + 8)? == Ending::Well {
                'w'
            } else {
                'r'
            })
        })
        .collect()
}

fn a_fixed_vmo_can_be_required(_: &World) -> Case {
    let region = ok!(Region::new(4));
    let required = READ | VmOptions::REQUIRE_NON_RESIZABLE;
    let (fixed, elastic) = (ok!(pages(1)), ok!(resizable(1)));
    ok!(region.vmar.map(required, 0, &fixed, 0, PAGE));
    fails!(
        region.vmar.map(required, 0, &elastic, 0, PAGE),
        NotSupported
    );
    fails!(
        region
            .vmar
            .map(required | VmOptions::ALLOW_FAULTS, 0, &elastic, 0, PAGE),
        NotSupported
    );
    ok!(region
        .vmar
        .map(READ | VmOptions::ALLOW_FAULTS, 0, &elastic, 0, PAGE));
    Ok(())
}

fn alignment_holds_for_regions_too(_: &World) -> Case {
    let root = ok!(root_vmar());
    for log2 in [10, 12, 16, 21, 30, 32] {
        let (region, base) = ok!(root.allocate(ANYTHING.with_align_log2(log2), 0, PAGE));
        check_eq!(base % (1 << log2), 0);
        ok!(region.destroy());
    }
    for log2 in [1, 9, 33, 255] {
        fails!(
            root.allocate(ANYTHING.with_align_log2(log2), 0, PAGE),
            InvalidArgs
        );
    }
    Ok(())
}

fn alignment_of_a_chosen_place_is_the_callers(_: &World) -> Case {
    let root = ok!(root_vmar());
    let (outer, base) = ok!(root.allocate(ANYTHING.with_align_log2(16), 0, 64 * PAGE));
    let region = Region { vmar: outer, base };
    let vmo = ok!(pages(1));
    ok!(region.vmar.map(
        (READ | SPECIFIC).with_align_log2(16),
        16 * PAGE,
        &vmo,
        0,
        PAGE
    ));
    fails!(
        region.vmar.map(
            (READ | SPECIFIC).with_align_log2(16),
            17 * PAGE,
            &vmo,
            0,
            PAGE
        ),
        InvalidArgs
    );
    Ok(())
}

fn a_region_fits_under_an_upper_limit(world: &World) -> Case {
    home_only!(world);
    let outer = ok!(Region::new(16));
    // Places are random: what is larger than a page may not fit beside the first.
    for _ in 0..4 {
        let (_child, base) = ok!(outer.vmar.allocate(ANYTHING | LIMIT, 4 * PAGE, PAGE));
        check!(base >= outer.base && base + PAGE <= outer.at(4));
    }
    fails!(
        outer.vmar.allocate(ANYTHING | LIMIT, 4 * PAGE, PAGE),
        NoMemory
    );
    let (_child, base) = ok!(outer.vmar.allocate(ANYTHING | LIMIT, 5 * PAGE, PAGE));
    check_eq!(base, outer.at(4));
    Ok(())
}

fn upper_limits_are_checked(world: &World) -> Case {
    home_only!(world);
    let region = ok!(Region::new(8));
    let vmo = ok!(pages(2));
    let map = |flags, limit, len| region.vmar.map(flags, limit, &vmo, 0, len).map(drop);
    fails!(map(READ | LIMIT, 9 * PAGE, PAGE), InvalidArgs);
    fails!(map(READ | LIMIT, PAGE, 2 * PAGE), InvalidArgs);
    fails!(map(READ | LIMIT, 100, PAGE), InvalidArgs);
    fails!(map(READ | LIMIT | SPECIFIC, 4 * PAGE, PAGE), InvalidArgs);
    fails!(map(READ | LIMIT | OVERWRITE, 4 * PAGE, PAGE), InvalidArgs);
    let loose = ok!(Region::with(CAN_READ, 8));
    fails!(
        loose.vmar.map(READ | LIMIT, 4 * PAGE, &vmo, 0, PAGE),
        AccessDenied
    );
    ok!(map(READ | LIMIT, 8 * PAGE, 2 * PAGE));
    Ok(())
}

fn compact_regions_keep_mappings_together(_: &World) -> Case {
    let region = ok!(Region::with(ANYTHING | VmOptions::COMPACT, 1 << 16));
    let vmo = ok!(pages(1));
    let mut places = alloc::vec::Vec::new();
    for _ in 0..8 {
        places.push(ok!(region.vmar.map(READ, 0, &vmo, 0, PAGE)));
    }
    places.sort_unstable();
    // Of 256 MiB.
    check!(places[7] - places[0] < 16 << 20);
    Ok(())
}

fn places_are_random_elsewhere(_: &World) -> Case {
    let root = ok!(root_vmar());
    let vmo = ok!(pages(1));
    let mut seen = alloc::vec::Vec::new();
    for _ in 0..8 {
        let at = ok!(root.map(READ, 0, &vmo, 0, PAGE));
        ok!(root.unmap(at, PAGE));
        seen.push(at);
    }
    seen.sort_unstable();
    seen.dedup();
    check!(seen.len() > 1);
    Ok(())
}

fn a_full_region_has_no_room(_: &World) -> Case {
    let region = ok!(Region::new(4));
    let vmo = ok!(pages(4));
    ok!(region.map(1, &vmo, 0, 2, READ));
    fails!(region.vmar.map(READ, 0, &vmo, 0, 2 * PAGE), NoMemory);
    fails!(region.vmar.allocate(ANYTHING, 0, 2 * PAGE), NoMemory);
    ok!(region.vmar.allocate(ANYTHING, 0, PAGE));
    ok!(region.vmar.map(READ, 0, &vmo, 0, PAGE));
    fails!(region.vmar.map(READ, 0, &vmo, 0, PAGE), NoMemory);
    Ok(())
}

fn a_freed_place_is_used_again(_: &World) -> Case {
    let region = ok!(Region::new(4));
    let vmo = ok!(pages(4));
    ok!(region.map(0, &vmo, 0, 4, READ));
    ok!(region.vmar.unmap(region.at(1), 2 * PAGE));
    let (child, base) = ok!(region.vmar.allocate(ANYTHING, 0, 2 * PAGE));
    check_eq!(base, region.at(1));
    ok!(child.destroy());
    check_eq!(
        ok!(region.vmar.map(READ, 0, &vmo, 0, 2 * PAGE)),
        region.at(1)
    );
    Ok(())
}

fn overmapping_replaces_exactly_its_range(_: &World) -> Case {
    let region = ok!(Region::new(6));
    let (below, above) = (ok!(stamped(6, 10)), ok!(stamped(2, 50)));
    ok!(region.map(0, &below, 0, 6, READ));
    let at = ok!(region
        .vmar
        .map(READ | OVERWRITE, 2 * PAGE, &above, 0, 2 * PAGE));
    check_eq!(at, region.at(2));
    for (page, number) in [10, 11, 50, 51, 14, 15].into_iter().enumerate() {
        check_eq!(libzx::raw::peek(region.at(page)), number);
    }
    Ok(())
}

fn overmapping_over_several_mappings(_: &World) -> Case {
    let region = ok!(Region::new(8));
    let (below, above) = (ok!(stamped(2, 10)), ok!(stamped(5, 50)));
    for page in [0, 3, 6] {
        ok!(region.map(page, &below, 0, 2, READ));
    }
    // Over the end of the first, a hole, the whole second one, a hole, and no further.
    ok!(region.vmar.map(READ | OVERWRITE, PAGE, &above, 0, 5 * PAGE));
    for (page, number) in [10, 50, 51, 52, 53, 54, 10, 11].into_iter().enumerate() {
        check_eq!(libzx::raw::peek(region.at(page)), number);
    }
    Ok(())
}

fn overmapping_into_free_space(_: &World) -> Case {
    let region = ok!(Region::new(2));
    let vmo = ok!(stamped(1, 10));
    let at = ok!(region.vmar.map(READ | OVERWRITE, PAGE, &vmo, 0, PAGE));
    check_eq!((at, libzx::raw::peek(at)), (region.at(1), 10));
    Ok(())
}

fn overmapping_needs_room_inside(_: &World) -> Case {
    let region = ok!(Region::new(4));
    let vmo = ok!(stamped(4, 10));
    ok!(region.map(0, &vmo, 0, 4, READ));
    fails!(
        region
            .vmar
            .map(READ | OVERWRITE, 3 * PAGE, &vmo, 0, 2 * PAGE),
        InvalidArgs
    );
    fails!(
        region.vmar.map(READ | OVERWRITE, 4 * PAGE, &vmo, 0, PAGE),
        InvalidArgs
    );
    fails!(
        region.vmar.map(READ | OVERWRITE, 100, &vmo, 0, PAGE),
        InvalidArgs
    );
    fails!(
        region.vmar.allocate(ANYTHING | OVERWRITE, 0, PAGE),
        InvalidArgs
    );
    check_eq!(libzx::raw::peek(region.at(3)), 13);
    Ok(())
}

fn mapping_over_a_destroyed_region_is_fine(_: &World) -> Case {
    let region = ok!(Region::new(4));
    let vmo = ok!(stamped(1, 10));
    let (child, _) = ok!(region.vmar.allocate(ANYTHING | SPECIFIC, PAGE, 2 * PAGE));
    fails!(region.map(1, &vmo, 0, 1, READ), NoMemory);
    ok!(child.destroy());
    check_eq!(libzx::raw::peek(ok!(region.map(1, &vmo, 0, 1, READ))), 10);
    fails!(child.map(READ, 0, &vmo, 0, PAGE), BadState);
    Ok(())
}

fn nested_regions_limit_permissions(_: &World) -> Case {
    let outer = ok!(Region::with(
        CAN_READ | VmOptions::CAN_MAP_WRITE | VmOptions::CAN_MAP_EXECUTE,
        16
    ));
    let vmo = ok!(pages(1));
    let sets = [
        CAN_READ,
        CAN_READ | VmOptions::CAN_MAP_WRITE,
        CAN_READ | VmOptions::CAN_MAP_EXECUTE,
    ];
    for flags in sets {
        let (inner, _) = ok!(outer.vmar.allocate(flags, 0, 4 * PAGE));
        for more in sets {
            let nested = inner.allocate(more, 0, PAGE);
            match flags.contains(more) {
                true => check!(nested.is_ok()),
                false => fails!(nested, AccessDenied),
            }
        }
        let writing = inner.map(READ_WRITE, 0, &vmo, 0, PAGE);
        match flags.contains(VmOptions::CAN_MAP_WRITE) {
            true => check!(writing.is_ok()),
            false => fails!(writing, AccessDenied),
        }
        ok!(inner.destroy());
    }
    // Fixed places may be allowed inside although they are not outside.
    ok!(outer
        .vmar
        .allocate(CAN_READ | VmOptions::CAN_MAP_SPECIFIC, 0, PAGE));
    Ok(())
}

/// Permissions, and what they need.
const PERMISSIONS: [(VmOptions, Rights); 2] = [
    (READ, Rights::READ),
    (READ_WRITE, Rights::READ.union(Rights::WRITE)),
];

fn every_right_that_a_vmar_handle_drops_is_missed(_: &World) -> Case {
    let region = ok!(Region::new(8));
    let vmo = ok!(pages(1));
    for rights in [Rights::empty(), Rights::READ, Rights::WRITE, Rights::IO] {
        let poor = ok!(region.vmar.duplicate(rights));
        for (flags, needed) in PERMISSIONS {
            match (poor.map(flags, 0, &vmo, 0, PAGE), rights.contains(needed)) {
                (Ok(at), true) => {
                    ok!(poor.protect(flags, at, PAGE));
                    ok!(poor.unmap(at, PAGE));
                }
                (result, _) => fails!(result, AccessDenied),
            }
        }
        for (flags, needed) in [
            (CAN_READ, Rights::READ),
            (VmOptions::CAN_MAP_WRITE, Rights::WRITE),
            (VmOptions::CAN_MAP_EXECUTE, Rights::EXECUTE),
        ] {
            match (poor.allocate(flags, 0, PAGE), rights.contains(needed)) {
                (Ok((child, _)), true) => ok!(child.destroy()),
                (result, _) => fails!(result, AccessDenied),
            }
        }
        ok!(poor
            .allocate(VmOptions::empty(), 0, PAGE)
            .and_then(|(child, _)| child.destroy()));
    }
    Ok(())
}

fn every_right_that_a_vmo_handle_drops_is_missed(_: &World) -> Case {
    let region = ok!(Region::new(8));
    let vmo = ok!(pages(1));
    for rights in [Rights::empty(), Rights::READ, Rights::WRITE, Rights::IO] {
        fails!(
            region
                .vmar
                .map(VmOptions::empty(), 0, &ok!(vmo.duplicate(rights)), 0, PAGE),
            AccessDenied
        );
        let poor = ok!(vmo.duplicate(rights | Rights::MAP));
        for (flags, needed) in PERMISSIONS {
            match (
                region.vmar.map(flags, 0, &poor, 0, PAGE),
                rights.contains(needed),
            ) {
                (Ok(at), true) => {
                    // What is mapped can be raised to what the handle had, and no further.
                    let raised = region.vmar.protect(READ_WRITE, at, PAGE);
                    check_eq!(raised.is_ok(), rights.contains(Rights::WRITE));
                    ok!(region.vmar.unmap(at, PAGE));
                }
                (result, _) => fails!(result, AccessDenied),
            }
        }
    }
    Ok(())
}

fn map_range_enters_present_pages(world: &World) -> Case {
    let vmo = ok!(resizable(4));
    ok!(crate::pages::stamp_all(&vmo, 2, 10));
    let view = ok!(View::with(&vmo, READ | VmOptions::MAP_RANGE, 0, 4));
    check_eq!((view.load(0), view.load(1), view.load(2)), (10, 11, 0));
    // It commits nothing.
    check_eq!(ok!(committed(&vmo)), 2);
    // In 2019 the offset in the VMO is taken for one in the mapping.
    if world.level == Level::Home {
        let offset = ok!(View::with(&vmo, READ | VmOptions::MAP_RANGE, 1, 2));
        check_eq!((offset.load(0), offset.load(1)), (11, 0));
    }
    Ok(())
}

fn map_range_is_not_for_overwriting(_: &World) -> Case {
    let region = ok!(Region::new(2));
    let vmo = ok!(pages(1));
    let both = READ | OVERWRITE | VmOptions::MAP_RANGE;
    fails!(region.vmar.map(both, 0, &vmo, 0, PAGE), InvalidArgs);
    fails!(
        region
            .vmar
            .allocate(ANYTHING | VmOptions::MAP_RANGE, 0, PAGE),
        InvalidArgs
    );
    Ok(())
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

/// Pages of a mapping that nobody can touch all of: 64 GiB.
const LARGE: usize = 1 << 24;

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

const DECOMMIT_MAPPED: u32 = 2;
const MAP_AHEAD: u32 = 3;

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

fn the_same_memory_mapped_twice_is_one(_: &World) -> Case {
    let region = ok!(Region::new(4));
    let vmo = ok!(stamped(2, 10));
    ok!(region.map(0, &vmo, 0, 2, READ_WRITE));
    ok!(region.map(2, &vmo, 0, 2, READ));
    libzx::raw::poke(region.at(1), 77);
    check_eq!(libzx::raw::peek(region.at(3)), 77);
    check_eq!(ok!(access(&region, 4)), "wwrr");
    Ok(())
}

fn handles_that_are_none_are_refused(_: &World) -> Case {
    let vmo = ok!(pages(1));
    let none = Vmar::from(Handle::from_raw(0));
    fails!(none.map(READ, 0, &vmo, 0, PAGE), BadHandle);
    fails!(none.unmap(PAGE, PAGE), BadHandle);
    fails!(none.protect(READ, PAGE, PAGE), BadHandle);
    fails!(none.destroy(), BadHandle);
    fails!(none.allocate(ANYTHING, 0, PAGE), BadHandle);
    let region = ok!(Region::new(1));
    fails!(
        region
            .vmar
            .map(READ, 0, &Vmo::from(Handle::from_raw(0)), 0, PAGE),
        BadHandle
    );
    let event = Vmar::from(Handle::from(ok!(Event::create())));
    fails!(event.protect(READ, PAGE, PAGE), WrongType);
    fails!(event.map(READ, 0, &vmo, 0, PAGE), WrongType);
    Ok(())
}
