//! General registers of stopped threads: read, changed, refused.

use libzx::{AsHandle, Event, Rights, Thread, Unowned, ZxResult};
use mini_process::{Code, MiniProcess, Register, CODE, DATA, PAGE, STACK, STACK_SIZE};
use zx_abi::info::{ThreadState, RETCODE_SYSCALL_KILL};
use zx_abi::syscalls::SyscallId;
use zx_abi::thread_state::{GeneralRegs, ThreadStateKind};

use super::subject::{counting, ends_with, mini, reaches, sleeping, standing, stop};
use crate::check::{check, check_eq, fails, home_only, ok, suite, Case, Outcome};
use crate::memory::{arg, call, Scratch, BAD_ADDRESSES};
use crate::world::{Level, World};

suite! {
    "Registers":
    all_are_read_as_the_thread_has_them,
    all_are_written_for_the_thread_to_have,
    what_is_written_is_read_back,
    only_flags_of_programs_can_be_changed,
    the_segment_bases_come_and_go_with_them,
    the_segment_bases_have_kinds_of_their_own,
    a_jump_out_of_canonical_addresses_is_refused_in_a_call,
    a_jump_out_of_canonical_addresses_is_refused_in_user_code,
    segment_bases_must_be_canonical,
    those_of_a_call_are_in_the_vdso_and_the_call_goes_on,
    a_running_thread_keeps_its_own,
    an_unstarted_thread_has_none,
    a_dead_thread_has_none,
    unknown_kinds_are_refused,
    short_buffers_are_refused,
    long_buffers_are_read_into,
    long_buffers_are_written_from_in_2020,
    bad_buffers_are_refused,
    rights_and_types_are_checked,
    a_value_survives_many_suspensions,
}

const GENERAL: ThreadStateKind = ThreadStateKind::GeneralRegs;

fn read(thread: &Thread) -> ZxResult<GeneralRegs> {
    thread.read_state(GENERAL)
}

/// The general registers but rsp in the order of [`Register::ALL_BUT_STACK`].
fn in_order(regs: &GeneralRegs) -> [u64; 15] {
    [
        regs.rax, regs.rcx, regs.rdx, regs.rbx, regs.rbp, regs.rsi, regs.rdi, regs.r8, regs.r9,
        regs.r10, regs.r11, regs.r12, regs.r13, regs.r14, regs.r15,
    ]
}

/// A value for each register.
fn value(index: usize) -> u64 {
    0x0123_4567_89ab_cd00 + index as u64 * 0x1111
}

fn all_are_read_as_the_thread_has_them(world: &World) -> Case {
    let mut code = Code::new();
    for (index, register) in Register::ALL_BUT_STACK.into_iter().enumerate() {
        code.set(register, value(index));
    }
    code.increment(0);
    // stc; std; jmp here
    code.bytes(&[0xf9, 0xfd]);
    let spin = code.spin();
    let mini = mini(world, &code)?;
    ok!(mini.start());
    ok!(mini.wait_for_word(0, 1));
    let _token = stop(&mini.thread)?;
    let regs = ok!(read(&mini.thread));
    for (index, found) in in_order(&regs).into_iter().enumerate() {
        check_eq!(found, value(index));
    }
    check_eq!(regs.rsp, (STACK + STACK_SIZE - 8) as u64);
    check_eq!(regs.rip, spin as u64);
    // Carry and direction, interrupts on.
    check_eq!(regs.rflags & 0x601, 0x601);
    check_eq!((regs.fs_base, regs.gs_base), (0, 0));
    Ok(())
}

/// A process that spins; what follows the spinning stores all registers, and counts word 0 up to say so.
fn storing(world: &World) -> Result<(MiniProcess, usize), Outcome> {
    let mut code = Code::new();
    code.spin();
    let store = code.here();
    for (word, register) in Register::ALL_BUT_STACK.into_iter().enumerate() {
        code.store(word + 1, register);
    }
    code.store(16, Register::Rsp);
    // pushfq; pop rax
    code.bytes(&[0x9c, 0x58]).store(17, Register::Rax);
    code.increment(0);
    code.spin();
    let mini = mini(world, &code)?;
    ok!(mini.start());
    Ok((mini, store))
}

