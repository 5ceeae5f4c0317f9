//! Checks of the boot image (ZBI) before the kernel sees it.
//!
//! A damaged image is best refused here, where the file's name is known. The checks follow the container format: a
//! container header, then items with a header each, 8-byte aligned. A checksum, where an item says it has one, is the CRC-32
//! of the header with its checksum field zero, followed by the payload.
use core::fmt;

use boot_info::layout::to_usize;

const HEADER_BYTES: usize = 32;
const ALIGN: u64 = 8;
const TYPE_CONTAINER: u32 = 0x544f_4f42;
const CONTAINER_MAGIC: u32 = 0x868c_f7e6;
const ITEM_MAGIC: u32 = 0xb578_1729;
const FLAG_CRC32: u32 = 0x2_0000;

/// Why a boot image is not handed to the kernel. `offset` is where in the file the bad header is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZbiError {
    /// The file does not start with a container header.
    NotZbi,
    /// The file is shorter than its headers say.
    Truncated {
        /// Bytes that should be there.
        wanted: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// An item header without the item magic.
    BadItemMagic {
        /// Where the header is.
        offset: u64,
    },
    /// An item that does not fit into the container.
    BadItemLength {
        /// Where the header is.
        offset: u64,
    },
    /// A checksum that does not agree.
    BadCrc {
        /// Where the header is.
        offset: u64,
        /// The checksum in the header.
        wanted: u32,
        /// The checksum of the bytes.
        found: u32,
    },
}

#[derive(Clone, Copy)]
struct Header {
    kind: u32,
    length: u32,
    extra: u32,
    flags: u32,
    magic: u32,
    crc32: u32,
}

/// Checks the container and every item in it.
///
/// # Errors
/// See [`ZbiError`]; the first thing found.
pub fn check(file: &[u8]) -> Result<(), ZbiError> {
    let found = file.len() as u64;
    let header = Header::at(file, 0).ok_or(ZbiError::Truncated {
        wanted: HEADER_BYTES as u64,
        found,
    })?;
    if header.kind != TYPE_CONTAINER
        || header.extra != CONTAINER_MAGIC
        || header.magic != ITEM_MAGIC
    {
        return Err(ZbiError::NotZbi);
    }
    let end = HEADER_BYTES as u64 + u64::from(header.length);
    if end > found {
        return Err(ZbiError::Truncated { wanted: end, found });
    }
    let container = &file[..to_usize(end)];
    header.check_crc(container, 0)?;

    let mut offset = HEADER_BYTES as u64;
    while offset < end {
        let item = Header::at(container, offset).ok_or(ZbiError::BadItemLength { offset })?;
        if item.magic != ITEM_MAGIC {
            return Err(ZbiError::BadItemMagic { offset });
        }
        let payload_end = offset + HEADER_BYTES as u64 + u64::from(item.length);
        if payload_end > end {
            return Err(ZbiError::BadItemLength { offset });
        }
        item.check_crc(&container[..to_usize(payload_end)], offset)?;
        offset = payload_end.next_multiple_of(ALIGN);
    }
    Ok(())
}

impl Header {
    fn at(bytes: &[u8], offset: u64) -> Option<Self> {
        let bytes = bytes
            .get(to_usize(offset)..)?
            .first_chunk::<HEADER_BYTES>()?;
        let word = |index: usize| {
            let at = index * 4;
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        Some(Self {
            kind: word(0),
            length: word(1),
            extra: word(2),
            flags: word(3),
            magic: word(6),
            crc32: word(7),
        })
    }

    /// Checks the checksum of the item whose header is at `offset` and whose payload ends with `bytes`.
    ///
    /// # Errors
    /// `BadCrc`.
    fn check_crc(&self, bytes: &[u8], offset: u64) -> Result<(), ZbiError> {
        if self.flags & FLAG_CRC32 == 0 {
            return Ok(());
        }
        let item = &bytes[to_usize(offset)..];
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&item[..HEADER_BYTES - 4]);
        hasher.update(&[0; 4]);
        hasher.update(&item[HEADER_BYTES..]);
        let found = hasher.finalize();
        if found == self.crc32 {
            Ok(())
        } else {
            Err(ZbiError::BadCrc {
                offset,
                wanted: self.crc32,
                found,
            })
        }
    }
}

