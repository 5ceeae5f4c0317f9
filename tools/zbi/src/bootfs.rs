//! BOOTFS: the read-only file system of a boot image, a directory and page-aligned files.
//!
//! A header (magic, bytes of directory, two reserved words), then one entry per file (length of the name with its NUL,
//! length and offset of the data, the name), each a multiple of 4 bytes, then the files at multiples of 4096.

use std::fmt;

use zerocopy::IntoBytes;
use zx_abi::bootfs::{
    BootfsDirent, BootfsHeader, BOOTFS_MAGIC, BOOTFS_MAX_NAME_LEN, BOOTFS_PAGE_SIZE,
};

use crate::bytes::{round_up, slice_at, to_usize, u32_at};

/// Bytes in the header.
const HEADER_SIZE: usize = size_of::<BootfsHeader>();

/// One file.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry<'a> {
    /// Its path, without a leading slash.
    pub name: &'a str,
    /// Where its data starts, from the start of the BOOTFS.
    pub offset: usize,
    /// Its data.
    pub data: &'a [u8],
}

/// Reads the directory.
///
/// # Errors
/// The first [`Fault`].
pub fn parse(data: &[u8]) -> Result<Vec<Entry<'_>>, Fault> {
    let magic = u32_at(data, 0);
    if magic != Some(BOOTFS_MAGIC) {
        return Err(Fault::BadMagic { magic });
    }
    let size = to_usize(u32_at(data, 4).ok_or(Fault::DirectoryCut { promised: 0 })?);
    let directory =
        slice_at(data, HEADER_SIZE, size).ok_or(Fault::DirectoryCut { promised: size })?;
    let mut entries = Vec::new();
    let mut at = 0;
    while at < directory.len() {
        let offset = HEADER_SIZE + at;
        let (entry, length) =
            entry_at(data, directory, at).map_err(|reason| Fault::BadEntry { offset, reason })?;
        entries.push(entry);
        at += length;
    }
    Ok(entries)
}

/// Lays out files, in the order given.
///
/// # Errors
/// * [`Fault::BadName`]: a name is empty, too long, starts with a slash or holds a NUL.
/// * [`Fault::Twice`]: a name occurs twice.
/// * [`Fault::TooLarge`]: more than 4 GiB.
pub fn build<'a>(
    files: impl Iterator<Item = (&'a str, &'a [u8])> + Clone,
) -> Result<Vec<u8>, Fault> {
    let mut names = std::collections::HashSet::new();
    let mut directory_size = 0;
    for (name, _) in files.clone() {
        if name.is_empty()
            || name.len() >= BOOTFS_MAX_NAME_LEN
            || name.starts_with('/')
            || name.contains('\0')
        {
            return Err(Fault::BadName {
                name: name.to_owned(),
            });
        }
        if !names.insert(name) {
            return Err(Fault::Twice {
                name: name.to_owned(),
            });
        }
        directory_size += BootfsDirent::size_with_name(name.len() + 1);
    }
    let word = |value: usize| u32::try_from(value).map_err(|_| Fault::TooLarge);

    let header = BootfsHeader {
        magic: BOOTFS_MAGIC,
        dirsize: word(directory_size)?,
        ..BootfsHeader::default()
    };
    let mut out = header.as_bytes().to_vec();
    let mut place = round_up(HEADER_SIZE + directory_size, BOOTFS_PAGE_SIZE);
    for (name, data) in files.clone() {
        let entry = BootfsDirent {
            name_len: word(name.len() + 1)?,
            data_len: word(data.len())?,
            data_off: word(place)?,
        };
        out.extend_from_slice(entry.as_bytes());
        out.extend_from_slice(name.as_bytes());
        out.push(0);
        out.resize(round_up(out.len(), 4), 0);
        place = round_up(place + data.len(), BOOTFS_PAGE_SIZE);
    }
    word(place)?;
    out.resize(round_up(out.len(), BOOTFS_PAGE_SIZE), 0);
    for (_, data) in files {
        out.extend_from_slice(data);
        out.resize(round_up(out.len(), BOOTFS_PAGE_SIZE), 0);
    }
    Ok(out)
}

/// What is wrong with a BOOTFS.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// It starts with another word, or with none.
    BadMagic {
        /// That word.
        magic: Option<u32>,
    },
    /// The directory reaches over the end.
    DirectoryCut {
        /// Bytes of directory that the header promises.
        promised: usize,
    },
    /// An entry is broken.
    BadEntry {
        /// Where the entry starts, from the start of the BOOTFS.
        offset: usize,
        /// What is wrong with it.
        reason: String,
    },
    /// A name that cannot be stored.
    BadName {
        /// That name.
        name: String,
    },
    /// A name that is there already.
    Twice {
        /// That name.
        name: String,
    },
    /// More than the 32-bit offsets of the format can reach.
    TooLarge,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BadMagic { magic: Some(magic) } => {
                write!(
                    f,
                    "no BOOTFS: it starts with {magic:#010x} and not {BOOTFS_MAGIC:#010x}"
                )
            }
            Self::BadMagic { magic: None } => write!(f, "no BOOTFS: shorter than a word"),
            Self::DirectoryCut { promised } => {
                write!(
                    f,
                    "the directory of {promised} bytes reaches over the end of the BOOTFS"
                )
            }
            Self::BadEntry { offset, reason } => {
                write!(f, "directory entry at {offset:#x}: {reason}")
            }
            Self::BadName { name } => write!(f, "'{name}' cannot be a file's name in a BOOTFS"),
            Self::Twice { name } => write!(f, "'{name}' is named twice"),
            Self::TooLarge => write!(f, "more than 4 GiB do not fit a BOOTFS"),
        }
    }
}

