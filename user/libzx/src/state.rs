//! The little that a program shares with libzx: vDSO functions, own handles, the heap.
//!
//! Usually a static. An image without writable memory (userboot, feature `rodso`) reserves a fixed range of its
//! address space at start instead: [`STATE_ADDRESS`] holds this structure, the heap follows behind it.

use core::ptr;
use core::sync::atomic::{AtomicU32, AtomicUsize, Ordering::Relaxed};

use zx_abi::syscalls::SyscallId;
use zx_abi::HandleValue;

use crate::heap::Heap;
use crate::vdso::Image;

/// Where the state lies with feature `rodso`: half way up the user address space, where nothing else is near.
pub const STATE_ADDRESS: usize = 0x2000_0000_0000;

/// Symbols of all calls in table order, one per line; an empty line for a call without one.
static NAMES: &str = include_str!(concat!(env!("OUT_DIR"), "/names.txt"));

/// Everything that lives as long as the process.
#[derive(Debug)]
pub struct State {
    functions: [AtomicUsize; SyscallId::COUNT],
    pub(crate) vdso_base: AtomicUsize,
    pub(crate) root_vmar: AtomicU32,
    pub(crate) process: AtomicU32,
    pub(crate) heap: Heap,
}

impl State {
    pub(crate) const fn new() -> Self {
        Self {
            functions: [const { AtomicUsize::new(0) }; SyscallId::COUNT],
            vdso_base: AtomicUsize::new(0),
            root_vmar: AtomicU32::new(0),
            process: AtomicU32::new(0),
            heap: Heap::new(),
        }
    }

    /// Looks up every call in the vDSO mapped at `base`.
    pub(crate) fn resolve(&self, image: &Image<'_>, base: usize) {
        self.vdso_base.store(base, Relaxed);
        for (slot, name) in self.functions.iter().zip(NAMES.split('\n')) {
            if let Some(offset) = image.find(name.as_bytes()) {
                slot.store(base + offset, Relaxed);
            }
        }
    }
}

#[cfg(not(all(feature = "rodso", target_os = "none")))]
static STATE: State = State::new();

#[cfg(not(all(feature = "rodso", target_os = "none")))]
pub(crate) fn state() -> &'static State {
    &STATE
}

#[cfg(all(feature = "rodso", target_os = "none"))]
pub(crate) fn state() -> &'static State {
    // SAFETY: start.rs maps this range and writes a State there before any other code of the program runs.
    unsafe { &*ptr::with_exposed_provenance(STATE_ADDRESS) }
}

/// The address of a call's function.
#[inline]
pub(crate) fn function(call: SyscallId) -> Option<*const ()> {
    let address = state().functions[call as usize].load(Relaxed);
    (address != 0).then(|| ptr::with_exposed_provenance(address))
}

/// The program's own process, as far as its bootstrap message named it.
pub(crate) fn set_own_handles(process: HandleValue, root_vmar: HandleValue) {
    state().process.store(process, Relaxed);
    state().root_vmar.store(root_vmar, Relaxed);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_public_call_has_its_name_at_its_index() {
        let names: Vec<&str> = NAMES.split('\n').collect();
        assert_eq!(names.len(), SyscallId::COUNT + 1);
        assert_eq!(names[SyscallId::HandleClose as usize], "_zx_handle_close");
        assert_eq!(names[SyscallId::TicksGet as usize], "_zx_ticks_get");
        assert_eq!(names[SyscallId::ChannelCallNoretry as usize], "");
    }
}
