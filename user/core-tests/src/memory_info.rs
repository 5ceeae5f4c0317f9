//! What the kernel tells of memory: maps, VMOs, VMARs, tasks and the whole machine, held against each other.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use libzx::{AsHandle, Process, Rights, Signals, VmOptions, Vmar, Vmo};
use zx_abi::info::{
    InfoTopic, KmemStatsInfo, MapsInfo, MapsKind, TaskStatsInfo, VmarInfo, VmoInfo, VmoInfoFlags,
};

use crate::check::{check, check_eq, fail, fails, home_only, ok, skip, suite, Case};
use crate::child::Mode;
use crate::memory::{root_vmar, PAGE};
use crate::pages::{
    committed, info, op, pages, snapshot, stamp, stamped, Region, View, COMMIT, DECOMMIT, PAGE64,
    READ_WRITE,
};
use crate::world::{soon, Level, World};

suite! {
    "MemoryInfo":
    maps_list_the_tree_parents_first,
    maps_tell_each_mapping,
    maps_follow_unmapping_and_protecting,
    maps_count_what_a_mapping_shows,
    maps_of_an_empty_process_hold_its_root,
    vmos_list_what_a_running_process_maps,
    maps_and_vmos_agree,
    maps_and_task_stats_agree,
    a_shared_vmo_counts_in_parts,
    a_vmos_numbers_follow_its_use,
    the_share_count_follows_the_address_spaces,
    the_machines_numbers_follow_commits,
    the_machines_numbers_add_up,
    what_messages_hold_is_told,
    small_buffers_get_what_fits,
    dead_processes_say_bad_state,
    other_types_and_rights_are_refused,
    a_region_tells_its_range_even_when_it_is_gone,
}

const READ: VmOptions = VmOptions::PERM_READ;

/// A process that never ran, and its root.
macro_rules! process {
    ($world:expr) => {{
        let Some(job) = &$world.job else {
            skip!("no job");
        };
        ok!(Process::create(job, "mapped"))
    }};
}

/// A process that runs, and ends with its value.
struct Running(Process);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait_one(Signals::PROCESS_TERMINATED, soon());
    }
}

macro_rules! running {
    ($world:expr) => {{
        let Some(job) = &$world.job else {
            skip!("no job");
        };
        match $world.start_child(job, Mode::Sleep) {
            Ok(process) => {
                // Until it sleeps its memory grows.
                crate::world::sleep_ms(60);
                Running(process)
            }
            Err(why) => fail!("{why}"),
        }
    }};
}

fn maps(process: &Process) -> libzx::ZxResult<Vec<MapsInfo>> {
    process.get_info_list(InfoTopic::ProcessMaps)
}

fn kind(row: &MapsInfo) -> Option<MapsKind> {
    MapsKind::from_raw(row.kind)
}

fn mappings(process: &Process) -> libzx::ZxResult<Vec<MapsInfo>> {
    let mut rows = maps(process)?;
    rows.retain(|row| kind(row) == Some(MapsKind::Mapping));
    Ok(rows)
}

const INNER: VmOptions = VmOptions::CAN_MAP_READ
    .union(VmOptions::CAN_MAP_WRITE)
    .union(VmOptions::CAN_MAP_SPECIFIC);

fn maps_list_the_tree_parents_first(world: &World) -> Case {
    let (process, root) = process!(world);
    let (outer, base) = ok!(root.allocate(INNER, 0, 16 * PAGE));
    let specific = INNER | VmOptions::SPECIFIC;
    let (inner, inner_base) = ok!(outer.allocate(specific, 4 * PAGE, 4 * PAGE));
    let vmo = ok!(pages(2));
    ok!(inner.map(READ | VmOptions::SPECIFIC, PAGE, &vmo, 0, 2 * PAGE));
    ok!(outer.map(READ | VmOptions::SPECIFIC, 12 * PAGE, &vmo, 0, PAGE));
    let rows: Vec<_> = ok!(maps(&process))
        .iter()
        .map(|row| (kind(row), row.depth, row.base, row.size))
        .collect();
    let (start, len) = ok!(root.range());
    let page = PAGE64;
    check_eq!(
        rows,
        [
            (Some(MapsKind::Aspace), 0, start as u64, len as u64),
            (Some(MapsKind::Vmar), 1, start as u64, len as u64),
            (Some(MapsKind::Vmar), 2, base as u64, 16 * page),
            (Some(MapsKind::Vmar), 3, inner_base as u64, 4 * page),
            (
                Some(MapsKind::Mapping),
                4,
                inner_base as u64 + page,
                2 * page
            ),
            (Some(MapsKind::Mapping), 3, base as u64 + 12 * page, page),
        ]
    );
    Ok(())
}

