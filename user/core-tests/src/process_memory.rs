//! Memory of processes read and written by others, and by themselves.

use alloc::vec;

use libzx::{AsHandle, Event, Process, Rights, VmOptions, Vmo, ZxResult};
use zx_abi::syscalls::SyscallId;

use crate::check::{check, check_eq, fails, home_only, ok, skip, suite, Case};
use crate::memory::{arg, call, Scratch, BAD_ADDRESSES, PAGE};
use crate::pages::{
    committed, pages, resizable, slice, snapshot, stamp_of, stamped, stamps, Region, View, PAGE64,
    READ_WRITE,
};
use crate::world::{Level, World};

suite! {
    "ProcessMemory":
    what_is_mapped_can_be_read,
    what_is_mapped_can_be_written,
    memory_of_a_process_that_never_ran_can_be_read_and_written,
    protection_does_not_matter,
    what_was_never_touched_reads_as_zero,
    a_range_across_the_end_of_a_mapping_is_cut,
    what_is_not_mapped_has_no_memory,
    bad_buffers_are_refused,
    sizes_have_limits,
    rights_are_needed,
    wrong_types_and_handles_are_refused,
    a_dead_process_has_no_memory,
    writing_to_a_copy_leaves_its_parent,
    the_vdso_can_be_read_but_not_written,
    the_vdso_is_not_written_through_a_slice,
    memory_beyond_the_end_of_its_vmo_is_out_of_range,
    device_memory_is_not_supported,
    uncached_memory_is_refused,
}

/// A handle to this process with all its rights.
pub(crate) fn own() -> ZxResult<Process> {
    libzx::own_process()
        .duplicate_handle(Rights::SAME_RIGHTS)
        .map(Process::from)
}

fn what_is_mapped_can_be_read(_: &World) -> Case {
    let view = ok!(View::new(&ok!(stamped(3, 7)), 3));
    let mut bytes = vec![0; 2 * PAGE];
    check_eq!(
        ok!(ok!(own()).read_memory(view.at(0) + 100, &mut bytes)),
        2 * PAGE
    );
    check_eq!((bytes[PAGE - 100], bytes[2 * PAGE - 100]), (8, 9));
    check_eq!(bytes.iter().filter(|byte| **byte != 0).count(), 2);
    Ok(())
}

fn what_is_mapped_can_be_written(_: &World) -> Case {
    let vmo = ok!(pages(2));
    let view = ok!(View::new(&vmo, 2));
    check_eq!(ok!(ok!(own()).write_memory(view.at(1) - 2, b"1234")), 4);
    let mut bytes = [0; 6];
    ok!(vmo.read(&mut bytes, PAGE64 - 3));
    check_eq!(bytes, *b"\x001234\0");
    Ok(())
}

fn memory_of_a_process_that_never_ran_can_be_read_and_written(world: &World) -> Case {
    let Some(job) = &world.job else {
        skip!("no job");
    };
    let (process, vmar) = ok!(Process::create(job, "never"));
    let vmo = ok!(stamped(1, 7));
    let at = ok!(vmar.map(READ_WRITE, 0, &vmo, 0, PAGE));
    let mut bytes = [0; 8];
    check_eq!(ok!(process.read_memory(at, &mut bytes)), 8);
    check_eq!(u64::from_le_bytes(bytes), 7);
    check_eq!(ok!(process.write_memory(at, &[9; 8])), 8);
    check_eq!(ok!(stamps(&vmo)), [0x0909_0909_0909_0909]);
    Ok(())
}

fn protection_does_not_matter(_: &World) -> Case {
    let vmo = ok!(stamped(1, 7));
    for flags in [VmOptions::empty(), VmOptions::PERM_READ, READ_WRITE] {
        let view = ok!(View::with(&vmo, flags, 0, 1));
        let mut byte = [0];
        ok!(ok!(own()).read_memory(view.at(0), &mut byte));
        check_eq!(byte, [7]);
        ok!(ok!(own()).write_memory(view.at(0), &[7]));
    }
    Ok(())
}

fn what_was_never_touched_reads_as_zero(_: &World) -> Case {
    let vmo = ok!(pages(2));
    let view = ok!(View::new(&vmo, 2));
    let mut bytes = [1; 64];
    check_eq!(ok!(ok!(own()).read_memory(view.at(0), &mut bytes)), 64);
    check_eq!(bytes, [0; 64]);
    check_eq!(ok!(committed(&vmo)), 0);
    Ok(())
}

