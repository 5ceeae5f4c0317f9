//! Copies of VMOs: what each side sees after writes, stores and closes, on every level of a family.

use alloc::vec;
use alloc::vec::Vec;

use libzx::{AsHandle, Vmo};

use crate::check::{check, check_eq, ok, suite, Case};
use crate::pages::{
    child, committed, info, op, pages, snapshot, stamp, stamp_all, stamp_of, stamped, stamps, Kind,
    View, COMMIT, PAGE64,
};
use crate::world::{Level, World};

suite! {
    "VmoClone":
    one_reads_what_the_parent_had,
    a_write_to_one_stays_in_it,
    a_write_to_the_parent_stays_in_the_parent,
    a_store_through_a_mapping_of_one_stays_in_it,
    a_store_through_a_mapping_of_the_parent_stays_there,
    a_mapping_that_was_read_follows_the_copy_that_a_write_makes,
    the_parents_later_mapping_shows_the_parent,
    a_clone_of_a_clone_sees_what_the_clone_saw,
    every_level_of_a_chain_keeps_its_own_pages,
    the_middle_of_a_chain_can_go,
    the_original_can_go_first,
    children_that_go_in_any_order_leave_the_others_as_they_were,
    siblings_do_not_see_each_other,
    a_page_that_nobody_wrote_is_zero_on_both_sides,
    one_at_an_offset_sees_that_part,
    clones_at_offsets_of_clones_at_offsets_see_their_part,
    beyond_the_parent_there_are_zeros,
    one_wholly_beyond_the_parent_is_all_zeros,
    committing_one_gives_it_all_pages,
    the_parent_can_write_while_many_clones_live,
    many_clones_closed_in_reverse_order_leave_the_parent,
    many_clones_are_mapped_at_once,
    many_clones_at_an_offset_are_mapped_at_once,
    a_late_copy_keeps_what_it_wrote,
    a_late_copy_of_a_late_copy_sees_through_both,
}

fn one_reads_what_the_parent_had(world: &World) -> Case {
    let vmo = ok!(stamped(4, 10));
    let copy = ok!(snapshot(world, &vmo, 0, 4));
    check_eq!(ok!(stamps(&copy)), [10, 11, 12, 13]);
    check_eq!(ok!(stamps(&vmo)), [10, 11, 12, 13]);
    Ok(())
}

fn a_write_to_one_stays_in_it(world: &World) -> Case {
    let vmo = ok!(stamped(3, 10));
    let copy = ok!(snapshot(world, &vmo, 0, 3));
    ok!(stamp(&copy, 1, 99));
    check_eq!(ok!(stamps(&copy)), [10, 99, 12]);
    check_eq!(ok!(stamps(&vmo)), [10, 11, 12]);
    // What the write did not cover came along.
    ok!(vmo.write(b"tail", 2 * PAGE64 + 100));
    ok!(copy.write(b"x", 2 * PAGE64 + 50));
    check_eq!(ok!(stamp_of(&copy, 2)), 12);
    Ok(())
}

fn a_write_to_the_parent_stays_in_the_parent(world: &World) -> Case {
    let vmo = ok!(stamped(3, 10));
    let copy = ok!(snapshot(world, &vmo, 0, 3));
    ok!(stamp(&vmo, 2, 99));
    check_eq!(ok!(stamps(&vmo)), [10, 11, 99]);
    check_eq!(ok!(stamps(&copy)), [10, 11, 12]);
    Ok(())
}

fn a_store_through_a_mapping_of_one_stays_in_it(world: &World) -> Case {
    let vmo = ok!(stamped(2, 10));
    let copy = ok!(snapshot(world, &vmo, 0, 2));
    let (view, parents) = (ok!(View::new(&copy, 2)), ok!(View::new(&vmo, 2)));
    check_eq!((view.load(0), view.load(1)), (10, 11));
    view.store(1, 77);
    check_eq!((view.load(0), view.load(1)), (10, 77));
    check_eq!((parents.load(0), parents.load(1)), (10, 11));
    check_eq!(ok!(stamps(&copy)), [10, 77]);
    check_eq!(ok!(stamps(&vmo)), [10, 11]);
    Ok(())
}

