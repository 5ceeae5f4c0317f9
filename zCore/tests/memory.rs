//! Frames, heap and page tables: contents, exhaustion, and that everything comes back.
#![no_std]
#![no_main]
#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking, and its numbers are small"
)]

extern crate alloc;

mod support;

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use boot_info::BootInfo;
use kernel_hal::addr::PAGE_SIZE;
use kernel_hal::frame::{self, Frame, FrameBatch};
use kernel_hal::paging::{CachePolicy, MmuFlags, PageTable};
use kernel_hal::user;
use support::{addresses, frames, Space, ALL, DATA, DATA_AT};

const LARGE: usize = 2 << 20;

#[no_mangle]
unsafe extern "C" fn kernel_main(boot_info: *const BootInfo) -> ! {
    // SAFETY: called once by the entry code, with what rboot passed.
    unsafe {
        support::run(
            boot_info,
            &[
                ("heap_blocks_of_all_sizes_keep_their_contents", heap),
                ("what_the_heap_is_given_back_counts_as_free", heap_counts),
                ("fresh_frames_are_zero_and_copies_are_equal", contents),
                ("mappings_are_found_changed_and_removed", mappings),
                ("a_large_page_is_split_where_a_part_changes", large_pages),
                ("a_removed_translation_is_not_used_again", stale),
                ("dropping_another_table_leaves_the_active_one", other_table),
                ("user_pages_leave_the_reserve_to_the_kernel", exhaustion),
                ("an_address_space_gives_everything_back", leaks),
            ],
        )
    }
}

fn heap() {
    let mut blocks: Vec<Vec<u8>> = Vec::new();
    for round in 0..3 {
        for len in (1..3000).step_by(7).chain([4096, 10_000, 70_000, 300_000]) {
            blocks.push(vec![(len % 251) as u8; len]);
        }
        for (index, block) in blocks.iter().enumerate() {
            assert!(
                block.iter().all(|&byte| byte == (block.len() % 251) as u8),
                "round {round}, block {index}"
            );
        }
        let mut index = 0;
        blocks.retain(|_| {
            index += 1;
            index % 2 == 0
        });
    }
    #[repr(align(64))]
    struct Aligned([u8; 100]);
    for _ in 0..100 {
        let aligned = Box::new(Aligned([1; 100]));
        assert_eq!(aligned.0.as_ptr() as usize % 64, 0);
    }
}

fn heap_counts() {
    let in_use = || {
        let stats = frame::stats();
        stats.heap * PAGE_SIZE - stats.heap_free_bytes
    };
    let mut blocks: Vec<Vec<u8>> = Vec::with_capacity(128);
    for len in (16..=2048).step_by(16).chain([3000, 5000, 70_000]) {
        let before = in_use();
        // More than any list has.
        blocks.extend((0..100).map(|_| vec![0; len]));
        assert!(in_use() >= before + 100 * len);
        blocks.clear();
        assert_eq!(in_use(), before, "blocks of {len} bytes");
    }
}

fn contents() {
    for frame in frames(600) {
        frame.write(0, &[0xaa; PAGE_SIZE]);
    }
    let mut bytes = vec![1; PAGE_SIZE];
    for frame in frames(600) {
        frame.read(0, &mut bytes);
        assert!(bytes.iter().all(|&byte| byte == 0));
        let pattern: Vec<u8> = (0..PAGE_SIZE).map(|i| (i % 241) as u8).collect();
        frame.write(0, &pattern);
        frame.duplicate().unwrap().read(0, &mut bytes);
        assert_eq!(bytes, pattern);
    }
}

fn mappings() {
    let table = PageTable::new().unwrap();
    let pages = frames(700);
    table.map(DATA_AT, &addresses(&pages), DATA).unwrap();
    for (index, frame) in pages.iter().enumerate() {
        assert_eq!(
            table.query(DATA_AT + index * PAGE_SIZE),
            Some((frame.addr(), DATA))
        );
    }
    assert_eq!(table.query(DATA_AT - 1), None);
    let read_only = MmuFlags {
        write: false,
        ..DATA
    };
    table.protect(DATA_AT + PAGE_SIZE, 2, read_only);
    assert_eq!(table.query(DATA_AT).unwrap().1, DATA);
    assert_eq!(table.query(DATA_AT + 2 * PAGE_SIZE).unwrap().1, read_only);
    assert_eq!(table.query(DATA_AT + 3 * PAGE_SIZE).unwrap().1, DATA);
    table.protect(
        DATA_AT,
        1,
        MmuFlags {
            read: false,
            ..DATA
        },
    );
    assert_eq!(table.query(DATA_AT), None);
    table.unmap(0x100_0000, 0x7000_0000);
    assert_eq!(table.query(DATA_AT + 699 * PAGE_SIZE), None);
    let uncached = MmuFlags {
        cache: CachePolicy::Uncached,
        ..DATA
    };
    table
        .map(DATA_AT, &addresses(&pages[..1]), uncached)
        .unwrap();
    assert_eq!(table.query(DATA_AT).unwrap().1, uncached);
}

