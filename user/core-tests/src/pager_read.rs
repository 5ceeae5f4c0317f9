//! Pages that a pager has to supply: what is asked for, when, and what the threads that wait for them come to see.

use alloc::vec::Vec;

use libzx::AsHandle;
use libzx::{Signals, Vmo};
use zx_abi::info::ThreadState;

use crate::check::{check, check_eq, fail, home_only, ok, suite, Case};
use crate::demand::{both_ways, page_shows, supplied, Demand, Outcome, Packet, Reader, Way};
use crate::other_thread::is_in;
use crate::pages::{committed, op, stamp, View, ZERO};
use crate::world::{sleep_ms, soon, World};

suite! {
    "PagerRead":
    one_page_by_call, one_page_by_fault,
    pages_supplied_before_by_call, pages_supplied_before_by_fault,
    pages_supplied_before_the_packet_was_read_by_call, pages_supplied_before_the_packet_was_read_by_fault,
    several_pages_one_after_the_other_by_call, several_pages_one_after_the_other_by_fault,
    the_last_page_by_call, the_last_page_by_fault,
    readers_of_several_ranges_by_call, readers_of_several_ranges_by_fault,
    readers_of_the_same_page_share_a_request_by_call, readers_of_the_same_page_share_a_request_by_fault,
    readers_of_overlapping_ranges_by_call, readers_of_overlapping_ranges_by_fault,
    a_range_supplied_at_once_by_call, a_range_supplied_at_once_by_fault,
    ranges_of_odd_lengths_by_call, ranges_of_odd_lengths_by_fault,
    ranges_at_odd_offsets_by_call, ranges_at_odd_offsets_by_fault,
    supplies_that_overlap_by_call, supplies_that_overlap_by_fault,
    many_readers_by_call, many_readers_by_fault,
    one_vmo_after_the_other_by_call, one_vmo_after_the_other_by_fault,
    several_vmos_at_once_by_call, several_vmos_at_once_by_fault,
    a_supply_of_another_page_wakes_nobody_by_call, a_supply_of_another_page_wakes_nobody_by_fault,
    a_store_waits_for_its_page,
    a_write_waits_for_its_page,
    keys_tell_vmos_apart,
    packets_of_a_pager_and_of_users_share_a_port,
    zeroing_a_page_wakes_who_waits_for_it,
}

both_ways! {
    one_page_by_call, one_page_by_fault = one_page;
    pages_supplied_before_by_call, pages_supplied_before_by_fault = pages_supplied_before;
    pages_supplied_before_the_packet_was_read_by_call, pages_supplied_before_the_packet_was_read_by_fault = early;
    several_pages_one_after_the_other_by_call, several_pages_one_after_the_other_by_fault = one_after_the_other;
    the_last_page_by_call, the_last_page_by_fault = the_last_page;
    readers_of_several_ranges_by_call, readers_of_several_ranges_by_fault = several_ranges;
    readers_of_the_same_page_share_a_request_by_call, readers_of_the_same_page_share_a_request_by_fault = same_page;
    readers_of_overlapping_ranges_by_call, readers_of_overlapping_ranges_by_fault = overlapping_ranges;
    a_range_supplied_at_once_by_call, a_range_supplied_at_once_by_fault = bulk;
    ranges_of_odd_lengths_by_call, ranges_of_odd_lengths_by_fault = odd_lengths;
    ranges_at_odd_offsets_by_call, ranges_at_odd_offsets_by_fault = odd_offsets;
    supplies_that_overlap_by_call, supplies_that_overlap_by_fault = overlapping_supplies;
    many_readers_by_call, many_readers_by_fault = many_readers;
    one_vmo_after_the_other_by_call, one_vmo_after_the_other_by_fault = successive_vmos;
    several_vmos_at_once_by_call, several_vmos_at_once_by_fault = concurrent_vmos;
    a_supply_of_another_page_wakes_nobody_by_call, a_supply_of_another_page_wakes_nobody_by_fault = another_page;
}

const KEY: u64 = 0xfeed;

fn one_page(_: &World, way: Way) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(1, KEY));
    let reader = ok!(Reader::start(&vmo, 0, 1, way));
    check_eq!(ok!(demand.next()), Packet::Read(KEY, 0, 1));
    check!(reader.waits() && reader.is_busy());
    ok!(demand.supply(&vmo, 0, 1));
    check_eq!(ok!(reader.outcome()), Outcome::Right);
    check!(demand.is_quiet());
    check_eq!(ok!(committed(&vmo)), 1);
    Ok(())
}

