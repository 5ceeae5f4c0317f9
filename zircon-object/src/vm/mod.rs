//! Memory: VMOs, which hold pages; VMARs, which divide address spaces; and the faults that bring the two together.
//!
//! - [`Vmo`] owns pages by index ([`page_tree`]); snapshots share them node by node, slices are windows.
//! - [`AddressSpace`] is one per process: a page table and a tree of regions; [`Vmar`] is a handle's view of one region.
//! - A fault looks up the region, asks the VMO for the page and enters it into the page table ([`AddressSpace::fault`]).
//!
//! # Invariants
//! - Locks nest in this order: address space, VMO, leaf of a page tree, page table. A VMO's family lock is taken alone, or
//!   under its lock and that of a leaf. No two VMOs are locked at once, except a slice's use of its parent, which locks only the parent.
//! - A child of a pager's VMO is locked before its parent, and a VMO before the source of its pages ([`pager`]).
//! - A page is in a page table only while its VMO has it at that index: whoever takes it away does so under the VMO's lock,
//!   and takes it out of every view first ([`registry`]).
//! - A writable translation exists only for a page that the VMO does not share with another.
//! - User memory is copied at most a page at a time under a VMO's lock, and such a copy gives up at a fault, never resolves it.

mod fault;
mod hw;
pub mod memory_watchdog;
mod page_tree;
pub mod pager;
mod registry;
mod space;
pub mod stream;
#[cfg(test)]
mod tests;
mod vmar;
mod vmo;

pub use fault::Fault;
pub use page_tree::release_all;
pub use pager::{PageRequest, Pager};
pub use space::{set_aslr, AddressSpace, Aslr, MemoryStats, RegionInfo, RegionKind};
pub use stream::Stream;
pub use vmar::{RangeOp, Rest, Vmar};
pub use vmo::{ChildKind, CommitAccess, Progress, Resizable, Vmo};
pub use zx_abi::VmOptions;
/// Options of VMAR calls under the name that the callers in this crate use.
pub use zx_abi::VmOptions as VmarOptions;

pub use kernel_hal::PAGE_SIZE;

pub(crate) const PAGE: usize = PAGE_SIZE;
pub(crate) const PAGE_BYTES: u64 = PAGE_SIZE as u64;

bitflags::bitflags! {
    /// What may be done with mapped memory; the bits are those of `ZX_VM_PERM_*`.
    #[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
    pub struct Perms: u32 {
        /// Loads.
        const READ = 1;
        /// Stores.
        const WRITE = 2;
        /// Instruction fetches.
        const EXECUTE = 4;
        /// Everything: the cap of mappings that the kernel makes for itself.
        const ALL = 7;
    }
}
