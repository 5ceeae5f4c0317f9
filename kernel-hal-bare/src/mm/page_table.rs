//! Four-level page tables: one root per address space, all sharing the kernel's half.
//!
//! Tables are frames in the direct map. A table below the root is freed with the root only, so a walk may keep a pointer
//! to a leaf table while it runs through adjoining pages. The kernel's half of a root is copied from the first root and
//! never changes, so no root needs to be told of anything.

use super::direct::pointer;
use super::frame_allocator::{alloc_for_kernel, free_many, TABLE_FRAMES};
use super::tlb::Stale;
use crate::cpu::percpu::current;
use crate::cpu::registers::{read_cr3, write_cr3};
use boot_info::KERNEL_BASE;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use kernel_hal::addr::{PAGE_SHIFT, USER_TOP};
use kernel_hal::frame::Fill;
use kernel_hal::paging::{CachePolicy, MmuFlags, OutOfTables};
use kernel_hal::{hal_impl, PhysAddr, VirtAddr, PAGE_SIZE};

/// The entries of the kernel's half, by place, as the loader made them; a place of zero ends the list.
static KERNEL_ENTRIES: [(AtomicUsize, AtomicU64); 8] =
    [const { (AtomicUsize::new(0), AtomicU64::new(0)) }; 8];

const PRESENT: u64 = 1 << 0;
const WRITE: u64 = 1 << 1;
const USER: u64 = 1 << 2;
const WRITE_THROUGH: u64 = 1 << 3;
const NO_CACHE: u64 = 1 << 4;
const ACCESSED: u64 = 1 << 5;
const DIRTY: u64 = 1 << 6;
const LARGE: u64 = 1 << 7;
const NO_EXECUTE: u64 = 1 << 63;
const ADDRESS: u64 = 0x000f_ffff_ffff_f000;

const ENTRIES: usize = 512;
const USER_ENTRIES: usize = ENTRIES / 2;
const LARGE_PAGES: usize = ENTRIES;
const LARGE_SHIFT: u32 = 21;

/// Entries of the kernel's half of a root that are never present, and hold which entries of the user half are: 62 to a
/// word, from bit 1 on. So the end of an address space costs what it used, not what it could have.
const USED_MAP: usize = 500;
const USED_BITS: usize = 62;
const USED_WORDS: usize = USER_ENTRIES.div_ceil(USED_BITS);

/// The root that maps the kernel only.
static KERNEL_ROOT: AtomicU64 = AtomicU64::new(0);

/// One table. The pointer is into the direct map, to a frame that holds a table.
#[derive(Clone, Copy)]
struct Table(*mut u64);

impl Table {
    #[inline(always)]
    fn at(frame: PhysAddr) -> Self {
        Self(pointer(frame))
    }
    #[inline(always)]
    fn get(self, index: usize) -> u64 {
        // SAFETY: the masked index is inside the table's page.
        let entry = unsafe { self.0.add(index & (ENTRIES - 1)) };
        // SAFETY: the page is a live table; entries are only accessed by single loads and stores.
        unsafe { entry.read() }
    }
    #[inline(always)]
    fn set(self, index: usize, value: u64) {
        // SAFETY: the masked index is inside the table's page.
        let entry = unsafe { self.0.add(index & (ENTRIES - 1)) };
        // SAFETY: the page is a live table of the address space that the caller changes; user entries map user pages or
        // lower tables, so no kernel memory becomes reachable.
        unsafe { entry.write_volatile(value) }
    }
}

#[inline(always)]
fn index(at: VirtAddr, shift: u32) -> usize {
    at >> shift & (ENTRIES - 1)
}

fn frame_of(entry: u64) -> PhysAddr {
    PhysAddr(entry & ADDRESS)
}

/// The bits of a leaf, or `None` when the mapping is not to be present.
#[inline(always)]
fn leaf_bits(flags: MmuFlags) -> Option<u64> {
    if !flags.read {
        return None;
    }
    let write = if flags.write { WRITE } else { 0 };
    let execute = if flags.execute { 0 } else { NO_EXECUTE };
    // The PAT of `cpu::features`: 1 is write-combining, 3 uncached.
    let cache = match flags.cache {
        CachePolicy::Cached => 0,
        CachePolicy::WriteCombining => WRITE_THROUGH,
        CachePolicy::Uncached | CachePolicy::UncachedDevice => WRITE_THROUGH | NO_CACHE,
    };
    // Accessed and dirty are not used, so the CPU is spared setting them.
    Some(PRESENT | USER | ACCESSED | DIRTY | write | execute | cache)
}

