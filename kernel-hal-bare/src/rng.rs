//! Random numbers: ChaCha20, seeded from the CPU's generator and from the jitter of its clock.

use crate::cpu::features::features;
use crate::cpu::registers::read_tsc;
use core::arch::asm;
use kernel_hal::hal_impl;
use kernel_hal::sync::Mutex;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rand_chacha::ChaCha20Rng;

static GENERATOR: Mutex<Option<ChaCha20Rng>> = Mutex::new(None);
const SEED_WORDS: usize = 4;
const HARDWARE_TRIES: u32 = 32;
const JITTER_ROUNDS: u32 = 64;

/// Seeds the generator; `salt` is anything that differs between boots.
pub(crate) fn init(salt: u64) {
    let mut state = salt;
    let mut seed = [0; 32];
    for chunk in seed.chunks_exact_mut(8) {
        let word = jitter(&mut state) ^ hardware().unwrap_or(0);
        chunk.copy_from_slice(&word.to_le_bytes());
    }
    debug_assert_eq!(seed.len(), SEED_WORDS * 8);
    *GENERATOR.lock() = Some(ChaCha20Rng::from_seed(seed));
}

/// Folds the low bits of the clock, read around work of uneven length, into a word.
fn jitter(state: &mut u64) -> u64 {
    for _ in 0..JITTER_ROUNDS {
        let now = read_tsc();
        *state = (*state ^ now)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(u32::try_from(now & 63).unwrap_or(0));
        for _ in 0..*state & 7 {
            core::hint::spin_loop();
        }
    }
    *state ^ *state >> 29
}

/// A word of the CPU's own generator: RDSEED, else RDRAND, else none.
fn hardware() -> Option<u64> {
    let has = features();
    for _ in 0..HARDWARE_TRIES {
        let (mut word, mut good) = (0_u64, 0_u8);
        if has.rdseed {
            // SAFETY: the CPU has the instruction.
            unsafe {
                asm!("rdseed {}", "setc {}", out(reg) word, out(reg_byte) good, options(nomem, nostack))
            };
        } else if has.rdrand {
            // SAFETY: the CPU has the instruction.
            unsafe {
                asm!("rdrand {}", "setc {}", out(reg) word, out(reg_byte) good, options(nomem, nostack))
            };
        }
        if good != 0 {
            return Some(word);
        }
    }
    None
}

hal_impl! {
    kernel_hal::rng => fn hal_random_fill(into: &mut [u8]) {
        if let Some(generator) = GENERATOR.lock().as_mut() {
            generator.fill_bytes(into);
        }
    }
    kernel_hal::rng => fn hal_random_add_entropy(bytes: &[u8]) {
        let mut generator = GENERATOR.lock();
        if let Some(generator) = generator.as_mut() {
            for chunk in bytes.chunks(32) {
                // The new key is the old stream with the bytes mixed in: it is never easier to guess than before.
                let mut seed = [0; 32];
                generator.fill_bytes(&mut seed);
                for (word, byte) in seed.iter_mut().zip(chunk) {
                    *word ^= byte;
                }
                *generator = ChaCha20Rng::from_seed(seed);
            }
        }
    }
}
