//! Each condition of job policy with each action: what a process in the job sees of it.

use libzx::{AsHandle, Channel, Job, Vmo, ZxError, ZxResult};
use mini_process::{MiniProcess, Register, DATA, PAGE};
use zx_abi::exception::{ExceptionChannelOptions, ExceptionReport, ExceptionType};
use zx_abi::info::{InfoTopic, RETCODE_EXCEPTION_KILL, RETCODE_POLICY_KILL};
use zx_abi::policy::{PolicyAction, PolicyBasicV1, PolicyCondition};
use zx_abi::syscalls::SyscallId;

use super::subject::{ends_with, job, vdso};
use crate::check::{check_eq, home_only, needs, ok, Case, Outcome};
use crate::memory::{arg, call, Scratch};
use crate::runner::Suite;
use crate::world::{soon, World};

/// Where results go in the process that is watched.
const OUT: u64 = DATA as u64 + 256;

/// A condition and a call that it is about.
pub(super) struct Condition {
    pub(super) condition: PolicyCondition,
    pub(super) call: SyscallId,
    /// The arguments; None stands for the handle that the process gets at its start.
    pub(super) args: &'static [Option<u64>],
    /// What the call says when it goes on: some creations fail later for lack of a handle.
    pub(super) goes_on: i64,
    /// What it says when it is denied.
    pub(super) denied: i64,
}

/// Sets basic policy in the form of 2018, absolutely.
pub(super) fn set_basic(job: &Job, entries: &[(PolicyCondition, PolicyAction)]) -> ZxResult {
    let mut page = Scratch::new()?;
    for (index, (condition, action)) in entries.iter().enumerate() {
        let entry = PolicyBasicV1 {
            condition: condition.raw(),
            policy: action.raw(),
        };
        page.put(index * size_of::<PolicyBasicV1>(), &entry);
    }
    let args = [arg(job), 1, 0, page.address(), entries.len()];
    call(SyscallId::JobSetPolicy, &args)
}

/// A process in `job` that makes the condition's call once and ends with its result.
pub(super) fn asking(world: &World, job: &Job, asked: &Condition) -> Result<MiniProcess, Outcome> {
    let registers = [
        Register::Rsi,
        Register::Rdx,
        Register::Rcx,
        Register::R8,
        Register::R9,
    ];
    let vdso = vdso(world)?;
    let mini = ok!(MiniProcess::with_vdso(job, vdso, |code, function| {
        if let Some(Some(first)) = asked.args.first() {
            code.set(Register::Rdi, *first);
        }
        for (register, value) in registers.into_iter().zip(asked.args.iter().skip(1)) {
            code.set(register, value.unwrap_or(0));
        }
        code.call(function(asked.call));
        // movsxd rdi, eax
        code.bytes(&[0x48, 0x63, 0xf8]);
        code.call(function(SyscallId::ProcessExit));
    }));
    Ok(mini)
}

fn begin(mini: &MiniProcess) -> Case {
    ok!(mini.start_with(ok!(Vmo::create(PAGE as u64, 0)).into()));
    Ok(())
}

fn under(world: &World, asked: &Condition, action: PolicyAction) -> Result<MiniProcess, Outcome> {
    needs!(JobSetPolicy);
    let job = job(world)?;
    ok!(set_basic(&job, &[(asked.condition, action)]));
    asking(world, &job, asked)
}

pub(super) fn it_goes_on_without_policy(world: &World, asked: &Condition) -> Case {
    let mini = asking(world, &job(world)?, asked)?;
    begin(&mini)?;
    ends_with(&mini.process, asked.goes_on)
}

pub(super) fn it_goes_on_if_allowed(world: &World, asked: &Condition) -> Case {
    let mini = under(world, asked, PolicyAction::Allow)?;
    begin(&mini)?;
    ends_with(&mini.process, asked.goes_on)
}

pub(super) fn it_is_denied(world: &World, asked: &Condition) -> Case {
    let mini = under(world, asked, PolicyAction::Deny)?;
    begin(&mini)?;
    ends_with(&mini.process, asked.denied)
}

pub(super) fn the_process_is_killed(world: &World, asked: &Condition) -> Case {
    let mini = under(world, asked, PolicyAction::Kill)?;
    begin(&mini)?;
    ends_with(&mini.process, RETCODE_POLICY_KILL)
}

/// The exception comes before the call returns, and handling it lets the call return `result`.
fn raises(world: &World, asked: &Condition, action: PolicyAction, result: i64) -> Case {
    let mini = under(world, asked, action)?;
    let options = ExceptionChannelOptions::empty();
    let channel = ok!(Channel::of_exceptions(&mini.process, options));
    begin(&mini)?;
    let (info, exception) = ok!(channel.exception_by(soon()));
    check_eq!(info.kind, ExceptionType::PolicyError.raw());
    check_eq!(info.pid, ok!(mini.process.koid()));
    check_eq!(info.tid, ok!(mini.thread.koid()));
    let report: ExceptionReport = ok!(mini.thread.get_info(InfoTopic::ThreadExceptionReport));
    check_eq!(report.kind, ExceptionType::PolicyError.raw());
    ok!(exception.resume());
    ends_with(&mini.process, result)
}

