//! Debug log records.

use crate::limits::LOG_RECORD_MAX;
use crate::wire::{options, records};

options! {
    /// Options of `debuglog_create`.
    DebuglogOptions: u32 {
        /// The handle can read.
        READABLE = 0x4000_0000,
    }
}

/// Bits that `debuglog_write` accepts as options.
pub const DEBUGLOG_FLAGS_MASK: u32 = 0xffff;
/// Bytes of text in a record.
pub const DEBUGLOG_DATA_MAX: usize = LOG_RECORD_MAX - size_of::<DebuglogHeader>();

records! {
    /// `zx_log_record_t` without its text, which follows.
    DebuglogHeader: 32 {
        /// Zero.
        reserved: u32,
        /// Bytes of text.
        datalen: u16,
        /// From `debuglog_write`.
        flags: u16,
        /// When.
        timestamp: i64,
        /// Koid of the writing process.
        pid: u64,
        /// Koid of the writing thread.
        tid: u64,
    }
}
