//! Copies to and from user memory: every length, and what happens where memory ends.
#![no_std]
#![no_main]
#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking, and its numbers are small"
)]

extern crate alloc;

mod support;

use alloc::vec;
use alloc::vec::Vec;
use boot_info::BootInfo;
use core::arch::asm;
use kernel_hal::addr::{PAGE_SIZE, USER_TOP};
use kernel_hal::frame::Frame;
use kernel_hal::paging::MmuFlags;
use kernel_hal::user::{self, Access, Curable};
use support::{Space, CODE_AT, DATA, DATA_AT};

/// All short lengths, and the longer ones at which the routine takes another way, with their neighbours.
fn lengths() -> impl Iterator<Item = usize> {
    let long = [
        191, 192, 193, 255, 256, 257, 511, 512, 513, 767, 768, 1025, 4096, 4097, 9000,
    ];
    (1..=130).chain(long)
}

#[no_mangle]
unsafe extern "C" fn kernel_main(boot_info: *const BootInfo) -> ! {
    // SAFETY: called once by the entry code, with what rboot passed.
    unsafe {
        support::run(
            boot_info,
            &[
                (
                    "copies_of_every_length_arrive_and_touch_nothing_else",
                    every_length,
                ),
                (
                    "a_copy_over_the_end_of_memory_names_the_first_bad_byte",
                    faults,
                ),
                ("what_lies_before_the_bad_byte_is_copied", partial),
                ("single_words_cross_pages_and_fault", words),
                ("writes_stop_at_the_first_read_only_byte", read_only),
                ("the_guard_is_closed_after_every_copy", guard),
                ("kernel_and_read_only_addresses_are_refused", refusals),
            ],
        )
    }
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i % 251) as u8 + 1).collect()
}

fn every_length() {
    let _space = Space::new(&[], 8);
    for len in lengths() {
        for start in [0, 1, 7, 13, 4000, 4095] {
            let sent = pattern(len);
            user::write_bytes(DATA_AT + start, &vec![0; len + 1]).unwrap();
            user::write_bytes(DATA_AT + start, &sent).unwrap();
            let mut got = vec![0xee; len + 1];
            user::read_bytes(DATA_AT + start, &mut got[..len]).unwrap();
            assert_eq!(got[..len], sent);
            assert_eq!(got[len], 0xee, "length {len}");
            user::read_bytes(DATA_AT + start + len, &mut got[..1]).unwrap();
            assert_eq!(got[0], 0, "length {len}");
        }
    }
}

fn faults() {
    let space = Space::new(&[], 2);
    for len in lengths() {
        for inside in (0..len.min(80)).chain([len - 1, len / 2]) {
            if inside > 8192 {
                continue;
            }
            let at = space.end() - inside;
            let mut buffer = vec![0; len];
            let fault = user::read_bytes(at, &mut buffer).unwrap_err();
            assert_eq!(
                (fault.addr, fault.curable),
                (space.end(), Curable::Perhaps),
                "read {len} at {at:#x}"
            );
            assert_eq!(
                user::write_bytes(at, &buffer).unwrap_err().addr,
                space.end(),
                "write {len} at {at:#x}"
            );
        }
    }
}

fn partial() {
    let space = Space::new(&[], 1);
    for inside in [1, 7, 63, 500, 1000, 4000] {
        let sent = pattern(5000);
        user::write_bytes(space.end() - inside, &sent).unwrap_err();
        let mut got = vec![0; inside];
        user::read_bytes(space.end() - inside, &mut got).unwrap();
        assert_eq!(got, sent[..inside]);
        let frame = Frame::zeroed().unwrap();
        assert_eq!(
            user::read_to_frame(space.end() - inside, &frame, 0, 4096)
                .unwrap_err()
                .addr,
            space.end()
        );
        frame.read(0, &mut got);
        assert_eq!(got, sent[..inside]);
    }
}

