//! Processes: from creation to their end.

use libzx::{
    AsHandle, Event, EventPair, Handle, Job, Process, Rights, Signals, Thread, VmOptions, Vmo,
};
use zx_abi::info::{ProcessInfo, RETCODE_SYSCALL_KILL};
use zx_abi::syscalls::SyscallId;
use zx_abi::ObjectType;

use crate::check::{check, check_eq, fail, fails, ok, skip, suite, Case, Outcome};
use crate::child::Mode;
use crate::memory::{arg, call, Scratch, PAGE};
use crate::world::{basic_info, rights_of, soon, Level, World};

suite! {
    "Process":
    new_ones_have_the_usual_rights,
    unknown_options_and_bad_names_are_refused,
    a_new_one_has_neither_started_nor_ended,
    exit_codes_are_kept,
    any_thread_can_end_the_process,
    the_last_thread_ends_the_process,
    a_killed_one_has_the_code_of_a_kill,
    an_unstarted_one_can_be_killed,
    killing_twice_is_fine,
    killing_needs_the_right,
    threads_are_listed,
    starting_twice_says_bad_state_and_takes_the_handle,
    starting_needs_rights,
    starting_with_a_thread_of_another_process_is_denied,
    its_memory_can_be_written_and_read,
    reading_memory_checks_its_arguments,
    its_handles_close_when_it_ends,
    its_name_can_be_read,
}

fn job(world: &World) -> Result<Job, Outcome> {
    match &world.job {
        Some(job) => Ok(ok!(job.create_child())),
        None => skip!("no job"),
    }
}

fn started(world: &World, job: &Job, mode: Mode) -> Result<Process, Outcome> {
    match world.start_child(job, mode) {
        Ok(process) => Ok(process),
        Err(what) => fail!("{what}"),
    }
}

fn code(world: &World, mode: Mode) -> Result<i64, Outcome> {
    match world.child_code(&job(world)?, mode) {
        Ok(code) => Ok(code),
        Err(what) => fail!("{what}"),
    }
}

fn new_ones_have_the_usual_rights(world: &World) -> Case {
    let job = job(world)?;
    let (process, vmar) = ok!(Process::create(&job, "new"));
    let info = ok!(basic_info(&process));
    check_eq!(info.kind, ObjectType::Process.raw());
    check_eq!(info.rights, Rights::default_for(ObjectType::Process));
    check_eq!(info.related_koid, ok!(job.koid()));
    check_eq!(ok!(rights_of(&vmar)), Rights::ROOT_VMAR);
    check_eq!(ok!(vmar.range()), (0x100_0000, 0x7fff_feff_f000));
    Ok(())
}

fn unknown_options_and_bad_names_are_refused(world: &World) -> Case {
    let job = job(world)?;
    let page = ok!(Scratch::new());
    let at = page.address();
    fails!(
        call(SyscallId::ProcessCreate, &[arg(&job), at, 1, 1, at, at + 4]),
        InvalidArgs
    );
    fails!(
        call(SyscallId::ProcessCreate, &[arg(&job), 0, 0, 0, at, at + 4]),
        InvalidArgs
    );
    fails!(
        call(
            SyscallId::ProcessCreate,
            &[arg(&job), 0x1000, 5, 0, at, at + 4]
        ),
        InvalidArgs
    );
    fails!(
        call(SyscallId::ProcessCreate, &[arg(&job), at, 1, 0, 0, at]),
        InvalidArgs
    );
    fails!(
        call(SyscallId::ProcessCreate, &[arg(&job), at, 1, 0, at, 0]),
        InvalidArgs
    );
    Ok(())
}

fn a_new_one_has_neither_started_nor_ended(world: &World) -> Case {
    let (process, _vmar) = ok!(Process::create(&job(world)?, "new"));
    let info: ProcessInfo = ok!(process.info());
    check_eq!((info.started, info.exited), (0, 0));
    check_eq!(ok!(process.signals_now(Signals::all())), Signals::empty());
    Ok(())
}

