//! Mappings as programs use them: what each permission lets code do, seen by the faults it takes.

use libzx::{Rights, VmOptions, ZxResult};
use zx_abi::syscalls::SyscallId;

use crate::check::{check_eq, fails, needs, ok, suite, Case};
use crate::crash::{access, ending_of, Ending};
use crate::memory::{arg, call, root_vmar, PAGE};
use crate::pages::{
    op, pages, stamp, stamp_of, stamped, stamps, Region, View, COMMIT, PAGE64, READ_WRITE,
};
use crate::world::World;

suite! {
    "MemoryMapping":
    fresh_memory_is_zero,
    each_permission_lets_code_do_that_much,
    each_change_of_permission_lets_code_do_that_much,
    memory_without_permission_keeps_its_bytes,
    code_can_be_run_where_execution_is_allowed,
    code_cannot_be_run_elsewhere,
    a_writable_page_cannot_become_executable_without_the_right,
    a_read_only_mapping_of_a_writable_vmo_faults_on_stores,
    a_mapping_of_a_read_only_handle_cannot_be_raised,
    a_mapping_without_map_is_refused,
    the_offset_in_the_vmo_is_kept,
    lengths_that_are_none_are_refused,
    the_address_space_has_limits,
    an_unmapped_page_faults_at_its_address,
    the_kernels_memory_faults_at_its_address,
    a_fault_in_the_middle_of_a_page_is_reported_there,
    a_store_to_a_present_page_that_was_only_read,
    a_mapping_outlives_handle_and_region_handle,
    calls_may_write_what_a_mapping_may_only_read,
}

const READ: VmOptions = VmOptions::PERM_READ;
const WRITE: VmOptions = VmOptions::PERM_WRITE;
const EXECUTE: VmOptions = VmOptions::PERM_EXECUTE;

/// `ret`, as often as there is room.
const RETURNS: [u8; 64] = [0xc3; 64];

/// How code at an address ends when it is called.
fn run(address: usize) -> ZxResult<Ending> {
    ending_of(move || libzx::raw::run(address))
}

fn executable(count: u64) -> ZxResult<libzx::Vmo> {
    let vmo = pages(count)?;
    vmo.write(&RETURNS, 0)?;
    vmo.replace_as_executable(&libzx::Unowned(0))
}

fn fresh_memory_is_zero(_: &World) -> Case {
    let vmo = ok!(pages(16));
    let view = ok!(View::new(&vmo, 16));
    for page in 0..16 {
        for offset in (0..PAGE).step_by(512) {
            check_eq!(libzx::raw::peek(view.at(page) + offset), 0);
        }
    }
    Ok(())
}

fn each_permission_lets_code_do_that_much(_: &World) -> Case {
    needs!(VmoReplaceAsExecutable);
    let vmo = ok!(executable(1));
    for (flags, expected) in [
        (VmOptions::empty(), (false, false)),
        (READ, (true, false)),
        (READ | WRITE, (true, true)),
        (READ | EXECUTE, (true, false)),
        (READ | WRITE | EXECUTE, (true, true)),
    ] {
        let view = ok!(View::with(&vmo, flags, 0, 1));
        check_eq!(ok!(access(view.at(0) + 64)), expected);
        let ran = ok!(run(view.at(0)));
        match flags.contains(EXECUTE) {
            true => check_eq!(ran, Ending::Well),
            false => check_eq!(ran, Ending::fault_at(view.at(0))),
        }
    }
    fails!(View::with(&vmo, WRITE, 0, 1), InvalidArgs);
    fails!(View::with(&vmo, EXECUTE, 0, 1), InvalidArgs);
    fails!(View::with(&vmo, WRITE | EXECUTE, 0, 1), InvalidArgs);
    Ok(())
}

fn each_change_of_permission_lets_code_do_that_much(_: &World) -> Case {
    needs!(VmoReplaceAsExecutable);
    let vmo = ok!(executable(1));
    let view = ok!(View::with(&vmo, READ | WRITE | EXECUTE, 0, 1));
    for (flags, expected) in [
        (READ, (true, false)),
        (VmOptions::empty(), (false, false)),
        (READ | WRITE, (true, true)),
        (READ | EXECUTE, (true, false)),
        (READ | WRITE | EXECUTE, (true, true)),
    ] {
        ok!(view.protect(flags));
        check_eq!(ok!(access(view.at(0) + 64)), expected);
        check_eq!(
            ok!(run(view.at(0))) == Ending::Well,
            flags.contains(EXECUTE)
        );
    }
    fails!(view.protect(WRITE), InvalidArgs);
    fails!(view.protect(EXECUTE), InvalidArgs);
    Ok(())
}

