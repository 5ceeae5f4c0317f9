//! Operations on ranges: commit, decommit, zero, pins; and resize and cache policy.

use super::memory::{Backing, Memory, Missing};
use super::object::{pages_for, Kind, Resizable, Vmo};
use crate::object::Wakes;
use crate::vm::page_tree::Stamps;
use crate::vm::{Rest, PAGE, PAGE_BYTES};
use core::ops::Range;
use core::sync::atomic::Ordering;
use kernel_hal::paging::CachePolicy;
use zx_abi::{ZxError, ZxResult};

impl Vmo {
    /// Backs the range with pages of its own; it is widened to pages and cut to the size. The time grows with the range:
    /// callers on behalf of programs go in pieces.
    ///
    /// # Errors
    /// - `NotSupported`: physical memory.
    /// - `OutOfRange`: the range wraps or starts beyond the end.
    /// - `NoMemory`: frames or the kernel heap are exhausted; a part may be committed.
    pub fn commit(&self, offset: u64, len: u64) -> ZxResult {
        let (mut memory, first) = self.memory();
        memory.tree()?;
        let range = trim(offset, len, self.limit(&memory))?;
        for index in pages_touched(&range) {
            memory.make_private(first + index, None)?;
        }
        Ok(())
    }

    /// Gives pages back; they read as zero afterwards. The range is cut to the size.
    ///
    /// # Errors
    /// - `NotSupported`: contiguous or physical memory, or a VMO that shares pages with a snapshot.
    /// - `InvalidArgs`: not whole pages.
    /// - `OutOfRange`: the range wraps or starts beyond the end.
    /// - `BadState`: a page is pinned.
    /// - `NoMemory`: a node of the tree could not be copied.
    pub fn decommit(&self, offset: u64, len: u64) -> ZxResult {
        self.decommit_step(offset, len, u64::MAX).map(drop)
    }

    /// As [`Vmo::decommit`], of at most about `most` bytes; how many of `len` are done.
    ///
    /// # Errors
    /// As [`Vmo::decommit`].
    pub fn decommit_step(&self, offset: u64, len: u64, most: u64) -> ZxResult<u64> {
        let has_sharers = self.pages_owner().has_sharers();
        let (mut memory, first) = self.memory();
        // Pages of a pager's VMO are never shared, only copied.
        if has_sharers && matches!(memory.missing, Missing::Zero) {
            return Err(ZxError::NotSupported);
        }
        if !matches!(memory.backing, Backing::Paged(_)) {
            return Err(ZxError::NotSupported);
        }
        if !offset.is_multiple_of(PAGE_BYTES) || !len.is_multiple_of(PAGE_BYTES) {
            return Err(ZxError::InvalidArgs);
        }
        let range = trim(offset, len, self.limit(&memory))?;
        let start = if range.end - range.start > most {
            memory.skip_missing(first, range.clone())
        } else {
            range.start
        };
        let end = range.end.min(start.saturating_add(most));
        let pages = first + range.start / PAGE_BYTES..first + range.end / PAGE_BYTES;
        if memory.any_pinned(&pages)? {
            return Err(ZxError::BadState);
        }
        memory.drop_pages(first + start / PAGE_BYTES..first + end.div_ceil(PAGE_BYTES))?;
        Ok(if end == range.end {
            len
        } else {
            end - range.start
        })
    }

    /// Makes bytes zero; whole pages are given back where that is possible.
    ///
    /// # Errors
    /// - `NotSupported`: physical memory.
    /// - `BadState`: memory is not cached.
    /// - `OutOfRange`: not wholly inside.
    /// - `NoMemory`: a shared page could not be copied.
    pub fn zero(&self, offset: u64, len: u64) -> ZxResult {
        let mut done = 0;
        loop {
            done += self.zero_step(offset.saturating_add(done), len - done)?;
            if done >= len {
                return Ok(());
            }
        }
    }

