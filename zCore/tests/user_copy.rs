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
use kernel_hal::addr::USER_TOP;
use kernel_hal::user::{self, Curable};
use support::{Space, CODE_AT, DATA_AT};

/// The lengths at which the routine takes another way, and their neighbours.
const LENGTHS: [usize; 30] = [
    1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 24, 31, 32, 33, 47, 63, 64, 65, 100, 127, 128, 300, 511,
    512, 513, 767, 1025, 4097, 9000,
];

#[no_mangle]
unsafe extern "C" fn kernel_main(boot_info: *const BootInfo) -> ! {
    // SAFETY: called once by the entry code, with what rboot passed.
    unsafe {
        support::run(
            boot_info,
            &[
                (
                    "copies_of_every_length_arrive_and_touch_nothing_else",
                    lengths,
                ),
                (
                    "a_copy_over_the_end_of_memory_names_the_first_bad_byte",
                    faults,
                ),
                ("what_lies_before_the_bad_byte_is_copied", partial),
                ("single_words_cross_pages_and_fault", words),
                ("kernel_and_read_only_addresses_are_refused", refusals),
            ],
        )
    }
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|i| (i % 251) as u8 + 1).collect()
}

fn lengths() {
    let _space = Space::new(&[], 8);
    for len in LENGTHS {
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
    for len in LENGTHS {
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
        let frame = kernel_hal::frame::Frame::zeroed().unwrap();
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
