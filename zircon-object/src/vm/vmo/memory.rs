//! What a VMO consists of under its lock, and how a page of it is found or made.

use super::original::{Copied, Original};
use super::Vmo;
use crate::vm::page_tree::{zeroed_frame, Change, PageTree, Sharing};
use crate::vm::pager::PageSource;
use crate::vm::registry::{MapToken, Registry};
use crate::vm::{PAGE, PAGE_BYTES};
use alloc::boxed::Box;
use alloc::sync::{Arc, Weak};
use alloc::vec::Vec;
use core::ops::Range;
use core::sync::atomic::AtomicU64;
use kernel_hal::frame::{self, Frame};
use kernel_hal::paging::CachePolicy;
use kernel_hal::sync::Mutex;
use kernel_hal::PhysAddr;
use zx_abi::{ZxError, ZxResult};

/// Where pages come from.
pub(super) enum Backing {
    /// Frames as they are needed.
    Paged(PageTree),
    /// Adjoining frames, all of them present from the start.
    Contiguous(PageTree),
    /// Physical memory from this address; nothing is owned.
    Physical(PhysAddr),
}

/// The state of a VMO that has pages of its own. Page indices count from its first page.
pub(in crate::vm) struct Memory {
    pages: u64,
    /// Index in the tree of the first page: a snapshot from an offset keeps its parent's numbers.
    pub(super) bias: u64,
    pub(super) cache: CachePolicy,
    pub(super) backing: Backing,
    pub(in crate::vm) views: Registry,
    /// What most VMOs do not have.
    pub(super) rare: Option<Box<Rare>>,
    /// The zero frame may be mapped where no page is.
    zero_mapped: bool,
    /// Pins held in the whole VMO.
    pub(super) pins: u64,
    pub(super) missing: Missing,
}

/// What late copies and their parents know of each other, contiguous memory and its copies, and what a vDSO is.
#[derive(Default)]
pub(super) struct Rare {
    /// Where the code of a vDSO lies.
    pub(super) vdso: Option<Range<u64>>,
    /// In contiguous memory that was copied: what its copies know.
    pub(super) copies: Option<Arc<Original>>,
    /// In a copy of contiguous memory, or of such a copy.
    pub(super) copied: Option<Copied>,
    /// In a parent: views of children that show these pages where they have none of their own.
    pub(super) views: Registry,
    /// In a parent: where children begin in these pages, and how many they see.
    pub(super) windows: Vec<(u64, Weak<AtomicU64>)>,
    /// In a child: its own views beside those in the parent.
    pub(super) shown: Vec<(MapToken, MapToken)>,
}

/// What a page is that is not there.
pub(super) enum Missing {
    /// Zeros.
    Zero,
    /// A pager has it.
    Pager(Arc<PageSource>),
    /// What the VMO that this one was made from has there, from its page `first` on, for the first `pages` pages; zeros beyond.
    /// That VMO lowers the number when it shrinks.
    Behind {
        of: Arc<Vmo>,
        first: u64,
        pages: Arc<AtomicU64>,
    },
}

/// What a page is wanted for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CommitAccess {
    /// Its contents: a page that is not there reads as zero.
    Read,
    /// To be changed: it becomes private to the VMO.
    Write,
}

/// A page for a page table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::vm) struct Resolved {
    pub(in crate::vm) addr: PhysAddr,
    /// Whether it may be mapped writable.
    pub(in crate::vm) writable: bool,
}

impl Memory {
    pub(super) fn new(pages: u64, backing: Backing, cache: CachePolicy) -> Self {
        Self {
            pages,
            bias: 0,
            cache,
            backing,
            views: Registry::new(),
            rare: None,
            zero_mapped: false,
            pins: 0,
            missing: Missing::Zero,
        }
    }

    pub(in crate::vm) fn pages(&self) -> u64 {
        self.pages
    }

    pub(super) fn size_bytes(&self) -> u64 {
        self.pages * PAGE_BYTES
    }

    pub(in crate::vm) fn cache(&self) -> CachePolicy {
        self.cache
    }

    /// The page tree.
    ///
    /// # Errors
    /// - `NotSupported`: physical memory has none.
    pub(super) fn tree(&self) -> ZxResult<&PageTree> {
        match &self.backing {
            Backing::Paged(tree) | Backing::Contiguous(tree) => Ok(tree),
            Backing::Physical(_) => Err(ZxError::NotSupported),
        }
    }

    pub(super) fn tree_mut(&mut self) -> ZxResult<&mut PageTree> {
        match &mut self.backing {
            Backing::Paged(tree) | Backing::Contiguous(tree) => Ok(tree),
            Backing::Physical(_) => Err(ZxError::NotSupported),
        }
    }

    /// Physical memory from one address on.
    pub(in crate::vm) fn physical(&self) -> Option<PhysAddr> {
        match self.backing {
            Backing::Physical(first) => Some(first),
            Backing::Paged(_) | Backing::Contiguous(_) => None,
        }
    }

