//! Benchmarks: boots into microbenchmarks, once with `-icount shift=0`, where one tick is one guest instruction, and once
//! as time passes; what the consoles show goes to `bench-report`, which makes the records, tables and charts.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use regex::Regex;

use crate::guest::{Guest, Parts};
use crate::place::Place;
use crate::process;
use crate::report::{Outcome, Report};
use crate::session::expect_end;
use crate::step::make;

/// The longest that one guest may take.
const LIMIT: Duration = Duration::from_secs(600);
/// The longest that bench-report may take.
const REPORT_LIMIT: Duration = Duration::from_secs(60);
const COMMAND_LINE: &str = "userboot=bin/microbenchmarks userboot.shutdown";
/// The baseline of instructions.
const BASELINE: &str = "conformance/bench.json";
/// The baseline of instructions on the host.
const NATIVE_BASELINE: &str = "conformance/native.txt";
/// What a real Zircon takes, for the table of the budget.
const BUDGET: &str = "conformance/budget.txt";
/// The page that the comparison and the curves are written into.
const PAGE: &str = "docs/benchmarks.md";

/// How a guest is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Icount,
    Wall,
}

impl Mode {
    const BOTH: [Self; 2] = [Self::Icount, Self::Wall];

    const fn name(self) -> &'static str {
        match self {
            Self::Icount => "icount",
            Self::Wall => "wall",
        }
    }

    /// Instruction counting is TCG's; with it the guest's clock is exact. The seed is for the guest's random numbers,
    /// which decide where mappings lie.
    const fn qemu(self) -> &'static [&'static str] {
        match self {
            Self::Icount => &["-icount", "shift=0,sleep=off", "-seed", "1"],
            Self::Wall => &[],
        }
    }
}

/// A make variable that is set to something.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}

/// Measures this kernel, or with KERNEL_CMD another, and prints the table, or with BASE the comparison.
pub(crate) fn bench(place: &Place, report: &mut Report) {
    let outcome = measure(place, &Mode::BOTH).and_then(|record| match variable("BASE") {
        None => tell(place, &["show", &text(&record)]),
        Some(base) => {
            let svg = directory(place).join("ratios.svg");
            tell(
                place,
                &["compare", &text(&record), &base, "--svg", &text(&svg)],
            )
        }
    });
    report.check("microbenchmarks", outcome);
}

/// Counts instructions and holds them against the baseline. Before a row counts as grown it is measured once more.
pub(crate) fn bench_check(place: &Place, report: &mut Report) {
    let outcome = make::target(place, "bench-report").and_then(|()| {
        let first = measure_into(place, &[Mode::Icount], "check")?;
        let baseline = text(&place.root.join(BASELINE));
        tell(place, &["check", &baseline, &text(&first)]).or_else(|_| {
            let second = measure_into(place, &[Mode::Icount], "check-again")?;
            tell(place, &["check", &baseline, &text(&first), &text(&second)])
        })
    });
    report.check(
        "microbenchmarks count as in conformance/bench.json",
        outcome,
    );
}

/// Counts instructions of the object layer on the host and holds them against the baseline.
pub(crate) fn native_check(place: &Place, report: &mut Report) {
    let outcome = make::target(place, "bench-report")
        .and_then(|()| make::target(place, "native-counts"))
        .and_then(|()| {
            let counts = directory(place).join("callgrind.txt");
            let baseline = place.root.join(NATIVE_BASELINE);
            tell(place, &["native-check", &text(&counts), &text(&baseline)])
        });
    report.check(
        "the object layer counts as in conformance/native.txt",
        outcome,
    );
}

/// Counts instructions twice and writes the baseline anew.
pub(crate) fn bench_baseline(place: &Place, report: &mut Report) {
    let outcome = measure_into(place, &[Mode::Icount], "check").and_then(|first| {
        let second = measure_into(place, &[Mode::Icount], "check-again")?;
        let baseline = text(&place.root.join(BASELINE));
        tell(
            place,
            &["baseline", &baseline, &text(&first), &text(&second)],
        )
    });
    report.check("conformance/bench.json written", outcome);
}

/// Measures how costs grow, and writes the curves into the page.
pub(crate) fn bench_growth(place: &Place, report: &mut Report) {
    let outcome = measure(place, &[Mode::Icount]).and_then(|record| {
        tell(
            place,
            &["growth", &text(&record), &text(&place.root.join(PAGE))],
        )
    });
    report.check("curves of growth", outcome);
}