fn large_pages() {
    let table = PageTable::new().unwrap();
    let first = frame::raw_alloc_contiguous(512, 21).unwrap();
    assert_eq!(first.0 as usize % LARGE, 0);
    let before = frame::stats().page_tables;
    table.map_contiguous(0x4000_0000, first, 512, ALL).unwrap();
    assert_eq!(frame::stats().page_tables - before, 2);
    assert_eq!(
        table.query(0x4000_0000 + 0x12345).unwrap().0,
        first.add(0x12345)
    );
    table.protect(0x4000_0000, 512, DATA);
    assert_eq!(frame::stats().page_tables - before, 2);
    table.unmap(0x4000_0000 + PAGE_SIZE, 1);
    assert_eq!(frame::stats().page_tables - before, 3);
    assert_eq!(table.query(0x4000_0000), Some((first, DATA)));
    assert_eq!(table.query(0x4000_0000 + PAGE_SIZE), None);
    assert_eq!(
        table.query(0x4000_0000 + LARGE - PAGE_SIZE),
        Some((first.add((LARGE - PAGE_SIZE) as u64), DATA))
    );
    drop(table);
    assert_eq!(frame::stats().page_tables + 1, before);
    let all: Vec<_> = (0..512)
        .map(|page| first.add(page * PAGE_SIZE as u64))
        .collect();
    frame::raw_free_many(&all);
}

fn stale() {
    let space = Space::new(&[], 600);
    let touch = |page: usize| user::raw_write_u64(DATA_AT + page * PAGE_SIZE, 1);
    for (from, count) in [(0, 3), (10, 500)] {
        for page in from..from + count {
            touch(page).unwrap();
        }
        space.table.protect(
            DATA_AT + from * PAGE_SIZE,
            count,
            MmuFlags {
                write: false,
                ..DATA
            },
        );
        for page in from..from + count {
            assert!(touch(page).is_err());
            user::raw_read_u64(DATA_AT + page * PAGE_SIZE).unwrap();
        }
        space.table.unmap(DATA_AT + from * PAGE_SIZE, count);
        for page in from..from + count {
            assert!(user::raw_read_u64(DATA_AT + page * PAGE_SIZE).is_err());
        }
    }
    let other = frames(1);
    other[0].write(0, &[0x77; 8]);
    user::raw_read_u64(DATA_AT + 599 * PAGE_SIZE).unwrap();
    space
        .table
        .map(DATA_AT + 599 * PAGE_SIZE, &addresses(&other), DATA)
        .unwrap();
    assert_eq!(
        user::raw_read_u64(DATA_AT + 599 * PAGE_SIZE),
        Ok(0x7777_7777_7777_7777)
    );
}

fn other_table() {
    let space = Space::new(&[], 1);
    drop(PageTable::new());
    user::raw_write_u64(DATA_AT, 5).unwrap();
    drop(space);
    assert!(user::raw_read_u64(DATA_AT).is_err());
}

fn exhaustion() {
    let free = frame::stats().free;
    let mut taken = Vec::with_capacity(free);
    taken.extend(core::iter::from_fn(Frame::garbage));
    assert!(taken.len() > free / 2);
    assert!(frame::stats().free >= 200);
    assert_eq!(frame::raw_alloc_contiguous(2, 12), None);
    // The kernel can still answer.
    let table = PageTable::new().unwrap();
    table.map(DATA_AT, &addresses(&taken[..1]), DATA).unwrap();
    assert_eq!(vec![3_u8; 60_000].len(), 60_000);
    // Until it, too, has nothing left, and says so.
    let mut refused = false;
    for slot in 0..250 {
        refused |= table
            .map(DATA_AT + (slot << 39), &addresses(&taken[..1]), DATA)
            .is_err();
    }
    assert!(refused);
    let mut huge: Vec<u8> = Vec::new();
    assert!(huge.try_reserve_exact(1 << 40).is_err());
}

fn leaks() {
    let cycle = || {
        let space = Space::new(&[], 900);
        space
            .table
            .map(0x7f00_0000_0000, &addresses(&space.data), DATA)
            .unwrap();
        let mut batch = FrameBatch::new();
        for frame in frames(1300) {
            batch.push(frame);
        }
    };
    cycle();
    let before = frame::stats();
    for _ in 0..20 {
        cycle();
    }
    assert_eq!(frame::stats(), before);
}
