//! What drivers use memory through: IOMMUs, bus transaction initiators and pinned memory.

use alloc::vec;
use alloc::vec::Vec;

use zx_abi::{HandleValue, ZxResult};

use crate::handle::object;
use crate::{sys, AsHandle, Handle, Resource, Vmo};

object! {
    /// What translates a device's addresses.
    Iommu
}

impl Iommu {
    /// One that translates nothing.
    ///
    /// # Errors
    /// Those of `zx_iommu_create`.
    pub fn dummy(root: &Resource) -> ZxResult<Self> {
        let (mut out, description): (HandleValue, u8) = (0, 0);
        // SAFETY: `out` and the description are this frame's.
        unsafe { sys::zx_iommu_create(root.raw(), 0, &description, 1, &mut out) }.into_result()?;
        Ok(Self(Handle::from_raw(out)))
    }
}

object! {
    /// A device that reads and writes memory.
    Bti
}

impl Bti {
    /// A device behind an IOMMU.
    ///
    /// # Errors
    /// Those of `zx_bti_create`.
    pub fn create(iommu: &Iommu, id: u64) -> ZxResult<Self> {
        let mut out: HandleValue = 0;
        // SAFETY: `out` is this frame's.
        unsafe { sys::zx_bti_create(iommu.raw(), 0, id, &mut out) }.into_result()?;
        Ok(Self(Handle::from_raw(out)))
    }

    /// Pins part of a VMO; `count` is how many addresses the options ask for.
    ///
    /// # Errors
    /// Those of `zx_bti_pin`.
    pub fn pin(
        &self,
        options: u32,
        vmo: &Vmo,
        offset: u64,
        size: u64,
        count: usize,
    ) -> ZxResult<(Pmt, Vec<u64>)> {
        let mut out: HandleValue = 0;
        let mut addresses = vec![0; count];
        let pointer = addresses.as_mut_ptr();
        // SAFETY: `addresses` is borrowed for the call, `out` is this frame's.
        unsafe {
            sys::zx_bti_pin(
                self.raw(),
                options,
                vmo.raw(),
                offset,
                size,
                pointer,
                count,
                &mut out,
            )
        }
        .into_result()?;
        Ok((Pmt(Handle::from_raw(out)), addresses))
    }

    /// Gives up what tokens left pinned.
    ///
    /// # Errors
    /// Those of `zx_bti_release_quarantine`.
    pub fn release_quarantine(&self) -> ZxResult {
        // SAFETY: the call touches no memory of the program.
        unsafe { sys::zx_bti_release_quarantine(self.raw()) }.into_result()
    }

    /// Memory in one physical piece, aligned to a power of two (0 for a page).
    ///
    /// # Errors
    /// Those of `zx_vmo_create_contiguous`.
    pub fn contiguous(&self, size: usize, alignment_log2: u32) -> ZxResult<Vmo> {
        let mut out: HandleValue = 0;
        // SAFETY: `out` is this frame's.
        unsafe { sys::zx_vmo_create_contiguous(self.raw(), size, alignment_log2, &mut out) }
            .into_result()?;
        Ok(Handle::from_raw(out).into())
    }
}

object! {
    /// Memory that stays where it is for a device.
    Pmt
}

impl Pmt {
    /// Lets the memory go.
    ///
    /// # Errors
    /// Those of `zx_pmt_unpin`.
    pub fn unpin(self) -> ZxResult {
        // SAFETY: the value is given up.
        unsafe { sys::zx_pmt_unpin(self.0.into_raw()) }.into_result()
    }
}
