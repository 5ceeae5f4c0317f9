//! Boot images: a container of typed items.
//!
//! ```
//! use zx_abi::zbi::{ZbiError, ZbiItems};
//!
//! assert_eq!(ZbiItems::new(b"too short").err(), Some(ZbiError::TruncatedHeader { offset: 0 }));
//! ```

use zerocopy::{FromBytes, IntoBytes};

use crate::wire::{numbers, records};

/// Items start at multiples of this.
pub const ZBI_ALIGN: usize = 8;
/// `extra` of the container.
pub const ZBI_CONTAINER_MAGIC: u32 = 0x868c_f7e6;
/// `magic` of every item.
pub const ZBI_ITEM_MAGIC: u32 = 0xb578_1729;
/// `crc32` of an item without checksum.
pub const ZBI_NO_CRC32: u32 = 0x4a87_e8d6;
/// Flag that every item has.
pub const ZBI_FLAG_VERSION: u32 = 0x1_0000;
/// Flag of items with a checksum.
pub const ZBI_FLAG_CRC32: u32 = 0x2_0000;
/// Flag of storage items that are compressed; `extra` is then the size before.
pub const ZBI_FLAG_STORAGE_COMPRESSED: u32 = 1;

numbers! {
    /// What an item is.
    ZbiType: u32 {
        /// "BOOT", the container.
        Container = 0x544f_4f42,
        /// "KRNL", a kernel for x86-64.
        KernelX64 = 0x4c4e_524b,
        /// "KRN8", a kernel for arm64.
        KernelArm64 = 0x384e_524b,
        /// "SKIP", nothing.
        Discard = 0x5049_4b53,
        /// "RDSK", a disk image.
        StorageRamdisk = 0x4b53_4452,
        /// "BFSB", the files of the boot file system.
        StorageBootfs = 0x4253_4642,
        /// "CMDL", words for the kernel.
        Cmdline = 0x4c44_4d43,
        /// "BOOM", the log of the crash before.
        Crashlog = 0x4d4f_4f42,
        /// "NVLL", memory that survives.
        Nvram = 0x4c4c_564e,
        /// "PLID".
        PlatformId = 0x4449_4c50,
        /// "CPUC".
        CpuConfig = 0x4350_5543,
        /// "TOPO".
        CpuTopology = 0x544f_504f,
        /// "MEMC".
        MemConfig = 0x434d_454d,
        /// "KDRV".
        KernelDriver = 0x5652_444b,
        /// "RSDP", address of the ACPI root pointer.
        AcpiRsdp = 0x5044_5352,
        /// "SMBI", address of the SMBIOS table.
        Smbios = 0x4942_4d53,
        /// "EFIM".
        EfiMemoryMap = 0x4d49_4645,
        /// "EFIS".
        EfiSystemTable = 0x5349_4645,
        /// "E820".
        E820Table = 0x3032_3845,
        /// "UART".
        DebugUart = 0x5452_4155,
        /// "SWFB".
        Framebuffer = 0x4246_5753,
        /// Configuration for a board's boot.
        BootConfig = 0x4746_4342,
        /// "BVRS".
        BootVersion = 0x5352_5642,
        /// "mMAC".
        DrvMacAddress = 0x4341_4d6d,
        /// "mPRT".
        DrvPartitionMap = 0x5452_506d,
    }
}

records! {
    /// `zbi_header_t`.
    ZbiHeader: 32 {
        /// Number of the [`ZbiType`].
        kind: u32,
        /// Bytes of payload, without padding.
        length: u32,
        /// By type.
        extra: u32,
        /// Flags.
        flags: u32,
        /// Zero.
        reserved0: u32,
        /// Zero.
        reserved1: u32,
        /// [`ZBI_ITEM_MAGIC`].
        magic: u32,
        /// Checksum or [`ZBI_NO_CRC32`].
        crc32: u32,
    }
}

impl ZbiHeader {
    /// A header without checksum.
    #[must_use]
    pub const fn new(kind: ZbiType, length: u32, extra: u32, flags: u32) -> Self {
        Self {
            kind: kind.raw(),
            length,
            extra,
            flags: flags | ZBI_FLAG_VERSION,
            reserved0: 0,
            reserved1: 0,
            magic: ZBI_ITEM_MAGIC,
            crc32: ZBI_NO_CRC32,
        }
    }

    /// The header of a container whose items, with headers and padding, are `length` bytes.
    #[must_use]
    pub const fn container(length: u32) -> Self {
        Self::new(ZbiType::Container, length, ZBI_CONTAINER_MAGIC, 0)
    }

    /// The same header with the checksum of header and payload.
    #[must_use]
    pub fn with_crc32(mut self, payload: &[u8]) -> Self {
        self.flags |= ZBI_FLAG_CRC32;
        self.crc32 = self.checksum(payload);
        self
    }

