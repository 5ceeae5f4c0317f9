//! Memory that runs out: the answer is an error, and what is given back can be had again.
#![no_std]
#![no_main]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a panic is how a case fails"
)]

extern crate alloc;

mod support;

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec;
use alloc::vec::Vec;
use boot_info::BootInfo;
use kernel_hal::addr::PAGE_SIZE;
use kernel_hal::context::{self, UserContext};
use kernel_hal::frame::{self, Fill, Frame};
use kernel_hal::paging::PageTable;
use kernel_hal::PhysAddr;
use support::{frames, Space, CODE_AT};

const CONTEXTS: usize = 200;

#[no_mangle]
unsafe extern "C" fn kernel_main(boot_info: *const BootInfo) -> ! {
    // SAFETY: called once by the entry code, with what rboot passed.
    unsafe {
        support::run(
            boot_info,
            &[
                ("frames_are_counted_and_each_is_given_out_once", counts),
                (
                    "adjoining_frames_are_aligned_zeroed_and_distinct",
                    adjoining,
                ),
                ("frames_run_out_and_come_back", frames_run_out),
                ("small_gaps_join_to_adjoining_frames_again", gaps_join),
                ("page_tables_run_out_and_come_back", tables_run_out),
                ("the_heap_runs_out_as_an_error_and_recovers", heap_runs_out),
            ],
        )
    }
}

fn counts() {
    let total = frame::stats().total;
    for size in [1, 2, 255, 256, 257, 2048, 2049, 5000] {
        let mut taken = vec![PhysAddr(0); size];
        let free_or_heap = || frame::stats().free + frame::stats().heap;
        let (free, sum) = (frame::stats().free, free_or_heap());
        assert_eq!(frame::raw_alloc_many(&mut taken, Fill::Garbage), size);
        assert_eq!(frame::stats().free, free - size);
        let distinct: BTreeSet<_> = taken.iter().map(|frame| frame.0).collect();
        assert_eq!(distinct.len(), size);
        assert!(taken
            .iter()
            .all(|frame| frame.is_page_aligned() && frame.0 != 0));
        // Back one by one and all at once.
        let (single, batch) = taken.split_at(size / 3);
        single.iter().for_each(|&frame| frame::raw_free(frame));
        frame::raw_free_many(batch);
        // The set may have made the heap grow.
        assert_eq!(free_or_heap(), sum);
    }
    assert_eq!(frame::stats().total, total);
}

fn give_back(first: PhysAddr, pages: usize) {
    let all: Vec<PhysAddr> = (0..pages)
        .map(|page| first.add((page * PAGE_SIZE) as u64))
        .collect();
    frame::raw_free_many(&all);
}

fn adjoining() {
    let mut blocks = Vec::new();
    let mut bytes = vec![1; PAGE_SIZE];
    for (pages, align_log2) in [
        (1, 12),
        (1, 21),
        (2, 12),
        (3, 13),
        (7, 16),
        (8, 20),
        (16, 16),
        (100, 12),
        (512, 21),
        (600, 21),
        (33, 22),
    ] {
        let first = frame::raw_alloc_contiguous(pages, align_log2).expect("no memory");
        assert_eq!(first.0 % (1 << align_log2), 0, "{pages} pages");
        for page in 0..pages {
            let at = first.add((page * PAGE_SIZE) as u64);
            frame::phys_read(at, &mut bytes);
            assert!(bytes.iter().all(|&byte| byte == 0), "{pages} pages");
            frame::phys_write(at, &[0xcc; PAGE_SIZE]);
        }
        blocks.push((first.0, first.0 + (pages * PAGE_SIZE) as u64));
    }
    blocks.sort_unstable();
    assert!(
        blocks.windows(2).all(|pair| pair[0].1 <= pair[1].0),
        "two blocks overlap"
    );
    for (start, end) in blocks {
        give_back(
            PhysAddr(start),
            usize::try_from(end - start).unwrap() / PAGE_SIZE,
        );
    }
    assert_eq!(frame::raw_alloc_contiguous(0, 12), None);
    assert_eq!(frame::raw_alloc_contiguous(1 << 40, 12), None);
    assert_eq!(frame::raw_alloc_contiguous(1, 40), None);
}

fn frames_run_out() {
    for _ in 0..2 {
        let before = frame::stats();
        let mut taken = vec![PhysAddr(0); before.free];
        let count = frame::raw_alloc_many(&mut taken, Fill::Garbage);
        assert!(count > before.free / 2 && count < before.free);
        assert_eq!(Frame::zeroed(), None);
        assert_eq!(frame::raw_alloc(Fill::Garbage), None);
        assert_eq!(frame::raw_alloc_many(&mut [PhysAddr(0); 4], Fill::Zero), 0);
        assert_eq!(frame::raw_alloc_contiguous(1, 12), None);
        frame::raw_free_many(&taken[..count]);
        drop(taken);
        let after = frame::stats();
        assert_eq!(after.free + after.heap, before.free + before.heap);
        assert!(Frame::zeroed().is_some());
    }
}

