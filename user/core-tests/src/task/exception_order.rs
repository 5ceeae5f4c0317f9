//! Who is asked about an exception, and in which order; debuggers and what they alone are told.

use libzx::{AsHandle, Channel, Job, Signals, Thread, ZxResult};
use mini_process::{Code, MiniProcess, CODE};
use zx_abi::exception::{
    ExceptionChannelOptions, ExceptionHandler, ExceptionReport, ExceptionStrategy, ExceptionType,
};
use zx_abi::info::{
    InfoTopic, JobInfo, ThreadInfo, ThreadState, RETCODE_EXCEPTION_KILL, RETCODE_SYSCALL_KILL,
};
use zx_abi::property::Property;
use zx_abi::syscalls::SyscallId;

use super::subject::{ends_with, general, job, mini, one_count, reaches, set_general, state, vdso};
use crate::check::{check, check_eq, fails, home_only, ok, suite, Case, Outcome};
use crate::world::{sleep_ms, soon, World};

suite! {
    "ExceptionOrder":
    from_the_debugger_to_the_highest_job,
    the_handler_is_named_while_it_has_it,
    a_handler_on_the_way_may_end_the_search,
    a_handler_that_comes_too_late_is_not_asked,
    the_parents_of_a_job_are_asked_one_by_one,
    a_second_chance_comes_after_the_process,
    a_second_chance_is_the_debuggers_to_ask_for,
    a_strategy_is_one_of_two,
    a_debugger_is_told_of_a_thread_before_it_runs,
    a_debugger_is_told_of_a_thread_that_ends,
    a_debugger_is_told_of_every_thread,
    only_debuggers_are_told_of_starts_and_ends,
    a_job_debugger_is_told_of_processes,
    the_nearest_job_debugger_is_told,
    no_state_holds_up_a_start,
    an_end_waits_for_the_debugger,
    a_kill_does_not_wait_for_the_debugger,
    a_start_and_an_end_have_empty_reports,
    a_debugger_shows_in_the_info,
    a_debugger_that_goes_lets_the_thread_go_on,
    a_new_debugger_gets_the_next_exception,
    a_break_of_a_started_process_comes_before_its_code,
}

const PLAIN: ExceptionChannelOptions = ExceptionChannelOptions::empty();
const DEBUGGER: ExceptionChannelOptions = ExceptionChannelOptions::DEBUGGER;

/// Code that faults at once.
fn fault() -> Code {
    let mut code = Code::new();
    code.undefined();
    code
}

/// Takes the next message, which must be of this kind, and lets the search go on.
fn pass(channel: &Channel, kind: ExceptionType) -> Case {
    let (info, exception) = ok!(channel.exception_by(soon()));
    check_eq!(info.kind, kind.raw());
    drop(exception);
    Ok(())
}

const UNDEFINED: ExceptionType = ExceptionType::UndefinedInstruction;
const STARTING: ExceptionType = ExceptionType::ThreadStarting;
const EXITING: ExceptionType = ExceptionType::ThreadExiting;

/// Starts a process that has a debugger.
fn debugged(mini: &MiniProcess) -> Result<Channel, Outcome> {
    let debugger = ok!(Channel::of_exceptions(&mini.process, DEBUGGER));
    ok!(mini.start());
    Ok(debugger)
}

/// A process in the lowest of three jobs, and plain channels of all, lowest first.
fn tower(world: &World) -> Result<(MiniProcess, [Job; 3], [Channel; 5]), Outcome> {
    let high = job(world)?;
    let middle = ok!(high.create_child());
    let low = ok!(middle.create_child());
    let mini = ok!(MiniProcess::new(&low, &fault()));
    let channels = [
        ok!(Channel::of_exceptions(&mini.thread, PLAIN)),
        ok!(Channel::of_exceptions(&mini.process, PLAIN)),
        ok!(Channel::of_exceptions(&low, PLAIN)),
        ok!(Channel::of_exceptions(&middle, PLAIN)),
        ok!(Channel::of_exceptions(&high, PLAIN)),
    ];
    Ok((mini, [low, middle, high], channels))
}

