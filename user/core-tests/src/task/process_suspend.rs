//! Suspending whole processes: before, while and after their threads run.

use alloc::vec::Vec;

use libzx::{AsHandle, Channel, Event, Handle, Job, Process, Rights, Signals, Thread};
use mini_process::{Code, MiniProcess, CODE};
use zx_abi::info::{ThreadState, RETCODE_SYSCALL_KILL};
use zx_abi::syscalls::SyscallId;

use super::subject::{
    counting, ends_with, is_counting, job, mini, own_thread, sleeping, state, stop, vdso, SAME,
};
use crate::check::{check, check_eq, fails, ok, suite, Case, Outcome};
use crate::memory::{arg, call, Scratch, BAD_ADDRESSES};
use crate::world::{basic_info, soon, World};

suite! {
    "ProcessSuspend":
    all_threads_stand_and_go_on,
    one_without_threads_can_be_suspended,
    its_thread_does_not_start_while_suspended,
    two_tokens_are_two_suspensions,
    two_tokens_before_the_first_thread_count_too,
    a_process_and_then_its_thread,
    a_thread_and_then_its_process,
    a_thread_and_its_process_before_the_start,
    a_thread_made_while_suspended_stands_too,
    a_dying_thread_does_not_hold_up_the_others,
    a_blocked_thread_stands_and_blocks_again,
    a_killed_one_ends_though_suspended,
    the_end_of_a_process_frees_its_suspender,
    a_token_may_travel,
    tokens_say_what_they_are,
    a_token_that_cannot_be_told_suspends_nothing,
    the_own_process_is_refused,
    a_dead_process_is_refused,
    others_than_processes_and_threads_are_refused,
    the_right_is_needed,
    the_two_calls_are_the_same,
}

/// A process with three threads that each count a word of their own.
fn three(world: &World) -> Result<(MiniProcess, Vec<Thread>), Outcome> {
    let mut code = Code::new();
    let mut entries = Vec::new();
    for word in 0..3 {
        let start = code.here();
        entries.push(start);
        code.increment(word).jump(start);
    }
    let mini = mini(world, &code)?;
    ok!(mini.start());
    let mut others = Vec::new();
    for (number, entry) in entries.into_iter().enumerate().skip(1) {
        others.push(ok!(mini.add_thread(entry, number)));
    }
    for word in 0..3 {
        ok!(mini.wait_until(word, |count| count > 0));
    }
    Ok((mini, others))
}

fn words(mini: &MiniProcess) -> Result<[u64; 3], Outcome> {
    Ok([ok!(mini.word(0)), ok!(mini.word(1)), ok!(mini.word(2))])
}

fn is_suspended(thread: &Thread) -> Case {
    ok!(thread.wait_one(Signals::THREAD_SUSPENDED, soon()));
    check_eq!(ok!(state(thread)), Some(ThreadState::Suspended));
    let signals = ok!(thread.signals_now(Signals::all()));
    check!(!signals.contains(Signals::THREAD_RUNNING));
    Ok(())
}

fn all_threads_stand_and_go_on(world: &World) -> Case {
    let (mini, others) = three(world)?;
    let token = ok!(mini.process.suspend());
    for thread in others.iter().chain([&mini.thread]) {
        is_suspended(thread)?;
    }
    let before = words(&mini)?;
    crate::world::sleep_ms(25);
    check_eq!(words(&mini)?, before);
    drop(token);
    for thread in others.iter().chain([&mini.thread]) {
        ok!(thread.wait_one(Signals::THREAD_RUNNING, soon()));
    }
    for (word, count) in before.into_iter().enumerate() {
        ok!(mini.wait_until(word, |now| now > count));
    }
    Ok(())
}

/// A process that counts once it is started.
fn unstarted(world: &World) -> Result<MiniProcess, Outcome> {
    let mut code = Code::new();
    let start = code.here();
    code.increment(0).jump(start);
    mini(world, &code)
}

fn one_without_threads_can_be_suspended(world: &World) -> Case {
    let (process, _vmar) = ok!(Process::create(&job(world)?, "empty"));
    let token = ok!(process.suspend());
    let thread = ok!(Thread::create(&process, "made while suspended"));
    check_eq!(ok!(state(&thread)), Some(ThreadState::New));
    drop(token);
    Ok(())
}

