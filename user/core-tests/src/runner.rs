//! Runs the chosen cases and reports each in one line.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use libzx::{println, time};

use crate::check::{Case, Outcome};
use crate::world::World;

/// A case and its name.
pub(crate) type Named = (&'static str, fn(&World) -> Case);

/// The cases of one object.
#[derive(Debug)]
pub(crate) struct Suite {
    pub(crate) name: &'static str,
    pub(crate) cases: &'static [Named],
}

/// How the run went.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: usize,
    pub(crate) failed: usize,
    pub(crate) skipped: usize,
}

/// Which cases run: those that some pattern fits, or all without patterns. `*` at the end of a pattern stands for any
/// rest; a name without a dot is a whole suite.
#[derive(Debug, Default)]
pub(crate) struct Filter(Vec<String>);

impl Filter {
    /// Patterns are separated by commas or colons.
    pub(crate) fn new<'a>(words: impl Iterator<Item = &'a str>) -> Self {
        let patterns = words.flat_map(|word| word.split([',', ':']));
        Self(
            patterns
                .filter(|pattern| !pattern.is_empty())
                .map(String::from)
                .collect(),
        )
    }

    fn fits(&self, suite: &str, case: &str) -> bool {
        let name = format!("{suite}.{case}");
        let fits = |pattern: &String| match pattern.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => *pattern == name || pattern == suite,
        };
        self.0.is_empty() || self.0.iter().any(fits)
    }
}

/// Runs the cases and prints a line for each, and the sum.
pub(crate) fn run(
    suites: impl Iterator<Item = &'static Suite>,
    world: &World,
    filter: &Filter,
) -> Tally {
    let mut tally = Tally::default();
    let mut failed = Vec::new();
    for suite in suites {
        for (name, case) in suite.cases {
            if !filter.fits(suite.name, name) {
                continue;
            }
            let start = time::now();
            let outcome = case(world);
            let microseconds = (time::now() - start) / 1000;
            let name = format!("{}.{name}", suite.name);
            match outcome {
                Ok(()) => {
                    println!("[PASS] {name} ({microseconds} us)");
                    tally.passed += 1;
                }
                Err(Outcome::Failed { file, line, what }) => {
                    println!("[FAIL] {name}: {file}:{line}: {what}");
                    tally.failed += 1;
                    failed.push(name);
                }
                Err(Outcome::Skipped(why)) => {
                    println!("[SKIP] {name}: {why}");
                    tally.skipped += 1;
                }
            }
        }
    }
    if !failed.is_empty() {
        println!("failed:");
        for name in failed {
            println!("  {name}");
        }
    }
    println!(
        "{} passed, {} failed, {} skipped",
        tally.passed, tally.failed, tally.skipped
    );
    tally
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(text: &str) -> Filter {
        Filter::new(core::iter::once(text))
    }

    #[test]
    fn filters_name_cases_suites_and_starts() {
        assert!(filter("").fits("Channel", "read"));
        assert!(filter("Channel").fits("Channel", "read"));
        assert!(filter("Port,Channel.read").fits("Channel", "read"));
        assert!(filter("Channel.r*").fits("Channel", "read"));
        assert!(!filter("Channel.read").fits("Channel", "read_etc"));
        assert!(!filter("Chan").fits("Channel", "read"));
    }
}
