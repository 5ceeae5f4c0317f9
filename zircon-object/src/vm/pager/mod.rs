//! Pagers: programs that supply the pages of VMOs when they are asked for.
//!
//! - [`object`]: the kernel object, and how pages get from a program into a VMO;
//! - [`source`]: what one VMO asks its pager for, and who waits for that.

pub mod object;
pub mod source;

pub use object::Pager;
pub use source::{PageRequest, PageSource};