fn exit_codes_are_kept(world: &World) -> Case {
    for (mode, expected) in [
        (Mode::ExitZero, 0),
        (Mode::Exit42, 42),
        (Mode::ExitNegative, -7),
    ] {
        check_eq!(code(world, mode)?, expected);
    }
    Ok(())
}

fn any_thread_can_end_the_process(world: &World) -> Case {
    check_eq!(code(world, Mode::SecondThread)?, 5);
    Ok(())
}

fn the_last_thread_ends_the_process(world: &World) -> Case {
    check_eq!(code(world, Mode::ThreadExit)?, 0);
    Ok(())
}

fn a_killed_one_has_the_code_of_a_kill(world: &World) -> Case {
    let process = started(world, &job(world)?, Mode::Sleep)?;
    let info: ProcessInfo = ok!(process.info());
    check_eq!((info.started, info.exited), (1, 0));
    ok!(process.kill());
    ok!(process.wait_one(Signals::PROCESS_TERMINATED, soon()));
    let info: ProcessInfo = ok!(process.info());
    check_eq!((info.started, info.exited), (1, 1));
    check_eq!(info.return_code, RETCODE_SYSCALL_KILL);
    Ok(())
}

fn an_unstarted_one_can_be_killed(world: &World) -> Case {
    let (process, vmar) = ok!(Process::create(&job(world)?, "new"));
    ok!(process.kill());
    ok!(process.wait_one(Signals::PROCESS_TERMINATED, soon()));
    check_eq!(ok!(process.info()).return_code, RETCODE_SYSCALL_KILL);
    let vmo = ok!(Vmo::create(4096, 0));
    fails!(vmar.map(VmOptions::PERM_READ, 0, &vmo, 0, PAGE), BadState);
    Ok(())
}

fn killing_twice_is_fine(world: &World) -> Case {
    let process = started(world, &job(world)?, Mode::ExitZero)?;
    ok!(process.wait_one(Signals::PROCESS_TERMINATED, soon()));
    ok!(process.kill());
    check_eq!(ok!(process.info()).return_code, 0);
    Ok(())
}

fn killing_needs_the_right(world: &World) -> Case {
    let (process, _vmar) = ok!(Process::create(&job(world)?, "new"));
    let weak = ok!(process.duplicate(Rights::BASIC | Rights::IO));
    fails!(weak.kill(), AccessDenied);
    let event = Process::from(Handle::from(ok!(Event::create())));
    check!(event.kill().is_err());
    Ok(())
}

fn threads_are_listed(world: &World) -> Case {
    let process = started(world, &job(world)?, Mode::Sleep)?;
    let koids = ok!(process.get_info_list::<u64>(zx_abi::InfoTopic::ProcessThreads));
    check_eq!(koids.len(), 1);
    let thread = ok!(process.thread(koids[0], Rights::SAME_RIGHTS));
    let info = ok!(basic_info(&thread));
    check_eq!(info.kind, ObjectType::Thread.raw());
    check_eq!(info.related_koid, ok!(process.koid()));
    fails!(
        process.thread(koids[0] + 100_000, Rights::SAME_RIGHTS),
        NotFound
    );
    ok!(process.kill());
    Ok(())
}

fn starting_twice_says_bad_state_and_takes_the_handle(world: &World) -> Case {
    let process = started(world, &job(world)?, Mode::Sleep)?;
    let thread = ok!(Thread::create(&process, "second"));
    let (witness, sent) = ok!(EventPair::create());
    let start = process.start(&thread, 0x100_0000, 0x100_0000, sent.into(), 0);
    fails!(start, BadState);
    check_eq!(
        ok!(witness.signals_now(Signals::all())),
        Signals::PEER_CLOSED
    );
    ok!(process.kill());
    Ok(())
}

fn starting_needs_rights(world: &World) -> Case {
    let (process, _vmar) = ok!(Process::create(&job(world)?, "new"));
    let thread = ok!(Thread::create(&process, "first"));
    let weak = ok!(process.duplicate(Rights::BASIC));
    let none = || Handle::from_raw(0);
    fails!(weak.start(&thread, 0, 0, none(), 0), AccessDenied);
    let weak = ok!(thread.duplicate(Rights::BASIC));
    fails!(process.start(&weak, 0, 0, none(), 0), AccessDenied);
    let stay = ok!(ok!(Event::create()).replace(Rights::WAIT));
    fails!(process.start(&thread, 0, 0, stay.into(), 0), AccessDenied);
    Ok(())
}

