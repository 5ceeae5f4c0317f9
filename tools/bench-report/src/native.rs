//! Native benches: criterion's times and callgrind's counts of the same operations.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use serde::Deserialize;

use crate::table::number;
use crate::{record, Failure};

/// How much an operation may grow before it fails.
const NATIVE_GROWTH: f64 = 1.10;

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
        for (name, count) in Counts::read(callgrind)?.rows {
            rows.entry(name).or_default().instructions = Some(count);
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

/// What callgrind counted, and with what.
#[derive(Clone, Debug, Default, PartialEq)]
struct Counts {
    /// Compiler, C library and valgrind: with others the same sources count differently.
    tools: String,
    rows: BTreeMap<String, f64>,
}

impl Counts {
    fn read(path: &Path) -> Result<Self, Failure> {
        let mut counts = Self::default();
        for line in record::read(path)?.lines() {
            if let Some(tools) = line.strip_prefix("# ") {
                counts.tools = tools.to_owned();
                continue;
            }
            let row = line
                .rsplit_once(' ')
                .and_then(|(name, count)| Some((name.to_owned(), count.parse().ok()?)));
            let (name, count) = row
                .ok_or_else(|| Failure::Input(format!("{}: bad line '{line}'", path.display())))?;
            counts.rows.insert(name, count);
        }
        if counts.rows.is_empty() {
            return Err(Failure::Input(format!("{}: no counts", path.display())));
        }
        Ok(counts)
    }
}

/// Holds counts against those of a baseline, and gives the table. Growth fails only where the tools are the baseline's.
pub(crate) fn check(counts: &Path, baseline: &Path) -> Result<String, Failure> {
    let (now, base) = (Counts::read(counts)?, Counts::read(baseline)?);
    let mut text = format!("counted by {}\n", now.tools);
    let mut grown = Vec::new();
    for (name, count) in &now.rows {
        let before = base.rows.get(name);
        let change = before.map_or_else(
            || "new".to_owned(),
            |before| format!("{:+.1} %", (count / before - 1.0) * 100.0),
        );
        let _ = writeln!(text, "{name:<44}{:>12}{change:>12}", number(*count));
        if before.is_some_and(|before| *count > before * NATIVE_GROWTH) {
            grown.push(format!("{name} takes {count} instructions: {change}"));
        }
    }
    let gone = base
        .rows
        .keys()
        .filter(|name| !now.rows.contains_key(*name));
    grown.extend(gone.map(|name| format!("{name} is gone")));
    if now.tools != base.tools {
        let _ = writeln!(
            text,
            "not judged: {} was counted by {}",
            baseline.display(),
            base.tools
        );
        return Ok(text);
    }
    if grown.is_empty() {
        return Ok(text);
    }
    Err(Failure::Verdict(format!("{text}{}", grown.join("\n     "))))
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

    /// Writes two files and compares them.
    fn compared(name: &str, now: &str, base: &str) -> Result<String, Failure> {
        let place = std::env::temp_dir().join(format!("bench-report-native-{name}"));
        std::fs::create_dir_all(&place).unwrap();
        let (counts, baseline) = (place.join("now"), place.join("base"));
        std::fs::write(&counts, now).unwrap();
        std::fs::write(&baseline, base).unwrap();
        check(&counts, &baseline)
    }

    #[test]
    fn ten_percent_more_is_accepted_and_eleven_is_not() {
        let base = "# rustc 1\na/b 100\n";
        let text = compared("accepted", "# rustc 1\na/b 110\nc/d 7\n", base).unwrap();
        assert!(text.contains("+10.0 %") && text.contains("new"), "{text}");
        let Err(Failure::Verdict(why)) = compared("grown", "# rustc 1\na/b 111\n", base) else {
            panic!("accepted");
        };
        assert!(why.contains("a/b takes 111 instructions: +11.0 %"), "{why}");
    }

    #[test]
    fn counts_by_other_tools_are_shown_and_not_judged() {
        let text = compared("tools", "# rustc 2\na/b 900\n", "# rustc 1\na/b 100\n").unwrap();
        assert!(
            text.contains("+800.0 %") && text.contains("not judged"),
            "{text}"
        );
    }

    #[test]
    fn an_operation_that_is_gone_fails_and_a_broken_file_is_named() {
        let gone = compared("gone", "# rustc 1\na/b 1\n", "# rustc 1\na/b 1\nc/d 1\n");
        assert!(matches!(gone, Err(Failure::Verdict(why)) if why.contains("c/d is gone")));
        let broken = compared("broken", "what\n", "# rustc 1\na/b 1\n");
        assert!(matches!(broken, Err(Failure::Input(why)) if why.contains("bad line 'what'")));
    }

    #[test]
    fn nothing_measured_is_an_error() {
        assert!(read(Path::new("/nowhere"), Path::new("/nowhere")).is_err());
    }
}
