//! The UEFI loader: firmware to kernel in one step.
//!
//! rboot reads `rboot.conf` from the partition it was started from, loads what the file names, checks it, builds page
//! tables, leaves the boot services, and enters the kernel with a [`boot_info::BootInfo`]. What can go wrong is said in one
//! line on screen and serial port, starting with `rboot: `, and the machine stops.
//!
//! This library holds the parts that only compute and are tested on the host: configuration, ELF and ZBI checks, page
//! tables, memory map. The program (`main.rs` and the modules below it) does what needs the firmware; start reading at
//! `main.rs`. The state the kernel starts in is described in `docs/boot.md`, "rboot to kernel".
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod config;
pub mod device_path;
pub mod elf;
pub mod memory_map;
pub mod paging;
pub mod wall_clock;
pub mod zbi;
