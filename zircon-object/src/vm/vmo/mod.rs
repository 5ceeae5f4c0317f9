//! Virtual memory objects: sized arrays of pages.
//!
//! - [`object`]: the kernel object, how one is made, its properties and its mappings;
//! - [`memory`]: what a VMO consists of under its lock, and how a page is found or made;
//! - [`missing`]: pages that a pager has, or the VMO behind a child of such a one; [`ask`]: what the
//!   pager is asked for;
//! - [`original`]: contiguous memory and its copies;
//! - [`range`]: commit, decommit, zero, resize, cache policy;
//! - [`transfer`]: reading and writing by syscalls;
//! - [`child`]: snapshots and slices; [`family`]: who descends from whom;
//! - [`info`]: what `object_get_info` tells.

mod ask;
mod child;
mod family;
mod info;
mod memory;
mod missing;
mod object;
mod original;
mod range;
mod transfer;

pub use child::ChildKind;
pub use memory::CommitAccess;
pub(super) use memory::Resolved;
#[cfg(test)]
pub(super) use object::warm_zero_frame;
pub use object::{Resizable, Vmo};
pub use transfer::Progress;
