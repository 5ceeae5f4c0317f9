//! Reading an image's symbols: the exported ones that even a stripped image has, and all others.
//!
//! An image comes from a file that a person chose, so nothing in it is believed: every offset is checked before it is
//! followed, and a table that is not there is an empty table.

use super::image::{to_usize, ImageError};
use alloc::vec::Vec;
use xmas_elf::program::Type as SegmentType;
use xmas_elf::ElfFile;

/// A symbol of the image.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Symbol<'a> {
    pub(crate) name: &'a str,
    pub(crate) value: usize,
    pub(crate) size: usize,
}

/// Bytes of an `Elf64_Sym`.
const SYMBOL_SIZE: usize = 24;

/// Symbols through the dynamic segment, which a stripped image keeps, with the offset of their table entry. A hash table
/// tells how many there are.
///
/// # Errors
/// - `NoSymbols`: no table, or nothing in it.
/// - `Truncated`: it is said to be outside the image.
pub(super) fn dynamic<'a>(
    elf: &ElfFile<'_>,
    bytes: &'a [u8],
) -> Result<Vec<(usize, Symbol<'a>)>, ImageError> {
    const DT_HASH: u64 = 4;
    const DT_GNU_HASH: u64 = 0x6fff_fef5;
    const DT_STRTAB: u64 = 5;
    const DT_SYMTAB: u64 = 6;
    let mut segments = elf.program_iter();
    let segment = segments
        .find(|segment| segment.get_type() == Ok(SegmentType::Dynamic))
        .ok_or(ImageError::NoSymbols)?;
    let entries =
        part(bytes, segment.virtual_addr(), segment.mem_size()).ok_or(ImageError::Truncated)?;
    let value_of = |tag| {
        entries
            .chunks_exact(16)
            .find(|entry| long_at(entry, 0) == Some(tag))
            .and_then(|entry| long_at(entry, 8))
    };
    let table = to_usize(value_of(DT_SYMTAB).ok_or(ImageError::NoSymbols)?);
    let strings = to_usize(value_of(DT_STRTAB).ok_or(ImageError::NoSymbols)?);
    let hash = || {
        bytes
            .get(to_usize(value_of(DT_HASH)?)..)
            .and_then(|hash| word_at(hash, 4))
            .map(|count| count as usize)
    };
    let gnu_hash = || {
        bytes
            .get(to_usize(value_of(DT_GNU_HASH)?)..)
            .and_then(gnu_hash_count)
    };
    let count = hash().or_else(gnu_hash).ok_or(ImageError::NoSymbols)?;
    let end = table.saturating_add(count.saturating_mul(SYMBOL_SIZE));
    let entries = bytes.get(table..end).ok_or(ImageError::Truncated)?;
    let strings = bytes.get(strings..).ok_or(ImageError::Truncated)?;
    let found: Vec<_> = named(entries, strings)
        .map(|(at, symbol)| (table + at, symbol))
        .collect();
    if found.is_empty() {
        return Err(ImageError::NoSymbols);
    }
    Ok(found)
}

/// Symbols of the full table; none when the image is stripped or the file ends before it.
pub(super) fn local<'a>(elf: &ElfFile<'a>) -> Vec<Symbol<'a>> {
    const SHT_SYMTAB: u32 = 2;
    let (file, header) = (elf.input, elf.header.pt2);
    let header_size = usize::from(header.sh_entry_size());
    let section =
        |index: usize| file.get(to_usize(header.sh_offset()).checked_add(index * header_size)?..);
    let content = |section: &[u8]| part(file, long_at(section, 24)?, long_at(section, 32)?);
    let symbols = || {
        let table = (0..usize::from(header.sh_count()))
            .filter_map(section)
            .find(|section| word_at(section, 4) == Some(SHT_SYMTAB))?;
        let strings = section(word_at(table, 40)? as usize)?;
        Some(
            named(content(table)?, content(strings)?)
                .map(|(_, symbol)| symbol)
                .collect(),
        )
    };
    symbols().unwrap_or_default()
}

/// The symbols of a table that have a name, with their offset in it.
fn named<'a>(table: &'a [u8], strings: &'a [u8]) -> impl Iterator<Item = (usize, Symbol<'a>)> {
    table
        .chunks_exact(SYMBOL_SIZE)
        .enumerate()
        .filter_map(move |(index, raw)| {
            let name = strings
                .get(word_at(raw, 0)? as usize..)?
                .split(|byte| *byte == 0)
                .next()?;
            let name = core::str::from_utf8(name)
                .ok()
                .filter(|name| !name.is_empty())?;
            let symbol = Symbol {
                name,
                value: to_usize(long_at(raw, 8)?),
                size: to_usize(long_at(raw, 16)?),
            };
            Some((index * SYMBOL_SIZE, symbol))
        })
}

/// Number of symbols, from a GNU hash table: one past the end of the chain that starts last.
fn gnu_hash_count(table: &[u8]) -> Option<usize> {
    let word = |index: usize| word_at(table, index.checked_mul(4)?).map(|word| word as usize);
    let (buckets, first, bloom) = (word(0)?, word(1)?, word(2)?);
    let bucket = 4 + 2 * bloom;
    let chain = bucket + buckets;
    let mut last = 0;
    for index in 0..buckets {
        last = last.max(word(bucket + index)?);
    }
    if last < first {
        return Some(first);
    }
    while word(chain + last - first)? & 1 == 0 {
        last += 1;
    }
    Some(last + 1)
}

/// `len` bytes at `start`.
fn part(bytes: &[u8], start: u64, len: u64) -> Option<&[u8]> {
    bytes.get(to_usize(start)..to_usize(start.checked_add(len)?))
}

/// A little-endian word.
pub(super) fn word_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(
        bytes
            .iter()
            .rev()
            .fold(0, |value, byte| value << 8 | u32::from(*byte)),
    )
}

fn long_at(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..at.checked_add(8)?)?;
    Some(
        bytes
            .iter()
            .rev()
            .fold(0, |value, byte| value << 8 | u64::from(*byte)),
    )
}
