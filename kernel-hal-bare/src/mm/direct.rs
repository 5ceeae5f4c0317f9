//! The direct map: physical memory at a fixed virtual offset, and bulk operations on whole pages.

use crate::cpu::features::features;
use core::arch::global_asm;
use core::sync::atomic::{AtomicU8, Ordering};
use kernel_hal::frame::Fill;
use kernel_hal::{hal_impl, PhysAddr};

global_asm!(include_str!("pages.S"));
global_asm!(include_str!("memory.S"));

unsafe extern "C" {
    fn page_zero_words(page: *mut u8);
    fn page_zero_sse(page: *mut u8);
    fn page_zero_avx(page: *mut u8);
    fn page_copy_words(to: *mut u8, from: *const u8);
    fn page_copy_sse(to: *mut u8, from: *const u8);
    fn page_copy_avx(to: *mut u8, from: *const u8);
}

/// Where a physical address appears in the kernel's address space.
#[inline(always)]
pub(crate) fn pointer<T>(at: PhysAddr) -> *mut T {
    boot_info::layout::to_usize(boot_info::phys_to_virt(at.0)) as *mut T
}

static METHOD: AtomicU8 = AtomicU8::new(WORDS);
const WORDS: u8 = 0;
const SSE: u8 = 1;
const AVX: u8 = 2;

/// Picks the way to fill and copy pages. String instructions are best on hardware; an emulator that interprets them word
/// by word does better with wide stores, for which one vector register is borrowed from the user and given back.
pub(crate) fn init() {
    let has = features();
    let method = match (has.tcg, has.avx) {
        (false, _) => WORDS,
        (true, false) => SSE,
        (true, true) => AVX,
    };
    METHOD.store(method, Ordering::Relaxed);
}

/// Zeroes one page.
///
/// # Safety
/// 1. `page` is a whole page of RAM in the direct map that the caller owns.
#[inline]
pub(crate) unsafe fn zero_page(page: *mut u8) {
    match METHOD.load(Ordering::Relaxed) {
        // SAFETY: the caller owns the page; the CPU has AVX and it is enabled.
        AVX => unsafe { page_zero_avx(page) },
        // SAFETY: the caller owns the page; every 64-bit CPU has SSE2, and CR4 enables it.
        SSE => unsafe { page_zero_sse(page) },
        // SAFETY: the caller owns the page.
        _ => unsafe { page_zero_words(page) },
    }
}

/// Applies [`Fill`] to a fresh frame.
#[inline(always)]
pub(crate) fn fill_frame(frame: PhysAddr, fill: Fill) {
    if fill == Fill::Zero {
        // SAFETY: a frame fresh from the allocator is a page of RAM that nobody else uses.
        unsafe { zero_page(pointer(frame)) }
    }
}

hal_impl! {
    kernel_hal::frame => fn hal_phys_read(from: PhysAddr, into: &mut [u8]) {
        // SAFETY: the range is RAM (the caller's duty), so it is in the direct map; it cannot overlap a live exclusive slice
        // of the kernel, because frames are not heap.
        unsafe { core::ptr::copy_nonoverlapping(pointer::<u8>(from), into.as_mut_ptr(), into.len()) }
    }
    kernel_hal::frame => fn hal_phys_write(to: PhysAddr, from: &[u8]) {
        // SAFETY: the caller owns the range, which is RAM, so it is in the direct map.
        unsafe { core::ptr::copy_nonoverlapping(from.as_ptr(), pointer::<u8>(to), from.len()) }
    }
    kernel_hal::frame => fn hal_phys_zero(at: PhysAddr, len: usize) {
        if len == kernel_hal::PAGE_SIZE && at.is_page_aligned() {
            // SAFETY: the caller owns the page.
            return unsafe { zero_page(pointer(at)) };
        }
        // SAFETY: the caller owns the range, which is RAM, so it is in the direct map.
        unsafe { core::ptr::write_bytes(pointer::<u8>(at), 0, len) }
    }
    kernel_hal::frame => fn hal_phys_copy_page(to: PhysAddr, from: PhysAddr) {
        let (to, from) = (pointer(to), pointer(from));
        match METHOD.load(Ordering::Relaxed) {
            // SAFETY: both are whole pages of RAM and the caller owns `to`; the CPU has AVX and it is enabled.
            AVX => unsafe { page_copy_avx(to, from) },
            // SAFETY: as above; every 64-bit CPU has SSE2.
            SSE => unsafe { page_copy_sse(to, from) },
            // SAFETY: as above.
            _ => unsafe { page_copy_words(to, from) },
        }
    }
}