fn its_thread_does_not_start_while_suspended(world: &World) -> Case {
    let mini = unstarted(world)?;
    let token = ok!(mini.process.suspend());
    ok!(mini.start());
    is_suspended(&mini.thread)?;
    crate::world::sleep_ms(10);
    check_eq!(ok!(mini.word(0)), 0);
    drop(token);
    ok!(mini.wait_until(0, |count| count > 0));
    Ok(())
}

fn two_tokens_are_two_suspensions(world: &World) -> Case {
    let mini = counting(world)?;
    let first = ok!(mini.process.suspend());
    let second = ok!(mini.process.suspend());
    is_suspended(&mini.thread)?;
    drop(first);
    check!(!is_counting(&mini)?);
    is_suspended(&mini.thread)?;
    drop(second);
    check!(is_counting(&mini)?);
    Ok(())
}

fn two_tokens_before_the_first_thread_count_too(world: &World) -> Case {
    let mini = unstarted(world)?;
    let first = ok!(mini.process.suspend());
    let second = ok!(mini.process.suspend());
    ok!(mini.start());
    drop(second);
    check!(!is_counting(&mini)?);
    drop(first);
    check!(is_counting(&mini)?);
    Ok(())
}

fn a_process_and_then_its_thread(world: &World) -> Case {
    let mini = counting(world)?;
    let process = ok!(mini.process.suspend());
    let thread = stop(&mini.thread)?;
    drop(process);
    check!(!is_counting(&mini)?);
    drop(thread);
    check!(is_counting(&mini)?);
    Ok(())
}

fn a_thread_and_then_its_process(world: &World) -> Case {
    let mini = counting(world)?;
    let thread = stop(&mini.thread)?;
    let process = ok!(mini.process.suspend());
    drop(thread);
    check!(!is_counting(&mini)?);
    drop(process);
    check!(is_counting(&mini)?);
    Ok(())
}

fn a_thread_and_its_process_before_the_start(world: &World) -> Case {
    let mini = unstarted(world)?;
    let thread = ok!(mini.thread.suspend());
    let process = ok!(mini.process.suspend());
    ok!(mini.start());
    is_suspended(&mini.thread)?;
    drop(process);
    check!(!is_counting(&mini)?);
    drop(thread);
    check!(is_counting(&mini)?);
    Ok(())
}

fn a_thread_made_while_suspended_stands_too(world: &World) -> Case {
    let (mini, _others) = three(world)?;
    let token = ok!(mini.process.suspend());
    is_suspended(&mini.thread)?;
    let late = ok!(mini.add_thread(CODE, 5));
    is_suspended(&late)?;
    drop(token);
    ok!(late.wait_one(Signals::THREAD_RUNNING, soon()));
    Ok(())
}

fn a_dying_thread_does_not_hold_up_the_others(world: &World) -> Case {
    let vdso = vdso(world)?;
    let mut second = 0;
    let mini = ok!(MiniProcess::with_vdso(
        &job(world)?,
        vdso,
        |code, function| {
            let start = code.here();
            code.increment(0).jump(start);
            second = code.here();
            code.call(function(SyscallId::ThreadExit));
        }
    ));
    ok!(mini.start());
    for number in 1..6 {
        let dying = ok!(mini.add_thread(second, number));
        let token = ok!(mini.process.suspend());
        is_suspended(&mini.thread)?;
        check!(!is_counting(&mini)?);
        drop(token);
        ok!(dying.wait_one(Signals::THREAD_TERMINATED, soon()));
        check!(is_counting(&mini)?);
    }
    Ok(())
}

fn a_blocked_thread_stands_and_blocks_again(world: &World) -> Case {
    let mini = sleeping(world)?;
    let token = ok!(mini.process.suspend());
    is_suspended(&mini.thread)?;
    drop(token);
    super::subject::reaches(&mini.thread, ThreadState::BlockedSleeping)?;
    let signals = ok!(mini.thread.signals_now(Signals::all()));
    check!(signals.contains(Signals::THREAD_RUNNING));
    Ok(())
}

fn a_killed_one_ends_though_suspended(world: &World) -> Case {
    let (mini, others) = three(world)?;
    let _token = ok!(mini.process.suspend());
    is_suspended(&mini.thread)?;
    ok!(mini.process.kill());
    ends_with(&mini.process, RETCODE_SYSCALL_KILL)?;
    for thread in others.iter().chain([&mini.thread]) {
        ok!(thread.wait_one(Signals::THREAD_TERMINATED, soon()));
        check_eq!(ok!(state(thread)), Some(ThreadState::Dead));
    }
    Ok(())
}

