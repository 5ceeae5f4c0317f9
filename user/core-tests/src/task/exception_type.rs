//! Every kind of fault: the exception that comes of it, its report, and where the thread stands.

use libzx::{AsHandle, Channel, Exception};
use mini_process::{Code, MiniProcess, Register, CODE, DATA, PAGE, STACK};
use zx_abi::exception::{ExceptionChannelOptions, ExceptionReport, ExceptionType};
use zx_abi::info::{InfoTopic, RETCODE_EXCEPTION_KILL};
use zx_abi::thread_state::GeneralRegs;

use super::subject::{ends_with, general, mini, set_general};
use crate::check::{check, check_eq, home_only, ok, suite, Case, Outcome};
use crate::world::{soon, World};

suite! {
    "ExceptionType":
    an_undefined_instruction,
    a_breakpoint_instruction,
    a_read_of_nothing,
    a_write_to_nothing,
    a_write_to_what_is_read_only,
    a_jump_to_nothing,
    a_jump_to_data,
    a_read_of_the_kernel,
    a_privileged_instruction,
    a_jump_out_of_64_bit_code,
    access_to_a_port_of_a_device,
    an_address_that_is_not_canonical,
    a_division_by_zero,
    a_floating_point_error,
    a_vector_error,
    an_unaligned_access_if_asked_for,
    an_interrupt_that_programs_may_not_raise,
    a_stack_that_is_not_there,
    a_system_call_from_outside_the_vdso,
    a_handled_fault_may_be_mended,
    a_fault_may_be_stepped_over,
    a_fault_may_come_again,
    nobody_handles_it,
}

/// What an exception must show.
struct Expected {
    kind: ExceptionType,
    vector: u64,
    err_code: u64,
    cr2: u64,
}

const fn plain(kind: ExceptionType, vector: u64) -> Expected {
    Expected {
        kind,
        vector,
        err_code: 0,
        cr2: 0,
    }
}

fn faulted(
    world: &World,
    code: &Code,
) -> Result<(MiniProcess, Channel, Exception, ExceptionReport), Outcome> {
    let mini = mini(world, code)?;
    let options = ExceptionChannelOptions::empty();
    let channel = ok!(Channel::of_exceptions(&mini.process, options));
    ok!(mini.start());
    let (info, exception) = ok!(channel.exception_by(soon()));
    check_eq!(info.pid, ok!(mini.process.koid()));
    check_eq!(info.tid, ok!(mini.thread.koid()));
    let report: ExceptionReport = ok!(mini.thread.get_info(InfoTopic::ThreadExceptionReport));
    check_eq!((report.size, report.kind), (32, info.kind));
    Ok((mini, channel, exception, report))
}

fn registers(mini: &MiniProcess) -> Result<GeneralRegs, Outcome> {
    Ok(ok!(general(&mini.thread)))
}

/// The code faults at `place`, and the process ends if nobody handles it.
fn faults(world: &World, code: &Code, place: usize, expected: &Expected) -> Case {
    let (mini, channel, exception, report) = faulted(world, code)?;
    check_eq!(report.kind, expected.kind.raw());
    check_eq!(
        (report.vector, report.err_code),
        (expected.vector, expected.err_code)
    );
    if expected.kind == ExceptionType::FatalPageFault {
        check_eq!(report.cr2, expected.cr2);
    }
    check_eq!(registers(&mini)?.rip, place as u64);
    drop((exception, channel));
    ends_with(&mini.process, RETCODE_EXCEPTION_KILL)
}

fn an_undefined_instruction(world: &World) -> Case {
    let mut code = Code::new();
    let place = code.undefined();
    faults(
        world,
        &code,
        place,
        &plain(ExceptionType::UndefinedInstruction, 6),
    )
}

fn a_breakpoint_instruction(world: &World) -> Case {
    let mut code = Code::new();
    let place = code.breakpoint();
    // The thread stands behind it.
    faults(
        world,
        &code,
        place + 1,
        &plain(ExceptionType::SwBreakpoint, 3),
    )
}

