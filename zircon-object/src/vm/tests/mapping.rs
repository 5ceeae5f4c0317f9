//! What mappings and faults promise, one sentence each.

use super::start;
use super::user::{peek, poke, root, vmo, RW};
use crate::vm::{ChildKind, Fault, Perms, RangeOp, Resizable, VmOptions, Vmo, PAGE, PAGE_BYTES};
use kernel_hal::addr::USER_BASE;
use kernel_hal::user::{self, Access};
use std::vec;

#[test]
fn a_mapping_shows_what_the_vmo_has_and_changes_it() {
    let _balance = start();
    let root = root();
    let vmo = vmo(4);
    vmo.write(PAGE_BYTES, b"hello").unwrap();
    let at = root
        .map(RW, 0, &vmo, 0, 4 * PAGE_BYTES, Perms::ALL)
        .unwrap();
    assert_eq!(peek(root.space(), at), Ok(0));
    assert_eq!(peek(root.space(), at + PAGE), Ok(b'h'));
    assert_eq!(vmo.committed_bytes(), PAGE_BYTES);
    poke(root.space(), at, 9).unwrap();
    let mut byte = [0];
    vmo.read(0, &mut byte).unwrap();
    assert_eq!((byte, vmo.committed_bytes()), ([9], 2 * PAGE_BYTES));
    assert_eq!(root.unmap(at, 4 * PAGE_BYTES), Ok(()));
    assert_eq!(peek(root.space(), at), Err(Fault::NotMapped));
}

#[test]
fn a_write_by_syscall_replaces_the_mapped_page_of_zeros() {
    let _balance = start();
    let root = root();
    let vmo = vmo(1);
    let at = root.map(RW, 0, &vmo, 0, PAGE_BYTES, Perms::ALL).unwrap();
    assert_eq!(peek(root.space(), at), Ok(0));
    vmo.write(0, &[3]).unwrap();
    assert_eq!(peek(root.space(), at), Ok(3));
}

#[test]
fn a_snapshot_does_not_see_later_stores_through_mappings_on_either_side() {
    let _balance = start();
    let root = root();
    let parent = vmo(2);
    let parent_at = root
        .map(RW, 0, &parent, 0, 2 * PAGE_BYTES, Perms::ALL)
        .unwrap();
    poke(root.space(), parent_at, 1).unwrap();
    let child = parent
        .create_child(ChildKind::Snapshot, Resizable::No, 0, 2 * PAGE_BYTES)
        .unwrap();
    let child_at = root
        .map(RW, 0, &child, 0, 2 * PAGE_BYTES, Perms::ALL)
        .unwrap();
    assert_eq!(peek(root.space(), child_at), Ok(1));
    poke(root.space(), parent_at, 2).unwrap();
    assert_eq!(
        (peek(root.space(), parent_at), peek(root.space(), child_at)),
        (Ok(2), Ok(1))
    );
    poke(root.space(), child_at, 3).unwrap();
    assert_eq!(
        (peek(root.space(), parent_at), peek(root.space(), child_at)),
        (Ok(2), Ok(3))
    );
}

#[test]
fn protecting_a_shared_page_writable_does_not_let_stores_through() {
    let _balance = start();
    let root = root();
    let parent = vmo(1);
    parent.write(0, &[1]).unwrap();
    let child = parent
        .create_child(ChildKind::Snapshot, Resizable::No, 0, PAGE_BYTES)
        .unwrap();
    let at = root
        .map(VmOptions::PERM_READ, 0, &child, 0, PAGE_BYTES, Perms::ALL)
        .unwrap();
    assert_eq!(peek(root.space(), at), Ok(1));
    assert_eq!(poke(root.space(), at, 2), Err(Fault::Permission));
    root.protect(RW, at, PAGE_BYTES).unwrap();
    poke(root.space(), at, 2).unwrap();
    let mut byte = [0];
    parent.read(0, &mut byte).unwrap();
    assert_eq!(byte, [1]);
}

#[test]
fn what_is_cut_off_a_vmo_faults_and_what_is_added_is_accessible() {
    let _balance = start();
    let root = root();
    let vmo = vmo(2);
    let at = root
        .map(RW, 0, &vmo, 0, 4 * PAGE_BYTES, Perms::ALL)
        .unwrap();
    poke(root.space(), at + PAGE, 1).unwrap();
    assert_eq!(poke(root.space(), at + 2 * PAGE, 1), Err(Fault::OutOfRange));
    vmo.set_size(PAGE_BYTES).unwrap();
    assert_eq!(peek(root.space(), at + PAGE), Err(Fault::OutOfRange));
    vmo.set_size(4 * PAGE_BYTES).unwrap();
    assert_eq!(peek(root.space(), at + PAGE), Ok(0));
}

#[test]
fn user_copies_of_a_vmo_stop_at_a_fault_and_go_on_also_within_the_same_vmo() {
    let _balance = start();
    let root = root();
    let vmo = vmo(8);
    let at = root
        .map(RW, 0, &vmo, 0, 8 * PAGE_BYTES, Perms::ALL)
        .unwrap();
    vmo.write(100, &[7; 3 * PAGE]).unwrap();
    // The first four pages go, by way of their own mapping, to the last four.
    let (len, mut done) = (4 * PAGE, 0);
    while done < len {
        let progress = vmo
            .read_to_user(done as u64, at + 4 * PAGE + done, len - done)
            .unwrap();
        done += progress.done;
        if let Some(fault) = progress.fault {
            root.space().fault(fault.addr, fault.access).unwrap();
        }
    }
    let (mut from, mut to) = (vec![0; len], vec![1; len]);
    vmo.read(0, &mut from).unwrap();
    vmo.read(4 * PAGE_BYTES, &mut to).unwrap();
    assert!(from == to && to[100] == 7 && to[99] == 0);
    let progress = vmo.write_from_user(0, USER_BASE, 10).unwrap();
    assert_eq!(
        (progress.done, progress.fault.map(|fault| fault.access)),
        (0, Some(Access::Read))
    );
}

