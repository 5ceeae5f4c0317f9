//! What processes tell: their life, threads, maps, VMOs and handles.

use alloc::vec::Vec;

use libzx::{AsHandle, Event, EventPair, Process, Rights, Signals, VmOptions, Vmo};
use mini_process::{Code, MiniProcess, CODE, DATA, PAGE, STACK};
use zx_abi::info::{
    HandleBasicInfo, HandleExtendedInfo, InfoTopic, MapsInfo, MapsKind, ProcessHandleStatsInfo,
    ProcessInfo, VmoInfo, VmoInfoFlags, RETCODE_SYSCALL_KILL,
};
use zx_abi::ObjectType;

use super::info_form::{list_suite, record_suite, Question, Subject};
use super::subject::{ends_with, job, mini, standing, SAME};
use crate::check::{check, check_eq, fails, home_only, ok, Case, Outcome};
use crate::world::World;

/// A process that runs.
fn process(world: &World) -> Result<Subject, Outcome> {
    let (mini, token) = standing(world)?;
    Ok(Subject::new(
        ok!(mini.process.duplicate(SAME)),
        (token, mini),
    ))
}

const OF_BASIC: Question = Question {
    topic: InfoTopic::HandleBasic,
    rights: Rights::empty(),
    subject: process,
};
record_suite! { BASIC = "InfoHandleBasicOfProcess", OF_BASIC: [each_of_its_rights_is_needed] [
    a_process_names_its_job,
] }

const OF_LIFE: Question = Question {
    topic: InfoTopic::Process,
    rights: Rights::INSPECT,
    subject: process,
};
record_suite! { LIFE = "InfoProcess", OF_LIFE: [
    each_of_its_rights_is_needed, a_job_has_the_wrong_type, a_thread_has_the_wrong_type, an_event_has_the_wrong_type,
] [
    it_follows_the_process_through_its_life, one_may_ask_about_oneself,
] }

const OF_THREADS: Question = Question {
    topic: InfoTopic::ProcessThreads,
    rights: Rights::ENUMERATE,
    subject: process,
};
list_suite! { THREADS = "InfoProcessThreads", OF_THREADS: [
    a_job_has_the_wrong_type, a_thread_has_the_wrong_type, an_event_has_the_wrong_type,
] [
    threads_are_listed_from_their_start_to_their_end, own_threads_are_listed,
] }

const OF_MAPS: Question = Question {
    topic: InfoTopic::ProcessMaps,
    rights: Rights::INSPECT,
    subject: process,
};
list_suite! { MAPS = "InfoProcessMaps", OF_MAPS: [
    a_job_has_the_wrong_type, a_thread_has_the_wrong_type, an_event_has_the_wrong_type,
] [
    one_may_not_see_ones_own_maps, an_unstarted_process_has_two_regions, maps_come_with_place_depth_and_vmo,
    maps_of_a_dead_process_are_gone,
] }

const OF_VMOS: Question = Question {
    topic: InfoTopic::ProcessVmos,
    rights: Rights::INSPECT,
    subject: process,
};
list_suite! { VMOS = "InfoProcessVmos", OF_VMOS: [
    a_job_has_the_wrong_type, a_thread_has_the_wrong_type, an_event_has_the_wrong_type,
] [
    one_may_not_see_ones_own_vmos, vmos_come_once_for_each_handle_and_mapping, vmos_of_a_dead_process_are_gone,
    vmos_of_an_unstarted_process_are_not_told,
] }

const OF_HANDLE_STATS: Question = Question {
    topic: InfoTopic::ProcessHandleStats,
    rights: Rights::INSPECT,
    subject: process,
};
record_suite! { HANDLE_STATS = "InfoProcessHandleStats", OF_HANDLE_STATS: [
    each_of_its_rights_is_needed, a_job_has_the_wrong_type, a_thread_has_the_wrong_type, an_event_has_the_wrong_type,
] [
    handles_are_counted_by_type,
] }

const OF_HANDLE_TABLE: Question = Question {
    topic: InfoTopic::HandleTable,
    rights: Rights::INSPECT
        .union(Rights::MANAGE_PROCESS)
        .union(Rights::MANAGE_THREAD),
    subject: handletable_subject,
};
list_suite! { HANDLE_TABLE = "InfoHandleTable", OF_HANDLE_TABLE: [
    a_job_has_the_wrong_type, a_thread_has_the_wrong_type, an_event_has_the_wrong_type,
] [
    an_unstarted_process_has_no_handles, a_row_tells_what_the_handle_is, own_handles_are_listed,
] }

