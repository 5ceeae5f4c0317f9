//! `zbi verify`: structure, CRCs, compressed payloads and the BOOTFS of an image.

use std::path::PathBuf;

use clap::Args;

use super::{in_file, read};
use crate::bootfs;
use crate::image::Image;
use crate::item_type::ItemType;

/// Check structure, CRCs and BOOTFS; exit code 1 if anything is wrong
#[derive(Args, Debug)]
pub struct Verify {
    /// The image
    image: PathBuf,
}

impl Verify {
    /// # Errors
    /// All faults, one line each, with the item and its offset.
    pub(super) fn run(self) -> Result<(), String> {
        let data = read(&self.image)?;
        let faults = faults(&data);
        if faults.is_empty() {
            println!("{}: sound", self.image.display());
            return Ok(());
        }
        let lines: Vec<_> = faults.into_iter().map(in_file(&self.image)).collect();
        Err(lines.join("\n"))
    }
}

/// Everything that is wrong with an image. A fault of structure hides what comes after it.
fn faults(data: &[u8]) -> Vec<String> {
    let image = match Image::parse(data) {
        Ok(image) => image,
        Err(fault) => return vec![fault.to_string()],
    };
    let mut faults: Vec<_> = image.check_crcs().iter().map(ToString::to_string).collect();
    for item in image
        .items
        .iter()
        .filter(|item| item.item_type.is_storage())
    {
        let plain = match item.plain() {
            Ok(plain) => plain,
            Err(fault) => {
                faults.push(fault);
                continue;
            }
        };
        if item.item_type == ItemType::BOOTFS {
            if let Err(fault) = bootfs::parse(&plain) {
                faults.push(format!(
                    "at {:#x}: item {}: {fault}",
                    item.offset, item.item_type
                ));
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compression::{compress, Compression};
    use zx_abi::zbi::ZBI_FLAG_STORAGE_COMPRESSED;

    use crate::image::Writer;

    fn image(flags: u32, extra: u32, payload: &[u8]) -> Vec<u8> {
        let mut writer = Writer::new();
        writer
            .push(ItemType::BOOTFS, extra, flags, payload)
            .unwrap();
        writer.finish().unwrap()
    }

    #[test]
    fn a_sound_image_has_no_faults_whatever_its_compression() {
        let plain = bootfs::build([("bin/a", &b"alpha"[..])].into_iter()).unwrap();
        let size = u32::try_from(plain.len()).unwrap();
        assert_eq!(faults(&image(0, size, &plain)), [""; 0]);
        for kind in [Compression::Lz4, Compression::Zstd] {
            let frame = compress(&plain, kind, &|_| ()).unwrap();
            assert_eq!(
                faults(&image(ZBI_FLAG_STORAGE_COMPRESSED, size, &frame)),
                [""; 0]
            );
        }
    }

    #[test]
    fn a_fault_inside_a_payload_names_item_and_offset() {
        assert_eq!(
            faults(&image(0, 4, b"junk")),
            ["at 0x20: item STORAGE_BOOTFS: no BOOTFS: it starts with 0x6b6e756a and not 0xa56d3ff9"]
        );
        assert_eq!(
            faults(&image(ZBI_FLAG_STORAGE_COMPRESSED, 4, b"junk")),
            ["at 0x20: item STORAGE_BOOTFS: unknown compression (payload starts with 0x6b6e756a)"]
        );
    }
}
