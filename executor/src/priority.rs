//! Which of two ready tasks runs first

/// A task's priority, 0 (last) to 31 (first).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Priority(u8);

impl Priority {
    /// How many there are.
    pub const COUNT: usize = 32;
    /// What a task has unless it is told otherwise.
    pub const DEFAULT: Self = Self(16);

    /// The priority `level`, if there is such a one.
    pub const fn new(level: u8) -> Option<Self> {
        if (level as usize) < Self::COUNT {
            Some(Self(level))
        } else {
            None
        }
    }

    /// 0 to 31.
    pub const fn level(self) -> u8 {
        self.0
    }
}

impl Default for Priority {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Where a task stands among all: at a priority, or above all of them because it has a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank(u8);

impl Rank {
    /// Of tasks with a deadline; among them the earliest deadline is first.
    pub const DEADLINE: Self = Self(32);
    /// Of tasks that run when no other is ready.
    pub const LOWEST: Self = Self(0);
    /// How many ranks there are.
    pub(crate) const COUNT: usize = Priority::COUNT + 1;

    /// Of tasks with this priority.
    pub const fn of(priority: Priority) -> Self {
        Self(priority.0)
    }

    /// The priority, unless the task has a deadline instead.
    pub const fn priority(self) -> Option<Priority> {
        Priority::new(self.0)
    }

    /// 0 to 32; higher runs first.
    #[inline]
    pub const fn number(self) -> u8 {
        self.0
    }

    /// The rank whose [`Rank::number`] this is; what is too high counts as a deadline's.
    #[inline]
    pub const fn from_number(number: u8) -> Self {
        if number < Self::DEADLINE.0 {
            Self(number)
        } else {
            Self::DEADLINE
        }
    }
}
