//! Refusals that belong to no object's own file: handles and types given to calls about another type.

use core::sync::atomic::{AtomicI32, Ordering};

use alloc::vec;

use libzx::{Channel, Debuglog, Event, EventPair, Port, Rights, Vmo, ZxError, ZxResult};
use zx_abi::syscalls::SyscallId;
use zx_abi::InfoTopic;

use crate::check::{check_eq, fail, fails, needs, ok, skip, suite, Case};
use crate::memory::{address_of, arg, call, Scratch, BAD_ADDRESSES};
use crate::world::{sleep_ms, soon, World};

suite! {
    "Refusal":
    channel_read_etc_refuses_what_channel_read_refuses,
    channel_read_etc_tells_empty_from_closed,
    channel_read_etc_leaves_what_does_not_fit,
    channel_call_ends_when_its_handle_is_closed,
    futex_requeue_refuses_an_owner_that_is_no_thread,
    futex_requeue_single_owner_refuses_what_futex_requeue_refuses,
    object_get_child_refuses_a_bad_handle,
    object_get_info_refuses_a_report_without_an_exception,
    object_get_property_refuses_another_type,
    object_set_property_refuses_a_bad_handle_and_another_type,
    object_set_property_refuses_a_name_for_what_has_none,
    object_signal_peer_refuses_a_bad_handle,
    port_cancel_refuses_a_source_that_cannot_be_waited_on,
    vmo_calls_refuse_bad_handles_and_other_types,
    debug_read_needs_the_root_resource,
    debuglog_read_ends_with_should_wait,
    debuglog_read_and_write_refuse_other_handles,
    debuglog_write_needs_the_right,
}

/// A handle value that no process has.
const NOBODY: usize = 0xffff_fff3;

const PROPERTY_NAME: usize = 3;
const PROPERTY_PROCESS_DEBUG_ADDR: usize = 5;

/// Reads with room for `bytes` and `handles`; the sizes go to 4000 and 4004.
fn read_etc(handle: usize, options: usize, bytes: usize, handles: usize) -> ZxResult<(u32, u32)> {
    let page = Scratch::new()?;
    let at = page.address();
    let args = [
        handle,
        options,
        at,
        at + 2048,
        bytes,
        handles,
        at + 4000,
        at + 4004,
    ];
    match call(SyscallId::ChannelReadEtc, &args) {
        Ok(()) | Err(ZxError::BufferTooSmall) => Ok((page.u32(4000), page.u32(4004))),
        Err(error) => Err(error),
    }
}

fn channel_read_etc_refuses_what_channel_read_refuses(_: &World) -> Case {
    needs!(ChannelReadEtc);
    let (left, right) = ok!(Channel::create());
    ok!(left.write(b"message", vec![]));
    fails!(read_etc(NOBODY, 0, 64, 1), BadHandle);
    fails!(read_etc(arg(&ok!(Event::create())), 0, 64, 1), WrongType);
    fails!(read_etc(arg(&right), 2, 64, 1), NotSupported);
    let (_left, deaf) = ok!(Channel::create());
    let deaf = ok!(deaf.replace(Rights::WRITE));
    fails!(read_etc(arg(&deaf), 0, 64, 1), AccessDenied);
    check_eq!(ok!(read_etc(arg(&right), 0, 64, 1)), (7, 0));
    for bad in BAD_ADDRESSES {
        ok!(left.write(b"lost", vec![]));
        let args = [arg(&right), 0, bad, 0, 64, 0, 0, 0];
        fails!(call(SyscallId::ChannelReadEtc, &args), InvalidArgs);
    }
    Ok(())
}

fn channel_read_etc_tells_empty_from_closed(_: &World) -> Case {
    needs!(ChannelReadEtc);
    let (left, right) = ok!(Channel::create());
    fails!(read_etc(arg(&right), 0, 64, 1), ShouldWait);
    ok!(left.write(b"last", vec![]));
    drop(left);
    check_eq!(ok!(read_etc(arg(&right), 0, 64, 1)), (4, 0));
    fails!(read_etc(arg(&right), 0, 64, 1), PeerClosed);
    Ok(())
}

