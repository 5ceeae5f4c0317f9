//! The virtual addresses rboot and the kernel agree on.

/// Start of the direct map: physical address `p` is readable and writable (never executable) at `PHYS_OFFSET + p`. The
/// map covers the first 4 GiB, where the devices are, and all RAM above; its length is in
/// [`crate::BootInfo::direct_map_len`].
pub const PHYS_OFFSET: u64 = 0xffff_8000_0000_0000;

/// Start of the top 2 GiB, in which the whole kernel image must lie (code model `kernel`).
pub const KERNEL_BASE: u64 = 0xffff_ffff_8000_0000;

/// End (exclusive) of the kernel's boot stack. The stack grows down from here; the page below its
/// [`BOOT_STACK_BYTES`] is not mapped. A kernel image may not reach up to it.
pub const BOOT_STACK_TOP: u64 = 0xffff_ffff_ff00_0000;

/// Size of the boot stack.
pub const BOOT_STACK_BYTES: u64 = 64 * 1024;

/// The direct-map address of a physical address.
///
/// The sum wraps for addresses that no x86-64 CPU has (2^47 and above), so the caller keeps `phys` below the direct
/// map's length.
#[must_use]
pub const fn phys_to_virt(phys: u64) -> u64 {
    PHYS_OFFSET.wrapping_add(phys)
}

/// An address or length as a `usize`. Loader and kernel are 64-bit programs, where nothing is lost.
#[must_use]
#[expect(
    clippy::cast_possible_truncation,
    reason = "the assertion rules out smaller pointers"
)]
pub const fn to_usize(value: u64) -> usize {
    const { assert!(size_of::<usize>() == size_of::<u64>()) };
    value as usize
}
