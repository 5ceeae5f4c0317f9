//! Four-level page tables: one root per address space, all sharing the kernel's half.
//!
//! Tables are frames in the direct map. A table that has become empty is cut off at once, up to the root, and freed when no
//! CPU can walk it any more. The kernel's half of a root is copied from the first root and never changes, so no root needs to
//! be told of anything.

use super::table::{
    cut_all, frame_of, index, new_table, Freed, Path, Slot, Table, ACCESSED, ADDRESS, ENTRIES,
    LARGE, LARGE_SHIFT, PRESENT, USER, USER_ENTRIES, WRITE,
};
use super::tlb::{Stale, MANY};
use crate::cpu::percpu::current;
use crate::cpu::registers::{read_cr3, write_cr3};
use boot_info::KERNEL_BASE;
use core::ops::Range;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use kernel_hal::addr::{PAGE_SHIFT, USER_TOP};
use kernel_hal::paging::{CachePolicy, MmuFlags, OutOfTables};
use kernel_hal::{hal_impl, PhysAddr, VirtAddr, PAGE_SIZE};

/// The entries of the kernel's half, by place, as the loader made them; a place of zero ends the list.
static KERNEL_ENTRIES: [(AtomicUsize, AtomicU64); 8] =
    [const { (AtomicUsize::new(0), AtomicU64::new(0)) }; 8];

const WRITE_THROUGH: u64 = 1 << 3;
const NO_CACHE: u64 = 1 << 4;
const DIRTY: u64 = 1 << 6;
const NO_EXECUTE: u64 = 1 << 63;

const LARGE_BYTES: usize = 1 << LARGE_SHIFT;
const LARGE_PAGES: usize = ENTRIES;
/// From how many pages on a table is cut off as it is, if nothing else is mapped by it, instead of emptied.
const WORTH_CUTTING: usize = 16;

/// The root that maps the kernel only.
static KERNEL_ROOT: AtomicU64 = AtomicU64::new(0);

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

/// Whether a range is page aligned and inside the user half; the layers above see to it.
fn check_range(at: VirtAddr, pages: usize) {
    let fits = pages <= USER_TOP >> PAGE_SHIFT && at <= USER_TOP - pages * PAGE_SIZE;
    assert!(
        fits && at & (PAGE_SIZE - 1) == 0,
        "mapping outside user space: {at:#x}, {pages} pages"
    );
}

/// Calls `visit` for each present entry of level 2 that a range touches, with the part of the range that it covers. Absent
/// tables are skipped whole.
#[inline(always)]
fn for_each_directory_entry(
    root: PhysAddr,
    range: Range<VirtAddr>,
    mut visit: impl FnMut(&Path, Range<VirtAddr>),
) {
    let table = Table::at(root);
    let mut at = range.start;
    // The first address behind the table of this level that `at` is in.
    let behind = |at: usize, shift: u32| ((at >> shift) + 1) << shift;
    while at < range.end {
        let top = table.slot(at, 39);
        if top.get() & PRESENT == 0 {
            at = behind(at, 39);
            continue;
        }
        let upper = top.below().slot(at, 30);
        if upper.get() & PRESENT == 0 {
            at = behind(at, 30);
            continue;
        }
        let directory = upper.below().slot(at, LARGE_SHIFT);
        let next = behind(at, LARGE_SHIFT).min(range.end);
        if directory.get() & PRESENT != 0 {
            let path = Path {
                root: top,
                upper,
                directory,
            };
            visit(&path, at..next);
        }
        at = next;
    }
}

/// Unmaps a range; nothing else is mapped in `alone`, which holds it. Tables that are empty then, or map nothing else, go.
fn unmap(root: PhysAddr, range: Range<VirtAddr>, alone: &Range<VirtAddr>) {
    let (mut stale, mut freed) = (Stale::of(root), Freed::of(root));
    for_each_directory_entry(root, range, |path, part| {
        unmap_part(path, part, alone, &mut stale, &mut freed);
        path.prune(&mut freed);
    });
    stale.finish();
    freed.flush();
}

/// Unmaps what one entry of level 2 maps of a range.
#[inline(always)]
fn unmap_part(
    path: &Path,
    part: Range<VirtAddr>,
    alone: &Range<VirtAddr>,
    stale: &mut Stale,
    freed: &mut Freed,
) {
    let entry = path.directory.get();
    if entry & LARGE != 0 {
        stale.add(part.start);
        // Without memory to split it, it is unmapped whole: its owner maps it again at the next access.
        if part.len() == LARGE_BYTES || path.table().is_err() {
            return path.cut();
        }
    }
    let table = path.directory.below();
    let pages = part.len() / PAGE_SIZE;
    let start = part.start & !(LARGE_BYTES - 1);
    if pages >= WORTH_CUTTING && alone.start <= start && start + LARGE_BYTES <= alone.end {
        freed.used(frame_of(path.directory.get()));
        stale.all();
        return path.cut();
    }
    let first = index(part.start, 12);
    let mut gone = 0;
    if pages > MANY {
        for place in first..first + pages {
            gone += usize::from(table.get(place) & PRESENT != 0);
            table.set(place, 0);
        }
        if gone != 0 {
            stale.all();
        }
    } else {
        for (place, at) in (first..first + pages).zip(part.step_by(PAGE_SIZE)) {
            if table.get(place) & PRESENT != 0 {
                table.set(place, 0);
                gone += 1;
                stale.add(at);
            }
        }
    }
    path.directory.subtract(gone);
}

