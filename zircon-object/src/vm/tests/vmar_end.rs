//! The end of regions in steps, while others end them too, let go of them or map something.

use super::start;
use super::user::{map_at, peek, poke, root, vmo, ALL_CAN, RW, SPECIFIC};
use crate::vm::{Fault, Rest, Vmar, PAGE, PAGE_BYTES};
use alloc::sync::Arc;
use std::vec::Vec;
use zx_abi::ZxError;

/// Too much for two steps.
const LONG: u64 = 20_000;

/// A region of `LONG` pages at a page of another one.
fn long_region(parent: &Vmar, page: u64) -> Arc<Vmar> {
    let offset = page * PAGE_BYTES;
    parent
        .allocate(ALL_CAN | SPECIFIC, offset, LONG * PAGE_BYTES)
        .unwrap()
}

#[test]
fn a_region_that_is_let_go_of_while_it_ends_loses_no_mapping() {
    let _balance = start();
    let root = root();
    let (shown, other) = (vmo(1), vmo(1));
    let region = long_region(&root, 0);
    let at = map_at(&region, RW, 0, &shown, LONG).unwrap();
    poke(root.space(), at, 5).unwrap();
    let left = root.unmap_step(at, LONG * PAGE_BYTES).unwrap();
    assert_ne!(left, 0);
    drop(region);
    // Its number must not be given out while it is in use.
    let stranger = long_region(&root, LONG);
    map_at(&stranger, RW, 0, &other, 1).unwrap();
    assert_eq!(root.unmap(at, left), Ok(()));
    assert_eq!((shown.mapping_count(), other.mapping_count()), (0, 1));
    assert_eq!(peek(root.space(), at), Err(Fault::NotMapped));
    assert_eq!(root.space().stats().mapped, PAGE_BYTES);
    assert_eq!(peek(root.space(), stranger.base_addr()), Ok(0));
    assert_eq!(long_region(&root, 0).destroy(), Ok(()));
}

#[test]
fn a_region_that_two_end_at_once_leaves_its_neighbours_and_its_successor() {
    let _balance = start();
    let root = root();
    let (shown, neighbour) = (vmo(1), vmo(1));
    for successors in [0, 1] {
        let region = long_region(&root, 0);
        let at = map_at(&region, RW, 0, &shown, LONG).unwrap();
        let behind = map_at(&root, RW, 30_000, &neighbour, 1).unwrap();
        assert_eq!(region.destroy_step(), Ok(Rest::More));
        assert_eq!(region.destroy_step(), Err(ZxError::BadState));
        assert_eq!(root.unmap(at, LONG * PAGE_BYTES), Ok(()));
        let successors: Vec<_> = (0..successors).map(|_| long_region(&root, 0)).collect();
        assert_eq!(region.destroy_rest(), Ok(Rest::Nothing));
        for region in successors {
            assert_eq!(root.unmap(at, PAGE_BYTES), Err(ZxError::InvalidArgs));
            assert_eq!(region.destroy(), Ok(()));
        }
        assert_eq!((shown.mapping_count(), neighbour.mapping_count()), (0, 1));
        assert_eq!(peek(root.space(), behind), Ok(0));
        assert_eq!(root.unmap(behind, PAGE_BYTES), Ok(()));
        assert_eq!(neighbour.mapping_count(), 0);
    }
}

#[test]
fn a_region_that_ends_within_one_that_ends_is_gone_when_both_are_done() {
    let _balance = start();
    let root = root();
    let shown = vmo(1);
    let outer = long_region(&root, 0);
    let inner = outer
        .allocate(ALL_CAN | SPECIFIC, 0, LONG * PAGE_BYTES)
        .unwrap();
    let innermost = long_region(&inner, 0);
    let at = map_at(&innermost, RW, 0, &shown, LONG).unwrap();
    assert_eq!(inner.destroy_step(), Ok(Rest::More));
    assert_eq!(outer.destroy_step(), Ok(Rest::More));
    drop(innermost);
    while inner.destroy_rest().unwrap() == Rest::More {}
    drop(inner);
    while outer.destroy_rest().unwrap() == Rest::More {}
    assert_eq!(shown.mapping_count(), 0);
    assert_eq!(peek(root.space(), at), Err(Fault::NotMapped));
    assert_eq!(long_region(&root, 0).base_addr(), outer.base_addr());
}

#[test]
fn very_many_regions_end_in_steps() {
    const REGIONS: usize = 4000;
    let _balance = start();
    let root = root();
    let offset = |page: usize| (page * PAGE) as u64;
    let many = long_region(&root, 0);
    for page in 0..REGIONS {
        drop(many.allocate(ALL_CAN | SPECIFIC, offset(page), PAGE_BYTES));
    }
    assert_eq!(many.destroy_step(), Ok(Rest::More));
    while many.destroy_rest().unwrap() == Rest::More {}

    let mut nested = Vec::from([long_region(&root, 0)]);
    let shown = vmo(1);
    for depth in 1..REGIONS {
        let last = nested.last().unwrap();
        map_at(last, RW, 0, &shown, 1).unwrap();
        let size = LONG * PAGE_BYTES - offset(depth);
        nested.push(last.allocate(ALL_CAN | SPECIFIC, PAGE_BYTES, size).unwrap());
    }
    let outermost = nested.swap_remove(0);
    drop(nested);
    assert_eq!(outermost.destroy_step(), Ok(Rest::More));
    while outermost.destroy_rest().unwrap() == Rest::More {}
    assert_eq!(shown.mapping_count(), 0);
    assert_eq!(long_region(&root, 0).base_addr(), outermost.base_addr());
}

#[test]
fn what_is_mapped_meanwhile_where_an_unmap_has_been_stays() {
    let _balance = start();
    let root = root();
    let (shown, other) = (vmo(1), vmo(1));
    let at = map_at(&root, RW, 0, &shown, LONG).unwrap();
    let left = root.unmap_step(at, LONG * PAGE_BYTES).unwrap();
    assert_ne!(left, 0);
    let new = map_at(&root, RW, 19_990, &other, 1).unwrap();
    assert_eq!(root.unmap(at, left), Ok(()));
    assert_eq!((shown.mapping_count(), other.mapping_count()), (0, 1));
    assert_eq!(peek(root.space(), new), Ok(0));
}
