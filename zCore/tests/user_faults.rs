//! What user code must not do, and what the kernel learns when it tries; no register is lost on the way.
#![no_std]
#![no_main]
#![expect(clippy::unwrap_used, reason = "a panic is how a case fails")]

extern crate alloc;

mod support;
#[path = "support/user_code.rs"]
mod user_code;

use boot_info::BootInfo;
use core::arch::x86_64::__cpuid_count;
use kernel_hal::addr::USER_TOP;
use kernel_hal::context::{self, GeneralRegs, Server, Trap, UserContext};
use kernel_hal::{cpu, time, user, PAGE_SIZE};
use support::{addresses, frames, run_until_trap, Space, Stop, CODE, CODE_AT, DATA_AT};
use user_code::user_code;

const TRAP_FLAG: u64 = 1 << 8;
const INTERRUPT_FLAG: u64 = 1 << 9;
/// IOPL, VM, VIF, VIP and all that has no name. NT is the program's own: it means nothing in 64-bit mode.
const FORBIDDEN_FLAGS: u64 = !0x0025_4fd7;
const GENERAL_PROTECTION: u64 = 13;

#[no_mangle]
unsafe extern "C" fn kernel_main(boot_info: *const BootInfo) -> ! {
    // SAFETY: called once by the entry code, with what rboot passed.
    unsafe {
        support::run(
            boot_info,
            &[
                ("exceptions_name_vector_code_and_instruction", exceptions),
                ("privileged_instructions_are_refused", privileged),
                ("only_int3_may_be_raised_by_software", software_interrupts),
                ("page_faults_tell_address_and_kind", page_faults),
                (
                    "an_access_over_a_page_end_names_the_missing_page",
                    straddling,
                ),
                ("all_registers_go_through_a_fault", registers_after_fault),
                (
                    "all_registers_but_rcx_and_r11_go_through_a_syscall",
                    registers_after_syscall,
                ),
                ("interrupts_change_no_register", registers_after_interrupts),
                ("flags_are_cleaned_on_both_ways_out", flags),
                (
                    "a_syscall_at_the_end_of_user_space_returns_into_a_fault",
                    last_instruction,
                ),
                ("any_stack_pointer_is_fine_for_a_syscall", stack_pointers),
                ("selectors_of_the_user_do_not_reach_the_kernel", selectors),
                ("traps_are_counted", counters),
            ],
        )
    }
}

user_code!(divide: "xor edx, edx" "xor ecx, ecx" "div ecx");
user_code!(undefined: "nop" "ud2");
user_code!(breakpoint: "nop" "int3");
user_code!(wild_load: "mov rax, 0x4141414141414141" "mov rax, [rax]");
user_code!(wild_push: "mov rsp, 0x4141414141414141" "push rax");
user_code!(read_flags: "2:" "pushfq" "pop rax" "syscall" "jmp 2b");
user_code!(
    /// Flips every register, then faults.
    flip_and_fault:
    "not rax" "not rbx" "not rcx" "not rdx" "not rsi" "not rdi" "not rbp" "not rsp" "not r8" "not r9" "not r10" "not r11" "not r12" "not r13" "not r14" "not r15" "ud2"
);
user_code!(
    /// For ever: flips every register, then makes a syscall.
    flip_and_call:
    "2:" "not rax" "not rbx" "not rcx" "not rdx" "not rsi" "not rdi" "not rbp" "not rsp" "not r8" "not r9" "not r10" "not r11" "not r12" "not r13" "not r14" "not r15" "syscall" "jmp 2b"
);
user_code!(count_down: "2:" "dec rcx" "jnz 2b" "ud2");
user_code!(syscall_only: "syscall" "nop" "syscall");
user_code!(clear_selectors: "xor eax, eax" "mov ds, eax" "mov es, eax" "mov fs, eax" "mov gs, eax" "syscall" "mov rax, gs:[0]");

fn space(code: &[u8]) -> (Space, UserContext) {
    let space = Space::new(code, 1);
    let thread = space.thread(0);
    (space, thread)
}

fn exceptions() {
    for (code, vector, at) in [
        (divide(), 0, 4),
        (breakpoint(), 3, 2),
        (undefined(), 6, 1),
        (wild_load(), GENERAL_PROTECTION, 10),
    ] {
        let (_space, mut thread) = space(code);
        assert_eq!(
            run_until_trap(&mut thread),
            Trap::Exception { vector, code: 0 }
        );
        assert_eq!(thread.regs.rip, CODE_AT as u64 + at, "vector {vector}");
    }
    // A stack fault, which the emulator takes for a general one.
    let (_space, mut thread) = space(wild_push());
    let trap = run_until_trap(&mut thread);
    assert!(
        matches!(
            trap,
            Trap::Exception {
                vector: 12 | GENERAL_PROTECTION,
                code: 0
            }
        ),
        "{trap:?}"
    );
}

