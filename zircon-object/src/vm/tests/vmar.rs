//! What VMARs, mappings and faults promise, one sentence each.

use super::{start, Random};
use crate::vm::{
    AddressSpace, ChildKind, Fault, Perms, RangeOp, RegionKind, Resizable, VmOptions, Vmar, Vmo,
    PAGE, PAGE_BYTES,
};
use alloc::sync::Arc;
use kernel_hal::addr::{USER_BASE, USER_SIZE};
use kernel_hal::user::{self, Access, UserFault};
use kernel_hal::VirtAddr;
use std::vec;
use std::vec::Vec;
use zx_abi::{ZxError, ZxResult};

const RW: VmOptions = VmOptions::PERM_READ.union(VmOptions::PERM_WRITE);
const SPECIFIC: VmOptions = VmOptions::SPECIFIC;
const OVERWRITE: VmOptions = VmOptions::SPECIFIC_OVERWRITE;
const ALL_CAN: VmOptions = VmOptions::CAN_MAP_PERMS.union(VmOptions::CAN_MAP_SPECIFIC);

fn root() -> Arc<Vmar> {
    let root = Vmar::new_root(USER_BASE, USER_SIZE).unwrap();
    root.space().activate();
    root
}

fn vmo(pages: u64) -> Arc<Vmo> {
    Vmo::new(pages * PAGE_BYTES, Resizable::Yes).unwrap()
}

fn map_at(
    vmar: &Vmar,
    options: VmOptions,
    page: usize,
    vmo: &Arc<Vmo>,
    pages: u64,
) -> ZxResult<VirtAddr> {
    vmar.map(
        options | SPECIFIC,
        (page * PAGE) as u64,
        vmo,
        0,
        pages * PAGE_BYTES,
        Perms::ALL,
    )
}

/// Stores a byte as a program would, with faults resolved.
fn poke(space: &AddressSpace, at: VirtAddr, value: u8) -> Result<(), Fault> {
    resolving(space, || user::write_bytes(at, &[value]))
}

fn peek(space: &AddressSpace, at: VirtAddr) -> Result<u8, Fault> {
    let mut byte = [0];
    resolving(space, || user::read_bytes(at, &mut byte))?;
    Ok(byte[0])
}

fn resolving(
    space: &AddressSpace,
    mut access: impl FnMut() -> Result<(), UserFault>,
) -> Result<(), Fault> {
    for _ in 0..4 {
        match access() {
            Ok(()) => return Ok(()),
            Err(fault) => space.fault(fault.addr, fault.access)?,
        }
    }
    panic!("a resolved fault came back");
}

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
    root.op_range(RangeOp::MapRange, at, 40 * PAGE_BYTES)
        .unwrap();
    assert!(user::write_bytes(at + 39 * PAGE, &[1]).is_ok());
    root.op_range(RangeOp::Decommit, at, 8 * PAGE_BYTES)
        .unwrap();
    assert!(user::read_bytes(all, &mut [0]).is_err());
    assert_eq!(vmo.committed_bytes(), 32 * PAGE_BYTES);
}

#[test]
fn map_finds_errors_in_zircons_order() {
    let _balance = start();
    let root = root();
    let vmo = vmo(1);
    let map = |options: VmOptions, offset, vmo_offset, len, cap| {
        root.map(options, offset, &vmo, vmo_offset, len, cap)
            .map(drop)
    };
    let invalid = Err(ZxError::InvalidArgs);
    assert_eq!(
        map(VmOptions::PERM_WRITE, 0, 0, PAGE_BYTES, Perms::empty()),
        invalid
    );
    assert_eq!(
        map(
            RW | OVERWRITE | VmOptions::MAP_RANGE,
            0,
            0,
            PAGE_BYTES,
            Perms::empty()
        ),
        invalid
    );
    assert_eq!(
        map(
            RW | VmOptions::CAN_MAP_READ,
            0,
            0,
            PAGE_BYTES,
            Perms::empty()
        ),
        invalid
    );
    assert_eq!(
        map(RW, 0, 0, PAGE_BYTES, Perms::READ),
        Err(ZxError::AccessDenied)
    );
    assert_eq!(
        map(
            RW | VmOptions::from_bits_retain(1 << 31),
            0,
            0,
            PAGE_BYTES,
            Perms::ALL
        ),
        invalid
    );
    assert_eq!(
        map(
            RW | VmOptions::REQUIRE_NON_RESIZABLE | VmOptions::COMPACT,
            0,
            0,
            PAGE_BYTES,
            Perms::ALL
        ),
        Err(ZxError::NotSupported)
    );
    assert_eq!(
        map(RW | VmOptions::COMPACT, 0, 0, PAGE_BYTES, Perms::ALL),
        invalid
    );
    assert_eq!(map(RW, 0, 0, 0, Perms::ALL), invalid);
    assert_eq!(map(RW, 0, 0, u64::MAX, Perms::ALL), invalid);
    assert_eq!(
        map(
            RW,
            0,
            0_u64.wrapping_sub(PAGE_BYTES),
            PAGE_BYTES,
            Perms::ALL
        ),
        invalid
    );
    assert_eq!(
        map(
            RW,
            0,
            0_u64.wrapping_sub(2 * PAGE_BYTES),
            PAGE_BYTES,
            Perms::ALL
        ),
        Ok(())
    );
    assert_eq!(map(RW, PAGE_BYTES, 0, PAGE_BYTES, Perms::ALL), invalid);
    assert_eq!(map(RW | SPECIFIC, 1, 0, PAGE_BYTES, Perms::ALL), invalid);
    assert_eq!(
        map(RW | SPECIFIC, USER_SIZE as u64, 0, PAGE_BYTES, Perms::ALL),
        invalid
    );
    assert_eq!(map(RW | SPECIFIC, 0, 0, PAGE_BYTES, Perms::ALL), Ok(()));
    assert_eq!(
        map(RW | SPECIFIC, 0, 0, PAGE_BYTES, Perms::ALL),
        Err(ZxError::NoMemory)
    );
    assert_eq!(map(RW | OVERWRITE, 0, 0, PAGE_BYTES, Perms::ALL), Ok(()));
    assert_eq!(
        map(
            RW | SPECIFIC | VmOptions::OFFSET_IS_UPPER_LIMIT,
            0,
            0,
            PAGE_BYTES,
            Perms::ALL
        ),
        invalid
    );
}