pub(super) fn an_exception_comes_and_it_goes_on(world: &World, asked: &Condition) -> Case {
    raises(world, asked, PolicyAction::AllowException, asked.goes_on)
}

pub(super) fn an_exception_comes_and_it_is_denied(world: &World, asked: &Condition) -> Case {
    raises(world, asked, PolicyAction::DenyException, asked.denied)
}

pub(super) fn an_exception_nobody_handles_ends_the_process(
    world: &World,
    asked: &Condition,
) -> Case {
    // The kernel of July 2019 page-faults itself while printing this crash.
    home_only!(world);
    let mini = under(world, asked, PolicyAction::DenyException)?;
    begin(&mini)?;
    ends_with(&mini.process, RETCODE_EXCEPTION_KILL)
}

const BAD_HANDLE: i64 = ZxError::BadHandle as i32 as i64;

const DENIED: i64 = ZxError::AccessDenied as i32 as i64;

/// Declares conditions and their suites; what is said when the call goes on and when it is denied comes first.
macro_rules! conditions {
    ($($suite:ident $name:literal: $goes_on:expr, $denied:expr, $condition:ident, $call:ident [$($arg:expr),*];)+) => {
        $(
            pub(super) const $suite: Suite = {
                const ASKED: Condition = Condition {
                    condition: PolicyCondition::$condition,
                    call: SyscallId::$call,
                    args: &[$($arg),*],
                    goes_on: $goes_on,
                    denied: $denied,
                };
                Suite {
                    name: $name,
                    cases: &[
                        ("it_goes_on_without_policy", |world| it_goes_on_without_policy(world, &ASKED)),
                        ("it_goes_on_if_allowed", |world| it_goes_on_if_allowed(world, &ASKED)),
                        ("it_is_denied", |world| it_is_denied(world, &ASKED)),
                        ("the_process_is_killed", |world| the_process_is_killed(world, &ASKED)),
                        ("an_exception_comes_and_it_goes_on", |world| an_exception_comes_and_it_goes_on(world, &ASKED)),
                        ("an_exception_comes_and_it_is_denied", |world| an_exception_comes_and_it_is_denied(world, &ASKED)),
                        ("an_exception_nobody_handles_ends_the_process",
                            |world| an_exception_nobody_handles_ends_the_process(world, &ASKED)),
                    ],
                }
            };
        )+
    };
}

conditions! {
    BAD_HANDLES "PolicyBadHandle": BAD_HANDLE, BAD_HANDLE, BadHandle, ObjectSignal [Some(0x7ff7), Some(0), Some(0)];
    NEW_VMOS "PolicyNewVmo": 0, DENIED, NewVmo, VmoCreate [Some(4096), Some(0), Some(OUT)];
    NEW_CHANNELS "PolicyNewChannel": 0, DENIED, NewChannel, ChannelCreate [Some(0), Some(OUT), Some(OUT + 8)];
    NEW_EVENTS "PolicyNewEvent": 0, DENIED, NewEvent, EventCreate [Some(0), Some(OUT)];
    NEW_EVENTPAIRS "PolicyNewEventPair": 0, DENIED, NewEventPair, EventpairCreate [Some(0), Some(OUT), Some(OUT + 8)];
    NEW_PORTS "PolicyNewPort": 0, DENIED, NewPort, PortCreate [Some(0), Some(OUT)];
    NEW_SOCKETS "PolicyNewSocket": 0, DENIED, NewSocket, SocketCreate [Some(0), Some(OUT), Some(OUT + 8)];
    NEW_FIFOS "PolicyNewFifo": 0, DENIED, NewFifo, FifoCreate [Some(8), Some(8), Some(0), Some(OUT), Some(OUT + 8)];
    NEW_TIMERS "PolicyNewTimer": 0, DENIED, NewTimer, TimerCreate [Some(0), Some(0), Some(OUT)];
    NEW_PROCESSES "PolicyNewProcess": BAD_HANDLE, DENIED, NewProcess,
        ProcessCreate [Some(0), Some(OUT), Some(0), Some(0), Some(OUT), Some(OUT + 8)];
    NEW_PROFILES "PolicyNewProfile": BAD_HANDLE, DENIED, NewProfile,
        ProfileCreate [Some(0), Some(0), Some(OUT), Some(OUT)];
    MARK_EXECUTABLE "PolicyAmbientMarkVmoExec": 0, DENIED, AmbientMarkVmoExec,
        VmoReplaceAsExecutable [None, Some(0), Some(OUT)];
}