fn maps_tell_each_mapping(world: &World) -> Case {
    let (process, root) = process!(world);
    let vmo = ok!(stamped(4, 1));
    ok!(vmo.set_name("a name"));
    let at = ok!(root.map(READ_WRITE, 0, &vmo, PAGE64, 2 * PAGE));
    let rows = ok!(mappings(&process));
    check_eq!(rows.len(), 1);
    let row = &rows[0];
    check_eq!((row.base, row.size), (at as u64, 2 * PAGE64));
    check_eq!(
        (row.mapping.vmo_koid, row.mapping.vmo_offset),
        (ok!(vmo.koid()), PAGE64)
    );
    check_eq!(row.mapping.mmu_flags, READ_WRITE.bits());
    check_eq!(row.mapping.committed_pages, 2);
    check_eq!(&row.name[..7], b"a name\0");
    Ok(())
}

fn maps_follow_unmapping_and_protecting(world: &World) -> Case {
    let (process, root) = process!(world);
    let vmo = ok!(stamped(5, 1));
    let at = ok!(root.map(READ_WRITE, 0, &vmo, 0, 5 * PAGE));
    ok!(root.protect(READ, at + 2 * PAGE, PAGE));
    ok!(root.unmap(at + 4 * PAGE, PAGE));
    let rows: Vec<_> = ok!(mappings(&process))
        .iter()
        .map(|row| {
            (
                row.base - at as u64,
                row.size,
                row.mapping.vmo_offset,
                row.mapping.mmu_flags,
            )
        })
        .collect();
    let page = PAGE64;
    let both = READ_WRITE.bits();
    check_eq!(
        rows,
        [
            (0, 2 * page, 0, both),
            (2 * page, page, 2 * page, READ.bits()),
            (3 * page, page, 3 * page, both),
        ]
    );
    Ok(())
}

fn maps_count_what_a_mapping_shows(world: &World) -> Case {
    let (process, root) = process!(world);
    let vmo = ok!(pages(8));
    ok!(op(&vmo, COMMIT, 1, 3));
    ok!(root.map(READ, 0, &vmo, 0, 8 * PAGE));
    ok!(root.map(READ, 0, &vmo, 3 * PAGE64, 2 * PAGE));
    let mut counts: Vec<_> = ok!(mappings(&process))
        .iter()
        .map(|row| row.mapping.committed_pages)
        .collect();
    counts.sort_unstable();
    check_eq!(counts, [1, 3]);
    ok!(op(&vmo, DECOMMIT, 0, 8));
    check!(ok!(mappings(&process))
        .iter()
        .all(|row| row.mapping.committed_pages == 0));
    Ok(())
}

fn maps_of_an_empty_process_hold_its_root(world: &World) -> Case {
    let (process, root) = process!(world);
    let rows = ok!(maps(&process));
    check_eq!(rows.len(), 2);
    let region: VmarInfo = ok!(root.get_info(InfoTopic::Vmar));
    check!(rows
        .iter()
        .all(|row| (row.base, row.size) == (region.base, region.len)));
    let stats: TaskStatsInfo = ok!(process.get_info(InfoTopic::TaskStats));
    check_eq!(
        (
            stats.mem_mapped_bytes,
            stats.mem_private_bytes,
            stats.mem_shared_bytes
        ),
        (0, 0, 0)
    );
    Ok(())
}

fn vmos(process: &Process) -> libzx::ZxResult<Vec<VmoInfo>> {
    process.get_info_list(InfoTopic::ProcessVmos)
}

/// The root VMAR of a running child is not at hand, so its VMOs are those that its start gave it.
fn vmos_list_what_a_running_process_maps(world: &World) -> Case {
    let child = running!(world);
    let rows = ok!(vmos(&child.0));
    let via_mapping = |row: &&VmoInfo| row.flags & VmoInfoFlags::VIA_MAPPING.bits() != 0;
    check_eq!(
        rows.iter().filter(via_mapping).count(),
        ok!(mappings(&child.0)).len()
    );
    for row in &rows {
        let how = VmoInfoFlags::from_bits_retain(row.flags)
            & (VmoInfoFlags::VIA_HANDLE | VmoInfoFlags::VIA_MAPPING);
        check!(how == VmoInfoFlags::VIA_HANDLE || how == VmoInfoFlags::VIA_MAPPING);
        check!(row.koid != 0 && row.size_bytes.is_multiple_of(PAGE64));
        check!(row.committed_bytes <= row.size_bytes);
    }
    // The child's stack is one of them.
    check!(rows
        .iter()
        .any(|row| row.name.starts_with(b"stack") || row.num_mappings == 1));
    Ok(())
}

