//! Address regions and mappings.

use libzx::{AsHandle, Event, Handle, Rights, VmOptions, Vmar, Vmo, ZxResult};
use zx_abi::info::{InfoTopic, VmarInfo};
use zx_abi::syscalls::SyscallId;
use zx_abi::ObjectType;

use crate::check::{check, check_eq, fails, home_only, ok, suite, Case};
use crate::memory::{arg, call, root_vmar, Scratch, BAD_ADDRESSES, PAGE};
use crate::world::{basic_info, rights_of, World};

suite! {
    "Vmar":
    the_root_covers_the_user_address_space,
    a_region_has_the_rights_its_flags_give,
    a_region_lies_in_its_parent,
    bad_region_arguments_are_refused,
    mapped_memory_can_be_read_and_written,
    bad_map_arguments_are_refused,
    mapping_needs_rights_of_both_objects,
    a_place_can_be_chosen,
    an_occupied_place_is_refused,
    overwriting_replaces_what_is_there,
    a_region_without_specific_refuses_places,
    permissions_do_not_exceed_the_regions,
    protect_checks_its_arguments,
    protect_does_not_exceed_the_vmos_rights,
    unmap_checks_its_arguments,
    unmapping_a_middle_page_leaves_the_rest,
    unmapping_twice_is_fine,
    a_destroyed_region_says_bad_state,
    destroying_destroys_what_is_inside,
    unmapping_a_region_destroys_it,
    a_partly_covered_region_cannot_be_unmapped,
    the_result_pointers_are_checked,
    wrong_types_are_refused,
    alignment_is_kept,
    an_upper_limit_is_kept,
    a_vmo_stays_while_it_is_mapped,
}

const READ: VmOptions = VmOptions::PERM_READ;
const WRITE: VmOptions = VmOptions::PERM_WRITE;
const SPECIFIC: VmOptions = VmOptions::SPECIFIC;
const ANYTHING: VmOptions = VmOptions::CAN_MAP_READ
    .union(VmOptions::CAN_MAP_WRITE)
    .union(VmOptions::CAN_MAP_SPECIFIC);
const SIZE: usize = 16 * PAGE;

/// A region that is destroyed at the end of its case.
#[derive(Debug)]
struct Region {
    vmar: Vmar,
    base: usize,
}

impl Drop for Region {
    fn drop(&mut self) {
        let _ = self.vmar.destroy();
    }
}

fn region_with(flags: VmOptions) -> ZxResult<Region> {
    let (vmar, base) = root_vmar()?.allocate(flags, 0, SIZE)?;
    Ok(Region { vmar, base })
}

fn region() -> ZxResult<Region> {
    region_with(ANYTHING)
}

fn pages(count: usize) -> ZxResult<Vmo> {
    Vmo::create((count * PAGE) as u64, 0)
}

/// Whether the kernel can read a byte there for this program.
fn is_readable(address: usize) -> bool {
    Vmo::create(4096, 0)
        .is_ok_and(|vmo| call(SyscallId::VmoWrite, &[arg(&vmo), address, 0, 1]).is_ok())
}

/// Whether the kernel can write a byte there for this program.
fn is_writable(address: usize) -> bool {
    Vmo::create(4096, 0)
        .is_ok_and(|vmo| call(SyscallId::VmoRead, &[arg(&vmo), address, 0, 1]).is_ok())
}

fn the_root_covers_the_user_address_space(_: &World) -> Case {
    let info: VmarInfo = ok!(libzx::own_root_vmar().get_info(InfoTopic::Vmar));
    check_eq!(
        (info.base, info.base + info.len),
        (0x100_0000, 0x7fff_ffff_f000)
    );
    let basic = ok!(basic_info(&libzx::own_root_vmar()));
    check_eq!(basic.kind, ObjectType::Vmar.raw());
    check_eq!(basic.rights, Rights::ROOT_VMAR);
    Ok(())
}

