//! Slices: windows on the pages of another VMO.

use libzx::{AsHandle, Rights, Signals, VmOptions, Vmo};
use zx_abi::info::VmoInfoFlags;
use zx_abi::syscalls::SyscallId;

use crate::check::{check, check_eq, fails, home_only, ok, skip, suite, Case};
use crate::crash::access;
use crate::demand::Demand;
use crate::memory::{arg, call};
use crate::pages::{
    all_committed, child, committed, device, info, op, pages, resizable, slice, snapshot, stamp,
    stamp_of, stamped, stamps, Kind, View, COMMIT, DECOMMIT, PAGE64, READ_WRITE, RESIZABLE_CHILD,
    ZERO,
};
use crate::world::{rights_of, Level, World};

suite! {
    "VmoSlice":
    writes_go_through_both_ways,
    mappings_of_both_show_the_same_memory,
    a_mapping_beyond_one_does_not_show_its_parent,
    one_of_a_pagers_vmo_asks_for_nothing_beyond_its_end,
    one_of_one_is_a_window_in_the_window,
    the_size_is_rounded_up_to_pages,
    one_of_size_zero_is_fine,
    one_outside_of_its_parent_is_refused,
    numbers_that_overflow_are_refused,
    offsets_between_pages_are_refused,
    a_resizable_parent_is_refused_but_the_range_is_looked_at_first,
    no_other_option_goes_with_it,
    it_cannot_change_its_size,
    it_keeps_the_rights_of_its_parents_handle,
    committing_it_commits_its_parent,
    decommitting_it_decommits_its_parent,
    decommitting_its_parent_decommits_it,
    zeroing_it_zeroes_its_parent,
    its_pages_count_for_the_parent,
    a_slice_of_a_copy_sees_the_copys_pages,
    a_slice_keeps_the_pages_of_its_dead_parent,
    one_of_a_contiguous_parent_is_contiguous,
    one_of_a_physical_parent_follows_the_level,
    one_of_an_uncached_parent_follows_the_kind,
    pins_through_it_hold_the_parents_pages,
    it_clears_zero_children_until_it_goes,
    a_slice_of_a_dead_slice_keeps_zero_children_off,
    no_snapshot_is_made_of_one,
    info_tells_that_it_is_no_copy,
}

fn writes_go_through_both_ways(world: &World) -> Case {
    let vmo = ok!(stamped(4, 10));
    let window = ok!(slice(world, &vmo, 1, 2));
    check_eq!(ok!(stamps(&window)), [11, 12]);
    ok!(stamp(&window, 0, 50));
    ok!(stamp(&vmo, 2, 60));
    check_eq!(ok!(stamps(&window)), [50, 60]);
    check_eq!(ok!(stamps(&vmo)), [10, 50, 60, 13]);
    fails!(stamp(&window, 2, 1), OutOfRange);
    Ok(())
}

fn mappings_of_both_show_the_same_memory(world: &World) -> Case {
    let vmo = ok!(pages(2));
    let window = ok!(slice(world, &vmo, 1, 1));
    let (whole, part) = (ok!(View::new(&vmo, 2)), ok!(View::new(&window, 1)));
    part.store(0, 5);
    check_eq!(whole.load(1), 5);
    whole.store(1, 6);
    check_eq!(part.load(0), 6);
    check_eq!(ok!(stamps(&window)), [6]);
    Ok(())
}

fn a_mapping_beyond_one_does_not_show_its_parent(world: &World) -> Case {
    let vmo = ok!(stamped(3, 10));
    let window = ok!(slice(world, &vmo, 1, 1));
    for flags in [READ_WRITE, READ_WRITE | VmOptions::MAP_RANGE] {
        let view = ok!(View::with(&window, flags, 0, 2));
        // What a fault maps ahead ends there too.
        check_eq!(view.load(0), 11);
        check_eq!(ok!(access(view.at(1))), (false, false));
        let into_it = [arg(&vmo), view.at(1), 0, 8];
        fails!(call(SyscallId::VmoRead, &into_it), InvalidArgs);
        fails!(call(SyscallId::VmoWrite, &into_it), InvalidArgs);
        // The edge itself: one page of two.
        let across = [arg(&vmo), view.at(1) - 8, 0, 16];
        fails!(call(SyscallId::VmoWrite, &across), InvalidArgs);
    }
    check_eq!(ok!(stamps(&vmo))[2], 12);
    Ok(())
}

fn one_of_a_pagers_vmo_asks_for_nothing_beyond_its_end(world: &World) -> Case {
    home_only!(world);
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(2, 7));
    let window = ok!(slice(world, &vmo, 0, 1));
    let view = ok!(View::new(&window, 2));
    check_eq!(ok!(access(view.at(1))), (false, false));
    let plain = ok!(stamped(1, 5));
    let buffer = [arg(&plain), view.at(1), 0, 8];
    fails!(call(SyscallId::VmoRead, &buffer), InvalidArgs);
    fails!(call(SyscallId::VmoWrite, &buffer), InvalidArgs);
    check!(demand.is_quiet());
    Ok(())
}

