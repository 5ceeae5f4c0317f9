//! `zbi extract`: files of the BOOTFS, or whole items, become files.

use std::path::{Component, Path, PathBuf};

use clap::Args;

use super::{in_file, progress_bar, read, write};
use crate::bootfs;
use crate::image::Image;
use crate::item_type::ItemType;

/// Extract files of the BOOTFS, or items
#[derive(Args, Debug)]
pub struct Extract {
    /// The image
    image: PathBuf,
    /// Where to put what is extracted
    #[arg(short, long, default_value = ".")]
    output: PathBuf,
    /// Extract items (named NUMBER-TYPE.bin, decompressed) and not files
    #[arg(long)]
    items: bool,
    /// Files, or item types with --items; all if none is named
    names: Vec<String>,
}

impl Extract {
    /// # Errors
    /// One line that names the fault in the image, a name that is not in it, or a file that could not be written.
    pub(super) fn run(self) -> Result<(), String> {
        let data = read(&self.image)?;
        let image = Image::parse(&data).map_err(in_file(&self.image))?;
        let mut missing = self.names.clone();
        if self.items {
            self.extract_items(&image, &mut missing)?;
        } else {
            self.extract_files(&image, &mut missing)?;
        }
        match missing.first() {
            Some(name) => Err(format!(
                "{}: there is no {name} in it",
                self.image.display()
            )),
            None => Ok(()),
        }
    }

    fn extract_items(&self, image: &Image<'_>, missing: &mut Vec<String>) -> Result<(), String> {
        let wanted: Vec<_> = self
            .names
            .iter()
            .filter_map(|name| ItemType::parse(name))
            .collect();
        for (number, item) in image.items.iter().enumerate() {
            if !self.names.is_empty() && !wanted.contains(&item.item_type) {
                continue;
            }
            missing.retain(|name| ItemType::parse(name) != Some(item.item_type));
            let plain = item.plain().map_err(in_file(&self.image))?;
            write(
                &self
                    .output
                    .join(format!("{number:02}-{}.bin", item.item_type)),
                &plain,
            )?;
        }
        Ok(())
    }

    fn extract_files(&self, image: &Image<'_>, missing: &mut Vec<String>) -> Result<(), String> {
        let item = image
            .find(ItemType::BOOTFS)
            .ok_or_else(|| format!("{}: no BOOTFS in it", self.image.display()))?;
        let plain = item.plain().map_err(in_file(&self.image))?;
        let bar = progress_bar(plain.len(), "extracting");
        for entry in bootfs::parse(&plain).map_err(in_file(&self.image))? {
            bar.inc(u64::try_from(entry.data.len()).unwrap_or(0));
            if !self.names.is_empty() && !self.names.iter().any(|name| name == entry.name) {
                continue;
            }
            missing.retain(|name| name != entry.name);
            write(&self.output.join(safe_path(entry.name)?), entry.data)?;
        }
        bar.finish_and_clear();
        Ok(())
    }
}

/// Refuses names that would lead out of the output directory.
fn safe_path(name: &str) -> Result<&Path, String> {
    let path = Path::new(name);
    if path
        .components()
        .all(|part| matches!(part, Component::Normal(_)))
    {
        Ok(path)
    } else {
        Err(format!(
            "'{name}' leads out of the output directory; not extracted"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_leads_out_of_the_directory_is_refused() {
        assert!(safe_path("bin/shell").is_ok());
        assert!(safe_path("../evil").is_err());
        assert!(safe_path("/etc/passwd").is_err());
        assert!(safe_path("a/../../b").is_err());
    }
}
