//! The calls of a channel's end that have not returned, by the transaction that their answers carry.
//!
//! Who waits knows the slot of its call. An answer knows only the transaction: among few calls it is looked for, among many a
//! roster tells.

use super::message::Message;
use crate::alloc_try::TryPush;
use crate::object::roster::{At, Roster, RosterKey};
use crate::object::Wakes;
use alloc::vec::Vec;
use core::task::{Poll, Waker};
use zx_abi::limits::CHANNEL_KERNEL_TXID;
use zx_abi::{ZxError, ZxResult};

/// No slot.
const NONE: u32 = u32::MAX;

/// Calls in flight.
pub(super) struct Calls {
    slots: Vec<Slot>,
    free: u32,
    used: usize,
    last_txid: u32,
    roster: Roster<Txid>,
}

/// The number of a transaction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Txid(pub(super) u32);

/// Where a call is kept; valid until its outcome was taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct CallName {
    slot: u32,
    pub(super) txid: Txid,
}

enum Slot {
    Free { next: u32 },
    Used(Call),
}

/// A call that has not returned.
struct Call {
    txid: Txid,
    outcome: Option<ZxResult<Message>>,
    waker: Option<Waker>,
}

impl RosterKey for Txid {
    fn words(self) -> [usize; 2] {
        [self.0 as usize, 0]
    }
}

impl Default for Calls {
    fn default() -> Self {
        Self {
            slots: Vec::new(),
            free: NONE,
            used: 0,
            last_txid: 0,
            roster: Roster::new(),
        }
    }
}

impl Calls {
    /// Whether there is none.
    #[inline(always)]
    pub(super) fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// A new call, under a transaction that no other has.
    ///
    /// # Errors
    /// - `NoMemory`: the kernel heap is exhausted.
    pub(super) fn begin(&mut self) -> ZxResult<CallName> {
        if self.free == NONE {
            self.grow()?;
        }
        let txid = self.next_txid();
        let (slot, call) = (
            self.free,
            Call {
                txid,
                outcome: None,
                waker: None,
            },
        );
        let place = &mut self.slots[slot as usize];
        if let Slot::Free { next } = core::mem::replace(place, Slot::Used(call)) {
            self.free = next;
        }
        self.used += 1;
        self.roster.add(slot, txid, At::Back);
        Ok(CallName { slot, txid })
    }

    #[cold]
    fn grow(&mut self) -> ZxResult {
        let slot = u32::try_from(self.slots.len()).map_err(|_| ZxError::NoMemory)?;
        self.slots.try_push(Slot::Free { next: NONE })?;
        self.free = slot;
        let used = (0..)
            .zip(&self.slots)
            .filter_map(|(slot, place)| match place {
                Slot::Used(call) => Some((slot, call.txid, At::Back)),
                Slot::Free { .. } => None,
            });
        self.roster.slab_has_grown(self.slots.len(), used);
        Ok(())
    }

    /// A transaction that no call has.
    fn next_txid(&mut self) -> Txid {
        loop {
            self.last_txid = self.last_txid.wrapping_add(1);
            let txid = Txid(self.last_txid | CHANNEL_KERNEL_TXID);
            if self.is_empty() || self.find(txid).is_none() {
                return txid;
            }
        }
    }

    fn find(&self, txid: Txid) -> Option<usize> {
        if self.roster.is_kept() {
            return self.roster.first(txid).map(|slot| slot as usize);
        }
        let is_it = |place: &Slot| matches!(place, Slot::Used(call) if call.txid == txid);
        self.slots.iter().position(is_it)
    }

    /// Gives a message to the call that waits for it, if one does; whom to wake.
    #[inline(never)]
    pub(super) fn answer(&mut self, message: &mut Message) -> Option<Option<Waker>> {
        let place = self.find(Txid(message.txid()))?;
        match &mut self.slots[place] {
            Slot::Used(call) if call.outcome.is_none() => {
                call.outcome = Some(Ok(message.take()));
                Some(call.waker.take())
            }
            Slot::Used(_) | Slot::Free { .. } => None,
        }
    }

    #[inline(always)]
    fn call(&mut self, name: CallName) -> Option<&mut Call> {
        match self.slots.get_mut(name.slot as usize) {
            Some(Slot::Used(call)) if call.txid == name.txid => Some(call),
            _ => None,
        }
    }

