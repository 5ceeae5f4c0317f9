//! Rows: which are wanted, what became of each, and how they are printed.
//!
//! For people a table, row by row as they come; for tools one line `JSON {...}` per row, and one for the run.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use libzx::raw::Prepared;
use libzx::{println, time, ZxError, ZxResult};
use zx_abi::syscalls::SyscallId;

use crate::measure::{Sampler, Summary};

/// Nanoseconds between two rows.
const PAUSE: i64 = 1_000_000;

/// What the cost of a row mostly is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Decisions: comparable by counted instructions.
    Control,
    /// Bytes moved: emulators count string instructions by the round, so only time compares them.
    Copying,
}

impl Kind {
    const fn name(self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::Copying => "copying",
        }
    }
}

/// One operation to measure.
#[derive(Debug)]
pub(crate) struct Row<'a> {
    name: String,
    about: &'a str,
    kind: Kind,
    parts: &'a [(&'a str, Kind)],
}

impl<'a> Row<'a> {
    /// An operation whose cost is decisions. `about` says in one sentence what is measured.
    pub(crate) fn control(name: impl Into<String>, about: &'a str) -> Self {
        Self {
            name: name.into(),
            about,
            kind: Kind::Control,
            parts: &[],
        }
    }

    /// An operation whose cost is copying.
    pub(crate) fn copying(name: impl Into<String>, about: &'a str) -> Self {
        let row = Self::control(name, about);
        Self {
            kind: Kind::Copying,
            ..row
        }
    }

    /// The parts, which get rows of their own: `NAME.part`.
    pub(crate) const fn parts(mut self, parts: &'a [(&'a str, Kind)]) -> Self {
        self.parts = parts;
        self
    }
}

/// Why a row has no numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The vDSO lacks the call.
    Lacks(SyscallId),
    /// The program was not given what it needs.
    Needs(&'static str),
    /// A call failed.
    Failed(ZxError),
}

impl From<ZxError> for Stop {
    fn from(error: ZxError) -> Self {
        Self::Failed(error)
    }
}

/// A call looked up once, to be made with nothing around it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call(Prepared);

impl Call {
    /// Looks it up.
    pub(crate) fn new(id: SyscallId) -> Result<Self, Stop> {
        Prepared::new(id).map(Self).ok_or(Stop::Lacks(id))
    }

    /// Makes the call with up to six arguments; what is left over is zero.
    #[inline(always)]
    pub(crate) fn make<const N: usize>(self, args: [usize; N]) -> ZxResult {
        let mut all = [0; 6];
        for (to, from) in all.iter_mut().zip(args) {
            *to = from;
        }
        status(self.0.call6(all))
    }

    /// The call itself.
    pub(crate) const fn prepared(self) -> Prepared {
        self.0
    }
}

#[inline(always)]
fn status(register: i64) -> ZxResult {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a status is the low half of the register"
    )]
    zx_abi::Status(register as i32).into_result()
}

/// The run.
#[derive(Debug)]
pub(crate) struct Bench {
    filters: Vec<String>,
    sampler: Sampler,
    level: &'static str,
    rows: usize,
    skipped: usize,
    failed: usize,
}

impl Bench {
    pub(crate) fn new(filters: Vec<String>, level: &'static str) -> Self {
        let bench = Self {
            filters,
            sampler: Sampler::new(),
            level,
            rows: 0,
            skipped: 0,
            failed: 0,
        };
        println!(
            "{} ticks a second; reading the clock takes {} ticks, which are subtracted",
            time::ticks_per_second(),
            bench.sampler.clock_cost()
        );
        println!(
            "{:<44}{:>10}{:>10}{:>10}{:>8}",
            "operation", "min", "median", "p95", "samples"
        );
        bench
    }

    /// Runs each operation so many times without timing it, for someone who counts from outside.
    pub(crate) fn repeat(&mut self, times: usize) {
        self.sampler.repeat(times);
    }

    /// Measures a row: `work` prepares, then calls the sampler once.
    pub(crate) fn row(
        &mut self,
        row: Row<'_>,
        work: impl FnOnce(&mut Sampler) -> Result<(), Stop>,
    ) {
        if !self.is_wanted(&row) {
            return;
        }
        // Work that the row before left to the kernel, such as what is left of ended processes, is not this row's.
        time::sleep_until(time::after(PAUSE));
        self.sampler.expect(row.parts.len());
        let stopped = work(&mut self.sampler).err();
        match stopped {
            None => self.print(&row),
            Some(stop) => self.print_stop(&row, stop),
        }
    }

    fn is_wanted(&self, row: &Row<'_>) -> bool {
        let matches = |name: &str| {
            self.filters
                .iter()
                .any(|filter| name.contains(filter.as_str()))
        };
        let part = |(part, _): &(&str, Kind)| matches(&format!("{}.{part}", row.name));
        self.filters.is_empty() || matches(&row.name) || row.parts.iter().any(part)
    }

    fn print(&mut self, row: &Row<'_>) {
        let total = self.sampler.total();
        self.print_numbers(&row.name, row.about, row.kind, total);
        for (index, (part, kind)) in row.parts.iter().enumerate() {
            let name = format!("{}.{part}", row.name);
            let about = format!("Part of {}: {part}.", row.name);
            if let Some(summary) = self.sampler.part(index) {
                self.print_numbers(&name, &about, *kind, summary);
            }
        }
    }

    fn print_numbers(&mut self, name: &str, about: &str, kind: Kind, summary: Summary) {
        let Summary {
            samples,
            min,
            median,
            p95,
        } = summary;
        self.rows += 1;
        println!("{name:<44}{min:>10}{median:>10}{p95:>10}{samples:>8}");
        println!(
            "JSON {{\"name\":\"{name}\",\"about\":\"{about}\",\"kind\":\"{}\",\"samples\":{samples},\"min\":{min},\"median\":{median},\"p95\":{p95}}}",
            kind.name()
        );
    }

    fn print_stop(&mut self, row: &Row<'_>, stop: Stop) {
        let (word, why) = match stop {
            Stop::Lacks(id) => ("skipped", format!("the vDSO lacks zx_{}", id.info().name)),
            Stop::Needs(what) => ("skipped", format!("needs {what}")),
            Stop::Failed(ZxError::NotSupported) => ("skipped", String::from("NOT_SUPPORTED")),
            Stop::Failed(error) => ("failed", format!("{error}")),
        };
        match word {
            "failed" => self.failed += 1,
            _ => self.skipped += 1,
        }
        println!("{:<44}  {word}: {why}", row.name);
        println!(
            "JSON {{\"name\":\"{}\",\"about\":\"{}\",\"kind\":\"{}\",\"{word}\":\"{why}\"}}",
            row.name,
            row.about,
            row.kind.name()
        );
    }

    /// Prints what holds for the whole run, and gives the exit code.
    pub(crate) fn finish(&self) -> i64 {
        println!(
            "JSON {{\"run\":{{\"level\":\"{}\",\"ticks_per_second\":{},\"clock_cost\":{}}}}}",
            self.level,
            time::ticks_per_second(),
            self.sampler.clock_cost()
        );
        println!(
            "benchmarks done: {} rows, {} skipped, {} failed",
            self.rows, self.skipped, self.failed
        );
        i64::from(self.failed > 0)
    }
}
