//! Threads that wait for a pager when something else happens: detaching, closing, suspension, a change of the mapping.

use alloc::sync::Arc;
use alloc::vec;
use core::sync::atomic::{AtomicU64, Ordering};

use libzx::{AsHandle, Signals, VmOptions};
use zx_abi::info::{ThreadState, RETCODE_SYSCALL_KILL};

use crate::check::{check, check_eq, fail, ok, skip, suite, Case};
use crate::child::Mode;
use crate::crash::{Ending, Risky};
use crate::demand::{
    both_ways, detached, supplied, suspended, Demand, Outcome, Packet, Reader, Way,
};
use crate::other_thread::is_in;
use crate::pages::{same, stamped, stamps, Region};
use crate::world::{sleep_ms, soon, World};

suite! {
    "PagerInterrupt":
    detached_before_the_packet_was_read_by_call, detached_before_the_packet_was_read_by_fault,
    detached_after_the_packet_was_read_by_call, detached_after_the_packet_was_read_by_fault,
    closed_before_the_packet_was_read_by_call, closed_before_the_packet_was_read_by_fault,
    closed_after_the_packet_was_read_by_call, closed_after_the_packet_was_read_by_fault,
    the_vmos_handle_may_go_while_someone_waits_by_call, the_vmos_handle_may_go_while_someone_waits_by_fault,
    the_port_may_go_while_someone_waits_by_call, the_port_may_go_while_someone_waits_by_fault,
    a_suspended_reader_goes_on_by_call, a_suspended_reader_goes_on_by_fault,
    a_page_that_comes_during_a_suspension_by_call, a_page_that_comes_during_a_suspension_by_fault,
    killing_a_process_that_waits_in_a_call_ends_it,
    killing_a_process_that_waits_in_a_fault_ends_it,
    killing_a_process_that_waits_for_a_commit_ends_it,
    a_mapping_changed_while_someone_waits_still_gets_the_page,
    a_mapping_that_goes_while_someone_waits_faults,
    a_protection_that_comes_while_someone_waits_faults,
}

both_ways! {
    detached_before_the_packet_was_read_by_call, detached_before_the_packet_was_read_by_fault = detached_early;
    detached_after_the_packet_was_read_by_call, detached_after_the_packet_was_read_by_fault = detached_late;
    closed_before_the_packet_was_read_by_call, closed_before_the_packet_was_read_by_fault = closed_early;
    closed_after_the_packet_was_read_by_call, closed_after_the_packet_was_read_by_fault = closed_late;
    the_vmos_handle_may_go_while_someone_waits_by_call, the_vmos_handle_may_go_while_someone_waits_by_fault = vmo_goes;
    the_port_may_go_while_someone_waits_by_call, the_port_may_go_while_someone_waits_by_fault = port_goes;
    a_suspended_reader_goes_on_by_call, a_suspended_reader_goes_on_by_fault = suspended_reader;
    a_page_that_comes_during_a_suspension_by_call, a_page_that_comes_during_a_suspension_by_fault = page_during_suspension;
}

const KEY: u64 = 0xfeed;

/// What a reader that nobody will serve any more comes to.
fn unserved(world: &World, way: Way) -> Outcome {
    match way {
        Way::Fault => Outcome::Faulted,
        Way::Call | Way::Commit => detached(world),
    }
}

fn detached_early(world: &World, way: Way) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(2, KEY));
    let reader = ok!(Reader::start(&vmo, 0, 1, way));
    check!(reader.waits());
    ok!(demand.pager.detach(&vmo));
    check_eq!(ok!(reader.outcome()), unserved(world, way));
    // The request that nobody read has gone with its reader.
    check_eq!(ok!(demand.next()), Packet::Complete(KEY));
    check!(demand.is_quiet());
    Ok(())
}

fn detached_late(world: &World, way: Way) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(2, KEY));
    ok!(demand.supply(&vmo, 1, 1));
    let reader = ok!(Reader::start(&vmo, 0, 1, way));
    check_eq!(ok!(demand.next()), Packet::Read(KEY, 0, 1));
    check!(reader.waits());
    ok!(demand.pager.detach(&vmo));
    check_eq!(ok!(reader.outcome()), unserved(world, way));
    check_eq!(ok!(demand.next()), Packet::Complete(KEY));
    // Later readers are told at once, but for what is there.
    let later = ok!(Reader::start(&vmo, 0, 1, way));
    check_eq!(ok!(later.outcome()), unserved(world, way));
    let present = ok!(Reader::start(&vmo, 1, 1, way));
    check_eq!(ok!(present.outcome()), Outcome::Right);
    check!(demand.is_quiet());
    Ok(())
}

