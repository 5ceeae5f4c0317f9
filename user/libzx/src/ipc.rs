//! Channels, sockets, fifos and the debug log.

use alloc::vec::Vec;

use zx_abi::{HandleDisposition, HandleInfo, HandleValue, ZxError, ZxResult};

use crate::handle::object;
use crate::{sys, AsHandle, Handle, Resource};

object! {
    /// One end of a channel.
    Channel
}

/// What came out of a channel.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Message {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// The handles, now owned by this program.
    pub handles: Vec<Handle>,
}

impl Channel {
    /// Two ends of a new channel.
    ///
    /// # Errors
    /// Those of `zx_channel_create`.
    pub fn create() -> ZxResult<(Self, Self)> {
        let (mut left, mut right) = (0, 0);
        // SAFETY: both results are this frame's.
        unsafe { sys::zx_channel_create(0, &mut left, &mut right) }.into_result()?;
        Ok((Self(Handle::from_raw(left)), Self(Handle::from_raw(right))))
    }

    /// Sends bytes and handles. The handles are gone in any case, as the call has it.
    ///
    /// # Errors
    /// Those of `zx_channel_write`.
    pub fn write(&self, bytes: &[u8], handles: Vec<Handle>) -> ZxResult {
        let values: Vec<HandleValue> = handles.into_iter().map(Handle::into_raw).collect();
        let (num_bytes, num_handles) = (count(bytes.len())?, count(values.len())?);
        // SAFETY: both slices live through the call; the handles were given up above.
        unsafe {
            sys::zx_channel_write(
                self.raw(),
                0,
                bytes.as_ptr(),
                num_bytes,
                values.as_ptr(),
                num_handles,
            )
        }
        .into_result()
    }

    /// Takes the next message.
    ///
    /// # Errors
    /// Those of `zx_channel_read`; `ShouldWait` when there is none.
    pub fn read(&self) -> ZxResult<Message> {
        let mut room = (1024, 8);
        loop {
            let mut bytes = alloc::vec![0; room.0];
            let mut values = alloc::vec![0; room.1];
            let (status, num_bytes, num_handles) = self.read_raw(&mut bytes, &mut values);
            if status == Err(ZxError::BufferTooSmall)
                && (num_bytes > room.0 || num_handles > room.1)
            {
                room = (num_bytes.max(room.0), num_handles.max(room.1));
                continue;
            }
            status?;
            bytes.truncate(num_bytes);
            let handles = values
                .into_iter()
                .take(num_handles)
                .map(Handle::from_raw)
                .collect();
            return Ok(Message { bytes, handles });
        }
    }

    /// `zx_channel_read` into the caller's buffers: result, bytes and handles read (or needed).
    pub fn read_raw(
        &self,
        bytes: &mut [u8],
        handles: &mut [HandleValue],
    ) -> (ZxResult, usize, usize) {
        let (mut num_bytes, mut num_handles) = (0, 0);
        let (Ok(byte_room), Ok(handle_room)) = (count(bytes.len()), count(handles.len())) else {
            return (Err(ZxError::OutOfRange), 0, 0);
        };
        // SAFETY: both buffers are borrowed for the call; the counts are this frame's.
        let status = unsafe {
            sys::zx_channel_read(
                self.raw(),
                0,
                bytes.as_mut_ptr(),
                handles.as_mut_ptr(),
                byte_room,
                handle_room,
                &mut num_bytes,
                &mut num_handles,
            )
        };
        (
            status.into_result(),
            num_bytes as usize,
            num_handles as usize,
        )
    }

    /// `zx_channel_write` of handle values the caller owns; they are gone in any case.
    ///
    /// # Errors
    /// Those of `zx_channel_write`.
    pub fn write_raw(&self, bytes: &[u8], handles: &[HandleValue]) -> ZxResult {
        let (num_bytes, num_handles) = (count(bytes.len())?, count(handles.len())?);
        let (bytes, handles) = (bytes.as_ptr(), handles.as_ptr());
        // SAFETY: both slices live through the call.
        unsafe { sys::zx_channel_write(self.raw(), 0, bytes, num_bytes, handles, num_handles) }
            .into_result()
    }

