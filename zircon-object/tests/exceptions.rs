//! Exceptions go from listener to listener, and closing the last handle is the answer
#![cfg(test)]

use kernel_hal::context::UserContext;
use std::sync::{Arc, Mutex, MutexGuard};
use zircon_object::ipc::channel::{Read, Unfit};
use zircon_object::ipc::message::Handles;
use zircon_object::ipc::Channel;
use zircon_object::object::Handle;
use zircon_object::runtime::{set_thread_runner, EXECUTOR};
use zircon_object::task::exception::{raise, Audience, ExceptionChannel, Verdict};
use zircon_object::task::{Exception, Job, Process, Thread};
use zircon_object::{ObjectType, Rights, Signals, ZxError, ZxResult};
use zx_abi::exception::{
    ExceptionHandler, ExceptionReport, ExceptionState, ExceptionStrategy, ExceptionType,
};

/// What the last thread's exception came to. Tests run one after the other: the executor is the kernel's only one.
static VERDICT: Mutex<Option<Verdict>> = Mutex::new(None);
static TURN: Mutex<()> = Mutex::new(());

const SOME: Rights = Rights::READ.union(Rights::WRITE);
const BOTH: Audience = Audience {
    thread: SOME,
    process: Some(SOME),
};

/// Instead of user code a started thread takes one exception.
fn run(thread: Arc<Thread>, context: Box<UserContext>) -> ZxResult {
    let started = thread.clone();
    let future = async move {
        thread.park(context);
        let verdict =
            raise::ask_all(&thread, ExceptionType::General, ExceptionReport::default()).await;
        drop(thread.unpark());
        *VERDICT.lock().unwrap() = Some(verdict);
    };
    let task = EXECUTOR.spawn(future).map_err(|_| ZxError::NoMemory)?;
    started.set_task(task);
    Ok(())
}

struct World {
    parent: Arc<Job>,
    job: Arc<Job>,
    process: Arc<Process>,
    thread: Arc<Thread>,
    _turn: MutexGuard<'static, ()>,
}

impl World {
    fn new() -> Self {
        let turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        kernel_hal_hosted::init();
        set_thread_runner(run);
        *VERDICT.lock().unwrap() = None;
        let parent = Job::new_root().unwrap();
        let job = parent.create_child().unwrap();
        let process = Process::create(&job, b"process").unwrap();
        let thread = Thread::new(process.clone(), b"thread").unwrap();
        Self {
            parent,
            job,
            process,
            thread,
            _turn: turn,
        }
    }

    /// The thread starts and stops in its exception.
    fn crash(&self) {
        self.process
            .start(&self.thread, 0x1000, 0x2000, None, 0)
            .unwrap();
        EXECUTOR.run_until_idle();
    }
}

fn verdict() -> Option<Verdict> {
    EXECUTOR.run_until_idle();
    *VERDICT.lock().unwrap()
}

fn listen(place: &ExceptionChannel) -> Handle {
    place.bind(BOTH).unwrap()
}

/// The exception that waits at a listener.
fn next(listener: &Handle) -> Option<(Arc<Exception>, Handle)> {
    let channel = listener.get::<Channel>(Rights::READ).unwrap();
    let Ok(Read::Message(mut message)) = channel.read(64, 1, Unfit::Keep) else {
        return None;
    };
    let bytes = message.bytes().to_vec();
    let Handles::Many(mut handles) = message.unload() else {
        return None;
    };
    assert_eq!(bytes.len(), 24);
    let handle = handles.pop().unwrap();
    Some((handle.get(Rights::empty()).unwrap(), handle))
}

#[test]
fn listeners_are_asked_from_the_debugger_up_to_the_root_job() {
    let world = World::new();
    let places = [
        (world.process.debugger_channel(), ExceptionHandler::Debugger),
        (world.thread.exception_channel(), ExceptionHandler::Thread),
        (world.process.exception_channel(), ExceptionHandler::Process),
        (world.job.exception_channel(), ExceptionHandler::Job),
        (world.parent.exception_channel(), ExceptionHandler::Job),
    ];
    let listeners: Vec<_> = places
        .iter()
        .map(|(place, kind)| (listen(place), *kind))
        .collect();
    world.crash();
    for (index, (listener, kind)) in listeners.iter().enumerate() {
        assert!(listeners[index + 1..]
            .iter()
            .all(|(later, _)| next(later).is_none()));
        let (exception, handle) = next(listener).unwrap();
        assert_eq!(
            (exception.handler(), world.thread.exception_handler()),
            (*kind, *kind)
        );
        assert_eq!(
            (exception.state(), world.thread.info_state(), verdict()),
            (ExceptionState::TryNext, 0x103, None)
        );
        drop(handle);
        EXECUTOR.run_until_idle();
    }
    assert_eq!(verdict(), Some(Verdict::Unhandled));
}

