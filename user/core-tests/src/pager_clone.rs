//! Copies of pagers' VMOs: they ask for their parent's pages, and keep what they wrote.

use alloc::vec::Vec;

use libzx::{AsHandle, Signals, Vmo};
use zx_abi::info::VmoInfoFlags;

use crate::check::{check, check_eq, fail, fails, ok, suite, Case};
use crate::demand::{both_ways, page_shows, supplied, Demand, Outcome, Packet, Reader, Way};
use crate::pages::{
    child, committed, info, op, slice, snapshot, stamp, stamp_of, stamps, Kind, View, COMMIT,
    PAGE64, RESIZABLE_CHILD,
};
use crate::world::{Level, World};

suite! {
    "PagerClone":
    reading_one_asks_for_the_parents_page_by_call, reading_one_asks_for_the_parents_page_by_fault,
    reading_the_parent_shows_in_the_clone_by_call, reading_the_parent_shows_in_the_clone_by_fault,
    parent_and_clone_share_a_request_by_call, parent_and_clone_share_a_request_by_fault,
    two_clones_share_a_request_by_call, two_clones_share_a_request_by_fault,
    a_clone_of_a_clone_asks_for_the_first_parents_page_by_call, a_clone_of_a_clone_asks_for_the_first_parents_page_by_fault,
    one_at_an_offset_asks_for_the_right_page_by_call, one_at_an_offset_asks_for_the_right_page_by_fault,
    beyond_the_parent_nothing_is_asked_for_by_call, beyond_the_parent_nothing_is_asked_for_by_fault,
    a_slice_asks_for_its_parents_page_by_call, a_slice_asks_for_its_parents_page_by_fault,
    what_was_cut_off_from_the_parent_is_not_asked_for_by_call, what_was_cut_off_from_the_parent_is_not_asked_for_by_fault,
    a_write_to_one_asks_first_and_stays_in_it,
    a_store_to_one_asks_first_and_stays_in_it,
    a_written_page_of_one_outlives_the_detach,
    detaching_the_parent_gives_its_clones_zeros,
    committing_one_asks_for_what_the_parent_lacks,
    committing_one_copies_what_the_parent_has,
    a_clones_size_does_not_touch_the_parent,
    a_parent_cut_off_while_a_clone_waits_gives_it_zeros,
    what_the_parent_grew_anew_is_not_seen,
    no_snapshot_is_made_of_a_pagers_vmo,
    info_tells_of_pager_and_copy,
    a_clone_keeps_its_parent_until_it_goes,
}

both_ways! {
    reading_one_asks_for_the_parents_page_by_call, reading_one_asks_for_the_parents_page_by_fault = read_clone;
    reading_the_parent_shows_in_the_clone_by_call, reading_the_parent_shows_in_the_clone_by_fault = read_parent;
    parent_and_clone_share_a_request_by_call, parent_and_clone_share_a_request_by_fault = both_read;
    two_clones_share_a_request_by_call, two_clones_share_a_request_by_fault = two_clones;
    a_clone_of_a_clone_asks_for_the_first_parents_page_by_call, a_clone_of_a_clone_asks_for_the_first_parents_page_by_fault = clone_of_clone;
    one_at_an_offset_asks_for_the_right_page_by_call, one_at_an_offset_asks_for_the_right_page_by_fault = at_an_offset;
    beyond_the_parent_nothing_is_asked_for_by_call, beyond_the_parent_nothing_is_asked_for_by_fault = beyond;
    a_slice_asks_for_its_parents_page_by_call, a_slice_asks_for_its_parents_page_by_fault = through_a_slice;
    what_was_cut_off_from_the_parent_is_not_asked_for_by_call, what_was_cut_off_from_the_parent_is_not_asked_for_by_fault = cut_off;
}

const KEY: u64 = 0xc10e;

/// A late copy of pages of a VMO.
fn copy_of(world: &World, vmo: &Vmo, page: u64, count: u64) -> libzx::ZxResult<Vmo> {
    child(world, vmo, Kind::LateCopy, page, count)
}

fn read_clone(world: &World, way: Way) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(2, KEY));
    let copy = ok!(copy_of(world, &vmo, 0, 2));
    check!(demand.is_empty());
    let reader = ok!(Reader::start(&copy, 1, 1, way));
    check_eq!(ok!(demand.next()), Packet::Read(KEY, 1, 1));
    check!(reader.waits());
    ok!(demand.supply(&vmo, 1, 1));
    check_eq!(ok!(reader.outcome()), Outcome::Right);
    check_eq!((ok!(committed(&vmo)), ok!(committed(&copy))), (1, 0));
    Ok(())
}

