//! Test programs that a guest's shell starts one after the other: the exit code of each, and the cases that it names.
//!
//! A program that does not end, or takes the guest with it, has failed; the rest runs in a fresh guest.

use std::path::Path;
use std::time::Duration;

use clap::ValueEnum;
use regex::Regex;
use zbi_tool::bootfs;
use zbi_tool::image::Image;
use zbi_tool::item_type::ItemType;

use crate::guest::{Guest, Parts};
use crate::ledger::{Entries, Entry, Ledger, Verdict};
use crate::place::Place;
use crate::report::Report;
use crate::results;

/// The longest that a guest may take to its first prompt.
const BOOT_LIMIT: Duration = Duration::from_secs(120);

/// The shells that are known.
#[derive(ValueEnum, Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Shell {
    /// Zircon's `sh` on its console: `$ `, and `$?` is the exit code
    Zircon,
    /// This project's: the prompt shows the exit code
    Zcore,
}

impl Shell {
    /// What to type to start a program of a directory of the image.
    pub(crate) fn command(self, directory: &str, name: &str) -> String {
        match self {
            Self::Zircon => format!("/boot/{directory}{name}"),
            Self::Zcore => name.to_owned(),
        }
    }

    /// What comes before the first command.
    fn prompt(self) -> &'static str {
        match self {
            Self::Zircon => r"(?m)^\$ ",
            Self::Zcore => r"(?m)^zcore\$ ",
        }
    }

    /// A command whose end is told by [`Self::answer`].
    fn typed(self, command: &str) -> String {
        match self {
            Self::Zircon => format!("{command}; echo exit-status=$?"),
            Self::Zcore => command.to_owned(),
        }
    }

    /// What shows after a command: its exit code is the group, or 0 without.
    fn answer(self) -> &'static str {
        match self {
            Self::Zircon => r"exit-status=(-?\d+)\n",
            Self::Zcore => r"\nzcore(?: \[(-?\d+)\])?\$ ",
        }
    }
}

/// A program to start.
#[derive(Debug)]
pub(crate) struct Start {
    /// Its name in the ledger.
    pub(crate) name: String,
    pub(crate) command: String,
}

/// The program that a line of the ledger is about: `PROGRAM`, or `PROGRAM:Suite.Case`.
pub(crate) fn program_of(case: &str) -> &str {
    case.split(':').next().unwrap_or(case)
}

/// The files of a directory of a boot image, by name.
pub(crate) fn of_image(image: &Path, directory: &str) -> Result<Vec<String>, String> {
    let fault = |what: String| format!("{}: {what}", image.display());
    let data = std::fs::read(image).map_err(|e| fault(e.to_string()))?;
    let parsed = Image::parse(&data).map_err(|e| fault(e.to_string()))?;
    let item = parsed
        .find(ItemType::BOOTFS)
        .ok_or_else(|| fault("no BOOTFS".to_owned()))?;
    let files = item.plain().map_err(fault)?;
    let entries = bootfs::parse(&files).map_err(|e| fault(e.to_string()))?;
    let below =
        |entry: &bootfs::Entry<'_>| entry.name.strip_prefix(directory).map(ToOwned::to_owned);
    let mut names: Vec<_> = entries.iter().filter_map(below).collect();
    names.sort();
    if names.is_empty() {
        return Err(fault(format!("no files in {directory}")));
    }
    Ok(names)
}

/// The names that are to be started, and the programs that a ledger says are not to be.
pub(crate) fn not_skipped(names: Vec<String>, ledger: &Ledger) -> (Vec<String>, Entries) {
    let skips = |(name, entry): &(&String, &Entry)| {
        entry.verdict == Verdict::Skip && program_of(name) == name.as_str()
    };
    let skipped = ledger.entries.iter().filter(skips);
    let skipped: Entries = skipped.map(|(n, e)| (n.clone(), e.clone())).collect();
    let mut names = names;
    names.retain(|name| !skipped.contains_key(name));
    (names, skipped)
}

/// Starts all of them, with a fresh guest after each that does not come back to the prompt.
pub(crate) fn run(
    place: &Place,
    name: &str,
    parts: &Parts,
    shell: Shell,
    starts: &[Start],
    limit: Duration,
    report: &Report,
) -> Result<Entries, String> {
    let prompt = Regex::new(shell.prompt()).map_err(|e| e.to_string())?;
    let answer = Regex::new(shell.answer()).map_err(|e| e.to_string())?;
    let mut entries = Entries::new();
    let mut guest = None;
    let mut guests = 0;
    for start in starts {
        let running = match &mut guest {
            Some(running) => running,
            none => {
                guests += 1;
                let mut fresh = Guest::start(place, &format!("{name}-{guests}"), parts)?;
                fresh
                    .expect(&prompt, BOOT_LIMIT)
                    .map_err(|what| format!("no prompt: {what}"))?;
                none.insert(fresh)
            }
        };
        running.send(&shell.typed(&start.command))?;
        let (told, entry) = match running.read_to(&answer, limit) {
            Ok(told) => {
                let code = exit_code(&answer, &told);
                (told, entry(code))
            }
            Err(what) => {
                let told = running.unread();
                guest = None;
                (told, Entry::new(Verdict::Fail, &what))
            }
        };
        let cases = results::read(&told);
        report.note(&format!(
            "{}: {} {}, {} cases",
            start.name,
            entry.verdict,
            entry.reason,
            cases.len()
        ));
        for (case, result) in cases {
            entries.insert(format!("{}:{case}", start.name), result);
        }
        entries.insert(start.name.clone(), entry);
    }
    Ok(entries)
}

fn exit_code(answer: &Regex, told: &str) -> i64 {
    let code = answer.captures(told).and_then(|found| found.get(1));
    code.map_or(Some(0), |digits| digits.as_str().parse().ok())
        .unwrap_or(-1)
}

fn entry(exit_code: i64) -> Entry {
    match exit_code {
        0 => Entry::new(Verdict::Pass, ""),
        code => Entry::new(Verdict::Fail, &format!("exit status {code}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(shell: Shell, told: &str) -> Option<i64> {
        let answer = Regex::new(shell.answer()).unwrap();
        answer.find(told).map(|_| exit_code(&answer, told))
    }

    #[test]
    fn the_exit_code_is_in_the_answer_and_not_in_the_echo_of_the_command() {
        assert_eq!(
            code(Shell::Zircon, "/boot/test/x; echo exit-status=$?\n"),
            None
        );
        assert_eq!(
            code(
                Shell::Zircon,
                "x; echo exit-status=$?\nout\nexit-status=3\n$ "
            ),
            Some(3)
        );
        assert_eq!(code(Shell::Zcore, "hello\nhi\nzcore$ "), Some(0));
        assert_eq!(code(Shell::Zcore, "hello\nhi\nzcore [-28]$ "), Some(-28));
    }

    #[test]
    fn a_program_that_the_ledger_skips_is_not_started_and_stays_in_it() {
        let ledger = Ledger::parse("a PASS\nb SKIP needs a disk\nc:X.y SKIP ignored\n").unwrap();
        let names = ["a", "b", "c"].map(ToOwned::to_owned).to_vec();
        let (started, skipped) = not_skipped(names, &ledger);
        assert_eq!(started, ["a", "c"]);
        assert_eq!(skipped["b"], Entry::new(Verdict::Skip, "needs a disk"));
        assert_eq!(skipped.len(), 1);
    }
}
