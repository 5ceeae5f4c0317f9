//! Frames have accounts, and misuse of one is a panic that names it
#![cfg(test)]

use kernel_hal::frame::{self, Fill, Frame};
use kernel_hal_hosted::frame::{
    boot_memory, frames_in_use, set_frame_limit, FrameBalance, GARBAGE,
};
use kernel_hal_hosted::{init, Machine};

#[test]
fn limit_and_statistics_follow_allocation() {
    init();
    set_frame_limit(3);
    let (first, second, third) = (Frame::zeroed(), Frame::garbage(), Frame::zeroed());
    assert!(first.is_some() && third.is_some());
    assert!(Frame::zeroed().is_none());
    assert_eq!((frame::stats().total, frame::stats().free), (3, 0));
    drop(second);
    assert!(frame::raw_alloc_contiguous(2, 0).is_none());
    assert_eq!(
        frame::raw_alloc_many(&mut [kernel_hal::PhysAddr(0); 2], Fill::Zero),
        1
    );
}

#[test]
fn contents_are_filled_kept_and_copied() {
    init();
    let mut bytes = [1; 8];
    Frame::zeroed().unwrap().read(4088, &mut bytes);
    assert_eq!(bytes, [0; 8]);
    let page = Frame::garbage().unwrap();
    page.write(2, b"hello");
    page.duplicate().unwrap().read(0, &mut bytes);
    assert_eq!(
        bytes,
        [GARBAGE, GARBAGE, b'h', b'e', b'l', b'l', b'o', GARBAGE]
    );
}

#[test]
fn contiguous_frames_adjoin_and_are_aligned_and_zero() {
    init();
    let at = frame::raw_alloc_contiguous(3, 16).unwrap();
    assert_eq!(at.0 % (1 << 16), 0);
    let mut bytes = vec![1; 3 * 4096];
    frame::phys_read(at, &mut bytes);
    assert!(bytes.iter().all(|byte| *byte == 0));
}

#[test]
fn boot_memory_is_readable_and_on_no_account() {
    init();
    let at = boot_memory(&[7; 5000]);
    let mut bytes = [0; 3];
    frame::phys_read(at.add(4998), &mut bytes);
    assert_eq!(bytes, [7, 7, 0]);
    assert_eq!(frames_in_use(), 0);
}

#[test]
#[should_panic(expected = "freed twice")]
fn freeing_twice_panics() {
    init();
    let at = frame::raw_alloc(Fill::Zero).unwrap();
    frame::raw_free(at);
    frame::raw_free(at);
}

#[test]
#[should_panic(expected = "is not RAM: the frame was freed")]
fn reading_a_freed_frame_panics() {
    init();
    let at = frame::raw_alloc(Fill::Zero).unwrap();
    frame::raw_free(at);
    let _next = Frame::zeroed();
    frame::phys_read(at, &mut [0]);
}

#[test]
#[should_panic(expected = "differ")]
fn a_leak_shows_in_the_balance() {
    init();
    let balance = FrameBalance::start();
    let _leaked = Frame::zeroed().unwrap().into_raw();
    drop(balance);
}

#[test]
fn a_thread_that_enters_the_machine_shares_its_account() {
    init();
    set_frame_limit(1);
    let machine = Machine::current();
    let frame = std::thread::spawn(move || {
        machine.enter();
        Frame::zeroed()
    });
    let frame = frame.join().unwrap();
    assert_eq!(frames_in_use(), 1);
    std::thread::spawn(move || drop(frame)).join().unwrap();
    assert_eq!(frames_in_use(), 0);
}
