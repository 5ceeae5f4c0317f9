//! `zbi list`: the items of an image and the files of its BOOTFS.

use std::path::PathBuf;

use clap::Args;

use super::{in_file, read};
use crate::bootfs;
use crate::compression::Compression;
use zx_abi::zbi::ZBI_FLAG_CRC32;

use crate::image::{Image, Item};
use crate::item_type::ItemType;

/// List the items and the files of the BOOTFS, with their sizes
#[derive(Args, Debug)]
pub struct List {
    /// The image
    image: PathBuf,
}

impl List {
    /// # Errors
    /// One line that names the fault in the image.
    pub(super) fn run(self) -> Result<(), String> {
        let data = read(&self.image)?;
        let image = Image::parse(&data).map_err(in_file(&self.image))?;
        println!(
            "{}: {} items, {} bytes",
            self.image.display(),
            image.items.len(),
            image.container.payload.len()
        );
        for item in &image.items {
            let crc = if item.header.flags & ZBI_FLAG_CRC32 == 0 {
                "no CRC"
            } else {
                "CRC"
            };
            println!(
                "{:#010x} {:<18} {:>12} bytes, {crc}{}",
                item.offset,
                item.item_type,
                item.payload.len(),
                note(item)
            );
            if item.item_type == ItemType::BOOTFS {
                let plain = item.plain().map_err(in_file(&self.image))?;
                for entry in bootfs::parse(&plain).map_err(in_file(&self.image))? {
                    println!(
                        "  {:#010x} {:>12} {}",
                        entry.offset,
                        entry.data.len(),
                        entry.name
                    );
                }
            }
        }
        Ok(())
    }
}

fn note(item: &Item<'_>) -> String {
    if item.item_type == ItemType::CMDLINE {
        let words = String::from_utf8_lossy(item.payload);
        return format!(": {}", words.trim_end_matches('\0'));
    }
    if !item.is_compressed() {
        return String::new();
    }
    match Compression::of(item.payload) {
        Some(kind) => format!(", {kind} of {} bytes", item.header.extra),
        None => ", unknown compression".to_owned(),
    }
}
