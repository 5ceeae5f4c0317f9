//! COMMIT of pagers' VMOs: requests for ranges, and what overlaps do to them; clones of such VMOs; sizes that change.

use alloc::vec::Vec;

use libzx::{AsHandle, Stream, ZxError};
use zx_abi::syscalls::SyscallId;

use crate::check::{check, check_eq, fails, home_only, needs, ok, suite, Case};
use crate::demand::{detached, suspended, Demand, Outcome, Packet, Reader, Way};
use crate::memory::{arg, call, Scratch, PAGE};
use crate::pages::{committed, op, pages, View, COMMIT, PAGE64};
use crate::world::World;

suite! {
    "PagerCommit":
    a_range_is_asked_for_at_once,
    a_range_with_present_pages_is_asked_for_in_parts,
    present_pages_ask_for_nothing,
    part_of_a_page_asks_for_all_of_it,
    two_commits_of_one_range_share_its_request,
    two_commits_that_overlap_ask_for_each_page_once,
    a_request_supplied_in_parts_ends_with_the_last,
    one_supply_ends_several_requests,
    a_supply_beyond_a_request_ends_it,
    a_page_supplied_twice_is_no_harm,
    pages_supplied_out_of_order_end_the_request,
    a_reader_inside_a_commits_range_waits_with_it,
    a_commit_of_a_readers_page_waits_with_it,
    a_suspended_commit_asks_again_for_the_rest,
    a_commit_ends_when_the_range_is_cut_off,
    a_commit_goes_on_when_part_of_the_range_is_cut_off,
    a_commit_of_a_detached_vmo_fails,
    a_commit_that_waits_fails_with_the_detach,
    a_commit_across_several_vmos_asks_each,
    a_commit_beyond_the_end_is_refused,
    a_commit_of_more_than_any_memory_is_asked_for_at_once,
    a_buffer_of_more_than_any_memory_is_asked_for_at_once,
}

const KEY: u64 = 0xc0de;

fn commit(vmo: &libzx::Vmo, page: u64, count: u64) -> libzx::ZxResult<Reader> {
    Reader::start(vmo, page, count, Way::Commit)
}

fn a_range_is_asked_for_at_once(_: &World) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(8, KEY));
    let waiter = ok!(commit(&vmo, 2, 5));
    check_eq!(ok!(demand.next()), Packet::Read(KEY, 2, 5));
    check!(waiter.waits());
    ok!(demand.supply(&vmo, 2, 5));
    check_eq!(ok!(waiter.outcome()), Outcome::Right);
    check!(demand.is_quiet());
    check_eq!(ok!(committed(&vmo)), 5);
    Ok(())
}

fn a_range_with_present_pages_is_asked_for_in_parts(_: &World) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(6, KEY));
    ok!(demand.supply(&vmo, 2, 1));
    let waiter = ok!(commit(&vmo, 0, 6));
    check_eq!(ok!(demand.next()), Packet::Read(KEY, 0, 2));
    ok!(demand.supply(&vmo, 0, 2));
    check_eq!(ok!(demand.next()), Packet::Read(KEY, 3, 3));
    ok!(demand.supply(&vmo, 3, 3));
    check_eq!(ok!(waiter.outcome()), Outcome::Right);
    Ok(())
}

fn present_pages_ask_for_nothing(_: &World) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(4, KEY));
    ok!(demand.supply(&vmo, 0, 3));
    ok!(op(&vmo, COMMIT, 0, 3));
    ok!(op(&vmo, COMMIT, 3, 0));
    check!(demand.is_quiet());
    Ok(())
}

fn part_of_a_page_asks_for_all_of_it(_: &World) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(4, KEY));
    let copy = ok!(crate::pages::same(&vmo));
    let thread = ok!(libzx::thread::spawn("commit", move || {
        let _ = copy.op_range(COMMIT, PAGE64 + 100, PAGE64);
    }));
    check_eq!(ok!(demand.next()), Packet::Read(KEY, 1, 2));
    ok!(demand.supply(&vmo, 1, 2));
    ok!(thread.join());
    check_eq!(ok!(committed(&vmo)), 2);
    Ok(())
}