fn maps_and_vmos_agree(world: &World) -> Case {
    let child = running!(world);
    let rows = ok!(mappings(&child.0));
    let by_koid: BTreeMap<u64, VmoInfo> = ok!(vmos(&child.0))
        .into_iter()
        .map(|row| (row.koid, row))
        .collect();
    let mut shown = BTreeMap::<u64, u64>::new();
    for row in &rows {
        let Some(vmo) = by_koid.get(&row.mapping.vmo_koid) else {
            fail!("mapping of VMO {} that is not listed", row.mapping.vmo_koid);
        };
        *shown.entry(vmo.koid).or_default() += 1;
        check!(row.mapping.committed_pages * PAGE64 <= vmo.committed_bytes);
        check_eq!(row.name, vmo.name);
    }
    for (koid, count) in shown {
        check!(by_koid[&koid].num_mappings >= count);
        check!(by_koid[&koid].share_count >= 1);
    }
    Ok(())
}

fn maps_and_task_stats_agree(world: &World) -> Case {
    let child = running!(world);
    let rows = ok!(mappings(&child.0));
    let stats: TaskStatsInfo = ok!(child.0.get_info(InfoTopic::TaskStats));
    check_eq!(
        stats.mem_mapped_bytes,
        rows.iter().map(|row| row.size).sum::<u64>()
    );
    let present: u64 = rows.iter().map(|row| row.mapping.committed_pages).sum();
    check_eq!(
        stats.mem_private_bytes + stats.mem_shared_bytes,
        present * PAGE64
    );
    check!(stats.mem_scaled_shared_bytes <= stats.mem_shared_bytes);
    // The vDSO is everyone's.
    check!(stats.mem_shared_bytes > 0 && stats.mem_private_bytes > 0);
    Ok(())
}

fn a_shared_vmo_counts_in_parts(world: &World) -> Case {
    let (first, first_root) = process!(world);
    let (second, second_root) = process!(world);
    let vmo = ok!(stamped(8, 1));
    ok!(first_root.map(READ, 0, &vmo, 0, 8 * PAGE));
    let stats = |process: &Process| process.get_info::<TaskStatsInfo>(InfoTopic::TaskStats);
    let alone = ok!(stats(&first));
    check_eq!(
        (alone.mem_private_bytes, alone.mem_shared_bytes),
        (8 * PAGE64, 0)
    );
    ok!(second_root.map(READ, 0, &vmo, 0, 4 * PAGE));
    let (one, two) = (ok!(stats(&first)), ok!(stats(&second)));
    check_eq!(
        (one.mem_private_bytes, one.mem_shared_bytes),
        (0, 8 * PAGE64)
    );
    check_eq!(
        (two.mem_private_bytes, two.mem_shared_bytes),
        (0, 4 * PAGE64)
    );
    check_eq!(
        (one.mem_scaled_shared_bytes, two.mem_scaled_shared_bytes),
        (4 * PAGE64, 2 * PAGE64)
    );
    check_eq!(
        (one.mem_mapped_bytes, two.mem_mapped_bytes),
        (8 * PAGE64, 4 * PAGE64)
    );
    drop((second, second_root));
    check!(becomes(|| {
        let again = stats(&first)?;
        Ok((again.mem_private_bytes, again.mem_shared_bytes) == (8 * PAGE64, 0))
    }));
    Ok(())
}

/// Waits until something is so: an address space may be taken down in steps.
fn becomes(is_so: impl Fn() -> libzx::ZxResult<bool>) -> bool {
    let deadline = soon();
    while is_so() != Ok(true) {
        if libzx::time::now() > deadline {
            return false;
        }
        crate::world::sleep_ms(1);
    }
    true
}

