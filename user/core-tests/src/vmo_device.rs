//! VMOs as devices see them: cache policies, cache operations, contiguous and physical memory, pins.

use libzx::{AsHandle, Bti, Event, Handle, Rights, VmOptions, Vmo, ZxResult};
use zx_abi::info::VmoInfoFlags;
use zx_abi::syscalls::SyscallId;
use zx_abi::ObjectType;

use crate::check::{check, check_eq, fails, home_only, ok, skip, suite, Case};
use crate::crash::access;
use crate::memory::{arg, call, Scratch, BAD_ADDRESSES};
use crate::pages::{
    committed, device, info, op, pages, resizable, slice, snapshot, stamp_all, stamped, stamps,
    View, COMMIT, DECOMMIT, PAGE64,
};
use crate::world::{rights_of, Level, World};

suite! {
    "VmoDevice":
    every_cache_policy_can_be_chosen,
    the_cache_policy_of_a_used_vmo_stays,
    an_uncached_vmo_is_not_read_by_calls,
    an_uncached_vmo_can_be_mapped,
    choosing_a_cache_policy_needs_map,
    cache_operations_want_bytes_inside,
    cache_operations_need_their_rights,
    flushing_caches_keeps_the_bytes,
    contiguous_memory_is_zero_committed_and_fixed,
    contiguous_memory_is_aligned,
    contiguous_memory_is_not_decommitted,
    contiguous_memory_of_odd_sizes_is_rounded_up,
    bad_contiguous_arguments_are_refused,
    contiguous_addresses_rise_page_by_page,
    uncached_contiguous_memory_is_shared_by_mappings,
    physical_memory_is_told_as_such,
    physical_memory_is_not_read_by_calls,
    physical_memory_mapped_beyond_its_end_is_not_there,
    bad_physical_arguments_are_refused,
    pinning_gives_an_address_for_each_page,
    pinning_contiguous_memory_gives_one_address,
    pinning_commits,
    pinning_checks_its_arguments,
    pinning_needs_rights,
    pinned_pages_stay,
    a_page_is_pinned_so_often_and_no_more,
    unpinning_lets_pages_go,
    a_token_that_is_closed_leaves_its_pages_in_quarantine,
    tokens_and_devices_tell_their_types_apart,
    making_a_device_checks_its_arguments,
}

/// The device, or the case is skipped.
macro_rules! device_or_skip {
    ($world:expr) => {
        match ok!(device($world)) {
            Some(device) => device,
            None => skip!("no root resource"),
        }
    };
}

const READ: u32 = 1;
const WRITE: u32 = 2;
const CONTIGUOUS: u32 = 16;

fn every_cache_policy_can_be_chosen(_: &World) -> Case {
    let vmo = ok!(pages(1));
    for policy in [1, 2, 3, 0] {
        ok!(vmo.set_cache_policy(policy));
        check_eq!(ok!(info(&vmo)).cache_policy, policy);
    }
    fails!(vmo.set_cache_policy(4), InvalidArgs);
    fails!(vmo.set_cache_policy(u32::MAX), InvalidArgs);
    Ok(())
}

fn the_cache_policy_of_a_used_vmo_stays(world: &World) -> Case {
    let vmo = ok!(pages(1));
    let view = ok!(View::new(&vmo, 1));
    fails!(vmo.set_cache_policy(1), BadState);
    drop(view);
    ok!(vmo.set_cache_policy(0));
    let copy = ok!(snapshot(world, &vmo, 0, 1));
    fails!(vmo.set_cache_policy(1), BadState);
    fails!(copy.set_cache_policy(1), BadState);
    drop(copy);
    let window = ok!(slice(world, &vmo, 0, 1));
    fails!(vmo.set_cache_policy(1), BadState);
    fails!(window.set_cache_policy(1), BadState);
    drop(window);
    ok!(vmo.set_cache_policy(0));
    ok!(op(&vmo, COMMIT, 0, 1));
    fails!(vmo.set_cache_policy(1), BadState);
    if let Some(bti) = ok!(device(world)) {
        let (pinned, _) = ok!(bti.pin(READ, &vmo, 0, PAGE64, 1));
        fails!(vmo.set_cache_policy(1), BadState);
        ok!(pinned.unpin());
    }
    ok!(op(&vmo, DECOMMIT, 0, 1));
    ok!(vmo.set_cache_policy(1));
    Ok(())
}

