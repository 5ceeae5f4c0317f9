//! Debug registers and single steps: breakpoints, watchpoints, and what is refused.

use alloc::vec::Vec;

use libzx::{AsHandle, Channel, Exception, Thread};
use mini_process::{Code, MiniProcess, DATA};
use zx_abi::exception::{ExceptionChannelOptions, ExceptionReport, ExceptionType};
use zx_abi::info::InfoTopic;
use zx_abi::thread_state::{DebugRegs, GeneralRegs, ThreadStateKind};

use super::subject::{counting, is_counting, mini, standing, stop};
use crate::check::{check, check_eq, fails, home_only, ok, suite, Case, Outcome};
use crate::world::{soon, World};

suite! {
    "DebugRegisters":
    they_are_clean_at_first,
    what_is_written_is_read_back,
    reserved_bits_stay_as_they_are,
    addresses_of_the_kernel_are_refused,
    a_breakpoint_stops_before_the_instruction,
    each_of_four_breakpoints_is_told_apart,
    a_breakpoint_that_is_off_does_nothing,
    a_watchpoint_stops_after_the_write,
    a_watchpoint_on_reads_sees_reads,
    breakpoints_are_of_one_thread,
    they_survive_suspension,
    running_and_unstarted_threads_have_none,
    a_step_runs_one_instruction,
    many_steps_follow_the_code,
    a_step_is_off_unless_asked_for,
    a_step_must_be_zero_or_one,
    a_step_can_be_taken_back,
}

const DEBUG: ThreadStateKind = ThreadStateKind::DebugRegs;
const GENERAL: ThreadStateKind = ThreadStateKind::GeneralRegs;
const STEP: ThreadStateKind = ThreadStateKind::SingleStep;

fn debug(thread: &Thread) -> libzx::ZxResult<DebugRegs> {
    thread.read_state(DEBUG)
}

fn rip(thread: &Thread) -> Result<usize, Outcome> {
    let regs: GeneralRegs = ok!(thread.read_state(GENERAL));
    Ok(usize::try_from(regs.rip).unwrap_or(0))
}

fn they_are_clean_at_first(world: &World) -> Case {
    let (mini, _token) = standing(world)?;
    let regs = ok!(debug(&mini.thread));
    check_eq!(regs.dr, [0; 4]);
    // No breakpoint has hit, none is on.
    check_eq!((regs.dr6 & 0xe00f, regs.dr7 & 0xff), (0, 0));
    Ok(())
}

fn what_is_written_is_read_back(world: &World) -> Case {
    let (mini, _token) = standing(world)?;
    let mut regs = ok!(debug(&mini.thread));
    regs.dr = [DATA as u64, 0x200_0000, 0, 0x7ffe_0000_0000];
    regs.dr7 |= 0x1;
    ok!(mini.thread.write_state(DEBUG, &regs));
    let back = ok!(debug(&mini.thread));
    check_eq!(back.dr, regs.dr);
    check_eq!(back.dr7 & 0xff, 1);
    Ok(())
}

fn reserved_bits_stay_as_they_are(world: &World) -> Case {
    let (mini, _token) = standing(world)?;
    let before = ok!(debug(&mini.thread));
    let mut regs = before;
    // Bits that are always 1 cleared, bits that are always 0 set.
    regs.dr6 = 0x1000;
    regs.dr7 = 0xd800;
    ok!(mini.thread.write_state(DEBUG, &regs));
    let back = ok!(debug(&mini.thread));
    check_eq!((back.dr6 & 0x1000, back.dr7 & 0xd800), (0, 0));
    check_eq!(back.dr6 & 0xffff_0ff0, before.dr6 & 0xffff_0ff0);
    check_eq!(back.dr7 & 0x400, 0x400);
    Ok(())
}

fn addresses_of_the_kernel_are_refused(world: &World) -> Case {
    let (mini, _token) = standing(world)?;
    let before = ok!(debug(&mini.thread));
    for bad in [0xffff_ffff_8010_0000, 0x8000_0000_0000, u64::MAX] {
        for index in 0..4 {
            let mut regs = before;
            regs.dr[index] = bad;
            fails!(mini.thread.write_state(DEBUG, &regs), InvalidArgs);
        }
    }
    check_eq!(ok!(debug(&mini.thread)).dr, [0; 4]);
    Ok(())
}

/// A process that stands before its first instruction, and the channel of its exceptions.
fn watched(world: &World, code: &Code) -> Result<(MiniProcess, Channel, libzx::Handle), Outcome> {
    let mini = mini(world, code)?;
    let options = ExceptionChannelOptions::empty();
    let channel = ok!(Channel::of_exceptions(&mini.process, options));
    let token = ok!(mini.process.suspend());
    ok!(mini.start());
    ok!(mini
        .thread
        .wait_one(libzx::Signals::THREAD_SUSPENDED, soon()));
    Ok((mini, channel, token))
}

