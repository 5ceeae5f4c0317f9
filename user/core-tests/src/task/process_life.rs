//! Processes from creation to every kind of end, whoever holds handles to them.

use libzx::{
    AsHandle, Channel, Event, EventPair, Handle, Process, Rights, Signals, Thread, VmOptions, Vmo,
};
use mini_process::{Code, MiniProcess, Register, CODE, DATA, PAGE, STACK};
use zx_abi::info::{
    InfoTopic, ProcessInfo, ThreadState, RETCODE_EXCEPTION_KILL, RETCODE_SYSCALL_KILL,
    RETCODE_VDSO_KILL,
};
use zx_abi::syscalls::SyscallId;

use super::subject::{
    calling, counting, ends_with, general, is_counting, job, mini, reaches, set_general, standing,
    stop, vdso, SAME,
};
use crate::check::{check, check_eq, fail, fails, home_only, ok, suite, Case};
use crate::child::Mode;
use crate::memory::{arg, call, Scratch, BAD_ADDRESSES};
use crate::world::{rights_of, sleep_ms, soon, World};

suite! {
    "ProcessLife":
    it_starts_with_its_arguments_and_clean_registers,
    without_a_handle_to_pass_it_gets_zero,
    closing_its_process_handles_does_not_end_it,
    closing_its_thread_handles_does_not_end_it,
    without_any_handle_it_never_started,
    an_exit_ends_all_its_threads,
    the_first_thread_may_end_before_others,
    a_fault_ends_it_with_a_code_of_its_own,
    a_call_begun_within_a_call_ends_it,
    processes_that_hold_each_other_can_be_killed,
    one_that_waits_for_itself_can_end,
    many_may_be_made_and_killed_while_their_job_dies,
    its_address_space_dies_with_it,
    threads_may_be_made_in_a_dead_one_but_not_started,
    its_names_may_be_empty_or_long,
    a_process_that_cannot_be_told_is_not_made,
    bad_jobs_are_refused,
    bad_starts_are_refused,
    a_refused_start_takes_the_handle,
    the_start_takes_no_handle_that_may_not_move,
    a_killed_one_does_not_start,
    its_signal_comes_after_its_handles_are_closed,
    handles_of_a_dead_one_still_tell,
    one_that_runs_sees_what_others_write,
    the_code_of_one_that_runs_can_be_changed,
}

fn it_starts_with_its_arguments_and_clean_registers(world: &World) -> Case {
    let mut code = Code::new();
    for (word, register) in Register::ALL_BUT_STACK.into_iter().enumerate() {
        code.store(word + 1, register);
    }
    code.store(20, Register::Rsp);
    // pushfq; pop rax
    code.bytes(&[0x9c, 0x58]).store(21, Register::Rax);
    code.increment(0);
    code.spin();
    let mini = mini(world, &code)?;
    let stack = STACK + 2048;
    let event = ok!(Event::create());
    ok!(mini.process.start(
        &mini.thread,
        CODE,
        stack,
        event.into(),
        0x1122_3344_5566_7788
    ));
    ok!(mini.wait_for_word(0, 1));
    for (word, register) in Register::ALL_BUT_STACK.into_iter().enumerate() {
        let value = ok!(mini.word(word + 1));
        match register {
            Register::Rdi => check_eq!(value & 3, 3),
            Register::Rsi => check_eq!(value, 0x1122_3344_5566_7788),
            // The kernel returns to it through them.
            Register::Rcx | Register::R11 => {}
            _ => check_eq!(value, 0),
        }
    }
    check_eq!(ok!(mini.word(20)), stack as u64);
    // The increment before has not run yet, so only the fixed bit and interrupts are set.
    check_eq!(ok!(mini.word(21)), 0x202);
    Ok(())
}

fn without_a_handle_to_pass_it_gets_zero(world: &World) -> Case {
    let closed = ok!(Event::create()).raw();
    for none in [0, closed] {
        let mut code = Code::new();
        code.set(Register::Rax, 1)
            .store(1, Register::Rdi)
            .store(0, Register::Rax);
        code.spin();
        let mini = mini(world, &code)?;
        ok!(mini.set_word(1, 99));
        let args = [
            arg(&mini.process),
            arg(&mini.thread),
            CODE,
            STACK + PAGE,
            none as usize,
            0,
        ];
        ok!(call(SyscallId::ProcessStart, &args));
        ok!(mini.wait_for_word(0, 1));
        check_eq!(ok!(mini.word(1)), 0);
    }
    Ok(())
}

