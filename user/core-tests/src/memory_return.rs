//! Memory that comes back: page tables with what they mapped, and all of a process when it ends, whoever holds it.

use alloc::vec::Vec;

use libzx::{AsHandle, Process, Signals, VmOptions, Vmo, ZxResult};
use zx_abi::info::{InfoTopic, KmemStatsInfo};

use crate::check::{check, check_eq, fail, fails, ok, skip, suite, Case};
use crate::child::Mode;
use crate::memory::{root_vmar, PAGE};
use crate::pages::{op, pages, COMMIT, PAGE64, READ_WRITE};
use crate::world::{sleep_ms, soon, World};

suite! {
    "MemoryReturn":
    page_tables_go_with_the_last_mapping_of_their_range,
    page_tables_stay_for_what_is_still_mapped,
    a_process_that_never_ran_gives_all_back_while_it_is_held,
    a_process_that_ran_gives_all_back_while_it_is_held,
}

/// The machine's numbers, or the case is skipped.
macro_rules! machine {
    ($world:expr) => {
        match &$world.resource {
            Some(resource) => {
                ok!(resource.get_info::<KmemStatsInfo>(InfoTopic::KmemStats))
            }
            None => skip!("no root resource"),
        }
    };
}

/// Entered into the page table at once.
const ENTERED: VmOptions = READ_WRITE.union(VmOptions::MAP_RANGE);
/// Pages of the memory objects: more than a page table maps.
const COUNT: usize = 600;
const LEN: usize = COUNT * PAGE;

fn filled() -> ZxResult<Vmo> {
    let vmo = pages(COUNT as u64)?;
    op(&vmo, COMMIT, 0, COUNT as u64)?;
    Ok(vmo)
}

fn page_tables_go_with_the_last_mapping_of_their_range(world: &World) -> Case {
    let (root, vmo) = (ok!(root_vmar()), ok!(filled()));
    let before = machine!(world).mmu_overhead_bytes;
    for _ in 0..3 {
        let places: ZxResult<Vec<usize>> = (0..32)
            .map(|_| root.map(ENTERED, 0, &vmo, 0, LEN))
            .collect();
        let places = ok!(places);
        check!(machine!(world).mmu_overhead_bytes >= before + 32 * PAGE64);
        for at in places {
            // In two parts, and the second one page by page.
            ok!(root.unmap(at, LEN / 2));
            for page in LEN / 2 / PAGE..LEN / PAGE {
                ok!(root.unmap(at + page * PAGE, PAGE));
            }
        }
        check_eq!(machine!(world).mmu_overhead_bytes, before);
    }
    Ok(())
}

fn page_tables_stay_for_what_is_still_mapped(world: &World) -> Case {
    let (root, vmo) = (ok!(root_vmar()), ok!(filled()));
    let before = machine!(world).mmu_overhead_bytes;
    let can = VmOptions::CAN_MAP_READ | VmOptions::CAN_MAP_WRITE | VmOptions::CAN_MAP_SPECIFIC;
    let (region, base) = ok!(root.allocate(can, 0, LEN + 2 * PAGE));
    let specific = ENTERED | VmOptions::SPECIFIC;
    ok!(region.map(specific, 0, &vmo, 0, PAGE));
    ok!(region.map(specific, LEN + PAGE, &vmo, 0, PAGE));
    let ends = machine!(world).mmu_overhead_bytes;
    check!(ends > before);
    for _ in 0..3 {
        ok!(region.map(specific, PAGE, &vmo, 0, LEN));
        ok!(region.unmap(base + PAGE, LEN));
        check_eq!(machine!(world).mmu_overhead_bytes, ends);
    }
    ok!(region.destroy());
    check_eq!(machine!(world).mmu_overhead_bytes, before);
    Ok(())
}

/// The bytes of a root, which may stay as long as the process is held.
const ROOT: u64 = PAGE64;

fn a_process_that_never_ran_gives_all_back_while_it_is_held(world: &World) -> Case {
    let Some(job) = &world.job else {
        skip!("no job");
    };
    let before = machine!(world);
    let (process, root) = ok!(Process::create(job, "held"));
    let vmo = ok!(filled());
    for _ in 0..8 {
        ok!(root.map(ENTERED, 0, &vmo, 0, LEN));
    }
    drop(vmo);
    let full = machine!(world);
    check!(full.vmo_bytes >= before.vmo_bytes + LEN as u64);
    check!(full.mmu_overhead_bytes >= before.mmu_overhead_bytes + 8 * PAGE64);
    ok!(process.kill());
    ok!(process.wait_one(Signals::PROCESS_TERMINATED, soon()));
    let after = machine!(world);
    check_eq!(after.vmo_bytes, before.vmo_bytes);
    check!(after.mmu_overhead_bytes <= before.mmu_overhead_bytes + ROOT);
    fails!(root.map(ENTERED, 0, &ok!(filled()), 0, LEN), BadState);
    drop((process, root));
    check_eq!(
        machine!(world).mmu_overhead_bytes,
        before.mmu_overhead_bytes
    );
    Ok(())
}

fn a_process_that_ran_gives_all_back_while_it_is_held(world: &World) -> Case {
    let Some(job) = &world.job else {
        skip!("no job");
    };
    // The first time this process itself grows.
    for round in 0..2 {
        let before = machine!(world);
        let process = match world.start_child(job, Mode::Sleep) {
            Ok(process) => process,
            Err(why) => fail!("{why}"),
        };
        // Until it sleeps its memory grows.
        sleep_ms(60);
        let full = machine!(world);
        check!(full.vmo_bytes > before.vmo_bytes);
        check!(full.mmu_overhead_bytes > before.mmu_overhead_bytes + ROOT);
        ok!(process.kill());
        ok!(process.wait_one(Signals::PROCESS_TERMINATED, soon()));
        let after = machine!(world);
        check!(after.mmu_overhead_bytes <= before.mmu_overhead_bytes + ROOT);
        check!(round == 0 || after.vmo_bytes == before.vmo_bytes);
    }
    Ok(())
}
