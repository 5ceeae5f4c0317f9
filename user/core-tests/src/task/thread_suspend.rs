//! Suspending single threads: what they do, what others see, what they were waiting for.

use libzx::{AsHandle, Channel, Event, Port, Signals};
use mini_process::{Code, MiniProcess, CODE};
use zx_abi::exception::ExceptionChannelOptions;
use zx_abi::info::{ThreadState, RETCODE_SYSCALL_KILL};
use zx_abi::syscalls::SyscallId;

use super::subject::{
    calling, counting, ends_with, general, is_counting, job, mini, one_count, reaches, state, stop,
    vdso,
};
use crate::check::{check, check_eq, fails, ok, suite, Case};
use crate::world::{sleep_ms, soon, World};

suite! {
    "ThreadSuspend":
    it_stands_and_goes_on_many_times,
    others_of_its_process_go_on,
    one_suspended_before_its_start_stands_at_its_first_instruction,
    one_suspended_before_its_start_runs_until_it_has_stopped,
    one_suspended_and_resumed_before_its_start_runs,
    one_in_a_call_is_suspended_and_calls_again,
    one_that_waits_for_a_port_gets_the_packet_after,
    one_that_waits_for_an_event_sees_the_signal_after,
    a_deadline_does_not_move,
    one_that_is_killed_while_suspended_dies,
    one_in_an_exception_stays_there,
    one_suspended_in_an_exception_stands_after_it,
    a_signal_is_sent_for_each_suspension,
    a_suspension_ended_at_once_does_no_harm,
    the_token_of_a_dead_one_can_be_closed,
    a_suspender_may_be_suspended,
}

fn it_stands_and_goes_on_many_times(world: &World) -> Case {
    let mini = counting(world)?;
    for _ in 0..20 {
        let token = stop(&mini.thread)?;
        let before = ok!(mini.word(0));
        sleep_ms(1);
        check_eq!(ok!(mini.word(0)), before);
        drop(token);
        ok!(mini.wait_until(0, |count| count > before));
    }
    Ok(())
}

fn others_of_its_process_go_on(world: &World) -> Case {
    let mut code = Code::new();
    let start = code.here();
    code.increment(0).jump(start);
    let second = code.here();
    code.increment(1).jump(second);
    let mini = mini(world, &code)?;
    ok!(mini.start());
    let other = ok!(mini.add_thread(second, 1));
    let _token = stop(&other)?;
    let before = ok!(mini.word(1));
    check!(is_counting(&mini)?);
    check_eq!(ok!(mini.word(1)), before);
    Ok(())
}

fn one_suspended_before_its_start_stands_at_its_first_instruction(world: &World) -> Case {
    let mini = mini(world, &one_count())?;
    let token = ok!(mini.thread.suspend());
    ok!(mini.start());
    ok!(mini.thread.wait_one(Signals::THREAD_SUSPENDED, soon()));
    let registers = ok!(general(&mini.thread));
    check_eq!(registers.rip, CODE as u64);
    check_eq!(ok!(mini.word(0)), 0);
    drop(token);
    ok!(mini.wait_for_word(0, 1));
    Ok(())
}

/// Its start counts as running, until it stops before its first instruction: state and signals say the same at any time.
fn one_suspended_before_its_start_runs_until_it_has_stopped(world: &World) -> Case {
    for _ in 0..10 {
        let mut code = Code::new();
        code.spin();
        let mini = mini(world, &code)?;
        let token = ok!(mini.thread.suspend());
        ok!(mini.start());
        let running = mini.thread.wait_one(Signals::THREAD_RUNNING, 0).is_ok();
        let after = ok!(state(&mini.thread));
        let suspended = mini.thread.wait_one(Signals::THREAD_SUSPENDED, 0).is_ok();
        check!(running || suspended);
        check!(
            after == Some(ThreadState::Suspended) || running && after == Some(ThreadState::Running)
        );
        ok!(mini.thread.wait_one(Signals::THREAD_SUSPENDED, soon()));
        check_eq!(ok!(state(&mini.thread)), Some(ThreadState::Suspended));
        fails!(mini.thread.wait_one(Signals::THREAD_RUNNING, 0), TimedOut);
        drop(token);
        ok!(mini.thread.wait_one(Signals::THREAD_RUNNING, soon()));
    }
    Ok(())
}

