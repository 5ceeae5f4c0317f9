//! Measuring one operation at a time, and what the samples say.

use alloc::string::String;
use alloc::vec::Vec;

use libzx::{println, time, ZxResult};

/// Samples taken of each operation.
const SAMPLES: usize = 1000;
/// Runs before the first sample, which fill caches and page tables.
const WARM_UP: usize = 16;

/// What the samples of one operation say, in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) min: i64,
    pub(crate) median: i64,
    pub(crate) p95: i64,
}

impl Summary {
    fn of(mut samples: Vec<i64>) -> Self {
        samples.sort_unstable();
        let at = |percent: usize| {
            let index = samples.len().saturating_sub(1) * percent / 100;
            samples.get(index).copied().unwrap_or(0)
        };
        Self {
            min: at(0),
            median: at(50),
            p95: at(95),
        }
    }
}

/// The rows so far.
#[derive(Debug)]
pub(crate) struct Bench {
    filters: Vec<String>,
    clock_cost: i64,
    rows: Vec<(&'static str, Summary)>,
}

impl Bench {
    pub(crate) fn new(filters: Vec<String>) -> Self {
        let mut bench = Self {
            filters,
            clock_cost: 0,
            rows: Vec::new(),
        };
        if let Ok(summary) = bench.measure(&mut || Ok(())) {
            bench.clock_cost = summary.min;
        }
        bench
    }

    pub(crate) const fn clock_cost(&self) -> i64 {
        self.clock_cost
    }

    /// Measures an operation and prints its row; a failure is printed in its place.
    pub(crate) fn run(&mut self, name: &'static str, mut operation: impl FnMut() -> ZxResult) {
        let wanted = |filter: &String| name.contains(filter.as_str());
        if !self.filters.is_empty() && !self.filters.iter().any(wanted) {
            return;
        }
        match self.measure(&mut operation) {
            Ok(summary) => {
                let Summary { min, median, p95 } = summary;
                println!("{name:<32}{min:>10}{median:>10}{p95:>10}");
                self.rows.push((name, summary));
            }
            Err(error) => println!("{name:<32}  cannot be measured: {error}"),
        }
    }

    /// Says that a row is missing.
    pub(crate) fn missing(&self, name: &str) {
        println!("{name:<32}  cannot be measured: the vDSO lacks the call");
    }

    fn measure<F: FnMut() -> ZxResult>(&self, operation: &mut F) -> ZxResult<Summary> {
        for _ in 0..WARM_UP {
            operation()?;
        }
        let mut samples = Vec::with_capacity(SAMPLES);
        for _ in 0..SAMPLES {
            let start = time::ticks();
            let result = operation();
            let end = time::ticks();
            result?;
            samples.push(end.wrapping_sub(start) - self.clock_cost);
        }
        Ok(Summary::of(samples))
    }

    /// One object per row, on a line of its own.
    pub(crate) fn print_json(&self) {
        for (name, Summary { min, median, p95 }) in &self.rows {
            println!(
                "JSON {{\"name\":\"{name}\",\"unit\":\"ticks\",\"samples\":{SAMPLES},\"min\":{min},\"median\":{median},\"p95\":{p95}}}"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_samples_of_their_rank() {
        let summary = Summary::of((1..=101).rev().collect());
        let expected = Summary {
            min: 1,
            median: 51,
            p95: 96,
        };
        assert_eq!(summary, expected);
        assert_eq!(Summary::of(Vec::new()).median, 0);
    }
}
