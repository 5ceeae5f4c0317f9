//! Whose the pages of a family of copies are: what counts for whom, and what is freed when someone goes.

use alloc::vec::Vec;

use libzx::Vmo;

use crate::check::{check, check_eq, ok, suite, Case};
use crate::pages::{
    all_committed, committed, elastic_snapshot, pages, snapshot, stamp, stamp_all, stamp_of,
    stamped, stamps, View, PAGE64,
};
use crate::world::{Level, World};

suite! {
    "VmoClonePages":
    a_shared_page_counts_for_the_parent_until_someone_writes_it,
    a_page_that_both_wrote_counts_for_each,
    writing_where_nothing_was_takes_one_page,
    reading_takes_none,
    closing_the_clone_frees_what_it_wrote,
    closing_the_original_leaves_its_pages_to_the_clone,
    closing_the_original_frees_what_the_clone_cannot_see,
    closing_the_original_frees_what_the_clone_wrote_over,
    a_small_clone_keeps_only_its_pages,
    a_small_clone_of_a_small_clone_keeps_only_its_page,
    small_clones_keep_their_pages_together,
    a_page_split_by_all_is_freed_as_each_goes,
    clones_of_disjoint_parts_closed_before_the_original,
    clones_of_disjoint_parts_closed_after_the_original,
    clones_of_disjoint_parts_in_two_generations,
    a_chain_of_disjoint_parts_frees_step_by_step,
    a_chain_frees_a_page_with_each_close,
    a_chain_frees_a_page_with_each_cut,
    a_grandchild_at_an_offset_keeps_one_page_of_many,
    writes_at_offsets_count_for_the_writer,
    a_dead_parents_page_is_taken_over_without_a_copy,
    a_dead_siblings_pages_come_back,
    the_first_page_of_a_family_is_freed_with_its_last_viewer,
    stores_through_mappings_count_like_writes,
    a_family_of_many_counts_each_page_once,
}

fn a_shared_page_counts_for_the_parent_until_someone_writes_it(world: &World) -> Case {
    let vmo = ok!(stamped(4, 10));
    let copy = ok!(snapshot(world, &vmo, 0, 4));
    check_eq!(ok!(all_committed(&[&vmo, &copy])), [4, 0]);
    ok!(stamp(&copy, 0, 20));
    check_eq!(ok!(all_committed(&[&vmo, &copy])), [4, 1]);
    ok!(stamp(&vmo, 1, 30));
    check_eq!(ok!(all_committed(&[&vmo, &copy])), [4, 2]);
    Ok(())
}

fn a_page_that_both_wrote_counts_for_each(world: &World) -> Case {
    let vmo = ok!(stamped(2, 10));
    let copy = ok!(snapshot(world, &vmo, 0, 2));
    ok!(stamp(&copy, 0, 20));
    ok!(stamp(&vmo, 0, 30));
    ok!(stamp(&copy, 0, 21));
    ok!(stamp(&vmo, 0, 31));
    check_eq!(ok!(all_committed(&[&vmo, &copy])), [2, 1]);
    check_eq!((ok!(stamp_of(&vmo, 0)), ok!(stamp_of(&copy, 0))), (31, 21));
    Ok(())
}

fn writing_where_nothing_was_takes_one_page(world: &World) -> Case {
    let vmo = ok!(pages(2));
    let copy = ok!(snapshot(world, &vmo, 0, 2));
    check_eq!(ok!(all_committed(&[&vmo, &copy])), [0, 0]);
    ok!(stamp(&copy, 0, 1));
    check_eq!(ok!(all_committed(&[&vmo, &copy])), [0, 1]);
    ok!(stamp(&vmo, 0, 2));
    ok!(stamp(&vmo, 1, 2));
    check_eq!(ok!(all_committed(&[&vmo, &copy])), [2, 1]);
    check_eq!(ok!(stamps(&copy)), [1, 0]);
    Ok(())
}

fn reading_takes_none(world: &World) -> Case {
    let vmo = ok!(stamped(1, 10));
    let copy = ok!(snapshot(world, &vmo, 0, 3));
    check_eq!(ok!(stamps(&copy)), [10, 0, 0]);
    let view = ok!(View::new(&copy, 3));
    check_eq!((view.load(0), view.load(1), view.load(2)), (10, 0, 0));
    check_eq!(ok!(all_committed(&[&vmo, &copy])), [1, 0]);
    Ok(())
}

fn closing_the_clone_frees_what_it_wrote(world: &World) -> Case {
    let vmo = ok!(stamped(4, 10));
    let copy = ok!(snapshot(world, &vmo, 0, 4));
    ok!(stamp(&copy, 0, 20));
    ok!(stamp(&vmo, 1, 30));
    drop(copy);
    check_eq!(ok!(committed(&vmo)), 4);
    check_eq!(ok!(stamps(&vmo)), [10, 30, 12, 13]);
    Ok(())
}

