//! Resources: permission for what is privileged.

use libzx::{AsHandle, Event, Handle, Resource, Rights, Vmo, ZxResult};
use zx_abi::info::{InfoTopic, ResourceInfo};
use zx_abi::syscalls::SyscallId;
use zx_abi::ObjectType;

use crate::check::{check, check_eq, fails, home_only, needs, ok, skip, suite, Case};
use crate::memory::{arg, call, Scratch, BAD_ADDRESSES};
use crate::world::{rights_of, Level, World};

suite! {
    "Resource":
    the_root_resource_tells_what_it_is,
    it_cannot_be_waited_on,
    children_have_what_they_were_made_for,
    unknown_kinds_and_flags_are_refused,
    a_child_does_not_have_the_powers_of_the_root,
    making_children_needs_the_right,
    making_children_checks_the_name,
    ranges_are_rounded_to_pages_where_there_are_pages,
    ranges_beyond_the_machine_are_not_found,
    an_exclusive_range_is_not_shared,
    a_child_has_children_inside_its_range,
    power_needs_a_resource,
}

const MMIO: usize = 0;
const IRQ: usize = 1;
const IOPORT: usize = 2;
/// Beside a kind: nobody else may have the range.
const EXCLUSIVE: usize = 0x1_0000;
const ROOT: u32 = 4;

fn root(world: &World) -> Result<&Resource, crate::check::Outcome> {
    match &world.resource {
        Some(resource) => Ok(resource),
        None => skip!("no root resource"),
    }
}

/// A resource under another: its kind, and flags above that.
pub(crate) fn create(
    parent: &impl AsHandle,
    options: usize,
    base: usize,
    size: usize,
) -> ZxResult<Resource> {
    let mut page = Scratch::new()?;
    page.put(64, b"a child");
    let at = page.address();
    call(
        SyscallId::ResourceCreate,
        &[arg(parent), options, base, size, at + 64, 7, at],
    )?;
    Ok(Handle::from_raw(page.u32(0)).into())
}

fn the_root_resource_tells_what_it_is(world: &World) -> Case {
    let root = root(world)?;
    let info: ResourceInfo = ok!(root.get_info(InfoTopic::Resource));
    check_eq!(
        (info.kind, info.flags, info.base, info.size),
        (ROOT, 0, 0, 0)
    );
    check!(ok!(rights_of(root)).contains(Rights::default_for(ObjectType::Resource)));
    Ok(())
}

fn it_cannot_be_waited_on(world: &World) -> Case {
    fails!(
        root(world)?.wait_one(libzx::Signals::all(), 0),
        AccessDenied
    );
    Ok(())
}

fn children_have_what_they_were_made_for(world: &World) -> Case {
    needs!(ResourceCreate);
    let child = ok!(create(root(world)?, IOPORT, 0x80, 4));
    let info: ResourceInfo = ok!(child.get_info(InfoTopic::Resource));
    check_eq!((info.kind, info.base, info.size), (2, 0x80, 4));
    check_eq!(info.name[..8], *b"a child\0");
    check_eq!(
        ok!(rights_of(&child)),
        Rights::default_for(ObjectType::Resource)
    );
    Ok(())
}

fn unknown_kinds_and_flags_are_refused(world: &World) -> Case {
    needs!(ResourceCreate);
    let root = root(world)?;
    fails!(create(root, 99, 0, 0), InvalidArgs);
    fails!(create(root, 0xff_0000, 0, 4096), InvalidArgs);
    fails!(create(root, ROOT as usize, 4096, 4096), InvalidArgs);
    Ok(())
}

fn a_child_does_not_have_the_powers_of_the_root(world: &World) -> Case {
    needs!(ResourceCreate);
    let child = ok!(create(root(world)?, IOPORT, 0x80, 4));
    fails!(create(&child, MMIO, 0, 4096), AccessDenied);
    let result = ok!(Scratch::new());
    fails!(
        call(
            SyscallId::DebuglogCreate,
            &[arg(&child), 0, result.address()]
        ),
        WrongType
    );
    fails!(
        child.powerctl(zx_abi::power::PowerCommand::Shutdown),
        WrongType
    );
    Ok(())
}

fn making_children_needs_the_right(world: &World) -> Case {
    needs!(ResourceCreate);
    let reader = ok!(root(world)?.duplicate(Rights::INSPECT));
    fails!(create(&reader, IOPORT, 0x80, 4), AccessDenied);
    let event = ok!(Event::create());
    fails!(create(&event, IOPORT, 0x80, 4), WrongType);
    Ok(())
}

