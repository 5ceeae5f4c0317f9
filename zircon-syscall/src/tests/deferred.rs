//! Results that go to memory which a pager has yet to supply.

use super::{input, made, output, Program};
use crate::event::sys_event_create;
use crate::Delivery;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::sync::Arc;
use zircon_object::object::KernelObject;
use zircon_object::signal::Port;
use zircon_object::vm::{Pager, Perms, Resizable, VmOptions, Vmo, PAGE_SIZE};
use zx_abi::{HandleValue, ZxError};

const PAGE: u64 = PAGE_SIZE as u64;

/// Two pages of a pager, mapped in the program, and where.
pub(super) fn paged(program: &Program) -> (Arc<Pager>, Arc<Vmo>, usize) {
    let (pager, port) = (made(Pager::create()), made(Port::create()));
    let vmo = made(pager.create_vmo(port, 1, 2 * PAGE, Resizable::No, ZxError::BadState));
    let options = VmOptions::PERM_READ | VmOptions::PERM_WRITE;
    let root = program.thread.process().root_vmar();
    let at = made(root.map(options, 0, &vmo, 0, 2 * PAGE, Perms::ALL));
    (pager, vmo, at)
}

pub(super) fn supply(pager: &Pager, vmo: &Vmo, page: u64) {
    let aux = made(Vmo::new(PAGE, Resizable::No));
    made(aux.commit(0, PAGE));
    made(pager.supply(vmo, page * PAGE, PAGE, &aux, 0));
}

#[test]
fn a_result_for_a_missing_page_is_written_when_the_page_is_there() {
    let program = Program::new();
    let (pager, vmo, at) = paged(&program);
    let caller = program.caller();
    let handles = program.handle_count();
    // Across the border of two pages, neither of which is there.
    let out = at + PAGE_SIZE - 2;
    assert_eq!(sys_event_create(&caller, 0, output(out)), Ok(()));
    assert!(caller.has_attention() && caller.take_deferred());
    assert_eq!(program.handle_count(), handles + 1);
    for page in 0..2 {
        let Delivery::Waits(mut request) = caller.deliver() else {
            panic!("page {page} is not waited for");
        };
        let mut context = Context::from_waker(Waker::noop());
        assert_eq!(Pin::new(&mut request).poll(&mut context), Poll::Pending);
        supply(&pager, &vmo, page);
        assert_eq!(
            Pin::new(&mut request).poll(&mut context),
            Poll::Ready(Ok(()))
        );
    }
    assert!(matches!(caller.deliver(), Delivery::Done));
    let value: HandleValue = made(caller.read(input(out)));
    assert!(program.has(value));
}

#[test]
fn a_handle_of_which_the_program_never_hears_is_closed() {
    let program = Program::new();
    let (pager, _, at) = paged(&program);
    let caller = program.caller();
    let handles = program.handle_count();
    assert_eq!(sys_event_create(&caller, 0, output(at)), Ok(()));
    assert!(matches!(caller.deliver(), Delivery::Waits(_)));
    pager.on_zero_handles();
    assert!(matches!(
        caller.deliver(),
        Delivery::Failed(ZxError::InvalidArgs)
    ));
    assert_eq!(program.handle_count(), handles);
}

#[test]
fn a_call_that_needs_a_missing_page_for_its_input_is_to_be_made_again() {
    let program = Program::new();
    let (pager, vmo, at) = paged(&program);
    let caller = program.caller();
    let read = || caller.read::<u64>(input(at));
    assert_eq!(read(), Err(ZxError::ShouldWait));
    let value = i64::cast_unsigned(ZxError::ShouldWait as i64);
    assert!(caller.take_wanted_page(value).is_some());
    supply(&pager, &vmo, 0);
    assert_eq!(read(), Ok(0));
}
