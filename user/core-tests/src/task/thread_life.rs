//! Threads from creation to their end.

use alloc::vec::Vec;

use libzx::{AsHandle, Event, Handle, Process, Rights, Signals, Thread};
use mini_process::{Code, MiniProcess, Register, CODE, STACK, STACK_SIZE};
use zx_abi::info::{InfoTopic, ThreadState, RETCODE_EXCEPTION_KILL, RETCODE_SYSCALL_KILL};
use zx_abi::syscalls::SyscallId;

use super::subject::{
    counting, ends_with, is_counting, job, mini, reaches, standing, state, vdso, SAME,
};
use crate::check::{check, check_eq, fails, ok, suite, Case};
use crate::memory::{arg, call, Scratch, BAD_ADDRESSES};
use crate::world::{soon, World};

suite! {
    "ThreadLife":
    it_gets_its_two_arguments_and_clean_registers,
    it_starts_with_clean_floating_point_state,
    a_handle_is_not_needed_to_run,
    an_unstarted_one_answers,
    an_unstarted_one_goes_with_its_last_handle,
    signals_follow_its_life,
    names_may_be_empty_or_long,
    the_first_thread_is_not_started_by_thread_start,
    a_thread_starts_once,
    a_start_in_a_dead_process_is_refused,
    a_start_at_zero_faults,
    a_start_in_the_kernel_faults,
    a_start_at_a_non_canonical_address_faults,
    a_start_without_stack_faults_at_the_first_push,
    a_thread_that_cannot_be_told_is_not_made,
    bad_processes_are_refused,
    bad_starts_are_refused,
    the_right_to_start_is_needed,
    the_right_to_create_is_needed,
    one_can_be_found_by_its_koid,
    it_exits_between_others,
    many_come_and_go,
}

fn it_gets_its_two_arguments_and_clean_registers(world: &World) -> Case {
    let mut code = Code::new();
    code.spin();
    let entry = code.here();
    for (word, register) in Register::ALL_BUT_STACK.into_iter().enumerate() {
        code.store(word + 1, register);
    }
    code.store(20, Register::Rsp).increment(0);
    code.spin();
    let mini = mini(world, &code)?;
    ok!(mini.start());
    let thread = ok!(Thread::create(&mini.process, "second"));
    let stack = STACK + 3 * STACK_SIZE - 16;
    ok!(thread.start(entry, stack, 0xaaaa_bbbb_cccc_dddd, usize::MAX));
    ok!(mini.wait_for_word(0, 1));
    for (word, register) in Register::ALL_BUT_STACK.into_iter().enumerate() {
        let value = ok!(mini.word(word + 1));
        match register {
            Register::Rdi => check_eq!(value, 0xaaaa_bbbb_cccc_dddd),
            Register::Rsi => check_eq!(value, u64::MAX),
            Register::Rcx | Register::R11 => {}
            _ => check_eq!(value, 0),
        }
    }
    check_eq!(ok!(mini.word(20)), stack as u64);
    Ok(())
}

fn it_starts_with_clean_floating_point_state(world: &World) -> Case {
    let mut code = Code::new();
    // fnstcw [word 1]; stmxcsr [word 2]; movq [word 3], xmm0; movq [word 4], xmm15
    code.on_word(&[0xd9, 0x3d], 1)
        .on_word(&[0x0f, 0xae, 0x1d], 2)
        .on_word(&[0x66, 0x0f, 0xd6, 0x05], 3)
        .on_word(&[0x66, 0x44, 0x0f, 0xd6, 0x3d], 4)
        .increment(0);
    code.spin();
    let mini = mini(world, &code)?;
    for word in 1..5 {
        ok!(mini.set_word(word, u64::MAX));
    }
    ok!(mini.start());
    ok!(mini.wait_for_word(0, 1));
    check_eq!(ok!(mini.word(1)) & 0xffff, 0x37f);
    check_eq!(ok!(mini.word(2)) & 0xffff_ffff, 0x1f80);
    check_eq!([ok!(mini.word(3)), ok!(mini.word(4))], [0, 0]);
    Ok(())
}

