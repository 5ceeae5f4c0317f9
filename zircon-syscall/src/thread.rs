//! Threads: create, start, exit, and the registers of stopped ones.

use crate::Caller;
use kernel_hal::user::{UserIn, UserOut};
use zircon_object::object::Handle;
use zircon_object::task::{Process, Thread};
use kernel_hal::context::{GeneralRegs, UserContext};
use zerocopy::{FromZeros, IntoBytes};
use zx_abi::thread_state::ThreadStateKind;
use zx_abi::{HandleValue, Rights, ZxError, ZxResult};

/// Flags that user code may change: carry to overflow, without trap, interrupt and privilege bits.
const USER_RFLAGS: u64 = 0x0024_0dd5 & !TRAP_FLAG;
/// Makes the CPU stop after one instruction.
const TRAP_FLAG: u64 = 1 << 8;

/// Makes a thread that has not started.
///
/// # Errors
/// - `InvalidArgs`: options are not 0, or the name cannot be read.
/// - `BadHandle`, `WrongType`, `AccessDenied`: the process handle lacks MANAGE_THREAD.
/// - `NoMemory`, `InvalidArgs`: no memory, or `out` cannot be written.
pub(crate) fn sys_thread_create(
    caller: &Caller<'_>,
    process: HandleValue,
    name: UserIn<u8>,
    name_size: usize,
    options: u32,
    out: UserOut<HandleValue>,
) -> ZxResult {
    if options != 0 {
        return Err(ZxError::InvalidArgs);
    }
    let (name, len) = caller.read_name(name, name_size)?;
    let process = caller.get::<Process>(process, Rights::MANAGE_THREAD)?;
    caller.give(Handle::new(Thread::new(process, &name[..len])?)?, out)
}

/// Starts a thread of a running process.
///
/// # Errors
/// - `BadHandle`, `WrongType`, `AccessDenied`: the handle lacks MANAGE_THREAD.
/// - `BadState`: it was started before, or its process does not run.
/// - `NoMemory`: no memory to run it.
pub(crate) fn sys_thread_start(
    caller: &Caller<'_>,
    handle: HandleValue,
    entry: usize,
    stack: usize,
    arg1: usize,
    arg2: usize,
) -> ZxResult {
    caller.get::<Thread>(handle, Rights::MANAGE_THREAD)?.start(entry, stack, arg1, arg2)
}

/// Ends the calling thread; its loop sees it and does not return to user code.
pub(crate) fn sys_thread_exit(caller: &Caller<'_>) {
    caller.thread().exit();
}

/// Reads registers of a thread that is suspended or in an exception.
///
/// # Errors
/// - `BadHandle`, `WrongType`, `AccessDenied`: the handle lacks READ.
/// - `InvalidArgs`: unknown kind.
/// - `BufferTooSmall`: the buffer is smaller than the registers.
/// - `BadState`: the thread is not stopped.
/// - `InvalidArgs`: the buffer cannot be written.
// PARTIAL: general registers, FS, GS and single step only; floating point, vector and debug registers are missing
pub(crate) fn sys_thread_read_state(
    caller: &Caller<'_>,
    handle: HandleValue,
    kind: u32,
    buffer: UserOut<u8>,
    buffer_size: usize,
) -> ZxResult {
    let thread = caller.get::<Thread>(handle, Rights::READ)?;
    let kind = ThreadStateKind::from_raw(kind).ok_or(ZxError::InvalidArgs)?;
    fits(kind, buffer_size)?;
    let mut bytes = [0; size_of::<GeneralRegs>()];
    let len = size_of_kind(kind);
    let bytes = bytes.get_mut(..len).ok_or(ZxError::NotSupported)?;
    thread.with_parked(|context| {
        let regs = &context.regs;
        match kind {
            ThreadStateKind::GeneralRegs => bytes.copy_from_slice(regs.as_bytes()),
            ThreadStateKind::X86RegisterFs => bytes.copy_from_slice(regs.fs_base.as_bytes()),
            ThreadStateKind::X86RegisterGs => bytes.copy_from_slice(regs.gs_base.as_bytes()),
            ThreadStateKind::SingleStep => bytes.copy_from_slice(u32::from(regs.rflags & TRAP_FLAG != 0).as_bytes()),
            ThreadStateKind::FpRegs | ThreadStateKind::VectorRegs | ThreadStateKind::DebugRegs => return Err(ZxError::NotSupported),
        }
        Ok(())
    })?;
    caller.write_slice(buffer, bytes)
}