/// Bits of a page fault's error code.
const PRESENT: u64 = 1;
const WRITE: u64 = 2;
const USER: u64 = 4;
const FETCH: u64 = 16;

const fn page_fault(err_code: u64, address: usize) -> Expected {
    Expected {
        kind: ExceptionType::FatalPageFault,
        vector: 14,
        err_code,
        cr2: address as u64,
    }
}

/// `mov rax, [rbx]` or `mov [rbx], rax` with rbx = `address`.
fn touches(world: &World, address: usize, is: [u8; 3], expected: &Expected) -> Case {
    let mut code = Code::new();
    code.set(Register::Rbx, address as u64);
    let place = code.here();
    code.bytes(&is);
    faults(world, &code, place, expected)
}

const LOAD: [u8; 3] = [0x48, 0x8b, 0x03];
const STORE: [u8; 3] = [0x48, 0x89, 0x03];

fn a_read_of_nothing(world: &World) -> Case {
    touches(world, 0, LOAD, &page_fault(USER, 0))?;
    touches(world, DATA + PAGE, LOAD, &page_fault(USER, DATA + PAGE))
}

fn a_write_to_nothing(world: &World) -> Case {
    touches(world, 0x1238, STORE, &page_fault(USER | WRITE, 0x1238))
}

fn a_write_to_what_is_read_only(world: &World) -> Case {
    touches(
        world,
        CODE + 64,
        STORE,
        &page_fault(USER | WRITE | PRESENT, CODE + 64),
    )
}

fn a_jump_to_nothing(world: &World) -> Case {
    let mut code = Code::new();
    code.set(Register::Rax, 0x4000).bytes(&[0xff, 0xe0]);
    faults(world, &code, 0x4000, &page_fault(USER | FETCH, 0x4000))
}

fn a_jump_to_data(world: &World) -> Case {
    let mut code = Code::new();
    // The page is touched first, so that it is there.
    code.increment(0)
        .set(Register::Rax, DATA as u64)
        .bytes(&[0xff, 0xe0]);
    faults(
        world,
        &code,
        DATA,
        &page_fault(USER | FETCH | PRESENT, DATA),
    )
}

fn a_read_of_the_kernel(world: &World) -> Case {
    let address = 0xffff_ffff_8010_0000_usize;
    let mut code = Code::new();
    code.set(Register::Rbx, address as u64);
    let place = code.here();
    code.bytes(&LOAD);
    let (mini, channel, exception, report) = faulted(world, &code)?;
    check_eq!(report.kind, ExceptionType::FatalPageFault.raw());
    check_eq!(report.cr2, address as u64);
    check_eq!(registers(&mini)?.rip, place as u64);
    drop((exception, channel));
    ends_with(&mini.process, RETCODE_EXCEPTION_KILL)
}

const GENERAL: Expected = plain(ExceptionType::General, 13);

fn a_privileged_instruction(world: &World) -> Case {
    // hlt; cli; mov rax, cr0; rdmsr
    for bytes in [&[0xf4][..], &[0xfa], &[0x0f, 0x20, 0xc0], &[0x0f, 0x32]] {
        let mut code = Code::new();
        let place = code.here();
        code.bytes(bytes);
        faults(world, &code, place, &GENERAL)?;
    }
    Ok(())
}

fn a_jump_out_of_64_bit_code(world: &World) -> Case {
    // A system call from 32-bit code would enter the kernel where nothing is prepared for it.
    for selector in [0x18, 0x1b, 0x20, 0x23] {
        let mut code = Code::new();
        let place = code.here();
        // jmp far [rip], and what it reads there: an offset of 32 bits and the selector.
        code.bytes(&[0xff, 0x2d, 0, 0, 0, 0])
            .bytes(&[0, 0x10, 0, 0, selector, 0]);
        let expected = Expected {
            err_code: u64::from(selector & !3),
            ..GENERAL
        };
        faults(world, &code, place, &expected)?;
    }
    Ok(())
}

