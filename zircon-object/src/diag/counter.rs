//! Kernel counters: numbers that programs may read while they change, in a page that holds nothing else.
//!
//! Programs get two VMOs with the first message of userboot: `counters/desc` names the counters, `counters/arena` is that page,
//! with an array of the numbers for each CPU. The layout is private to a kernel and its tools; this is the one of Zircon of
//! 2019 and 2020 (`counter-vmo-abi.h`).

use crate::vm::PAGE_SIZE;
use crate::vm::{Resizable, Vmo};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::sync::atomic::{AtomicUsize, Ordering};
use kernel_hal::frame;
use kernel_hal::paging::CachePolicy;
use zx_abi::ZxResult;

/// Marks the layout.
const MAGIC: u64 = 1_547_273_975;
/// As many CPUs as run user code.
const CPUS: u64 = 1;
/// Bytes of a name, with zeros after it.
const NAME_BYTES: usize = 56;
/// The kind of counter whose value is the sum over all CPUs.
const SUM: u64 = 1;

/// What is counted. The numbers are places in the arena, in the order of the names.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub enum Counter {
    /// Handles that were made from other ones.
    HandlesDuped,
    /// Handles that there are.
    HandlesLive,
    /// Handles that were made, those from other ones included.
    HandlesMade,
    /// Milliseconds on the monotonic clock when the kernel could start userboot.
    InitTargetTime,
    /// Milliseconds on the monotonic clock when userboot was started.
    InitUserbootTime,
}

/// In the order of [`Counter`], which is that of the bytes.
const NAMES: [&str; 5] = [
    "handles.duped",
    "handles.live",
    "handles.made",
    "init.target.time.msec",
    "init.userboot.time.msec",
];

const _: () = assert!(size_of::<AtomicUsize>() == 8 && size_of::<Arena>() == PAGE_SIZE);

/// A page of its own, so that whoever maps it sees nothing else.
#[repr(C, align(4096))]
struct Arena([AtomicUsize; PAGE_SIZE / 8]);

static ARENA: Arena = Arena([const { AtomicUsize::new(0) }; PAGE_SIZE / 8]);

impl Counter {
    /// The number now.
    #[inline(always)]
    #[must_use]
    pub fn get(self) -> usize {
        self.cell().load(Ordering::Relaxed)
    }

    /// Adds one; returns the number before.
    #[inline(always)]
    pub fn increment(self) -> usize {
        self.cell().fetch_add(1, Ordering::Relaxed)
    }

    /// Takes one away.
    #[inline(always)]
    pub fn decrement(self) {
        self.cell().fetch_sub(1, Ordering::Relaxed);
    }

    /// For numbers that are known once.
    pub fn set(self, value: usize) {
        self.cell().store(value, Ordering::Relaxed);
    }

    #[inline(always)]
    fn cell(self) -> &'static AtomicUsize {
        &ARENA.0[self as usize]
    }
}

/// The VMO `counters/desc`: a header, and the name and kind of each counter.
///
/// # Errors
/// - `NoMemory`: frames or the kernel heap are exhausted.
pub fn names_vmo() -> ZxResult<Arc<Vmo>> {
    let bytes = description();
    let vmo = Vmo::new(bytes.len() as u64, Resizable::No)?;
    vmo.write(0, &bytes)?;
    vmo.set_name(b"counters/desc");
    Ok(vmo)
}

/// The VMO `counters/arena`: the page with the numbers. On a host, where the kernel has no page that a program could map, its
/// numbers stay zero.
///
/// # Errors
/// - `NoMemory`: frames or the kernel heap are exhausted.
pub fn arena_vmo() -> ZxResult<Arc<Vmo>> {
    let len = PAGE_SIZE as u64;
    let vmo = match frame::image_paddr((&raw const ARENA).addr()) {
        Some(paddr) => Vmo::new_physical(paddr, len, CachePolicy::Cached)?,
        None => Vmo::new(len, Resizable::No)?,
    };
    vmo.set_name(b"counters/arena");
    Ok(vmo)
}

fn description() -> Vec<u8> {
    let table_bytes = NAMES.len() * (NAME_BYTES + 8);
    let mut bytes = Vec::new();
    for word in [MAGIC, CPUS, table_bytes as u64] {
        bytes.extend(word.to_le_bytes());
    }
    for name in NAMES {
        bytes.extend(name.bytes());
        bytes.extend(core::iter::repeat_n(0, NAME_BYTES - name.len()));
        bytes.extend(SUM.to_le_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_description_is_a_header_and_a_sorted_table() {
        let bytes = description();
        assert_eq!(bytes.len(), 24 + 5 * 64);
        let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
        assert_eq!((word(0), word(8), word(16)), (1_547_273_975, 1, 5 * 64));
        let name = |index: usize| &bytes[24 + index * 64..][..NAME_BYTES];
        assert!((1..5).all(|index| name(index - 1) < name(index)));
        assert!((0..5).all(|index| word(24 + index * 64 + NAME_BYTES) == SUM));
        let place = Counter::HandlesMade as usize;
        assert_eq!(&name(place)[..13], b"handles.made\0");
    }

    #[test]
    fn both_vmos_are_named_and_as_long_as_what_they_hold() {
        kernel_hal_hosted::init();
        let (names, arena) = (names_vmo().unwrap(), arena_vmo().unwrap());
        assert_eq!((names.size(), arena.size()), (4096, 4096));
        let mut magic = [0; 8];
        names.read(0, &mut magic).unwrap();
        assert_eq!(u64::from_le_bytes(magic), MAGIC);
    }

    #[test]
    fn a_counter_counts() {
        let before = Counter::InitTargetTime.get();
        assert_eq!(Counter::InitTargetTime.increment(), before);
        Counter::InitTargetTime.decrement();
        assert_eq!(Counter::InitTargetTime.get(), before);
    }
}
