//! Ledgers: `NAME PASS|FAIL|SKIP reason`, one line per case, and how a run differs from them.
//!
//! A run must match its ledger in both directions: a case that fails though it should pass is a regression, one that
//! passes though it should fail is a ledger that is out of date, and a case that only one side knows is either.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter, Write as _};

use crate::report::Tally;

/// The verdict on one case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    Pass,
    Fail,
    Skip,
}

impl Verdict {
    pub(crate) fn parse(word: &str) -> Option<Self> {
        match word {
            "PASS" => Some(Self::Pass),
            "FAIL" => Some(Self::Fail),
            "SKIP" => Some(Self::Skip),
            _ => None,
        }
    }
}

impl Display for Verdict {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "PASS",
            Self::Fail => "FAIL",
            Self::Skip => "SKIP",
        })
    }
}

/// A verdict and, unless it is a pass, why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Entry {
    pub(crate) verdict: Verdict,
    /// Empty if nobody said it.
    pub(crate) reason: String,
}

impl Entry {
    pub(crate) fn new(verdict: Verdict, reason: &str) -> Self {
        Self {
            verdict,
            reason: reason.trim().to_owned(),
        }
    }
}

/// Entries by case, of a run or of a ledger.
pub(crate) type Entries = BTreeMap<String, Entry>;

/// How many there are of each verdict.
pub(crate) fn tally(entries: &Entries) -> Tally {
    let count = |verdict| entries.values().filter(|e| e.verdict == verdict).count();
    Tally {
        passed: count(Verdict::Pass),
        failed: count(Verdict::Fail),
        skipped: count(Verdict::Skip),
    }
}

/// A ledger as its file has it.
#[derive(PartialEq, Eq, Default, Debug)]
pub(crate) struct Ledger {
    /// The lines with # before the first case: what ran, on what.
    heading: String,
    pub(crate) entries: Entries,
}

impl Ledger {
    /// Reads a ledger; empty lines, and lines with # after the heading, are passed over.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut ledger = Self::default();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.starts_with('#') && ledger.entries.is_empty() {
                ledger.heading.push_str(line);
                ledger.heading.push('\n');
            }
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let at = |what: String| format!("line {}: {what}", number + 1);
            let (case, rest) = line.split_once(' ').unwrap_or((line, ""));
            let (word, reason) = rest.split_once(' ').unwrap_or((rest, ""));
            let verdict = Verdict::parse(word)
                .ok_or_else(|| at(format!("'{word}' is not PASS, FAIL or SKIP")))?;
            if verdict != Verdict::Pass && reason.trim().is_empty() {
                return Err(at(format!("{case}: {word} needs a reason")));
            }
            let entry = Entry::new(verdict, reason);
            if ledger.entries.insert(case.to_owned(), entry).is_some() {
                return Err(at(format!("{case} is there twice")));
            }
        }
        Ok(ledger)
    }

    /// The ledger that a run makes of this one: same heading; a reason that a person gave is kept while its verdict stands.
    pub(crate) fn renewed(&self, run: &Entries) -> Self {
        let renew = |(case, found): (&String, &Entry)| {
            let known = self.entries.get(case);
            let known = known.filter(|known| known.verdict == found.verdict);
            let reason = known.map_or(found.reason.as_str(), |known| known.reason.as_str());
            let reason = match found.verdict {
                Verdict::Pass => "",
                _ if reason.is_empty() => "to be explained",
                _ => reason,
            };
            (case.clone(), Entry::new(found.verdict, reason))
        };
        Self {
            heading: self.heading.clone(),
            entries: run.iter().map(renew).collect(),
        }
    }

    /// One line for each case on which a run and the ledger disagree.
    pub(crate) fn differences(&self, run: &Entries) -> Differences {
        let mut differences = Differences::default();
        for (case, expected) in &self.entries {
            let Some(found) = run.get(case) else {
                differences.missing.push(case.clone());
                continue;
            };
            if found.verdict == expected.verdict {
                continue;
            }
            let list = match found.verdict {
                Verdict::Pass => &mut differences.fixed,
                Verdict::Fail | Verdict::Skip => &mut differences.broken,
            };
            list.push(format!(
                "{case}: {}, the ledger says {}",
                shown(found),
                shown(expected)
            ));
        }
        for (case, found) in run {
            if !self.entries.contains_key(case) {
                differences.new.push(format!("{case}: {}", shown(found)));
            }
        }
        differences
    }
}

