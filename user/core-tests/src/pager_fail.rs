//! Requests that their pager fails: who is told what, and what comes after. A call of 2020.

use alloc::vec::Vec;

use libzx::ZxError;
use zx_abi::syscalls::SyscallId;

use crate::check::{check, check_eq, fails, home_only, ok, suite, Case};
use crate::crash::{Ending, Risky};
use crate::demand::{both_ways, Demand, Outcome, Packet, Reader, Way};
use crate::memory::{arg, call};
use crate::other_thread::is_in;
use crate::pages::{pages, PAGE64};
use crate::world::World;

suite! {
    "PagerFail":
    a_failed_page_by_call, a_failed_page_by_fault,
    a_page_asked_for_after_a_failure_by_call, a_page_asked_for_after_a_failure_by_fault,
    several_readers_of_a_failed_page_by_call, several_readers_of_a_failed_page_by_fault,
    the_reason_is_what_the_caller_gets,
    a_failed_range_fails_all_its_commits,
    a_range_that_touches_a_request_fails_it,
    a_range_beside_a_request_leaves_it,
    failing_the_rest_of_a_request_fails_its_waiter,
    failing_one_vmo_leaves_the_others,
    failing_again_is_no_harm,
    failing_pages_that_are_there_leaves_them,
    failing_a_detached_vmo_changes_nothing,
    a_clone_of_a_failed_page_fails_too,
    a_failed_fault_is_reported_at_its_address,
    fail_wants_whole_pages,
    fail_checks_types_and_handles,
    fail_wants_its_own_vmo,
    fail_knows_few_reasons,
    fail_stays_inside_the_vmo,
    unknown_operations_are_not_supported,
}

both_ways! {
    a_failed_page_by_call, a_failed_page_by_fault = failed_page;
    a_page_asked_for_after_a_failure_by_call, a_page_asked_for_after_a_failure_by_fault = after_failure;
    several_readers_of_a_failed_page_by_call, several_readers_of_a_failed_page_by_fault = several_readers;
}

const KEY: u64 = 0xbad;

/// What a reader of a failed page comes to.
fn failed(way: Way, why: ZxError) -> Outcome {
    match way {
        Way::Fault => Outcome::Faulted,
        Way::Call | Way::Commit => Outcome::Failed(why),
    }
}

fn failed_page(world: &World, way: Way) -> Case {
    home_only!(world);
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(2, KEY));
    let reader = ok!(Reader::start(&vmo, 1, 1, way));
    check_eq!(ok!(demand.next()), Packet::Read(KEY, 1, 1));
    check!(reader.waits());
    ok!(demand.fail(&vmo, 1, 1, ZxError::Io));
    check_eq!(ok!(reader.outcome()), failed(way, ZxError::Io));
    check!(demand.is_quiet());
    Ok(())
}

fn after_failure(world: &World, way: Way) -> Case {
    home_only!(world);
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(1, KEY));
    for _ in 0..2 {
        let reader = ok!(Reader::start(&vmo, 0, 1, way));
        check_eq!(ok!(demand.next()), Packet::Read(KEY, 0, 1));
        ok!(demand.fail(&vmo, 0, 1, ZxError::BadState));
        check_eq!(ok!(reader.outcome()), failed(way, ZxError::BadState));
    }
    let reader = ok!(Reader::start(&vmo, 0, 1, way));
    check_eq!(ok!(demand.next()), Packet::Read(KEY, 0, 1));
    ok!(demand.supply(&vmo, 0, 1));
    check_eq!(ok!(reader.outcome()), Outcome::Right);
    Ok(())
}

fn several_readers(world: &World, way: Way) -> Case {
    home_only!(world);
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(1, KEY));
    let mut readers = Vec::new();
    for _ in 0..3 {
        let reader = ok!(Reader::start(&vmo, 0, 1, way));
        check!(reader.waits());
        readers.push(reader);
    }
    ok!(demand.fail(&vmo, 0, 1, ZxError::Io));
    for reader in readers {
        check_eq!(ok!(reader.outcome()), failed(way, ZxError::Io));
    }
    // The packet that nobody read has gone with them.
    check!(demand.is_quiet());
    Ok(())
}

fn the_reason_is_what_the_caller_gets(world: &World) -> Case {
    home_only!(world);
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(1, KEY));
    for why in [ZxError::Io, ZxError::IoDataIntegrity, ZxError::BadState] {
        for way in [Way::Call, Way::Commit] {
            let reader = ok!(Reader::start(&vmo, 0, 1, way));
            check!(reader.waits());
            ok!(demand.fail(&vmo, 0, 1, why));
            check_eq!(ok!(reader.outcome()), Outcome::Failed(why));
        }
    }
    // For whoever writes as well.
    let writer = ok!(crate::pages::same(&vmo));
    let result = alloc::sync::Arc::new(core::sync::atomic::AtomicI32::new(0));
    let told = alloc::sync::Arc::clone(&result);
    let thread = ok!(libzx::thread::spawn("writer", move || {
        let error = writer
            .write(b"x", 0)
            .map_or_else(|error| error as i32, |()| 1);
        told.store(error, core::sync::atomic::Ordering::SeqCst);
    }));
    check!(is_in(
        thread.thread(),
        zx_abi::info::ThreadState::BlockedPager
    ));
    ok!(demand.fail(&vmo, 0, 1, ZxError::IoDataIntegrity));
    ok!(thread.join());
    check_eq!(
        result.load(core::sync::atomic::Ordering::SeqCst),
        ZxError::IoDataIntegrity as i32
    );
    Ok(())
}

