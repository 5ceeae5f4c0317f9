//! What VMOs promise, one sentence each.

use super::{frames_used, start};
use crate::object::KernelObject;
use crate::vm::{ChildKind, CommitAccess, Resizable, Vmo, PAGE, PAGE_BYTES};
use kernel_hal::paging::CachePolicy;
use kernel_hal::PhysAddr;
use std::vec::Vec;
use zx_abi::{Signals, ZxError};

fn first_byte(vmo: &Vmo) -> u8 {
    let mut byte = [0xff];
    vmo.read(0, &mut byte).unwrap();
    byte[0]
}

#[test]
fn sizes_are_rounded_up_and_limited() {
    let _balance = start();
    assert_eq!(Vmo::new(1, Resizable::No).unwrap().size(), PAGE_BYTES);
    assert_eq!(Vmo::new(0, Resizable::No).unwrap().size(), 0);
    assert_eq!(
        Vmo::new(u64::MAX, Resizable::No).unwrap_err(),
        ZxError::OutOfRange
    );
    let huge = Vmo::new(zx_abi::limits::VMO_SIZE_MAX, Resizable::No).unwrap();
    huge.write(zx_abi::limits::VMO_SIZE_MAX - 3, b"end")
        .unwrap();
    let mut end = [0; 3];
    huge.read(zx_abi::limits::VMO_SIZE_MAX - 3, &mut end)
        .unwrap();
    assert_eq!((&end, huge.committed_bytes()), (b"end", PAGE_BYTES));
}

#[test]
fn reading_commits_nothing_and_ranges_are_checked() {
    let _balance = start();
    let vmo = Vmo::new(2 * PAGE_BYTES, Resizable::No).unwrap();
    assert_eq!(first_byte(&vmo), 0);
    assert_eq!(vmo.committed_bytes(), 0);
    assert_eq!(vmo.read(2 * PAGE_BYTES, &mut []), Ok(()));
    assert_eq!(vmo.read(2 * PAGE_BYTES, &mut [0]), Err(ZxError::OutOfRange));
    assert_eq!(vmo.write(u64::MAX, &[0, 0]), Err(ZxError::OutOfRange));
    assert_eq!(vmo.set_size(0), Err(ZxError::Unavailable));
}

#[test]
fn an_unforked_page_counts_for_the_parent_and_a_fork_for_each() {
    let _balance = start();
    let parent = Vmo::new(4 * PAGE_BYTES, Resizable::No).unwrap();
    parent.commit(0, 2 * PAGE_BYTES).unwrap();
    let child = parent
        .create_child(ChildKind::Snapshot, Resizable::No, 0, 4 * PAGE_BYTES)
        .unwrap();
    assert_eq!(
        (parent.committed_bytes(), child.committed_bytes()),
        (2 * PAGE_BYTES, 0)
    );
    child.write(0, b"x").unwrap();
    assert_eq!(
        (parent.committed_bytes(), child.committed_bytes()),
        (2 * PAGE_BYTES, PAGE_BYTES)
    );
    parent.write(PAGE_BYTES, b"y").unwrap();
    assert_eq!(
        (parent.committed_bytes(), child.committed_bytes()),
        (2 * PAGE_BYTES, 2 * PAGE_BYTES)
    );
    drop(parent);
    assert_eq!(child.committed_bytes(), 2 * PAGE_BYTES);
}

#[test]
fn a_snapshot_drops_pages_that_it_cannot_see_when_the_parent_closes() {
    let _balance = start();
    let before = frames_used();
    let parent = Vmo::new(300 * PAGE_BYTES, Resizable::No).unwrap();
    parent.commit(0, 300 * PAGE_BYTES).unwrap();
    let child = parent
        .create_child(
            ChildKind::Snapshot,
            Resizable::No,
            100 * PAGE_BYTES,
            5 * PAGE_BYTES,
        )
        .unwrap();
    drop(parent);
    assert_eq!(frames_used() - before, 5);
    assert_eq!(child.committed_bytes(), 5 * PAGE_BYTES);
}

#[test]
fn a_snapshot_takes_no_frame_and_closing_it_leaves_the_parent_private() {
    let _balance = start();
    let parent = Vmo::new(512 * PAGE_BYTES, Resizable::No).unwrap();
    parent.write(0, &[7]).unwrap();
    let used = frames_used();
    for _ in 0..10 {
        drop(
            parent
                .create_child(ChildKind::Snapshot, Resizable::No, 0, 512 * PAGE_BYTES)
                .unwrap(),
        );
    }
    parent.write(0, &[8]).unwrap();
    assert_eq!(frames_used(), used);
}

