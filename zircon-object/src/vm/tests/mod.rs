//! Tests of VMOs and address spaces on the hosted HAL.

mod mapping;
mod model;
mod pager;
mod user;
mod vast;
mod vmar;
mod vmar_end;
mod vmar_model;
mod vmo;

use super::vmo::warm_zero_frame;
use kernel_hal_hosted::frame::FrameBalance;

/// Makes what is made once and kept, then watches that every other frame comes back.
fn start() -> FrameBalance {
    kernel_hal_hosted::init();
    warm_zero_frame();
    FrameBalance::start()
}

fn frames_used() -> usize {
    let stats = kernel_hal::frame::stats();
    stats.total - stats.free
}

/// Small, fast and repeatable random numbers (xorshift64*).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }
    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
    fn index(&mut self, bound: usize) -> usize {
        usize::try_from(self.below(bound as u64)).unwrap()
    }
}
