//! Scheduling profiles.

use crate::wire::{options, records};

/// Lowest priority.
pub const PRIORITY_LOWEST: i32 = 0;
/// Low priority.
pub const PRIORITY_LOW: i32 = 8;
/// Priority of threads without a profile.
pub const PRIORITY_DEFAULT: i32 = 16;
/// High priority.
pub const PRIORITY_HIGH: i32 = 24;
/// Highest priority.
pub const PRIORITY_HIGHEST: i32 = 31;

options! {
    /// Which parts of a [`ProfileInfo`] count.
    ProfileFlags: u32 {
        /// `priority`.
        PRIORITY = 1,
        /// `cpu_affinity_mask`.
        CPU_MASK = 2,
        /// The deadline parameters in place of the priority.
        DEADLINE = 4,
    }
}

records! {
    /// `zx_profile_info_t` of the home ABI.
    ProfileInfo: 96 {
        /// [`ProfileFlags`].
        flags: u32,
        /// Zero.
        padding1: [u8; 4],
        /// With PRIORITY: the priority in the low 32 bits of the first word. With DEADLINE: capacity, relative
        /// deadline and period in ns.
        params: [i64; 3],
        /// CPUs, 512 bits.
        cpu_affinity_mask: [u64; 8],
    }
    /// `zx_profile_info_t` of 2018 and 2019.
    ProfileInfo2019: 20 {
        /// 1, the scheduler.
        kind: u32,
        /// 0 to 31.
        priority: i32,
        /// Zero.
        boost: u32,
        /// Zero.
        deboost: u32,
        /// Zero.
        quantum: u32,
    }
}

impl ProfileInfo {
    /// The priority, when the flags say that there is one.
    #[must_use]
    pub fn priority(&self) -> Option<i32> {
        let [b0, b1, b2, b3, ..] = self.params[0].to_le_bytes();
        (self.flags & ProfileFlags::PRIORITY.bits() != 0)
            .then_some(i32::from_le_bytes([b0, b1, b2, b3]))
    }
}
