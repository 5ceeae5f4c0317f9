//! The ZBI container: a header, and items one after the other, each aligned to 8 bytes.
//!
//! `zx_abi::zbi` has the numbers and the header. What is read here may be anybody's file, so a fault says where it is and what
//! was found there.

use std::borrow::Cow;
use std::fmt;

use zerocopy::{FromBytes, IntoBytes};
use zx_abi::zbi::{
    ZbiHeader, ZBI_ALIGN, ZBI_CONTAINER_MAGIC, ZBI_FLAG_CRC32, ZBI_FLAG_STORAGE_COMPRESSED,
    ZBI_FLAG_VERSION, ZBI_ITEM_MAGIC,
};

use crate::bytes::{round_up, to_usize};
use crate::compression::decompress;
use crate::item_type::ItemType;

/// Bytes in an item's header.
const HEADER_SIZE: usize = size_of::<ZbiHeader>();

/// One item, as it lies in an image.
#[derive(Clone, Copy, Debug)]
pub struct Item<'a> {
    /// Where its header starts, in bytes from the start of the image.
    pub offset: usize,
    /// What it is.
    pub item_type: ItemType,
    /// Its header. `extra` is the uncompressed size for storage items.
    pub header: ZbiHeader,
    /// Its payload, without padding.
    pub payload: &'a [u8],
}

impl Item<'_> {
    /// Compares the CRC, where there is one.
    ///
    /// # Errors
    /// [`Fault::BadCrc`]: the bytes have another CRC than the header says.
    pub fn check_crc(&self) -> Result<(), Fault> {
        if self.header.flags & ZBI_FLAG_CRC32 == 0 {
            return Ok(());
        }
        let (stored, computed) = (self.header.crc32, self.header.checksum(self.payload));
        if computed == stored {
            return Ok(());
        }
        Err(Fault::BadCrc {
            offset: self.offset,
            item: self.item_type,
            stored,
            computed,
        })
    }

    /// Whether the payload is compressed.
    #[must_use]
    pub fn is_compressed(&self) -> bool {
        self.item_type.is_storage() && self.header.flags & ZBI_FLAG_STORAGE_COMPRESSED != 0
    }
}

impl<'a> Item<'a> {
    /// The payload as it was before it was compressed, if it was.
    ///
    /// # Errors
    /// One line: where the item is, and what is wrong with its compressed payload.
    pub fn plain(&self) -> Result<Cow<'a, [u8]>, String> {
        if !self.is_compressed() {
            return Ok(Cow::Borrowed(self.payload));
        }
        let plain = decompress(self.payload, self.header.extra);
        plain
            .map(Cow::Owned)
            .map_err(|fault| format!("at {:#x}: item {}: {fault}", self.offset, self.item_type))
    }
}

/// A boot image whose structure is sound.
#[derive(Debug)]
pub struct Image<'a> {
    /// The container, whose payload is all the items.
    pub container: Item<'a>,
    /// The items, in their order.
    pub items: Vec<Item<'a>>,
}

impl<'a> Image<'a> {
    /// Reads the structure of an image. CRCs are left to [`Image::check_crcs`].
    ///
    /// # Errors
    /// The first [`Fault`] of structure.
    pub fn parse(data: &'a [u8]) -> Result<Self, Fault> {
        let (header, _) =
            ZbiHeader::read_from_prefix(data).map_err(|_| Fault::TooShort { size: data.len() })?;
        if header.kind != ItemType::CONTAINER.0 || header.extra != ZBI_CONTAINER_MAGIC {
            return Err(Fault::NotAnImage {
                first_word: header.kind,
            });
        }
        let container = item_at(data, 0)?;
        let end = HEADER_SIZE + container.payload.len();
        let mut items = Vec::new();
        let mut offset = HEADER_SIZE;
        while offset < end {
            let item = item_at(&data[..end], offset)?;
            if item.item_type == ItemType::CONTAINER {
                return Err(Fault::NestedContainer { offset });
            }
            items.push(item);
            offset = round_up(offset + HEADER_SIZE + item.payload.len(), ZBI_ALIGN);
        }
        Ok(Self { container, items })
    }

    /// Compares every CRC and returns all that are wrong, the container's first.
    #[must_use]
    pub fn check_crcs(&self) -> Vec<Fault> {
        let all = std::iter::once(&self.container).chain(&self.items);
        all.filter_map(|item| item.check_crc().err()).collect()
    }

    /// The first item of a type.
    #[must_use]
    pub fn find(&self, item_type: ItemType) -> Option<&Item<'a>> {
        self.items.iter().find(|item| item.item_type == item_type)
    }
}

/// Builds an image item by item.
#[derive(Debug)]
pub struct Writer {
    data: Vec<u8>,
}

impl Default for Writer {
    fn default() -> Self {
        Self::new()
    }
}

impl Writer {
    /// An image without items.
    #[must_use]
    pub fn new() -> Self {
        Self {
            data: vec![0; HEADER_SIZE],
        }
    }