fn one_suspended_and_resumed_before_its_start_runs(world: &World) -> Case {
    let mini = mini(world, &one_count())?;
    drop(ok!(mini.thread.suspend()));
    ok!(mini.start());
    ok!(mini.wait_for_word(0, 1));
    Ok(())
}

fn one_in_a_call_is_suspended_and_calls_again(world: &World) -> Case {
    let mini = super::subject::sleeping(world)?;
    for _ in 0..5 {
        let token = stop(&mini.thread)?;
        check_eq!(ok!(state(&mini.thread)), Some(ThreadState::Suspended));
        drop(token);
        reaches(&mini.thread, ThreadState::BlockedSleeping)?;
    }
    Ok(())
}

/// A process that makes one call on the handle it is given, and ends with the result.
fn waiting(
    world: &World,
    call: SyscallId,
    args: [u64; 3],
) -> Result<MiniProcess, crate::check::Outcome> {
    use mini_process::Register;
    let vdso = vdso(world)?;
    Ok(ok!(MiniProcess::with_vdso(
        &job(world)?,
        vdso,
        |code, function| {
            for (register, value) in [Register::Rsi, Register::Rdx, Register::Rcx]
                .into_iter()
                .zip(args)
            {
                code.set(register, value);
            }
            code.call(function(call));
            code.bytes(&[0x48, 0x63, 0xf8]);
            code.call(function(SyscallId::ProcessExit));
        }
    )))
}

const FOREVER: u64 = i64::MAX as u64;
const OUT: u64 = mini_process::DATA as u64 + 64;

fn one_that_waits_for_a_port_gets_the_packet_after(world: &World) -> Case {
    let port = ok!(Port::create());
    let mini = waiting(world, SyscallId::PortWait, [FOREVER, OUT, 0])?;
    ok!(mini.start_with(ok!(port.duplicate(libzx::Rights::SAME_RIGHTS)).into()));
    reaches(&mini.thread, ThreadState::BlockedPort)?;
    let token = stop(&mini.thread)?;
    ok!(port.queue(&zx_abi::PortPacket::user(0x77, zx_abi::Status::OK, [1; 32])));
    sleep_ms(5);
    check_eq!(ok!(mini.word(8)), 0);
    drop(token);
    ends_with(&mini.process, 0)?;
    check_eq!(ok!(mini.word(8)), 0x77);
    Ok(())
}

fn one_that_waits_for_an_event_sees_the_signal_after(world: &World) -> Case {
    let event = ok!(Event::create());
    let mini = waiting(world, SyscallId::ObjectWaitOne, [8, FOREVER, OUT])?;
    ok!(mini.start_with(ok!(event.duplicate(libzx::Rights::SAME_RIGHTS)).into()));
    reaches(&mini.thread, ThreadState::BlockedWaitOne)?;
    let token = stop(&mini.thread)?;
    ok!(event.signal(Signals::empty(), Signals::SIGNALED));
    sleep_ms(5);
    check_eq!(ok!(mini.process.info()).exited, 0);
    drop(token);
    ends_with(&mini.process, 0)?;
    check_eq!(ok!(mini.word(8)) & 0xffff_ffff, 8);
    Ok(())
}

fn a_deadline_does_not_move(world: &World) -> Case {
    let deadline = libzx::time::after(30_000_000);
    let mini = calling(world, SyscallId::Nanosleep, &[deadline.cast_unsigned()])?;
    ok!(mini.start());
    reaches(&mini.thread, ThreadState::BlockedSleeping)?;
    let token = stop(&mini.thread)?;
    sleep_ms(10);
    drop(token);
    ends_with(&mini.process, 0)?;
    check!(libzx::time::now() >= deadline);
    Ok(())
}