fn two_commits_of_one_range_share_its_request(_: &World) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(4, KEY));
    let first = ok!(commit(&vmo, 0, 4));
    check!(first.waits());
    let second = ok!(commit(&vmo, 0, 4));
    check!(second.waits());
    check_eq!(ok!(demand.next()), Packet::Read(KEY, 0, 4));
    check!(demand.is_quiet());
    ok!(demand.supply(&vmo, 0, 4));
    check_eq!(ok!(first.outcome()), Outcome::Right);
    check_eq!(ok!(second.outcome()), Outcome::Right);
    check!(demand.is_quiet());
    Ok(())
}

fn two_commits_that_overlap_ask_for_each_page_once(_: &World) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(6, KEY));
    let first = ok!(commit(&vmo, 2, 2));
    check_eq!(ok!(demand.next()), Packet::Read(KEY, 2, 2));
    let second = ok!(commit(&vmo, 0, 6));
    check!(second.waits());
    check_eq!(ok!(demand.next()), Packet::Read(KEY, 0, 2));
    ok!(demand.supply(&vmo, 0, 2));
    check!(demand.is_quiet());
    ok!(demand.supply(&vmo, 2, 2));
    check_eq!(ok!(first.outcome()), Outcome::Right);
    check_eq!(ok!(demand.next()), Packet::Read(KEY, 4, 2));
    ok!(demand.supply(&vmo, 4, 2));
    check_eq!(ok!(second.outcome()), Outcome::Right);
    check_eq!(ok!(committed(&vmo)), 6);
    Ok(())
}

fn a_request_supplied_in_parts_ends_with_the_last(_: &World) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(4, KEY));
    let waiter = ok!(commit(&vmo, 0, 4));
    check_eq!(ok!(demand.next()), Packet::Read(KEY, 0, 4));
    for page in 0..4 {
        check!(waiter.waits());
        ok!(demand.supply(&vmo, page, 1));
    }
    check_eq!(ok!(waiter.outcome()), Outcome::Right);
    check!(demand.is_quiet());
    Ok(())
}

fn one_supply_ends_several_requests(_: &World) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(6, KEY));
    let mut waiters = Vec::new();
    for page in [0, 2, 4] {
        waiters.push(ok!(commit(&vmo, page, 2)));
        check_eq!(ok!(demand.next()), Packet::Read(KEY, page, 2));
    }
    ok!(demand.supply(&vmo, 0, 6));
    for waiter in waiters {
        check_eq!(ok!(waiter.outcome()), Outcome::Right);
    }
    check!(demand.is_quiet());
    Ok(())
}

fn a_supply_beyond_a_request_ends_it(_: &World) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(8, KEY));
    let waiter = ok!(commit(&vmo, 3, 2));
    check_eq!(ok!(demand.next()), Packet::Read(KEY, 3, 2));
    ok!(demand.supply(&vmo, 0, 8));
    check_eq!(ok!(waiter.outcome()), Outcome::Right);
    check_eq!(ok!(committed(&vmo)), 8);
    Ok(())
}

fn a_page_supplied_twice_is_no_harm(_: &World) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(2, KEY));
    let waiter = ok!(commit(&vmo, 0, 2));
    check_eq!(ok!(demand.next()), Packet::Read(KEY, 0, 2));
    ok!(demand.supply(&vmo, 0, 1));
    ok!(demand.supply_from(&vmo, 0, 1, 99));
    check!(waiter.waits());
    ok!(demand.supply(&vmo, 1, 1));
    check_eq!(ok!(waiter.outcome()), Outcome::Right);
    check!(ok!(crate::demand::page_shows(&vmo, 0)));
    Ok(())
}

