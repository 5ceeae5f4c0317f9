//! Tasks to ask and to act on: jobs, processes of known code, threads in known states.

use libzx::{AsHandle, Handle, Job, Process, Rights, Signals, Thread, Vmo, ZxResult};
use mini_process::{Code, MiniProcess};
use zx_abi::info::{InfoTopic, ProcessInfo, ThreadInfo, ThreadState};
use zx_abi::syscalls::SyscallId;
use zx_abi::thread_state::{GeneralRegs, ThreadStateKind};

use crate::check::{check_eq, fail, ok, skip, Case, Outcome};
use crate::world::{sleep_ms, soon, World};

/// Every right that the handle has.
pub(super) const SAME: Rights = Rights::SAME_RIGHTS;

/// A new job under this program's.
pub(super) fn job(world: &World) -> Result<Job, Outcome> {
    match &world.job {
        Some(job) => Ok(ok!(job.create_child())),
        None => skip!("no job"),
    }
}

/// The vDSO, to give to others.
pub(super) fn vdso(world: &World) -> Result<&Vmo, Outcome> {
    match world.vdso() {
        Some(vdso) => Ok(vdso),
        None => skip!("the vDSO was not passed on"),
    }
}

/// A process that has not started, in a job of its own.
pub(super) fn mini(world: &World, code: &Code) -> Result<MiniProcess, Outcome> {
    Ok(ok!(MiniProcess::new(&job(world)?, code)))
}

/// Code that counts word 0 up once and then spins.
pub(super) fn one_count() -> Code {
    let mut code = Code::new();
    code.increment(0);
    code.spin();
    code
}

/// The general registers of a thread that stands.
pub(super) fn general(thread: &Thread) -> ZxResult<GeneralRegs> {
    thread.read_state(ThreadStateKind::GeneralRegs)
}

/// Gives a thread that stands other general registers.
pub(super) fn set_general(thread: &Thread, regs: &GeneralRegs) -> ZxResult {
    thread.write_state(ThreadStateKind::GeneralRegs, regs)
}

/// A process that runs and costs nothing: it stands before its first instruction for as long as the token lives.
pub(super) fn standing(world: &World) -> Result<(MiniProcess, Handle), Outcome> {
    let mut code = Code::new();
    code.spin();
    let mini = mini(world, &code)?;
    let token = ok!(mini.process.suspend());
    ok!(mini.start());
    ok!(mini.thread.wait_one(Signals::THREAD_SUSPENDED, soon()));
    Ok((mini, token))
}

/// Starts a process whose only thread counts word 0 up for ever.
pub(super) fn counting(world: &World) -> Result<MiniProcess, Outcome> {
    let mut code = Code::new();
    let start = code.here();
    code.increment(0).jump(start);
    let mini = mini(world, &code)?;
    ok!(mini.start());
    ok!(mini.wait_until(0, |count| count > 0));
    Ok(mini)
}

/// Whether word 0 grows.
pub(super) fn is_counting(mini: &MiniProcess) -> Result<bool, Outcome> {
    let before = ok!(mini.word(0));
    let deadline = crate::world::in_ms(60);
    while libzx::time::now() < deadline {
        sleep_ms(2);
        if ok!(mini.word(0)) != before {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Starts a process whose only thread makes one call, given its number and arguments, then exits the process with the result.
pub(super) fn calling(
    world: &World,
    call: SyscallId,
    args: &[u64],
) -> Result<MiniProcess, Outcome> {
    use mini_process::Register;
    let assemble = |code: &mut Code, function: &dyn Fn(SyscallId) -> usize| {
        let registers = [
            Register::Rdi,
            Register::Rsi,
            Register::Rdx,
            Register::Rcx,
            Register::R8,
            Register::R9,
        ];
        for (register, &value) in registers.into_iter().zip(args) {
            code.set(register, value);
        }
        code.call(function(call));
        // movsxd rdi, eax
        code.bytes(&[0x48, 0x63, 0xf8]);
        code.call(function(SyscallId::ProcessExit));
    };
    let vdso = vdso(world)?;
    let mini = ok!(MiniProcess::with_vdso(&job(world)?, vdso, assemble));
    Ok(mini)
}

/// A process whose thread sleeps for ever.
pub(super) fn sleeping(world: &World) -> Result<MiniProcess, Outcome> {
    let mini = calling(world, SyscallId::Nanosleep, &[i64::MAX as u64])?;
    ok!(mini.start());
    reaches(&mini.thread, ThreadState::BlockedSleeping)?;
    Ok(mini)
}

/// What a thread is doing.
pub(super) fn state(thread: &Thread) -> ZxResult<Option<ThreadState>> {
    let info: ThreadInfo = thread.get_info(InfoTopic::Thread)?;
    Ok(ThreadState::from_raw(info.state))
}

/// Waits until a thread has a state.
pub(super) fn reaches(thread: &Thread, wanted: ThreadState) -> Case {
    let deadline = soon();
    loop {
        let found = ok!(state(thread));
        if found == Some(wanted) {
            return Ok(());
        }
        if libzx::time::now() > deadline {
            fail!("the thread is {found:?} and not {wanted:?}");
        }
        sleep_ms(1);
    }
}

/// Suspends a thread and waits until it stands.
pub(super) fn stop(thread: &Thread) -> Result<Handle, Outcome> {
    let token = ok!(thread.suspend());
    ok!(thread.wait_one(Signals::THREAD_SUSPENDED, soon()));
    Ok(token)
}

/// Waits until a process has ended, and looks at its code.
pub(super) fn ends_with(process: &Process, code: i64) -> Case {
    ok!(process.wait_one(Signals::PROCESS_TERMINATED, soon()));
    let info: ProcessInfo = ok!(process.info());
    check_eq!((info.exited, info.return_code), (1, code));
    Ok(())
}

/// The thread that asks, by asking for the first thread of its process.
pub(super) fn own_thread() -> ZxResult<Thread> {
    let own = libzx::own_process();
    let koids = own.get_info_list::<u64>(InfoTopic::ProcessThreads)?;
    let process = Process::from(own.duplicate_handle(SAME)?);
    process.thread(koids.first().copied().unwrap_or(0), SAME)
}
