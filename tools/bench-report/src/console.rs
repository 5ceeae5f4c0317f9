//! What a guest printed, read as rows.

use serde::Deserialize;

use crate::record::{Kind, Mode, Numbers, Row};
use crate::Failure;

/// What stands before each line for tools.
const MARK: &str = "JSON ";
/// The start of the program's last line.
const END: &str = "benchmarks done";

/// The rows of one run of the program in one mode.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Output {
    pub(crate) level: String,
    /// In instructions or nanoseconds.
    pub(crate) clock_cost: f64,
    pub(crate) rows: Vec<Row>,
}

/// A line for tools.
#[derive(Deserialize, Debug)]
#[serde(untagged)]
enum Line {
    Run { run: Run },
    Numbers(NumbersLine),
    Stopped(StoppedLine),
}

#[derive(Deserialize, Debug)]
struct Run {
    level: String,
    ticks_per_second: f64,
    clock_cost: f64,
}

#[derive(Deserialize, Debug)]
struct NumbersLine {
    name: String,
    about: String,
    kind: Kind,
    samples: u64,
    min: f64,
    median: f64,
    p95: f64,
}

#[derive(Deserialize, Debug)]
struct StoppedLine {
    name: String,
    about: String,
    kind: Kind,
    #[serde(alias = "failed")]
    skipped: String,
}

/// Reads the rows out of a console log.
pub(crate) fn parse(console: &str, mode: Mode) -> Result<Output, Failure> {
    let mut run = None;
    let (mut measured, mut stopped) = (Vec::new(), Vec::new());
    for line in console.lines() {
        let Some((_, json)) = line.split_once(MARK) else {
            continue;
        };
        let parsed = serde_json::from_str(json.trim());
        match parsed
            .map_err(|error| Failure::Input(format!("bad line '{}': {error}", line.trim())))?
        {
            Line::Run { run: found } => run = Some(found),
            Line::Numbers(line) => measured.push((measured.len() + stopped.len(), line)),
            Line::Stopped(line) => stopped.push((measured.len() + stopped.len(), line)),
        }
    }
    let run = run.filter(|_| console.contains(END));
    let run =
        run.ok_or_else(|| Failure::Input("the benchmarks did not run to their end".to_owned()))?;
    // With counted instructions a tick is an instruction, whatever the kernel takes the clock's rate to be.
    let scale = match mode {
        Mode::Icount => 1.0,
        Mode::Wall => 1e9 / run.ticks_per_second,
    };
    let scaled = |ticks: f64| (ticks * scale * 10.0).round() / 10.0;
    let mut rows: Vec<(usize, Row)> = Vec::new();
    for (index, line) in measured {
        let numbers = Numbers {
            samples: line.samples,
            min: scaled(line.min),
            median: scaled(line.median),
            p95: scaled(line.p95),
        };
        let (icount, wall) = match mode {
            Mode::Icount => (Some(numbers), None),
            Mode::Wall => (None, Some(numbers)),
        };
        rows.push((
            index,
            Row {
                name: line.name,
                about: line.about,
                kind: line.kind,
                icount,
                wall,
                skipped: None,
            },
        ));
    }
    for (index, line) in stopped {
        rows.push((
            index,
            Row {
                name: line.name,
                about: line.about,
                kind: line.kind,
                icount: None,
                wall: None,
                skipped: Some(line.skipped),
            },
        ));
    }
    rows.sort_by_key(|(index, _)| *index);
    Ok(Output {
        level: run.level,
        clock_cost: scaled(run.clock_cost),
        rows: rows.into_iter().map(|(_, row)| row).collect(),
    })
}

/// Puts what two runs measured into the same rows.
pub(crate) fn merge(mut rows: Vec<Row>, other: Vec<Row>) -> Vec<Row> {
    for row in other {
        match rows.iter_mut().find(|have| have.name == row.name) {
            Some(have) => {
                have.icount = have.icount.or(row.icount);
                have.wall = have.wall.or(row.wall);
            }
            None => rows.push(row),
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONSOLE: &str = "[00001] boot\n\
        A/B   1 2 3\n\
        JSON {\"name\":\"A/B\",\"about\":\"x.\",\"kind\":\"control\",\"samples\":9,\"min\":1,\"median\":2,\"p95\":3}\n\
        JSON {\"name\":\"C\",\"about\":\"y.\",\"kind\":\"copying\",\"skipped\":\"the vDSO lacks zx_c\"}\n\
        JSON {\"run\":{\"level\":\"2020-06\",\"ticks_per_second\":2000000000,\"clock_cost\":9}}\n";

    #[test]
    fn rows_keep_their_order_and_their_reasons() {
        let output = parse(&format!("{CONSOLE}benchmarks done: 1 rows\n"), Mode::Icount).unwrap();
        assert_eq!(output.rows[0].icount.unwrap().median, 2.0);
        assert_eq!(
            output.rows[1].skipped.as_deref(),
            Some("the vDSO lacks zx_c")
        );
        assert_eq!(output.clock_cost, 9.0);
    }

    #[test]
    fn time_is_in_nanoseconds() {
        let output = parse(&format!("{CONSOLE}benchmarks done: 1 rows\n"), Mode::Wall).unwrap();
        assert_eq!(output.rows[0].wall.unwrap().p95, 1.5);
    }

    #[test]
    fn a_run_that_did_not_end_is_refused() {
        assert!(parse(CONSOLE, Mode::Icount).is_err());
        assert!(parse("JSON {\"name\":\"A", Mode::Icount).is_err());
    }

    #[test]
    fn two_modes_share_their_rows() {
        let text = format!("{CONSOLE}benchmarks done: 1 rows\n");
        let icount = parse(&text, Mode::Icount).unwrap().rows;
        let both = merge(icount, parse(&text, Mode::Wall).unwrap().rows);
        assert_eq!(both.len(), 2);
        assert!(both[0].icount.is_some() && both[0].wall.is_some());
    }
}
