//! One table of the four levels, its entries, and how tables come and go.
//!
//! An entry that refers to a table also says how many entries of that table are present, in bits that the CPU ignores (SDM
//! volume 3, 4.5.4: bits 62 to 52). So a table that has become empty is known without a look at its entries.

use super::direct::pointer;
use super::frame_allocator::{alloc_for_kernel, free_many, free_zeroed, TABLE_FRAMES};
use super::tlb::{forget_ways, Stale};
use core::sync::atomic::Ordering;
use kernel_hal::frame::Fill;
use kernel_hal::paging::OutOfTables;
use kernel_hal::{PhysAddr, VirtAddr, PAGE_SIZE};

pub(super) const PRESENT: u64 = 1 << 0;
pub(super) const WRITE: u64 = 1 << 1;
pub(super) const USER: u64 = 1 << 2;
pub(super) const ACCESSED: u64 = 1 << 5;
pub(super) const LARGE: u64 = 1 << 7;
pub(super) const ADDRESS: u64 = 0x000f_ffff_ffff_f000;
/// One present entry in the table below.
const ONE: u64 = 1 << 52;
/// All bits of that number: up to 512.
const COUNT: u64 = 0x3ff * ONE;

pub(super) const ENTRIES: usize = 512;
pub(super) const USER_ENTRIES: usize = ENTRIES / 2;
/// What an entry that refers to a table of small pages covers.
pub(super) const LARGE_SHIFT: u32 = 21;

/// Entries of the kernel's half of a root that are never present, and hold which entries of the user half are: 62 to a
/// word, from bit 1 on. So the end of an address space costs what it used, not what it could have.
const USED_MAP: usize = 500;
const USED_BITS: usize = 62;
const USED_WORDS: usize = USER_ENTRIES.div_ceil(USED_BITS);

/// One table. The pointer is into the direct map, to a frame that holds a table.
#[derive(Clone, Copy)]
pub(super) struct Table(*mut u64);

impl Table {
    #[inline(always)]
    pub(super) fn at(frame: PhysAddr) -> Self {
        Self(pointer(frame))
    }

    #[inline(always)]
    pub(super) fn get(self, index: usize) -> u64 {
        // SAFETY: the masked index is inside the table's page.
        let entry = unsafe { self.0.add(index & (ENTRIES - 1)) };
        // SAFETY: the page is a live table; entries are only accessed by single loads and stores.
        unsafe { entry.read() }
    }

    #[inline(always)]
    pub(super) fn set(self, index: usize, value: u64) {
        // SAFETY: the masked index is inside the table's page.
        let entry = unsafe { self.0.add(index & (ENTRIES - 1)) };
        // SAFETY: the page is a live table of the address space that the caller changes; user entries map user pages or
        // lower tables, so no kernel memory becomes reachable.
        unsafe { entry.write_volatile(value) }
    }

    /// The place of the entry for an address.
    #[inline(always)]
    pub(super) fn slot(self, at: VirtAddr, shift: u32) -> Slot {
        Slot {
            table: self,
            index: index(at, shift),
        }
    }
}

#[inline(always)]
pub(super) fn index(at: VirtAddr, shift: u32) -> usize {
    at >> shift & (ENTRIES - 1)
}

#[inline(always)]
pub(super) fn frame_of(entry: u64) -> PhysAddr {
    PhysAddr(entry & ADDRESS)
}

/// The place of an entry.
#[derive(Clone, Copy)]
pub(super) struct Slot {
    table: Table,
    index: usize,
}

impl Slot {
    #[inline(always)]
    pub(super) fn get(self) -> u64 {
        self.table.get(self.index)
    }

    #[inline(always)]
    pub(super) fn set(self, value: u64) {
        self.table.set(self.index, value);
    }

    /// The table that the entry refers to; it is present and no large page.
    #[inline(always)]
    pub(super) fn below(self) -> Table {
        Table::at(frame_of(self.get()))
    }

    /// So many entries of the table below were made.
    #[inline(always)]
    pub(super) fn add(self, entries: usize) {
        self.set(self.get() + entries as u64 * ONE);
    }