fn a_region_has_the_rights_its_flags_give(_: &World) -> Case {
    let base = Rights::default_for(ObjectType::Vmar);
    let cases = [
        (VmOptions::empty(), base),
        (VmOptions::CAN_MAP_READ, base | Rights::READ),
        (
            VmOptions::CAN_MAP_READ | VmOptions::CAN_MAP_WRITE,
            base | Rights::IO,
        ),
        (VmOptions::CAN_MAP_EXECUTE, base | Rights::EXECUTE),
        (VmOptions::CAN_MAP_SPECIFIC, base),
    ];
    for (flags, rights) in cases {
        let region = ok!(region_with(flags));
        check_eq!(ok!(rights_of(&region.vmar)), rights);
    }
    Ok(())
}

fn a_region_lies_in_its_parent(_: &World) -> Case {
    let parent = ok!(region());
    check_eq!(ok!(parent.vmar.range()), (parent.base, SIZE));
    check_eq!(parent.base % PAGE, 0);
    let (child, base) = ok!(parent.vmar.allocate(ANYTHING, 0, PAGE));
    check!(base >= parent.base && base + PAGE <= parent.base + SIZE);
    check_eq!(ok!(child.range()), (base, PAGE));
    ok!(child.destroy());
    let (_, base) = ok!(parent.vmar.allocate(ANYTHING | SPECIFIC, SIZE - PAGE, PAGE));
    check_eq!(base, parent.base + SIZE - PAGE);
    Ok(())
}

fn bad_region_arguments_are_refused(_: &World) -> Case {
    let parent = ok!(region());
    let allocate = |flags, offset, size| parent.vmar.allocate(flags, offset, size).map(drop);
    fails!(allocate(ANYTHING, 0, 0), InvalidArgs);
    fails!(allocate(ANYTHING, 0, PAGE - 1), InvalidArgs);
    fails!(allocate(ANYTHING, PAGE, PAGE), InvalidArgs);
    fails!(allocate(ANYTHING | SPECIFIC, 1, PAGE), InvalidArgs);
    fails!(allocate(ANYTHING | SPECIFIC, SIZE, PAGE), InvalidArgs);
    fails!(allocate(ANYTHING | SPECIFIC, 0, SIZE + PAGE), InvalidArgs);
    fails!(allocate(READ, 0, PAGE), InvalidArgs);
    fails!(allocate(VmOptions::MAP_RANGE, 0, PAGE), InvalidArgs);
    fails!(
        allocate(VmOptions::SPECIFIC_OVERWRITE, 0, PAGE),
        InvalidArgs
    );
    fails!(
        allocate(VmOptions::from_bits_retain(1 << 20), 0, PAGE),
        InvalidArgs
    );
    fails!(allocate(VmOptions::CAN_MAP_EXECUTE, 0, PAGE), AccessDenied);
    fails!(allocate(ANYTHING, 0, SIZE + PAGE), InvalidArgs);
    Ok(())
}

fn mapped_memory_can_be_read_and_written(_: &World) -> Case {
    let region = ok!(region());
    let vmo = ok!(pages(2));
    ok!(vmo.write(b"x", PAGE as u64));
    let address = ok!(region.vmar.map(READ, 0, &vmo, PAGE as u64, PAGE));
    check!(address >= region.base && address < region.base + SIZE);
    check!(is_readable(address) && !is_writable(address));
    ok!(region.vmar.protect(READ | WRITE, address, PAGE));
    check!(is_writable(address));
    let nothing = ok!(region.vmar.map(VmOptions::empty(), 0, &vmo, 0, PAGE));
    check!(!is_readable(nothing));
    Ok(())
}