fn a_failed_range_fails_all_its_commits(world: &World) -> Case {
    home_only!(world);
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(6, KEY));
    let mut waiters = Vec::new();
    for page in [0, 2, 4] {
        waiters.push(ok!(Reader::start(&vmo, page, 2, Way::Commit)));
        check_eq!(ok!(demand.next()), Packet::Read(KEY, page, 2));
    }
    ok!(demand.fail(&vmo, 0, 6, ZxError::Io));
    for waiter in waiters {
        check_eq!(ok!(waiter.outcome()), Outcome::Failed(ZxError::Io));
    }
    check!(demand.is_quiet());
    Ok(())
}

fn a_range_that_touches_a_request_fails_it(world: &World) -> Case {
    home_only!(world);
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(8, KEY));
    for (page, count) in [(0, 3), (5, 3), (3, 1), (2, 4), (0, 8)] {
        let waiter = ok!(Reader::start(&vmo, 2, 4, Way::Commit));
        check_eq!(ok!(demand.next()), Packet::Read(KEY, 2, 4));
        ok!(demand.fail(&vmo, page, count, ZxError::Io));
        check_eq!(ok!(waiter.outcome()), Outcome::Failed(ZxError::Io));
    }
    Ok(())
}

fn a_range_beside_a_request_leaves_it(world: &World) -> Case {
    home_only!(world);
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(8, KEY));
    let waiter = ok!(Reader::start(&vmo, 2, 4, Way::Commit));
    check_eq!(ok!(demand.next()), Packet::Read(KEY, 2, 4));
    ok!(demand.fail(&vmo, 0, 2, ZxError::Io));
    ok!(demand.fail(&vmo, 6, 2, ZxError::Io));
    crate::world::sleep_ms(1);
    check!(waiter.waits() && waiter.is_busy());
    ok!(demand.supply(&vmo, 2, 4));
    check_eq!(ok!(waiter.outcome()), Outcome::Right);
    Ok(())
}

fn failing_the_rest_of_a_request_fails_its_waiter(world: &World) -> Case {
    home_only!(world);
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(4, KEY));
    let waiter = ok!(Reader::start(&vmo, 0, 4, Way::Commit));
    check_eq!(ok!(demand.next()), Packet::Read(KEY, 0, 4));
    ok!(demand.supply(&vmo, 0, 2));
    check!(waiter.waits());
    ok!(demand.fail(&vmo, 2, 2, ZxError::Io));
    check_eq!(ok!(waiter.outcome()), Outcome::Failed(ZxError::Io));
    check_eq!(ok!(crate::pages::committed(&vmo)), 2);
    Ok(())
}

fn failing_one_vmo_leaves_the_others(world: &World) -> Case {
    home_only!(world);
    let demand = ok!(Demand::new());
    let (first, second) = (ok!(demand.vmo(1, 1)), ok!(demand.vmo(1, 2)));
    let one = ok!(Reader::start(&first, 0, 1, Way::Call));
    check_eq!(ok!(demand.next()), Packet::Read(1, 0, 1));
    let two = ok!(Reader::start(&second, 0, 1, Way::Call));
    check_eq!(ok!(demand.next()), Packet::Read(2, 0, 1));
    ok!(demand.fail(&first, 0, 1, ZxError::Io));
    check_eq!(ok!(one.outcome()), Outcome::Failed(ZxError::Io));
    check!(two.waits());
    ok!(demand.supply(&second, 0, 1));
    check_eq!(ok!(two.outcome()), Outcome::Right);
    Ok(())
}

fn failing_again_is_no_harm(world: &World) -> Case {
    home_only!(world);
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(2, KEY));
    // Nobody waits yet: whoever comes later is not concerned.
    ok!(demand.fail(&vmo, 0, 2, ZxError::Io));
    let reader = ok!(Reader::start(&vmo, 0, 1, Way::Call));
    check_eq!(ok!(demand.next()), Packet::Read(KEY, 0, 1));
    ok!(demand.fail(&vmo, 0, 1, ZxError::Io));
    ok!(demand.fail(&vmo, 0, 1, ZxError::BadState));
    check_eq!(ok!(reader.outcome()), Outcome::Failed(ZxError::Io));
    Ok(())
}

fn failing_pages_that_are_there_leaves_them(world: &World) -> Case {
    home_only!(world);
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(2, KEY));
    ok!(demand.supply(&vmo, 0, 2));
    ok!(demand.fail(&vmo, 0, 2, ZxError::Io));
    let reader = ok!(Reader::start(&vmo, 0, 2, Way::Call));
    check_eq!(ok!(reader.outcome()), Outcome::Right);
    Ok(())
}

