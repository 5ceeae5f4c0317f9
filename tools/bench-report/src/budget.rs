//! The budget: what a real Zircon takes, row by row of the design, and half of it beside what was measured.

use std::fmt::Write as _;
use std::path::Path;

use crate::record::{self, Mode, Record};
use crate::table::number;
use crate::Failure;

/// The part of Zircon's instructions that an operation may take.
const PART: f64 = 0.5;

/// An operation of the design's table.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Entry {
    operation: String,
    /// Rows of the record whose sum it is.
    rows: Vec<String>,
    zircon: f64,
}

/// Reads lines `OPERATION | ROW [+ ROW] | INSTRUCTIONS`; `#` begins a comment.
pub(crate) fn read(path: &Path) -> Result<Vec<Entry>, Failure> {
    let text = record::read(path)?;
    let lines = text
        .lines()
        .filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    let entries = lines.map(|line| {
        parse(line).ok_or_else(|| Failure::Input(format!("{}: bad line '{line}'", path.display())))
    });
    entries.collect()
}

fn parse(line: &str) -> Option<Entry> {
    let mut parts = line.split('|').map(str::trim);
    let (operation, rows, zircon) = (parts.next()?, parts.next()?, parts.next()?);
    Some(Entry {
        operation: operation.to_owned(),
        rows: rows.split('+').map(|row| row.trim().to_owned()).collect(),
        zircon: zircon.parse().ok().filter(|zircon| *zircon > 0.0)?,
    })
}

/// The table for a page, and before it what it says as a whole.
pub(crate) fn markdown(entries: &[Entry], record: &Record) -> Result<String, Failure> {
    let mut table =
        String::from("| Operation | Zircon | budget | here | ratio | kept | Row |\n|---|---|---|---|---|---|---|\n");
    let (mut over, mut logs) = (Vec::new(), 0.0);
    for entry in entries {
        let here = cost(entry, record)?;
        let ratio = here / entry.zircon;
        let kept = ratio <= PART;
        if !kept {
            over.push(format!("{} ({ratio:.2})", entry.operation));
        }
        logs += ratio.ln();
        let _ = writeln!(
            table,
            "| {} | {} | {} | {} | {ratio:.2} | {} | {} |",
            entry.operation,
            number(entry.zircon),
            number((entry.zircon * PART).floor()),
            number(here),
            if kept { "yes" } else { "**no**" },
            entry.rows.join(" + ")
        );
    }
    #[expect(clippy::cast_precision_loss, reason = "there are a few dozen rows")]
    let mean = (logs / entries.len().max(1) as f64).exp();
    let kept = entries.len() - over.len();
    let mut text = format!(
        "{kept} of {} operations keep the budget; geometric mean of the ratios {mean:.3}.\n",
        entries.len()
    );
    if !over.is_empty() {
        let _ = writeln!(text, "Over it: {}.", over.join(", "));
    }
    Ok(format!("{text}\n{table}"))
}

fn cost(entry: &Entry, record: &Record) -> Result<f64, Failure> {
    let costs = entry.rows.iter().map(|name| {
        let cost = record.row(name).and_then(|row| row.cost(Mode::Icount));
        cost.ok_or_else(|| Failure::Input(format!("the record has no instructions of '{name}'")))
    });
    costs.sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::row;
    use crate::record::{Kind, Origin};

    fn record() -> Record {
        let rows = vec![
            row("A.x", Kind::Control, 30.0, 1.0),
            row("A.y", Kind::Control, 21.0, 1.0),
        ];
        Record::new(Origin::default(), rows)
    }

    #[test]
    fn an_operation_keeps_the_budget_up_to_half_and_not_beyond() {
        let entries = [
            parse("one | A.x | 60").unwrap(),
            parse("both | A.x + A.y | 100").unwrap(),
        ];
        let text = markdown(&entries, &record()).unwrap();
        assert!(text.contains("1 of 2 operations keep the budget"), "{text}");
        assert!(text.contains("Over it: both (0.51)."), "{text}");
        assert!(
            text.contains("| one | 60 | 30 | 30 | 0.50 | yes | A.x |"),
            "{text}"
        );
        assert!(
            text.contains("| both | 100 | 50 | 51 | 0.51 | **no** | A.x + A.y |"),
            "{text}"
        );
    }

    #[test]
    fn a_row_that_was_not_measured_is_named() {
        let entries = [parse("gone | B | 60").unwrap()];
        let Err(Failure::Input(why)) = markdown(&entries, &record()) else {
            panic!("accepted");
        };
        assert!(why.contains("'B'"), "{why}");
    }

    #[test]
    fn bad_lines_are_refused() {
        for line in ["", "a | b", "a | b | c", "a | b | 0"] {
            assert_eq!(parse(line), None, "{line}");
        }
    }

    #[test]
    fn each_row_of_the_projects_budget_is_in_the_baseline() {
        let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance");
        let baseline: serde_json::Value =
            serde_json::from_str(&record::read(&place.join("bench.json")).unwrap()).unwrap();
        let entries = read(&place.join("budget.txt")).unwrap();
        assert!(entries.len() > 40);
        for name in entries.iter().flat_map(|entry| &entry.rows) {
            assert!(baseline.get(name).is_some(), "{name}");
        }
    }
}
