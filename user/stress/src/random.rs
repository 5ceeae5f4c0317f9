//! Numbers that look random and follow from a seed.

/// A generator of the kind xorshift64*.
#[derive(Debug)]
pub(crate) struct Random(u64);

impl Random {
    /// Any seed is fine.
    pub(crate) const fn new(seed: u64) -> Self {
        // The state must not be 0, and seeds next to each other must not give numbers next to each other.
        let mixed = (seed ^ (seed >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Self((mixed ^ (mixed >> 29)) | 1)
    }

    /// The next number.
    pub(crate) const fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `end`, or 0 if that is 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        let number = usize::try_from(self.next() >> 33).unwrap_or(0);
        number.checked_rem(end).unwrap_or(0)
    }

    /// One of the list, unless it is empty.
    pub(crate) fn pick<'a, T>(&mut self, list: &'a [T]) -> Option<&'a T> {
        list.get(self.below(list.len()))
    }
}
