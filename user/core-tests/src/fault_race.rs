//! Faults that meet each other, and faults that meet changes of their region or VMO.

use alloc::sync::Arc;
use core::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use libzx::{VmOptions, ZxError, ZxResult};
use zx_abi::exception::ExceptionType;

use crate::check::{check, check_eq, fail, ok, suite, Case};
use crate::crash::{Ending, Risky};
use crate::memory::PAGE;
use crate::pages::{
    committed, op, pages, resizable, same, snapshot, stamp_all, stamp_of, stamped, Region, View,
    COMMIT, DECOMMIT, PAGE64, READ_WRITE,
};
use crate::world::World;

suite! {
    "FaultRace":
    two_threads_that_touch_a_new_page_get_one,
    two_threads_that_store_to_a_shared_page_get_one_copy,
    threads_that_load_and_store_see_each_other,
    a_fault_against_an_unmap_ends_in_a_fault_of_its_own,
    a_fault_against_a_protect_ends_in_a_fault_of_its_own,
    a_fault_against_a_shrink_ends_in_a_fault_of_its_own,
    a_fault_against_the_end_of_its_region_ends_in_a_fault_of_its_own,
    a_fault_against_overmapping_sees_one_or_the_other,
    stores_against_a_decommit_leave_either,
    stores_against_a_snapshot_are_on_one_side_each,
    reads_of_a_process_against_an_unmap_are_whole_or_refused,
    commits_of_one_range_by_two_threads_give_one_set_of_pages,
}

const ROUNDS: i32 = 40;

/// Lets two threads begin each round together.
#[derive(Debug, Default)]
struct Rounds {
    begun: AtomicI32,
    done: AtomicI32,
}

impl Rounds {
    fn wait(number: &AtomicI32, round: i32) {
        while number.load(Ordering::SeqCst) < round {
            libzx::time::sleep_until(0);
        }
    }

    /// For the second thread: does `work` once in each round.
    fn follow(&self, mut work: impl FnMut(i32)) {
        for round in 1..=ROUNDS {
            Self::wait(&self.begun, round);
            work(round);
            self.done.store(round, Ordering::SeqCst);
        }
    }

    /// For the first thread.
    fn begin(&self, round: i32) {
        self.begun.store(round, Ordering::SeqCst);
    }

    fn end(&self, round: i32) {
        Self::wait(&self.done, round);
    }
}

fn two_threads_that_touch_a_new_page_get_one(_: &World) -> Case {
    let vmo = ok!(pages(ROUNDS as u64 + 1));
    let view = Arc::new(ok!(View::new(&vmo, ROUNDS as usize + 1)));
    let rounds = Arc::new(Rounds::default());
    let (seconds, other) = (Arc::clone(&rounds), Arc::clone(&view));
    let second = ok!(libzx::thread::spawn("second", move || {
        seconds.follow(|round| libzx::raw::poke(other.at(page_of(round)) + 8, 2));
    }));
    for round in 1..=ROUNDS {
        rounds.begin(round);
        view.store(page_of(round), 1);
        rounds.end(round);
        let at = view.at(page_of(round));
        check_eq!((libzx::raw::peek(at), libzx::raw::peek(at + 8)), (1, 2));
        check_eq!(ok!(committed(&vmo)), round as u64);
    }
    ok!(second.join());
    Ok(())
}

fn page_of(round: i32) -> usize {
    usize::try_from(round).unwrap_or_default()
}

fn two_threads_that_store_to_a_shared_page_get_one_copy(world: &World) -> Case {
    let vmo = ok!(stamped(ROUNDS as u64 + 1, 10));
    let copy = ok!(snapshot(world, &vmo, 0, ROUNDS as u64 + 1));
    let view = Arc::new(ok!(View::new(&copy, ROUNDS as usize + 1)));
    let rounds = Arc::new(Rounds::default());
    let (seconds, other) = (Arc::clone(&rounds), Arc::clone(&view));
    let second = ok!(libzx::thread::spawn("second", move || {
        seconds.follow(|round| libzx::raw::poke(other.at(page_of(round)) + 8, 2));
    }));
    for round in 1..=ROUNDS {
        rounds.begin(round);
        view.store(page_of(round), 1);
        rounds.end(round);
        let at = view.at(page_of(round));
        check_eq!((libzx::raw::peek(at), libzx::raw::peek(at + 8)), (1, 2));
        check_eq!(ok!(committed(&copy)), round as u64);
        check_eq!(ok!(stamp_of(&vmo, round as u64)), 10 + round as u64);
    }
    ok!(second.join());
    Ok(())
}