fn channel_read_etc_leaves_what_does_not_fit(_: &World) -> Case {
    needs!(ChannelReadEtc);
    let (left, right) = ok!(Channel::create());
    ok!(left.write(b"message", vec![ok!(Event::create()).into()]));
    let page = ok!(Scratch::new());
    let at = page.address();
    for (bytes, handles) in [(6, 1), (7, 0)] {
        let args = [
            arg(&right),
            0,
            at,
            at + 2048,
            bytes,
            handles,
            at + 4000,
            at + 4004,
        ];
        fails!(call(SyscallId::ChannelReadEtc, &args), BufferTooSmall);
        check_eq!((page.u32(4000), page.u32(4004)), (7, 1));
    }
    check_eq!(ok!(right.read()).handles.len(), 1);
    Ok(())
}

fn channel_call_ends_when_its_handle_is_closed(_: &World) -> Case {
    needs!(ChannelCall);
    let (client, server) = ok!(Channel::create());
    let raw = arg(&client);
    let closer = ok!(libzx::thread::spawn("closer", move || {
        let _ = server.read_by(soon());
        sleep_ms(5);
        drop(client);
        sleep_ms(5);
        drop(server);
    }));
    let mut page = ok!(Scratch::new());
    let at = page.address();
    let args = zx_abi::ChannelCallArgs {
        wr_bytes: at + 1024,
        wr_num_bytes: 4,
        ..zx_abi::ChannelCallArgs::default()
    };
    page.put(0, &args);
    let deadline = usize::try_from(soon()).unwrap_or(usize::MAX);
    let args = [raw, 0, deadline, at, at + 4000, at + 4004];
    fails!(call(SyscallId::ChannelCall, &args), Canceled);
    ok!(closer.join());
    Ok(())
}

static FUTEX: AtomicI32 = AtomicI32::new(0);
static OTHER: AtomicI32 = AtomicI32::new(0);

fn futex_requeue_refuses_an_owner_that_is_no_thread(_: &World) -> Case {
    let (from, to) = (address_of(&FUTEX), address_of(&OTHER));
    let event = ok!(Event::create());
    let requeue = |owner| call(SyscallId::FutexRequeue, &[from, 0, 0, to, 0, owner]);
    fails!(requeue(NOBODY), BadHandle);
    fails!(requeue(arg(&event)), WrongType);
    Ok(())
}

fn futex_requeue_single_owner_refuses_what_futex_requeue_refuses(_: &World) -> Case {
    FUTEX.store(0, Ordering::SeqCst);
    let (from, to) = (address_of(&FUTEX), address_of(&OTHER));
    let event = ok!(Event::create());
    let requeue = |from: usize, value: usize, to: usize, owner| {
        call(
            SyscallId::FutexRequeueSingleOwner,
            &[from, value, to, 0, owner],
        )
    };
    for bad in [0, from + 1] {
        fails!(requeue(bad, 0, to, 0), InvalidArgs);
        fails!(requeue(from, 0, bad, 0), InvalidArgs);
    }
    fails!(requeue(from, 0, from, 0), InvalidArgs);
    fails!(requeue(from, 1, to, 0), BadState);
    fails!(requeue(from, 1, to, NOBODY), BadState);
    fails!(requeue(from, 0, to, NOBODY), BadHandle);
    fails!(requeue(from, 0, to, arg(&event)), WrongType);
    ok!(requeue(from, 0, to, 0));
    Ok(())
}

fn object_get_child_refuses_a_bad_handle(_: &World) -> Case {
    let page = ok!(Scratch::new());
    let same = Rights::SAME_RIGHTS.bits() as usize;
    let args = [NOBODY, 1, same, page.address()];
    fails!(call(SyscallId::ObjectGetChild, &args), BadHandle);
    Ok(())
}

fn object_get_info_refuses_a_report_without_an_exception(_: &World) -> Case {
    let sleeper = ok!(libzx::thread::spawn("sleeper", || sleep_ms(20)));
    let page = ok!(Scratch::new());
    let topic = InfoTopic::ThreadExceptionReport as usize;
    let args = [arg(sleeper.thread()), topic, page.address(), 4096, 0, 0];
    fails!(call(SyscallId::ObjectGetInfo, &args), BadState);
    ok!(sleeper.join());
    Ok(())
}

fn object_get_property_refuses_another_type(_: &World) -> Case {
    let vmo = ok!(Vmo::create(4096, 0));
    let page = ok!(Scratch::new());
    let args = [arg(&vmo), PROPERTY_PROCESS_DEBUG_ADDR, page.address(), 8];
    fails!(call(SyscallId::ObjectGetProperty, &args), WrongType);
    Ok(())
}

