//! The kernel's ELF file: what rboot accepts, and where its segments go.
//!
//! rboot starts exactly one kind of file: 64-bit, x86-64, statically linked at a fixed address in the top 2 GiB, with no
//! segment both writable and executable. Everything else is refused with the reason, before memory is spent on it.
use alloc::vec::Vec;
use core::fmt;

use boot_info::layout::{to_usize, BOOT_STACK_BYTES, BOOT_STACK_TOP, KERNEL_BASE};
use boot_info::PAGE_SIZE;
use zx_abi::elf::{
    FileHeader, ProgramHeader, FLAG_EXECUTE, FLAG_WRITE, IDENT, KIND_EXECUTABLE, MACHINE_X86_64,
    SEGMENT_DYNAMIC, SEGMENT_INTERPRETER, SEGMENT_LOAD,
};

use crate::paging::Access;

/// Where a kernel image must end: below the boot stack and its guard page.
const KERNEL_LIMIT: u64 = BOOT_STACK_TOP - BOOT_STACK_BYTES - PAGE_SIZE;

/// A checked kernel file.
#[derive(Debug, PartialEq, Eq)]
pub struct KernelElf<'a> {
    /// Virtual address of the entry point; inside an executable segment.
    pub entry: u64,
    /// The segments to load, by rising address, on pages of their own. Never empty.
    pub segments: Vec<Segment<'a>>,
}

/// One PT_LOAD segment.
#[derive(Debug, PartialEq, Eq)]
pub struct Segment<'a> {
    /// Virtual address of the first byte.
    pub virt: u64,
    /// Length in memory; beyond `bytes` it is zero.
    pub memory_bytes: u64,
    /// The part that comes from the file.
    pub bytes: &'a [u8],
    /// The permissions of its pages.
    pub access: Access,
}

/// Why a file cannot be the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElfError {
    /// No ELF magic.
    NotElf,
    /// Not 64-bit little endian.
    WrongClass,
    /// Not for x86-64; the machine number found.
    WrongMachine(u16),
    /// Position independent, relocatable or dynamically linked.
    NotStatic,
    /// A header or segment lies beyond the end of the file.
    Truncated,
    /// A program header that contradicts itself; its index.
    BadSegment(usize),
    /// A segment outside the top 2 GiB (or in the boot stack); its address.
    OutsideKernelRange(u64),
    /// A segment that is writable and executable; its address.
    WritableCode(u64),
    /// Two segments share a page; the second one's address.
    Overlap(u64),
    /// Nothing to load.
    NoSegments,
    /// The entry point is in no executable segment; its address.
    BadEntry(u64),
}

impl<'a> KernelElf<'a> {
    /// Checks a file and finds its segments.
    ///
    /// # Errors
    /// See [`ElfError`].
    pub fn parse(file: &'a [u8]) -> Result<Self, ElfError> {
        if !file.starts_with(&IDENT[..4]) {
            return Err(ElfError::NotElf);
        }
        let header = FileHeader::of(file).ok_or(ElfError::Truncated)?;
        if !header.ident.starts_with(&IDENT) {
            return Err(ElfError::WrongClass);
        }
        if header.machine != MACHINE_X86_64 {
            return Err(ElfError::WrongMachine(header.machine));
        }
        if header.kind != KIND_EXECUTABLE {
            return Err(ElfError::NotStatic);
        }
        let entry = header.entry;
        let mut segments = Vec::new();
        let headers = header.segments(file).ok_or(ElfError::Truncated)?;
        for (index, header) in headers.enumerate() {
            match header.kind {
                SEGMENT_LOAD => segments.extend(Segment::parse(file, &header, index)?),
                SEGMENT_DYNAMIC | SEGMENT_INTERPRETER => return Err(ElfError::NotStatic),
                _ => {}
            }
        }
        segments.sort_unstable_by_key(|segment| segment.virt);
        for pair in segments.windows(2) {
            if pair[0].page_end() > pair[1].page_start() {
                return Err(ElfError::Overlap(pair[1].virt));
            }
        }
        if segments.is_empty() {
            return Err(ElfError::NoSegments);
        }
        if !segments
            .iter()
            .any(|segment| segment.access == Access::ReadExecute && segment.contains(entry))
        {
            return Err(ElfError::BadEntry(entry));
        }
        Ok(Self { entry, segments })
    }

    /// The pages that hold all segments: first address and length in bytes.
    #[must_use]
    pub fn span(&self) -> (u64, u64) {
        let start = self
            .segments
            .first()
            .map_or(KERNEL_BASE, Segment::page_start);
        let end = self.segments.last().map_or(start, Segment::page_end);
        (start, end - start)
    }
}