fn making_children_checks_the_name(world: &World) -> Case {
    needs!(ResourceCreate);
    let root = arg(root(world)?);
    let page = ok!(Scratch::new());
    let make = |name, len, out| {
        let args = [root, IOPORT, 0x80, 4, name, len, out];
        call(SyscallId::ResourceCreate, &args)
    };
    for bad in BAD_ADDRESSES {
        fails!(make(bad, 7, page.address()), InvalidArgs);
        fails!(make(0, 0, bad), InvalidArgs);
    }
    // Without a name the pointer is not looked at.
    ok!(make(0, 0, page.address()));
    let child = Resource::from(Handle::from_raw(page.u32(0)));
    let info: ResourceInfo = ok!(child.get_info(InfoTopic::Resource));
    check_eq!(info.name[0], 0);
    fails!(create(&libzx::Unowned(0x7ff7), IOPORT, 0x80, 4), BadHandle);
    Ok(())
}

fn ranges_are_rounded_to_pages_where_there_are_pages(world: &World) -> Case {
    needs!(ResourceCreate);
    let child = ok!(create(root(world)?, MMIO, 0xf000_0800, 0x1000));
    let info: ResourceInfo = ok!(child.get_info(InfoTopic::Resource));
    if world.level == Level::Home {
        check_eq!((info.base, info.size), (0xf000_0000, 0x2000));
    }
    // Half a page gives the right to the whole of it.
    let half = ok!(create(root(world)?, MMIO, 0xf000_0000, 0x800));
    ok!(Vmo::physical(&half, 0xf000_0000, 0x1000));
    fails!(Vmo::physical(&half, 0xf000_0000, 0x2000), OutOfRange);
    Ok(())
}

fn ranges_beyond_the_machine_are_not_found(world: &World) -> Case {
    needs!(ResourceCreate);
    let root = root(world)?;
    fails!(create(root, IOPORT, 0xffff, 2), NotFound);
    // The last port is nobody's.
    fails!(create(root, IOPORT, 0xffff, 1), NotFound);
    ok!(create(root, IOPORT, 0xfffe, 1));
    fails!(create(root, MMIO, usize::MAX - 0xfff, 0x2000), InvalidArgs);
    Ok(())
}

fn an_exclusive_range_is_not_shared(world: &World) -> Case {
    needs!(ResourceCreate);
    let root = root(world)?;
    let exclusive = ok!(create(root, EXCLUSIVE | IOPORT, 0x300, 0x10));
    let info: ResourceInfo = ok!(exclusive.get_info(InfoTopic::Resource));
    check_eq!((info.kind, info.flags), (2, 0x1_0000));
    for (options, base) in [(IOPORT, 0x30f), (EXCLUSIVE | IOPORT, 0x2f8)] {
        fails!(create(root, options, base, 0x10), NotFound);
    }
    // Beside it, and of another kind, all is well.
    let beside = ok!(create(root, IOPORT, 0x310, 0x10));
    ok!(create(root, IRQ, 0x40, 1));
    // What is shared cannot become exclusive.
    fails!(create(root, EXCLUSIVE | IOPORT, 0x31f, 1), NotFound);
    drop(beside);
    ok!(create(root, EXCLUSIVE | IOPORT, 0x31f, 1));
    drop(exclusive);
    ok!(create(root, IOPORT, 0x300, 0x10));
    Ok(())
}

fn a_child_has_children_inside_its_range(world: &World) -> Case {
    needs!(ResourceCreate);
    home_only!(world);
    let root = root(world)?;
    let parent = ok!(create(root, IOPORT, 0x300, 0x10));
    ok!(create(
        &ok!(create(&parent, IOPORT, 0x304, 4)),
        IOPORT,
        0x306,
        2
    ));
    fails!(create(&parent, IOPORT, 0x30f, 2), AccessDenied);
    fails!(create(&parent, IRQ, 0x304, 1), AccessDenied);
    // An exclusive one has no children, and no child of a range is exclusive.
    fails!(create(&parent, EXCLUSIVE | IOPORT, 0x304, 4), InvalidArgs);
    let exclusive = ok!(create(root, EXCLUSIVE | IOPORT, 0x320, 0x10));
    fails!(create(&exclusive, IOPORT, 0x324, 4), InvalidArgs);
    Ok(())
}

fn power_needs_a_resource(_: &World) -> Case {
    let event = Resource::from(Handle::from(ok!(Event::create())));
    fails!(
        event.powerctl(zx_abi::power::PowerCommand::Shutdown),
        WrongType
    );
    fails!(call(SyscallId::SystemPowerctl, &[0, 8, 0]), BadHandle);
    Ok(())
}