fn threads_that_load_and_store_see_each_other(_: &World) -> Case {
    let vmo = ok!(pages(1));
    let (view, other) = (ok!(View::new(&vmo, 1)), ok!(View::new(&vmo, 1)));
    check_eq!(view.load(0), 0);
    let writer = ok!(libzx::thread::spawn("writer", move || {
        // Its first store takes the zeros out of the other mapping too.
        for number in 1..=100 {
            other.store(0, number);
            libzx::time::sleep_until(0);
        }
    }));
    let mut last = 0;
    while last < 100 {
        let seen = view.load(0);
        check!(seen >= last);
        last = seen;
        libzx::time::sleep_until(0);
    }
    ok!(writer.join());
    Ok(())
}

const COUNT: usize = 16;

/// A thread stores to every page of a region, again and again, while `change` comes; its end must be a fault inside.
fn ends_inside(change: impl FnOnce(&Region, &libzx::Vmo) -> ZxResult) -> Case {
    let vmo = ok!(resizable(COUNT as u64));
    let region = ok!(Region::new(COUNT));
    let base = ok!(region.map(0, &vmo, 0, COUNT, READ_WRITE));
    let running = Arc::new(AtomicBool::new(false));
    let started = Arc::clone(&running);
    let risky = ok!(Risky::start(move || loop {
        for page in 0..COUNT {
            libzx::raw::poke(base + page * PAGE, 1);
        }
        started.store(true, Ordering::SeqCst);
        libzx::time::sleep_until(0);
    }));
    while !running.load(Ordering::SeqCst) {
        libzx::time::sleep_until(0);
    }
    ok!(change(&region, &vmo));
    match ok!(risky.ending()) {
        Ending::Crash(Some(ExceptionType::FatalPageFault), at) => {
            let range = base as u64..(base + COUNT * PAGE) as u64;
            check!(range.contains(&at) && at.is_multiple_of(PAGE64));
        }
        other => fail!("the thread ended with {other:?}"),
    }
    Ok(())
}

fn a_fault_against_an_unmap_ends_in_a_fault_of_its_own(_: &World) -> Case {
    for page in [0, 7, COUNT - 1] {
        ends_inside(|region, _| region.vmar.unmap(region.at(page), PAGE))?;
    }
    Ok(())
}

fn a_fault_against_a_protect_ends_in_a_fault_of_its_own(_: &World) -> Case {
    for flags in [VmOptions::PERM_READ, VmOptions::empty()] {
        ends_inside(|region, _| region.vmar.protect(flags, region.at(3), 2 * PAGE))?;
    }
    Ok(())
}

fn a_fault_against_a_shrink_ends_in_a_fault_of_its_own(_: &World) -> Case {
    for left in [0, 5] {
        ends_inside(|_, vmo| vmo.set_size(left * PAGE64))?;
    }
    Ok(())
}

fn a_fault_against_the_end_of_its_region_ends_in_a_fault_of_its_own(_: &World) -> Case {
    ends_inside(|region, _| region.vmar.destroy())
}

fn a_fault_against_overmapping_sees_one_or_the_other(_: &World) -> Case {
    let (first, second) = (ok!(stamped(1, 1)), ok!(stamped(1, 2)));
    let region = Arc::new(ok!(Region::new(1)));
    let at = ok!(region.map(0, &first, 0, 1, VmOptions::PERM_READ));
    let rounds = Arc::new(Rounds::default());
    let (seconds, place) = (Arc::clone(&rounds), Arc::clone(&region));
    let changer = ok!(libzx::thread::spawn("changer", move || {
        let overwrite = VmOptions::PERM_READ | VmOptions::SPECIFIC_OVERWRITE;
        seconds.follow(|round| {
            let vmo = if round % 2 == 0 { &first } else { &second };
            let _ = place.vmar.map(overwrite, 0, vmo, 0, PAGE);
        });
    }));
    for round in 1..=ROUNDS {
        rounds.begin(round);
        let seen = libzx::raw::peek(at);
        check!(seen == 1 || seen == 2);
        rounds.end(round);
        check_eq!(libzx::raw::peek(at), if round % 2 == 0 { 1 } else { 2 });
    }
    ok!(changer.join());
    Ok(())
}