#[test]
fn a_listener_that_handles_it_is_the_last_to_be_asked() {
    let world = World::new();
    let (first, second) = (
        listen(world.thread.exception_channel()),
        listen(world.process.exception_channel()),
    );
    world.crash();
    let (exception, handle) = next(&first).unwrap();
    exception.set_state(ExceptionState::Handled);
    drop(handle);
    assert_eq!(
        (verdict(), next(&second).is_none()),
        (Some(Verdict::Handled), true)
    );
}

#[test]
fn closing_a_channel_with_an_unread_exception_asks_the_next_listener() {
    let world = World::new();
    let (first, second) = (
        listen(world.thread.exception_channel()),
        listen(world.process.exception_channel()),
    );
    world.crash();
    assert!(next(&second).is_none());
    drop(first);
    assert_eq!(verdict(), None);
    let (exception, handle) = next(&second).unwrap();
    exception.set_state(ExceptionState::Handled);
    drop(handle);
    assert_eq!(verdict(), Some(Verdict::Handled));
}

#[test]
fn only_the_debugger_may_ask_for_a_second_chance_and_gets_it_before_the_jobs() {
    let world = World::new();
    let (debugger, process) = (
        listen(world.process.debugger_channel()),
        listen(world.process.exception_channel()),
    );
    let job = listen(world.job.exception_channel());
    world.crash();
    let (exception, handle) = next(&debugger).unwrap();
    exception
        .set_strategy(ExceptionStrategy::SecondChance)
        .unwrap();
    drop(handle);
    EXECUTOR.run_until_idle();
    let (exception, handle) = next(&process).unwrap();
    assert_eq!(
        exception.set_strategy(ExceptionStrategy::FirstChance),
        Err(ZxError::BadState)
    );
    drop(handle);
    EXECUTOR.run_until_idle();
    assert!(next(&job).is_none());
    drop(next(&debugger).unwrap());
    EXECUTOR.run_until_idle();
    assert!(next(&job).is_some());
    assert_eq!(verdict(), Some(Verdict::Unhandled));
}

#[test]
fn a_kill_ends_the_exception_and_leaves_its_handle_usable() {
    let world = World::new();
    let listener = listen(world.process.exception_channel());
    world.crash();
    let (exception, handle) = next(&listener).unwrap();
    world.thread.kill();
    assert_eq!(verdict(), Some(Verdict::Killed));
    exception.set_state(ExceptionState::Handled);
    assert_eq!(
        exception.thread_handle().unwrap().object().object_type(),
        ObjectType::Thread
    );
    drop(handle);
}

#[test]
fn registers_can_be_reached_while_a_listener_decides() {
    let world = World::new();
    let listener = listen(world.thread.exception_channel());
    let rip = || world.thread.with_parked(|context| Ok(context.regs.rip));
    assert_eq!(rip(), Err(ZxError::BadState));
    world.crash();
    assert_eq!(rip(), Ok(0x1000));
    drop(next(&listener).unwrap());
    assert_eq!(
        (verdict(), rip()),
        (Some(Verdict::Unhandled), Err(ZxError::BadState))
    );
}

#[test]
fn a_place_takes_one_listener_at_a_time_and_none_when_its_task_is_gone() {
    let world = World::new();
    let place = world.process.debugger_channel();
    let first = listen(place);
    assert_eq!(
        (place.bind(BOTH).err(), place.is_bound()),
        (Some(ZxError::AlreadyBound), true)
    );
    drop(first);
    assert!(!place.is_bound());
    let second = listen(place);
    world.process.kill();
    EXECUTOR.run_until_idle();
    assert!(second
        .object()
        .base()
        .signals()
        .get()
        .contains(Signals::PEER_CLOSED));
    assert_eq!(place.bind(BOTH).err(), Some(ZxError::BadState));
}

#[test]
fn who_listens_to_a_thread_gets_no_process() {
    let world = World::new();
    let listener = world
        .thread
        .exception_channel()
        .bind(Audience {
            thread: Rights::READ,
            process: None,
        })
        .unwrap();
    assert_eq!(
        listener.rights(),
        Rights::TRANSFER | Rights::WAIT | Rights::READ
    );
    world.crash();
    let (exception, _handle) = next(&listener).unwrap();
    assert_eq!(exception.thread_handle().unwrap().rights(), Rights::READ);
    assert_eq!(
        exception.process_handle().err(),
        Some(ZxError::AccessDenied)
    );
    world.thread.kill();
    assert_eq!(verdict(), Some(Verdict::Killed));
}