fn read_parent(world: &World, way: Way) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(1, KEY));
    let copy = ok!(copy_of(world, &vmo, 0, 1));
    let reader = ok!(Reader::start(&vmo, 0, 1, way));
    check_eq!(ok!(demand.next()), Packet::Read(KEY, 0, 1));
    ok!(demand.supply(&vmo, 0, 1));
    check_eq!(ok!(reader.outcome()), Outcome::Right);
    let reader = ok!(Reader::start(&copy, 0, 1, way));
    check_eq!(ok!(reader.outcome()), Outcome::Right);
    check!(demand.is_quiet());
    Ok(())
}

fn both_read(world: &World, way: Way) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(1, KEY));
    let copy = ok!(copy_of(world, &vmo, 0, 1));
    let first = ok!(Reader::start(&copy, 0, 1, way));
    check!(first.waits());
    let second = ok!(Reader::start(&vmo, 0, 1, way));
    check!(second.waits());
    check_eq!(ok!(demand.next()), Packet::Read(KEY, 0, 1));
    check!(demand.is_quiet());
    ok!(demand.supply(&vmo, 0, 1));
    check_eq!(ok!(first.outcome()), Outcome::Right);
    check_eq!(ok!(second.outcome()), Outcome::Right);
    check!(demand.is_quiet());
    Ok(())
}

fn two_clones(world: &World, way: Way) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(1, KEY));
    let mut copies = Vec::new();
    let mut readers = Vec::new();
    for _ in 0..3 {
        let copy = ok!(copy_of(world, &vmo, 0, 1));
        let reader = ok!(Reader::start(&copy, 0, 1, way));
        check!(reader.waits());
        readers.push(reader);
        copies.push(copy);
    }
    check_eq!(ok!(demand.next()), Packet::Read(KEY, 0, 1));
    check!(demand.is_quiet());
    ok!(demand.supply(&vmo, 0, 1));
    for reader in readers {
        check_eq!(ok!(reader.outcome()), Outcome::Right);
    }
    Ok(())
}

fn clone_of_clone(world: &World, way: Way) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(3, KEY));
    let first = ok!(copy_of(world, &vmo, 0, 3));
    let second = ok!(copy_of(world, &first, 0, 3));
    let reader = ok!(Reader::start(&second, 2, 1, way));
    check_eq!(ok!(demand.next()), Packet::Read(KEY, 2, 1));
    ok!(demand.supply(&vmo, 2, 1));
    check_eq!(ok!(reader.outcome()), Outcome::Right);
    ok!(demand.supply(&vmo, 0, 2));
    ok!(stamp(&first, 0, 50));
    check_eq!(ok!(stamp_of(&first, 0)), 50);
    check_eq!(ok!(stamp_of(&vmo, 0)), supplied(0));
    drop(first);
    check!(ok!(page_shows(&second, 1)));
    Ok(())
}

fn at_an_offset(world: &World, way: Way) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(6, KEY));
    let copy = ok!(copy_of(world, &vmo, 2, 3));
    let inner = ok!(copy_of(world, &copy, 1, 2));
    let reader = ok!(Reader::start(&inner, 1, 1, way));
    check_eq!(ok!(demand.next()), Packet::Read(KEY, 4, 1));
    // The reader expects what page 1 of a VMO is supplied with.
    ok!(demand.supply_from(&vmo, 4, 1, supplied(1)));
    check_eq!(ok!(reader.outcome()), Outcome::Right);
    Ok(())
}

fn beyond(world: &World, way: Way) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(1, KEY));
    let copy = ok!(copy_of(world, &vmo, 0, 3));
    let reader = ok!(Reader::start(&copy, 1, 2, way));
    // Zeros, which is not what readers take for supplied.
    check_eq!(ok!(reader.outcome()), Outcome::Wrong);
    check_eq!((ok!(stamp_of(&copy, 1)), ok!(stamp_of(&copy, 2))), (0, 0));
    check!(demand.is_quiet());
    Ok(())
}

fn through_a_slice(world: &World, way: Way) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(3, KEY));
    let window = ok!(slice(world, &vmo, 1, 2));
    let reader = ok!(Reader::start(&window, 1, 1, way));
    check_eq!(ok!(demand.next()), Packet::Read(KEY, 2, 1));
    ok!(demand.supply_from(&vmo, 2, 1, supplied(1)));
    check_eq!(ok!(reader.outcome()), Outcome::Right);
    Ok(())
}

