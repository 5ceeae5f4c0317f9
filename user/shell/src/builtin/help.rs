//! `help`: what there is.

use libzx::println;

use super::{Builtin, ALL};
use crate::words::Place;
use crate::Shell;

pub(super) const HELP: Builtin = Builtin {
    name: "help",
    usage: "",
    summary: "this list",
    run,
};

fn run(shell: &mut Shell, _: &[&str], _: Place) -> i64 {
    for builtin in ALL {
        println!(
            "  {:<9}{:<24}{}",
            builtin.name, builtin.usage, builtin.summary
        );
    }
    println!("Programs (their name alone starts them, & behind it in the background):");
    for program in shell.files.programs() {
        println!("  {program}");
    }
    println!("Keys: arrows, Home ^A, End ^E, ^K ^U ^W cut, Tab completes, ^C gives a line up or stops a program, ^L clears the screen");
    0
}