#[test]
fn regions_limit_what_is_inside() {
    let _balance = start();
    let root = root();
    let vmo = vmo(1);
    let inner = root
        .allocate(VmOptions::CAN_MAP_READ, 0, 16 * PAGE_BYTES)
        .unwrap();
    assert_eq!(
        inner.map(RW, 0, &vmo, 0, 1, Perms::ALL).unwrap_err(),
        ZxError::AccessDenied
    );
    assert_eq!(
        map_at(&inner, VmOptions::PERM_READ, 0, &vmo, 1).unwrap_err(),
        ZxError::AccessDenied
    );
    let at = inner
        .map(VmOptions::PERM_READ, 0, &vmo, 0, 1, Perms::ALL)
        .unwrap();
    assert!((inner.base_addr()..inner.base_addr() + inner.size()).contains(&at));
    assert_eq!(
        inner.protect(RW, at, PAGE_BYTES),
        Err(ZxError::AccessDenied)
    );
    assert_eq!(
        root.protect(VmOptions::PERM_READ, at, PAGE_BYTES),
        Err(ZxError::InvalidArgs)
    );
    assert_eq!(
        inner
            .allocate(VmOptions::CAN_MAP_WRITE, 0, PAGE_BYTES)
            .unwrap_err(),
        ZxError::AccessDenied
    );
    assert_eq!(
        inner
            .allocate(VmOptions::CAN_MAP_SPECIFIC, 0, PAGE_BYTES)
            .map(drop),
        Ok(())
    );
    assert_eq!(
        root.allocate(ALL_CAN, 0, PAGE_BYTES - 1).unwrap_err(),
        ZxError::InvalidArgs
    );
    assert_eq!(
        root.allocate(ALL_CAN | VmOptions::PERM_READ, 0, PAGE_BYTES)
            .unwrap_err(),
        ZxError::InvalidArgs
    );
    assert_eq!(
        root.allocate(ALL_CAN | OVERWRITE, 0, PAGE_BYTES)
            .unwrap_err(),
        ZxError::InvalidArgs
    );
}

#[test]
fn destroyed_regions_say_bad_state_and_their_range_is_free_again() {
    let _balance = start();
    let root = root();
    let vmo = vmo(1);
    let outer = root
        .allocate(ALL_CAN | SPECIFIC, 0, 64 * PAGE_BYTES)
        .unwrap();
    let inner = outer
        .allocate(ALL_CAN | SPECIFIC, 0, 32 * PAGE_BYTES)
        .unwrap();
    let at = map_at(&inner, RW, 3, &vmo, 1).unwrap();
    assert_eq!(
        root.unmap(outer.base_addr(), PAGE_BYTES),
        Err(ZxError::InvalidArgs)
    );
    assert_eq!(
        root.map(RW | OVERWRITE, 0, &vmo, 0, 1, Perms::ALL)
            .unwrap_err(),
        ZxError::InvalidArgs
    );
    assert_eq!(outer.destroy(), Ok(()));
    assert_eq!(
        (outer.destroy(), inner.destroy()),
        (Err(ZxError::BadState), Err(ZxError::BadState))
    );
    assert_eq!(
        inner.map(RW, 0, &vmo, 0, 1, Perms::ALL).unwrap_err(),
        ZxError::BadState
    );
    assert_eq!(peek(root.space(), at), Err(Fault::NotMapped));
    assert_eq!(map_at(&root, RW, 0, &vmo, 64).map(drop), Ok(()));
    assert_eq!(
        (root.destroy(), root.destroy()),
        (Ok(()), Err(ZxError::BadState))
    );
}