fn handletable_subject(world: &World) -> Result<Subject, Outcome> {
    let mut code = Code::new();
    code.spin();
    let mini = mini(world, &code)?;
    let token = ok!(mini.process.suspend());
    ok!(mini.start_with(ok!(Event::create()).into()));
    Ok(Subject::new(
        ok!(mini.process.duplicate(SAME)),
        (token, mini),
    ))
}

fn a_process_names_its_job(world: &World) -> Case {
    let job = job(world)?;
    let mini = ok!(MiniProcess::new(&job, &Code::new()));
    let info: HandleBasicInfo = ok!(mini.process.get_info(InfoTopic::HandleBasic));
    check_eq!(info.koid, ok!(mini.process.koid()));
    check_eq!(info.related_koid, ok!(job.koid()));
    check_eq!(info.kind, ObjectType::Process.raw());
    check_eq!(info.rights, Rights::default_for(ObjectType::Process));
    check_eq!(info.props, 1);
    Ok(())
}

fn flags(process: &Process) -> Result<[u8; 3], Outcome> {
    let info: ProcessInfo = ok!(process.info());
    Ok([info.started, info.exited, info.debugger_attached])
}

fn it_follows_the_process_through_its_life(world: &World) -> Case {
    let mut code = Code::new();
    code.spin();
    let mini = mini(world, &code)?;
    check_eq!(flags(&mini.process)?, [0, 0, 0]);
    ok!(mini.start());
    check_eq!(flags(&mini.process)?, [1, 0, 0]);
    ok!(mini.process.kill());
    ends_with(&mini.process, RETCODE_SYSCALL_KILL)?;
    check_eq!(flags(&mini.process)?, [1, 1, 0]);
    Ok(())
}

fn one_may_ask_about_oneself(_: &World) -> Case {
    let info: ProcessInfo = ok!(libzx::own_process().get_info(InfoTopic::Process));
    check_eq!(
        [info.started, info.exited, info.debugger_attached],
        [1, 0, 0]
    );
    Ok(())
}

fn koids(process: &impl AsHandle) -> libzx::ZxResult<Vec<u64>> {
    process.get_info_list(InfoTopic::ProcessThreads)
}

fn threads_are_listed_from_their_start_to_their_end(world: &World) -> Case {
    let mut code = Code::new();
    code.spin();
    let mini = mini(world, &code)?;
    check_eq!(ok!(koids(&mini.process)), Vec::<u64>::new());
    let token = ok!(mini.process.suspend());
    ok!(mini.start());
    let second = ok!(mini.add_thread(CODE, 1));
    let unstarted = ok!(libzx::Thread::create(&mini.process, "unstarted"));
    let listed = ok!(koids(&mini.process));
    check!(listed.contains(&ok!(mini.thread.koid())));
    check!(listed.contains(&ok!(second.koid())));
    check!(!listed.contains(&ok!(unstarted.koid())));
    drop(token);
    ok!(mini.process.kill());
    ends_with(&mini.process, RETCODE_SYSCALL_KILL)?;
    check_eq!(ok!(koids(&mini.process)), Vec::<u64>::new());
    Ok(())
}

fn own_threads_are_listed(_: &World) -> Case {
    let spawned = ok!(libzx::thread::spawn("listed", || crate::world::sleep_ms(5)));
    check!(ok!(koids(&libzx::own_process())).contains(&ok!(spawned.thread().koid())));
    ok!(spawned.join());
    Ok(())
}

fn one_may_not_see_ones_own_maps(_: &World) -> Case {
    let own = libzx::own_process();
    fails!(
        own.get_info_bytes(InfoTopic::ProcessMaps, &mut []),
        AccessDenied
    );
    fails!(
        own.get_info_bytes(InfoTopic::ProcessMaps, &mut [0; 96]),
        AccessDenied
    );
    Ok(())
}

fn maps(process: &Process) -> libzx::ZxResult<Vec<MapsInfo>> {
    process.get_info_list(InfoTopic::ProcessMaps)
}

