//! Lazy vector state: x87, SSE and AVX registers and the FS and GS bases stay in the CPU until another thread runs.
//!
//! The owner is known by the address of its area, which is heap memory that does not move. Behind the XSAVE image the area
//! has one more cache line, which holds the two bases. `hal_context_run` compares one pointer when the owner runs again.

use super::cpuid::leaf;
use super::debug;
use super::features::features;
use super::percpu::{current, PerCpu};
use super::registers::{msr, read_msr, write_msr};
use core::arch::asm;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use kernel_hal::context::{CacheLine, EnteredBy, UserContext, VectorState};
use kernel_hal::hal_impl;
use kernel_hal::xsave::{Header, Layout};

const LINE_BYTES: usize = 64;
const FCW_RESET: u16 = 0x37f;
const MXCSR_RESET: u32 = 0x1f80;
const MXCSR_OFFSET: usize = 24;
const XSTATE_BV_OFFSET: usize = 512;
const XSAVE_HEADER_END: usize = 576;
/// Where the registers of the x87 unit are.
const X87_STACK: core::ops::Range<usize> = 32..160;
const BASES_BYTES: usize = size_of::<[u64; 2]>();
const RFLAGS_RESERVED_ONE: u64 = 2;

/// Bytes of the saved image, in whole lines; then comes the line of the bases. Set once at boot.
static IMAGE_BYTES: AtomicUsize = AtomicUsize::new(512);
static METHOD: AtomicUsize = AtomicUsize::new(FXSAVE);
/// Whether the bases are reached by instructions of their own instead of MSRs.
static FSGSBASE: AtomicBool = AtomicBool::new(false);
const FXSAVE: usize = 0;
const XSAVE: usize = 1;
const XSAVEOPT: usize = 2;

/// Finds out the size of the image; after the features are on.
pub(crate) fn init() {
    let has = features();
    FSGSBASE.store(has.fsgsbase, Ordering::Relaxed);
    if has.xsave {
        let bytes = leaf(0xd, 0).ebx as usize;
        IMAGE_BYTES.store(bytes.next_multiple_of(LINE_BYTES), Ordering::Relaxed);
        METHOD.store(
            if has.xsaveopt { XSAVEOPT } else { XSAVE },
            Ordering::Relaxed,
        );
    }
}

fn image_lines() -> usize {
    IMAGE_BYTES.load(Ordering::Relaxed) / LINE_BYTES
}

/// The two bases behind an area's image. They are canonical: the CPU had them, or `hal_context_invalidate` saw to it.
///
/// # Safety
/// 1. `area` is a live vector area of `image_lines() + 1` lines.
#[inline(always)]
unsafe fn bases_of(area: *mut CacheLine) -> *mut [u64; 2] {
    // SAFETY: the line behind the image belongs to the area (caller duty 1).
    unsafe { area.byte_add(IMAGE_BYTES.load(Ordering::Relaxed)) }.cast()
}

/// Makes `context` the owner of the vector registers and the FS and GS bases.
#[cold]
#[inline(never)]
pub(crate) fn take_over(context: &mut UserContext) {
    let cpu = current();
    clear_selectors();
    save_owner(cpu);
    let lines = context.vector.lines_mut();
    assert!(
        lines.len() > image_lines(),
        "a vector area that hal_vector_new did not make"
    );
    let area = lines.as_mut_ptr();
    // SAFETY: the area is valid, exclusively borrowed, and as long as `hal_vector_new` made it.
    unsafe { load(area) };
    cpu.vector_owner.set(area);
    debug::load(&context.debug);
}

fn save_owner(cpu: &PerCpu) {
    let owner = cpu.vector_owner.get();
    if !owner.is_null() {
        // SAFETY: an owner's area is alive: `VectorState`'s drop ends the ownership. Nobody holds a reference to it now,
        // as its context is not the one that is being run, flushed or changed.
        unsafe { save(owner) };
    }
}