fn all_are_written_for_the_thread_to_have(world: &World) -> Case {
    let (mini, store) = storing(world)?;
    let token = stop(&mini.thread)?;
    let mut regs = ok!(read(&mini.thread));
    [
        regs.rax, regs.rcx, regs.rdx, regs.rbx, regs.rbp, regs.rsi, regs.rdi, regs.r8, regs.r9,
        regs.r10, regs.r11, regs.r12, regs.r13, regs.r14, regs.r15,
    ] = core::array::from_fn(value);
    regs.rsp = (STACK + 2 * STACK_SIZE) as u64;
    regs.rip = store as u64;
    ok!(mini.thread.write_state(GENERAL, &regs));
    drop(token);
    ok!(mini.wait_for_word(0, 1));
    for index in 0..15 {
        check_eq!(ok!(mini.word(index + 1)), value(index));
    }
    check_eq!(ok!(mini.word(16)), (STACK + 2 * STACK_SIZE) as u64);
    Ok(())
}

fn what_is_written_is_read_back(world: &World) -> Case {
    let (mini, _token) = standing(world)?;
    let mut regs = ok!(read(&mini.thread));
    regs.rbx = 0x1234;
    regs.r15 = u64::MAX;
    regs.rip = (CODE + 1) as u64;
    regs.rflags |= 1;
    ok!(mini.thread.write_state(GENERAL, &regs));
    check_eq!(ok!(read(&mini.thread)), regs);
    Ok(())
}

fn only_flags_of_programs_can_be_changed(world: &World) -> Case {
    let (mini, store) = storing(world)?;
    let token = stop(&mini.thread)?;
    let mut regs = ok!(read(&mini.thread));
    regs.rip = store as u64;
    // All but trap: it would stop after one instruction; and alignment checks, which these words pass.
    regs.rflags = !(1 << 8);
    ok!(mini.thread.write_state(GENERAL, &regs));
    let kept = ok!(read(&mini.thread)).rflags;
    drop(token);
    ok!(mini.wait_for_word(0, 1));
    let flags = ok!(mini.word(17));
    // Interrupts stay on, IO privilege 0, no virtual mode; the user's bits are all there.
    check_eq!(flags & 0x1b_3200, 0x200);
    check_eq!(flags & 0xcd5, 0xcd5);
    check_eq!(kept & 0x1b_3000, 0);
    let _token = stop(&mini.thread)?;
    let mut regs = ok!(read(&mini.thread));
    regs.rflags = 0;
    ok!(mini.thread.write_state(GENERAL, &regs));
    check_eq!(ok!(read(&mini.thread)).rflags & 0x202, 0x202);
    Ok(())
}

/// Reads the first words at fs and gs into words 1 and 2 for ever.
fn reading_segments(world: &World) -> Result<MiniProcess, Outcome> {
    let mut code = Code::new();
    code.wait_for(9);
    let start = code.here();
    code.bytes(&[0x64, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0])
        .store(1, Register::Rax)
        .bytes(&[0x65, 0x48, 0x8b, 0x04, 0x25, 0, 0, 0, 0])
        .store(2, Register::Rax)
        .increment(0)
        .jump(start);
    let mini = mini(world, &code)?;
    for (word, value) in [(32, 0xf0), (33, 0xf1), (48, 0x60), (49, 0x61)] {
        ok!(mini.set_word(word, value));
    }
    ok!(mini.start());
    Ok(mini)
}

const FS: usize = DATA + 32 * 8;
const GS: usize = DATA + 48 * 8;

fn the_segment_bases_come_and_go_with_them(world: &World) -> Case {
    let mini = reading_segments(world)?;
    let token = stop(&mini.thread)?;
    let mut regs = ok!(read(&mini.thread));
    (regs.fs_base, regs.gs_base) = (FS as u64, GS as u64);
    ok!(mini.thread.write_state(GENERAL, &regs));
    ok!(mini.set_word(9, 1));
    drop(token);
    ok!(mini.wait_for_word(1, 0xf0));
    ok!(mini.wait_for_word(2, 0x60));
    let _token = stop(&mini.thread)?;
    let regs = ok!(read(&mini.thread));
    check_eq!((regs.fs_base, regs.gs_base), (FS as u64, GS as u64));
    Ok(())
}