/// Writes the comparison with BASE into the page.
pub(crate) fn bench_page(place: &Place, report: &mut Report) {
    let Some(base) = variable("BASE") else {
        return report.add(
            "docs/benchmarks.md",
            Outcome::Failed("say BASE=file".to_owned()),
        );
    };
    let outcome = measure(place, &Mode::BOTH).and_then(|record| {
        tell(
            place,
            &[
                "document",
                &text(&record),
                &base,
                &text(&place.root.join(BUDGET)),
                &text(&place.root.join(PAGE)),
            ],
        )
    });
    report.check("docs/benchmarks.md written", outcome);
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// Where records and charts go.
fn directory(place: &Place) -> PathBuf {
    place.target.join("bench")
}

/// As [`measure_into`], into the record that OUTPUT names, or the usual one.
fn measure(place: &Place, modes: &[Mode]) -> Result<PathBuf, String> {
    measure_into(place, modes, "bench")
}

/// Runs guests in these modes and gives the record of what they measured.
fn measure_into(place: &Place, modes: &[Mode], name: &str) -> Result<PathBuf, String> {
    // A base that cannot be read is better found now than after the run.
    if let Some(base) = variable("BASE") {
        answer(place, &["show", &base])?;
    }
    let directory = directory(place);
    std::fs::create_dir_all(&directory).map_err(|e| format!("{}: {e}", directory.display()))?;
    let foreign = variable("KERNEL_CMD");
    let kernel = variable("KERNEL_NAME").unwrap_or_else(|| match foreign {
        Some(_) => "unnamed".to_owned(),
        None => format!("zcore {}", env!("CARGO_PKG_VERSION")),
    });
    let record =
        variable("OUTPUT").map_or_else(|| directory.join(format!("{name}.json")), PathBuf::from);
    let mut arguments = vec!["record".to_owned(), "--kernel".to_owned(), kernel];
    arguments.extend(["--output".to_owned(), text(&record)]);
    arguments.extend([
        "--commit".to_owned(),
        variable("COMMIT").unwrap_or_else(|| commit(place)),
    ]);
    for mode in modes {
        let console = match &foreign {
            Some(command) => run_foreign(place, command, *mode)?,
            None => run(place, *mode)?,
        };
        let log = directory.join(format!("{}.log", mode.name()));
        std::fs::write(&log, console).map_err(|e| format!("{}: {e}", log.display()))?;
        arguments.extend([format!("--{}", mode.name()), text(&log)]);
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    tell(place, &arguments)?;
    println!("record: {}", record.display());
    Ok(record)
}

/// Boots this kernel into the program and gives what the console showed.
fn run(place: &Place, mode: Mode) -> Result<String, String> {
    let done = Regex::new(r"(?m)^.*benchmarks done.*$").map_err(|e| e.to_string())?;
    let mut command_line = COMMAND_LINE.to_owned();
    for name in ["FILTER", "SET"] {
        command_line.extend(variable(name).map(|value| format!(" {name}={value}")));
    }
    let memory = variable("MEM")
        .and_then(|text| text.parse().ok())
        .unwrap_or(512);
    let parts = Parts::own(place, &command_line)
        .memory_mib(memory)
        .qemu(mode.qemu());
    let mut guest = Guest::start(place, &format!("bench-{}", mode.name()), &parts)?;
    let reached = guest.expect(&done, LIMIT);
    let ended = expect_end(&mut guest, 0);
    let console = guest.console();
    reached?;
    ended.map(|()| console)
}

/// Runs a command that boots another kernel into the program. With counted instructions ICOUNT is set in its environment
/// to what belongs after QEMU's `-icount`.
fn run_foreign(place: &Place, command: &str, mode: Mode) -> Result<String, String> {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(command).env_remove("ICOUNT");
    if mode == Mode::Icount {
        shell.env("ICOUNT", "shift=0,sleep=off");
    }
    let log = place.log(&format!("bench-foreign-{}", mode.name()));
    process::run(&mut shell, &log, LIMIT).map(|finished| finished.output)
}

/// Runs bench-report, which must be built, and shows what it prints.
fn tell(place: &Place, arguments: &[&str]) -> Result<(), String> {
    answer(place, arguments).map(|output| print!("{output}"))
}

/// Runs bench-report and gives what it prints.
fn answer(place: &Place, arguments: &[&str]) -> Result<String, String> {
    let program = place.target.join("host/debug/bench-report");
    let mut command = Command::new(&program);
    command.args(arguments);
    let finished = process::run(&mut command, &place.log("bench-report"), REPORT_LIMIT)?;
    match finished.code {
        Some(0) => Ok(finished.output),
        _ => Err(finished.output.trim().to_owned()),
    }
}

fn commit(place: &Place) -> String {
    let mut git = Command::new("git");
    git.current_dir(&place.root)
        .args(["describe", "--always", "--dirty"]);
    let output = git
        .output()
        .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    output
        .ok()
        .filter(|text| !text.is_empty())
        .unwrap_or_else(|| "unknown".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_counted_runs_change_the_guests_clock() {
        assert!(Mode::Icount.qemu().contains(&"-icount"));
        assert!(Mode::Wall.qemu().is_empty());
    }
}
