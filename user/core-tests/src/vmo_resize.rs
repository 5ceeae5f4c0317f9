//! VMOs that change their size: plain ones, mapped ones, and members of families of copies.

use libzx::{Rights, VmOptions, Vmo};

use crate::check::{check, check_eq, fails, ok, skip, suite, Case};
use crate::crash::{ending_of, Ending};
use crate::memory::{arg, call};
use crate::pages::{
    all_committed, committed, device, elastic_snapshot, op, pages, resizable, snapshot, stamp,
    stamp_all, stamp_of, stamped_resizable, stamps, View, COMMIT, PAGE64,
};
use crate::world::World;
use zx_abi::syscalls::SyscallId;

suite! {
    "VmoResize":
    the_size_is_rounded_up_to_pages,
    sizes_that_no_vmo_has_are_refused,
    the_same_size_is_fine,
    only_resizable_ones_change,
    write_is_needed,
    wrong_types_and_handles_are_refused,
    shrinking_frees_pages,
    a_huge_one_can_shrink_at_once,
    what_was_cut_off_does_not_come_back,
    pinned_pages_cannot_be_cut_off,
    a_mapping_loses_what_was_cut_off,
    a_mapping_gets_what_grows_anew,
    a_syscall_into_what_was_cut_off_is_refused,
    a_store_beyond_the_end_faults,
    a_mapping_longer_than_its_vmo_waits_for_it_to_grow,
    shrinking_the_parent_leaves_the_copy,
    a_parent_that_grows_again_has_zeros,
    shrinking_a_copy_leaves_the_parent,
    a_copy_that_grows_again_has_zeros,
    a_copy_grows_beyond_its_parent,
    a_copy_of_a_shrunk_copy_does_not_see_behind_it,
    pages_that_only_the_cut_off_part_saw_are_freed,
    the_cut_off_part_of_the_original_belongs_to_the_copy,
    a_copy_at_an_offset_is_cut_from_its_end,
    copies_of_disjoint_parts_are_cut_apart,
    a_cut_over_a_siblings_part_leaves_the_sibling,
    cuts_on_every_level_leave_the_other_levels,
    a_cut_to_nothing_frees_everything,
    grandchildren_do_not_see_what_their_parent_grew_anew,
}

fn the_size_is_rounded_up_to_pages(_: &World) -> Case {
    let vmo = ok!(resizable(1));
    for (asked, given) in [
        (0, 0),
        (1, 1),
        (PAGE64, 1),
        (PAGE64 + 1, 2),
        (3 * PAGE64 - 1, 3),
    ] {
        ok!(vmo.set_size(asked));
        check_eq!(ok!(vmo.size()), given * PAGE64);
    }
    Ok(())
}

fn sizes_that_no_vmo_has_are_refused(_: &World) -> Case {
    let vmo = ok!(stamped_resizable(2, 10));
    for size in [u64::MAX, u64::MAX - PAGE64 + 1, u64::MAX - PAGE64 + 2] {
        fails!(vmo.set_size(size), OutOfRange);
    }
    check_eq!(ok!(stamps(&vmo)), [10, 11]);
    // The largest ones are only numbers.
    ok!(vmo.set_size(1 << 62));
    check_eq!(ok!(committed(&vmo)), 2);
    ok!(stamp(&vmo, (1 << 50) - 1, 7));
    check_eq!(ok!(stamp_of(&vmo, (1 << 50) - 1)), 7);
    check_eq!(ok!(committed(&vmo)), 3);
    Ok(())
}

fn the_same_size_is_fine(_: &World) -> Case {
    let vmo = ok!(stamped_resizable(2, 10));
    ok!(vmo.set_size(2 * PAGE64));
    ok!(vmo.set_size(2 * PAGE64 - 5));
    check_eq!(ok!(stamps(&vmo)), [10, 11]);
    Ok(())
}