fn cut_off(world: &World, way: Way) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.resizable(2, KEY));
    let copy = ok!(copy_of(world, &vmo, 0, 2));
    ok!(vmo.set_size(PAGE64));
    let reader = ok!(Reader::start(&copy, 1, 1, way));
    check_eq!(ok!(reader.outcome()), Outcome::Wrong);
    check_eq!(ok!(stamp_of(&copy, 1)), 0);
    check!(demand.is_quiet());
    Ok(())
}

/// Runs work in a thread; its one request is served.
fn served(demand: &Demand, vmo: &Vmo, work: impl FnOnce() + Send + 'static) -> Case {
    let thread = ok!(libzx::thread::spawn("worker", work));
    let Packet::Read(KEY, page, 1) = ok!(demand.next()) else {
        fail!("another packet than a request for one page");
    };
    ok!(demand.supply(vmo, page, 1));
    ok!(thread.join());
    Ok(())
}

fn a_write_to_one_asks_first_and_stays_in_it(world: &World) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(1, KEY));
    let copy = ok!(copy_of(world, &vmo, 0, 1));
    let writer = ok!(crate::pages::same(&copy));
    served(&demand, &vmo, move || {
        let _ = writer.write(b"x", 100);
    })?;
    let mut byte = [0];
    ok!(copy.read(&mut byte, 100));
    check_eq!(byte, *b"x");
    check!(ok!(page_shows(&copy, 0)));
    ok!(vmo.read(&mut byte, 100));
    check_eq!(byte, [0]);
    check_eq!((ok!(committed(&vmo)), ok!(committed(&copy))), (1, 1));
    Ok(())
}

fn a_store_to_one_asks_first_and_stays_in_it(world: &World) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(1, KEY));
    let copy = ok!(copy_of(world, &vmo, 0, 1));
    let view = ok!(View::new(&copy, 1));
    let at = view.at(0) + 8;
    served(&demand, &vmo, move || libzx::raw::poke(at, 5))?;
    check_eq!((view.load(0), libzx::raw::peek(at)), (supplied(0), 5));
    check!(ok!(page_shows(&vmo, 0)));
    let mut bytes = [1; 8];
    ok!(vmo.read(&mut bytes, 8));
    check_eq!(bytes, [0; 8]);
    Ok(())
}

fn a_written_page_of_one_outlives_the_detach(world: &World) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(2, KEY));
    ok!(demand.supply(&vmo, 0, 1));
    let copy = ok!(copy_of(world, &vmo, 0, 2));
    ok!(stamp(&copy, 0, 5));
    ok!(demand.pager.detach(&vmo));
    check_eq!(ok!(stamp_of(&copy, 0)), 5);
    check_eq!(ok!(stamp_of(&vmo, 0)), supplied(0));
    Ok(())
}

fn detaching_the_parent_gives_its_clones_zeros(world: &World) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(3, KEY));
    ok!(demand.supply(&vmo, 1, 1));
    let copy = ok!(copy_of(world, &vmo, 0, 3));
    let reader = ok!(Reader::start(&copy, 0, 1, Way::Call));
    check_eq!(ok!(demand.next()), Packet::Read(KEY, 0, 1));
    ok!(demand.pager.detach(&vmo));
    // Zeros, which is not what readers take for supplied.
    check_eq!(ok!(reader.outcome()), Outcome::Wrong);
    check_eq!((ok!(stamp_of(&copy, 0)), ok!(stamp_of(&copy, 2))), (0, 0));
    check!(ok!(page_shows(&copy, 1)));
    check_eq!(ok!(demand.next()), Packet::Complete(KEY));
    Ok(())
}

fn committing_one_asks_for_what_the_parent_lacks(world: &World) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(4, KEY));
    ok!(demand.supply(&vmo, 1, 1));
    let copy = ok!(copy_of(world, &vmo, 0, 4));
    let waiter = ok!(Reader::start(&copy, 0, 4, Way::Commit));
    let mut asked = Vec::new();
    while asked.len() < 3 {
        let Packet::Read(KEY, page, count) = ok!(demand.next()) else {
            fail!("another packet than a request");
        };
        check!(waiter.waits());
        ok!(demand.supply(&vmo, page, count));
        asked.extend(page..page + count);
    }
    check_eq!(ok!(waiter.outcome()), Outcome::Right);
    check_eq!(asked, [0, 2, 3]);
    check_eq!((ok!(committed(&vmo)), ok!(committed(&copy))), (4, 4));
    check_eq!(ok!(stamps(&copy)), ok!(stamps(&vmo)));
    Ok(())
}