fn gaps_join() {
    // All of memory in single frames, given back in an order that has nothing to do with their addresses.
    let mut taken = vec![PhysAddr(0); frame::stats().free];
    let count = frame::raw_alloc_many(&mut taken, Fill::Garbage);
    let step = 1009;
    for offset in 0..step {
        for &frame in taken[..count].iter().skip(offset).step_by(step) {
            frame::raw_free(frame);
        }
    }
    let large = frame::raw_alloc_contiguous(512, 21).expect("memory is in pieces");
    give_back(large, 512);
    // Nothing is free but the frames of one large page, the odd ones first.
    let count = frame::raw_alloc_many(&mut taken, Fill::Garbage);
    let taken = &mut taken[..count];
    taken.sort_unstable();
    let is_large =
        |run: &[PhysAddr]| run[0].0.is_multiple_of(512 << 12) && run[511] == run[0].add(511 << 12);
    let at = taken
        .windows(512)
        .position(is_large)
        .expect("no large page");
    let (first, last) = (taken[at], at + 512);
    for odd in [1, 0] {
        taken[at + odd..last]
            .iter()
            .step_by(2)
            .for_each(|&frame| frame::raw_free(frame));
    }
    assert_eq!(frame::raw_alloc_contiguous(512, 21), Some(first));
    frame::raw_free_many(taken);
}

fn tables_run_out() {
    let before = frame::stats();
    let page = frames(1);
    let table = PageTable::new().expect("no memory");
    let mut taken: Vec<Frame> = Vec::with_capacity(before.free);
    taken.extend(core::iter::from_fn(Frame::garbage));
    let mut mapped = 0;
    let refused = (0..255_usize).any(|slot| {
        let at = (slot << 39) + CODE_AT;
        let result = table.map(at, &[page[0].addr()], support::DATA);
        mapped += usize::from(result.is_ok());
        result.is_err()
    });
    assert!(refused && mapped > 10);
    // The tables that were made for the place that was refused came back; they were two at most.
    let roots = [(); 3].map(|()| PageTable::new());
    assert!(roots.iter().any(Option::is_none));
    drop(roots);
    assert!(table.query(CODE_AT).is_some());
    drop(taken);
    // The place that was refused works now.
    table
        .map((mapped << 39) + CODE_AT, &[page[0].addr()], support::DATA)
        .expect("memory is back");
    assert_eq!(
        table
            .query((mapped << 39) + CODE_AT)
            .map(|(frame, _)| frame),
        Some(page[0].addr())
    );
    drop(table);
    drop(page);
    let after = frame::stats();
    assert_eq!(
        (after.page_tables, after.free + after.heap),
        (before.page_tables, before.free + before.heap)
    );
}

/// Takes blocks until there are no more of this size.
fn take_all(block_bytes: usize, into: &mut Vec<Vec<u8>>) -> usize {
    let before = into.len();
    loop {
        let mut block: Vec<u8> = Vec::new();
        if block.try_reserve_exact(block_bytes).is_err() || into.len() == into.capacity() {
            return into.len() - before;
        }
        block.resize(block_bytes, 0x5a);
        into.push(block);
    }
}

fn heap_runs_out() {
    let mut huge: Vec<u8> = Vec::new();
    assert!(huge.try_reserve_exact(1 << 45).is_err());
    assert!(huge.try_reserve_exact(isize::MAX as usize).is_err());
    let space = Space::new(&[0x0f, 0x05], 1);
    let mut thread = space.thread(0);
    let mut contexts: Vec<UserContext> = Vec::with_capacity(CONTEXTS);
    let mut blocks: Vec<Vec<u8>> = Vec::with_capacity(40_000);
    assert!(take_all(1 << 20, &mut blocks) > 5);
    for size in [60_000, 5000, 1500, 300, 64, 16] {
        take_all(size, &mut blocks);
    }
    assert!(blocks.len() < blocks.capacity());
    // What earlier tests gave back may serve a few.
    contexts.extend(core::iter::from_fn(|| UserContext::new(CODE_AT, 0, 0, 0)).take(CONTEXTS));
    assert!(contexts.len() < CONTEXTS);
    assert!(PageTable::new().is_none());
    // Threads that are there go on.
    assert_eq!(support::run_until_trap(&mut thread), context::Trap::Syscall);
    assert!(blocks
        .iter()
        .all(|block| block.iter().all(|&byte| byte == 0x5a)));
    drop(blocks);
    let again = Box::new([7_u8; 200_000]);
    assert!(again.iter().all(|&byte| byte == 7));
    assert!(UserContext::new(CODE_AT, 0, 0, 0).is_some());
    let mut large: Vec<u8> = Vec::new();
    assert!(large.try_reserve_exact(1 << 20).is_ok());
}
