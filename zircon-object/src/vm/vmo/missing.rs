//! Pages that are not there but are not zero either: a pager has them, or the VMO that this one was made from.

use super::memory::{Backing, Memory, Missing, Rare};
use super::object::{new_base, pages_for, Kind, Resizable, Vmo};
use crate::alloc_try::{try_arc, try_box, TryPush};
use crate::object::Wakes;
use crate::vm::page_tree::{after_release, zeroed_frame, PageTree, Stamps};
use crate::vm::pager::source::Farewell;
use crate::vm::pager::PageSource;
use crate::vm::registry::{MapToken, View};
use crate::vm::PAGE_BYTES;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering};
use kernel_hal::frame::{phys_copy_page, Frame};
use kernel_hal::paging::CachePolicy;
use kernel_hal::PhysAddr;
use zx_abi::{ZxError, ZxResult};

impl Vmo {
    /// A VMO whose pages `source` has.
    pub(in crate::vm) fn with_source(
        size: u64,
        resizable: Resizable,
        source: Arc<PageSource>,
    ) -> ZxResult<Arc<Self>> {
        let base = new_base();
        let tree = PageTree::new(base.koid().0);
        let vmo = Self::with_backing(
            base,
            pages_for(size)?,
            resizable,
            Backing::Paged(tree),
            CachePolicy::Cached,
        )?;
        vmo.memory().0.missing = Missing::Pager(source);
        Ok(vmo)
    }

    /// Where its own missing pages come from.
    pub(in crate::vm) fn source(&self) -> Option<Arc<PageSource>> {
        let Kind::Memory(memory) = &self.kind else {
            return None;
        };
        match &memory.lock().missing {
            Missing::Pager(source) => Some(source.clone()),
            Missing::Zero | Missing::Behind { .. } => None,
        }
    }

    /// Whether a pager has pages of it, or of what it was made from.
    pub fn is_pager_backed(&self) -> bool {
        self.memory().0.is_pager_backed()
    }

    /// Takes pages out, for a pager to supply.
    ///
    /// # Errors
    /// - `NotSupported`: physical memory.
    /// - `OutOfRange`: not wholly inside.
    /// - `BadState`: a page is missing or pinned; others see the pages too; not cached memory, or a pager's.
    /// - `NoMemory`: the kernel heap is exhausted.
    pub(in crate::vm) fn take_pages(&self, offset: u64, len: u64) -> ZxResult<Vec<Frame>> {
        let related = self.is_child() || self.children() != 0;
        let (mut memory, first) = self.memory();
        memory.tree()?;
        let end = Memory::check(offset, len, self.limit(&memory))?;
        let plain =
            matches!(memory.backing, Backing::Paged(_)) && matches!(memory.missing, Missing::Zero);
        if related
            || !plain
            || memory.cache != CachePolicy::Cached
            || memory.pins != 0
            || !memory.views.is_empty()
        {
            return Err(ZxError::BadState);
        }
        let pages = first + offset / PAGE_BYTES..first + end / PAGE_BYTES;
        let is_missing = |page| {
            let_interrupts_in(page);
            memory.present(page).is_none()
        };
        if pages.clone().any(is_missing) {
            return Err(ZxError::BadState);
        }
        let mut frames = Vec::new();
        let count = usize::try_from(pages.end - pages.start).map_err(|_| ZxError::NoMemory)?;
        frames
            .try_reserve_exact(count)
            .map_err(|_| ZxError::NoMemory)?;
        let bias = memory.bias;
        for page in pages {
            let_interrupts_in(page);
            // Nobody else has the pages: a node that must be copied is left over from a child that is gone.
            memory.make_private(page, None)?;
            frames.try_push(
                memory
                    .tree_mut()?
                    .take(page + bias)?
                    .ok_or(ZxError::BadState)?,
            )?;
        }
        Ok(frames)
    }

    /// Puts pages where none are and tells those who waited for them.
    ///
    /// # Errors
    /// - `OutOfRange`: not wholly inside.
    /// - `NoMemory`: the kernel heap is exhausted; the pages before are there.
    pub(in crate::vm) fn put_pages(
        &self,
        offset: u64,
        frames: Vec<Frame>,
        source: &PageSource,
        wakes: &mut Wakes,
    ) -> ZxResult {
        let (mut memory, first) = self.memory();
        Memory::check(
            offset,
            frames.len() as u64 * PAGE_BYTES,
            self.limit(&memory),
        )?;
        for (page, frame) in (first + offset / PAGE_BYTES..).zip(frames) {
            let_interrupts_in(page);
            if memory.present(page).is_none() {
                memory.put(page, frame)?;
                source.settled(page..page + 1, wakes);
            }
        }
        Ok(())
    }

