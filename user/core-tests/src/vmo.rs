//! Memory objects.

use alloc::vec;
use alloc::vec::Vec;

use libzx::{AsHandle, Event, Handle, Mapping, Rights, Signals, Vmo, ZxError, ZxResult};
use zx_abi::info::{InfoTopic, VmoInfo, VmoInfoFlags};
use zx_abi::syscalls::SyscallId;
use zx_abi::ObjectType;

use crate::check::{check, check_eq, fails, home_only, needs, ok, skip, suite, Case};
use crate::memory::{arg, call, Scratch, BAD_ADDRESSES, PAGE};
use crate::resource::create as resource;
use crate::world::{rights_of, Level, World};

suite! {
    "Vmo":
    new_ones_have_the_usual_rights_and_no_children,
    sizes_are_whole_pages,
    sizes_have_a_limit,
    unknown_options_are_refused,
    new_memory_is_zero,
    what_is_written_can_be_read,
    writes_may_cross_pages,
    access_ends_at_the_size,
    reading_and_writing_need_rights,
    bad_buffers_are_refused,
    bad_types_are_refused,
    a_fixed_size_cannot_change,
    a_resizable_one_grows_with_zeros,
    shrinking_and_growing_shows_no_old_data,
    a_huge_one_takes_no_memory_until_used,
    commit_and_decommit,
    decommit_makes_zeros,
    zero_makes_zeros,
    unknown_operations_are_refused,
    operations_need_rights,
    info_tells_size_and_flags,
    a_name_can_be_given,
    a_snapshot_does_not_see_later_writes,
    a_snapshot_is_not_seen_by_its_parent,
    a_slice_shares_its_pages,
    a_slice_must_lie_inside,
    children_clear_zero_children,
    child_options_are_checked,
    rights_of_children_follow_the_parents,
    executable_comes_by_replacing,
    only_a_resource_for_it_makes_executable,
    mappings_and_calls_see_the_same_memory,
    cache_policy_values_are_checked_first,
}

const SIZE: u64 = 4 * PAGE as u64;

fn new_ones_have_the_usual_rights_and_no_children(_: &World) -> Case {
    let vmo = ok!(Vmo::create(SIZE, 0));
    check_eq!(ok!(rights_of(&vmo)), Rights::default_for(ObjectType::Vmo));
    check_eq!(
        ok!(vmo.signals_now(Signals::all())),
        Signals::VMO_ZERO_CHILDREN
    );
    Ok(())
}

fn sizes_are_whole_pages(_: &World) -> Case {
    for (asked, given) in [(0, 0), (1, 4096), (4096, 4096), (4097, 8192)] {
        check_eq!(ok!(ok!(Vmo::create(asked, 0)).size()), given);
    }
    Ok(())
}

fn sizes_have_a_limit(_: &World) -> Case {
    fails!(Vmo::create(u64::MAX, 0), OutOfRange);
    fails!(Vmo::create(0xffff_ffff_ffff_f001, 0), OutOfRange);
    Ok(())
}

fn unknown_options_are_refused(_: &World) -> Case {
    for options in [4, 8, 1 << 31] {
        fails!(Vmo::create(SIZE, options), InvalidArgs);
    }
    Ok(())
}

fn new_memory_is_zero(_: &World) -> Case {
    let vmo = ok!(Vmo::create(SIZE, 0));
    let mut bytes = vec![1; 4 * PAGE];
    ok!(vmo.read(&mut bytes, 0));
    check!(bytes.iter().all(|byte| *byte == 0));
    Ok(())
}

fn what_is_written_can_be_read(_: &World) -> Case {
    let vmo = ok!(Vmo::create(SIZE, 0));
    ok!(vmo.write(b"zircon", 1234));
    let mut bytes = [1; 8];
    ok!(vmo.read(&mut bytes, 1233));
    check_eq!(bytes, *b"\0zircon\0");
    Ok(())
}

fn writes_may_cross_pages(_: &World) -> Case {
    let vmo = ok!(Vmo::create(SIZE, 0));
    let pattern: Vec<u8> = (0..9000u32)
        .map(|n| n.to_le_bytes()[0] ^ n.to_le_bytes()[1])
        .collect();
    ok!(vmo.write(&pattern, 3000));
    let mut bytes = vec![0; 9000];
    ok!(vmo.read(&mut bytes, 3000));
    check!(bytes == pattern);
    Ok(())
}