impl std::error::Error for Fault {}

fn entry_at<'a>(
    data: &'a [u8],
    directory: &'a [u8],
    at: usize,
) -> Result<(Entry<'a>, usize), String> {
    let word = |index: usize| {
        u32_at(directory, at + index * 4)
            .map(to_usize)
            .ok_or("cut short")
    };
    let (name_length, length, offset) = (word(0)?, word(1)?, word(2)?);
    if name_length == 0 || name_length > BOOTFS_MAX_NAME_LEN {
        return Err(format!("a name of {name_length} bytes"));
    }
    let name = slice_at(directory, at + 12, name_length)
        .ok_or("its name reaches over the end of the directory")?;
    let name = name
        .strip_suffix(&[0])
        .ok_or("its name does not end with NUL")?;
    let name = std::str::from_utf8(name).map_err(|_| "its name is not UTF-8")?;
    if offset % BOOTFS_PAGE_SIZE != 0 {
        return Err(format!(
            "'{name}' starts at {offset:#x}, which is no multiple of {BOOTFS_PAGE_SIZE}"
        ));
    }
    let contents = slice_at(data, offset, length).ok_or_else(|| {
        format!("'{name}' ({length} bytes at {offset:#x}) reaches over the end of the BOOTFS")
    })?;
    Ok((
        Entry {
            name,
            offset,
            data: contents,
        },
        BootfsDirent::size_with_name(name_length),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILES: [(&str, &[u8]); 3] = [
        ("bin/a", b"alpha"),
        ("empty", b""),
        ("lib/long-name.so", &[7; 5000]),
    ];

    fn sample() -> Vec<u8> {
        build(FILES.into_iter()).unwrap()
    }

    fn put(data: &mut [u8], offset: usize, word: u32) {
        data[offset..offset + 4].copy_from_slice(&word.to_le_bytes());
    }

    fn fault(data: &[u8]) -> String {
        parse(data).unwrap_err().to_string()
    }

    #[test]
    fn what_was_built_is_read_back_page_aligned() {
        let data = sample();
        let entries = parse(&data).unwrap();
        let seen: Vec<_> = entries.iter().map(|e| (e.name, e.data)).collect();
        assert_eq!(seen, FILES);
        assert_eq!(
            entries.iter().map(|e| e.offset).collect::<Vec<_>>(),
            [4096, 8192, 8192]
        );
        assert_eq!(data.len(), 16384);
    }

    #[test]
    fn no_files_make_one_page() {
        let data = build([].into_iter()).unwrap();
        assert_eq!(data.len(), 4096);
        assert_eq!(parse(&data).unwrap(), []);
    }

    #[test]
    fn names_that_cannot_be_stored_are_refused() {
        let refuse = |names: &[&'static str]| {
            build(names.iter().map(|n| (*n, &b""[..])))
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            refuse(&["/abs"]),
            "'/abs' cannot be a file's name in a BOOTFS"
        );
        assert_eq!(refuse(&["a", "a"]), "'a' is named twice");
        let long: &'static str = "n".repeat(256).leak();
        assert!(refuse(&[long]).ends_with("cannot be a file's name in a BOOTFS"));
    }

    #[test]
    fn each_fault_has_its_own_message() {
        let sound = sample();
        assert_eq!(fault(b"ab"), "no BOOTFS: shorter than a word");
        let mut data = sound.clone();
        put(&mut data, 0, 1);
        assert_eq!(
            fault(&data),
            "no BOOTFS: it starts with 0x00000001 and not 0xa56d3ff9"
        );
        let mut data = sound.clone();
        put(&mut data, 4, 99_999);
        assert_eq!(
            fault(&data),
            "the directory of 99999 bytes reaches over the end of the BOOTFS"
        );
        let mut data = sound.clone();
        put(&mut data, 16, 0);
        assert_eq!(fault(&data), "directory entry at 0x10: a name of 0 bytes");
        let mut data = sound.clone();
        put(&mut data, 24, 4097);
        assert_eq!(
            fault(&data),
            "directory entry at 0x10: 'bin/a' starts at 0x1001, which is no multiple of 4096"
        );
        assert_eq!(
            fault(&sound[..9000]),
            "directory entry at 0x38: 'lib/long-name.so' (5000 bytes at 0x2000) reaches over the end of the BOOTFS"
        );
    }

    #[test]
    fn no_cut_makes_the_reader_panic() {
        let sound = sample();
        for cut in 0..sound.len().min(200) {
            assert!(parse(&sound[..cut]).is_err(), "cut at {cut}");
        }
        for bit in 0..100 * 8 {
            let mut data = sound.clone();
            data[bit / 8] ^= 1 << (bit % 8);
            let _ = parse(&data);
        }
    }
}