fn pages_supplied_before(_: &World, way: Way) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(3, KEY));
    ok!(demand.supply(&vmo, 0, 3));
    let reader = ok!(Reader::start(&vmo, 0, 3, way));
    check_eq!(ok!(reader.outcome()), Outcome::Right);
    check!(demand.is_empty());
    Ok(())
}

fn early(_: &World, way: Way) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(2, KEY));
    let first = ok!(Reader::start(&vmo, 0, 1, way));
    check!(first.waits());
    let second = ok!(Reader::start(&vmo, 1, 1, way));
    check!(second.waits());
    ok!(demand.supply(&vmo, 1, 1));
    check_eq!(ok!(second.outcome()), Outcome::Right);
    ok!(demand.supply(&vmo, 0, 1));
    check_eq!(ok!(first.outcome()), Outcome::Right);
    // Nobody waits any more, so there is nothing left to be asked.
    check!(demand.is_quiet());
    Ok(())
}

fn one_after_the_other(_: &World, way: Way) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(6, KEY));
    let reader = ok!(Reader::start(&vmo, 1, 5, way));
    for page in 1..6 {
        check_eq!(ok!(demand.next()), Packet::Read(KEY, page, 1));
        check!(reader.is_busy());
        ok!(demand.supply(&vmo, page, 1));
    }
    check_eq!(ok!(reader.outcome()), Outcome::Right);
    check!(demand.is_quiet());
    Ok(())
}

fn the_last_page(_: &World, way: Way) -> Case {
    let demand = ok!(Demand::new());
    let count = 1 << 30;
    let vmo = ok!(demand.vmo(count, KEY));
    let reader = ok!(Reader::start(&vmo, count - 1, 1, way));
    check_eq!(ok!(demand.next()), Packet::Read(KEY, count - 1, 1));
    ok!(demand.supply(&vmo, count - 1, 1));
    check_eq!(ok!(reader.outcome()), Outcome::Right);
    Ok(())
}

fn several_ranges(_: &World, way: Way) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(12, KEY));
    let mut readers = Vec::new();
    for start in [8, 4, 0] {
        readers.push(ok!(Reader::start(&vmo, start, 4, way)));
    }
    let mut asked = Vec::new();
    for _ in 0..12 {
        let Packet::Read(KEY, page, 1) = ok!(demand.next()) else {
            fail!("another packet than a request for one page");
        };
        ok!(demand.supply(&vmo, page, 1));
        asked.push(page);
    }
    for reader in readers {
        check_eq!(ok!(reader.outcome()), Outcome::Right);
    }
    asked.sort_unstable();
    check_eq!(asked, (0..12).collect::<Vec<u64>>());
    check!(demand.is_quiet());
    Ok(())
}

fn same_page(_: &World, way: Way) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(1, KEY));
    let mut readers = Vec::new();
    for _ in 0..4 {
        readers.push(ok!(Reader::start(&vmo, 0, 1, way)));
    }
    for reader in &readers {
        check!(reader.waits());
    }
    check_eq!(ok!(demand.next()), Packet::Read(KEY, 0, 1));
    check!(demand.is_quiet());
    ok!(demand.supply(&vmo, 0, 1));
    for reader in readers {
        check_eq!(ok!(reader.outcome()), Outcome::Right);
    }
    check!(demand.is_quiet());
    Ok(())
}

fn overlapping_ranges(_: &World, way: Way) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(8, KEY));
    let mut readers = Vec::new();
    for start in 0..4 {
        readers.push(ok!(Reader::start(&vmo, start, 5, way)));
    }
    let mut asked = Vec::new();
    for _ in 0..8 {
        let Packet::Read(KEY, page, 1) = ok!(demand.next()) else {
            fail!("another packet than a request for one page");
        };
        ok!(demand.supply(&vmo, page, 1));
        asked.push(page);
    }
    for reader in readers {
        check_eq!(ok!(reader.outcome()), Outcome::Right);
    }
    // Each page was asked for once, however many wanted it.
    asked.sort_unstable();
    check_eq!(asked, (0..8).collect::<Vec<u64>>());
    Ok(())
}

