//! User code: traps, registers, flags, and vector state of threads that take turns.
#![no_std]
#![no_main]
#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, and its numbers are small"
)]

extern crate alloc;

mod support;

use boot_info::BootInfo;
use core::cell::{Cell, RefCell};
use kernel_hal::context::{self, EnteredBy, GeneralRegs, Server, Syscalls, Trap, UserContext};
use kernel_hal::{time, user};
use support::{run_until_trap, Space, Stop, CODE_AT, DATA_AT};

/// `mov eax, 7; syscall; mov eax, 8; syscall; ud2`
const TWO_SYSCALLS: [u8; 16] = [
    0xb8, 7, 0, 0, 0, 0x0f, 0x05, 0xb8, 8, 0, 0, 0, 0x0f, 0x05, 0x0f, 0x0b,
];
/// `mov [rdi], rsi; syscall; int3`
const STORE: [u8; 6] = [0x48, 0x89, 0x37, 0x0f, 0x05, 0xcc];
/// `1: inc rbx; jmp 1b`
const SPIN: [u8; 5] = [0x48, 0xff, 0xc3, 0xeb, 0xfb];
/// `movq xmm1, rdi; movq xmm0, rdi; 1: syscall; paddq xmm0, xmm1; movq rsi, xmm0; mov rdx, fs:[0]; mov r8, gs:[8]; jmp 1b`
const VECTORS: [u8; 41] = [
    0x66, 0x48, 0x0f, 0x6e, 0xcf, 0x66, 0x48, 0x0f, 0x6e, 0xc7, 0x0f, 0x05, 0x66, 0x0f, 0xd4, 0xc1,
    0x66, 0x48, 0x0f, 0x7e, 0xc6, 0x64, 0x48, 0x8b, 0x14, 0x25, 0, 0, 0, 0, 0x65, 0x4c, 0x8b, 0x04,
    0x25, 8, 0, 0, 0, 0xeb, 0xe1,
];
/// The bit of RFLAGS that reads as one, whatever is written.
const ALWAYS_ONE: u64 = 1 << 1;
const TRAP_FLAG: u64 = 1 << 8;
const DIRECTION: u64 = 1 << 10;
const IO_PRIVILEGE: u64 = 3 << 12;
const ALIGNMENT: u64 = 1 << 18;

#[no_mangle]
unsafe extern "C" fn kernel_main(boot_info: *const BootInfo) -> ! {
    // SAFETY: called once by the entry code, with what rboot passed.
    unsafe {
        support::run(
            boot_info,
            &[
                ("syscalls_carry_all_registers_both_ways", syscalls),
                ("served_syscalls_go_on_with_their_answers", served),
                ("a_run_ends_after_the_syscall_that_asks_for_it", left),
                ("interrupts_during_a_syscall_end_the_run", interrupted),
                ("flags_survive_a_served_syscall", flags_of_served),
                ("exceptions_tell_vector_address_and_code", exceptions),
                (
                    "a_rip_that_is_not_canonical_is_a_general_protection_fault",
                    canonical,
                ),
                ("flags_of_the_user_do_not_reach_the_kernel", flags),
                ("threads_keep_their_vectors_and_bases", vectors),
                ("a_debugger_changes_vectors_and_bases", changed),
                ("the_timer_stops_a_spinning_thread", preemption),
            ],
        )
    }
}

fn syscalls() {
    let space = Space::new(&TWO_SYSCALLS, 1);
    let mut thread = space.thread(0);
    let at_start = thread.regs;
    assert_eq!(run_until_trap(&mut thread), Trap::Syscall);
    let expected = GeneralRegs {
        rax: 7,
        rip: CODE_AT as u64 + 7,
        rflags: at_start.rflags | ALWAYS_ONE,
        ..at_start
    };
    assert_eq!(thread.regs, expected);
    let regs = &mut thread.regs;
    (regs.rbx, regs.rdx, regs.rsi, regs.rdi, regs.rbp) = (1, 2, 3, 4, 5);
    (
        regs.r8, regs.r9, regs.r10, regs.r12, regs.r13, regs.r14, regs.r15,
    ) = (8, 9, 10, 12, 13, 14, 15);
    let changed = *regs;
    assert_eq!(run_until_trap(&mut thread), Trap::Syscall);
    assert_eq!(
        thread.regs,
        GeneralRegs {
            rax: 8,
            rip: CODE_AT as u64 + 14,
            ..changed
        }
    );
    context::flush(&mut thread);
    assert_eq!(
        (thread.regs.rcx, thread.regs.r11),
        (thread.regs.rip, thread.regs.rflags)
    );
}