fn failing_a_detached_vmo_changes_nothing(world: &World) -> Case {
    home_only!(world);
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(1, KEY));
    ok!(demand.pager.detach(&vmo));
    check_eq!(ok!(demand.next()), Packet::Complete(KEY));
    ok!(demand.fail(&vmo, 0, 1, ZxError::Io));
    let reader = ok!(Reader::start(&vmo, 0, 1, Way::Call));
    check_eq!(ok!(reader.outcome()), Outcome::Failed(ZxError::BadState));
    Ok(())
}

fn a_clone_of_a_failed_page_fails_too(world: &World) -> Case {
    home_only!(world);
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(1, KEY));
    let copy = ok!(vmo.create_child(16, 0, PAGE64));
    let reader = ok!(Reader::start(&copy, 0, 1, Way::Call));
    check_eq!(ok!(demand.next()), Packet::Read(KEY, 0, 1));
    ok!(demand.fail(&vmo, 0, 1, ZxError::Io));
    check_eq!(ok!(reader.outcome()), Outcome::Failed(ZxError::Io));
    Ok(())
}

fn a_failed_fault_is_reported_at_its_address(world: &World) -> Case {
    home_only!(world);
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(2, KEY));
    let view = ok!(crate::pages::View::new(&vmo, 2));
    let at = view.at(1) + 24;
    let risky = ok!(Risky::start(move || libzx::raw::poke(at, 1)));
    check_eq!(ok!(demand.next()), Packet::Read(KEY, 1, 1));
    ok!(demand.fail(&vmo, 1, 1, ZxError::Io));
    check_eq!(ok!(risky.ending()), Ending::fault_at(at));
    Ok(())
}

fn fail_wants_whole_pages(world: &World) -> Case {
    home_only!(world);
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(2, 1));
    for (offset, len) in [(1, PAGE64), (0, 1), (PAGE64 + 1, PAGE64), (0, PAGE64 + 8)] {
        fails!(
            demand.pager.fail(&vmo, offset, len, ZxError::BadState),
            InvalidArgs
        );
    }
    fails!(
        call(SyscallId::PagerOpRange, &[0, 1, 0, 1, 4096, 0]),
        InvalidArgs
    );
    Ok(())
}

fn fail_checks_types_and_handles(world: &World) -> Case {
    home_only!(world);
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(2, 1));
    let reason = (ZxError::BadState as i32 as isize).cast_unsigned();
    let fail = |pager, vmo| call(SyscallId::PagerOpRange, &[pager, 1, vmo, 0, 4096, reason]);
    let (pager, paged) = (arg(&demand.pager), arg(&vmo));
    fails!(fail(0, paged), BadHandle);
    fails!(fail(pager, 0), BadHandle);
    fails!(fail(paged, paged), WrongType);
    fails!(fail(pager, pager), WrongType);
    ok!(fail(pager, paged));
    Ok(())
}

fn fail_wants_its_own_vmo(world: &World) -> Case {
    home_only!(world);
    let (demand, other) = (ok!(Demand::new()), ok!(Demand::new()));
    fails!(
        demand.fail(&ok!(other.vmo(1, 1)), 0, 1, ZxError::BadState),
        InvalidArgs
    );
    fails!(
        demand.fail(&ok!(pages(1)), 0, 1, ZxError::BadState),
        InvalidArgs
    );
    Ok(())
}

fn fail_knows_few_reasons(world: &World) -> Case {
    home_only!(world);
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(1, 1));
    for reason in [ZxError::Io, ZxError::IoDataIntegrity, ZxError::BadState] {
        ok!(demand.fail(&vmo, 0, 1, reason));
    }
    for reason in [
        ZxError::NoMemory,
        ZxError::Internal,
        ZxError::NotFound,
        ZxError::Canceled,
        ZxError::AccessDenied,
    ] {
        fails!(demand.fail(&vmo, 0, 1, reason), InvalidArgs);
    }
    // Not even numbers that are no status.
    let (pager, paged) = (arg(&demand.pager), arg(&vmo));
    for data in [0, 1, 40, 1 << 32, usize::MAX >> 1] {
        fails!(
            call(SyscallId::PagerOpRange, &[pager, 1, paged, 0, 4096, data]),
            InvalidArgs
        );
    }
    Ok(())
}

fn fail_stays_inside_the_vmo(world: &World) -> Case {
    home_only!(world);
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(2, 1));
    fails!(demand.fail(&vmo, 0, 3, ZxError::BadState), OutOfRange);
    fails!(demand.fail(&vmo, 2, 1, ZxError::BadState), OutOfRange);
    fails!(
        demand
            .pager
            .fail(&vmo, PAGE64, 0u64.wrapping_sub(PAGE64), ZxError::BadState),
        OutOfRange
    );
    ok!(demand.fail(&vmo, 0, 2, ZxError::BadState));
    Ok(())
}

fn unknown_operations_are_not_supported(_: &World) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(1, 1));
    for op in [0, 2, 3, u32::MAX as usize] {
        let args = [arg(&demand.pager), op, arg(&vmo), 0, 4096, 0];
        fails!(call(SyscallId::PagerOpRange, &args), NotSupported);
    }
    Ok(())
}