fn bad_map_arguments_are_refused(_: &World) -> Case {
    let region = ok!(region());
    let vmo = ok!(pages(2));
    let map = |flags, offset, vmo_offset, len| {
        region
            .vmar
            .map(flags, offset, &vmo, vmo_offset, len)
            .map(drop)
    };
    fails!(map(READ, 0, 0, 0), InvalidArgs);
    fails!(map(READ, 0, 0, usize::MAX), InvalidArgs);
    fails!(map(READ, 0, 1, PAGE), InvalidArgs);
    fails!(map(READ, 0, u64::MAX - 4095, PAGE), InvalidArgs);
    fails!(map(READ, PAGE, 0, PAGE), InvalidArgs);
    fails!(map(READ | SPECIFIC, 7, 0, PAGE), InvalidArgs);
    fails!(map(READ | SPECIFIC, SIZE, 0, PAGE), InvalidArgs);
    fails!(map(WRITE, 0, 0, PAGE), InvalidArgs);
    fails!(map(READ | VmOptions::CAN_MAP_READ, 0, 0, PAGE), InvalidArgs);
    fails!(
        map(READ | VmOptions::from_bits_retain(1 << 20), 0, 0, PAGE),
        InvalidArgs
    );
    let both = VmOptions::MAP_RANGE | VmOptions::SPECIFIC_OVERWRITE;
    fails!(map(READ | both, 0, 0, PAGE), InvalidArgs);
    fails!(map(READ, 0, 0, SIZE + PAGE), InvalidArgs);
    // Beyond the end of the VMO is fine, until it is touched.
    ok!(map(READ, 0, 0, 4 * PAGE));
    Ok(())
}

fn mapping_needs_rights_of_both_objects(_: &World) -> Case {
    let region = ok!(region());
    let vmo = ok!(pages(1));
    let no_map = ok!(vmo.duplicate(Rights::IO));
    fails!(region.vmar.map(READ, 0, &no_map, 0, PAGE), AccessDenied);
    let reader = ok!(vmo.duplicate(Rights::READ | Rights::MAP));
    fails!(
        region.vmar.map(READ | WRITE, 0, &reader, 0, PAGE),
        AccessDenied
    );
    ok!(region.vmar.map(READ, 0, &reader, 0, PAGE));
    // A new VMO is not executable.
    let execute = READ | VmOptions::PERM_EXECUTE;
    fails!(
        ok!(root_vmar()).map(execute, 0, &vmo, 0, PAGE),
        AccessDenied
    );
    let reading = ok!(region.vmar.duplicate(Rights::READ));
    fails!(reading.map(READ | WRITE, 0, &vmo, 0, PAGE), AccessDenied);
    Ok(())
}

fn a_place_can_be_chosen(_: &World) -> Case {
    let region = ok!(region());
    let vmo = ok!(pages(1));
    for index in [0, 3, 15] {
        let address = ok!(region
            .vmar
            .map(READ | SPECIFIC, index * PAGE, &vmo, 0, PAGE));
        check_eq!(address, region.base + index * PAGE);
    }
    // What is left is found without being named.
    for _ in 0..13 {
        ok!(region.vmar.map(READ, 0, &vmo, 0, PAGE));
    }
    fails!(region.vmar.map(READ, 0, &vmo, 0, PAGE), NoMemory);
    Ok(())
}

fn an_occupied_place_is_refused(_: &World) -> Case {
    let region = ok!(region());
    let vmo = ok!(pages(4));
    ok!(region
        .vmar
        .map(READ | SPECIFIC, 4 * PAGE, &vmo, 0, 2 * PAGE));
    for offset in [3, 4, 5] {
        // Later kernels say ALREADY_EXISTS.
        fails!(
            region
                .vmar
                .map(READ | SPECIFIC, offset * PAGE, &vmo, 0, 2 * PAGE),
            NoMemory
        );
        let allocated = region
            .vmar
            .allocate(ANYTHING | SPECIFIC, offset * PAGE, 2 * PAGE);
        fails!(allocated, NoMemory);
    }
    Ok(())
}