fn access_to_a_port_of_a_device(world: &World) -> Case {
    // In July 2019 the CPU page-faults in the kernel's map of ports, as QEMU reads it.
    home_only!(world);
    // in al, 0x60; out 0x80, al
    for bytes in [[0xe4, 0x60], [0xe6, 0x80]] {
        let mut code = Code::new();
        let place = code.here();
        code.bytes(&bytes);
        faults(world, &code, place, &GENERAL)?;
    }
    Ok(())
}

fn an_address_that_is_not_canonical(world: &World) -> Case {
    touches(world, 0x8000_0000_0000, LOAD, &GENERAL)?;
    touches(world, 0x1234_5678_9abc_def0, STORE, &GENERAL)
}

fn a_division_by_zero(world: &World) -> Case {
    let mut code = Code::new();
    code.set(Register::Rcx, 0);
    let place = code.here();
    // div rcx
    code.bytes(&[0x48, 0xf7, 0xf1]);
    faults(world, &code, place, &plain(ExceptionType::General, 0))
}

fn a_floating_point_error(world: &World) -> Case {
    let mut code = Code::new();
    // Unmask everything; 1 / 0; the next instruction of the unit tells.
    code.set(Register::Rax, 0x340).store(9, Register::Rax);
    code.on_word(&[0xd9, 0x2d], 9);
    // fld1; fldz; fdivp; fwait
    code.bytes(&[0xd9, 0xe8, 0xd9, 0xee, 0xde, 0xf9]);
    let place = code.here();
    code.bytes(&[0x9b]);
    faults(world, &code, place, &plain(ExceptionType::General, 16))
}

fn a_vector_error(world: &World) -> Case {
    let mut code = Code::new();
    code.set(Register::Rax, 0).store(9, Register::Rax);
    // ldmxcsr [word]; xorps xmm0, xmm0; divss xmm0, xmm0
    code.on_word(&[0x0f, 0xae, 0x15], 9)
        .bytes(&[0x0f, 0x57, 0xc0]);
    let place = code.here();
    code.bytes(&[0xf3, 0x0f, 0x5e, 0xc0]);
    // Emulators may not raise it; then the thread goes on to where it says so.
    code.undefined();
    let (mini, _channel, _exception, report) = faulted(world, &code)?;
    if report.kind == ExceptionType::UndefinedInstruction.raw() {
        crate::check::skip!("this CPU does not raise vector errors");
    }
    check_eq!(
        (report.kind, report.vector),
        (ExceptionType::General.raw(), 19)
    );
    check_eq!(registers(&mini)?.rip, place as u64);
    Ok(())
}

fn an_unaligned_access_if_asked_for(world: &World) -> Case {
    let mut code = Code::new();
    // Set the flag for alignment checks.
    code.bytes(&[0x9c])
        .bytes(&[0x81, 0x0c, 0x24, 0, 0, 4, 0])
        .bytes(&[0x9d]);
    code.set(Register::Rbx, (DATA + 1) as u64);
    let place = code.here();
    code.bytes(&LOAD);
    // Emulators may not check alignment; then the thread goes on to where it says so.
    code.undefined();
    let (mini, _channel, exception, report) = faulted(world, &code)?;
    if report.kind == ExceptionType::UndefinedInstruction.raw() {
        crate::check::skip!("this CPU does not check alignment");
    }
    check_eq!(
        (report.kind, report.vector),
        (ExceptionType::UnalignedAccess.raw(), 17)
    );
    check_eq!(registers(&mini)?.rip, place as u64);
    drop(exception);
    Ok(())
}

