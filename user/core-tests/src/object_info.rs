//! Questions about objects: info topics and properties.

use libzx::{AsHandle, Channel, Event, Rights, Unowned, Vmo};
use zx_abi::info::{HandleBasicInfo, InfoTopic, KmemStatsInfo, ProcessInfo};
use zx_abi::property::Property;
use zx_abi::syscalls::SyscallId;

use crate::check::{check, check_eq, fails, home_only, ok, skip, suite, Case};
use crate::memory::{arg, call, Edge, Scratch, BAD_ADDRESSES};
use crate::world::World;

suite! {
    "ObjectInfo":
    unknown_topics_are_not_supported_before_anything_else,
    a_short_buffer_is_told_and_left_alone,
    a_long_buffer_gets_one_record,
    the_counts_are_optional,
    bad_pointers_are_refused,
    lists_take_any_room,
    wrong_types_are_refused,
    inspect_is_needed,
    a_process_does_not_see_its_own_maps,
    kernel_statistics_need_the_root_resource,
    the_handle_table_lists_what_a_process_has,
    process_info_tells_of_this_process,
    properties_check_size_and_number,
    names_are_cut,
    objects_without_names_say_so,
    the_vdso_address_is_known,
}

fn topic(topic: InfoTopic) -> usize {
    topic.raw() as usize
}

fn unknown_topics_are_not_supported_before_anything_else(_: &World) -> Case {
    let page = ok!(Scratch::new());
    for unknown in [0, 5, 99, 0xffff_ffff] {
        let args = [0, unknown, page.address(), 64, 0, 0];
        fails!(call(SyscallId::ObjectGetInfo, &args), NotSupported);
    }
    Ok(())
}

/// Asks for basic information into a page: counts at 1000 and 1008.
fn basic(handle: &impl AsHandle, size: usize, page: &Scratch) -> libzx::ZxResult {
    let at = page.address();
    let args = [
        arg(handle),
        topic(InfoTopic::HandleBasic),
        at,
        size,
        at + 1000,
        at + 1008,
    ];
    call(SyscallId::ObjectGetInfo, &args)
}

fn a_short_buffer_is_told_and_left_alone(_: &World) -> Case {
    let event = ok!(Event::create());
    let mut page = ok!(Scratch::new());
    page.put(0, &[0xffu8; 32]);
    page.put(1000, &[9u64, 9]);
    fails!(basic(&event, 31, &page), BufferTooSmall);
    check_eq!(page.get::<[u8; 32]>(0), [0xff; 32]);
    check_eq!(page.get::<[u64; 2]>(1000), [0, 1]);
    Ok(())
}

fn a_long_buffer_gets_one_record(_: &World) -> Case {
    let event = ok!(Event::create());
    let mut page = ok!(Scratch::new());
    page.put(32, &0x1234_5678u32);
    ok!(basic(&event, 1000, &page));
    check_eq!(page.get::<HandleBasicInfo>(0).koid, ok!(event.koid()));
    check_eq!(page.u32(32), 0x1234_5678);
    check_eq!(page.get::<[u64; 2]>(1000), [1, 1]);
    Ok(())
}

fn the_counts_are_optional(_: &World) -> Case {
    let event = ok!(Event::create());
    let page = ok!(Scratch::new());
    let args = [
        arg(&event),
        topic(InfoTopic::HandleBasic),
        page.address(),
        32,
        0,
        0,
    ];
    ok!(call(SyscallId::ObjectGetInfo, &args));
    Ok(())
}

fn bad_pointers_are_refused(_: &World) -> Case {
    let event = ok!(Event::create());
    let (page, edge) = (ok!(Scratch::new()), ok!(Edge::new()));
    let (at, basic) = (page.address(), topic(InfoTopic::HandleBasic));
    for bad in BAD_ADDRESSES {
        fails!(
            call(
                SyscallId::ObjectGetInfo,
                &[arg(&event), basic, bad, 32, 0, 0]
            ),
            InvalidArgs
        );
    }
    for bad in BAD_ADDRESSES.into_iter().filter(|address| *address != 0) {
        fails!(
            call(
                SyscallId::ObjectGetInfo,
                &[arg(&event), basic, at, 32, bad, 0]
            ),
            InvalidArgs
        );
        fails!(
            call(
                SyscallId::ObjectGetInfo,
                &[arg(&event), basic, at, 32, 0, bad]
            ),
            InvalidArgs
        );
    }
    let half = [arg(&event), basic, edge.before_end(16), 32, 0, 0];
    fails!(call(SyscallId::ObjectGetInfo, &half), InvalidArgs);
    ok!(call(
        SyscallId::ObjectGetInfo,
        &[arg(&event), basic, edge.before_end(32), 32, 0, 0]
    ));
    Ok(())
}

fn lists_take_any_room(_: &World) -> Case {
    let page = ok!(Scratch::new());
    let at = page.address();
    let (process, threads) = (arg(&libzx::own_process()), topic(InfoTopic::ProcessThreads));
    ok!(call(
        SyscallId::ObjectGetInfo,
        &[process, threads, 0, 0, at + 1000, at + 1008]
    ));
    let [actual, avail]: [u64; 2] = page.get(1000);
    check_eq!(actual, 0);
    check!(avail >= 1);
    ok!(call(
        SyscallId::ObjectGetInfo,
        &[process, threads, at, 15, at + 1000, at + 1008]
    ));
    check_eq!(page.get::<u64>(1000), 1);
    Ok(())
}

