//! `time`: how long a command takes.

use libzx::println;

use super::{wrong_use, Builtin};
use crate::units::duration;
use crate::words::Place;
use crate::Shell;

pub(super) const TIME: Builtin = Builtin {
    name: "time",
    usage: "COMMAND",
    summary: "runs a command and tells how long it took",
    run,
};

fn run(shell: &mut Shell, args: &[&str], place: Place) -> i64 {
    let Some(name) = args.first() else {
        return wrong_use(&TIME);
    };
    let start = libzx::time::now();
    let code = shell.command(args, place);
    println!("{name}: {}", duration(libzx::time::now() - start));
    code
}