/// A reader of `count` pages gets what `supplies` says, each as a range, whenever it asks for a page of one.
fn in_ranges(count: u64, way: Way, supplies: &[(u64, u64)]) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(count, KEY));
    let reader = ok!(Reader::start(&vmo, 0, count, way));
    for (page, len) in supplies {
        check_eq!(ok!(demand.next()), Packet::Read(KEY, *page, 1));
        ok!(demand.supply(&vmo, *page, *len));
    }
    check_eq!(ok!(reader.outcome()), Outcome::Right);
    check!(demand.is_quiet());
    check_eq!(ok!(committed(&vmo)), count);
    Ok(())
}

fn bulk(_: &World, way: Way) -> Case {
    in_ranges(16, way, &[(0, 16)])
}

fn odd_lengths(_: &World, way: Way) -> Case {
    in_ranges(15, way, &[(0, 7), (7, 5), (12, 3)])
}

fn odd_offsets(_: &World, way: Way) -> Case {
    in_ranges(16, way, &[(0, 1), (1, 8), (9, 7)])
}

fn overlapping_supplies(_: &World, way: Way) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(4, KEY));
    let reader = ok!(Reader::start(&vmo, 0, 4, way));
    check_eq!(ok!(demand.next()), Packet::Read(KEY, 0, 1));
    ok!(demand.supply(&vmo, 1, 2));
    check!(reader.waits());
    ok!(demand.supply(&vmo, 0, 2));
    check_eq!(ok!(demand.next()), Packet::Read(KEY, 3, 1));
    ok!(demand.supply(&vmo, 2, 2));
    check_eq!(ok!(reader.outcome()), Outcome::Right);
    // Each page once, though three were supplied twice.
    check_eq!(ok!(committed(&vmo)), 4);
    Ok(())
}

fn many_readers(_: &World, way: Way) -> Case {
    let count = 24;
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(count, KEY));
    let mut readers = Vec::new();
    for page in 0..count {
        readers.push(ok!(Reader::start(&vmo, page, 1, way)));
    }
    for reader in &readers {
        check!(reader.waits());
    }
    let mut asked = Vec::new();
    for _ in 0..count {
        let Packet::Read(KEY, page, 1) = ok!(demand.next()) else {
            fail!("another packet than a request for one page");
        };
        asked.push(page);
    }
    check!(demand.is_empty());
    for page in asked.into_iter().rev() {
        ok!(demand.supply(&vmo, page, 1));
    }
    for reader in readers {
        check_eq!(ok!(reader.outcome()), Outcome::Right);
    }
    Ok(())
}

fn successive_vmos(_: &World, way: Way) -> Case {
    let demand = ok!(Demand::new());
    for key in 0..10 {
        let vmo = ok!(demand.vmo(1, key));
        let reader = ok!(Reader::start(&vmo, 0, 1, way));
        check_eq!(ok!(demand.next()), Packet::Read(key, 0, 1));
        ok!(demand.supply(&vmo, 0, 1));
        check_eq!(ok!(reader.outcome()), Outcome::Right);
        drop(vmo);
        check_eq!(ok!(demand.next()), Packet::Complete(key));
    }
    Ok(())
}

fn concurrent_vmos(_: &World, way: Way) -> Case {
    let demand = ok!(Demand::new());
    let mut vmos = Vec::new();
    let mut readers = Vec::new();
    for key in 0..6 {
        let vmo = ok!(demand.vmo(2, key));
        readers.push(ok!(Reader::start(&vmo, 1, 1, way)));
        vmos.push(vmo);
    }
    let mut keys = Vec::new();
    for _ in 0..6 {
        let Packet::Read(key, 1, 1) = ok!(demand.next()) else {
            fail!("another packet than a request for page 1");
        };
        keys.push(key);
    }
    for (vmo, reader) in vmos.iter().zip(readers).rev() {
        check!(reader.waits());
        ok!(demand.supply(vmo, 1, 1));
        check_eq!(ok!(reader.outcome()), Outcome::Right);
    }
    keys.sort_unstable();
    check_eq!(keys, [0, 1, 2, 3, 4, 5]);
    Ok(())
}

fn another_page(_: &World, way: Way) -> Case {
    let demand = ok!(Demand::new());
    let (vmo, other) = (ok!(demand.vmo(3, KEY)), ok!(demand.vmo(3, KEY + 1)));
    let reader = ok!(Reader::start(&vmo, 1, 1, way));
    check_eq!(ok!(demand.next()), Packet::Read(KEY, 1, 1));
    ok!(demand.supply(&vmo, 0, 1));
    ok!(demand.supply(&vmo, 2, 1));
    ok!(demand.supply(&other, 1, 1));
    sleep_ms(1);
    check!(reader.waits() && reader.is_busy());
    ok!(demand.supply(&vmo, 1, 1));
    check_eq!(ok!(reader.outcome()), Outcome::Right);
    check!(demand.is_quiet());
    Ok(())
}