    /// The checksum of this header (with a zero checksum field) followed by the payload.
    #[must_use]
    pub fn checksum(&self, payload: &[u8]) -> u32 {
        let header = Self { crc32: 0, ..*self };
        !crc32_update(crc32_update(!0, header.as_bytes()), payload)
    }
}

/// Why an image cannot be read. Offsets count from the start of the image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ZbiError {
    /// The image ends inside an item's header.
    TruncatedHeader {
        /// Where the header starts.
        offset: usize,
    },
    /// The image ends inside an item's payload.
    TruncatedPayload {
        /// Where the header starts.
        offset: usize,
    },
    /// The first item is no container.
    NotAContainer,
    /// An item lacks the item magic.
    BadMagic {
        /// Where the header starts.
        offset: usize,
    },
    /// An item lacks the version flag.
    BadVersion {
        /// Where the header starts.
        offset: usize,
    },
    /// An item's checksum is wrong.
    BadCrc {
        /// Where the header starts.
        offset: usize,
    },
}

impl core::fmt::Display for ZbiError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::TruncatedHeader { offset } => {
                write!(f, "the image ends inside the item header at {offset:#x}")
            }
            Self::TruncatedPayload { offset } => {
                write!(f, "the image ends inside the item at {offset:#x}")
            }
            Self::NotAContainer => f.write_str("the image does not start with a container header"),
            Self::BadMagic { offset } => {
                write!(f, "the item at {offset:#x} has a wrong magic number")
            }
            Self::BadVersion { offset } => {
                write!(f, "the item at {offset:#x} lacks the version flag")
            }
            Self::BadCrc { offset } => write!(f, "the item at {offset:#x} has a wrong checksum"),
        }
    }
}

impl core::error::Error for ZbiError {}

/// One item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZbiItem<'a> {
    /// Where the header starts in the image.
    pub offset: usize,
    /// Header.
    pub header: ZbiHeader,
    /// Payload without padding.
    pub payload: &'a [u8],
}

impl<'a> ZbiItem<'a> {
    /// The item's type, if it is a known one.
    #[must_use]
    pub fn kind(&self) -> Option<ZbiType> {
        ZbiType::from_raw(self.header.kind)
    }

    /// Whether the payload is compressed storage; the size before is `header.extra`.
    #[must_use]
    pub fn is_compressed(&self) -> bool {
        self.header.flags & ZBI_FLAG_STORAGE_COMPRESSED != 0
    }

    /// Compares the checksum, if the item has one. Not done while iterating: it reads the whole payload.
    ///
    /// # Errors
    /// - `BadCrc`: it does not match.
    pub fn verify(&self) -> Result<(), ZbiError> {
        let expected = match self.header.flags & ZBI_FLAG_CRC32 {
            0 => ZBI_NO_CRC32,
            _ => self.header.checksum(self.payload),
        };
        if self.header.crc32 == expected {
            return Ok(());
        }
        Err(ZbiError::BadCrc {
            offset: self.offset,
        })
    }

    /// Reads the item whose header starts at `offset`.
    ///
    /// # Errors
    /// - `TruncatedHeader`, `BadMagic`, `BadVersion`, `TruncatedPayload`: as they say, in this order.
    fn read(image: &'a [u8], offset: usize) -> Result<Self, ZbiError> {
        let rest = image
            .get(offset..)
            .ok_or(ZbiError::TruncatedHeader { offset })?;
        let (header, rest) =
            ZbiHeader::read_from_prefix(rest).map_err(|_| ZbiError::TruncatedHeader { offset })?;
        if header.magic != ZBI_ITEM_MAGIC {
            return Err(ZbiError::BadMagic { offset });
        }
        if header.flags & ZBI_FLAG_VERSION == 0 {
            return Err(ZbiError::BadVersion { offset });
        }
        let payload = rest
            .get(..header.length as usize)
            .ok_or(ZbiError::TruncatedPayload { offset })?;
        Ok(Self {
            offset,
            header,
            payload,
        })
    }
}

/// The items of an image, in order. Ends after the first error.
#[derive(Clone, Debug)]
pub struct ZbiItems<'a> {
    image: &'a [u8],
    next: usize,
}

impl<'a> ZbiItems<'a> {
    /// Opens an image; bytes after the container are ignored.
    ///
    /// # Errors
    /// - `TruncatedHeader`, `BadMagic`, `BadVersion`, `TruncatedPayload`: of the container.
    /// - `NotAContainer`: the first item is something else.
    pub fn new(image: &'a [u8]) -> Result<Self, ZbiError> {
        let container = ZbiItem::read(image, 0)?;
        if container.kind() != Some(ZbiType::Container)
            || container.header.extra != ZBI_CONTAINER_MAGIC
        {
            return Err(ZbiError::NotAContainer);
        }
        let end = size_of::<ZbiHeader>() + container.payload.len();
        Ok(Self {
            image: image.get(..end).unwrap_or(image),
            next: size_of::<ZbiHeader>(),
        })
    }