#[test]
fn zero_children_follows_children_and_grandchildren() {
    let _balance = start();
    let shown = |vmo: &Vmo| {
        vmo.base()
            .signals()
            .get()
            .contains(Signals::VMO_ZERO_CHILDREN)
    };
    let parent = Vmo::new(PAGE_BYTES, Resizable::No).unwrap();
    assert!(shown(&parent));
    let child = parent
        .create_child(ChildKind::Snapshot, Resizable::No, 0, PAGE_BYTES)
        .unwrap();
    let grandchild = child
        .create_child(ChildKind::Snapshot, Resizable::No, 0, PAGE_BYTES)
        .unwrap();
    assert_eq!(
        (shown(&parent), shown(&child), parent.children()),
        (false, false, 1)
    );
    drop(child);
    assert_eq!((shown(&parent), parent.children()), (false, 1));
    drop(grandchild);
    assert_eq!((shown(&parent), parent.children()), (true, 0));
}

#[test]
fn a_slice_shows_the_same_pages_both_ways() {
    let _balance = start();
    let parent = Vmo::new(3 * PAGE_BYTES, Resizable::No).unwrap();
    let slice = parent
        .create_child(ChildKind::Slice, Resizable::No, PAGE_BYTES, PAGE_BYTES)
        .unwrap();
    let inner = slice
        .create_child(ChildKind::Slice, Resizable::No, 0, PAGE_BYTES)
        .unwrap();
    parent.write(PAGE_BYTES, &[5]).unwrap();
    assert_eq!((first_byte(&slice), first_byte(&inner)), (5, 5));
    slice.decommit(0, PAGE_BYTES).unwrap();
    let mut byte = [1];
    parent.read(PAGE_BYTES, &mut byte).unwrap();
    assert_eq!((byte, slice.committed_bytes()), ([0], 0));
    assert_eq!(slice.read(PAGE_BYTES, &mut byte), Err(ZxError::OutOfRange));
    let make = |offset, size| {
        parent
            .create_child(ChildKind::Slice, Resizable::No, offset, size)
            .map(drop)
    };
    assert_eq!(make(1, PAGE_BYTES), Err(ZxError::InvalidArgs));
    assert_eq!(make(0, u64::MAX), Err(ZxError::OutOfRange));
    assert_eq!(make(0, 4 * PAGE_BYTES), Err(ZxError::InvalidArgs));
    assert_eq!(make(3 * PAGE_BYTES, 0), Ok(()));
    assert_eq!(
        slice
            .create_child(ChildKind::Snapshot, Resizable::No, 0, 0)
            .unwrap_err(),
        ZxError::NotSupported
    );
}

#[test]
fn pinned_pages_stay() {
    let _balance = start();
    let vmo = Vmo::new(4 * PAGE_BYTES, Resizable::Yes).unwrap();
    vmo.pin(PAGE_BYTES, PAGE_BYTES).unwrap();
    assert_eq!(vmo.decommit(0, 4 * PAGE_BYTES), Err(ZxError::BadState));
    assert_eq!(vmo.set_size(0), Err(ZxError::BadState));
    assert_eq!(
        vmo.create_child(ChildKind::Snapshot, Resizable::No, 0, PAGE_BYTES)
            .unwrap_err(),
        ZxError::BadState
    );
    vmo.zero(0, 4 * PAGE_BYTES).unwrap();
    assert_eq!(vmo.committed_bytes(), PAGE_BYTES);
    vmo.unpin(PAGE_BYTES, PAGE_BYTES).unwrap();
    assert_eq!(vmo.set_size(0), Ok(()));
}

#[test]
fn decommit_is_refused_while_a_snapshot_lives_and_cut_at_the_end() {
    let _balance = start();
    let vmo = Vmo::new(2 * PAGE_BYTES, Resizable::No).unwrap();
    vmo.commit(0, 9 * PAGE_BYTES).unwrap();
    let child = vmo
        .create_child(ChildKind::Snapshot, Resizable::No, 0, PAGE_BYTES)
        .unwrap();
    assert_eq!(vmo.decommit(0, PAGE_BYTES), Err(ZxError::NotSupported));
    drop(child);
    assert_eq!(vmo.decommit(1, PAGE_BYTES), Err(ZxError::InvalidArgs));
    assert_eq!(vmo.decommit(3 * PAGE_BYTES, 0), Err(ZxError::OutOfRange));
    assert_eq!(vmo.decommit(0, 9 * PAGE_BYTES), Ok(()));
    assert_eq!(vmo.committed_bytes(), 0);
}

