//! The constants the kernel writes into the vDSO image at boot.

use crate::wire::records;

/// Bytes of the version text or build id.
pub const VDSO_VERSION_LEN: usize = 64;

records! {
    /// The home ABI's form.
    VdsoConstants: 120 {
        /// CPUs the system may have.
        max_num_cpus: u32,
        /// CPU features.
        features_cpu: u32,
        /// Hardware breakpoints.
        hw_breakpoint_count: u32,
        /// Hardware watchpoints.
        hw_watchpoint_count: u32,
        /// Bytes of a data cache line.
        dcache_line_size: u32,
        /// Bytes of an instruction cache line.
        icache_line_size: u32,
        /// Ticks in a second.
        ticks_per_second: i64,
        /// Monotonic time is `ticks * numerator / denominator`.
        ticks_to_mono_numerator: u32,
        /// See the numerator.
        ticks_to_mono_denominator: u32,
        /// Bytes of physical memory.
        physmem: u64,
        /// Bytes of version text, without the NUL.
        version_string_len: u64,
        /// Version text with a NUL.
        version_string: [u8; VDSO_VERSION_LEN],
    }
    /// The form of 2019-12: a build id in place of the version text.
    VdsoConstants2019: 112 {
        /// CPUs the system may have.
        max_num_cpus: u32,
        /// CPU features.
        features_cpu: u32,
        /// Hardware breakpoints.
        hw_breakpoint_count: u32,
        /// Hardware watchpoints.
        hw_watchpoint_count: u32,
        /// Bytes of a data cache line.
        dcache_line_size: u32,
        /// Bytes of an instruction cache line.
        icache_line_size: u32,
        /// Ticks in a second.
        ticks_per_second: i64,
        /// Monotonic time is `ticks * numerator / denominator`.
        ticks_to_mono_numerator: u32,
        /// See the numerator.
        ticks_to_mono_denominator: u32,
        /// Bytes of physical memory.
        physmem: u64,
        /// Build id without a NUL.
        buildid: [u8; VDSO_VERSION_LEN],
    }
    /// The form of 2018-12.
    VdsoConstants2018: 96 {
        /// CPUs the system may have.
        max_num_cpus: u32,
        /// CPU features.
        features_cpu: u32,
        /// Bytes of a data cache line.
        dcache_line_size: u32,
        /// Bytes of an instruction cache line.
        icache_line_size: u32,
        /// Ticks in a second.
        ticks_per_second: u64,
        /// Bytes of physical memory.
        physmem: u64,
        /// Build id without a NUL.
        buildid: [u8; VDSO_VERSION_LEN],
    }
}

impl VdsoConstants {
    /// Copies the text into the record, cut to 63 bytes.
    pub fn set_version(&mut self, text: &str) {
        let len = text.len().min(VDSO_VERSION_LEN - 1);
        self.version_string = [0; VDSO_VERSION_LEN];
        for (to, from) in self
            .version_string
            .iter_mut()
            .zip(text.as_bytes().iter().take(len))
        {
            *to = *from;
        }
        self.version_string_len = len as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_version_text_is_cut_and_keeps_its_nul() {
        let mut constants = VdsoConstants::default();
        constants.set_version(core::str::from_utf8(&[b'v'; 100]).unwrap());
        assert_eq!(constants.version_string_len, 63);
        assert_eq!(constants.version_string[63], 0);
        constants.set_version("git-1");
        assert_eq!(constants.version_string[5..], [0; 59]);
    }
}
