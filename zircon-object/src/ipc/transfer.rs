//! Transfers into and out of an object's memory by somebody else's hands: the object lends the place, the caller copies.
//!
//! So bytes go between a program and a ring in one copy, although objects know nothing of user memory. The caller's function runs
//! with the object's lock held; it copies and does nothing else. When it fails, the transfer has not happened.

use zx_abi::ZxError;

/// Why a transfer did not happen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failed<E> {
    /// The object says so.
    Object(ZxError),
    /// The copy failed: the caller's own error.
    Copy(E),
}

impl<E> From<ZxError> for Failed<E> {
    #[inline(always)]
    fn from(error: ZxError) -> Self {
        Self::Object(error)
    }
}

/// What happens to bytes that were copied out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum After {
    /// They are gone from the object.
    Remove,
    /// They stay (peek).
    Keep,
}