fn overwriting_replaces_what_is_there(_: &World) -> Case {
    let region = ok!(region());
    let (first, second) = (ok!(pages(4)), ok!(pages(1)));
    ok!(second.write(b"2", 0));
    let base = ok!(region
        .vmar
        .map(READ | WRITE | SPECIFIC, 0, &first, 0, 4 * PAGE));
    let overwrite = READ | VmOptions::SPECIFIC_OVERWRITE;
    let address = ok!(region.vmar.map(overwrite, 2 * PAGE, &second, 0, PAGE));
    check_eq!(address, base + 2 * PAGE);
    check!(!is_writable(address));
    check!(is_writable(base + PAGE) && is_writable(base + 3 * PAGE));
    let (_child, _) = ok!(region.vmar.allocate(ANYTHING | SPECIFIC, 8 * PAGE, PAGE));
    fails!(
        region.vmar.map(overwrite, 8 * PAGE, &second, 0, PAGE),
        InvalidArgs
    );
    Ok(())
}

fn a_region_without_specific_refuses_places(_: &World) -> Case {
    let region = ok!(region_with(VmOptions::CAN_MAP_READ));
    let vmo = ok!(pages(1));
    fails!(
        region.vmar.map(READ | SPECIFIC, 0, &vmo, 0, PAGE),
        AccessDenied
    );
    fails!(
        region
            .vmar
            .allocate(VmOptions::CAN_MAP_READ | SPECIFIC, 0, PAGE),
        AccessDenied
    );
    ok!(region.vmar.map(READ, 0, &vmo, 0, PAGE));
    Ok(())
}

fn permissions_do_not_exceed_the_regions(_: &World) -> Case {
    let region = ok!(region_with(VmOptions::CAN_MAP_READ));
    let vmo = ok!(pages(1));
    fails!(
        region.vmar.map(READ | WRITE, 0, &vmo, 0, PAGE),
        AccessDenied
    );
    fails!(
        region.vmar.allocate(VmOptions::CAN_MAP_WRITE, 0, PAGE),
        AccessDenied
    );
    let address = ok!(region.vmar.map(READ, 0, &vmo, 0, PAGE));
    fails!(
        region.vmar.protect(READ | WRITE, address, PAGE),
        AccessDenied
    );
    Ok(())
}

fn protect_checks_its_arguments(_: &World) -> Case {
    let region = ok!(region());
    let vmo = ok!(pages(2));
    let at = ok!(region
        .vmar
        .map(READ | WRITE | SPECIFIC, PAGE, &vmo, 0, 2 * PAGE));
    let protect = |flags, address, len| region.vmar.protect(flags, address, len);
    fails!(protect(WRITE, at, PAGE), InvalidArgs);
    fails!(protect(READ, at + 1, PAGE), InvalidArgs);
    fails!(protect(READ, at, 0), InvalidArgs);
    fails!(protect(READ | SPECIFIC, at, PAGE), InvalidArgs);
    fails!(protect(READ, region.base - PAGE, PAGE), InvalidArgs);
    fails!(protect(READ, region.base + 8 * PAGE, PAGE), NotFound);
    fails!(protect(READ, at + PAGE, 2 * PAGE), NotFound);
    // Nothing was changed by the last one.
    check!(is_writable(at + PAGE));
    ok!(protect(READ, at, 1));
    check!(!is_writable(at) && is_writable(at + PAGE));
    ok!(protect(VmOptions::empty(), at, 2 * PAGE));
    check!(!is_readable(at) && !is_readable(at + PAGE));
    Ok(())
}

fn protect_does_not_exceed_the_vmos_rights(_: &World) -> Case {
    let region = ok!(region());
    let reader = ok!(ok!(pages(1)).replace(Rights::READ | Rights::MAP));
    let at = ok!(region.vmar.map(READ, 0, &reader, 0, PAGE));
    fails!(region.vmar.protect(READ | WRITE, at, PAGE), AccessDenied);
    ok!(region.vmar.protect(READ, at, PAGE));
    Ok(())
}

