//! Exception channels: made, refused, closed; what messages carry and exceptions allow.

use alloc::vec::Vec;

use libzx::{AsHandle, Channel, Event, Exception, Handle, Rights, Signals, Unowned, ZxResult};
use mini_process::{Code, MiniProcess};
use zx_abi::exception::{ExceptionChannelOptions, ExceptionInfo, ExceptionState, ExceptionType};
use zx_abi::info::{ThreadState, RETCODE_EXCEPTION_KILL, RETCODE_SYSCALL_KILL};
use zx_abi::property::Property;
use zx_abi::syscalls::SyscallId;
use zx_abi::ObjectType;

use super::subject::{ends_with, job, mini, reaches, standing, state, SAME};
use crate::check::{check, check_eq, fails, home_only, ok, suite, Case, Outcome};
use crate::memory::{arg, call, Scratch, BAD_ADDRESSES};
use crate::world::{basic_info, rights_of, sleep_ms, soon, World};

suite! {
    "ExceptionChannel":
    its_end_can_be_read_and_moved,
    unknown_options_are_refused_first,
    threads_have_no_debuggers,
    each_right_is_needed,
    processes_and_jobs_must_be_enumerable,
    other_objects_are_refused,
    one_task_has_one_of_a_kind,
    it_can_be_made_again_once_closed,
    a_dead_task_has_none,
    one_that_cannot_be_told_is_not_made,
    it_closes_with_its_task,
    a_message_tells_who_and_what,
    an_exception_says_what_it_is,
    the_thread_comes_with_the_rights_of_the_task_handle,
    the_process_comes_from_channels_of_processes_and_jobs_only,
    bad_exceptions_are_refused,
    the_state_is_not_handled_at_first,
    the_state_is_one_of_two,
    a_handled_exception_lets_the_thread_go_on,
    an_unhandled_one_goes_to_the_next,
    closing_the_channel_with_an_unread_message_goes_to_the_next,
    closing_the_channel_after_reading_changes_nothing,
    an_exception_may_travel,
    a_kill_ends_the_exception,
    an_exception_of_a_dead_thread_still_answers,
    many_threads_fault_at_once,
}

const PLAIN: ExceptionChannelOptions = ExceptionChannelOptions::empty();
const DEBUGGER: ExceptionChannelOptions = ExceptionChannelOptions::DEBUGGER;

/// A process that faults as soon as it is started.
fn unstarted(world: &World) -> Result<MiniProcess, Outcome> {
    let mut code = Code::new();
    code.undefined();
    mini(world, &code)
}

/// A process whose thread stands in an exception of the channel of its process.
fn faulted(world: &World) -> Result<(MiniProcess, Channel, Exception), Outcome> {
    let mini = unstarted(world)?;
    let channel = ok!(Channel::of_exceptions(&mini.process, PLAIN));
    ok!(mini.start());
    let (_, exception) = ok!(channel.exception_by(soon()));
    Ok((mini, channel, exception))
}

fn its_end_can_be_read_and_moved(world: &World) -> Case {
    let mini = unstarted(world)?;
    let channel = ok!(Channel::of_exceptions(&mini.process, PLAIN));
    let info = ok!(basic_info(&channel));
    check_eq!(info.kind, ObjectType::Channel.raw());
    check_eq!(info.rights, Rights::TRANSFER | Rights::WAIT | Rights::READ);
    fails!(channel.write(b"x", alloc::vec![]), AccessDenied);
    fails!(channel.read(), ShouldWait);
    Ok(())
}

fn make(task: usize, options: usize) -> ZxResult {
    let page = Scratch::new()?;
    let args = [task, options, page.address()];
    call(SyscallId::TaskCreateExceptionChannel, &args)?;
    drop(Handle::from_raw(page.u32(0)));
    Ok(())
}

fn unknown_options_are_refused_first(_: &World) -> Case {
    for options in [2, 3, 1 << 31] {
        fails!(make(0, options), InvalidArgs);
    }
    fails!(make(0, 0), BadHandle);
    Ok(())
}