fn an_uncached_vmo_is_not_read_by_calls(_: &World) -> Case {
    for policy in [1, 2, 3] {
        let vmo = ok!(resizable(1));
        ok!(vmo.set_cache_policy(policy));
        fails!(vmo.read(&mut [0], 0), BadState);
        fails!(vmo.write(&[0], 0), BadState);
        ok!(vmo.set_cache_policy(0));
        ok!(vmo.write(&[1], 0));
    }
    Ok(())
}

fn an_uncached_vmo_can_be_mapped(_: &World) -> Case {
    let vmo = ok!(pages(1));
    ok!(vmo.set_cache_policy(1));
    let (first, second) = (ok!(View::new(&vmo, 1)), ok!(View::new(&vmo, 1)));
    first.store(0, 77);
    check_eq!(second.load(0), 77);
    Ok(())
}

fn choosing_a_cache_policy_needs_map(_: &World) -> Case {
    let vmo = ok!(pages(1));
    let poor = ok!(vmo.duplicate(Rights::IO));
    fails!(poor.set_cache_policy(1), AccessDenied);
    ok!(ok!(vmo.duplicate(Rights::MAP)).set_cache_policy(1));
    Ok(())
}

const CACHE_OPS: [u32; 4] = [6, 7, 8, 9];

fn cache_operations_want_bytes_inside(_: &World) -> Case {
    let vmo = ok!(stamped(2, 1));
    for cache_op in CACHE_OPS {
        fails!(vmo.op_range(cache_op, 0, 0), InvalidArgs);
        for (offset, len) in [(0, 1), (100, 5000), (0, 2 * PAGE64), (2 * PAGE64 - 1, 1)] {
            ok!(vmo.op_range(cache_op, offset, len));
        }
        for (offset, len) in [
            (0, 2 * PAGE64 + 1),
            (2 * PAGE64, 1),
            (1, u64::MAX),
            (u64::MAX, 1),
        ] {
            fails!(vmo.op_range(cache_op, offset, len), OutOfRange);
        }
    }
    // On pages that are not there it is fine too.
    ok!(ok!(pages(2)).op_range(9, 0, 2 * PAGE64));
    Ok(())
}

fn cache_operations_need_their_rights(_: &World) -> Case {
    let vmo = ok!(stamped(1, 1));
    let (reader, writer) = (
        ok!(vmo.duplicate(Rights::READ)),
        ok!(vmo.duplicate(Rights::WRITE)),
    );
    for cache_op in [6, 8, 9] {
        ok!(op(&reader, cache_op, 0, 1));
        fails!(op(&writer, cache_op, 0, 1), AccessDenied);
    }
    ok!(op(&writer, 7, 0, 1));
    fails!(op(&reader, 7, 0, 1), AccessDenied);
    Ok(())
}

fn flushing_caches_keeps_the_bytes(_: &World) -> Case {
    let vmo = ok!(stamped(2, 5));
    let view = ok!(View::new(&vmo, 2));
    view.store(1, 77);
    let cache_flush = |address, len, options| call(SyscallId::CacheFlush, &[address, len, options]);
    for options in [1, 2, 3, 6] {
        ok!(cache_flush(view.at(0), 8192, options));
    }
    fails!(cache_flush(view.at(0), 8192, 0), InvalidArgs);
    fails!(cache_flush(view.at(0), 8192, 4), InvalidArgs);
    fails!(cache_flush(view.at(0), 8192, 8), InvalidArgs);
    check_eq!(ok!(stamps(&vmo)), [5, 77]);
    Ok(())
}

fn contiguous_memory_is_zero_committed_and_fixed(world: &World) -> Case {
    let bti = device_or_skip!(world);
    let vmo = ok!(bti.contiguous(4 * 4096, 0));
    check_eq!(ok!(rights_of(&vmo)), Rights::default_for(ObjectType::Vmo));
    check_eq!(ok!(stamps(&vmo)), [0, 0, 0, 0]);
    check_eq!(ok!(committed(&vmo)), 4);
    let flags = VmoInfoFlags::from_bits_retain(ok!(info(&vmo)).flags);
    check!(flags.contains(VmoInfoFlags::PAGED) && !flags.contains(VmoInfoFlags::RESIZABLE));
    check!(flags.contains(VmoInfoFlags::CONTIGUOUS));
    fails!(vmo.set_size(0), Unavailable);
    ok!(stamp_all(&vmo, 4, 10));
    check_eq!(ok!(stamps(&vmo)), [10, 11, 12, 13]);
    ok!(op(&vmo, COMMIT, 0, 4));
    Ok(())
}