fn closing_its_process_handles_does_not_end_it(world: &World) -> Case {
    let job = job(world)?;
    let sleeper = match world.start_child(&job, Mode::Sleep) {
        Ok(process) => process,
        Err(what) => fail!("{what}"),
    };
    let koid = ok!(sleeper.koid());
    drop(sleeper);
    sleep_ms(5);
    let again = Process::from(ok!(job.child(koid, SAME)));
    check_eq!(ok!(again.info()).exited, 0);
    ok!(again.kill());
    ends_with(&again, RETCODE_SYSCALL_KILL)
}

fn closing_its_thread_handles_does_not_end_it(world: &World) -> Case {
    let mut mini = counting(world)?;
    let koid = ok!(mini.thread.koid());
    mini.thread = Thread::from(Handle::from_raw(0));
    check!(is_counting(&mini)?);
    let again = ok!(mini.process.thread(koid, SAME));
    check_eq!(ok!(again.koid()), koid);
    Ok(())
}

fn without_any_handle_it_never_started(world: &World) -> Case {
    let job = job(world)?;
    let (process, vmar) = ok!(Process::create(&job, "forgotten"));
    let thread = ok!(Thread::create(&process, "forgotten"));
    let koid = ok!(process.koid());
    drop((process, vmar, thread));
    ok!(job.wait_one(Signals::JOB_NO_PROCESSES, soon()));
    fails!(job.child(koid, SAME), NotFound);
    Ok(())
}

fn an_exit_ends_all_its_threads(world: &World) -> Case {
    let vdso = vdso(world)?;
    let mini = ok!(MiniProcess::with_vdso(
        &job(world)?,
        vdso,
        |code, function| {
            code.wait_for(1).set(Register::Rdi, 9);
            code.call(function(SyscallId::ProcessExit));
        }
    ));
    ok!(mini.start());
    let spinning = ok!(mini.add_thread(CODE, 1));
    let stopped = ok!(mini.add_thread(CODE, 2));
    let _token = stop(&stopped)?;
    ok!(mini.set_word(1, 1));
    ends_with(&mini.process, 9)?;
    for thread in [&mini.thread, &spinning, &stopped] {
        ok!(thread.wait_one(Signals::THREAD_TERMINATED, soon()));
    }
    Ok(())
}

fn the_first_thread_may_end_before_others(world: &World) -> Case {
    let vdso = vdso(world)?;
    let mut second = 0;
    let mini = ok!(MiniProcess::with_vdso(
        &job(world)?,
        vdso,
        |code, function| {
            code.wait_for(2);
            code.call(function(SyscallId::ThreadExit));
            second = code.here();
            code.wait_for(1).increment(0);
            code.call(function(SyscallId::ThreadExit));
        }
    ));
    ok!(mini.start());
    let other = ok!(mini.add_thread(second, 1));
    ok!(mini.set_word(2, 1));
    ok!(mini.thread.wait_one(Signals::THREAD_TERMINATED, soon()));
    check_eq!(ok!(mini.process.info()).exited, 0);
    ok!(mini.set_word(1, 1));
    ok!(other.wait_one(Signals::THREAD_TERMINATED, soon()));
    ends_with(&mini.process, 0)?;
    check_eq!(ok!(mini.word(0)), 1);
    Ok(())
}

fn a_fault_ends_it_with_a_code_of_its_own(world: &World) -> Case {
    let mut code = Code::new();
    code.undefined();
    let mini = mini(world, &code)?;
    ok!(mini.start());
    ends_with(&mini.process, RETCODE_EXCEPTION_KILL)
}