/// # Safety
/// 1. `area` is a live vector area of `image_lines() + 1` lines, and nobody else uses it now.
unsafe fn save(area: *mut CacheLine) {
    match METHOD.load(Ordering::Relaxed) {
        XSAVEOPT => {
            // SAFETY: the area is 64-byte aligned and long enough for all enabled components (caller duty 1).
            unsafe {
                asm!("xsaveopt64 [{}]", in(reg) area, in("eax") u32::MAX, in("edx") u32::MAX, options(nostack, preserves_flags))
            }
        }
        XSAVE => {
            // SAFETY: as above.
            unsafe {
                asm!("xsave64 [{}]", in(reg) area, in("eax") u32::MAX, in("edx") u32::MAX, options(nostack, preserves_flags))
            }
        }
        _ => {
            // SAFETY: as above; FXSAVE takes 512 bytes.
            unsafe { asm!("fxsave64 [{}]", in(reg) area, options(nostack, preserves_flags)) }
        }
    }
    let bases = read_bases();
    // SAFETY: caller duty 1.
    let kept = unsafe { bases_of(area) };
    // SAFETY: a line is larger than two words and aligned.
    unsafe { kept.write(bases) };
}

/// # Safety
/// 1. `area` is a live vector area of `image_lines() + 1` lines, and nobody else writes to it now.
/// 2. Its image is valid: made by [`save`], or by `hal_vector_new`, or sanitised by `hal_context_invalidate`.
unsafe fn load(area: *mut CacheLine) {
    match METHOD.load(Ordering::Relaxed) {
        FXSAVE => {
            // SAFETY: the image is valid (caller duty 2).
            unsafe { asm!("fxrstor64 [{}]", in(reg) area, options(nostack, preserves_flags)) }
        }
        _ => {
            // SAFETY: as above.
            unsafe {
                asm!("xrstor64 [{}]", in(reg) area, in("eax") u32::MAX, in("edx") u32::MAX, options(nostack, preserves_flags))
            }
        }
    }
    // SAFETY: caller duty 1.
    let kept = unsafe { bases_of(area) };
    // SAFETY: a line is larger than two words and aligned.
    write_bases(unsafe { kept.read() });
}

/// The user's FS and GS bases in the CPU; in the kernel the latter is behind `swapgs`.
#[inline(always)]
fn read_bases() -> [u64; 2] {
    if FSGSBASE.load(Ordering::Relaxed) {
        let (fs, gs): (u64, u64);
        // SAFETY: CR4 enables the instructions. Between the two swaps only vectors that do not trust GS can strike.
        unsafe {
            asm!("rdfsbase {fs}", "swapgs", "rdgsbase {gs}", "swapgs", fs = out(reg) fs, gs = out(reg) gs, options(nomem, nostack, preserves_flags));
        }
        return [fs, gs];
    }
    // SAFETY: every 64-bit CPU has the register.
    let fs = unsafe { read_msr(msr::FS_BASE) };
    // SAFETY: as above.
    let gs = unsafe { read_msr(msr::KERNEL_GS_BASE) };
    [fs, gs]
}

/// Loads bases, which are canonical.
#[inline(always)]
fn write_bases([fs, gs]: [u64; 2]) {
    if FSGSBASE.load(Ordering::Relaxed) {
        // SAFETY: CR4 enables the instructions, and the values are canonical. Between the two swaps only vectors that do
        // not trust GS can strike, and nothing uses GS.
        unsafe {
            asm!("wrfsbase {fs}", "swapgs", "wrgsbase {gs}", "swapgs", fs = in(reg) fs, gs = in(reg) gs, options(nostack, preserves_flags));
        }
        return;
    }
    // SAFETY: the register exists; the kernel itself does not use FS; the value is canonical.
    unsafe { write_msr(msr::FS_BASE, fs) };
    // SAFETY: as above; the register holds the user's base while the kernel runs.
    unsafe { write_msr(msr::KERNEL_GS_BASE, gs) };
}