/// Changes registers of a thread that is suspended or in an exception.
///
/// # Errors
/// - `BadHandle`, `WrongType`, `AccessDenied`: the handle lacks WRITE.
/// - `InvalidArgs`: unknown kind.
/// - `BufferTooSmall`: the buffer is smaller than the registers.
/// - `InvalidArgs`: the buffer cannot be read.
/// - `BadState`: the thread is not stopped.
/// - `InvalidArgs`: an address that is not canonical, single step other than 0 and 1.
// PARTIAL: general registers, FS, GS and single step only; floating point, vector and debug registers are missing
pub(crate) fn sys_thread_write_state(
    caller: &Caller<'_>,
    handle: HandleValue,
    kind: u32,
    buffer: UserIn<u8>,
    buffer_size: usize,
) -> ZxResult {
    let thread = caller.get::<Thread>(handle, Rights::WRITE)?;
    let kind = ThreadStateKind::from_raw(kind).ok_or(ZxError::InvalidArgs)?;
    fits(kind, buffer_size)?;
    let addr = buffer.addr();
    match kind {
        ThreadStateKind::GeneralRegs => {
            let mut regs = GeneralRegs::new_zeroed();
            caller.read_slice(UserIn::new(addr), core::slice::from_mut(&mut regs))?;
            thread.with_parked(|context| set_general(context, regs))
        }
        ThreadStateKind::X86RegisterFs => {
            let base = caller.read(UserIn::<u64>::new(addr))?;
            thread.with_parked(|context| canonical(base).map(|()| context.regs.fs_base = base))
        }
        ThreadStateKind::X86RegisterGs => {
            let base = caller.read(UserIn::<u64>::new(addr))?;
            thread.with_parked(|context| canonical(base).map(|()| context.regs.gs_base = base))
        }
        ThreadStateKind::SingleStep => {
            let step = caller.read(UserIn::<u32>::new(addr))?;
            thread.with_parked(|context| {
                match step {
                    0 => context.regs.rflags &= !TRAP_FLAG,
                    1 => context.regs.rflags |= TRAP_FLAG,
                    _ => return Err(ZxError::InvalidArgs),
                }
                Ok(())
            })
        }
        ThreadStateKind::FpRegs | ThreadStateKind::VectorRegs | ThreadStateKind::DebugRegs => {
            thread.with_parked(|_| Err(ZxError::NotSupported))
        }
    }
}

fn set_general(context: &mut UserContext, regs: GeneralRegs) -> ZxResult {
    canonical(regs.rip)?;
    canonical(regs.fs_base)?;
    canonical(regs.gs_base)?;
    let kept = context.regs.rflags & !USER_RFLAGS;
    context.regs = GeneralRegs { rflags: kept | regs.rflags & USER_RFLAGS, ..regs };
    Ok(())
}

/// Whether the CPU takes it as an address.
fn canonical(addr: u64) -> ZxResult {
    match addr >> 47 {
        0 | 0x1_ffff => Ok(()),
        _ => Err(ZxError::InvalidArgs),
    }
}

fn fits(kind: ThreadStateKind, size: usize) -> ZxResult {
    if size < size_of_kind(kind) {
        Err(ZxError::BufferTooSmall)
    } else {
        Ok(())
    }
}

const fn size_of_kind(kind: ThreadStateKind) -> usize {
    match kind {
        ThreadStateKind::GeneralRegs => size_of::<GeneralRegs>(),
        ThreadStateKind::FpRegs => size_of::<zx_abi::thread_state::FpRegs>(),
        ThreadStateKind::VectorRegs => size_of::<zx_abi::thread_state::VectorRegs>(),
        ThreadStateKind::DebugRegs => size_of::<zx_abi::thread_state::DebugRegs>(),
        ThreadStateKind::SingleStep => size_of::<u32>(),
        ThreadStateKind::X86RegisterFs | ThreadStateKind::X86RegisterGs => size_of::<u64>(),
    }
}