/// Waits for the exception of a breakpoint or step.
fn hit(mini: &MiniProcess, channel: &Channel) -> Result<Exception, Outcome> {
    let (info, exception) = ok!(channel.exception_by(soon()));
    check_eq!(info.kind, ExceptionType::HwBreakpoint.raw());
    let report: ExceptionReport = ok!(mini.thread.get_info(InfoTopic::ThreadExceptionReport));
    check_eq!(
        (report.kind, report.vector),
        (ExceptionType::HwBreakpoint.raw(), 1)
    );
    Ok(exception)
}

fn a_breakpoint_stops_before_the_instruction(world: &World) -> Case {
    let mut code = Code::new();
    code.nop();
    code.increment(0);
    let here = code.here();
    code.increment(1);
    code.spin();
    let (mini, channel, token) = watched(world, &code)?;
    let mut regs = ok!(debug(&mini.thread));
    regs.dr[0] = here as u64;
    regs.dr7 |= 1;
    ok!(mini.thread.write_state(DEBUG, &regs));
    drop(token);
    let exception = hit(&mini, &channel)?;
    check_eq!(rip(&mini.thread)?, here);
    check_eq!([ok!(mini.word(0)), ok!(mini.word(1))], [1, 0]);
    let mut regs = ok!(debug(&mini.thread));
    check_eq!(regs.dr6 & 0xf, 1);
    regs.dr7 &= !1;
    regs.dr6 &= !0xf;
    ok!(mini.thread.write_state(DEBUG, &regs));
    ok!(exception.resume());
    ok!(mini.wait_for_word(1, 1));
    Ok(())
}

fn each_of_four_breakpoints_is_told_apart(world: &World) -> Case {
    let mut code = Code::new();
    let places: [usize; 4] = core::array::from_fn(|_| code.nop());
    code.increment(0);
    code.spin();
    let (mini, channel, token) = watched(world, &code)?;
    let mut regs = ok!(debug(&mini.thread));
    // The last is hit last; all four are on at once.
    for (index, place) in places.into_iter().enumerate() {
        regs.dr[index] = place as u64;
    }
    regs.dr7 |= 0b0101_0101;
    ok!(mini.thread.write_state(DEBUG, &regs));
    drop(token);
    for (index, place) in places.into_iter().enumerate() {
        let exception = hit(&mini, &channel)?;
        check_eq!(rip(&mini.thread)?, place);
        let mut regs = ok!(debug(&mini.thread));
        check_eq!(regs.dr6 & 0xf, 1 << index);
        regs.dr6 &= !0xf;
        regs.dr7 &= !(1 << (2 * index));
        ok!(mini.thread.write_state(DEBUG, &regs));
        ok!(exception.resume());
    }
    ok!(mini.wait_for_word(0, 1));
    Ok(())
}

fn a_breakpoint_that_is_off_does_nothing(world: &World) -> Case {
    let mut code = Code::new();
    let place = code.nop();
    code.increment(0);
    code.spin();
    let (mini, channel, token) = watched(world, &code)?;
    let mut regs = ok!(debug(&mini.thread));
    regs.dr[0] = place as u64;
    ok!(mini.thread.write_state(DEBUG, &regs));
    drop(token);
    ok!(mini.wait_for_word(0, 1));
    fails!(channel.read(), ShouldWait);
    Ok(())
}

/// Kinds of access that debug register 0 watches, 8 bytes.
const ON_WRITE: u64 = 0b1101 << 16;
const ON_ACCESS: u64 = 0b1111 << 16;

fn a_watchpoint_stops_after_the_write(world: &World) -> Case {
    let mut code = Code::new();
    code.increment(0);
    code.load(mini_process::Register::Rax, 5);
    code.increment(5);
    let after = code.here();
    code.increment(1);
    code.spin();
    let (mini, channel, token) = watched(world, &code)?;
    let mut regs = ok!(debug(&mini.thread));
    regs.dr[0] = (DATA + 40) as u64;
    regs.dr7 |= ON_WRITE | 1;
    ok!(mini.thread.write_state(DEBUG, &regs));
    drop(token);
    let exception = hit(&mini, &channel)?;
    check_eq!(rip(&mini.thread)?, after);
    check_eq!([ok!(mini.word(5)), ok!(mini.word(1))], [1, 0]);
    check_eq!(ok!(debug(&mini.thread)).dr6 & 0xf, 1);
    ok!(exception.resume());
    ok!(mini.wait_for_word(1, 1));
    Ok(())
}

fn a_watchpoint_on_reads_sees_reads(world: &World) -> Case {
    let mut code = Code::new();
    code.load(mini_process::Register::Rax, 5);
    let after = code.here();
    code.increment(1);
    code.spin();
    let (mini, channel, token) = watched(world, &code)?;
    let mut regs = ok!(debug(&mini.thread));
    regs.dr[0] = (DATA + 40) as u64;
    regs.dr7 |= ON_ACCESS | 1;
    ok!(mini.thread.write_state(DEBUG, &regs));
    drop(token);
    let exception = hit(&mini, &channel)?;
    check_eq!(rip(&mini.thread)?, after);
    ok!(exception.resume());
    ok!(mini.wait_for_word(1, 1));
    Ok(())
}

