//! Handles: closing, duplicating, replacing, and what they say about themselves.

use libzx::{AsHandle, Event, EventPair, Handle, Rights, Signals, Unowned};
use zx_abi::info::{HandleCountInfo, InfoTopic};
use zx_abi::syscalls::SyscallId;
use zx_abi::ObjectType;

use crate::check::{check, check_eq, fails, ok, suite, Case};
use crate::memory::{arg, call, Scratch, BAD_ADDRESSES};
use crate::world::{basic_info, rights_of, World};

suite! {
    "Handle":
    values_have_both_low_bits_set,
    closing_zero_is_fine,
    closing_twice_says_bad_handle,
    close_many_skips_zeros,
    close_many_closes_the_rest_around_a_bad_value,
    close_many_finds_the_second_of_two_equal_values_bad,
    close_many_of_nothing_is_fine,
    duplicate_with_same_rights_has_the_same_rights,
    duplicate_can_have_fewer_rights,
    duplicate_cannot_have_more_rights,
    duplicate_needs_the_right,
    duplicate_with_a_bad_result_pointer_makes_no_handle,
    replace_gives_exactly_the_rights_asked_for,
    replace_with_more_rights_loses_the_handle,
    replace_of_a_closed_handle_says_bad_handle,
    replace_needs_no_right,
    handle_valid_tells_dead_from_alive,
    basic_info_names_type_and_rights,
    handle_count_counts_duplicates,
    last_handle_of_a_pair_closes_the_peer,
}

fn event() -> libzx::ZxResult<Event> {
    Event::create()
}

fn values_have_both_low_bits_set(_: &World) -> Case {
    for _ in 0..10 {
        let event = ok!(event());
        check_eq!(event.raw() & 3, 3);
    }
    Ok(())
}

fn closing_zero_is_fine(_: &World) -> Case {
    ok!(call(SyscallId::HandleClose, &[0]));
    Ok(())
}

fn closing_twice_says_bad_handle(_: &World) -> Case {
    let value = Handle::from(ok!(event())).into_raw() as usize;
    ok!(call(SyscallId::HandleClose, &[value]));
    fails!(call(SyscallId::HandleClose, &[value]), BadHandle);
    Ok(())
}

/// Two events as values, and memory to list them in.
fn two_values() -> libzx::ZxResult<([u32; 2], Scratch)> {
    let (first, second) = (Handle::from(event()?), Handle::from(event()?));
    Ok(([first.into_raw(), second.into_raw()], Scratch::new()?))
}

fn is_open(value: u32) -> bool {
    call(
        SyscallId::ObjectGetInfo,
        &[value as usize, InfoTopic::HandleValid.raw() as usize],
    )
    .is_ok()
}

fn close_many_skips_zeros(_: &World) -> Case {
    let ([first, second], mut list) = ok!(two_values());
    list.put(0, &[0, first, 0, second, 0]);
    ok!(call(SyscallId::HandleCloseMany, &[list.address(), 5]));
    check!(!is_open(first) && !is_open(second));
    Ok(())
}

fn close_many_closes_the_rest_around_a_bad_value(_: &World) -> Case {
    let ([first, second], mut list) = ok!(two_values());
    let dead = ok!(event()).raw();
    list.put(0, &[first, dead, second]);
    fails!(
        call(SyscallId::HandleCloseMany, &[list.address(), 3]),
        BadHandle
    );
    check!(!is_open(first) && !is_open(second));
    Ok(())
}

fn close_many_finds_the_second_of_two_equal_values_bad(_: &World) -> Case {
    let ([first, second], mut list) = ok!(two_values());
    list.put(0, &[first, first, second]);
    fails!(
        call(SyscallId::HandleCloseMany, &[list.address(), 3]),
        BadHandle
    );
    check!(!is_open(first) && !is_open(second));
    Ok(())
}

fn close_many_of_nothing_is_fine(_: &World) -> Case {
    ok!(call(SyscallId::HandleCloseMany, &[0, 0]));
    fails!(call(SyscallId::HandleCloseMany, &[0, 1]), InvalidArgs);
    Ok(())
}

fn duplicate_with_same_rights_has_the_same_rights(_: &World) -> Case {
    let event = ok!(event());
    let copy = ok!(event.duplicate(Rights::SAME_RIGHTS));
    check!(copy.raw() != event.raw());
    check_eq!(ok!(copy.koid()), ok!(event.koid()));
    check_eq!(ok!(rights_of(&copy)), ok!(rights_of(&event)));
    Ok(())
}

fn duplicate_can_have_fewer_rights(_: &World) -> Case {
    let event = ok!(event());
    let copy = ok!(event.duplicate(Rights::WAIT));
    check_eq!(ok!(rights_of(&copy)), Rights::WAIT);
    fails!(
        copy.signal(Signals::empty(), Signals::SIGNALED),
        AccessDenied
    );
    let none = ok!(event.duplicate(Rights::empty()));
    check_eq!(ok!(rights_of(&none)), Rights::empty());
    Ok(())
}