fn a_store_through_a_mapping_of_the_parent_stays_there(world: &World) -> Case {
    let vmo = ok!(stamped(2, 10));
    let parents = ok!(View::new(&vmo, 2));
    // Both pages are in the page table, writable, when the copy is made.
    parents.store(0, 20);
    parents.store(1, 21);
    let copy = ok!(snapshot(world, &vmo, 0, 2));
    let view = ok!(View::new(&copy, 2));
    parents.store(0, 30);
    check_eq!((parents.load(0), parents.load(1)), (30, 21));
    check_eq!((view.load(0), view.load(1)), (20, 21));
    check_eq!(ok!(stamps(&copy)), [20, 21]);
    Ok(())
}

fn a_mapping_that_was_read_follows_the_copy_that_a_write_makes(world: &World) -> Case {
    let vmo = ok!(stamped(1, 10));
    let copy = ok!(snapshot(world, &vmo, 0, 1));
    let view = ok!(View::new(&copy, 1));
    let parents = ok!(View::new(&vmo, 1));
    check_eq!((view.load(0), parents.load(0)), (10, 10));
    // Each write gives one side a page of its own; the mapping that was there must show it.
    ok!(stamp(&copy, 0, 50));
    check_eq!((view.load(0), parents.load(0)), (50, 10));
    ok!(stamp(&vmo, 0, 60));
    check_eq!((view.load(0), parents.load(0)), (50, 60));
    Ok(())
}

fn the_parents_later_mapping_shows_the_parent(world: &World) -> Case {
    let vmo = ok!(stamped(2, 10));
    let copy = ok!(snapshot(world, &vmo, 0, 2));
    ok!(stamp(&copy, 0, 50));
    ok!(stamp(&vmo, 1, 60));
    let parents = ok!(View::new(&vmo, 2));
    let view = ok!(View::new(&copy, 2));
    check_eq!((parents.load(0), parents.load(1)), (10, 60));
    check_eq!((view.load(0), view.load(1)), (50, 11));
    Ok(())
}

fn a_clone_of_a_clone_sees_what_the_clone_saw(world: &World) -> Case {
    let vmo = ok!(stamped(3, 10));
    let first = ok!(snapshot(world, &vmo, 0, 3));
    ok!(stamp(&first, 0, 20));
    let second = ok!(snapshot(world, &first, 0, 3));
    ok!(stamp(&first, 0, 30));
    ok!(stamp(&first, 1, 31));
    ok!(stamp(&vmo, 2, 42));
    check_eq!(ok!(stamps(&second)), [20, 11, 12]);
    check_eq!(ok!(stamps(&first)), [30, 31, 12]);
    check_eq!(ok!(stamps(&vmo)), [10, 11, 42]);
    Ok(())
}

/// A chain of snapshots over one VMO of `levels` pages; member n wrote 100 n into page n before the next was made.
fn chain(world: &World, levels: u64) -> libzx::ZxResult<Vec<Vmo>> {
    let mut family = vec![stamped(levels, 1)?];
    for level in 1..levels {
        let next = {
            let parent = &family[family.len() - 1];
            snapshot(world, parent, 0, levels)?
        };
        stamp(&next, level, 100 * level)?;
        family.push(next);
    }
    Ok(family)
}

/// What member `level` of such a chain shows at `page`.
fn expected(level: u64, page: u64) -> u64 {
    match page {
        0 => 1,
        page if page <= level => 100 * page,
        page => page + 1,
    }
}

fn every_level_of_a_chain_keeps_its_own_pages(world: &World) -> Case {
    let levels = 8;
    let family = ok!(chain(world, levels));
    for (vmo, level) in family.iter().zip(0..) {
        for page in 0..levels {
            check_eq!(ok!(stamp_of(vmo, page)), expected(level, page));
        }
    }
    // Writes on every level, from the middle outwards, are seen on that level only.
    for level in [4u64, 3, 5, 2, 6, 1, 7, 0] {
        let index = usize::try_from(level).unwrap_or_default();
        ok!(stamp_all(&family[index], levels, 1000 * (level + 1)));
    }
    for (vmo, level) in family.iter().zip(0..) {
        for page in 0..levels {
            check_eq!(ok!(stamp_of(vmo, page)), 1000 * (level + 1) + page);
        }
    }
    Ok(())
}