/// Answers each call with its number times ten and remembers what it saw.
#[derive(Default)]
struct Answers {
    seen: RefCell<alloc::vec::Vec<GeneralRegs>>,
    leave_at: Cell<u64>,
    window_at: Cell<u64>,
}

impl Syscalls for Answers {
    fn serve(&self, regs: &GeneralRegs) -> u64 {
        self.seen.borrow_mut().push(*regs);
        if regs.rax == self.leave_at.get() {
            context::leave();
        }
        if regs.rax == self.window_at.get() {
            time::arm_timer(time::now() + 1_000_000);
            while !time::take_expiry() {
                kernel_hal::cpu::interrupt_window();
            }
        }
        regs.rax * 10
    }
}

/// A thread at `TWO_SYSCALLS` with a value of its own in every register that a program may choose.
fn patterned(space: &Space) -> UserContext {
    let mut thread = space.thread(0);
    let r = &mut thread.regs;
    (r.rbx, r.rdx, r.rsi, r.rdi, r.rbp) = (0x11, 0x12, 0x13, 0x14, 0x15);
    (r.r8, r.r9, r.r10, r.r12) = (0x18, 0x19, 0x1a, 0x1c);
    (r.r13, r.r14, r.r15) = (0x1d, 0x1e, 0x1f);
    thread
}

/// What the instruction and the call may change is left out.
fn kept(regs: &GeneralRegs) -> GeneralRegs {
    GeneralRegs {
        rax: 0,
        rcx: 0,
        r11: 0,
        rip: 0,
        rflags: 0,
        ..*regs
    }
}

fn served() {
    let space = Space::new(&TWO_SYSCALLS, 1);
    let mut thread = patterned(&space);
    let start = thread.regs;
    let answers = Answers::default();
    // `ud2` behind the second call; an interrupt may come first.
    let trap = loop {
        match context::run(&mut thread, Server::new(&answers)) {
            Trap::Interrupt => {}
            trap => break trap,
        }
    };
    assert_eq!(trap, Trap::Exception { vector: 6, code: 0 });
    assert_eq!(
        (thread.regs.rax, thread.regs.rip),
        (80, CODE_AT as u64 + 14)
    );
    assert_eq!(kept(&thread.regs), kept(&start));
    assert_eq!(thread.entered_by, EnteredBy::Trap);
    let seen = answers.seen.borrow();
    assert_eq!(seen.len(), 2);
    for (regs, (number, offset)) in seen.iter().zip([(7, 7), (8, 14)]) {
        assert_eq!((regs.rax, regs.rip), (number, CODE_AT as u64 + offset));
        assert_eq!(
            [regs.rdi, regs.rsi, regs.rdx, regs.r10, regs.r8, regs.r9, regs.r12, regs.r13],
            [
                start.rdi, start.rsi, start.rdx, start.r10, start.r8, start.r9, start.r12,
                start.r13
            ]
        );
        assert_eq!(regs.rsp, start.rsp);
    }
}

fn left() {
    let space = Space::new(&TWO_SYSCALLS, 1);
    let mut thread = patterned(&space);
    let start = thread.regs;
    let answers = Answers::default();
    answers.leave_at.set(8);
    // Of no effect: no run is in progress.
    context::leave();
    while context::run(&mut thread, Server::new(&answers)) == Trap::Interrupt {}
    assert_eq!(thread.answer, 80);
    assert_eq!((thread.regs.rax, thread.regs.rip), (8, CODE_AT as u64 + 14));
    assert_eq!(kept(&thread.regs), kept(&start));
    assert_eq!(thread.entered_by, EnteredBy::Syscall);
    assert_eq!(answers.seen.borrow().len(), 2);
    // It can be made again, and its answer is not given to the program by anyone but the caller of `run`.
    thread.regs.rip -= 2;
    assert_eq!(run_until_trap(&mut thread), Trap::Syscall);
    assert_eq!(thread.regs.rax, 8);
    thread.regs.rax = thread.answer + 1;
    assert_eq!(
        run_until_trap(&mut thread),
        Trap::Exception { vector: 6, code: 0 }
    );
    assert_eq!(thread.regs.rax, 1);
}

fn interrupted() {
    let space = Space::new(&TWO_SYSCALLS, 1);
    let mut thread = patterned(&space);
    let answers = Answers::default();
    answers.window_at.set(7);
    while context::run(&mut thread, Server::new(&answers)) == Trap::Interrupt {}
    assert_eq!((thread.answer, thread.regs.rax), (70, 7));
    assert_eq!(answers.seen.borrow().len(), 1);
    time::arm_timer(time::NEVER);
}