    /// Ends requests for pages of the range with an error.
    ///
    /// # Errors
    /// - `OutOfRange`: not wholly inside.
    pub(in crate::vm) fn fail_pages(
        &self,
        offset: u64,
        len: u64,
        error: ZxError,
        source: &PageSource,
        wakes: &mut Wakes,
    ) -> ZxResult {
        let (memory, first) = self.memory();
        let end = Memory::check(offset, len, self.limit(&memory))?;
        let pages = first + offset / PAGE_BYTES..first + end / PAGE_BYTES;
        source.fail(&pages, error, wakes);
        Ok(())
    }
}

/// Lets interrupts in now and then while many pages are gone through; no handler takes a lock of this module.
fn let_interrupts_in(page: u64) {
    const PIECE: u64 = 512;
    if page.is_multiple_of(PIECE) {
        kernel_hal::cpu::interrupt_window();
    }
}

impl Memory {
    /// Whether a pager has pages of it, or of what it was made from.
    pub(super) fn is_pager_backed(&self) -> bool {
        match &self.missing {
            Missing::Zero => false,
            Missing::Pager(_) => true,
            Missing::Behind { of, .. } => of.is_pager_backed(),
        }
    }

    /// Sees to it that a page is there unless it is zero.
    ///
    /// # Errors
    /// - `ShouldWait`: a pager has to be asked.
    /// - What accesses get when a page will never come.
    /// - `NoMemory`: no frame for a copy.
    #[inline(always)]
    pub(in crate::vm) fn fill(&mut self, index: u64) -> ZxResult {
        match &self.missing {
            Missing::Zero => Ok(()),
            Missing::Pager(_) | Missing::Behind { .. } => self.fetch(index),
        }
    }

    #[cold]
    fn fetch(&mut self, index: u64) -> ZxResult {
        if self.present(index).is_some() {
            return Ok(());
        }
        let (of, page) = match &self.missing {
            Missing::Pager(source) => return Err(source.verdict()),
            Missing::Behind { of, first, pages } if index < pages.load(Ordering::Relaxed) => {
                (of.clone(), first + index)
            }
            Missing::Behind { .. } | Missing::Zero => return Ok(()),
        };
        let copy = {
            // The child is locked and now its parent: always in this order.
            let (mut parent, first) = of.memory();
            match parent.fill(first + page) {
                Err(ZxError::ShouldWait) => return Err(ZxError::ShouldWait),
                // What will never come is zero in a child.
                Err(_) => return Ok(()),
                Ok(()) => {}
            }
            match parent.present(first + page) {
                Some(found) => {
                    let frame = Frame::garbage()
                        .or_else(|| after_release(Frame::garbage))
                        .ok_or(ZxError::NoMemory)?;
                    phys_copy_page(frame.addr(), found.addr);
                    frame
                }
                None => return Ok(()),
            }
        };
        self.put(index, copy)
    }

    /// Puts a frame where no page is, and takes out of page tables what stood for the page.
    fn put(&mut self, index: u64, frame: Frame) -> ZxResult {
        let at = index + self.bias;
        self.tree_mut()?.insert(at, frame)?;
        if !self.views.is_empty() {
            self.views.unmap(index..index + 1, None);
        }
        self.unmap_late(index..index + 1);
        Ok(())
    }

    /// Takes pages out of the views of late copies.
    #[inline(always)]
    pub(super) fn unmap_late(&self, pages: Range<u64>) {
        if let Some(rare) = &self.rare {
            rare.views.unmap(pages, None);
        }
    }

    /// What most VMOs do not have, made when it is needed.
    pub(super) fn rare(&mut self) -> ZxResult<&mut Rare> {
        let rare = match self.rare.take() {
            Some(rare) => rare,
            None => try_box(Rare::default())?,
        };
        Ok(self.rare.insert(rare))
    }

    /// The page of the parent that stands for one that is not there: to be shown only, never to be written.
    ///
    /// # Errors
    /// - As [`Memory::fill`].
    #[inline(always)]
    pub(super) fn shown(&self, index: u64) -> ZxResult<Option<PhysAddr>> {
        match &self.missing {
            Missing::Zero | Missing::Pager(_) => Ok(None),
            Missing::Behind { .. } => self.find_shown(index),
        }
    }

