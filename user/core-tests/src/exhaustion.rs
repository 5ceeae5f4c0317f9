//! Running out of memory: who is told NO_MEMORY, that everybody else goes on, and that every frame comes back.
//!
//! Only on small machines, where it does not take long: `make core-tests MEM=256 FILTER=Exhaustion`.

use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use libzx::{AsHandle, Channel, Event, Handle, Resource, Vmo, ZxError, ZxResult};
use zx_abi::info::{InfoTopic, KmemStatsInfo};
use zx_abi::syscalls::SyscallId;

use crate::check::{check, check_eq, fail, ok, skip, suite, Case};
use crate::child::Mode;
use crate::crash::{Ending, Risky};
use crate::memory::{arg, call, Scratch, PAGE};
use crate::pages::{
    committed, op, pages, snapshot, stamp, stamp_of, stamped, Region, COMMIT, PAGE64, READ_WRITE,
};
use crate::world::{sleep_ms, Level, World};

suite! {
    "Exhaustion":
    a_commit_ends_with_no_memory_and_gives_all_back,
    a_write_ends_with_no_memory_and_gives_all_back,
    a_store_ends_with_a_fault_and_gives_all_back,
    writes_to_a_copy_end_with_no_memory_and_leave_its_parent,
    others_go_on_when_one_has_taken_all,
    a_process_that_took_all_gives_it_back_when_it_is_killed,
    objects_end_with_no_memory_and_make_room_for_as_many,
    a_mapping_that_cannot_be_overwritten_stays,
}

/// The largest machine to try it on.
const SMALL: u64 = 600 << 20;
/// More pages than such a machine has.
const PLENTY: u64 = 1 << 20;
/// VMOs that are mapped one after the other, and events that take what is left of the kernel's heap.
const MAPPED_ANEW: usize = 20_000;
const HOARD: usize = 200_000;
/// PERM_READ and SPECIFIC_OVERWRITE.
const OVERWRITE_READABLE: usize = 1 | 1 << 5;
/// Pages for each step.
const STEP: u64 = 64;

fn stats(resource: &Resource) -> ZxResult<KmemStatsInfo> {
    resource.get_info(InfoTopic::KmemStats)
}

/// The root resource on a small machine that is not an old one, or the case is skipped.
macro_rules! small_machine {
    ($world:expr) => {{
        let Some(resource) = &$world.resource else {
            skip!("no root resource");
        };
        if $world.level != Level::Home {
            skip!("ends the system when memory ends");
        }
        if ok!(stats(resource)).total_bytes > SMALL {
            skip!("more than {} MiB of memory", SMALL >> 20);
        }
        resource
    }};
}

/// Bytes that are free, on the kernel's heap too.
fn not_in_use(stats: &KmemStatsInfo) -> u64 {
    stats.free_bytes + stats.free_heap_bytes
}

/// How often the kernel's heap may grow before it is as large as it needs to be.
const ROUNDS: usize = 5;

/// Does it again and again, until nothing is missing after it.
fn all_comes_back(resource: &Resource, mut work: impl FnMut() -> Case) -> Case {
    let mut before = not_in_use(&ok!(stats(resource)));
    let mut after = before;
    for round in 0..ROUNDS {
        work()?;
        after = ok!(settled(resource, before));
        if round > 0 && after == before {
            return Ok(());
        }
        before = after;
    }
    fail!(
        "{after} bytes after the last round: {:?}",
        ok!(stats(resource))
    )
}

/// What is not in use, as soon as they are as many as `before`: a process is taken down in steps.
fn settled(resource: &Resource, before: u64) -> ZxResult<u64> {
    for _ in 0..50 {
        let now = not_in_use(&stats(resource)?);
        if now == before {
            return Ok(now);
        }
        sleep_ms(5);
    }
    stats(resource).map(|stats| not_in_use(&stats))
}

/// Commits until that fails; gives the pages, and why it ended.
fn fill(vmo: &Vmo) -> (u64, ZxError) {
    let mut page = 0;
    loop {
        match op(vmo, COMMIT, page, STEP) {
            Ok(()) => page += STEP,
            Err(error) => return (page, error),
        }
    }
}

fn a_commit_ends_with_no_memory_and_gives_all_back(world: &World) -> Case {
    let resource = small_machine!(world);
    all_comes_back(resource, || {
        let free = ok!(stats(resource)).free_bytes;
        let vmo = ok!(pages(PLENTY));
        let (count, error) = fill(&vmo);
        check_eq!(error, ZxError::NoMemory);
        // Nearly all that was free.
        check!(count * PAGE64 > free / 2 && count * PAGE64 <= free);
        check!(ok!(committed(&vmo)) >= count);
        check!(ok!(stats(resource)).free_bytes < 8 << 20);
        // It can go on when some of it was given back.
        ok!(op(&vmo, crate::pages::DECOMMIT, 0, 2 * STEP));
        ok!(op(&vmo, COMMIT, 0, STEP));
        Ok(())
    })
}

