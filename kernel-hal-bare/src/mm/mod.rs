//! Memory: frames, heap, page tables, and copies to and from user space.
//!
//! All physical memory is reached through the direct map ([`direct`]). Frames come from [`frame_allocator`]; the kernel's
//! own needs (heap, page tables) may use a reserve there that user pages cannot, so a program that takes all memory leaves
//! the kernel able to answer. [`user_copy`] is the only code that touches user addresses; [`fault_table`] tells the page
//! fault handler where it goes on when such an access fails.

pub(crate) mod direct;
pub(crate) mod fault_table;
pub(crate) mod frame_allocator;
pub(crate) mod heap;
pub(crate) mod page_table;
mod table;
pub(crate) mod tlb;
pub(crate) mod user_copy;