fn duplicate_cannot_have_more_rights(_: &World) -> Case {
    let event = ok!(event());
    fails!(
        event.duplicate(Rights::default_for(ObjectType::Event) | Rights::READ),
        InvalidArgs
    );
    fails!(
        event.duplicate(Rights::WAIT | Rights::SAME_RIGHTS),
        InvalidArgs
    );
    fails!(
        event.duplicate(Rights::from_bits_retain(1 << 30)),
        InvalidArgs
    );
    Ok(())
}

fn duplicate_needs_the_right(_: &World) -> Case {
    let event = ok!(ok!(event()).replace(Rights::TRANSFER | Rights::WAIT));
    fails!(event.duplicate(Rights::SAME_RIGHTS), AccessDenied);
    fails!(event.duplicate(Rights::WAIT), AccessDenied);
    Ok(())
}

fn handle_count(handle: &impl AsHandle) -> libzx::ZxResult<u32> {
    let info: HandleCountInfo = handle.get_info(InfoTopic::HandleCount)?;
    Ok(info.handle_count)
}

fn duplicate_with_a_bad_result_pointer_makes_no_handle(_: &World) -> Case {
    let event = ok!(event());
    let same = Rights::SAME_RIGHTS.bits() as usize;
    for address in BAD_ADDRESSES {
        fails!(
            call(SyscallId::HandleDuplicate, &[arg(&event), same, address]),
            InvalidArgs
        );
    }
    check_eq!(ok!(handle_count(&event)), 1);
    Ok(())
}

fn replace_gives_exactly_the_rights_asked_for(_: &World) -> Case {
    let old = ok!(event());
    let (value, koid) = (old.raw(), ok!(old.koid()));
    let new = ok!(old.replace(Rights::WAIT | Rights::INSPECT));
    check_eq!(ok!(rights_of(&new)), Rights::WAIT | Rights::INSPECT);
    check_eq!(ok!(new.koid()), koid);
    check!(new.raw() == value || !is_open(value));
    Ok(())
}

fn replace_with_more_rights_loses_the_handle(_: &World) -> Case {
    let event = ok!(event());
    let copy = ok!(event.duplicate(Rights::WAIT));
    let value = copy.raw();
    fails!(copy.replace(Rights::WAIT | Rights::SIGNAL), InvalidArgs);
    check!(!is_open(value));
    check_eq!(ok!(handle_count(&event)), 1);
    Ok(())
}

fn replace_of_a_closed_handle_says_bad_handle(_: &World) -> Case {
    let dead = ok!(event()).raw() as usize;
    let result = ok!(Scratch::new());
    let same = Rights::SAME_RIGHTS.bits() as usize;
    fails!(
        call(SyscallId::HandleReplace, &[dead, same, result.address()]),
        BadHandle
    );
    fails!(
        call(SyscallId::HandleReplace, &[0, same, result.address()]),
        BadHandle
    );
    Ok(())
}

fn replace_needs_no_right(_: &World) -> Case {
    let nothing = ok!(ok!(event()).replace(Rights::empty()));
    let again = ok!(nothing.replace(Rights::SAME_RIGHTS));
    check_eq!(ok!(rights_of(&again)), Rights::empty());
    Ok(())
}

fn handle_valid_tells_dead_from_alive(_: &World) -> Case {
    let event = ok!(event());
    check!(is_open(event.raw()));
    let value = event.raw();
    drop(event);
    check!(!is_open(value));
    check!(!is_open(0));
    Ok(())
}

fn basic_info_names_type_and_rights(_: &World) -> Case {
    let event = ok!(event());
    let info = ok!(basic_info(&event));
    check_eq!(info.kind, ObjectType::Event.raw());
    check_eq!(info.rights, Rights::default_for(ObjectType::Event));
    check_eq!(info.props, 1);
    check_eq!(info.related_koid, 0);
    check!(info.koid >= 1024);
    fails!(basic_info(&Unowned(0)), BadHandle);
    Ok(())
}

fn handle_count_counts_duplicates(_: &World) -> Case {
    let event = ok!(event());
    check_eq!(ok!(handle_count(&event)), 1);
    let copy = ok!(event.duplicate(Rights::SAME_RIGHTS));
    check_eq!(ok!(handle_count(&copy)), 2);
    drop(copy);
    check_eq!(ok!(handle_count(&event)), 1);
    Ok(())
}

fn last_handle_of_a_pair_closes_the_peer(_: &World) -> Case {
    let (left, right) = ok!(EventPair::create());
    let copy = ok!(right.duplicate(Rights::SAME_RIGHTS));
    drop(right);
    check_eq!(
        ok!(left.signals_now(Signals::PEER_CLOSED)),
        Signals::empty()
    );
    drop(copy);
    check_eq!(
        ok!(left.signals_now(Signals::PEER_CLOSED)),
        Signals::PEER_CLOSED
    );
    Ok(())
}
