//! Placing things in regions: offsets, alignments, limits, nesting, partial unmapping and protection, whole and in parts.

use alloc::string::String;
use alloc::vec::Vec;

use libzx::{Event, Handle, Rights, VmOptions, Vmar, Vmo, ZxResult};

use crate::check::{check, check_eq, fails, home_only, ok, suite, Case};
use crate::crash::{ending_of, Ending};
use crate::memory::{root_vmar, PAGE};
use crate::pages::{committed, pages, resizable, stamped, Region, View, READ_WRITE};
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
pub(crate) fn load(address: usize) -> ZxResult<Ending> {
    ending_of(move || {
        let _ = libzx::raw::peek(address);
    })
}

/// How code that stores to an address ends.
pub(crate) fn store(address: usize) -> ZxResult<Ending> {
    ending_of(move || libzx::raw::poke(address, 1))
}

/// The access to each page of a region: '-', 'r' or 'w'.
pub(crate) fn access(region: &Region, count: usize) -> ZxResult<String> {
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
    let mut places = Vec::new();
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
    let mut seen = Vec::new();
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