fn object_set_property_refuses_a_bad_handle_and_another_type(_: &World) -> Case {
    let vmo = ok!(Vmo::create(4096, 0));
    let page = ok!(Scratch::new());
    let args = [NOBODY, PROPERTY_NAME, page.address(), 8];
    fails!(call(SyscallId::ObjectSetProperty, &args), BadHandle);
    let args = [arg(&vmo), PROPERTY_PROCESS_DEBUG_ADDR, page.address(), 8];
    fails!(call(SyscallId::ObjectSetProperty, &args), WrongType);
    Ok(())
}

fn object_set_property_refuses_a_name_for_what_has_none(_: &World) -> Case {
    let (socket, _peer) = ok!(libzx::Socket::create(0));
    let page = ok!(Scratch::new());
    let args = [arg(&socket), PROPERTY_NAME, page.address(), 8];
    fails!(call(SyscallId::ObjectSetProperty, &args), NotSupported);
    Ok(())
}

fn object_signal_peer_refuses_a_bad_handle(_: &World) -> Case {
    fails!(
        call(SyscallId::ObjectSignalPeer, &[NOBODY, 0, 0]),
        BadHandle
    );
    let (left, _right) = ok!(EventPair::create());
    ok!(call(SyscallId::ObjectSignalPeer, &[arg(&left), 0, 0]));
    Ok(())
}

fn port_cancel_refuses_a_source_that_cannot_be_waited_on(_: &World) -> Case {
    let (port, source) = (ok!(Port::create()), ok!(Port::create()));
    fails!(port.cancel(&source, 1), AccessDenied);
    Ok(())
}

fn vmo_calls_refuse_bad_handles_and_other_types(_: &World) -> Case {
    let page = ok!(Scratch::new());
    let event = ok!(Event::create());
    let at = page.address();
    for (handle, error) in [
        (NOBODY, ZxError::BadHandle),
        (arg(&event), ZxError::WrongType),
    ] {
        let calls: [(SyscallId, &[usize]); 5] = [
            (SyscallId::VmoCreateChild, &[handle, 1, 0, 4096, at]),
            (SyscallId::VmoGetSize, &[handle, at]),
            (SyscallId::VmoOpRange, &[handle, 1, 0, 4096, 0, 0]),
            (SyscallId::VmoRead, &[handle, at, 0, 8]),
            (SyscallId::VmoWrite, &[handle, at, 0, 8]),
        ];
        for (id, args) in calls {
            if !libzx::sys::available(id) {
                continue;
            }
            check_eq!(call(id, args), Err(error));
        }
    }
    needs!(VmoReplaceAsExecutable);
    fails!(
        call(SyscallId::VmoReplaceAsExecutable, &[NOBODY, 0, at]),
        BadHandle
    );
    Ok(())
}

fn debug_read_needs_the_root_resource(_: &World) -> Case {
    let page = ok!(Scratch::new());
    let event = ok!(Event::create());
    let read = |handle| {
        call(
            SyscallId::DebugRead,
            &[handle, page.address(), 1, page.address() + 8],
        )
    };
    fails!(read(NOBODY), BadHandle);
    fails!(read(arg(&event)), WrongType);
    Ok(())
}

/// A log that can be read.
fn readable_log(world: &World) -> Result<Debuglog, crate::check::Outcome> {
    const READABLE: u32 = 0x4000_0000;
    let Some(resource) = &world.resource else {
        skip!("no root resource");
    };
    Ok(ok!(Debuglog::create(resource, READABLE)))
}

fn debuglog_read_ends_with_should_wait(world: &World) -> Case {
    let log = readable_log(world)?;
    let mut record = [0; 256];
    // More than the log can hold.
    for _ in 0..100_000 {
        match log.read(&mut record) {
            Ok(_) => {}
            Err(ZxError::ShouldWait) => return Ok(()),
            Err(error) => fail!("reading: {error}"),
        }
    }
    fail!("the log has no end")
}

fn debuglog_read_and_write_refuse_other_handles(_: &World) -> Case {
    let page = ok!(Scratch::new());
    let event = ok!(Event::create());
    for id in [SyscallId::DebuglogRead, SyscallId::DebuglogWrite] {
        fails!(call(id, &[NOBODY, 0, page.address(), 8]), BadHandle);
        fails!(call(id, &[arg(&event), 0, page.address(), 8]), WrongType);
    }
    Ok(())
}

fn debuglog_write_needs_the_right(world: &World) -> Case {
    let log = ok!(readable_log(world)?.replace(Rights::READ));
    fails!(log.write(b"not to be seen"), AccessDenied);
    Ok(())
}
