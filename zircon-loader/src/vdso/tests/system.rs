//! What is written into an image: the system's constants, and the calls that a variant lacks.

use crate::vdso::constants::Constants;
use crate::vdso::image::{Image, ImageError};
use crate::vdso::sample::{stub, Hash, Sample, Symbols, CODE, CONSTANTS};
use crate::vdso::{block, fill_constants, Level};
use kernel_hal::cpu::CpuInfo;
use kernel_hal::time::TickRatio;

const LOAD_WORD: [u8; 2] = [0x8b, 0x05];
const LOAD_LONG: [u8; 3] = [0x48, 0x8b, 0x05];
const PHYSMEM: u64 = 0x1234_5000;

fn fill(file: &[u8], level: Level) -> Result<Constants, ImageError> {
    let cpu = CpuInfo {
        count: 3,
        features: 1,
        hw_breakpoints: 4,
        hw_watchpoints: 4,
        linear_address_bits: 48,
        dcache_line: 64,
        icache_line: 32,
    };
    let ticks = TickRatio {
        ticks_per_second: 2_000_000_000,
        numerator: 1,
        denominator: 2,
    };
    fill_constants(&Image::parse(file)?, level, cpu, ticks, PHYSMEM)
}

fn long(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

#[test]
fn a_symbol_says_where_the_constants_go() {
    let mut sample = Sample::new();
    sample.function("zx_event_create", &stub(7));
    sample.local("DATA_CONSTANTS", CONSTANTS);
    let filled = fill(&sample.build(Hash::Gnu, Symbols::Kept), Level::Home).unwrap();
    assert_eq!(filled.at, CONSTANTS);
    assert_eq!(filled.bytes.len(), 120);
    assert_eq!(filled.bytes[0], 3);
    assert_eq!(long(&filled.bytes, 40), PHYSMEM);
    assert!(filled.bytes[56..].starts_with(b"zcore-"));
}

#[test]
fn without_symbols_the_code_that_loads_them_says_so() {
    let mut sample = Sample::new();
    sample.loader("zx_system_get_num_cpus", &LOAD_WORD, CONSTANTS);
    assert_eq!(fill(&sample.stripped(), Level::Home).unwrap().at, CONSTANTS);
}

#[test]
fn the_record_of_2019_has_no_tick_ratio_where_the_code_expects_none() {
    let mut sample = Sample::new();
    sample.loader("zx_system_get_num_cpus", &LOAD_WORD, CONSTANTS);
    sample.loader("zx_system_get_physmem", &LOAD_LONG, CONSTANTS + 32);
    let filled = fill(&sample.stripped(), Level::Zircon2019).unwrap();
    assert_eq!(filled.bytes.len(), 104);
    assert_eq!(long(&filled.bytes, 24), 2_000_000_000);
    assert_eq!(long(&filled.bytes, 32), PHYSMEM);
    assert!(filled.bytes[40..].starts_with(b"zcore-"));
}

#[test]
fn the_record_of_late_2019_has_a_tick_ratio() {
    let mut sample = Sample::new();
    sample.loader("zx_system_get_num_cpus", &LOAD_WORD, CONSTANTS);
    sample.loader("zx_system_get_physmem", &LOAD_LONG, CONSTANTS + 40);
    let filled = fill(&sample.stripped(), Level::Zircon2019).unwrap();
    assert_eq!(filled.bytes.len(), 112);
    assert_eq!(long(&filled.bytes, 32), 2 << 32 | 1);
    assert_eq!(long(&filled.bytes, 40), PHYSMEM);
}

#[test]
fn an_image_that_does_not_show_its_constants_is_refused() {
    let mut sample = Sample::new();
    sample.function("zx_event_create", &stub(7));
    assert_eq!(
        fill(&sample.stripped(), Level::Home).err(),
        Some(ImageError::NoConstants)
    );
    sample.loader("zx_system_get_num_cpus", &LOAD_WORD, CODE + 0x1000 - 8);
    assert_eq!(
        fill(&sample.stripped(), Level::Home).err(),
        Some(ImageError::NoConstants)
    );
}

#[test]
fn a_blocked_call_is_local_and_stops() {
    let mut sample = Sample::new();
    sample.function("zx_event_create", &stub(7));
    let blocked = sample.function("zx_syscall_test_3", &stub(8));
    let file = sample.stripped();
    let mut copy = file.clone();
    for (at, bytes) in block(&Image::parse(&file).unwrap(), &["syscall_test_3"]) {
        copy[at..at + bytes.len()].copy_from_slice(&bytes);
    }
    let changed: alloc::vec::Vec<_> = (0..file.len())
        .filter(|at| file[*at] != copy[*at])
        .collect();
    let (symbols, code) = changed.split_at(2);
    assert!(
        symbols.iter().all(|at| *at < CODE && copy[*at] == 2),
        "two table entries lose their binding"
    );
    assert_eq!(
        code,
        (blocked..blocked + stub(8).len()).collect::<alloc::vec::Vec<_>>()
    );
    assert!(code.iter().all(|at| copy[*at] == 0xf4));
}
