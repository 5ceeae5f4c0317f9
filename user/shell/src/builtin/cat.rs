//! `cat`: a file as text.

use alloc::vec::Vec;

use libzx::{console, println};

use super::{wrong_use, Builtin, FAILED};
use crate::words::Place;
use crate::Shell;

pub(super) const CAT: Builtin = Builtin {
    name: "cat",
    usage: "FILE...",
    summary: "shows files of the boot image as text",
    run,
};

/// Bytes read at a time.
const PIECE: u64 = 4096;

fn run(shell: &mut Shell, args: &[&str], _: Place) -> i64 {
    if args.is_empty() {
        return wrong_use(&CAT);
    }
    let mut code = 0;
    for path in args {
        if let Err(what) = show(shell, path) {
            println!("cat: {path}: {what}");
            code = FAILED;
        }
    }
    code
}

fn show(shell: &Shell, path: &str) -> Result<(), &'static str> {
    let entry = shell.files.find(path).ok_or("no such file")?;
    let file = shell.files.file(entry);
    let mut last = b'\n';
    for offset in (0..entry.len).step_by(4096) {
        let bytes = file.read(offset, PIECE).map_err(|error| error.name())?;
        let text: Vec<u8> = bytes.into_iter().map(printable).collect();
        console::write(&text);
        last = text.last().copied().unwrap_or(last);
    }
    if last != b'\n' {
        println!();
    }
    Ok(())
}

/// Bytes that would change the terminal's state are shown as a dot.
const fn printable(byte: u8) -> u8 {
    match byte {
        b'\n' | b'\t' | b' '..=b'~' | 0x80.. => byte,
        _ => b'.',
    }
}