fn closed_early(world: &World, way: Way) -> Case {
    let Demand { pager, port } = ok!(Demand::new());
    let vmo = ok!(pager.create_vmo(0, &port, KEY, 4096));
    let reader = ok!(Reader::start(&vmo, 0, 1, way));
    check!(reader.waits());
    drop(pager);
    check_eq!(ok!(reader.outcome()), unserved(world, way));
    Ok(())
}

fn closed_late(world: &World, way: Way) -> Case {
    let Demand { pager, port } = ok!(Demand::new());
    let vmo = ok!(pager.create_vmo(0, &port, KEY, 4096));
    let reader = ok!(Reader::start(&vmo, 0, 1, way));
    ok!(port.wait(soon()));
    check!(reader.waits());
    drop(pager);
    check_eq!(ok!(reader.outcome()), unserved(world, way));
    let later = ok!(Reader::start(&vmo, 0, 1, way));
    check_eq!(ok!(later.outcome()), unserved(world, way));
    Ok(())
}

fn vmo_goes(_: &World, way: Way) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(1, KEY));
    let window = ok!(vmo.duplicate(libzx::Rights::SAME_RIGHTS));
    let reader = ok!(Reader::start(&vmo, 0, 1, way));
    check_eq!(ok!(demand.next()), Packet::Read(KEY, 0, 1));
    drop(vmo);
    check!(reader.waits());
    ok!(demand.supply(&window, 0, 1));
    drop(window);
    check_eq!(ok!(reader.outcome()), Outcome::Right);
    check_eq!(ok!(demand.next()), Packet::Complete(KEY));
    Ok(())
}

fn port_goes(_: &World, way: Way) -> Case {
    let Demand { pager, port } = ok!(Demand::new());
    let vmo = ok!(pager.create_vmo(0, &port, KEY, 2 * 4096));
    let reader = ok!(Reader::start(&vmo, 0, 1, way));
    check!(reader.waits());
    drop(port);
    sleep_ms(1);
    check!(reader.waits());
    let source = ok!(stamped(1, supplied(0)));
    ok!(pager.supply(&vmo, 0, 4096, &source, 0));
    check_eq!(ok!(reader.outcome()), Outcome::Right);
    Ok(())
}

fn suspended_reader(_: &World, way: Way) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(1, KEY));
    let reader = ok!(Reader::start(&vmo, 0, 1, way));
    check_eq!(ok!(demand.next()), Packet::Read(KEY, 0, 1));
    check!(reader.waits());
    let token = ok!(suspended(reader.thread()));
    check!(is_in(reader.thread(), ThreadState::Suspended));
    drop(token);
    check!(reader.waits());
    // It asks again, since nobody waited for its first request any more.
    check_eq!(ok!(demand.next()), Packet::Read(KEY, 0, 1));
    ok!(demand.supply(&vmo, 0, 1));
    check_eq!(ok!(reader.outcome()), Outcome::Right);
    Ok(())
}

fn page_during_suspension(_: &World, way: Way) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(1, KEY));
    let reader = ok!(Reader::start(&vmo, 0, 1, way));
    check!(reader.waits());
    let token = ok!(suspended(reader.thread()));
    ok!(demand.supply(&vmo, 0, 1));
    sleep_ms(1);
    check!(reader.is_busy());
    drop(token);
    check_eq!(ok!(reader.outcome()), Outcome::Right);
    // The packet that nobody read has gone.
    check!(demand.is_quiet());
    Ok(())
}

