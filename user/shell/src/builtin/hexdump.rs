//! `hexdump`: a file as numbers and characters.

use alloc::format;
use alloc::string::String;

use libzx::println;

use super::{wrong_use, Builtin, FAILED};
use crate::words::Place;
use crate::Shell;

pub(super) const HEXDUMP: Builtin = Builtin {
    name: "hexdump",
    usage: "FILE [OFFSET [LENGTH]]",
    summary: "shows a file's bytes, 256 of them unless told",
    run,
};

/// Bytes shown without a length.
const DEFAULT_LENGTH: u64 = 256;
/// Bytes in a line.
const ROW: u64 = 16;

fn run(shell: &mut Shell, args: &[&str], _: Place) -> i64 {
    let number = |index: usize, default| args.get(index).map_or(Some(default), |text| parse(text));
    let (path, offset, length) = match (args.first(), number(1, 0), number(2, DEFAULT_LENGTH)) {
        (Some(&path), Some(offset), Some(length)) if args.len() <= 3 => (path, offset, length),
        _ => return wrong_use(&HEXDUMP),
    };
    let Some(entry) = shell.files.find(path) else {
        println!("hexdump: {path}: no such file");
        return FAILED;
    };
    let file = shell.files.file(entry);
    let end = offset.saturating_add(length).min(entry.len);
    let mut at = offset;
    while at < end {
        match file.read(at, ROW.min(end - at)) {
            Ok(bytes) => println!("{}", row(at, &bytes)),
            Err(error) => {
                println!("hexdump: {path}: {error}");
                return FAILED;
            }
        }
        at += ROW;
    }
    if end < entry.len {
        println!("({} of {} bytes)", end.saturating_sub(offset), entry.len);
    }
    0
}

/// Decimal, or hexadecimal with 0x.
fn parse(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

fn row(offset: u64, bytes: &[u8]) -> String {
    let mut line = format!("{offset:08x} ");
    for index in 0..16 {
        if index == 8 {
            line.push(' ');
        }
        match bytes.get(index) {
            Some(byte) => line.push_str(&format!(" {byte:02x}")),
            None => line.push_str("   "),
        }
    }
    line.push_str("  |");
    line.extend(bytes.iter().map(|&byte| match byte {
        b' '..=b'~' => char::from(byte),
        _ => '.',
    }));
    line.push('|');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_row_keeps_the_columns() {
        let full = row(0x10, b"0123456789abcde\n");
        let short = row(0x20, b"\x7fE");
        assert_eq!(
            full,
            "00000010  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 0a  |0123456789abcde.|"
        );
        assert_eq!(short.find('|'), full.find('|'));
        assert!(short.ends_with("|.E|"));
    }

    #[test]
    fn offsets_are_decimal_or_hexadecimal() {
        assert_eq!(parse("16"), Some(16));
        assert_eq!(parse("0x10"), Some(16));
        assert_eq!(parse("x"), None);
    }
}
