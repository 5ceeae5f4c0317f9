//! Little-endian words at an offset, for readers that must not panic.

/// The 32-bit word at `offset`, or `None` when it is not wholly inside `data`.
#[must_use]
pub fn u32_at(data: &[u8], offset: usize) -> Option<u32> {
    let word = data.get(offset..offset.checked_add(4)?)?;
    Some(u32::from_le_bytes(word.try_into().ok()?))
}

/// `length` bytes from `offset`, or `None` when they are not wholly inside `data`.
#[must_use]
pub fn slice_at(data: &[u8], offset: usize, length: usize) -> Option<&[u8]> {
    data.get(offset..offset.checked_add(length)?)
}

/// A file offset or size, as the formats store it. On a host `usize` has at least 32 bits.
#[must_use]
pub fn to_usize(word: u32) -> usize {
    usize::try_from(word).unwrap_or(usize::MAX)
}

/// `value` rounded up to a multiple of `alignment`, which is a power of two.
#[must_use]
pub fn round_up(value: usize, alignment: usize) -> usize {
    value.saturating_add(alignment - 1) & !(alignment - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_that_reaches_over_the_end_is_none() {
        assert_eq!(u32_at(&[1, 0, 0, 0], 0), Some(1));
        assert_eq!(u32_at(&[1, 0, 0, 0], 1), None);
        assert_eq!(u32_at(&[1, 0, 0, 0], usize::MAX), None);
    }

    #[test]
    fn rounding_up_keeps_multiples() {
        assert_eq!(round_up(0, 8), 0);
        assert_eq!(round_up(1, 8), 8);
        assert_eq!(round_up(8, 8), 8);
    }
}
