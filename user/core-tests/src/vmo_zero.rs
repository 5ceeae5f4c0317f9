//! Zeroing ranges of VMOs: any bytes, freed pages, families of copies. A call of 2020.

use alloc::vec::Vec;

use libzx::{Rights, ZxResult};

use crate::check::{check, check_eq, fails, home_only, ok, skip, suite, Case};
use crate::pages::{
    all_committed, committed, device, elastic_snapshot, op, pages, slice, snapshot, stamp,
    stamp_all, stamped, stamped_resizable, stamps, View, COMMIT, DECOMMIT, PAGE64, ZERO,
};
use crate::world::World;

suite! {
    "VmoZero":
    whole_pages_are_freed,
    part_of_a_page_is_written,
    part_of_a_page_that_is_not_there_takes_none,
    a_range_across_pages_frees_the_whole_ones,
    a_range_over_untouched_pages_takes_none,
    a_length_of_zero_is_fine_up_to_the_end,
    ranges_that_leave_the_vmo_are_refused,
    it_needs_write,
    an_uncached_one_is_refused,
    a_mapping_shows_the_zeros,
    a_page_in_a_mapping_can_be_written_again,
    contiguous_pages_are_cleared_in_place,
    pinned_pages_are_cleared_in_place,
    a_copy_with_zeros_does_not_show_its_parent,
    a_parent_with_zeros_leaves_its_copy,
    a_page_zeroed_on_both_sides_is_freed,
    a_zeroed_page_of_a_copy_can_be_written,
    zeros_on_three_levels,
    zeroes_survive_the_death_of_the_middle,
    zeros_of_the_original_survive_its_copies,
    zeros_that_a_copy_cut_off_do_not_come_back,
    an_empty_copy_can_be_zeroed,
    part_of_a_shared_page_is_copied_first,
    decommitting_around_zeros_keeps_them,
    zeroed_then_committed_pages_are_zero,
    a_copy_of_zeros_is_zero,
    zeroing_a_slice_of_a_copy_zeroes_the_copy,
}

/// All bytes of a VMO's first pages.
fn bytes(vmo: &libzx::Vmo, count: usize) -> ZxResult<Vec<u8>> {
    let mut bytes = alloc::vec![0; count * 4096];
    vmo.read(&mut bytes, 0)?;
    Ok(bytes)
}

fn whole_pages_are_freed(world: &World) -> Case {
    home_only!(world);
    let vmo = ok!(stamped(4, 10));
    ok!(op(&vmo, ZERO, 1, 2));
    check_eq!(ok!(stamps(&vmo)), [10, 0, 0, 13]);
    check_eq!(ok!(committed(&vmo)), 2);
    Ok(())
}

fn part_of_a_page_is_written(world: &World) -> Case {
    home_only!(world);
    let vmo = ok!(pages(1));
    ok!(vmo.write(&[7; 4096], 0));
    ok!(vmo.op_range(ZERO, 100, 200));
    let shown = ok!(bytes(&vmo, 1));
    let zero = |range: core::ops::Range<usize>| shown[range].iter().all(|byte| *byte == 0);
    let seven = |range: core::ops::Range<usize>| shown[range].iter().all(|byte| *byte == 7);
    check!(seven(0..100) && zero(100..300) && seven(300..4096));
    check_eq!(ok!(committed(&vmo)), 1);
    Ok(())
}

fn part_of_a_page_that_is_not_there_takes_none(world: &World) -> Case {
    home_only!(world);
    let vmo = ok!(pages(2));
    ok!(vmo.op_range(ZERO, 100, 200));
    ok!(vmo.op_range(ZERO, 4000, 200));
    check_eq!(ok!(committed(&vmo)), 0);
    Ok(())
}

fn a_range_across_pages_frees_the_whole_ones(world: &World) -> Case {
    home_only!(world);
    let vmo = ok!(pages(4));
    ok!(vmo.write(&[7; 4 * 4096], 0));
    ok!(vmo.op_range(ZERO, 4095, 2 * PAGE64 + 2));
    let shown = ok!(bytes(&vmo, 4));
    check_eq!(
        shown.iter().filter(|byte| **byte == 0).count(),
        2 * 4096 + 2
    );
    check!(shown[4094] == 7 && shown[4095] == 0);
    check!(shown[3 * 4096] == 0 && shown[3 * 4096 + 1] == 7);
    check_eq!(ok!(committed(&vmo)), 2);
    Ok(())
}

