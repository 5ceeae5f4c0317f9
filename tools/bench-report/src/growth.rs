//! Curves of growth: rows named `Growth/OPERATION/NUMBER`, one point each.

use std::fmt::Write as _;

use crate::record::{Mode, Record};
use crate::table::number;

/// The start of such rows' names.
const START: &str = "Growth/";
/// A cost that grows with the n-th part of a power above this is worse than logarithmic.
const STEEP: f64 = 0.35;

/// How the cost of an operation grows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Curve {
    /// The operation.
    pub(crate) name: String,
    /// Number and instructions.
    pub(crate) points: Vec<(f64, f64)>,
}

impl Curve {
    /// The power of the number by which the cost grows from one decade to the last: 0 is constant, 1 linear.
    pub(crate) fn steepness(&self) -> f64 {
        let Some((last_x, last_y)) = self.points.last().copied() else {
            return 0.0;
        };
        let before = self.points.iter().rev().find(|(x, _)| x * 9.0 <= last_x);
        before.map_or(0.0, |(x, y)| (last_y / y.max(1.0)).ln() / (last_x / x).ln())
    }

    /// Whether it grows faster than a logarithm.
    pub(crate) fn is_steep(&self) -> bool {
        self.steepness() > STEEP
    }
}

/// The curves of a record, in its order.
pub(crate) fn curves(record: &Record) -> Vec<Curve> {
    let mut curves: Vec<Curve> = Vec::new();
    for row in &record.rows {
        let parsed = row
            .name
            .strip_prefix(START)
            .and_then(|rest| rest.rsplit_once('/'));
        let Some((name, number)) = parsed else {
            continue;
        };
        let (Ok(x), Some(y)) = (number.parse(), row.cost(Mode::Icount)) else {
            continue;
        };
        match curves.iter_mut().find(|curve| curve.name == name) {
            Some(curve) => curve.points.push((x, y)),
            None => curves.push(Curve {
                name: name.to_owned(),
                points: vec![(x, y)],
            }),
        }
    }
    curves
}

/// The curves as a Markdown table.
pub(crate) fn markdown(curves: &[Curve]) -> String {
    let mut text =
        String::from("| Operation | number: instructions | power at the end |\n|---|---|---|\n");
    for curve in curves {
        let points: Vec<String> = curve
            .points
            .iter()
            .map(|(x, y)| format!("{x}: {}", number(*y)))
            .collect();
        let steep = if curve.is_steep() { " (steep)" } else { "" };
        let _ = writeln!(
            text,
            "| {} | {} | {:.2}{steep} |",
            curve.name,
            points.join(", "),
            curve.steepness()
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::row;
    use crate::record::{Kind, Origin};

    fn record(points: &[(&str, f64)]) -> Record {
        let rows = points
            .iter()
            .map(|(name, cost)| row(name, Kind::Control, *cost, 1.0));
        Record::new(Origin::default(), rows.collect())
    }

    #[test]
    fn linear_is_steep_and_a_logarithm_is_not() {
        let linear = record(&[
            ("Growth/A/10", 10.0),
            ("Growth/A/100", 100.0),
            ("Growth/A/1000", 1000.0),
        ]);
        assert!((curves(&linear)[0].steepness() - 1.0).abs() < 1e-9);
        let logarithm = record(&[
            ("Growth/A/10", 100.0),
            ("Growth/A/1000", 300.0),
            ("Growth/A/100000", 500.0),
        ]);
        assert!(!curves(&logarithm)[0].is_steep());
    }

    #[test]
    fn other_rows_are_no_curves() {
        assert!(curves(&record(&[("Vmo/Read/4", 1.0)])).is_empty());
    }
}