    /// Appends an item with a CRC.
    ///
    /// # Errors
    /// [`Fault::TooLarge`]: the payload does not fit the format's 32-bit sizes.
    pub fn push(
        &mut self,
        item_type: ItemType,
        extra: u32,
        flags: u32,
        payload: &[u8],
    ) -> Result<(), Fault> {
        let header = sealed_header(item_type, extra, flags, payload)?;
        self.data.extend_from_slice(header.as_bytes());
        self.data.extend_from_slice(payload);
        self.data.resize(round_up(self.data.len(), ZBI_ALIGN), 0);
        Ok(())
    }

    /// Seals the container and gives out the bytes.
    ///
    /// # Errors
    /// [`Fault::TooLarge`]: the image does not fit the format's 32-bit sizes.
    pub fn finish(mut self) -> Result<Vec<u8>, Fault> {
        let (_, items) = self.data.split_at(HEADER_SIZE);
        let header = sealed_header(ItemType::CONTAINER, ZBI_CONTAINER_MAGIC, 0, items)?;
        self.data[..HEADER_SIZE].copy_from_slice(header.as_bytes());
        Ok(self.data)
    }
}

/// What is wrong with an image, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Shorter than one header.
    TooShort {
        /// Bytes there are.
        size: usize,
    },
    /// The first header is not a container's.
    NotAnImage {
        /// Its type word.
        first_word: u32,
    },
    /// An item's header reaches over the end.
    HeaderCut {
        /// Where the header starts.
        offset: usize,
    },
    /// An item's magic word is wrong.
    BadMagic {
        /// Where the header starts.
        offset: usize,
        /// The type word there.
        item: ItemType,
        /// The magic word there.
        magic: u32,
    },
    /// An item lacks the flag of the present layout.
    OldLayout {
        /// Where the header starts.
        offset: usize,
        /// The item's type.
        item: ItemType,
    },
    /// An item's payload reaches over the end.
    PayloadCut {
        /// Where the header starts.
        offset: usize,
        /// The item's type.
        item: ItemType,
        /// Bytes that the header promises.
        promised: usize,
        /// Bytes there are.
        available: usize,
    },
    /// A container inside the container.
    NestedContainer {
        /// Where it starts.
        offset: usize,
    },
    /// The CRC differs.
    BadCrc {
        /// Where the header starts.
        offset: usize,
        /// The item's type.
        item: ItemType,
        /// The CRC in the header.
        stored: u32,
        /// The CRC of the bytes.
        computed: u32,
    },
    /// More than 32 bits of size.
    TooLarge {
        /// The item's type.
        item: ItemType,
        /// Its payload's size.
        size: usize,
    },
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooShort { size } => write!(f, "{size} bytes are too few for a boot image"),
            Self::NotAnImage { first_word } => {
                write!(
                    f,
                    "not a boot image: it starts with {first_word:#010x} and no container header"
                )
            }
            Self::HeaderCut { offset } => {
                write!(f, "at {offset:#x}: an item's header is cut short")
            }
            Self::BadMagic {
                offset,
                item,
                magic,
            } => {
                write!(f, "at {offset:#x}: item {item} has the magic word {magic:#010x} and not {ZBI_ITEM_MAGIC:#010x}")
            }
            Self::OldLayout { offset, item } => {
                write!(f, "at {offset:#x}: item {item} lacks the VERSION flag")
            }
            Self::PayloadCut {
                offset,
                item,
                promised,
                available,
            } => {
                write!(f, "at {offset:#x}: item {item} promises {promised} bytes and {available} are left")
            }
            Self::NestedContainer { offset } => {
                write!(f, "at {offset:#x}: a container inside the container")
            }
            Self::BadCrc {
                offset,
                item,
                stored,
                computed,
            } => {
                write!(f, "at {offset:#x}: item {item} has CRC {computed:#010x}, its header says {stored:#010x}")
            }
            Self::TooLarge { item, size } => {
                write!(f, "item {item} of {size} bytes is too large for the format")
            }
        }
    }
}

impl std::error::Error for Fault {}

fn item_at(data: &[u8], offset: usize) -> Result<Item<'_>, Fault> {
    let cut = Fault::HeaderCut { offset };
    let rest = data.get(offset..).ok_or_else(|| cut.clone())?;
    let (header, rest) = ZbiHeader::read_from_prefix(rest).map_err(|_| cut)?;
    let item = ItemType(header.kind);
    if header.magic != ZBI_ITEM_MAGIC {
        return Err(Fault::BadMagic {
            offset,
            item,
            magic: header.magic,
        });
    }
    if header.flags & ZBI_FLAG_VERSION == 0 {
        return Err(Fault::OldLayout { offset, item });
    }
    let promised = to_usize(header.length);
    let payload = rest.get(..promised).ok_or(Fault::PayloadCut {
        offset,
        item,
        promised,
        available: rest.len(),
    })?;
    Ok(Item {
        offset,
        item_type: item,
        header,
        payload,
    })
}

