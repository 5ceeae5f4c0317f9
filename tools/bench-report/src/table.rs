//! Tables for people: plain text for a terminal, Markdown for a page.

use std::fmt::Write as _;

use crate::compare::{limit, Comparison, Pair};
use crate::record::{Kind, Mode, Record};

/// A cost with as many digits as it deserves.
pub(crate) fn number(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value == value.trunc() => format!("{value:.0}"),
        _ => format!("{value:.1}"),
    }
}

const fn mark(kind: Kind) -> &'static str {
    match kind {
        Kind::Control => " ",
        Kind::Copying => "c",
    }
}

/// A record, both modes beside each other.
pub(crate) fn record(record: &Record) -> String {
    let mut text = format!("{}\n", record.origin);
    let costs = [
        (Mode::Icount, record.origin.clock_cost_icount),
        (Mode::Wall, record.origin.clock_cost_wall),
    ];
    for (mode, cost) in costs {
        if let Some(cost) = cost {
            let (cost, unit) = (number(cost), mode.unit());
            let _ = writeln!(
                text,
                "reading the clock takes {cost} {unit}, which are subtracted"
            );
        }
    }
    let _ = writeln!(
        text,
        "\n  {:<50}{:>36}   {:>30}",
        "c: mostly copying", "instructions: min, median, p95", "ns: min, median, p95"
    );
    for row in &record.rows {
        let _ = write!(text, "{} {:<50}", mark(row.kind), row.name);
        if let Some(why) = &row.skipped {
            let _ = writeln!(text, "  not measured: {why}");
            continue;
        }
        for mode in [Mode::Icount, Mode::Wall] {
            let columns = row.numbers(mode).map_or_else(
                || ["-"; 3].map(str::to_owned),
                |numbers| [numbers.min, numbers.median, numbers.p95].map(number),
            );
            let _ = match mode {
                Mode::Icount => write!(
                    text,
                    "{:>12}{:>12}{:>12}  ",
                    columns[0], columns[1], columns[2]
                ),
                Mode::Wall => writeln!(
                    text,
                    "{:>11}{:>11}{:>11}",
                    columns[0], columns[1], columns[2]
                ),
            };
        }
    }
    text
}

/// The columns of a pair: base, this and their ratio in each mode.
fn columns(pair: &Pair) -> [String; 6] {
    let of = |both: Option<(f64, f64)>| {
        both.map_or_else(
            || ["-"; 3].map(str::to_owned),
            |(base, this)| [number(base), number(this), format!("{:.2}", this / base)],
        )
    };
    let ([a, b, c], [d, e, f]) = (of(pair.icount), of(pair.wall));
    [a, b, c, d, e, f]
}

/// What the pairs say together.
pub(crate) fn verdict(comparison: &Comparison) -> String {
    let mut text = String::new();
    for (kind, what) in [
        (Kind::Control, "rows of decisions, by counted instructions"),
        (Kind::Copying, "rows of copying, by time"),
    ] {
        let verdict = comparison.verdict(kind);
        if verdict.pairs > 0 {
            let _ = writeln!(
                text,
                "{} {what}: geometric mean of the ratios {:.3}; {} above {}",
                verdict.pairs,
                verdict.mean,
                verdict.above,
                limit(kind)
            );
        }
    }
    text
}

/// A comparison for a terminal.
pub(crate) fn comparison(comparison: &Comparison, record: &Record, base: &Record) -> String {
    let mut text = format!("base: {}\nthis: {}\n\n", base.origin, record.origin);
    let _ = writeln!(
        text,
        "  {:<50}{:>36}   {:>30}",
        "c: mostly copying", "instructions: base, this, ratio", "ns: base, this, ratio"
    );
    for pair in &comparison.pairs {
        let [a, b, c, d, e, f] = columns(pair);
        let _ = writeln!(
            text,
            "{} {:<50}{a:>12}{b:>12}{c:>12}  {d:>11}{e:>11}{f:>11}",
            mark(pair.kind),
            pair.name
        );
    }
    if !comparison.alone.is_empty() {
        let _ = writeln!(text, "\nnot compared:");
        for line in &comparison.alone {
            let _ = writeln!(text, "  {line}");
        }
    }
    let _ = write!(text, "\n{}", verdict(comparison));
    text
}

/// A comparison for a page, with what each row measures.
pub(crate) fn markdown(comparison: &Comparison) -> String {
    let mut text = String::from(
        "| Row | | instructions: base | this | ratio | ns: base | this | ratio | What is measured |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    for pair in &comparison.pairs {
        let [a, b, c, d, e, f] = columns(pair);
        let _ = writeln!(
            text,
            "| {} | {} | {a} | {b} | {c} | {d} | {e} | {f} | {} |",
            pair.name,
            mark(pair.kind).trim(),
            if pair.is_part() { "" } else { &pair.about }
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::tests::row;
    use crate::record::Origin;

    #[test]
    fn ratios_stand_beside_their_numbers() {
        let ours = Record::new(
            Origin::default(),
            vec![row("A/B", Kind::Control, 50.0, 30.0)],
        );
        let base = Record::new(
            Origin::default(),
            vec![row("A/B", Kind::Control, 200.0, 40.0)],
        );
        let both = Comparison::new(&ours, &base).unwrap();
        let line = "| A/B |  | 200 | 50 | 0.25 | 40 | 30 | 0.75 | Does something. |";
        assert!(markdown(&both).contains(line), "{}", markdown(&both));
        assert!(comparison(&both, &ours, &base).contains("mean of the ratios 0.250; 0 above 1"));
    }

    #[test]
    fn small_costs_keep_a_digit() {
        assert_eq!(
            [number(12.34), number(12.0), number(1234.6)],
            ["12.3", "12", "1235"]
        );
    }
}
