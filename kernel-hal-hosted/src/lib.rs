//! The HAL in a host process: real objects run in `cargo test`, on pretended hardware
//!
//! A crate that wants to run kernel code in its tests lists this one in `[dev-dependencies]` and calls [`init`] first in
//! each test. Nothing else depends on it.
//!
//! ```
//! use kernel_hal::frame::Frame;
//!
//! kernel_hal_hosted::init();
//! let balance = kernel_hal_hosted::frame::FrameBalance::start();
//! kernel_hal_hosted::frame::set_frame_limit(1);
//! let only = Frame::zeroed().unwrap();
//! assert!(Frame::zeroed().is_none());
//! drop(only);
//! drop(balance); // panics when a frame has leaked
//! ```
//!
//! # What belongs to whom
//! - *Per test*: a [`Machine`] with its frame limit, counters, console, interrupt lines and random numbers. Each thread gets
//!   one of its own when it first asks, and the harness runs each test in a thread of its own, so tests do not see each other.
//!   A test that starts threads takes [`Machine::current`] and lets each of them [`Machine::enter`] it.
//! - *Per thread*, because a thread stands for a CPU: the active page table.
//! - *Per process*: the clock and its timer ([`time`]), because the kernel's timer queue is a static too. [`time::hold`] gives
//!   the clock to one test at a time; only its holder can move it.
//! - *Per process*: RAM and page tables. Addresses are never used twice, so every use of a frame after it was freed, and every
//!   second free, is a panic that says so.
//!
//! # How it gets linked
//! The weak bodies in `kernel-hal` would satisfy the linker, and an archive member that only holds stronger ones is not looked
//! at. So this crate is compiled as one unit (`[profile.dev.package.kernel-hal-hosted]` in the workspace), and [`init`], which a
//! test refers to by name, pulls that unit in; then strong beats weak. `tests/linked.rs` here holds that in place.

pub mod console;
mod context;
pub mod cpu;
pub mod frame;
pub mod heap;
pub mod irq;
mod machine;
pub mod paging;
mod phys;
mod rng;
pub mod time;
mod user_copy;

pub use machine::{init, reset, Machine};
