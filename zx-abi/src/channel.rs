//! Channels: options and the records of the `_etc` calls and of `channel_call`.

use crate::wire::{numbers, options, records};
use crate::{HandleValue, Rights};

options! {
    /// Options of `channel_read`.
    ChannelReadOptions: u32 {
        /// A message that does not fit is dropped.
        MAY_DISCARD = 1,
    }
}

numbers! {
    /// What `channel_write_etc` does with a handle (`ZX_HANDLE_OP_*`).
    HandleOp: u32 {
        /// The handle leaves the caller.
        Move = 0,
        /// The caller keeps it.
        Duplicate = 1,
    }
}

records! {
    /// `zx_handle_info_t`: a handle as `channel_read_etc` returns it.
    HandleInfo: 16 {
        /// Value in the reading process.
        handle: HandleValue,
        /// Number of the object type.
        kind: u32,
        /// Rights.
        rights: Rights,
        /// Zero.
        unused: u32,
    }
    /// `zx_handle_disposition_t`: a handle as `channel_write_etc` takes it.
    HandleDisposition: 20 {
        /// Number of the [`HandleOp`].
        operation: u32,
        /// Value in the writing process.
        handle: HandleValue,
        /// Number of the object type it must have, 0 for any.
        kind: u32,
        /// Rights it arrives with.
        rights: Rights,
        /// Why this handle failed; 0 on entry.
        result: i32,
    }
    /// `zx_channel_call_args_t`. Pointers are user addresses.
    ChannelCallArgs: 48 {
        /// Bytes to send.
        wr_bytes: usize,
        /// Handles to send.
        wr_handles: usize,
        /// Where the reply's bytes go.
        rd_bytes: usize,
        /// Where the reply's handles go.
        rd_handles: usize,
        /// How many bytes to send.
        wr_num_bytes: u32,
        /// How many handles to send.
        wr_num_handles: u32,
        /// Room for the reply's bytes.
        rd_num_bytes: u32,
        /// Room for the reply's handles.
        rd_num_handles: u32,
    }
}
