//! Copies of VMOs: who may make them of what, and what the kernel tells of a family.

use libzx::{AsHandle, Rights, Signals, Vmo};
use zx_abi::info::VmoInfoFlags;

use crate::check::{check, check_eq, fails, home_only, needs, ok, skip, suite, Case};
use crate::demand::Demand;
use crate::pages::{
    child, device, info, op, pages, slice, snapshot, stamp, stamp_all, stamp_of, stamped, stamps,
    Kind, View, COMMIT, DECOMMIT, PAGE64, RESIZABLE_CHILD,
};
use crate::world::{rights_of, World};

suite! {
    "VmoCloneRule":
    one_of_size_zero_is_empty,
    sizes_are_rounded_up_to_pages,
    offsets_between_pages_are_refused,
    sizes_that_no_vmo_has_are_refused,
    access_ends_at_the_clones_size,
    one_has_the_name_of_its_parent_until_it_gets_its_own,
    one_can_be_written_though_its_parent_cannot,
    one_without_write_cannot_be_written,
    one_loses_the_right_to_execute,
    making_one_needs_read_and_duplicate,
    a_fixed_one_cannot_change_its_size,
    decommit_is_not_for_families_of_copies,
    info_tells_of_the_family,
    the_children_of_a_dead_one_count_for_its_parent,
    a_contiguous_parent_keeps_its_pages,
    a_physical_parent_is_refused,
    an_uncached_parent_is_refused,
    a_pinned_parent_is_refused_until_it_is_unpinned,
    pinned_pages_of_one_and_of_its_parent_are_different,
    a_pinned_one_outlives_its_handles,
    a_chain_of_copies_of_the_last_page_goes_on_or_is_refused,
    a_chain_of_late_copies_of_the_last_page_goes_on_or_is_refused,
}

fn one_of_size_zero_is_empty(world: &World) -> Case {
    let vmo = ok!(stamped(1, 10));
    let copy = ok!(snapshot(world, &vmo, 0, 0));
    check_eq!(ok!(copy.size()), 0);
    ok!(copy.read(&mut [], 0));
    fails!(copy.read(&mut [0], 0), OutOfRange);
    check!(!ok!(vmo.signals_now(Signals::all())).contains(Signals::VMO_ZERO_CHILDREN));
    Ok(())
}

fn sizes_are_rounded_up_to_pages(world: &World) -> Case {
    let vmo = ok!(stamped(4, 10));
    let option = Kind::Snapshot.option(world);
    for (asked, given) in [(1, 1), (PAGE64 - 1, 1), (PAGE64, 1), (PAGE64 + 1, 2)] {
        let copy = ok!(vmo.create_child(option, 0, asked));
        check_eq!(ok!(copy.size()), given * PAGE64);
    }
    Ok(())
}

fn offsets_between_pages_are_refused(world: &World) -> Case {
    let vmo = ok!(stamped(4, 10));
    let option = Kind::Snapshot.option(world);
    for offset in [1, 8, PAGE64 - 1, PAGE64 + 1] {
        fails!(vmo.create_child(option, offset, PAGE64), InvalidArgs);
    }
    // Looked at before the size.
    fails!(vmo.create_child(option, 1, u64::MAX), InvalidArgs);
    Ok(())
}

fn sizes_that_no_vmo_has_are_refused(world: &World) -> Case {
    let vmo = ok!(stamped(4, 10));
    let option = Kind::Snapshot.option(world);
    for size in [u64::MAX, u64::MAX - PAGE64 + 1, u64::MAX - PAGE64 + 2] {
        fails!(vmo.create_child(option, 0, size), OutOfRange);
    }
    Ok(())
}

fn access_ends_at_the_clones_size(world: &World) -> Case {
    let vmo = ok!(stamped(4, 10));
    let copy = ok!(snapshot(world, &vmo, 1, 2));
    let mut bytes = [0; 8];
    ok!(copy.read(&mut bytes, 2 * PAGE64 - 8));
    fails!(copy.read(&mut bytes, 2 * PAGE64 - 7), OutOfRange);
    fails!(copy.write(&bytes, 2 * PAGE64), OutOfRange);
    fails!(op(&copy, COMMIT, 3, 1), OutOfRange);
    Ok(())
}

