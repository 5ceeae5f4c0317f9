//! Random numbers that are the same in every run

use crate::machine::Machine;
use kernel_hal::hal_impl;
use std::sync::atomic::Ordering;

/// The next number of this machine's sequence (SplitMix64, whose state just counts up).
fn next() -> u64 {
    const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut mixed = Machine::current()
        .parts()
        .random
        .fetch_add(STEP, Ordering::SeqCst)
        .wrapping_add(STEP);
    mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

hal_impl! {
    kernel_hal::rng => fn hal_random_fill(into: &mut [u8]) {
        for piece in into.chunks_mut(8) {
            piece.copy_from_slice(&next().to_le_bytes()[..piece.len()]);
        }
    }
    kernel_hal::rng => fn hal_random_add_entropy(bytes: &[u8]) {
        let machine = Machine::current();
        for byte in bytes {
            machine.parts().random.fetch_xor(u64::from(*byte), Ordering::SeqCst);
            next();
        }
    }
}
