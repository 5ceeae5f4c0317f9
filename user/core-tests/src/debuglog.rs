//! The kernel's log.

use alloc::format;

use libzx::{AsHandle, Debuglog, Event, Handle, Rights, Signals, ZxError};
use zerocopy::FromBytes;
use zx_abi::debuglog::DebuglogHeader;
use zx_abi::syscalls::SyscallId;
use zx_abi::ObjectType;

use crate::check::{check, check_eq, fail, fails, home_only, ok, skip, suite, Case};
use crate::memory::{arg, call, Scratch, BAD_ADDRESSES};
use crate::world::{rights_of, World};

suite! {
    "Debuglog":
    it_has_the_usual_rights,
    unknown_options_are_refused,
    only_a_root_resource_is_accepted,
    a_line_written_can_be_read,
    reading_needs_the_right,
    a_short_buffer_cuts_the_record,
    flags_outside_the_mask_are_refused,
    bad_buffers_are_refused,
}

const READABLE: u32 = 0x4000_0000;

fn open(world: &World, options: u32) -> Result<Debuglog, crate::check::Outcome> {
    let Some(resource) = &world.resource else {
        skip!("no root resource");
    };
    Ok(ok!(Debuglog::create(resource, options)))
}

fn it_has_the_usual_rights(world: &World) -> Case {
    let usual = Rights::default_for(ObjectType::Log);
    check_eq!(ok!(rights_of(&open(world, 0)?)), usual);
    let readable = open(world, READABLE)?;
    check_eq!(ok!(rights_of(&readable)), usual | Rights::READ);
    check!(ok!(readable.signals_now(Signals::all())).contains(Signals::LOG_WRITABLE));
    Ok(())
}

fn unknown_options_are_refused(world: &World) -> Case {
    home_only!(world);
    let Some(resource) = &world.resource else {
        skip!("no root resource");
    };
    fails!(Debuglog::create(resource, 1), InvalidArgs);
    fails!(Debuglog::create(resource, READABLE | 1), InvalidArgs);
    Ok(())
}

fn only_a_root_resource_is_accepted(_: &World) -> Case {
    let event = ok!(Event::create());
    let result = ok!(Scratch::new());
    fails!(
        call(
            SyscallId::DebuglogCreate,
            &[arg(&event), 0, result.address()]
        ),
        WrongType
    );
    fails!(
        call(
            SyscallId::DebuglogCreate,
            &[0xffff_fff3, 0, result.address()]
        ),
        BadHandle
    );
    Ok(())
}

fn a_line_written_can_be_read(world: &World) -> Case {
    let log = open(world, READABLE)?;
    let line = format!("core-tests wrote this at {}", libzx::time::now());
    ok!(log.write(line.as_bytes()));
    let mut record = [0; 256];
    loop {
        let len = match log.read(&mut record) {
            Ok(len) => len,
            Err(ZxError::ShouldWait) => fail!("the line is not in the log"),
            Err(error) => fail!("reading: {error}"),
        };
        let Ok((header, text)) = DebuglogHeader::read_from_prefix(&record) else {
            fail!("no header");
        };
        check_eq!(len, 32 + usize::from(header.datalen));
        if text.get(..usize::from(header.datalen)) == Some(line.as_bytes()) {
            check_eq!(header.pid, ok!(libzx::own_process().koid()));
            check!(header.timestamp > 0 && header.timestamp <= libzx::time::now());
            return Ok(());
        }
    }
}

fn reading_needs_the_right(world: &World) -> Case {
    let log = open(world, 0)?;
    fails!(log.read(&mut [0; 256]), AccessDenied);
    let event = Debuglog::from(Handle::from(ok!(Event::create())));
    fails!(event.write(b"x"), WrongType);
    Ok(())
}

fn a_short_buffer_cuts_the_record(world: &World) -> Case {
    home_only!(world);
    let log = open(world, READABLE)?;
    let mut record = [0xee; 8];
    check_eq!(ok!(log.read(&mut record[..3])), 3);
    check_eq!(record[3..], [0xee; 5]);
    Ok(())
}

fn flags_outside_the_mask_are_refused(world: &World) -> Case {
    let log = open(world, 0)?;
    fails!(
        call(SyscallId::DebuglogWrite, &[arg(&log), 0x1_0000, 0, 0]),
        InvalidArgs
    );
    fails!(
        call(SyscallId::DebuglogRead, &[arg(&log), 1, 0, 0]),
        InvalidArgs
    );
    Ok(())
}

fn bad_buffers_are_refused(world: &World) -> Case {
    let log = open(world, READABLE)?;
    for bad in BAD_ADDRESSES {
        fails!(
            call(SyscallId::DebuglogWrite, &[arg(&log), 0, bad, 5]),
            InvalidArgs
        );
        fails!(
            call(SyscallId::DebuglogRead, &[arg(&log), 0, bad, 256]),
            InvalidArgs
        );
    }
    Ok(())
}