/// Zeroes DS, ES, FS and GS, which user code may have loaded with other null selectors, so that no thread sees another's.
/// Called when a thread loses the CPU. Loading a selector zeroes its base on some CPUs, so the bases are kept.
pub(super) fn clear_selectors() {
    let (ds, es, fs, gs): (u32, u32, u32, u32);
    // SAFETY: reading selectors changes nothing.
    unsafe {
        asm!("mov {:e}, ds", "mov {:e}, es", "mov {:e}, fs", "mov {:e}, gs", out(reg) ds, out(reg) es, out(reg) fs, out(reg) gs, options(nomem, nostack, preserves_flags));
    }
    if ds | es | fs | gs == 0 {
        return;
    }
    let bases = read_bases();
    // SAFETY: a null selector may be loaded in 64-bit mode, where DS, ES and FS are not used by the kernel. GS is the
    // user's between the two swaps, where only vectors that do not trust GS can strike.
    unsafe {
        asm!("mov ds, {zero:e}", "mov es, {zero:e}", "mov fs, {zero:e}", "swapgs", "mov gs, {zero:e}", "swapgs", zero = in(reg) 0, options(nostack, preserves_flags));
    }
    write_bases(bases);
}

/// An address that the CPU takes as a base; the layers above refuse others before they come here.
fn canonical_or_zero(addr: u64) -> u64 {
    if is_canonical(addr) {
        addr
    } else {
        0
    }
}

/// Whether bits 47 to 63 are equal.
fn is_canonical(addr: u64) -> bool {
    let top = addr >> 47;
    top == 0 || top == 0x1_ffff
}

/// Overwrites what the CPU would refuse to load.
fn sanitise(lines: &mut [CacheLine]) {
    let supported = supported_mxcsr(lines);
    let bytes = lines.as_flattened_bytes_mut();
    if let Some(word) = bytes.get_mut(MXCSR_OFFSET..MXCSR_OFFSET + 4) {
        let masked: [u8; 4] = core::array::from_fn(|i| word[i] & supported[i]);
        word.copy_from_slice(&masked);
    }
    if METHOD.load(Ordering::Relaxed) != FXSAVE {
        if let Some(header) = bytes.get_mut(XSTATE_BV_OFFSET..XSAVE_HEADER_END) {
            let (components, rest) = header.split_at_mut(8);
            let enabled = u64::from(leaf(0xd, 0).eax) & 0xe7;
            for (byte, mask) in components.iter_mut().zip(enabled.to_le_bytes()) {
                *byte &= mask;
            }
            rest.fill(0);
        }
    }
}

/// MXCSR bits that the CPU has: the mask that it wrote into the image, or the architecture's default when it is zero.
fn supported_mxcsr(lines: &[CacheLine]) -> [u8; 4] {
    let mask = lines.first().and_then(|line| line.0.get(28..32));
    match mask {
        Some(&[0, 0, 0, 0]) | None => 0xffbf_u32.to_le_bytes(),
        Some(found) => {
            let allowed = 0xffff_u32.to_le_bytes();
            core::array::from_fn(|i| found[i] & allowed[i])
        }
    }
}

/// Cache lines as bytes.
trait AsFlattenedBytes {
    fn as_flattened_bytes_mut(&mut self) -> &mut [u8];
}

impl AsFlattenedBytes for [CacheLine] {
    fn as_flattened_bytes_mut(&mut self) -> &mut [u8] {
        let len = self.len() * LINE_BYTES;
        // SAFETY: a line is 64 plain bytes without padding; the borrow carries over.
        unsafe { core::slice::from_raw_parts_mut(self.as_mut_ptr().cast(), len) }
    }
}

fn owns(cpu: &PerCpu, state: &VectorState) -> bool {
    core::ptr::eq(cpu.vector_owner.get(), state.lines().as_ptr())
}

