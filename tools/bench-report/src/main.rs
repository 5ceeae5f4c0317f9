//! `bench-report`: makes records of benchmark runs, shows them, compares them and checks them.
//!
//! A record is one JSON file ([`record`]): where it was made, and a row per operation. It is made from the console of a
//! guest that ran `bin/microbenchmarks` ([`console`]), on this kernel or on any other. Two records are compared row by row
//! ([`compare`]): rows of decisions by counted instructions, rows of copying by time. Start reading there.
#![forbid(unsafe_code)]

mod baseline;
mod budget;
mod chart;
mod compare;
mod console;
mod document;
mod growth;
mod native;
mod record;
mod table;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::{Parser, Subcommand};

use crate::compare::Comparison;
use crate::record::{Mode, Origin, Record};

/// Makes, shows, compares and checks records of benchmark runs
#[derive(Parser, Debug)]
#[command(name = "bench-report")]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand, Debug)]
enum Verb {
    /// Makes a record from consoles of guests that ran bin/microbenchmarks
    Record {
        /// What a guest printed while instructions were counted (-icount shift=0)
        #[arg(long)]
        icount: Option<PathBuf>,
        /// What a guest printed while time passed as it does
        #[arg(long)]
        wall: Option<PathBuf>,
        /// Name and version of the kernel
        #[arg(long)]
        kernel: String,
        /// Commit that the kernel was built from
        #[arg(long, default_value = "unknown")]
        commit: String,
        /// The file to write
        #[arg(long)]
        output: PathBuf,
    },
    /// Prints a record as a table
    Show {
        /// The record
        record: PathBuf,
    },
    /// Compares two records, row by row
    Compare {
        /// The record to judge
        record: PathBuf,
        /// The record to judge it by
        base: PathBuf,
        /// Also draw a chart
        #[arg(long)]
        svg: Option<PathBuf>,
    },
    /// Fails when a row of decisions takes more instructions than the baseline allows, in each of the records
    Check {
        /// The baseline, conformance/bench.json
        baseline: PathBuf,
        /// The records to judge
        #[arg(required = true)]
        records: Vec<PathBuf>,
    },
    /// Writes the baseline anew, each row at its lowest in the records
    Baseline {
        /// The baseline, conformance/bench.json
        baseline: PathBuf,
        /// The records
        #[arg(required = true)]
        records: Vec<PathBuf>,
    },
    /// Writes a comparison and the budget into their sections of a page, and the chart beside it
    Document {
        /// The record of this kernel
        record: PathBuf,
        /// The record of the other kernel
        base: PathBuf,
        /// The budget, conformance/budget.txt
        budget: PathBuf,
        /// The page, docs/benchmarks.md
        page: PathBuf,
    },
    /// Prints the curves of a record of growth, and writes them into their section of a page
    Growth {
        /// The record
        record: PathBuf,
        /// The page, docs/benchmarks.md
        page: Option<PathBuf>,
    },
    /// Prints what callgrind counted beside a baseline; fails when an operation takes 10 percent more by the same tools
    NativeCheck {
        /// Where callgrind put its counts
        callgrind: PathBuf,
        /// The baseline, conformance/native.txt
        baseline: PathBuf,
    },
    /// Prints what the native benches measured, and writes it into its section of a page
    Native {
        /// Where criterion keeps its results, target/criterion
        criterion: PathBuf,
        /// Where callgrind put its counts
        callgrind: PathBuf,
        /// The page, docs/benchmarks.md
        page: Option<PathBuf>,
    },
}

/// Why the exit code is not 0.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// What was given cannot be used: exit code 2.
    Input(String),
    /// What was measured is not good enough: exit code 1.
    Verdict(String),
}

fn main() -> ExitCode {
    match run(Arguments::parse().verb) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Input(what)) => {
            eprintln!("bench-report: {what}");
            ExitCode::from(2)
        }
        Err(Failure::Verdict(what)) => {
            eprintln!("bench-report: {what}");
            ExitCode::from(1)
        }
    }
}