fn one_has_the_name_of_its_parent_until_it_gets_its_own(world: &World) -> Case {
    let vmo = ok!(pages(1));
    ok!(vmo.set_name("parent"));
    let copy = ok!(snapshot(world, &vmo, 0, 1));
    check_eq!(ok!(copy.name()), "parent");
    ok!(copy.set_name("child"));
    check_eq!((&*ok!(vmo.name()), &*ok!(copy.name())), ("parent", "child"));
    ok!(vmo.set_name("other"));
    check_eq!(ok!(copy.name()), "child");
    Ok(())
}

fn one_can_be_written_though_its_parent_cannot(world: &World) -> Case {
    let vmo = ok!(stamped(1, 10));
    let reader = ok!(vmo.duplicate(Rights::READ | Rights::DUPLICATE | Rights::MAP));
    let copy = ok!(snapshot(world, &reader, 0, 1));
    ok!(stamp(&copy, 0, 20));
    let view = ok!(View::new(&copy, 1));
    view.store(0, 21);
    check_eq!(ok!(stamps(&copy)), [21]);
    check_eq!(ok!(stamps(&vmo)), [10]);
    Ok(())
}

fn one_without_write_cannot_be_written(world: &World) -> Case {
    home_only!(world);
    let vmo = ok!(stamped(1, 10));
    let copy = ok!(vmo.create_child(1 | 32, 0, PAGE64));
    check!(!ok!(rights_of(&copy)).contains(Rights::WRITE));
    check_eq!(ok!(stamps(&copy)), [10]);
    fails!(stamp(&copy, 0, 1), AccessDenied);
    fails!(View::new(&copy, 1), AccessDenied);
    ok!(View::with(&copy, libzx::VmOptions::PERM_READ, 0, 1));
    let window = ok!(vmo.create_child(8 | 32, 0, PAGE64));
    check!(!ok!(rights_of(&window)).contains(Rights::WRITE));
    Ok(())
}

fn one_loses_the_right_to_execute(world: &World) -> Case {
    needs!(VmoReplaceAsExecutable);
    let vmo = ok!(ok!(stamped(1, 10)).replace_as_executable(&libzx::Unowned(0)));
    check!(ok!(rights_of(&vmo)).contains(Rights::EXECUTE));
    let copy = ok!(snapshot(world, &vmo, 0, 1));
    check!(!ok!(rights_of(&copy)).contains(Rights::EXECUTE));
    let window = ok!(slice(world, &vmo, 0, 1));
    check!(ok!(rights_of(&window)).contains(Rights::EXECUTE));
    Ok(())
}

fn making_one_needs_read_and_duplicate(world: &World) -> Case {
    let vmo = ok!(stamped(1, 10));
    for rights in [Rights::READ, Rights::DUPLICATE, Rights::WRITE | Rights::MAP] {
        let poor = ok!(vmo.duplicate(rights));
        for kind in [Kind::Snapshot, Kind::LateCopy, Kind::Slice] {
            fails!(child(world, &poor, kind, 0, 1), AccessDenied);
        }
    }
    Ok(())
}

fn a_fixed_one_cannot_change_its_size(world: &World) -> Case {
    let vmo = ok!(stamped(2, 10));
    let copy = ok!(snapshot(world, &vmo, 0, 2));
    fails!(copy.set_size(PAGE64), Unavailable);
    fails!(copy.set_size(2 * PAGE64), Unavailable);
    let options = Kind::Snapshot.option(world) | RESIZABLE_CHILD;
    let elastic = ok!(vmo.create_child(options, 0, 2 * PAGE64));
    ok!(elastic.set_size(PAGE64));
    check_eq!(ok!(stamps(&elastic)), [10]);
    Ok(())
}