fn a_handle_is_not_needed_to_run(world: &World) -> Case {
    let mini = counting(world)?;
    let entry = CODE;
    drop(ok!(mini.add_thread(entry, 1)));
    check_eq!(
        ok!(mini.process.get_info_list::<u64>(InfoTopic::ProcessThreads)).len(),
        2
    );
    check!(is_counting(&mini)?);
    Ok(())
}

fn an_unstarted_one_answers(world: &World) -> Case {
    let (mini, _token) = standing(world)?;
    let thread = ok!(Thread::create(&mini.process, "unstarted"));
    check_eq!(ok!(state(&thread)), Some(ThreadState::New));
    check_eq!(ok!(thread.signals_now(Signals::all())), Signals::empty());
    fails!(thread.wait_one(Signals::THREAD_TERMINATED, 0), TimedOut);
    let page = ok!(Scratch::new());
    let args = [arg(&thread), 0, page.address(), 160];
    fails!(call(SyscallId::ThreadReadState, &args), BadState);
    fails!(call(SyscallId::ThreadWriteState, &args), BadState);
    // It may be suspended, and starts when it is no more.
    let token = ok!(thread.suspend());
    drop(token);
    check_eq!(ok!(state(&thread)), Some(ThreadState::New));
    Ok(())
}

fn an_unstarted_one_goes_with_its_last_handle(world: &World) -> Case {
    let (mini, _token) = standing(world)?;
    let thread = ok!(Thread::create(&mini.process, "forgotten"));
    let koid = ok!(thread.koid());
    fails!(mini.process.thread(koid, SAME), NotFound);
    drop(thread);
    fails!(mini.process.thread(koid, SAME), NotFound);
    Ok(())
}

fn signals_follow_its_life(world: &World) -> Case {
    let mini = mini(world, &{
        let mut code = Code::new();
        code.spin();
        code
    })?;
    let now = || mini.thread.signals_now(Signals::all());
    check_eq!(ok!(now()), Signals::empty());
    ok!(mini.start());
    check_eq!(ok!(now()), Signals::THREAD_RUNNING);
    let token = super::subject::stop(&mini.thread)?;
    check_eq!(ok!(now()), Signals::THREAD_SUSPENDED);
    drop(token);
    ok!(mini.thread.wait_one(Signals::THREAD_RUNNING, soon()));
    check_eq!(ok!(now()), Signals::THREAD_RUNNING);
    ok!(mini.process.kill());
    ok!(mini.thread.wait_one(Signals::THREAD_TERMINATED, soon()));
    check_eq!(ok!(now()), Signals::THREAD_TERMINATED);
    Ok(())
}

fn names_may_be_empty_or_long(world: &World) -> Case {
    let (mini, _token) = standing(world)?;
    // No byte of the name is looked at, but the pointer.
    let page = ok!(Scratch::new());
    let args = [arg(&mini.process), page.address(), 0, 0, page.address()];
    ok!(call(SyscallId::ThreadCreate, &args));
    check_eq!(ok!(Thread::from(Handle::from_raw(page.u32(0))).name()), "");
    let long = "0123456789012345678901234567890123456789";
    check_eq!(
        ok!(ok!(Thread::create(&mini.process, long)).name()),
        long[..31]
    );
    check_eq!(
        ok!(ok!(Thread::create(&mini.process, "cut\0here")).name()),
        "cut"
    );
    Ok(())
}

fn the_first_thread_is_not_started_by_thread_start(world: &World) -> Case {
    let mini = mini(world, &Code::new())?;
    fails!(mini.thread.start(CODE, STACK + STACK_SIZE, 0, 0), BadState);
    check_eq!(ok!(state(&mini.thread)), Some(ThreadState::New));
    check_eq!(ok!(mini.process.info()).started, 0);
    Ok(())
}

