//! What `channel_write_etc` refuses, in which order, and what becomes of the handles.

use libzx::{AsHandle, Channel, Event, Handle, Rights, ZxResult};
use zx_abi::syscalls::SyscallId;
use zx_abi::{HandleDisposition, ObjectType, ZxError};

use crate::check::{check, check_eq, fails, ok, suite, Case};
use crate::disposition::{
    entry, event_with, gone, has_write_etc, is_valid, typed, watched, write, write_with, DUPLICATE,
    ENTRY, MOVE,
};
use crate::memory::{arg, call, Edge, Scratch, BAD_ADDRESSES};
use crate::world::World;

suite! {
    "ChannelWriteEtc":
    rights_that_are_not_there_are_refused,
    an_unknown_type_is_the_wrong_one,
    unknown_operations_are_refused_and_close_the_handle,
    null_handles_are_bad_ones,
    unknown_handles_are_bad_ones,
    a_closed_peer_takes_moved_handles_and_sets_no_result,
    unknown_options_take_moved_handles,
    unknown_options_leave_duplicated_handles,
    a_channel_without_the_right_takes_moved_handles,
    a_bad_channel_takes_moved_handles,
    every_failing_entry_has_its_own_result,
    bad_pointers_to_bytes_take_moved_handles,
    bad_pointers_to_entries_are_refused,
    entries_beyond_a_mapping_leave_the_handles,
    write_etc_checks_the_handle_before_the_operation,
    write_etc_checks_transfer_before_the_type,
    write_etc_checks_the_type_before_the_operation,
    write_etc_checks_the_operation_before_the_rights,
    write_etc_checks_the_rights_before_the_right_to_duplicate,
    write_etc_checks_the_entries_before_the_peer,
    write_etc_checks_options_before_the_channel,
}

/// The error of an entry with several faults.
fn refusal(channel: &Channel, entry: HandleDisposition) -> ZxResult {
    write(channel, &[entry])
}

fn rights_that_are_not_there_are_refused(world: &World) -> Case {
    has_write_etc!(world);
    let (left, right) = ok!(Channel::create());
    for operation in [MOVE, DUPLICATE] {
        for rights in [
            Rights::READ,
            Rights::default_for(ObjectType::Event) | Rights::MAP,
            Rights::SAME_RIGHTS | Rights::WAIT,
        ] {
            let event = ok!(Event::create());
            let wrong = HandleDisposition {
                rights,
                ..entry(operation, Handle::from(event).into_raw())
            };
            let (result, results) = ok!(write_with(arg(&left), 0, &[wrong]));
            fails!(result, InvalidArgs);
            check_eq!(results, [ZxError::InvalidArgs as i32]);
            check_eq!(is_valid(wrong.handle), operation == DUPLICATE);
            drop(Handle::from_raw(match operation {
                DUPLICATE => wrong.handle,
                _ => 0,
            }));
        }
    }
    fails!(right.read(), ShouldWait);
    Ok(())
}

fn an_unknown_type_is_the_wrong_one(world: &World) -> Case {
    has_write_etc!(world);
    let (left, _right) = ok!(Channel::create());
    let event = ok!(Event::create());
    for kind in [99, u32::MAX] {
        fails!(
            write(&left, &[typed(DUPLICATE, event.raw(), kind)]),
            WrongType
        );
    }
    Ok(())
}

fn unknown_operations_are_refused_and_close_the_handle(world: &World) -> Case {
    has_write_etc!(world);
    let (left, right) = ok!(Channel::create());
    for operation in [2, 99, u32::MAX] {
        let (witness, value) = ok!(watched());
        let entries = [entry(operation, value)];
        let (result, results) = ok!(write_with(arg(&left), 0, &entries));
        fails!(result, InvalidArgs);
        check_eq!(results, [ZxError::InvalidArgs as i32]);
        check!(ok!(gone(&witness)));
    }
    fails!(right.read(), ShouldWait);
    Ok(())
}

