//! The commands that are part of the shell, one per file.

mod cat;
mod clock;
mod dlog;
mod exit;
mod handles;
mod help;
mod hexdump;
mod kill;
mod ls;
mod mem;
mod power;
mod ps;
mod run;
mod status;
mod time;

use crate::words::Place;
use crate::Shell;

/// A command: what it is called, how it is used, what it does.
#[derive(Debug)]
pub(crate) struct Builtin {
    pub(crate) name: &'static str,
    /// Its arguments.
    pub(crate) usage: &'static str,
    /// One line for `help`.
    pub(crate) summary: &'static str,
    /// Runs it with its arguments and gives its exit code.
    pub(crate) run: fn(&mut Shell, &[&str], Place) -> i64,
}

/// Every builtin, by name.
pub(crate) const ALL: &[&Builtin] = &[
    &cat::CAT,
    &clock::CLOCK,
    &dlog::DLOG,
    &exit::EXIT,
    &handles::HANDLES,
    &help::HELP,
    &hexdump::HEXDUMP,
    &kill::KILL,
    &ls::LS,
    &mem::MEM,
    &power::POWEROFF,
    &ps::PS,
    &power::REBOOT,
    &run::RUN,
    &status::STATUS,
    &time::TIME,
];

/// Exit code of a builtin that was not used as it should.
const WRONG_USE: i64 = 2;
/// Exit code of a builtin that failed.
const FAILED: i64 = 1;

/// The builtin of this name.
pub(crate) fn find(name: &str) -> Option<&'static Builtin> {
    ALL.iter().copied().find(|builtin| builtin.name == name)
}

/// Shows how a builtin is used.
fn wrong_use(builtin: &Builtin) -> i64 {
    libzx::println!("usage: {} {}", builtin.name, builtin.usage);
    WRONG_USE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builtins_are_sorted_and_found_by_name() {
        assert!(ALL.is_sorted_by_key(|builtin| builtin.name));
        for builtin in ALL {
            assert_eq!(find(builtin.name).unwrap().summary, builtin.summary);
        }
        assert!(find("hello").is_none());
    }
}
