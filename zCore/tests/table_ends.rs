//! The end of page tables: when they are given back, that nobody walks them then, and that they come again empty.
#![no_std]
#![no_main]
#![expect(clippy::unwrap_used, reason = "a panic is how a case fails")]

extern crate alloc;

mod support;

use alloc::vec::Vec;
use boot_info::BootInfo;
use kernel_hal::addr::{USER_BASE, USER_TOP};
use kernel_hal::frame::{self, Fill};
use kernel_hal::paging::{MmuFlags, PageTable};
use kernel_hal::{user, PhysAddr, PAGE_SIZE};
use support::{addresses, frames, DATA, DATA_AT};

const LARGE: usize = 2 << 20;
const READ_ONLY: MmuFlags = MmuFlags {
    write: false,
    ..DATA
};

#[no_mangle]
unsafe extern "C" fn kernel_main(boot_info: *const BootInfo) -> ! {
    // SAFETY: called once by the entry code, with what rboot passed.
    unsafe {
        support::run(
            boot_info,
            &[
                ("tables_that_map_nothing_any_more_are_given_back", pruning),
                ("a_table_that_was_given_back_is_not_walked", reuse),
                ("what_is_alone_goes_with_its_tables", alone),
                ("any_order_of_changes_gives_all_tables_back", any_order),
            ],
        )
    }
}

fn give_back(first: PhysAddr, pages: usize) {
    let all: Vec<PhysAddr> = (0..pages)
        .map(|page| first.add((page * PAGE_SIZE) as u64))
        .collect();
    frame::raw_free_many(&all);
}

/// Frames that are free or the heap's, which grows as cases need it; and those of page tables.
fn unused() -> (usize, usize) {
    let stats = frame::stats();
    (stats.free + stats.heap, stats.page_tables)
}

/// Overwrites what is free with entries that map `frame` for everybody, and gives it back.
fn spoil(frame: PhysAddr) {
    let mut taken = alloc::vec![PhysAddr(0); 3000];
    let count = frame::raw_alloc_many(&mut taken, Fill::Garbage);
    let entries: Vec<u8> = (0..512).flat_map(|_| (frame.0 | 7).to_le_bytes()).collect();
    for free in &taken[..count] {
        frame::phys_write(*free, &entries);
    }
    frame::raw_free_many(&taken[..count]);
}

fn pruning() {
    let before = unused();
    let pages = frames(1);
    let frame = addresses(&pages);
    let others = frame::stats().page_tables;
    let tables = || frame::stats().page_tables - others;
    let table = PageTable::new().unwrap();
    let places: Vec<usize> = [12, 21, 22, 30, 31, 39, 46]
        .iter()
        .map(|shift| USER_BASE + (1 << shift))
        .chain([USER_TOP - PAGE_SIZE])
        .collect();
    let mut steps = alloc::vec![tables()];
    for at in &places {
        table.map(*at, &frame, DATA).unwrap();
        steps.push(tables());
    }
    assert!(steps.last() > Some(&12), "{steps:?}");
    for at in places.iter().rev() {
        assert_eq!(Some(tables()), steps.pop());
        table.unmap(*at, 1);
        // A second time takes nothing more.
        table.unmap(*at, 1);
    }
    assert_eq!(steps, [tables()]);
    for at in &places {
        table.map(*at, &frame, DATA).unwrap();
    }
    let nothing = MmuFlags {
        read: false,
        ..DATA
    };
    for at in &places {
        table.protect(*at, 1, nothing);
    }
    assert_eq!(tables(), 1);
    drop((table, pages));
    assert_eq!(tables(), 0);
    assert_eq!(unused(), before);
}

fn reuse() {
    let (mine, other) = (frames(2), frames(1));
    other[0].write(0, &[0x55; 8]);
    let table = PageTable::new().unwrap();
    table.activate();
    for at in [DATA_AT, 1 << 35, 1 << 45] {
        for turn in 0..4_u64 {
            let frame = addresses(&mine[..1]);
            table.map(at, &frame, DATA).unwrap();
            user::raw_write_u64(at, turn).unwrap();
            table.unmap(at, 1);
            // What the tables were now maps everything, should somebody still walk them.
            spoil(other[0].addr());
            assert_eq!(user::raw_read_u64(at), Err(at));
            assert_eq!(user::raw_read_u64(at + PAGE_SIZE), Err(at + PAGE_SIZE));
            // Tables come back empty.
            table.map(at, &addresses(&mine[1..]), READ_ONLY).unwrap();
            assert_eq!(user::raw_read_u64(at), Ok(0));
            assert_eq!(user::raw_read_u64(at + PAGE_SIZE), Err(at + PAGE_SIZE));
            table.unmap(at, 1);
        }
    }
}

