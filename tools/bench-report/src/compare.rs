//! Two records, row by row.

use crate::record::{Kind, Mode, Record, Row};
use crate::Failure;

/// A row that both records have numbers for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pair {
    pub(crate) name: String,
    pub(crate) about: String,
    pub(crate) kind: Kind,
    /// Counted instructions: the base's, then this record's.
    pub(crate) icount: Option<(f64, f64)>,
    /// Nanoseconds: the base's, then this record's.
    pub(crate) wall: Option<(f64, f64)>,
}

impl Pair {
    fn new(row: &Row, base: &Row) -> Option<Self> {
        let both = |mode| Some((base.cost(mode)?, row.cost(mode)?)).filter(|(base, _)| *base > 0.0);
        let (icount, wall) = (both(Mode::Icount), both(Mode::Wall));
        (icount.is_some() || wall.is_some()).then(|| Self {
            name: row.name.clone(),
            about: row.about.clone(),
            kind: row.kind,
            icount,
            wall,
        })
    }

    /// This record's part of the base's cost: instructions for decisions, time for copying.
    pub(crate) fn ratio(&self) -> Option<f64> {
        let (base, this) = match self.kind {
            Kind::Control => self.icount,
            Kind::Copying => self.wall,
        }?;
        Some(this / base)
    }

    /// Whether it is part of another row.
    pub(crate) fn is_part(&self) -> bool {
        self.name.contains('.')
    }
}

/// What the pairs of one kind say together.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Verdict {
    /// Pairs with a ratio.
    pub(crate) pairs: usize,
    /// The geometric mean of the ratios.
    pub(crate) mean: f64,
    /// Pairs above the limit of their kind.
    pub(crate) above: usize,
}

/// What a row may cost at most, as a part of Zircon's cost.
pub(crate) const fn limit(kind: Kind) -> f64 {
    match kind {
        Kind::Control => 1.0,
        Kind::Copying => 1.05,
    }
}

/// Two records.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Comparison {
    pub(crate) pairs: Vec<Pair>,
    /// Rows that only one of the two has numbers for, and why.
    pub(crate) alone: Vec<String>,
}

impl Comparison {
    /// Pairs the rows up.
    pub(crate) fn new(record: &Record, base: &Record) -> Result<Self, Failure> {
        let (mut pairs, mut alone) = (Vec::new(), Vec::new());
        for row in &record.rows {
            let other = base.row(&row.name);
            match other.and_then(|other| Pair::new(row, other)) {
                Some(pair) => pairs.push(pair),
                None => alone.push(why_alone(row, other)),
            }
        }
        for row in &base.rows {
            if record.row(&row.name).is_none() {
                alone.push(format!("{}: only in the base", row.name));
            }
        }
        if pairs.is_empty() {
            let what = "the two records have no row in common that was measured in the same mode";
            return Err(Failure::Input(what.to_owned()));
        }
        Ok(Self { pairs, alone })
    }

    /// Sums up the pairs of a kind.
    pub(crate) fn verdict(&self, kind: Kind) -> Verdict {
        let ratios: Vec<f64> = self
            .pairs
            .iter()
            .filter(|pair| pair.kind == kind)
            .filter_map(Pair::ratio)
            .collect();
        Verdict {
            pairs: ratios.len(),
            mean: geometric_mean(&ratios),
            above: ratios.iter().filter(|ratio| **ratio > limit(kind)).count(),
        }
    }
}

fn why_alone(row: &Row, other: Option<&Row>) -> String {
    let why = match (&row.skipped, other) {
        (Some(why), _) => format!("not measured here: {why}"),
        (None, None) => "not in the base".to_owned(),
        (None, Some(other)) => match &other.skipped {
            Some(why) => format!("not measured in the base: {why}"),
            None => "measured in different modes".to_owned(),
        },
    };
    format!("{}: {why}", row.name)
}

/// 0 without ratios.
fn geometric_mean(ratios: &[f64]) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "there are a few hundred rows")]
    let count = ratios.len() as f64;
    let logs: f64 = ratios.iter().map(|ratio| ratio.max(1e-9).ln()).sum();
    if ratios.is_empty() {
        0.0
    } else {
        (logs / count).exp()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::row;
    use crate::record::Origin;

    fn record(rows: Vec<Row>) -> Record {
        Record::new(Origin::default(), rows)
    }

    #[test]
    fn decisions_are_compared_by_instructions_and_copying_by_time() {
        let ours = record(vec![
            row("A", Kind::Control, 50.0, 9.0),
            row("B", Kind::Copying, 50.0, 9.0),
        ]);
        let base = record(vec![
            row("A", Kind::Control, 100.0, 9.0),
            row("B", Kind::Copying, 100.0, 9.0),
        ]);
        let comparison = Comparison::new(&ours, &base).unwrap();
        assert_eq!(comparison.pairs[0].ratio(), Some(0.5));
        assert_eq!(comparison.pairs[1].ratio(), Some(1.0));
    }

    #[test]
    fn the_mean_is_geometric_and_over_one_kind() {
        let ours = record(vec![
            row("A", Kind::Control, 25.0, 1.0),
            row("B", Kind::Control, 400.0, 1.0),
            row("C", Kind::Copying, 1.0, 7.0),
        ]);
        let base = record(vec![
            row("A", Kind::Control, 100.0, 1.0),
            row("B", Kind::Control, 100.0, 1.0),
            row("C", Kind::Copying, 1.0, 1.0),
        ]);
        let verdict = Comparison::new(&ours, &base)
            .unwrap()
            .verdict(Kind::Control);
        assert!((verdict.mean - 1.0).abs() < 1e-9);
        assert_eq!((verdict.pairs, verdict.above), (2, 1));
    }

    #[test]
    fn rows_of_one_side_only_are_named() {
        let ours = record(vec![
            row("A", Kind::Control, 1.0, 1.0),
            row("B", Kind::Control, 1.0, 1.0),
        ]);
        let base = record(vec![
            row("A", Kind::Control, 1.0, 1.0),
            row("C", Kind::Control, 1.0, 1.0),
        ]);
        let alone = Comparison::new(&ours, &base).unwrap().alone;
        assert_eq!(alone, ["B: not in the base", "C: only in the base"]);
    }

    #[test]
    fn records_without_a_common_row_are_refused() {
        let ours = record(vec![row("A", Kind::Control, 1.0, 1.0)]);
        let base = record(vec![row("B", Kind::Control, 1.0, 1.0)]);
        assert!(Comparison::new(&ours, &base).is_err());
    }
}