fn access_ends_at_the_size(_: &World) -> Case {
    let vmo = ok!(Vmo::create(SIZE, 0));
    let mut byte = [0; 2];
    ok!(vmo.read(&mut byte, SIZE - 2));
    fails!(vmo.read(&mut byte, SIZE - 1), OutOfRange);
    fails!(vmo.read(&mut byte, SIZE), OutOfRange);
    fails!(vmo.read(&mut byte, u64::MAX), OutOfRange);
    ok!(vmo.write(&byte, SIZE - 2));
    fails!(vmo.write(&byte, SIZE - 1), OutOfRange);
    fails!(vmo.write(&byte, u64::MAX - 1), OutOfRange);
    // Nothing can be read at the end.
    ok!(vmo.read(&mut [], SIZE));
    ok!(vmo.write(&[], SIZE));
    Ok(())
}

fn reading_and_writing_need_rights(_: &World) -> Case {
    let vmo = ok!(Vmo::create(SIZE, 2));
    let reader = ok!(vmo.duplicate(Rights::READ));
    let writer = ok!(vmo.duplicate(Rights::WRITE));
    fails!(reader.write(b"x", 0), AccessDenied);
    fails!(reader.set_size(0), AccessDenied);
    fails!(writer.read(&mut [0], 0), AccessDenied);
    ok!(writer.write(b"x", 0));
    let mut byte = [0];
    ok!(reader.read(&mut byte, 0));
    check_eq!(byte, *b"x");
    // The size needs no right.
    check_eq!(ok!(ok!(vmo.duplicate(Rights::empty())).size()), SIZE);
    Ok(())
}

fn bad_buffers_are_refused(_: &World) -> Case {
    let vmo = ok!(Vmo::create(SIZE, 0));
    ok!(vmo.write(&[1; 100], 0));
    for bad in [0x1000, 0x8000_0000_0000, 0xffff_ffff_8010_0000] {
        fails!(
            call(SyscallId::VmoWrite, &[arg(&vmo), bad, 0, 1]),
            InvalidArgs
        );
        fails!(
            call(SyscallId::VmoRead, &[arg(&vmo), bad, 0, 1]),
            InvalidArgs
        );
        fails!(call(SyscallId::VmoGetSize, &[arg(&vmo), bad]), InvalidArgs);
    }
    for bad in BAD_ADDRESSES {
        fails!(call(SyscallId::VmoCreate, &[4096, 0, bad]), InvalidArgs);
    }
    Ok(())
}

fn bad_types_are_refused(_: &World) -> Case {
    let event = Vmo::from(Handle::from(ok!(Event::create())));
    fails!(event.size(), WrongType);
    fails!(event.read(&mut [0], 0), WrongType);
    fails!(event.set_size(0), WrongType);
    fails!(event.op_range(1, 0, 0), WrongType);
    Ok(())
}

fn a_fixed_size_cannot_change(_: &World) -> Case {
    let vmo = ok!(Vmo::create(SIZE, 0));
    fails!(vmo.set_size(0), Unavailable);
    fails!(vmo.set_size(SIZE), Unavailable);
    check_eq!(ok!(vmo.size()), SIZE);
    Ok(())
}

fn a_resizable_one_grows_with_zeros(_: &World) -> Case {
    let vmo = ok!(Vmo::create(4096, 2));
    ok!(vmo.write(&[5; 4096], 0));
    ok!(vmo.set_size(5000));
    check_eq!(ok!(vmo.size()), 8192);
    let mut bytes = [1; 8192];
    ok!(vmo.read(&mut bytes, 0));
    check!(bytes[..4096].iter().all(|byte| *byte == 5));
    check!(bytes[4096..].iter().all(|byte| *byte == 0));
    fails!(vmo.set_size(u64::MAX), OutOfRange);
    Ok(())
}

fn shrinking_and_growing_shows_no_old_data(_: &World) -> Case {
    let vmo = ok!(Vmo::create(8192, 2));
    ok!(vmo.write(&[5; 8192], 0));
    ok!(vmo.set_size(4096));
    fails!(vmo.read(&mut [0], 4096), OutOfRange);
    ok!(vmo.set_size(8192));
    let mut bytes = [1; 4096];
    ok!(vmo.read(&mut bytes, 4096));
    check!(bytes.iter().all(|byte| *byte == 0));
    Ok(())
}

fn info(vmo: &Vmo) -> ZxResult<VmoInfo> {
    vmo.get_info(InfoTopic::Vmo)
}

