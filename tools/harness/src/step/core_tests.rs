//! core-tests: boots straight into them, takes their count, and compares them with `conformance/core-tests.txt`, and the
//! errors that they provoked with `conformance/errors.txt`. Or boots them on another kernel, by a command of the user's.

use std::time::Duration;

use regex::Regex;

use crate::guest::{Guest, Parts};
use crate::ledger::{self, Ledger};
use crate::place::Place;
use crate::provoked::Documented;
use crate::report::{Outcome, Report};
use crate::results;
use crate::session::expect_end;
use crate::text;

const LIMIT: Duration = Duration::from_secs(300);
const COMMAND_LINE: &str = "userboot=bin/core-tests userboot.shutdown core-tests.errors=true";

/// The make variable that chooses cases: `Suite.Case`, `Suite`, `Suite.start*`, several separated by commas.
const FILTER: &str = "FILTER";

/// The make variable that boots another kernel: a line for `sh` that finds the program in PROGRAM and the words for the kernel's
/// command line in CMDLINE, and whose standard output is the console.
const BOOT: &str = "BOOT";

/// Boots, counts and compares; with a filter only what ran is compared. With [`BOOT`] nothing is compared, as the ledgers are
/// about this kernel; `harness foreign --log` compares a console with any ledger.
pub(crate) fn core_tests(place: &Place, report: &mut Report) {
    let name = "core-tests";
    let own_kernel = variable(BOOT).is_none();
    let (console, ended) = match run(place) {
        Ok(both) => both,
        Err(what) => return report.add(name, Outcome::Failed(what)),
    };
    let Some(tally) = text::summary(&console) else {
        return report.add(
            name,
            Outcome::Failed("no line 'N passed, M failed, K skipped'".to_owned()),
        );
    };
    let run = results::read(&console);
    if run.is_empty() {
        let what = format!("no case fits {FILTER}={}", filter().unwrap_or_default());
        return report.add(name, Outcome::Failed(what));
    }
    let failures: Vec<_> = run
        .iter()
        .filter(|(_, entry)| entry.verdict == ledger::Verdict::Fail)
        .map(|(case, entry)| format!("{case}: {}", entry.reason))
        .collect();
    report.add_tally(name, tally, &failures);
    if !own_kernel {
        return;
    }
    report.check("core-tests end the guest well", ended);
    let compared = old_ledger(place).and_then(|mut expected| {
        expected
            .entries
            .retain(|case, _| filter().is_none() || run.contains_key(case));
        expected.differences(&run).check()
    });
    report.check("core-tests agree with conformance/core-tests.txt", compared);
    if filter().is_none() {
        let compared = compare_errors(place, &console, report);
        report.check(
            "core-tests provoke the errors of conformance/errors.txt",
            compared,
        );
    }
}

fn compare_errors(place: &Place, console: &str, report: &Report) -> Result<(), String> {
    let file = place.root.join("conformance/errors.txt");
    let text = std::fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
    let documented = Documented::parse(&text).map_err(|e| format!("{}: {e}", file.display()))?;
    let (provoked, all) = documented.count();
    report.note(&format!(
        "{provoked} of {all} documented errors can be provoked"
    ));
    no_surprises(&documented.surprises(console))
}

fn no_surprises(lines: &[String]) -> Result<(), String> {
    match lines {
        [] => Ok(()),
        [only] => Err(only.clone()),
        _ => Err(format!(
            "{} surprises:\n     {}",
            lines.len(),
            lines.join("\n     ")
        )),
    }
}

/// Boots, and writes what came out as the new ledger; failures get a reason that a person must replace.
pub(crate) fn write_core_tests_ledger(place: &Place, report: &mut Report) {
    let file = place.root.join("conformance/core-tests.txt");
    for name in [FILTER, BOOT] {
        if variable(name).is_some() {
            let what = format!("{name} is set, and the ledger is of all cases on this kernel");
            return report.add("conformance/core-tests.txt", Outcome::Failed(what));
        }
    }
    let written = run(place).and_then(|(console, _)| {
        let ledger = old_ledger(place)?.renewed(&results::read(&console));
        std::fs::write(&file, ledger.to_string()).map_err(|e| e.to_string())
    });
    report.check("conformance/core-tests.txt written", written);
}

fn old_ledger(place: &Place) -> Result<Ledger, String> {
    let file = place.root.join("conformance/core-tests.txt");
    let text = std::fs::read_to_string(&file).map_err(|e| e.to_string());
    text.and_then(|text| Ledger::parse(&text))
        .map_err(|e| format!("{}: {e}", file.display()))
}

fn run(place: &Place) -> Result<(String, Result<(), String>), String> {
    let done = Regex::new(r"\d+ passed, \d+ failed, \d+ skipped").map_err(|e| e.to_string())?;
    let command_line = filter().map_or_else(
        || COMMAND_LINE.to_owned(),
        |filter| format!("{COMMAND_LINE} core-tests.filter={filter}"),
    );
    let mut guest = match variable(BOOT) {
        None => Guest::start(place, "core-tests", &Parts::own(place, &command_line))?,
        Some(boot) => {
            let program = place.out().join("bin/core-tests");
            let variables = [
                ("PROGRAM", program.as_os_str()),
                ("CMDLINE", command_line.as_ref()),
            ];
            Guest::start_by(place, "core-tests-elsewhere", &boot, &variables)?
        }
    };
    guest.expect(&done, LIMIT)?;
    if variable(BOOT).is_some() {
        // How it ends is that kernel's affair.
        return Ok((guest.console(), Ok(())));
    }
    let ended = expect_end(&mut guest, 0);
    Ok((guest.console(), ended))
}

/// What the person who runs this wants to see only.
fn filter() -> Option<String> {
    variable(FILTER)
}

/// A variable of the environment that is set and not empty.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}
