//! Futexes: threads that wait for a word of user memory.

/// The futexes of one process.
#[derive(Debug, Default)]
pub struct FutexTable {}

impl FutexTable {
    /// Nobody waits.
    #[must_use]
    pub const fn new() -> Self {
        Self {}
    }
}