fn a_huge_one_takes_no_memory_until_used(_: &World) -> Case {
    let vmo = ok!(Vmo::create(1 << 40, 0));
    check_eq!(ok!(info(&vmo)).committed_bytes, 0);
    ok!(vmo.write(b"far", (1 << 40) - 3));
    let mut bytes = [0; 3];
    ok!(vmo.read(&mut bytes, (1 << 40) - 3));
    check_eq!(bytes, *b"far");
    check_eq!(ok!(info(&vmo)).committed_bytes, 4096);
    Ok(())
}

fn commit_and_decommit(_: &World) -> Case {
    let vmo = ok!(Vmo::create(SIZE, 0));
    ok!(vmo.op_range(1, 4096, 8192));
    check_eq!(ok!(info(&vmo)).committed_bytes, 8192);
    ok!(vmo.op_range(2, 4096, 4096));
    check_eq!(ok!(info(&vmo)).committed_bytes, 4096);
    fails!(vmo.op_range(1, SIZE + 4096, 4096), OutOfRange);
    ok!(vmo.op_range(1, 0, 0));
    Ok(())
}

fn decommit_makes_zeros(_: &World) -> Case {
    let vmo = ok!(Vmo::create(SIZE, 0));
    ok!(vmo.write(&[7; 8192], 0));
    ok!(vmo.op_range(2, 0, 4096));
    let mut bytes = [1; 8192];
    ok!(vmo.read(&mut bytes, 0));
    check!(bytes[..4096].iter().all(|byte| *byte == 0));
    check!(bytes[4096..].iter().all(|byte| *byte == 7));
    Ok(())
}

fn zero_makes_zeros(world: &World) -> Case {
    home_only!(world);
    let vmo = ok!(Vmo::create(SIZE, 0));
    ok!(vmo.write(&[7; 8192], 0));
    ok!(vmo.op_range(10, 100, 5000));
    let mut bytes = [1; 8192];
    ok!(vmo.read(&mut bytes, 0));
    let zeros = bytes.iter().filter(|byte| **byte == 0).count();
    check_eq!(zeros, 5000);
    check!(bytes[99] == 7 && bytes[100] == 0 && bytes[5099] == 0 && bytes[5100] == 7);
    fails!(vmo.op_range(10, SIZE - 1, 2), OutOfRange);
    Ok(())
}

fn unknown_operations_are_refused(_: &World) -> Case {
    let vmo = ok!(Vmo::create(SIZE, 0));
    for op in [0, 5, 11, u32::MAX] {
        fails!(vmo.op_range(op, 0, 4096), InvalidArgs);
    }
    Ok(())
}

fn operations_need_rights(_: &World) -> Case {
    let vmo = ok!(Vmo::create(SIZE, 0));
    let reader = ok!(vmo.duplicate(Rights::READ));
    fails!(reader.op_range(1, 0, 4096), AccessDenied);
    fails!(reader.op_range(2, 0, 4096), AccessDenied);
    ok!(reader.op_range(8, 0, 4096));
    let writer = ok!(vmo.duplicate(Rights::WRITE));
    fails!(writer.op_range(8, 0, 4096), AccessDenied);
    ok!(writer.op_range(1, 0, 4096));
    Ok(())
}

fn info_tells_size_and_flags(world: &World) -> Case {
    let vmo = ok!(Vmo::create(SIZE, 2));
    let record = ok!(info(&vmo));
    check_eq!(record.koid, ok!(vmo.koid()));
    check_eq!(record.size_bytes, SIZE);
    check_eq!((record.parent_koid, record.num_children), (0, 0));
    let flags = VmoInfoFlags::PAGED | VmoInfoFlags::RESIZABLE | VmoInfoFlags::VIA_HANDLE;
    check_eq!(record.flags, flags.bits());
    if world.level == Level::Home {
        check_eq!(record.handle_rights, Rights::default_for(ObjectType::Vmo));
    }
    Ok(())
}

fn a_name_can_be_given(_: &World) -> Case {
    let vmo = ok!(Vmo::create(SIZE, 0));
    check_eq!(ok!(vmo.name()), "");
    ok!(vmo.set_name("a name"));
    check_eq!(ok!(vmo.name()), "a name");
    ok!(vmo.set_name("0123456789012345678901234567890123456789"));
    check_eq!(ok!(vmo.name()), "0123456789012345678901234567890");
    Ok(())
}