fn only_resizable_ones_change(world: &World) -> Case {
    let vmo = ok!(pages(2));
    for size in [0, PAGE64, 2 * PAGE64, u64::MAX] {
        fails!(vmo.set_size(size), Unavailable);
    }
    if let Some(bti) = ok!(device(world)) {
        fails!(ok!(bti.contiguous(4096, 0)).set_size(0), Unavailable);
    }
    Ok(())
}

fn write_is_needed(_: &World) -> Case {
    let vmo = ok!(resizable(1));
    let poor = ok!(vmo.duplicate(Rights::READ | Rights::MAP));
    fails!(poor.set_size(0), AccessDenied);
    ok!(ok!(vmo.duplicate(Rights::WRITE)).set_size(0));
    Ok(())
}

fn wrong_types_and_handles_are_refused(_: &World) -> Case {
    let event = ok!(libzx::Event::create());
    fails!(call(SyscallId::VmoSetSize, &[arg(&event), 0]), WrongType);
    fails!(call(SyscallId::VmoSetSize, &[0, 0]), BadHandle);
    let vmo = arg(&ok!(resizable(1)));
    fails!(call(SyscallId::VmoSetSize, &[vmo, 0]), BadHandle);
    Ok(())
}

fn shrinking_frees_pages(_: &World) -> Case {
    let vmo = ok!(stamped_resizable(8, 10));
    for left in [7, 3, 1, 0] {
        ok!(vmo.set_size(left * PAGE64));
        check_eq!(ok!(committed(&vmo)), left);
    }
    Ok(())
}

fn a_huge_one_can_shrink_at_once(_: &World) -> Case {
    let vmo = ok!(resizable(1 << 40));
    for exponent in 0..40 {
        ok!(stamp(&vmo, 1 << exponent, exponent));
    }
    check_eq!(ok!(committed(&vmo)), 40);
    ok!(vmo.set_size(PAGE64 << 20));
    check_eq!(ok!(committed(&vmo)), 20);
    ok!(vmo.set_size(0));
    check_eq!(ok!(committed(&vmo)), 0);
    Ok(())
}

fn what_was_cut_off_does_not_come_back(_: &World) -> Case {
    let vmo = ok!(stamped_resizable(3, 10));
    ok!(vmo.set_size(PAGE64));
    ok!(vmo.set_size(3 * PAGE64));
    check_eq!(ok!(stamps(&vmo)), [10, 0, 0]);
    Ok(())
}

fn pinned_pages_cannot_be_cut_off(world: &World) -> Case {
    let Some(bti) = ok!(device(world)) else {
        skip!("no root resource");
    };
    let vmo = ok!(stamped_resizable(4, 10));
    let (pinned, _) = ok!(bti.pin(1, &vmo, 2 * PAGE64, PAGE64, 1));
    fails!(vmo.set_size(2 * PAGE64), BadState);
    fails!(vmo.set_size(0), BadState);
    check_eq!(ok!(stamps(&vmo)), [10, 11, 12, 13]);
    // Behind the pinned page there is nothing that has to stay.
    ok!(vmo.set_size(3 * PAGE64));
    ok!(vmo.set_size(5 * PAGE64));
    ok!(pinned.unpin());
    ok!(vmo.set_size(0));
    Ok(())
}

fn a_mapping_loses_what_was_cut_off(_: &World) -> Case {
    let vmo = ok!(stamped_resizable(3, 10));
    let view = ok!(View::new(&vmo, 3));
    check_eq!((view.load(0), view.load(2)), (10, 12));
    ok!(vmo.set_size(2 * PAGE64));
    check_eq!((view.load(0), view.load(1)), (10, 11));
    let gone = view.at(2);
    let ending = ok!(ending_of(move || {
        let _ = libzx::raw::peek(gone);
    }));
    check_eq!(ending, Ending::fault_at(gone));
    Ok(())
}

