//! A buffer between user memory and an object: on the stack when it is small, so that short transfers allocate nothing.

use alloc::vec::Vec;
use zx_abi::{ZxError, ZxResult};

const SMALL: usize = 256;

/// The buffer.
pub(crate) struct CopyBuffer {
    small: [u8; SMALL],
    large: Vec<u8>,
    len: usize,
}

impl CopyBuffer {
    /// A buffer of `len` bytes, all zero.
    ///
    /// # Errors
    /// - `NoMemory`: the kernel heap is exhausted.
    #[inline(always)]
    pub(crate) fn new(len: usize) -> ZxResult<Self> {
        let mut large = Vec::new();
        if len > SMALL {
            large
                .try_reserve_exact(len)
                .map_err(|_| ZxError::NoMemory)?;
            large.resize(len, 0);
        }
        Ok(Self {
            small: [0; SMALL],
            large,
            len,
        })
    }

    /// Its bytes.
    #[inline(always)]
    pub(crate) fn bytes(&mut self) -> &mut [u8] {
        if self.len > SMALL {
            &mut self.large
        } else {
            &mut self.small[..self.len]
        }
    }
}
