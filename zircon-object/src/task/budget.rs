//! The CPU time that a thread with a deadline has in each period.
//!
//! A period begins when the thread runs for the first time after the one before was over, at once if it was waiting for it.
//! In each the thread may run for the capacity, before everybody whose deadline is later and all who have none. Then it
//! waits for the next period, also when the CPU has nothing else to do.

use super::profile::DeadlineParams;

/// Where a thread is in its period.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Budget {
    params: DeadlineParams,
    /// When the period began.
    start: i64,
    /// The thread's runtime at that moment.
    runtime: i64,
}

/// What the thread may do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Next {
    /// Run, at most until `end`.
    GoOn {
        /// When the budget is used up if it runs from now on.
        end: i64,
        /// By when it is to have had its capacity.
        deadline: i64,
    },
    /// Nothing before the next period.
    Wait {
        /// When that begins.
        until: i64,
    },
}

impl Budget {
    /// A budget whose first period begins now, for a thread that has run for `runtime` in its life. All in ns.
    pub(super) const fn new(params: DeadlineParams, now: i64, runtime: i64) -> Self {
        Self {
            params,
            start: now,
            runtime,
        }
    }

    /// By when it is to have had its capacity in this period.
    pub(super) const fn deadline(&self) -> i64 {
        self.start.saturating_add(self.params.relative_deadline)
    }

    const fn end_of_period(&self) -> i64 {
        self.start.saturating_add(self.params.period)
    }

    /// What the thread may do now.
    pub(super) fn next(&mut self, now: i64, runtime: i64) -> Next {
        if now >= self.end_of_period() {
            let spent = runtime - self.runtime >= self.params.capacity;
            // Whoever used all of its time waited for this moment; another one comes as it pleases.
            let late = now - self.end_of_period();
            self.start = if spent && late < self.params.period {
                self.end_of_period()
            } else {
                now
            };
            self.runtime = runtime;
        }
        let left = self.params.capacity - (runtime - self.runtime);
        if left > 0 {
            Next::GoOn {
                end: now.saturating_add(left),
                deadline: self.deadline(),
            }
        } else {
            Next::Wait {
                until: self.end_of_period(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget() -> Budget {
        let params = DeadlineParams {
            capacity: 3,
            relative_deadline: 8,
            period: 10,
        };
        Budget::new(params, 100, 50)
    }

    #[test]
    fn it_may_run_for_its_capacity_and_then_waits_for_the_next_period() {
        let mut budget = budget();
        let deadline = 108;
        assert_eq!(budget.next(100, 50), Next::GoOn { end: 103, deadline });
        assert_eq!(budget.next(105, 52), Next::GoOn { end: 106, deadline });
        assert_eq!(budget.next(106, 53), Next::Wait { until: 110 });
        assert_eq!(
            budget.next(111, 53),
            Next::GoOn {
                end: 114,
                deadline: 118
            }
        );
    }

    #[test]
    fn periods_of_a_thread_that_uses_all_its_time_do_not_drift() {
        let mut budget = budget();
        for period in 0..5 {
            let (start, ran) = (100 + period * 10, 50 + period * 3);
            assert_eq!(
                budget.next(start + 1, ran),
                Next::GoOn {
                    end: start + 4,
                    deadline: start + 8
                }
            );
            let wait = Next::Wait { until: start + 10 };
            assert_eq!(budget.next(start + 5, ran + 3), wait);
        }
    }

    #[test]
    fn a_thread_that_slept_over_its_period_starts_a_new_one() {
        let mut budget = budget();
        assert_eq!(
            budget.next(137, 51),
            Next::GoOn {
                end: 140,
                deadline: 145
            }
        );
    }
}