    /// The first item of a type. Damaged items end the search.
    #[must_use]
    pub fn find_kind(&self, kind: ZbiType) -> Option<ZbiItem<'a>> {
        self.clone()
            .map_while(Result::ok)
            .find(|item| item.kind() == Some(kind))
    }
}

impl<'a> Iterator for ZbiItems<'a> {
    type Item = Result<ZbiItem<'a>, ZbiError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.image.len() {
            return None;
        }
        let item = ZbiItem::read(self.image, self.next);
        self.next = match &item {
            Ok(item) => {
                self.next + size_of::<ZbiHeader>() + item.payload.len().next_multiple_of(ZBI_ALIGN)
            }
            Err(_) => self.image.len(),
        };
        Some(item)
    }
}

/// One step of CRC-32 (IEEE 802.3, reflected), four bits at a time; start with all ones and invert the end.
fn crc32_update(mut crc: u32, bytes: &[u8]) -> u32 {
    for &byte in bytes {
        crc ^= u32::from(byte);
        crc = CRC32_NIBBLE[(crc & 15) as usize] ^ (crc >> 4);
        crc = CRC32_NIBBLE[(crc & 15) as usize] ^ (crc >> 4);
    }
    crc
}

const CRC32_NIBBLE: [u32; 16] = {
    let mut table = [0; 16];
    let mut index = 0u32;
    while index < 16 {
        let mut value = index;
        let mut bit = 0;
        while bit < 4 {
            value = (value >> 1) ^ (0xedb8_8320 * (value & 1));
            bit += 1;
        }
        table[index as usize] = value;
        index += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    fn image(items: &[(ZbiHeader, &[u8])]) -> Vec<u8> {
        let mut body = Vec::new();
        for (header, payload) in items {
            body.extend_from_slice(header.as_bytes());
            body.extend_from_slice(payload);
            body.resize(body.len().next_multiple_of(ZBI_ALIGN), 0);
        }
        let length = u32::try_from(body.len()).unwrap();
        let mut image = Vec::from(ZbiHeader::container(length).as_bytes());
        image.extend_from_slice(&body);
        image
    }

    #[test]
    fn the_checksum_is_the_common_crc32() {
        assert_eq!(!crc32_update(!0, b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn items_come_out_in_order_with_their_payload() {
        let cmdline = ZbiHeader::new(ZbiType::Cmdline, 5, 0, 0);
        let bootfs = ZbiHeader::new(ZbiType::StorageBootfs, 3, 3, 0).with_crc32(b"abc");
        let image = image(&[(cmdline, b"a=b c"), (bootfs, b"abc")]);
        let items: Vec<_> = ZbiItems::new(&image).unwrap().map(Result::unwrap).collect();
        assert_eq!(items.len(), 2);
        assert_eq!(items[0].payload, b"a=b c");
        assert_eq!(items[1].kind(), Some(ZbiType::StorageBootfs));
        assert_eq!(items[1].verify(), Ok(()));
        let found = ZbiItems::new(&image)
            .unwrap()
            .find_kind(ZbiType::StorageBootfs)
            .unwrap();
        assert_eq!(found.offset, 32 + 40);
    }

    #[test]
    fn damage_is_named() {
        let header = ZbiHeader::new(ZbiType::Cmdline, 4, 0, 0);
        let good = image(&[(header.with_crc32(b"abcd"), b"abcd")]);
        assert_eq!(
            ZbiItems::new(&good[..31]).err(),
            Some(ZbiError::TruncatedHeader { offset: 0 })
        );
        assert_eq!(
            ZbiItems::new(&good[..40]).err(),
            Some(ZbiError::TruncatedPayload { offset: 0 })
        );
        assert_eq!(
            ZbiItems::new(&good[32..]).err(),
            Some(ZbiError::NotAContainer)
        );

        fn first(image: &[u8]) -> Result<ZbiItem<'_>, ZbiError> {
            ZbiItems::new(image).unwrap().next().unwrap()
        }
        let mut bad = good.clone();
        bad[32 + 24] ^= 1;
        assert_eq!(first(&bad).err(), Some(ZbiError::BadMagic { offset: 32 }));
        let mut bad = good.clone();
        bad[32 + 14] = 0;
        assert_eq!(first(&bad).err(), Some(ZbiError::BadVersion { offset: 32 }));
        let mut bad = good.clone();
        bad[32 + 4] = 200;
        assert_eq!(
            first(&bad).err(),
            Some(ZbiError::TruncatedPayload { offset: 32 })
        );
        let mut bad = good;
        bad[64] ^= 1;
        assert_eq!(
            first(&bad).unwrap().verify(),
            Err(ZbiError::BadCrc { offset: 32 })
        );
    }
}