fn null_handles_are_bad_ones(world: &World) -> Case {
    has_write_etc!(world);
    let (left, _right) = ok!(Channel::create());
    for operation in [MOVE, DUPLICATE] {
        fails!(write(&left, &[entry(operation, 0)]), BadHandle);
    }
    Ok(())
}

fn unknown_handles_are_bad_ones(world: &World) -> Case {
    has_write_etc!(world);
    let (left, _right) = ok!(Channel::create());
    for operation in [MOVE, DUPLICATE] {
        fails!(write(&left, &[entry(operation, 0xffff_fff3)]), BadHandle);
    }
    Ok(())
}

fn a_closed_peer_takes_moved_handles_and_sets_no_result(world: &World) -> Case {
    has_write_etc!(world);
    let (left, right) = ok!(Channel::create());
    drop(right);
    let (witness, value) = ok!(watched());
    let kept = ok!(Event::create());
    let entries = [entry(MOVE, value), entry(DUPLICATE, kept.raw())];
    let (result, results) = ok!(write_with(arg(&left), 0, &entries));
    fails!(result, PeerClosed);
    check_eq!(results, [0, 0]);
    check!(ok!(gone(&witness)));
    ok!(kept.koid());
    Ok(())
}

fn unknown_options_take_moved_handles(world: &World) -> Case {
    has_write_etc!(world);
    let (left, right) = ok!(Channel::create());
    let (witness, value) = ok!(watched());
    let (result, _) = ok!(write_with(arg(&left), 1, &[entry(MOVE, value)]));
    fails!(result, InvalidArgs);
    check!(ok!(gone(&witness)));
    fails!(right.read(), ShouldWait);
    Ok(())
}

fn unknown_options_leave_duplicated_handles(world: &World) -> Case {
    has_write_etc!(world);
    let (left, _right) = ok!(Channel::create());
    let event = ok!(Event::create());
    let entries = [entry(DUPLICATE, event.raw())];
    fails!(ok!(write_with(arg(&left), 1, &entries)).0, InvalidArgs);
    ok!(event.koid());
    Ok(())
}

fn a_channel_without_the_right_takes_moved_handles(world: &World) -> Case {
    has_write_etc!(world);
    let (left, right) = ok!(Channel::create());
    let reader = ok!(left.replace(Rights::READ));
    let (witness, value) = ok!(watched());
    fails!(write(&reader, &[entry(MOVE, value)]), AccessDenied);
    check!(ok!(gone(&witness)));
    fails!(right.read(), ShouldWait);
    Ok(())
}

fn a_bad_channel_takes_moved_handles(world: &World) -> Case {
    has_write_etc!(world);
    let (witness, value) = ok!(watched());
    fails!(ok!(write_with(0, 0, &[entry(MOVE, value)])).0, BadHandle);
    check!(ok!(gone(&witness)));
    let (event, (witness, value)) = (ok!(Event::create()), ok!(watched()));
    fails!(write(&event, &[entry(MOVE, value)]), WrongType);
    check!(ok!(gone(&witness)));
    Ok(())
}

fn every_failing_entry_has_its_own_result(world: &World) -> Case {
    has_write_etc!(world);
    let (left, right) = ok!(Channel::create());
    let event = ok!(Event::create());
    let mute = ok!(event_with(Rights::WAIT));
    let mut entries = [
        entry(DUPLICATE, event.raw()),
        entry(DUPLICATE, mute.raw()),
        typed(DUPLICATE, event.raw(), ObjectType::Port.raw()),
        entry(DUPLICATE, 0),
        entry(DUPLICATE, left.raw()),
    ];
    for entry in &mut entries {
        entry.result = 77;
    }
    let (result, results) = ok!(write_with(arg(&left), 0, &entries));
    fails!(result, AccessDenied);
    let expected = [
        ZxError::AccessDenied,
        ZxError::WrongType,
        ZxError::BadHandle,
        ZxError::NotSupported,
    ];
    check_eq!(results[0], 77);
    check_eq!(results[1..], expected.map(|error| error as i32));
    fails!(right.read(), ShouldWait);
    Ok(())
}

