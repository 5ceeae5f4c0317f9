//! core-tests: boots straight into them, takes their count, and compares them with `conformance/core-tests.txt`, and the
//! errors that they provoked with `conformance/errors.txt`.

use std::time::Duration;

use regex::Regex;

use crate::guest::{Guest, Parts};
use crate::ledger;
use crate::place::Place;
use crate::provoked::Documented;
use crate::report::{Outcome, Report};
use crate::session::expect_end;
use crate::step::no_surprises;
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
    let run = ledger::from_output(&console);
    let failed = |verdict: &ledger::Verdict| *verdict == ledger::Verdict::Fail;
    let failures: Vec<_> = run
        .iter()
        .filter(|(_, v)| failed(v))
        .map(|(case, _)| format!("{case} failed"))
        .collect();
    report.add_tally(name, tally, &failures);
    report.check("core-tests end the guest well", ended);
    let file = place.root.join("conformance/core-tests.txt");
    let compared = std::fs::read_to_string(&file)
        .map_err(|e| e.to_string())
        .and_then(|text| ledger::parse(&text))
        .map_err(|e| format!("{}: {e}", file.display()))
        .map(|mut expected| {
            expected.retain(|case, _| filter().is_none() || run.contains_key(case));
            expected
        })
        .and_then(|expected| no_surprises(&ledger::surprises(&run, &expected)));
    report.check("core-tests agree with conformance/core-tests.txt", compared);
    if filter().is_none() {
        report.check(
            "core-tests provoke the errors of conformance/errors.txt",
            compare_errors(place, &console),
        );
    }
}

fn compare_errors(place: &Place, console: &str) -> Result<(), String> {
    let file = place.root.join("conformance/errors.txt");
    let text = std::fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
    let documented = Documented::parse(&text).map_err(|e| format!("{}: {e}", file.display()))?;
    no_surprises(&documented.surprises(console))
}

/// Boots, and writes what came out as the new ledger; failures get a reason that a person must replace.
pub(crate) fn write_core_tests_ledger(place: &Place, report: &mut Report) {
    let file = place.root.join("conformance/core-tests.txt");
    if filter().is_some() {
        let what = "FILTER is set, and the ledger is of all cases".to_owned();
        return report.add("conformance/core-tests.txt", Outcome::Failed(what));
    }
    let written = run(place).and_then(|(console, _)| {
        let text = ledger::to_text(&ledger::from_output(&console));
        std::fs::write(&file, text).map_err(|e| e.to_string())
    });
    report.check("conformance/core-tests.txt written", written);
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
