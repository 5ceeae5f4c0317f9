//! The page tables the kernel starts with.
//!
//! Three things are mapped: all RAM and the first 4 GiB at `PHYS_OFFSET` (writable, never executable), the kernel and its
//! boot stack in the top 2 GiB (4 KiB pages, each segment with its own permissions), and the code that makes the jump,
//! where it lies (the only mapping in the lower half).
//!
//! The builder reaches tables only through [`TableMemory`], so it needs no unsafe code and is tested on the host.
use boot_info::layout::{to_usize, PHYS_OFFSET};
use boot_info::{MemoryRegion, PAGE_SIZE};

use crate::memory_map::{ram_coverage, Coverage};

/// The 512 entries of one table.
pub type Table = [u64; 512];

const GIB: u64 = 1 << 30;
const MIB_2: u64 = 1 << 21;

const PRESENT: u64 = 1;
const WRITABLE: u64 = 1 << 1;
const LARGE: u64 = 1 << 7;
const GLOBAL: u64 = 1 << 8;
const NO_EXECUTE: u64 = 1 << 63;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

/// Where tables live.
pub trait TableMemory {
    /// Why there is no further table.
    type Error;

    /// A new table, all zero; returns its physical address.
    ///
    /// # Errors
    /// No memory.
    fn allocate(&mut self) -> Result<u64, Self::Error>;

    /// The table at a physical address that [`Self::allocate`] returned.
    fn table(&mut self, phys: u64) -> &mut Table;
}

/// Permissions of a page. Writable and executable at once cannot be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Read.
    ReadOnly,
    /// Read and execute.
    ReadExecute,
    /// Read and write.
    ReadWrite,
}

impl Access {
    const fn bits(self) -> u64 {
        match self {
            Self::ReadOnly => NO_EXECUTE,
            Self::ReadExecute => 0,
            Self::ReadWrite => NO_EXECUTE | WRITABLE,
        }
    }
}

/// Whether a mapping survives a change of address space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Part of every address space: the kernel's half.
    Global,
    /// Only of this one.
    Local,
}

impl Scope {
    const fn bits(self) -> u64 {
        match self {
            Self::Global => GLOBAL,
            Self::Local => 0,
        }
    }
}

/// Largest page the CPU has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LargestPage {
    /// 2 MiB.
    Mib2,
    /// 1 GiB.
    Gib1,
}

/// A tree of four levels under construction.
#[derive(Debug)]
pub struct PageTables<M> {
    root: u64,
    memory: M,
}

impl<M: TableMemory> PageTables<M> {
    /// An empty tree.
    ///
    /// # Errors
    /// No memory for the top table.
    pub fn new(mut memory: M) -> Result<Self, M::Error> {
        let root = memory.allocate()?;
        Ok(Self { root, memory })
    }

    /// Physical address of the top table, the value for CR3.
    #[must_use]
    pub fn root(&self) -> u64 {
        self.root
    }

    /// Maps `[virt, virt + bytes)` to the physical range at `phys` with 4 KiB pages. All three are whole pages.
    ///
    /// # Errors
    /// No memory for a table.
    pub fn map(
        &mut self,
        virt: u64,
        phys: u64,
        bytes: u64,
        access: Access,
        scope: Scope,
    ) -> Result<(), M::Error> {
        let mut offset = 0;
        while offset < bytes {
            let entry = (phys + offset) | access.bits() | scope.bits() | PRESENT;
            self.set(virt + offset, 1, entry)?;
            offset += PAGE_SIZE;
        }
        Ok(())
    }

    /// Builds the direct map of `[0, len)`; `len` is whole GiB. A GiB is one page when the CPU can and when it is RAM from
    /// end to end or has none at all: a large page over RAM and devices would mix their memory types.
    ///
    /// # Errors
    /// No memory for a table.
    pub fn map_direct(
        &mut self,
        len: u64,
        regions: &[MemoryRegion],
        largest: LargestPage,
    ) -> Result<(), M::Error> {
        let flags = Access::ReadWrite.bits() | Scope::Global.bits() | LARGE | PRESENT;
        let mut phys = 0;
        while phys < len {
            let uniform = ram_coverage(regions, phys, phys + GIB) != Coverage::Part;
            if uniform && largest == LargestPage::Gib1 {
                self.set(PHYS_OFFSET + phys, 3, phys | flags)?;
            } else {
                for block in (phys..phys + GIB).step_by(to_usize(MIB_2)) {
                    self.set(PHYS_OFFSET + block, 2, block | flags)?;
                }
            }
            phys += GIB;
        }
        Ok(())
    }

