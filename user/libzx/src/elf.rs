//! What a program file wants mapped: a plan made from its headers, without touching any process.

use alloc::vec::Vec;

use zx_abi::elf::{
    FileHeader, ProgramHeader, FLAG_EXECUTE, FLAG_READ, FLAG_WRITE, IDENT, KIND_EXECUTABLE,
    KIND_SHARED, MACHINE_X86_64, SEGMENT_INTERPRETER, SEGMENT_LOAD, SEGMENT_STACK,
};

/// Page size.
pub const PAGE: u64 = 4096;

/// Why a file cannot be a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElfError {
    /// No ELF file for 64-bit x86.
    NotAnX86Elf,
    /// An executable, but neither position-independent nor at a fixed address.
    NotAProgram,
    /// The headers, or a segment, are not inside the file.
    Truncated,
    /// Segments overlap, are not in order, or have impossible addresses.
    BadSegments,
}

impl core::fmt::Display for ElfError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(self.text())
    }
}

impl ElfError {
    /// One short sentence.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::NotAnX86Elf => "is not an ELF file for 64-bit x86",
            Self::NotAProgram => "is an ELF file, but no program",
            Self::Truncated => "is a truncated ELF file",
            Self::BadSegments => "is an ELF file with impossible segments",
        }
    }
}

/// One loadable segment, in whole pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// First page, from the start of the span.
    pub start: u64,
    /// Bytes of address space, whole pages.
    pub len: u64,
    /// Where its first page is in the file.
    pub file_offset: u64,
    /// Bytes from the first page's start that come from the file; the rest is zero.
    pub file_len: u64,
    /// Whether pages can be read.
    pub readable: bool,
    /// Whether pages can be written.
    pub writable: bool,
    /// Whether pages can be executed.
    pub executable: bool,
}

/// How to load a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Address of the span if it is fixed; None for a position-independent file.
    pub fixed_address: Option<u64>,
    /// Bytes from the first to the last page.
    pub span: u64,
    /// Entry point, from the start of the span.
    pub entry: u64,
    /// What to map, in order.
    pub segments: Vec<Segment>,
    /// Where in the file the interpreter's name is, and its length with the NUL.
    pub interpreter: Option<(u64, u64)>,
    /// Stack size asked for by SEGMENT_STACK.
    pub stack_size: Option<u64>,
}

/// Makes the plan for a file of `file_size` bytes whose first bytes, headers included, are `head`.
///
/// # Errors
/// What is wrong with the file.
pub fn plan(head: &[u8], file_size: u64) -> Result<Plan, ElfError> {
    let header = FileHeader::of(head).ok_or(ElfError::NotAnX86Elf)?;
    if !header.ident.starts_with(&IDENT) || header.machine != MACHINE_X86_64 {
        return Err(ElfError::NotAnX86Elf);
    }
    if header.kind != KIND_SHARED && header.kind != KIND_EXECUTABLE {
        return Err(ElfError::NotAProgram);
    }
    let segments = header.segments(head).ok_or(ElfError::Truncated)?;
    let mut plan = Plan {
        fixed_address: None,
        span: 0,
        entry: 0,
        segments: Vec::new(),
        interpreter: None,
        stack_size: None,
    };
    let mut base = None;
    for segment in segments {
        match segment.kind {
            SEGMENT_LOAD if segment.memory_size > 0 => {
                let base = *base.get_or_insert(round_down(segment.address));
                let segment = load_segment(&segment, base, plan.span, file_size)?;
                plan.span = segment.start + segment.len;
                plan.segments.push(segment);
            }
            SEGMENT_INTERPRETER => {
                check_in_file(segment.offset, segment.file_size, file_size)?;
                plan.interpreter = Some((segment.offset, segment.file_size));
            }
            SEGMENT_STACK if segment.memory_size > 0 => plan.stack_size = Some(segment.memory_size),
            _ => {}
        }
    }
    let base = base.ok_or(ElfError::NotAProgram)?;
    plan.fixed_address = (header.kind == KIND_EXECUTABLE).then_some(base);
    // A library may have no entry point; userboot loads the vDSO like any other file.
    plan.entry = header.entry.wrapping_sub(base);
    Ok(plan)
}

fn load_segment(
    header: &ProgramHeader,
    base: u64,
    end: u64,
    file_size: u64,
) -> Result<Segment, ElfError> {
    check_in_file(header.offset, header.file_size, file_size)?;
    let in_page = header.address % PAGE;
    let from_base = header
        .address
        .checked_sub(base)
        .ok_or(ElfError::BadSegments)?;
    let start = from_base - in_page;
    let memory_end = from_base
        .checked_add(header.memory_size)
        .and_then(|end| end.checked_next_multiple_of(PAGE));
    let memory_end = memory_end.ok_or(ElfError::BadSegments)?;
    let is_sound = header.offset % PAGE == in_page
        && header.file_size <= header.memory_size
        && start >= end
        && memory_end < 1 << 46;
    if !is_sound {
        return Err(ElfError::BadSegments);
    }
    Ok(Segment {
        start,
        len: memory_end - start,
        file_offset: header.offset - in_page,
        file_len: if header.file_size == 0 {
            0
        } else {
            header.file_size + in_page
        },
        readable: header.flags & FLAG_READ != 0,
        writable: header.flags & FLAG_WRITE != 0,
        executable: header.flags & FLAG_EXECUTE != 0,
    })
}

