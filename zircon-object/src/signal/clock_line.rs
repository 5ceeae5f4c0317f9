//! A straight line between two clocks: where it passes, and how fast it rises.

use kernel_hal::time::tick_ratio;
use zx_abi::clock::{ClockRate, ClockTransformation};

/// `value = (reference - reference_offset) * rate + value_offset`, rounded down.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Line {
    reference: i64,
    value: i64,
    rate: Rate,
}

/// How many ticks of the value go with how many of the reference.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Rate {
    value: u32,
    reference: u32,
}

impl Rate {
    /// The nearest rate that two 32-bit numbers can say.
    fn reduced(value: u64, reference: u64) -> Self {
        let divisor = gcd(value, reference).max(1);
        let (mut value, mut reference) = (value / divisor, reference / divisor);
        loop {
            match (u32::try_from(value), u32::try_from(reference)) {
                (Ok(value), Ok(reference)) => {
                    return Self {
                        value,
                        reference: reference.max(1),
                    }
                }
                _ => (value, reference) = (value >> 1, reference >> 1),
            }
        }
    }
}

fn gcd(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

impl Line {
    /// The reference itself.
    pub(super) const IDENTITY: Self = Self {
        reference: 0,
        value: 0,
        rate: Rate {
            value: 1,
            reference: 1,
        },
    };

    /// The same value always.
    pub(super) const fn standing_at(value: i64) -> Self {
        Self {
            reference: 0,
            value,
            rate: Rate {
                value: 0,
                reference: 1,
            },
        }
    }

    /// From ticks to the monotonic clock.
    pub(super) fn monotonic() -> Self {
        let ratio = tick_ratio();
        Self {
            rate: Rate::reduced(ratio.numerator.into(), ratio.denominator.into()),
            ..Self::IDENTITY
        }
    }

    /// Through a point.
    pub(super) const fn through(reference: i64, value: i64, rate: Rate) -> Self {
        Self {
            reference,
            value,
            rate,
        }
    }

    /// The rate that is so many parts per million faster than 1.
    pub(super) fn adjusted_rate(parts_per_million: i32) -> Rate {
        const MILLION: u64 = 1_000_000;
        Rate::reduced(
            MILLION.saturating_add_signed(parts_per_million.into()),
            MILLION,
        )
    }

    /// Its rate.
    pub(super) const fn rate(&self) -> Rate {
        self.rate
    }

    /// Its rate and another one, one after the other.
    pub(super) fn rate_times(&self, rate: Rate) -> Rate {
        let (a, b) = (self.rate, rate);
        Rate::reduced(
            u64::from(a.value) * u64::from(b.value),
            u64::from(a.reference) * u64::from(b.reference),
        )
    }

    /// Its value.
    pub(super) fn at(&self, reference: i64) -> i64 {
        let passed = i128::from(reference) - i128::from(self.reference);
        let value = (passed * i128::from(self.rate.value))
            .div_euclid(i128::from(self.rate.reference))
            + i128::from(self.value);
        i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX })
    }

    /// As programs see it.
    pub(super) const fn record(&self) -> ClockTransformation {
        let rate = ClockRate {
            synthetic_ticks: self.rate.value,
            reference_ticks: self.rate.reference,
        };
        ClockTransformation {
            reference_offset: self.reference,
            synthetic_offset: self.value,
            rate,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_passes_through_its_point_and_rounds_down() {
        let line = Line::through(
            100,
            1000,
            Rate {
                value: 2,
                reference: 3,
            },
        );
        assert_eq!(
            [line.at(100), line.at(101), line.at(103), line.at(99)],
            [1000, 1000, 1002, 999]
        );
        assert_eq!(Line::standing_at(7).at(i64::MAX), 7);
        assert_eq!(
            Line::through(
                i64::MIN,
                i64::MAX,
                Rate {
                    value: 9,
                    reference: 1
                }
            )
            .at(i64::MAX),
            i64::MAX
        );
    }

    #[test]
    fn rates_are_reduced_until_they_fit() {
        assert_eq!(
            Line::adjusted_rate(1000),
            Rate {
                value: 1001,
                reference: 1000
            }
        );
        assert_eq!(
            Line::adjusted_rate(0),
            Rate {
                value: 1,
                reference: 1
            }
        );
        let large = Rate::reduced((1 << 40) + 1, 1 << 41);
        assert_eq!(large.reference / large.value, 2);
    }
}
