//! BOOTFS: the flat file system inside a boot image.

use zerocopy::FromBytes;

use crate::wire::records;

/// `magic` of the header.
pub const BOOTFS_MAGIC: u32 = 0xa56d_3ff9;
/// File contents start at multiples of this.
pub const BOOTFS_PAGE_SIZE: usize = 4096;
/// Bytes of a name with its NUL.
pub const BOOTFS_MAX_NAME_LEN: usize = 256;

records! {
    /// `zbi_bootfs_header_t`; the directory follows.
    BootfsHeader: 16 {
        /// [`BOOTFS_MAGIC`].
        magic: u32,
        /// Bytes of directory, without this header.
        dirsize: u32,
        /// Zero.
        reserved0: u32,
        /// Zero.
        reserved1: u32,
    }
    /// `zbi_bootfs_dirent_t` without its name, which follows, padded so that the next entry starts at a multiple of 4.
    BootfsDirent: 12 {
        /// Bytes of the name with its NUL.
        name_len: u32,
        /// Bytes of content.
        data_len: u32,
        /// Where the content starts, from the start of the BOOTFS.
        data_off: u32,
    }
}

impl BootfsDirent {
    /// Bytes of a directory entry whose name has `name_len` bytes with its NUL.
    #[must_use]
    pub const fn size_with_name(name_len: usize) -> usize {
        (size_of::<Self>() + name_len).next_multiple_of(4)
    }
}

/// Why a BOOTFS cannot be read. Offsets count from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BootfsError {
    /// It is shorter than its header.
    TruncatedHeader,
    /// The header lacks the magic number.
    BadMagic,
    /// It ends inside the directory.
    TruncatedDirectory,
    /// The directory ends inside an entry.
    TruncatedEntry {
        /// Where the entry starts.
        offset: usize,
    },
    /// A name is empty, too long, without NUL at its end, or no UTF-8.
    BadName {
        /// Where the entry starts.
        offset: usize,
    },
    /// A file does not start at a page.
    MisalignedFile {
        /// Where the entry starts.
        offset: usize,
    },
    /// A file reaches beyond the end.
    FileOutOfBounds {
        /// Where the entry starts.
        offset: usize,
    },
}

impl core::fmt::Display for BootfsError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::TruncatedHeader => f.write_str("BOOTFS is shorter than its header"),
            Self::BadMagic => f.write_str("BOOTFS has a wrong magic number"),
            Self::TruncatedDirectory => f.write_str("BOOTFS ends inside its directory"),
            Self::TruncatedEntry { offset } => {
                write!(f, "the directory ends inside the entry at {offset:#x}")
            }
            Self::BadName { offset } => write!(f, "the entry at {offset:#x} has a bad name"),
            Self::MisalignedFile { offset } => write!(
                f,
                "the file of the entry at {offset:#x} is not page-aligned"
            ),
            Self::FileOutOfBounds { offset } => {
                write!(f, "the file of the entry at {offset:#x} is out of bounds")
            }
        }
    }
}

impl core::error::Error for BootfsError {}

/// A file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootfsFile<'a> {
    /// Path without a leading slash.
    pub name: &'a str,
    /// Where the content starts; a multiple of the page size.
    pub offset: usize,
    /// Bytes of content.
    pub len: usize,
}

/// A directory whose header was checked. Only the directory has to be in memory; contents are named by offset.
#[derive(Clone, Debug)]
pub struct Bootfs<'a> {
    directory: &'a [u8],
    total: usize,
}

impl<'a> Bootfs<'a> {
    /// Opens a BOOTFS that is in memory as a whole.
    ///
    /// # Errors
    /// - `TruncatedHeader`, `BadMagic`, `TruncatedDirectory`: as they say.
    pub fn new(bytes: &'a [u8]) -> Result<Self, BootfsError> {
        Self::with_total(bytes, bytes.len())
    }

    /// Opens a BOOTFS of `total` bytes of which at least the directory is at the start of `bytes`.
    ///
    /// # Errors
    /// - `TruncatedHeader`, `BadMagic`, `TruncatedDirectory`: as they say.
    pub fn with_total(bytes: &'a [u8], total: usize) -> Result<Self, BootfsError> {
        let (header, rest) =
            BootfsHeader::read_from_prefix(bytes).map_err(|_| BootfsError::TruncatedHeader)?;
        if header.magic != BOOTFS_MAGIC {
            return Err(BootfsError::BadMagic);
        }
        let directory = rest
            .get(..header.dirsize as usize)
            .ok_or(BootfsError::TruncatedDirectory)?;
        Ok(Self { directory, total })
    }

    /// The files, in the order of the directory. Ends after the first error.
    #[must_use]
    pub fn files(&self) -> BootfsFiles<'a> {
        BootfsFiles {
            directory: self.directory,
            total: self.total,
            next: 0,
        }
    }

    /// The file of this name. Damaged entries end the search.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<BootfsFile<'a>> {
        self.files()
            .map_while(Result::ok)
            .find(|file| file.name == name)
    }
}