fn threads_have_no_debuggers(world: &World) -> Case {
    let mini = unstarted(world)?;
    fails!(Channel::of_exceptions(&mini.thread, DEBUGGER), InvalidArgs);
    let job = job(world)?;
    ok!(Channel::of_exceptions(&mini.process, DEBUGGER));
    ok!(Channel::of_exceptions(&job, DEBUGGER));
    Ok(())
}

fn each_right_is_needed(world: &World) -> Case {
    let (mini, _token) = standing(world)?;
    let needed = Rights::INSPECT | Rights::DUPLICATE | Rights::TRANSFER | Rights::MANAGE_THREAD;
    for right in needed.iter() {
        let weak = ok!(mini
            .thread
            .duplicate(needed.difference(right))
            .or_else(|_| {
                let all = Rights::default_for(ObjectType::Thread);
                mini.thread.duplicate(all.difference(right))
            }));
        fails!(Channel::of_exceptions(&weak, PLAIN), AccessDenied);
    }
    ok!(Channel::of_exceptions(
        &ok!(mini.thread.duplicate(needed)),
        PLAIN
    ));
    Ok(())
}

fn processes_and_jobs_must_be_enumerable(world: &World) -> Case {
    let mini = unstarted(world)?;
    let job = job(world)?;
    let blind = |kind| Rights::default_for(kind).difference(Rights::ENUMERATE);
    let process = ok!(mini.process.duplicate(blind(ObjectType::Process)));
    fails!(Channel::of_exceptions(&process, PLAIN), AccessDenied);
    fails!(Channel::of_exceptions(&process, DEBUGGER), AccessDenied);
    let job = ok!(job.duplicate(blind(ObjectType::Job)));
    fails!(Channel::of_exceptions(&job, PLAIN), AccessDenied);
    Ok(())
}

fn other_objects_are_refused(world: &World) -> Case {
    // Rights are looked at before the type, and nothing but tasks has MANAGE_THREAD.
    fails!(
        Channel::of_exceptions(&ok!(Event::create()), PLAIN),
        AccessDenied
    );
    fails!(Channel::of_exceptions(&Unowned(0), PLAIN), BadHandle);
    let closed = ok!(Event::create()).raw();
    fails!(Channel::of_exceptions(&Unowned(closed), PLAIN), BadHandle);
    let mini = unstarted(world)?;
    fails!(Channel::of_exceptions(&mini.vmar, PLAIN), AccessDenied);
    Ok(())
}

fn one_task_has_one_of_a_kind(world: &World) -> Case {
    let mini = unstarted(world)?;
    let job = job(world)?;
    let _plain = ok!(Channel::of_exceptions(&mini.process, PLAIN));
    fails!(Channel::of_exceptions(&mini.process, PLAIN), AlreadyBound);
    let _debugger = ok!(Channel::of_exceptions(&mini.process, DEBUGGER));
    fails!(
        Channel::of_exceptions(&mini.process, DEBUGGER),
        AlreadyBound
    );
    let _thread = ok!(Channel::of_exceptions(&mini.thread, PLAIN));
    fails!(Channel::of_exceptions(&mini.thread, PLAIN), AlreadyBound);
    let _job = ok!(Channel::of_exceptions(&job, PLAIN));
    fails!(Channel::of_exceptions(&job, PLAIN), AlreadyBound);
    let _job_debugger = ok!(Channel::of_exceptions(&job, DEBUGGER));
    fails!(Channel::of_exceptions(&job, DEBUGGER), AlreadyBound);
    Ok(())
}

fn it_can_be_made_again_once_closed(world: &World) -> Case {
    let mini = unstarted(world)?;
    for _ in 0..3 {
        let channel = ok!(Channel::of_exceptions(&mini.process, PLAIN));
        fails!(Channel::of_exceptions(&mini.process, PLAIN), AlreadyBound);
        drop(channel);
    }
    Ok(())
}

