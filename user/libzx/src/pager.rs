//! Pagers: programs that supply the pages of VMOs.

use zx_abi::{HandleValue, ZxError, ZxResult};

use crate::handle::object;
use crate::{sys, AsHandle, Handle, Port, Vmo};

object! {
    /// What a program supplies pages through.
    Pager
}

impl Pager {
    /// A new pager.
    ///
    /// # Errors
    /// Those of `zx_pager_create`.
    pub fn create() -> ZxResult<Self> {
        let mut out: HandleValue = 0;
        // SAFETY: `out` is this frame's.
        unsafe { sys::zx_pager_create(0, &mut out) }.into_result()?;
        Ok(Self(Handle::from_raw(out)))
    }

    /// A VMO of `size` bytes whose missing pages are asked for at `port`, with `key`; option 2 makes it resizable.
    ///
    /// # Errors
    /// Those of `zx_pager_create_vmo`.
    pub fn create_vmo(&self, options: u32, port: &Port, key: u64, size: u64) -> ZxResult<Vmo> {
        let mut out: HandleValue = 0;
        // SAFETY: `out` is this frame's.
        unsafe { sys::zx_pager_create_vmo(self.raw(), options, port.raw(), key, size, &mut out) }
            .into_result()?;
        Ok(Handle::from_raw(out).into())
    }

    /// Moves `len` bytes of pages out of `source`, from `from` on, to `offset` of a VMO of this pager.
    ///
    /// # Errors
    /// Those of `zx_pager_supply_pages`.
    pub fn supply(&self, vmo: &Vmo, offset: u64, len: u64, source: &Vmo, from: u64) -> ZxResult {
        // SAFETY: the call touches no memory of the program; what VMOs hold is no safe reference's.
        unsafe {
            sys::zx_pager_supply_pages(self.raw(), vmo.raw(), offset, len, source.raw(), from)
        }
        .into_result()
    }

    /// Ends all requests of a VMO of this pager, for good.
    ///
    /// # Errors
    /// Those of `zx_pager_detach_vmo`.
    pub fn detach(&self, vmo: &Vmo) -> ZxResult {
        // SAFETY: the call touches no memory of the program.
        unsafe { sys::zx_pager_detach_vmo(self.raw(), vmo.raw()) }.into_result()
    }

    /// Fails the requests for a range with `why`.
    ///
    /// # Errors
    /// Those of `zx_pager_op_range`.
    pub fn fail(&self, vmo: &Vmo, offset: u64, len: u64, why: ZxError) -> ZxResult {
        // As a C program passes it: sign and all.
        let why = i64::from(why as i32).cast_unsigned();
        // SAFETY: the call touches no memory of the program.
        unsafe { sys::zx_pager_op_range(self.raw(), 1, vmo.raw(), offset, len, why) }.into_result()
    }
}