    /// `zx_channel_write_etc`; each entry says what became of its handle.
    ///
    /// # Errors
    /// Those of `zx_channel_write_etc`.
    pub fn write_etc_raw(&self, bytes: &[u8], handles: &mut [HandleDisposition]) -> ZxResult {
        let (num_bytes, num_handles) = (count(bytes.len())?, count(handles.len())?);
        let (bytes, handles) = (bytes.as_ptr(), handles.as_mut_ptr());
        // SAFETY: `bytes` lives through the call, the entries are borrowed for it.
        unsafe { sys::zx_channel_write_etc(self.raw(), 0, bytes, num_bytes, handles, num_handles) }
            .into_result()
    }

    /// `zx_channel_read_etc` into the caller's buffers: result, bytes and handles read (or needed).
    pub fn read_etc_raw(
        &self,
        bytes: &mut [u8],
        handles: &mut [HandleInfo],
    ) -> (ZxResult, usize, usize) {
        let (mut num_bytes, mut num_handles) = (0, 0);
        let (Ok(byte_room), Ok(handle_room)) = (count(bytes.len()), count(handles.len())) else {
            return (Err(ZxError::OutOfRange), 0, 0);
        };
        // SAFETY: both buffers are borrowed for the call; the counts are this frame's.
        let status = unsafe {
            sys::zx_channel_read_etc(
                self.raw(),
                0,
                bytes.as_mut_ptr(),
                handles.as_mut_ptr(),
                byte_room,
                handle_room,
                &mut num_bytes,
                &mut num_handles,
            )
        };
        let (num_bytes, num_handles) = (num_bytes as usize, num_handles as usize);
        (status.into_result(), num_bytes, num_handles)
    }

    /// Waits for a message and takes it.
    ///
    /// # Errors
    /// `TimedOut`, or `PeerClosed` when the channel is empty and the peer is gone.
    pub fn read_by(&self, deadline: i64) -> ZxResult<Message> {
        use zx_abi::Signals;
        self.wait_one(
            Signals::CHANNEL_READABLE | Signals::CHANNEL_PEER_CLOSED,
            deadline,
        )?;
        self.read()
    }
}

object! {
    /// One end of a socket.
    Socket
}

impl Socket {
    /// Two ends of a new socket; options: stream 0, datagram 1.
    ///
    /// # Errors
    /// Those of `zx_socket_create`.
    pub fn create(options: u32) -> ZxResult<(Self, Self)> {
        let (mut left, mut right) = (0, 0);
        // SAFETY: both results are this frame's.
        unsafe { sys::zx_socket_create(options, &mut left, &mut right) }.into_result()?;
        Ok((Self(Handle::from_raw(left)), Self(Handle::from_raw(right))))
    }

    /// Writes what fits and says how much.
    ///
    /// # Errors
    /// Those of `zx_socket_write`.
    pub fn write(&self, options: u32, bytes: &[u8]) -> ZxResult<usize> {
        let mut actual = 0;
        // SAFETY: `bytes` lives through the call, `actual` is this frame's.
        unsafe {
            sys::zx_socket_write(
                self.raw(),
                options,
                bytes.as_ptr(),
                bytes.len(),
                &mut actual,
            )
        }
        .into_result()?;
        Ok(actual)
    }

    /// Reads what is there and says how much.
    ///
    /// # Errors
    /// Those of `zx_socket_read`.
    pub fn read(&self, options: u32, buffer: &mut [u8]) -> ZxResult<usize> {
        let mut actual = 0;
        // SAFETY: the buffer is borrowed for the call, `actual` is this frame's.
        unsafe {
            sys::zx_socket_read(
                self.raw(),
                options,
                buffer.as_mut_ptr(),
                buffer.len(),
                &mut actual,
            )
        }
        .into_result()?;
        Ok(actual)
    }

