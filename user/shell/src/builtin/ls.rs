//! `ls`: the files of the boot image.

use libzx::println;

use super::{Builtin, FAILED};
use crate::boot_files::Item;
use crate::words::Place;
use crate::Shell;

pub(super) const LS: Builtin = Builtin {
    name: "ls",
    usage: "[DIRECTORY]",
    summary: "files of the boot image, with their sizes",
    run,
};

fn run(shell: &mut Shell, args: &[&str], _: Place) -> i64 {
    let directory = args.first().copied().unwrap_or("");
    let items = shell.files.list(directory);
    if items.is_empty() && !matches!(directory, "" | "/" | "/boot" | "/boot/") {
        println!("ls: {directory}: no such file or directory");
        return FAILED;
    }
    for item in items {
        match item {
            Item::Directory(name) => println!("{:>10}  {name}/", "-"),
            Item::File(name, len) => println!("{len:>10}  {name}"),
        }
    }
    0
}
