//! Waiting for signals.

use crate::wire::{options, records};
use crate::{HandleValue, Signals};

options! {
    /// Options of `object_wait_async`.
    WaitAsyncOptions: u32 {
        /// The packet carries the time at which it was queued.
        TIMESTAMP = 1,
        /// Only signals that become set count, not those that are set already.
        EDGE = 2,
    }
}

records! {
    /// `zx_wait_item_t`.
    WaitItem: 12 {
        /// What to wait on.
        handle: HandleValue,
        /// Which signals end the wait.
        waitfor: Signals,
        /// Which signals were seen.
        pending: Signals,
    }
}
