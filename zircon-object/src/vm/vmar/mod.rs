//! Virtual memory address regions: how an address space is divided, and what is mapped where.
//!
//! - [`object`]: the kernel object and its calls, with the checks in Zircon's order;
//! - [`region`]: regions and mappings; [`tree`]: those of one address space, under its lock;
//! - [`destroy`]: how they end; [`walk`]: how they are listed;
//! - [`gap`]: where something new may go.

mod destroy;
mod gap;
mod object;
mod region;
mod tree;
mod walk;

pub(super) use destroy::Left;
pub use object::{RangeOp, Vmar};
pub(super) use tree::RegionTree;
pub(super) use walk::Visit;