    #[cold]
    fn find_shown(&self, index: u64) -> ZxResult<Option<PhysAddr>> {
        if self.present(index).is_some() {
            return Ok(None);
        }
        let Missing::Behind { of, first, pages } = &self.missing else {
            return Ok(None);
        };
        if index >= pages.load(Ordering::Relaxed) {
            return Ok(None);
        }
        let (mut parent, start) = of.memory();
        match parent.fill(start + first + index) {
            Err(ZxError::ShouldWait) => Err(ZxError::ShouldWait),
            // What will never come is zero in a child.
            Err(_) => Ok(None),
            Ok(()) => Ok(parent.present(start + first + index).map(|page| page.addr)),
        }
    }

    /// Enters a view of a child in its parent too, which takes pages out of it when they change.
    pub(super) fn show(&mut self, token: MapToken, view: &View) -> ZxResult {
        let Missing::Behind { of, first, pages } = &self.missing else {
            return Ok(());
        };
        let Some(len) = pages
            .load(Ordering::Relaxed)
            .checked_sub(view.first)
            .filter(|len| *len != 0)
        else {
            return Ok(());
        };
        let (of, first) = (of.clone(), *first);
        self.rare()?
            .shown
            .try_reserve(1)
            .map_err(|_| ZxError::NoMemory)?;
        let theirs = {
            let (mut parent, start) = of.memory();
            let pages = usize::try_from(len).unwrap_or(usize::MAX).min(view.pages);
            parent.rare()?.views.add(View {
                first: start + first + view.first,
                pages,
                ..view.clone()
            })?
        };
        self.rare()?.shown.push((token, theirs));
        Ok(())
    }

    /// Whether a parent knows views of this child.
    pub(super) fn is_shown_by_parent(&self) -> bool {
        self.rare
            .as_ref()
            .is_some_and(|late| !late.shown.is_empty())
    }

    /// Changes what the parent knows of a view as the view itself has changed.
    pub(super) fn show_again(&mut self, token: MapToken) {
        let Some(view) = self.views.get_mut(token).cloned() else {
            return;
        };
        let known = self
            .rare
            .as_ref()
            .and_then(|late| late.shown.iter().find(|(own, _)| *own == token));
        let (Some((_, theirs)), Missing::Behind { of, first, pages }) = (known, &self.missing)
        else {
            return;
        };
        let (mut parent, start) = of.memory();
        if let Some(shown) = parent
            .rare
            .as_mut()
            .and_then(|late| late.views.get_mut(*theirs))
        {
            let len = usize::try_from(pages.load(Ordering::Relaxed).saturating_sub(view.first))
                .unwrap_or(usize::MAX)
                .min(view.pages);
            *shown = View {
                first: start + first + view.first,
                pages: len,
                ..view
            };
        }
    }

    /// Takes a view of a child out of its parent.
    pub(super) fn hide(&mut self, token: MapToken) {
        let Some(late) = &mut self.rare else { return };
        let Some(at) = late.shown.iter().position(|(own, _)| *own == token) else {
            return;
        };
        let (_, theirs) = late.shown.swap_remove(at);
        if let Missing::Behind { of, .. } = &self.missing {
            if let Some(late) = &mut of.memory().0.rare {
                late.views.remove(theirs);
            }
        }
    }

    /// Makes the page zero, whatever others have in its place. Who waits for it waits no longer.
    pub(super) fn make_zero(&mut self, index: u64, wakes: &mut Wakes) -> ZxResult {
        if self.present(index).is_none() {
            let frame = zeroed_frame().ok_or(ZxError::NoMemory)?;
            self.put(index, frame)?;
            if let Missing::Pager(source) = &self.missing {
                source.settled(index..index + 1, wakes);
            }
            return Ok(());
        }
        self.make_private(index, None)?;
        self.with_frame(index, |frame| frame.zero(0, crate::vm::PAGE));
        Ok(())
    }

    /// Lets the pages beyond a new end go, and ends requests for them.
    pub(super) fn cut_off(&mut self, pages: Range<u64>, wakes: &mut Wakes) -> ZxResult {
        if let Missing::Pager(source) = &self.missing {
            source.forget(&pages, |part| self.count_missing(part), wakes);
        }
        if let Missing::Behind { pages: limit, .. } = &self.missing {
            limit.fetch_min(pages.start, Ordering::Relaxed);
        }
        // What comes back when it grows again is not what the children saw.
        if let Some(late) = &mut self.rare {
            late.windows.retain(|(first, window)| {
                let window = window.upgrade();
                if let Some(window) = &window {
                    window.fetch_min(pages.start.saturating_sub(*first), Ordering::Relaxed);
                }
                window.is_some()
            });
        }
        self.drop_pages(pages)
    }

