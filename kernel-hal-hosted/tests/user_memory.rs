//! User copies go through the active table, page by page, as far as permissions allow
#![cfg(test)]

use kernel_hal::addr::USER_BASE;
use kernel_hal::frame::{self, Frame};
use kernel_hal::paging::{MmuFlags, OutOfTables, PageTable};
use kernel_hal::user::{self, Access, Curable, UserFault, UserIn, UserOut};
use kernel_hal::PAGE_SIZE;
use kernel_hal_hosted::frame::{frames_in_use, set_frame_limit, FrameBalance};
use kernel_hal_hosted::init;
use kernel_hal_hosted::paging::active_root;

const READ: MmuFlags = MmuFlags {
    read: true,
    write: false,
    execute: false,
    cache: kernel_hal::paging::CachePolicy::Cached,
};
const WRITE: MmuFlags = MmuFlags {
    write: true,
    ..READ
};
const SECOND: usize = USER_BASE + PAGE_SIZE;

fn perhaps(addr: usize, access: Access) -> UserFault {
    UserFault {
        addr,
        access,
        curable: Curable::Perhaps,
    }
}

#[test]
fn a_copy_crosses_pages_whose_frames_do_not_adjoin() {
    init();
    let balance = FrameBalance::start();
    let (low, high) = (Frame::zeroed().unwrap(), Frame::zeroed().unwrap());
    let table = PageTable::new().unwrap();
    table
        .map(USER_BASE, &[high.addr(), low.addr()], WRITE)
        .unwrap();
    table.activate();
    user::write_bytes(SECOND - 2, b"abcd").unwrap();
    let mut tail = [0; 2];
    high.read(PAGE_SIZE - 2, &mut tail);
    assert_eq!(&tail, b"ab");
    low.read(0, &mut tail);
    assert_eq!(&tail, b"cd");
    assert_eq!(
        UserIn::<u32>::new(SECOND - 2).read(),
        Ok(u32::from_ne_bytes(*b"abcd"))
    );
    drop((table, low, high));
    drop(balance);
}

#[test]
fn a_fault_names_the_first_bad_byte_and_what_was_before_it_is_copied() {
    init();
    let page = Frame::zeroed().unwrap();
    let table = PageTable::new().unwrap();
    table.map(USER_BASE, &[page.addr()], WRITE).unwrap();
    assert_eq!(
        user::read_bytes(USER_BASE, &mut [0]),
        Err(perhaps(USER_BASE, Access::Read)),
        "no table is active"
    );
    table.activate();
    assert_eq!(
        user::write_bytes(SECOND - 2, b"abcd"),
        Err(perhaps(SECOND, Access::Write))
    );
    let mut tail = [0; 2];
    page.read(PAGE_SIZE - 2, &mut tail);
    assert_eq!(&tail, b"ab");
}

#[test]
fn a_read_only_page_refuses_stores_and_an_absent_one_loads() {
    init();
    let page = Frame::zeroed().unwrap();
    let table = PageTable::new().unwrap();
    table.map(USER_BASE, &[page.addr()], READ).unwrap();
    table.activate();
    assert_eq!(UserIn::<u64>::new(USER_BASE + 8).read(), Ok(0));
    assert_eq!(
        UserOut::<u32>::new(USER_BASE + 4).write(&1),
        Err(perhaps(USER_BASE + 4, Access::Write))
    );
    table.protect(USER_BASE, 1, MmuFlags::default());
    assert_eq!(table.query(USER_BASE), None);
    assert_eq!(
        user::read_bytes(USER_BASE, &mut [0]),
        Err(perhaps(USER_BASE, Access::Read))
    );
}

#[test]
fn a_word_that_crosses_into_a_bad_page_is_not_stored_in_part() {
    init();
    let page = Frame::zeroed().unwrap();
    let table = PageTable::new().unwrap();
    table.map(USER_BASE, &[page.addr()], WRITE).unwrap();
    table.activate();
    assert_eq!(user::raw_write_u32(SECOND - 2, u32::MAX), Err(SECOND));
    let mut tail = [1; 2];
    page.read(PAGE_SIZE - 2, &mut tail);
    assert_eq!(tail, [0, 0]);
}

#[test]
fn tables_cost_frames_and_run_out() {
    init();
    set_frame_limit(3);
    let page = Frame::zeroed().unwrap();
    let table = PageTable::new().unwrap();
    table.map(USER_BASE, &[page.addr()], WRITE).unwrap();
    table.map(SECOND, &[page.addr()], WRITE).unwrap();
    assert_eq!(frame::stats().page_tables, 2);
    assert_eq!(
        table.map(USER_BASE * 4, &[page.addr()], WRITE),
        Err(OutOfTables)
    );
    drop(table);
    assert_eq!(frames_in_use(), 1);
}

#[test]
fn unmapping_takes_only_the_range_and_skips_holes() {
    init();
    let page = Frame::zeroed().unwrap();
    let table = PageTable::new().unwrap();
    for index in [0, 2, 5] {
        table
            .map(USER_BASE + index * PAGE_SIZE, &[page.addr()], READ)
            .unwrap();
    }
    table.unmap(USER_BASE + PAGE_SIZE, 4);
    let mapped = |index: usize| table.query(USER_BASE + index * PAGE_SIZE).is_some();
    assert_eq!([0, 1, 2, 5].map(mapped), [true, false, false, true]);
}

#[test]
fn freeing_a_table_leaves_it_but_not_another_one() {
    init();
    let page = Frame::zeroed().unwrap();
    let (here, elsewhere) = (PageTable::new().unwrap(), PageTable::new().unwrap());
    here.map(USER_BASE, &[page.addr()], READ).unwrap();
    here.activate();
    drop(elsewhere);
    assert_eq!(user::read_bytes(USER_BASE, &mut [0]), Ok(()));
    drop(here);
    assert_eq!(active_root(), None);
}
