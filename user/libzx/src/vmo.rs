//! Memory objects.

use zx_abi::ZxResult;

use crate::handle::object;
use crate::{sys, AsHandle, Handle, Resource};

object! {
    /// A memory object.
    Vmo
}

impl Vmo {
    /// Option of [`Vmo::create_child`] in 2020: the child's pages become its own at the latest when it writes them.
    pub const CHILD_SNAPSHOT_AT_LEAST_ON_WRITE: u32 = 16;

    /// Option of [`Vmo::create_child`]: a copy of this moment (in 2019: that may see later writes to the original).
    pub const CHILD_SNAPSHOT: u32 = 1;

    /// New zeroed memory; option 2 makes it resizable.
    ///
    /// # Errors
    /// Those of `zx_vmo_create`.
    pub fn create(size: u64, options: u32) -> ZxResult<Self> {
        let mut out = 0;
        // SAFETY: `out` is this frame's.
        unsafe { sys::zx_vmo_create(size, options, &mut out) }.into_result()?;
        Ok(Self(Handle::from_raw(out)))
    }

    /// Fills `buffer` from `offset` on.
    ///
    /// # Errors
    /// Those of `zx_vmo_read`.
    pub fn read(&self, buffer: &mut [u8], offset: u64) -> ZxResult {
        // SAFETY: `buffer` is borrowed for the call.
        unsafe { sys::zx_vmo_read(self.raw(), buffer.as_mut_ptr(), offset, buffer.len()) }
            .into_result()
    }

    /// Writes `bytes` at `offset`.
    ///
    /// # Errors
    /// Those of `zx_vmo_write`.
    pub fn write(&self, bytes: &[u8], offset: u64) -> ZxResult {
        // SAFETY: `bytes` lives through the call.
        unsafe { sys::zx_vmo_write(self.raw(), bytes.as_ptr(), offset, bytes.len()) }.into_result()
    }

    /// Size in bytes.
    ///
    /// # Errors
    /// Those of `zx_vmo_get_size`.
    pub fn size(&self) -> ZxResult<u64> {
        let mut size = 0;
        // SAFETY: `size` is this frame's.
        unsafe { sys::zx_vmo_get_size(self.raw(), &mut size) }.into_result()?;
        Ok(size)
    }

    /// Resizes a resizable VMO.
    ///
    /// # Errors
    /// Those of `zx_vmo_set_size`.
    pub fn set_size(&self, size: u64) -> ZxResult {
        // SAFETY: mappings beyond the end belong to whoever made them through raw calls.
        unsafe { sys::zx_vmo_set_size(self.raw(), size) }.into_result()
    }

    /// Commits (1), decommits (2), zeroes (10)... a range.
    ///
    /// # Errors
    /// Those of `zx_vmo_op_range`.
    pub fn op_range(&self, op: u32, offset: u64, size: u64) -> ZxResult {
        // SAFETY: no buffer is passed; the contents of VMOs are shared memory that no safe reference covers.
        unsafe { sys::zx_vmo_op_range(self.raw(), op, offset, size, core::ptr::null_mut(), 0) }
            .into_result()
    }

    /// A child; the option bits differ between ABI levels.
    ///
    /// # Errors
    /// Those of `zx_vmo_create_child`.
    pub fn create_child(&self, options: u32, offset: u64, size: u64) -> ZxResult<Self> {
        let mut out = 0;
        // SAFETY: `out` is this frame's.
        unsafe { sys::zx_vmo_create_child(self.raw(), options, offset, size, &mut out) }
            .into_result()?;
        Ok(Self(Handle::from_raw(out)))
    }

    /// The same memory with the right to map it executable; by the job's policy, without a resource.
    ///
    /// # Errors
    /// Those of `zx_vmo_replace_as_executable`.
    pub fn replace_as_executable(self, vmex: &impl AsHandle) -> ZxResult<Self> {
        let mut out = 0;
        // SAFETY: `out` is this frame's; the old value is given up.
        unsafe { sys::zx_vmo_replace_as_executable(self.0.into_raw(), vmex.raw(), &mut out) }
            .into_result()?;
        Ok(Self(Handle::from_raw(out)))
    }

    /// A window on physical memory.
    ///
    /// # Errors
    /// Those of `zx_vmo_create_physical`.
    pub fn physical(resource: &Resource, address: u64, size: usize) -> ZxResult<Self> {
        let mut out = 0;
        // SAFETY: `out` is this frame's; the VMO is mapped by whoever knows what is there.
        unsafe { sys::zx_vmo_create_physical(resource.raw(), address, size, &mut out) }
            .into_result()?;
        Ok(Self(Handle::from_raw(out)))
    }

    /// Chooses how mappings are cached.
    ///
    /// # Errors
    /// Those of `zx_vmo_set_cache_policy`.
    pub fn set_cache_policy(&self, policy: u32) -> ZxResult {
        // SAFETY: the call touches no memory of the program.
        unsafe { sys::zx_vmo_set_cache_policy(self.raw(), policy) }.into_result()
    }
}
