//! The baseline: what each row of decisions may take at most, in counted instructions. Counts repeat from run to run, so
//! a row that grows has grown.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use crate::record::{self, Kind, Mode, Record};
use crate::Failure;

/// How much a row may grow before it fails.
const GROWTH: f64 = 1.05;
/// The row with a limit of its own, and the limit: instructions of a call that does nothing.
const NULL_SYSCALL: (&str, f64) = ("Syscall/Null", 100.0);

/// Instructions by row name.
type Baseline = BTreeMap<String, f64>;

fn of(record: &Record) -> Baseline {
    let rows = record.rows.iter().filter(|row| row.kind == Kind::Control);
    rows.filter_map(|row| Some((row.name.clone(), row.cost(Mode::Icount)?)))
        .collect()
}

/// Writes the baseline anew.
pub(crate) fn write(record: &Record, path: &Path) -> Result<(), Failure> {
    let rows = of(record);
    if rows.is_empty() {
        return Err(Failure::Input(
            "the record has no counted instructions".to_owned(),
        ));
    }
    let mut text = String::from("{\n");
    for (index, (name, cost)) in rows.iter().enumerate() {
        let end = if index + 1 == rows.len() { "" } else { "," };
        let _ = writeln!(text, "\"{name}\": {cost}{end}");
    }
    text.push_str("}\n");
    record::write(path, &text)
}

/// Compares a record with the baseline; the text says how many rows agree and which have become cheaper.
pub(crate) fn check(record: &Record, path: &Path) -> Result<String, Failure> {
    let text = record::read(path)?;
    let baseline: Baseline = serde_json::from_str(&text)
        .map_err(|error| Failure::Input(format!("{}: no baseline: {error}", path.display())))?;
    let now = of(record);
    let mut complaints = grown(&baseline, &now);
    if let Some(cost) = now
        .get(NULL_SYSCALL.0)
        .filter(|cost| **cost > NULL_SYSCALL.1)
    {
        complaints.push(format!(
            "{} takes {cost} instructions, more than {}",
            NULL_SYSCALL.0, NULL_SYSCALL.1
        ));
    }
    if !complaints.is_empty() {
        return Err(Failure::Verdict(complaints.join("\n     ")));
    }
    let shrunk = baseline
        .iter()
        .filter(|(name, base)| now.get(*name).is_some_and(|cost| cost * GROWTH < **base))
        .count();
    Ok(format!(
        "{} rows within {:.0} percent of {}; {shrunk} have become cheaper, {} are new",
        baseline.len(),
        (GROWTH - 1.0) * 100.0,
        path.display(),
        now.keys()
            .filter(|name| !baseline.contains_key(*name))
            .count()
    ))
}

fn grown(baseline: &Baseline, now: &Baseline) -> Vec<String> {
    let complaint = |(name, base): (&String, &f64)| match now.get(name) {
        None => Some(format!("{name} is gone")),
        Some(cost) if *cost > base * GROWTH && *cost > base + 1.0 => Some(format!(
            "{name} takes {cost} instructions instead of {base} ({:+.1} percent)",
            (cost / base - 1.0) * 100.0
        )),
        Some(_) => None,
    };
    baseline.iter().filter_map(complaint).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::row;
    use crate::record::Origin;

    fn baseline(rows: &[(&str, f64)]) -> Baseline {
        rows.iter()
            .map(|(name, cost)| ((*name).to_owned(), *cost))
            .collect()
    }

    #[test]
    fn five_percent_more_is_accepted_and_six_is_not() {
        let base = baseline(&[("A", 1000.0)]);
        assert!(grown(&base, &baseline(&[("A", 1050.0)])).is_empty());
        assert_eq!(grown(&base, &baseline(&[("A", 1060.0)])).len(), 1);
    }

    #[test]
    fn a_row_that_is_gone_is_a_complaint_and_a_fresh_one_is_not() {
        let base = baseline(&[("A", 1.0)]);
        assert_eq!(grown(&base, &baseline(&[("B", 1.0)])), ["A is gone"]);
    }

    #[test]
    fn the_null_syscall_has_a_limit_of_its_own() {
        let place = std::env::temp_dir().join("bench-report-baseline-test.json");
        let slow = Record::new(
            Origin::default(),
            vec![row("Syscall/Null", Kind::Control, 101.0, 1.0)],
        );
        write(&slow, &place).unwrap();
        assert!(matches!(check(&slow, &place), Err(Failure::Verdict(_))));
        let quick = Record::new(
            Origin::default(),
            vec![row("Syscall/Null", Kind::Control, 100.0, 1.0)],
        );
        assert!(check(&quick, &place).is_ok());
    }
}