fn one_of_one_is_a_window_in_the_window(world: &World) -> Case {
    let vmo = ok!(stamped(6, 10));
    let outer = ok!(slice(world, &vmo, 1, 4));
    let inner = ok!(slice(world, &outer, 1, 2));
    check_eq!(ok!(stamps(&inner)), [12, 13]);
    ok!(stamp(&inner, 1, 50));
    check_eq!(ok!(stamp_of(&vmo, 3)), 50);
    check_eq!(ok!(stamp_of(&outer, 2)), 50);
    fails!(slice(world, &outer, 3, 2), InvalidArgs);
    Ok(())
}

fn the_size_is_rounded_up_to_pages(world: &World) -> Case {
    let vmo = ok!(stamped(3, 10));
    let option = Kind::Slice.option(world);
    for (asked, given) in [
        (1, 1),
        (PAGE64 - 1, 1),
        (PAGE64 + 1, 2),
        (3 * PAGE64 - 7, 3),
    ] {
        check_eq!(
            ok!(ok!(vmo.create_child(option, 0, asked)).size()),
            given * PAGE64
        );
    }
    Ok(())
}

fn one_of_size_zero_is_fine(world: &World) -> Case {
    let vmo = ok!(stamped(2, 10));
    for page in 0..=2 {
        let window = ok!(slice(world, &vmo, page, 0));
        check_eq!(ok!(window.size()), 0);
        fails!(window.read(&mut [0], 0), OutOfRange);
        fails!(window.write(&[0], 0), OutOfRange);
        ok!(op(&window, COMMIT, 0, 0));
    }
    let empty = ok!(pages(0));
    ok!(slice(world, &empty, 0, 0));
    Ok(())
}

fn one_outside_of_its_parent_is_refused(world: &World) -> Case {
    let vmo = ok!(stamped(4, 10));
    for (page, count) in [(0, 5), (1, 4), (3, 2), (4, 1), (5, 0), (5, 1), (1 << 40, 1)] {
        fails!(slice(world, &vmo, page, count), InvalidArgs);
    }
    Ok(())
}

fn numbers_that_overflow_are_refused(world: &World) -> Case {
    let vmo = ok!(stamped(4, 10));
    let option = Kind::Slice.option(world);
    let last = 0u64.wrapping_sub(PAGE64);
    fails!(vmo.create_child(option, 0, u64::MAX), OutOfRange);
    fails!(vmo.create_child(option, 0, last), OutOfRange);
    fails!(vmo.create_child(option, last, PAGE64), InvalidArgs);
    fails!(vmo.create_child(option, last, 2 * PAGE64), InvalidArgs);
    Ok(())
}

fn offsets_between_pages_are_refused(world: &World) -> Case {
    let vmo = ok!(stamped(4, 10));
    let option = Kind::Slice.option(world);
    for offset in [1, PAGE64 / 2, PAGE64 + 1] {
        fails!(vmo.create_child(option, offset, PAGE64), InvalidArgs);
    }
    Ok(())
}

fn a_resizable_parent_is_refused_but_the_range_is_looked_at_first(world: &World) -> Case {
    let vmo = ok!(resizable(2));
    fails!(slice(world, &vmo, 0, 2), NotSupported);
    fails!(slice(world, &vmo, 0, 3), InvalidArgs);
    fails!(slice(world, &vmo, 3, 0), InvalidArgs);
    Ok(())
}

fn no_other_option_goes_with_it(world: &World) -> Case {
    let vmo = ok!(stamped(1, 10));
    let option = Kind::Slice.option(world);
    let snapshot = Kind::Snapshot.option(world);
    let late = Kind::LateCopy.option(world);
    for other in [RESIZABLE_CHILD, snapshot, late, 64, 1 << 31] {
        fails!(vmo.create_child(option | other, 0, PAGE64), InvalidArgs);
    }
    Ok(())
}

fn it_cannot_change_its_size(world: &World) -> Case {
    let vmo = ok!(stamped(2, 10));
    let window = ok!(slice(world, &vmo, 0, 1));
    for size in [0, PAGE64, 2 * PAGE64] {
        fails!(window.set_size(size), Unavailable);
    }
    Ok(())
}

