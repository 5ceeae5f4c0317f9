//! The hand-over structure and its checks.
//!
//! The unsafe functions here turn physical ranges into references through the direct map. Their whole argument is: rboot
//! wrote the structure, its regions are `Loaded` (nobody reuses them), and the kernel keeps the direct map.
use core::{fmt, slice};

use crate::image::{Framebuffer, Images, PhysRange};
use crate::layout::{phys_to_virt, to_usize};
use crate::memory::MemoryRegion;

/// Everything the kernel learns from its loader.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct BootInfo {
    /// [`BootInfo::MAGIC`].
    pub magic: u64,
    /// [`BootInfo::VERSION`] of the loader's build.
    pub version: u32,
    /// Size of this structure in the loader's build, in bytes.
    pub size_bytes: u32,
    /// The memory map: an array of [`MemoryRegion`] (physical address, length in bytes).
    pub memory_map: PhysRange,
    /// Virtual start of the direct map; always [`crate::PHYS_OFFSET`].
    pub direct_map_base: u64,
    /// Length of the direct map in bytes: all RAM and at least the first 4 GiB.
    pub direct_map_len: u64,
    /// Where the kernel runs.
    pub kernel: KernelRange,
    /// The loaded files.
    pub images: Images,
    /// The command line: UTF-8, no terminating NUL.
    pub cmdline: PhysRange,
    /// Physical address of the ACPI RSDP (revision 2 if there is one); 0 when the firmware has no ACPI.
    pub acpi_rsdp: u64,
    /// Physical address of the SMBIOS entry point (3.x if there is one); 0 when absent.
    pub smbios: u64,
    /// The framebuffer; zero when there is none.
    pub framebuffer: Framebuffer,
    /// Time-stamp counter at rboot's first instruction; the firmware's share of the boot ends here.
    pub tsc_at_entry: u64,
    /// Time-stamp counter just before the jump to the kernel.
    pub tsc_at_exit: u64,
    /// Wall-clock time in seconds since 1970 (UTC) at about [`Self::tsc_at_entry`]; 0 when the firmware has no clock.
    pub unix_seconds: u64,
}

/// The kernel's load range.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KernelRange {
    /// Virtual address of the first loaded page.
    pub virt: u64,
    /// Physical address of that page; the range is contiguous, also physically.
    pub phys: u64,
    /// Length in bytes, whole pages. Gaps between segments are not mapped.
    pub len: u64,
    /// Virtual address of the entry point.
    pub entry: u64,
}

impl BootInfo {
    /// First word of a valid structure ("ZCOREBI" and a NUL, read as little endian).
    pub const MAGIC: u64 = u64::from_le_bytes(*b"ZCOREBI\0");
    /// Version of the layout; raised by every change of a field.
    pub const VERSION: u32 = 1;
    /// Size of the structure in this build.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the structure is a few hundred bytes"
    )]
    pub const SIZE_BYTES: u32 = size_of::<Self>() as u32;

    /// Whether this was written by a loader of the same layout.
    ///
    /// # Errors
    /// - `BadMagic`: not a `BootInfo` at all.
    /// - `BadVersion`, `BadSize`: written by another build of rboot.
    pub const fn check(&self) -> Result<(), BootInfoError> {
        if self.magic != Self::MAGIC {
            return Err(BootInfoError::BadMagic(self.magic));
        }
        if self.version != Self::VERSION {
            return Err(BootInfoError::BadVersion(self.version));
        }
        if self.size_bytes != Self::SIZE_BYTES {
            return Err(BootInfoError::BadSize(self.size_bytes));
        }
        Ok(())
    }

    /// The memory map, sorted by address.
    ///
    /// # Safety
    /// 1. The structure passed [`Self::check`] and came from rboot.
    /// 2. The direct map is in place and stays so.
    #[must_use]
    pub unsafe fn memory_map(&self) -> &'static [MemoryRegion] {
        let address = to_usize(phys_to_virt(self.memory_map.phys)) as *const MemoryRegion;
        let count = to_usize(self.memory_map.len) / size_of::<MemoryRegion>();
        // SAFETY: rboot wrote `count` regions there, page aligned, in a `Loaded` region (caller duty 1); they are mapped
        // for good (caller duty 2).
        unsafe { slice::from_raw_parts(address, count) }
    }

    /// The bytes of a loaded image or of the command line.
    ///
    /// # Safety
    /// 1. `range` is one of this structure's (`images`, `cmdline`), and the structure came from rboot.
    /// 2. The direct map is in place and stays so.
    /// 3. Nobody writes to the range or gives its pages away while the slice lives.
    #[must_use]
    pub unsafe fn bytes(&self, range: PhysRange) -> &'static [u8] {
        if range.is_empty() {
            return &[];
        }
        let address = to_usize(phys_to_virt(range.phys)) as *const u8;
        // SAFETY: rboot allocated and filled the range (duty 1), it is mapped (duty 2) and unchanging (duty 3).
        unsafe { slice::from_raw_parts(address, to_usize(range.len)) }
    }
}

/// Why a [`BootInfo`] is not to be believed; the number is what was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BootInfoError {
    /// The first word is not [`BootInfo::MAGIC`].
    BadMagic(u64),
    /// The loader has another [`BootInfo::VERSION`].
    BadVersion(u32),
    /// The version agrees but the size does not.
    BadSize(u32),
}

impl fmt::Display for BootInfoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadMagic(found) => write!(f, "boot information: bad magic {found:#x}"),
            Self::BadVersion(found) => {
                write!(
                    f,
                    "boot information: version {found}, this kernel wants {}",
                    BootInfo::VERSION
                )
            }
            Self::BadSize(found) => {
                write!(
                    f,
                    "boot information: {found} bytes, this kernel wants {}",
                    BootInfo::SIZE_BYTES
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn valid() -> BootInfo {
        BootInfo {
            magic: BootInfo::MAGIC,
            version: BootInfo::VERSION,
            size_bytes: BootInfo::SIZE_BYTES,
            memory_map: PhysRange::default(),
            direct_map_base: crate::PHYS_OFFSET,
            direct_map_len: 4 << 30,
            kernel: KernelRange::default(),
            images: Images::default(),
            cmdline: PhysRange::default(),
            acpi_rsdp: 0,
            smbios: 0,
            framebuffer: Framebuffer::default(),
            tsc_at_entry: 0,
            tsc_at_exit: 0,
            unix_seconds: 0,
        }
    }

    #[test]
    fn a_fresh_structure_passes_its_check() {
        assert_eq!(valid().check(), Ok(()));
    }

    #[test]
    fn magic_is_checked_before_version_and_version_before_size() {
        let mut info = BootInfo {
            magic: 1,
            version: 9,
            size_bytes: 3,
            ..valid()
        };
        assert_eq!(info.check(), Err(BootInfoError::BadMagic(1)));
        info.magic = BootInfo::MAGIC;
        assert_eq!(info.check(), Err(BootInfoError::BadVersion(9)));
        info.version = BootInfo::VERSION;
        assert_eq!(info.check(), Err(BootInfoError::BadSize(3)));
    }

    #[test]
    fn layout_has_no_hidden_padding() {
        assert_eq!(
            BootInfo::SIZE_BYTES,
            16 + 16 + 16 + 32 + 5 * 16 + 16 + 16 + 32 + 24
        );
    }
}