fn an_unstarted_process_has_two_regions(world: &World) -> Case {
    let (process, vmar) = ok!(Process::create(&job(world)?, "maps"));
    let rows = ok!(maps(&process));
    check_eq!(rows.len(), 2);
    check_eq!(
        [rows[0].kind, rows[1].kind],
        [MapsKind::Aspace.raw(), MapsKind::Vmar.raw()]
    );
    check_eq!([rows[0].depth, rows[1].depth], [0, 1]);
    let (base, len) = ok!(vmar.range());
    check_eq!((rows[1].base, rows[1].size), (base as u64, len as u64));
    let name = alloc::format!("proc:{}", ok!(process.koid()));
    check!(rows[0].name.starts_with(name.as_bytes()));
    check!(rows[1].name.starts_with(b"root\0"));
    Ok(())
}

fn maps_come_with_place_depth_and_vmo(world: &World) -> Case {
    let mini = mini(world, &Code::new())?;
    let vmo = ok!(Vmo::create(2 * PAGE as u64, 0));
    ok!(vmo.set_name("a map"));
    ok!(vmo.write(b"x", PAGE as u64));
    let flags = VmOptions::CAN_MAP_READ | VmOptions::CAN_MAP_WRITE | VmOptions::CAN_MAP_SPECIFIC;
    let (region, region_base) = ok!(mini.vmar.allocate(flags, 0, 4 * PAGE));
    let options = VmOptions::PERM_READ | VmOptions::SPECIFIC;
    ok!(region.map(options, PAGE, &vmo, PAGE as u64, PAGE));
    let rows = ok!(maps(&mini.process));
    let at = |address: usize, kind: MapsKind| {
        rows.iter()
            .find(|row| row.base == address as u64 && row.kind == kind.raw())
    };
    for address in [CODE, DATA, STACK] {
        let Some(row) = at(address, MapsKind::Mapping) else {
            crate::check::fail!("no mapping at {address:#x}");
        };
        check_eq!(row.depth, 2);
    }
    let Some(row) = at(region_base, MapsKind::Vmar) else {
        crate::check::fail!("the region is not listed");
    };
    check_eq!((row.depth, row.size), (2, 4 * PAGE as u64));
    let Some(row) = at(region_base + PAGE, MapsKind::Mapping) else {
        crate::check::fail!("the mapping in the region is not listed");
    };
    check_eq!((row.depth, row.size), (3, PAGE as u64));
    check!(row.name.starts_with(b"a map\0"));
    check_eq!(row.mapping.vmo_koid, ok!(vmo.koid()));
    check_eq!(row.mapping.vmo_offset, PAGE as u64);
    Ok(())
}

fn maps_of_a_dead_process_are_gone(world: &World) -> Case {
    let (mini, _token) = standing(world)?;
    ok!(mini.process.kill());
    ends_with(&mini.process, RETCODE_SYSCALL_KILL)?;
    fails!(maps(&mini.process), BadState);
    Ok(())
}

fn one_may_not_see_ones_own_vmos(_: &World) -> Case {
    let own = libzx::own_process();
    fails!(
        own.get_info_bytes(InfoTopic::ProcessVmos, &mut [0; 104]),
        AccessDenied
    );
    Ok(())
}

fn vmos_come_once_for_each_handle_and_mapping(world: &World) -> Case {
    let mut code = Code::new();
    code.spin();
    let mini = mini(world, &code)?;
    let vmo = ok!(Vmo::create(3 * PAGE as u64, 0));
    ok!(vmo.set_name("seen twice"));
    ok!(mini.vmar.map(VmOptions::PERM_READ, 0, &vmo, 0, PAGE));
    let token = ok!(mini.process.suspend());
    ok!(mini.start_with(ok!(vmo.duplicate(SAME)).into()));
    let rows: Vec<VmoInfo> = ok!(mini.process.get_info_list(InfoTopic::ProcessVmos));
    let koid = ok!(vmo.koid());
    let seen: Vec<&VmoInfo> = rows.iter().filter(|row| row.koid == koid).collect();
    check_eq!(seen.len(), 2);
    let has = |row: &VmoInfo, flag: VmoInfoFlags| row.flags & flag.bits() != 0;
    let via = |flag| seen.iter().filter(|row| has(row, flag)).count();
    check_eq!(via(VmoInfoFlags::VIA_HANDLE), 1);
    check_eq!(via(VmoInfoFlags::VIA_MAPPING), 1);
    for row in &seen {
        check_eq!(row.size_bytes, 3 * PAGE as u64);
        check!(row.name.starts_with(b"seen twice\0"));
        check_eq!(row.num_mappings, 1);
    }
    let by_handle = seen.iter().find(|row| has(row, VmoInfoFlags::VIA_HANDLE));
    check_eq!(
        by_handle.map(|row| row.handle_rights),
        Some(Rights::default_for(ObjectType::Vmo))
    );
    drop(token);
    Ok(())
}

