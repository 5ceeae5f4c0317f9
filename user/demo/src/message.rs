//! What parent and worker say to each other.
//!
//! A channel carries messages of bytes and handles and does not care what they mean; programs agree on that. Here a
//! request is 16 bytes and one handle, an answer is 8 bytes.

use alloc::vec::Vec;

/// Which numbers to add up. The VMO they are in comes along as a handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// Index of the first number.
    pub(crate) first: u64,
    /// How many.
    pub(crate) count: u64,
}

impl Request {
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        [self.first.to_le_bytes(), self.count.to_le_bytes()].concat()
    }

    /// None when the message is no request. Whatever comes from another process has to be checked.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (first, count) = bytes.split_at_checked(8)?;
        Some(Self {
            first: number(first)?,
            count: number(count)?,
        })
    }
}

/// The eight bytes of a number.
pub(crate) fn number(bytes: &[u8]) -> Option<u64> {
    bytes.try_into().ok().map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_come_out_as_they_went_in() {
        let request = Request {
            first: 7,
            count: 1 << 40,
        };
        assert_eq!(Request::from_bytes(&request.to_bytes()), Some(request));
        assert_eq!(Request::from_bytes(&[0; 15]), None);
        assert_eq!(Request::from_bytes(&[0; 17]), None);
    }
}