fn bad_pointers_to_bytes_take_moved_handles(world: &World) -> Case {
    has_write_etc!(world);
    let (left, right) = ok!(Channel::create());
    for bad in BAD_ADDRESSES {
        let (witness, value) = ok!(watched());
        let mut page = ok!(Scratch::new());
        page.put(0, &entry(MOVE, value));
        let args = [arg(&left), 0, bad, 1, page.address(), 1];
        fails!(call(SyscallId::ChannelWriteEtc, &args), InvalidArgs);
        check!(ok!(gone(&witness)));
    }
    fails!(right.read(), ShouldWait);
    Ok(())
}

fn bad_pointers_to_entries_are_refused(world: &World) -> Case {
    has_write_etc!(world);
    let (left, right) = ok!(Channel::create());
    for bad in BAD_ADDRESSES {
        let args = [arg(&left), 0, 0, 0, bad, 1];
        fails!(call(SyscallId::ChannelWriteEtc, &args), InvalidArgs);
    }
    fails!(right.read(), ShouldWait);
    Ok(())
}

fn entries_beyond_a_mapping_leave_the_handles(world: &World) -> Case {
    has_write_etc!(world);
    let (left, right) = ok!(Channel::create());
    let edge = ok!(Edge::new());
    let args = [arg(&left), 0, 0, 0, edge.before_end(ENTRY + 4), 2];
    fails!(call(SyscallId::ChannelWriteEtc, &args), InvalidArgs);
    fails!(right.read(), ShouldWait);
    Ok(())
}

fn write_etc_checks_the_handle_before_the_operation(world: &World) -> Case {
    has_write_etc!(world);
    let (left, _right) = ok!(Channel::create());
    fails!(refusal(&left, typed(99, 0xffff_fff3, 99)), BadHandle);
    Ok(())
}

fn write_etc_checks_transfer_before_the_type(world: &World) -> Case {
    has_write_etc!(world);
    let (left, _right) = ok!(Channel::create());
    let mute = ok!(event_with(Rights::WAIT | Rights::DUPLICATE));
    fails!(
        refusal(&left, typed(DUPLICATE, mute.raw(), 99)),
        AccessDenied
    );
    Ok(())
}

fn write_etc_checks_the_type_before_the_operation(world: &World) -> Case {
    has_write_etc!(world);
    let (left, _right) = ok!(Channel::create());
    let event = Handle::from(ok!(Event::create())).into_raw();
    fails!(refusal(&left, typed(99, event, 99)), WrongType);
    Ok(())
}

fn write_etc_checks_the_operation_before_the_rights(world: &World) -> Case {
    has_write_etc!(world);
    let (left, _right) = ok!(Channel::create());
    // Both say the same: the handle of the unknown operation is closed, however.
    let (witness, value) = ok!(watched());
    let wrong = HandleDisposition {
        rights: Rights::MAP,
        ..entry(99, value)
    };
    fails!(refusal(&left, wrong), InvalidArgs);
    check!(ok!(gone(&witness)));
    Ok(())
}

fn write_etc_checks_the_rights_before_the_right_to_duplicate(world: &World) -> Case {
    has_write_etc!(world);
    let (left, _right) = ok!(Channel::create());
    let event = ok!(event_with(Rights::TRANSFER));
    let wrong = HandleDisposition {
        rights: Rights::MAP,
        ..entry(DUPLICATE, event.raw())
    };
    fails!(refusal(&left, wrong), InvalidArgs);
    Ok(())
}

fn write_etc_checks_the_entries_before_the_peer(world: &World) -> Case {
    has_write_etc!(world);
    let (left, right) = ok!(Channel::create());
    drop(right);
    fails!(write(&left, &[entry(DUPLICATE, 0)]), BadHandle);
    Ok(())
}

fn write_etc_checks_options_before_the_channel(world: &World) -> Case {
    has_write_etc!(world);
    fails!(ok!(write_with(0, 1, &[])).0, InvalidArgs);
    Ok(())
}
