//! From the firmware's memory map to the kernel's.
use boot_info::{MemoryRegion, RegionKind, PAGE_SIZE};

/// The UEFI memory type rboot allocates what the kernel keeps with (first number of the range for OS loaders).
pub const LOADED_TYPE: u32 = 0x8000_0000;

const GIB: u64 = 1 << 30;

/// What a UEFI memory type means to the kernel.
#[must_use]
pub const fn kind_of(uefi_type: u32) -> RegionKind {
    match uefi_type {
        1..=4 => RegionKind::BootloaderReclaimable,
        7 => RegionKind::Usable,
        9 => RegionKind::AcpiReclaimable,
        10 => RegionKind::AcpiNvs,
        11 | 12 => RegionKind::Mmio,
        LOADED_TYPE => RegionKind::Loaded,
        _ => RegionKind::Reserved,
    }
}

/// One entry of the firmware's map as a region. The page at address 0 is left out of free memory, so that no kernel has to
/// tell it from a null pointer. Nothing when the entry is empty.
#[must_use]
pub fn region_of(uefi_type: u32, start: u64, pages: u64) -> Option<MemoryRegion> {
    let kind = kind_of(uefi_type);
    let mut region = MemoryRegion::new(start, pages, kind);
    if start == 0 && kind.is_free() {
        region.start += PAGE_SIZE;
        region.pages = region.pages.saturating_sub(1);
    }
    (region.pages > 0).then_some(region)
}

/// Sorts regions by address and merges neighbours of one kind, in place. Returns how many are left, at the front.
pub fn sort_and_merge(regions: &mut [MemoryRegion]) -> usize {
    regions.sort_unstable_by_key(|region| region.start);
    let mut kept = 0;
    for index in 0..regions.len() {
        let region = regions[index];
        if kept > 0
            && regions[kept - 1].kind == region.kind
            && regions[kept - 1].end() == region.start
        {
            regions[kept - 1].pages += region.pages;
        } else {
            regions[kept] = region;
            kept += 1;
        }
    }
    kept
}

/// How much of a physical range is RAM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// Not a page of it.
    None,
    /// Some of it.
    Part,
    /// All of it.
    All,
}

/// How much of `[start, end)` is RAM.
#[must_use]
pub fn ram_coverage(regions: &[MemoryRegion], start: u64, end: u64) -> Coverage {
    let ram: u64 = regions
        .iter()
        .filter(|region| is_ram(region.kind()))
        .map(|region| {
            region
                .end()
                .min(end)
                .saturating_sub(region.start.max(start))
        })
        .sum();
    if ram == 0 {
        Coverage::None
    } else if ram == end - start {
        Coverage::All
    } else {
        Coverage::Part
    }
}

/// Length of the direct map: the first 4 GiB and all RAM, in whole GiB.
#[must_use]
pub fn direct_map_len(regions: &[MemoryRegion]) -> u64 {
    let ram = regions.iter().filter(|region| is_ram(region.kind()));
    ram.map(MemoryRegion::end)
        .fold(4 * GIB, u64::max)
        .next_multiple_of(GIB)
}

const fn is_ram(kind: RegionKind) -> bool {
    match kind {
        RegionKind::Usable
        | RegionKind::BootloaderReclaimable
        | RegionKind::Loaded
        | RegionKind::AcpiReclaimable
        | RegionKind::AcpiNvs => true,
        RegionKind::Reserved | RegionKind::Mmio => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONVENTIONAL: u32 = 7;
    const BOOT_SERVICES_DATA: u32 = 4;
    const RUNTIME_SERVICES_CODE: u32 = 5;

    #[test]
    fn neighbours_of_one_kind_become_one_region() {
        let mut regions = [
            MemoryRegion::new(0x5000, 1, RegionKind::Usable),
            MemoryRegion::new(0x1000, 2, RegionKind::Usable),
            MemoryRegion::new(0x4000, 1, RegionKind::Loaded),
            MemoryRegion::new(0x3000, 1, RegionKind::Usable),
        ];
        let kept = sort_and_merge(&mut regions);
        let wanted = [
            MemoryRegion::new(0x1000, 3, RegionKind::Usable),
            MemoryRegion::new(0x4000, 1, RegionKind::Loaded),
            MemoryRegion::new(0x5000, 1, RegionKind::Usable),
        ];
        assert_eq!(regions[..kept], wanted);
    }

    #[test]
    fn regions_with_a_gap_stay_apart() {
        let mut regions = [
            MemoryRegion::new(0x1000, 1, RegionKind::Usable),
            MemoryRegion::new(0x3000, 1, RegionKind::Usable),
        ];
        assert_eq!(sort_and_merge(&mut regions), 2);
        assert_eq!(sort_and_merge(&mut []), 0);
    }

    #[test]
    fn firmware_kinds_become_ours() {
        assert_eq!(kind_of(CONVENTIONAL), RegionKind::Usable);
        assert_eq!(
            kind_of(BOOT_SERVICES_DATA),
            RegionKind::BootloaderReclaimable
        );
        assert_eq!(kind_of(RUNTIME_SERVICES_CODE), RegionKind::Reserved);
        assert_eq!(kind_of(LOADED_TYPE), RegionKind::Loaded);
        assert_eq!(kind_of(0x7000_0000), RegionKind::Reserved);
    }

    #[test]
    fn page_zero_is_never_free() {
        assert_eq!(
            region_of(CONVENTIONAL, 0, 4),
            Some(MemoryRegion::new(0x1000, 3, RegionKind::Usable))
        );
        assert_eq!(region_of(CONVENTIONAL, 0, 1), None);
        assert_eq!(
            region_of(RUNTIME_SERVICES_CODE, 0, 1),
            Some(MemoryRegion::new(0, 1, RegionKind::Reserved))
        );
    }

    #[test]
    fn direct_map_covers_four_gib_and_ram_above_but_not_far_devices() {
        let small = [
            MemoryRegion::new(0, 16, RegionKind::Usable),
            MemoryRegion::new(1 << 45, 1, RegionKind::Mmio),
        ];
        assert_eq!(direct_map_len(&small), 4 * GIB);
        let large = [MemoryRegion::new(4 * GIB, 1, RegionKind::Usable)];
        assert_eq!(direct_map_len(&large), 5 * GIB);
    }
}