fn a_mapping_gets_what_grows_anew(_: &World) -> Case {
    let vmo = ok!(stamped_resizable(2, 10));
    let view = ok!(View::new(&vmo, 2));
    check_eq!((view.load(0), view.load(1)), (10, 11));
    ok!(vmo.set_size(0));
    ok!(vmo.set_size(2 * PAGE64));
    check_eq!((view.load(0), view.load(1)), (0, 0));
    view.store(1, 5);
    check_eq!(ok!(stamps(&vmo)), [0, 5]);
    Ok(())
}

fn a_syscall_into_what_was_cut_off_is_refused(_: &World) -> Case {
    let vmo = ok!(stamped_resizable(2, 10));
    let view = ok!(View::new(&vmo, 2));
    check_eq!(view.load(1), 11);
    ok!(vmo.set_size(PAGE64));
    let other = ok!(pages(1));
    let beyond = [arg(&other), view.at(1), 0, 8];
    fails!(call(SyscallId::VmoRead, &beyond), InvalidArgs);
    fails!(call(SyscallId::VmoWrite, &beyond), InvalidArgs);
    let across = [arg(&other), view.at(1) - 4, 0, 8];
    fails!(call(SyscallId::VmoRead, &across), InvalidArgs);
    Ok(())
}

fn a_store_beyond_the_end_faults(_: &World) -> Case {
    let vmo = ok!(stamped_resizable(2, 10));
    let view = ok!(View::new(&vmo, 2));
    ok!(vmo.set_size(PAGE64));
    let gone = view.at(1);
    let ending = ok!(ending_of(move || libzx::raw::poke(gone, 1)));
    check_eq!(ending, Ending::fault_at(gone));
    check_eq!(ok!(committed(&vmo)), 1);
    Ok(())
}

fn a_mapping_longer_than_its_vmo_waits_for_it_to_grow(_: &World) -> Case {
    let vmo = ok!(resizable(1));
    let view = ok!(View::new(&vmo, 4));
    ok!(vmo.set_size(3 * PAGE64));
    view.store(2, 5);
    check_eq!(ok!(stamps(&vmo)), [0, 0, 5]);
    let beyond = view.at(3);
    let ending = ok!(ending_of(move || libzx::raw::poke(beyond, 1)));
    check_eq!(ending, Ending::fault_at(beyond));
    Ok(())
}

fn shrinking_the_parent_leaves_the_copy(world: &World) -> Case {
    let vmo = ok!(stamped_resizable(4, 10));
    let copy = ok!(snapshot(world, &vmo, 0, 4));
    ok!(vmo.set_size(PAGE64));
    check_eq!(ok!(stamps(&copy)), [10, 11, 12, 13]);
    ok!(vmo.set_size(0));
    check_eq!(ok!(stamps(&copy)), [10, 11, 12, 13]);
    check_eq!(ok!(all_committed(&[&vmo, &copy])), [0, 4]);
    Ok(())
}

fn a_parent_that_grows_again_has_zeros(world: &World) -> Case {
    let vmo = ok!(stamped_resizable(3, 10));
    let copy = ok!(snapshot(world, &vmo, 0, 3));
    let view = ok!(View::new(&vmo, 3));
    check_eq!(view.load(2), 12);
    ok!(vmo.set_size(PAGE64));
    ok!(vmo.set_size(3 * PAGE64));
    check_eq!(ok!(stamps(&vmo)), [10, 0, 0]);
    check_eq!((view.load(0), view.load(2)), (10, 0));
    ok!(stamp(&vmo, 2, 99));
    check_eq!(ok!(stamps(&copy)), [10, 11, 12]);
    Ok(())
}

fn shrinking_a_copy_leaves_the_parent(world: &World) -> Case {
    let vmo = ok!(stamped_resizable(3, 10));
    let copy = ok!(elastic_snapshot(world, &vmo, 0, 3));
    ok!(copy.set_size(PAGE64));
    check_eq!(ok!(stamps(&copy)), [10]);
    check_eq!(ok!(stamps(&vmo)), [10, 11, 12]);
    check_eq!(ok!(all_committed(&[&vmo, &copy])), [3, 0]);
    Ok(())
}