fn flags_of_served() {
    let space = Space::new(&TWO_SYSCALLS, 1);
    let mut thread = patterned(&space);
    thread.regs.rflags |= DIRECTION | ALIGNMENT;
    let answers = Answers::default();
    while context::run(&mut thread, Server::new(&answers)) == Trap::Interrupt {}
    assert_eq!(
        thread.regs.rflags & (DIRECTION | ALIGNMENT),
        DIRECTION | ALIGNMENT
    );
    // Single steps: one for each instruction but the call itself, whose step ends behind the next one or on it.
    let mut thread = patterned(&space);
    thread.regs.rflags |= TRAP_FLAG;
    let answers = Answers::default();
    let mut steps = 0;
    loop {
        match context::run(&mut thread, Server::new(&answers)) {
            Trap::Interrupt => {}
            Trap::Exception { vector: 1, .. } => steps += 1,
            trap => {
                assert_eq!(trap, Trap::Exception { vector: 6, code: 0 });
                break;
            }
        }
    }
    assert!((2..=4).contains(&steps), "{steps}");
    assert_eq!(thread.regs.rax, 80);
    assert_eq!(answers.seen.borrow().len(), 2);
}

fn exceptions() {
    let space = Space::new(&STORE, 1);
    let mut thread = space.thread(0);
    thread.regs.rdi = 0x7000_0000;
    assert_eq!(
        run_until_trap(&mut thread),
        Trap::PageFault {
            addr: 0x7000_0000,
            code: 6
        }
    );
    (thread.regs.rdi, thread.regs.rsi) = (DATA_AT as u64 + 8, 0x99);
    assert_eq!(run_until_trap(&mut thread), Trap::Syscall);
    assert_eq!(user::raw_read_u64(DATA_AT + 8), Ok(0x99));
    assert_eq!(
        run_until_trap(&mut thread),
        Trap::Exception { vector: 3, code: 0 }
    );
    // The kernel's memory is there, but not for it: present, read, user.
    (thread.regs.rip, thread.regs.rdi) = (CODE_AT as u64, 0xffff_8000_0010_0000);
    context::flush(&mut thread);
    context::invalidate(&mut thread);
    assert_eq!(
        run_until_trap(&mut thread),
        Trap::PageFault {
            addr: 0xffff_8000_0010_0000,
            code: 7
        }
    );
    let mut illegal = Space::new(&[0x0f, 0x0b], 1).thread(0);
    space.table.activate();
    illegal.regs.rip = CODE_AT as u64 + 0x800;
    // Zeros behind the code: `add [rax], al` with rax zero.
    assert_eq!(
        run_until_trap(&mut illegal),
        Trap::PageFault { addr: 0, code: 4 }
    );
}

fn canonical() {
    let space = Space::new(&TWO_SYSCALLS, 1);
    let mut thread = space.thread(0);
    assert_eq!(run_until_trap(&mut thread), Trap::Syscall);
    for rip in [0x8000_0000_0000, 0x7fff_0000_0000_0000] {
        thread.regs.rip = rip;
        assert_eq!(
            run_until_trap(&mut thread),
            Trap::Exception {
                vector: 13,
                code: 0
            }
        );
        assert_eq!(thread.regs.rip, rip);
        // The kernel did not even try: real CPUs fault in ring 0, emulators in the user's.
        assert_eq!(thread.entered_by, EnteredBy::Syscall);
        context::invalidate(&mut thread);
        let trap = run_until_trap(&mut thread);
        assert!(
            matches!(trap, Trap::Exception { vector: 13, .. }),
            "{trap:?}"
        );
        assert_eq!(thread.entered_by, EnteredBy::Nothing);
        thread.regs.rip = CODE_AT as u64;
        assert_eq!(run_until_trap(&mut thread), Trap::Syscall);
    }
    for rip in [0, 0x7fff_ffff_f000, 0xffff_ffff_8020_0000] {
        thread.regs.rip = rip;
        let trap = run_until_trap(&mut thread);
        assert!(
            matches!(trap, Trap::PageFault { addr, .. } if addr as u64 == rip),
            "{trap:?}"
        );
    }
}

