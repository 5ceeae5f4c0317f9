//! Virtual memory address regions: how an address space is divided, and what is mapped where.
//!
//! - [`object`]: the kernel object and its calls, with the checks in Zircon's order; [`op_range`]: operations on pages;
//! - [`region`]: regions and mappings; [`tree`]: those of one address space, under its lock;
//! - [`destroy`]: how they end; [`walk`]: how they are listed;
//! - [`gap`]: where something new may go.

mod children;
mod destroy;
mod gap;
mod object;
mod op_range;
mod region;
mod tree;
mod walk;

pub use destroy::Rest;
pub(super) use destroy::STEP_PAGES;
pub use object::Vmar;
pub use op_range::RangeOp;
pub(super) use tree::RegionTree;
pub(super) use walk::Visit;