fn contiguous_memory_is_aligned(world: &World) -> Case {
    let bti = device_or_skip!(world);
    for log2 in [0, 12, 13, 16, 20] {
        let vmo = ok!(bti.contiguous(3 * 4096, log2));
        let (pinned, addresses) = ok!(bti.pin(READ | CONTIGUOUS, &vmo, 0, 3 * PAGE64, 1));
        check_eq!(addresses[0] % (1 << log2.max(12)), 0);
        ok!(pinned.unpin());
    }
    Ok(())
}

fn contiguous_memory_is_not_decommitted(world: &World) -> Case {
    let bti = device_or_skip!(world);
    let vmo = ok!(bti.contiguous(2 * 4096, 0));
    ok!(stamp_all(&vmo, 2, 10));
    fails!(op(&vmo, DECOMMIT, 0, 1), NotSupported);
    check_eq!(ok!(stamps(&vmo)), [10, 11]);
    Ok(())
}

fn contiguous_memory_of_odd_sizes_is_rounded_up(world: &World) -> Case {
    let bti = device_or_skip!(world);
    for (asked, given) in [(1, 1), (4096, 1), (4097, 2), (3 * 4096 - 1, 3)] {
        check_eq!(ok!(ok!(bti.contiguous(asked, 0)).size()), given * PAGE64);
    }
    Ok(())
}

fn bad_contiguous_arguments_are_refused(world: &World) -> Case {
    let bti = device_or_skip!(world);
    fails!(bti.contiguous(0, 0), InvalidArgs);
    for log2 in [1, 2, 11, 64, 65, u32::MAX] {
        fails!(bti.contiguous(4096, log2), InvalidArgs);
    }
    fails!(bti.contiguous(usize::MAX, 0), OutOfRange);
    // More than any machine has in one piece.
    fails!(bti.contiguous(1 << 45, 0), NoMemory);
    fails!(
        ok!(bti.duplicate(Rights::READ)).contiguous(4096, 0),
        AccessDenied
    );
    let (event, page) = (ok!(Event::create()), ok!(Scratch::new()));
    let create = |bti, out| call(SyscallId::VmoCreateContiguous, &[bti, 4096, 0, out]);
    fails!(create(0, page.address()), BadHandle);
    fails!(create(arg(&event), page.address()), WrongType);
    for bad in BAD_ADDRESSES {
        fails!(create(arg(&bti), bad), InvalidArgs);
    }
    Ok(())
}

fn contiguous_addresses_rise_page_by_page(world: &World) -> Case {
    let bti = device_or_skip!(world);
    let count = 64;
    let vmo = ok!(bti.contiguous(count * 4096, 0));
    let (pinned, addresses) = ok!(bti.pin(READ, &vmo, 0, count as u64 * PAGE64, count));
    for pair in addresses.windows(2) {
        check_eq!(pair[1], pair[0] + PAGE64);
    }
    ok!(pinned.unpin());
    Ok(())
}

fn uncached_contiguous_memory_is_shared_by_mappings(world: &World) -> Case {
    let bti = device_or_skip!(world);
    home_only!(world);
    let vmo = ok!(bti.contiguous(2 * 4096, 0));
    ok!(vmo.set_cache_policy(1));
    let window = ok!(slice(world, &vmo, 1, 1));
    let (whole, part) = (ok!(View::new(&vmo, 2)), ok!(View::new(&window, 1)));
    whole.store(1, 5);
    check_eq!(part.load(0), 5);
    Ok(())
}

/// Addresses where QEMU has no memory, and whoever maps them no harm.
const NOWHERE: u64 = 0xf000_0000;

fn physical(world: &World) -> ZxResult<Option<Vmo>> {
    let make = |resource| Vmo::physical(resource, NOWHERE, 3 * 4096);
    world.resource.as_ref().map(make).transpose()
}

fn physical_memory_is_told_as_such(world: &World) -> Case {
    let Some(vmo) = ok!(physical(world)) else {
        skip!("no root resource");
    };
    check_eq!(ok!(rights_of(&vmo)), Rights::default_for(ObjectType::Vmo));
    let record = ok!(info(&vmo));
    let flags = VmoInfoFlags::VIA_HANDLE | VmoInfoFlags::CONTIGUOUS;
    check_eq!(record.flags, flags.bits());
    check_eq!((record.size_bytes, record.committed_bytes), (3 * PAGE64, 0));
    check_eq!(record.cache_policy, 1);
    ok!(vmo.set_cache_policy(1));
    ok!(vmo.set_cache_policy(3));
    let view = ok!(View::new(&vmo, 1));
    fails!(vmo.set_cache_policy(1), BadState);
    drop(view);
    ok!(vmo.set_cache_policy(2));
    Ok(())
}