fn closing_the_original_leaves_its_pages_to_the_clone(world: &World) -> Case {
    let vmo = ok!(stamped(4, 10));
    let copy = ok!(snapshot(world, &vmo, 0, 4));
    ok!(stamp(&copy, 3, 23));
    ok!(stamp(&vmo, 0, 30));
    drop(vmo);
    check_eq!(ok!(committed(&copy)), 4);
    check_eq!(ok!(stamps(&copy)), [10, 11, 12, 23]);
    Ok(())
}

fn closing_the_original_frees_what_the_clone_cannot_see(world: &World) -> Case {
    let vmo = ok!(stamped(8, 10));
    let copy = ok!(snapshot(world, &vmo, 2, 3));
    drop(vmo);
    check_eq!(ok!(committed(&copy)), 3);
    check_eq!(ok!(stamps(&copy)), [12, 13, 14]);
    Ok(())
}

fn closing_the_original_frees_what_the_clone_wrote_over(world: &World) -> Case {
    let vmo = ok!(stamped(3, 10));
    let copy = ok!(snapshot(world, &vmo, 0, 3));
    ok!(stamp_all(&copy, 3, 20));
    check_eq!(ok!(all_committed(&[&vmo, &copy])), [3, 3]);
    drop(vmo);
    check_eq!(ok!(committed(&copy)), 3);
    let grandchild = ok!(snapshot(world, &copy, 0, 3));
    drop(copy);
    check_eq!(ok!(committed(&grandchild)), 3);
    check_eq!(ok!(stamps(&grandchild)), [20, 21, 22]);
    Ok(())
}

fn a_small_clone_keeps_only_its_pages(world: &World) -> Case {
    let vmo = ok!(stamped(3, 10));
    let copy = ok!(snapshot(world, &vmo, 1, 1));
    // The outer pages are the parent's alone, also while it shares the middle one.
    ok!(stamp(&vmo, 0, 20));
    ok!(stamp(&vmo, 2, 22));
    check_eq!(ok!(all_committed(&[&vmo, &copy])), [3, 0]);
    ok!(stamp(&vmo, 1, 21));
    check_eq!(ok!(all_committed(&[&vmo, &copy])), [3, 1]);
    drop(vmo);
    check_eq!(ok!(committed(&copy)), 1);
    check_eq!(ok!(stamps(&copy)), [11]);
    Ok(())
}

fn a_small_clone_of_a_small_clone_keeps_only_its_page(world: &World) -> Case {
    let vmo = ok!(stamped(6, 10));
    let copy = ok!(snapshot(world, &vmo, 1, 4));
    let last = ok!(snapshot(world, &copy, 1, 1));
    ok!(stamp(&last, 0, 50));
    ok!(stamp(&copy, 1, 60));
    check_eq!(ok!(stamps(&copy)), [11, 60, 13, 14]);
    drop(copy);
    check_eq!(ok!(all_committed(&[&vmo, &last])), [6, 1]);
    drop(vmo);
    check_eq!(ok!(committed(&last)), 1);
    check_eq!(ok!(stamps(&last)), [50]);
    Ok(())
}

fn small_clones_keep_their_pages_together(world: &World) -> Case {
    let vmo = ok!(stamped(3, 10));
    let first = ok!(snapshot(world, &vmo, 0, 2));
    let second = ok!(snapshot(world, &vmo, 0, 1));
    check_eq!(ok!(all_committed(&[&vmo, &first, &second])), [3, 0, 0]);
    ok!(stamp(&vmo, 0, 20));
    ok!(stamp(&vmo, 1, 21));
    drop(vmo);
    let together = ok!(committed(&first)) + ok!(committed(&second));
    // In 2019 the page that nobody sees any more stays.
    check_eq!(together, if world.level == Level::Home { 2 } else { 3 });
    check_eq!(ok!(stamps(&first)), [10, 11]);
    check_eq!(ok!(stamps(&second)), [10]);
    drop(first);
    check_eq!(ok!(committed(&second)), 1);
    check_eq!(ok!(stamps(&second)), [10]);
    Ok(())
}

fn a_page_split_by_all_is_freed_as_each_goes(world: &World) -> Case {
    let vmo = ok!(stamped(1, 10));
    let first = ok!(snapshot(world, &vmo, 0, 1));
    let second = ok!(snapshot(world, &vmo, 0, 1));
    ok!(stamp(&first, 0, 20));
    ok!(stamp(&second, 0, 30));
    check_eq!(ok!(all_committed(&[&vmo, &first, &second])), [1, 1, 1]);
    drop(first);
    check_eq!(ok!(all_committed(&[&vmo, &second])), [1, 1]);
    drop(vmo);
    check_eq!(ok!(committed(&second)), 1);
    check_eq!(ok!(stamps(&second)), [30]);
    Ok(())
}

