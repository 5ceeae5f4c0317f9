//! Signals of one object: an atomic word, and the observers who are told when it changes.
//!
//! The word holds the signals in its low half and one flag, "somebody observes", above them. Changing signals is one atomic
//! operation; only when the flag was set is the list locked. Registering sets the flag by an atomic operation too and then
//! looks at the signals once more, so a change is seen either by the changer (who finds the flag) or by the registrant (who
//! finds the signals): none is lost.

use super::observer::{ObserverList, Place};
use super::{HandleKey, Observer, ObserverToken, Wakes};
use alloc::sync::Arc;
use core::sync::atomic::{AtomicU64, Ordering};
use kernel_hal::sync::Mutex;
use zx_abi::{Signals, ZxResult};

const OBSERVED: u64 = 1 << 32;

/// Signals and their observers.
#[derive(Debug)]
pub struct SignalState {
    word: AtomicU64,
    observers: Mutex<ObserverList>,
}

impl SignalState {
    /// These signals, observed by nobody.
    #[must_use]
    pub fn new(signals: Signals) -> Self {
        Self { word: AtomicU64::new(u64::from(signals.bits())), observers: Mutex::new(ObserverList::new()) }
    }

    /// The signals now.
    #[inline(always)]
    pub fn get(&self) -> Signals {
        signals_of(self.word.load(Ordering::Acquire))
    }

    /// Clears, then sets, in one step. A bit in both masks ends set. Observers are told; call [`Wakes::wake`] on the
    /// result once no lock is held.
    #[inline(always)]
    pub fn change(&self, clear: Signals, set: Signals) -> Wakes {
        let mut old = self.word.load(Ordering::Relaxed);
        let new = loop {
            let new = (old & !u64::from(clear.bits())) | u64::from(set.bits());
            if new == old && old & OBSERVED == 0 {
                return Wakes::none();
            }
            match self.word.compare_exchange_weak(old, new, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => break new,
                Err(current) => old = current,
            }
        };
        if old & OBSERVED == 0 {
            return Wakes::none();
        }
        self.tell(signals_of(old), signals_of(new))
    }

    #[cold]
    #[inline(never)]
    fn tell(&self, old: Signals, new: Signals) -> Wakes {
        let mut wakes = Wakes::none();
        let mut observers = self.observers.lock();
        observers.notify(old, new, &mut wakes);
        self.lower_flag_if_empty(&observers);
        wakes
    }

    /// Adds an observer who came through `handle`, and returns the signals as they are after the flag was raised: the caller
    /// looks at them before it sleeps.
    ///
    /// # Errors
    /// - `NoMemory`: the list cannot grow.
    pub fn observe(&self, observer: Arc<dyn Observer>, item: usize, handle: HandleKey, place: Place) -> ZxResult<(ObserverToken, Signals)> {
        let mut observers = self.observers.lock();
        let token = observers.add(observer, item, handle, place)?;
        let word = self.word.fetch_or(OBSERVED, Ordering::AcqRel);
        Ok((token, signals_of(word)))
    }

    /// Removes an observer; `false` when it had left already. After this returns it is not called any more.
    pub fn unobserve(&self, token: ObserverToken) -> bool {
        let mut observers = self.observers.lock();
        let removed = observers.remove(token);
        self.lower_flag_if_empty(&observers);
        removed
    }

    /// Cancels everyone who came through `handle`, because the handle is gone.
    #[inline(always)]
    pub fn cancel_handle(&self, handle: HandleKey) -> Wakes {
        let word = self.word.load(Ordering::Acquire);
        if word & OBSERVED == 0 {
            return Wakes::none();
        }
        let mut wakes = Wakes::none();
        let mut observers = self.observers.lock();
        observers.cancel_handle(handle, signals_of(word) | Signals::HANDLE_CLOSED, &mut wakes);
        self.lower_flag_if_empty(&observers);
        wakes
    }

    /// Removes every observer for whom `matches` says so; returns how many (`port_cancel`).
    pub fn remove_where(&self, matches: impl FnMut(&Arc<dyn Observer>, HandleKey) -> bool) -> usize {
        let mut observers = self.observers.lock();
        let removed = observers.remove_where(matches);
        self.lower_flag_if_empty(&observers);
        removed
    }

    /// With the list locked nobody else touches the flag upward, so lowering it cannot hide an observer.
    fn lower_flag_if_empty(&self, observers: &ObserverList) {
        if observers.is_empty() {
            self.word.fetch_and(!OBSERVED, Ordering::AcqRel);
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the low half of the word holds the signals")]
#[inline(always)]
fn signals_of(word: u64) -> Signals {
    Signals::from_bits_retain(word as u32)
}