fn pages_supplied_out_of_order_end_the_request(_: &World) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(5, KEY));
    let waiter = ok!(commit(&vmo, 0, 5));
    check_eq!(ok!(demand.next()), Packet::Read(KEY, 0, 5));
    for page in [4, 1, 3, 0, 2] {
        check!(waiter.waits());
        ok!(demand.supply(&vmo, page, 1));
    }
    check_eq!(ok!(waiter.outcome()), Outcome::Right);
    check!(demand.is_quiet());
    Ok(())
}

fn a_reader_inside_a_commits_range_waits_with_it(_: &World) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(4, KEY));
    let waiter = ok!(commit(&vmo, 0, 4));
    check_eq!(ok!(demand.next()), Packet::Read(KEY, 0, 4));
    let reader = ok!(Reader::start(&vmo, 2, 1, Way::Fault));
    check!(reader.waits());
    check!(demand.is_quiet());
    ok!(demand.supply(&vmo, 0, 4));
    check_eq!(ok!(reader.outcome()), Outcome::Right);
    check_eq!(ok!(waiter.outcome()), Outcome::Right);
    Ok(())
}

fn a_commit_of_a_readers_page_waits_with_it(_: &World) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(4, KEY));
    let reader = ok!(Reader::start(&vmo, 0, 1, Way::Call));
    check_eq!(ok!(demand.next()), Packet::Read(KEY, 0, 1));
    let waiter = ok!(commit(&vmo, 0, 1));
    check!(waiter.waits());
    check!(demand.is_quiet());
    ok!(demand.supply(&vmo, 0, 1));
    check_eq!(ok!(reader.outcome()), Outcome::Right);
    check_eq!(ok!(waiter.outcome()), Outcome::Right);
    Ok(())
}

fn a_suspended_commit_asks_again_for_the_rest(_: &World) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(3, KEY));
    let waiter = ok!(commit(&vmo, 0, 3));
    check_eq!(ok!(demand.next()), Packet::Read(KEY, 0, 3));
    ok!(demand.supply(&vmo, 0, 1));
    check!(waiter.waits());
    let token = ok!(suspended(waiter.thread()));
    drop(token);
    check_eq!(ok!(demand.next()), Packet::Read(KEY, 1, 2));
    ok!(demand.supply(&vmo, 1, 2));
    check_eq!(ok!(waiter.outcome()), Outcome::Right);
    Ok(())
}

fn a_commit_ends_when_the_range_is_cut_off(_: &World) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.resizable(4, KEY));
    let waiter = ok!(commit(&vmo, 2, 2));
    check_eq!(ok!(demand.next()), Packet::Read(KEY, 2, 2));
    ok!(vmo.set_size(PAGE64));
    // Nothing of the range is left to be committed, or the range is no longer one.
    let outcome = ok!(waiter.outcome());
    check!(outcome == Outcome::Right || outcome == Outcome::Failed(ZxError::OutOfRange));
    check!(demand.is_quiet());
    Ok(())
}

fn a_commit_goes_on_when_part_of_the_range_is_cut_off(_: &World) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.resizable(4, KEY));
    let waiter = ok!(commit(&vmo, 0, 4));
    check_eq!(ok!(demand.next()), Packet::Read(KEY, 0, 4));
    ok!(vmo.set_size(2 * PAGE64));
    check!(waiter.waits());
    ok!(demand.supply(&vmo, 0, 2));
    let outcome = ok!(waiter.outcome());
    check!(outcome == Outcome::Right || outcome == Outcome::Failed(ZxError::OutOfRange));
    check_eq!(ok!(committed(&vmo)), 2);
    Ok(())
}

fn a_commit_of_a_detached_vmo_fails(world: &World) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(2, KEY));
    ok!(demand.supply(&vmo, 0, 1));
    ok!(demand.pager.detach(&vmo));
    check_eq!(ok!(ok!(commit(&vmo, 0, 2)).outcome()), detached(world));
    ok!(op(&vmo, COMMIT, 0, 1));
    Ok(())
}

