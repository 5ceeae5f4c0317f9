//! The words of the kernel command line that userboot follows.

use alloc::string::String;
use alloc::vec::Vec;

use crate::log::{Failure, Outcome};

/// Longest prefix of file names; the file system's longest name is 255 bytes.
const ROOT_MAX: usize = 254;

/// What happens after the program has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WhenDone {
    /// Nothing: userboot does not wait for it.
    Leave,
    /// The machine is switched off.
    Shutdown,
    /// The machine is restarted after three seconds.
    Reboot,
}

/// Options; for each the last word with its name counts.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Options<'a> {
    /// The program's file.
    pub(crate) program: &'a str,
    /// Prefix of all files: empty, or ending in a slash.
    pub(crate) root: String,
    /// `userboot.shutdown` wins over `userboot.reboot`.
    pub(crate) when_done: WhenDone,
}

/// The words of the command line. What is not UTF-8 is none of ours, and left out.
pub(crate) fn words(cmdline: &[u8]) -> Vec<&str> {
    let pieces = cmdline
        .split(|&byte| byte == 0)
        .filter(|piece| !piece.is_empty());
    pieces
        .filter_map(|piece| core::str::from_utf8(piece).ok())
        .collect()
}

impl<'a> Options<'a> {
    /// Picks the options out of the command line's words.
    pub(crate) fn parse(words: &[&'a str]) -> Outcome<Self> {
        let (mut program, mut root) = ("bin/bootsvc", "");
        let (mut shutdown, mut reboot) = (false, false);
        for word in words {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            match name {
                "userboot" => program = value,
                "userboot.root" => root = value,
                "userboot.shutdown" => shutdown = true,
                "userboot.reboot" => reboot = true,
                _ => {}
            }
        }
        let when_done = match (shutdown, reboot) {
            (true, _) => WhenDone::Shutdown,
            (false, true) => WhenDone::Reboot,
            (false, false) => WhenDone::Leave,
        };
        Ok(Self {
            program,
            root: prefix(root)?,
            when_done,
        })
    }
}

/// `/pkg/a//` becomes `pkg/a/`.
fn prefix(root: &str) -> Outcome<String> {
    let root = root.trim_matches('/');
    if root.len() > ROOT_MAX {
        return Err(Failure::text("the value of userboot.root is too long"));
    }
    let mut prefix = String::from(root);
    if !prefix.is_empty() {
        prefix.push('/');
    }
    Ok(prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&'static str]) -> Options<'static> {
        Options::parse(words).unwrap()
    }

    #[test]
    fn words_are_separated_by_nul_and_the_last_empty_one_is_dropped() {
        assert_eq!(words(b"a=1\0b\0\0"), ["a=1", "b"]);
        assert_eq!(words(b""), [""; 0]);
        assert_eq!(words(b"\xff\0x"), ["x"]);
    }

    #[test]
    fn without_options_bootsvc_is_started_and_left_alone() {
        let options = parse(&["TERM=dumb", "userbootx=1"]);
        assert_eq!(
            options,
            Options {
                program: "bin/bootsvc",
                root: String::new(),
                when_done: WhenDone::Leave
            }
        );
    }

    #[test]
    fn the_last_value_counts_and_an_empty_one_is_set() {
        let options = parse(&["userboot=bin/a", "userboot.shutdown=", "userboot=bin/b"]);
        assert_eq!(options.program, "bin/b");
        assert_eq!(options.when_done, WhenDone::Shutdown);
    }

    #[test]
    fn shutdown_wins_over_reboot() {
        assert_eq!(parse(&["userboot.reboot"]).when_done, WhenDone::Reboot);
        assert_eq!(
            parse(&["userboot.shutdown", "userboot.reboot=1"]).when_done,
            WhenDone::Shutdown
        );
    }

    #[test]
    fn root_has_no_slash_in_front_and_one_behind() {
        assert_eq!(parse(&["userboot.root=//pkg/x//"]).root, "pkg/x/");
        assert_eq!(parse(&["userboot.root=/"]).root, "");
    }
}
