//! Ranges of numbers that nobody can go through one by one: what is there is found, and the rest takes no time.

use super::{start, Random};
use crate::signal::Port;
use crate::vm::page_tree::{release_all, zeroed_frame, PageTree};
use crate::vm::{ChildKind, Pager, Resizable, Vmo, PAGE_BYTES};
use std::vec::Vec;
use zx_abi::limits::VMO_SIZE_MAX;
use zx_abi::ZxError;

/// Bytes of a VMO of the largest size that is a power of two.
const VAST: u64 = 1 << 63;

fn first_byte_of(vmo: &Vmo, page: u64) -> u8 {
    let mut byte = [0xff];
    vmo.read(page * PAGE_BYTES, &mut byte).unwrap();
    byte[0]
}

#[test]
fn a_tree_finds_its_pages_and_its_gaps_as_a_list_does() {
    let _balance = start();
    for seed in 1..40 {
        let mut random = Random(seed);
        let limit = [70, 200, 5000, 300_000][random.index(4)];
        let mut tree = PageTree::new(1);
        let mut pages = Vec::new();
        for _ in 0..random.below(150) {
            let first = random.below(limit);
            for page in first..(first + random.below(70)).min(limit) {
                tree.insert(page, zeroed_frame().unwrap()).unwrap();
                pages.push(page);
            }
        }
        pages.sort_unstable();
        pages.dedup();
        for _ in 0..300 {
            let (start, end) = (random.below(limit + 100), random.below(limit + 100));
            let has = |page: &u64| pages.binary_search(page).is_ok();
            let inside = || (start..end).filter(has);
            assert_eq!(tree.first_page(start..end), inside().next());
            assert_eq!(tree.last_page(start..end), inside().next_back());
            assert_eq!(tree.pages_in(start..end), inside().count() as u64);
            assert_eq!(
                tree.first_gap(start..end),
                (start..end).find(|page| !has(page))
            );
        }
    }
    // Large trees go later.
    release_all();
}

#[test]
fn zeroing_decommitting_and_cutting_off_skip_what_is_not_there() {
    let _balance = start();
    let vmo = Vmo::new(VAST, Resizable::Yes).unwrap();
    let stamped = [0, 1, 1 << 20, 1 << 40, VAST / PAGE_BYTES - 1];
    let stamp = || {
        for page in stamped {
            vmo.write(page * PAGE_BYTES, b"x").unwrap();
        }
    };
    stamp();
    vmo.zero(1, VAST - 1).unwrap();
    assert_eq!(
        stamped.map(|page| first_byte_of(&vmo, page)),
        [b'x', 0, 0, 0, 0]
    );
    stamp();
    vmo.decommit(PAGE_BYTES, VAST - PAGE_BYTES).unwrap();
    let mut done = 0;
    while done < VAST {
        done += vmo.decommit_step(done, VAST - done, 1 << 30).unwrap();
    }
    assert_eq!(vmo.committed_bytes(), 0);
    stamp();
    vmo.set_size(2 * PAGE_BYTES).unwrap();
    assert_eq!(vmo.committed_bytes(), 2 * PAGE_BYTES);
    vmo.set_size(VAST).unwrap();
    assert_eq!(
        stamped.map(|page| first_byte_of(&vmo, page)),
        [b'x', b'x', 0, 0, 0]
    );
}

#[test]
fn a_snapshot_of_a_late_copy_takes_what_its_parent_has() {
    let _balance = start();
    let vmo = Vmo::new(VAST, Resizable::Yes).unwrap();
    let stamped = [1, 1 << 20, VAST / PAGE_BYTES - 1];
    for page in stamped {
        vmo.write(page * PAGE_BYTES, b"x").unwrap();
    }
    let late = vmo
        .create_child(ChildKind::LateCopy, Resizable::No, PAGE_BYTES, VAST)
        .unwrap();
    let copy = late
        .create_child(ChildKind::Snapshot, Resizable::No, 0, VAST)
        .unwrap();
    for page in stamped {
        vmo.write(page * PAGE_BYTES, b"y").unwrap();
        assert_eq!(first_byte_of(&copy, page - 1), b'x');
        assert_eq!(first_byte_of(&late, page - 1), b'x');
    }
}

#[test]
fn copies_of_the_last_page_end_before_the_numbers_do() {
    let _balance = start();
    let last = VMO_SIZE_MAX - PAGE_BYTES;
    let mut vmo = Vmo::new(VMO_SIZE_MAX, Resizable::No).unwrap();
    let error = (0..300u32).find_map(|_| {
        vmo.write(last, b"x").unwrap();
        match vmo.create_child(ChildKind::Snapshot, Resizable::No, last, VMO_SIZE_MAX) {
            Ok(copy) => {
                assert_eq!(first_byte_of(&copy, 0), b'x');
                vmo = copy;
                None
            }
            Err(error) => Some(error),
        }
    });
    assert_eq!(error, Some(ZxError::OutOfRange));
    vmo.write(last, b"y").unwrap();
    assert_eq!(first_byte_of(&vmo, 0), b'x');
}

#[test]
fn a_vast_range_is_asked_for_at_once_and_cut_off_at_once() {
    let _balance = start();
    let (pager, port) = (Pager::create().unwrap(), Port::create().unwrap());
    let vmo = pager
        .create_vmo(port, 7, VAST, Resizable::Yes, ZxError::BadState)
        .unwrap();
    let copy = vmo
        .create_child(
            ChildKind::SnapshotAtLeastOnWrite,
            Resizable::No,
            PAGE_BYTES,
            VAST,
        )
        .unwrap();
    let _asked = vmo.ask_for(0, VAST, u64::MAX).unwrap().unwrap();
    let _joined = copy.ask_for(0, VAST, u64::MAX).unwrap().unwrap();
    vmo.set_size(PAGE_BYTES).unwrap();
    assert!(copy.ask_for(0, VAST, u64::MAX).unwrap().is_none());
}