    /// Ends one or both directions.
    ///
    /// # Errors
    /// Those of `zx_socket_shutdown`.
    pub fn shutdown(&self, options: u32) -> ZxResult {
        // SAFETY: the call touches no memory of the program.
        unsafe { sys::zx_socket_shutdown(self.raw(), options) }.into_result()
    }
}

object! {
    /// One end of a fifo.
    Fifo
}

impl Fifo {
    /// Two ends of a new fifo.
    ///
    /// # Errors
    /// Those of `zx_fifo_create`.
    pub fn create(elem_count: usize, elem_size: usize, options: u32) -> ZxResult<(Self, Self)> {
        let (mut left, mut right) = (0, 0);
        // SAFETY: both results are this frame's.
        unsafe { sys::zx_fifo_create(elem_count, elem_size, options, &mut left, &mut right) }
            .into_result()?;
        Ok((Self(Handle::from_raw(left)), Self(Handle::from_raw(right))))
    }

    /// Writes whole elements and says how many fitted.
    ///
    /// # Errors
    /// Those of `zx_fifo_write`.
    pub fn write(&self, elem_size: usize, data: &[u8]) -> ZxResult<usize> {
        let (mut actual, elements) = (0, data.len().checked_div(elem_size).unwrap_or(0));
        // SAFETY: `data` holds that many elements and lives through the call.
        unsafe { sys::zx_fifo_write(self.raw(), elem_size, data.as_ptr(), elements, &mut actual) }
            .into_result()?;
        Ok(actual)
    }

    /// Reads whole elements and says how many there were.
    ///
    /// # Errors
    /// Those of `zx_fifo_read`.
    pub fn read(&self, elem_size: usize, data: &mut [u8]) -> ZxResult<usize> {
        let (mut actual, elements) = (0, data.len().checked_div(elem_size).unwrap_or(0));
        // SAFETY: `data` has room for that many elements and is borrowed for the call.
        unsafe {
            sys::zx_fifo_read(
                self.raw(),
                elem_size,
                data.as_mut_ptr(),
                elements,
                &mut actual,
            )
        }
        .into_result()?;
        Ok(actual)
    }
}

object! {
    /// A handle to the kernel's debug log.
    Debuglog
}

impl Debuglog {
    /// Opens the log; option 0x40000000 makes it readable.
    ///
    /// # Errors
    /// Those of `zx_debuglog_create`.
    pub fn create(resource: &Resource, options: u32) -> ZxResult<Self> {
        let mut out = 0;
        // SAFETY: `out` is this frame's.
        unsafe { sys::zx_debuglog_create(resource.raw(), options, &mut out) }.into_result()?;
        Ok(Self(Handle::from_raw(out)))
    }

    /// Adds one line.
    ///
    /// # Errors
    /// Those of `zx_debuglog_write`.
    pub fn write(&self, line: &[u8]) -> ZxResult {
        // SAFETY: `line` lives through the call.
        unsafe { sys::zx_debuglog_write(self.raw(), 0, line.as_ptr(), line.len()) }.into_result()
    }

    /// Reads one record (header and text) and gives its length.
    ///
    /// # Errors
    /// Those of `zx_debuglog_read`; `ShouldWait` when there is none.
    pub fn read(&self, record: &mut [u8]) -> ZxResult<usize> {
        // SAFETY: `record` is borrowed for the call.
        let status =
            unsafe { sys::zx_debuglog_read(self.raw(), 0, record.as_mut_ptr(), record.len()) };
        status.into_result()?;
        Ok(usize::try_from(status.0).unwrap_or(0))
    }
}

/// A length as the call takes it.
fn count(len: usize) -> ZxResult<u32> {
    u32::try_from(len).map_err(|_| ZxError::OutOfRange)
}