/// Runs work in a thread while its pages are supplied when it asks.
fn served(demand: &Demand, vmo: &Vmo, work: impl FnOnce() + Send + 'static) -> Case {
    let thread = ok!(libzx::thread::spawn("worker", work));
    let Packet::Read(KEY, page, 1) = ok!(demand.next()) else {
        fail!("another packet than a request for one page");
    };
    check!(is_in(thread.thread(), ThreadState::BlockedPager));
    ok!(demand.supply(vmo, page, 1));
    ok!(thread.thread().wait_one(Signals::THREAD_TERMINATED, soon()));
    ok!(thread.join());
    Ok(())
}

fn a_store_waits_for_its_page(_: &World) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(2, KEY));
    let view = ok!(View::new(&vmo, 2));
    let at = view.at(1) + 8;
    served(&demand, &vmo, move || libzx::raw::poke(at, 5))?;
    // The rest of the page is the pager's.
    check!(ok!(page_shows(&vmo, 1)));
    check_eq!(view.load(1), supplied(1));
    check_eq!(libzx::raw::peek(at), 5);
    Ok(())
}

fn a_write_waits_for_its_page(_: &World) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(1, KEY));
    let copy = ok!(crate::pages::same(&vmo));
    served(&demand, &vmo, move || {
        let _ = copy.write(b"12345678", 100);
    })?;
    check!(ok!(page_shows(&vmo, 0)));
    let mut bytes = [0; 10];
    ok!(vmo.read(&mut bytes, 99));
    check_eq!(bytes, *b"\x0012345678\0");
    Ok(())
}

fn keys_tell_vmos_apart(_: &World) -> Case {
    let demand = ok!(Demand::new());
    for key in [0, 1, u64::MAX] {
        let vmo = ok!(demand.vmo(1, key));
        let reader = ok!(Reader::start(&vmo, 0, 1, Way::Call));
        check_eq!(ok!(demand.next()), Packet::Read(key, 0, 1));
        ok!(demand.supply(&vmo, 0, 1));
        check_eq!(ok!(reader.outcome()), Outcome::Right);
        drop(vmo);
        check_eq!(ok!(demand.next()), Packet::Complete(key));
    }
    Ok(())
}

fn packets_of_a_pager_and_of_users_share_a_port(_: &World) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(1, KEY));
    let user = zx_abi::PortPacket::user(7, zx_abi::Status::OK, [3; 32]);
    ok!(demand.port.queue(&user));
    let reader = ok!(Reader::start(&vmo, 0, 1, Way::Call));
    check!(reader.waits());
    ok!(demand.port.queue(&user));
    check_eq!(ok!(demand.port.wait(soon())).key, 7);
    check_eq!(ok!(demand.next()), Packet::Read(KEY, 0, 1));
    check_eq!(ok!(demand.port.wait(soon())).key, 7);
    ok!(demand.supply(&vmo, 0, 1));
    check_eq!(ok!(reader.outcome()), Outcome::Right);
    ok!(stamp(&vmo, 0, 1));
    Ok(())
}

fn zeroing_a_page_wakes_who_waits_for_it(world: &World) -> Case {
    home_only!(world);
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(4, KEY));
    let reader = ok!(Reader::start(&vmo, 0, 1, Way::Call));
    check_eq!(ok!(demand.next()), Packet::Read(KEY, 0, 1));
    let wider = ok!(Reader::start(&vmo, 1, 3, Way::Commit));
    check_eq!(ok!(demand.next()), Packet::Read(KEY, 1, 3));
    check!(reader.waits() && wider.waits());
    ok!(op(&vmo, ZERO, 0, 3));
    // It sees zero, which is not what the pager has.
    check_eq!(ok!(reader.outcome()), Outcome::Wrong);
    check!(wider.waits() && wider.is_busy());
    // What was zeroed is not supplied any more, and the rest is enough.
    ok!(demand.supply(&vmo, 1, 3));
    check_eq!(ok!(wider.outcome()), Outcome::Right);
    check_eq!(ok!(crate::pages::stamps(&vmo)), [0, 0, 0, supplied(3)]);
    Ok(())
}