fn a_range_over_untouched_pages_takes_none(world: &World) -> Case {
    home_only!(world);
    let vmo = ok!(pages(1 << 20));
    ok!(stamp(&vmo, 5, 1));
    ok!(op(&vmo, ZERO, 0, 1 << 20));
    check_eq!(ok!(committed(&vmo)), 0);
    Ok(())
}

fn a_length_of_zero_is_fine_up_to_the_end(world: &World) -> Case {
    home_only!(world);
    let vmo = ok!(stamped(2, 10));
    for offset in [0, 10, PAGE64, 2 * PAGE64] {
        ok!(vmo.op_range(ZERO, offset, 0));
    }
    fails!(vmo.op_range(ZERO, 2 * PAGE64 + 1, 0), OutOfRange);
    check_eq!(ok!(stamps(&vmo)), [10, 11]);
    Ok(())
}

fn ranges_that_leave_the_vmo_are_refused(world: &World) -> Case {
    home_only!(world);
    let vmo = ok!(stamped(2, 10));
    for (offset, len) in [
        (0, 2 * PAGE64 + 1),
        (2 * PAGE64, 1),
        (PAGE64, u64::MAX),
        (u64::MAX, 2),
        (u64::MAX - PAGE64, PAGE64),
    ] {
        fails!(vmo.op_range(ZERO, offset, len), OutOfRange);
    }
    check_eq!(ok!(stamps(&vmo)), [10, 11]);
    Ok(())
}

fn it_needs_write(world: &World) -> Case {
    home_only!(world);
    let vmo = ok!(stamped(1, 10));
    let reader = ok!(vmo.duplicate(Rights::READ));
    fails!(op(&reader, ZERO, 0, 1), AccessDenied);
    ok!(op(&ok!(vmo.duplicate(Rights::WRITE)), ZERO, 0, 1));
    Ok(())
}

fn an_uncached_one_is_refused(world: &World) -> Case {
    home_only!(world);
    let vmo = ok!(pages(1));
    ok!(vmo.set_cache_policy(2));
    fails!(op(&vmo, ZERO, 0, 1), BadState);
    Ok(())
}

fn a_mapping_shows_the_zeros(world: &World) -> Case {
    home_only!(world);
    let vmo = ok!(stamped(2, 10));
    let view = ok!(View::new(&vmo, 2));
    check_eq!((view.load(0), view.load(1)), (10, 11));
    ok!(op(&vmo, ZERO, 0, 1));
    ok!(vmo.op_range(ZERO, PAGE64, 8));
    check_eq!((view.load(0), view.load(1)), (0, 0));
    Ok(())
}

fn a_page_in_a_mapping_can_be_written_again(world: &World) -> Case {
    home_only!(world);
    let vmo = ok!(stamped(1, 10));
    let view = ok!(View::new(&vmo, 1));
    view.store(0, 20);
    ok!(op(&vmo, ZERO, 0, 1));
    view.store(0, 30);
    check_eq!(ok!(stamps(&vmo)), [30]);
    check_eq!(ok!(committed(&vmo)), 1);
    Ok(())
}

fn contiguous_pages_are_cleared_in_place(world: &World) -> Case {
    home_only!(world);
    let Some(bti) = ok!(device(world)) else {
        skip!("no root resource");
    };
    let vmo = ok!(bti.contiguous(3 * 4096, 0));
    ok!(stamp_all(&vmo, 3, 10));
    let (before, first) = ok!(bti.pin(1 | 16, &vmo, 0, 3 * PAGE64, 1));
    ok!(before.unpin());
    ok!(op(&vmo, ZERO, 1, 2));
    check_eq!(ok!(stamps(&vmo)), [10, 0, 0]);
    check_eq!(ok!(committed(&vmo)), 3);
    let (after, second) = ok!(bti.pin(1 | 16, &vmo, 0, 3 * PAGE64, 1));
    check_eq!(first, second);
    ok!(after.unpin());
    Ok(())
}