fn wrong_types_are_refused(_: &World) -> Case {
    let event = ok!(Event::create());
    for wrong in [
        InfoTopic::Process,
        InfoTopic::ProcessThreads,
        InfoTopic::Vmar,
        InfoTopic::JobChildren,
        InfoTopic::JobProcesses,
        InfoTopic::Thread,
        InfoTopic::Vmo,
    ] {
        fails!(event.get_info_bytes(wrong, &mut [0; 256]), WrongType);
    }
    fails!(
        Unowned(0).get_info_bytes(InfoTopic::Process, &mut [0; 64]),
        BadHandle
    );
    Ok(())
}

fn inspect_is_needed(_: &World) -> Case {
    let process = ok!(libzx::own_process().duplicate_handle(Rights::WAIT | Rights::READ));
    fails!(
        process.get_info::<ProcessInfo>(InfoTopic::Process),
        AccessDenied
    );
    fails!(
        process.get_info_list::<u64>(InfoTopic::ProcessThreads),
        AccessDenied
    );
    ok!(process.get_info::<HandleBasicInfo>(InfoTopic::HandleBasic));
    Ok(())
}

fn a_process_does_not_see_its_own_maps(_: &World) -> Case {
    let own = libzx::own_process();
    fails!(
        own.get_info_bytes(InfoTopic::ProcessMaps, &mut [0; 96]),
        AccessDenied
    );
    Ok(())
}

fn kernel_statistics_need_the_root_resource(world: &World) -> Case {
    let event = ok!(Event::create());
    fails!(
        event.get_info::<KmemStatsInfo>(InfoTopic::KmemStats),
        WrongType
    );
    let Some(resource) = &world.resource else {
        skip!("no root resource");
    };
    let stats: KmemStatsInfo = ok!(resource.get_info(InfoTopic::KmemStats));
    check!(stats.total_bytes > stats.free_bytes && stats.free_bytes > 0);
    Ok(())
}

fn the_handle_table_lists_what_a_process_has(world: &World) -> Case {
    home_only!(world);
    let event = ok!(Event::create());
    let own = libzx::own_process();
    let table = ok!(own.get_info_list::<zx_abi::info::HandleExtendedInfo>(InfoTopic::HandleTable));
    let row = table.iter().find(|row| row.handle_value == event.raw());
    let Some(row) = row else {
        crate::check::fail!("the event is not in the table of {} handles", table.len());
    };
    check_eq!(row.koid, ok!(event.koid()));
    check_eq!(row.kind, zx_abi::ObjectType::Event.raw());
    check_eq!(row.rights, Rights::default_for(zx_abi::ObjectType::Event));
    Ok(())
}

fn process_info_tells_of_this_process(_: &World) -> Case {
    let info: ProcessInfo = ok!(libzx::own_process().get_info(InfoTopic::Process));
    check_eq!((info.started, info.exited), (1, 0));
    Ok(())
}

fn properties_check_size_and_number(_: &World) -> Case {
    let vmo = ok!(Vmo::create(4096, 0));
    fails!(
        vmo.get_property(Property::Name, &mut [0; 31]),
        BufferTooSmall
    );
    ok!(vmo.get_property(Property::Name, &mut [0; 32]));
    let page = ok!(Scratch::new());
    let unknown = [arg(&vmo), 4711, page.address(), 64];
    fails!(call(SyscallId::ObjectGetProperty, &unknown), InvalidArgs);
    fails!(call(SyscallId::ObjectSetProperty, &unknown), InvalidArgs);
    let null = [0, Property::Name.raw() as usize, 0, 64];
    fails!(call(SyscallId::ObjectGetProperty, &null), InvalidArgs);
    let mute = ok!(vmo.duplicate(Rights::READ));
    fails!(mute.name(), AccessDenied);
    fails!(mute.set_name("x"), AccessDenied);
    Ok(())
}

fn names_are_cut(_: &World) -> Case {
    let vmo = ok!(Vmo::create(4096, 0));
    ok!(vmo.set_name("exactly thirty-two characters..."));
    check_eq!(ok!(vmo.name()), "exactly thirty-two characters..");
    ok!(vmo.set_property(Property::Name, b"a\0b"));
    check_eq!(ok!(vmo.name()), "a");
    ok!(vmo.set_property(Property::Name, b"\0"));
    check_eq!(ok!(vmo.name()), "");
    Ok(())
}

fn objects_without_names_say_so(_: &World) -> Case {
    // Neither events nor channels have the rights for properties.
    let event = ok!(Event::create());
    fails!(event.name(), AccessDenied);
    let (channel, _peer) = ok!(Channel::create());
    fails!(channel.set_name("x"), AccessDenied);
    Ok(())
}

fn the_vdso_address_is_known(_: &World) -> Case {
    let mut bytes = [0; 8];
    ok!(libzx::own_process().get_property(Property::ProcessVdsoBaseAddress, &mut bytes));
    check_eq!(u64::from_le_bytes(bytes), libzx::own_vdso_base() as u64);
    Ok(())
}