/// Gives the present pages of a range other bits.
fn protect(root: PhysAddr, range: Range<VirtAddr>, bits: u64) {
    let (mut stale, mut freed) = (Stale::of(root), Freed::of(root));
    for_each_directory_entry(root, range, |path, part| {
        if path.directory.get() & LARGE != 0 {
            if part.len() == LARGE_BYTES {
                return change(path.directory, bits | LARGE, part.start, &mut stale);
            }
            stale.add(part.start);
            if path.table().is_err() {
                // As in `unmap_part`.
                path.cut();
                return path.prune(&mut freed);
            }
        }
        let table = path.directory.below();
        for at in part.step_by(PAGE_SIZE) {
            change(table.slot(at, 12), bits, at, &mut stale);
        }
    });
    stale.finish();
    freed.flush();
}

/// Gives one page other bits if it is present.
#[inline(always)]
fn change(slot: Slot, bits: u64, at: VirtAddr, stale: &mut Stale) {
    let entry = slot.get();
    let changed = entry & ADDRESS | bits;
    if entry & PRESENT != 0 && entry != changed {
        slot.set(changed);
        stale.add(at);
    }
}

fn span(at: VirtAddr, pages: usize) -> Range<VirtAddr> {
    at..at + pages * PAGE_SIZE
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
        let mut freed = Freed::of(root);
        cut_all(root, &mut freed);
        freed.used(root);
        freed.flush();
    }
    kernel_hal::paging => fn hal_page_table_map(root: PhysAddr, at: VirtAddr, frames: &[PhysAddr], flags: MmuFlags) -> Result<(), OutOfTables> {
        check_range(at, frames.len());
        let Some(bits) = leaf_bits(flags) else {
            let range = span(at, frames.len());
            unmap(root, range.clone(), &range);
            return Ok(());
        };
        let mut stale = Stale::of(root);
        let mut at = at;
        let mut frames = frames;
        let mut result = Ok(());
        while !frames.is_empty() {
            let made = Path::make(root, at).and_then(|path| Ok((path, path.table_or_retreat(root)?)));
            let (path, table) = match made {
                Ok(made) => made,
                Err(error) => {
                    result = Err(error);
                    break;
                }
            };
            let first = index(at, 12);
            let (here, rest) = frames.split_at(frames.len().min(ENTRIES - first));
            let mut new = here.len();
            for (place, frame) in (first..).zip(here) {
                let old = table.get(place);
                table.set(place, frame.0 | bits);
                if old & PRESENT != 0 {
                    stale.add(at);
                    new -= 1;
                }
                at += PAGE_SIZE;
            }
            path.directory.add(new);
            frames = rest;
        }
        stale.finish();
        result
    }
    kernel_hal::paging => fn hal_page_table_map_contiguous(root: PhysAddr, at: VirtAddr, first: PhysAddr, pages: usize, flags: MmuFlags) -> Result<(), OutOfTables> {
        check_range(at, pages);
        // What was mapped goes first: a large page may replace a table.
        let range = span(at, pages);
        unmap(root, range.clone(), &range);
        let Some(bits) = leaf_bits(flags) else { return Ok(()) };
        let mut done = 0;
        while done < pages {
            let here = at + done * PAGE_SIZE;
            let frame = first.add((done * PAGE_SIZE) as u64);
            let path = Path::make(root, here)?;
            let aligned = (here as u64 | frame.0) & (LARGE_BYTES as u64 - 1) == 0;
            if aligned && pages - done >= LARGE_PAGES && path.directory.get() & PRESENT == 0 {
                path.directory.set(frame.0 | bits | LARGE);
                path.upper.add(1);
                done += LARGE_PAGES;
                continue;
            }
            let table = path.table_or_retreat(root)?;
            let start = index(here, 12);
            let count = (pages - done).min(ENTRIES - start);
            for page in 0..count {
                table.set(start + page, frame.add((page * PAGE_SIZE) as u64).0 | bits);
            }
            path.directory.add(count);
            done += count;
        }
        Ok(())
    }
    kernel_hal::paging => fn hal_page_table_unmap(root: PhysAddr, at: VirtAddr, pages: usize, alone: Range<VirtAddr>) {
        check_range(at, pages);
        unmap(root, span(at, pages), &alone);
    }
    kernel_hal::paging => fn hal_page_table_protect(root: PhysAddr, at: VirtAddr, pages: usize, flags: MmuFlags) {
        check_range(at, pages);
        let range = span(at, pages);
        match leaf_bits(flags) {
            Some(bits) => protect(root, range, bits),
            None => unmap(root, range.clone(), &range),
        }
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
