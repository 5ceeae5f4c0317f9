//! What a call has begun and its thread finishes in steps, giving way to others between them, before it returns.
//!
//! A plain function cannot yield, and most calls of this kind are over in one step, so they stay plain functions.

use crate::closing::Closing;
use crate::copying::Copying;
use crate::{Caller, WantedPage};
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
    /// `handle_close_many`, and calls that fail and lose many handles.
    Close(Closing),
    /// `vmo_read`, `vmo_write`.
    Copy(Copying),
}

/// How far a call's rest came.
pub enum Further {
    /// All is done.
    Nothing,
    /// There is more to do.
    More,
    /// Before there is more to do, a page has to be waited for.
    Waits(WantedPage),
}

/// Bytes that MAP_RANGE enters in one step.
pub(crate) const MAP_STEP: u64 = 16 << 20;

impl Unfinished {
    fn step(&mut self, caller: &Caller<'_>) -> ZxResult<Rest> {
        match self {
            Self::Unmap { vmar, addr, len } => {
                *len = vmar.unmap_step(*addr, *len)?;
                Ok(if *len == 0 { Rest::Nothing } else { Rest::More })
            }
            Self::Close(closing) => closing.step(caller),
            Self::Copy(copying) => copying.step(caller),
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
    pub fn go_on(&self) -> ZxResult<Further> {
        let Some(mut rest) = self.unfinished().lock().take() else {
            return Ok(Further::Nothing);
        };
        let further = match rest.step(self) {
            Ok(Rest::Nothing) => return Ok(Further::Nothing),
            Ok(Rest::More) => Further::More,
            Err(error) => {
                let page = self.take_wanted_page(i64::cast_unsigned(error as i64));
                Further::Waits(page.ok_or(error)?)
            }
        };
        let old = self.unfinished().lock().replace(rest);
        drop(old);
        Ok(further)
    }

    /// Whether the thread can be suspended or die before the rest is done. Not when that would leave memory half changed that
    /// others see.
    #[cold]
    pub fn may_stop(&self) -> bool {
        match &*self.unfinished().lock() {
            Some(Unfinished::MapRange { .. } | Unfinished::Close(_) | Unfinished::Copy(_)) => true,
            Some(Unfinished::Unmap { .. } | Unfinished::Destroy(_) | Unfinished::Resize { .. })
            | None => false,
        }
    }

    /// Gives up what the last call left.
    #[cold]
    pub fn forget_unfinished(&self) {
        let rest = self.unfinished().lock().take();
        drop(rest);
    }
}