fn the_middle_of_a_chain_can_go(world: &World) -> Case {
    let levels = 6;
    for gone in 0..levels {
        let family = ok!(chain(world, levels));
        let mut left = Vec::new();
        for (vmo, level) in family.into_iter().zip(0..) {
            if level == gone {
                drop(vmo);
            } else {
                left.push((vmo, level));
            }
        }
        for (vmo, level) in &left {
            for page in 0..levels {
                check_eq!(ok!(stamp_of(vmo, page)), expected(*level, page));
            }
        }
    }
    Ok(())
}

fn the_original_can_go_first(world: &World) -> Case {
    let vmo = ok!(stamped(2, 10));
    let copy = ok!(snapshot(world, &vmo, 0, 2));
    let view = ok!(View::new(&copy, 2));
    check_eq!(view.load(1), 11);
    drop(vmo);
    check_eq!((view.load(0), view.load(1)), (10, 11));
    check_eq!(ok!(stamps(&copy)), [10, 11]);
    ok!(stamp(&copy, 0, 20));
    check_eq!(view.load(0), 20);
    // Nobody else has the pages any more.
    check_eq!(ok!(committed(&copy)), 2);
    Ok(())
}

fn children_that_go_in_any_order_leave_the_others_as_they_were(world: &World) -> Case {
    for order in [
        [0, 1, 2],
        [0, 2, 1],
        [1, 0, 2],
        [1, 2, 0],
        [2, 0, 1],
        [2, 1, 0],
    ] {
        let vmo = ok!(stamped(3, 10));
        let mut children = Vec::new();
        for number in 0..3u64 {
            let copy = ok!(snapshot(world, &vmo, 0, 3));
            ok!(stamp(&copy, number, 100 + number));
            ok!(stamp(&vmo, 0, 20 + number));
            children.push(Some(copy));
        }
        for closed in order {
            children[closed] = None;
            for (copy, number) in children.iter().zip(0u64..) {
                let Some(copy) = copy else { continue };
                let first = if number == 0 { 100 } else { 19 + number };
                let mut shown = vec![first, 11, 12];
                shown[usize::try_from(number).unwrap_or_default()] = 100 + number;
                check_eq!(ok!(stamps(copy)), shown);
            }
            check_eq!(ok!(stamps(&vmo)), [22, 11, 12]);
        }
        check_eq!(ok!(committed(&vmo)), 3);
    }
    Ok(())
}

fn siblings_do_not_see_each_other(world: &World) -> Case {
    let vmo = ok!(stamped(2, 10));
    let first = ok!(snapshot(world, &vmo, 0, 2));
    let second = ok!(snapshot(world, &vmo, 0, 2));
    ok!(stamp(&first, 0, 20));
    ok!(stamp(&second, 1, 31));
    check_eq!(ok!(stamps(&first)), [20, 11]);
    check_eq!(ok!(stamps(&second)), [10, 31]);
    check_eq!(ok!(stamps(&vmo)), [10, 11]);
    Ok(())
}

fn a_page_that_nobody_wrote_is_zero_on_both_sides(world: &World) -> Case {
    let vmo = ok!(pages(3));
    let copy = ok!(snapshot(world, &vmo, 0, 3));
    check_eq!(
        (ok!(stamps(&vmo)), ok!(stamps(&copy))),
        (vec![0; 3], vec![0; 3])
    );
    ok!(stamp(&copy, 0, 1));
    ok!(stamp(&vmo, 1, 2));
    check_eq!(ok!(stamps(&copy)), [1, 0, 0]);
    check_eq!(ok!(stamps(&vmo)), [0, 2, 0]);
    let grandchild = ok!(snapshot(world, &copy, 0, 3));
    ok!(stamp(&grandchild, 2, 3));
    check_eq!(ok!(stamps(&grandchild)), [1, 0, 3]);
    check_eq!(ok!(stamps(&copy)), [1, 0, 0]);
    Ok(())
}

