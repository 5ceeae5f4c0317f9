//! Vector state: all of it, of threads that take turns while the kernel uses vector registers too.
#![no_std]
#![no_main]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a panic is how a case fails"
)]

extern crate alloc;

mod support;
#[path = "support/user_code.rs"]
mod user_code;

use alloc::vec;
use alloc::vec::Vec;
use boot_info::BootInfo;
use core::arch::x86_64::__cpuid_count;
use kernel_hal::context::{self, Trap, UserContext};
use kernel_hal::frame::Frame;
use kernel_hal::{user, PAGE_SIZE};
use support::{frames, run_until_trap, Space, CODE_AT, DATA_AT};
use user_code::user_code;

/// Where the parts of an image are: FXSAVE's first, then the upper halves of the AVX registers.
const MXCSR: usize = 24;
const X87: usize = 32;
const XMM: usize = 160;
const XMM_END: usize = 416;
const UPPER: usize = 512;
const IMAGE: usize = 768;
/// Where a thread's page holds what it loads, what it has stored, and the words that its two bases point at.
const STORED: usize = 2048;
const FS_WORD: usize = 3072;
const GS_WORD: usize = 3080;

#[no_mangle]
unsafe extern "C" fn kernel_main(boot_info: *const BootInfo) -> ! {
    // SAFETY: called once by the entry code, with what rboot passed.
    unsafe {
        support::run(
            boot_info,
            &[
                ("threads_that_take_turns_keep_all_registers", turns),
                ("a_new_thread_sees_nothing_of_another", fresh),
                (
                    "a_new_thread_in_a_dead_ones_memory_starts_anew",
                    reused_memory,
                ),
                ("flush_shows_the_registers_and_leaves_them", flush),
                (
                    "registers_in_memory_are_loaded_after_invalidate",
                    invalidate,
                ),
                ("bases_belong_to_the_thread_that_sets_them", bases),
                (
                    "a_base_that_is_not_canonical_does_not_reach_the_cpu",
                    odd_base,
                ),
                (
                    "an_x87_exception_arrives_and_stays_with_its_thread",
                    x87_exception,
                ),
            ],
        )
    }
}

user_code!(
    /// For ever: load the image at rdi, syscall, store it at rsi and the bases' words in r8 and r9, syscall. AVX if edx.
    load_and_store:
    "2:"
    "fxrstor64 [rdi]"
    "test edx, edx"
    "jz 3f"
    ".irp reg, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15"
    "vinsertf128 ymm\\reg, ymm\\reg, [rdi + 512 + 16 * \\reg], 1"
    ".endr"
    "3:"
    "syscall"
    "fxsave64 [rsi]"
    "test edx, edx"
    "jz 4f"
    ".irp reg, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15"
    "vextractf128 [rsi + 512 + 16 * \\reg], ymm\\reg, 1"
    ".endr"
    "4:"
    "mov r8, fs:[0]"
    "mov r9, gs:[0]"
    "syscall"
    "jmp 2b"
);

user_code!(
    /// Divides by zero with that exception unmasked.
    divide:
    "push 0x37b"
    "fldcw [rsp]"
    "fld1"
    "fldz"
    "fdivp"
    "fwait"
    "syscall"
);

fn has_avx() -> bool {
    __cpuid_count(1, 0).ecx >> 28 & 1 == 1
}

/// Bytes that look random and differ for each seed, in a form that FXRSTOR takes.
fn image(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes: Vec<u8> = (0..IMAGE)
        .map(|_| {
            state = state
                .wrapping_mul(0x5851_f42d_4c95_7f2d)
                .wrapping_add(0x1405_7b7e_f767_814f);
            state.to_be_bytes()[0]
        })
        .collect();
    bytes[..X87].fill(0);
    let control: [u16; 4] = [0x37f, 0x27f, 0x77f, 0xc3f];
    let pick = usize::try_from(seed % 4).unwrap();
    bytes[..2].copy_from_slice(&control[pick].to_le_bytes());
    // The top of the x87 stack, and all its registers in use.
    bytes[3] = (bytes[XMM] & 7) << 3;
    bytes[4] = 0xff;
    let mxcsr: [u32; 4] = [0x1f80, 0x9fc0, 0x7f80, 0x3fa0];
    bytes[MXCSR..MXCSR + 4].copy_from_slice(&mxcsr[pick].to_le_bytes());
    bytes
}