    /// The page for a fault of the view `by`, made or copied when it is to be written.
    ///
    /// # Errors
    /// - `OutOfRange`: beyond the end.
    /// - `NoMemory`: no frame, or no heap for the tree.
    /// - As [`Memory::fill`].
    pub(in crate::vm) fn resolve(
        &mut self,
        index: u64,
        access: CommitAccess,
        by: Option<MapToken>,
    ) -> ZxResult<Resolved> {
        if index >= self.pages {
            return Err(ZxError::OutOfRange);
        }
        if let Some(first) = self.physical() {
            return Ok(Resolved {
                addr: first.add(index * PAGE_BYTES),
                writable: true,
            });
        }
        if access == CommitAccess::Read {
            if let Some(addr) = self.shown(index)? {
                return Ok(Resolved {
                    addr,
                    writable: false,
                });
            }
        }
        self.fill(index)?;
        if access == CommitAccess::Read && self.cache == CachePolicy::Cached {
            return match self.tree()?.find(index + self.bias) {
                Some(found) => Ok(Resolved {
                    addr: found.addr,
                    writable: found.sharing == Sharing::Private,
                }),
                None => {
                    let addr = zero_frame()?;
                    self.zero_mapped = true;
                    Ok(Resolved {
                        addr,
                        writable: false,
                    })
                }
            };
        }
        Ok(Resolved {
            addr: self.make_private(index, by)?,
            writable: true,
        })
    }

    /// A page that is there already, for mapping ahead.
    pub(in crate::vm) fn present(&self, index: u64) -> Option<Resolved> {
        if index >= self.pages {
            return None;
        }
        if let Some(first) = self.physical() {
            return Some(Resolved {
                addr: first.add(index * PAGE_BYTES),
                writable: true,
            });
        }
        let found = self.tree().ok()?.find(index + self.bias)?;
        Some(Resolved {
            addr: found.addr,
            writable: found.sharing == Sharing::Private,
        })
    }

    /// Makes the page private and takes what was mapped in its place out of all page tables but that of `by`.
    pub(super) fn make_private(&mut self, index: u64, by: Option<MapToken>) -> ZxResult<PhysAddr> {
        self.fill(index)?;
        if matches!(self.backing, Backing::Contiguous(_)) {
            return self.keep_private(index);
        }
        let at = index + self.bias;
        let (addr, change) = self.tree_mut()?.make_private(at)?;
        let stale = match change {
            Change::None => false,
            Change::New => self.zero_mapped,
            Change::Replaced => true,
        };
        if stale && !self.views.is_empty() {
            self.views.unmap(index..index + 1, by);
        }
        if change != Change::None {
            self.unmap_late(index..index + 1);
        }
        Ok(addr)
    }

    /// Runs `use_frame` on the page if it is there; the page stays locked in its place meanwhile.
    pub(super) fn with_frame<R>(
        &self,
        index: u64,
        use_frame: impl FnOnce(&Frame) -> R,
    ) -> Option<R> {
        self.tree().ok()?.with_frame(index + self.bias, use_frame)
    }

    /// As [`Memory::with_frame`], if the page is there and may be written: [`Memory::make_private`] would change nothing.
    pub(super) fn with_private<R>(
        &self,
        index: u64,
        use_frame: impl FnOnce(&Frame) -> R,
    ) -> Option<R> {
        self.tree().ok()?.with_private(index + self.bias, use_frame)
    }

    /// The range of tree indices that stands for `range` of this VMO.
    pub(super) fn in_tree(&self, range: &Range<u64>) -> Range<u64> {
        range.start + self.bias..range.end + self.bias
    }

    /// Replaces the number of pages; pages beyond were removed before.
    pub(super) fn set_pages(&mut self, pages: u64) {
        self.pages = pages;
    }

    /// Checks `[offset, offset + len)` against `limit` bytes; gives the end.
    pub(super) fn check(offset: u64, len: u64, limit: u64) -> ZxResult<u64> {
        match offset.checked_add(len) {
            Some(end) if end <= limit => Ok(end),
            _ => Err(ZxError::OutOfRange),
        }
    }
}

/// A page of zeros of the kernel's image.
#[repr(C, align(4096))]
pub(super) struct ZeroPage(pub(super) [u8; PAGE]);
pub(super) static ZEROS: ZeroPage = ZeroPage([0; PAGE]);

/// The frame of zeros that is mapped where a VMO has no page. Nobody writes it. On a host, where the image has no frames, it
/// is made once and kept.
pub(super) fn zero_frame() -> ZxResult<PhysAddr> {
    static ZERO: Mutex<Option<PhysAddr>> = Mutex::new(None);
    let mut zero = ZERO.lock();
    match *zero {
        Some(addr) => Ok(addr),
        None => {
            let of_image = frame::image_paddr((&raw const ZEROS).addr());
            let made = || Some(zeroed_frame()?.into_raw());
            let addr = of_image.or_else(made).ok_or(ZxError::NoMemory)?;
            *zero = Some(addr);
            Ok(addr)
        }
    }
}
