//! Threads: create, start, exit, and the registers of stopped ones.

use crate::level::CheckedJump;
use crate::Caller;
use kernel_hal::context::{vector_layout, DebugState, EnteredBy, GeneralRegs, UserContext};
use kernel_hal::user::{UserIn, UserOut};
use zerocopy::{FromZeros, Immutable, IntoBytes};
use zircon_object::object::Handle;
use zircon_object::task::{Process, Thread};
use zx_abi::thread_state::{DebugRegs, FpRegs, ThreadStateKind, VectorRegs};
use zx_abi::{HandleValue, Rights, ZxError, ZxResult};

/// Flags that user code may change: carry to overflow, TF, NT, AC and ID; not interrupt and privilege bits.
const USER_RFLAGS: u64 = 0x0024_4dd5;
/// Bits of DR6 that are always set.
const DR6_FIXED: u64 = 0xffff_0ff0;
/// Bits of DR7 that are always set: exact matching, and the one that is reserved.
const DR7_FIXED: u64 = 0x700;
/// Addresses of the lower half have so many bits, with page tables of four levels.
const USER_ADDRESS_BITS: u32 = 47;
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
    caller
        .get::<Thread>(handle, Rights::MANAGE_THREAD)?
        .start(entry, stack, arg1, arg2)
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
/// - `NotSupported`: the thread is about to end and has no registers any more.
/// - `InvalidArgs`: the buffer cannot be written.
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
    let to = buffer.addr();
    match kind {
        ThreadStateKind::GeneralRegs => give(caller, &thread, to, |context| context.regs),
        ThreadStateKind::X86RegisterFs => give(caller, &thread, to, |context| context.regs.fs_base),
        ThreadStateKind::X86RegisterGs => give(caller, &thread, to, |context| context.regs.gs_base),
        ThreadStateKind::SingleStep => give(caller, &thread, to, |context| {
            u32::from(context.regs.rflags & TRAP_FLAG != 0)
        }),
        ThreadStateKind::FpRegs => give(caller, &thread, to, |context| {
            context.vector.fp_regs(&vector_layout())
        }),
        ThreadStateKind::VectorRegs => give(caller, &thread, to, |context| {
            context.vector.vector_regs(&vector_layout())
        }),
        ThreadStateKind::DebugRegs => {
            give(caller, &thread, to, |context| debug_regs(&context.debug))
        }
    }
}

fn give<T: IntoBytes + Immutable>(
    caller: &Caller<'_>,
    thread: &Thread,
    to: usize,
    get: impl FnOnce(&UserContext) -> T,
) -> ZxResult {
    let value = thread.with_parked(|context| Ok(get(context)))?;
    caller.write(UserOut::new(to), &value)
}

/// Changes registers of a thread that is suspended or in an exception.
///
/// # Errors
/// - `BadHandle`, `WrongType`, `AccessDenied`: the handle lacks WRITE.
/// - `InvalidArgs`: unknown kind.
/// - `BufferTooSmall`: the buffer is smaller than the registers.
/// - `InvalidArgs`: the buffer cannot be read.
/// - `BadState`: the thread is not stopped.
/// - `InvalidArgs`: an address that is not canonical or no breakpoint may have, a bad mxcsr, single step other than 0 and 1.
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
            let jump = caller.level().checked_jump;
            thread.with_parked(|context| set_general(context, regs, jump))
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
        ThreadStateKind::FpRegs => {
            let regs: FpRegs = caller.read(UserIn::new(addr))?;
            thread.with_parked(|context| {
                context.vector.set_fp_regs(&vector_layout(), &regs);
                Ok(())
            })
        }
        ThreadStateKind::VectorRegs => {
            let regs: VectorRegs = caller.read(UserIn::new(addr))?;
            thread.with_parked(|context| context.vector.set_vector_regs(&vector_layout(), &regs))
        }
        ThreadStateKind::DebugRegs => {
            let regs: DebugRegs = caller.read(UserIn::new(addr))?;
            thread.with_parked(|context| set_debug(&mut context.debug, &regs))
        }
    }
}

/// In a syscall the instruction pointer must be an address of user space, because the return from one (`sysret`) would fault
/// in the kernel; the CPU may know longer addresses than the page tables have.
fn set_general(context: &mut UserContext, regs: GeneralRegs, jump: CheckedJump) -> ZxResult {
    if context.entered_by == EnteredBy::Syscall {
        if regs.rip >> USER_ADDRESS_BITS != 0 {
            return Err(ZxError::InvalidArgs);
        }
    } else if jump == CheckedJump::Always {
        canonical(regs.rip)?;
    }
    canonical(regs.fs_base)?;
    canonical(regs.gs_base)?;
    let kept = context.regs.rflags & !USER_RFLAGS;
    context.regs = GeneralRegs {
        rflags: kept | regs.rflags & USER_RFLAGS,
        ..regs
    };
    Ok(())
}

fn debug_regs(state: &DebugState) -> DebugRegs {
    let DebugState {
        addresses: dr,
        status,
        control,
    } = *state;
    DebugRegs {
        dr,
        dr6: status | DR6_FIXED,
        dr7: control | DR7_FIXED,
        dr6_status: status | DR6_FIXED,
        dr7_control: control | DR7_FIXED,
    }
}

/// The status is the CPU's to tell: what was written there is ignored, like reserved bits of the control register.
fn set_debug(state: &mut DebugState, regs: &DebugRegs) -> ZxResult {
    let of_user = |addr: u64| {
        usize::try_from(addr).is_ok_and(|addr| kernel_hal::addr::is_user_range(addr, 1))
    };
    if !regs.dr.iter().all(|addr| *addr == 0 || of_user(*addr)) {
        return Err(ZxError::InvalidArgs);
    }
    let control = regs.dr7 & DebugState::CONTROL_USER | DR7_FIXED;
    *state = DebugState {
        addresses: regs.dr,
        status: state.status | DR6_FIXED,
        control,
    };
    Ok(())
}

/// Whether the CPU takes it as an address.
fn canonical(addr: u64) -> ZxResult {
    match addr >> USER_ADDRESS_BITS {
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
        ThreadStateKind::FpRegs => size_of::<FpRegs>(),
        ThreadStateKind::VectorRegs => size_of::<VectorRegs>(),
        ThreadStateKind::DebugRegs => size_of::<DebugRegs>(),
        ThreadStateKind::SingleStep => size_of::<u32>(),
        ThreadStateKind::X86RegisterFs | ThreadStateKind::X86RegisterGs => size_of::<u64>(),
    }
}