fn pinned_pages_are_cleared_in_place(world: &World) -> Case {
    home_only!(world);
    let Some(bti) = ok!(device(world)) else {
        skip!("no root resource");
    };
    let vmo = ok!(stamped(3, 10));
    let (pinned, first) = ok!(bti.pin(1, &vmo, PAGE64, PAGE64, 1));
    ok!(op(&vmo, ZERO, 0, 3));
    check_eq!(ok!(stamps(&vmo)), [0, 0, 0]);
    check_eq!(ok!(committed(&vmo)), 1);
    let (again, second) = ok!(bti.pin(1, &vmo, PAGE64, PAGE64, 1));
    check_eq!(first, second);
    ok!(again.unpin());
    ok!(pinned.unpin());
    Ok(())
}

fn a_copy_with_zeros_does_not_show_its_parent(world: &World) -> Case {
    home_only!(world);
    let vmo = ok!(stamped(3, 10));
    let copy = ok!(snapshot(world, &vmo, 0, 3));
    ok!(op(&copy, ZERO, 1, 1));
    check_eq!(ok!(stamps(&copy)), [10, 0, 12]);
    check_eq!(ok!(stamps(&vmo)), [10, 11, 12]);
    check_eq!(ok!(all_committed(&[&vmo, &copy])), [3, 0]);
    Ok(())
}

fn a_parent_with_zeros_leaves_its_copy(world: &World) -> Case {
    home_only!(world);
    let vmo = ok!(stamped(3, 10));
    let copy = ok!(snapshot(world, &vmo, 0, 3));
    ok!(op(&vmo, ZERO, 0, 3));
    check_eq!(ok!(stamps(&vmo)), [0, 0, 0]);
    check_eq!(ok!(stamps(&copy)), [10, 11, 12]);
    check_eq!(ok!(all_committed(&[&vmo, &copy])), [0, 3]);
    Ok(())
}

fn a_page_zeroed_on_both_sides_is_freed(world: &World) -> Case {
    home_only!(world);
    let vmo = ok!(stamped(2, 10));
    let copy = ok!(snapshot(world, &vmo, 0, 2));
    ok!(op(&vmo, ZERO, 0, 1));
    ok!(op(&copy, ZERO, 0, 1));
    check_eq!(ok!(stamps(&vmo)), [0, 11]);
    check_eq!(ok!(stamps(&copy)), [0, 11]);
    check_eq!(ok!(all_committed(&[&vmo, &copy])).iter().sum::<u64>(), 1);
    Ok(())
}

fn a_zeroed_page_of_a_copy_can_be_written(world: &World) -> Case {
    home_only!(world);
    let vmo = ok!(pages(1));
    ok!(vmo.write(&[7; 4096], 0));
    let copy = ok!(snapshot(world, &vmo, 0, 1));
    ok!(op(&copy, ZERO, 0, 1));
    ok!(copy.write(b"x", 2000));
    let shown = ok!(bytes(&copy, 1));
    check_eq!(shown.iter().filter(|byte| **byte == 0).count(), 4095);
    check_eq!(shown[2000], b'x');
    check!(ok!(bytes(&vmo, 1)).iter().all(|byte| *byte == 7));
    Ok(())
}

fn zeros_on_three_levels(world: &World) -> Case {
    home_only!(world);
    let vmo = ok!(stamped(3, 10));
    let first = ok!(snapshot(world, &vmo, 0, 3));
    ok!(op(&first, ZERO, 0, 1));
    let second = ok!(snapshot(world, &first, 0, 3));
    ok!(op(&second, ZERO, 1, 1));
    ok!(stamp(&first, 0, 20));
    ok!(op(&vmo, ZERO, 2, 1));
    check_eq!(ok!(stamps(&vmo)), [10, 11, 0]);
    check_eq!(ok!(stamps(&first)), [20, 11, 12]);
    check_eq!(ok!(stamps(&second)), [0, 0, 12]);
    Ok(())
}

fn zeroes_survive_the_death_of_the_middle(world: &World) -> Case {
    home_only!(world);
    let vmo = ok!(stamped(3, 10));
    let first = ok!(snapshot(world, &vmo, 0, 3));
    ok!(op(&first, ZERO, 1, 1));
    let second = ok!(snapshot(world, &first, 0, 3));
    ok!(stamp(&second, 2, 30));
    drop(first);
    check_eq!(ok!(stamps(&second)), [10, 0, 30]);
    check_eq!(ok!(stamps(&vmo)), [10, 11, 12]);
    drop(vmo);
    check_eq!(ok!(stamps(&second)), [10, 0, 30]);
    check_eq!(ok!(committed(&second)), 2);
    Ok(())
}