#[test]
fn present_neighbours_are_mapped_with_a_fault_and_by_map_range() {
    let _balance = start();
    let root = root();
    let vmo = vmo(40);
    vmo.commit(0, 40 * PAGE_BYTES).unwrap();
    let at = root
        .map(RW, 0, &vmo, 0, 40 * PAGE_BYTES, Perms::ALL)
        .unwrap();
    peek(root.space(), at).unwrap();
    assert!(user::read_bytes(at + 15 * PAGE, &mut [0]).is_ok());
    assert!(user::read_bytes(at + 16 * PAGE, &mut [0]).is_err());
    let all = root
        .map(
            RW | VmOptions::MAP_RANGE,
            0,
            &vmo,
            0,
            40 * PAGE_BYTES,
            Perms::ALL,
        )
        .unwrap();
    assert!((0..40).all(|page| user::write_bytes(all + page * PAGE, &[1]).is_ok()));
    root.op_range(Some(RangeOp::MapRange), at, 40 * PAGE_BYTES)
        .unwrap();
    assert!(user::write_bytes(at + 39 * PAGE, &[1]).is_ok());
    root.op_range(Some(RangeOp::Decommit), at, 8 * PAGE_BYTES)
        .unwrap();
    assert!(user::read_bytes(all, &mut [0]).is_err());
    assert_eq!(vmo.committed_bytes(), 32 * PAGE_BYTES);
}

#[test]
fn memory_shared_by_two_address_spaces_counts_half_for_each() {
    let _balance = start();
    let (first, second) = (root(), root());
    let vmo = vmo(4);
    vmo.commit(0, 4 * PAGE_BYTES).unwrap();
    for root in [&first, &first, &second] {
        root.map(RW, 0, &vmo, 0, 4 * PAGE_BYTES, Perms::ALL)
            .unwrap();
    }
    let info = vmo.info();
    assert_eq!(
        (info.share_count, info.num_mappings, info.committed_bytes),
        (2, 3, 4 * PAGE_BYTES)
    );
    let stats = second.space().stats();
    assert_eq!(
        (
            stats.mapped,
            stats.private,
            stats.shared,
            stats.scaled_shared
        ),
        (4 * PAGE_BYTES, 0, 4 * PAGE_BYTES, 2 * PAGE_BYTES)
    );
    first.space().destroy_all();
    assert_eq!(
        (vmo.info().share_count, second.space().stats().private),
        (1, 4 * PAGE_BYTES)
    );
}

#[test]
fn a_mapped_late_copy_shows_its_parents_page_and_loses_it_when_that_changes() {
    let _balance = start();
    let root = root();
    let parent = Vmo::new(2 * PAGE_BYTES, Resizable::No).unwrap();
    let child = parent
        .create_child(ChildKind::LateCopy, Resizable::No, 0, 2 * PAGE_BYTES)
        .unwrap();
    let at = root
        .map(RW, 0, &child, 0, 2 * PAGE_BYTES, Perms::ALL)
        .unwrap();
    assert_eq!(peek(root.space(), at + PAGE), Ok(0));
    parent.write(PAGE_BYTES, &[7]).unwrap();
    assert_eq!(peek(root.space(), at + PAGE), Ok(7));
    parent.write(PAGE_BYTES, &[8]).unwrap();
    assert_eq!(peek(root.space(), at + PAGE), Ok(8));
    parent.zero(0, 2 * PAGE_BYTES).unwrap();
    assert_eq!(peek(root.space(), at + PAGE), Ok(0));
    root.protect(VmOptions::PERM_READ, at, PAGE_BYTES).unwrap();
    root.unmap(at, 2 * PAGE_BYTES).unwrap();
    parent.write(0, &[1]).unwrap();
}

#[test]
fn a_mapped_copy_of_contiguous_memory_does_not_see_what_the_original_writes_later() {
    let _balance = start();
    let root = root();
    let original = Vmo::new_contiguous(2 * PAGE_BYTES, 12).unwrap();
    original.write(0, &[1]).unwrap();
    let map = |vmo| root.map(RW, 0, vmo, 0, 2 * PAGE_BYTES, Perms::ALL).unwrap();
    let own = map(&original);
    poke(root.space(), own + PAGE, 2).unwrap();
    let copy = original
        .create_child(ChildKind::Snapshot, Resizable::No, 0, 2 * PAGE_BYTES)
        .unwrap();
    let theirs = map(&copy);
    let late = copy
        .create_child(ChildKind::LateCopy, Resizable::No, 0, 2 * PAGE_BYTES)
        .unwrap();
    let latest = map(&late);
    for at in [theirs, latest] {
        assert_eq!(peek(root.space(), at), Ok(1));
        assert_eq!(peek(root.space(), at + PAGE), Ok(2));
    }
    poke(root.space(), own, 3).unwrap();
    original.write(PAGE_BYTES, &[4]).unwrap();
    assert_eq!(peek(root.space(), own), Ok(3));
    assert_eq!(peek(root.space(), own + PAGE), Ok(4));
    for at in [theirs, latest] {
        assert_eq!(peek(root.space(), at), Ok(1));
        assert_eq!(peek(root.space(), at + PAGE), Ok(2));
    }
    root.unmap(theirs, PAGE_BYTES).unwrap();
    poke(root.space(), theirs + PAGE, 9).unwrap();
    assert_eq!(peek(root.space(), latest + PAGE), Ok(2));
}