    /// Takes the outcome of a call, if it has one; otherwise whom to wake is remembered.
    #[inline(always)]
    pub(super) fn outcome(&mut self, name: CallName, waker: &Waker) -> Poll<ZxResult<Message>> {
        let Some(call) = self.call(name) else {
            return Poll::Ready(Err(ZxError::BadState));
        };
        if let Some(outcome) = call.outcome.take() {
            self.forget(name);
            return Poll::Ready(outcome);
        }
        let known = &mut call.waker;
        if !known.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *known = Some(waker.clone());
        }
        Poll::Pending
    }

    /// Gives a call up. The answer that it had and nobody took.
    pub(super) fn give_up(&mut self, name: CallName) -> Option<Message> {
        let outcome = self.call(name)?.outcome.take();
        self.forget(name);
        outcome?.ok()
    }

    #[inline(always)]
    fn forget(&mut self, name: CallName) {
        self.roster.remove(name.slot);
        let next = core::mem::replace(&mut self.free, name.slot);
        self.slots[name.slot as usize] = Slot::Free { next };
        self.used -= 1;
    }

    /// Ends every call that has no outcome yet.
    pub(super) fn end_all(&mut self, error: ZxError) -> Wakes {
        let mut wakes = Wakes::none();
        for place in &mut self.slots {
            if let Slot::Used(call) = place {
                if call.outcome.is_none() {
                    call.outcome = Some(Err(error));
                    if let Some(waker) = call.waker.take() {
                        wakes.push(waker);
                    }
                }
            }
        }
        wakes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Begin(usize),
        Answer(usize),
        Take(usize),
        GiveUp(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            2 => prop_oneof![3 => Just(1_usize), 1 => 1..50_usize].prop_map(Step::Begin),
            3 => any::<usize>().prop_map(Step::Answer),
            3 => any::<usize>().prop_map(Step::Take),
            1 => any::<usize>().prop_map(Step::GiveUp),
        ]
    }

    fn answer(txid: Txid) -> Message {
        Message::from_kernel(&txid.0.to_le_bytes(), Vec::new()).unwrap()
    }

    proptest! {
        /// Calls, few and many, find the answers that a list which is searched finds.
        #[test]
        fn calls_agree_with_a_list(steps in prop::collection::vec(step(), 1..150)) {
            kernel_hal_hosted::init();
            let (mut calls, mut model) = (Calls::default(), Vec::<(CallName, bool)>::new());
            for step in steps {
                match step {
                    Step::Begin(count) => for _ in 0..count {
                        let name = calls.begin().unwrap();
                        prop_assert!(model.iter().all(|(known, _)| known.txid != name.txid));
                        model.push((name, false));
                    },
                    Step::Answer(at) if !model.is_empty() => {
                        let at = at % model.len();
                        let (name, answered) = &mut model[at];
                        prop_assert_eq!(calls.answer(&mut answer(name.txid)).is_some(), !*answered);
                        *answered = true;
                    }
                    Step::Take(at) if !model.is_empty() => {
                        let at = at % model.len();
                        let (name, answered) = model[at];
                        match calls.outcome(name, Waker::noop()) {
                            Poll::Pending => prop_assert!(!answered),
                            Poll::Ready(message) => {
                                prop_assert!(answered);
                                prop_assert_eq!(message.unwrap().txid(), name.txid.0);
                                model.swap_remove(at);
                            }
                        }
                    }
                    Step::GiveUp(at) if !model.is_empty() => {
                        let (name, answered) = model.swap_remove(at % model.len());
                        prop_assert_eq!(calls.give_up(name).is_some(), answered);
                        prop_assert!(calls.answer(&mut answer(name.txid)).is_none());
                    }
                    Step::Answer(_) | Step::Take(_) | Step::GiveUp(_) => {}
                }
                prop_assert_eq!(calls.is_empty(), model.is_empty());
            }
        }
    }

    #[test]
    fn ending_all_leaves_the_answers_that_came_before() {
        let mut calls = Calls::default();
        let names = [(); 2].map(|()| calls.begin().unwrap());
        assert!(calls.answer(&mut answer(names[0].txid)).is_some());
        calls.end_all(ZxError::PeerClosed).wake();
        let outcomes = names.map(|name| calls.outcome(name, Waker::noop()));
        assert!(matches!(outcomes[0], Poll::Ready(Ok(_))));
        assert!(matches!(outcomes[1], Poll::Ready(Err(ZxError::PeerClosed))));
    }
}