fn from_the_debugger_to_the_highest_job(world: &World) -> Case {
    let (mini, _jobs, channels) = tower(world)?;
    let debugger = debugged(&mini)?;
    pass(&debugger, STARTING)?;
    pass(&debugger, UNDEFINED)?;
    for channel in &channels {
        pass(channel, UNDEFINED)?;
    }
    ends_with(&mini.process, RETCODE_EXCEPTION_KILL)?;
    for channel in channels.iter().take(2) {
        ok!(channel.wait_one(Signals::CHANNEL_PEER_CLOSED, soon()));
    }
    Ok(())
}

fn handler(thread: &Thread) -> ZxResult<u32> {
    let info: ThreadInfo = thread.get_info(InfoTopic::Thread)?;
    Ok(info.wait_exception_channel_type)
}

fn the_handler_is_named_while_it_has_it(world: &World) -> Case {
    let (mini, _jobs, channels) = tower(world)?;
    let debugger = debugged(&mini)?;
    let kinds = [
        ExceptionHandler::Thread,
        ExceptionHandler::Process,
        ExceptionHandler::Job,
        ExceptionHandler::Job,
        ExceptionHandler::Job,
    ];
    for _ in 0..2 {
        let (_, exception) = ok!(debugger.exception_by(soon()));
        check_eq!(ok!(handler(&mini.thread)), ExceptionHandler::Debugger.raw());
        drop(exception);
    }
    for (channel, kind) in channels.iter().zip(kinds) {
        let (_, exception) = ok!(channel.exception_by(soon()));
        check_eq!(ok!(handler(&mini.thread)), kind.raw());
        drop(exception);
    }
    Ok(())
}

fn a_handler_on_the_way_may_end_the_search(world: &World) -> Case {
    let (mini, _jobs, channels) = tower(world)?;
    ok!(mini.start());
    pass(&channels[0], UNDEFINED)?;
    pass(&channels[1], UNDEFINED)?;
    let (_, exception) = ok!(channels[2].exception_by(soon()));
    let mut regs = ok!(general(&mini.thread));
    // Back to the same instruction: the search begins anew.
    regs.rax = 1;
    ok!(set_general(&mini.thread, &regs));
    ok!(exception.resume());
    let (_, exception) = ok!(channels[0].exception_by(soon()));
    for channel in &channels[1..] {
        fails!(channel.read(), ShouldWait);
    }
    drop(exception);
    Ok(())
}

fn a_handler_that_comes_too_late_is_not_asked(world: &World) -> Case {
    let mini = mini(world, &fault())?;
    let process = ok!(Channel::of_exceptions(&mini.process, PLAIN));
    ok!(mini.start());
    let (_, exception) = ok!(process.exception_by(soon()));
    let thread = ok!(Channel::of_exceptions(&mini.thread, PLAIN));
    drop(exception);
    ends_with(&mini.process, RETCODE_EXCEPTION_KILL)?;
    fails!(thread.read(), PeerClosed);
    Ok(())
}

fn the_parents_of_a_job_are_asked_one_by_one(world: &World) -> Case {
    let high = job(world)?;
    let middle = ok!(high.create_child());
    let low = ok!(middle.create_child());
    let mini = ok!(MiniProcess::new(&low, &fault()));
    // The middle one has no handler.
    let channels = [
        ok!(Channel::of_exceptions(&low, PLAIN)),
        ok!(Channel::of_exceptions(&high, PLAIN)),
    ];
    ok!(mini.start());
    for channel in &channels {
        pass(channel, UNDEFINED)?;
    }
    ends_with(&mini.process, RETCODE_EXCEPTION_KILL)
}

fn set_strategy(exception: &libzx::Exception, strategy: ExceptionStrategy) -> ZxResult {
    exception.set_property(Property::ExceptionStrategy, &strategy.raw().to_le_bytes())
}

fn a_second_chance_comes_after_the_process(world: &World) -> Case {
    home_only!(world);
    let (mini, _jobs, channels) = tower(world)?;
    let debugger = debugged(&mini)?;
    pass(&debugger, STARTING)?;
    let (_, exception) = ok!(debugger.exception_by(soon()));
    ok!(set_strategy(&exception, ExceptionStrategy::SecondChance));
    drop(exception);
    pass(&channels[0], UNDEFINED)?;
    pass(&channels[1], UNDEFINED)?;
    let (info, exception) = ok!(debugger.exception_by(soon()));
    check_eq!(info.kind, UNDEFINED.raw());
    check_eq!(ok!(handler(&mini.thread)), ExceptionHandler::Debugger.raw());
    fails!(channels[2].read(), ShouldWait);
    drop(exception);
    pass(&channels[2], UNDEFINED)
}

