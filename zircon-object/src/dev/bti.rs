//! Bus transaction initiators: a device, as the one that reads and writes memory.

use super::iommu::Iommu;
use super::pmt::{Pin, Pmt};
use crate::alloc_try::{try_arc, TryPush};
use crate::object::{KernelObject, ObjectBase, TypedObject};
use crate::vm::{Vmo, PAGE_BYTES};
use alloc::sync::Arc;
use alloc::vec::Vec;
use kernel_hal::sync::Mutex;
use zx_abi::{ObjectType, Signals, ZxError, ZxResult};

/// A bus transaction initiator.
pub struct Bti {
    base: ObjectBase,
    /// Kept as long as its devices are.
    _iommu: Arc<Iommu>,
    id: u64,
    pins: Mutex<Pins>,
}

struct Pins {
    pinned: usize,
    quarantined: Vec<Pin>,
}

/// What a device has pinned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PinCounts {
    /// Tokens that exist.
    pub pinned: usize,
    /// Tokens that were closed without unpinning.
    pub quarantined: usize,
}

/// How `bti_pin` tells addresses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AddressForm {
    /// One per page. Compressed addresses are the same here: nothing is contiguous beyond a page.
    PerPage,
    /// One for all of a contiguous VMO.
    Single,
}

impl Bti {
    /// The device `id` behind an IOMMU.
    ///
    /// # Errors
    /// - `NoMemory`: the kernel heap is exhausted.
    pub fn create(iommu: Arc<Iommu>, id: u64) -> ZxResult<Arc<Self>> {
        let pins = Mutex::new(Pins {
            pinned: 0,
            quarantined: Vec::new(),
        });
        try_arc(Self {
            base: ObjectBase::new(Signals::empty()),
            _iommu: iommu,
            id,
            pins,
        })
    }

    /// Which device.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Pins whole pages of a VMO. Gives the token and the addresses, which must be `count`.
    ///
    /// # Errors
    /// - `InvalidArgs`: no bytes; a single address for a VMO that is not contiguous; not `count` addresses.
    /// - `OutOfRange`: not wholly inside the VMO.
    /// - `NotSupported`: physical memory.
    /// - `NoMemory`: a page or the token could not be made.
    /// - `Unavailable`: a page is pinned 31 times already.
    pub fn pin(
        self: &Arc<Self>,
        vmo: Arc<Vmo>,
        offset: u64,
        len: u64,
        form: AddressForm,
        count: usize,
    ) -> ZxResult<(Arc<Pmt>, Vec<u64>)> {
        if form == AddressForm::Single && !vmo.is_contiguous() {
            return Err(ZxError::InvalidArgs);
        }
        let pin = Pin::new(vmo, offset, len)?;
        let wanted = match form {
            AddressForm::PerPage => len / PAGE_BYTES,
            AddressForm::Single => 1,
        };
        if count as u64 != wanted {
            return Err(ZxError::InvalidArgs);
        }
        let addresses = match form {
            AddressForm::PerPage => pin.addresses()?,
            AddressForm::Single => {
                let mut single = Vec::new();
                single.try_push(pin.first_address()?)?;
                single
            }
        };
        let token = try_arc(Pmt::with_pin(self.clone(), pin))?;
        self.pins.lock().pinned += 1;
        Ok((token, addresses))
    }

    /// Unpins what tokens left behind: the device does not use it any more.
    pub fn release_quarantine(&self) {
        let pins = core::mem::take(&mut self.pins.lock().quarantined);
        drop(pins);
    }

    /// What is pinned.
    pub fn pin_counts(&self) -> PinCounts {
        let pins = self.pins.lock();
        PinCounts {
            pinned: pins.pinned,
            quarantined: pins.quarantined.len(),
        }
    }

    pub(super) fn unpinned(&self) {
        self.pins.lock().pinned -= 1;
    }