/// Snapshots of single pages of one VMO.
fn singles(world: &World, vmo: &Vmo, count: u64) -> libzx::ZxResult<Vec<Vmo>> {
    (0..count)
        .map(|page| snapshot(world, vmo, page, 1))
        .collect()
}

fn clones_of_disjoint_parts_closed_before_the_original(world: &World) -> Case {
    let vmo = ok!(stamped(4, 10));
    let copies = ok!(singles(world, &vmo, 4));
    ok!(stamp_all(&vmo, 4, 20));
    for (copy, page) in copies.iter().zip(10u64..) {
        check_eq!(ok!(stamps(copy)), [page]);
        check_eq!(ok!(committed(copy)), 1);
    }
    drop(copies);
    check_eq!(ok!(committed(&vmo)), 4);
    check_eq!(ok!(stamps(&vmo)), [20, 21, 22, 23]);
    Ok(())
}

fn clones_of_disjoint_parts_closed_after_the_original(world: &World) -> Case {
    let vmo = ok!(stamped(4, 10));
    let mut copies = ok!(singles(world, &vmo, 4));
    drop(vmo);
    for (copy, page) in copies.iter().zip(10u64..) {
        check_eq!(ok!(stamps(copy)), [page]);
        check_eq!(ok!(committed(copy)), 1);
    }
    drop(copies.remove(1));
    drop(copies.remove(1));
    for (copy, page) in copies.iter().zip([10u64, 13]) {
        check_eq!(ok!(stamps(copy)), [page]);
        check_eq!(ok!(committed(copy)), 1);
    }
    Ok(())
}

fn clones_of_disjoint_parts_in_two_generations(world: &World) -> Case {
    let vmo = ok!(stamped(4, 10));
    let whole = ok!(snapshot(world, &vmo, 0, 4));
    let copies = ok!(singles(world, &whole, 4));
    drop(whole);
    ok!(stamp_all(&vmo, 4, 20));
    let counts: Vec<&Vmo> = copies.iter().collect();
    check_eq!(ok!(all_committed(&counts)), [1, 1, 1, 1]);
    for (copy, page) in copies.iter().zip(10u64..) {
        check_eq!(ok!(stamps(copy)), [page]);
    }
    check_eq!(ok!(committed(&vmo)), 4);
    Ok(())
}

fn a_chain_of_disjoint_parts_frees_step_by_step(world: &World) -> Case {
    let count = 5u64;
    let vmo = ok!(stamped(count, 10));
    let mut copies = ok!(singles(world, &vmo, count));
    ok!(stamp_all(&vmo, count, 20));
    check_eq!(ok!(committed(&vmo)), count);
    while let Some(copy) = copies.pop() {
        let page = 10 + copies.len() as u64;
        check_eq!(ok!(stamps(&copy)), [page]);
        drop(copy);
        let mut sum = ok!(committed(&vmo));
        for left in &copies {
            sum += ok!(committed(left));
        }
        check_eq!(sum, count + copies.len() as u64);
    }
    Ok(())
}

/// A chain of snapshots in which member n is one page shorter than the one before, and their parents gone.
fn shrinking_chain(world: &World, count: u64) -> libzx::ZxResult<Vec<Vmo>> {
    let mut members = Vec::new();
    members.push(stamped(count, 10)?);
    for left in (1..count).rev() {
        let next = snapshot(world, &members[members.len() - 1], 0, left)?;
        members.push(next);
    }
    Ok(members)
}

fn a_chain_frees_a_page_with_each_close(world: &World) -> Case {
    let count = 6;
    let members = ok!(shrinking_chain(world, count));
    let mut members = members.into_iter();
    for left in (1..count).rev() {
        // The longest goes: the page that only it saw goes with it.
        drop(members.next());
        let mut sum = 0;
        for member in members.as_slice() {
            sum += ok!(committed(member));
        }
        check_eq!(sum, left);
        let shown: Vec<u64> = (10..10 + left).collect();
        check_eq!(ok!(stamps(&members.as_slice()[0])), shown);
    }
    Ok(())
}

fn a_chain_frees_a_page_with_each_cut(world: &World) -> Case {
    let count = 6;
    let vmo = ok!(stamped(count, 10));
    let copy = ok!(elastic_snapshot(world, &vmo, 0, count));
    drop(vmo);
    check_eq!(ok!(committed(&copy)), count);
    for left in (0..count).rev() {
        ok!(copy.set_size(left * PAGE64));
        check_eq!(ok!(committed(&copy)), left);
        let shown: Vec<u64> = (10..10 + left).collect();
        check_eq!(ok!(stamps(&copy)), shown);
    }
    Ok(())
}