fn one_that_is_killed_while_suspended_dies(world: &World) -> Case {
    let mini = counting(world)?;
    let _token = stop(&mini.thread)?;
    ok!(mini.process.kill());
    ends_with(&mini.process, RETCODE_SYSCALL_KILL)?;
    ok!(mini.thread.wait_one(Signals::THREAD_TERMINATED, soon()));
    check_eq!(ok!(state(&mini.thread)), Some(ThreadState::Dead));
    Ok(())
}

/// A process that faults, then counts, if the fault is stepped over.
fn faulting(world: &World) -> Result<(MiniProcess, Channel), crate::check::Outcome> {
    let mut code = Code::new();
    code.breakpoint();
    let start = code.here();
    code.increment(0).jump(start);
    let mini = mini(world, &code)?;
    let options = ExceptionChannelOptions::empty();
    let channel = ok!(Channel::of_exceptions(&mini.process, options));
    ok!(mini.start());
    Ok((mini, channel))
}

fn one_in_an_exception_stays_there(world: &World) -> Case {
    let (mini, channel) = faulting(world)?;
    let (_info, exception) = ok!(channel.exception_by(soon()));
    let token = ok!(mini.thread.suspend());
    sleep_ms(5);
    check_eq!(
        ok!(state(&mini.thread)),
        Some(ThreadState::BlockedException)
    );
    let signals = ok!(mini.thread.signals_now(Signals::all()));
    check!(signals.contains(Signals::THREAD_RUNNING));
    drop(token);
    sleep_ms(5);
    check_eq!(
        ok!(state(&mini.thread)),
        Some(ThreadState::BlockedException)
    );
    ok!(exception.resume());
    check!(is_counting(&mini)?);
    Ok(())
}

fn one_suspended_in_an_exception_stands_after_it(world: &World) -> Case {
    let (mini, channel) = faulting(world)?;
    let (_info, exception) = ok!(channel.exception_by(soon()));
    let token = ok!(mini.thread.suspend());
    ok!(exception.resume());
    ok!(mini.thread.wait_one(Signals::THREAD_SUSPENDED, soon()));
    check_eq!(ok!(mini.word(0)), 0);
    drop(token);
    check!(is_counting(&mini)?);
    Ok(())
}

fn a_signal_is_sent_for_each_suspension(world: &World) -> Case {
    let mini = counting(world)?;
    let port = ok!(Port::create());
    for round in 0..5 {
        ok!(mini
            .thread
            .wait_async(&port, round, Signals::THREAD_SUSPENDED, 0));
        fails!(port.wait(0), TimedOut);
        let token = ok!(mini.thread.suspend());
        check_eq!(ok!(port.wait(soon())).key, round);
        ok!(mini
            .thread
            .wait_async(&port, 100 + round, Signals::THREAD_RUNNING, 0));
        drop(token);
        check_eq!(ok!(port.wait(soon())).key, 100 + round);
    }
    Ok(())
}

fn a_suspension_ended_at_once_does_no_harm(world: &World) -> Case {
    let mini = counting(world)?;
    for _ in 0..200 {
        drop(ok!(mini.thread.suspend()));
    }
    check!(is_counting(&mini)?);
    ok!(mini.thread.wait_one(Signals::THREAD_RUNNING, soon()));
    Ok(())
}

fn the_token_of_a_dead_one_can_be_closed(world: &World) -> Case {
    let mini = counting(world)?;
    let token = ok!(mini.thread.suspend());
    ok!(mini.process.kill());
    ends_with(&mini.process, RETCODE_SYSCALL_KILL)?;
    drop(token);
    check_eq!(ok!(state(&mini.thread)), Some(ThreadState::Dead));
    Ok(())
}

fn a_suspender_may_be_suspended(world: &World) -> Case {
    // While one process holds another's token, it is suspended itself; killing it frees the other.
    let subject = counting(world)?;
    let token = ok!(subject.thread.suspend());
    let mut code = Code::new();
    code.spin();
    let holder = mini(world, &code)?;
    ok!(holder.start_with(token));
    let _held = stop(&holder.thread)?;
    check!(!is_counting(&subject)?);
    ok!(holder.process.kill());
    ends_with(&holder.process, RETCODE_SYSCALL_KILL)?;
    check!(is_counting(&subject)?);
    Ok(())
}
