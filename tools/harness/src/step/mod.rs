//! The steps of a test run, one file each; what needs a guest builds the parts first.

mod bad_input;
mod bench;
mod conformance;
mod core_tests;
mod docs;
mod exhaustion;
mod foreign;
mod kernel_tests;
mod make;
mod sizes;

use std::path::Path;

use crate::ledger::Ledger;
use crate::place::Place;
use crate::report::{Outcome, Report};
use crate::results;
use crate::session::Session;

pub(crate) use bench::{
    bench, bench_baseline, bench_check, bench_growth, bench_page, native_check,
};
pub(crate) use core_tests::{core_tests, write_core_tests_ledger};
pub(crate) use docs::docs;
pub(crate) use exhaustion::exhaustion;
pub(crate) use foreign::{check as foreign_check, Foreign};
pub(crate) use kernel_tests::kernel_tests;
pub(crate) use sizes::sizes;

/// What `make test` runs. The cheap and telling steps come first.
pub(crate) fn everything(place: &Place, report: &mut Report) {
    fast(place, report);
    make::check(place, "lint", report);
    make::check(place, "loom", report);
    conformance::syscalls(place, report);
    native_check(place, report);
    let parts = make::parts(place, report);
    make::check(place, "link-without-backend", report);
    if !parts {
        for name in [
            "kernel tests",
            "shell session",
            "bad input",
            "foreign",
            "core-tests",
            "running out of memory",
        ] {
            report.add(
                name,
                Outcome::Failed("the parts do not build, so no guest can be started".to_owned()),
            );
        }
        return;
    }
    kernel_tests(place, report);
    all_sessions(place, report);
    bad_input::run(place, report);
    foreign_check(place, report);
    core_tests(place, report);
    exhaustion(place, report);
    bench_check(place, report);
}

/// What is quick enough for every save.
pub(crate) fn fast(place: &Place, report: &mut Report) {
    make::check(place, "fmt-check", report);
    sizes(place, report);
    make::host_tests(place, report);
}

/// Guests with broken parts, after a build.
pub(crate) fn bad_input(place: &Place, report: &mut Report) {
    if make::parts(place, report) {
        bad_input::run(place, report);
    }
}

/// Plays one session file.
pub(crate) fn session(place: &Place, file: &Path, report: &mut Report) {
    let name = file.file_stem().map_or_else(
        || "session".to_owned(),
        |stem| stem.to_string_lossy().into_owned(),
    );
    let text = std::fs::read_to_string(file).map_err(|e| e.to_string());
    match text.and_then(|text| Session::parse(&text)) {
        Ok(session) => session.play(place, &name, report),
        Err(what) => report.add(
            &name,
            Outcome::Failed(format!("{}: {what}", file.display())),
        ),
    }
}

/// Compares a list of results with a ledger.
pub(crate) fn ledger(output: &Path, ledger_file: &Path, report: &mut Report) {
    let read =
        |path: &Path| std::fs::read_to_string(path).map_err(|e| format!("{}: {e}", path.display()));
    let compared = read(output).and_then(|text| {
        let expected = Ledger::parse(&read(ledger_file)?)
            .map_err(|e| format!("{}: {e}", ledger_file.display()))?;
        expected.differences(&results::read(&text)).check()
    });
    report.check("ledger", compared);
}

fn all_sessions(place: &Place, report: &mut Report) {
    let directory = place.root.join("tools/harness/sessions");
    let mut files: Vec<_> = std::fs::read_dir(&directory)
        .map(|entries| entries.filter_map(|e| e.ok().map(|e| e.path())).collect())
        .unwrap_or_default();
    files.retain(|file| file.extension().is_some_and(|e| e == "session"));
    files.sort();
    if files.is_empty() {
        report.add(
            "shell session",
            Outcome::Failed(format!("no session files in {}", directory.display())),
        );
    }
    for file in files {
        session(place, &file, report);
    }
}
