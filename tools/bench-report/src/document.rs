//! The page with the comparison: everything between two marks is written anew, the rest is left alone.

use std::fmt::Write as _;
use std::path::Path;

use crate::compare::Comparison;
use crate::record::{self, Record};
use crate::{chart, growth, table, Failure};

/// Where a section begins and ends.
fn marks(section: &str) -> (String, String) {
    (
        format!("<!-- {section}:begin -->\n"),
        format!("<!-- {section}:end -->"),
    )
}

/// Puts text between the marks of a section.
fn replace(page: &str, section: &str, text: &str) -> Result<String, Failure> {
    let (begin, end) = marks(section);
    let missing = || Failure::Input(format!("the page has no marks for '{section}'"));
    let (before, rest) = page.split_once(&begin).ok_or_else(missing)?;
    let (_, after) = rest.split_once(&end).ok_or_else(missing)?;
    Ok(format!("{before}{begin}{text}{end}{after}"))
}

/// Writes the comparison with another kernel into its section, and its chart.
pub(crate) fn comparison(
    record: &Record,
    base: &Record,
    page: &Path,
    charts: &Path,
) -> Result<(), Failure> {
    let compared = Comparison::new(record, base)?;
    let mut text = format!("Base: {}.\nThis: {}.\n\n", base.origin, record.origin);
    for line in table::verdict(&compared).lines() {
        let _ = writeln!(text, "- {line}");
    }
    let _ = writeln!(
        text,
        "\n![Ratios](benchmarks/ratios.svg)\n\n{}",
        table::markdown(&compared)
    );
    if !compared.alone.is_empty() {
        let _ = writeln!(text, "Not compared:\n");
        for line in &compared.alone {
            let _ = writeln!(text, "- {line}");
        }
    }
    record::write(
        &charts.join("ratios.svg"),
        &chart::ratios(&compared, "Cost beside the base")?,
    )?;
    let written = replace(&record::read(page)?, "comparison", &text)?;
    record::write(page, &written)
}

/// Writes the curves of growth into their section, and their chart.
pub(crate) fn growth(record: &Record, page: &Path, charts: &Path) -> Result<(), Failure> {
    let curves = growth::curves(record);
    if curves.is_empty() {
        return Err(Failure::Input(
            "the record has no rows 'Growth/...'".to_owned(),
        ));
    }
    let text = format!(
        "Measured on: {}.\n\n![Growth](benchmarks/growth.svg)\n\n{}",
        record.origin,
        growth::markdown(&curves)
    );
    record::write(
        &charts.join("growth.svg"),
        &chart::curves(&curves, "Instructions of one operation")?,
    )?;
    let written = replace(&record::read(page)?, "growth", &text)?;
    record::write(page, &written)
}

/// Writes a table into its section.
pub(crate) fn section(name: &str, table: &str, page: &Path) -> Result<(), Failure> {
    let written = replace(&record::read(page)?, name, table)?;
    record::write(page, &written)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_changes() {
        let page = "a\n<!-- x:begin -->\nold\n<!-- x:end -->\nb\n";
        let written = replace(page, "x", "new\n").unwrap();
        assert_eq!(written, "a\n<!-- x:begin -->\nnew\n<!-- x:end -->\nb\n");
        assert!(replace(page, "y", "new\n").is_err());
    }
}
