//! Reading an image of two segments: vDSO and userboot are both laid out so (`facts/boot.md`, section 3).

use super::symbols::{self, Symbol};
use alloc::vec::Vec;
use core::ops::Range;
use xmas_elf::program::Type as SegmentType;
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
    let mut loads = elf
        .program_iter()
        .filter(|segment| segment.get_type() == Ok(SegmentType::Load));
    let (Some(data), Some(code), None) = (loads.next(), loads.next(), loads.next()) else {
        return Err(ImageError::NotTwoSegments);
    };
    let start = to_usize(code.virtual_addr());
    let size = to_usize(code.mem_size());
    let flags_fit = data.flags().is_read()
        && !data.flags().is_write()
        && !data.flags().is_execute()
        && code.flags().is_execute()
        && !code.flags().is_write();
    let place_fits = data.offset() == 0
        && data.virtual_addr() == 0
        && code.offset() == code.virtual_addr()
        && start.is_multiple_of(PAGE_SIZE)
        && to_usize(data.mem_size()) <= start
        && code.mem_size() == code.file_size();
    if !flags_fit || !place_fits {
        return Err(ImageError::NotTwoSegments);
    }
    let end = start.checked_add(size).ok_or(ImageError::NotTwoSegments)?;
    if end > file.len() {
        return Err(ImageError::Truncated);
    }
    Ok(Rodso {
        code: start..end.next_multiple_of(PAGE_SIZE),
        entry: to_usize(elf.header.pt2.entry_point()),
    })
}

/// Reads the ELF header, with `xmas-elf`: the kernel was asked to be built on it, or `zx_abi::elf` would do. Its iterator over
/// program headers panics when they are not in the file, so that is seen to here.
fn parse(file: &[u8]) -> Result<ElfFile<'_>, ImageError> {
    /// Bytes of an `Elf64_Phdr`.
    const PROGRAM_HEADER_SIZE: usize = 56;
    let elf = ElfFile::new(file).map_err(|_| ImageError::NotElf)?;
    let header = elf.header.pt2;
    let fits = elf.header.pt1.class() == xmas_elf::header::Class::SixtyFour
        && header.machine().as_machine() == xmas_elf::header::Machine::X86_64
        && header.type_().as_type() == xmas_elf::header::Type::SharedObject;
    if !fits {
        return Err(ImageError::WrongKind);
    }
    let (table, count) = (to_usize(header.ph_offset()), usize::from(header.ph_count()));
    if usize::from(header.ph_entry_size()) != PROGRAM_HEADER_SIZE || !table.is_multiple_of(8) {
        return Err(ImageError::WrongKind);
    }
    if table
        .checked_add(count * PROGRAM_HEADER_SIZE)
        .is_none_or(|end| end > file.len())
    {
        return Err(ImageError::Truncated);
    }
    Ok(elf)
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

impl<'a> Image<'a> {
    /// Reads an image.
    ///
    /// # Errors
    /// [`ImageError`] for a wrong layout or missing symbols.
    pub(crate) fn parse(file: &'a [u8]) -> Result<Self, ImageError> {
        let layout = rodso(file)?;
        let elf = parse(file)?;
        let bytes = file.get(..layout.code.end).unwrap_or(file);
        let dynamic = symbols::dynamic(&elf, bytes)?;
        let local = symbols::local(&elf);
        Ok(Self {
            bytes,
            layout,
            dynamic,
            local,
        })
    }

    /// The exported symbol with this name.
    pub(crate) fn export(&self, name: &str) -> Option<Symbol<'a>> {
        self.dynamic
            .iter()
            .map(|(_, symbol)| *symbol)
            .find(|symbol| symbol.name == name)
    }

    /// A little-endian word of the image.
    pub(crate) fn word(&self, at: usize) -> Option<u32> {
        symbols::word_at(self.bytes, at)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "usize has 64 bits on every machine that this runs on"
)]
pub(crate) const fn to_usize(value: u64) -> usize {
    value as usize
}
