//! Page tables as maps from page to frame, with frames charged for them as the CPU would want

use crate::frame::{give_back_table, take_table};
use crate::machine::lock;
use kernel_hal::addr::{is_page_aligned, is_user_range};
use kernel_hal::paging::{MmuFlags, OutOfTables};
use kernel_hal::{hal_impl, PhysAddr, VirtAddr, PAGE_SIZE};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard};

/// What one frame of a page table covers.
const TABLE_SPAN: usize = 512 * PAGE_SIZE;

/// One address space.
#[derive(Default)]
pub(crate) struct Table {
    pages: BTreeMap<VirtAddr, (PhysAddr, MmuFlags)>,
    /// One frame for each 2 MiB in which something is mapped. Upper levels are not charged.
    frames: BTreeMap<usize, PhysAddr>,
}

static TABLES: Mutex<BTreeMap<PhysAddr, Table>> = Mutex::new(BTreeMap::new());

thread_local! {
    static ACTIVE: Cell<Option<PhysAddr>> = const { Cell::new(None) };
}

/// The root of the page table that is active on this thread.
#[must_use]
pub fn active_root() -> Option<PhysAddr> {
    ACTIVE.get()
}

/// Pages that are mapped in the active table, with their frames and permissions, in order of address.
#[must_use]
pub fn mapped_pages() -> Vec<(VirtAddr, PhysAddr, MmuFlags)> {
    let tables = tables();
    let active = active_root().and_then(|root| tables.get(&root));
    active.map_or_else(Vec::new, |table| {
        table
            .pages
            .iter()
            .map(|(at, (frame, flags))| (*at, *frame, *flags))
            .collect()
    })
}

/// Leaves user space unmapped on this thread.
pub(crate) fn leave() {
    ACTIVE.set(None);
}

/// All page tables. Locked before physical memory.
pub(crate) fn tables() -> MutexGuard<'static, BTreeMap<PhysAddr, Table>> {
    lock(&TABLES)
}

/// The frame and permissions behind an address in the active table.
pub(crate) fn translate(
    tables: &BTreeMap<PhysAddr, Table>,
    at: VirtAddr,
) -> Option<(PhysAddr, MmuFlags)> {
    tables.get(&active_root()?)?.query(at)
}

impl Table {
    fn query(&self, at: VirtAddr) -> Option<(PhysAddr, MmuFlags)> {
        let offset = at % PAGE_SIZE;
        let (frame, flags) = self.pages.get(&(at - offset))?;
        Some((frame.add(offset as u64), *flags))
    }

    fn map(&mut self, at: VirtAddr, frame: PhysAddr, flags: MmuFlags) -> Result<(), OutOfTables> {
        assert!(
            frame.is_page_aligned(),
            "mapping of {:#x}, which is no page boundary",
            frame.0
        );
        if let std::collections::btree_map::Entry::Vacant(absent) =
            self.frames.entry(at / TABLE_SPAN)
        {
            absent.insert(take_table().ok_or(OutOfTables)?);
        }
        if flags.read {
            self.pages.insert(at, (frame, flags));
        } else {
            self.pages.remove(&at);
            self.prune(&(at..at + PAGE_SIZE));
        }
        Ok(())
    }

    fn unmap(&mut self, range: Range<VirtAddr>) {
        let mut rest = self.pages.split_off(&range.start);
        self.pages.append(&mut rest.split_off(&range.end));
        self.prune(&range);
    }

    /// Gives the frames back that serve nothing in a range any more.
    fn prune(&mut self, range: &Range<VirtAddr>) {
        let pages = &self.pages;
        let touched = range.start / TABLE_SPAN..range.end.div_ceil(TABLE_SPAN);
        let empty = self.frames.extract_if(touched, |table, _| {
            let span = table * TABLE_SPAN..(table + 1) * TABLE_SPAN;
            pages.range(span).next().is_none()
        });
        empty.for_each(|(_, frame)| give_back_table(frame));
    }
}

/// Runs `f` on a table that must exist, for a range that must be whole pages of user space.
fn with_table<R>(root: PhysAddr, at: VirtAddr, pages: usize, f: impl FnOnce(&mut Table) -> R) -> R {
    let len = pages.checked_mul(PAGE_SIZE);
    assert!(
        is_page_aligned(at) && len.is_some_and(|len| is_user_range(at, len)),
        "{pages} pages at {at:#x} are not whole pages of user space"
    );
    match tables().get_mut(&root) {
        Some(table) => f(table),
        None => panic!("there is no page table at {:#x}", root.0),
    }
}

hal_impl! {
    kernel_hal::paging => fn hal_page_table_new() -> Option<PhysAddr> {
        let mut tables = tables();
        let root = take_table()?;
        tables.insert(root, Table::default());
        Some(root)
    }
    kernel_hal::paging => fn hal_page_table_free(root: PhysAddr) {
        if active_root() == Some(root) {
            leave();
        }
        let table = tables().remove(&root);
        match table {
            Some(table) => table.frames.into_values().for_each(give_back_table),
            None if std::thread::panicking() => {}
            None => panic!("page table {:#x} was freed twice, or never made", root.0),
        }
        give_back_table(root);
    }
    kernel_hal::paging => fn hal_page_table_map(root: PhysAddr, at: VirtAddr, frames: &[PhysAddr], flags: MmuFlags) -> Result<(), OutOfTables> {
        with_table(root, at, frames.len(), |table| {
            frames.iter().enumerate().try_for_each(|(page, frame)| table.map(at + page * PAGE_SIZE, *frame, flags))
        })
    }
    kernel_hal::paging => fn hal_page_table_map_contiguous(root: PhysAddr, at: VirtAddr, first: PhysAddr, pages: usize, flags: MmuFlags) -> Result<(), OutOfTables> {
        with_table(root, at, pages, |table| {
            (0..pages).map(|page| page * PAGE_SIZE).try_for_each(|offset| table.map(at + offset, first.add(offset as u64), flags))
        })
    }
    kernel_hal::paging => fn hal_page_table_unmap(root: PhysAddr, at: VirtAddr, pages: usize, alone: Range<VirtAddr>) {
        with_table(root, at, pages, |table| {
            let range = at..at + pages * PAGE_SIZE;
            assert!(alone.start <= range.start && range.end <= alone.end, "{range:#x?} is not inside {alone:#x?}");
            table.unmap(range);
            let other = table.pages.range(alone.clone()).next();
            assert!(other.is_none(), "{other:#x?} is mapped in {alone:#x?} too");
        });
    }
    kernel_hal::paging => fn hal_page_table_protect(root: PhysAddr, at: VirtAddr, pages: usize, flags: MmuFlags) {
        with_table(root, at, pages, |table| {
            let range = at..at + pages * PAGE_SIZE;
            if flags.read {
                table.pages.range_mut(range).for_each(|(_, page)| page.1 = flags);
            } else {
                table.unmap(range);
            }
        });
    }
    kernel_hal::paging => fn hal_page_table_query(root: PhysAddr, at: VirtAddr) -> Option<(PhysAddr, MmuFlags)> {
        tables().get(&root)?.query(at)
    }
    kernel_hal::paging => fn hal_page_table_activate(root: PhysAddr) {
        assert!(tables().contains_key(&root), "there is no page table at {:#x}", root.0);
        ACTIVE.set(Some(root));
    }
    kernel_hal::paging => fn hal_page_table_deactivate() {
        leave();
    }
}
