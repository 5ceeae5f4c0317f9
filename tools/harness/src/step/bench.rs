//! Benchmarks: boots into microbenchmarks with `-icount shift=0`, where one tick is one guest instruction.

use std::time::Duration;

use regex::Regex;

use crate::guest::{Guest, Parts};
use crate::place::Place;
use crate::report::{Outcome, Report};
use crate::session::expect_end;

const LIMIT: Duration = Duration::from_secs(600);
const COMMAND_LINE: &str = "userboot=bin/microbenchmarks userboot.shutdown";
/// Half of a real Zircon's cost is the aim; its whole cost is the limit.
const NULL_SYSCALL_LIMIT: f64 = 142.0;

/// Boots, prints the table, and holds the null syscall against its limit.
pub(crate) fn bench(place: &Place, report: &mut Report) {
    let console = match run(place) {
        Ok(console) => console,
        Err(what) => return report.add("microbenchmarks", Outcome::Failed(what)),
    };
    for line in console.lines().filter(|line| is_row(line)) {
        println!("{}", line.trim());
    }
    report.add("microbenchmarks", Outcome::Passed);
    report.check(
        "a null syscall takes at most 142 instructions",
        null_syscall(&console),
    );
}

fn run(place: &Place) -> Result<String, String> {
    let done = Regex::new(r"(?m)^.*(finished!|benchmarks? done)").map_err(|e| e.to_string())?;
    // Instruction counting is TCG's; with it the guest's clock is exact and the same on every run.
    let parts = Parts::own(place, COMMAND_LINE).qemu(&["-icount", "shift=0,sleep=off"]);
    let mut guest = Guest::start(place, "bench", &parts)?;
    let reached = guest.expect(&done, LIMIT);
    let ended = expect_end(&mut guest, 0);
    let console = guest.console();
    ended.or(reached.map(drop))?;
    Ok(console)
}

/// A benchmark's line: a name with slashes, then numbers.
fn is_row(line: &str) -> bool {
    let mut words = line.split_whitespace();
    let named = words
        .next()
        .is_some_and(|w| w.contains('/') && !w.starts_with('/'));
    named
        && words
            .next()
            .is_some_and(|w| w.starts_with(|c: char| c.is_ascii_digit()))
}

fn null_syscall(console: &str) -> Result<(), String> {
    let row = console
        .lines()
        .find(|line| is_row(line) && line.to_ascii_lowercase().contains("null"));
    let row = row.ok_or("no row for it")?;
    let cost: f64 = row
        .split_whitespace()
        .nth(1)
        .and_then(|w| w.parse().ok())
        .ok_or_else(|| format!("'{row}'"))?;
    if cost <= NULL_SYSCALL_LIMIT {
        Ok(())
    } else {
        Err(format!("{cost}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_null_syscall_is_found_in_its_row() {
        assert_eq!(
            null_syscall("boot\nSyscall/Null 120 instructions\n"),
            Ok(())
        );
        assert_eq!(null_syscall("Syscall/Null 143"), Err("143".to_owned()));
        assert!(null_syscall("Channel/WriteRead/64bytes 900").is_err());
    }
}
