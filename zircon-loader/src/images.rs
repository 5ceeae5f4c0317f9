//! What the boot loader brought, and what can be wrong with it.

use core::fmt;
use zx_abi::ZxError;

/// The parts that user space is made of, as the boot loader left them in memory.
#[derive(Clone, Copy, Debug)]
pub struct BootImages {
    /// userboot, an image of two segments.
    pub userboot: &'static [u8],
    /// The vDSO, an image of two segments.
    pub vdso: &'static [u8],
    /// The boot image (ZBI) with BOOTFS.
    pub zbi: &'static [u8],
    /// The image of the decompressor that userboots of 2019 start, if there is one.
    pub decompressor: Option<&'static [u8]>,
    /// Words for the kernel and for user space, separated by blanks.
    pub cmdline: &'static str,
}

/// Why user space could not be started. Each is one line that names the part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LoadError {
    /// An image is not usable.
    Image {
        /// Which one.
        part: &'static str,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The kernel ran out of memory, or a step failed that should not.
    Failed {
        /// What was being done.
        step: &'static str,
        /// How it failed.
        error: ZxError,
    },
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image { part, why } => write!(f, "{part} {why}"),
            Self::Failed { step, error } => write!(f, "{step}: {error}"),
        }
    }
}

/// Names the step in which an error happened.
pub(crate) trait During<T> {
    /// The error as a [`LoadError`].
    fn during(self, step: &'static str) -> Result<T, LoadError>;
}

impl<T> During<T> for Result<T, ZxError> {
    fn during(self, step: &'static str) -> Result<T, LoadError> {
        self.map_err(|error| LoadError::Failed { step, error })
    }
}