fn physical_memory_is_not_read_by_calls(world: &World) -> Case {
    let Some(vmo) = ok!(physical(world)) else {
        skip!("no root resource");
    };
    fails!(vmo.read(&mut [0], 0), NotSupported);
    fails!(vmo.write(&[0], 0), NotSupported);
    fails!(op(&vmo, DECOMMIT, 0, 1), NotSupported);
    check!(vmo.set_size(0).is_err());
    check_eq!(ok!(vmo.size()), 3 * PAGE64);
    Ok(())
}

fn physical_memory_mapped_beyond_its_end_is_not_there(world: &World) -> Case {
    let Some(vmo) = ok!(physical(world)) else {
        skip!("no root resource");
    };
    for flags in [
        VmOptions::PERM_READ,
        VmOptions::PERM_READ | VmOptions::MAP_RANGE,
    ] {
        for page in [3, u64::MAX / PAGE64 - 1] {
            let view = match View::with(&vmo, flags, page, 1) {
                // July 2019 refuses to map at once what is not there.
                Err(_) if flags.contains(VmOptions::MAP_RANGE) => continue,
                made => ok!(made),
            };
            check_eq!(ok!(access(view.at(0))), (false, false));
        }
    }
    Ok(())
}

fn bad_physical_arguments_are_refused(world: &World) -> Case {
    let Some(resource) = &world.resource else {
        skip!("no root resource");
    };
    fails!(Vmo::physical(resource, NOWHERE, 0), InvalidArgs);
    fails!(Vmo::physical(resource, NOWHERE + 1, 4096), InvalidArgs);
    fails!(Vmo::physical(resource, NOWHERE + 2048, 4096), InvalidArgs);
    let (event, page) = (ok!(Event::create()), ok!(Scratch::new()));
    let create = |resource, out| {
        call(
            SyscallId::VmoCreatePhysical,
            &[resource, 0xf000_0000, 4096, out],
        )
    };
    fails!(create(0, page.address()), BadHandle);
    fails!(create(arg(&event), page.address()), WrongType);
    for bad in BAD_ADDRESSES {
        fails!(create(arg(resource), bad), InvalidArgs);
    }
    Ok(())
}

fn pinning_gives_an_address_for_each_page(world: &World) -> Case {
    let bti = device_or_skip!(world);
    let vmo = ok!(stamped(8, 1));
    let (all, addresses) = ok!(bti.pin(READ | WRITE, &vmo, 0, 8 * PAGE64, 8));
    check!(addresses
        .iter()
        .all(|address| address % PAGE64 == 0 && *address != 0));
    let mut sorted = addresses.clone();
    sorted.sort_unstable();
    sorted.dedup();
    check_eq!(sorted.len(), 8);
    // The same pages again have the same addresses.
    let (some, again) = ok!(bti.pin(READ, &vmo, 2 * PAGE64, 3 * PAGE64, 3));
    check_eq!(again[..], addresses[2..5]);
    ok!(all.unpin());
    ok!(some.unpin());
    Ok(())
}

fn pinning_contiguous_memory_gives_one_address(world: &World) -> Case {
    let bti = device_or_skip!(world);
    let vmo = ok!(bti.contiguous(4 * 4096, 0));
    let (whole, one) = ok!(bti.pin(READ | CONTIGUOUS, &vmo, 0, 4 * PAGE64, 1));
    let (pages_of, all) = ok!(bti.pin(READ, &vmo, 0, 4 * PAGE64, 4));
    check_eq!(one[0], all[0]);
    fails!(
        bti.pin(READ | CONTIGUOUS, &vmo, 0, 4 * PAGE64, 4),
        InvalidArgs
    );
    fails!(
        bti.pin(READ | CONTIGUOUS, &vmo, 0, 4 * PAGE64, 0),
        InvalidArgs
    );
    ok!(whole.unpin());
    ok!(pages_of.unpin());
    let paged = ok!(stamped(4, 1));
    fails!(
        bti.pin(READ | CONTIGUOUS, &paged, 0, 4 * PAGE64, 1),
        InvalidArgs
    );
    Ok(())
}

