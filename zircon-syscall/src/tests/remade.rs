//! Calls that meet a page that a pager has yet to supply, and are made again or go on when it is there.

use super::deferred::{paged, supply};
use super::{both, input, made, now, output, Program};
use crate::channel::{sys_channel_call_noretry, sys_channel_write, sys_channel_write_etc};
use crate::handle::sys_handle_close_many;
use crate::Further;
use zircon_object::vm::PAGE_SIZE;
use zx_abi::{ChannelCallArgs, HandleDisposition, HandleValue, ZxError};

#[test]
fn a_write_whose_bytes_are_missing_keeps_its_handles() {
    let program = Program::new();
    let (pager, vmo, at) = paged(&program);
    let caller = program.caller();
    let (a, _b) = program.channel();
    let event = program.event();
    let list = program.put(&event);
    let write = || sys_channel_write(&caller, a, 0, input(at), 8, input(list), 1);
    assert_eq!(write(), Err(ZxError::ShouldWait));
    assert!(program.has(event));
    supply(&pager, &vmo, 0);
    assert_eq!(write(), Ok(()));
    assert!(!program.has(event));
}

#[test]
fn a_write_etc_whose_bytes_are_missing_keeps_its_handles() {
    let program = Program::new();
    let (pager, vmo, at) = paged(&program);
    let caller = program.caller();
    let (a, _b) = program.channel();
    let event = program.event();
    let entry = HandleDisposition {
        operation: 0,
        handle: event,
        kind: 0,
        rights: zx_abi::Rights::SAME_RIGHTS,
        result: 0,
    };
    let list = program.put(&entry);
    let write = || sys_channel_write_etc(&caller, a, 0, input(at), 8, both(list), 1);
    assert_eq!(write(), Err(ZxError::ShouldWait));
    assert!(program.has(event));
    supply(&pager, &vmo, 0);
    assert_eq!(write(), Ok(()));
    assert!(!program.has(event));
}

#[test]
fn a_call_whose_bytes_are_missing_keeps_its_handles() {
    let program = Program::new();
    let (_pager, _vmo, at) = paged(&program);
    let caller = program.caller();
    let (a, _b) = program.channel();
    let event = program.event();
    let args = ChannelCallArgs {
        wr_bytes: at,
        wr_num_bytes: 8,
        wr_handles: program.put(&event),
        wr_num_handles: 1,
        ..ChannelCallArgs::default()
    };
    let args = program.put(&args);
    let made = now(sys_channel_call_noretry(
        &caller,
        a,
        0,
        0,
        input(args),
        output(0),
        output(0),
    ));
    assert_eq!(made, Err(ZxError::ShouldWait));
    assert!(program.has(event));
}

#[test]
fn close_many_goes_on_behind_a_page_that_is_missing() {
    const COUNT: usize = 100;
    let program = Program::new();
    let (pager, vmo, at) = paged(&program);
    let caller = program.caller();
    let events = [(); COUNT].map(|()| program.event());
    supply(&pager, &vmo, 0);
    let list = at + PAGE_SIZE - 64 * size_of::<HandleValue>();
    made(caller.write_slice(output(list), &events[..64]));
    assert_eq!(sys_handle_close_many(&caller, input(list), COUNT), Ok(()));
    assert!(caller.take_unfinished());
    assert!(matches!(caller.go_on(), Ok(Further::Waits(_))));
    supply(&pager, &vmo, 1);
    made(caller.write_slice(output(at + PAGE_SIZE), &events[64..]));
    assert!(matches!(caller.go_on(), Ok(Further::Nothing)));
    assert!(!events.iter().any(|event| program.has(*event)));
}