fn an_interrupt_that_programs_may_not_raise(world: &World) -> Case {
    for vector in [0x0e, 0x20, 0x80, 0xff] {
        let mut code = Code::new();
        let place = code.here();
        code.bytes(&[0xcd, vector]);
        let (mini, _channel, _exception, report) = faulted(world, &code)?;
        check_eq!(
            (report.kind, report.vector),
            (ExceptionType::General.raw(), 13)
        );
        // The error code names the gate; emulators differ in how.
        check_eq!(report.err_code & 7, 2);
        check_eq!(registers(&mini)?.rip, place as u64);
    }
    Ok(())
}

fn a_stack_that_is_not_there(world: &World) -> Case {
    let below = STACK - 4096;
    let mut code = Code::new();
    code.set(Register::Rsp, below as u64);
    let place = code.here();
    code.bytes(&[0x50]);
    faults(world, &code, place, &page_fault(USER | WRITE, below - 8))
}

fn a_system_call_from_outside_the_vdso(world: &World) -> Case {
    // The kernel of July 2019 page-faults itself while printing this crash.
    home_only!(world);
    let mut code = Code::new();
    // mov eax, 43; syscall
    code.bytes(&[0xb8, 43, 0, 0, 0, 0x0f, 0x05]);
    let after = code.here();
    code.store(1, Register::Rax).increment(0);
    code.spin();
    let (mini, _channel, exception, report) = faulted(world, &code)?;
    check_eq!(report.kind, ExceptionType::PolicyError.raw());
    check_eq!(registers(&mini)?.rip, after as u64);
    ok!(exception.resume());
    ok!(mini.wait_for_word(0, 1));
    // BAD_SYSCALL
    check_eq!(ok!(mini.word(1)).cast_signed(), -13);
    Ok(())
}

fn a_handled_fault_may_be_mended(world: &World) -> Case {
    let mut code = Code::new();
    code.set(Register::Rbx, 0x1000);
    code.bytes(&LOAD).store(1, Register::Rax).increment(0);
    code.spin();
    let (mini, _channel, exception, _report) = faulted(world, &code)?;
    ok!(mini.set_word(3, 0x77));
    let mut regs = registers(&mini)?;
    regs.rbx = (DATA + 24) as u64;
    ok!(set_general(&mini.thread, &regs));
    ok!(exception.resume());
    ok!(mini.wait_for_word(0, 1));
    check_eq!(ok!(mini.word(1)), 0x77);
    Ok(())
}

fn a_fault_may_be_stepped_over(world: &World) -> Case {
    let mut code = Code::new();
    code.undefined();
    code.increment(0);
    code.spin();
    let (mini, _channel, exception, _report) = faulted(world, &code)?;
    let mut regs = registers(&mini)?;
    regs.rip += 2;
    ok!(set_general(&mini.thread, &regs));
    ok!(exception.resume());
    ok!(mini.wait_for_word(0, 1));
    Ok(())
}

fn a_fault_may_come_again(world: &World) -> Case {
    let mut code = Code::new();
    code.undefined();
    let (mini, channel, exception, _report) = faulted(world, &code)?;
    ok!(exception.resume());
    for _ in 0..10 {
        let (info, exception) = ok!(channel.exception_by(soon()));
        check_eq!(info.kind, ExceptionType::UndefinedInstruction.raw());
        ok!(exception.resume());
    }
    check_eq!(ok!(mini.process.info()).exited, 0);
    Ok(())
}

fn nobody_handles_it(world: &World) -> Case {
    let mut codes = [const { Code::new() }; 4];
    codes[0].undefined();
    codes[1].breakpoint();
    codes[2].bytes(&[0xf4]);
    codes[3].set(Register::Rbx, 0x1000).bytes(&LOAD);
    for code in &codes {
        let mini = mini(world, code)?;
        ok!(mini.start());
        ends_with(&mini.process, RETCODE_EXCEPTION_KILL)?;
        check!(
            ok!(mini.thread.signals_now(libzx::Signals::THREAD_TERMINATED))
                .contains(libzx::Signals::THREAD_TERMINATED)
        );
    }
    Ok(())
}
