//! The disk as a whole: where the partition lies, and how the image gets into a file.
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::Path;
use std::{error, fmt};

use crate::{esp, gpt};

/// Bytes per MiB.
const MIB: usize = 1 << 20;
/// First byte of the partition: leaves room for the partition table, and is aligned for every kind of disk.
const PARTITION_START: usize = MIB;
/// What stays free behind the partition for the second copy of the table.
const PARTITION_TAIL: usize = MIB;
/// FAT32 needs 65525 clusters; less than this is FAT16, which firmware need not accept on a fixed disk.
const SMALLEST_MIB: usize = 40;
const LARGEST_MIB: usize = 4096;

/// A file to put on the partition.
#[derive(Clone, Debug)]
pub(crate) struct EspFile {
    /// Its path there, with `/` or `\`.
    pub(crate) path: String,
    /// Its bytes.
    pub(crate) content: Vec<u8>,
}

/// Why there is no image.
#[derive(Debug)]
pub(crate) enum DiskError {
    /// The size is outside what the tool makes.
    Size(usize),
    /// A file does not get onto the partition: its path and the cause.
    File(String, io::Error),
    /// The partition cannot be formatted.
    Format(io::Error),
}

/// Builds a disk image.
///
/// # Errors
/// See [`DiskError`].
pub(crate) fn build(size_mib: usize, files: &[EspFile]) -> Result<Vec<u8>, DiskError> {
    if !(SMALLEST_MIB..=LARGEST_MIB).contains(&size_mib) {
        return Err(DiskError::Size(size_mib));
    }
    let bytes = size_mib * MIB;
    let mut image = vec![0; bytes];
    let partition = PARTITION_START..bytes - PARTITION_TAIL;
    esp::write(&mut image[partition.clone()], files)?;
    gpt::write(&mut image, partition);
    Ok(image)
}

/// Writes an image, leaving holes for what is zero.
///
/// # Errors
/// Those of the file system.
pub(crate) fn write_sparse(path: &Path, image: &[u8]) -> io::Result<()> {
    const BLOCK: usize = 64 * 1024;
    let mut file = File::create(path)?;
    file.set_len(image.len() as u64)?;
    for (index, block) in image.chunks(BLOCK).enumerate() {
        if block.iter().any(|&byte| byte != 0) {
            file.seek(SeekFrom::Start((index * BLOCK) as u64))?;
            file.write_all(block)?;
        }
    }
    Ok(())
}

impl fmt::Display for DiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size(mib) => write!(
                f,
                "a disk has {SMALLEST_MIB} to {LARGEST_MIB} MiB, not {mib}"
            ),
            Self::File(path, error) => write!(f, "{path} does not get onto the partition: {error}"),
            Self::Format(error) => write!(f, "the partition cannot be formatted: {error}"),
        }
    }
}

impl error::Error for DiskError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, len: usize) -> EspFile {
        EspFile {
            path: path.to_owned(),
            content: vec![0x5a; len],
        }
    }

    #[test]
    fn equal_input_gives_equal_images() {
        let files = [file("EFI/BOOT/BOOTX64.EFI", 1000)];
        assert!(build(40, &files).unwrap() == build(40, &files).unwrap());
    }

    #[test]
    fn too_small_and_too_large_disks_are_refused() {
        assert!(matches!(build(39, &[]), Err(DiskError::Size(39))));
        assert!(matches!(build(5000, &[]), Err(DiskError::Size(5000))));
    }

    #[test]
    fn a_file_that_does_not_fit_is_named() {
        let error = build(40, &[file("zcore/big", 39 << 20)]).unwrap_err();
        assert!(
            error
                .to_string()
                .starts_with("zcore/big does not get onto the partition"),
            "{error}"
        );
    }

    #[test]
    fn a_sparse_file_reads_back_as_the_image() {
        let image = build(40, &[file("a", 200_000)]).unwrap();
        let path = std::env::temp_dir().join(format!("image-tool-test-{}", std::process::id()));
        write_sparse(&path, &image).unwrap();
        let back = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(back == image);
    }
}