fn a_commit_that_waits_fails_with_the_detach(world: &World) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(4, KEY));
    let waiter = ok!(commit(&vmo, 0, 4));
    check_eq!(ok!(demand.next()), Packet::Read(KEY, 0, 4));
    ok!(demand.supply(&vmo, 0, 2));
    ok!(demand.pager.detach(&vmo));
    check_eq!(ok!(waiter.outcome()), detached(world));
    check_eq!(ok!(committed(&vmo)), 2);
    Ok(())
}

fn a_commit_across_several_vmos_asks_each(_: &World) -> Case {
    let demand = ok!(Demand::new());
    let (first, second) = (ok!(demand.vmo(2, 1)), ok!(demand.vmo(2, 2)));
    let one = ok!(commit(&first, 0, 2));
    let two = ok!(commit(&second, 0, 2));
    let mut packets = [ok!(demand.next()), ok!(demand.next())];
    packets.sort_unstable_by_key(|packet| matches!(packet, Packet::Read(2, ..)));
    check_eq!(packets, [Packet::Read(1, 0, 2), Packet::Read(2, 0, 2)]);
    ok!(demand.supply(&second, 0, 2));
    check_eq!(ok!(two.outcome()), Outcome::Right);
    check!(one.waits());
    ok!(demand.supply(&first, 0, 2));
    check_eq!(ok!(one.outcome()), Outcome::Right);
    Ok(())
}

fn a_commit_beyond_the_end_is_refused(_: &World) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(2, KEY));
    fails!(op(&vmo, COMMIT, 3, 1), OutOfRange);
    check!(demand.is_quiet());
    Ok(())
}

/// Pages that nobody can look at one by one.
const VERY_MANY: u64 = 1 << 50;

fn a_commit_of_more_than_any_memory_is_asked_for_at_once(world: &World) -> Case {
    // July 2019 does not come to ask.
    home_only!(world);
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.resizable(VERY_MANY, KEY));
    ok!(demand.supply(&vmo, 0, 1));
    ok!(demand.supply(&vmo, VERY_MANY - 1, 1));
    let waiter = ok!(commit(&vmo, 0, VERY_MANY));
    check_eq!(ok!(demand.next()), Packet::Read(KEY, 1, VERY_MANY - 2));
    check!(waiter.waits());
    ok!(demand.supply(&vmo, 1 << 40, 3));
    // Most of what is wanted is cut off; then the rest is all.
    ok!(vmo.set_size(4 * PAGE64));
    check!(waiter.waits() && waiter.is_busy());
    ok!(demand.supply(&vmo, 1, 3));
    check_eq!(ok!(waiter.outcome()), Outcome::Right);
    check!(demand.is_quiet());
    check_eq!(ok!(committed(&vmo)), 4);
    Ok(())
}

fn a_buffer_of_more_than_any_memory_is_asked_for_at_once(_: &World) -> Case {
    needs!(StreamCreate);
    // As much as there is room for in an address space.
    const COUNT: usize = 1 << 32;
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(COUNT as u64, KEY));
    let view = ok!(View::new(&vmo, COUNT));
    let stream = ok!(Stream::create(Stream::READ, &ok!(pages(1)), 0));
    let mut vector = ok!(Scratch::new());
    vector.put(0, &[view.at(0), COUNT * PAGE]);
    let waiter = ok!(libzx::thread::spawn("reader", move || {
        let _ = call(
            SyscallId::StreamReadv,
            &[arg(&stream), 0, vector.address(), 1, 0],
        );
    }));
    check_eq!(ok!(demand.next()), Packet::Read(KEY, 0, COUNT as u64));
    ok!(demand.pager.detach(&vmo));
    let ends = libzx::Signals::THREAD_TERMINATED;
    ok!(waiter.thread().wait_one(ends, crate::world::soon()));
    ok!(waiter.join());
    drop(view);
    Ok(())
}
