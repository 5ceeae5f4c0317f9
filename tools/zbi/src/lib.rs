//! Boot images: the ZBI container, the BOOTFS inside it, and their compression.
//!
//! The `zbi` program is a thin command line over this library, which the test harness uses too, to build images that are
//! broken on purpose. [`image`] reads and writes the container, [`bootfs`] the file system in its STORAGE_BOOTFS item,
//! [`compression`] the frames around that. Reading never panics, whatever the bytes are: every fault is an
//! [`image::Fault`] or [`bootfs::Fault`] that names the place.
//!
//! The formats are those of `facts/boot.md`, section 7. Start reading at [`image::Image::parse`].
#![forbid(unsafe_code)]

pub mod bootfs;
pub mod bytes;
pub mod command;
pub mod compression;
pub mod image;
pub mod item_type;