fn the_segment_bases_have_kinds_of_their_own(world: &World) -> Case {
    home_only!(world);
    let mini = reading_segments(world)?;
    let token = stop(&mini.thread)?;
    let (fs, gs) = (
        ThreadStateKind::X86RegisterFs,
        ThreadStateKind::X86RegisterGs,
    );
    ok!(mini.thread.write_state(fs, &(FS as u64 + 8)));
    ok!(mini.thread.write_state(gs, &(GS as u64 + 8)));
    check_eq!(ok!(mini.thread.read_state::<u64>(fs)), FS as u64 + 8);
    check_eq!(ok!(mini.thread.read_state::<u64>(gs)), GS as u64 + 8);
    for kind in [fs, gs] {
        fails!(
            mini.thread.write_state(kind, &0x8000_0000_0000u64),
            InvalidArgs
        );
        fails!(mini.thread.write_state(kind, &0u32), BufferTooSmall);
        fails!(mini.thread.read_state::<u32>(kind), BufferTooSmall);
    }
    ok!(mini.set_word(9, 1));
    drop(token);
    ok!(mini.wait_for_word(1, 0xf1));
    ok!(mini.wait_for_word(2, 0x61));
    Ok(())
}

/// Beyond the lower half, in no half, in no half but close to the upper.
const NOT_CANONICAL: [u64; 3] = [
    0x8000_0000_0000,
    0x1234_5678_9abc_def0,
    0xffff_7fff_ffff_ffff,
];

fn a_jump_out_of_canonical_addresses_is_refused_in_a_call(world: &World) -> Case {
    let mini = sleeping(world)?;
    let token = stop(&mini.thread)?;
    let before = ok!(read(&mini.thread));
    for rip in NOT_CANONICAL {
        let mut regs = before;
        regs.rip = rip;
        fails!(mini.thread.write_state(GENERAL, &regs), InvalidArgs);
    }
    check_eq!(ok!(read(&mini.thread)), before);
    drop(token);
    reaches(&mini.thread, ThreadState::BlockedSleeping)
}

fn a_jump_out_of_canonical_addresses_is_refused_in_user_code(world: &World) -> Case {
    // Before 2020 such an address was taken, and the thread faulted when it went on.
    home_only!(world);
    let (mini, _token) = standing(world)?;
    let before = ok!(read(&mini.thread));
    for rip in NOT_CANONICAL {
        let mut regs = before;
        regs.rip = rip;
        fails!(mini.thread.write_state(GENERAL, &regs), InvalidArgs);
    }
    Ok(())
}

fn segment_bases_must_be_canonical(world: &World) -> Case {
    let (mini, _token) = standing(world)?;
    let before = ok!(read(&mini.thread));
    for base in NOT_CANONICAL {
        for set in [
            |regs: &mut GeneralRegs, base| regs.fs_base = base,
            |regs: &mut GeneralRegs, base| regs.gs_base = base,
        ] {
            let mut regs = before;
            set(&mut regs, base);
            fails!(mini.thread.write_state(GENERAL, &regs), InvalidArgs);
        }
    }
    check_eq!(ok!(read(&mini.thread)), before);
    Ok(())
}

fn those_of_a_call_are_in_the_vdso_and_the_call_goes_on(world: &World) -> Case {
    let mini = sleeping(world)?;
    let token = stop(&mini.thread)?;
    let mut base = [0; 8];
    let property = zx_abi::property::Property::ProcessVdsoBaseAddress;
    ok!(mini.process.get_property(property, &mut base));
    let base = u64::from_le_bytes(base);
    let mut regs = ok!(read(&mini.thread));
    check!((base..base + 0x2_0000).contains(&regs.rip));
    // A register that the call keeps may be changed without disturbing it.
    regs.r14 = 0x7777;
    ok!(mini.thread.write_state(GENERAL, &regs));
    drop(token);
    reaches(&mini.thread, ThreadState::BlockedSleeping)?;
    let _token = stop(&mini.thread)?;
    check_eq!(ok!(read(&mini.thread)).r14, 0x7777);
    Ok(())
}

fn a_running_thread_keeps_its_own(world: &World) -> Case {
    let mini = counting(world)?;
    fails!(read(&mini.thread), BadState);
    fails!(
        mini.thread.write_state(GENERAL, &GeneralRegs::default()),
        BadState
    );
    Ok(())
}

fn an_unstarted_thread_has_none(world: &World) -> Case {
    let mini = mini(world, &Code::new())?;
    fails!(read(&mini.thread), BadState);
    fails!(
        mini.thread.write_state(GENERAL, &GeneralRegs::default()),
        BadState
    );
    Ok(())
}

fn a_dead_thread_has_none(world: &World) -> Case {
    let (mini, token) = standing(world)?;
    ok!(mini.process.kill());
    ends_with(&mini.process, RETCODE_SYSCALL_KILL)?;
    reaches(&mini.thread, ThreadState::Dead)?;
    fails!(read(&mini.thread), BadState);
    drop(token);
    Ok(())
}

