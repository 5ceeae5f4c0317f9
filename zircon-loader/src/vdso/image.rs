//! Reading an image of two segments: vDSO and userboot are both laid out so (`facts/boot.md`, section 3).

use alloc::vec::Vec;
use core::ops::Range;
use xmas_elf::program::Type as SegmentType;
use xmas_elf::sections::SectionData;
use xmas_elf::symbol_table::Entry as _;
use xmas_elf::ElfFile;
use zircon_object::vm::PAGE_SIZE;

/// Why an image cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ImageError {
    /// No ELF header.
    NotElf,
    /// Not for x86-64, or no shared object.
    WrongKind,
    /// Not exactly a read-only segment at 0 and an executable one on the next page boundary.
    NotTwoSegments,
    /// The file ends before its segments do.
    Truncated,
    /// No dynamic symbols.
    NoSymbols,
    /// No `syscall` instruction could be named.
    NoSyscalls,
    /// The same number stands for two calls.
    Ambiguous,
    /// The constants could not be found.
    NoConstants,
}

impl ImageError {
    /// What is wrong, as the rest of a sentence that begins with the part's name.
    pub(crate) const fn describe(self) -> &'static str {
        match self {
            Self::NotElf => "is not an ELF file",
            Self::WrongKind => "is not a shared object for x86-64",
            Self::NotTwoSegments => "does not have exactly one read-only segment at 0 and one executable segment after it",
            Self::Truncated => "is truncated",
            Self::NoSymbols => "has no dynamic symbols",
            Self::NoSyscalls => "contains no syscall instruction that could be named",
            Self::Ambiguous => "uses one number for two calls",
            Self::NoConstants => "has no place for the system's constants",
        }
    }
}

/// The layout of an image of two segments, in bytes from its start.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Rodso {
    /// The executable part, whole pages; what is before it is read-only.
    pub(crate) code: Range<usize>,
    /// Where it starts.
    pub(crate) entry: usize,
}

/// Checks the layout.
///
/// # Errors
/// [`ImageError`], the layout's ones.
pub(crate) fn rodso(file: &[u8]) -> Result<Rodso, ImageError> {
    let elf = parse(file)?;
    let mut loads = elf.program_iter().filter(|segment| segment.get_type() == Ok(SegmentType::Load));
    let (Some(data), Some(code), None) = (loads.next(), loads.next(), loads.next()) else {
        return Err(ImageError::NotTwoSegments);
    };
    let start = to_usize(code.virtual_addr());
    let size = to_usize(code.mem_size());
    let flags_fit = data.flags().is_read() && !data.flags().is_write() && !data.flags().is_execute() && code.flags().is_execute() && !code.flags().is_write();
    let place_fits = data.offset() == 0
        && data.virtual_addr() == 0
        && code.offset() == code.virtual_addr()
        && start % PAGE_SIZE == 0
        && to_usize(data.mem_size()) <= start
        && code.mem_size() == code.file_size();
    if !flags_fit || !place_fits {
        return Err(ImageError::NotTwoSegments);
    }
    let end = start.checked_add(size).ok_or(ImageError::NotTwoSegments)?;
    if end > file.len() {
        return Err(ImageError::Truncated);
    }
    Ok(Rodso { code: start..end.next_multiple_of(PAGE_SIZE), entry: to_usize(elf.header.pt2.entry_point()) })
}

fn parse(file: &[u8]) -> Result<ElfFile<'_>, ImageError> {
    let elf = ElfFile::new(file).map_err(|_| ImageError::NotElf)?;
    let machine = elf.header.pt2.machine().as_machine();
    let kind = elf.header.pt2.type_().as_type();
    if machine != xmas_elf::header::Machine::X86_64 || kind != xmas_elf::header::Type::SharedObject {
        return Err(ImageError::WrongKind);
    }
    Ok(elf)
}

/// A symbol of the image.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Symbol<'a> {
    pub(crate) name: &'a str,
    pub(crate) value: usize,
    pub(crate) size: usize,
}

/// A vDSO image: bytes as they will be mapped, and its symbols.
#[derive(Debug)]
pub(crate) struct Image<'a> {
    /// The file up to the end of the code segment.
    pub(crate) bytes: &'a [u8],
    pub(crate) layout: Rodso,
    /// Exported symbols with the offset of their table entry, in table order.
    pub(crate) dynamic: Vec<(usize, Symbol<'a>)>,
    /// Symbols of the full table; empty when the image is stripped.
    pub(crate) local: Vec<Symbol<'a>>,
}

/// Bytes of an `Elf64_Sym`.
const SYMBOL_SIZE: usize = 24;