    /// The memory of a child of the VMO `of`, whose memory this is, that copies a page when it writes it: nothing yet. It has
    /// `pages` pages and sees those of `part`.
    pub(super) fn child_behind(
        &mut self,
        of: &Arc<Vmo>,
        part: Range<u64>,
        pages: u64,
        owner: u64,
    ) -> ZxResult<Self> {
        let first = part.start;
        if self.pins != 0 || self.cache != CachePolicy::Cached {
            return Err(ZxError::BadState);
        }
        let Missing::Behind {
            of,
            first: behind,
            pages: limit,
        } = &self.missing
        else {
            let mut child = Self::new(
                pages,
                Backing::Paged(PageTree::new(owner)),
                CachePolicy::Cached,
            );
            let seen = self.pages().min(part.end).saturating_sub(first).min(pages);
            child.missing = self.window(of, first, seen)?;
            return Ok(child);
        };
        // Its own pages are shared node by node, as those of any VMO; the others are the same parent's.
        let Backing::Paged(tree) = &self.backing else {
            return Err(ZxError::NotSupported);
        };
        let last = first.saturating_add(pages).min(self.pages());
        let (bias, shared) = if first >= last || tree.is_empty() {
            (0, PageTree::new(owner))
        } else {
            let mut shared = tree.snapshot(owner);
            shared.remove(last + self.bias..u64::MAX, Stamps::Leave)?;
            (Self::bias_of_child(self.bias, first)?, shared)
        };
        let mut child = Self::new(pages, Backing::Paged(shared), CachePolicy::Cached);
        child.bias = bias;
        let seen = limit
            .load(Ordering::Relaxed)
            .min(part.end)
            .saturating_sub(first)
            .min(pages);
        let first = if seen == 0 { 0 } else { behind + first };
        child.missing = of.memory().0.window(of, first, seen)?;
        self.views.write_protect(self.cache);
        Ok(child)
    }

    /// What a child sees of `pages` pages of the VMO `of`, whose memory this is.
    fn window(&mut self, of: &Arc<Vmo>, first: u64, pages: u64) -> ZxResult<Missing> {
        let pages = try_arc(AtomicU64::new(pages))?;
        let windows = &mut self.rare()?.windows;
        if windows.len() == windows.capacity() {
            windows.retain(|(_, window)| window.strong_count() != 0);
        }
        windows.try_push((first, Arc::downgrade(&pages)))?;
        Ok(Missing::Behind {
            of: of.clone(),
            first,
            pages,
        })
    }

    /// Copies every page that its parent has and it has not, so that what it sees changes only by itself.
    pub(super) fn settle(&mut self) -> ZxResult {
        let Missing::Behind { of, first, pages } = &self.missing else {
            return Ok(());
        };
        let (of, behind) = (of.clone(), *first);
        let end = pages.load(Ordering::Relaxed).min(self.pages());
        let mut next = 0;
        loop {
            let theirs = {
                let (parent, start) = of.memory();
                let offset = start + behind;
                let found = parent.first_present(offset + next..offset + end);
                found.map(|page| page - offset)
            };
            let Some(index) = theirs else { return Ok(()) };
            self.fill(index)?;
            next = index + 1;
        }
    }

    /// Runs `use_page` on what stands for the page, which stays locked in its place meanwhile; `None` when that is zero.
    ///
    /// # Errors
    /// - As [`Memory::fill`].
    #[inline(always)]
    pub(super) fn with_page<R>(
        &mut self,
        index: u64,
        use_page: impl FnOnce(&Frame) -> R,
    ) -> ZxResult<Option<R>> {
        if !matches!(self.missing, Missing::Zero) && self.present(index).is_none() {
            return self.with_page_elsewhere(index, use_page);
        }
        Ok(self.with_frame(index, use_page))
    }

    #[cold]
    fn with_page_elsewhere<R>(
        &self,
        index: u64,
        use_page: impl FnOnce(&Frame) -> R,
    ) -> ZxResult<Option<R>> {
        match &self.missing {
            Missing::Pager(source) => Err(source.verdict()),
            Missing::Behind { of, first, pages } if index < pages.load(Ordering::Relaxed) => {
                let (mut parent, start) = of.memory();
                match parent.fill(start + first + index) {
                    Err(ZxError::ShouldWait) => Err(ZxError::ShouldWait),
                    Err(_) => Ok(None),
                    Ok(()) if start + first + index < parent.pages() => {
                        Ok(parent.with_frame(start + first + index, use_page))
                    }
                    Ok(()) => Ok(None),
                }
            }
            Missing::Behind { .. } | Missing::Zero => Ok(None),
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        if let Missing::Pager(source) = &self.missing {
            let mut wakes = Wakes::none();
            source.detach(Farewell::Packet, &mut wakes);
            wakes.wake();
        }
    }
}