    /// Writes the entry for `virt` in its table of `level` (1: 4 KiB pages, 2: 2 MiB, 3: 1 GiB), building the way there.
    ///
    /// # Errors
    /// No memory for a table.
    fn set(&mut self, virt: u64, level: u32, entry: u64) -> Result<(), M::Error> {
        let mut table = self.root;
        for above in (level + 1..=4).rev() {
            let next = self.memory.table(table)[index(virt, above)];
            table = if next & PRESENT != 0 {
                next & ADDRESS
            } else {
                let new = self.memory.allocate()?;
                self.memory.table(table)[index(virt, above)] = new | WRITABLE | PRESENT;
                new
            };
        }
        self.memory.table(table)[index(virt, level)] = entry;
        Ok(())
    }
}

fn index(virt: u64, level: u32) -> usize {
    to_usize((virt >> (12 + 9 * (level - 1))) & 511)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::boxed::Box;
    use alloc::vec::Vec;
    use boot_info::RegionKind;

    #[derive(Default)]
    struct Tables(Vec<Box<Table>>);

    impl TableMemory for Tables {
        type Error = ();

        fn allocate(&mut self) -> Result<u64, ()> {
            self.0.push(Box::new([0; 512]));
            Ok(self.0.len() as u64 * PAGE_SIZE)
        }

        fn table(&mut self, phys: u64) -> &mut Table {
            &mut self.0[to_usize(phys / PAGE_SIZE - 1)]
        }
    }

    /// What the CPU would find: the last entry and the size of its page.
    fn walk(tables: &mut PageTables<Tables>, virt: u64) -> Option<(u64, u64)> {
        let mut table = tables.root();
        for level in (1..=4).rev() {
            let entry = tables.memory.table(table)[index(virt, level)];
            if entry & PRESENT == 0 {
                return None;
            }
            if level == 1 || entry & LARGE != 0 {
                return Some((entry, 1 << (12 + 9 * (level - 1))));
            }
            table = entry & ADDRESS;
        }
        None
    }

    fn ram(start: u64, end: u64) -> MemoryRegion {
        MemoryRegion::new(start, (end - start) / PAGE_SIZE, RegionKind::Usable)
    }

    #[test]
    fn small_pages_carry_their_permissions() {
        let mut tables = PageTables::new(Tables::default()).unwrap();
        let virt = 0xffff_ffff_8020_0000;
        tables
            .map(virt, 0x10_0000, 0x2000, Access::ReadExecute, Scope::Global)
            .unwrap();
        tables
            .map(
                virt + 0x2000,
                0x10_2000,
                0x1000,
                Access::ReadWrite,
                Scope::Global,
            )
            .unwrap();
        assert_eq!(walk(&mut tables, virt + 0x1000), Some((0x10_1101, 0x1000)));
        assert_eq!(
            walk(&mut tables, virt + 0x2000),
            Some((0x8000_0000_0010_2103, 0x1000))
        );
        assert_eq!(walk(&mut tables, virt + 0x3000), None);
        assert_eq!(walk(&mut tables, virt - 0x1000), None);
    }

    #[test]
    fn direct_map_uses_the_largest_page_that_does_not_mix_ram_and_devices() {
        let regions = [
            ram(0, 0x8_0000),
            ram(0x10_0000, 2 * GIB),
            ram(4 * GIB, 5 * GIB),
        ];
        let mut tables = PageTables::new(Tables::default()).unwrap();
        tables
            .map_direct(5 * GIB, &regions, LargestPage::Gib1)
            .unwrap();
        let sizes: Vec<u64> = (0..5)
            .map(|gib| walk(&mut tables, PHYS_OFFSET + gib * GIB).unwrap().1)
            .collect();
        assert_eq!(sizes, [MIB_2, GIB, GIB, GIB, GIB]);
        assert_eq!(walk(&mut tables, PHYS_OFFSET + 5 * GIB), None);
        let last = walk(&mut tables, PHYS_OFFSET + GIB - 1).unwrap();
        assert_eq!(
            last.0,
            (GIB - MIB_2) | NO_EXECUTE | GLOBAL | LARGE | WRITABLE | PRESENT
        );
    }

    #[test]
    fn direct_map_does_without_gigabyte_pages() {
        let mut tables = PageTables::new(Tables::default()).unwrap();
        tables
            .map_direct(GIB, &[ram(0, GIB)], LargestPage::Mib2)
            .unwrap();
        assert_eq!(
            walk(&mut tables, PHYS_OFFSET + 3 * MIB_2 + 5).unwrap(),
            ((3 * MIB_2) | 0x8000_0000_0000_0183, MIB_2)
        );
    }
}
