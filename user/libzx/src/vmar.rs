//! Address regions and mappings.

use core::slice;

use zx_abi::info::InfoTopic;
use zx_abi::{VmOptions, ZxError, ZxResult};

use crate::handle::object;
use crate::{sys, AsHandle, Handle, Vmo};

object! {
    /// An address region of some process.
    Vmar
}

impl Vmar {
    /// A region inside this one, and its address.
    ///
    /// # Errors
    /// Those of `zx_vmar_allocate`.
    pub fn allocate(
        &self,
        flags: VmOptions,
        offset: usize,
        size: usize,
    ) -> ZxResult<(Self, usize)> {
        let (mut out, mut address) = (0, 0);
        // SAFETY: both results are this frame's.
        unsafe {
            sys::zx_vmar_allocate(
                self.raw(),
                flags.bits(),
                offset as u64,
                size as u64,
                &mut out,
                &mut address,
            )
        }
        .into_result()?;
        Ok((Self(Handle::from_raw(out)), to_usize(address)?))
    }

    /// Maps part of a VMO and gives the address. Nothing overlaps unless SPECIFIC_OVERWRITE says so.
    ///
    /// # Errors
    /// Those of `zx_vmar_map`.
    pub fn map(
        &self,
        flags: VmOptions,
        offset: usize,
        vmo: &Vmo,
        vmo_offset: u64,
        len: usize,
    ) -> ZxResult<usize> {
        let mut address = 0;
        // SAFETY: `address` is this frame's; overwriting own memory is the caller's express wish.
        unsafe {
            sys::zx_vmar_map(
                self.raw(),
                flags.bits(),
                offset as u64,
                vmo.raw(),
                vmo_offset,
                len as u64,
                &mut address,
            )
        }
        .into_result()?;
        to_usize(address)
    }

    /// Removes mappings and regions in the range. Meant for other processes and for ranges got from [`Vmar::map`]
    /// as a number: memory that safe code refers to is not the caller's to unmap.
    ///
    /// # Errors
    /// Those of `zx_vmar_unmap`.
    pub fn unmap(&self, address: usize, len: usize) -> ZxResult {
        // SAFETY: see above.
        unsafe { sys::zx_vmar_unmap(self.raw(), address, len as u64) }.into_result()
    }

    /// Changes access to mapped pages.
    ///
    /// # Errors
    /// Those of `zx_vmar_protect`.
    pub fn protect(&self, flags: VmOptions, address: usize, len: usize) -> ZxResult {
        // SAFETY: as for unmap.
        unsafe { sys::zx_vmar_protect(self.raw(), flags.bits(), address, len as u64) }.into_result()
    }

    /// Destroys the region and all in it.
    ///
    /// # Errors
    /// Those of `zx_vmar_destroy`.
    pub fn destroy(&self) -> ZxResult {
        // SAFETY: as for unmap.
        unsafe { sys::zx_vmar_destroy(self.raw()) }.into_result()
    }

    /// Decommits (2), maps ahead (3)... a range.
    ///
    /// # Errors
    /// Those of `zx_vmar_op_range`.
    pub fn op_range(&self, op: u32, address: usize, len: usize) -> ZxResult {
        // SAFETY: no buffer is passed; decommitting memory of safe code is not the caller's to do.
        unsafe { sys::zx_vmar_op_range(self.raw(), op, address, len, core::ptr::null_mut(), 0) }
            .into_result()
    }

    /// Base address and length.
    ///
    /// # Errors
    /// Those of `zx_object_get_info`.
    pub fn range(&self) -> ZxResult<(usize, usize)> {
        let [base, len] = self.get_info::<[usize; 2]>(InfoTopic::Vmar)?;
        Ok((base, len))
    }
}

/// The calls return addresses as 64-bit numbers.
fn to_usize(address: u64) -> ZxResult<usize> {
    usize::try_from(address).map_err(|_| ZxError::OutOfRange)
}

/// Memory of this program that is mapped from a VMO nobody else changes; unmapped when dropped.
#[derive(Debug)]
pub struct Mapping {
    address: usize,
    len: usize,
}

impl Mapping {
    /// Maps the whole of `vmo` readable and writable.
    ///
    /// The VMO must not be written, resized or mapped by others while the mapping is used as a slice; programs keep
    /// this by mapping only VMOs they made or that are theirs by protocol.
    ///
    /// # Errors
    /// Those of `zx_vmar_map`.
    pub fn writable(vmo: &Vmo) -> ZxResult<Self> {
        Self::new(vmo, VmOptions::PERM_READ | VmOptions::PERM_WRITE)
    }

    /// Maps the whole of `vmo` readable; see [`Mapping::writable`].
    ///
    /// # Errors
    /// Those of `zx_vmar_map`.
    pub fn readable(vmo: &Vmo) -> ZxResult<Self> {
        Self::new(vmo, VmOptions::PERM_READ)
    }

    fn new(vmo: &Vmo, flags: VmOptions) -> ZxResult<Self> {
        let len = usize::try_from(vmo.size()?).map_err(|_| ZxError::NoMemory)?;
        // Every page is about to be used: map them in one go.
        Self::with_options(vmo, flags | VmOptions::MAP_RANGE, len)
    }

    /// Maps the first `len` bytes of `vmo` as `options` say, which must include PERM_READ; see [`Mapping::writable`].
    ///
    /// # Errors
    /// Those of `zx_vmar_map`; `InvalidArgs` for memory that could not be read.
    pub fn with_options(vmo: &Vmo, options: VmOptions, len: usize) -> ZxResult<Self> {
        if !options.contains(VmOptions::PERM_READ) {
            return Err(ZxError::InvalidArgs);
        }
        let address = crate::task::with_own_root_vmar(|vmar| vmar.map(options, 0, vmo, 0, len))?;
        Ok(Self { address, len })
    }

    /// The bytes.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        // SAFETY: mapped readable for as long as `self` lives.
        unsafe { slice::from_raw_parts(core::ptr::with_exposed_provenance(self.address), self.len) }
    }

    /// The bytes, for writing; faults if the mapping is only readable.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: mapped writable for as long as `self` lives, and borrowed exclusively.
        unsafe {
            slice::from_raw_parts_mut(
                core::ptr::with_exposed_provenance_mut(self.address),
                self.len,
            )
        }
    }

    /// Where it is mapped.
    #[must_use]
    pub const fn address(&self) -> usize {
        self.address
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        let _ = crate::task::with_own_root_vmar(|vmar| vmar.unmap(self.address, self.len));
    }
}