fn unmap_checks_its_arguments(_: &World) -> Case {
    let region = ok!(region());
    fails!(region.vmar.unmap(region.base + 1, PAGE), InvalidArgs);
    fails!(region.vmar.unmap(region.base, 0), InvalidArgs);
    fails!(region.vmar.unmap(region.base, usize::MAX), InvalidArgs);
    fails!(region.vmar.unmap(region.base - PAGE, PAGE), InvalidArgs);
    fails!(region.vmar.unmap(region.base, SIZE + PAGE), InvalidArgs);
    Ok(())
}

fn unmapping_a_middle_page_leaves_the_rest(_: &World) -> Case {
    let region = ok!(region());
    let vmo = ok!(pages(3));
    ok!(vmo.write(b"3", 2 * PAGE as u64));
    let at = ok!(region.vmar.map(READ, 0, &vmo, 0, 3 * PAGE));
    ok!(region.vmar.unmap(at + PAGE, PAGE));
    check!(is_readable(at) && !is_readable(at + PAGE) && is_readable(at + 2 * PAGE));
    let copy = ok!(pages(1));
    ok!(call(
        SyscallId::VmoWrite,
        &[arg(&copy), at + 2 * PAGE, 0, 1]
    ));
    let mut byte = [0];
    ok!(copy.read(&mut byte, 0));
    check_eq!(byte, *b"3");
    Ok(())
}

fn unmapping_twice_is_fine(_: &World) -> Case {
    let region = ok!(region());
    let vmo = ok!(pages(1));
    let at = ok!(region.vmar.map(READ, 0, &vmo, 0, PAGE));
    for _ in 0..2 {
        ok!(region.vmar.unmap(at, PAGE));
    }
    ok!(region.vmar.unmap(region.base, SIZE));
    // The region itself is still there.
    ok!(region.vmar.map(READ, 0, &vmo, 0, PAGE));
    Ok(())
}

fn a_destroyed_region_says_bad_state(_: &World) -> Case {
    let region = ok!(region());
    let vmo = ok!(pages(1));
    let at = ok!(region.vmar.map(READ, 0, &vmo, 0, PAGE));
    ok!(region.vmar.destroy());
    check!(!is_readable(at));
    fails!(region.vmar.map(READ, 0, &vmo, 0, PAGE), BadState);
    fails!(region.vmar.allocate(ANYTHING, 0, PAGE), BadState);
    fails!(region.vmar.unmap(at, PAGE), BadState);
    fails!(region.vmar.protect(READ, at, PAGE), BadState);
    fails!(region.vmar.destroy(), BadState);
    Ok(())
}

fn destroying_destroys_what_is_inside(_: &World) -> Case {
    let region = ok!(region());
    let (child, _) = ok!(region.vmar.allocate(ANYTHING, 0, 4 * PAGE));
    let (grandchild, _) = ok!(child.allocate(ANYTHING, 0, PAGE));
    let vmo = ok!(pages(1));
    let at = ok!(grandchild.map(READ, 0, &vmo, 0, PAGE));
    ok!(region.vmar.destroy());
    check!(!is_readable(at));
    fails!(child.allocate(ANYTHING, 0, PAGE), BadState);
    fails!(grandchild.map(READ, 0, &vmo, 0, PAGE), BadState);
    Ok(())
}

fn unmapping_a_region_destroys_it(_: &World) -> Case {
    let region = ok!(region());
    let (child, base) = ok!(region.vmar.allocate(ANYTHING, 0, 2 * PAGE));
    ok!(region.vmar.unmap(base, 2 * PAGE));
    fails!(child.allocate(ANYTHING, 0, PAGE), BadState);
    Ok(())
}

fn a_partly_covered_region_cannot_be_unmapped(_: &World) -> Case {
    let region = ok!(region());
    let (child, base) = ok!(region.vmar.allocate(ANYTHING, 0, 2 * PAGE));
    fails!(region.vmar.unmap(base, PAGE), InvalidArgs);
    ok!(child.allocate(ANYTHING, 0, PAGE));
    Ok(())
}