fn pinning_commits(world: &World) -> Case {
    let bti = device_or_skip!(world);
    let vmo = ok!(pages(4));
    let (pinned, _) = ok!(bti.pin(READ, &vmo, PAGE64, 2 * PAGE64, 2));
    check_eq!(ok!(committed(&vmo)), 2);
    check_eq!(ok!(stamps(&vmo)), [0, 0, 0, 0]);
    ok!(pinned.unpin());
    check_eq!(ok!(committed(&vmo)), 2);
    Ok(())
}

fn pinning_checks_its_arguments(world: &World) -> Case {
    let bti = device_or_skip!(world);
    let vmo = ok!(stamped(4, 1));
    let pin = |options, offset, size, count| bti.pin(options, &vmo, offset, size, count).map(drop);
    fails!(pin(READ, 1, PAGE64, 1), InvalidArgs);
    fails!(pin(READ, 0, 1, 1), InvalidArgs);
    fails!(pin(READ, 0, 0, 0), InvalidArgs);
    fails!(pin(READ, 0, 2 * PAGE64, 1), InvalidArgs);
    fails!(pin(READ, 0, 2 * PAGE64, 3), InvalidArgs);
    fails!(pin(32, 0, PAGE64, 1), InvalidArgs);
    fails!(pin(READ | 8 | CONTIGUOUS, 0, PAGE64, 1), InvalidArgs);
    fails!(pin(READ, 4 * PAGE64, PAGE64, 1), OutOfRange);
    fails!(pin(READ, 3 * PAGE64, 2 * PAGE64, 2), OutOfRange);
    let page = ok!(Scratch::new());
    let raw = |bti, vmo, addresses, out| {
        call(
            SyscallId::BtiPin,
            &[bti, 1, vmo, 0, 4096, addresses, 1, out],
        )
    };
    let (device, memory, at) = (arg(&bti), arg(&vmo), page.address());
    fails!(raw(0, memory, at, at + 8), BadHandle);
    fails!(raw(memory, memory, at, at + 8), WrongType);
    fails!(raw(device, 0, at, at + 8), BadHandle);
    fails!(raw(device, device, at, at + 8), WrongType);
    for bad in BAD_ADDRESSES {
        fails!(raw(device, memory, bad, at + 8), InvalidArgs);
    }
    if world.level == Level::July2019 {
        // There the last ones leave a token behind.
        ok!(bti.release_quarantine());
    }
    // Nothing of it stayed pinned.
    ok!(op(&vmo, DECOMMIT, 0, 4));
    Ok(())
}

fn pinning_needs_rights(world: &World) -> Case {
    let bti = device_or_skip!(world);
    let vmo = ok!(stamped(1, 1));
    let pin = |vmo: &Vmo, options| bti.pin(options, vmo, 0, PAGE64, 1);
    let no_map = ok!(vmo.duplicate(Rights::IO));
    fails!(pin(&no_map, READ), AccessDenied);
    let reader = ok!(vmo.duplicate(Rights::READ | Rights::MAP));
    fails!(pin(&reader, READ | WRITE), AccessDenied);
    ok!(ok!(pin(&reader, READ)).0.unpin());
    let writer = ok!(vmo.duplicate(Rights::WRITE | Rights::MAP));
    fails!(pin(&writer, READ), AccessDenied);
    let poor = ok!(bti.duplicate(Rights::READ));
    fails!(poor.pin(READ, &vmo, 0, PAGE64, 1), AccessDenied);
    Ok(())
}

fn pinned_pages_stay(world: &World) -> Case {
    let bti = device_or_skip!(world);
    let vmo = ok!(resizable(4));
    ok!(stamp_all(&vmo, 4, 1));
    let (pinned, _) = ok!(bti.pin(READ, &vmo, PAGE64, PAGE64, 1));
    fails!(op(&vmo, DECOMMIT, 0, 4), BadState);
    fails!(op(&vmo, DECOMMIT, 1, 1), BadState);
    fails!(vmo.set_size(PAGE64), BadState);
    ok!(op(&vmo, DECOMMIT, 2, 2));
    check_eq!(ok!(stamps(&vmo)), [1, 2, 0, 0]);
    // Twice pinned is pinned until both are gone.
    let (again, _) = ok!(bti.pin(READ, &vmo, 0, 2 * PAGE64, 2));
    ok!(pinned.unpin());
    fails!(op(&vmo, DECOMMIT, 1, 1), BadState);
    ok!(again.unpin());
    ok!(op(&vmo, DECOMMIT, 0, 2));
    Ok(())
}