impl<'a> Segment<'a> {
    /// Reads one PT_LOAD header; nothing for an empty segment.
    ///
    /// # Errors
    /// `Truncated`, `BadSegment`, `OutsideKernelRange`, `WritableCode`.
    fn parse(
        file: &'a [u8],
        header: &ProgramHeader,
        index: usize,
    ) -> Result<Option<Self>, ElfError> {
        let (virt, memory_bytes) = (header.address, header.memory_size);
        if memory_bytes == 0 {
            return Ok(None);
        }
        if header.file_size > memory_bytes {
            return Err(ElfError::BadSegment(index));
        }
        let end = virt
            .checked_add(memory_bytes)
            .ok_or(ElfError::OutsideKernelRange(virt))?;
        if virt < KERNEL_BASE || end > KERNEL_LIMIT {
            return Err(ElfError::OutsideKernelRange(virt));
        }
        let access = match (
            header.flags & FLAG_WRITE != 0,
            header.flags & FLAG_EXECUTE != 0,
        ) {
            (true, true) => return Err(ElfError::WritableCode(virt)),
            (true, false) => Access::ReadWrite,
            (false, true) => Access::ReadExecute,
            (false, false) => Access::ReadOnly,
        };
        let bytes = part(file, header.offset, header.file_size)?;
        Ok(Some(Self {
            virt,
            memory_bytes,
            bytes,
            access,
        }))
    }

    /// Address of the first page.
    #[must_use]
    pub fn page_start(&self) -> u64 {
        self.virt & !(PAGE_SIZE - 1)
    }

    /// Address one past the last page.
    #[must_use]
    pub fn page_end(&self) -> u64 {
        // No overflow: `parse` keeps the end below KERNEL_LIMIT.
        (self.virt + self.memory_bytes).next_multiple_of(PAGE_SIZE)
    }

    fn contains(&self, address: u64) -> bool {
        (self.virt..self.virt + self.memory_bytes).contains(&address)
    }
}

/// A part of the file.
///
/// # Errors
/// `Truncated`.
fn part(file: &[u8], offset: u64, len: u64) -> Result<&[u8], ElfError> {
    let end = offset.checked_add(len).ok_or(ElfError::Truncated)?;
    if end > file.len() as u64 {
        return Err(ElfError::Truncated);
    }
    Ok(&file[to_usize(offset)..to_usize(end)])
}