    /// As [`Vmo::zero`], of a part that takes well below a millisecond; how many of `len` bytes are done.
    ///
    /// # Errors
    /// As [`Vmo::zero`].
    pub fn zero_step(&self, offset: u64, len: u64) -> ZxResult<u64> {
        const FEW: u64 = 64 * PAGE_BYTES;
        const MANY: u64 = 1 << 30;
        let (mut memory, first) = self.memory();
        memory.tree()?;
        if memory.cache != CachePolicy::Cached {
            return Err(ZxError::BadState);
        }
        let end = Memory::check(offset, len, self.limit(&memory))?;
        let by_page = !matches!(memory.missing, Missing::Zero)
            || matches!(memory.backing, Backing::Contiguous(_))
            || memory.pins != 0;
        let most = if by_page { FEW } else { MANY };
        let skips = end - offset > most && matches!(memory.missing, Missing::Zero);
        let start = if skips {
            memory.skip_missing(first, offset..end)
        } else {
            offset
        };
        let end = end.min((start / PAGE_BYTES * PAGE_BYTES).saturating_add(most));
        let mut wakes = Wakes::none();
        let zeroed = memory.zero_range(first, start, end, &mut wakes);
        drop(memory);
        wakes.wake();
        zeroed.map(|()| end - offset)
    }

    /// Whether a cache operation on the range is allowed; on x86 there is nothing else to do.
    ///
    /// # Errors
    /// - `InvalidArgs`: no bytes.
    /// - `OutOfRange`: not wholly inside.
    pub fn cache_op(&self, offset: u64, len: u64) -> ZxResult {
        if len == 0 {
            return Err(ZxError::InvalidArgs);
        }
        Memory::check(offset, len, self.size())?;
        Ok(())
    }

    /// Changes the size, rounded up to pages. What is cut off is gone, also from where it is mapped.
    ///
    /// # Errors
    /// - `Unavailable`: the size is fixed.
    /// - `OutOfRange`: the size is beyond the limit.
    /// - `BadState`: a page that would be cut off is pinned.
    /// - `NoMemory`: a node of the tree could not be copied; the size is as before the step that failed.
    pub fn set_size(&self, size: u64) -> ZxResult {
        while self.set_size_step(size)? == Rest::More {
            kernel_hal::cpu::interrupt_window();
        }
        Ok(())
    }

    /// As [`Vmo::set_size`], but what shrinks by very much does so in several steps, one in a call, each of them a resize.
    ///
    /// # Errors
    /// As [`Vmo::set_size`].
    pub fn set_size_step(&self, size: u64) -> ZxResult<Rest> {
        const MANY: u64 = (1 << 30) / PAGE_BYTES;
        let (Resizable::Yes, Kind::Memory(memory)) = (self.resizable, &self.kind) else {
            return Err(ZxError::Unavailable);
        };
        let pages = pages_for(size)?;
        let mut memory = memory.lock();
        let old = memory.pages();
        let mut wakes = Wakes::none();
        let mut next = pages.max(old.saturating_sub(MANY));
        if next > pages {
            // What has no pages takes no time.
            let last = memory.last_present(pages..old);
            next = pages.max(last.map_or(0, |last| (last + 1).saturating_sub(MANY)));
        }
        if next < old {
            if memory.any_pinned(&(pages..old))? {
                return Err(ZxError::BadState);
            }
            memory.cut_off(next..old, &mut wakes)?;
        }
        memory.set_pages(next.max(pages));
        drop(memory);
        wakes.wake();
        Ok(if next > pages && next < old {
            Rest::More
        } else {
            Rest::Nothing
        })
    }

    /// Makes it at least `size` bytes large, rounded up to pages.
    ///
    /// # Errors
    /// - `Unavailable`: the size is fixed.
    /// - `OutOfRange`: the size is beyond the limit.
    pub(in crate::vm) fn grow(&self, size: u64) -> ZxResult {
        let (Resizable::Yes, Kind::Memory(memory)) = (self.resizable, &self.kind) else {
            return Err(ZxError::Unavailable);
        };
        let pages = pages_for(size)?;
        let mut memory = memory.lock();
        let pages = pages.max(memory.pages());
        memory.set_pages(pages);
        Ok(())
    }

