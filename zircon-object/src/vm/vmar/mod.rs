//! Virtual memory address regions: how an address space is divided, and what is mapped where.
//!
//! - [`object`]: the kernel object and its calls, with the checks in Zircon's order;
//! - [`tree`]: the regions of one address space, under its lock;
//! - [`gap`]: where something new may go.

mod gap;
mod object;
mod tree;

pub use object::{RangeOp, Vmar};
pub(super) use tree::{Left, RegionTree, Visit};
