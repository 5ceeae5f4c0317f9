//! What the kernel says about itself: the debug log.

pub mod debuglog;
mod log_ring;

pub use debuglog::DebugLog;