/// The vDSO never does that: it repeats or finishes a call that was interrupted before it returns.
fn a_call_begun_within_a_call_ends_it(world: &World) -> Case {
    const ARGS: usize = 8;
    let mut again = 0;
    let mini = ok!(MiniProcess::with_vdso(
        &job(world)?,
        vdso(world)?,
        |code, function| {
            code.store(0, Register::Rdi);
            again = code.here();
            code.load(Register::Rdi, 0).set(Register::Rsi, 0);
            code.set(Register::Rdx, i64::MAX as u64);
            code.set(Register::Rcx, (DATA + ARGS * 8) as u64);
            code.set(Register::R8, (DATA + 0x800) as u64);
            code.set(Register::R9, (DATA + 0x808) as u64);
            code.call(function(SyscallId::ChannelCall));
            code.spin();
        }
    ));
    // Request, its handles, reply, its handles; 4 bytes to write, room for 64.
    let (request, reply) = ((DATA + 0x900) as u64, (DATA + 0xa00) as u64);
    for (index, word) in [request, 0, reply, 0, 4, 64].into_iter().enumerate() {
        ok!(mini.set_word(ARGS + index, word));
    }
    let (client, _server) = ok!(Channel::create());
    ok!(mini.start_with(client.into()));
    reaches(&mini.thread, ThreadState::BlockedChannel)?;
    let token = stop(&mini.thread)?;
    let mut regs = ok!(general(&mini.thread));
    regs.rip = again as u64;
    ok!(set_general(&mini.thread, &regs));
    drop(token);
    ends_with(&mini.process, RETCODE_VDSO_KILL)
}

fn processes_that_hold_each_other_can_be_killed(world: &World) -> Case {
    let job = job(world)?;
    let mut code = Code::new();
    code.spin();
    let (left, right) = ok!(Channel::create());
    let one = ok!(MiniProcess::new(&job, &code));
    let two = ok!(MiniProcess::new(&job, &code));
    // Each has one end of a channel in which a handle to itself waits unread.
    ok!(left.write(b"two", alloc::vec![ok!(two.process.duplicate(SAME)).into()]));
    ok!(right.write(b"one", alloc::vec![ok!(one.process.duplicate(SAME)).into()]));
    ok!(one.start_with(left.into()));
    ok!(two.start_with(right.into()));
    ok!(job.kill());
    ends_with(&one.process, RETCODE_SYSCALL_KILL)?;
    ends_with(&two.process, RETCODE_SYSCALL_KILL)?;
    ok!(job.wait_one(Signals::JOB_TERMINATED, soon()));
    Ok(())
}

fn one_that_waits_for_itself_can_end(world: &World) -> Case {
    let vdso = vdso(world)?;
    let mini = ok!(MiniProcess::with_vdso(
        &job(world)?,
        vdso,
        |code, function| {
            code.store(8, Register::Rdi)
                .set(Register::Rdi, 0)
                .set(Register::Rsi, DATA as u64 + 72);
            code.call(function(SyscallId::PortCreate));
            code.load(Register::Rdi, 8)
                .load(Register::Rsi, 9)
                .set(Register::Rdx, 1)
                .set(Register::Rcx, u64::from(Signals::PROCESS_TERMINATED.bits()))
                .set(Register::R8, 0);
            code.call(function(SyscallId::ObjectWaitAsync));
            code.bytes(&[0x48, 0x63, 0xf8]);
            code.call(function(SyscallId::ProcessExit));
        }
    ));
    ok!(mini.start_with(ok!(mini.process.duplicate(SAME)).into()));
    ends_with(&mini.process, 0)
}

fn many_may_be_made_and_killed_while_their_job_dies(world: &World) -> Case {
    for _ in 0..20 {
        let job = job(world)?;
        let copy = ok!(job.duplicate(SAME));
        let maker = ok!(libzx::thread::spawn("maker", move || {
            while let Ok((process, _vmar)) = Process::create(&copy, "raced") {
                let _ = Thread::create(&process, "raced");
            }
        }));
        sleep_ms(1);
        ok!(job.kill());
        ok!(maker.join());
        ok!(job.wait_one(Signals::JOB_TERMINATED, soon()));
        let left = ok!(job.get_info_list::<u64>(InfoTopic::JobProcesses));
        check_eq!(left.len(), 0);
        fails!(Process::create(&job, "late"), BadState);
    }
    Ok(())
}