fn a_copy_that_grows_again_has_zeros(world: &World) -> Case {
    let vmo = ok!(stamped_resizable(3, 10));
    let copy = ok!(elastic_snapshot(world, &vmo, 0, 3));
    ok!(stamp(&copy, 1, 21));
    ok!(copy.set_size(PAGE64));
    ok!(copy.set_size(3 * PAGE64));
    check_eq!(ok!(stamps(&copy)), [10, 0, 0]);
    ok!(stamp(&copy, 2, 5));
    check_eq!(ok!(stamps(&copy)), [10, 0, 5]);
    check_eq!(ok!(stamps(&vmo)), [10, 11, 12]);
    Ok(())
}

fn a_copy_grows_beyond_its_parent(world: &World) -> Case {
    let vmo = ok!(stamped_resizable(2, 10));
    let copy = ok!(elastic_snapshot(world, &vmo, 0, 1));
    ok!(copy.set_size(4 * PAGE64));
    // What it did not see at first it does not see now either.
    check_eq!(ok!(stamps(&copy)), [10, 0, 0, 0]);
    ok!(stamp_all(&copy, 4, 20));
    check_eq!(ok!(stamps(&copy)), [20, 21, 22, 23]);
    check_eq!(ok!(stamps(&vmo)), [10, 11]);
    Ok(())
}

fn a_copy_of_a_shrunk_copy_does_not_see_behind_it(world: &World) -> Case {
    let vmo = ok!(stamped_resizable(3, 10));
    let copy = ok!(elastic_snapshot(world, &vmo, 0, 3));
    ok!(copy.set_size(PAGE64));
    let last = ok!(elastic_snapshot(world, &copy, 0, 3));
    check_eq!(ok!(stamps(&last)), [10, 0, 0]);
    ok!(copy.set_size(3 * PAGE64));
    check_eq!(ok!(stamps(&last)), [10, 0, 0]);
    Ok(())
}

fn pages_that_only_the_cut_off_part_saw_are_freed(world: &World) -> Case {
    let vmo = ok!(stamped_resizable(4, 10));
    let copy = ok!(elastic_snapshot(world, &vmo, 0, 4));
    ok!(stamp_all(&vmo, 4, 20));
    check_eq!(ok!(all_committed(&[&vmo, &copy])), [4, 4]);
    ok!(copy.set_size(PAGE64));
    check_eq!(ok!(all_committed(&[&vmo, &copy])), [4, 1]);
    check_eq!(ok!(stamps(&copy)), [10]);
    Ok(())
}

fn the_cut_off_part_of_the_original_belongs_to_the_copy(world: &World) -> Case {
    let vmo = ok!(stamped_resizable(4, 10));
    let copy = ok!(snapshot(world, &vmo, 1, 2));
    ok!(vmo.set_size(2 * PAGE64));
    check_eq!(ok!(committed(&vmo)) + ok!(committed(&copy)), 3);
    ok!(vmo.set_size(0));
    check_eq!(ok!(all_committed(&[&vmo, &copy])), [0, 2]);
    check_eq!(ok!(stamps(&copy)), [11, 12]);
    Ok(())
}

fn a_copy_at_an_offset_is_cut_from_its_end(world: &World) -> Case {
    let vmo = ok!(stamped_resizable(5, 10));
    let copy = ok!(elastic_snapshot(world, &vmo, 1, 3));
    drop(vmo);
    check_eq!(ok!(committed(&copy)), 3);
    ok!(copy.set_size(2 * PAGE64));
    check_eq!(ok!(stamps(&copy)), [11, 12]);
    check_eq!(ok!(committed(&copy)), 2);
    ok!(copy.set_size(3 * PAGE64));
    check_eq!(ok!(stamps(&copy)), [11, 12, 0]);
    Ok(())
}

