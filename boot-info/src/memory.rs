//! The memory map, in units and kinds a kernel wants instead of the firmware's.

/// Size of a page, the unit of every region.
pub const PAGE_SIZE: u64 = 4096;

/// One run of physical pages of one kind. rboot hands over an array of these, sorted by `start`, without overlaps, and
/// with neighbours of the same kind merged. Addresses in no region are not RAM: unused, or device windows.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryRegion {
    /// Physical address of the first byte, page aligned.
    pub start: u64,
    /// Length in pages of [`PAGE_SIZE`]; never 0.
    pub pages: u64,
    /// One of [`RegionKind`], as a number so that an unknown one is not undefined behaviour.
    pub kind: u32,
    /// Zero.
    pub reserved: u32,
}

impl MemoryRegion {
    /// A region of `pages` pages at physical address `start`.
    #[must_use]
    pub const fn new(start: u64, pages: u64, kind: RegionKind) -> Self {
        Self {
            start,
            pages,
            kind: kind as u32,
            reserved: 0,
        }
    }

    /// Physical address one past the last byte.
    #[must_use]
    pub const fn end(&self) -> u64 {
        self.start
            .saturating_add(self.pages.saturating_mul(PAGE_SIZE))
    }

    /// The kind; [`RegionKind::Reserved`] when the number is none that this build knows.
    #[must_use]
    pub const fn kind(&self) -> RegionKind {
        RegionKind::from_number(self.kind)
    }
}

/// What a region is good for.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegionKind {
    /// Free RAM.
    Usable = 1,
    /// RAM that the firmware's boot services or rboot itself used. Nothing in it is needed any more once the kernel no
    /// longer uses the identity map of the jump (see `docs/boot.md`).
    BootloaderReclaimable = 2,
    /// RAM that holds what rboot made for the kernel: kernel image, loaded files, page tables, boot stack, this map.
    Loaded = 3,
    /// RAM with ACPI tables; free after the kernel has read them.
    AcpiReclaimable = 4,
    /// RAM that must be kept for ACPI.
    AcpiNvs = 5,
    /// Not to be touched: firmware runtime code and data, reserved or broken RAM, unknown kinds.
    Reserved = 6,
    /// Memory-mapped devices that the firmware chose to list. Not RAM.
    Mmio = 7,
}

impl RegionKind {
    /// The kind of a number; [`RegionKind::Reserved`] for unknown ones.
    #[must_use]
    pub const fn from_number(number: u32) -> Self {
        match number {
            1 => Self::Usable,
            2 => Self::BootloaderReclaimable,
            3 => Self::Loaded,
            4 => Self::AcpiReclaimable,
            5 => Self::AcpiNvs,
            7 => Self::Mmio,
            _ => Self::Reserved,
        }
    }

    /// Whether the kernel may hand out this memory from its first allocation on.
    #[must_use]
    pub const fn is_free(self) -> bool {
        matches!(self, Self::Usable | Self::BootloaderReclaimable)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_kind_is_reserved() {
        let region = MemoryRegion {
            start: 0,
            pages: 1,
            kind: 99,
            reserved: 0,
        };
        assert_eq!(region.kind(), RegionKind::Reserved);
    }

    #[test]
    fn kinds_survive_the_way_through_a_number() {
        for number in 1..=7 {
            assert_eq!(RegionKind::from_number(number) as u32, number);
        }
    }

    #[test]
    fn end_of_a_region_counts_bytes_and_does_not_wrap() {
        assert_eq!(
            MemoryRegion::new(0x1000, 2, RegionKind::Usable).end(),
            0x3000
        );
        assert_eq!(
            MemoryRegion::new(0x1000, u64::MAX, RegionKind::Usable).end(),
            u64::MAX
        );
    }
}
