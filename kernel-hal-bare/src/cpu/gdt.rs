//! The segment table: flat code and data, in the order that `syscall` and `sysret` want.

use super::tss::{LIMIT, TSS};
use core::arch::asm;
use core::cell::UnsafeCell;

/// Kernel code; kernel data follows it (`syscall` relies on that).
pub(crate) const KERNEL_CODE: u16 = 0x08;
/// Kernel data and stack.
pub(crate) const KERNEL_DATA: u16 = 0x10;
/// User data; `sysret` takes its base + 8 for SS and + 16 for CS, hence the order.
pub(crate) const USER_DATA: u16 = 0x20 | 3;
/// User code.
pub(crate) const USER_CODE: u16 = 0x28 | 3;
/// What goes into STAR bits 48..64: the selector before [`USER_DATA`]. `sysretq` adds to it and reads no descriptor.
pub(crate) const SYSRET_BASE: u16 = 0x18 | 3;
const TASK_STATE: u16 = 0x30;

#[repr(C, align(16))]
struct Table(UnsafeCell<[u64; 8]>);
// SAFETY: written once at boot before other users exist; afterwards only the CPU touches it (busy and accessed bits).
unsafe impl Sync for Table {}

static GDT: Table = Table(UnsafeCell::new([
    0,
    0x00af_9b00_0000_ffff, // kernel code, 64 bit
    0x00cf_9300_0000_ffff, // kernel data
    // The place of user code of 32 bits, by `sysret`'s arithmetic. There is none: a `syscall` made there would enter the kernel
    // at CSTAR on some CPUs.
    0,
    0x00cf_f300_0000_ffff, // user data
    0x00af_fb00_0000_ffff, // user code, 64 bit
    0,
    0, // task state, filled in by `load`
]));

#[repr(C, packed)]
struct Pointer {
    limit: u16,
    base: u64,
}

/// Loads the table, the segment registers and the task register. Clobbers the FS and GS bases.
pub(crate) fn load() {
    let tss = TSS.address() as u64;
    let low = LIMIT | (tss & 0xff_ffff) << 16 | 0x89 << 40 | (tss >> 24 & 0xff) << 56;
    let entries = GDT.0.get();
    // SAFETY: boot runs on one CPU and nobody else refers to the table.
    unsafe { (*entries)[6] = low };
    // SAFETY: as above.
    unsafe { (*entries)[7] = tss >> 32 };
    let pointer = Pointer {
        limit: 63,
        base: entries as u64,
    };
    // SAFETY: the table is a static with flat segments, so code, stack and data stay where they are; the far return
    // reloads CS with the same meaning. FS and GS are loaded with null selectors.
    unsafe {
        asm!(
            "lgdt [{pointer}]",
            "push {code}",
            "lea {scratch}, [rip + 2f]",
            "push {scratch}",
            "retfq",
            "2:",
            "mov ss, {data:x}",
            "mov {data:e}, 0",
            "mov ds, {data:x}",
            "mov es, {data:x}",
            "mov fs, {data:x}",
            "mov gs, {data:x}",
            "ltr {task:x}",
            pointer = in(reg) &raw const pointer,
            code = in(reg) u64::from(KERNEL_CODE),
            data = inout(reg) u64::from(KERNEL_DATA) => _,
            task = in(reg) u64::from(TASK_STATE),
            scratch = out(reg) _,
        );
    }
}