fn a_second_chance_is_the_debuggers_to_ask_for(world: &World) -> Case {
    home_only!(world);
    let (mini, _jobs, channels) = tower(world)?;
    ok!(mini.start());
    for channel in channels.iter().take(3) {
        let (_, exception) = ok!(channel.exception_by(soon()));
        let set = set_strategy(&exception, ExceptionStrategy::SecondChance);
        fails!(set, BadState);
    }
    Ok(())
}

fn a_strategy_is_one_of_two(world: &World) -> Case {
    home_only!(world);
    let mini = mini(world, &fault())?;
    let debugger = debugged(&mini)?;
    pass(&debugger, STARTING)?;
    let (_, exception) = ok!(debugger.exception_by(soon()));
    let property = Property::ExceptionStrategy;
    let get = || -> ZxResult<u32> {
        let mut bytes = [0; 4];
        exception.get_property(property, &mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    };
    check_eq!(ok!(get()), ExceptionStrategy::FirstChance.raw());
    for strategy in [
        ExceptionStrategy::SecondChance,
        ExceptionStrategy::FirstChance,
    ] {
        ok!(set_strategy(&exception, strategy));
        check_eq!(ok!(get()), strategy.raw());
    }
    fails!(
        exception.set_property(property, &2u32.to_le_bytes()),
        InvalidArgs
    );
    fails!(exception.set_property(property, &[0; 3]), BufferTooSmall);
    fails!(
        exception.get_property(property, &mut [0; 3]),
        BufferTooSmall
    );
    fails!(mini.thread.set_property(property, &[0; 4]), WrongType);
    Ok(())
}

fn a_debugger_is_told_of_a_thread_before_it_runs(world: &World) -> Case {
    let mini = mini(world, &one_count())?;
    let debugger = debugged(&mini)?;
    let (info, exception) = ok!(debugger.exception_by(soon()));
    check_eq!(info.kind, STARTING.raw());
    check_eq!(info.tid, ok!(mini.thread.koid()));
    check_eq!(
        ok!(state(&mini.thread)),
        Some(ThreadState::BlockedException)
    );
    let mut regs = ok!(general(&mini.thread));
    check_eq!(regs.rip, CODE as u64);
    regs.rbx = 5;
    ok!(set_general(&mini.thread, &regs));
    sleep_ms(5);
    check_eq!(ok!(mini.word(0)), 0);
    drop(exception);
    ok!(mini.wait_for_word(0, 1));
    Ok(())
}

/// A process of two threads: the first spins, the second, at the address given back, ends at once.
fn with_ending_thread(world: &World) -> Result<(MiniProcess, usize), Outcome> {
    let mut end = 0;
    let mini = ok!(MiniProcess::with_vdso(
        &job(world)?,
        vdso(world)?,
        |code, function| {
            code.spin();
            end = code.here();
            code.call(function(SyscallId::ThreadExit));
        }
    ));
    Ok((mini, end))
}

fn a_debugger_is_told_of_a_thread_that_ends(world: &World) -> Case {
    let (mini, end) = with_ending_thread(world)?;
    let debugger = debugged(&mini)?;
    pass(&debugger, STARTING)?;
    let thread = ok!(mini.add_thread(end, 1));
    pass(&debugger, STARTING)?;
    let (info, exception) = ok!(debugger.exception_by(soon()));
    check_eq!(info.kind, EXITING.raw());
    check_eq!(info.tid, ok!(thread.koid()));
    check_eq!(ok!(state(&thread)), Some(ThreadState::Dying));
    check!(ok!(thread.signals_now(Signals::all())).contains(Signals::THREAD_RUNNING));
    fails!(general(&thread), NotSupported);
    drop(exception);
    ok!(thread.wait_one(Signals::THREAD_TERMINATED, soon()));
    Ok(())
}

fn a_debugger_is_told_of_every_thread(world: &World) -> Case {
    let (mini, end) = with_ending_thread(world)?;
    let debugger = debugged(&mini)?;
    pass(&debugger, STARTING)?;
    for number in 1..5 {
        let thread = ok!(mini.add_thread(end, number));
        for kind in [STARTING, EXITING] {
            let (info, exception) = ok!(debugger.exception_by(soon()));
            check_eq!((info.kind, info.tid), (kind.raw(), ok!(thread.koid())));
            ok!(exception.resume());
        }
        ok!(thread.wait_one(Signals::THREAD_TERMINATED, soon()));
    }
    Ok(())
}

fn only_debuggers_are_told_of_starts_and_ends(world: &World) -> Case {
    let (mini, end) = with_ending_thread(world)?;
    let process = ok!(Channel::of_exceptions(&mini.process, PLAIN));
    ok!(mini.start());
    let thread = ok!(mini.add_thread(end, 1));
    ok!(thread.wait_one(Signals::THREAD_TERMINATED, soon()));
    fails!(process.read(), ShouldWait);
    Ok(())
}

fn a_job_debugger_is_told_of_processes(world: &World) -> Case {
    let job = job(world)?;
    let debugger = ok!(Channel::of_exceptions(&job, DEBUGGER));
    let mini = ok!(MiniProcess::new(&job, &one_count()));
    let own = ok!(Channel::of_exceptions(&mini.process, DEBUGGER));
    ok!(mini.start());
    let (info, exception) = ok!(debugger.exception_by(soon()));
    check_eq!(info.kind, ExceptionType::ProcessStarting.raw());
    check_eq!(info.pid, ok!(mini.process.koid()));
    check_eq!(
        ok!(handler(&mini.thread)),
        ExceptionHandler::JobDebugger.raw()
    );
    check_eq!(ok!(ok!(exception.process()).koid()), info.pid);
    check_eq!(ok!(mini.word(0)), 0);
    fails!(own.read(), ShouldWait);
    drop(exception);
    // The process's own debugger comes after.
    pass(&own, STARTING)?;
    ok!(mini.wait_for_word(0, 1));
    fails!(debugger.read(), ShouldWait);
    Ok(())
}

fn the_nearest_job_debugger_is_told(world: &World) -> Case {
    let high = job(world)?;
    let middle = ok!(high.create_child());
    let low = ok!(middle.create_child());
    let far = ok!(Channel::of_exceptions(&high, DEBUGGER));
    let near = ok!(Channel::of_exceptions(&middle, DEBUGGER));
    let mini = ok!(MiniProcess::new(&low, &one_count()));
    ok!(mini.start());
    pass(&near, ExceptionType::ProcessStarting)?;
    ok!(mini.wait_for_word(0, 1));
    fails!(far.read(), ShouldWait);
    Ok(())
}

fn no_state_holds_up_a_start(world: &World) -> Case {
    let code = one_count();
    for is_handled in [false, true] {
        let mini = mini(world, &code)?;
        let debugger = ok!(Channel::of_exceptions(&mini.process, DEBUGGER));
        let plain = ok!(Channel::of_exceptions(&mini.process, PLAIN));
        ok!(mini.start());
        let (_, exception) = ok!(debugger.exception_by(soon()));
        if is_handled {
            ok!(exception.resume());
        } else {
            drop(exception);
        }
        ok!(mini.wait_for_word(0, 1));
        fails!(plain.read(), ShouldWait);
    }
    Ok(())
}

fn an_end_waits_for_the_debugger(world: &World) -> Case {
    let (mini, end) = with_ending_thread(world)?;
    let debugger = debugged(&mini)?;
    pass(&debugger, STARTING)?;
    let thread = ok!(mini.add_thread(end, 1));
    pass(&debugger, STARTING)?;
    let (_, exception) = ok!(debugger.exception_by(soon()));
    sleep_ms(10);
    check_eq!(
        ok!(thread.signals_now(Signals::THREAD_TERMINATED)) & Signals::THREAD_TERMINATED,
        Signals::empty()
    );
    ok!(exception.resume());
    ok!(thread.wait_one(Signals::THREAD_TERMINATED, soon()));
    Ok(())
}

fn a_kill_does_not_wait_for_the_debugger(world: &World) -> Case {
    let (mini, _end) = with_ending_thread(world)?;
    let debugger = debugged(&mini)?;
    pass(&debugger, STARTING)?;
    ok!(mini.process.kill());
    ends_with(&mini.process, RETCODE_SYSCALL_KILL)?;
    // The message of its end may still be read, but nobody waits for it.
    ok!(debugger.wait_one(Signals::CHANNEL_PEER_CLOSED, soon()));
    if let Ok((info, _exception)) = debugger.exception_by(0) {
        check_eq!(info.kind, EXITING.raw());
    }
    Ok(())
}

fn a_start_and_an_end_have_empty_reports(world: &World) -> Case {
    let (mini, end) = with_ending_thread(world)?;
    let debugger = debugged(&mini)?;
    pass(&debugger, STARTING)?;
    let thread = ok!(mini.add_thread(end, 1));
    for kind in [STARTING, EXITING] {
        let (_, exception) = ok!(debugger.exception_by(soon()));
        let report: ExceptionReport = ok!(thread.get_info(InfoTopic::ThreadExceptionReport));
        check_eq!(report.kind, kind.raw());
        check_eq!(
            (report.size, report.vector, report.err_code, report.cr2),
            (32, 0, 0, 0)
        );
        drop(exception);
    }
    Ok(())
}

fn a_debugger_shows_in_the_info(world: &World) -> Case {
    let job = job(world)?;
    let mini = ok!(MiniProcess::new(&job, &fault()));
    let attached = || -> ZxResult<(u8, u8)> {
        let info: JobInfo = job.get_info(InfoTopic::Job)?;
        Ok((
            mini.process.info()?.debugger_attached,
            info.debugger_attached,
        ))
    };
    check_eq!(ok!(attached()), (0, 0));
    let plain = ok!(Channel::of_exceptions(&mini.process, PLAIN));
    check_eq!(ok!(attached()), (0, 0));
    let debugger = ok!(Channel::of_exceptions(&mini.process, DEBUGGER));
    check_eq!(ok!(attached()), (1, 0));
    drop(debugger);
    check_eq!(ok!(attached()), (0, 0));
    drop(plain);
    // In July 2019 only a debugger on an exception port showed in a job.
    home_only!(world);
    let of_job = ok!(Channel::of_exceptions(&job, DEBUGGER));
    check_eq!(ok!(attached()), (0, 1));
    drop(of_job);
    check_eq!(ok!(attached()), (0, 0));
    Ok(())
}

fn a_debugger_that_goes_lets_the_thread_go_on(world: &World) -> Case {
    let mini = mini(world, &one_count())?;
    let debugger = debugged(&mini)?;
    ok!(debugger.wait_one(Signals::CHANNEL_READABLE, soon()));
    drop(debugger);
    ok!(mini.wait_for_word(0, 1));
    Ok(())
}

fn a_new_debugger_gets_the_next_exception(world: &World) -> Case {
    let mini = mini(world, &fault())?;
    let first = ok!(Channel::of_exceptions(&mini.process, DEBUGGER));
    ok!(mini.start());
    pass(&first, STARTING)?;
    let (_, exception) = ok!(first.exception_by(soon()));
    drop(first);
    let second = ok!(Channel::of_exceptions(&mini.process, DEBUGGER));
    fails!(second.read(), ShouldWait);
    ok!(exception.resume());
    // The same instruction faults again.
    pass(&second, UNDEFINED)?;
    ends_with(&mini.process, RETCODE_EXCEPTION_KILL)
}

fn a_break_of_a_started_process_comes_before_its_code(world: &World) -> Case {
    // Suspended, then told to the debugger: both hold the thread, in any order of release.
    let mini = mini(world, &one_count())?;
    let debugger = ok!(Channel::of_exceptions(&mini.process, DEBUGGER));
    let token = ok!(mini.process.suspend());
    ok!(mini.start());
    sleep_ms(5);
    check_eq!(ok!(mini.word(0)), 0);
    drop(token);
    let (info, exception) = ok!(debugger.exception_by(soon()));
    check_eq!(info.kind, STARTING.raw());
    let token = ok!(mini.process.suspend());
    drop(exception);
    ok!(mini.thread.wait_one(Signals::THREAD_SUSPENDED, soon()));
    check_eq!(ok!(mini.word(0)), 0);
    drop(token);
    ok!(mini.wait_for_word(0, 1));
    reaches(&mini.thread, ThreadState::Running)
}
