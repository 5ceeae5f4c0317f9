//! Cases, and the one summary at the end.

use std::process::ExitCode;
use std::time::Instant;

use crate::place::Place;

/// How a case ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// As it should.
    Passed,
    /// Not as it should, for this reason.
    Failed(String),
}

/// Numbers of cases that a step counted itself.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Tally {
    /// Cases that passed.
    pub(crate) passed: usize,
    /// Cases that failed.
    pub(crate) failed: usize,
    /// Cases that were not run.
    pub(crate) skipped: usize,
}

/// The cases of a run, printed as they come.
#[derive(Debug)]
pub(crate) struct Report {
    tally: Tally,
    failures: Vec<String>,
    started: Instant,
    last: Instant,
}

impl Report {
    pub(crate) fn new() -> Self {
        let now = Instant::now();
        Self {
            tally: Tally::default(),
            failures: Vec::new(),
            started: now,
            last: now,
        }
    }

    /// Adds one case and prints its line.
    pub(crate) fn add(&mut self, name: &str, outcome: Outcome) {
        let took = self.lap();
        match outcome {
            Outcome::Passed => {
                self.tally.passed += 1;
                println!("PASS {name} ({took:.1} s)");
            }
            Outcome::Failed(reason) => {
                self.tally.failed += 1;
                println!("FAIL {name} ({took:.1} s): {reason}");
                self.failures.push(format!("{name}: {reason}"));
            }
        }
    }

    /// Adds one case: passed, or failed for the reason given.
    pub(crate) fn check(&mut self, name: &str, result: Result<(), String>) {
        self.add(
            name,
            result.map_or_else(Outcome::Failed, |()| Outcome::Passed),
        );
    }

    /// Adds the cases that a program counted itself; failures come with the lines that name them.
    pub(crate) fn add_tally(&mut self, name: &str, tally: Tally, failures: &[String]) {
        let took = self.lap();
        self.tally.passed += tally.passed;
        self.tally.failed += tally.failed;
        self.tally.skipped += tally.skipped;
        let verdict = if tally.failed == 0 { "PASS" } else { "FAIL" };
        println!("{verdict} {name} ({took:.1} s): {tally}");
        for line in failures {
            println!("     {line}");
            self.failures.push(format!("{name}: {line}"));
        }
    }

    /// Prints a line that belongs to the next case.
    pub(crate) fn note(&self, line: &str) {
        println!("     {line}");
    }

    /// Prints the summary; the exit code is 1 if anything failed, or if nothing was tested at all.
    pub(crate) fn finish(self, place: &Place) -> ExitCode {
        if self.failures.len() > 1 {
            println!("\nFailed:");
            for line in &self.failures {
                println!("  {line}");
            }
        }
        println!(
            "\nlogs: {}; {:.0} s",
            place.logs().display(),
            self.started.elapsed().as_secs_f64()
        );
        println!("{}", self.tally);
        if self.tally.failed == 0 && self.tally.passed > 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        }
    }

    fn lap(&mut self) -> f64 {
        let took = self.last.elapsed().as_secs_f64();
        self.last = Instant::now();
        took
    }
}

impl std::fmt::Display for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} passed, {} failed, {} skipped",
            self.passed, self.failed, self.skipped
        )
    }
}