fn a_write_ends_with_no_memory_and_gives_all_back(world: &World) -> Case {
    let resource = small_machine!(world);
    let bytes = vec![7; 64 << 10];
    all_comes_back(resource, || {
        let vmo = ok!(pages(PLENTY));
        let mut offset = 0;
        let error = loop {
            match vmo.write(&bytes, offset) {
                Ok(()) => offset += bytes.len() as u64,
                Err(error) => break error,
            }
        };
        check_eq!(error, ZxError::NoMemory);
        // What was written is there.
        let mut last = [0];
        ok!(vmo.read(&mut last, offset - 1));
        check_eq!(last, [7]);
        check!(offset > 1 << 20);
        Ok(())
    })
}

fn a_store_ends_with_a_fault_and_gives_all_back(world: &World) -> Case {
    let resource = small_machine!(world);
    // At one place, since the tables for it stay until the process ends.
    let region = ok!(Region::new(1 << 20));
    let (base, end) = (region.at(0), region.at(1 << 20));
    all_comes_back(resource, || {
        let vmo = ok!(pages(PLENTY));
        ok!(region.map(0, &vmo, 0, 1 << 20, READ_WRITE));
        let risky = ok!(Risky::start(move || {
            for address in (base..end).step_by(4096) {
                libzx::raw::poke(address, 1);
            }
        }));
        let unmap = || {
            drop(vmo);
            let _ = region.vmar.unmap(base, end - base);
        };
        match ok!(risky.ending_with(unmap)) {
            Ending::Crash(Some(_), at) => check!((base as u64..end as u64).contains(&at)),
            other => fail!("the thread ended with {other:?}"),
        }
        Ok(())
    })
}

fn writes_to_a_copy_end_with_no_memory_and_leave_its_parent(world: &World) -> Case {
    let resource = small_machine!(world);
    all_comes_back(resource, || {
        let count = 4 * STEP;
        let vmo = ok!(stamped(count, 10));
        let copy = ok!(snapshot(world, &vmo, 0, count));
        let rest = ok!(pages(PLENTY));
        let (_, error) = fill(&rest);
        check_eq!(error, ZxError::NoMemory);
        let mut written = 0;
        let error = loop {
            match stamp(&copy, written, 5) {
                Ok(()) if written + 1 < count => written += 1,
                Ok(()) => fail!("all of the copy could be written"),
                Err(error) => break error,
            }
        };
        check_eq!(error, ZxError::NoMemory);
        drop(rest);
        check_eq!(ok!(stamp_of(&copy, written)), 10 + written);
        check_eq!(ok!(stamp_of(&vmo, 0)), 10);
        ok!(stamp(&copy, written, 5));
        Ok(())
    })
}

fn others_go_on_when_one_has_taken_all(world: &World) -> Case {
    let resource = small_machine!(world);
    let Some(job) = &world.job else {
        skip!("no job");
    };
    let (left, right) = ok!(Channel::create());
    let stop = Arc::new(AtomicBool::new(false));
    let count = Arc::new(AtomicU32::new(0));
    let (stopped, counted) = (Arc::clone(&stop), Arc::clone(&count));
    let talker = ok!(libzx::thread::spawn("talker", move || {
        while !stopped.load(Ordering::SeqCst) {
            if left.write(b"ping", vec![]).is_ok() && right.read().is_ok() {
                counted.fetch_add(1, Ordering::SeqCst);
            }
            libzx::time::sleep_until(0);
        }
    }));
    let child = match world.start_child(job, Mode::Sleep) {
        Ok(child) => child,
        Err(why) => fail!("{why}"),
    };
    let vmo = ok!(pages(PLENTY));
    let (_, error) = fill(&vmo);
    check_eq!(error, ZxError::NoMemory);
    let seen = count.load(Ordering::SeqCst);
    sleep_ms(20);
    check!(count.load(Ordering::SeqCst) > seen);
    check_eq!(ok!(child.info()).exited, 0);
    check!(ok!(stats(resource)).free_bytes < 8 << 20);
    drop(vmo);
    // A whole program can start again.
    match world.child_code(job, Mode::Exit42) {
        Ok(code) => check_eq!(code, 42),
        Err(why) => fail!("{why}"),
    }
    ok!(child.kill());
    stop.store(true, Ordering::SeqCst);
    ok!(talker.join());
    Ok(())
}

fn a_process_that_took_all_gives_it_back_when_it_is_killed(world: &World) -> Case {
    let resource = small_machine!(world);
    let Some(job) = &world.job else {
        skip!("no job");
    };
    all_comes_back(resource, || {
        let vmo = ok!(pages(PLENTY));
        let given = ok!(crate::pages::same(&vmo)).into();
        drop(vmo);
        let child = match world.start_child_with(job, Mode::CommitGiven, vec![given]) {
            Ok(child) => child,
            Err(why) => fail!("{why}"),
        };
        // It commits until there is no more, and says so by its code.
        ok!(child.wait_one(libzx::Signals::PROCESS_TERMINATED, crate::world::soon()));
        check_eq!(ok!(child.info()).return_code, crate::child::FAILED);
        Ok(())
    })
}

