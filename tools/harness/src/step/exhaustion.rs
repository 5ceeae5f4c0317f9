//! Running out of memory: a small guest in which core-tests take all there is, and count the frames that come back.

use std::time::Duration;

use regex::Regex;

use crate::guest::{Guest, Parts};
use crate::ledger::Verdict;
use crate::place::Place;
use crate::report::{Outcome, Report};
use crate::results;
use crate::session::expect_end;
use crate::text;

const LIMIT: Duration = Duration::from_secs(300);
const MEMORY_MIB: u32 = 256;
const COMMAND_LINE: &str = "userboot=bin/core-tests userboot.shutdown core-tests.filter=Exhaustion";
const NAME: &str = "running out of memory";

/// Boots the guest; every case must pass, and none may be skipped.
pub(crate) fn exhaustion(place: &Place, report: &mut Report) {
    let console = match run(place) {
        Ok(console) => console,
        Err(what) => return report.add(NAME, Outcome::Failed(what)),
    };
    let Some(tally) = text::summary(&console) else {
        let what = "no line 'N passed, M failed, K skipped'".to_owned();
        return report.add(NAME, Outcome::Failed(what));
    };
    let others: Vec<_> = results::read(&console)
        .iter()
        .filter(|(_, entry)| entry.verdict != Verdict::Pass)
        .map(|(case, entry)| format!("{case}: {}", entry.reason))
        .collect();
    report.add_tally(NAME, tally, &others);
    let all = match tally.passed {
        0 => Err("no case ran".to_owned()),
        _ if others.is_empty() => Ok(()),
        _ => Err(others.join(", ")),
    };
    report.check("a guest of 256 MiB gets all its memory back", all);
}

fn run(place: &Place) -> Result<String, String> {
    let done = Regex::new(r"\d+ passed, \d+ failed, \d+ skipped").map_err(|e| e.to_string())?;
    let parts = Parts::own(place, COMMAND_LINE).memory_mib(MEMORY_MIB);
    let mut guest = Guest::start(place, "exhaustion", &parts)?;
    guest.expect(&done, LIMIT)?;
    expect_end(&mut guest, 0)?;
    Ok(guest.console())
}