fn flags() {
    let space = Space::new(&TWO_SYSCALLS, 1);
    let mut thread = space.thread(0);
    thread.regs.rflags |= TRAP_FLAG | DIRECTION | IO_PRIVILEGE | ALIGNMENT;
    context::invalidate(&mut thread);
    let trap = run_until_trap(&mut thread);
    assert!(
        matches!(trap, Trap::Exception { vector: 1, .. }),
        "{trap:?}"
    );
    assert_eq!(thread.regs.rip, CODE_AT as u64 + 5);
    // A kernel that copied downwards, or without SMAP's guard, would fail here.
    user::write_bytes(DATA_AT, &[1, 2, 3, 4, 5, 6, 7, 8, 9]).unwrap();
    assert_eq!(user::raw_read_u64(DATA_AT + 1), Ok(0x0908_0706_0504_0302));
    thread.regs.rflags &= !TRAP_FLAG;
    assert_eq!(run_until_trap(&mut thread), Trap::Syscall);
    assert_eq!(
        thread.regs.rflags & (TRAP_FLAG | DIRECTION | IO_PRIVILEGE | ALIGNMENT),
        DIRECTION | ALIGNMENT
    );
}

fn vectors() {
    let space = Space::new(&VECTORS, 1);
    for (word, value) in [0xaa, 0xbb, 0xcc].into_iter().enumerate() {
        user::raw_write_u64(DATA_AT + word * 8, value).unwrap();
    }
    let (mut one, mut hundred) = (space.thread(0), space.thread(0));
    (one.regs.rdi, hundred.regs.rdi) = (1, 100);
    (one.regs.fs_base, one.regs.gs_base) = (DATA_AT as u64, DATA_AT as u64);
    (hundred.regs.fs_base, hundred.regs.gs_base) = (DATA_AT as u64 + 8, DATA_AT as u64 + 8);
    context::invalidate(&mut one);
    context::invalidate(&mut hundred);
    assert_eq!(run_until_trap(&mut one), Trap::Syscall);
    assert_eq!(run_until_trap(&mut hundred), Trap::Syscall);
    for turn in 2..20 {
        assert_eq!(run_until_trap(&mut one), Trap::Syscall);
        assert_eq!(run_until_trap(&mut hundred), Trap::Syscall);
        assert_eq!((one.regs.rsi, hundred.regs.rsi), (turn, turn * 100));
        assert_eq!((one.regs.rdx, one.regs.r8), (0xaa, 0xbb));
        assert_eq!((hundred.regs.rdx, hundred.regs.r8), (0xbb, 0xcc));
    }
    // A third takes the place of one that is gone.
    drop(one);
    let mut fresh = space.thread(0);
    fresh.regs.rdi = 7;
    (fresh.regs.fs_base, fresh.regs.gs_base) = (DATA_AT as u64, DATA_AT as u64);
    context::invalidate(&mut fresh);
    for turn in 20..30 {
        assert_eq!(run_until_trap(&mut fresh), Trap::Syscall);
        assert_eq!(run_until_trap(&mut hundred), Trap::Syscall);
        assert_eq!(hundred.regs.rsi, turn * 100);
    }
    assert_eq!(fresh.regs.rsi, 70);
}

fn changed() {
    let space = Space::new(&VECTORS, 1);
    user::raw_write_u64(DATA_AT + 16, 0xdd).unwrap();
    let mut thread = space.thread(0);
    thread.regs.rdi = 5;
    (thread.regs.fs_base, thread.regs.gs_base) = (DATA_AT as u64, DATA_AT as u64);
    context::invalidate(&mut thread);
    assert_eq!(run_until_trap(&mut thread), Trap::Syscall);
    context::flush(&mut thread);
    // Register xmm0 is in the FXSAVE part, at byte 160.
    let xmm0 = |thread: &UserContext| thread.vector.lines()[2].0[32];
    assert_eq!(xmm0(&thread), 5);
    assert_eq!(
        (thread.regs.fs_base, thread.regs.gs_base),
        (DATA_AT as u64, DATA_AT as u64)
    );
    thread.vector.lines_mut()[2].0[32] = 50;
    thread.regs.fs_base = DATA_AT as u64 + 16;
    // Bits that the CPU would refuse in MXCSR and in the XSAVE header.
    thread.vector.lines_mut()[0].0[24..28].fill(0xff);
    context::invalidate(&mut thread);
    assert_eq!(run_until_trap(&mut thread), Trap::Syscall);
    assert_eq!((thread.regs.rsi, thread.regs.rdx), (55, 0xdd));
}

fn preemption() {
    let space = Space::new(&SPIN, 1);
    let mut thread = space.thread(0);
    let deadline = time::now() + 2_000_000;
    time::arm_timer(deadline);
    while !time::take_expiry() {
        assert_eq!(
            context::run(&mut thread, Server::new(&Stop)),
            Trap::Interrupt
        );
    }
    assert!(time::now() >= deadline);
    assert!(thread.regs.rbx > 0);
}
