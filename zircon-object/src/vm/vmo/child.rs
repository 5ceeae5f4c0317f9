//! Children: snapshots, which share pages until one side writes, and slices, which are windows.

use super::family::Family;
use super::memory::{Backing, Memory};
use super::object::{new_base, pages_for, Kind, Origin, Resizable, Vmo};
use super::original::{Copied, Original};
use crate::vm::page_tree::{PageTree, Stamps, INDEX_END};
use crate::vm::PAGE_BYTES;
use alloc::sync::Arc;
use kernel_hal::paging::CachePolicy;
use kernel_hal::sync::Mutex;
use zx_abi::{ZxError, ZxResult};

/// Kinds of children.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ChildKind {
    /// Both sides keep what they saw at the moment of creation.
    Snapshot,
    /// As a snapshot, for memory that has no pager.
    SnapshotAtLeastOnWrite,
    /// The child keeps pages that it has written; in all others it sees what this VMO has there, also later.
    LateCopy,
    /// A window on the same pages.
    Slice,
}

impl Vmo {
    /// Makes a child that sees `size` bytes from `offset`. What lies beyond this VMO's end is zero in a snapshot.
    ///
    /// # Errors
    /// - `InvalidArgs`: an offset inside a page; a slice that is resizable or leaves this VMO.
    /// - `OutOfRange`: the size is beyond the limit, or the child begins too far behind the start of the first of very many
    ///   parents.
    /// - `NotSupported`: a slice of a resizable VMO; a snapshot of physical memory, of a slice, or of a pager's memory.
    /// - `BadState`: pages are pinned, or memory is not cached.
    /// - `NoMemory`: the kernel heap is exhausted.
    pub fn create_child(
        self: &Arc<Self>,
        kind: ChildKind,
        resizable: Resizable,
        offset: u64,
        size: u64,
    ) -> ZxResult<Arc<Self>> {
        let child = match kind {
            ChildKind::Snapshot if self.is_pager_backed() => return Err(ZxError::NotSupported),
            // What may move to another place under a contiguous VMO's copy is not for others to show.
            ChildKind::LateCopy if self.memory().0.original().is_some() => {
                self.snapshot(resizable, offset, size)?
            }
            ChildKind::LateCopy => self.copy_later(resizable, offset, size)?,
            ChildKind::SnapshotAtLeastOnWrite if self.is_pager_backed() => {
                self.copy_later(resizable, offset, size)?
            }
            ChildKind::Snapshot | ChildKind::SnapshotAtLeastOnWrite => {
                self.snapshot(resizable, offset, size)?
            }
            ChildKind::Slice => self.slice(resizable, offset, size)?,
        };
        let family = self.family_or_found()?;
        *child.family.lock() = Some(family.clone());
        family.join(self, &child)?;
        Ok(child)
    }

    fn family_or_found(self: &Arc<Self>) -> ZxResult<Arc<Family>> {
        let mut family = self.family.lock();
        if let Some(family) = &*family {
            return Ok(family.clone());
        }
        let founded = Family::found_by(self)?;
        *family = Some(founded.clone());
        Ok(founded)
    }

    fn snapshot(
        self: &Arc<Self>,
        resizable: Resizable,
        offset: u64,
        size: u64,
    ) -> ZxResult<Arc<Self>> {
        if !offset.is_multiple_of(PAGE_BYTES) {
            return Err(ZxError::InvalidArgs);
        }
        let pages = pages_for(size)?;
        let Kind::Memory(memory) = &self.kind else {
            return Err(ZxError::NotSupported);
        };
        let base = new_base();
        let child = memory
            .lock()
            .snapshot(offset / PAGE_BYTES, pages, base.koid().0)?;
        Self::assemble(
            base,
            Origin::Snapshot,
            self.base.koid(),
            resizable,
            Kind::Memory(Mutex::new(child)),
        )
    }

