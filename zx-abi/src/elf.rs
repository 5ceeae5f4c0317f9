//! Headers of ELF files for 64-bit x86: what each reader of such a file needs, and no reader's opinion of one.
//!
//! rboot reads the kernel with it, libzx programs and the vDSO. What a file must be to be used is said there.

use zerocopy::FromBytes;

use crate::wire::records;

/// How a 64-bit little-endian ELF file begins.
pub const IDENT: [u8; 6] = *b"\x7fELF\x02\x01";
/// `kind` of a file with fixed addresses.
pub const KIND_EXECUTABLE: u16 = 2;
/// `kind` of a position-independent file.
pub const KIND_SHARED: u16 = 3;
/// `machine` of x86-64.
pub const MACHINE_X86_64: u16 = 62;

/// `kind` of a segment that is loaded.
pub const SEGMENT_LOAD: u32 = 1;
/// `kind` of the dynamic section's segment.
pub const SEGMENT_DYNAMIC: u32 = 2;
/// `kind` of the segment with the interpreter's name.
pub const SEGMENT_INTERPRETER: u32 = 3;
/// `kind` of the segment that says how the stack shall be.
pub const SEGMENT_STACK: u32 = 0x6474_e551;

/// Bit of `flags` of a segment: its pages are code.
pub const FLAG_EXECUTE: u32 = 1;
/// Bit of `flags` of a segment: its pages can be written.
pub const FLAG_WRITE: u32 = 2;
/// Bit of `flags` of a segment: its pages can be read.
pub const FLAG_READ: u32 = 4;

records! {
    /// `Elf64_Ehdr`, at the start of the file.
    FileHeader: 64 {
        /// [`IDENT`] and ten bytes more.
        ident: [u8; 16],
        /// `KIND_*`.
        kind: u16,
        /// [`MACHINE_X86_64`].
        machine: u16,
        /// 1.
        version: u32,
        /// Address of the entry point.
        entry: u64,
        /// Where in the file the program headers are.
        program_headers: u64,
        /// Where in the file the section headers are.
        section_headers: u64,
        /// Nothing on x86.
        flags: u32,
        /// Bytes of this header.
        header_size: u16,
        /// Bytes of a program header.
        program_header_size: u16,
        /// How many program headers there are.
        program_header_count: u16,
        /// Bytes of a section header.
        section_header_size: u16,
        /// How many section headers there are.
        section_header_count: u16,
        /// Index of the section with the sections' names.
        section_names: u16,
    }
    /// `Elf64_Phdr`: a segment.
    ProgramHeader: 56 {
        /// `SEGMENT_*`.
        kind: u32,
        /// `FLAG_*`.
        flags: u32,
        /// Where its bytes are in the file.
        offset: u64,
        /// Its address in memory.
        address: u64,
        /// Nothing that is used.
        physical: u64,
        /// Bytes in the file.
        file_size: u64,
        /// Bytes in memory; what is beyond those of the file is zero.
        memory_size: u64,
        /// What `address` and `offset` are equal modulo.
        align: u64,
    }
}

impl FileHeader {
    /// The header of a file, if it is long enough to have one. Nothing in it is checked.
    #[must_use]
    pub fn of(file: &[u8]) -> Option<Self> {
        Some(Self::read_from_prefix(file).ok()?.0)
    }

    /// The program headers, if they are in `file` and of the size they should have. They may be anywhere in it, at odd
    /// addresses too.
    #[must_use]
    pub fn segments<'a>(&self, file: &'a [u8]) -> Option<impl Iterator<Item = ProgramHeader> + 'a> {
        const SIZE: usize = size_of::<ProgramHeader>();
        let count = usize::from(self.program_header_count);
        if count > 0 && usize::from(self.program_header_size) != SIZE {
            return None;
        }
        let start = usize::try_from(self.program_headers).ok()?;
        let table = file.get(start..start.checked_add(count * SIZE)?)?;
        let read = |bytes| ProgramHeader::read_from_bytes(bytes).ok();
        Some(table.chunks_exact(SIZE).filter_map(read))
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;
    use zerocopy::IntoBytes;

    fn file(kinds: &[u32]) -> Vec<u8> {
        let header = FileHeader {
            program_headers: 65,
            program_header_size: 56,
            program_header_count: u16::try_from(kinds.len()).unwrap(),
            ..FileHeader::default()
        };
        let mut file = Vec::from(header.as_bytes());
        file.push(0);
        for &kind in kinds {
            let segment = ProgramHeader {
                kind,
                ..ProgramHeader::default()
            };
            file.extend_from_slice(segment.as_bytes());
        }
        file
    }

    fn kinds(file: &[u8]) -> Option<Vec<u32>> {
        let header = FileHeader::of(file)?;
        Some(header.segments(file)?.map(|each| each.kind).collect())
    }

    #[test]
    fn segments_come_in_their_order_from_an_odd_place() {
        assert_eq!(kinds(&file(&[3, 1, 2])).unwrap(), [3, 1, 2]);
        assert_eq!(kinds(&file(&[])).unwrap(), []);
    }

    #[test]
    fn a_table_that_is_not_all_there_is_none() {
        let file = file(&[1, 1]);
        assert_eq!(kinds(&file[..file.len() - 1]), None);
        assert_eq!(kinds(&file[..63]), None);
    }

    #[test]
    fn a_table_with_entries_of_another_size_or_at_no_place_is_none() {
        let mut of_another_size = file(&[1]);
        of_another_size[54] = 57;
        assert_eq!(kinds(&of_another_size), None);
        let mut beyond = file(&[1]);
        beyond[32..40].fill(0xff);
        assert_eq!(kinds(&beyond), None);
    }
}