fn privileged() {
    let mut cases: alloc::vec::Vec<(&str, &[u8], u64)> = alloc::vec![
        ("hlt", &[0xf4], GENERAL_PROTECTION),
        ("cli", &[0xfa], GENERAL_PROTECTION),
        ("sti", &[0xfb], GENERAL_PROTECTION),
        ("in al, 0x60", &[0xe4, 0x60], GENERAL_PROTECTION),
        ("out 0xf4, al", &[0xe6, 0xf4], GENERAL_PROTECTION),
        ("mov rax, cr3", &[0x0f, 0x20, 0xd8], GENERAL_PROTECTION),
        ("mov cr0, rax", &[0x0f, 0x22, 0xc0], GENERAL_PROTECTION),
        ("rdmsr", &[0x0f, 0x32], GENERAL_PROTECTION),
        ("wrmsr", &[0x0f, 0x30], GENERAL_PROTECTION),
        ("lgdt [rax]", &[0x0f, 0x01, 0x10], GENERAL_PROTECTION),
        ("lidt [rax]", &[0x0f, 0x01, 0x18], GENERAL_PROTECTION),
        ("invlpg [rax]", &[0x0f, 0x01, 0x38], GENERAL_PROTECTION),
        ("swapgs", &[0x0f, 0x01, 0xf8], GENERAL_PROTECTION),
        ("sysretq", &[0x48, 0x0f, 0x07], GENERAL_PROTECTION),
        ("mov rax, dr7", &[0x0f, 0x21, 0xf8], GENERAL_PROTECTION),
    ];
    if __cpuid_count(0, 0).eax >= 7 {
        let features = __cpuid_count(7, 0);
        if features.ecx >> 2 & 1 == 1 {
            cases.push((
                "sgdt [rsp - 16]",
                &[0x0f, 0x01, 0x44, 0x24, 0xf0],
                GENERAL_PROTECTION,
            ));
        }
        if features.ebx >> 20 & 1 == 1 {
            cases.push(("stac", &[0x0f, 0x01, 0xcb], 6));
        }
    }
    for (name, code, vector) in cases {
        let (_space, mut thread) = space(code);
        assert_eq!(
            run_until_trap(&mut thread),
            Trap::Exception { vector, code: 0 },
            "{name}"
        );
        assert_eq!(thread.regs.rip, CODE_AT as u64, "{name}");
    }
}

fn software_interrupts() {
    for vector in [0_u8, 1, 2, 8, 13, 14, 18, 32, 0x34, 0x80, 0xf0, 0xff] {
        let (_space, mut thread) = space(&[0xcd, vector]);
        // The gate's number as an IDT selector; QEMU before version 8 doubles it.
        let codes = [3, 4].map(|shift| u64::from(vector) << shift | 0b10);
        let trap = run_until_trap(&mut thread);
        assert!(
            matches!(trap, Trap::Exception { vector: GENERAL_PROTECTION, code } if codes.contains(&code)),
            "int {vector}: {trap:?}"
        );
        assert_eq!(thread.regs.rip, CODE_AT as u64);
    }
    let (_space, mut thread) = space(&[0xcd, 3]);
    assert_eq!(
        run_until_trap(&mut thread),
        Trap::Exception { vector: 3, code: 0 }
    );
}

fn page_faults() {
    // mov rax, [rdi]; mov [rdi], rax; jmp rdi
    let (space, mut thread) = space(&[0x48, 0x8b, 0x07, 0x48, 0x89, 0x07, 0xff, 0xe7]);
    let (load, store, jump) = (0, 3, 6);
    let absent = 0x7000_1000;
    let kernel = 0xffff_8000_0010_0000;
    let cases = [
        (load, absent, 0b100),
        (store, absent, 0b110),
        (jump, absent, 0b1_0100),
        (load, kernel, 0b101),
        (store, kernel, 0b111),
        (store, CODE_AT, 0b111),
        (jump, DATA_AT, 0b1_0101),
        (jump, kernel, 0b1_0101),
        (load, 0, 0b100),
        (load, 0xffff_8fff_0000_0000, 0b100),
    ];
    for (instruction, addr, code) in cases {
        thread.regs.rip = (CODE_AT + instruction) as u64;
        thread.regs.rdi = addr as u64;
        assert_eq!(
            run_until_trap(&mut thread),
            Trap::PageFault { addr, code },
            "{instruction} {addr:#x}"
        );
        let expected = if instruction == jump {
            addr
        } else {
            CODE_AT + instruction
        };
        assert_eq!(thread.regs.rip, expected as u64);
    }
    drop(space);
}