fn flags_of(entry: u64) -> MmuFlags {
    let cache = match (entry & WRITE_THROUGH != 0, entry & NO_CACHE != 0) {
        (false, false) => CachePolicy::Cached,
        (true, false) => CachePolicy::WriteCombining,
        (_, true) => CachePolicy::Uncached,
    };
    MmuFlags {
        read: true,
        write: entry & WRITE != 0,
        execute: entry & NO_EXECUTE == 0,
        cache,
    }
}

fn new_table() -> Option<PhysAddr> {
    let frame = alloc_for_kernel(Fill::Zero)?;
    TABLE_FRAMES.fetch_add(1, Ordering::Relaxed);
    Some(frame)
}

/// The table below an entry, made if absent; a large page is split into small ones.
fn next_or_new(table: Table, at: usize) -> Result<Table, OutOfTables> {
    let entry = table.get(at);
    if entry & (PRESENT | LARGE) == PRESENT {
        return Ok(Table::at(frame_of(entry)));
    }
    let frame = new_table().ok_or(OutOfTables)?;
    let below = Table::at(frame);
    if entry & PRESENT != 0 {
        let bits = entry & !ADDRESS & !LARGE;
        for page in 0..ENTRIES {
            below.set(
                page,
                frame_of(entry).add((page * PAGE_SIZE) as u64).0 | bits,
            );
        }
    }
    table.set(at, frame.0 | PRESENT | WRITE | USER | ACCESSED);
    Ok(below)
}

/// The table whose entries stand for 2 MiB each.
fn directory_or_new(root: PhysAddr, at: VirtAddr) -> Result<Table, OutOfTables> {
    let (root, place) = (Table::at(root), index(at, 39));
    let level3 = next_or_new(root, place)?;
    let word = USED_MAP + place / USED_BITS;
    root.set(word, root.get(word) | 2 << (place % USED_BITS));
    next_or_new(level3, index(at, 30))
}

/// Calls `action` for each used entry of the user half of a root.
fn for_each_used(root: Table, mut action: impl FnMut(u64)) {
    for word in 0..USED_WORDS {
        let mut used = root.get(USED_MAP + word) >> 1;
        while used != 0 {
            action(root.get(word * USED_BITS + used.trailing_zeros() as usize));
            used &= used - 1;
        }
    }
}

/// Whether a range is page aligned and inside the user half; the layers above see to it.
fn check_range(at: VirtAddr, pages: usize) {
    let fits = pages <= USER_TOP >> PAGE_SHIFT && at <= USER_TOP - pages * PAGE_SIZE;
    assert!(
        fits && at & (PAGE_SIZE - 1) == 0,
        "mapping outside user space: {at:#x}, {pages} pages"
    );
}

/// One present entry that a walk has met.
struct Leaf {
    table: Table,
    index: usize,
    at: VirtAddr,
    entry: u64,
}

/// Calls `change` for each present page (small or large) of a range. Absent tables are skipped whole. A large page that is
/// only partly in the range is split; when there is no memory for that, it is unmapped whole: its owner maps it again at
/// the next access.
#[inline(always)]
fn for_each_present(
    root: PhysAddr,
    at: VirtAddr,
    pages: usize,
    stale: &mut Stale,
    mut change: impl FnMut(Leaf, &mut Stale),
) {
    let end = at + pages * PAGE_SIZE;
    let mut at = at;
    // The first address behind the table of this level that `at` is in.
    let behind = |at: usize, shift: u32| ((at >> shift) + 1) << shift;
    while at < end {
        let entry = Table::at(root).get(index(at, 39));
        if entry & PRESENT == 0 {
            at = behind(at, 39);
            continue;
        }
        let entry = Table::at(frame_of(entry)).get(index(at, 30));
        if entry & PRESENT == 0 {
            at = behind(at, 30);
            continue;
        }
        let directory = Table::at(frame_of(entry));
        let place = index(at, LARGE_SHIFT);
        let entry = directory.get(place);
        let next = behind(at, LARGE_SHIFT);
        if entry & PRESENT == 0 {
            at = next;
            continue;
        }
        if entry & LARGE != 0 {
            let whole = at & ((1 << LARGE_SHIFT) - 1) == 0 && next <= end;
            if whole {
                change(
                    Leaf {
                        table: directory,
                        index: place,
                        at,
                        entry,
                    },
                    stale,
                );
                at = next;
            } else if next_or_new(directory, place).is_err() {
                directory.set(place, 0);
                stale.add(at);
                at = next;
            } else {
                stale.add(at);
            }
            continue;
        }
        let table = Table::at(frame_of(entry));
        let stop = next.min(end);
        while at < stop {
            let place = index(at, 12);
            let entry = table.get(place);
            if entry & PRESENT != 0 {
                change(
                    Leaf {
                        table,
                        index: place,
                        at,
                        entry,
                    },
                    stale,
                );
            }
            at += PAGE_SIZE;
        }
    }
}