#[test]
fn unmap_and_protect_cut_mappings() {
    let _balance = start();
    let root = root();
    let vmo = vmo(6);
    for page in 0..6 {
        vmo.write(page * PAGE_BYTES, &[u8::try_from(page).unwrap() + 1])
            .unwrap();
    }
    let at = map_at(&root, RW, 10, &vmo, 6).unwrap();
    assert_eq!(root.unmap(at + 2 * PAGE, PAGE_BYTES), Ok(()));
    assert_eq!(
        root.protect(VmOptions::PERM_READ, at, 4 * PAGE_BYTES),
        Err(ZxError::NotFound)
    );
    assert_eq!(
        root.protect(VmOptions::PERM_READ, at + 4 * PAGE, PAGE_BYTES),
        Ok(())
    );
    let seen: Vec<_> = (0..6)
        .map(|page| peek(root.space(), at + page * PAGE).ok())
        .collect();
    assert_eq!(seen, [Some(1), Some(2), None, Some(4), Some(5), Some(6)]);
    assert_eq!(poke(root.space(), at + 4 * PAGE, 0), Err(Fault::Permission));
    assert_eq!(poke(root.space(), at + 5 * PAGE, 0), Ok(()));
    assert_eq!(
        root.protect(VmOptions::empty(), at + 3 * PAGE, 3 * PAGE_BYTES),
        Ok(())
    );
    assert_eq!(peek(root.space(), at + 3 * PAGE), Err(Fault::Permission));
    assert_eq!(root.protect(RW, at + 3 * PAGE, 3 * PAGE_BYTES), Ok(()));
    assert_eq!(vmo.mapping_count(), 4);
    assert_eq!(root.space().stats().mapped, 5 * PAGE_BYTES);
    assert_eq!(root.unmap(at, 6 * PAGE_BYTES), Ok(()));
    assert_eq!(vmo.mapping_count(), 0);
}

#[test]
fn the_vdso_is_mapped_executable_once_as_a_whole_and_stays() {
    let _balance = start();
    let root = root();
    let vdso = Vmo::new(8 * PAGE_BYTES, Resizable::No).unwrap();
    vdso.mark_vdso(5 * PAGE_BYTES..8 * PAGE_BYTES);
    let rx = VmOptions::PERM_READ | VmOptions::PERM_EXECUTE;
    let region = root
        .allocate(ALL_CAN | SPECIFIC, 0, 8 * PAGE_BYTES)
        .unwrap();
    let map = |options: VmOptions, page: u64, pages: u64| {
        region.map(
            options | SPECIFIC,
            page * PAGE_BYTES,
            &vdso,
            page * PAGE_BYTES,
            pages * PAGE_BYTES,
            Perms::ALL,
        )
    };
    assert_eq!(map(rx, 0, 8).unwrap_err(), ZxError::AccessDenied);
    assert_eq!(
        map(rx | VmOptions::PERM_WRITE, 5, 3).unwrap_err(),
        ZxError::AccessDenied
    );
    map(VmOptions::PERM_READ, 0, 5).unwrap();
    let code = map(rx, 5, 3).unwrap();
    assert_eq!(root.space().vdso_base(), Some(region.base_addr()));
    assert_eq!(
        root.map(rx, 0, &vdso, 5 * PAGE_BYTES, 3 * PAGE_BYTES, Perms::ALL)
            .unwrap_err(),
        ZxError::AccessDenied
    );
    let denied = Err(ZxError::AccessDenied);
    assert_eq!(region.unmap(code + PAGE, PAGE_BYTES), denied);
    assert_eq!(root.unmap(region.base_addr(), 8 * PAGE_BYTES), denied);
    let over = root.map(
        VmOptions::PERM_READ | OVERWRITE,
        (code - USER_BASE) as u64,
        &vdso,
        0,
        PAGE_BYTES,
        Perms::ALL,
    );
    assert_eq!(over.map(drop), denied);
    assert_eq!(
        region.protect(VmOptions::PERM_READ, code, PAGE_BYTES),
        denied
    );
    assert_eq!(region.destroy(), denied);
    assert_eq!(
        root.space().write_memory(code, &[0]),
        Err(ZxError::AccessDenied)
    );
    assert_eq!(
        root.space().read_memory(code, &mut vec![0; 9 * PAGE]),
        Ok(3 * PAGE)
    );
    root.space().destroy_all();
    assert_eq!(root.space().vdso_base(), None);
    assert_eq!(
        root.map(rx, 0, &vdso, 0, 1, Perms::ALL).unwrap_err(),
        ZxError::BadState
    );
}