fn a_thread_starts_once(world: &World) -> Case {
    let mini = counting(world)?;
    let again = mini.thread.start(CODE, STACK + STACK_SIZE, 0, 0);
    fails!(again, BadState);
    check!(is_counting(&mini)?);
    let other = ok!(mini.add_thread(CODE, 1));
    fails!(other.start(CODE, STACK, 0, 0), BadState);
    ok!(mini.process.kill());
    ok!(other.wait_one(Signals::THREAD_TERMINATED, soon()));
    fails!(other.start(CODE, STACK, 0, 0), BadState);
    Ok(())
}

fn a_start_in_a_dead_process_is_refused(world: &World) -> Case {
    let (mini, _token) = standing(world)?;
    let thread = ok!(Thread::create(&mini.process, "late"));
    ok!(mini.process.kill());
    ends_with(&mini.process, RETCODE_SYSCALL_KILL)?;
    fails!(thread.start(CODE, STACK, 0, 0), BadState);
    Ok(())
}

/// A process that dies by a fault because its thread starts at `entry`.
fn faults_at(world: &World, entry: usize, stack: usize) -> Case {
    let mut code = Code::new();
    // push rax
    code.bytes(&[0x50]);
    code.spin();
    let mini = mini(world, &code)?;
    ok!(mini
        .process
        .start(&mini.thread, entry, stack, Handle::from_raw(0), 0));
    ends_with(&mini.process, RETCODE_EXCEPTION_KILL)
}

fn a_start_at_zero_faults(world: &World) -> Case {
    faults_at(world, 0, STACK + STACK_SIZE)
}

fn a_start_in_the_kernel_faults(world: &World) -> Case {
    faults_at(world, 0xffff_ffff_8010_0000, STACK + STACK_SIZE)
}

fn a_start_at_a_non_canonical_address_faults(world: &World) -> Case {
    for entry in [
        0x8000_0000_0000,
        0x1234_5678_9abc_def0,
        0xffff_7fff_ffff_ffff,
    ] {
        faults_at(world, entry, STACK + STACK_SIZE)?;
    }
    Ok(())
}

fn a_start_without_stack_faults_at_the_first_push(world: &World) -> Case {
    for stack in [0, 0xffff_ffff_8010_0000, 0x8000_0000_0000] {
        faults_at(world, CODE, stack)?;
    }
    Ok(())
}

fn a_thread_that_cannot_be_told_is_not_made(world: &World) -> Case {
    let (mini, _token) = standing(world)?;
    let page = ok!(Scratch::new());
    for bad in BAD_ADDRESSES {
        let args = [arg(&mini.process), page.address(), 1, 0, bad];
        fails!(call(SyscallId::ThreadCreate, &args), InvalidArgs);
        let args = [arg(&mini.process), bad, 1, 0, page.address()];
        fails!(call(SyscallId::ThreadCreate, &args), InvalidArgs);
    }
    Ok(())
}

fn bad_processes_are_refused(world: &World) -> Case {
    let page = ok!(Scratch::new());
    let create = |process: usize, options: usize| {
        let at = page.address();
        call(SyscallId::ThreadCreate, &[process, at, 1, options, at])
    };
    fails!(create(0, 0), BadHandle);
    fails!(create(0, 1), InvalidArgs);
    fails!(create(arg(&ok!(Event::create())), 0), WrongType);
    let job = job(world)?;
    fails!(create(arg(&job), 0), WrongType);
    Ok(())
}

fn bad_starts_are_refused(world: &World) -> Case {
    let (mini, _token) = standing(world)?;
    let start = |thread: usize| call(SyscallId::ThreadStart, &[thread, CODE, STACK, 0, 0]);
    fails!(start(0), BadHandle);
    fails!(start(arg(&mini.process)), WrongType);
    fails!(start(arg(&ok!(Event::create()))), WrongType);
    Ok(())
}

