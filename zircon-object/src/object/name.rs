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
    let len = bytes.len().min(NAME_LEN - 1);
    name[..len].copy_from_slice(&bytes[..len]);
    // Eight bytes at a time; behind the first NUL nothing is kept.
    let (words, _) = name.as_chunks_mut();
    let mut kept = u64::MAX;
    for word in words {
        let value = u64::from_le_bytes(*word);
        *word = (value & kept & before_nul(value)).to_le_bytes();
        kept = if has_nul(value) { 0 } else { kept };
    }
    name
}

/// The top bits of the bytes of a word that are zero, the lowest of them for certain.
const fn nuls(word: u64) -> u64 {
    const LOW: u64 = u64::from_ne_bytes([1; 8]);
    word.wrapping_sub(LOW) & !word & (LOW << 7)
}

const fn has_nul(word: u64) -> bool {
    nuls(word) != 0
}

/// All bits of the bytes before the first that is zero.
const fn before_nul(word: u64) -> u64 {
    let nuls = nuls(word);
    // Below the lowest bit, which is the top one of its byte: that byte is zero anyway.
    nuls.wrapping_sub(1) & !nuls
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn a_name_is_cut_to_31_bytes_and_at_a_nul() {
        assert_eq!(Name::new(&[b'x'; 40]).get()[30..], [b'x', 0]);
        assert_eq!(&Name::new(b"ab\0cd").get()[..4], b"ab\0\0");
        for (len, nul) in (0..40).flat_map(|len| (0..40).map(move |nul| (len, nul))) {
            // Bytes that differ from zero in one bit mislead whoever counts carelessly.
            let mut bytes: Vec<u8> = (0..len).map(|at| [1, 0x80, 0xff][at % 3]).collect();
            bytes.get_mut(nul).map(|byte| *byte = 0).unwrap_or_default();
            let kept = bytes.iter().position(|byte| *byte == 0).unwrap_or(len);
            let mut expected = [0; NAME_LEN];
            for (to, from) in expected[..NAME_LEN - 1].iter_mut().zip(&bytes[..kept]) {
                *to = *from;
            }
            assert_eq!(Name::new(&bytes).get(), expected, "{bytes:?}");
        }
    }
}