    /// So many entries of the table below were cleared.
    #[inline(always)]
    pub(super) fn subtract(self, entries: usize) {
        self.set(self.get() - entries as u64 * ONE);
    }
}

/// The entries on the way to a page: in the root, in the table of level 3, in the one of level 2.
#[derive(Clone, Copy)]
pub(super) struct Path {
    pub(super) root: Slot,
    pub(super) upper: Slot,
    pub(super) directory: Slot,
}

impl Path {
    /// The way to an address, with tables made down to level 2, for [`Path::table`] to go on.
    ///
    /// # Errors
    /// - `OutOfTables`: no frame. What was made is gone again.
    #[inline(always)]
    pub(super) fn make(root: PhysAddr, at: VirtAddr) -> Result<Self, OutOfTables> {
        let table = Table::at(root);
        let top = table.slot(at, 39);
        if top.get() & PRESENT == 0 {
            top.set(reference(new_table().ok_or(OutOfTables)?));
            let word = USED_MAP + top.index / USED_BITS;
            table.set(word, table.get(word) | 2 << (top.index % USED_BITS));
        }
        let upper = top.below().slot(at, 30);
        if upper.get() & PRESENT == 0 {
            let Some(frame) = new_table() else {
                retreat(root, |freed| prune_root(top, freed));
                return Err(OutOfTables);
            };
            upper.set(reference(frame));
            top.add(1);
        }
        let directory = upper.below().slot(at, LARGE_SHIFT);
        Ok(Self {
            root: top,
            upper,
            directory,
        })
    }

    /// As [`Path::make`] and then [`Path::table`]; `root` is that of the same address space.
    ///
    /// # Errors
    /// - `OutOfTables`: no frame. What was made is gone again.
    #[inline(always)]
    pub(super) fn table_or_retreat(&self, root: PhysAddr) -> Result<Table, OutOfTables> {
        self.table()
            .inspect_err(|_| retreat(root, |freed| self.prune(freed)))
    }

    /// The table of small pages, made if absent; a large page is split into small ones.
    ///
    /// # Errors
    /// - `OutOfTables`: no frame; nothing has changed.
    #[inline(always)]
    pub(super) fn table(&self) -> Result<Table, OutOfTables> {
        let entry = self.directory.get();
        if entry & (PRESENT | LARGE) == PRESENT {
            return Ok(Table::at(frame_of(entry)));
        }
        let frame = new_table().ok_or(OutOfTables)?;
        let below = Table::at(frame);
        if entry & PRESENT == 0 {
            self.directory.set(reference(frame));
            self.upper.add(1);
            return Ok(below);
        }
        let bits = entry & !ADDRESS & !LARGE;
        for page in 0..ENTRIES {
            let at = frame_of(entry).add((page * PAGE_SIZE) as u64);
            below.set(page, at.0 | bits);
        }
        self.directory.set(reference(frame));
        self.directory.add(ENTRIES);
        Ok(below)
    }

    /// Clears the entry of level 2, which is a large page, or refers to a table whose frame is the caller's from now on.
    #[inline(always)]
    pub(super) fn cut(&self) {
        self.directory.set(0);
        self.upper.subtract(1);
    }

    /// Cuts off the tables on the way that are empty.
    #[inline(always)]
    pub(super) fn prune(&self, freed: &mut Freed) {
        if is_empty_table(self.directory) {
            freed.zeroed(frame_of(self.directory.get()));
            self.cut();
        }
        if is_empty_table(self.upper) {
            freed.zeroed(frame_of(self.upper.get()));
            self.upper.set(0);
            self.root.subtract(1);
            prune_root(self.root, freed);
        }
    }
}

/// Takes back what a change that failed has made.
#[cold]
fn retreat(root: PhysAddr, prune: impl FnOnce(&mut Freed)) {
    let mut freed = Freed::of(root);
    prune(&mut freed);
    freed.make_room();
}

/// Whether an entry refers to a table that is empty.
#[inline(always)]
fn is_empty_table(slot: Slot) -> bool {
    slot.get() & (PRESENT | LARGE | COUNT) == PRESENT
}

