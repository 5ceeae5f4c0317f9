//! Frames for pages: when none is free, those of trees that wait to be let go.

use super::release::release_some;
use kernel_hal::frame::Frame;

/// A frame of zeros, or `None` when memory has run out.
#[inline(always)]
pub(in crate::vm) fn zeroed_frame() -> Option<Frame> {
    match Frame::zeroed() {
        Some(frame) => Some(frame),
        None => after_release(Frame::zeroed),
    }
}

/// A frame with the contents of another one, or `None` when memory has run out.
pub(super) fn copied_frame(from: &Frame) -> Option<Frame> {
    match from.duplicate() {
        Some(frame) => Some(frame),
        None => after_release(|| from.duplicate()),
    }
}

/// Tries again until it succeeds or nothing waits to be let go.
#[cold]
pub(in crate::vm) fn after_release<T>(mut take: impl FnMut() -> Option<T>) -> Option<T> {
    while release_some() {
        let taken = take();
        if taken.is_some() {
            return taken;
        }
    }
    None
}