fn a_range_across_the_end_of_a_mapping_is_cut(_: &World) -> Case {
    let region = ok!(Region::new(3));
    let vmo = ok!(stamped(2, 7));
    // Two mappings that touch, of which one call reads one.
    ok!(region.map(0, &vmo, 0, 1, READ_WRITE));
    ok!(region.map(1, &vmo, 1, 1, VmOptions::PERM_READ));
    let own = ok!(own());
    let mut bytes = [0; 100];
    check_eq!(ok!(own.read_memory(region.at(1) - 10, &mut bytes)), 10);
    check_eq!(ok!(own.read_memory(region.at(2) - 10, &mut bytes)), 10);
    check_eq!(ok!(own.write_memory(region.at(1) - 10, &bytes)), 10);
    Ok(())
}

fn what_is_not_mapped_has_no_memory(_: &World) -> Case {
    let region = ok!(Region::new(2));
    let own = ok!(own());
    for at in [
        region.base,
        0,
        0x1000,
        0x7fff_ffff_f000,
        0xffff_ffff_8010_0000,
        usize::MAX,
    ] {
        fails!(own.read_memory(at, &mut [0; 8]), NoMemory);
        fails!(own.write_memory(at, &[0; 8]), NoMemory);
    }
    Ok(())
}

/// The two calls.
const CALLS: [SyscallId; 2] = [SyscallId::ProcessReadMemory, SyscallId::ProcessWriteMemory];

fn bad_buffers_are_refused(_: &World) -> Case {
    let view = ok!(View::new(&ok!(stamped(1, 7)), 1));
    let own = arg(&libzx::own_process());
    let page = ok!(Scratch::new());
    for id in CALLS {
        for bad in BAD_ADDRESSES {
            fails!(
                call(id, &[own, view.at(0), bad, 8, page.address()]),
                InvalidArgs
            );
        }
        for bad in BAD_ADDRESSES.into_iter().skip(1) {
            fails!(
                call(id, &[own, view.at(0), page.address(), 8, bad]),
                InvalidArgs
            );
        }
    }
    Ok(())
}

fn sizes_have_limits(_: &World) -> Case {
    let view = ok!(View::new(&ok!(stamped(1, 7)), 1));
    let own = arg(&libzx::own_process());
    let at = ok!(Scratch::new());
    let buffer = at.address();
    for id in CALLS {
        for size in [0, (64 << 20) + 1, usize::MAX] {
            fails!(
                call(id, &[own, view.at(0), buffer, size, buffer]),
                InvalidArgs
            );
            // Looked at before the handle.
            fails!(
                call(id, &[0, view.at(0), buffer, size, buffer]),
                InvalidArgs
            );
        }
        // Cut to the mapping.
        ok!(call(
            id,
            &[own, view.at(0) + PAGE - 8, buffer, 8, buffer + 64]
        ));
    }
    Ok(())
}

fn rights_are_needed(_: &World) -> Case {
    let view = ok!(View::new(&ok!(stamped(1, 7)), 1));
    let own = ok!(own());
    let poor = ok!(own.duplicate(Rights::READ));
    fails!(poor.read_memory(view.at(0), &mut [0]), AccessDenied);
    fails!(poor.write_memory(view.at(0), &[0]), AccessDenied);
    let writer = ok!(own.duplicate(Rights::WRITE));
    fails!(writer.read_memory(view.at(0), &mut [0]), AccessDenied);
    ok!(writer.write_memory(view.at(0), &[7]));
    ok!(ok!(own.duplicate(Rights::IO)).read_memory(view.at(0), &mut [0]));
    Ok(())
}

fn wrong_types_and_handles_are_refused(_: &World) -> Case {
    let view = ok!(View::new(&ok!(stamped(1, 7)), 1));
    let event = ok!(Event::create());
    let page = ok!(Scratch::new());
    let at = page.address();
    for id in CALLS {
        fails!(call(id, &[0, view.at(0), at, 8, at + 64]), BadHandle);
        fails!(
            call(id, &[arg(&event), view.at(0), at, 8, at + 64]),
            WrongType
        );
    }
    Ok(())
}

fn a_dead_process_has_no_memory(world: &World) -> Case {
    let Some(job) = &world.job else {
        skip!("no job");
    };
    let (process, vmar) = ok!(Process::create(job, "dead"));
    let at = ok!(vmar.map(READ_WRITE, 0, &ok!(stamped(1, 7)), 0, PAGE));
    ok!(process.kill());
    ok!(process.wait_one(libzx::Signals::PROCESS_TERMINATED, crate::world::soon()));
    let expected = match world.level {
        Level::Home => libzx::ZxError::BadState,
        Level::July2019 => libzx::ZxError::NoMemory,
    };
    check_eq!(process.read_memory(at, &mut [0; 8]), Err(expected));
    check_eq!(process.write_memory(at, &[0; 8]), Err(expected));
    Ok(())
}