    /// How its mappings are cached.
    pub fn cache_policy(&self) -> CachePolicy {
        self.memory().0.cache
    }

    /// Changes how mappings are cached.
    ///
    /// # Errors
    /// - `BadState`: it is mapped; or, unless it is physical memory, it has pages, children or a parent.
    pub fn set_cache_policy(&self, cache: CachePolicy) -> ZxResult {
        let related = self.is_child() || self.children() != 0;
        let Kind::Memory(memory) = &self.kind else {
            return Err(ZxError::BadState);
        };
        let mut memory = memory.lock();
        let free = memory.views.is_empty()
            && match &memory.backing {
                Backing::Physical(_) => true,
                Backing::Contiguous(_) => !related && memory.pins == 0,
                Backing::Paged(tree) => !related && !tree.has_pages(),
            };
        if !free && (memory.cache != cache || memory.physical().is_none()) {
            return Err(ZxError::BadState);
        }
        memory.cache = cache;
        Ok(())
    }

    /// Makes the pages of the range present and keeps them where they are until [`Vmo::unpin`].
    ///
    /// # Errors
    /// - `InvalidArgs`: not whole pages, or none.
    /// - `OutOfRange`: not wholly inside.
    /// - `NotSupported`: physical memory.
    /// - `NoMemory`: a page could not be made.
    /// - `Unavailable`: a page is pinned as often as it can be.
    pub fn pin(&self, offset: u64, len: u64) -> ZxResult {
        if !offset.is_multiple_of(PAGE_BYTES) || !len.is_multiple_of(PAGE_BYTES) || len == 0 {
            return Err(ZxError::InvalidArgs);
        }
        let (mut memory, first) = self.memory();
        let end = Memory::check(offset, len, self.limit(&memory))?;
        let range = first + offset / PAGE_BYTES..first + end / PAGE_BYTES;
        for index in range.clone() {
            let pinned = memory
                .make_private(index, None)
                .and_then(|_| memory.pin_page(index));
            if let Err(error) = pinned {
                for index in range.start..index {
                    memory.unpin_page(index)?;
                }
                return Err(error);
            }
        }
        Ok(())
    }

    /// Undoes one [`Vmo::pin`] of the same range.
    ///
    /// # Errors
    /// - `BadState`: a page of the range is not pinned.
    pub fn unpin(&self, offset: u64, len: u64) -> ZxResult {
        let (mut memory, first) = self.memory();
        for index in pages_touched(&(offset..offset.saturating_add(len))) {
            memory.unpin_page(first + index)?;
        }
        Ok(())
    }

    /// Where the page at `offset` is in RAM, made private first when it is to be written.
    ///
    /// # Errors
    /// - `OutOfRange`: beyond the end.
    /// - `NoMemory`: a page could not be made.
    pub fn commit_page(
        &self,
        offset: u64,
        access: super::CommitAccess,
    ) -> ZxResult<kernel_hal::PhysAddr> {
        let (mut memory, first) = self.memory();
        Memory::check(offset, 1, self.limit(&memory))?;
        Ok(memory
            .resolve(first + offset / PAGE_BYTES, access, None)?
            .addr)
    }

    /// This object's size, with the memory behind it locked.
    pub(super) fn limit(&self, memory: &Memory) -> u64 {
        match &self.kind {
            Kind::Memory(_) => memory.size_bytes(),
            Kind::Slice { size, .. } => *size,
        }
    }

    /// The VMO whose pages this one shows.
    pub(super) fn pages_owner(&self) -> &Self {
        match &self.kind {
            Kind::Memory(_) => self,
            Kind::Slice { of, .. } => of.pages_owner(),
        }
    }

    /// Number of mappings of this very object.
    pub fn mapping_count(&self) -> usize {
        self.mapped.load(Ordering::Relaxed)
    }
}