fn copies_of_disjoint_parts_are_cut_apart(world: &World) -> Case {
    let vmo = ok!(stamped_resizable(4, 10));
    let first = ok!(elastic_snapshot(world, &vmo, 0, 2));
    let second = ok!(elastic_snapshot(world, &vmo, 2, 2));
    drop(vmo);
    ok!(first.set_size(PAGE64));
    check_eq!(ok!(all_committed(&[&first, &second])), [1, 2]);
    ok!(second.set_size(PAGE64));
    check_eq!(ok!(all_committed(&[&first, &second])), [1, 1]);
    check_eq!(
        (ok!(stamps(&first)), ok!(stamps(&second))),
        ([10].to_vec(), [12].to_vec())
    );
    Ok(())
}

fn a_cut_over_a_siblings_part_leaves_the_sibling(world: &World) -> Case {
    let vmo = ok!(stamped_resizable(4, 10));
    let small = ok!(snapshot(world, &vmo, 1, 1));
    let large = ok!(elastic_snapshot(world, &vmo, 0, 4));
    drop(vmo);
    ok!(large.set_size(0));
    check_eq!(ok!(stamps(&small)), [11]);
    check_eq!(ok!(all_committed(&[&small, &large])), [1, 0]);
    Ok(())
}

fn cuts_on_every_level_leave_the_other_levels(world: &World) -> Case {
    let vmo = ok!(stamped_resizable(4, 10));
    let first = ok!(elastic_snapshot(world, &vmo, 0, 4));
    let second = ok!(elastic_snapshot(world, &first, 0, 4));
    let third = ok!(elastic_snapshot(world, &second, 0, 4));
    ok!(second.set_size(PAGE64));
    check_eq!(ok!(stamps(&third)), [10, 11, 12, 13]);
    ok!(first.set_size(2 * PAGE64));
    check_eq!(ok!(stamps(&third)), [10, 11, 12, 13]);
    ok!(vmo.set_size(3 * PAGE64));
    check_eq!(ok!(stamps(&third)), [10, 11, 12, 13]);
    check_eq!(ok!(stamps(&second)), [10]);
    check_eq!(ok!(stamps(&first)), [10, 11]);
    check_eq!(ok!(stamps(&vmo)), [10, 11, 12]);
    let family: &[&Vmo] = &[&vmo, &first, &second, &third];
    check_eq!(ok!(all_committed(family)).iter().sum::<u64>(), 4);
    ok!(third.set_size(0));
    check_eq!(ok!(all_committed(family)).iter().sum::<u64>(), 3);
    Ok(())
}

fn a_cut_to_nothing_frees_everything(world: &World) -> Case {
    let vmo = ok!(stamped_resizable(3, 10));
    let copy = ok!(elastic_snapshot(world, &vmo, 0, 3));
    ok!(stamp(&copy, 0, 20));
    ok!(stamp(&vmo, 1, 31));
    ok!(vmo.set_size(0));
    ok!(copy.set_size(0));
    check_eq!(ok!(all_committed(&[&vmo, &copy])), [0, 0]);
    ok!(vmo.set_size(PAGE64));
    check_eq!(ok!(stamps(&vmo)), [0]);
    check!(ok!(stamps(&copy)).is_empty());
    Ok(())
}

fn grandchildren_do_not_see_what_their_parent_grew_anew(world: &World) -> Case {
    let vmo = ok!(stamped_resizable(2, 10));
    let copy = ok!(elastic_snapshot(world, &vmo, 0, 2));
    let last = ok!(snapshot(world, &copy, 0, 2));
    ok!(copy.set_size(0));
    ok!(copy.set_size(2 * PAGE64));
    ok!(stamp_all(&copy, 2, 50));
    check_eq!(ok!(stamps(&last)), [10, 11]);
    ok!(op(&copy, COMMIT, 0, 2));
    let view = ok!(View::with(&last, VmOptions::PERM_READ, 0, 2));
    check_eq!((view.load(0), view.load(1)), (10, 11));
    Ok(())
}