    /// A child that takes a copy of a page when it first writes it.
    fn copy_later(
        self: &Arc<Self>,
        resizable: Resizable,
        offset: u64,
        size: u64,
    ) -> ZxResult<Arc<Self>> {
        if !offset.is_multiple_of(PAGE_BYTES) {
            return Err(ZxError::InvalidArgs);
        }
        let pages = pages_for(size)?;
        let (of, skipped, end) = match &self.kind {
            Kind::Memory(_) => (self, 0, u64::MAX),
            Kind::Slice { of, first, size } => {
                (of, *first, first.saturating_add(size / PAGE_BYTES))
            }
        };
        let base = new_base();
        let child = {
            let (mut memory, _) = of.memory();
            if memory.physical().is_some() {
                return Err(ZxError::NotSupported);
            }
            memory.child_behind(
                of,
                skipped.saturating_add(offset / PAGE_BYTES)..end,
                pages,
                base.koid().0,
            )?
        };
        Self::assemble(
            base,
            Origin::LateCopy,
            self.base.koid(),
            resizable,
            Kind::Memory(Mutex::new(child)),
        )
    }

    fn slice(
        self: &Arc<Self>,
        resizable: Resizable,
        offset: u64,
        size: u64,
    ) -> ZxResult<Arc<Self>> {
        if resizable == Resizable::Yes || !offset.is_multiple_of(PAGE_BYTES) {
            return Err(ZxError::InvalidArgs);
        }
        let size = pages_for(size)? * PAGE_BYTES;
        if offset.checked_add(size).is_none_or(|end| end > self.size()) {
            return Err(ZxError::InvalidArgs);
        }
        if self.resizable == Resizable::Yes {
            return Err(ZxError::NotSupported);
        }
        let (of, first) = match &self.kind {
            Kind::Slice { of, first, .. } => (of.clone(), *first),
            Kind::Memory(memory) => {
                let memory = memory.lock();
                if memory.cache != CachePolicy::Cached
                    && matches!(memory.backing, Backing::Paged(_))
                {
                    return Err(ZxError::BadState);
                }
                (self.clone(), 0)
            }
        };
        let kind = Kind::Slice {
            of,
            first: first + offset / PAGE_BYTES,
            size,
        };
        Self::assemble(
            new_base(),
            Origin::Slice,
            self.base.koid(),
            Resizable::No,
            kind,
        )
    }
}

impl Memory {
    /// Where the numbers of a child begin in its tree, which has those of its parent's.
    ///
    /// # Errors
    /// - `OutOfRange`: after very many copies, each of the end of the one before, the numbers end.
    pub(super) fn bias_of_child(bias: u64, first: u64) -> ZxResult<u64> {
        const LAST: u64 = INDEX_END - (u64::MAX / PAGE_BYTES + 1);
        bias.checked_add(first)
            .filter(|bias| *bias <= LAST)
            .ok_or(ZxError::OutOfRange)
    }

    /// The memory of a snapshot that begins at page `first`. Only what lies inside this memory is shared, so that pages
    /// which the child cannot see go away with this one.
    fn snapshot(&mut self, first: u64, pages: u64, owner: u64) -> ZxResult<Self> {
        let (end, bias, cache, own_pages) = (
            first.saturating_add(pages).min(self.pages()),
            self.bias,
            self.cache,
            self.pages(),
        );
        if self.physical().is_some() {
            return Err(ZxError::NotSupported);
        }
        if self.pins != 0 || cache != CachePolicy::Cached {
            return Err(ZxError::BadState);
        }
        self.settle()?;
        let original = match &self.backing {
            Backing::Contiguous(_) => {
                let rare = self.rare()?;
                Some(match &rare.copies {
                    Some(original) => original.clone(),
                    None => rare.copies.insert(Original::try_new()?).clone(),
                })
            }
            Backing::Paged(_) | Backing::Physical(_) => self.original(),
        };
        let tree = self.tree()?;
        if first >= end || tree.is_empty() {
            return Ok(Self::new(
                pages,
                Backing::Paged(PageTree::new(owner)),
                CachePolicy::Cached,
            ));
        }
        let child_bias = Self::bias_of_child(bias, first)?;
        let mut shared = tree.snapshot(owner);
        if first != 0 {
            shared.remove(0..first + bias, Stamps::Leave)?;
        }
        if end != own_pages {
            shared.remove(end + bias..u64::MAX, Stamps::Leave)?;
        }
        self.views.write_protect(cache);
        let mut child = Self::new(pages, Backing::Paged(shared), CachePolicy::Cached);
        child.bias = child_bias;
        if let Some(original) = original {
            child.rare()?.copied = Some(Copied::of(original));
        }
        Ok(child)
    }
}