impl Memory {
    /// Makes the bytes from `offset` to `end` of an object that begins at page `first` zero.
    fn zero_range(&mut self, first: u64, offset: u64, end: u64, wakes: &mut Wakes) -> ZxResult {
        let whole = offset.div_ceil(PAGE_BYTES)..end / PAGE_BYTES;
        if whole.start > whole.end {
            // Inside one page.
            return self.zero_part(first + whole.end, in_page(offset)..in_page(end));
        }
        if !offset.is_multiple_of(PAGE_BYTES) {
            self.zero_part(first + whole.start - 1, in_page(offset)..PAGE)?;
        }
        if !end.is_multiple_of(PAGE_BYTES) {
            self.zero_part(first + whole.end, 0..in_page(end))?;
        }
        let whole = first + whole.start..first + whole.end;
        if !matches!(self.missing, Missing::Zero) {
            // A page that is not there would not be zero.
            for index in whole {
                self.make_zero(index, wakes)?;
            }
            return Ok(());
        }
        if matches!(self.backing, Backing::Contiguous(_)) {
            for index in whole {
                self.zero_part(index, 0..PAGE)?;
            }
            return Ok(());
        }
        self.zero_around_pins(whole)
    }

    /// Where in a range of bytes of an object that begins at page `first` the first page is, or the end of the range.
    fn skip_missing(&self, first: u64, range: Range<u64>) -> u64 {
        let pages = range.start / PAGE_BYTES..range.end.div_ceil(PAGE_BYTES);
        match self.first_present(first + pages.start..first + pages.end) {
            Some(page) => range.start.max((page - first) * PAGE_BYTES),
            None => range.end,
        }
    }

    /// Lets pages go, from everywhere they are mapped too.
    pub(super) fn drop_pages(&mut self, range: Range<u64>) -> ZxResult {
        if range.is_empty() {
            return Ok(());
        }
        if self.any_pinned(&range)? {
            return Err(ZxError::BadState);
        }
        self.views.unmap(range.clone(), None);
        self.unmap_late(range.clone());
        let range = self.in_tree(&range);
        self.tree_mut()?.remove(range, Stamps::Clear)
    }

    /// Lets pages go but for pinned ones, which are zeroed where they are.
    fn zero_around_pins(&mut self, range: Range<u64>) -> ZxResult {
        if !self.any_pinned(&range)? {
            return self.drop_pages(range);
        }
        if range.end - range.start == 1 {
            return self.zero_part(range.start, 0..PAGE);
        }
        // Halves, so that the steps grow with the pinned pages and not with the range.
        let middle = range.start + (range.end - range.start) / 2;
        self.zero_around_pins(range.start..middle)?;
        self.zero_around_pins(middle..range.end)
    }

    fn any_pinned(&self, range: &Range<u64>) -> ZxResult<bool> {
        Ok(self.pins != 0 && self.tree()?.any_pinned(self.in_tree(range)))
    }

    /// Zeroes part of a page if it is there.
    fn zero_part(&mut self, index: u64, part: Range<usize>) -> ZxResult {
        if !part.is_empty()
            && (self.present(index).is_some() || !matches!(self.missing, Missing::Zero))
        {
            self.make_private(index, None)?;
            self.with_frame(index, |frame| frame.zero(part.start, part.len()));
        }
        Ok(())
    }

    fn pin_page(&mut self, index: u64) -> ZxResult {
        let at = index + self.bias;
        self.tree_mut()?.pin(at)?;
        self.pins += 1;
        Ok(())
    }

    fn unpin_page(&mut self, index: u64) -> ZxResult {
        let at = index + self.bias;
        self.tree_mut()?.unpin(at)?;
        self.pins -= 1;
        Ok(())
    }
}

/// The range cut to `limit`.
fn trim(offset: u64, len: u64, limit: u64) -> ZxResult<Range<u64>> {
    let end = offset.checked_add(len).ok_or(ZxError::OutOfRange)?;
    if offset > limit {
        return Err(ZxError::OutOfRange);
    }
    Ok(offset..end.min(limit))
}

/// Numbers of the pages that a range of bytes touches.
fn pages_touched(range: &Range<u64>) -> Range<u64> {
    if range.is_empty() {
        return 0..0;
    }
    range.start / PAGE_BYTES..range.end.div_ceil(PAGE_BYTES)
}

fn in_page(offset: u64) -> usize {
    (offset % PAGE_BYTES) as usize
}
