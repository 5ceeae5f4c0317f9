//! The baseline: what each row of decisions may take at most, in counted instructions.
//!
//! Counts repeat from run to run, but for rows whose work depends on where mappings happen to lie. So a row has grown only
//! when its minimum and its median both have, and in each of the runs that are held against the baseline.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use crate::record::{self, Kind, Mode, Record};
use crate::Failure;

/// How much a row may grow before it fails.
const GROWTH: f64 = 1.05;
/// The row with a limit of its own, and the limit: instructions of a call that does nothing.
const NULL_SYSCALL: (&str, f64) = ("Syscall/Null", 100.0);

/// What a row takes: minimum and median.
type Cost = [f64; 2];

/// Instructions by row name.
type Baseline = BTreeMap<String, Cost>;

/// The rows of decisions of several runs, each at its lowest.
fn of(records: &[Record]) -> Baseline {
    let mut lowest = Baseline::new();
    for row in records.iter().flat_map(|record| &record.rows) {
        let numbers = row.numbers(Mode::Icount);
        let Some(numbers) = numbers.filter(|_| row.kind == Kind::Control) else {
            continue;
        };
        let cost = lowest.entry(row.name.clone()).or_insert([f64::MAX; 2]);
        *cost = [cost[0].min(numbers.min), cost[1].min(numbers.median)];
    }
    lowest
}

/// Writes the baseline anew.
pub(crate) fn write(records: &[Record], path: &Path) -> Result<(), Failure> {
    let rows = of(records);
    if rows.is_empty() {
        return Err(Failure::Input(
            "the record has no counted instructions".to_owned(),
        ));
    }
    let mut text = String::from("{\n");
    for (index, (name, [min, median])) in rows.iter().enumerate() {
        let end = if index + 1 == rows.len() { "" } else { "," };
        let _ = writeln!(text, "\"{name}\": [{min}, {median}]{end}");
    }
    text.push_str("}\n");
    record::write(path, &text)
}

/// Compares runs with the baseline; the text says how many rows agree and which have become cheaper.
pub(crate) fn check(records: &[Record], path: &Path) -> Result<String, Failure> {
    let text = record::read(path)?;
    let baseline: Baseline = serde_json::from_str(&text)
        .map_err(|error| Failure::Input(format!("{}: no baseline: {error}", path.display())))?;
    let now = of(records);
    let mut complaints = grown(&baseline, &now);
    let (name, limit) = NULL_SYSCALL;
    if let Some([_, cost]) = now.get(name).filter(|[_, cost]| *cost > limit) {
        complaints.push(format!(
            "{name} takes {cost} instructions, more than {limit}"
        ));
    }
    if !complaints.is_empty() {
        return Err(Failure::Verdict(complaints.join("\n     ")));
    }
    let shrunk = baseline
        .iter()
        .filter(|(name, base)| now.get(*name).is_some_and(|cost| has_grown(*cost, **base)))
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

/// Whether both numbers went up, by more than is accepted and by more than one instruction.
fn has_grown(before: Cost, after: Cost) -> bool {
    let pairs = before.iter().zip(after);
    pairs
        .into_iter()
        .all(|(before, after)| after > before * GROWTH && after > before + 1.0)
}

fn grown(baseline: &Baseline, now: &Baseline) -> Vec<String> {
    let complaint = |(name, base): (&String, &Cost)| match now.get(name) {
        None => Some(format!("{name} is gone")),
        Some(cost) if has_grown(*base, *cost) => Some(format!(
            "{name} takes {} instructions instead of {} ({:+.1} percent)",
            cost[1],
            base[1],
            (cost[1] / base[1] - 1.0) * 100.0
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
        let both = |(name, cost): &(&str, f64)| ((*name).to_owned(), [*cost; 2]);
        rows.iter().map(both).collect()
    }

    #[test]
    fn five_percent_more_is_accepted_and_six_is_not() {
        let base = baseline(&[("A", 1000.0)]);
        assert!(grown(&base, &baseline(&[("A", 1050.0)])).is_empty());
        assert_eq!(grown(&base, &baseline(&[("A", 1060.0)])).len(), 1);
    }

    #[test]
    fn a_row_with_luck_in_one_run_has_not_grown() {
        let with = |cost| Record::new(Origin::default(), vec![row("A", Kind::Control, cost, 1.0)]);
        let base = of(&[with(100.0)]);
        assert_eq!(grown(&base, &of(&[with(120.0)])).len(), 1);
        assert!(grown(&base, &of(&[with(120.0), with(101.0)])).is_empty());
        let lucky: Baseline = [("A".to_owned(), [100.0, 120.0])].into();
        assert!(grown(&base, &lucky).is_empty());
    }

    #[test]
    fn a_row_that_is_gone_is_a_complaint_and_a_fresh_one_is_not() {
        let base = baseline(&[("A", 1.0)]);
        assert_eq!(grown(&base, &baseline(&[("B", 1.0)])), ["A is gone"]);
    }

    #[test]
    fn the_null_syscall_has_a_limit_of_its_own() {
        let place = std::env::temp_dir().join("bench-report-baseline-test.json");
        let with = |cost| {
            [Record::new(
                Origin::default(),
                vec![row("Syscall/Null", Kind::Control, cost, 1.0)],
            )]
        };
        write(&with(101.0), &place).unwrap();
        assert!(matches!(
            check(&with(101.0), &place),
            Err(Failure::Verdict(_))
        ));
        assert!(check(&with(100.0), &place).is_ok());
    }
}