fn committing_one_copies_what_the_parent_has(world: &World) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(3, KEY));
    ok!(demand.supply(&vmo, 0, 3));
    let copy = ok!(copy_of(world, &vmo, 0, 3));
    ok!(op(&copy, COMMIT, 1, 2));
    check_eq!((ok!(committed(&vmo)), ok!(committed(&copy))), (3, 2));
    check!(demand.is_quiet());
    Ok(())
}

fn a_clones_size_does_not_touch_the_parent(world: &World) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(3, KEY));
    let options = Kind::LateCopy.option(world) | RESIZABLE_CHILD;
    let copy = ok!(vmo.create_child(options, 0, 3 * PAGE64));
    ok!(copy.set_size(PAGE64));
    ok!(copy.set_size(3 * PAGE64));
    // What it cut off is zero, and asks for nothing.
    check_eq!((ok!(stamp_of(&copy, 1)), ok!(stamp_of(&copy, 2))), (0, 0));
    check!(demand.is_quiet());
    check_eq!(ok!(vmo.size()), 3 * PAGE64);
    let reader = ok!(Reader::start(&copy, 0, 1, Way::Call));
    check_eq!(ok!(demand.next()), Packet::Read(KEY, 0, 1));
    ok!(demand.supply(&vmo, 0, 1));
    check_eq!(ok!(reader.outcome()), Outcome::Right);
    Ok(())
}

fn a_parent_cut_off_while_a_clone_waits_gives_it_zeros(world: &World) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.resizable(2, KEY));
    let copy = ok!(copy_of(world, &vmo, 0, 2));
    let reader = ok!(Reader::start(&copy, 1, 1, Way::Fault));
    check_eq!(ok!(demand.next()), Packet::Read(KEY, 1, 1));
    check!(reader.waits());
    ok!(vmo.set_size(PAGE64));
    check_eq!(ok!(reader.outcome()), Outcome::Wrong);
    check_eq!(ok!(stamp_of(&copy, 1)), 0);
    Ok(())
}

fn what_the_parent_grew_anew_is_not_seen(world: &World) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.resizable(2, KEY));
    let copy = ok!(copy_of(world, &vmo, 0, 2));
    ok!(vmo.set_size(PAGE64));
    ok!(vmo.set_size(2 * PAGE64));
    ok!(demand.supply(&vmo, 1, 1));
    check!(ok!(page_shows(&vmo, 1)));
    check_eq!(ok!(stamp_of(&copy, 1)), 0);
    check!(demand.is_quiet());
    Ok(())
}

fn no_snapshot_is_made_of_a_pagers_vmo(world: &World) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(2, KEY));
    fails!(snapshot(world, &vmo, 0, 2), NotSupported);
    let copy = ok!(copy_of(world, &vmo, 0, 2));
    fails!(snapshot(world, &copy, 0, 2), NotSupported);
    let window = ok!(slice(world, &vmo, 0, 2));
    fails!(snapshot(world, &window, 0, 2), NotSupported);
    Ok(())
}

fn info_tells_of_pager_and_copy(world: &World) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(2, KEY));
    let copy = ok!(copy_of(world, &vmo, 0, 1));
    let record = ok!(info(&copy));
    let flags = VmoInfoFlags::from_bits_retain(record.flags);
    check!(flags.contains(VmoInfoFlags::PAGED | VmoInfoFlags::IS_COW_CLONE));
    // "Backed by a pager, or a copy of such a one."
    check!(world.level == Level::July2019 || flags.contains(VmoInfoFlags::PAGER_BACKED));
    check_eq!(record.parent_koid, ok!(vmo.koid()));
    check_eq!(ok!(info(&vmo)).num_children, 1);
    Ok(())
}

fn a_clone_keeps_its_parent_until_it_goes(world: &World) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(1, KEY));
    let copy = ok!(copy_of(world, &vmo, 0, 1));
    let none = Signals::VMO_ZERO_CHILDREN;
    check_eq!(ok!(vmo.signals_now(none)), Signals::empty());
    let supplier = ok!(vmo.duplicate(libzx::Rights::SAME_RIGHTS));
    drop(vmo);
    let reader = ok!(Reader::start(&copy, 0, 1, Way::Call));
    check_eq!(ok!(demand.next()), Packet::Read(KEY, 0, 1));
    ok!(demand.supply(&supplier, 0, 1));
    check_eq!(ok!(reader.outcome()), Outcome::Right);
    drop(copy);
    check_eq!(ok!(supplier.signals_now(none)), none);
    drop(supplier);
    check_eq!(ok!(demand.next()), Packet::Complete(KEY));
    Ok(())
}
