//! I/O ports: who may give them to a process, and that its code can use them then and not otherwise.

use libzx::{Event, Resource, VmOptions, Vmo, ZxResult};
use zx_abi::exception::ExceptionType;
use zx_abi::syscalls::SyscallId;

use crate::check::{check_eq, fails, home_only, needs, ok, skip, suite, Case, Outcome};
use crate::crash::{ending_of, Ending};
use crate::memory::{arg, call, root_vmar, PAGE};
use crate::resource::create as resource;
use crate::world::{Level, World};

suite! {
    "Ioports":
    a_port_can_be_read_once_it_was_requested,
    a_port_that_was_released_cannot_be_read,
    only_the_ports_asked_for_are_given,
    requesting_needs_a_resource_with_the_ports,
    releasing_needs_a_resource_with_the_ports,
    there_are_no_ports_beyond_the_last,
    ports_that_nobody_has_can_be_released,
}

/// Of the firmware's progress codes; reading it does nothing.
const PORT: u16 = 0x80;

fn root(world: &World) -> Result<&Resource, Outcome> {
    match &world.resource {
        Some(resource) => Ok(resource),
        None => skip!("no root resource"),
    }
}

fn request(resource: usize, port: usize, len: usize) -> ZxResult {
    call(SyscallId::IoportsRequest, &[resource, port, len])
}

fn release(resource: usize, port: usize, len: usize) -> ZxResult {
    call(SyscallId::IoportsRelease, &[resource, port, len])
}

/// How a thread ends that reads a port.
fn reading(port: u16) -> ZxResult<Ending> {
    let [low, high] = port.to_le_bytes();
    // mov edx, port; in al, dx; ret
    let code = [0xba, low, high, 0, 0, 0xec, 0xc3];
    let vmo = Vmo::create(PAGE as u64, 0)?;
    vmo.write(&code, 0)?;
    let vmo = vmo.replace_as_executable(&libzx::Unowned(0))?;
    let flags = VmOptions::PERM_READ | VmOptions::PERM_EXECUTE;
    let root = root_vmar()?;
    let address = root.map(flags, 0, &vmo, 0, PAGE)?;
    let ending = ending_of(move || libzx::raw::run(address));
    root.unmap(address, PAGE)?;
    ending
}

const REFUSED: Ending = Ending::Crash(Some(ExceptionType::General), 0);

fn a_port_can_be_read_once_it_was_requested(world: &World) -> Case {
    let root = arg(root(world)?);
    ok!(request(root, PORT.into(), 1));
    check_eq!(ok!(reading(PORT)), Ending::Well);
    // A Zircon of 2019 in QEMU lets a program read every port from then on.
    if world.level == Level::Home {
        check_eq!(ok!(reading(0x2000)), REFUSED);
    }
    Ok(())
}

fn a_port_that_was_released_cannot_be_read(world: &World) -> Case {
    needs!(IoportsRelease);
    let root = arg(root(world)?);
    ok!(request(root, PORT.into(), 1));
    ok!(release(root, PORT.into(), 1));
    check_eq!(ok!(reading(PORT)), REFUSED);
    Ok(())
}

fn only_the_ports_asked_for_are_given(world: &World) -> Case {
    home_only!(world);
    let root = arg(root(world)?);
    ok!(request(root, 0x84, 2));
    for (port, ending) in [
        (0x83, REFUSED),
        (0x84, Ending::Well),
        (0x85, Ending::Well),
        (0x86, REFUSED),
    ] {
        check_eq!((port, ok!(reading(port))), (port, ending));
    }
    Ok(())
}

/// Of both calls: what they say of resources that do not give the right.
fn refusals(world: &World, with: fn(usize, usize, usize) -> ZxResult) -> Case {
    fails!(with(0, 0x80, 1), BadHandle);
    fails!(with(arg(&ok!(Event::create())), 0x80, 1), WrongType);
    let root = root(world)?;
    let (memory, ports) = (0, 2);
    let other_kind = ok!(resource(root, memory, 0xf000_0000, PAGE));
    fails!(with(arg(&other_kind), 0x80, 1), WrongType);
    let four = ok!(resource(root, ports, 0x80, 4));
    ok!(with(arg(&four), 0x82, 2));
    for (port, len) in [(0x7f, 1), (0x84, 1), (0x83, 2), (0x80, 0x1_0000)] {
        fails!(with(arg(&four), port, len), OutOfRange);
    }
    Ok(())
}

fn requesting_needs_a_resource_with_the_ports(world: &World) -> Case {
    needs!(ResourceCreate);
    refusals(world, request)
}

fn releasing_needs_a_resource_with_the_ports(world: &World) -> Case {
    needs!(ResourceCreate, IoportsRelease);
    refusals(world, release)
}

fn there_are_no_ports_beyond_the_last(world: &World) -> Case {
    let root = arg(root(world)?);
    for (port, len) in [(0xffff, 2), (1, 0x1_0000), (0x80, 0xffff_ffff)] {
        fails!(request(root, port, len), InvalidArgs);
    }
    ok!(request(root, 0xffff, 1));
    needs!(IoportsRelease);
    fails!(release(root, 0xffff, 2), InvalidArgs);
    ok!(release(root, 0xffff, 1));
    Ok(())
}

fn ports_that_nobody_has_can_be_released(world: &World) -> Case {
    needs!(IoportsRelease);
    ok!(release(arg(root(world)?), 0x3000, 0x1000));
    Ok(())
}
