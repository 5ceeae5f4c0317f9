//! The pages of a VMO by index, shared between snapshots node by node.
//!
//! A radix tree with 64 entries per node. Nodes are reference counted: a snapshot takes another reference to the root, which
//! is O(1), and whoever writes first copies the path to the page it writes (`docs/adr/0003-vmo-pages-and-clone-tree.md`).
//! A page is freed when the last tree that can see it lets go, so nothing has to be merged when a VMO closes.
//!
//! # Invariants
//! - A node reached only by references of count one belongs to this tree alone; only then is it changed, except that the
//!   pages of a shared leaf may turn from `Owned` to `Shared` under its lock.
//! - Pinned pages are never in a shared leaf.
//!
//! [`tree`] finds, makes and takes pages; [`node`] is what a tree is made of; [`release`] lets pages go; [`count`] says for
//! whom they count; [`search`] finds where pages are.

mod count;
mod frames;
mod node;
mod release;
mod search;
mod tree;

pub(super) use frames::{after_release, zeroed_frame};
pub use release::release_all;
pub(super) use tree::{Change, PageTree, Sharing, Stamps, INDEX_END};
