//! `status`: how the last command ended.

use libzx::println;

use super::Builtin;
use crate::words::Place;
use crate::Shell;

pub(super) const STATUS: Builtin = Builtin {
    name: "status",
    usage: "",
    summary: "the exit code of the last command",
    run,
};

fn run(shell: &mut Shell, _: &[&str], _: Place) -> i64 {
    println!("{}", shell.status);
    shell.status
}