fn a_page_is_pinned_so_often_and_no_more(world: &World) -> Case {
    let bti = device_or_skip!(world);
    let vmo = ok!(stamped(3, 1));
    let mut pins = alloc::vec![];
    for _ in 0..31 {
        pins.push(ok!(bti.pin(READ, &vmo, PAGE64, PAGE64, 1)).0);
    }
    fails!(bti.pin(READ, &vmo, PAGE64, PAGE64, 1), Unavailable);
    // With others around it, these are let go again.
    fails!(bti.pin(READ, &vmo, 0, 3 * PAGE64, 3), Unavailable);
    ok!(op(&vmo, DECOMMIT, 0, 1));
    ok!(op(&vmo, DECOMMIT, 2, 1));
    // One less, and there is room for one.
    for pin in pins.drain(..1) {
        ok!(pin.unpin());
    }
    pins.push(ok!(bti.pin(READ, &vmo, PAGE64, PAGE64, 1)).0);
    for pin in pins {
        ok!(pin.unpin());
    }
    ok!(op(&vmo, DECOMMIT, 0, 3));
    Ok(())
}

fn unpinning_lets_pages_go(world: &World) -> Case {
    let bti = device_or_skip!(world);
    let vmo = ok!(stamped(2, 1));
    let (pinned, _) = ok!(bti.pin(READ, &vmo, 0, 2 * PAGE64, 2));
    let token = arg(&pinned);
    ok!(pinned.unpin());
    fails!(call(SyscallId::PmtUnpin, &[token]), BadHandle);
    ok!(op(&vmo, DECOMMIT, 0, 2));
    Ok(())
}

fn a_token_that_is_closed_leaves_its_pages_in_quarantine(world: &World) -> Case {
    let bti = device_or_skip!(world);
    let vmo = ok!(stamped(1, 1));
    let (pinned, _) = ok!(bti.pin(READ, &vmo, 0, PAGE64, 1));
    drop(pinned);
    fails!(op(&vmo, DECOMMIT, 0, 1), BadState);
    fails!(
        ok!(bti.duplicate(Rights::READ)).release_quarantine(),
        AccessDenied
    );
    ok!(bti.release_quarantine());
    ok!(op(&vmo, DECOMMIT, 0, 1));
    ok!(bti.release_quarantine());
    Ok(())
}

fn tokens_and_devices_tell_their_types_apart(_: &World) -> Case {
    let vmo = ok!(stamped(1, 1));
    fails!(call(SyscallId::PmtUnpin, &[0]), BadHandle);
    let event = Handle::from(ok!(Event::create())).into_raw() as usize;
    fails!(call(SyscallId::PmtUnpin, &[event]), WrongType);
    // It is given up all the same.
    fails!(call(SyscallId::HandleClose, &[event]), BadHandle);
    fails!(call(SyscallId::BtiReleaseQuarantine, &[0]), BadHandle);
    fails!(
        call(SyscallId::BtiReleaseQuarantine, &[arg(&vmo)]),
        WrongType
    );
    fails!(bti_of(&vmo).pin(READ, &vmo, 0, PAGE64, 1), WrongType);
    Ok(())
}

/// The VMO's handle taken for a device's.
fn bti_of(vmo: &Vmo) -> Bti {
    let handle = vmo.duplicate_handle(Rights::SAME_RIGHTS);
    Bti::from(handle.unwrap_or(Handle::from_raw(0)))
}

fn making_a_device_checks_its_arguments(world: &World) -> Case {
    let Some(resource) = &world.resource else {
        skip!("no root resource");
    };
    let iommu = ok!(libzx::Iommu::dummy(resource));
    let (event, page) = (ok!(Event::create()), ok!(Scratch::new()));
    let at = page.address();
    let bti = |iommu, options, out| call(SyscallId::BtiCreate, &[iommu, options, 7, out]);
    fails!(bti(arg(&iommu), 1, at), InvalidArgs);
    fails!(bti(0, 0, at), BadHandle);
    fails!(bti(arg(&event), 0, at), WrongType);
    for bad in BAD_ADDRESSES {
        fails!(bti(arg(&iommu), 0, bad), InvalidArgs);
    }
    let make =
        |resource, kind, size| call(SyscallId::IommuCreate, &[resource, kind, at, size, at + 8]);
    fails!(make(0, 0, 1), BadHandle);
    fails!(make(arg(&event), 0, 1), WrongType);
    fails!(make(arg(resource), 0, 5000), InvalidArgs);
    fails!(make(arg(resource), 77, 1), NotSupported);
    Ok(())
}