fn the_result_pointers_are_checked(_: &World) -> Case {
    let region = ok!(region());
    let vmo = ok!(pages(1));
    let good = ok!(Scratch::new());
    let flags = ANYTHING.bits() as usize;
    for bad in BAD_ADDRESSES {
        let map = [arg(&region.vmar), 1, 0, arg(&vmo), 0, PAGE, bad];
        fails!(call(SyscallId::VmarMap, &map), InvalidArgs);
    }
    for bad in BAD_ADDRESSES {
        let allocate = [arg(&region.vmar), flags, 0, PAGE, good.address(), bad];
        fails!(call(SyscallId::VmarAllocate, &allocate), InvalidArgs);
    }
    // Nothing is left behind.
    let all = ok!(region.vmar.map(READ, 0, &vmo, 0, SIZE));
    ok!(region.vmar.unmap(all, SIZE));
    // A bad pointer for the handle may leave a region behind: on the kernel of July 2019 it does.
    for bad in BAD_ADDRESSES {
        let allocate = [arg(&region.vmar), flags, 0, PAGE, bad, good.address()];
        fails!(call(SyscallId::VmarAllocate, &allocate), InvalidArgs);
    }
    Ok(())
}

fn wrong_types_are_refused(_: &World) -> Case {
    let event = ok!(Event::create());
    let vmo = ok!(pages(1));
    let no_vmar = Vmar::from(ok!(event.duplicate_handle(Rights::SAME_RIGHTS)));
    fails!(no_vmar.map(READ, 0, &vmo, 0, PAGE), WrongType);
    fails!(no_vmar.unmap(0, 0), WrongType);
    fails!(no_vmar.destroy(), WrongType);
    fails!(no_vmar.allocate(ANYTHING, 0, PAGE), WrongType);
    let no_vmo = Vmo::from(Handle::from(event));
    fails!(ok!(region()).vmar.map(READ, 0, &no_vmo, 0, PAGE), WrongType);
    Ok(())
}

fn alignment_is_kept(_: &World) -> Case {
    let root = ok!(root_vmar());
    let vmo = ok!(pages(1));
    for log2 in [10, 12, 16, 21] {
        let address = ok!(root.map(READ.with_align_log2(log2), 0, &vmo, 0, PAGE));
        ok!(root.unmap(address, PAGE));
        check_eq!(address % (1 << log2), 0);
    }
    for log2 in [1, 9, 33] {
        fails!(
            root.map(READ.with_align_log2(log2), 0, &vmo, 0, PAGE),
            InvalidArgs
        );
    }
    Ok(())
}

fn an_upper_limit_is_kept(world: &World) -> Case {
    home_only!(world);
    let region = ok!(region());
    let vmo = ok!(pages(1));
    let limited = READ | VmOptions::OFFSET_IS_UPPER_LIMIT;
    for _ in 0..4 {
        let address = ok!(region.vmar.map(limited, 4 * PAGE, &vmo, 0, PAGE));
        check!(address + PAGE <= region.base + 4 * PAGE);
    }
    fails!(region.vmar.map(limited, 4 * PAGE, &vmo, 0, PAGE), NoMemory);
    fails!(
        region.vmar.map(limited | SPECIFIC, 4 * PAGE, &vmo, 0, PAGE),
        InvalidArgs
    );
    Ok(())
}

fn a_vmo_stays_while_it_is_mapped(_: &World) -> Case {
    let region = ok!(region());
    let vmo = ok!(pages(1));
    ok!(vmo.write(b"stay", 0));
    let at = ok!(region.vmar.map(READ, 0, &vmo, 0, PAGE));
    drop(vmo);
    let copy = ok!(pages(1));
    ok!(call(SyscallId::VmoWrite, &[arg(&copy), at, 0, 4]));
    let mut bytes = [0; 4];
    ok!(copy.read(&mut bytes, 0));
    check_eq!(bytes, *b"stay");
    Ok(())
}
