//! Operations on the pages of mapped ranges: commit, decommit, entering them into the page table.

use super::object::Vmar;
use super::region::Place;
use crate::vm::fault::Run;
use crate::vm::hw::mmu_flags;
use crate::vm::{Perms, PAGE, PAGE_BYTES};
use core::ops::Range;
use kernel_hal::addr::is_page_aligned;
use kernel_hal::VirtAddr;
use zx_abi::{ZxError, ZxResult};

/// What `vmar_op_range` does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RangeOp {
    /// Backs the range with pages and enters them into the page table.
    Commit,
    /// Gives pages back.
    Decommit,
    /// Enters pages that are there into the page table.
    MapRange,
}

impl Vmar {
    /// Does something with the pages of a range that mappings cover without a hole. No `op` stands for one that does not exist,
    /// of which Zircon finds out last.
    ///
    /// # Errors
    /// - `InvalidArgs`: not whole pages, or none.
    /// - `BadState`: this region was destroyed; a hole or a region in the range.
    /// - `OutOfRange`: a range outside.
    /// - `AccessDenied`: the vDSO's code, or commit or decommit of what cannot be written.
    /// - `NotSupported`: no such operation.
    /// - Otherwise what the VMO says.
    pub fn op_range(&self, op: Option<RangeOp>, addr: VirtAddr, len: u64) -> ZxResult {
        self.for_range(op, addr, len, &mut |op, place, part| match op {
            RangeOp::MapRange => {
                self.enter_present(place, part);
                Ok(())
            }
            RangeOp::Commit => {
                let vmo = &place.mapping.vmo;
                vmo.commit(place.offset_of(part.start), part.len() as u64)?;
                self.enter_present(place, part);
                Ok(())
            }
            RangeOp::Decommit => {
                let vmo = &place.mapping.vmo;
                vmo.decommit(place.offset_of(part.start), part.len() as u64)
            }
        })
    }

    /// Whether [`Vmar::op_range`] may begin: its errors but those of the VMOs.
    ///
    /// # Errors
    /// As [`Vmar::op_range`].
    pub fn check_op_range(&self, op: Option<RangeOp>, addr: VirtAddr, len: u64) -> ZxResult {
        self.for_range(op, addr, len, &mut |_, _, _| Ok(()))
    }

    fn for_range(
        &self,
        op: Option<RangeOp>,
        addr: VirtAddr,
        len: u64,
        action: &mut dyn FnMut(RangeOp, &Place<'_>, Range<VirtAddr>) -> ZxResult,
    ) -> ZxResult {
        let size = usize::try_from(len).map_err(|_| ZxError::OutOfRange)?;
        if !is_page_aligned(addr) || !is_page_aligned(size) || size == 0 {
            return Err(ZxError::InvalidArgs);
        }
        let tree = self.space.tree.lock();
        tree.live(self.region)?;
        let range = self.inside(addr, size).ok_or(ZxError::OutOfRange)?;
        tree.mappings_in(self.region, &range, &mut |_| Ok(()))?;
        if tree
            .vdso_code()
            .is_some_and(|(code, _)| code.start < range.end && range.start < code.end)
        {
            return Err(ZxError::AccessDenied);
        }
        let op = op.ok_or(ZxError::NotSupported)?;
        tree.mappings_in(self.region, &range, &mut |place| {
            let part = range.start.max(place.base)..range.end.min(place.base + place.len);
            let allowed = match op {
                RangeOp::MapRange => true,
                RangeOp::Commit => place.mapping.perms.contains(Perms::WRITE),
                RangeOp::Decommit => place.mapping.cap.contains(Perms::WRITE),
            };
            if !allowed {
                return Err(ZxError::AccessDenied);
            }
            action(op, &place, part)
        })
    }

    /// Enters the pages that the VMO has into the page table. Failure is harmless: the pages fault later.
    pub(super) fn enter_present(&self, place: &Place<'_>, part: Range<VirtAddr>) {
        let mapping = place.mapping;
        if mapping.perms.is_empty() {
            return;
        }
        let (memory, window) = mapping.vmo.window();
        let original = memory.original();
        let _held = original.as_ref().map(|original| original.hold());
        let start = window
            .start
            .saturating_add(mapping.first)
            .saturating_add(((part.start - place.base) / PAGE) as u64);
        let pages = (part.len() / PAGE)
            .min(usize::try_from(window.end.saturating_sub(start)).unwrap_or(usize::MAX));
        if pages == 0 {
            return;
        }
        let flags = |writable| {
            mmu_flags(
                if writable {
                    mapping.perms
                } else {
                    mapping.perms - Perms::WRITE
                },
                memory.cache(),
            )
        };
        if let Some(base) = memory.physical() {
            let _ = self.space.hw.map_contiguous(
                part.start,
                base.add(start * PAGE_BYTES),
                pages,
                flags(true),
            );
            return;
        }
        let mut run: Option<(VirtAddr, bool, Run)> = None;
        let flush = |run: Option<(VirtAddr, bool, Run)>| match run {
            Some((at, writable, run)) => self.space.hw.map(at, run.addrs(), flags(writable)),
            None => Ok(()),
        };
        for (page, at) in
            (start..start.saturating_add(pages as u64)).zip((part.start..).step_by(PAGE))
        {
            let present = memory.present(page);
            run = match (run, present) {
                (Some((base, writable, mut run)), Some(page))
                    if page.writable == writable && !run.is_full() =>
                {
                    run.push(page.addr);
                    Some((base, writable, run))
                }
                (old, present) => {
                    if flush(old).is_err() {
                        return;
                    }
                    present.map(|page| (at, page.writable, Run::start(page)))
                }
            };
        }
        let _ = flush(run);
    }
}
