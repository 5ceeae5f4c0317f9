//! What VMARs promise, one sentence each.

use super::start;
use super::user::{map_at, peek, poke, root, vmo, ALL_CAN, OVERWRITE, RW, SPECIFIC};
use crate::vm::{Fault, Perms, Resizable, Rest, VmOptions, Vmo, PAGE, PAGE_BYTES};
use kernel_hal::addr::{USER_BASE, USER_SIZE};
use kernel_hal_hosted::cpu::interrupt_windows;
use std::vec;
use std::vec::Vec;
use zx_abi::ZxError;

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
    vdso.mark_vdso(5 * PAGE_BYTES..8 * PAGE_BYTES).unwrap();
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
fn what_is_long_is_unmapped_and_destroyed_in_steps_from_the_end() {
    const PAGES: u64 = 20_000;
    let _balance = start();
    let root = root();
    let vmo = vmo(1);
    let region = root
        .allocate(ALL_CAN | SPECIFIC, 0, 2 * PAGES * PAGE_BYTES)
        .unwrap();
    let at = map_at(&region, RW, 0, &vmo, PAGES).unwrap();
    map_at(&region, RW, 30_000, &vmo, 1).unwrap();
    poke(root.space(), at, 5).unwrap();
    let left = region.unmap_step(at, PAGES * PAGE_BYTES).unwrap();
    assert!((PAGE_BYTES..PAGES * PAGE_BYTES).contains(&left));
    assert_eq!(peek(root.space(), at), Ok(5));
    assert!(root.space().stats().mapped < (PAGES + 1) * PAGE_BYTES);
    assert_eq!(region.unmap(at, PAGES * PAGE_BYTES), Ok(()));
    assert_eq!(peek(root.space(), at), Err(Fault::NotMapped));
    assert_eq!(root.space().stats().mapped, PAGE_BYTES);

    map_at(&region, RW, 0, &vmo, PAGES).unwrap();
    assert_eq!(region.destroy_step(), Ok(Rest::More));
    assert_eq!(map_at(&region, RW, 25_000, &vmo, 1), Err(ZxError::BadState));
    while region.destroy_rest().unwrap() == Rest::More {}
    assert_eq!((root.space().stats().mapped, vmo.mapping_count()), (0, 0));
    assert_eq!(map_at(&root, RW, 0, &vmo, 2 * PAGES).map(drop), Ok(()));
}

#[test]
fn protecting_very_many_mappings_lets_interrupts_in() {
    const MAPPINGS: usize = 4000;
    let _balance = start();
    let root = root();
    let vmo = vmo(1);
    for page in 0..MAPPINGS {
        map_at(&root, RW, page, &vmo, 1).unwrap();
    }
    let before = interrupt_windows();
    let len = MAPPINGS as u64 * PAGE_BYTES;
    assert_eq!(root.protect(VmOptions::PERM_READ, USER_BASE, len), Ok(()));
    // Once when it checks and once when it changes, after every 512.
    assert!(interrupt_windows() - before >= 2 * (MAPPINGS / 512));
}