fn stores_against_a_decommit_leave_either(_: &World) -> Case {
    let vmo = ok!(pages(1));
    let view = ok!(View::new(&vmo, 1));
    let rounds = Arc::new(Rounds::default());
    let (seconds, other) = (Arc::clone(&rounds), ok!(same(&vmo)));
    let decommitter = ok!(libzx::thread::spawn("decommitter", move || {
        seconds.follow(|_| {
            let _ = op(&other, DECOMMIT, 0, 1);
        });
    }));
    for round in 1..=ROUNDS {
        view.store(0, 7);
        rounds.begin(round);
        view.store(0, 8);
        rounds.end(round);
        let seen = view.load(0);
        check!(seen == 0 || seen == 8);
        check_eq!(ok!(stamp_of(&vmo, 0)), seen);
        check_eq!(ok!(committed(&vmo)), u64::from(seen == 8));
    }
    ok!(decommitter.join());
    Ok(())
}

fn stores_against_a_snapshot_are_on_one_side_each(world: &World) -> Case {
    let vmo = ok!(stamped(1, 0));
    let view = ok!(View::new(&vmo, 1));
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let writer = ok!(libzx::thread::spawn("writer", move || {
        let mut number = 0;
        while !stopped.load(Ordering::SeqCst) {
            number += 1;
            // Two words of a page, the second one always behind or equal.
            libzx::raw::poke(view.at(0), number);
            libzx::raw::poke(view.at(0) + 8, number);
            libzx::time::sleep_until(0);
        }
    }));
    let mut last = 0;
    for _ in 0..ROUNDS {
        let copy = ok!(snapshot(world, &vmo, 0, 1));
        let mut bytes = [0; 16];
        ok!(copy.read(&mut bytes, 0));
        libzx::time::sleep_until(0);
        let mut again = [0; 16];
        ok!(copy.read(&mut again, 0));
        // What a snapshot shows does not change.
        check_eq!(bytes, again);
        let first = u64::from_le_bytes([
            bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7],
        ]);
        check!(first >= last);
        last = first;
    }
    stop.store(true, Ordering::SeqCst);
    ok!(writer.join());
    Ok(())
}

fn reads_of_a_process_against_an_unmap_are_whole_or_refused(_: &World) -> Case {
    let vmo = ok!(stamped(2, 7));
    let region = Arc::new(ok!(Region::new(2)));
    let rounds = Arc::new(Rounds::default());
    let (seconds, place, memory) = (Arc::clone(&rounds), Arc::clone(&region), ok!(same(&vmo)));
    let changer = ok!(libzx::thread::spawn("changer", move || {
        seconds.follow(|_| {
            let _ = place.map(0, &memory, 0, 2, VmOptions::PERM_READ);
            libzx::time::sleep_until(0);
            let _ = place.vmar.unmap(place.base, 2 * PAGE);
        });
    }));
    let own = ok!(crate::process_memory::own());
    for round in 1..=ROUNDS {
        rounds.begin(round);
        for _ in 0..4 {
            let mut bytes = [0; 8];
            match own.read_memory(region.base, &mut bytes) {
                Ok(count) => check_eq!((count, u64::from_le_bytes(bytes)), (8, 7)),
                Err(error) => check_eq!(error, ZxError::NoMemory),
            }
        }
        rounds.end(round);
    }
    ok!(changer.join());
    Ok(())
}

fn commits_of_one_range_by_two_threads_give_one_set_of_pages(_: &World) -> Case {
    let vmo = ok!(resizable(8));
    let rounds = Arc::new(Rounds::default());
    let (seconds, other) = (Arc::clone(&rounds), ok!(same(&vmo)));
    let second = ok!(libzx::thread::spawn("second", move || {
        seconds.follow(|_| {
            let _ = op(&other, COMMIT, 0, 8);
        });
    }));
    for round in 1..=ROUNDS {
        ok!(vmo.set_size(0));
        ok!(vmo.set_size(8 * PAGE64));
        rounds.begin(round);
        ok!(op(&vmo, COMMIT, 2, 4));
        ok!(stamp_all(&vmo, 8, 1));
        rounds.end(round);
        check_eq!(ok!(committed(&vmo)), 8);
        check_eq!(ok!(stamp_of(&vmo, 7)), 8);
    }
    ok!(second.join());
    Ok(())
}