fn vmos_of_a_dead_process_are_gone(world: &World) -> Case {
    let (mini, _token) = standing(world)?;
    ok!(mini.process.kill());
    ends_with(&mini.process, RETCODE_SYSCALL_KILL)?;
    let asked = mini
        .process
        .get_info_list::<VmoInfo>(InfoTopic::ProcessVmos);
    fails!(asked, BadState);
    Ok(())
}

fn vmos_of_an_unstarted_process_are_not_told(world: &World) -> Case {
    let mini = mini(world, &Code::new())?;
    let asked = mini
        .process
        .get_info_list::<VmoInfo>(InfoTopic::ProcessVmos);
    fails!(asked, BadState);
    Ok(())
}

fn handles_are_counted_by_type(world: &World) -> Case {
    let (mini, _token) = standing(world)?;
    let count = |process: &Process| -> libzx::ZxResult<Vec<u32>> {
        let info: ProcessHandleStatsInfo = process.get_info(InfoTopic::ProcessHandleStats)?;
        Ok(info.handle_count.to_vec())
    };
    check_eq!(ok!(count(&mini.process)).iter().sum::<u32>(), 0);
    let own = Process::from(ok!(libzx::own_process().duplicate_handle(SAME)));
    let before = ok!(count(&own));
    let pair = ok!(EventPair::create());
    let event = ok!(Event::create());
    let after = ok!(count(&own));
    let more = |kind: ObjectType| {
        let index = kind.raw() as usize;
        after[index] - before[index]
    };
    check_eq!(more(ObjectType::EventPair), 2);
    check_eq!(more(ObjectType::Event), 1);
    check_eq!(more(ObjectType::Channel), 0);
    drop((pair, event));
    check_eq!(ok!(count(&own)), before);
    Ok(())
}

fn table(process: &impl AsHandle) -> libzx::ZxResult<Vec<HandleExtendedInfo>> {
    process.get_info_list(InfoTopic::HandleTable)
}

fn an_unstarted_process_has_no_handles(world: &World) -> Case {
    home_only!(world);
    let mini = mini(world, &Code::new())?;
    check_eq!(ok!(table(&mini.process)).len(), 0);
    Ok(())
}

fn a_row_tells_what_the_handle_is(world: &World) -> Case {
    home_only!(world);
    let mut code = Code::new();
    code.spin();
    let mini = mini(world, &code)?;
    let _token = ok!(mini.process.suspend());
    let (ours, theirs) = ok!(EventPair::create());
    let theirs = ok!(theirs.replace(Rights::BASIC));
    let (koid, peer) = (ok!(theirs.koid()), ok!(ours.koid()));
    ok!(mini.start_with(theirs.into()));
    let rows = ok!(table(&mini.process));
    check_eq!(rows.len(), 1);
    check_eq!(rows[0].kind, ObjectType::EventPair.raw());
    check_eq!(rows[0].rights, Rights::BASIC);
    check_eq!((rows[0].koid, rows[0].related_koid), (koid, peer));
    check_eq!(rows[0].handle_value & 3, 3);
    check_eq!(
        ok!(ours.signals_now(Signals::PEER_CLOSED)),
        Signals::empty()
    );
    Ok(())
}

fn own_handles_are_listed(world: &World) -> Case {
    home_only!(world);
    let event = ok!(Event::create());
    let rows = ok!(table(&libzx::own_process()));
    let row = rows.iter().find(|row| row.handle_value == event.raw());
    check_eq!(row.map(|row| row.koid), Some(ok!(event.koid())));
    Ok(())
}