fn zeros_of_the_original_survive_its_copies(world: &World) -> Case {
    home_only!(world);
    let vmo = ok!(stamped(2, 10));
    let copy = ok!(snapshot(world, &vmo, 0, 2));
    ok!(op(&vmo, ZERO, 0, 1));
    drop(copy);
    check_eq!(ok!(stamps(&vmo)), [0, 11]);
    check_eq!(ok!(committed(&vmo)), 1);
    ok!(stamp(&vmo, 0, 5));
    check_eq!(ok!(stamps(&vmo)), [5, 11]);
    Ok(())
}

fn zeros_that_a_copy_cut_off_do_not_come_back(world: &World) -> Case {
    home_only!(world);
    let vmo = ok!(stamped_resizable(3, 10));
    let copy = ok!(elastic_snapshot(world, &vmo, 0, 3));
    ok!(op(&copy, ZERO, 0, 3));
    ok!(copy.set_size(PAGE64));
    ok!(copy.set_size(3 * PAGE64));
    check_eq!(ok!(stamps(&copy)), [0, 0, 0]);
    ok!(vmo.set_size(0));
    check_eq!(ok!(stamps(&copy)), [0, 0, 0]);
    check_eq!(ok!(all_committed(&[&vmo, &copy])), [0, 0]);
    Ok(())
}

fn an_empty_copy_can_be_zeroed(world: &World) -> Case {
    home_only!(world);
    let vmo = ok!(pages(3));
    let first = ok!(snapshot(world, &vmo, 0, 3));
    let second = ok!(snapshot(world, &vmo, 0, 3));
    for member in [&vmo, &first, &second] {
        ok!(op(member, ZERO, 0, 3));
        ok!(member.op_range(ZERO, 10, 100));
    }
    check_eq!(ok!(all_committed(&[&vmo, &first, &second])), [0, 0, 0]);
    Ok(())
}

fn part_of_a_shared_page_is_copied_first(world: &World) -> Case {
    home_only!(world);
    let vmo = ok!(pages(1));
    ok!(vmo.write(&[7; 4096], 0));
    let copy = ok!(snapshot(world, &vmo, 0, 1));
    ok!(copy.op_range(ZERO, 0, 10));
    let shown = ok!(bytes(&copy, 1));
    check!(shown[9] == 0 && shown[10] == 7);
    check!(ok!(bytes(&vmo, 1)).iter().all(|byte| *byte == 7));
    check_eq!(ok!(all_committed(&[&vmo, &copy])), [1, 1]);
    Ok(())
}

fn decommitting_around_zeros_keeps_them(world: &World) -> Case {
    home_only!(world);
    let vmo = ok!(stamped(5, 10));
    ok!(op(&vmo, ZERO, 2, 1));
    ok!(op(&vmo, DECOMMIT, 1, 3));
    check_eq!(ok!(stamps(&vmo)), [10, 0, 0, 0, 14]);
    check_eq!(ok!(committed(&vmo)), 2);
    Ok(())
}

fn zeroed_then_committed_pages_are_zero(world: &World) -> Case {
    home_only!(world);
    let vmo = ok!(stamped(2, 10));
    let copy = ok!(snapshot(world, &vmo, 0, 2));
    ok!(op(&copy, ZERO, 0, 2));
    ok!(op(&copy, COMMIT, 0, 2));
    check_eq!(ok!(stamps(&copy)), [0, 0]);
    check_eq!(ok!(committed(&copy)), 2);
    Ok(())
}

fn a_copy_of_zeros_is_zero(world: &World) -> Case {
    home_only!(world);
    let vmo = ok!(stamped(2, 10));
    let first = ok!(snapshot(world, &vmo, 0, 2));
    ok!(op(&first, ZERO, 0, 1));
    let second = ok!(snapshot(world, &first, 0, 2));
    drop(first);
    check_eq!(ok!(stamps(&second)), [0, 11]);
    Ok(())
}

fn zeroing_a_slice_of_a_copy_zeroes_the_copy(world: &World) -> Case {
    home_only!(world);
    let vmo = ok!(stamped(2, 10));
    let copy = ok!(snapshot(world, &vmo, 0, 2));
    let window = ok!(slice(world, &copy, 1, 1));
    ok!(op(&window, ZERO, 0, 1));
    check_eq!(ok!(stamps(&copy)), [10, 0]);
    check_eq!(ok!(stamps(&vmo)), [10, 11]);
    Ok(())
}