#[test]
fn limits_and_alignment_of_places_are_kept() {
    let _balance = start();
    let root = root();
    let vmo = vmo(1);
    for _ in 0..20 {
        let at = root
            .map(RW.with_align_log2(21), 0, &vmo, 0, 1, Perms::ALL)
            .unwrap();
        assert_eq!(at % (2 << 20), 0);
        let at = root
            .map(
                RW | VmOptions::OFFSET_IS_UPPER_LIMIT,
                64 * PAGE_BYTES,
                &vmo,
                0,
                1,
                Perms::ALL,
            )
            .unwrap();
        assert!(at < USER_BASE + 64 * PAGE);
    }
    assert_eq!(
        root.map(RW.with_align_log2(9), 0, &vmo, 0, 1, Perms::ALL)
            .unwrap_err(),
        ZxError::InvalidArgs
    );
    assert_eq!(
        root.map(
            RW | VmOptions::OFFSET_IS_UPPER_LIMIT,
            PAGE_BYTES,
            &vmo,
            0,
            2 * PAGE_BYTES,
            Perms::ALL
        )
        .unwrap_err(),
        ZxError::InvalidArgs
    );
    let compact = root
        .allocate(ALL_CAN | VmOptions::COMPACT, 0, 4 * PAGE_BYTES)
        .unwrap();
    assert_eq!(
        compact
            .map(RW.with_align_log2(13), 0, &vmo, 0, 1, Perms::ALL)
            .unwrap_err(),
        ZxError::InvalidArgs
    );
    let places: Vec<_> = (0..4)
        .map(|_| compact.map(RW, 0, &vmo, 0, 1, Perms::ALL).unwrap() - compact.base_addr())
        .collect();
    assert_eq!(places, [0, PAGE, 2 * PAGE, 3 * PAGE]);
    assert_eq!(
        compact.map(RW, 0, &vmo, 0, 1, Perms::ALL).unwrap_err(),
        ZxError::NoMemory
    );
}

#[test]
fn random_maps_unmaps_and_protects_agree_with_a_list_of_pages() {
    const PAGES: usize = 64;
    let _balance = start();
    let root = root();
    let space = root.space();
    let mut random = Random(77);
    let vmo = Vmo::new(PAGES as u64 * PAGE_BYTES, Resizable::No).unwrap();
    for page in 0..PAGES {
        vmo.write((page * PAGE) as u64, &[u8::try_from(page).unwrap()])
            .unwrap();
    }
    // Page of the VMO that is shown, and whether it is writable.
    let mut model: Vec<Option<(u8, bool)>> = vec![None; PAGES];
    for _ in 0..4000 {
        let start = random.index(PAGES);
        let pages = random.index(PAGES - start) + 1;
        let (at, len) = (USER_BASE + start * PAGE, pages as u64 * PAGE_BYTES);
        let range = start..start + pages;
        match random.below(4) {
            0 => {
                let from = random.index(PAGES - pages + 1);
                let done = root.map(
                    RW | OVERWRITE,
                    (start * PAGE) as u64,
                    &vmo,
                    (from * PAGE) as u64,
                    len,
                    Perms::ALL,
                );
                assert_eq!(done, Ok(at));
                for (page, shown) in range.zip(from..) {
                    model[page] = Some((u8::try_from(shown).unwrap(), true));
                }
            }
            1 => {
                assert_eq!(root.unmap(at, len), Ok(()));
                model[range].fill(None);
            }
            choice => {
                let writable = choice == 2;
                let options = if writable { RW } else { VmOptions::PERM_READ };
                let whole = model[range.clone()].iter().all(Option::is_some);
                assert_eq!(
                    root.protect(options, at, len),
                    if whole {
                        Ok(())
                    } else {
                        Err(ZxError::NotFound)
                    }
                );
                if whole {
                    model[range]
                        .iter_mut()
                        .flatten()
                        .for_each(|page| page.1 = writable);
                }
            }
        }
        let page = random.index(PAGES);
        let at = USER_BASE + page * PAGE;
        assert_eq!(peek(space, at).ok(), model[page].map(|page| page.0));
        assert_eq!(
            poke(space, at + 1, 1).is_ok(),
            model[page].is_some_and(|page| page.1)
        );
    }
    let mut mapped = 0;
    space.for_each(&mut |region| {
        if let RegionKind::Mapping { .. } = region.kind {
            mapped += region.len / PAGE;
        }
    });
    assert_eq!(mapped, model.iter().flatten().count());
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
