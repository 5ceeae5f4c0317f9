//! The machine as a whole: its firmware's tables, and power.

use libzx::{Event, Mapping, Resource, Vmo, ZxResult};
use zx_abi::syscalls::SyscallId;

use crate::check::{check, check_eq, fails, home_only, needs, ok, skip, suite, Case, Outcome};
use crate::memory::{arg, call, Scratch, BAD_ADDRESSES};
use crate::resource::create as resource;
use crate::world::{Level, World};

suite! {
    "System":
    the_firmwares_tables_are_where_it_says,
    the_firmwares_tables_are_for_the_root_resource,
    power_is_for_the_root_resource,
    power_knows_its_commands,
    power_reads_the_argument_of_a_command_that_has_one,
}

const SLEEP: usize = 3;
const LIMIT_POWER: usize = 4;

fn root(world: &World) -> Result<&Resource, Outcome> {
    match &world.resource {
        Some(resource) => Ok(resource),
        None => skip!("no root resource"),
    }
}

fn power(resource: usize, command: usize, argument: usize) -> ZxResult {
    call(SyscallId::SystemPowerctl, &[resource, command, argument])
}

fn the_firmwares_tables_are_where_it_says(world: &World) -> Case {
    needs!(PcFirmwareTables);
    let root = root(world)?;
    let page = ok!(Scratch::new());
    let at = page.address();
    ok!(call(SyscallId::PcFirmwareTables, &[arg(root), at, at + 8]));
    let acpi: u64 = page.get(0);
    if acpi == 0 {
        // A kernel that was not started by UEFI may not know.
        check_eq!(world.level, Level::July2019);
        return Ok(());
    }
    let vmo = ok!(Vmo::physical(root, acpi / 4096 * 4096, 2 * 4096));
    let mapping = ok!(Mapping::readable(&vmo));
    let within = usize::try_from(acpi % 4096).unwrap_or(0);
    check_eq!(mapping.as_slice()[within..within + 8], *b"RSD PTR ");
    Ok(())
}

fn the_firmwares_tables_are_for_the_root_resource(world: &World) -> Case {
    needs!(PcFirmwareTables, ResourceCreate);
    let page = ok!(Scratch::new());
    let at = page.address();
    let tables = |handle, acpi, smbios| call(SyscallId::PcFirmwareTables, &[handle, acpi, smbios]);
    fails!(tables(0, at, at + 8), BadHandle);
    fails!(tables(arg(&ok!(Event::create())), at, at + 8), WrongType);
    let root = root(world)?;
    let memory = ok!(resource(root, 0, 0xf000_0000, 4096));
    fails!(tables(arg(&memory), at, at + 8), WrongType);
    for bad in BAD_ADDRESSES {
        fails!(tables(arg(root), bad, at), InvalidArgs);
        fails!(tables(arg(root), at, bad), InvalidArgs);
    }
    Ok(())
}

fn power_is_for_the_root_resource(world: &World) -> Case {
    needs!(ResourceCreate);
    let memory = ok!(resource(root(world)?, 0, 0xf000_0000, 4096));
    let event = ok!(Event::create());
    for command in 1..=8 {
        fails!(power(0, command, 0), BadHandle);
        fails!(power(arg(&event), command, 0), WrongType);
        fails!(power(arg(&memory), command, 0), WrongType);
    }
    Ok(())
}

fn power_knows_its_commands(world: &World) -> Case {
    let root = arg(root(world)?);
    for command in [0, 9, 99, 0xffff_ffff] {
        fails!(power(root, command, 0), InvalidArgs);
    }
    Ok(())
}

fn power_reads_the_argument_of_a_command_that_has_one(world: &World) -> Case {
    // Older kernels would try some of it.
    home_only!(world);
    let root = arg(root(world)?);
    for bad in BAD_ADDRESSES {
        fails!(power(root, SLEEP, bad), InvalidArgs);
        fails!(power(root, LIMIT_POWER, bad), InvalidArgs);
    }
    let mut page = ok!(Scratch::new());
    let at = page.address();
    for state in [0u64, 6, 7, 255] {
        page.put(0, &state);
        fails!(power(root, SLEEP, at), InvalidArgs);
    }
    for state in 1..=4u64 {
        page.put(0, &state);
        fails!(power(root, SLEEP, at), NotSupported);
    }
    fails!(power(root, LIMIT_POWER, at), NotSupported);
    check!(power(root, SLEEP, 0).is_err());
    Ok(())
}
