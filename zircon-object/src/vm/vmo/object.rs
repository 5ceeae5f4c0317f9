//! The VMO object: how one is made, its properties, and the mappings that show it.

use super::family::Family;
use super::memory::{Backing, Memory};
use crate::alloc_try::try_arc;
use crate::object::{KernelObject, Koid, Name, ObjectBase, TypedObject};
use crate::vm::page_tree::{after_release, PageTree};
use crate::vm::registry::{MapToken, View};
use crate::vm::{PAGE, PAGE_BYTES};
use alloc::sync::Arc;
use core::ops::Range;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use kernel_hal::frame::{self, Frame};
use kernel_hal::paging::CachePolicy;
use kernel_hal::sync::{Mutex, MutexGuard};
use kernel_hal::PhysAddr;
use zx_abi::limits::VMO_SIZE_MAX;
use zx_abi::{ObjectType, Signals, ZxError, ZxResult};

/// Whether a VMO's size can change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Resizable {
    /// The size is fixed.
    No,
    /// `vmo_set_size` works.
    Yes,
}

/// How a VMO came to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Origin {
    /// On its own.
    Root,
    /// As a copy of another one.
    Snapshot,
    /// As a copy that shows the other one's pages until they are written.
    LateCopy,
    /// As a window into another one.
    Slice,
}

/// A virtual memory object.
pub struct Vmo {
    pub(super) base: ObjectBase,
    pub(super) name: Name,
    pub(super) origin: Origin,
    pub(super) parent: Koid,
    pub(super) resizable: Resizable,
    content_size: AtomicU64,
    /// Mappings made of this very object (those of a slice are entered in its parent's registry).
    pub(super) mapped: AtomicUsize,
    pub(super) kind: Kind,
    pub(super) family: Mutex<Option<Arc<Family>>>,
}

pub(super) enum Kind {
    /// It has pages of its own.
    Memory(Mutex<Memory>),
    /// A window of `size` bytes from page `first` of `of`, which is never itself a slice.
    Slice { of: Arc<Vmo>, first: u64, size: u64 },
}

impl Vmo {
    /// A VMO of zeros; `size` is rounded up to pages and nothing is committed.
    ///
    /// # Errors
    /// - `OutOfRange`: the size is beyond the limit.
    /// - `NoMemory`: the kernel heap is exhausted.
    pub fn new(size: u64, resizable: Resizable) -> ZxResult<Arc<Self>> {
        let pages = pages_for(size)?;
        let base = new_base();
        let tree = PageTree::new(base.koid().0);
        Self::with_backing(
            base,
            pages,
            resizable,
            Backing::Paged(tree),
            CachePolicy::Cached,
        )
    }

    /// A VMO over physical memory that is no frame of the allocator.
    ///
    /// # Errors
    /// - `InvalidArgs`: no bytes, an address inside a page, or a range that wraps.
    /// - `NoMemory`: the kernel heap is exhausted.
    pub fn new_physical(paddr: PhysAddr, len: u64, cache: CachePolicy) -> ZxResult<Arc<Self>> {
        let pages = pages_for(len).map_err(|_| ZxError::InvalidArgs)?;
        if pages == 0
            || !paddr.is_page_aligned()
            || paddr.0.checked_add(pages * PAGE_BYTES).is_none()
        {
            return Err(ZxError::InvalidArgs);
        }
        Self::with_backing(
            new_base(),
            pages,
            Resizable::No,
            Backing::Physical(paddr),
            cache,
        )
    }

    /// A VMO of zeroed, physically adjoining pages.
    ///
    /// # Errors
    /// - `OutOfRange`: the size is beyond the limit.
    /// - `NoMemory`: there is no such run of frames, or the kernel heap is exhausted.
    pub fn new_contiguous(size: u64, align_log2: u32) -> ZxResult<Arc<Self>> {
        let pages = pages_for(size)?;
        let base = new_base();
        let mut tree = PageTree::new(base.koid().0);
        let count = usize::try_from(pages).map_err(|_| ZxError::NoMemory)?;
        let first = frame::raw_alloc_contiguous(count, align_log2)
            .or_else(|| after_release(|| frame::raw_alloc_contiguous(count, align_log2)))
            .ok_or(ZxError::NoMemory)?;
        let mut result = Ok(());
        for index in 0..pages {
            let frame = Frame::from_raw(first.add(index * PAGE_BYTES)).ok_or(ZxError::Internal)?;
            // After a failure the remaining frames are still taken over, and freed by their drop.
            if result.is_ok() {
                result = tree.insert(index, frame);
            }
        }
        result?;
        Self::with_backing(
            base,
            pages,
            Resizable::No,
            Backing::Contiguous(tree),
            CachePolicy::Cached,
        )
    }