/// The parts of an image that the CPU keeps.
fn kept(image: &[u8]) -> Vec<&[u8]> {
    let mut parts = vec![
        &image[..2],
        &image[2..5],
        &image[MXCSR..MXCSR + 4],
        &image[XMM..XMM_END],
    ];
    parts.extend((0..8).map(|register| &image[X87 + 16 * register..X87 + 16 * register + 10]));
    if has_avx() {
        parts.push(&image[UPPER..IMAGE]);
    }
    parts
}

/// A thread that runs [`load_and_store`] on a page of its own.
struct Worker {
    thread: UserContext,
    page: usize,
    image: Vec<u8>,
}

impl Worker {
    fn new(space: &Space, number: usize) -> Self {
        let page = DATA_AT + number * PAGE_SIZE;
        let mut thread = space.thread(0);
        (thread.regs.rdi, thread.regs.rsi) = (page as u64, (page + STORED) as u64);
        thread.regs.rdx = u64::from(has_avx());
        (thread.regs.fs_base, thread.regs.gs_base) =
            ((page + FS_WORD) as u64, (page + GS_WORD) as u64);
        context::invalidate(&mut thread);
        user::raw_write_u64(page + FS_WORD, 0xf000 + number as u64).unwrap();
        user::raw_write_u64(page + GS_WORD, 0x6000 + number as u64).unwrap();
        Self {
            thread,
            page,
            image: Vec::new(),
        }
    }

    fn load(&mut self, seed: u64) {
        self.image = image(seed);
        user::write_bytes(self.page, &self.image).unwrap();
        assert_eq!(run_until_trap(&mut self.thread), Trap::Syscall);
    }

    fn store(&mut self) -> Vec<u8> {
        user::write_bytes(self.page + STORED, &[0xee; IMAGE]).unwrap();
        assert_eq!(run_until_trap(&mut self.thread), Trap::Syscall);
        let mut stored = vec![0; IMAGE];
        user::read_bytes(self.page + STORED, &mut stored).unwrap();
        stored
    }

    fn check(&mut self) {
        let stored = self.store();
        assert_eq!(kept(&stored), kept(&self.image));
        let number = ((self.page - DATA_AT) / PAGE_SIZE) as u64;
        assert_eq!(
            (self.thread.regs.r8, self.thread.regs.r9),
            (0xf000 + number, 0x6000 + number)
        );
    }
}

/// Kernel work that borrows vector registers where they are quick.
fn kernel_work() {
    let frame = Frame::zeroed().expect("no memory");
    let copy = frame.duplicate().expect("no memory");
    user::write_from_frame(DATA_AT + 5 * PAGE_SIZE, &copy, 0, PAGE_SIZE).unwrap();
    user::read_to_frame(DATA_AT + 6 * PAGE_SIZE - 700, &frame, 0, 1400).unwrap();
    // One that fails halfway.
    user::read_to_frame(DATA_AT + 8 * PAGE_SIZE - 1000, &frame, 0, 4000).unwrap_err();
    drop(frames(3));
}

fn space() -> Space {
    Space::new(load_and_store(), 8)
}

fn turns() {
    let space = space();
    let mut workers: Vec<Worker> = (0..3).map(|number| Worker::new(&space, number)).collect();
    for round in 0..40 {
        for (seed, worker) in (round * 3..).zip(&mut workers) {
            worker.load(seed);
            kernel_work();
        }
        let order =
            [[0, 1, 2], [2, 1, 0], [1, 2, 0], [2, 0, 1]][usize::try_from(round % 4).unwrap()];
        for number in order {
            kernel_work();
            workers[number].check();
        }
    }
}

/// What a thread stores that has loaded nothing.
fn first_store(space: &Space, number: usize, store_at: u64) -> Vec<u8> {
    let mut worker = Worker::new(space, number);
    worker.thread.regs.rip = store_at;
    worker.store()
}

fn assert_reset(stored: &[u8]) {
    assert_eq!(stored[..5], [0x7f, 3, 0, 0, 0]);
    assert_eq!(stored[MXCSR..MXCSR + 4], 0x1f80_u32.to_le_bytes());
    assert!(stored[XMM..XMM_END].iter().all(|&byte| byte == 0));
    for register in 0..8 {
        assert_eq!(
            stored[X87 + 16 * register..X87 + 16 * register + 10],
            [0; 10]
        );
    }
    assert!(!has_avx() || stored[UPPER..IMAGE].iter().all(|&byte| byte == 0));
}

fn fresh() {
    let space = space();
    let mut dirty = Worker::new(&space, 0);
    dirty.load(7);
    assert_reset(&first_store(&space, 1, dirty.thread.regs.rip));
    dirty.check();
}

