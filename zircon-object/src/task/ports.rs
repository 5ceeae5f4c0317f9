//! The I/O ports that a process may use. Few processes have any, so the set is made at the first request.

use crate::object::Koid;
use core::ops::Range;
use core::sync::atomic::{AtomicU64, Ordering};
use kernel_hal::ports::{self, PortSet, NOBODY};
use kernel_hal::sync::Mutex;
use zx_abi::{ZxError, ZxResult};

/// I/O ports of a process.
#[derive(Debug)]
pub struct Ports {
    /// The process's koid once it has had any, [`NOBODY`] before.
    owner: AtomicU64,
    set: Mutex<Option<PortSet>>,
}

impl Ports {
    pub(super) const fn new() -> Self {
        Self {
            owner: AtomicU64::new(NOBODY),
            set: Mutex::new(None),
        }
    }

    /// The CPU is about to run the process.
    #[inline(always)]
    pub(super) fn enter(&self) {
        if ports::owner() != self.owner.load(Ordering::Relaxed) {
            self.load();
        }
    }

    #[cold]
    fn load(&self) {
        ports::load(self.owner.load(Ordering::Relaxed), self.set.lock().as_ref());
    }

    /// Adds ports to those of the process `koid`, which is running.
    ///
    /// # Errors
    /// - `NoMemory`: no memory for the set.
    pub fn allow(&self, koid: Koid, range: Range<u32>) -> ZxResult {
        {
            let mut set = self.set.lock();
            if set.is_none() {
                *set = Some(PortSet::empty().ok_or(ZxError::NoMemory)?);
            }
            if let Some(set) = &mut *set {
                set.allow(range);
            }
        }
        self.owner.store(koid.0, Ordering::Relaxed);
        self.load();
        Ok(())
    }

    /// Takes ports from the process, which is running. It need not have them.
    pub fn deny(&self, range: Range<u32>) {
        if let Some(set) = &mut *self.set.lock() {
            set.deny(range);
        }
        self.load();
    }
}
