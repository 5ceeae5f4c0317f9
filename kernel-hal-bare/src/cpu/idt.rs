//! The interrupt table: 256 gates to the stubs of `trap/trap.S`.

use super::gdt::KERNEL_CODE;
use super::tss::ist;
use crate::mm::direct;
use crate::mm::frame_allocator::alloc_for_kernel;
use core::arch::asm;
use core::cell::UnsafeCell;
use kernel_hal::frame::Fill;

type Gates = [[u64; 2]; 256];

#[repr(C, align(16))]
struct Table(UnsafeCell<Gates>);
// SAFETY: written once at boot; afterwards only the CPU reads it.
unsafe impl Sync for Table {}

static IDT: Table = Table(UnsafeCell::new([[0; 2]; 256]));

/// Distance between two stubs in `trap.S`.
const STUB_BYTES: u64 = 16;

unsafe extern "C" {
    /// The first of 256 stubs.
    static trap_stubs: u8;
}

#[repr(C, packed)]
struct Pointer {
    limit: u16,
    base: u64,
}

/// Fills and loads the table.
pub(crate) fn load() {
    let stubs = &raw const trap_stubs as u64;
    let table = IDT.0.get();
    for vector in 0..256_usize {
        let (stack, privilege) = match vector {
            1 => (ist::DEBUG, 0),
            2 => (ist::NMI, 0),
            // `int3` and `into` are for user code; every other `int n` faults there.
            3 | 4 => (0, 3),
            8 => (ist::DOUBLE_FAULT, 0),
            18 => (ist::MACHINE_CHECK, 0),
            _ => (0, 0),
        };
        let entry = stubs + vector as u64 * STUB_BYTES;
        // An interrupt gate: interrupts are off in the handler.
        let kind = 0x8e_u64 | privilege << 5;
        let low = entry & 0xffff
            | u64::from(KERNEL_CODE) << 16
            | u64::from(stack) << 32
            | kind << 40
            | (entry >> 16 & 0xffff) << 48;
        let gate = [low, entry >> 32];
        // SAFETY: boot runs on one CPU; the index is below 256.
        unsafe { (*table)[vector] = gate };
    }
    point_at(table);
}

/// Goes on with a copy outside of the kernel image, once there are frames: user code can ask a CPU without UMIP where the table
/// is. Without a frame it stays where it is.
pub(crate) fn move_out() {
    let Some(frame) = alloc_for_kernel(Fill::Garbage) else {
        return;
    };
    let copy = direct::pointer::<Gates>(frame);
    // SAFETY: the frame is this function's and holds exactly one table; the first one is written no more.
    unsafe { copy.copy_from_nonoverlapping(IDT.0.get(), 1) };
    point_at(copy);
}

/// Makes the CPU use a table. It lies in kernel memory for good, and its gates lead to stubs that keep to the trap protocol.
fn point_at(table: *const Gates) {
    let pointer = Pointer {
        limit: 4095,
        base: table as u64,
    };
    // SAFETY: the two callers pass a filled table of that kind.
    unsafe {
        asm!("lidt [{}]", in(reg) &raw const pointer, options(readonly, nostack, preserves_flags))
    }
}