#[test]
fn uncached_memory_is_not_read_and_not_copied() {
    let _balance = start();
    let vmo = Vmo::new(PAGE_BYTES, Resizable::No).unwrap();
    vmo.set_cache_policy(CachePolicy::Uncached).unwrap();
    assert_eq!(vmo.read(0, &mut [0]), Err(ZxError::BadState));
    assert_eq!(
        vmo.create_child(ChildKind::Snapshot, Resizable::No, 0, 0)
            .unwrap_err(),
        ZxError::BadState
    );
    let physical = Vmo::new_physical(PhysAddr(0x10_0000), 1, CachePolicy::Uncached).unwrap();
    assert_eq!(physical.write(0, &[0]), Err(ZxError::NotSupported));
    assert_eq!(
        physical
            .create_child(ChildKind::Snapshot, Resizable::No, 0, 0)
            .unwrap_err(),
        ZxError::NotSupported
    );
}

#[test]
fn contiguous_memory_is_there_from_the_start() {
    let _balance = start();
    let vmo = Vmo::new_contiguous(4 * PAGE_BYTES, 12).unwrap();
    assert_eq!(vmo.committed_bytes(), 4 * PAGE_BYTES);
    assert_eq!(vmo.decommit(0, PAGE_BYTES), Err(ZxError::NotSupported));
    vmo.write(PAGE_BYTES, &[7]).unwrap();
    let child = vmo
        .create_child(ChildKind::Snapshot, Resizable::No, PAGE_BYTES, PAGE_BYTES)
        .unwrap();
    vmo.write(PAGE_BYTES, &[8]).unwrap();
    let mut byte = [0];
    child.read(0, &mut byte).unwrap();
    assert_eq!(byte, [7]);
}

#[test]
fn running_out_of_frames_is_an_error_and_everything_comes_back() {
    let _balance = start();
    let vmo = Vmo::new(64 * PAGE_BYTES, Resizable::No).unwrap();
    kernel_hal_hosted::frame::set_frame_limit(10);
    assert_eq!(vmo.commit(0, 64 * PAGE_BYTES), Err(ZxError::NoMemory));
    assert_eq!(vmo.committed_bytes(), 10 * PAGE_BYTES);
    let child = vmo
        .create_child(ChildKind::Snapshot, Resizable::No, 0, PAGE_BYTES)
        .unwrap();
    assert_eq!(child.write(0, &[1]), Err(ZxError::NoMemory));
    drop(vmo);
    assert_eq!(child.write(0, &[1; PAGE]), Ok(()));
}

#[test]
fn boot_memory_is_copied_with_zeros_to_the_end_of_the_page() {
    let _balance = start();
    let image: Vec<u8> = (0..3 * PAGE + 100)
        .map(|at| u8::try_from(at % 251).unwrap())
        .collect();
    let at = kernel_hal_hosted::frame::boot_memory(&image);
    for (skip, size) in [(0, 3 * PAGE + 100), (7, 3 * PAGE), (0, PAGE), (0, 0)] {
        let vmo = Vmo::wrap_ram(at.add(skip as u64), size as u64).unwrap();
        let mut read = std::vec![1; size.next_multiple_of(PAGE)];
        vmo.read(0, &mut read).unwrap();
        assert!(
            read[..size] == image[skip..skip + size] && read[size..].iter().all(|byte| *byte == 0)
        );
    }
}

#[test]
fn a_late_copy_sees_what_its_parent_writes_until_it_writes_itself() {
    let _balance = start();
    let parent = Vmo::new(3 * PAGE_BYTES, Resizable::Yes).unwrap();
    let child = parent
        .create_child(
            ChildKind::LateCopy,
            Resizable::No,
            PAGE_BYTES,
            3 * PAGE_BYTES,
        )
        .unwrap();
    let byte = |vmo: &Vmo, at: u64| {
        let mut byte = [0];
        vmo.read(at, &mut byte).map(|()| byte[0])
    };
    parent.write(PAGE_BYTES, &[1]).unwrap();
    assert_eq!(byte(&child, 0), Ok(1));
    child.write(1, &[5]).unwrap();
    parent.write(PAGE_BYTES, &[2]).unwrap();
    assert_eq!((byte(&child, 0), byte(&child, 1)), (Ok(1), Ok(5)));
    child.decommit(0, PAGE_BYTES).unwrap();
    assert_eq!((byte(&child, 0), byte(&child, 1)), (Ok(2), Ok(0)));
    assert_eq!(
        (parent.committed_bytes(), child.committed_bytes()),
        (PAGE_BYTES, 0)
    );
}

