//! What rboot tells the kernel: the one structure both sides share.
//!
//! rboot fills a [`BootInfo`], enters the kernel with its *virtual* (direct map) address in `rdi`, and is gone. The
//! structure is `#[repr(C)]` and versioned: the kernel calls [`BootInfo::check`] before it believes a word, so a loader
//! and a kernel of different builds meet with a message and not with a crash.
//!
//! **Addresses.** Every field says what it is: *physical* (reach it by adding [`PHYS_OFFSET`]) or *virtual*. A range that
//! is absent has length 0. Everything rboot loaded or built for the kernel, this structure included, lies in regions of
//! kind [`RegionKind::Loaded`], so an allocator that takes only `Usable` and `BootloaderReclaimable` never steps on it.
//!
//! The state of the CPU at entry is described in `docs/boot.md`, "rboot to kernel". Start reading at [`BootInfo`];
//! [`memory`] has the memory map and [`layout`] the fixed virtual addresses.
#![no_std]

mod image;
mod info;
pub mod layout;
pub mod memory;

pub use image::{Framebuffer, Images, PhysRange, PixelFormat};
pub use info::{BootInfo, BootInfoError, KernelRange};
pub use layout::{phys_to_virt, KERNEL_BASE, PHYS_OFFSET};
pub use memory::{MemoryRegion, RegionKind, PAGE_SIZE};
