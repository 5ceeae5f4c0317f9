//! Ledgers: `Suite.Case PASS|FAIL|SKIP reason`, one line per case, and how a run differs from them.
//!
//! A run must match its ledger in both directions: a case that fails though it should pass is a regression, one that
//! passes though it should fail is a ledger that is out of date, and a case that only one side knows is either.

use std::collections::BTreeMap;

/// The verdict on one case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    Pass,
    Fail,
    Skip,
}

impl Verdict {
    fn parse(word: &str) -> Option<Self> {
        match word {
            "PASS" => Some(Self::Pass),
            "FAIL" => Some(Self::Fail),
            "SKIP" => Some(Self::Skip),
            _ => None,
        }
    }
}

/// Verdicts by case.
pub(crate) type Verdicts = BTreeMap<String, Verdict>;

/// Reads a ledger; empty lines and lines with # are passed over.
pub(crate) fn parse(text: &str) -> Result<Verdicts, String> {
    let mut verdicts = Verdicts::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let at = |what: String| format!("line {}: {what}", number + 1);
        let mut words = line.split_whitespace();
        let (case, word) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        let verdict = Verdict::parse(word)
            .ok_or_else(|| at(format!("'{word}' is not PASS, FAIL or SKIP")))?;
        if verdict != Verdict::Pass && words.next().is_none() {
            return Err(at(format!("{case}: {word} needs a reason")));
        }
        if verdicts.insert(case.to_owned(), verdict).is_some() {
            return Err(at(format!("{case} is there twice")));
        }
    }
    Ok(verdicts)
}

/// Collects verdicts from a program's output: lines that hold `PASS|FAIL|SKIP` and a name with a dot, in either order.
pub(crate) fn from_output(text: &str) -> Verdicts {
    let mut verdicts = Verdicts::new();
    for line in text.lines() {
        let mut words = line
            .split_whitespace()
            .map(|w| w.trim_matches(['[', ']', ':']));
        let (Some(first), Some(second)) = (words.next(), words.next()) else {
            continue;
        };
        let pair = match (Verdict::parse(first), Verdict::parse(second)) {
            (Some(verdict), None) => Some((second, verdict)),
            (None, Some(verdict)) => Some((first, verdict)),
            _ => None,
        };
        if let Some((case, verdict)) = pair.filter(|(case, _)| case.contains('.')) {
            verdicts.insert(case.to_owned(), verdict);
        }
    }
    verdicts
}

/// A ledger of these verdicts, by name.
pub(crate) fn to_text(verdicts: &Verdicts) -> String {
    let header = "# What each case of core-tests comes to: PASS, FAIL reason, or SKIP reason. `make test` compares.\n";
    let lines = verdicts.iter().map(|(case, verdict)| match verdict {
        Verdict::Pass => format!("{case} PASS\n"),
        Verdict::Fail => format!("{case} FAIL to be explained\n"),
        Verdict::Skip => format!("{case} SKIP to be explained\n"),
    });
    std::iter::once(header.to_owned()).chain(lines).collect()
}

/// One line for each case on which a run and its ledger disagree.
pub(crate) fn surprises(run: &Verdicts, ledger: &Verdicts) -> Vec<String> {
    let mut lines = Vec::new();
    for (case, expected) in ledger {
        match run.get(case) {
            Some(found) if found == expected => {}
            Some(found) => lines.push(format!("{case}: {found:?}, the ledger says {expected:?}")),
            None => lines.push(format!("{case}: in the ledger, not in the run")),
        }
    }
    for case in run.keys().filter(|case| !ledger.contains_key(*case)) {
        lines.push(format!("{case}: in the run, not in the ledger"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matching_run_has_no_surprises() {
        let ledger = parse("# comment\nChannel.Write PASS\nPort.Wait FAIL issue 3\n").unwrap();
        let run = from_output("noise\n[PASS] Channel.Write\nPort.Wait FAIL timed out\n3 PASS\n");
        assert_eq!(surprises(&run, &ledger), [""; 0]);
    }

    #[test]
    fn a_written_ledger_is_read_back() {
        let run = from_output("[PASS] A.a (3 us)\n[FAIL] A.b: a.rs:1: no\n[SKIP] A.c: not here\n");
        assert_eq!(run.len(), 3);
        assert_eq!(parse(&to_text(&run)).unwrap(), run);
    }

    #[test]
    fn surprises_are_told_in_both_directions() {
        let ledger = parse("A.a PASS\nA.b FAIL known\nA.c PASS\n").unwrap();
        let run = from_output("FAIL A.a\nPASS A.b\nPASS A.d\n");
        assert_eq!(
            surprises(&run, &ledger),
            [
                "A.a: Fail, the ledger says Pass",
                "A.b: Pass, the ledger says Fail",
                "A.c: in the ledger, not in the run",
                "A.d: in the run, not in the ledger",
            ]
        );
    }

    #[test]
    fn a_ledger_line_without_reason_or_with_an_unknown_verdict_is_refused() {
        assert_eq!(
            parse("A.a FAIL").unwrap_err(),
            "line 1: A.a: FAIL needs a reason"
        );
        assert_eq!(
            parse("\nA.a GOOD").unwrap_err(),
            "line 2: 'GOOD' is not PASS, FAIL or SKIP"
        );
        assert_eq!(
            parse("A.a PASS\nA.a PASS").unwrap_err(),
            "line 2: A.a is there twice"
        );
    }
}