/// Tables on their way back to the allocator.
struct Freed {
    frames: [PhysAddr; 64],
    count: usize,
}

impl Freed {
    fn push(&mut self, frame: PhysAddr) {
        if self.count == self.frames.len() {
            self.flush();
        }
        self.frames[self.count] = frame;
        self.count += 1;
    }
    fn flush(&mut self) {
        free_many(&self.frames[..self.count]);
        TABLE_FRAMES.fetch_sub(self.count, Ordering::Relaxed);
        self.count = 0;
    }
}

/// Frees a table and the tables below it; `level` is 1 for a table of small pages.
fn free_tables(frame: PhysAddr, level: u32, freed: &mut Freed) {
    if level > 1 {
        let table = Table::at(frame);
        for first in (0..ENTRIES).step_by(8) {
            // Most entries of most tables are zero.
            if (first..first + 8).fold(0, |all, at| all | table.get(at)) == 0 {
                continue;
            }
            for at in first..first + 8 {
                let entry = table.get(at);
                if entry & (PRESENT | LARGE) == PRESENT {
                    free_tables(frame_of(entry), level - 1, freed);
                }
            }
        }
    }
    freed.push(frame);
}

/// Replaces rboot's root by one without its identity map; once.
pub(crate) fn init() {
    let loaded = Table::at(PhysAddr(read_cr3() & ADDRESS));
    let mut kept = KERNEL_ENTRIES.iter();
    for at in USER_ENTRIES..ENTRIES {
        let entry = loaded.get(at);
        if entry != 0 {
            let Some(slot) = kept.next() else {
                panic!("the loader's page table has too many kernel entries")
            };
            slot.0.store(at, Ordering::Relaxed);
            slot.1.store(entry, Ordering::Relaxed);
        }
    }
    let Some(root) = new_root() else {
        panic!("no memory for the kernel's page table")
    };
    KERNEL_ROOT.store(root.0, Ordering::Relaxed);
    activate(root);
}

fn new_root() -> Option<PhysAddr> {
    let root = new_table()?;
    for (at, entry) in &KERNEL_ENTRIES {
        match at.load(Ordering::Relaxed) {
            0 => break,
            at => Table::at(root).set(at, entry.load(Ordering::Relaxed)),
        }
    }
    Some(root)
}

#[inline(always)]
fn activate(root: PhysAddr) {
    let cpu = current();
    if cpu.active_root.get() != root.0 {
        cpu.active_root.set(root.0);
        // SAFETY: every root shares the kernel's half, so all that the kernel uses stays mapped.
        unsafe { write_cr3(root.0) };
    }
}