fn sealed_header(
    item: ItemType,
    extra: u32,
    flags: u32,
    payload: &[u8],
) -> Result<ZbiHeader, Fault> {
    let length = u32::try_from(payload.len()).map_err(|_| Fault::TooLarge {
        item,
        size: payload.len(),
    })?;
    let header = ZbiHeader {
        kind: item.0,
        length,
        extra,
        flags: flags | ZBI_FLAG_VERSION,
        magic: ZBI_ITEM_MAGIC,
        ..ZbiHeader::default()
    };
    Ok(header.with_crc32(payload))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::u32_at;

    fn sample() -> Vec<u8> {
        let mut writer = Writer::new();
        writer.push(ItemType::CMDLINE, 0, 0, b"a=b\0").unwrap();
        writer
            .push(
                ItemType::BOOTFS,
                9,
                ZBI_FLAG_STORAGE_COMPRESSED,
                b"some payload",
            )
            .unwrap();
        writer.finish().unwrap()
    }

    fn put(data: &mut [u8], offset: usize, word: u32) {
        data[offset..offset + 4].copy_from_slice(&word.to_le_bytes());
    }

    fn fault(data: &[u8]) -> String {
        Image::parse(data).unwrap_err().to_string()
    }

    #[test]
    fn what_was_written_is_read_back() {
        let data = sample();
        let image = Image::parse(&data).unwrap();
        assert_eq!(image.check_crcs(), []);
        let seen: Vec<_> = image
            .items
            .iter()
            .map(|i| (i.offset, i.item_type, i.header.extra, i.payload))
            .collect();
        assert_eq!(
            seen,
            [
                (32, ItemType::CMDLINE, 0, &b"a=b\0"[..]),
                (72, ItemType::BOOTFS, 9, &b"some payload"[..])
            ]
        );
        assert!(image.items[1].is_compressed());
        assert!(data.len().is_multiple_of(ZBI_ALIGN));
    }

    #[test]
    fn an_image_without_items_is_sound() {
        let data = Writer::new().finish().unwrap();
        assert!(Image::parse(&data).unwrap().items.is_empty());
    }

    #[test]
    fn the_crc_covers_the_header_and_the_payload() {
        // Computed once with Python's zlib.crc32 over the header with a zero CRC word, then the payload.
        let data = sample();
        assert_eq!(u32_at(&data, 32 + 28), Some(CMDLINE_ITEM_CRC));
        for at in [32 + 8, 32 + 32] {
            let mut broken = data.clone();
            broken[at] ^= 1;
            let image = Image::parse(&broken).unwrap();
            let faults = image.check_crcs();
            assert_eq!(faults.len(), 2, "the container's and the item's");
            assert!(
                faults[1]
                    .to_string()
                    .starts_with("at 0x20: item CMDLINE has CRC"),
                "{}",
                faults[1]
            );
        }
    }
    const CMDLINE_ITEM_CRC: u32 = 0x6370_74a5;

    #[test]
    fn each_fault_of_structure_has_its_own_message() {
        let sound = sample();
        assert_eq!(fault(&sound[..31]), "31 bytes are too few for a boot image");
        assert_eq!(
            fault(&[b'x'; 64]),
            "not a boot image: it starts with 0x78787878 and no container header"
        );

        let mut data = sound.clone();
        put(&mut data, 24, 7);
        assert_eq!(
            fault(&data),
            "at 0x0: item CONTAINER has the magic word 0x00000007 and not 0xb5781729"
        );

        let mut data = sound.clone();
        put(&mut data, 32 + 12, 0);
        assert_eq!(fault(&data), "at 0x20: item CMDLINE lacks the VERSION flag");

        let mut data = sound.clone();
        put(&mut data, 72 + 4, 1000);
        assert_eq!(
            fault(&data),
            "at 0x48: item STORAGE_BOOTFS promises 1000 bytes and 16 are left"
        );

        let mut data = sound.clone();
        put(&mut data, 72, ItemType::CONTAINER.0);
        assert_eq!(fault(&data), "at 0x48: a container inside the container");

        assert_eq!(
            fault(&sound[..100]),
            format!(
                "at 0x0: item CONTAINER promises {} bytes and 68 are left",
                sound.len() - 32
            )
        );

        let mut data = sound.clone();
        put(&mut data, 4, 48);
        assert_eq!(fault(&data), "at 0x48: an item's header is cut short");
    }

    #[test]
    fn no_cut_and_no_flipped_bit_makes_the_reader_panic() {
        let sound = sample();
        for cut in 0..sound.len() {
            assert!(Image::parse(&sound[..cut]).is_err(), "cut at {cut}");
        }
        for bit in 0..sound.len() * 8 {
            let mut data = sound.clone();
            data[bit / 8] ^= 1 << (bit % 8);
            if let Ok(image) = Image::parse(&data) {
                // A flag bit that says "there is a CRC" may vanish; everything else must be noticed.
                let _ = image.check_crcs();
            }
        }
    }
}