/// Calls that make objects, with the place of the new handle last among the arguments that are filled in.
fn creations(page: &Scratch, vmo: &Vmo, stream_vmo: &Vmo) -> Vec<(SyscallId, Vec<usize>)> {
    let (at, memory) = (page.address(), arg(vmo));
    vec![
        (SyscallId::EventCreate, vec![0, at]),
        (SyscallId::EventpairCreate, vec![0, at, at + 4]),
        (SyscallId::ChannelCreate, vec![0, at, at + 4]),
        (SyscallId::SocketCreate, vec![0, at, at + 4]),
        (SyscallId::FifoCreate, vec![64, 64, 0, at, at + 4]),
        (SyscallId::PortCreate, vec![0, at]),
        (SyscallId::TimerCreate, vec![0, 0, at]),
        (SyscallId::VmoCreate, vec![4096, 0, at]),
        (SyscallId::VmoCreateChild, vec![memory, 1, 0, 4096, at]),
        (SyscallId::PagerCreate, vec![0, at]),
        (SyscallId::StreamCreate, vec![3, arg(stream_vmo), 0, at]),
    ]
}

fn objects_end_with_no_memory_and_make_room_for_as_many(world: &World) -> Case {
    small_machine!(world);
    // Results go to memory that is there.
    let mut page = ok!(Scratch::new());
    page.put(0, &1u64);
    let (vmo, other) = (ok!(stamped(1, 1)), ok!(pages(1)));
    let list = creations(&page, &vmo, &other);
    // Room for the handles, in memory that is there.
    let mut handles = vec![1u32; 400_000];
    let mut made = Vec::new();
    for _ in 0..3 {
        let rest = ok!(pages(PLENTY));
        check_eq!(fill(&rest).1, ZxError::NoMemory);
        let mut used = 0;
        let mut refused = 0;
        for (id, args) in &list {
            loop {
                if used + 2 > handles.len() {
                    fail!("{} handles, and memory has not ended", used);
                }
                match call(*id, args) {
                    Ok(()) => {
                        handles[used] = page.u32(0);
                        used += 1;
                        if matches!(
                            id,
                            SyscallId::EventpairCreate
                                | SyscallId::ChannelCreate
                                | SyscallId::SocketCreate
                                | SyscallId::FifoCreate
                        ) {
                            handles[used] = page.u32(4);
                            used += 1;
                        }
                    }
                    Err(ZxError::NoMemory) => break refused += 1,
                    Err(error) => fail!("{id:?}: {error}"),
                }
            }
        }
        check_eq!(refused, list.len());
        drop(rest);
        for handle in &handles[..used] {
            drop(Handle::from_raw(*handle));
        }
        ok!(Event::create());
        made.push(used);
    }
    // What a round left behind would be missing in the next ones.
    check!(made[0] > 100 && made[2] >= made[1] / 10 * 9 && made[1] >= made[0] / 10 * 9);
    Ok(())
}

fn a_mapping_that_cannot_be_overwritten_stays(world: &World) -> Case {
    small_machine!(world);
    let page = ok!(Scratch::new());
    let region = ok!(Region::new(1));
    let old = ok!(stamped(1, 10));
    ok!(region.map(0, &old, 0, 1, READ_WRITE));
    check_eq!(libzx::raw::peek(region.at(0)), 10);
    let mut others = Vec::with_capacity(MAPPED_ANEW);
    for _ in 0..MAPPED_ANEW {
        others.push(ok!(pages(1)));
    }
    // Written, so that all its pages are there.
    let mut hoard = vec![u32::MAX; HOARD];
    let filler = ok!(pages(PLENTY));
    let (_, error) = fill(&filler);
    check_eq!(error, ZxError::NoMemory);
    let mut events = 0;
    while events < HOARD && call(SyscallId::EventCreate, &[0, page.address()]).is_ok() {
        hoard[events] = page.u32(0);
        events += 1;
    }
    // Nothing that checks may take memory before there is some again.
    let mut refused = None;
    for other in &others {
        let args = [
            arg(&region.vmar),
            OVERWRITE_READABLE,
            0,
            arg(other),
            0,
            PAGE,
            page.address(),
        ];
        if let Err(error) = call(SyscallId::VmarMap, &args) {
            refused = Some(error);
            break;
        }
    }
    drop(filler);
    for event in &hoard[..events] {
        drop(Handle::from_raw(*event));
    }
    check_eq!(refused, Some(ZxError::NoMemory));
    // As a buffer: a hole would be an error and not the end of the test.
    ok!(call(SyscallId::VmoWrite, &[arg(&old), region.at(0), 8, 8]));
    ok!(region.vmar.unmap(region.at(0), PAGE));
    Ok(())
}
