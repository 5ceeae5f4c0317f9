//! What the kernel says about itself: the debug log and its counters.

pub mod counter;
pub mod debuglog;
mod log_ring;

pub use debuglog::DebugLog;
