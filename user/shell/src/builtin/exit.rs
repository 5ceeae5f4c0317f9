//! `exit`: ends a shell that was started from another one.

use super::{wrong_use, Builtin};
use crate::words::Place;
use crate::Shell;

pub(super) const EXIT: Builtin = Builtin {
    name: "exit",
    usage: "[CODE]",
    summary: "ends this shell (the machine runs on: see poweroff)",
    run,
};

fn run(shell: &mut Shell, args: &[&str], _: Place) -> i64 {
    match args {
        [] => libzx::exit(shell.status),
        [code] => match code.parse() {
            Ok(code) => libzx::exit(code),
            Err(_) => wrong_use(&EXIT),
        },
        _ => wrong_use(&EXIT),
    }
}
