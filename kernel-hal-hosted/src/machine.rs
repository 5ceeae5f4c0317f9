//! The pretended machine of one test, and which thread belongs to which

use crate::console::ConsoleState;
use crate::frame::Pool;
use crate::irq::Lines;
use crate::paging;
use std::cell::RefCell;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What one test has for itself: frames, console, interrupt lines, random numbers. Clones are the same machine.
#[derive(Clone, Debug)]
pub struct Machine {
    parts: Arc<Parts>,
}

#[derive(Debug, Default)]
pub(crate) struct Parts {
    pub(crate) frames: Arc<Pool>,
    pub(crate) console: Mutex<ConsoleState>,
    pub(crate) lines: Mutex<Lines>,
    pub(crate) random: AtomicU64,
}

thread_local! {
    static CURRENT: RefCell<Option<Machine>> = const { RefCell::new(None) };
}

/// Makes the HAL's functions those of this crate, and gives the thread a machine if it has none. Call it first in each test;
/// calling it again changes nothing.
///
/// # Panics
/// When the test was linked with the weak bodies nevertheless.
pub fn init() {
    drop(Machine::current());
    // One symbol proves all: the crate is one archive member. Without it this panics with "hal_cpu_id has no backend".
    kernel_hal::cpu::id();
}

/// Gives the thread a new machine and leaves its address space. For tests that run several scenarios after each other.
pub fn reset() {
    paging::leave();
    Machine::new().enter();
}

impl Machine {
    /// A machine with no limit set yet, nothing written and no line taken.
    #[must_use]
    pub fn new() -> Self {
        Self {
            parts: Arc::default(),
        }
    }

    /// The machine of this thread; a new one if it has none.
    #[must_use]
    pub fn current() -> Self {
        CURRENT.with_borrow_mut(|current| current.get_or_insert_with(Self::new).clone())
    }

    /// Makes this thread one of the machine's CPUs: its HAL calls go to this machine from now on.
    pub fn enter(&self) {
        let old = CURRENT.replace(Some(self.clone()));
        drop(old);
    }

    pub(crate) fn parts(&self) -> &Parts {
        &self.parts
    }
}

impl Default for Machine {
    fn default() -> Self {
        Self::new()
    }
}

/// Locks, also after a test has failed with the lock held: what is behind it is only pretended hardware.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
