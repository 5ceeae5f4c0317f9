//! Streams: VMOs read and written at a position.

use zx_abi::stream::Iovec;
use zx_abi::{HandleValue, ZxResult};

use crate::handle::object;
use crate::{sys, AsHandle, Handle, Vmo};

object! {
    /// A position in the content of a VMO.
    Stream
}

impl Stream {
    /// Mode of [`Stream::create`]: it can be read.
    pub const READ: u32 = 1;
    /// Mode of [`Stream::create`]: it can be written.
    pub const WRITE: u32 = 2;

    /// A stream at position `seek`.
    ///
    /// # Errors
    /// Those of `zx_stream_create`.
    pub fn create(modes: u32, vmo: &Vmo, seek: u64) -> ZxResult<Self> {
        let mut out: HandleValue = 0;
        // SAFETY: `out` is this frame's.
        unsafe { sys::zx_stream_create(modes, vmo.raw(), seek, &mut out) }.into_result()?;
        Ok(Self(Handle::from_raw(out)))
    }

    /// Reads at the position and gives how many bytes there were.
    ///
    /// # Errors
    /// Those of `zx_stream_readv`.
    pub fn read(&self, buffer: &mut [u8]) -> ZxResult<usize> {
        let (vector, mut actual) = (writable(buffer), 0);
        // SAFETY: `buffer` is borrowed for the call; the rest is this frame's.
        unsafe { sys::zx_stream_readv(self.raw(), 0, &vector, 1, &mut actual) }.into_result()?;
        Ok(actual)
    }

    /// Reads at `offset`; the position stays.
    ///
    /// # Errors
    /// Those of `zx_stream_readv_at`.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> ZxResult<usize> {
        let (vector, mut actual) = (writable(buffer), 0);
        // SAFETY: as in `read`.
        unsafe { sys::zx_stream_readv_at(self.raw(), 0, offset, &vector, 1, &mut actual) }
            .into_result()?;
        Ok(actual)
    }

    /// Writes at the position and gives how many bytes fitted.
    ///
    /// # Errors
    /// Those of `zx_stream_writev`.
    pub fn write(&self, bytes: &[u8]) -> ZxResult<usize> {
        self.write_with(0, bytes)
    }

    /// Writes at the end of the content.
    ///
    /// # Errors
    /// Those of `zx_stream_writev`.
    pub fn append(&self, bytes: &[u8]) -> ZxResult<usize> {
        self.write_with(1, bytes)
    }

    fn write_with(&self, options: u32, bytes: &[u8]) -> ZxResult<usize> {
        let (vector, mut actual) = (readable(bytes), 0);
        // SAFETY: `bytes` lives through the call; the rest is this frame's.
        unsafe { sys::zx_stream_writev(self.raw(), options, &vector, 1, &mut actual) }
            .into_result()?;
        Ok(actual)
    }

    /// Writes at `offset`; the position stays.
    ///
    /// # Errors
    /// Those of `zx_stream_writev_at`.
    pub fn write_at(&self, bytes: &[u8], offset: u64) -> ZxResult<usize> {
        let (vector, mut actual) = (readable(bytes), 0);
        // SAFETY: as in `write_with`.
        unsafe { sys::zx_stream_writev_at(self.raw(), 0, offset, &vector, 1, &mut actual) }
            .into_result()?;
        Ok(actual)
    }

    /// Moves the position, counted from the start (0), itself (1) or the end of the content (2), and gives it.
    ///
    /// # Errors
    /// Those of `zx_stream_seek`.
    pub fn seek(&self, whence: u32, offset: i64) -> ZxResult<u64> {
        let mut out = 0;
        // SAFETY: `out` is this frame's.
        unsafe { sys::zx_stream_seek(self.raw(), whence, offset, &mut out) }.into_result()?;
        Ok(out)
    }
}

fn writable(buffer: &mut [u8]) -> Iovec {
    Iovec {
        buffer: buffer.as_mut_ptr().expose_provenance(),
        capacity: buffer.len(),
    }
}

fn readable(bytes: &[u8]) -> Iovec {
    Iovec {
        buffer: bytes.as_ptr().expose_provenance(),
        capacity: bytes.len(),
    }
}