fn a_dead_task_has_none(world: &World) -> Case {
    let (mini, _token) = standing(world)?;
    ok!(mini.process.kill());
    ends_with(&mini.process, RETCODE_SYSCALL_KILL)?;
    reaches(&mini.thread, ThreadState::Dead)?;
    fails!(Channel::of_exceptions(&mini.process, PLAIN), BadState);
    fails!(Channel::of_exceptions(&mini.process, DEBUGGER), BadState);
    fails!(Channel::of_exceptions(&mini.thread, PLAIN), BadState);
    Ok(())
}

fn one_that_cannot_be_told_is_not_made(world: &World) -> Case {
    let mini = unstarted(world)?;
    for bad in BAD_ADDRESSES {
        let args = [arg(&mini.process), 0, bad];
        fails!(
            call(SyscallId::TaskCreateExceptionChannel, &args),
            InvalidArgs
        );
    }
    ok!(Channel::of_exceptions(&mini.process, PLAIN));
    Ok(())
}

fn it_closes_with_its_task(world: &World) -> Case {
    let job = job(world)?;
    let mut code = Code::new();
    code.spin();
    let mini = ok!(MiniProcess::new(&job, &code));
    let channels = [
        ok!(Channel::of_exceptions(&mini.thread, PLAIN)),
        ok!(Channel::of_exceptions(&mini.process, PLAIN)),
        ok!(Channel::of_exceptions(&mini.process, DEBUGGER)),
        ok!(Channel::of_exceptions(&job, PLAIN)),
    ];
    ok!(mini.start());
    // The debugger is told of the start.
    drop(ok!(channels[2].exception_by(soon())));
    ok!(job.kill());
    for channel in &channels {
        ok!(channel.wait_one(Signals::CHANNEL_PEER_CLOSED, soon()));
    }
    Ok(())
}

fn a_message_tells_who_and_what(world: &World) -> Case {
    let mini = unstarted(world)?;
    let channel = ok!(Channel::of_exceptions(&mini.process, PLAIN));
    ok!(mini.start());
    let mut message = ok!(channel.read_by(soon()));
    check_eq!((message.bytes.len(), message.handles.len()), (24, 1));
    let info = <ExceptionInfo as zerocopy::FromBytes>::read_from_bytes(&message.bytes);
    let Ok(info) = info else {
        crate::check::fail!("the message is not of 24 bytes");
    };
    check_eq!(info.pid, ok!(mini.process.koid()));
    check_eq!(info.tid, ok!(mini.thread.koid()));
    check_eq!(info.kind, ExceptionType::UndefinedInstruction.raw());
    message.handles.clear();
    // The kernel of July 2019 leaves there what its stack held.
    home_only!(world);
    check_eq!(info.padding1, [0; 4]);
    Ok(())
}

fn an_exception_says_what_it_is(world: &World) -> Case {
    let (_mini, _channel, exception) = faulted(world)?;
    let info = ok!(basic_info(&exception));
    check_eq!(info.kind, ObjectType::Exception.raw());
    check_eq!(
        info.rights,
        Rights::TRANSFER | Rights::PROPERTY | Rights::INSPECT
    );
    check_eq!((info.related_koid, info.props), (0, 0));
    fails!(exception.duplicate(SAME), AccessDenied);
    fails!(exception.wait_one(Signals::all(), 0), AccessDenied);
    Ok(())
}

fn the_thread_comes_with_the_rights_of_the_task_handle(world: &World) -> Case {
    let mini = unstarted(world)?;
    let few = Rights::INSPECT
        | Rights::DUPLICATE
        | Rights::TRANSFER
        | Rights::MANAGE_THREAD
        | Rights::ENUMERATE;
    let weak = ok!(mini.process.duplicate(few));
    let channel = ok!(Channel::of_exceptions(&weak, PLAIN));
    ok!(mini.start());
    let (_, exception) = ok!(channel.exception_by(soon()));
    let thread = ok!(exception.thread());
    check_eq!(ok!(thread.koid()), ok!(mini.thread.koid()));
    check_eq!(ok!(rights_of(&thread)), few);
    let process = ok!(exception.process());
    check_eq!(ok!(process.koid()), ok!(mini.process.koid()));
    check_eq!(ok!(rights_of(&process)), few);
    Ok(())
}