    /// A VMO with a copy of `len` bytes of RAM that the loader left at `paddr`.
    ///
    /// # Errors
    /// - `OutOfRange`: the size is beyond the limit.
    /// - `NoMemory`: frames or the kernel heap are exhausted.
    pub fn wrap_ram(paddr: PhysAddr, len: u64) -> ZxResult<Arc<Self>> {
        let pages = pages_for(len)?;
        let base = new_base();
        let mut tree = PageTree::new(base.koid().0);
        let mut piece = [0; 512];
        for index in 0..pages {
            let (done, whole) = (
                index * PAGE_BYTES,
                paddr.is_page_aligned() && len - index * PAGE_BYTES >= PAGE_BYTES,
            );
            let frame = if whole {
                Frame::garbage()
            } else {
                Frame::zeroed()
            }
            .ok_or(ZxError::NoMemory)?;
            if whole {
                frame::phys_copy_page(frame.addr(), paddr.add(done));
            } else {
                for at in (0..PAGE).step_by(piece.len()) {
                    let from = done + at as u64;
                    let count = usize::try_from(len.saturating_sub(from))
                        .unwrap_or(usize::MAX)
                        .min(piece.len());
                    if count != 0 {
                        frame::phys_read(paddr.add(from), &mut piece[..count]);
                        frame.write(at, &piece[..count]);
                    }
                }
            }
            tree.insert(index, frame)?;
        }
        Self::with_backing(
            base,
            pages,
            Resizable::No,
            Backing::Paged(tree),
            CachePolicy::Cached,
        )
    }

    pub(super) fn with_backing(
        base: ObjectBase,
        pages: u64,
        resizable: Resizable,
        backing: Backing,
        cache: CachePolicy,
    ) -> ZxResult<Arc<Self>> {
        let memory = Memory::new(pages, backing, cache);
        Self::assemble(
            base,
            Origin::Root,
            Koid::NONE,
            resizable,
            Kind::Memory(Mutex::new(memory)),
        )
    }

    pub(super) fn assemble(
        base: ObjectBase,
        origin: Origin,
        parent: Koid,
        resizable: Resizable,
        kind: Kind,
    ) -> ZxResult<Arc<Self>> {
        try_arc(Self {
            base,
            name: Name::default(),
            origin,
            parent,
            resizable,
            content_size: AtomicU64::new(0),
            mapped: AtomicUsize::new(0),
            kind,
            family: Mutex::new(None),
        })
    }

    /// Replaces the name.
    pub fn set_name(&self, name: &[u8]) {
        self.name.set(name);
    }

    /// Size in bytes, whole pages.
    pub fn size(&self) -> u64 {
        match &self.kind {
            Kind::Memory(memory) => memory.lock().size_bytes(),
            Kind::Slice { size, .. } => *size,
        }
    }

    /// Whether `vmo_set_size` works.
    pub fn resizable(&self) -> Resizable {
        self.resizable
    }

    /// The property that streams take for the end of the content; the kernel does not interpret it.
    pub fn content_size(&self) -> u64 {
        self.content_size.load(Ordering::Relaxed)
    }

    /// Replaces [`Vmo::content_size`].
    pub fn set_content_size(&self, size: u64) {
        self.content_size.store(size, Ordering::Relaxed);
    }