impl<'a> Image<'a> {
    /// Reads an image.
    ///
    /// # Errors
    /// [`ImageError`] for a wrong layout or missing symbols.
    pub(crate) fn parse(file: &'a [u8]) -> Result<Self, ImageError> {
        let layout = rodso(file)?;
        let elf = parse(file)?;
        let bytes = file.get(..layout.code.end).unwrap_or(file);
        let dynamic = dynamic_symbols(&elf, bytes)?;
        let mut local = Vec::new();
        for section in elf.section_iter() {
            if let Ok(SectionData::SymbolTable64(symbols)) = section.get_data(&elf) {
                local.extend(symbols.iter().filter_map(|symbol| {
                    let name = symbol.get_name(&elf).ok()?;
                    Some(Symbol { name, value: to_usize(symbol.value()), size: to_usize(symbol.size()) })
                }));
            }
        }
        Ok(Self { bytes, layout, dynamic, local })
    }

    /// The exported symbol with this name.
    pub(crate) fn export(&self, name: &str) -> Option<Symbol<'a>> {
        self.dynamic.iter().map(|(_, symbol)| *symbol).find(|symbol| symbol.name == name)
    }

    /// A little-endian word of the image.
    pub(crate) fn word(&self, at: usize) -> Option<u32> {
        word_at(self.bytes, at)
    }
}

/// Symbols through the dynamic segment, which a stripped image keeps. A hash table tells how many there are.
fn dynamic_symbols<'a>(elf: &ElfFile<'_>, bytes: &'a [u8]) -> Result<Vec<(usize, Symbol<'a>)>, ImageError> {
    const DT_HASH: u64 = 4;
    const DT_GNU_HASH: u64 = 0x6fff_fef5;
    const DT_STRTAB: u64 = 5;
    const DT_SYMTAB: u64 = 6;
    let mut segments = elf.program_iter();
    let segment = segments.find(|segment| segment.get_type() == Ok(SegmentType::Dynamic)).ok_or(ImageError::NoSymbols)?;
    let start = to_usize(segment.virtual_addr());
    let entries = bytes.get(start..start.saturating_add(to_usize(segment.mem_size()))).ok_or(ImageError::Truncated)?;
    let value_of = |tag| entries.chunks_exact(16).find(|entry| long(entry, 0) == Some(tag)).and_then(|entry| long(entry, 8));
    let symbols = to_usize(value_of(DT_SYMTAB).ok_or(ImageError::NoSymbols)?);
    let strings = to_usize(value_of(DT_STRTAB).ok_or(ImageError::NoSymbols)?);
    let hash = value_of(DT_HASH).and_then(|hash| word_at(bytes, to_usize(hash) + 4)).map(|count| count as usize);
    let gnu_hash = || value_of(DT_GNU_HASH).and_then(|hash| gnu_hash_count(bytes, to_usize(hash)));
    let count = hash.or_else(gnu_hash).ok_or(ImageError::NoSymbols)?;
    let end = symbols.saturating_add(count.saturating_mul(SYMBOL_SIZE));
    let table = bytes.get(symbols..end).ok_or(ImageError::Truncated)?;
    let mut found = Vec::new();
    for (index, raw) in table.chunks_exact(SYMBOL_SIZE).enumerate() {
        let (Some(name), Some(value), Some(size)) = (long(raw, 0), long(raw, 8), long(raw, 16)) else { continue };
        let name_at = strings.saturating_add(to_usize(name & 0xffff_ffff));
        let Some(name) = bytes.get(name_at..).and_then(|rest| rest.split(|byte| *byte == 0).next()) else { continue };
        let Ok(name) = core::str::from_utf8(name) else { continue };
        if !name.is_empty() {
            found.push((symbols + index * SYMBOL_SIZE, Symbol { name, value: to_usize(value), size: to_usize(size) }));
        }
    }
    if found.is_empty() {
        return Err(ImageError::NoSymbols);
    }
    Ok(found)
}

/// Number of symbols, from a GNU hash table: one past the end of the chain that starts last.
fn gnu_hash_count(bytes: &[u8], table: usize) -> Option<usize> {
    let header = |index: usize| word_at(bytes, table + 4 * index).map(|word| word as usize);
    let (buckets, first, bloom) = (header(0)?, header(1)?, header(2)?);
    let bucket = table + 16 + 8 * bloom;
    let chain = bucket + 4 * buckets;
    let mut last = 0;
    for index in 0..buckets {
        last = last.max(word_at(bytes, bucket + 4 * index)? as usize);
    }
    if last < first {
        return Some(first);
    }
    while word_at(bytes, chain + 4 * (last - first))? & 1 == 0 {
        last += 1;
    }
    Some(last + 1)
}

fn word_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

fn long(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes = bytes.get(at..at + 8)?;
    Some(bytes.iter().rev().fold(0, |value, byte| value << 8 | u64::from(*byte)))
}

#[expect(clippy::cast_possible_truncation, reason = "usize has 64 bits on every machine that this runs on")]
pub(crate) const fn to_usize(value: u64) -> usize {
    value as usize
}
