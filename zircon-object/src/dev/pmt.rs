//! Pinned memory tokens: memory that a device may use stays where it is until the token is given back.

use super::bti::Bti;
use crate::object::{KernelObject, ObjectBase, TypedObject};
use crate::vm::{CommitAccess, Vmo, PAGE, PAGE_BYTES};
use alloc::sync::Arc;
use alloc::vec::Vec;
use kernel_hal::sync::Mutex;
use zx_abi::{ObjectType, Signals, ZxError, ZxResult};

/// Bytes pinned between two looks at pending interrupts.
const PIECE: u64 = 64 * PAGE_BYTES;

/// A pinned memory token.
pub struct Pmt {
    base: ObjectBase,
    bti: Arc<Bti>,
    pin: Mutex<Option<Pin>>,
}

impl Pmt {
    pub(super) fn with_pin(bti: Arc<Bti>, pin: Pin) -> Self {
        Self {
            base: ObjectBase::new(Signals::empty()),
            bti,
            pin: Mutex::new(Some(pin)),
        }
    }

    /// Unpins the memory: the device does not use it any more.
    pub fn unpin(&self) {
        let pin = self.pin.lock().take();
        if pin.is_some() {
            self.bti.unpinned();
        }
        drop(pin);
    }
}

impl KernelObject for Pmt {
    fn base(&self) -> &ObjectBase {
        &self.base
    }
    fn object_type(&self) -> ObjectType {
        Self::TYPE
    }
    /// The device may use the memory still: it stays pinned in quarantine.
    fn on_zero_handles(&self) {
        let pin = self.pin.lock().take();
        if let Some(pin) = pin {
            self.bti.quarantine(pin);
        }
    }
}

impl TypedObject for Pmt {
    const TYPE: ObjectType = ObjectType::Pmt;
}

/// Pages of a VMO that stay where they are while this exists.
pub(super) struct Pin {
    vmo: Arc<Vmo>,
    offset: u64,
    len: u64,
}

impl Pin {
    /// Pins whole pages, in bounded pieces.
    ///
    /// # Errors
    /// - As [`Vmo::pin`].
    pub(super) fn new(vmo: Arc<Vmo>, offset: u64, len: u64) -> ZxResult<Self> {
        if len == 0 {
            return Err(ZxError::InvalidArgs);
        }
        if offset.checked_add(len).is_none_or(|end| end > vmo.size()) {
            return Err(ZxError::OutOfRange);
        }
        let mut pin = Self {
            vmo,
            offset,
            len: 0,
        };
        while pin.len < len {
            let piece = PIECE.min(len - pin.len);
            pin.vmo.pin(offset + pin.len, piece)?;
            pin.len += piece;
            if pin.len < len {
                kernel_hal::cpu::interrupt_window();
            }
        }
        Ok(pin)
    }

    /// Where each page is.
    ///
    /// # Errors
    /// - `NoMemory`: the kernel heap is exhausted.
    pub(super) fn addresses(&self) -> ZxResult<Vec<u64>> {
        let pages = usize::try_from(self.len / PAGE_BYTES).map_err(|_| ZxError::NoMemory)?;
        let mut addresses = Vec::new();
        addresses
            .try_reserve_exact(pages)
            .map_err(|_| ZxError::NoMemory)?;
        for offset in (self.offset..self.offset + self.len).step_by(PAGE) {
            addresses.push(self.vmo.commit_page(offset, CommitAccess::Write)?.0);
            if offset % PIECE == 0 {
                kernel_hal::cpu::interrupt_window();
            }
        }
        Ok(addresses)
    }

    /// The first page's address; the pages adjoin each other.
    ///
    /// # Errors
    /// - `NoMemory`: the page could not be looked up.
    pub(super) fn first_address(&self) -> ZxResult<u64> {
        Ok(self.vmo.commit_page(self.offset, CommitAccess::Write)?.0)
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        if self.len != 0 && self.vmo.unpin(self.offset, self.len).is_err() {
            log::error!("pages of {:?} were unpinned twice", self.vmo);
        }
    }
}
