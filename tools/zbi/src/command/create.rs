//! `zbi create`: files and words become a boot image.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::{in_file, progress_bar, read, write};
use crate::bootfs;
use crate::compression::{compress, Compression};
use zx_abi::zbi::ZBI_FLAG_STORAGE_COMPRESSED;

use crate::image::Writer;
use crate::item_type::ItemType;

/// Make a boot image with a BOOTFS of the files named
#[derive(Args, Debug)]
pub struct Create {
    /// The image to write
    #[arg(short, long)]
    output: PathBuf,
    /// A directory whose files go into the BOOTFS under their paths in it
    #[arg(long, value_name = "DIRECTORY")]
    bootfs: Vec<PathBuf>,
    /// A file of lines `path=file`; empty lines and lines with # are passed over
    #[arg(long, value_name = "FILE")]
    manifest: Vec<PathBuf>,
    /// How to compress the BOOTFS
    #[arg(long, value_enum, default_value = "none")]
    compress: Choice,
    /// Words of kernel command line, as an item of their own
    #[arg(long, value_name = "WORDS")]
    cmdline: Vec<String>,
    /// A further item; TYPE is a name (KERNEL_X64), four characters (KRNL) or a number (0x4c4e524b)
    #[arg(long, value_name = "TYPE=FILE")]
    item: Vec<String>,
    /// Say nothing when all is well
    #[arg(short, long)]
    quiet: bool,
    /// Files of the BOOTFS
    #[arg(value_name = "PATH=FILE")]
    files: Vec<String>,
}

#[derive(Clone, Copy, ValueEnum, Debug)]
enum Choice {
    /// As it is
    None,
    /// An LZ4 frame, for userboots of 2018 and 2019
    Lz4,
    /// Zstandard, for userboots of 2020
    Zstd,
}

impl Create {
    /// # Errors
    /// One line that names what could not be read, stored or written.
    pub(super) fn run(self) -> Result<(), String> {
        let mut writer = Writer::new();
        for text in &self.item {
            let (name, path) = split(text)?;
            let item_type =
                ItemType::parse(name).ok_or_else(|| format!("--item {text}: no such item type"))?;
            let path = PathBuf::from(path);
            writer
                .push(item_type, 0, 0, &read(&path)?)
                .map_err(in_file(&path))?;
        }
        for words in &self.cmdline {
            let mut payload = words.clone().into_bytes();
            payload.push(0);
            writer
                .push(ItemType::CMDLINE, 0, 0, &payload)
                .map_err(in_file(&self.output))?;
        }
        let files = self.gather()?;
        if !files.is_empty() {
            self.push_bootfs(&mut writer, &files)?;
        }
        let image = writer.finish().map_err(in_file(&self.output))?;
        write(&self.output, &image)?;
        if !self.quiet {
            println!(
                "{}: {} bytes, {} files in its BOOTFS",
                self.output.display(),
                image.len(),
                files.len()
            );
        }
        Ok(())
    }

    fn push_bootfs(
        &self,
        writer: &mut Writer,
        files: &BTreeMap<String, Vec<u8>>,
    ) -> Result<(), String> {
        let all = files
            .iter()
            .map(|(name, data)| (name.as_str(), data.as_slice()));
        let plain = bootfs::build(all).map_err(in_file(&self.output))?;
        let size = u32::try_from(plain.len()).map_err(|_| bootfs::Fault::TooLarge.to_string())?;
        let kind = match self.compress {
            Choice::None => {
                return writer
                    .push(ItemType::BOOTFS, size, 0, &plain)
                    .map_err(in_file(&self.output));
            }
            Choice::Lz4 => Compression::Lz4,
            Choice::Zstd => Compression::Zstd,
        };
        let bar = progress_bar(plain.len(), "compressing");
        let frame =
            compress(&plain, kind, &|bytes| bar.inc(bytes)).map_err(in_file(&self.output))?;
        bar.finish_and_clear();
        writer
            .push(ItemType::BOOTFS, size, ZBI_FLAG_STORAGE_COMPRESSED, &frame)
            .map_err(in_file(&self.output))
    }

    /// All files by name; sorted, so that the same input makes the same image. A later file replaces an earlier one.
    fn gather(&self) -> Result<BTreeMap<String, Vec<u8>>, String> {
        let mut files = BTreeMap::new();
        for directory in &self.bootfs {
            walk(directory, "", &mut files)?;
        }
        for manifest in &self.manifest {
            let text = String::from_utf8(read(manifest)?).map_err(in_file(manifest))?;
            let base = manifest.parent().unwrap_or(Path::new(""));
            for line in text
                .lines()
                .map(str::trim)
                .filter(|l| !l.is_empty() && !l.starts_with('#'))
            {
                let (name, path) = split(line).map_err(in_file(manifest))?;
                files.insert(name.to_owned(), read(&base.join(path))?);
            }
        }
        for text in &self.files {
            let (name, path) = split(text)?;
            files.insert(name.to_owned(), read(Path::new(path))?);
        }
        Ok(files)
    }
}

fn split(text: &str) -> Result<(&str, &str), String> {
    text.split_once('=')
        .ok_or_else(|| format!("'{text}': say name=file"))
}

fn walk(
    directory: &Path,
    prefix: &str,
    files: &mut BTreeMap<String, Vec<u8>>,
) -> Result<(), String> {
    let failed = |e: std::io::Error| format!("{}: {e}", directory.display());
    for entry in std::fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path
            .file_name()
            .and_then(|n| n.to_str())
            .ok_or_else(|| format!("{}: its name is not UTF-8", path.display()))?;
        if path.is_dir() {
            walk(&path, &format!("{prefix}{name}/"), files)?;
        } else {
            files.insert(format!("{prefix}{name}"), read(&path)?);
        }
    }
    Ok(())
}