fn one_at_an_offset_sees_that_part(world: &World) -> Case {
    let vmo = ok!(stamped(5, 10));
    let copy = ok!(snapshot(world, &vmo, 2, 2));
    check_eq!(ok!(stamps(&copy)), [12, 13]);
    ok!(stamp(&vmo, 3, 99));
    ok!(stamp(&copy, 0, 50));
    check_eq!(ok!(stamps(&copy)), [50, 13]);
    check_eq!(ok!(stamps(&vmo)), [10, 11, 12, 99, 14]);
    Ok(())
}

fn clones_at_offsets_of_clones_at_offsets_see_their_part(world: &World) -> Case {
    let vmo = ok!(stamped(8, 10));
    let first = ok!(snapshot(world, &vmo, 1, 6));
    ok!(stamp(&first, 2, 50));
    let second = ok!(snapshot(world, &first, 1, 4));
    let third = ok!(snapshot(world, &second, 1, 4));
    check_eq!(ok!(stamps(&second)), [12, 50, 14, 15]);
    // The last page of the third lies beyond the second.
    check_eq!(ok!(stamps(&third)), [50, 14, 15, 0]);
    ok!(stamp_all(&first, 6, 200));
    ok!(stamp_all(&vmo, 8, 300));
    check_eq!(ok!(stamps(&third)), [50, 14, 15, 0]);
    drop(second);
    drop(vmo);
    check_eq!(ok!(stamps(&third)), [50, 14, 15, 0]);
    check_eq!(ok!(stamps(&first)), [200, 201, 202, 203, 204, 205]);
    Ok(())
}

fn beyond_the_parent_there_are_zeros(world: &World) -> Case {
    let vmo = ok!(stamped(2, 10));
    let copy = ok!(snapshot(world, &vmo, 1, 3));
    check_eq!(ok!(stamps(&copy)), [11, 0, 0]);
    ok!(stamp(&copy, 2, 5));
    check_eq!(ok!(stamps(&copy)), [11, 0, 5]);
    let view = ok!(View::new(&copy, 3));
    check_eq!((view.load(0), view.load(1), view.load(2)), (11, 0, 5));
    view.store(1, 4);
    check_eq!(ok!(stamps(&copy)), [11, 4, 5]);
    Ok(())
}

fn one_wholly_beyond_the_parent_is_all_zeros(world: &World) -> Case {
    let vmo = ok!(stamped(2, 10));
    for start in [2, 3, 1 << 20] {
        let copy = ok!(snapshot(world, &vmo, start, 2));
        check_eq!(ok!(stamps(&copy)), [0, 0]);
        ok!(stamp(&copy, 0, 1));
        check_eq!(ok!(stamps(&copy)), [1, 0]);
        check_eq!(ok!(info(&copy)).parent_koid, ok!(vmo.koid()));
    }
    check_eq!(ok!(stamps(&vmo)), [10, 11]);
    Ok(())
}

fn committing_one_gives_it_all_pages(world: &World) -> Case {
    let vmo = ok!(stamped(2, 10));
    let copy = ok!(snapshot(world, &vmo, 0, 4));
    ok!(op(&copy, COMMIT, 0, 4));
    check_eq!(ok!(committed(&copy)), 4);
    check_eq!(ok!(committed(&vmo)), 2);
    check_eq!(ok!(stamps(&copy)), [10, 11, 0, 0]);
    Ok(())
}

const MANY: u64 = 24;

/// Many snapshots; number n saw n written into page 0 of the parent, and wrote n itself into page 1.
fn many(world: &World, vmo: &Vmo, first: u64) -> libzx::ZxResult<Vec<Vmo>> {
    let mut copies = Vec::new();
    for number in 0..MANY {
        stamp(vmo, first, number)?;
        let copy = snapshot(world, vmo, first, 2)?;
        stamp(&copy, 1, number)?;
        copies.push(copy);
    }
    stamp(vmo, first, MANY)?;
    Ok(copies)
}