const BOTH: [SyscallId; 2] = [SyscallId::ThreadReadState, SyscallId::ThreadWriteState];

fn unknown_kinds_are_refused(world: &World) -> Case {
    let (mini, _token) = standing(world)?;
    let page = ok!(Scratch::new());
    for kind in [3, 8, 99, u32::MAX as usize] {
        for id in BOTH {
            let args = [arg(&mini.thread), kind, page.address(), PAGE];
            fails!(call(id, &args), InvalidArgs);
        }
    }
    Ok(())
}

fn short_buffers_are_refused(world: &World) -> Case {
    let (mini, _token) = standing(world)?;
    let page = ok!(Scratch::new());
    for (kind, size) in [(0, 160), (1, 160), (2, 2120), (4, 64), (5, 4)] {
        for id in BOTH {
            for short in [0, size - 1] {
                let args = [arg(&mini.thread), kind, page.address(), short];
                fails!(call(id, &args), BufferTooSmall);
            }
        }
        // The size is looked at before the state.
        let running = counting(world)?;
        let args = [arg(&running.thread), kind, page.address(), size - 1];
        fails!(call(SyscallId::ThreadReadState, &args), BufferTooSmall);
    }
    Ok(())
}

fn long_buffers_are_read_into(world: &World) -> Case {
    let (mini, _token) = standing(world)?;
    let mut page = ok!(Scratch::new());
    for (kind, size) in [(0, 160), (1, 160), (2, 2120), (4, 64), (5, 4)] {
        page.put(size, &0x5555_5555u32);
        let args = [arg(&mini.thread), kind, page.address(), PAGE];
        ok!(call(SyscallId::ThreadReadState, &args));
        check_eq!(page.u32(size), 0x5555_5555);
    }
    Ok(())
}

fn long_buffers_are_written_from_in_2020(world: &World) -> Case {
    let (mini, _token) = standing(world)?;
    let page = ok!(Scratch::new());
    let args = [arg(&mini.thread), 0, page.address(), 160];
    ok!(call(SyscallId::ThreadReadState, &args));
    let longer = [arg(&mini.thread), 0, page.address(), 168];
    match world.level {
        Level::Home => ok!(call(SyscallId::ThreadWriteState, &longer)),
        Level::July2019 => fails!(call(SyscallId::ThreadWriteState, &longer), InvalidArgs),
    }
    Ok(())
}

fn bad_buffers_are_refused(world: &World) -> Case {
    let (mini, _token) = standing(world)?;
    for (kind, size) in [(0, 160), (1, 160), (2, 2120), (4, 64), (5, 4)] {
        for bad in BAD_ADDRESSES {
            for id in BOTH {
                fails!(call(id, &[arg(&mini.thread), kind, bad, size]), InvalidArgs);
            }
        }
    }
    Ok(())
}

fn rights_and_types_are_checked(world: &World) -> Case {
    let (mini, _token) = standing(world)?;
    let page = ok!(Scratch::new());
    for id in BOTH {
        let on = |handle: usize| call(id, &[handle, 0, page.address(), 160]);
        fails!(on(arg(&Unowned(0))), BadHandle);
        fails!(on(arg(&ok!(Event::create()))), WrongType);
        fails!(on(arg(&mini.process)), WrongType);
        let weak = ok!(mini.thread.duplicate(Rights::BASIC | Rights::MANAGE_THREAD));
        fails!(on(arg(&weak)), AccessDenied);
    }
    let reader = ok!(mini.thread.duplicate(Rights::READ));
    let regs = ok!(read(&reader));
    fails!(reader.write_state(GENERAL, &regs), AccessDenied);
    let writer = ok!(mini.thread.duplicate(Rights::WRITE));
    ok!(writer.write_state(GENERAL, &regs));
    fails!(read(&writer), AccessDenied);
    Ok(())
}

fn a_value_survives_many_suspensions(world: &World) -> Case {
    let mini = counting(world)?;
    let token = stop(&mini.thread)?;
    let mut regs = ok!(read(&mini.thread));
    (regs.r12, regs.r13) = (0xdead, 0xbeef);
    ok!(mini.thread.write_state(GENERAL, &regs));
    drop(token);
    for _ in 0..20 {
        let _token = stop(&mini.thread)?;
        let regs = ok!(read(&mini.thread));
        check_eq!((regs.r12, regs.r13), (0xdead, 0xbeef));
    }
    Ok(())
}