fn the_right_to_start_is_needed(world: &World) -> Case {
    let (mini, _token) = standing(world)?;
    let thread = ok!(Thread::create(&mini.process, "weak"));
    let weak = ok!(thread.duplicate(Rights::BASIC | Rights::READ));
    fails!(weak.start(CODE, STACK, 0, 0), AccessDenied);
    ok!(ok!(thread.duplicate(Rights::MANAGE_THREAD)).start(CODE, STACK, 0, 0));
    Ok(())
}

fn the_right_to_create_is_needed(world: &World) -> Case {
    let (mini, _token) = standing(world)?;
    let weak = ok!(mini
        .process
        .duplicate(Rights::DESTROY | Rights::READ | Rights::MANAGE_PROCESS));
    fails!(Thread::create(&weak, "weak"), AccessDenied);
    let enough = ok!(mini.process.duplicate(Rights::MANAGE_THREAD));
    ok!(Thread::create(&enough, "strong"));
    Ok(())
}

fn one_can_be_found_by_its_koid(world: &World) -> Case {
    let (mini, _token) = standing(world)?;
    let koid = ok!(mini.thread.koid());
    let found = ok!(mini.process.thread(koid, Rights::READ));
    check_eq!(ok!(found.koid()), koid);
    check_eq!(ok!(crate::world::rights_of(&found)), Rights::READ);
    let blind = ok!(mini.process.duplicate(Rights::READ));
    fails!(blind.thread(koid, Rights::READ), AccessDenied);
    let seeing = ok!(mini.process.duplicate(Rights::ENUMERATE | Rights::READ));
    fails!(seeing.thread(koid, Rights::WRITE), AccessDenied);
    let (other, _other_token) = standing(world)?;
    fails!(other.process.thread(koid, Rights::READ), NotFound);
    Ok(())
}

fn it_exits_between_others(world: &World) -> Case {
    let mut exit = 0;
    let mini = ok!(MiniProcess::with_vdso(
        &job(world)?,
        vdso(world)?,
        |code, function| {
            let start = code.here();
            code.increment(0).jump(start);
            exit = code.here();
            code.increment(1);
            code.call(function(SyscallId::ThreadExit)).increment(2);
            code.spin();
        }
    ));
    ok!(mini.start());
    for round in 1..4 {
        let thread = ok!(mini.add_thread(exit, 1));
        ok!(thread.wait_one(Signals::THREAD_TERMINATED, soon()));
        reaches(&thread, ThreadState::Dead)?;
        check_eq!([ok!(mini.word(1)), ok!(mini.word(2))], [round, 0]);
        fails!(mini.process.thread(ok!(thread.koid()), SAME), NotFound);
    }
    check!(is_counting(&mini)?);
    let process: &Process = &mini.process;
    check_eq!(ok!(process.info()).exited, 0);
    Ok(())
}

fn many_come_and_go(world: &World) -> Case {
    let mut exit = 0;
    let mini = ok!(MiniProcess::with_vdso(
        &job(world)?,
        vdso(world)?,
        |code, function| {
            code.spin();
            exit = code.here();
            // lock inc [word 1]
            code.bytes(&[0xf0]).increment(1);
            code.call(function(SyscallId::ThreadExit));
        }
    ));
    let token = ok!(mini.process.suspend());
    ok!(mini.start());
    drop(token);
    for _ in 0..20 {
        let mut threads = Vec::new();
        for number in 1..8 {
            threads.push(ok!(mini.add_thread(exit, number)));
        }
        for thread in &threads {
            ok!(thread.wait_one(Signals::THREAD_TERMINATED, soon()));
        }
    }
    check_eq!(ok!(mini.word(1)), 140);
    check_eq!(
        ok!(mini.process.get_info_list::<u64>(InfoTopic::ProcessThreads)).len(),
        1
    );
    Ok(())
}
