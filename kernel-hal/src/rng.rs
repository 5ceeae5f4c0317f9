//! Random numbers: a ChaCha generator seeded from the CPU.

use crate::hal::hal_fn;

hal_fn! {
    /// Fills the slice with cryptographic random bytes.
    pub fn fill as hal_random_fill(into: &mut [u8]);
    /// Mixes bytes from user space into the generator's state.
    pub fn add_entropy as hal_random_add_entropy(bytes: &[u8]);
}
