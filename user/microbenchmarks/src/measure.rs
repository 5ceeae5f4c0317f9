//! Measuring one operation at a time, part by part.
//!
//! An operation is run, timed, and run again until a thousand samples are there or its share of time is used up. Between
//! the parts of an operation it calls [`Laps::next`]; the total is the sum of the parts, so that reading the clock in
//! between costs the total nothing. What a reading costs is measured first and subtracted from each part.

use alloc::vec::Vec;

use libzx::{time, ZxResult};

/// Parts of an operation at most.
pub(crate) const PARTS_MAX: usize = 5;
/// Samples of an operation at most.
const SAMPLES_MAX: usize = 1000;
/// Samples of an operation at least, however long it takes.
const SAMPLES_MIN: usize = 7;
/// Runs before the first sample, which fill caches, page tables and free lists.
const WARM_UP: usize = 16;
/// Such runs of an operation that takes long.
const WARM_UP_MIN: usize = 2;
/// The share of a second that an operation is measured for.
const SHARE: i64 = 80;

/// The clock readings of one run.
#[derive(Debug)]
pub(crate) struct Laps {
    stamps: [i64; PARTS_MAX + 1],
    used: usize,
}

impl Laps {
    const fn new() -> Self {
        Self {
            stamps: [0; PARTS_MAX + 1],
            used: 0,
        }
    }

    /// Ends a part and begins the next one.
    #[inline]
    pub(crate) fn next(&mut self) {
        if let Some(stamp) = self.stamps.get_mut(self.used) {
            *stamp = time::ticks();
            self.used += 1;
        }
    }

    /// The ticks between the readings; as many as there are readings but one.
    fn between(&self) -> impl Iterator<Item = i64> + '_ {
        let taken = self.stamps.get(..self.used).unwrap_or_default();
        taken.windows(2).map(|pair| match pair {
            [start, end] => end.wrapping_sub(*start),
            _ => 0,
        })
    }
}

/// What the samples of one operation say, in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) samples: usize,
    pub(crate) min: i64,
    pub(crate) median: i64,
    pub(crate) p95: i64,
}

impl Summary {
    fn of(samples: &mut [i64]) -> Self {
        samples.sort_unstable();
        let at = |percent: usize| {
            let index = samples.len().saturating_sub(1) * percent / 100;
            samples.get(index).copied().unwrap_or(0)
        };
        Self {
            samples: samples.len(),
            min: at(0),
            median: at(50),
            p95: at(95),
        }
    }
}

/// Takes the samples; its memory is there before the first one.
#[derive(Debug)]
pub(crate) struct Sampler {
    clock_cost: i64,
    /// Runs without samples, for someone who counts from outside.
    repeat: Option<usize>,
    share: i64,
    /// The total's samples, then those of each part.
    samples: [Vec<i64>; PARTS_MAX + 1],
    parts: usize,
}

impl Sampler {
    pub(crate) fn new() -> Self {
        let mut sampler = Self {
            clock_cost: 0,
            repeat: None,
            share: time::ticks_per_second() / SHARE,
            samples: core::array::from_fn(|_| Vec::with_capacity(SAMPLES_MAX)),
            parts: 1,
        };
        // Nothing between two readings: the median is what they cost.
        if sampler.run(|_| Ok(())).is_ok() {
            sampler.clock_cost = sampler.total().median;
        }
        sampler
    }

    /// Makes each operation run so many times and nothing else.
    pub(crate) fn repeat(&mut self, times: usize) {
        self.repeat = Some(times);
    }

    /// Ticks that one reading of the clock takes.
    pub(crate) const fn clock_cost(&self) -> i64 {
        self.clock_cost
    }

    /// Forgets the samples; the next operation has this many parts.
    pub(crate) fn expect(&mut self, parts: usize) {
        self.parts = parts.max(1);
        self.samples.iter_mut().for_each(Vec::clear);
    }

    /// Runs the operation again and again. It calls [`Laps::next`] between its parts.
    ///
    /// # Errors
    /// The first error of the operation.
    pub(crate) fn run(&mut self, mut operation: impl FnMut(&mut Laps) -> ZxResult) -> ZxResult {
        self.run_with(&mut (), |laps, ()| operation(laps), |()| Ok(()))
    }

    /// As [`Sampler::run`], on something that other work, which is not measured, prepares for the next run.
    ///
    /// # Errors
    /// The first error of the operation or of the other work.
    pub(crate) fn run_with<T>(
        &mut self,
        thing: &mut T,
        mut operation: impl FnMut(&mut Laps, &mut T) -> ZxResult,
        mut prepare: impl FnMut(&mut T) -> ZxResult,
    ) -> ZxResult {
        if let Some(times) = self.repeat {
            return (0..times).try_for_each(|_| {
                operation(&mut Laps::new(), thing)?;
                prepare(thing)
            });
        }
        let mut left = self.share / 8;
        for run in 0..WARM_UP {
            if left <= 0 && run >= WARM_UP_MIN {
                break;
            }
            let start = time::ticks();
            operation(&mut Laps::new(), thing)?;
            prepare(thing)?;
            left -= time::ticks().wrapping_sub(start);
        }
        // The share is used up by the quickest run so far, not by what interrupts a run now and then.
        let (mut left, mut best) = (self.share, i64::MAX);
        for run in 0..SAMPLES_MAX {
            if left <= 0 && run >= SAMPLES_MIN {
                break;
            }
            let mut laps = Laps::new();
            laps.next();
            let result = operation(&mut laps, thing);
            laps.next();
            result?;
            best = best.min(self.keep(&laps));
            left -= best;
            prepare(thing)?;
        }
        Ok(())
    }

    /// Keeps a run's samples and gives its total.
    fn keep(&mut self, laps: &Laps) -> i64 {
        let mut total = 0;
        for (part, ticks) in laps.between().enumerate() {
            let ticks = ticks - self.clock_cost;
            total += ticks;
            if let Some(samples) = self.samples.get_mut(part + 1) {
                samples.push(ticks);
            }
        }
        self.samples[0].push(total);
        total
    }

    /// Of all parts together.
    pub(crate) fn total(&mut self) -> Summary {
        Summary::of(&mut self.samples[0])
    }

    /// Of one part, from 0.
    pub(crate) fn part(&mut self, part: usize) -> Option<Summary> {
        let samples = self.samples.get_mut(part + 1)?;
        (part < self.parts).then(|| Summary::of(samples))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_samples_of_their_rank() {
        let mut samples: Vec<i64> = (1..=101).rev().collect();
        let expected = Summary {
            samples: 101,
            min: 1,
            median: 51,
            p95: 96,
        };
        assert_eq!(Summary::of(&mut samples), expected);
        assert_eq!(Summary::of(&mut []).median, 0);
    }

    #[test]
    fn laps_beyond_the_last_part_are_left_out() {
        let mut laps = Laps::new();
        for stamp in [1, 3, 6] {
            laps.stamps[laps.used] = stamp;
            laps.used += 1;
        }
        assert_eq!(laps.between().collect::<Vec<_>>(), [2, 3]);
    }
}