fn run(verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::Record {
            icount,
            wall,
            kernel,
            commit,
            output,
        } => {
            let record = make_record(icount.as_deref(), wall.as_deref(), kernel, commit)?;
            record::write(&output, &record.to_json()?)
        }
        Verb::Show { record } => {
            print!("{}", table::record(&Record::read(&record)?));
            Ok(())
        }
        Verb::Compare { record, base, svg } => compare(
            &Record::read(&record)?,
            &Record::read(&base)?,
            svg.as_deref(),
        ),
        Verb::Check { baseline, records } => {
            println!("{}", baseline::check(&read_all(&records)?, &baseline)?);
            Ok(())
        }
        Verb::Baseline { baseline, records } => baseline::write(&read_all(&records)?, &baseline),
        Verb::Document {
            record,
            base,
            budget,
            page,
        } => {
            let record = Record::read(&record)?;
            let table = budget::markdown(&budget::read(&budget)?, &record)?;
            document::section("budget", &table, &page)?;
            document::comparison(&record, &Record::read(&base)?, &page, &charts_of(&page))
        }
        Verb::Growth { record, page } => {
            let record = Record::read(&record)?;
            print!("{}", growth::markdown(&growth::curves(&record)));
            page.map_or(Ok(()), |page| {
                document::growth(&record, &page, &charts_of(&page))
            })
        }
        Verb::NativeCheck {
            callgrind,
            baseline,
        } => {
            print!("{}", native::check(&callgrind, &baseline)?);
            Ok(())
        }
        Verb::Native {
            criterion,
            callgrind,
            page,
        } => {
            let table = native::markdown(&native::read(&criterion, &callgrind)?);
            print!("{table}");
            page.map_or(Ok(()), |page| document::section("native", &table, &page))
        }
    }
}

fn read_all(records: &[PathBuf]) -> Result<Vec<Record>, Failure> {
    records.iter().map(|path| Record::read(path)).collect()
}

/// A page's charts lie in the directory of its name.
fn charts_of(page: &Path) -> PathBuf {
    page.with_extension("")
}

fn compare(record: &Record, base: &Record, svg: Option<&Path>) -> Result<(), Failure> {
    let comparison = Comparison::new(record, base)?;
    print!("{}", table::comparison(&comparison, record, base));
    if let Some(path) = svg {
        let title = format!("{} beside {}", record.origin.kernel, base.origin.kernel);
        record::write(path, &chart::ratios(&comparison, &title)?)?;
        println!("chart: {}", path.display());
    }
    Ok(())
}

fn make_record(
    icount: Option<&Path>,
    wall: Option<&Path>,
    kernel: String,
    commit: String,
) -> Result<Record, Failure> {
    let mut origin = Origin {
        kernel,
        commit,
        machine: machine(),
        qemu: qemu_version(),
        ..Origin::default()
    };
    let mut rows = Vec::new();
    for (mode, name, path) in [(Mode::Icount, "icount", icount), (Mode::Wall, "wall", wall)] {
        let Some(path) = path else {
            continue;
        };
        let named = |failure| match failure {
            Failure::Input(what) => Failure::Input(format!("{}: {what}", path.display())),
            other => other,
        };
        let output = console::parse(&record::read(path)?, mode).map_err(named)?;
        origin.modes.push(name.to_owned());
        match mode {
            Mode::Icount => origin.clock_cost_icount = Some(output.clock_cost),
            Mode::Wall => origin.clock_cost_wall = Some(output.clock_cost),
        }
        origin.level = output.level;
        rows = console::merge(rows, output.rows);
    }
    if origin.modes.is_empty() {
        return Err(Failure::Input(
            "no console was given: --icount or --wall".to_owned(),
        ));
    }
    if rows.is_empty() {
        return Err(Failure::Input(
            "the benchmarks ran and measured no row: no name contains what FILTER says".to_owned(),
        ));
    }
    Ok(Record::new(origin, rows))
}

/// The host's processor.
fn machine() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = text
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    model.map_or_else(|| "unknown".to_owned(), |(_, name)| name.trim().to_owned())
}

/// The version of QEMU.
fn qemu_version() -> String {
    let output = Command::new("qemu-system-x86_64").arg("--version").output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let line = text
        .ok()
        .and_then(|text| text.lines().next().map(str::to_owned));
    line.map_or_else(
        || "QEMU unknown".to_owned(),
        |line| line.replace("QEMU emulator version", "QEMU"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_without_rows_blames_the_filter_and_a_missing_console_is_named() {
        let place = std::env::temp_dir().join("bench-report-no-rows.log");
        let console = "JSON {\"run\":{\"level\":\"2020-06\",\"ticks_per_second\":1000000000,\"clock_cost\":9}}\n\
            benchmarks done: 0 rows, 0 skipped, 0 failed\n";
        std::fs::write(&place, console).unwrap();
        let record = |icount| make_record(icount, None, "kernel".to_owned(), "commit".to_owned());
        let Err(Failure::Input(why)) = record(Some(place.as_path())) else {
            panic!("accepted");
        };
        assert!(why.contains("FILTER"), "{why}");
        let Err(Failure::Input(why)) = record(Some(Path::new("/nowhere.log"))) else {
            panic!("accepted");
        };
        assert!(why.contains("/nowhere.log"), "{why}");
        assert!(matches!(record(None), Err(Failure::Input(why)) if why.contains("--icount")));
    }
}
