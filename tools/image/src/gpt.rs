//! The partition table: protective MBR, and the GPT at both ends of the disk.
//!
//! Layout after the UEFI specification, chapter 5: header in block 1, 128 entries of 128 bytes behind it; at the end of the
//! disk the entries again and the header in the last block.
use std::ops::Range;

const BLOCK: usize = 512;
const ENTRIES: u32 = 128;
const ENTRY_BYTES: u32 = 128;
const TABLE_BYTES: usize = (ENTRIES * ENTRY_BYTES) as usize;
const TABLE_BLOCKS: u64 = (TABLE_BYTES / BLOCK) as u64;
const HEADER_BYTES: u32 = 92;

/// C12A7328-F81F-11D2-BA4B-00A0C93EC93B, an EFI system partition, in the byte order of the disk.
const ESP_TYPE: [u8; 16] = [
    0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11, 0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b,
];

/// Writes a table with one EFI system partition, which lies at `partition` (bytes, whole blocks) and is already filled: the
/// identifiers are made from its content.
pub(crate) fn write(image: &mut [u8], partition: Range<usize>) {
    let last = block_number(image.len()) - 1;
    let content = crc32fast::hash(&image[BLOCK..]);

    let mut table = vec![0; TABLE_BYTES];
    put(&mut table, 0, &ESP_TYPE);
    put(&mut table, 16, &identifier(content, 1));
    put(&mut table, 32, &block_number(partition.start).to_le_bytes());
    put(
        &mut table,
        40,
        &(block_number(partition.end) - 1).to_le_bytes(),
    );
    for (index, unit) in "EFI system".encode_utf16().enumerate() {
        put(&mut table, 56 + 2 * index, &unit.to_le_bytes());
    }

    let header = |own: u64, other: u64, table_at: u64| {
        let mut header = [0; BLOCK];
        put(&mut header, 0, b"EFI PART");
        put(&mut header, 8, &0x0001_0000_u32.to_le_bytes());
        put(&mut header, 12, &HEADER_BYTES.to_le_bytes());
        put(&mut header, 24, &own.to_le_bytes());
        put(&mut header, 32, &other.to_le_bytes());
        put(&mut header, 40, &(2 + TABLE_BLOCKS).to_le_bytes());
        put(&mut header, 48, &(last - TABLE_BLOCKS - 1).to_le_bytes());
        put(&mut header, 56, &identifier(content, 2));
        put(&mut header, 72, &table_at.to_le_bytes());
        put(&mut header, 80, &ENTRIES.to_le_bytes());
        put(&mut header, 84, &ENTRY_BYTES.to_le_bytes());
        put(&mut header, 88, &crc32fast::hash(&table).to_le_bytes());
        let crc = crc32fast::hash(&header[..HEADER_BYTES as usize]);
        put(&mut header, 16, &crc.to_le_bytes());
        header
    };
    let backup_table = last - TABLE_BLOCKS;
    put_block(image, 0, &protective_mbr(last));
    put_block(image, 1, &header(1, last, 2));
    put_block(image, 2, &table);
    put_block(image, backup_table, &table);
    put_block(image, last, &header(last, 1, backup_table));
}

/// A partition of type 0xEE over the whole disk keeps old programs away.
fn protective_mbr(last: u64) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    let len = u32::try_from(last).unwrap_or(u32::MAX);
    put(
        &mut block,
        446,
        &[0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff, 1, 0, 0, 0],
    );
    put(&mut block, 458, &len.to_le_bytes());
    put(&mut block, 510, &[0x55, 0xaa]);
    block
}

/// A GUID of the kind "made by a private rule" (version 8), different for each content and purpose.
fn identifier(content: u32, purpose: u8) -> [u8; 16] {
    let mut bytes = [0; 16];
    for (index, part) in (0_u8..).zip(bytes.chunks_exact_mut(4)) {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(&content.to_le_bytes());
        hasher.update(&[purpose, index]);
        part.copy_from_slice(&hasher.finalize().to_le_bytes());
    }
    bytes[7] = bytes[7] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    bytes
}

fn block_number(offset: usize) -> u64 {
    (offset / BLOCK) as u64
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

fn put_block(image: &mut [u8], block: u64, value: &[u8]) {
    // No loss: the block lies in the image, which is in memory.
    let at = usize::try_from(block).map_or(usize::MAX, |block| block * BLOCK);
    put(image, at, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn u32_at(bytes: &[u8], at: usize) -> u32 {
        u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
    }

    fn u64_at(bytes: &[u8], at: usize) -> u64 {
        u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
    }

    fn image() -> Vec<u8> {
        let mut image = vec![0; 4 << 20];
        write(&mut image, 1 << 20..3 << 20);
        image
    }

    #[test]
    fn both_headers_point_at_each_other_and_carry_good_checksums() {
        let image = image();
        let last = image.len() - BLOCK;
        for (at, own, other) in [(BLOCK, 1, 8191), (last, 8191, 1)] {
            let header = &image[at..at + BLOCK];
            assert_eq!(&header[..8], b"EFI PART");
            assert_eq!(u64_at(header, 24), own);
            assert_eq!(u64_at(header, 32), other);
            let mut zeroed = header[..92].to_vec();
            zeroed[16..20].fill(0);
            assert_eq!(u32_at(header, 16), crc32fast::hash(&zeroed));
            let table = usize::try_from(u64_at(header, 72)).unwrap() * BLOCK;
            assert_eq!(
                u32_at(header, 88),
                crc32fast::hash(&image[table..table + TABLE_BYTES])
            );
        }
    }

    #[test]
    fn the_partition_lies_where_it_was_put() {
        let image = image();
        assert_eq!(u64_at(&image, 2 * BLOCK + 32), 2048);
        assert_eq!(u64_at(&image, 2 * BLOCK + 40), 6143);
    }

    #[test]
    fn the_first_block_protects_the_disk() {
        let image = image();
        assert_eq!(image[450], 0xee);
        assert_eq!(u32_at(&image, 454), 1);
        assert_eq!(u32_at(&image, 458), 8191);
        assert_eq!(image[510..512], [0x55, 0xaa]);
    }
}
