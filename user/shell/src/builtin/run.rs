//! `run`: starts a program, also one that is called like a builtin.

use super::{wrong_use, Builtin};
use crate::words::Place;
use crate::Shell;

pub(super) const RUN: Builtin = Builtin {
    name: "run",
    usage: "PROGRAM [ARGUMENT...]",
    summary: "starts a program (its name alone does, too)",
    run,
};

fn run(shell: &mut Shell, args: &[&str], place: Place) -> i64 {
    match args {
        [] => wrong_use(&RUN),
        words => shell.run_program(words, place),
    }
}