    pub(super) fn quarantine(&self, pin: Pin) {
        let mut pins = self.pins.lock();
        pins.pinned -= 1;
        if pins.quarantined.try_reserve(1).is_err() {
            // Without a place to remember it, it stays pinned for good.
            core::mem::forget(pin);
            return;
        }
        pins.quarantined.push(pin);
        log::debug!(
            "device {:#x}: {} pins in quarantine",
            self.id,
            pins.quarantined.len()
        );
    }
}

impl KernelObject for Bti {
    fn base(&self) -> &ObjectBase {
        &self.base
    }
    fn object_type(&self) -> ObjectType {
        Self::TYPE
    }
}

impl TypedObject for Bti {
    const TYPE: ObjectType = ObjectType::Bti;
}

impl Drop for Bti {
    /// Nobody can say any more that the device stopped, so its memory is never given to anyone else.
    fn drop(&mut self) {
        for pin in self.pins.get_mut().quarantined.drain(..) {
            log::warn!(
                "device {:#x} is gone with pinned memory, which is lost",
                self.id
            );
            core::mem::forget(pin);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Handle;
    use crate::vm::Resizable;

    fn bti() -> Arc<Bti> {
        kernel_hal_hosted::init();
        Bti::create(Iommu::create_dummy().unwrap(), 7).unwrap()
    }

    #[test]
    fn a_contiguous_vmo_has_rising_addresses_and_one_that_stands_for_all() {
        let bti = bti();
        let vmo = Vmo::new_contiguous(4 * PAGE_BYTES, 12).unwrap();
        let (token, each) = bti
            .pin(vmo.clone(), 0, 4 * PAGE_BYTES, AddressForm::PerPage, 4)
            .unwrap();
        assert!(each.windows(2).all(|two| two[1] == two[0] + PAGE_BYTES));
        token.unpin();
        let (token, single) = bti
            .pin(vmo, 0, 4 * PAGE_BYTES, AddressForm::Single, 1)
            .unwrap();
        assert_eq!(single, [each[0]]);
        token.unpin();
        assert_eq!(
            bti.pin_counts(),
            PinCounts {
                pinned: 0,
                quarantined: 0
            }
        );
    }

    #[test]
    fn the_number_of_addresses_must_be_exact_and_nothing_stays_pinned_otherwise() {
        let bti = bti();
        let vmo = Vmo::new(4 * PAGE_BYTES, Resizable::Yes).unwrap();
        for count in [0, 3, 5] {
            assert_eq!(
                bti.pin(vmo.clone(), 0, 4 * PAGE_BYTES, AddressForm::PerPage, count)
                    .err(),
                Some(ZxError::InvalidArgs)
            );
        }
        assert_eq!(
            bti.pin(vmo.clone(), 0, PAGE_BYTES, AddressForm::Single, 1)
                .err(),
            Some(ZxError::InvalidArgs)
        );
        assert_eq!(
            bti.pin(
                vmo.clone(),
                PAGE_BYTES,
                4 * PAGE_BYTES,
                AddressForm::PerPage,
                4
            )
            .err(),
            Some(ZxError::OutOfRange)
        );
        assert_eq!(vmo.set_size(0), Ok(()));
    }

    #[test]
    fn memory_of_a_closed_token_stays_pinned_until_the_quarantine_is_released() {
        let bti = bti();
        let vmo = Vmo::new(PAGE_BYTES, Resizable::Yes).unwrap();
        let (token, _) = bti
            .pin(vmo.clone(), 0, PAGE_BYTES, AddressForm::PerPage, 1)
            .unwrap();
        drop(Handle::new(token).unwrap());
        assert_eq!(
            bti.pin_counts(),
            PinCounts {
                pinned: 0,
                quarantined: 1
            }
        );
        assert_eq!(vmo.set_size(0), Err(ZxError::BadState));
        bti.release_quarantine();
        assert_eq!(vmo.set_size(0), Ok(()));
    }
}