fn it_keeps_the_rights_of_its_parents_handle(world: &World) -> Case {
    let vmo = ok!(stamped(1, 10));
    let properties = Rights::GET_PROPERTY | Rights::SET_PROPERTY;
    for rights in [
        Rights::READ | Rights::DUPLICATE,
        Rights::READ | Rights::DUPLICATE | Rights::WRITE,
        Rights::READ | Rights::DUPLICATE | Rights::MAP | Rights::TRANSFER,
    ] {
        let handle = ok!(vmo.duplicate(rights));
        let window = ok!(slice(world, &handle, 0, 1));
        check_eq!(ok!(rights_of(&window)), rights | properties);
    }
    let reader = ok!(vmo.duplicate(Rights::READ | Rights::DUPLICATE));
    fails!(stamp(&ok!(slice(world, &reader, 0, 1)), 0, 1), AccessDenied);
    Ok(())
}

fn committing_it_commits_its_parent(world: &World) -> Case {
    let vmo = ok!(pages(4));
    let window = ok!(slice(world, &vmo, 1, 2));
    ok!(op(&window, COMMIT, 0, 1));
    check_eq!(ok!(committed(&vmo)), 1);
    ok!(stamp(&vmo, 1, 5));
    check_eq!(ok!(committed(&vmo)), 1);
    ok!(op(&window, COMMIT, 0, 2));
    check_eq!(ok!(committed(&vmo)), 2);
    fails!(op(&window, COMMIT, 3, 1), OutOfRange);
    Ok(())
}

fn decommitting_it_decommits_its_parent(world: &World) -> Case {
    let vmo = ok!(stamped(4, 10));
    let window = ok!(slice(world, &vmo, 1, 2));
    let view = ok!(View::new(&vmo, 4));
    check_eq!(view.load(2), 12);
    ok!(op(&window, DECOMMIT, 1, 1));
    check_eq!(ok!(stamps(&vmo)), [10, 11, 0, 13]);
    check_eq!(view.load(2), 0);
    check_eq!(ok!(committed(&vmo)), 3);
    Ok(())
}

fn decommitting_its_parent_decommits_it(world: &World) -> Case {
    let vmo = ok!(stamped(4, 10));
    let window = ok!(slice(world, &vmo, 1, 2));
    let view = ok!(View::new(&window, 2));
    check_eq!((view.load(0), view.load(1)), (11, 12));
    ok!(op(&vmo, DECOMMIT, 0, 2));
    check_eq!((view.load(0), view.load(1)), (0, 12));
    check_eq!(ok!(stamps(&window)), [0, 12]);
    Ok(())
}

fn zeroing_it_zeroes_its_parent(world: &World) -> Case {
    home_only!(world);
    let vmo = ok!(stamped(4, 10));
    let window = ok!(slice(world, &vmo, 1, 2));
    ok!(op(&window, ZERO, 0, 1));
    check_eq!(ok!(stamps(&vmo)), [10, 0, 12, 13]);
    fails!(op(&window, ZERO, 1, 2), OutOfRange);
    Ok(())
}

fn its_pages_count_for_the_parent(world: &World) -> Case {
    let vmo = ok!(pages(4));
    let window = ok!(slice(world, &vmo, 0, 4));
    ok!(stamp(&window, 1, 5));
    check_eq!(ok!(all_committed(&[&vmo, &window])), [1, 0]);
    Ok(())
}

fn a_slice_of_a_copy_sees_the_copys_pages(world: &World) -> Case {
    let vmo = ok!(stamped(3, 10));
    let copy = ok!(snapshot(world, &vmo, 0, 3));
    let window = ok!(slice(world, &copy, 1, 2));
    ok!(stamp(&vmo, 1, 99));
    check_eq!(ok!(stamps(&window)), [11, 12]);
    ok!(stamp(&window, 1, 50));
    check_eq!(ok!(stamps(&copy)), [10, 11, 50]);
    check_eq!(ok!(stamps(&vmo)), [10, 99, 12]);
    // Through the window of the window as well.
    let inner = ok!(slice(world, &window, 0, 1));
    ok!(stamp(&inner, 0, 40));
    check_eq!(ok!(stamps(&copy)), [10, 40, 50]);
    Ok(())
}

fn a_slice_keeps_the_pages_of_its_dead_parent(world: &World) -> Case {
    let vmo = ok!(stamped(3, 10));
    let window = ok!(slice(world, &vmo, 1, 1));
    drop(vmo);
    check_eq!(ok!(stamps(&window)), [11]);
    ok!(stamp(&window, 0, 20));
    let view = ok!(View::new(&window, 1));
    drop(window);
    check_eq!(view.load(0), 20);
    Ok(())
}

fn one_of_a_contiguous_parent_is_contiguous(world: &World) -> Case {
    home_only!(world);
    let Some(bti) = ok!(device(world)) else {
        skip!("no root resource");
    };
    let vmo = ok!(bti.contiguous(4 * 4096, 0));
    let window = ok!(slice(world, &vmo, 1, 3));
    let (whole, base) = ok!(bti.pin(1 | 16, &vmo, 0, 4 * PAGE64, 1));
    let (part, start) = ok!(bti.pin(1 | 16, &window, 0, 3 * PAGE64, 1));
    check_eq!(start[0], base[0] + PAGE64);
    ok!(part.unpin());
    ok!(whole.unpin());
    Ok(())
}

