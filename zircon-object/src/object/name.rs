//! Object names: at most 31 bytes and a NUL, as `ZX_PROP_NAME` sees them.

use kernel_hal::sync::Mutex;
use zx_abi::limits::NAME_LEN;

/// A name that can be changed while others read it.
#[derive(Debug, Default)]
pub struct Name {
    bytes: Mutex<[u8; NAME_LEN]>,
}

impl Name {
    /// A name from bytes; see [`Name::set`].
    #[must_use]
    pub fn new(bytes: &[u8]) -> Self {
        Self {
            bytes: Mutex::new(cut(bytes)),
        }
    }
    /// Replaces the name: at most 31 bytes are kept, and a NUL ends it.
    pub fn set(&self, bytes: &[u8]) {
        *self.bytes.lock() = cut(bytes);
    }
    /// The name, NUL padded.
    pub fn get(&self) -> [u8; NAME_LEN] {
        *self.bytes.lock()
    }
}

fn cut(bytes: &[u8]) -> [u8; NAME_LEN] {
    let mut name = [0; NAME_LEN];
    for (to, from) in name[..NAME_LEN - 1]
        .iter_mut()
        .zip(bytes.iter().take_while(|byte| **byte != 0))
    {
        *to = *from;
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_cut_to_31_bytes_and_at_a_nul() {
        assert_eq!(Name::new(&[b'x'; 40]).get()[30..], [b'x', 0]);
        assert_eq!(&Name::new(b"ab\0cd").get()[..4], b"ab\0\0");
    }
}