fn straddling() {
    // mov rax, [rdi]; mov [rdi], rax
    let (space, mut thread) = space(&[0x48, 0x8b, 0x07, 0x48, 0x89, 0x07]);
    let end = space.end();
    for before in 1..8 {
        thread.regs.rdi = (end - before) as u64;
        thread.regs.rip = CODE_AT as u64;
        assert_eq!(
            run_until_trap(&mut thread),
            Trap::PageFault {
                addr: end,
                code: 0b100
            }
        );
        thread.regs.rip = CODE_AT as u64 + 3;
        assert_eq!(
            run_until_trap(&mut thread),
            Trap::PageFault {
                addr: end,
                code: 0b110
            }
        );
    }
}

/// Registers that all differ.
fn pattern(thread: &UserContext) -> GeneralRegs {
    let word = |number: u64| number << 56 | 0x00aa_5500_ff12_3400 | number;
    GeneralRegs {
        rax: word(1),
        rbx: word(2),
        rcx: word(3),
        rdx: word(4),
        rsi: word(5),
        rdi: word(6),
        rbp: word(7),
        r8: word(8),
        r9: word(9),
        r10: word(10),
        r11: word(11),
        r12: word(12),
        r13: word(13),
        r14: word(14),
        r15: word(15),
        rflags: 0x246,
        ..thread.regs
    }
}

/// The registers after [`flip_and_fault`] or [`flip_and_call`]: nothing is kept that was not stored at the trap.
fn flipped(regs: &GeneralRegs) -> GeneralRegs {
    GeneralRegs {
        rax: !regs.rax,
        rbx: !regs.rbx,
        rcx: !regs.rcx,
        rdx: !regs.rdx,
        rsi: !regs.rsi,
        rdi: !regs.rdi,
        rbp: !regs.rbp,
        rsp: !regs.rsp,
        r8: !regs.r8,
        r9: !regs.r9,
        r10: !regs.r10,
        r11: !regs.r11,
        r12: !regs.r12,
        r13: !regs.r13,
        r14: !regs.r14,
        r15: !regs.r15,
        ..*regs
    }
}

fn registers_after_fault() {
    let (_space, mut thread) = space(flip_and_fault());
    thread.regs = pattern(&thread);
    for _ in 0..3 {
        let before = thread.regs;
        assert_eq!(
            run_until_trap(&mut thread),
            Trap::Exception { vector: 6, code: 0 }
        );
        // The CPU sets RF in the flags that it saves for a fault.
        thread.regs.rflags &= !(1 << 16);
        thread.regs.rip = before.rip;
        assert_eq!(thread.regs, flipped(&before));
    }
}

fn registers_after_syscall() {
    let (_space, mut thread) = space(flip_and_call());
    thread.regs = pattern(&thread);
    // Out by iretq the first time, then by sysretq.
    for _ in 0..4 {
        let before = thread.regs;
        assert_eq!(run_until_trap(&mut thread), Trap::Syscall);
        context::flush(&mut thread);
        let GeneralRegs {
            rcx,
            r11,
            rip,
            rflags,
            ..
        } = thread.regs;
        assert_eq!((rcx, r11), (rip, rflags));
        assert_eq!(rflags, before.rflags);
        assert_eq!(
            thread.regs,
            GeneralRegs {
                rcx,
                r11,
                rip,
                ..flipped(&before)
            }
        );
    }
}

fn registers_after_interrupts() {
    let (_space, mut thread) = space(count_down());
    thread.regs = GeneralRegs {
        rcx: 20_000_000,
        ..pattern(&thread)
    };
    let start = thread.regs;
    let mut interrupts = 0;
    let mut last = start.rcx;
    let end = loop {
        time::arm_timer(time::now() + 200_000);
        match context::run(&mut thread, Server::new(&Stop)) {
            Trap::Interrupt => {
                interrupts += 1;
                let expected = GeneralRegs {
                    rcx: thread.regs.rcx,
                    rip: thread.regs.rip,
                    rflags: thread.regs.rflags,
                    ..start
                };
                assert_eq!(thread.regs, expected);
                assert!(thread.regs.rcx <= last);
                last = thread.regs.rcx;
            }
            trap => break trap,
        }
    };
    time::arm_timer(time::NEVER);
    time::take_expiry();
    assert_eq!(end, Trap::Exception { vector: 6, code: 0 });
    assert_eq!(
        GeneralRegs {
            rip: start.rip,
            rflags: start.rflags,
            ..thread.regs
        },
        GeneralRegs { rcx: 0, ..start }
    );
    assert!(interrupts >= 3, "{interrupts} interrupts");
}