fn a_grandchild_at_an_offset_keeps_one_page_of_many(world: &World) -> Case {
    let vmo = ok!(stamped(16, 10));
    let middle = ok!(snapshot(world, &vmo, 4, 8));
    let last = ok!(snapshot(world, &middle, 3, 1));
    drop(vmo);
    check_eq!(ok!(committed(&middle)) + ok!(committed(&last)), 8);
    drop(middle);
    check_eq!(ok!(committed(&last)), 1);
    check_eq!(ok!(stamps(&last)), [17]);
    Ok(())
}

fn writes_at_offsets_count_for_the_writer(world: &World) -> Case {
    let vmo = ok!(stamped(6, 10));
    let mut family = Vec::new();
    let mut parent = ok!(snapshot(world, &vmo, 1, 5));
    for step in 0..3u64 {
        ok!(stamp(&parent, 1, 100 + step));
        let size = 4 - step;
        let next = ok!(snapshot(world, &parent, 1, size));
        ok!(stamp(&next, 0, 200 + step));
        check_eq!(ok!(stamp_of(&parent, 1)), 100 + step);
        check!(ok!(committed(&next)) >= 1);
        family.push(core::mem::replace(&mut parent, next));
    }
    check_eq!(ok!(stamps(&vmo)), [10, 11, 12, 13, 14, 15]);
    check_eq!(ok!(committed(&vmo)), 6);
    check_eq!(ok!(stamps(&parent)), [202, 15]);
    drop(vmo);
    drop(family);
    check_eq!(ok!(stamps(&parent)), [202, 15]);
    check_eq!(ok!(committed(&parent)), 2);
    Ok(())
}

fn a_dead_parents_page_is_taken_over_without_a_copy(world: &World) -> Case {
    let vmo = ok!(stamped(2, 10));
    let copy = ok!(snapshot(world, &vmo, 0, 2));
    drop(vmo);
    ok!(stamp(&copy, 0, 20));
    check_eq!(ok!(committed(&copy)), 2);
    check_eq!(ok!(stamps(&copy)), [20, 11]);
    Ok(())
}

fn a_dead_siblings_pages_come_back(world: &World) -> Case {
    let vmo = ok!(stamped(2, 10));
    for round in 0..10 {
        let copy = ok!(snapshot(world, &vmo, 0, 2));
        ok!(stamp(&copy, 1, round));
        ok!(stamp(&vmo, 0, round));
        check_eq!(ok!(all_committed(&[&vmo, &copy])), [2, 2]);
    }
    check_eq!(ok!(committed(&vmo)), 2);
    check_eq!(ok!(stamps(&vmo)), [9, 11]);
    Ok(())
}

fn the_first_page_of_a_family_is_freed_with_its_last_viewer(world: &World) -> Case {
    let vmo = ok!(stamped(1, 10));
    let first = ok!(snapshot(world, &vmo, 0, 1));
    let second = ok!(snapshot(world, &first, 0, 1));
    ok!(stamp(&vmo, 0, 20));
    ok!(stamp(&first, 0, 30));
    // The page with 10 is the second one's alone.
    check_eq!(ok!(all_committed(&[&vmo, &first, &second])), [1, 1, 1]);
    ok!(stamp(&second, 0, 40));
    check_eq!(ok!(all_committed(&[&vmo, &first, &second])), [1, 1, 1]);
    Ok(())
}

fn stores_through_mappings_count_like_writes(world: &World) -> Case {
    let vmo = ok!(stamped(3, 10));
    let copy = ok!(snapshot(world, &vmo, 0, 3));
    let (view, parents) = (ok!(View::new(&copy, 3)), ok!(View::new(&vmo, 3)));
    view.store(0, 20);
    parents.store(1, 31);
    check_eq!(view.load(2) + parents.load(2), 24);
    check_eq!(ok!(all_committed(&[&vmo, &copy])), [3, 2]);
    Ok(())
}

fn a_family_of_many_counts_each_page_once(world: &World) -> Case {
    let count = 16;
    let vmo = ok!(stamped(count, 10));
    let mut family = Vec::new();
    for number in 0..12u64 {
        let parent = match number % 3 {
            0 => &vmo,
            _ => &family[family.len() - 1],
        };
        let copy = ok!(snapshot(world, parent, 0, count));
        ok!(stamp(&copy, number % count, 100 + number));
        family.push(copy);
    }
    // The original pages and one for each write at least; less than if each member had pages of its own. Zircon takes 58,
    // since a page that parts from a family parts on each level.
    let mut sum = ok!(committed(&vmo));
    for member in &family {
        sum += ok!(committed(member));
    }
    check!(count + 12 <= sum && sum < count * 13);
    drop(family);
    check_eq!(ok!(committed(&vmo)), count);
    Ok(())
}
