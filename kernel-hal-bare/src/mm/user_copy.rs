//! Copies between the kernel and user space, through the active page table.
//!
//! The range is checked once more here, although the callers in `kernel-hal` have done so: the functions are safe and
//! public, and after inlining the compiler merges the two checks.

use super::direct::pointer;
use crate::cpu::features::features;
use boot_info::KernelRange;
use core::arch::global_asm;
use core::sync::atomic::{AtomicU8, Ordering};
use kernel_hal::addr::is_user_range;
use kernel_hal::frame::Frame;
use kernel_hal::{hal_impl, PhysAddr, VirtAddr, PAGE_SIZE};

global_asm!(include_str!("user_copy.S"), LONG_COPY = sym LONG_COPY, LONG_COPY_STRING = const LONG_COPY_STRING);

/// How long copies are done. The assembly compares with `LONG_COPY_STRING`.
static LONG_COPY: AtomicU8 = AtomicU8::new(LONG_COPY_WORDS);
/// Eight bytes at a time.
const LONG_COPY_WORDS: u8 = 0;
/// `rep movsb`, on hardware that is quick with it.
const LONG_COPY_STRING: u8 = 1;
/// With AVX registers, under an emulator, which counts string instructions byte by byte.
const LONG_COPY_WIDE: u8 = 2;

/// A value and the address of a failure, in two registers.
#[repr(C)]
struct Loaded {
    value: u64,
    fault: usize,
}

unsafe extern "C" {
    fn user_copy(to: *mut u8, from: *const u8, len: usize) -> usize;
    fn user_load32(from: usize) -> Loaded;
    fn user_load64(from: usize) -> Loaded;
    fn user_store32(to: usize, value: u32) -> usize;
    fn user_store64(to: usize, value: u64) -> usize;
    static user_access_on_sites: i32;
    static user_access_on_sites_end: i32;
    static user_access_off_sites: i32;
    static user_access_off_sites_end: i32;
}

const STAC: [u8; 3] = [0x0f, 0x01, 0xcb];
const CLAC: [u8; 3] = [0x0f, 0x01, 0xca];

/// Fits the routines to the CPU; before the first copy, with SMAP still of no effect on kernel code.
pub(crate) fn init(kernel: KernelRange) {
    let has = features();
    let long_copy = match (has.tcg, has.avx, has.fast_string) {
        (true, true, _) => LONG_COPY_WIDE,
        (false, _, true) => LONG_COPY_STRING,
        _ => LONG_COPY_WORDS,
    };
    LONG_COPY.store(long_copy, Ordering::Relaxed);
    if has.smap {
        patch(
            kernel,
            &raw const user_access_on_sites,
            &raw const user_access_on_sites_end,
            STAC,
        );
        patch(
            kernel,
            &raw const user_access_off_sites,
            &raw const user_access_off_sites_end,
            CLAC,
        );
    }
}

/// Writes an instruction over the NOPs that the table's self-relative words point at.
fn patch(kernel: KernelRange, first: *const i32, end: *const i32, instruction: [u8; 3]) {
    let len = (end as usize - first as usize) / size_of::<i32>();
    // SAFETY: the assembler put whole words between the two symbols, in read-only memory.
    for word in unsafe { core::slice::from_raw_parts(first, len) } {
        let site = (&raw const *word as u64).wrapping_add_signed(i64::from(*word));
        // The kernel's text is not writable where it runs, but its frames are in the direct map.
        let at = PhysAddr(site - kernel.virt + kernel.phys);
        // SAFETY: the site is three bytes of NOP of our own, and nothing executes them now.
        unsafe { pointer::<[u8; 3]>(at).write(instruction) };
    }
}

#[inline(always)]
fn outcome(fault: usize) -> Result<(), VirtAddr> {
    if fault == 0 {
        Ok(())
    } else {
        Err(fault)
    }
}

hal_impl! {
    kernel_hal::user => fn hal_user_read(from: VirtAddr, into: &mut [u8]) -> Result<(), VirtAddr> {
        if !is_user_range(from, into.len()) {
            return Err(from);
        }
        // SAFETY: the source is in user space, where accesses may fault; the destination is an exclusive slice.
        outcome(unsafe { user_copy(into.as_mut_ptr(), from as *const u8, into.len()) })
    }
    kernel_hal::user => fn hal_user_write(to: VirtAddr, from: &[u8]) -> Result<(), VirtAddr> {
        if !is_user_range(to, from.len()) {
            return Err(to);
        }
        // SAFETY: the destination is in user space, which holds nothing of the kernel's.
        outcome(unsafe { user_copy(to as *mut u8, from.as_ptr(), from.len()) })
    }
    kernel_hal::user => fn hal_user_read_u32(from: VirtAddr) -> Result<u32, VirtAddr> {
        if !is_user_range(from, 4) {
            return Err(from);
        }
        // SAFETY: the source is in user space.
        let loaded = unsafe { user_load32(from) };
        outcome(loaded.fault).map(|()| u32::try_from(loaded.value & 0xffff_ffff).unwrap_or(0))
    }
    kernel_hal::user => fn hal_user_write_u32(to: VirtAddr, value: u32) -> Result<(), VirtAddr> {
        if !is_user_range(to, 4) {
            return Err(to);
        }
        // SAFETY: the destination is in user space.
        outcome(unsafe { user_store32(to, value) })
    }
    kernel_hal::user => fn hal_user_read_u64(from: VirtAddr) -> Result<u64, VirtAddr> {
        if !is_user_range(from, 8) {
            return Err(from);
        }
        // SAFETY: the source is in user space.
        let loaded = unsafe { user_load64(from) };
        outcome(loaded.fault).map(|()| loaded.value)
    }
    kernel_hal::user => fn hal_user_write_u64(to: VirtAddr, value: u64) -> Result<(), VirtAddr> {
        if !is_user_range(to, 8) {
            return Err(to);
        }
        // SAFETY: the destination is in user space.
        outcome(unsafe { user_store64(to, value) })
    }
    kernel_hal::user => fn hal_user_read_to_frame(from: VirtAddr, frame: &Frame, offset: usize, len: usize) -> Result<(), VirtAddr> {
        assert!(offset <= PAGE_SIZE && len <= PAGE_SIZE - offset);
        if !is_user_range(from, len) {
            return Err(from);
        }
        let to = pointer(frame.addr().add(offset as u64));
        // SAFETY: the source is in user space; the destination is inside a frame that `frame` owns.
        outcome(unsafe { user_copy(to, from as *const u8, len) })
    }
    kernel_hal::user => fn hal_user_write_from_frame(to: VirtAddr, frame: &Frame, offset: usize, len: usize) -> Result<(), VirtAddr> {
        assert!(offset <= PAGE_SIZE && len <= PAGE_SIZE - offset);
        if !is_user_range(to, len) {
            return Err(to);
        }
        let from = pointer::<u8>(frame.addr().add(offset as u64));
        // SAFETY: the destination is in user space; the source is inside a frame that `frame` owns.
        outcome(unsafe { user_copy(to as *mut u8, from, len) })
    }
}