fn flags() {
    let (_space, mut thread) = space(read_flags());
    for wanted in [0, !TRAP_FLAG] {
        // By iretq, as after a debugger's change.
        thread.regs.rflags = wanted;
        context::invalidate(&mut thread);
        assert_eq!(run_until_trap(&mut thread), Trap::Syscall);
        assert_eq!(
            thread.regs.rax & FORBIDDEN_FLAGS,
            0,
            "{:#x}",
            thread.regs.rax
        );
        assert_ne!(thread.regs.rax & INTERRUPT_FLAG, 0);
        // By sysretq, with what the user left in r11 not trusted either.
        thread.regs.rflags |= wanted;
        assert_eq!(run_until_trap(&mut thread), Trap::Syscall);
        assert_eq!(
            thread.regs.rax & FORBIDDEN_FLAGS,
            0,
            "{:#x}",
            thread.regs.rax
        );
        assert_ne!(thread.regs.rax & INTERRUPT_FLAG, 0);
    }
}

fn last_instruction() {
    let (space, mut thread) = space(syscall_only());
    let page = frames(1);
    page[0].write(PAGE_SIZE - 2, &syscall_only()[..2]);
    space
        .table
        .map(USER_TOP - PAGE_SIZE, &addresses(&page), CODE)
        .unwrap();
    thread.regs.rip = USER_TOP as u64 - 2;
    assert_eq!(run_until_trap(&mut thread), Trap::Syscall);
    assert_eq!(thread.regs.rip, USER_TOP as u64);
    assert_eq!(
        run_until_trap(&mut thread),
        Trap::PageFault {
            addr: USER_TOP,
            code: 0b1_0100
        }
    );
    drop(space);
}

fn stack_pointers() {
    let (_space, mut thread) = space(syscall_only());
    for rsp in [0, 1, 0x4141_4141_4141_4141, 0xffff_ffff_8020_0000, u64::MAX] {
        thread.regs.rip = CODE_AT as u64;
        thread.regs.rsp = rsp;
        context::invalidate(&mut thread);
        // Out by iretq, then by sysretq.
        assert_eq!(run_until_trap(&mut thread), Trap::Syscall);
        assert_eq!(run_until_trap(&mut thread), Trap::Syscall);
        assert_eq!(thread.regs.rsp, rsp);
    }
}

fn selectors() {
    let (_space, mut thread) = space(clear_selectors());
    thread.regs.gs_base = DATA_AT as u64;
    context::invalidate(&mut thread);
    assert_eq!(run_until_trap(&mut thread), Trap::Syscall);
    user::raw_write_u64(DATA_AT, 5).unwrap();
    assert_eq!(cpu::id(), 0);
    // Loading a null selector into GS may or may not clear its base; either is the user's own.
    match run_until_trap(&mut thread) {
        Trap::PageFault {
            addr: 0,
            code: 0b100,
        } => {}
        _ => assert_eq!(thread.regs.rax, 5),
    }
    // The kernel's own selectors are not for the user.
    let (_space, mut thread) = space(&[0xb8, 0x10, 0, 0, 0, 0x8e, 0xd8]);
    assert_eq!(
        run_until_trap(&mut thread),
        Trap::Exception {
            vector: GENERAL_PROTECTION,
            code: 0x10
        }
    );
}

fn counters() {
    let before = cpu::counters(0);
    let (_space, mut thread) = space(syscall_only());
    assert_eq!(run_until_trap(&mut thread), Trap::Syscall);
    assert_eq!(run_until_trap(&mut thread), Trap::Syscall);
    // Zeros follow: `add [rax], al` with rax zero.
    assert_eq!(
        run_until_trap(&mut thread),
        Trap::PageFault { addr: 0, code: 4 }
    );
    let after = cpu::counters(0);
    assert_eq!(
        (
            after.syscalls - before.syscalls,
            after.page_faults - before.page_faults
        ),
        (2, 1)
    );
}