fn a_mapping_changed_while_someone_waits_still_gets_the_page(_: &World) -> Case {
    let demand = ok!(Demand::new());
    let (vmo, other) = (ok!(demand.vmo(1, KEY)), ok!(stamped(1, 99)));
    let region = ok!(Region::new(1));
    let at = ok!(region.map(0, &vmo, 0, 1, VmOptions::PERM_READ));
    let (seen, value) = shared();
    let thread = ok!(libzx::thread::spawn("reader", move || {
        seen.store(libzx::raw::peek(at), Ordering::SeqCst);
    }));
    check_eq!(ok!(demand.next()), Packet::Read(KEY, 0, 1));
    check!(is_in(thread.thread(), ThreadState::BlockedPager));
    // Another VMO takes the place: the load is made anew and sees that.
    let overwrite = VmOptions::PERM_READ | VmOptions::SPECIFIC_OVERWRITE;
    ok!(region.vmar.map(overwrite, 0, &other, 0, 4096));
    ok!(demand.supply(&vmo, 0, 1));
    ok!(thread.thread().wait_one(Signals::THREAD_TERMINATED, soon()));
    ok!(thread.join());
    check_eq!(value.load(Ordering::SeqCst), 99);
    check_eq!(ok!(stamps(&vmo)), [supplied(0)]);
    Ok(())
}

/// A number that a thread writes and its maker reads.
fn shared() -> (Arc<AtomicU64>, Arc<AtomicU64>) {
    let number = Arc::new(AtomicU64::new(0));
    (Arc::clone(&number), number)
}

/// A load that waits for its pager while `meanwhile` changes its region, then gets its page and must fault.
fn faults_after(meanwhile: impl FnOnce(&Region) -> libzx::ZxResult) -> Case {
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(1, KEY));
    let region = ok!(Region::new(1));
    let at = ok!(region.map(0, &vmo, 0, 1, VmOptions::PERM_READ));
    let risky = ok!(Risky::start(move || {
        let _ = libzx::raw::peek(at);
    }));
    check_eq!(ok!(demand.next()), Packet::Read(KEY, 0, 1));
    check!(is_in(risky.thread(), ThreadState::BlockedPager));
    ok!(meanwhile(&region));
    ok!(demand.supply(&vmo, 0, 1));
    check_eq!(ok!(risky.ending()), Ending::fault_at(at));
    Ok(())
}

fn a_mapping_that_goes_while_someone_waits_faults(_: &World) -> Case {
    faults_after(|region| region.vmar.unmap(region.base, 4096))
}

fn a_protection_that_comes_while_someone_waits_faults(_: &World) -> Case {
    let none = VmOptions::empty();
    faults_after(|region| region.vmar.protect(none, region.base, 4096))
}

/// A process whose thread waits for a pager is killed; its request goes with it.
fn killed(world: &World, mode: Mode, count: u64) -> Case {
    let Some(job) = &world.job else {
        skip!("no job");
    };
    let demand = ok!(Demand::new());
    let vmo = ok!(demand.vmo(3, KEY));
    let child = match world.start_child_with(job, mode, vec![ok!(same(&vmo)).into()]) {
        Ok(child) => child,
        Err(why) => fail!("{why}"),
    };
    check_eq!(ok!(demand.next()), Packet::Read(KEY, 0, count));
    ok!(child.kill());
    ok!(child.wait_one(Signals::PROCESS_TERMINATED, soon()));
    check_eq!(ok!(child.info()).return_code, RETCODE_SYSCALL_KILL);
    // Whoever comes next asks anew, and is served.
    let reader = ok!(Reader::start(&vmo, 0, 1, Way::Call));
    check_eq!(ok!(demand.next()), Packet::Read(KEY, 0, 1));
    ok!(demand.supply(&vmo, 0, 1));
    check_eq!(ok!(reader.outcome()), Outcome::Right);
    // One that is killed before its packet is read leaves none.
    let other = ok!(demand.vmo(3, KEY + 1));
    let child = match world.start_child_with(job, mode, vec![ok!(same(&other)).into()]) {
        Ok(child) => child,
        Err(why) => fail!("{why}"),
    };
    sleep_ms(30);
    ok!(child.kill());
    ok!(child.wait_one(Signals::PROCESS_TERMINATED, soon()));
    check!(demand.is_quiet());
    Ok(())
}

fn killing_a_process_that_waits_in_a_call_ends_it(world: &World) -> Case {
    killed(world, Mode::ReadGiven, 1)
}

fn killing_a_process_that_waits_in_a_fault_ends_it(world: &World) -> Case {
    killed(world, Mode::LoadGiven, 1)
}

fn killing_a_process_that_waits_for_a_commit_ends_it(world: &World) -> Case {
    killed(world, Mode::CommitGiven, 3)
}
