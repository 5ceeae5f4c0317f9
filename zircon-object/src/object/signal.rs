//! Signals of one object: an atomic word, and the observers who are told when it changes.
//!
//! The word holds the signals in its low half and one flag, "somebody observes", above them. Changing signals is one atomic
//! operation; only when the flag was set is the list locked. Registering sets the flag by an atomic operation too and then
//! looks at the signals once more, so a change is seen either by the changer (who finds the flag) or by the registrant (who
//! finds the signals): none is lost.

use super::observer_list::ObserverList;
use super::sync::{AtomicU64, Mutex, Ordering};
use super::{Attention, HandleKey, Observer, ObserverToken, Wakes};
use crate::alloc_try::try_box;
use alloc::boxed::Box;
use alloc::sync::Arc;
use zx_abi::{Signals, ZxResult};

const OBSERVED: u64 = 1 << 32;

/// Signals and their observers.
#[derive(Debug)]
pub struct SignalState {
    word: AtomicU64,
    /// Few objects are ever observed: the list is made for the first who does, and stays.
    observers: Mutex<Option<Box<ObserverList>>>,
}

impl SignalState {
    /// These signals, observed by nobody.
    #[must_use]
    pub fn new(signals: Signals) -> Self {
        Self {
            word: AtomicU64::new(u64::from(signals.bits())),
            observers: Mutex::new(None),
        }
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
            // Observers hear of changes only: a second message in a channel is none (`facts/objects.md`, 5.11).
            if new == old {
                return Wakes::none();
            }
            match self
                .word
                .compare_exchange_weak(old, new, Ordering::AcqRel, Ordering::Relaxed)
            {
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
        if let Some(observers) = observers.as_deref_mut() {
            observers.notify(old, new, &mut wakes);
            self.lower_flag_if_empty(observers);
        }
        wakes
    }

    /// Adds an observer who came through `handle` and hears of what `attention` says, and returns the signals as they are after the flag was raised: the caller
    /// looks at them before it sleeps.
    ///
    /// # Errors
    /// - `NoMemory`: the list cannot grow.
    #[inline(always)]
    pub fn observe(
        &self,
        observer: Arc<dyn Observer>,
        item: usize,
        handle: HandleKey,
        attention: Attention,
    ) -> ZxResult<(ObserverToken, Signals)> {
        let mut observers = self.observers.lock();
        let observers = match &mut *observers {
            Some(observers) => observers,
            none => none.insert(try_box(ObserverList::new())?),
        };
        let token = observers.add(observer, item, handle, attention)?;
        let word = self.word.fetch_or(OBSERVED, Ordering::AcqRel);
        Ok((token, signals_of(word)))
    }

    /// Removes an observer; `false` when it had left already. After this returns it is not called any more.
    #[inline]
    pub fn unobserve(&self, token: ObserverToken) -> bool {
        let mut observers = self.observers.lock();
        let Some(observers) = observers.as_deref_mut() else {
            return false;
        };
        let removed = observers.remove(token);
        self.lower_flag_if_empty(observers);
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
        if let Some(observers) = observers.as_deref_mut() {
            let signals = signals_of(word) | Signals::HANDLE_CLOSED;
            observers.cancel_handle(handle, signals, &mut wakes);
            self.lower_flag_if_empty(observers);
        }
        wakes
    }

    /// With the list locked nobody else touches the flag upward, so lowering it cannot hide an observer.
    fn lower_flag_if_empty(&self, observers: &ObserverList) {
        if observers.is_empty() {
            self.word.fetch_and(!OBSERVED, Ordering::AcqRel);
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the low half of the word holds the signals"
)]
#[inline(always)]
fn signals_of(word: u64) -> Signals {
    Signals::from_bits_retain(word as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::observer::Verdict;
    use crate::object::Handle;
    use crate::signal::event::Event;
    use alloc::vec::Vec;
    use std::sync::atomic::AtomicU32;
    use std::sync::Barrier;

    const A: Signals = Signals::USER_0;
    const B: Signals = Signals::USER_1;

    /// Remembers every signal it was told of, and leaves when it sees `until`.
    struct Seen {
        until: Signals,
        seen: AtomicU32,
        calls: AtomicU32,
    }

    impl Seen {
        fn until(until: Signals) -> Arc<Self> {
            Arc::new(Self {
                until,
                seen: AtomicU32::new(0),
                calls: AtomicU32::new(0),
            })
        }
        fn signals(&self) -> Signals {
            Signals::from_bits_retain(self.seen.load(Ordering::SeqCst))
        }
        fn calls(&self) -> u32 {
            self.calls.load(Ordering::SeqCst)
        }
        fn note(&self, signals: Signals) {
            self.seen.fetch_or(signals.bits(), Ordering::SeqCst);
            self.calls.fetch_add(1, Ordering::SeqCst);
        }
    }

    impl Observer for Seen {
        fn notify(&self, _item: usize, _old: Signals, new: Signals, _wakes: &mut Wakes) -> Verdict {
            self.note(new);
            if new.intersects(self.until) {
                Verdict::Remove
            } else {
                Verdict::Keep
            }
        }
        fn cancel(&self, _item: usize, signals: Signals, _wakes: &mut Wakes) {
            self.note(signals);
        }
    }

    fn handle_key() -> HandleKey {
        Handle::new(Event::create().unwrap()).unwrap().key()
    }

    fn is_flagged(state: &SignalState) -> bool {
        state.word.load(Ordering::SeqCst) & OBSERVED != 0
    }

    #[test]
    fn a_bit_that_is_cleared_and_set_ends_set() {
        let state = SignalState::new(A);
        state.change(A | B, A).wake();
        assert_eq!(state.get(), A);
        state.change(A, B).wake();
        assert_eq!(state.get(), B);
    }

    #[test]
    fn registering_returns_the_signals_that_are_there_and_tells_of_later_ones() {
        let (state, observer) = (SignalState::new(A), Seen::until(Signals::empty()));
        let (_, now) = state
            .observe(observer.clone(), 0, handle_key(), Attention::Each)
            .unwrap();
        assert_eq!((now, observer.signals()), (A, Signals::empty()));
        state.change(A, B).wake();
        assert_eq!(observer.signals(), B);
        assert_eq!(state.get(), B, "the flag is no signal");
    }

    #[test]
    fn a_change_that_changes_nothing_tells_nobody() {
        let (state, observer) = (SignalState::new(A), Seen::until(Signals::empty()));
        state
            .observe(observer.clone(), 0, handle_key(), Attention::Each)
            .unwrap();
        state.change(B, A).wake();
        state.change(A, A).wake();
        assert_eq!(observer.calls(), 0);
    }

    #[test]
    fn the_flag_is_up_only_while_somebody_observes() {
        let state = SignalState::new(Signals::empty());
        assert!(!is_flagged(&state));

        let (first, _) = state
            .observe(Seen::until(A), 0, handle_key(), Attention::Each)
            .unwrap();
        let (second, _) = state
            .observe(Seen::until(A), 0, handle_key(), Attention::Each)
            .unwrap();
        assert!(state.unobserve(first));
        assert!(is_flagged(&state));
        assert!(state.unobserve(second));
        assert!(!is_flagged(&state), "after the last one left");
        assert!(!state.unobserve(second));

        state
            .observe(Seen::until(A), 0, handle_key(), Attention::Each)
            .unwrap();
        state.change(Signals::empty(), A).wake();
        assert!(!is_flagged(&state), "after the last one was satisfied");

        let key = handle_key();
        state
            .observe(Seen::until(B), 0, key, Attention::Each)
            .unwrap();
        state.cancel_handle(key).wake();
        assert!(!is_flagged(&state), "after the last one was cancelled");

        assert_eq!(state.get(), A);
    }

    #[test]
    fn cancelling_tells_the_signals_and_handle_closed_and_leaves_other_handles_alone() {
        let (state, key) = (SignalState::new(A), handle_key());
        let (mine, other) = (Seen::until(B), Seen::until(B));
        state
            .observe(mine.clone(), 0, key, Attention::Each)
            .unwrap();
        state
            .observe(other.clone(), 0, handle_key(), Attention::Each)
            .unwrap();
        state.cancel_handle(key).wake();
        assert_eq!(mine.signals(), A | Signals::HANDLE_CLOSED);
        assert_eq!(state.get(), A, "the object itself does not show it");
        state.change(Signals::empty(), B).wake();
        assert_eq!((mine.calls(), other.signals()), (1, A | B));
    }

    #[test]
    fn no_change_is_lost_between_registering_and_looking() {
        const ROUNDS: usize = 2000;
        let start = Barrier::new(2);
        let states: Vec<_> = (0..ROUNDS)
            .map(|_| SignalState::new(Signals::empty()))
            .collect();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for state in &states {
                    start.wait();
                    state.change(Signals::empty(), A).wake();
                    start.wait();
                }
            });
            for (round, state) in states.iter().enumerate() {
                let (observer, key) = (Seen::until(A), handle_key());
                start.wait();
                // Different delays, so that the two meet at different places.
                (0..round % 64).for_each(|_| core::hint::spin_loop());
                let (_, now) = state
                    .observe(observer.clone(), 0, key, Attention::Each)
                    .unwrap();
                start.wait();
                assert!(
                    now.contains(A) || observer.signals().contains(A),
                    "lost in round {round}"
                );
            }
        });
    }

    #[test]
    fn observers_that_come_and_go_on_two_threads_leave_the_flag_down() {
        let state = SignalState::new(Signals::empty());
        let work = || {
            for _ in 0..2000 {
                let (token, _) = state
                    .observe(Seen::until(B), 0, handle_key(), Attention::Each)
                    .unwrap();
                state.change(A, Signals::empty()).wake();
                state.change(Signals::empty(), A).wake();
                assert!(is_flagged(&state));
                assert!(state.unobserve(token));
            }
        };
        std::thread::scope(|scope| {
            scope.spawn(work);
            scope.spawn(work);
        });
        assert!(!is_flagged(&state));
    }
}