fn the_process_comes_from_channels_of_processes_and_jobs_only(world: &World) -> Case {
    let mini = unstarted(world)?;
    let channel = ok!(Channel::of_exceptions(&mini.thread, PLAIN));
    ok!(mini.start());
    let (_, exception) = ok!(channel.exception_by(soon()));
    ok!(exception.thread());
    fails!(exception.process(), AccessDenied);
    let job = job(world)?;
    let mut code = Code::new();
    code.undefined();
    let other = ok!(MiniProcess::new(&job, &code));
    let channel = ok!(Channel::of_exceptions(&job, PLAIN));
    ok!(other.start());
    let (_, exception) = ok!(channel.exception_by(soon()));
    check_eq!(
        ok!(ok!(exception.process()).koid()),
        ok!(other.process.koid())
    );
    check_eq!(
        ok!(ok!(exception.thread()).koid()),
        ok!(other.thread.koid())
    );
    Ok(())
}

fn bad_exceptions_are_refused(world: &World) -> Case {
    let (_mini, _channel, exception) = faulted(world)?;
    let page = ok!(Scratch::new());
    for id in [
        SyscallId::ExceptionGetThread,
        SyscallId::ExceptionGetProcess,
    ] {
        fails!(call(id, &[0, page.address()]), BadHandle);
        fails!(
            call(id, &[arg(&ok!(Event::create())), page.address()]),
            WrongType
        );
        for bad in BAD_ADDRESSES {
            fails!(call(id, &[arg(&exception), bad]), InvalidArgs);
        }
    }
    Ok(())
}