fn the_parent_can_write_while_many_clones_live(world: &World) -> Case {
    let vmo = ok!(stamped(2, 500));
    let copies = ok!(many(world, &vmo, 0));
    for (copy, number) in copies.iter().zip(0u64..) {
        check_eq!(ok!(stamps(copy)), [number, number]);
    }
    check_eq!(ok!(stamps(&vmo)), [MANY, 501]);
    // Closed from the first on.
    for (copy, number) in copies.into_iter().zip(0u64..) {
        check_eq!(ok!(stamps(&copy)), [number, number]);
    }
    check_eq!(ok!(committed(&vmo)), 2);
    Ok(())
}

fn many_clones_closed_in_reverse_order_leave_the_parent(world: &World) -> Case {
    let vmo = ok!(stamped(2, 500));
    let mut copies = ok!(many(world, &vmo, 0));
    let mut number = MANY;
    while let Some(copy) = copies.pop() {
        number -= 1;
        check_eq!(ok!(stamps(&copy)), [number, number]);
    }
    check_eq!(ok!(stamps(&vmo)), [MANY, 501]);
    check_eq!(ok!(committed(&vmo)), 2);
    Ok(())
}

/// Maps every copy, looks, stores through each mapping, looks again.
fn mapped_at_once(world: &World, first: u64) -> Case {
    let vmo = ok!(stamped(first + 2, 500));
    let copies = ok!(many(world, &vmo, first));
    let mut views = Vec::new();
    for copy in &copies {
        views.push(ok!(View::new(copy, 2)));
    }
    for (view, number) in views.iter().zip(0u64..) {
        check_eq!((view.load(0), view.load(1)), (number, number));
        view.store(0, 1000 + number);
    }
    drop(vmo);
    for (view, number) in views.iter().zip(0u64..) {
        check_eq!((view.load(0), view.load(1)), (1000 + number, number));
    }
    // A mapping keeps its VMO.
    drop(copies);
    for (view, number) in views.iter().zip(0u64..) {
        check_eq!((view.load(0), view.load(1)), (1000 + number, number));
    }
    Ok(())
}

fn many_clones_are_mapped_at_once(world: &World) -> Case {
    mapped_at_once(world, 0)
}

fn many_clones_at_an_offset_are_mapped_at_once(world: &World) -> Case {
    mapped_at_once(world, 3)
}

fn a_late_copy_keeps_what_it_wrote(world: &World) -> Case {
    let vmo = ok!(stamped(2, 10));
    let copy = ok!(child(world, &vmo, Kind::LateCopy, 0, 2));
    ok!(stamp(&copy, 0, 20));
    ok!(stamp(&vmo, 0, 30));
    check_eq!((ok!(stamp_of(&copy, 0)), ok!(stamp_of(&vmo, 0))), (20, 30));
    // A page that it has not written may follow its parent, which it does in 2019.
    ok!(stamp(&vmo, 1, 31));
    let seen = ok!(stamp_of(&copy, 1));
    check!(seen == 11 || seen == 31);
    check!(world.level == Level::Home || seen == 31);
    check_eq!(ok!(stamp_of(&vmo, 1)), 31);
    Ok(())
}

fn a_late_copy_of_a_late_copy_sees_through_both(world: &World) -> Case {
    let vmo = ok!(stamped(3, 10));
    let first = ok!(child(world, &vmo, Kind::LateCopy, 0, 3));
    ok!(stamp(&first, 1, 21));
    let second = ok!(child(world, &first, Kind::LateCopy, 1, 2));
    check_eq!(ok!(stamps(&second)), [21, 12]);
    ok!(stamp(&second, 1, 32));
    check_eq!(ok!(stamps(&first)), [10, 21, 12]);
    drop(first);
    check_eq!(ok!(stamps(&second)), [21, 32]);
    check_eq!(ok!(stamps(&vmo)), [10, 11, 12]);
    Ok(())
}