fn writing_to_a_copy_leaves_its_parent(world: &World) -> Case {
    let vmo = ok!(stamped(1, 7));
    let copy = ok!(snapshot(world, &vmo, 0, 1));
    let view = ok!(View::with(&copy, VmOptions::PERM_READ, 0, 1));
    check_eq!(view.load(0), 7);
    ok!(ok!(own()).write_memory(view.at(0), &[9]));
    check_eq!((view.load(0), ok!(stamp_of(&vmo, 0))), (9, 7));
    Ok(())
}

fn the_vdso_can_be_read_but_not_written(world: &World) -> Case {
    let own = ok!(own());
    let base = libzx::own_vdso_base();
    let mut bytes = [0; 4];
    check_eq!(ok!(own.read_memory(base, &mut bytes)), 4);
    check_eq!(bytes, *b"\x7fELF");
    // Its code, wherever in the image that is.
    let code = libzx::raw::address(SyscallId::HandleClose);
    check!(code > base);
    check_eq!(ok!(own.read_memory(code, &mut bytes)), 4);
    fails!(own.write_memory(code, &bytes), AccessDenied);
    // Nor its constants, which all processes share.
    ok!(own.read_memory(base, &mut bytes));
    fails!(own.write_memory(base, &bytes), AccessDenied);
    let Some(vdso) = world.vdso() else {
        skip!("no vDSO VMO");
    };
    // However it is mapped.
    shows_and_keeps(vdso)?;
    // A copy is nobody else's.
    let copy = ok!(snapshot(world, vdso, 0, 1));
    let view = ok!(View::with(&copy, VmOptions::PERM_READ, 0, 1));
    check_eq!(ok!(own.write_memory(view.at(0), b"mine")), 4);
    ok!(own.read_memory(base, &mut bytes));
    check_eq!(bytes, *b"\x7fELF");
    Ok(())
}

/// A mapping of the vDSO's memory can be read and not written.
fn shows_and_keeps(vdso: &Vmo) -> Case {
    let own = ok!(own());
    let mut bytes = [0; 4];
    let all = usize::try_from(ok!(vdso.size()) / PAGE64).unwrap_or(0);
    let view = ok!(View::with(vdso, VmOptions::PERM_READ, 0, all));
    for page in 0..all {
        ok!(own.read_memory(view.at(page), &mut bytes));
        fails!(own.write_memory(view.at(page), &bytes), AccessDenied);
    }
    Ok(())
}

fn the_vdso_is_not_written_through_a_slice(world: &World) -> Case {
    // July 2019 asks only whether the mapping's VMO is the vDSO's, and lets this change the vDSO of every process.
    home_only!(world);
    let Some(vdso) = world.vdso() else {
        skip!("no vDSO VMO");
    };
    let all = ok!(vdso.size()) / PAGE64;
    shows_and_keeps(&ok!(slice(world, vdso, 0, all)))
}

fn memory_beyond_the_end_of_its_vmo_is_out_of_range(_: &World) -> Case {
    let vmo = ok!(resizable(2));
    let view = ok!(View::new(&vmo, 2));
    view.store(0, 7);
    ok!(vmo.set_size(PAGE64));
    let own = ok!(own());
    check_eq!(ok!(own.read_memory(view.at(0), &mut [0; 8])), 8);
    fails!(own.read_memory(view.at(1), &mut [0; 8]), OutOfRange);
    fails!(own.write_memory(view.at(1), &[0; 8]), OutOfRange);
    Ok(())
}

fn device_memory_is_not_supported(world: &World) -> Case {
    let Some(resource) = &world.resource else {
        skip!("no root resource");
    };
    let vmo = ok!(Vmo::physical(resource, 0xf000_0000, PAGE));
    let view = ok!(View::new(&vmo, 1));
    fails!(
        ok!(own()).read_memory(view.at(0), &mut [0; 8]),
        NotSupported
    );
    fails!(ok!(own()).write_memory(view.at(0), &[0; 8]), NotSupported);
    Ok(())
}

fn uncached_memory_is_refused(_: &World) -> Case {
    let vmo = ok!(pages(1));
    ok!(vmo.set_cache_policy(1));
    let view = ok!(View::new(&vmo, 1));
    fails!(ok!(own()).read_memory(view.at(0), &mut [0; 8]), BadState);
    Ok(())
}