hal_impl! {
    kernel_hal::paging => fn hal_page_table_new() -> Option<PhysAddr> {
        new_root()
    }
    kernel_hal::paging => fn hal_page_table_free(root: PhysAddr) {
        if current().active_root.get() == root.0 {
            activate(PhysAddr(KERNEL_ROOT.load(Ordering::Relaxed)));
        }
        let mut freed = Freed { frames: [PhysAddr(0); 64], count: 0 };
        for_each_used(Table::at(root), |entry| free_tables(frame_of(entry), 3, &mut freed));
        freed.push(root);
        freed.flush();
    }
    kernel_hal::paging => fn hal_page_table_map(root: PhysAddr, at: VirtAddr, frames: &[PhysAddr], flags: MmuFlags) -> Result<(), OutOfTables> {
        check_range(at, frames.len());
        let mut stale = Stale::of(root);
        let Some(bits) = leaf_bits(flags) else {
            unmap(root, at, frames.len());
            return Ok(());
        };
        let mut at = at;
        let mut frames = frames;
        let mut result = Ok(());
        while !frames.is_empty() {
            let table = match directory_or_new(root, at).and_then(|directory| next_or_new(directory, index(at, LARGE_SHIFT))) {
                Ok(table) => table,
                Err(error) => {
                    result = Err(error);
                    break;
                }
            };
            let first = index(at, 12);
            let (here, rest) = frames.split_at(frames.len().min(ENTRIES - first));
            for (place, frame) in (first..).zip(here) {
                let old = table.get(place);
                table.set(place, frame.0 | bits);
                if old & PRESENT != 0 {
                    stale.add(at);
                }
                at += PAGE_SIZE;
            }
            frames = rest;
        }
        stale.finish();
        result
    }
    kernel_hal::paging => fn hal_page_table_map_contiguous(root: PhysAddr, at: VirtAddr, first: PhysAddr, pages: usize, flags: MmuFlags) -> Result<(), OutOfTables> {
        check_range(at, pages);
        // What was mapped goes first: a large page may replace a table.
        unmap(root, at, pages);
        let Some(bits) = leaf_bits(flags) else { return Ok(()) };
        let mut done = 0;
        while done < pages {
            let here = at + done * PAGE_SIZE;
            let frame = first.add((done * PAGE_SIZE) as u64);
            let directory = directory_or_new(root, here)?;
            let place = index(here, LARGE_SHIFT);
            let aligned = (here as u64 | frame.0) & ((1 << LARGE_SHIFT) - 1) == 0;
            if aligned && pages - done >= LARGE_PAGES && directory.get(place) & PRESENT == 0 {
                directory.set(place, frame.0 | bits | LARGE);
                done += LARGE_PAGES;
                continue;
            }
            let table = next_or_new(directory, place)?;
            let start = index(here, 12);
            let count = (pages - done).min(ENTRIES - start);
            for page in 0..count {
                table.set(start + page, frame.add((page * PAGE_SIZE) as u64).0 | bits);
            }
            done += count;
        }
        Ok(())
    }
    kernel_hal::paging => fn hal_page_table_unmap(root: PhysAddr, at: VirtAddr, pages: usize) {
        check_range(at, pages);
        unmap(root, at, pages);
    }
    kernel_hal::paging => fn hal_page_table_protect(root: PhysAddr, at: VirtAddr, pages: usize, flags: MmuFlags) {
        check_range(at, pages);
        let bits = leaf_bits(flags);
        let mut stale = Stale::of(root);
        for_each_present(root, at, pages, &mut stale, |leaf, stale| {
            let entry = bits.map_or(0, |bits| leaf.entry & (ADDRESS | LARGE_BIT_OF_LEAF) | bits);
            if entry != leaf.entry {
                leaf.table.set(leaf.index, entry);
                stale.add(leaf.at);
            }
        });
        stale.finish();
    }
    kernel_hal::paging => fn hal_page_table_query(root: PhysAddr, at: VirtAddr) -> Option<(PhysAddr, MmuFlags)> {
        if at >= USER_TOP {
            return None;
        }
        walk(root, at)
    }
    kernel_hal::frame => fn hal_image_paddr(at: VirtAddr) -> Option<PhysAddr> {
        let in_image = usize::try_from(KERNEL_BASE).is_ok_and(|base| at >= base);
        let root = PhysAddr(KERNEL_ROOT.load(Ordering::Relaxed));
        in_image.then(|| walk(root, at))?.map(|(paddr, _)| paddr)
    }
    kernel_hal::paging => fn hal_page_table_activate(root: PhysAddr) {
        activate(root);
    }
    kernel_hal::paging => fn hal_page_table_deactivate() {
        activate(PhysAddr(KERNEL_ROOT.load(Ordering::Relaxed)));
    }
}

fn walk(root: PhysAddr, at: VirtAddr) -> Option<(PhysAddr, MmuFlags)> {
    let mut table = Table::at(root);
    for shift in [39, 30, LARGE_SHIFT, 12] {
        let entry = table.get(index(at, shift));
        if entry & PRESENT == 0 {
            return None;
        }
        if shift == 12 || entry & LARGE != 0 {
            let offset = at & ((1 << shift) - 1);
            return Some((frame_of(entry).add(offset as u64), flags_of(entry)));
        }
        table = Table::at(frame_of(entry));
    }
    None
}

/// Large pages keep their size; small ones never have this bit, as the PAT is picked by the two bits that both share.
const LARGE_BIT_OF_LEAF: u64 = LARGE;

fn unmap(root: PhysAddr, at: VirtAddr, pages: usize) {
    let mut stale = Stale::of(root);
    for_each_present(root, at, pages, &mut stale, |leaf, stale| {
        leaf.table.set(leaf.index, 0);
        stale.add(leaf.at);
    });
    stale.finish();
}