fn alone() {
    const PAGES: usize = 1300;
    let before = unused();
    let pages = frames(PAGES);
    let table = PageTable::new().unwrap();
    table.activate();
    let at = 0x4000_0000 - 17 * PAGE_SIZE;
    let neighbours = [at - 3 * PAGE_SIZE, at + PAGES * PAGE_SIZE];
    let touch = |page: usize| user::raw_write_u64(at + page * PAGE_SIZE, 1);
    for room in [
        0..USER_TOP,
        at - 5 * LARGE..at + PAGES * PAGE_SIZE + LARGE,
        at - LARGE..at + PAGES * PAGE_SIZE,
        at..at + PAGES * PAGE_SIZE,
    ] {
        let tables = frame::stats().page_tables;
        table.map(at, &addresses(&pages), DATA).unwrap();
        (0..PAGES).for_each(|page| touch(page).unwrap());
        table.unmap_alone(at, PAGES, room);
        assert_eq!(frame::stats().page_tables, tables);
        spoil(pages[0].addr());
        (0..PAGES).for_each(|page| assert!(touch(page).is_err(), "page {page}"));
    }
    for neighbour in neighbours {
        table.map(neighbour, &addresses(&pages[..1]), DATA).unwrap();
        user::raw_write_u64(neighbour, 1).unwrap();
    }
    table.map(at, &addresses(&pages), DATA).unwrap();
    table.unmap_alone(at, PAGES, neighbours[0] + PAGE_SIZE..neighbours[1]);
    assert!((0..PAGES).all(|page| touch(page).is_err()));
    assert!(neighbours.iter().all(|at| user::raw_read_u64(*at) == Ok(1)));
    drop((table, pages));
    assert_eq!(unused(), before);
}

/// Random changes beside a list of what is mapped: pages by number, with the number of the frame and whether it is writable.
fn any_order() {
    const SPAN: usize = 3 * 512;
    let block = frame::raw_alloc_contiguous(SPAN, 21).unwrap();
    let before = unused();
    let table = PageTable::new().unwrap();
    let empty = frame::stats().page_tables;
    let base = (1 << 39) - LARGE;
    let mut mapped: Vec<Option<(usize, bool)>> = alloc::vec![None; SPAN];
    let mut random = 7_u64;
    let mut draw = |below: usize| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (random >> 33) as usize % below
    };
    for round in 0..4000 {
        let first = match draw(3) {
            0 => draw(3) * 512,
            _ => draw(SPAN),
        };
        let most = [1, 4, 40, SPAN][draw(4)];
        let count = 1 + draw(most.min(SPAN - first));
        let at = base + first * PAGE_SIZE;
        let range = first..first + count;
        let flags = if draw(2) == 0 { DATA } else { READ_ONLY };
        match draw(if round % 1000 < 500 { 8 } else { 5 }) {
            0 | 1 => {
                table.unmap(at, count);
                mapped[range].fill(None);
            }
            2 => {
                // All that is free around it is its own.
                let start = mapped[..first].iter().rposition(Option::is_some);
                let end = mapped[first + count..].iter().position(Option::is_some);
                let start = start.map_or(0, |page| base + (page + 1) * PAGE_SIZE);
                let end = end.map_or(USER_TOP, |page| at + (count + page) * PAGE_SIZE);
                table.unmap_alone(at, count, start..end);
                mapped[range].fill(None);
            }
            3 => {
                table.protect(at, count, flags);
                for (_, write) in mapped[range].iter_mut().flatten() {
                    *write = flags.write;
                }
            }
            4 => {
                let from = block.add((first * PAGE_SIZE) as u64);
                table.map_contiguous(at, from, count, flags).unwrap();
                for page in range {
                    mapped[page] = Some((page, flags.write));
                }
            }
            _ => {
                let wanted: Vec<usize> = (0..count.min(64)).map(|_| draw(SPAN)).collect();
                let frames: Vec<PhysAddr> = wanted
                    .iter()
                    .map(|frame| block.add((frame * PAGE_SIZE) as u64))
                    .collect();
                table.map(at, &frames, flags).unwrap();
                for (page, frame) in (first..).zip(wanted) {
                    mapped[page] = Some((frame, flags.write));
                }
            }
        }
        for _ in 0..16 {
            let page = draw(SPAN);
            let found = table.query(base + page * PAGE_SIZE);
            let expected = mapped[page].map(|(frame, write)| {
                let at = block.add((frame * PAGE_SIZE) as u64);
                (at, MmuFlags { write, ..DATA })
            });
            assert_eq!(found, expected, "round {round}, page {page}");
        }
        if mapped.iter().all(Option::is_none) {
            assert_eq!(frame::stats().page_tables, empty, "round {round}");
        }
    }
    table.unmap(base, SPAN);
    assert_eq!(frame::stats().page_tables, empty);
    drop(table);
    assert_eq!(unused(), before);
    give_back(block, SPAN);
}