fn read_only() {
    let space = Space::new(&[], 3);
    let boundary = DATA_AT + PAGE_SIZE;
    let flags = MmuFlags {
        write: false,
        ..DATA
    };
    space.table.protect(boundary, 1, flags);
    let frame = Frame::zeroed().unwrap();
    for inside in [1, 3, 8, 64, 130, 700] {
        let at = boundary - inside;
        let mut buffer = vec![1; inside + 200];
        let fault = user::write_bytes(at, &buffer).unwrap_err();
        assert_eq!((fault.addr, fault.access), (boundary, Access::Write));
        let fault = user::write_from_frame(at, &frame, 0, inside + 1).unwrap_err();
        assert_eq!(fault.addr, boundary);
        user::read_bytes(at, &mut buffer).unwrap();
        user::read_to_frame(at, &frame, 0, inside + 1).unwrap();
    }
    assert_eq!(user::raw_write_u32(boundary - 3, 0), Err(boundary));
    assert_eq!(user::raw_write_u64(boundary - 1, 0), Err(boundary));
    user::raw_write_u64(boundary - 8, 1).unwrap();
    user::raw_write_u64(boundary + PAGE_SIZE, 1).unwrap();
}

/// Whether supervisor code may touch user pages now (EFLAGS.AC).
fn guard_is_open() -> bool {
    let flags: u64;
    // SAFETY: reads the flags by way of the stack, which is left as it was.
    unsafe { asm!("pushfq", "pop {}", out(reg) flags) }
    flags >> 18 & 1 == 1
}

fn guard() {
    let space = Space::new(&[], 1);
    let end = space.end();
    let frame = Frame::zeroed().unwrap();
    let mut buffer = vec![0; 600];
    for len in [1, 8, 16, 33, 64, 130, 600] {
        user::read_bytes(DATA_AT, &mut buffer[..len]).unwrap();
        assert!(!guard_is_open(), "after {len} bytes");
        user::write_bytes(end - len / 2, &buffer[..len]).unwrap_err();
        assert!(!guard_is_open(), "after a fault in {len} bytes");
        user::read_to_frame(end, &frame, 0, len).unwrap_err();
        assert!(!guard_is_open(), "after a fault in {len} bytes");
    }
    let words: [fn(usize) -> bool; 4] = [
        |at| user::raw_read_u32(at).is_ok(),
        |at| user::raw_read_u64(at).is_ok(),
        |at| user::raw_write_u32(at, 1).is_ok(),
        |at| user::raw_write_u64(at, 1).is_ok(),
    ];
    for word in words {
        assert!(word(DATA_AT) && !guard_is_open());
        assert!(!word(end) && !guard_is_open());
    }
}

fn words() {
    let space = Space::new(&[], 2);
    for at in [DATA_AT, DATA_AT + 4093, DATA_AT + 4097] {
        user::raw_write_u64(at, 0x1122_3344_5566_7788).unwrap();
        assert_eq!(user::raw_read_u64(at), Ok(0x1122_3344_5566_7788));
        assert_eq!(user::raw_read_u32(at), Ok(0x5566_7788));
        user::raw_write_u32(at, 0xffff_ffff).unwrap();
        assert_eq!(user::raw_read_u64(at), Ok(0x1122_3344_ffff_ffff));
    }
    let end = space.end();
    assert_eq!(user::raw_read_u32(end - 2), Err(end));
    assert_eq!(user::raw_read_u64(end), Err(end));
    assert_eq!(user::raw_write_u32(end - 1, 1), Err(end));
    assert_eq!(user::raw_write_u64(end - 7, 1), Err(end));
}

fn refusals() {
    let _space = Space::new(&[0x90], 1);
    for at in [
        0,
        0xff_ffff,
        USER_TOP - 4,
        0x8000_0000_0000,
        0xffff_8000_0000_0000,
        0xffff_ffff_8020_0000,
        usize::MAX - 3,
    ] {
        assert_eq!(user::write_bytes(at, &[1; 8]).unwrap_err().addr, at);
        assert_eq!(user::raw_write(at, &[1; 8]), Err(at));
        assert_eq!(user::raw_read_u64(at), Err(at));
    }
    assert_eq!(user::write_bytes(CODE_AT, &[1]).unwrap_err().addr, CODE_AT);
    assert_eq!(user::raw_write_u32(CODE_AT, 1), Err(CODE_AT));
    user::read_bytes(usize::MAX, &mut []).unwrap();
}
