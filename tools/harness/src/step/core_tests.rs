//! core-tests: boots straight into them, takes their count, and compares them with `conformance/core-tests.txt`, and the
//! errors that they provoked with `conformance/errors.txt`.

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

/// Boots, counts and compares; with a filter only what ran is compared.
pub(crate) fn core_tests(place: &Place, report: &mut Report) {
    let name = "core-tests";
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
    let failures: Vec<_> = run
        .iter()
        .filter(|(_, entry)| entry.verdict == ledger::Verdict::Fail)
        .map(|(case, entry)| format!("{case}: {}", entry.reason))
        .collect();
    report.add_tally(name, tally, &failures);
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
    if filter().is_some() {
        let what = "FILTER is set, and the ledger is of all cases".to_owned();
        return report.add("conformance/core-tests.txt", Outcome::Failed(what));
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
    let mut guest = Guest::start(place, "core-tests", &Parts::own(place, &command_line))?;
    guest.expect(&done, LIMIT)?;
    let ended = expect_end(&mut guest, 0);
    Ok((guest.console(), ended))
}

/// What the person who runs this wants to see only.
fn filter() -> Option<String> {
    std::env::var(FILTER).ok().filter(|text| !text.is_empty())
}
