//! Objects really run on the hosted HAL: their frames are on its account, and its limit stops them
#![cfg(test)]

use kernel_hal_hosted::frame::{frames_in_use, set_frame_limit, FrameBalance};
use zircon_object::vm::{Resizable, Vmo};
use zircon_object::ZxError;

#[test]
fn a_vmo_takes_frames_from_the_hosted_account_and_gives_them_back() {
    kernel_hal_hosted::init();
    let vmo = Vmo::new(4 * 4096, Resizable::No).unwrap();
    let balance = FrameBalance::start();
    let before = frames_in_use();
    vmo.write(4096 - 2, b"abcd").unwrap();
    assert_eq!(frames_in_use() - before, 2);
    let mut bytes = [0; 6];
    vmo.read(4096 - 3, &mut bytes).unwrap();
    assert_eq!(&bytes, b"\0abcd\0");
    drop(vmo);
    drop(balance);
}

#[test]
fn a_commit_without_frames_says_no_memory() {
    kernel_hal_hosted::init();
    let vmo = Vmo::new(64 * 4096, Resizable::No).unwrap();
    set_frame_limit(frames_in_use() + 8);
    assert_eq!(vmo.commit(0, 64 * 4096), Err(ZxError::NoMemory));
    set_frame_limit(1000);
    assert_eq!(vmo.commit(0, 64 * 4096), Ok(()));
    drop(vmo);
    assert_eq!(frames_in_use(), 0);
}