/// A copy of a moment. Its number differs between the levels.
fn snapshot(world: &World, vmo: &Vmo, offset: u64, size: u64) -> ZxResult<Vmo> {
    let option = match world.level {
        Level::Home => 1,
        Level::July2019 => 8,
    };
    vmo.create_child(option, offset, size)
}

fn slice(world: &World, vmo: &Vmo, offset: u64, size: u64) -> ZxResult<Vmo> {
    let option = match world.level {
        Level::Home => 8,
        Level::July2019 => 16,
    };
    vmo.create_child(option, offset, size)
}

fn byte_at(vmo: &Vmo, offset: u64) -> ZxResult<u8> {
    let mut byte = [0];
    vmo.read(&mut byte, offset)?;
    Ok(byte[0])
}

fn a_snapshot_does_not_see_later_writes(world: &World) -> Case {
    needs!(VmoCreateChild);
    let vmo = ok!(Vmo::create(SIZE, 0));
    ok!(vmo.write(b"a", 0));
    let child = ok!(snapshot(world, &vmo, 0, SIZE));
    ok!(vmo.write(b"b", 0));
    ok!(vmo.write(b"b", 4096));
    check_eq!(
        (ok!(byte_at(&child, 0)), ok!(byte_at(&child, 4096))),
        (b'a', 0)
    );
    drop(vmo);
    check_eq!(
        (ok!(byte_at(&child, 0)), ok!(byte_at(&child, 4096))),
        (b'a', 0)
    );
    Ok(())
}

fn a_snapshot_is_not_seen_by_its_parent(world: &World) -> Case {
    needs!(VmoCreateChild);
    let vmo = ok!(Vmo::create(SIZE, 0));
    ok!(vmo.write(b"a", 4096));
    let child = ok!(snapshot(world, &vmo, 4096, 8192));
    ok!(child.write(b"c", 0));
    check_eq!(
        (ok!(byte_at(&vmo, 4096)), ok!(byte_at(&child, 0))),
        (b'a', b'c')
    );
    check_eq!(ok!(child.size()), 8192);
    let grandchild = ok!(snapshot(world, &child, 0, 4096));
    ok!(child.write(b"d", 0));
    check_eq!(ok!(byte_at(&grandchild, 0)), b'c');
    Ok(())
}

fn a_slice_shares_its_pages(world: &World) -> Case {
    needs!(VmoCreateChild);
    let vmo = ok!(Vmo::create(SIZE, 0));
    let window = ok!(slice(world, &vmo, 4096, 4096));
    ok!(vmo.write(b"x", 4096 + 7));
    check_eq!(ok!(byte_at(&window, 7)), b'x');
    ok!(window.write(b"y", 8));
    check_eq!(ok!(byte_at(&vmo, 4096 + 8)), b'y');
    fails!(window.read(&mut [0], 4096), OutOfRange);
    fails!(window.set_size(0), Unavailable);
    Ok(())
}

fn a_slice_must_lie_inside(world: &World) -> Case {
    needs!(VmoCreateChild);
    let vmo = ok!(Vmo::create(SIZE, 0));
    fails!(slice(world, &vmo, 0, SIZE + 4096), InvalidArgs);
    fails!(slice(world, &vmo, SIZE, 4096), InvalidArgs);
    fails!(slice(world, &vmo, 1, 4096), InvalidArgs);
    ok!(slice(world, &vmo, SIZE, 0));
    let resizable = ok!(Vmo::create(SIZE, 2));
    fails!(slice(world, &resizable, 0, 4096), NotSupported);
    fails!(slice(world, &resizable, 0, SIZE + 4096), InvalidArgs);
    Ok(())
}

fn children_clear_zero_children(world: &World) -> Case {
    needs!(VmoCreateChild);
    let vmo = ok!(Vmo::create(SIZE, 0));
    let first = ok!(snapshot(world, &vmo, 0, SIZE));
    let second = ok!(slice(world, &vmo, 0, 4096));
    check_eq!(ok!(vmo.signals_now(Signals::all())), Signals::empty());
    check_eq!(ok!(info(&vmo)).num_children, 2);
    check_eq!(ok!(info(&first)).parent_koid, ok!(vmo.koid()));
    drop(first);
    check_eq!(ok!(vmo.signals_now(Signals::all())), Signals::empty());
    drop(second);
    check_eq!(
        ok!(vmo.signals_now(Signals::all())),
        Signals::VMO_ZERO_CHILDREN
    );
    Ok(())
}

