//! Instructions by function.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, Error};

use crate::symbols::Symbols;

/// Functions with less than this part of an instruction per operation are left out of tables.
const LEAST: f64 = 0.5;

/// How many instructions each function executed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts(BTreeMap<String, u64>);

impl Counts {
    /// Adds up a trace: lines such as `Trace 0: 0x7f... [00000000/ffffffff80201234/0040c0b3/...]`.
    pub(crate) fn of_trace(mut trace: impl BufRead, symbols: &Symbols) -> Result<Self, Error> {
        let mut by_address: BTreeMap<u64, u64> = BTreeMap::new();
        let mut line = Vec::new();
        while trace.read_until(b'\n', &mut line)? > 0 {
            if let Some(address) = address_of(&line) {
                *by_address.entry(address).or_default() += 1;
            }
            line.clear();
        }
        let mut counts = Self::default();
        for (address, count) in by_address {
            let name = symbols.find(address).unwrap_or("(elsewhere)");
            *counts.0.entry(name.to_owned()).or_default() += count;
        }
        Ok(counts)
    }

    /// One line per function: count, space, name.
    pub(crate) fn to_text(&self) -> String {
        self.0
            .iter()
            .fold(String::new(), |mut text, (name, count)| {
                let _ = writeln!(text, "{count} {name}");
                text
            })
    }

    /// Reads what [`Counts::to_text`] wrote.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let line = |line: &str| {
            let (count, name) = line.split_once(' ')?;
            Some((name.to_owned(), count.parse().ok()?))
        };
        let lines = text
            .lines()
            .map(|text| line(text).ok_or_else(|| format!("bad line '{text}'")));
        lines.collect::<Result<_, _>>().map(Self)
    }

    /// What each of so many operations took more than in the other run, the dearest function first.
    pub(crate) fn table_beyond(&self, other: &Self, operations: u32) -> String {
        let each = |count: u64, name: &str| {
            let before = other.0.get(name).copied().unwrap_or(0);
            #[expect(
                clippy::cast_precision_loss,
                reason = "counts of instructions are far below 2^52"
            )]
            let more = count as f64 - before as f64;
            more / f64::from(operations)
        };
        let mut rows: Vec<(f64, &str)> = self
            .0
            .iter()
            .map(|(name, count)| (each(*count, name), name.as_str()))
            .collect();
        rows.sort_by(|(left, _), (right, _)| right.total_cmp(left));
        let total: f64 = rows.iter().map(|(count, _)| count).sum();
        let mut text = format!("{total:9.1}  instructions in the kernel per operation\n");
        for (count, name) in rows.iter().take_while(|(count, _)| *count >= LEAST) {
            let _ = writeln!(text, "{count:9.1}  {name}");
        }
        text
    }
}

/// The program counter: the second field between brackets.
fn address_of(line: &[u8]) -> Option<u64> {
    let bracket = line.iter().position(|byte| *byte == b'[')?;
    let mut fields = line.get(bracket + 1..)?.split(|byte| *byte == b'/');
    let field = std::str::from_utf8(fields.nth(1)?).ok()?;
    u64::from_str_radix(field, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "Trace 0: 0x7f1 [00000000/0000000000001004/0040c0b3/ff200201] \n\
        Trace 0: 0x7f1 [00000000/0000000000001008/0040c0b3/ff200201] \n\
        Stopped execution of TB chain before 0x7f1 [0000000000001008] \n\
        Trace 0: 0x7f1 [00000000/0000000000001010/0040c0b3/ff200201] \n";

    #[test]
    fn a_trace_is_added_up_by_function() {
        let counts = Counts::of_trace(TRACE.as_bytes(), &Symbols::of_two()).unwrap();
        assert_eq!(counts.to_text(), "2 first\n1 second\n");
        assert_eq!(Counts::parse(&counts.to_text()), Ok(counts));
    }

    #[test]
    fn what_both_runs_did_does_not_count() {
        let few = Counts::parse("1000 boot\n10 first\n").unwrap();
        let many = Counts::parse("1000 boot\n110 first\n").unwrap();
        let table = many.table_beyond(&few, 10);
        assert!(
            table.contains("10.0  first") && !table.contains("boot"),
            "{table}"
        );
        assert!(Counts::parse("x").is_err());
    }
}
