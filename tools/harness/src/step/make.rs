//! Steps that are make targets: what they print goes to a log, and the report gets the first errors.

use std::process::Command;
use std::time::Duration;

use crate::place::Place;
use crate::process::{self, Finished};
use crate::report::{Outcome, Report, Tally};
use crate::text;

/// A clean build of any one target takes far less.
const BUILD_LIMIT: Duration = Duration::from_secs(600);

/// Runs a target; exit code 0 is a pass.
pub(crate) fn check(place: &Place, target: &str, report: &mut Report) {
    report.check(target, self::target(place, target));
}

/// Runs a target that another step needs.
pub(crate) fn target(place: &Place, target: &str) -> Result<(), String> {
    run(place, target).and_then(|finished| well(place, target, &finished))
}

/// Builds what guests are made of; false if any of it does not build.
pub(crate) fn parts(place: &Place, report: &mut Report) -> bool {
    let mut all = true;
    for target in ["loader", "user", "kernel", "default-image"] {
        let result = self::target(place, target);
        all &= result.is_ok();
        report.check(&format!("build {target}"), result);
    }
    all
}

/// All host tests; each counts as a case.
pub(crate) fn host_tests(place: &Place, report: &mut Report) {
    let name = "host tests";
    let finished = match run(place, "host-tests") {
        Ok(finished) => finished,
        Err(what) => return report.add(name, Outcome::Failed(what)),
    };
    let tally = text::cargo_results(&finished.output);
    let failures: Vec<_> = finished
        .output
        .lines()
        .filter(|line| line.starts_with("test ") && line.ends_with("FAILED"))
        .map(ToOwned::to_owned)
        .collect();
    if tally != Tally::default() {
        report.add_tally(name, tally, &failures);
    }
    // A crate that does not compile has no test that could fail.
    if tally == Tally::default() || (finished.code != Some(0) && tally.failed == 0) {
        let all_built = well(place, "host-tests", &finished);
        report.check(
            "host tests: all crates compile",
            all_built.and(Err("no tests were run".to_owned())),
        );
    }
}

fn run(place: &Place, target: &str) -> Result<Finished, String> {
    let make = std::env::var_os("MAKE").unwrap_or_else(|| "make".into());
    let mut command = Command::new(make);
    command
        .current_dir(&place.root)
        .arg("--no-print-directory")
        .arg(target);
    command
        .env("TARGET", &place.target)
        .env("MODE", &place.mode)
        .env_remove("MAKEFLAGS")
        .env_remove("MAKELEVEL");
    process::run(&mut command, &place.log(target), BUILD_LIMIT)
}

fn well(place: &Place, target: &str, finished: &Finished) -> Result<(), String> {
    if finished.code == Some(0) {
        return Ok(());
    }
    Err(format!(
        "{} (see {})",
        text::first_errors(&finished.output),
        place.log(target).display()
    ))
}
