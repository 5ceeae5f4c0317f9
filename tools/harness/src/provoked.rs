//! The errors that the calls document, and whether core-tests provoke each: `conformance/errors.txt` against a run.
//!
//! A line of the ledger is `CALL ERROR YES`, or `CALL ERROR NO why no test can`. The run prints `[SAW] CALL ERROR...`. They
//! must agree in both directions: what should be provoked and was not, what was provoked and should be impossible, and what a
//! call gave that no line documents.

use std::collections::{BTreeMap, BTreeSet};

/// A call and one of its errors, by their names without prefix.
type Pair = (String, String);

/// Whether a test provokes each documented error.
#[derive(Debug)]
pub(crate) struct Documented(BTreeMap<Pair, Provoked>);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Provoked {
    Yes,
    No,
}

impl Documented {
    /// Reads the ledger; empty lines and lines with # are passed over.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut pairs = BTreeMap::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let at = |what: &str| format!("line {}: {what}: {line}", number + 1);
            let words: Vec<_> = line.split_whitespace().collect();
            let (call, error, provoked) = match *words.as_slice() {
                [call, error, "YES"] => (call, error, Provoked::Yes),
                [_, _, "NO"] => return Err(at("NO needs a reason")),
                [call, error, "NO", ..] => (call, error, Provoked::No),
                _ => return Err(at("not CALL ERROR YES, nor CALL ERROR NO why")),
            };
            let pair = (call.to_owned(), error.to_owned());
            if pairs.insert(pair, provoked).is_some() {
                return Err(at("is there twice"));
            }
        }
        Ok(Self(pairs))
    }

    /// One line for each pair on which a run's output and the ledger disagree.
    pub(crate) fn surprises(&self, output: &str) -> Vec<String> {
        let seen = seen(output);
        let mut lines = Vec::new();
        for (pair, provoked) in &self.0 {
            let (call, error) = pair;
            match (provoked, seen.contains(pair)) {
                (Provoked::Yes, true) | (Provoked::No, false) => {}
                (Provoked::Yes, false) => lines.push(format!("{call}: no case provokes {error}")),
                (Provoked::No, true) => {
                    lines.push(format!("{call}: {error} is provoked, the ledger says NO"));
                }
            }
        }
        let undocumented = seen.iter().filter(|pair| !self.0.contains_key(*pair));
        lines.extend(
            undocumented.map(|(call, error)| format!("{call}: gave {error}, not in the ledger")),
        );
        lines
    }

    /// How many are provoked, and how many there are.
    pub(crate) fn count(&self) -> (usize, usize) {
        let provoked = self.0.values().filter(|p| **p == Provoked::Yes);
        (provoked.count(), self.0.len())
    }
}

/// The pairs that a program says it saw.
fn seen(output: &str) -> BTreeSet<Pair> {
    let mut pairs = BTreeSet::new();
    for line in output.lines() {
        let Some(rest) = line.trim().strip_prefix("[SAW] ") else {
            continue;
        };
        let mut words = rest.split_whitespace();
        let Some(call) = words.next() else { continue };
        pairs.extend(words.map(|error| (call.to_owned(), error.to_owned())));
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEDGER: &str = "# comment\nread SHOULD_WAIT YES\nread NO_MEMORY NO the heap never ends\n";

    #[test]
    fn a_run_that_provokes_just_what_the_ledger_says_has_no_surprises() {
        let ledger = Documented::parse(LEDGER).unwrap();
        assert_eq!(ledger.surprises("noise\n[SAW] read SHOULD_WAIT\n"), [""; 0]);
        assert_eq!(ledger.count(), (1, 2));
    }

    #[test]
    fn surprises_are_told_in_both_directions() {
        let ledger = Documented::parse(LEDGER).unwrap();
        assert_eq!(
            ledger.surprises("[SAW] read NO_MEMORY\n[SAW] write PEER_CLOSED\n"),
            [
                "read: NO_MEMORY is provoked, the ledger says NO",
                "read: no case provokes SHOULD_WAIT",
                "write: gave PEER_CLOSED, not in the ledger",
            ]
        );
    }

    #[test]
    fn lines_without_verdict_or_reason_are_refused() {
        for line in [
            "read SHOULD_WAIT",
            "read SHOULD_WAIT NO",
            "a b YES c",
            "a b YES\na b YES",
        ] {
            assert!(Documented::parse(line).is_err(), "{line}");
        }
    }
}