fn its_address_space_dies_with_it(world: &World) -> Case {
    let (mini, _token) = standing(world)?;
    ok!(mini.process.kill());
    ends_with(&mini.process, RETCODE_SYSCALL_KILL)?;
    let vmo = ok!(Vmo::create(PAGE as u64, 0));
    fails!(
        mini.vmar.map(VmOptions::PERM_READ, 0, &vmo, 0, PAGE),
        BadState
    );
    fails!(
        mini.vmar.allocate(VmOptions::CAN_MAP_READ, 0, PAGE),
        BadState
    );
    fails!(mini.vmar.unmap(CODE, PAGE), BadState);
    fails!(
        mini.vmar.protect(VmOptions::PERM_READ, CODE, PAGE),
        BadState
    );
    Ok(())
}

fn threads_may_be_made_in_a_dead_one_but_not_started(world: &World) -> Case {
    let (mini, _token) = standing(world)?;
    ok!(mini.process.kill());
    ends_with(&mini.process, RETCODE_SYSCALL_KILL)?;
    let thread = ok!(Thread::create(&mini.process, "late"));
    fails!(thread.start(CODE, STACK, 0, 0), BadState);
    Ok(())
}

fn its_names_may_be_empty_or_long(world: &World) -> Case {
    let job = job(world)?;
    // No byte of the name is looked at, but the pointer.
    let page = ok!(Scratch::new());
    let at = page.address();
    ok!(call(
        SyscallId::ProcessCreate,
        &[arg(&job), at, 0, 0, at, at + 4]
    ));
    let (nameless, _vmar) = (
        Process::from(Handle::from_raw(page.u32(0))),
        Handle::from_raw(page.u32(4)),
    );
    check_eq!(ok!(nameless.name()), "");
    let long = "0123456789012345678901234567890123456789";
    let (named, _vmar) = ok!(Process::create(&job, long));
    check_eq!(ok!(named.name()), long[..31]);
    ok!(named.set_name("\0"));
    check_eq!(ok!(named.name()), "");
    Ok(())
}

fn a_process_that_cannot_be_told_is_not_made(world: &World) -> Case {
    let job = job(world)?;
    let page = ok!(Scratch::new());
    let at = page.address();
    let create = |name: usize, process: usize, vmar: usize| {
        call(
            SyscallId::ProcessCreate,
            &[arg(&job), name, 1, 0, process, vmar],
        )
    };
    for bad in BAD_ADDRESSES {
        fails!(create(bad, at, at + 4), InvalidArgs);
        fails!(create(at, bad, at + 4), InvalidArgs);
        fails!(create(at, at, bad), InvalidArgs);
    }
    ok!(job.wait_one(Signals::JOB_NO_PROCESSES, soon()));
    Ok(())
}

fn bad_jobs_are_refused(world: &World) -> Case {
    let page = ok!(Scratch::new());
    let at = page.address();
    let create = |job: usize| call(SyscallId::ProcessCreate, &[job, at, 1, 0, at, at + 4]);
    fails!(create(0), BadHandle);
    fails!(create(arg(&ok!(Event::create()))), WrongType);
    let weak = ok!(job(world)?.duplicate(Rights::BASIC | Rights::MANAGE_JOB));
    fails!(create(arg(&weak)), AccessDenied);
    let dead = job(world)?;
    ok!(dead.kill());
    ok!(dead.wait_one(Signals::JOB_TERMINATED, soon()));
    fails!(create(arg(&dead)), BadState);
    // Options come before the job.
    fails!(
        call(SyscallId::ProcessCreate, &[0, at, 1, 1, at, at + 4]),
        InvalidArgs
    );
    Ok(())
}

fn bad_starts_are_refused(world: &World) -> Case {
    let mini = mini(world, &Code::new())?;
    let other = super::subject::mini(world, &Code::new())?;
    let event = ok!(Event::create());
    let start = |process: usize, thread: usize| {
        call(
            SyscallId::ProcessStart,
            &[process, thread, CODE, STACK, 0, 0],
        )
    };
    fails!(start(0, arg(&mini.thread)), BadHandle);
    fails!(start(arg(&mini.process), 0), BadHandle);
    fails!(start(arg(&event), arg(&mini.thread)), WrongType);
    fails!(start(arg(&mini.process), arg(&event)), WrongType);
    fails!(start(arg(&mini.process), arg(&other.thread)), AccessDenied);
    let weak = ok!(mini.process.duplicate(Rights::BASIC | Rights::READ));
    fails!(start(arg(&weak), arg(&mini.thread)), AccessDenied);
    let weak = ok!(mini.thread.duplicate(Rights::BASIC | Rights::READ));
    fails!(start(arg(&mini.process), arg(&weak)), AccessDenied);
    let info: ProcessInfo = ok!(mini.process.info());
    check_eq!(info.started, 0);
    Ok(())
}