impl Display for Ledger {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.heading)?;
        for (case, entry) in &self.entries {
            writeln!(f, "{case} {}", shown(entry))?;
        }
        Ok(())
    }
}

fn shown(entry: &Entry) -> String {
    format!("{} {}", entry.verdict, entry.reason)
        .trim_end()
        .to_owned()
}

/// Where a run and a ledger disagree.
#[derive(PartialEq, Eq, Default, Debug)]
pub(crate) struct Differences {
    /// In the run only.
    pub(crate) new: Vec<String>,
    /// Passed, and the ledger says otherwise.
    pub(crate) fixed: Vec<String>,
    /// Did not pass, and the ledger says otherwise.
    pub(crate) broken: Vec<String>,
    /// In the ledger only.
    pub(crate) missing: Vec<String>,
}

impl Differences {
    /// All of it as one failure, with the counts first; nothing to tell is no failure.
    pub(crate) fn check(&self) -> Result<(), String> {
        let groups = [
            ("new", &self.new),
            ("fixed", &self.fixed),
            ("broken", &self.broken),
            ("missing", &self.missing),
        ];
        if groups.iter().all(|(_, cases)| cases.is_empty()) {
            return Ok(());
        }
        let counts: Vec<_> = groups
            .iter()
            .map(|(name, cases)| format!("{} {name}", cases.len()))
            .collect();
        let mut told = counts.join(", ");
        for (name, cases) in groups {
            for case in cases {
                // Writing to a string cannot fail.
                let _ = write!(told, "\n     {name}: {case}");
            }
        }
        Err(told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(lines: &str) -> Entries {
        Ledger::parse(lines).unwrap().entries
    }

    #[test]
    fn a_run_that_agrees_has_no_differences() {
        let ledger =
            Ledger::parse("# comment\nChannel.Write PASS\nPort.Wait FAIL issue 3\n").unwrap();
        let found = run("Channel.Write PASS\nPort.Wait FAIL timed out\n");
        assert_eq!(ledger.differences(&found).check(), Ok(()));
    }

    #[test]
    fn differences_are_told_in_both_directions() {
        let ledger = Ledger::parse("A.a PASS\nA.b FAIL known\nA.c PASS\nA.e PASS\n").unwrap();
        let found = run("A.a FAIL 1 is not 2\nA.b PASS\nA.d PASS\nA.e SKIP no reason\n");
        assert_eq!(
            ledger.differences(&found).check().unwrap_err(),
            "1 new, 1 fixed, 2 broken, 1 missing\
             \n     new: A.d: PASS\
             \n     fixed: A.b: PASS, the ledger says FAIL known\
             \n     broken: A.a: FAIL 1 is not 2, the ledger says PASS\
             \n     broken: A.e: SKIP no reason, the ledger says PASS\
             \n     missing: A.c"
        );
    }

    #[test]
    fn a_written_ledger_is_read_back() {
        let text = "# what\n# where\nA.a PASS\nA.b FAIL 1 is not 2\nA.c SKIP not here\n";
        assert_eq!(Ledger::parse(text).unwrap().to_string(), text);
    }

    #[test]
    fn renewing_keeps_the_heading_and_the_reasons_that_still_hold() {
        let old = "# heading\nA.a FAIL slow disk\nA.b FAIL a reason\nA.c PASS\nA.gone PASS\n";
        let found = run("A.a FAIL x\nA.b PASS\nA.c FAIL y\nA.d SKIP z\n");
        assert_eq!(
            Ledger::parse(old).unwrap().renewed(&found).to_string(),
            "# heading\nA.a FAIL slow disk\nA.b PASS\nA.c FAIL y\nA.d SKIP z\n"
        );
        let silent = Entries::from([("A.a".to_owned(), Entry::new(Verdict::Fail, ""))]);
        assert_eq!(
            Ledger::default().renewed(&silent).to_string(),
            "A.a FAIL to be explained\n"
        );
    }

    #[test]
    fn a_line_without_reason_or_with_an_unknown_verdict_is_refused() {
        let refusal = |text: &str| Ledger::parse(text).unwrap_err();
        assert_eq!(refusal("A.a FAIL"), "line 1: A.a: FAIL needs a reason");
        assert_eq!(
            refusal("\nA.a GOOD"),
            "line 2: 'GOOD' is not PASS, FAIL or SKIP"
        );
        assert_eq!(refusal("A.a PASS\nA.a PASS"), "line 2: A.a is there twice");
    }
}
