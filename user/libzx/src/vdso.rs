//! Looks up functions in the vDSO image that the kernel mapped into the process.
//!
//! Only what a loaded image has: program headers, the dynamic section, either hash table, symbols and strings, all in
//! its first (read-only) segment.

use zerocopy::{FromBytes, Immutable, KnownLayout};
use zx_abi::elf::{FileHeader, ProgramHeader, IDENT, SEGMENT_DYNAMIC, SEGMENT_LOAD};

const DT_HASH: u64 = 4;
const DT_STRTAB: u64 = 5;
const DT_SYMTAB: u64 = 6;
const DT_GNU_HASH: u64 = 0x6fff_fef5;

/// The readable first segment of a vDSO.
#[derive(Clone, Copy)]
pub struct Image<'a> {
    bytes: &'a [u8],
    symtab: usize,
    strtab: usize,
    hash: Option<usize>,
    gnu_hash: Option<usize>,
}

#[derive(FromBytes, Immutable, KnownLayout, Clone, Copy)]
#[repr(C)]
struct Symbol {
    name: u32,
    info: u8,
    other: u8,
    section: u16,
    value: u64,
    size: u64,
}

/// Bytes of the first segment, read from the image's first page.
#[must_use]
pub fn first_segment_size(page: &[u8]) -> Option<usize> {
    segments(page)?
        .find(|header| header.kind == SEGMENT_LOAD)
        .and_then(|header| usize::try_from(header.memory_size).ok())
}

impl<'a> Image<'a> {
    /// Finds the tables in the bytes of the first segment.
    #[must_use]
    pub fn parse(bytes: &'a [u8]) -> Option<Self> {
        let dynamic = segments(bytes)?.find(|header| header.kind == SEGMENT_DYNAMIC)?;
        let mut image = Self {
            bytes,
            symtab: 0,
            strtab: 0,
            hash: None,
            gnu_hash: None,
        };
        let mut at = usize::try_from(dynamic.address).ok()?;
        loop {
            let [tag, value] = read::<[u64; 2]>(bytes, at)?;
            let value = usize::try_from(value).ok();
            match tag {
                0 => break,
                DT_HASH => image.hash = value,
                DT_GNU_HASH => image.gnu_hash = value,
                DT_STRTAB => image.strtab = value?,
                DT_SYMTAB => image.symtab = value?,
                _ => {}
            }
            at += 16;
        }
        (image.symtab != 0 && image.strtab != 0).then_some(image)
    }

    /// The offset of the function of this name, which must be global or weak and defined.
    #[must_use]
    pub fn find(&self, name: &[u8]) -> Option<usize> {
        let symbol = match (self.gnu_hash, self.hash) {
            (Some(table), _) => self.find_by_gnu_hash(table, name),
            (None, Some(table)) => self.find_by_hash(table, name),
            (None, None) => None,
        }?;
        let defined = symbol.section != 0 && symbol.info >> 4 != 0;
        defined
            .then(|| usize::try_from(symbol.value).ok())
            .flatten()
    }

    fn find_by_gnu_hash(&self, table: usize, name: &[u8]) -> Option<Symbol> {
        let [bucket_count, first_symbol, bloom_count, _] =
            read::<[u32; 4]>(self.bytes, table)?.map(to_usize);
        let buckets = table + 16 + bloom_count * 8;
        let chains = buckets + bucket_count * 4;
        let hash = gnu_hash(name);
        let bucket = to_usize(hash).checked_rem(bucket_count)?;
        let mut index = to_usize(read::<u32>(self.bytes, buckets + bucket * 4)?);
        if index == 0 {
            return None;
        }
        loop {
            let chain = read::<u32>(self.bytes, chains + index.checked_sub(first_symbol)? * 4)?;
            if chain | 1 == hash | 1 {
                let symbol = self.symbol(index)?;
                if self.is_named(&symbol, name) {
                    return Some(symbol);
                }
            }
            if chain & 1 != 0 {
                return None;
            }
            index += 1;
        }
    }

    fn find_by_hash(&self, table: usize, name: &[u8]) -> Option<Symbol> {
        let [bucket_count, _] = read::<[u32; 2]>(self.bytes, table)?.map(to_usize);
        let buckets = table + 8;
        let chains = buckets + bucket_count * 4;
        let bucket = to_usize(sysv_hash(name)).checked_rem(bucket_count)?;
        let mut index = to_usize(read::<u32>(self.bytes, buckets + bucket * 4)?);
        while index != 0 {
            let symbol = self.symbol(index)?;
            if self.is_named(&symbol, name) {
                return Some(symbol);
            }
            index = to_usize(read::<u32>(self.bytes, chains + index * 4)?);
        }
        None
    }

    fn symbol(&self, index: usize) -> Option<Symbol> {
        read(self.bytes, self.symtab + index * size_of::<Symbol>())
    }

    fn is_named(&self, symbol: &Symbol, name: &[u8]) -> bool {
        let at = self.strtab + to_usize(symbol.name);
        let end = at + name.len();
        self.bytes.get(at..end) == Some(name) && self.bytes.get(end) == Some(&0)
    }
}

fn segments(bytes: &[u8]) -> Option<impl Iterator<Item = ProgramHeader> + '_> {
    let header = FileHeader::of(bytes)?;
    if !header.ident.starts_with(&IDENT) {
        return None;
    }
    header.segments(bytes)
}

fn read<T: FromBytes + Immutable + KnownLayout>(bytes: &[u8], at: usize) -> Option<T> {
    T::read_from_prefix(bytes.get(at..)?)
        .ok()
        .map(|(value, _)| value)
}

/// Programs run on 64-bit machines only.
const fn to_usize(value: u32) -> usize {
    value as usize
}

fn gnu_hash(name: &[u8]) -> u32 {
    name.iter().fold(5381, |hash: u32, &byte| {
        hash.wrapping_mul(33).wrapping_add(u32::from(byte))
    })
}

fn sysv_hash(name: &[u8]) -> u32 {
    name.iter().fold(0, |hash: u32, &byte| {
        let hash = (hash << 4).wrapping_add(u32::from(byte));
        let high = hash & 0xf000_0000;
        (hash ^ (high >> 24)) & !high
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_follow_the_elf_rules() {
        assert_eq!(gnu_hash(b""), 5381);
        assert_eq!(gnu_hash(b"printf"), 0x156b_2bb8);
        assert_eq!(sysv_hash(b"printf"), 0x077_905a6);
    }

    #[test]
    fn what_is_not_elf_is_refused() {
        assert!(Image::parse(&[]).is_none());
        assert!(Image::parse(&[0; 4096]).is_none());
        assert!(first_segment_size(&[0x7f; 4096]).is_none());
    }
}