fn memory_without_permission_keeps_its_bytes(_: &World) -> Case {
    let vmo = ok!(stamped(1, 7));
    let view = ok!(View::new(&vmo, 1));
    view.store(0, 8);
    ok!(view.protect(VmOptions::empty()));
    check_eq!(ok!(access(view.at(0))), (false, false));
    ok!(view.protect(READ));
    check_eq!(view.load(0), 8);
    Ok(())
}

fn code_can_be_run_where_execution_is_allowed(_: &World) -> Case {
    needs!(VmoReplaceAsExecutable);
    let vmo = ok!(executable(2));
    ok!(vmo.write(&RETURNS, PAGE64));
    let view = ok!(View::with(&vmo, READ | EXECUTE, 1, 1));
    check_eq!(ok!(run(view.at(0) + 10)), Ending::Well);
    Ok(())
}

fn code_cannot_be_run_elsewhere(_: &World) -> Case {
    let vmo = ok!(pages(1));
    ok!(vmo.write(&RETURNS, 0));
    for flags in [READ, READ | WRITE] {
        let view = ok!(View::with(&vmo, flags, 0, 1));
        check_eq!(ok!(run(view.at(0))), Ending::fault_at(view.at(0)));
    }
    // A new VMO has no right to it.
    fails!(View::with(&vmo, READ | EXECUTE, 0, 1), AccessDenied);
    Ok(())
}

fn a_writable_page_cannot_become_executable_without_the_right(_: &World) -> Case {
    let vmo = ok!(pages(1));
    let view = ok!(View::new(&vmo, 1));
    fails!(view.protect(READ | EXECUTE), AccessDenied);
    view.store(0, 1);
    Ok(())
}

fn a_read_only_mapping_of_a_writable_vmo_faults_on_stores(_: &World) -> Case {
    let vmo = ok!(stamped(1, 7));
    let view = ok!(View::with(&vmo, READ, 0, 1));
    check_eq!(ok!(access(view.at(0))), (true, false));
    check_eq!(ok!(stamp_of(&vmo, 0)), 7);
    // Raised, since the handle could.
    ok!(view.protect(READ_WRITE));
    view.store(0, 8);
    check_eq!(ok!(stamp_of(&vmo, 0)), 8);
    Ok(())
}

fn a_mapping_of_a_read_only_handle_cannot_be_raised(_: &World) -> Case {
    let vmo = ok!(stamped(1, 7));
    let reader = ok!(vmo.duplicate(Rights::READ | Rights::MAP));
    fails!(View::new(&reader, 1), AccessDenied);
    let view = ok!(View::with(&reader, READ, 0, 1));
    fails!(view.protect(READ_WRITE), AccessDenied);
    // Nor through another handle to the VMO.
    drop(vmo);
    fails!(view.protect(READ_WRITE), AccessDenied);
    check_eq!(view.load(0), 7);
    Ok(())
}

fn a_mapping_without_map_is_refused(_: &World) -> Case {
    let vmo = ok!(stamped(1, 7));
    let poor = ok!(vmo.duplicate(Rights::IO));
    for flags in [VmOptions::empty(), READ, READ_WRITE] {
        fails!(View::with(&poor, flags, 0, 1), AccessDenied);
    }
    Ok(())
}

fn the_offset_in_the_vmo_is_kept(_: &World) -> Case {
    let vmo = ok!(stamped(5, 10));
    for page in 0..5 {
        let view = ok!(View::with(&vmo, READ_WRITE, page, 1));
        check_eq!(view.load(0), 10 + page);
        view.store(0, 20 + page);
    }
    check_eq!(ok!(stamps(&vmo)), [20, 21, 22, 23, 24]);
    let root = ok!(root_vmar());
    fails!(root.map(READ, 0, &vmo, 100, PAGE), InvalidArgs);
    fails!(
        root.map(READ, 0, &vmo, 0u64.wrapping_sub(PAGE64), PAGE),
        InvalidArgs
    );
    Ok(())
}

fn lengths_that_are_none_are_refused(_: &World) -> Case {
    let vmo = ok!(pages(1));
    let root = ok!(root_vmar());
    fails!(root.map(READ, 0, &vmo, 0, 0), InvalidArgs);
    fails!(root.map(READ, 0, &vmo, 0, usize::MAX), InvalidArgs);
    fails!(
        root.map(READ, 0, &vmo, 0, usize::MAX - PAGE + 2),
        InvalidArgs
    );
    let at = ok!(root.map(READ, 0, &vmo, 0, 1));
    check_eq!(libzx::raw::peek(at + PAGE - 8), 0);
    ok!(root.unmap(at, 1));
    Ok(())
}