#[test]
fn pages_that_a_parent_grows_anew_are_not_seen_by_a_late_copy() {
    let _balance = start();
    let parent = Vmo::new(2 * PAGE_BYTES, Resizable::Yes).unwrap();
    let child = parent
        .create_child(ChildKind::LateCopy, Resizable::No, 0, 2 * PAGE_BYTES)
        .unwrap();
    parent.write(PAGE_BYTES, &[1]).unwrap();
    parent.set_size(PAGE_BYTES).unwrap();
    parent.set_size(2 * PAGE_BYTES).unwrap();
    parent.write(0, &[3]).unwrap();
    parent.write(PAGE_BYTES, &[2]).unwrap();
    let mut bytes = [9; PAGE + 1];
    child.read(0, &mut bytes).unwrap();
    assert_eq!((bytes[0], bytes[PAGE]), (3, 0));
}

#[test]
fn a_snapshot_of_a_late_copy_is_frozen() {
    let _balance = start();
    let parent = Vmo::new(PAGE_BYTES, Resizable::No).unwrap();
    parent.write(0, &[1]).unwrap();
    let child = parent
        .create_child(ChildKind::LateCopy, Resizable::No, 0, PAGE_BYTES)
        .unwrap();
    let frozen = child
        .create_child(ChildKind::Snapshot, Resizable::No, 0, PAGE_BYTES)
        .unwrap();
    parent.write(0, &[2]).unwrap();
    let mut byte = [0];
    frozen.read(0, &mut byte).unwrap();
    assert_eq!(byte, [1]);
}

#[test]
fn what_is_large_is_let_go_later_and_found_when_frames_are_counted() {
    let _balance = start();
    let before = frames_used();
    let vmo = Vmo::new(12_000 * PAGE_BYTES, Resizable::Yes).unwrap();
    vmo.commit(0, 12_000 * PAGE_BYTES).unwrap();
    assert_eq!(frames_used() - before, 12_000);
    drop(vmo);
    assert!(frames_used() > before);
    crate::vm::release_all();
    assert_eq!(frames_used(), before);
}

#[test]
fn a_copy_of_contiguous_memory_takes_the_pages_that_change_and_the_original_keeps_its_own() {
    let _balance = start();
    let before = frames_used();
    let vmo = Vmo::new_contiguous(4 * PAGE_BYTES, 12).unwrap();
    let places = |vmo: &Vmo| -> Vec<_> {
        (0..4)
            .map(|page| vmo.commit_page(page * PAGE_BYTES, CommitAccess::Write))
            .collect()
    };
    let first = places(&vmo);
    for page in 0..4_u8 {
        vmo.write(u64::from(page) * PAGE_BYTES, &[page + 1])
            .unwrap();
    }
    let copy = vmo
        .create_child(ChildKind::Snapshot, Resizable::Yes, 0, 4 * PAGE_BYTES)
        .unwrap();
    let second = copy
        .create_child(ChildKind::Snapshot, Resizable::No, PAGE_BYTES, PAGE_BYTES)
        .unwrap();
    assert_eq!(frames_used() - before, 4);
    vmo.write(PAGE_BYTES, &[5]).unwrap();
    copy.write(2 * PAGE_BYTES, &[6]).unwrap();
    let byte = |vmo: &Vmo, page: u64| {
        let mut byte = [0];
        vmo.read(page * PAGE_BYTES, &mut byte).unwrap();
        byte[0]
    };
    let seen = |vmo: &Vmo| [0, 1, 2, 3].map(|page| byte(vmo, page));
    assert_eq!((seen(&vmo), seen(&copy)), ([1, 5, 3, 4], [1, 2, 6, 4]));
    assert_eq!(byte(&second, 0), 2);
    assert_eq!(frames_used() - before, 6);
    let counted = |vmo: &Vmo| vmo.committed_bytes() / PAGE_BYTES;
    assert_eq!(counted(&vmo) + counted(&copy) + counted(&second), 6);
    drop(second);
    copy.set_size(PAGE_BYTES).unwrap();
    assert_eq!((counted(&vmo), counted(&copy)), (4, 0));
    assert_eq!(places(&vmo), first);
    // The last page that the copy saw was moved out of its way.
    assert_eq!(seen(&vmo), [1, 5, 3, 4]);
    drop(vmo);
    assert_eq!(byte(&copy, 0), 1);
    assert_eq!(frames_used() - before, 1);
}