fn starting_with_a_thread_of_another_process_is_denied(world: &World) -> Case {
    let job = job(world)?;
    let (process, _vmar) = ok!(Process::create(&job, "one"));
    let (other, _other_vmar) = ok!(Process::create(&job, "two"));
    let thread = ok!(Thread::create(&other, "first"));
    fails!(
        process.start(&thread, 0, 0, Handle::from_raw(0), 0),
        AccessDenied
    );
    Ok(())
}

fn its_memory_can_be_written_and_read(world: &World) -> Case {
    let (process, vmar) = ok!(Process::create(&job(world)?, "new"));
    let vmo = ok!(Vmo::create(2 * PAGE as u64, 0));
    let at = ok!(vmar.map(VmOptions::PERM_READ, 0, &vmo, 0, 2 * PAGE));
    let mut page = ok!(Scratch::new());
    page.put(0, b"poked");
    let args = [
        arg(&process),
        at + 10,
        page.address(),
        5,
        page.address() + 64,
    ];
    ok!(call(SyscallId::ProcessWriteMemory, &args));
    check_eq!(page.get::<u64>(64), 5);
    let mut bytes = [0; 7];
    check_eq!(ok!(process.read_memory(at + 9, &mut bytes)), 7);
    check_eq!(bytes, *b"\0poked\0");
    // A read ends with the mapping.
    let mut many = alloc::vec![0; 3 * PAGE];
    check_eq!(ok!(process.read_memory(at + PAGE, &mut many)), PAGE);
    Ok(())
}

fn reading_memory_checks_its_arguments(world: &World) -> Case {
    let (process, vmar) = ok!(Process::create(&job(world)?, "new"));
    let mut buffer = [0; 8];
    fails!(process.read_memory(0x100_0000, &mut []), InvalidArgs);
    fails!(process.read_memory(0x100_0000, &mut buffer), NoMemory);
    fails!(
        process.read_memory(0xffff_ffff_8000_0000, &mut buffer),
        NoMemory
    );
    let vmo = ok!(Vmo::create(4096, 0));
    let at = ok!(vmar.map(VmOptions::PERM_READ, 0, &vmo, 0, PAGE));
    let weak = ok!(process.duplicate(Rights::READ));
    fails!(weak.read_memory(at, &mut buffer), AccessDenied);
    ok!(process.kill());
    ok!(process.wait_one(Signals::PROCESS_TERMINATED, soon()));
    // The kernel of July 2019 still has the address space of a dead process, with nothing in it.
    match world.level {
        Level::Home => fails!(process.read_memory(at, &mut buffer), BadState),
        Level::July2019 => fails!(process.read_memory(at, &mut buffer), NoMemory),
    }
    Ok(())
}

fn its_handles_close_when_it_ends(world: &World) -> Case {
    let job = job(world)?;
    let (process, vmar) = ok!(Process::create(&job, "new"));
    let thread = ok!(Thread::create(&process, "first"));
    let (witness, sent) = ok!(EventPair::create());
    // It faults at once: nothing is mapped in it.
    ok!(process.start(&thread, 0x100_0000, 0x100_0000, sent.into(), 0));
    ok!(process.wait_one(Signals::PROCESS_TERMINATED, soon()));
    ok!(witness.wait_one(Signals::EVENTPAIR_PEER_CLOSED, soon()));
    check_eq!(
        ok!(process.info()).return_code,
        zx_abi::info::RETCODE_EXCEPTION_KILL
    );
    drop(vmar);
    Ok(())
}

fn its_name_can_be_read(world: &World) -> Case {
    let (process, _vmar) = ok!(Process::create(
        &job(world)?,
        "a process with a very long name indeed"
    ));
    check_eq!(ok!(process.name()), "a process with a very long name");
    ok!(process.set_name("short"));
    check_eq!(ok!(process.name()), "short");
    Ok(())
}