fn the_address_space_has_limits(_: &World) -> Case {
    let root = ok!(root_vmar());
    let vmo = ok!(pages(1));
    let (base, len) = ok!(root.range());
    let specific = READ | VmOptions::SPECIFIC;
    // The last page of it, and none behind it.
    let last = ok!(root.map(specific, len - PAGE, &vmo, 0, PAGE));
    check_eq!(last, base + len - PAGE);
    ok!(root.unmap(last, PAGE));
    fails!(root.map(specific, len, &vmo, 0, PAGE), InvalidArgs);
    fails!(
        root.map(specific, len - PAGE, &vmo, 0, 2 * PAGE),
        InvalidArgs
    );
    fails!(
        root.map(specific, 0usize.wrapping_sub(base), &vmo, 0, PAGE),
        InvalidArgs
    );
    fails!(root.map(READ, 0, &vmo, 0, len + PAGE), InvalidArgs);
    fails!(root.unmap(0, PAGE), InvalidArgs);
    fails!(root.protect(READ, base + len, PAGE), InvalidArgs);
    Ok(())
}

fn an_unmapped_page_faults_at_its_address(_: &World) -> Case {
    let region = ok!(Region::new(2));
    let vmo = ok!(stamped(2, 7));
    let at = ok!(region.map(0, &vmo, 0, 2, READ_WRITE));
    check_eq!(ok!(access(at)), (true, true));
    ok!(region.vmar.unmap(at, PAGE));
    let ending = ok!(ending_of(move || {
        let _ = libzx::raw::peek(at + 8);
    }));
    check_eq!(ending, Ending::fault_at(at + 8));
    check_eq!(libzx::raw::peek(at + PAGE), 8);
    Ok(())
}

fn the_kernels_memory_faults_at_its_address(_: &World) -> Case {
    for at in [
        0xffff_ffff_8010_0000usize,
        0xffff_8000_0000_0000,
        0x7fff_ffff_f000,
    ] {
        check_eq!(ok!(access(at)), (false, false));
        let ending = ok!(ending_of(move || libzx::raw::poke(at, 1)));
        check_eq!(ending, Ending::fault_at(at));
        check_eq!(ok!(run(at)), Ending::fault_at(at));
    }
    Ok(())
}

fn a_fault_in_the_middle_of_a_page_is_reported_there(_: &World) -> Case {
    let vmo = ok!(stamped(1, 7));
    let view = ok!(View::with(&vmo, READ, 0, 1));
    for offset in [0, 8, 1000, PAGE - 8] {
        let at = view.at(0) + offset;
        check_eq!(
            ok!(ending_of(move || libzx::raw::poke(at, 1))),
            Ending::fault_at(at)
        );
    }
    Ok(())
}

fn a_store_to_a_present_page_that_was_only_read(_: &World) -> Case {
    let vmo = ok!(pages(2));
    let view = ok!(View::new(&vmo, 2));
    // The zeros that a load shows are not the page that a store gets.
    check_eq!((view.load(0), view.load(1)), (0, 0));
    view.store(0, 5);
    check_eq!((view.load(0), view.load(1)), (5, 0));
    ok!(op(&vmo, COMMIT, 1, 1));
    view.store(1, 6);
    check_eq!(ok!(stamps(&vmo)), [5, 6]);
    Ok(())
}

fn a_mapping_outlives_handle_and_region_handle(_: &World) -> Case {
    let root = ok!(root_vmar());
    let flags = VmOptions::CAN_MAP_READ | VmOptions::CAN_MAP_WRITE;
    let (region, base) = ok!(root.allocate(flags, 0, PAGE));
    let vmo = ok!(stamped(1, 7));
    let at = ok!(region.map(READ_WRITE, 0, &vmo, 0, PAGE));
    drop(region);
    drop(vmo);
    check_eq!(libzx::raw::peek(at), 7);
    libzx::raw::poke(at, 8);
    check_eq!(libzx::raw::peek(at), 8);
    ok!(root.unmap(base, PAGE));
    check_eq!(ok!(access(at)), (false, false));
    Ok(())
}

fn calls_may_write_what_a_mapping_may_only_read(_: &World) -> Case {
    let vmo = ok!(stamped(1, 7));
    let view = ok!(View::with(&vmo, READ, 0, 1));
    check_eq!(view.load(0), 7);
    ok!(stamp(&vmo, 0, 8));
    check_eq!(view.load(0), 8);
    // But no call writes through the mapping.
    fails!(
        call(SyscallId::VmoRead, &[arg(&vmo), view.at(0), 0, 8]),
        InvalidArgs
    );
    fails!(call(SyscallId::EventCreate, &[0, view.at(0)]), InvalidArgs);
    Ok(())
}