fn a_refused_start_takes_the_handle(world: &World) -> Case {
    let mini = mini(world, &Code::new())?;
    let other = super::subject::mini(world, &Code::new())?;
    let nothing = Thread::from(Handle::from_raw(0));
    for thread in [&other.thread, &nothing] {
        let (witness, sent) = ok!(EventPair::create());
        check!(mini
            .process
            .start(thread, CODE, STACK, sent.into(), 0)
            .is_err());
        ok!(witness.wait_one(Signals::EVENTPAIR_PEER_CLOSED, 0));
    }
    Ok(())
}

fn the_start_takes_no_handle_that_may_not_move(world: &World) -> Case {
    let mini = mini(world, &Code::new())?;
    let (witness, sent) = ok!(EventPair::create());
    let stuck = ok!(sent.replace(Rights::WAIT));
    let started = mini
        .process
        .start(&mini.thread, CODE, STACK, stuck.into(), 0);
    fails!(started, AccessDenied);
    ok!(witness.wait_one(Signals::EVENTPAIR_PEER_CLOSED, 0));
    check_eq!(ok!(mini.process.info()).started, 0);
    Ok(())
}

fn a_killed_one_does_not_start(world: &World) -> Case {
    let mini = mini(world, &Code::new())?;
    ok!(mini.process.kill());
    ends_with(&mini.process, RETCODE_SYSCALL_KILL)?;
    fails!(mini.start(), BadState);
    let (witness, sent) = ok!(EventPair::create());
    fails!(mini.start_with(sent.into()), BadState);
    ok!(witness.wait_one(Signals::EVENTPAIR_PEER_CLOSED, 0));
    Ok(())
}

fn its_signal_comes_after_its_handles_are_closed(world: &World) -> Case {
    let mut code = Code::new();
    code.spin();
    let mini = mini(world, &code)?;
    let (witness, sent) = ok!(EventPair::create());
    ok!(mini.start_with(sent.into()));
    ok!(mini.process.kill());
    ok!(mini.process.wait_one(Signals::PROCESS_TERMINATED, soon()));
    ok!(witness.wait_one(Signals::EVENTPAIR_PEER_CLOSED, 0));
    Ok(())
}

fn handles_of_a_dead_one_still_tell(world: &World) -> Case {
    let mini = calling(world, SyscallId::HandleClose, &[0])?;
    ok!(mini.process.set_name("late process"));
    ok!(mini.start());
    ends_with(&mini.process, 0)?;
    check_eq!(ok!(mini.process.name()), "late process");
    check!(ok!(rights_of(&mini.process)).contains(Rights::READ));
    ok!(mini.process.wait_one(Signals::PROCESS_TERMINATED, 0));
    check_eq!(
        ok!(mini.process.get_info_list::<u64>(InfoTopic::ProcessThreads)).len(),
        0
    );
    home_only!(world);
    ok!(mini
        .process
        .get_info::<zx_abi::info::TaskRuntimeInfo>(InfoTopic::TaskRuntime));
    Ok(())
}

fn one_that_runs_sees_what_others_write(world: &World) -> Case {
    let mut code = Code::new();
    code.wait_for(1).increment(0);
    code.spin();
    let mini = mini(world, &code)?;
    ok!(mini.start());
    ok!(mini.process.write_memory(DATA + 8, &[1]));
    ok!(mini.wait_for_word(0, 1));
    Ok(())
}

fn the_code_of_one_that_runs_can_be_changed(world: &World) -> Case {
    let mut code = Code::new();
    let spin = code.spin();
    code.increment(0);
    code.spin();
    let mini = mini(world, &code)?;
    ok!(mini.start());
    // Two bytes at once: the jump becomes two instructions that do nothing.
    ok!(mini.process.write_memory(spin, &[0x90, 0x90]));
    ok!(mini.wait_for_word(0, 1));
    Ok(())
}