fn the_end_of_a_process_frees_its_suspender(world: &World) -> Case {
    // A process holds the only token of another, and ends.
    let mini = counting(world)?;
    let token = ok!(mini.process.suspend());
    is_suspended(&mini.thread)?;
    let mut code = Code::new();
    code.undefined();
    let holder = super::subject::mini(world, &code)?;
    ok!(holder.start_with(token));
    ok!(holder.process.wait_one(Signals::PROCESS_TERMINATED, soon()));
    check!(is_counting(&mini)?);
    Ok(())
}

fn a_token_may_travel(world: &World) -> Case {
    let mini = counting(world)?;
    let token = ok!(mini.process.suspend());
    is_suspended(&mini.thread)?;
    let (left, right) = ok!(Channel::create());
    ok!(left.write(b"token", alloc::vec![token]));
    check!(!is_counting(&mini)?);
    drop(right);
    check!(is_counting(&mini)?);
    Ok(())
}

fn tokens_say_what_they_are(world: &World) -> Case {
    let (mini, token) = super::subject::standing(world)?;
    let info = ok!(basic_info(&token));
    check_eq!(info.kind, zx_abi::ObjectType::SuspendToken.raw());
    check_eq!(info.rights, Rights::TRANSFER | Rights::INSPECT);
    check_eq!(info.props, 0);
    fails!(token.duplicate_handle(SAME), AccessDenied);
    drop(mini);
    Ok(())
}

fn a_token_that_cannot_be_told_suspends_nothing(world: &World) -> Case {
    let mini = counting(world)?;
    for bad in BAD_ADDRESSES {
        fails!(
            call(SyscallId::TaskSuspend, &[arg(&mini.process), bad]),
            InvalidArgs
        );
        fails!(
            call(SyscallId::TaskSuspend, &[arg(&mini.thread), bad]),
            InvalidArgs
        );
    }
    check!(is_counting(&mini)?);
    Ok(())
}

fn the_own_process_is_refused(_: &World) -> Case {
    let own = Process::from(ok!(libzx::own_process().duplicate_handle(SAME)));
    fails!(own.suspend(), NotSupported);
    fails!(ok!(own_thread()).suspend(), NotSupported);
    Ok(())
}

fn a_dead_process_is_refused(world: &World) -> Case {
    let mini = counting(world)?;
    ok!(mini.process.kill());
    ends_with(&mini.process, RETCODE_SYSCALL_KILL)?;
    ok!(mini.thread.wait_one(Signals::THREAD_TERMINATED, soon()));
    fails!(mini.process.suspend(), BadState);
    fails!(mini.thread.suspend(), BadState);
    Ok(())
}

fn others_than_processes_and_threads_are_refused(world: &World) -> Case {
    let suspend = |handle: Handle| Process::from(handle).suspend();
    let job: Job = job(world)?;
    fails!(suspend(job.into()), WrongType);
    fails!(suspend(Handle::from_raw(0)), BadHandle);
    // Events have no WRITE, which is looked at first.
    fails!(suspend(ok!(Event::create()).into()), AccessDenied);
    fails!(suspend(ok!(Channel::create()).0.into()), WrongType);
    Ok(())
}

fn the_right_is_needed(world: &World) -> Case {
    let mini = counting(world)?;
    let weak = ok!(mini
        .process
        .duplicate(Rights::BASIC | Rights::READ | Rights::MANAGE_THREAD));
    fails!(weak.suspend(), AccessDenied);
    let weak = ok!(mini
        .thread
        .duplicate(Rights::BASIC | Rights::READ | Rights::MANAGE_THREAD));
    fails!(weak.suspend(), AccessDenied);
    let enough = ok!(mini.process.duplicate(Rights::WRITE));
    let _token = ok!(enough.suspend());
    is_suspended(&mini.thread)
}

fn the_two_calls_are_the_same(world: &World) -> Case {
    let mini = counting(world)?;
    let page = ok!(Scratch::new());
    let args = [arg(&mini.process), page.address()];
    ok!(call(SyscallId::TaskSuspendToken, &args));
    let token = Handle::from_raw(page.u32(0));
    is_suspended(&mini.thread)?;
    drop(token);
    check!(is_counting(&mini)?);
    fails!(
        call(SyscallId::TaskSuspendToken, &[0, page.address()]),
        BadHandle
    );
    Ok(())
}