fn decommit_is_not_for_families_of_copies(world: &World) -> Case {
    home_only!(world);
    let vmo = ok!(stamped(2, 10));
    let copy = ok!(snapshot(world, &vmo, 0, 2));
    ok!(stamp(&copy, 0, 20));
    fails!(op(&copy, DECOMMIT, 0, 1), NotSupported);
    fails!(op(&vmo, DECOMMIT, 0, 1), NotSupported);
    check_eq!(ok!(stamps(&copy)), [20, 11]);
    check_eq!(ok!(stamps(&vmo)), [10, 11]);
    // Once the copy is gone its parent is plain again.
    drop(copy);
    ok!(op(&vmo, DECOMMIT, 0, 1));
    check_eq!(ok!(stamps(&vmo)), [0, 11]);
    Ok(())
}

fn info_tells_of_the_family(world: &World) -> Case {
    let vmo = ok!(stamped(2, 10));
    let first = ok!(snapshot(world, &vmo, 0, 2));
    let second = ok!(snapshot(world, &first, 0, 1));
    let (top, middle, last) = (ok!(info(&vmo)), ok!(info(&first)), ok!(info(&second)));
    check_eq!((top.parent_koid, top.num_children), (0, 1));
    check_eq!((middle.parent_koid, middle.num_children), (top.koid, 1));
    check_eq!((last.parent_koid, last.num_children), (middle.koid, 0));
    let flags = VmoInfoFlags::PAGED | VmoInfoFlags::VIA_HANDLE;
    check_eq!(top.flags, flags.bits());
    let flags = flags | VmoInfoFlags::IS_COW_CLONE;
    check_eq!((middle.flags, last.flags), (flags.bits(), flags.bits()));
    check_eq!((middle.size_bytes, last.size_bytes), (2 * PAGE64, PAGE64));
    Ok(())
}

fn the_children_of_a_dead_one_count_for_its_parent(world: &World) -> Case {
    let vmo = ok!(stamped(2, 10));
    let middle = ok!(snapshot(world, &vmo, 0, 2));
    let last = ok!(snapshot(world, &middle, 0, 2));
    drop(middle);
    let none = Signals::VMO_ZERO_CHILDREN;
    check!(!ok!(vmo.signals_now(Signals::all())).contains(none));
    check_eq!(ok!(info(&vmo)).num_children, 1);
    drop(last);
    check!(ok!(vmo.signals_now(Signals::all())).contains(none));
    check_eq!(ok!(info(&vmo)).num_children, 0);
    Ok(())
}

fn a_contiguous_parent_keeps_its_pages(world: &World) -> Case {
    let Some(bti) = ok!(device(world)) else {
        skip!("no root resource");
    };
    let vmo = ok!(bti.contiguous(4 * 4096, 0));
    ok!(stamp_all(&vmo, 4, 10));
    let before = ok!(bti.pin(1, &vmo, 0, 4 * PAGE64, 4));
    ok!(before.0.unpin());
    let copy = ok!(snapshot(world, &vmo, 0, 4));
    ok!(stamp(&vmo, 1, 99));
    ok!(stamp(&copy, 2, 50));
    check_eq!(ok!(stamps(&copy)), [10, 11, 50, 13]);
    check_eq!(ok!(stamps(&vmo)), [10, 99, 12, 13]);
    let after = ok!(bti.pin(1, &vmo, 0, 4 * PAGE64, 4));
    check_eq!(after.1, before.1);
    ok!(after.0.unpin());
    Ok(())
}

fn a_physical_parent_is_refused(world: &World) -> Case {
    let Some(resource) = &world.resource else {
        skip!("no root resource");
    };
    let vmo = ok!(Vmo::physical(resource, 0xf000_0000, 4096));
    fails!(snapshot(world, &vmo, 0, 1), NotSupported);
    fails!(child(world, &vmo, Kind::LateCopy, 0, 1), NotSupported);
    Ok(())
}

fn an_uncached_parent_is_refused(world: &World) -> Case {
    let vmo = ok!(pages(1));
    ok!(vmo.set_cache_policy(1));
    fails!(snapshot(world, &vmo, 0, 1), BadState);
    fails!(child(world, &vmo, Kind::LateCopy, 0, 1), BadState);
    ok!(vmo.set_cache_policy(0));
    ok!(snapshot(world, &vmo, 0, 1));
    Ok(())
}