fn breakpoints_are_of_one_thread(world: &World) -> Case {
    let mut code = Code::new();
    let start = code.here();
    code.increment(0).jump(start);
    let (mini, channel, token) = watched(world, &code)?;
    let mut regs = ok!(debug(&mini.thread));
    regs.dr[0] = start as u64;
    regs.dr7 |= 1;
    ok!(mini.thread.write_state(DEBUG, &regs));
    let other = ok!(mini.add_thread(start, 1));
    drop(token);
    let exception = hit(&mini, &channel)?;
    // The other counts at the same place.
    check!(is_counting(&mini)?);
    fails!(channel.read(), ShouldWait);
    ok!(other.wait_one(libzx::Signals::THREAD_RUNNING, soon()));
    drop(exception);
    Ok(())
}

fn they_survive_suspension(world: &World) -> Case {
    let mini = counting(world)?;
    let token = stop(&mini.thread)?;
    let mut regs = ok!(debug(&mini.thread));
    regs.dr[2] = (DATA + 800) as u64;
    regs.dr7 |= 0x10;
    ok!(mini.thread.write_state(DEBUG, &regs));
    drop(token);
    for _ in 0..5 {
        let _token = stop(&mini.thread)?;
        let back = ok!(debug(&mini.thread));
        check_eq!((back.dr[2], back.dr7 & 0xff), ((DATA + 800) as u64, 0x10));
    }
    Ok(())
}

fn running_and_unstarted_threads_have_none(world: &World) -> Case {
    let running = counting(world)?;
    let unstarted = mini(world, &Code::new())?;
    for thread in [&running.thread, &unstarted.thread] {
        fails!(debug(thread), BadState);
        fails!(thread.write_state(DEBUG, &DebugRegs::default()), BadState);
        fails!(thread.read_state::<u32>(STEP), BadState);
        fails!(thread.write_state(STEP, &1u32), BadState);
    }
    Ok(())
}

fn a_step_runs_one_instruction(world: &World) -> Case {
    let mut code = Code::new();
    code.increment(0);
    let second = code.here();
    code.increment(1);
    code.spin();
    let (mini, channel, token) = watched(world, &code)?;
    ok!(mini.thread.write_state(STEP, &1u32));
    check_eq!(ok!(mini.thread.read_state::<u32>(STEP)), 1);
    drop(token);
    let exception = hit(&mini, &channel)?;
    check_eq!(rip(&mini.thread)?, second);
    check_eq!([ok!(mini.word(0)), ok!(mini.word(1))], [1, 0]);
    home_only!(world);
    // It was a step, not a breakpoint.
    check_eq!(ok!(debug(&mini.thread)).dr6 & 0x400f, 0x4000);
    drop(exception);
    Ok(())
}

fn many_steps_follow_the_code(world: &World) -> Case {
    let mut code = Code::new();
    let mut places = Vec::new();
    for word in 0..4 {
        places.push(code.nop());
        places.push(code.here());
        code.increment(word);
    }
    places.push(code.here());
    let start = places[0];
    code.jump(start);
    let (mini, channel, token) = watched(world, &code)?;
    ok!(mini.thread.write_state(STEP, &1u32));
    drop(token);
    for place in places.iter().cycle().skip(1).take(2 * places.len()) {
        let exception = hit(&mini, &channel)?;
        check_eq!(rip(&mini.thread)?, *place);
        ok!(mini.thread.write_state(STEP, &1u32));
        ok!(exception.resume());
    }
    Ok(())
}

fn a_step_is_off_unless_asked_for(world: &World) -> Case {
    let (mini, _token) = standing(world)?;
    check_eq!(ok!(mini.thread.read_state::<u32>(STEP)), 0);
    Ok(())
}

fn a_step_must_be_zero_or_one(world: &World) -> Case {
    let (mini, _token) = standing(world)?;
    for wrong in [2u32, 255, u32::MAX] {
        fails!(mini.thread.write_state(STEP, &wrong), InvalidArgs);
    }
    check_eq!(ok!(mini.thread.read_state::<u32>(STEP)), 0);
    Ok(())
}

fn a_step_can_be_taken_back(world: &World) -> Case {
    let mut code = Code::new();
    let start = code.here();
    code.increment(0).jump(start);
    let (mini, channel, token) = watched(world, &code)?;
    ok!(mini.thread.write_state(STEP, &1u32));
    ok!(mini.thread.write_state(STEP, &0u32));
    drop(token);
    check!(is_counting(&mini)?);
    fails!(channel.read(), ShouldWait);
    Ok(())
}
