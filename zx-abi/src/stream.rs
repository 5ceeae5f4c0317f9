//! Streams and sockets: options and vectors.

use crate::wire::{numbers, options, records};

options! {
    /// Options of `stream_create`.
    StreamOptions: u32 {
        /// Can be read.
        MODE_READ = 1,
        /// Can be written.
        MODE_WRITE = 2,
    }
    /// Options of `stream_writev`.
    StreamWriteOptions: u32 {
        /// At the end.
        APPEND = 1,
    }
    /// Options of `socket_create`.
    SocketOptions: u32 {
        /// Keeps message boundaries.
        DATAGRAM = 1,
        /// Has a control plane (2018).
        HAS_CONTROL = 2,
        /// Can accept sockets (2018, 2019).
        HAS_ACCEPT = 4,
    }
    /// Options of `socket_shutdown`.
    SocketShutdown: u32 {
        /// No more writing.
        WRITE = 1,
        /// No more reading.
        READ = 2,
    }
    /// Options of `socket_read` and `socket_write`.
    SocketIoOptions: u32 {
        /// The control plane (2018).
        CONTROL = 4,
        /// Leave the data in the socket.
        PEEK = 8,
    }
}

numbers! {
    /// From where `stream_seek` counts.
    SeekOrigin: u32 {
        /// The start.
        Start = 0,
        /// Where it is.
        Current = 1,
        /// The end of the content.
        End = 2,
    }
}

records! {
    /// `zx_iovec_t`. The buffer is a user address.
    Iovec: 16 {
        /// Address.
        buffer: usize,
        /// Bytes.
        capacity: usize,
    }
    /// `zx_string_view_t`: what `system_get_version_string` returns.
    StringView: 16 {
        /// Address of the first byte.
        data: usize,
        /// Bytes, without the NUL that follows.
        length: usize,
    }
}