fn reused_memory() {
    let space = space();
    let mut dirty = Worker::new(&space, 0);
    for seed in 0..5 {
        dirty.load(seed);
        let (store_at, area) = (dirty.thread.regs.rip, dirty.thread.vector.lines().as_ptr());
        // The heap gives freed memory out again first, so the CPU holds registers for this very address.
        drop(dirty);
        dirty = Worker::new(&space, 0);
        assert_eq!(dirty.thread.vector.lines().as_ptr(), area);
        dirty.thread.regs.rip = store_at;
        assert_reset(&dirty.store());
    }
}

fn in_memory(thread: &UserContext) -> Vec<u8> {
    let bytes: Vec<u8> = thread
        .vector
        .lines()
        .iter()
        .flat_map(|line| line.0)
        .collect();
    let mut image = bytes[..UPPER].to_vec();
    image.resize(IMAGE, 0);
    if has_avx() {
        let at = __cpuid_count(0xd, 2).ebx as usize;
        image[UPPER..].copy_from_slice(&bytes[at..at + 256]);
    }
    image
}

fn flush() {
    let space = space();
    let (mut one, mut two) = (Worker::new(&space, 0), Worker::new(&space, 1));
    one.load(11);
    context::flush(&mut one.thread);
    assert_eq!(kept(&in_memory(&one.thread)), kept(&one.image));
    assert_eq!(one.thread.regs.fs_base, (one.page + FS_WORD) as u64);
    assert_eq!(one.thread.regs.gs_base, (one.page + GS_WORD) as u64);
    one.check();
    one.load(12);
    two.load(13);
    // The CPU holds those of another thread now.
    context::flush(&mut one.thread);
    assert_eq!(kept(&in_memory(&one.thread)), kept(&one.image));
    two.check();
    one.check();
}

fn invalidate() {
    let space = space();
    let mut worker = Worker::new(&space, 0);
    worker.load(20);
    context::flush(&mut worker.thread);
    let changed = image(21);
    for (line, bytes) in worker
        .thread
        .vector
        .lines_mut()
        .iter_mut()
        .zip(changed[..UPPER].chunks_exact(64))
    {
        line.0.copy_from_slice(bytes);
    }
    // The mask of MXCSR bits is the CPU's to say.
    worker.thread.vector.lines_mut()[0].0[28..32].copy_from_slice(&0xffff_u32.to_le_bytes());
    context::invalidate(&mut worker.thread);
    worker.image[..UPPER].copy_from_slice(&changed[..UPPER]);
    worker.check();
}

fn bases() {
    let space = space();
    let (mut one, mut two) = (Worker::new(&space, 0), Worker::new(&space, 1));
    two.load(30);
    one.load(31);
    user::raw_write_u64(one.page + 4000, 0xabc).unwrap();
    context::set_fs_base(one.page + 4000);
    two.check();
    one.store();
    assert_eq!((one.thread.regs.r8, one.thread.regs.r9), (0xabc, 0x6000));
    context::set_gs_base(one.page + 4000);
    two.load(32);
    context::flush(&mut one.thread);
    assert_eq!(
        (one.thread.regs.fs_base, one.thread.regs.gs_base),
        ((one.page + 4000) as u64, (one.page + 4000) as u64)
    );
    one.load(33);
    one.store();
    assert_eq!((one.thread.regs.r8, one.thread.regs.r9), (0xabc, 0xabc));
    two.check();
}

fn odd_base() {
    let space = space();
    let mut worker = Worker::new(&space, 0);
    (worker.thread.regs.fs_base, worker.thread.regs.gs_base) = (0x8000_0000_0000, u64::MAX >> 1);
    context::invalidate(&mut worker.thread);
    worker.load(40);
    assert_eq!(
        run_until_trap(&mut worker.thread),
        Trap::PageFault { addr: 0, code: 4 }
    );
}

fn x87_exception() {
    let mut code = load_and_store().to_vec();
    let divide_at = code.len();
    code.extend(divide());
    let space = Space::new(&code, 8);
    let mut other = Worker::new(&space, 0);
    other.load(50);
    let mut thread = space.thread(divide_at);
    for _ in 0..3 {
        assert_eq!(
            run_until_trap(&mut thread),
            Trap::Exception {
                vector: 16,
                code: 0
            }
        );
        assert!(thread.regs.rip > (CODE_AT + divide_at) as u64);
        // It is still pending in that thread, and only there.
        kernel_work();
        other.check();
        other.load(51);
    }
}
