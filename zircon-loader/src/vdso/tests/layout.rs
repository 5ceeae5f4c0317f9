//! Which files are taken for an image of two segments, and what is said of the others.

use crate::vdso::image::{rodso, Image, ImageError};
use crate::vdso::sample::{program_header, stub, Hash, Sample, Symbols, CODE};
use alloc::vec::Vec;

fn sample() -> Sample {
    let mut sample = Sample::new();
    sample.function("zx_event_create", &stub(7));
    sample
}

/// The sample's file after a change of these bytes.
fn with(at: usize, bytes: &[u8]) -> Vec<u8> {
    let mut file = sample().stripped();
    file[at..at + bytes.len()].copy_from_slice(bytes);
    file
}

#[test]
fn an_image_of_two_segments_is_read() {
    let layout = rodso(&sample().stripped()).unwrap();
    assert_eq!(layout.code, CODE..CODE + 0x1000);
    assert_eq!(layout.entry, CODE);
}

#[test]
fn what_is_no_elf_file_is_refused() {
    assert_eq!(rodso(b""), Err(ImageError::NotElf));
    assert_eq!(rodso(b"#!/bin/sh\nexit 0\n"), Err(ImageError::NotElf));
    assert_eq!(rodso(&with(0, b"ELF")), Err(ImageError::NotElf));
    assert_eq!(rodso(&sample().stripped()[..40]), Err(ImageError::NotElf));
}

#[test]
fn other_machines_and_programs_are_refused() {
    const AARCH64: [u8; 2] = [183, 0];
    const EXECUTABLE: [u8; 2] = [2, 0];
    assert_eq!(rodso(&with(18, &AARCH64)), Err(ImageError::WrongKind));
    assert_eq!(rodso(&with(16, &EXECUTABLE)), Err(ImageError::WrongKind));
}

#[test]
fn one_segment_or_three_are_refused() {
    const NULL: [u8; 1] = [0];
    const LOAD: [u8; 1] = [1];
    assert_eq!(
        rodso(&with(program_header(1), &NULL)),
        Err(ImageError::NotTwoSegments)
    );
    assert_eq!(
        rodso(&with(program_header(2), &LOAD)),
        Err(ImageError::NotTwoSegments)
    );
}

#[test]
fn a_writable_segment_is_refused() {
    const READ_WRITE: [u8; 1] = [6];
    const ALL: [u8; 1] = [7];
    assert_eq!(
        rodso(&with(program_header(0) + 4, &READ_WRITE)),
        Err(ImageError::NotTwoSegments)
    );
    assert_eq!(
        rodso(&with(program_header(1) + 4, &ALL)),
        Err(ImageError::NotTwoSegments)
    );
}

#[test]
fn a_code_segment_off_its_place_in_the_file_is_refused() {
    const AT: usize = 8;
    const ADDRESS: usize = 16;
    assert_eq!(
        rodso(&with(program_header(1) + AT, &[0, 0x20])),
        Err(ImageError::NotTwoSegments)
    );
    assert_eq!(
        rodso(&with(program_header(1) + ADDRESS, &[0x10])),
        Err(ImageError::NotTwoSegments)
    );
}

#[test]
fn a_file_that_ends_early_is_truncated() {
    let file = sample().stripped();
    assert_eq!(rodso(&file[..CODE + 0x800]), Err(ImageError::Truncated));
    assert_eq!(
        rodso(&file[..program_header(1)]),
        Err(ImageError::Truncated)
    );
}

#[test]
fn a_segment_that_reaches_around_the_address_space_is_refused() {
    const SIZE: usize = 32;
    assert!(rodso(&with(program_header(1) + SIZE, &[0xff; 16])).is_err());
}

#[test]
fn an_image_without_dynamic_symbols_is_refused() {
    const NULL: [u8; 1] = [0];
    assert_eq!(
        Image::parse(&with(program_header(2), &NULL)).unwrap_err(),
        ImageError::NoSymbols
    );
    assert_eq!(
        Image::parse(&sample().build(Hash::None, Symbols::Stripped)).unwrap_err(),
        ImageError::NoSymbols
    );
    assert_eq!(
        Image::parse(&Sample::new().stripped()).unwrap_err(),
        ImageError::NoSymbols
    );
}

#[test]
fn both_kinds_of_hash_table_tell_how_many_symbols_there_are() {
    let mut sample = sample();
    sample.function("zx_handle_close", &stub(8));
    for hash in [Hash::Sysv, Hash::Gnu] {
        let file = sample.build(hash, Symbols::Stripped);
        let image = Image::parse(&file).unwrap();
        let names: Vec<_> = image
            .dynamic
            .iter()
            .map(|(_, symbol)| symbol.name)
            .collect();
        assert_eq!(
            names,
            [
                "zx_event_create",
                "_zx_event_create",
                "zx_handle_close",
                "_zx_handle_close"
            ]
        );
        assert_eq!(image.export("zx_event_create").unwrap().value, CODE);
    }
}

#[test]
fn a_file_cut_behind_its_code_counts_as_stripped() {
    let mut sample = sample();
    sample.local("DATA_CONSTANTS", 0x180);
    let file = sample.build(Hash::Sysv, Symbols::Kept);
    assert_eq!(Image::parse(&file).unwrap().local.len(), 1);
    assert_eq!(Image::parse(&file[..CODE + 0x1000]).unwrap().local, []);
}

/// Each byte of headers, tables and sections is replaced by bytes that make offsets and counts large; the outcome is open,
/// but it must be one.
#[test]
fn no_broken_byte_makes_the_reader_panic() {
    let mut sample = sample();
    sample.local("CODE_SYSRET_zx_event_create_VIA_zx_event_create", CODE + 10);
    let file = sample.build(Hash::Gnu, Symbols::Kept);
    let places = (0..0x400)
        .chain(CODE..CODE + 16)
        .chain(CODE + 0x1000..file.len());
    for at in places {
        for byte in [0xff, 0x80, 0] {
            let mut broken = file.clone();
            broken[at] = byte;
            if let Ok(image) = Image::parse(&broken) {
                drop(crate::vdso::scan(&image));
                drop(crate::vdso::block(&image, &["event_create"]));
            }
        }
    }
}