impl fmt::Display for ZbiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotZbi => write!(f, "bad magic: not a boot image (ZBI)"),
            Self::Truncated { wanted, found } => {
                write!(
                    f,
                    "truncated boot image: {found} bytes, its header says {wanted}"
                )
            }
            Self::BadItemMagic { offset } => {
                write!(f, "corrupt boot image: bad item magic at {offset:#x}")
            }
            Self::BadItemLength { offset } => {
                write!(
                    f,
                    "corrupt boot image: the item at {offset:#x} does not fit"
                )
            }
            Self::BadCrc {
                offset,
                wanted,
                found,
            } => write!(
                f,
                "corrupt boot image: bad CRC at {offset:#x} ({found:08x}, not {wanted:08x})"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn item(kind: u32, extra: u32, flags: u32, payload: &[u8], length: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        let length = u32::try_from(length).unwrap();
        for word in [kind, length, extra, flags | 0x1_0000, 0, 0, ITEM_MAGIC, 0] {
            bytes.extend(word.to_le_bytes());
        }
        bytes.extend(payload);
        let crc = if flags & FLAG_CRC32 == 0 {
            0x4a87_e8d6
        } else {
            crc32fast::hash(&bytes)
        };
        bytes[28..32].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    fn image() -> Vec<u8> {
        let mut items = item(0x4c44_4d43, 0, FLAG_CRC32, b"hello", 5);
        items.resize(40, 0);
        items.extend(item(0x4253_4642, 0, 0, &[1; 16], 16));
        item(TYPE_CONTAINER, CONTAINER_MAGIC, 0, &items, items.len())
    }

    #[test]
    fn a_good_image_passes_also_with_bytes_behind_it() {
        let mut image = image();
        assert_eq!(check(&image), Ok(()));
        image.extend([0; 100]);
        assert_eq!(check(&image), Ok(()));
    }

    #[test]
    fn an_empty_container_passes() {
        assert_eq!(
            check(&item(TYPE_CONTAINER, CONTAINER_MAGIC, 0, &[], 0)),
            Ok(())
        );
    }

    #[test]
    fn a_cut_image_is_truncated() {
        let image = image();
        let wanted = image.len() as u64;
        assert_eq!(
            check(&image[..100]),
            Err(ZbiError::Truncated { wanted, found: 100 })
        );
        assert_eq!(
            check(&image[..20]),
            Err(ZbiError::Truncated {
                wanted: 32,
                found: 20
            })
        );
        assert_eq!(
            check(&[]),
            Err(ZbiError::Truncated {
                wanted: 32,
                found: 0
            })
        );
    }

    #[test]
    fn something_else_is_not_a_boot_image() {
        assert_eq!(check(&[0x55; 64]), Err(ZbiError::NotZbi));
    }

    #[test]
    fn a_changed_byte_is_found_by_the_checksum_and_its_item_named() {
        let mut image = image();
        image[64] ^= 1;
        assert!(matches!(
            check(&image),
            Err(ZbiError::BadCrc { offset: 32, .. })
        ));
    }

    #[test]
    fn the_checksum_of_the_container_is_checked_too() {
        let mut image = item(
            TYPE_CONTAINER,
            CONTAINER_MAGIC,
            FLAG_CRC32,
            &image()[32..],
            image().len() - 32,
        );
        assert_eq!(check(&image), Ok(()));
        image[29] ^= 1;
        assert!(matches!(
            check(&image),
            Err(ZbiError::BadCrc { offset: 0, .. })
        ));
    }

    #[test]
    fn items_must_have_their_magic_and_fit() {
        let mut bad_magic = image();
        bad_magic[72 + 24] ^= 1;
        assert_eq!(
            check(&bad_magic),
            Err(ZbiError::BadItemMagic { offset: 72 })
        );
        let mut too_long = image();
        too_long[72 + 4] = 200;
        assert_eq!(
            check(&too_long),
            Err(ZbiError::BadItemLength { offset: 72 })
        );
    }
}