fn a_vmos_numbers_follow_its_use(world: &World) -> Case {
    let vmo = ok!(pages(4));
    let record = ok!(info(&vmo));
    // A VMO that nobody maps is its holder's alone.
    check_eq!((record.num_mappings, record.share_count), (0, 1));
    let first = ok!(View::new(&vmo, 4));
    let second = ok!(View::new(&vmo, 2));
    check_eq!(ok!(info(&vmo)).num_mappings, 2);
    first.store(0, 1);
    second.store(1, 1);
    check_eq!(ok!(committed(&vmo)), 2);
    let copy = ok!(snapshot(world, &vmo, 0, 4));
    ok!(stamp(&copy, 0, 2));
    check_eq!(
        (ok!(info(&vmo)).num_children, ok!(committed(&copy))),
        (1, 1)
    );
    check_eq!(
        (ok!(info(&copy)).num_mappings, ok!(info(&vmo)).num_mappings),
        (0, 2)
    );
    drop((first, second, copy));
    let record = ok!(info(&vmo));
    check_eq!(
        (record.num_mappings, record.num_children, record.share_count),
        (0, 0, 1)
    );
    Ok(())
}

fn the_share_count_follows_the_address_spaces(world: &World) -> Case {
    let (process, root) = process!(world);
    let vmo = ok!(stamped(2, 1));
    let view = ok!(View::new(&vmo, 2));
    let again = ok!(View::new(&vmo, 1));
    check_eq!(
        (ok!(info(&vmo)).num_mappings, ok!(info(&vmo)).share_count),
        (2, 1)
    );
    ok!(root.map(READ, 0, &vmo, 0, PAGE));
    check_eq!(
        (ok!(info(&vmo)).num_mappings, ok!(info(&vmo)).share_count),
        (3, 2)
    );
    drop((process, root));
    check!(becomes(|| {
        let record = info(&vmo)?;
        Ok((record.num_mappings, record.share_count) == (2, 1))
    }));
    drop((view, again));
    check_eq!(ok!(info(&vmo)).share_count, 1);
    Ok(())
}

fn machine(world: &World) -> libzx::ZxResult<Option<KmemStatsInfo>> {
    let ask = |resource: &libzx::Resource| resource.get_info(InfoTopic::KmemStats);
    world.resource.as_ref().map(ask).transpose()
}

/// The machine's numbers, or the case is skipped.
macro_rules! machine {
    ($world:expr) => {
        match ok!(machine($world)) {
            Some(stats) => stats,
            None => skip!("no root resource"),
        }
    };
}

fn the_machines_numbers_follow_commits(world: &World) -> Case {
    let count = 500;
    let vmo = ok!(pages(count));
    let before = machine!(world);
    ok!(op(&vmo, COMMIT, 0, count));
    let after = machine!(world);
    check_eq!(after.vmo_bytes - before.vmo_bytes, count * PAGE64);
    check!(before.free_bytes - after.free_bytes >= count * PAGE64);
    // A copy takes nothing until it is written.
    let copy = ok!(snapshot(world, &vmo, 0, count));
    check_eq!(machine!(world).vmo_bytes, after.vmo_bytes);
    ok!(op(&copy, COMMIT, 0, 100));
    check_eq!(machine!(world).vmo_bytes, after.vmo_bytes + 100 * PAGE64);
    check_eq!(ok!(committed(&vmo)) + ok!(committed(&copy)), count + 100);
    drop(vmo);
    // What the copy wrote over is nobody's now.
    check_eq!(
        machine!(world).vmo_bytes,
        before.vmo_bytes + ok!(committed(&copy)) * PAGE64
    );
    drop(copy);
    check_eq!(machine!(world).vmo_bytes, before.vmo_bytes);
    Ok(())
}

fn the_machines_numbers_add_up(world: &World) -> Case {
    let stats = machine!(world);
    let parts = stats.wired_bytes
        + stats.total_heap_bytes
        + stats.vmo_bytes
        + stats.mmu_overhead_bytes
        + stats.ipc_bytes
        + stats.other_bytes
        + stats.free_bytes;
    check!(stats.total_bytes > 0 && parts <= stats.total_bytes);
    // Nearly all of it has a name.
    check!(parts > stats.total_bytes / 10 * 9);
    check!(stats.free_heap_bytes <= stats.total_heap_bytes);
    check!(stats.mmu_overhead_bytes > 0 && stats.mmu_overhead_bytes.is_multiple_of(PAGE64));
    Ok(())
}

