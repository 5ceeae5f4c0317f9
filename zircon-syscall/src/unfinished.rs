//! What a call has begun and its thread finishes in steps, giving way to others between them, before it returns.
//!
//! A plain function cannot yield, and most calls of this kind are over in one step, so they stay plain functions.

use crate::Caller;
use alloc::sync::Arc;
use kernel_hal::VirtAddr;
use zircon_object::vm::{RangeOp, Rest, Vmar, Vmo};
use zx_abi::ZxResult;

/// The rest of a call.
pub(crate) enum Unfinished {
    /// `vmar_unmap`.
    Unmap {
        vmar: Arc<Vmar>,
        addr: VirtAddr,
        len: u64,
    },
    /// `vmar_destroy`.
    Destroy(Arc<Vmar>),
    /// `vmo_set_size`.
    Resize { vmo: Arc<Vmo>, size: u64 },
    /// The MAP_RANGE of `vmar_map`.
    MapRange {
        vmar: Arc<Vmar>,
        addr: VirtAddr,
        len: u64,
    },
}

/// Bytes that MAP_RANGE enters in one step.
pub(crate) const MAP_STEP: u64 = 16 << 20;

impl Unfinished {
    fn step(&mut self) -> ZxResult<Rest> {
        match self {
            Self::Unmap { vmar, addr, len } => {
                *len = vmar.unmap_step(*addr, *len)?;
                Ok(if *len == 0 { Rest::Nothing } else { Rest::More })
            }
            Self::Destroy(vmar) => vmar.destroy_rest(),
            Self::Resize { vmo, size } => vmo.set_size_step(*size),
            Self::MapRange { vmar, addr, len } => {
                let now = (*len).min(MAP_STEP);
                // Failure is harmless: the pages fault later.
                let step = usize::try_from(now).unwrap_or(0);
                if vmar.op_range(Some(RangeOp::MapRange), *addr, now).is_err() || now == *len {
                    return Ok(Rest::Nothing);
                }
                *addr = addr.wrapping_add(step);
                *len -= now;
                Ok(Rest::More)
            }
        }
    }
}

impl Caller<'_> {
    /// Leaves the rest of a call to its thread.
    #[cold]
    pub(crate) fn leave_unfinished(&self, rest: Unfinished) {
        let old = self.unfinished().lock().replace(rest);
        drop(old);
        self.note_unfinished();
    }

    /// Does a step of what the last call left. The thread gives way and comes again until nothing is left.
    ///
    /// # Errors
    /// What the call returns instead of success.
    #[cold]
    pub fn go_on(&self) -> ZxResult<Rest> {
        let Some(mut rest) = self.unfinished().lock().take() else {
            return Ok(Rest::Nothing);
        };
        let left = rest.step()?;
        if left == Rest::More {
            let old = self.unfinished().lock().replace(rest);
            drop(old);
        }
        Ok(left)
    }
}