/// Cuts off the table below an entry of the root if it is empty.
fn prune_root(top: Slot, freed: &mut Freed) {
    if is_empty_table(top) {
        freed.zeroed(frame_of(top.get()));
        top.set(0);
        let word = USED_MAP + top.index / USED_BITS;
        let unused = !(2 << (top.index % USED_BITS));
        top.table.set(word, top.table.get(word) & unused);
    }
}

/// An entry that refers to an empty table.
fn reference(frame: PhysAddr) -> u64 {
    frame.0 | PRESENT | WRITE | USER | ACCESSED
}

/// An empty table.
pub(super) fn new_table() -> Option<PhysAddr> {
    let frame = alloc_for_kernel(Fill::Zero)?;
    TABLE_FRAMES.fetch_add(1, Ordering::Relaxed);
    Some(frame)
}

/// Tables that were cut off, on their way back to the allocator. The CPU may still walk them, until stale translations are gone.
pub(super) struct Freed {
    root: PhysAddr,
    frames: [PhysAddr; Self::ROOM],
    count: usize,
    /// The same of tables that are known to be empty.
    zeroed: [PhysAddr; Self::ROOM],
    zeroed_count: usize,
}

impl Freed {
    const ROOM: usize = 4;

    /// For tables of one address space.
    #[inline(always)]
    pub(super) fn of(root: PhysAddr) -> Self {
        Self {
            root,
            frames: [PhysAddr(0); Self::ROOM],
            count: 0,
            zeroed: [PhysAddr(0); Self::ROOM],
            zeroed_count: 0,
        }
    }

    /// Takes a table in that may have entries.
    #[inline(always)]
    pub(super) fn used(&mut self, frame: PhysAddr) {
        if self.count == Self::ROOM {
            self.make_room();
        }
        self.frames[self.count] = frame;
        self.count += 1;
    }

    /// Takes an empty table in.
    #[inline(always)]
    fn zeroed(&mut self, frame: PhysAddr) {
        if self.zeroed_count == Self::ROOM {
            self.make_room();
        }
        self.zeroed[self.zeroed_count] = frame;
        self.zeroed_count += 1;
    }

    #[cold]
    fn make_room(&mut self) {
        let mut stale = Stale::of(self.root);
        stale.all();
        stale.finish();
        self.flush();
    }

    /// Frees the tables, once the CPU has forgotten the ways to them too; stale translations are gone.
    #[inline(always)]
    pub(super) fn flush(&mut self) {
        let count = self.count + self.zeroed_count;
        if count != 0 {
            forget_ways(self.root);
            free_many(&self.frames[..self.count]);
            free_zeroed(&self.zeroed[..self.zeroed_count]);
            TABLE_FRAMES.fetch_sub(count, Ordering::Relaxed);
            (self.count, self.zeroed_count) = (0, 0);
        }
    }
}

/// Cuts off all tables of the user half.
pub(super) fn cut_all(root: PhysAddr, freed: &mut Freed) {
    let table = Table::at(root);
    for word in 0..USED_WORDS {
        let mut used = table.get(USED_MAP + word) >> 1;
        while used != 0 {
            let place = word * USED_BITS + used.trailing_zeros() as usize;
            let entry = table.get(place);
            table.set(place, 0);
            cut_tables(entry, 3, freed);
            used &= used - 1;
        }
        table.set(USED_MAP + word, 0);
    }
}

/// Takes in the table that an entry refers to, and those below; `level` is 1 for a table of small pages.
fn cut_tables(entry: u64, level: u32, freed: &mut Freed) {
    let frame = frame_of(entry);
    if level > 1 {
        let table = Table::at(frame);
        let mut left = (entry & COUNT) / ONE;
        for at in 0..ENTRIES {
            if left == 0 {
                break;
            }
            let entry = table.get(at);
            if entry & PRESENT != 0 {
                left -= 1;
                if entry & LARGE == 0 {
                    cut_tables(entry, level - 1, freed);
                }
            }
        }
    }
    freed.used(frame);
}