fn what_messages_hold_is_told(world: &World) -> Case {
    // Older kernels count whole pages, of a cache.
    home_only!(world);
    let before = machine!(world).ipc_bytes;
    for len in [0, 64, 65, 256, 257, 1000, 1025, 65_536] {
        let (left, right) = ok!(libzx::Channel::create());
        let bytes = alloc::vec![7; len];
        for _ in 0..20 {
            ok!(left.write(&bytes, alloc::vec![]));
        }
        // The bytes, and not much more for each.
        let held = machine!(world).ipc_bytes - before;
        check!(held >= 20 * len as u64 && held <= 20 * (4 * len as u64 + 256));
        for _ in 0..10 {
            ok!(right.read());
        }
        check_eq!(machine!(world).ipc_bytes - before, held / 2);
        drop((left, right));
        check_eq!(machine!(world).ipc_bytes, before);
    }
    let (left, right) = ok!(libzx::Socket::create(0));
    check_eq!(ok!(left.write(0, &alloc::vec![7; 100_000])), 100_000);
    check!(machine!(world).ipc_bytes - before >= 100_000);
    let (fifo, other) = ok!(libzx::Fifo::create(64, 64, 0));
    check_eq!(ok!(fifo.write(64, &[7; 640])), 10);
    check!(machine!(world).ipc_bytes - before >= 100_640);
    drop((left, right, fifo, other));
    check_eq!(machine!(world).ipc_bytes, before);
    Ok(())
}

fn small_buffers_get_what_fits(world: &World) -> Case {
    let child = running!(world);
    for (topic, size) in [
        (InfoTopic::ProcessMaps, size_of::<MapsInfo>()),
        (InfoTopic::ProcessVmos, size_of::<VmoInfo>()),
    ] {
        let (none, all) = ok!(child.0.get_info_bytes(topic, &mut []));
        check!(none == 0 && all > 3);
        let mut room = alloc::vec![0; 2 * size + size / 2];
        check_eq!(ok!(child.0.get_info_bytes(topic, &mut room)), (2, all));
    }
    Ok(())
}

fn dead_processes_say_bad_state(world: &World) -> Case {
    let (process, root) = process!(world);
    ok!(root.map(READ, 0, &ok!(stamped(1, 1)), 0, PAGE));
    ok!(process.kill());
    ok!(process.wait_one(Signals::PROCESS_TERMINATED, soon()));
    fails!(maps(&process), BadState);
    fails!(vmos(&process), BadState);
    fails!(
        process.get_info::<TaskStatsInfo>(InfoTopic::TaskStats),
        BadState
    );
    Ok(())
}

fn other_types_and_rights_are_refused(world: &World) -> Case {
    let (process, root) = process!(world);
    let vmo = ok!(pages(1));
    let mut bytes = [0; 512];
    for topic in [
        InfoTopic::ProcessMaps,
        InfoTopic::ProcessVmos,
        InfoTopic::TaskStats,
    ] {
        fails!(vmo.get_info_bytes(topic, &mut bytes), WrongType);
        let poor = ok!(process.duplicate(Rights::IO));
        fails!(poor.get_info_bytes(topic, &mut bytes), AccessDenied);
    }
    fails!(
        ok!(root.duplicate(Rights::READ)).get_info_bytes(InfoTopic::Vmar, &mut bytes),
        AccessDenied
    );
    fails!(vmo.get_info_bytes(InfoTopic::Vmar, &mut bytes), WrongType);
    fails!(
        process.get_info_bytes(InfoTopic::Vmo, &mut bytes),
        WrongType
    );
    fails!(
        libzx::own_process().get_info_bytes(InfoTopic::ProcessMaps, &mut bytes),
        AccessDenied
    );
    if world.level == Level::Home {
        fails!(
            vmo.get_info_bytes(InfoTopic::Vmo, &mut bytes[..100]),
            BufferTooSmall
        );
    }
    let event = Vmo::from(libzx::Handle::from(ok!(libzx::Event::create())));
    fails!(info(&event), WrongType);
    Ok(())
}

fn a_region_tells_its_range_even_when_it_is_gone(_: &World) -> Case {
    let region = ok!(Region::new(8));
    let range = |vmar: &Vmar| vmar.get_info::<VmarInfo>(InfoTopic::Vmar);
    let told = ok!(range(&region.vmar));
    check_eq!((told.base, told.len), (region.base as u64, 8 * PAGE64));
    let root = ok!(range(&ok!(root_vmar())));
    check!(told.base >= root.base && told.base + told.len <= root.base + root.len);
    ok!(region.vmar.destroy());
    check_eq!(ok!(range(&region.vmar)).len, 8 * PAGE64);
    Ok(())
}