fn child_options_are_checked(world: &World) -> Case {
    needs!(VmoCreateChild);
    home_only!(world);
    let vmo = ok!(Vmo::create(SIZE, 0));
    for options in [0, 4, 1 | 16, 1 | 8, 8 | 4, 64, 1 | 128] {
        fails!(vmo.create_child(options, 0, SIZE), InvalidArgs);
    }
    fails!(vmo.create_child(1, 1, SIZE), InvalidArgs);
    fails!(vmo.create_child(1, 0, u64::MAX), OutOfRange);
    let no_read = ok!(vmo.duplicate(Rights::DUPLICATE));
    fails!(no_read.create_child(1, 0, SIZE), AccessDenied);
    let no_duplicate = ok!(vmo.duplicate(Rights::READ));
    fails!(no_duplicate.create_child(1, 0, SIZE), AccessDenied);
    Ok(())
}

fn rights_of_children_follow_the_parents(world: &World) -> Case {
    needs!(VmoCreateChild);
    let vmo = ok!(Vmo::create(SIZE, 0));
    let reader = ok!(vmo.duplicate(Rights::READ | Rights::DUPLICATE));
    let copy = ok!(snapshot(world, &reader, 0, SIZE));
    let plus = Rights::READ | Rights::DUPLICATE | Rights::PROPERTY;
    check_eq!(ok!(rights_of(&copy)), plus | Rights::WRITE);
    let window = ok!(slice(world, &reader, 0, SIZE));
    check_eq!(ok!(rights_of(&window)), plus);
    Ok(())
}

fn executable_comes_by_replacing(_: &World) -> Case {
    needs!(VmoReplaceAsExecutable);
    let vmo = ok!(Vmo::create(SIZE, 0));
    let value = arg(&vmo);
    let vmo = ok!(vmo.replace_as_executable(&libzx::Unowned(0)));
    check_eq!(
        ok!(rights_of(&vmo)),
        Rights::default_for(ObjectType::Vmo) | Rights::EXECUTE
    );
    check!(arg(&vmo) == value || call(SyscallId::HandleClose, &[value]).is_err());
    Ok(())
}

fn only_a_resource_for_it_makes_executable(world: &World) -> Case {
    needs!(VmoReplaceAsExecutable);
    let replace = |vmex: usize| -> ZxResult {
        let page = Scratch::new()?;
        let vmo = Handle::from(Vmo::create(SIZE, 0)?).into_raw() as usize;
        let args = [vmo, vmex, page.address()];
        let replaced = call(SyscallId::VmoReplaceAsExecutable, &args);
        // The handle is given up whatever comes of it.
        match call(SyscallId::HandleClose, &[vmo]) {
            Err(ZxError::BadHandle) => {}
            _ => return Err(ZxError::Internal),
        }
        replaced?;
        drop(Handle::from_raw(page.u32(0)));
        Ok(())
    };
    fails!(replace(arg(&ok!(Event::create()))), WrongType);
    fails!(replace(0x7ff7), BadHandle);
    let Some(root) = &world.resource else {
        skip!("no root resource");
    };
    ok!(replace(arg(root)));
    let (vmex, ports) = (5, 2);
    ok!(replace(arg(&ok!(resource(root, vmex, 0, 0)))));
    fails!(
        replace(arg(&ok!(resource(root, ports, 0x80, 4)))),
        WrongType
    );
    Ok(())
}

fn mappings_and_calls_see_the_same_memory(_: &World) -> Case {
    let vmo = ok!(Vmo::create(SIZE, 0));
    let mut mapping = ok!(Mapping::writable(&vmo));
    mapping.as_mut_slice()[5000] = 9;
    check_eq!(ok!(byte_at(&vmo, 5000)), 9);
    ok!(vmo.write(b"z", 6000));
    check_eq!(core::hint::black_box(mapping.as_slice())[6000], b'z');
    Ok(())
}

fn cache_policy_values_are_checked_first(_: &World) -> Case {
    let vmo = ok!(Vmo::create(SIZE, 0));
    fails!(call(SyscallId::VmoSetCachePolicy, &[0, 4]), InvalidArgs);
    fails!(call(SyscallId::VmoSetCachePolicy, &[0, 0]), BadHandle);
    let event = ok!(Event::create());
    fails!(
        call(SyscallId::VmoSetCachePolicy, &[arg(&event), 0]),
        WrongType
    );
    ok!(vmo.op_range(1, 0, 4096));
    fails!(
        call(SyscallId::VmoSetCachePolicy, &[arg(&vmo), 1]),
        BadState
    );
    Ok(())
}