fn a_pinned_parent_is_refused_until_it_is_unpinned(world: &World) -> Case {
    home_only!(world);
    let Some(bti) = ok!(device(world)) else {
        skip!("no root resource");
    };
    let vmo = ok!(stamped(4, 10));
    let (pinned, _) = ok!(bti.pin(1, &vmo, PAGE64, PAGE64, 1));
    fails!(snapshot(world, &vmo, 0, 4), BadState);
    check!(ok!(vmo.signals_now(Signals::all())).contains(Signals::VMO_ZERO_CHILDREN));
    ok!(pinned.unpin());
    ok!(snapshot(world, &vmo, 0, 4));
    Ok(())
}

fn pinned_pages_of_one_and_of_its_parent_are_different(world: &World) -> Case {
    let Some(bti) = ok!(device(world)) else {
        skip!("no root resource");
    };
    let vmo = ok!(stamped(4, 10));
    let copy = ok!(snapshot(world, &vmo, 0, 4));
    let (first, copys) = ok!(bti.pin(3, &copy, 0, 4 * PAGE64, 4));
    let (second, parents) = ok!(bti.pin(3, &vmo, 0, 4 * PAGE64, 4));
    check!(copys.iter().all(|address| !parents.contains(address)));
    check_eq!(ok!(stamps(&copy)), [10, 11, 12, 13]);
    ok!(first.unpin());
    ok!(second.unpin());
    Ok(())
}

fn a_pinned_one_outlives_its_handles(world: &World) -> Case {
    let Some(bti) = ok!(device(world)) else {
        skip!("no root resource");
    };
    let vmo = ok!(stamped(2, 10));
    let copy = ok!(snapshot(world, &vmo, 0, 2));
    let (pinned, _) = ok!(bti.pin(3, &copy, 0, 2 * PAGE64, 2));
    drop(copy);
    let none = Signals::VMO_ZERO_CHILDREN;
    check!(!ok!(vmo.signals_now(Signals::all())).contains(none));
    ok!(pinned.unpin());
    check!(ok!(vmo.signals_now(Signals::all())).contains(none));
    Ok(())
}

/// Bytes of the largest VMO, and where its last page begins.
const LARGEST: u64 = 0xffff_ffff_fffe_0000;
const LAST: u64 = LARGEST - PAGE64;

fn a_chain_of_copies_of_the_last_page_goes_on_or_is_refused(world: &World) -> Case {
    home_only!(world);
    let mut vmo = ok!(Vmo::create(LARGEST, 0));
    // In each copy the page has a higher number among those of the first one: after so many the numbers would end.
    for round in 0..300u64 {
        ok!(vmo.write(&round.to_le_bytes(), LAST));
        match vmo.create_child(Kind::Snapshot.option(world), LAST, LARGEST) {
            Ok(copy) => vmo = copy,
            error => {
                fails!(error, OutOfRange);
                check!(round > 100);
                break;
            }
        }
        check_eq!(ok!(stamp_of(&vmo, 0)), round);
        check_eq!(ok!(stamp_of(&vmo, 1)), 0);
    }
    // What it has goes on in any case.
    ok!(stamp(&vmo, 0, 5));
    ok!(stamp(&ok!(snapshot(world, &vmo, 0, 1)), 0, 6));
    check_eq!(ok!(stamp_of(&vmo, 0)), 5);
    Ok(())
}

fn a_chain_of_late_copies_of_the_last_page_goes_on_or_is_refused(world: &World) -> Case {
    home_only!(world);
    let demand = ok!(Demand::new());
    let option = Kind::LateCopy.option(world);
    for (rounds, writes) in [(5000, false), (300, true)] {
        let first = ok!(demand.vmo(LARGEST / PAGE64, 7));
        let mut vmo = ok!(first.create_child(option, LAST, LARGEST));
        for round in 0..rounds {
            if writes {
                ok!(vmo.write(b"x", LAST));
            }
            match vmo.create_child(option, LAST, LARGEST) {
                Ok(copy) => vmo = copy,
                error => {
                    fails!(error, OutOfRange);
                    check!(writes && round > 100);
                    break;
                }
            }
        }
        let mut byte = [7];
        ok!(vmo.read(&mut byte, 0));
        check_eq!(byte, [if writes { b'x' } else { 0 }]);
    }
    Ok(())
}