/// Iterator over the files of a BOOTFS.
#[derive(Clone, Debug)]
pub struct BootfsFiles<'a> {
    directory: &'a [u8],
    total: usize,
    next: usize,
}

impl<'a> BootfsFiles<'a> {
    /// Reads the entry at `next`, and says how many bytes it takes in the directory.
    ///
    /// # Errors
    /// - `TruncatedEntry`, `BadName`, `MisalignedFile`, `FileOutOfBounds`: as they say.
    fn read(&self) -> Result<(BootfsFile<'a>, usize), BootfsError> {
        let offset = size_of::<BootfsHeader>() + self.next;
        let rest = self
            .directory
            .get(self.next..)
            .ok_or(BootfsError::TruncatedEntry { offset })?;
        let (entry, rest) = BootfsDirent::read_from_prefix(rest)
            .map_err(|_| BootfsError::TruncatedEntry { offset })?;
        let name_len = entry.name_len as usize;
        if !(2..=BOOTFS_MAX_NAME_LEN).contains(&name_len) {
            return Err(BootfsError::BadName { offset });
        }
        let name = rest
            .get(..name_len)
            .ok_or(BootfsError::TruncatedEntry { offset })?;
        let name = name.strip_suffix(&[0]).filter(|name| !name.contains(&0));
        let name = name
            .and_then(|name| core::str::from_utf8(name).ok())
            .ok_or(BootfsError::BadName { offset })?;

        let file = BootfsFile {
            name,
            offset: entry.data_off as usize,
            len: entry.data_len as usize,
        };
        if !file.offset.is_multiple_of(BOOTFS_PAGE_SIZE) {
            return Err(BootfsError::MisalignedFile { offset });
        }
        if file
            .offset
            .checked_add(file.len)
            .is_none_or(|end| end > self.total)
        {
            return Err(BootfsError::FileOutOfBounds { offset });
        }
        Ok((file, BootfsDirent::size_with_name(name_len)))
    }
}

impl<'a> Iterator for BootfsFiles<'a> {
    type Item = Result<BootfsFile<'a>, BootfsError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.directory.len() {
            return None;
        }
        match self.read() {
            Ok((file, size)) => {
                self.next += size;
                Some(Ok(file))
            }
            Err(error) => {
                self.next = self.directory.len();
                Some(Err(error))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;
    use zerocopy::IntoBytes;

    fn bootfs(entries: &[(&[u8], u32, u32)]) -> Vec<u8> {
        let mut directory = Vec::new();
        for &(name, data_off, data_len) in entries {
            let entry = BootfsDirent {
                name_len: u32::try_from(name.len()).unwrap(),
                data_len,
                data_off,
            };
            directory.extend_from_slice(entry.as_bytes());
            directory.extend_from_slice(name);
            directory.resize(directory.len().next_multiple_of(4), 0);
        }
        let header = BootfsHeader {
            magic: BOOTFS_MAGIC,
            dirsize: u32::try_from(directory.len()).unwrap(),
            ..Default::default()
        };
        let mut image = Vec::from(header.as_bytes());
        image.extend_from_slice(&directory);
        image.resize(3 * BOOTFS_PAGE_SIZE, 0);
        image
    }

    #[test]
    fn files_are_found_by_path() {
        let image = bootfs(&[(b"bin/sh\0", 4096, 10), (b"lib/ld.so.1\0", 8192, 4096)]);
        let bootfs = Bootfs::new(&image).unwrap();
        assert_eq!(bootfs.files().count(), 2);
        let file = bootfs.find("lib/ld.so.1").unwrap();
        assert_eq!((file.offset, file.len), (8192, 4096));
        assert_eq!(bootfs.find("lib/ld"), None);
        assert_eq!(BootfsDirent::size_with_name(7), 20);
    }

    #[test]
    fn damage_is_named() {
        let first = |image: &[u8]| Bootfs::new(image).unwrap().files().next().unwrap().err();
        assert_eq!(
            Bootfs::new(&[0; 8]).err(),
            Some(BootfsError::TruncatedHeader)
        );
        assert_eq!(Bootfs::new(&[0; 64]).err(), Some(BootfsError::BadMagic));
        let good = bootfs(&[(b"a\0", 4096, 10)]);
        assert_eq!(
            Bootfs::new(&good[..20]).err(),
            Some(BootfsError::TruncatedDirectory)
        );
        assert_eq!(
            first(&bootfs(&[(b"a", 4096, 10)])),
            Some(BootfsError::BadName { offset: 16 })
        );
        assert_eq!(
            first(&bootfs(&[(b"ab", 4096, 10)])),
            Some(BootfsError::BadName { offset: 16 })
        );
        assert_eq!(
            first(&bootfs(&[(b"a\0", 4097, 10)])),
            Some(BootfsError::MisalignedFile { offset: 16 })
        );
        assert_eq!(
            first(&bootfs(&[(b"a\0", 8192, 4097)])),
            Some(BootfsError::FileOutOfBounds { offset: 16 })
        );
        let mut cut = good;
        cut[4] = 13;
        assert_eq!(
            first(&cut),
            Some(BootfsError::TruncatedEntry { offset: 16 })
        );
    }
}