fn exception_state(exception: &Exception) -> ZxResult<u32> {
    let mut bytes = [0; 4];
    exception.get_property(Property::ExceptionState, &mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

fn the_state_is_not_handled_at_first(world: &World) -> Case {
    let (_mini, _channel, exception) = faulted(world)?;
    check_eq!(
        ok!(exception_state(&exception)),
        ExceptionState::TryNext.raw()
    );
    Ok(())
}

fn the_state_is_one_of_two(world: &World) -> Case {
    let (mini, _channel, exception) = faulted(world)?;
    for state in [ExceptionState::Handled, ExceptionState::TryNext] {
        ok!(exception.set_state(state));
        check_eq!(ok!(exception_state(&exception)), state.raw());
    }
    let property = Property::ExceptionState;
    for wrong in [2u32, u32::MAX] {
        fails!(
            exception.set_property(property, &wrong.to_le_bytes()),
            InvalidArgs
        );
    }
    fails!(exception.set_property(property, &[0; 3]), BufferTooSmall);
    fails!(
        exception.get_property(property, &mut [0; 3]),
        BufferTooSmall
    );
    fails!(mini.thread.set_property(property, &[0; 4]), WrongType);
    check_eq!(
        ok!(exception_state(&exception)),
        ExceptionState::TryNext.raw()
    );
    Ok(())
}

fn a_handled_exception_lets_the_thread_go_on(world: &World) -> Case {
    let mut code = Code::new();
    code.breakpoint();
    code.increment(0);
    code.spin();
    let mini = mini(world, &code)?;
    let channel = ok!(Channel::of_exceptions(&mini.process, PLAIN));
    ok!(mini.start());
    let (_, exception) = ok!(channel.exception_by(soon()));
    check_eq!(
        ok!(state(&mini.thread)),
        Some(ThreadState::BlockedException)
    );
    sleep_ms(5);
    check_eq!(ok!(mini.word(0)), 0);
    // The state alone does nothing until the exception is closed.
    ok!(exception.set_state(ExceptionState::Handled));
    sleep_ms(5);
    check_eq!(
        ok!(state(&mini.thread)),
        Some(ThreadState::BlockedException)
    );
    drop(exception);
    ok!(mini.wait_for_word(0, 1));
    Ok(())
}

fn an_unhandled_one_goes_to_the_next(world: &World) -> Case {
    let mini = unstarted(world)?;
    let first = ok!(Channel::of_exceptions(&mini.thread, PLAIN));
    let next = ok!(Channel::of_exceptions(&mini.process, PLAIN));
    ok!(mini.start());
    let (_, exception) = ok!(first.exception_by(soon()));
    fails!(next.read(), ShouldWait);
    drop(exception);
    let (_, exception) = ok!(next.exception_by(soon()));
    drop(exception);
    ends_with(&mini.process, RETCODE_EXCEPTION_KILL)
}

fn closing_the_channel_with_an_unread_message_goes_to_the_next(world: &World) -> Case {
    let mini = unstarted(world)?;
    let first = ok!(Channel::of_exceptions(&mini.thread, PLAIN));
    let next = ok!(Channel::of_exceptions(&mini.process, PLAIN));
    ok!(mini.start());
    ok!(first.wait_one(Signals::CHANNEL_READABLE, soon()));
    drop(first);
    let (info, _exception) = ok!(next.exception_by(soon()));
    check_eq!(info.kind, ExceptionType::UndefinedInstruction.raw());
    Ok(())
}

fn closing_the_channel_after_reading_changes_nothing(world: &World) -> Case {
    let (mini, channel, exception) = faulted(world)?;
    drop(channel);
    sleep_ms(5);
    check_eq!(
        ok!(state(&mini.thread)),
        Some(ThreadState::BlockedException)
    );
    ok!(exception.thread());
    drop(exception);
    ends_with(&mini.process, RETCODE_EXCEPTION_KILL)
}

fn an_exception_may_travel(world: &World) -> Case {
    let (mini, _channel, exception) = faulted(world)?;
    let (left, right) = ok!(Channel::create());
    ok!(left.write(b"exception", alloc::vec![exception.into()]));
    sleep_ms(2);
    check_eq!(
        ok!(state(&mini.thread)),
        Some(ThreadState::BlockedException)
    );
    let mut message = ok!(right.read());
    let exception = Exception::from(message.handles.remove(0));
    check_eq!(ok!(ok!(exception.thread()).koid()), ok!(mini.thread.koid()));
    ok!(left.write(b"exception", alloc::vec![exception.into()]));
    // With the message it is closed.
    drop((left, right));
    ends_with(&mini.process, RETCODE_EXCEPTION_KILL)
}

fn a_kill_ends_the_exception(world: &World) -> Case {
    let (mini, _channel, _exception) = faulted(world)?;
    ok!(mini.process.kill());
    ends_with(&mini.process, RETCODE_SYSCALL_KILL)?;
    reaches(&mini.thread, ThreadState::Dead)
}

fn an_exception_of_a_dead_thread_still_answers(world: &World) -> Case {
    let (mini, channel, exception) = faulted(world)?;
    ok!(mini.process.kill());
    ends_with(&mini.process, RETCODE_SYSCALL_KILL)?;
    ok!(channel.wait_one(Signals::CHANNEL_PEER_CLOSED, soon()));
    check_eq!(ok!(ok!(exception.thread()).koid()), ok!(mini.thread.koid()));
    ok!(exception.resume());
    Ok(())
}

fn many_threads_fault_at_once(world: &World) -> Case {
    let mut code = Code::new();
    code.spin();
    let fault = code.breakpoint();
    // lock inc [word 0]
    code.bytes(&[0xf0]).increment(0);
    code.spin();
    let mini = mini(world, &code)?;
    let channel = ok!(Channel::of_exceptions(&mini.process, PLAIN));
    let token = ok!(mini.process.suspend());
    ok!(mini.start());
    let mut threads = Vec::new();
    for number in 1..8 {
        threads.push(ok!(mini.add_thread(fault, number)));
    }
    drop(token);
    let mut exceptions = Vec::new();
    let mut seen = Vec::new();
    for _ in &threads {
        let (info, exception) = ok!(channel.exception_by(soon()));
        seen.push(info.tid);
        exceptions.push(exception);
    }
    for thread in &threads {
        check!(seen.contains(&ok!(thread.koid())));
        check_eq!(ok!(state(thread)), Some(ThreadState::BlockedException));
    }
    for exception in exceptions {
        ok!(exception.resume());
    }
    ok!(mini.wait_for_word(0, 7));
    Ok(())
}
