//! Native benches: criterion's times and callgrind's counts of the same operations.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde::Deserialize;

use crate::table::number;
use crate::{record, Failure};

/// What one operation costs natively.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Native {
    /// Nanoseconds, the middle of criterion's estimate.
    nanoseconds: Option<f64>,
    /// Instructions, by callgrind.
    instructions: Option<f64>,
}

/// criterion's `estimates.json`, as far as it is needed.
#[derive(Deserialize, Debug)]
struct Estimates {
    median: Estimate,
}

#[derive(Deserialize, Debug)]
struct Estimate {
    point_estimate: f64,
}

/// Reads both kinds of results; either may be missing.
pub(crate) fn read(
    criterion: &Path,
    callgrind: &Path,
) -> Result<BTreeMap<String, Native>, Failure> {
    let mut rows: BTreeMap<String, Native> = BTreeMap::new();
    for group in directories(criterion) {
        for bench in directories(&criterion.join(&group)) {
            let file = criterion
                .join(&group)
                .join(&bench)
                .join("new/estimates.json");
            let Ok(text) = record::read(&file) else {
                continue;
            };
            let estimates: Estimates = serde_json::from_str(&text)
                .map_err(|error| Failure::Input(format!("{}: {error}", file.display())))?;
            rows.entry(format!("{group}/{bench}"))
                .or_default()
                .nanoseconds = Some(estimates.median.point_estimate);
        }
    }
    if callgrind.is_file() {
        for line in record::read(callgrind)?.lines() {
            let Some((name, count)) = line.rsplit_once(' ') else {
                continue;
            };
            let count = count.parse().map_err(|_| {
                Failure::Input(format!("{}: bad line '{line}'", callgrind.display()))
            })?;
            rows.entry(name.to_owned()).or_default().instructions = Some(count);
        }
    }
    if rows.is_empty() {
        return Err(Failure::Input(
            "no results of native benches; run them first".to_owned(),
        ));
    }
    Ok(rows)
}

fn directories(path: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// A table for a page.
pub(crate) fn markdown(rows: &BTreeMap<String, Native>) -> String {
    let mut text =
        String::from("| Operation | ns (criterion) | instructions (callgrind) |\n|---|---|---|\n");
    let column = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), number);
    for (name, native) in rows {
        let _ = writeln!(
            text,
            "| {name} | {} | {} |",
            column(native.nanoseconds),
            column(native.instructions)
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_counts_share_a_row() {
        let place = std::env::temp_dir().join("bench-report-native-test");
        let bench = place.join("channel/write_read/new");
        std::fs::create_dir_all(&bench).unwrap();
        std::fs::write(
            bench.join("estimates.json"),
            r#"{"median":{"point_estimate":12.5}}"#,
        )
        .unwrap();
        std::fs::write(place.join("counts"), "channel/write_read 321\n").unwrap();
        let rows = read(&place, &place.join("counts")).unwrap();
        assert!(markdown(&rows).contains("| channel/write_read | 12.5 | 321 |"));
    }

    #[test]
    fn nothing_measured_is_an_error() {
        assert!(read(Path::new("/nowhere"), Path::new("/nowhere")).is_err());
    }
}
