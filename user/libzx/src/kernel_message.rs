//! What the kernel tells userboot.

use alloc::vec::Vec;

use crate::Handle;

/// What the kernel says to userboot.
#[derive(Debug)]
pub struct KernelMessage {
    /// The command line, words separated by NULs.
    pub cmdline: Vec<u8>,
    /// The handles in the kernel's order. libzx owns the first two, userboot's process and root VMAR; their places
    /// hold no handle.
    pub handles: Vec<Handle>,
}
