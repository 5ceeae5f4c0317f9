//! Resources: permission for what is privileged.

use libzx::{AsHandle, Event, Handle, Resource, Rights, ZxResult};
use zx_abi::info::{InfoTopic, ResourceInfo};
use zx_abi::syscalls::SyscallId;
use zx_abi::ObjectType;

use crate::check::{check, check_eq, fails, needs, ok, skip, suite, Case};
use crate::memory::{arg, call, Scratch};
use crate::world::{rights_of, World};

suite! {
    "Resource":
    the_root_resource_tells_what_it_is,
    it_cannot_be_waited_on,
    children_have_what_they_were_made_for,
    unknown_kinds_and_flags_are_refused,
    a_child_does_not_have_the_powers_of_the_root,
    making_children_needs_the_right,
    power_needs_a_resource,
}

const MMIO: usize = 0;
const IOPORT: usize = 2;
const ROOT: u32 = 4;

fn root(world: &World) -> Result<&Resource, crate::check::Outcome> {
    match &world.resource {
        Some(resource) => Ok(resource),
        None => skip!("no root resource"),
    }
}

fn create(parent: &impl AsHandle, options: usize, base: usize, size: usize) -> ZxResult<Resource> {
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

fn power_needs_a_resource(_: &World) -> Case {
    let event = Resource::from(Handle::from(ok!(Event::create())));
    fails!(
        event.powerctl(zx_abi::power::PowerCommand::Shutdown),
        WrongType
    );
    fails!(call(SyscallId::SystemPowerctl, &[0, 8, 0]), BadHandle);
    Ok(())
}
