//! Physical and virtual addresses as types, and page arithmetic.

/// Bytes in a page.
pub const PAGE_SIZE: usize = 4096;
/// Binary logarithm of [`PAGE_SIZE`].
pub const PAGE_SHIFT: usize = 12;
/// First address that user space may use (`facts/boot.md`, section 11).
pub const USER_BASE: usize = 0x100_0000;
/// Length of the user address space in bytes.
pub const USER_SIZE: usize = 0x7fff_feff_f000;
/// First address past user space; a `syscall` there could not return safely with `sysret`.
pub const USER_TOP: usize = USER_BASE + USER_SIZE;

/// A physical address in bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
#[repr(transparent)]
pub struct PhysAddr(pub u64);

/// A virtual address in bytes; not necessarily canonical or mapped.
pub type VirtAddr = usize;

impl PhysAddr {
    /// The address `bytes` further on.
    #[must_use]
    pub const fn add(self, bytes: u64) -> Self {
        Self(self.0 + bytes)
    }
    /// Whether the address is on a page boundary.
    #[must_use]
    pub const fn is_page_aligned(self) -> bool {
        self.0 & (PAGE_SIZE as u64 - 1) == 0
    }
}

/// `bytes` rounded down to whole pages.
#[must_use]
pub const fn round_down(bytes: usize) -> usize {
    bytes & !(PAGE_SIZE - 1)
}

/// `bytes` rounded up to whole pages, or `None` when that overflows.
#[must_use]
pub const fn round_up(bytes: usize) -> Option<usize> {
    match bytes.checked_add(PAGE_SIZE - 1) {
        Some(sum) => Some(round_down(sum)),
        None => None,
    }
}

/// Whether `bytes` is a multiple of the page size.
#[must_use]
pub const fn is_page_aligned(bytes: usize) -> bool {
    bytes & (PAGE_SIZE - 1) == 0
}

/// Whether `[start, start + len)` does not wrap and lies inside user space. An empty range may start anywhere below the top.
#[must_use]
#[inline(always)]
pub const fn is_user_range(start: VirtAddr, len: usize) -> bool {
    // One subtraction and one comparison when the length is a constant; a start below the base wraps to a huge offset.
    len <= USER_SIZE && start.wrapping_sub(USER_BASE) <= USER_SIZE - len
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_range_refuses_wrap_kernel_and_low_addresses() {
        assert!(is_user_range(USER_BASE, 1));
        assert!(is_user_range(USER_TOP - 1, 1));
        assert!(!is_user_range(USER_TOP - 1, 2));
        assert!(!is_user_range(0, 8));
        assert!(!is_user_range(usize::MAX, 2));
        assert!(!is_user_range(0xffff_8000_0000_0000, 8));
    }

    #[test]
    fn rounding_up_the_last_page_overflows() {
        assert_eq!(round_up(1), Some(4096));
        assert_eq!(round_up(usize::MAX), None);
        assert_eq!(round_up(0), Some(0));
    }
}
