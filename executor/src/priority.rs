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

    /// For a level that came from `level()`: the mask changes nothing and spares a check.
    pub(crate) const fn from_level(level: u8) -> Self {
        Self(level & 31)
    }
}

impl Default for Priority {
    fn default() -> Self {
        Self::DEFAULT
    }
}