impl fmt::Display for ElfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotElf => write!(f, "not an ELF file"),
            Self::WrongClass => write!(f, "not a 64-bit little-endian ELF file"),
            Self::WrongMachine(machine) => {
                write!(f, "ELF file for machine {machine}, not for x86-64")
            }
            Self::NotStatic => write!(
                f,
                "not a statically linked ELF executable at a fixed address"
            ),
            Self::Truncated => write!(f, "truncated ELF file"),
            Self::BadSegment(index) => write!(f, "ELF program header {index} contradicts itself"),
            Self::OutsideKernelRange(virt) => {
                write!(f, "ELF segment at {virt:#x} is outside the kernel's {KERNEL_BASE:#x}..{KERNEL_LIMIT:#x}")
            }
            Self::WritableCode(virt) => {
                write!(f, "ELF segment at {virt:#x} is writable and executable")
            }
            Self::Overlap(virt) => write!(
                f,
                "ELF segment at {virt:#x} shares a page with the one before"
            ),
            Self::NoSegments => write!(f, "ELF file with nothing to load"),
            Self::BadEntry(entry) => {
                write!(f, "ELF entry point {entry:#x} is in no executable segment")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    const TEXT: u64 = KERNEL_BASE + 0x20_0000;

    struct Header {
        kind: u32,
        flags: u32,
        offset: u64,
        virt: u64,
        file_bytes: u64,
        memory_bytes: u64,
    }

    fn text() -> Header {
        Header {
            kind: 1,
            flags: 5,
            offset: 0x1000,
            virt: TEXT,
            file_bytes: 16,
            memory_bytes: 16,
        }
    }

    fn data() -> Header {
        Header {
            kind: 1,
            flags: 6,
            offset: 0x1010,
            virt: TEXT + 0x1000,
            file_bytes: 4,
            memory_bytes: 0x2001,
        }
    }

    fn file(headers: &[Header]) -> Vec<u8> {
        let mut file = vec![0; 0x2000];
        file[..6].copy_from_slice(b"\x7fELF\x02\x01");
        file[16..18].copy_from_slice(&2u16.to_le_bytes());
        file[18..20].copy_from_slice(&62u16.to_le_bytes());
        file[24..32].copy_from_slice(&(TEXT + 4).to_le_bytes());
        file[32..40].copy_from_slice(&64u64.to_le_bytes());
        file[54..56].copy_from_slice(&56u16.to_le_bytes());
        file[56..58].copy_from_slice(&u16::try_from(headers.len()).unwrap().to_le_bytes());
        for (index, header) in headers.iter().enumerate() {
            let at = 64 + 56 * index;
            file[at..at + 4].copy_from_slice(&header.kind.to_le_bytes());
            file[at + 4..at + 8].copy_from_slice(&header.flags.to_le_bytes());
            file[at + 8..at + 16].copy_from_slice(&header.offset.to_le_bytes());
            file[at + 16..at + 24].copy_from_slice(&header.virt.to_le_bytes());
            file[at + 32..at + 40].copy_from_slice(&header.file_bytes.to_le_bytes());
            file[at + 40..at + 48].copy_from_slice(&header.memory_bytes.to_le_bytes());
        }
        file
    }

    fn error(headers: &[Header]) -> ElfError {
        KernelElf::parse(&file(headers)).unwrap_err()
    }

    #[test]
    fn a_good_kernel_is_accepted_with_its_segments_sorted() {
        let file = file(&[data(), text()]);
        let kernel = KernelElf::parse(&file).unwrap();
        assert_eq!(kernel.entry, TEXT + 4);
        assert_eq!(kernel.span(), (TEXT, 0x4000));
        assert_eq!(kernel.segments[0].access, Access::ReadExecute);
        assert_eq!(kernel.segments[1].access, Access::ReadWrite);
        assert_eq!(kernel.segments[1].bytes.len(), 4);
    }

    #[test]
    fn text_is_not_elf_and_a_cut_header_is_truncated() {
        assert_eq!(KernelElf::parse(b"hello"), Err(ElfError::NotElf));
        assert_eq!(KernelElf::parse(b""), Err(ElfError::NotElf));
        assert_eq!(
            KernelElf::parse(b"\x7fELF\x02\x01"),
            Err(ElfError::Truncated)
        );
    }

    #[test]
    fn class_and_machine_and_type_are_told_apart() {
        let good = file(&[text()]);
        let with = |at: usize, value: u8| {
            let mut file = good.clone();
            file[at] = value;
            KernelElf::parse(&file).unwrap_err()
        };
        assert_eq!(with(4, 1), ElfError::WrongClass);
        assert_eq!(with(18, 183), ElfError::WrongMachine(183));
        assert_eq!(with(16, 3), ElfError::NotStatic);
    }

    #[test]
    fn a_segment_beyond_the_end_of_the_file_is_truncated() {
        assert_eq!(
            error(&[Header {
                file_bytes: 0x1001,
                memory_bytes: 0x1001,
                ..text()
            }]),
            ElfError::Truncated
        );
        assert_eq!(
            error(&[Header {
                offset: u64::MAX,
                ..text()
            }]),
            ElfError::Truncated
        );
    }

    #[test]
    fn a_segment_outside_the_top_two_gigabytes_is_refused() {
        for virt in [
            0x20_0000,
            KERNEL_BASE - 1,
            BOOT_STACK_TOP - BOOT_STACK_BYTES,
            u64::MAX - 4,
        ] {
            assert_eq!(
                error(&[Header { virt, ..text() }]),
                ElfError::OutsideKernelRange(virt)
            );
        }
    }

    #[test]
    fn a_writable_and_executable_segment_is_refused() {
        assert_eq!(
            error(&[Header { flags: 7, ..text() }]),
            ElfError::WritableCode(TEXT)
        );
    }

    #[test]
    fn segments_that_share_a_page_are_refused() {
        assert_eq!(
            error(&[
                text(),
                Header {
                    virt: TEXT + 0x800,
                    ..data()
                }
            ]),
            ElfError::Overlap(TEXT + 0x800)
        );
    }

    #[test]
    fn dynamic_and_interpreted_programs_are_refused() {
        for kind in [SEGMENT_DYNAMIC, SEGMENT_INTERPRETER] {
            assert_eq!(
                error(&[text(), Header { kind, ..data() }]),
                ElfError::NotStatic
            );
        }
    }

    #[test]
    fn an_entry_point_outside_the_code_is_refused() {
        assert_eq!(
            error(&[Header {
                memory_bytes: 2,
                file_bytes: 2,
                ..text()
            }]),
            ElfError::BadEntry(TEXT + 4)
        );
        assert_eq!(error(&[]), ElfError::NoSegments);
    }

    #[test]
    fn more_bytes_in_the_file_than_in_memory_contradict() {
        assert_eq!(
            error(&[Header {
                memory_bytes: 8,
                ..text()
            }]),
            ElfError::BadSegment(0)
        );
    }
}
