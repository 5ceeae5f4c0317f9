//! `Futex/`: what locks are made of.

use core::sync::atomic::AtomicI32;

use libzx::raw;
use zx_abi::syscalls::SyscallId;

use crate::measure::Bench;

/// - `Futex/WakeNobody`: wakes one of no waiters.
pub(crate) fn run(bench: &mut Bench) {
    let futex = AtomicI32::new(0);
    let address = core::ptr::from_ref(&futex).expose_provenance();
    bench.run("Futex/WakeNobody", || {
        raw::status(SyscallId::FutexWake, &[address, 1]).into_result()
    });
}