fn check_in_file(offset: u64, len: u64, file_size: u64) -> Result<(), ElfError> {
    match offset.checked_add(len) {
        Some(end) if end <= file_size => Ok(()),
        _ => Err(ElfError::Truncated),
    }
}

const fn round_down(address: u64) -> u64 {
    address - address % PAGE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put<const N: usize>(image: &mut [u8], at: usize, bytes: [u8; N]) {
        image[at..at + N].copy_from_slice(&bytes);
    }

    /// A file with these program headers: kind, flags, offset, address, bytes in the file, bytes in memory.
    fn image(kind: u16, entry: u64, headers: &[[u64; 6]]) -> Vec<u8> {
        let mut image = alloc::vec![0; 0x4000];
        image[..6].copy_from_slice(b"\x7fELF\x02\x01");
        put(&mut image, 16, kind.to_le_bytes());
        put(&mut image, 18, MACHINE_X86_64.to_le_bytes());
        put(&mut image, 24, entry.to_le_bytes());
        put(&mut image, 32, 64u64.to_le_bytes());
        put(&mut image, 54, [56, 0]);
        put(&mut image, 56, [u8::try_from(headers.len()).unwrap(), 0]);
        for (index, header) in headers.iter().enumerate() {
            let at = 64 + index * 56;
            put(
                &mut image,
                at,
                u32::try_from(header[0]).unwrap().to_le_bytes(),
            );
            put(
                &mut image,
                at + 4,
                u32::try_from(header[1]).unwrap().to_le_bytes(),
            );
            for (field, value) in [
                (8, header[2]),
                (16, header[3]),
                (32, header[4]),
                (40, header[5]),
            ] {
                put(&mut image, at + field, value.to_le_bytes());
            }
        }
        image
    }

    #[test]
    fn a_static_pie_is_three_segments_with_zeroes_at_the_end() {
        let file = image(
            KIND_SHARED,
            0x1100,
            &[
                [1, 4, 0, 0, 0x800, 0x800],
                [1, 5, 0x1000, 0x1000, 0x1800, 0x1800],
                [1, 6, 0x2800, 0x3800, 0x100, 0x2000],
                [u64::from(SEGMENT_STACK), 6, 0, 0, 0, 0x8000],
            ],
        );
        let plan = plan(&file, 0x4000).unwrap();
        assert_eq!(
            (plan.fixed_address, plan.span, plan.entry),
            (None, 0x6000, 0x1100)
        );
        assert_eq!(plan.stack_size, Some(0x8000));
        assert_eq!(plan.interpreter, None);
        let data = plan.segments[2];
        assert_eq!(
            (data.start, data.len, data.file_offset, data.file_len),
            (0x3000, 0x3000, 0x2000, 0x900)
        );
        assert!(data.writable && !data.executable);
    }

    #[test]
    fn a_fixed_program_keeps_its_address_and_names_its_interpreter() {
        let file = image(
            KIND_EXECUTABLE,
            0x40_1000,
            &[
                [3, 4, 0x200, 0, 12, 0],
                [1, 5, 0, 0x40_0000, 0x2000, 0x2000],
            ],
        );
        let plan = plan(&file, 0x4000).unwrap();
        assert_eq!((plan.fixed_address, plan.entry), (Some(0x40_0000), 0x1000));
        assert_eq!(plan.interpreter, Some((0x200, 12)));
    }

    #[test]
    fn what_cannot_be_loaded_is_named() {
        assert_eq!(plan(b"#!/bin/sh", 9), Err(ElfError::NotAnX86Elf));
        assert_eq!(plan(&image(1, 0, &[]), 0x4000), Err(ElfError::NotAProgram));
        assert_eq!(
            plan(&image(KIND_SHARED, 0, &[]), 0x4000),
            Err(ElfError::NotAProgram)
        );
        let beyond = image(KIND_SHARED, 0, &[[1, 4, 0x3000, 0x3000, 0x1001, 0x2000]]);
        assert_eq!(plan(&beyond, 0x4000), Err(ElfError::Truncated));
        let overlapping = image(
            KIND_SHARED,
            0,
            &[[1, 4, 0, 0, 0x1800, 0x1800], [1, 5, 0x1800, 0x1800, 1, 1]],
        );
        assert_eq!(plan(&overlapping, 0x4000), Err(ElfError::BadSegments));
        let huge = image(KIND_SHARED, 0, &[[1, 4, 0, 0, 0, u64::MAX]]);
        assert_eq!(plan(&huge, 0x4000), Err(ElfError::BadSegments));
        assert_eq!(
            plan(&image(KIND_SHARED, 0, &[[1, 4, 0, 0, 1, 1]])[..100], 0x4000),
            Err(ElfError::Truncated)
        );
    }
}