hal_impl! {
    kernel_hal::context => fn hal_context_set_fs_base(base: kernel_hal::VirtAddr) {
        let [_, gs] = read_bases();
        write_bases([canonical_or_zero(base as u64), gs]);
    }

    kernel_hal::context => fn hal_context_set_gs_base(base: kernel_hal::VirtAddr) {
        let [fs, _] = read_bases();
        write_bases([fs, canonical_or_zero(base as u64)]);
    }

    kernel_hal::context => fn hal_vector_new() -> Option<VectorState> {
        let len = (image_lines() + 1) * LINE_BYTES;
        if METHOD.load(Ordering::Relaxed) != FXSAVE {
            // All components in their initial state: neither the CPU nor anybody else looks at what the bytes of one in that
            // state say, but for MXCSR. Those of the x87 unit are cleared all the same: when that is used, some CPUs leave what
            // it does not need as it was.
            if let Some(mut state) = VectorState::used(len) {
                let bytes = state.lines_mut().as_flattened_bytes_mut();
                bytes[..MXCSR_OFFSET].fill(0);
                bytes[X87_STACK].fill(0);
                bytes[MXCSR_OFFSET..MXCSR_OFFSET + 4].copy_from_slice(&MXCSR_RESET.to_le_bytes());
                bytes[XSTATE_BV_OFFSET..XSAVE_HEADER_END].fill(0);
                bytes[len - LINE_BYTES..len - LINE_BYTES + BASES_BYTES].fill(0);
                return Some(state);
            }
        }
        let mut state = VectorState::with_len(len)?;
        let bytes = state.lines_mut().as_flattened_bytes_mut();
        bytes[..2].copy_from_slice(&FCW_RESET.to_le_bytes());
        bytes[MXCSR_OFFSET..MXCSR_OFFSET + 4].copy_from_slice(&MXCSR_RESET.to_le_bytes());
        Some(state)
    }
    kernel_hal::context => fn hal_vector_layout() -> Layout {
        if METHOD.load(Ordering::Relaxed) == FXSAVE {
            return Layout::default();
        }
        let enabled = leaf(0xd, 0).eax;
        let offset = |component: u32| (enabled >> component & 1 == 1).then(|| leaf(0xd, component).ebx as usize);
        Layout { header: Header::Present, avx: offset(2), opmask: offset(5), zmm_upper: offset(6), zmm_high: offset(7) }
    }
    kernel_hal::context => fn hal_context_flush(context: &mut UserContext) {
        if context.entered_by == EnteredBy::Syscall {
            // The instruction leaves these two like this; the fast entry does not store them.
            context.regs.rcx = context.regs.rip;
            context.regs.r11 = context.regs.rflags;
        }
        if owns(current(), &context.vector) {
            let area = context.vector.lines_mut().as_mut_ptr();
            // SAFETY: the area is exclusively borrowed through `context`.
            unsafe { save(area) };
        }
        let lines = context.vector.lines();
        if let Some(tail) = lines.get(image_lines()) {
            // SAFETY: the line holds the two bases.
            let [fs, gs] = unsafe { (&raw const *tail).cast::<[u64; 2]>().read() };
            context.regs.fs_base = fs;
            context.regs.gs_base = gs;
        }
    }
    kernel_hal::context => fn hal_context_invalidate(context: &mut UserContext) {
        hal_vector_forget_area(&context.vector);
        context.entered_by = EnteredBy::Nothing;
        context.regs.rflags |= RFLAGS_RESERVED_ONE;
        let bases = [context.regs.fs_base, context.regs.gs_base].map(canonical_or_zero);
        let lines = context.vector.lines_mut();
        sanitise(lines);
        if let Some(tail) = lines.get_mut(image_lines()) {
            // SAFETY: the line is 64 aligned bytes, exclusively borrowed.
            unsafe { (&raw mut *tail).cast::<[u64; 2]>().write(bases) };
        }
    }
    kernel_hal::context => fn hal_vector_forget(state: &VectorState) {
        hal_vector_forget_area(state);
    }
}

fn hal_vector_forget_area(state: &VectorState) {
    let cpu = current();
    if owns(cpu, state) {
        cpu.vector_owner.set(core::ptr::null_mut());
    }
}