fn one_of_a_physical_parent_follows_the_level(world: &World) -> Case {
    let Some(resource) = &world.resource else {
        skip!("no root resource");
    };
    let vmo = ok!(Vmo::physical(resource, 0xf000_0000, 3 * 4096));
    // In 2019 there are none.
    if world.level != Level::Home {
        fails!(slice(world, &vmo, 0, 1), NotSupported);
        return Ok(());
    }
    let window = ok!(slice(world, &vmo, 1, 2));
    check_eq!(ok!(window.size()), 2 * PAGE64);
    fails!(slice(world, &vmo, 2, 2), InvalidArgs);
    let rounded = ok!(vmo.create_child(8, 0, 2 * PAGE64 + 1));
    check_eq!(ok!(rounded.size()), 3 * PAGE64);
    fails!(snapshot(world, &window, 0, 1), NotSupported);
    Ok(())
}

fn one_of_an_uncached_parent_follows_the_kind(world: &World) -> Case {
    let vmo = ok!(pages(2));
    ok!(vmo.set_cache_policy(1));
    fails!(slice(world, &vmo, 0, 1), BadState);
    Ok(())
}

fn pins_through_it_hold_the_parents_pages(world: &World) -> Case {
    let Some(bti) = ok!(device(world)) else {
        skip!("no root resource");
    };
    let vmo = ok!(stamped(3, 10));
    let window = ok!(slice(world, &vmo, 1, 1));
    let (pinned, through) = ok!(bti.pin(1, &window, 0, PAGE64, 1));
    let (whole, addresses) = ok!(bti.pin(1, &vmo, 0, 3 * PAGE64, 3));
    check_eq!(addresses[1], through[0]);
    ok!(whole.unpin());
    fails!(op(&vmo, DECOMMIT, 1, 1), BadState);
    fails!(op(&window, DECOMMIT, 0, 1), BadState);
    ok!(op(&vmo, DECOMMIT, 0, 1));
    ok!(pinned.unpin());
    ok!(op(&window, DECOMMIT, 0, 1));
    check_eq!(ok!(stamps(&vmo)), [0, 0, 12]);
    Ok(())
}

fn it_clears_zero_children_until_it_goes(world: &World) -> Case {
    let vmo = ok!(pages(1));
    let none = Signals::VMO_ZERO_CHILDREN;
    check_eq!(ok!(vmo.signals_now(none)), none);
    let window = ok!(slice(world, &vmo, 0, 1));
    check_eq!(ok!(vmo.signals_now(none)), Signals::empty());
    check_eq!(ok!(window.signals_now(none)), none);
    let view = ok!(View::with(&window, VmOptions::PERM_READ, 0, 1));
    drop(window);
    check_eq!(ok!(vmo.signals_now(none)), Signals::empty());
    drop(view);
    check_eq!(ok!(vmo.signals_now(none)), none);
    Ok(())
}

fn a_slice_of_a_dead_slice_keeps_zero_children_off(world: &World) -> Case {
    let vmo = ok!(pages(2));
    let none = Signals::VMO_ZERO_CHILDREN;
    let outer = ok!(slice(world, &vmo, 0, 2));
    let inner = ok!(slice(world, &outer, 0, 1));
    drop(outer);
    check_eq!(ok!(vmo.signals_now(none)), Signals::empty());
    check_eq!(ok!(info(&vmo)).num_children, 1);
    drop(inner);
    check_eq!(ok!(vmo.signals_now(none)), none);
    check_eq!(ok!(info(&vmo)).num_children, 0);
    Ok(())
}

fn no_snapshot_is_made_of_one(world: &World) -> Case {
    home_only!(world);
    let vmo = ok!(stamped(2, 10));
    let window = ok!(slice(world, &vmo, 0, 2));
    fails!(snapshot(world, &window, 0, 1), NotSupported);
    ok!(child(world, &window, Kind::Slice, 0, 1));
    // Of the parent there can be one still, which the window does not see.
    Ok(())
}

fn info_tells_that_it_is_no_copy(world: &World) -> Case {
    let vmo = ok!(stamped(2, 10));
    let window = ok!(slice(world, &vmo, 1, 1));
    let record = ok!(info(&window));
    let mut flags = VmoInfoFlags::PAGED | VmoInfoFlags::VIA_HANDLE;
    if world.level == Level::July2019 {
        flags |= VmoInfoFlags::IS_COW_CLONE;
    }
    check_eq!(record.flags, flags.bits());
    check_eq!(record.parent_koid, ok!(vmo.koid()));
    check_eq!(record.size_bytes, PAGE64);
    check!(record.koid != record.parent_koid);
    Ok(())
}