    /// Moves the end of the content from `old` to `new`; `false` when it is not at `old` any more.
    pub(in crate::vm) fn move_content_end(&self, old: u64, new: u64) -> bool {
        self.content_size
            .compare_exchange(old, new, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }

    /// Declares this to be a vDSO whose code lies at `code` (byte offsets, whole pages): the rules for executable mappings
    /// of a vDSO hold for it from now on.
    ///
    /// # Errors
    /// - `NoMemory`: the kernel heap is exhausted.
    pub fn mark_vdso(&self, code: Range<u64>) -> ZxResult {
        self.memory().0.rare()?.vdso = Some(code);
        Ok(())
    }

    /// Where the code of a vDSO lies; `None` for every other VMO.
    pub fn vdso_code(&self) -> Option<Range<u64>> {
        match &self.kind {
            Kind::Memory(memory) => memory.lock().rare.as_ref()?.vdso.clone(),
            Kind::Slice { .. } => None,
        }
    }

    /// Whether its pages are those of a vDSO: of one, or of a slice of one.
    pub(in crate::vm) fn shows_vdso(&self) -> bool {
        self.pages_owner().vdso_code().is_some()
    }

    /// The locked memory behind this object, and the page of it at which this object begins.
    pub(in crate::vm) fn memory(&self) -> (MutexGuard<'_, Memory>, u64) {
        let (mut vmo, mut first) = (self, 0);
        loop {
            match &vmo.kind {
                Kind::Memory(memory) => return (memory.lock(), first),
                Kind::Slice {
                    of, first: skip, ..
                } => {
                    first += skip;
                    vmo = of;
                }
            }
        }
    }

    /// As [`Vmo::memory`], with the page of it at which this object ends too.
    #[inline(always)]
    pub(in crate::vm) fn window(&self) -> (MutexGuard<'_, Memory>, Range<u64>) {
        let (memory, first) = self.memory();
        let end = match &self.kind {
            Kind::Memory(_) => memory.pages(),
            Kind::Slice { size, .. } => first + size / PAGE_BYTES,
        };
        (memory, first..end)
    }

    /// Enters a mapping; `view.first` counts from this object's first page.
    pub(in crate::vm) fn add_view(&self, mut view: View) -> ZxResult<MapToken> {
        let (mut memory, first) = self.memory();
        view.first += first;
        let token = memory.views.add(view.clone())?;
        let known = memory
            .show(token, &view)
            .and_then(|()| memory.enter_in_original(token, &view));
        if let Err(error) = known {
            memory.hide(token);
            memory.views.remove(token);
            return Err(error);
        }
        self.mapped.fetch_add(1, Ordering::Relaxed);
        Ok(token)
    }

    /// Forgets a mapping; its pages have left the page table or do so with the whole table.
    pub(in crate::vm) fn remove_view(&self, token: MapToken) {
        let mut memory = self.memory().0;
        memory.hide(token);
        memory.leave_original(token);
        memory.views.remove(token);
        self.mapped.fetch_sub(1, Ordering::Relaxed);
    }

    /// Changes what a mapping shows; `first` counts from this object's first page.
    pub(in crate::vm) fn change_view(&self, token: MapToken, change: impl FnOnce(&mut View)) {
        let mut memory = self.memory().0;
        let Some(view) = memory.views.get_mut(token) else {
            return;
        };
        change(view);
        if memory.is_shown_by_parent() {
            memory.show_again(token);
        }
        memory.change_in_original(token);
    }
}

impl KernelObject for Vmo {
    fn base(&self) -> &ObjectBase {
        &self.base
    }
    fn object_type(&self) -> ObjectType {
        Self::TYPE
    }
    fn name(&self) -> Option<&Name> {
        Some(&self.name)
    }
}

impl TypedObject for Vmo {
    const TYPE: ObjectType = ObjectType::Vmo;
}

impl Drop for Vmo {
    fn drop(&mut self) {
        if let Some(family) = self.family.get_mut().take() {
            family.leave(self.base.koid());
        }
    }
}

impl core::fmt::Debug for Vmo {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Vmo({})", self.base.koid().0)
    }
}

pub(super) fn new_base() -> ObjectBase {
    ObjectBase::new(Signals::VMO_ZERO_CHILDREN)
}

/// Pages that hold `size` bytes.
pub(super) fn pages_for(size: u64) -> ZxResult<u64> {
    let pages = size
        .checked_add(PAGE_BYTES - 1)
        .ok_or(ZxError::OutOfRange)?
        / PAGE_BYTES;
    if pages * PAGE_BYTES > VMO_SIZE_MAX {
        return Err(ZxError::OutOfRange);
    }
    Ok(pages)
}

/// Makes the frame of zeros now, so that a test's account of frames does not see it.
#[cfg(test)]
pub(in crate::vm) fn warm_zero_frame() {
    super::memory::zero_frame().unwrap();
}
