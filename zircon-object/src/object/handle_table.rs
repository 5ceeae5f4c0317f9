//! A process's handles: numbers to objects and rights, in constant time.
//!
//! Slots live in chunks that never move. A handle value is `((generation << 18 | slot) << 2 | 3) ^ mixer`: both low bits are
//! always set, as programs of 2019 and later expect, a freed slot is used again last-in-first-out under its next
//! generation, so a stale value does not find a new handle, and the mixer makes values of two processes differ.

use super::handle::Handle;
use super::{HandleKey, KernelObject, TypedObject};
use crate::alloc_try::TryPush;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use zx_abi::{HandleValue, Rights, Signals, ZxError, ZxResult};

/// Few, since the first ones are made with each process and looked through at its end.
const CHUNK: usize = 32;
const INDEX_BITS: u32 = 18;
const INDEX_MASK: u32 = (1 << INDEX_BITS) - 1;
const GENERATION_MASK: u32 = 0xfff;
const FIXED_BITS: u32 = 3;
const NO_SLOT: u32 = u32::MAX;

/// Handles by value.
#[derive(Debug)]
#[expect(
    clippy::vec_box,
    reason = "growing must not move slots, which are many in a large table"
)]
pub struct HandleTable {
    chunks: Vec<Box<[Slot; CHUNK]>>,
    free: u32,
    mixer: u32,
    count: usize,
}

#[derive(Debug)]
struct Slot {
    generation: u32,
    next_free: u32,
    handle: Option<Handle>,
}

impl HandleTable {
    /// An empty table; `mixer` is a random number.
    #[must_use]
    pub const fn new(mixer: u32) -> Self {
        Self {
            chunks: Vec::new(),
            free: NO_SLOT,
            mixer: mixer & !FIXED_BITS,
            count: 0,
        }
    }

    /// Number of handles.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether it must grow before it takes another handle in.
    #[inline(always)]
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.free == NO_SLOT
    }

    /// Takes a handle in and gives it a value.
    ///
    /// # Errors
    /// - `NoMemory`: the table cannot grow; the handle is closed.
    #[inline(always)]
    pub fn add(&mut self, handle: Handle) -> ZxResult<HandleValue> {
        if self.free == NO_SLOT {
            self.grow()?;
        }
        let index = self.free;
        let slot = self.slot_mut(index).ok_or(ZxError::Internal)?;
        let next = slot.next_free;
        slot.handle = Some(handle);
        let generation = slot.generation;
        self.free = next;
        self.count += 1;
        Ok(self.encode(index, generation))
    }

    /// Room for `count` more without failing. Call before a step that must not fail halfway.
    ///
    /// # Errors
    /// - `NoMemory`: the table cannot grow that much.
    pub fn reserve(&mut self, count: usize) -> ZxResult {
        while self.chunks.len() * CHUNK - self.count < count {
            self.grow()?;
        }
        Ok(())
    }

    /// Takes a handle out.
    ///
    /// # Errors
    /// - `BadHandle`: no such handle.
    #[inline(always)]
    pub fn remove(&mut self, value: HandleValue) -> ZxResult<Handle> {
        let (index, generation) = self.decode(value);
        let free = self.free;
        let slot = self.slot_mut(index).ok_or(ZxError::BadHandle)?;
        if slot.generation != generation {
            return Err(ZxError::BadHandle);
        }
        let handle = slot.handle.take().ok_or(ZxError::BadHandle)?;
        slot.generation = (generation + 1) & GENERATION_MASK;
        slot.next_free = free;
        self.free = index;
        self.count -= 1;
        Ok(handle)
    }

    /// The handle with this value.
    ///
    /// # Errors
    /// - `BadHandle`: no such handle.
    #[inline(always)]
    pub fn find(&self, value: HandleValue) -> ZxResult<&Handle> {
        let (index, generation) = self.decode(value);
        let slot = self
            .chunks
            .get(index as usize / CHUNK)
            .map(|chunk| &chunk[index as usize % CHUNK])
            .ok_or(ZxError::BadHandle)?;
        if slot.generation != generation {
            return Err(ZxError::BadHandle);
        }
        slot.handle.as_ref().ok_or(ZxError::BadHandle)
    }

    /// The object as `T`, when the handle has `rights`.
    ///
    /// # Errors
    /// - `BadHandle`: no such handle.
    /// - `WrongType`: the object is not a `T`.
    /// - `AccessDenied`: a right is missing.
    #[inline(always)]
    pub fn get<T: TypedObject>(&self, value: HandleValue, rights: Rights) -> ZxResult<Arc<T>> {
        self.find(value)?.get::<T>(rights)
    }

    /// The object as `T` and the handle's rights, with no right required.
    ///
    /// # Errors
    /// - `BadHandle`: no such handle.
    /// - `WrongType`: the object is not a `T`.
    pub fn get_with_rights<T: TypedObject>(
        &self,
        value: HandleValue,
    ) -> ZxResult<(Arc<T>, Rights)> {
        let handle = self.find(value)?;
        Ok((handle.get::<T>(Rights::empty())?, handle.rights()))
    }

    /// The object of any type, when the handle has `rights`, with the identity of the handle for waits.
    ///
    /// # Errors
    /// - `BadHandle`: no such handle.
    /// - `AccessDenied`: a right is missing.
    #[inline(always)]
    pub fn get_object(
        &self,
        value: HandleValue,
        rights: Rights,
    ) -> ZxResult<(Arc<dyn KernelObject>, HandleKey)> {
        let handle = self.find(value)?;
        handle.require(rights)?;
        Ok((handle.object().clone(), handle.key()))
    }

    /// What the object of any type shows, when the handle has `rights`.
    ///
    /// # Errors
    /// - `BadHandle`: no such handle.
    /// - `AccessDenied`: a right is missing.
    #[inline(always)]
    pub fn signals_of(&self, value: HandleValue, rights: Rights) -> ZxResult<Signals> {
        let handle = self.find(value)?;
        handle.require(rights)?;
        Ok(handle.object().base().signals().get())
    }

    /// All handles with their values, in slot order.
    pub fn iter(&self) -> impl Iterator<Item = (HandleValue, &Handle)> {
        self.chunks
            .iter()
            .flat_map(|chunk| chunk.iter())
            .enumerate()
            .filter_map(|(index, slot)| {
                let handle = slot.handle.as_ref()?;
                Some((
                    self.encode(u32::try_from(index).ok()?, slot.generation),
                    handle,
                ))
            })
    }

    /// Takes up to `limit` handles out, to be closed by the caller with no lock held; empty when none is left.
    pub fn drain(&mut self, limit: usize) -> Vec<Handle> {
        let mut taken = Vec::new();
        for index in 0..self.chunks.len() * CHUNK {
            if taken.len() == limit || self.count == 0 {
                break;
            }
            let Ok(index) = u32::try_from(index) else {
                break;
            };
            let free = self.free;
            let Some(slot) = self.slot_mut(index) else {
                break;
            };
            let Some(handle) = slot.handle.take() else {
                continue;
            };
            slot.generation = (slot.generation + 1) & GENERATION_MASK;
            slot.next_free = free;
            self.free = index;
            self.count -= 1;
            if taken.try_push(handle).is_err() {
                break;
            }
        }
        taken
    }

    fn grow(&mut self) -> ZxResult {
        let base = u32::try_from(self.chunks.len() * CHUNK).map_err(|_| ZxError::NoMemory)?;
        if base > INDEX_MASK {
            return Err(ZxError::NoMemory);
        }
        let mut chunk = Vec::new();
        chunk
            .try_reserve_exact(CHUNK)
            .map_err(|_| ZxError::NoMemory)?;
        let mut next = self.free;
        for index in (base..).take(CHUNK) {
            chunk.push(Slot {
                generation: 1,
                next_free: if index as usize % CHUNK == CHUNK - 1 {
                    next
                } else {
                    index + 1
                },
                handle: None,
            });
        }
        next = base;
        let chunk = chunk.into_boxed_slice().try_into();
        self.chunks
            .try_push(chunk.map_err(|_| ZxError::NoMemory)?)?;
        self.free = next;
        Ok(())
    }

    fn slot_mut(&mut self, index: u32) -> Option<&mut Slot> {
        self.chunks
            .get_mut(index as usize / CHUNK)
            .map(|chunk| &mut chunk[index as usize % CHUNK])
    }
    const fn encode(&self, index: u32, generation: u32) -> HandleValue {
        ((generation << INDEX_BITS | index) << 2 | FIXED_BITS) ^ self.mixer
    }
    /// Slot and generation that a value names; values whose fixed bits are not set name a slot that does not exist.
    const fn decode(&self, value: HandleValue) -> (u32, u32) {
        if value & FIXED_BITS != FIXED_BITS {
            return (NO_SLOT, 0);
        }
        let raw = (value ^ self.mixer) >> 2;
        (raw & INDEX_MASK, raw >> INDEX_BITS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signal::event::Event;
    use crate::signal::event_pair::EventPair;
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use std::vec;

    const MIXER: u32 = 0xdead_beef;

    fn handle() -> Handle {
        Handle::new(Event::create().unwrap()).unwrap()
    }

    fn koid(handle: &Handle) -> u64 {
        handle.object().base().koid().0
    }

    fn slot(table: &HandleTable, value: HandleValue) -> u32 {
        table.decode(value).0
    }

    #[test]
    fn a_value_finds_its_handle_until_it_is_removed() {
        let mut table = HandleTable::new(MIXER);
        let added = handle();
        let object = koid(&added);
        let value = table.add(added).unwrap();
        assert_eq!(koid(table.find(value).unwrap()), object);
        assert_eq!(koid(&table.remove(value).unwrap()), object);
        assert_eq!(table.find(value).err(), Some(ZxError::BadHandle));
        assert_eq!(table.remove(value).err(), Some(ZxError::BadHandle));
        assert!(table.is_empty());
    }

    #[test]
    fn both_low_bits_of_a_value_are_set_so_none_is_zero() {
        for mixer in [0, u32::MAX, MIXER] {
            let mut table = HandleTable::new(mixer);
            for _ in 0..300 {
                assert_eq!(table.add(handle()).unwrap() & 3, 3);
            }
            assert_eq!(table.find(0).err(), Some(ZxError::BadHandle));
        }
    }

    #[test]
    fn a_value_with_a_low_bit_cleared_or_another_slot_is_bad() {
        let mut table = HandleTable::new(MIXER);
        let value = table.add(handle()).unwrap();
        for wrong in [
            value ^ 1,
            value ^ 2,
            value & !3,
            value ^ 4,
            value ^ (1 << 20),
            !value,
            u32::MAX,
        ] {
            assert_eq!(
                table.find(wrong).err(),
                Some(ZxError::BadHandle),
                "{wrong:#x} for {value:#x}"
            );
            assert_eq!(table.remove(wrong).err(), Some(ZxError::BadHandle));
        }
        assert_eq!(table.len(), 1);
    }

    #[test]
    fn the_slot_freed_last_is_used_first_under_another_value() {
        let mut table = HandleTable::new(MIXER);
        let values: Vec<_> = (0..4).map(|_| table.add(handle()).unwrap()).collect();
        let slots: Vec<_> = values.iter().map(|value| slot(&table, *value)).collect();
        for at in [2, 0, 3] {
            table.remove(values[at]).unwrap();
        }
        for at in [3, 0, 2] {
            let value = table.add(handle()).unwrap();
            assert_eq!(slot(&table, value), slots[at]);
            assert_ne!(value, values[at]);
            assert_eq!(table.find(values[at]).err(), Some(ZxError::BadHandle));
        }
    }

    #[test]
    fn a_slot_repeats_no_value_before_it_was_used_4096_times() {
        let mut table = HandleTable::new(MIXER);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..=GENERATION_MASK {
            let value = table.add(handle()).unwrap();
            assert!(seen.insert(value));
            table.remove(value).unwrap();
        }
        assert!(seen.contains(&table.add(handle()).unwrap()));
    }

    #[test]
    fn tables_with_different_mixers_give_different_values() {
        let (mut one, mut other) = (HandleTable::new(MIXER), HandleTable::new(!MIXER));
        let value = one.add(handle()).unwrap();
        assert_ne!(value, other.add(handle()).unwrap());
        assert_eq!(other.find(value).err(), Some(ZxError::BadHandle));
    }

    #[test]
    fn type_is_checked_before_rights() {
        let mut table = HandleTable::new(MIXER);
        let rights = Rights::WAIT | Rights::DUPLICATE;
        let value = table
            .add(Handle::with_rights(Event::create().unwrap(), rights).unwrap())
            .unwrap();
        assert_eq!(
            table.get::<EventPair>(value, Rights::SIGNAL).err(),
            Some(ZxError::WrongType)
        );
        assert_eq!(
            table.get::<Event>(value, Rights::SIGNAL).err(),
            Some(ZxError::AccessDenied)
        );
        assert_eq!(
            table.get_object(value, Rights::SIGNAL).err(),
            Some(ZxError::AccessDenied)
        );
        assert!(table.get::<Event>(value, rights).is_ok());
        assert_eq!(table.get_with_rights::<Event>(value).unwrap().1, rights);
        assert_eq!(
            table.get::<Event>(value ^ 4, rights).err(),
            Some(ZxError::BadHandle)
        );
    }

    #[test]
    fn handles_are_listed_in_the_order_of_their_slots() {
        let mut table = HandleTable::new(MIXER);
        let values: Vec<_> = (0..200).map(|_| table.add(handle()).unwrap()).collect();
        table.remove(values[7]).unwrap();
        let listed: Vec<_> = table.iter().map(|(value, _)| value).collect();
        assert_eq!(listed, [&values[..7], &values[8..]].concat());
    }

    #[test]
    fn draining_takes_all_in_bounded_steps_and_invalidates_their_values() {
        let mut table = HandleTable::new(MIXER);
        let values: Vec<_> = (0..300).map(|_| table.add(handle()).unwrap()).collect();
        let steps: Vec<_> =
            std::iter::from_fn(|| Some(table.drain(128).len()).filter(|taken| *taken > 0))
                .collect();
        assert_eq!(steps, [128, 128, 44]);
        assert!(table.is_empty() && table.iter().next().is_none());
        assert!(values.iter().all(|value| table.find(*value).is_err()));
        table.add(handle()).unwrap();
    }

    #[test]
    fn dropping_a_table_closes_its_handles() {
        let event = Event::create().unwrap();
        let mut table = HandleTable::new(MIXER);
        for _ in 0..3 {
            table.add(Handle::new(event.clone()).unwrap()).unwrap();
        }
        assert_eq!(event.base().handle_count(), 3);
        drop(table);
        assert_eq!(event.base().handle_count(), 0);
        assert_eq!(Arc::strong_count(&event), 1);
    }

    #[test]
    fn there_is_room_for_262144_handles_and_no_more() {
        let mut table = HandleTable::new(MIXER);
        table.reserve(262_144).unwrap();
        let value = table.add(handle()).unwrap();
        assert_eq!(table.reserve(262_144), Err(ZxError::NoMemory));
        assert_eq!(table.reserve(262_143), Ok(()));
        assert!(table.find(value).is_ok(), "a refusal changes nothing");
        // The last slot has a value like any other.
        let last = table.encode(INDEX_MASK, 1);
        assert_eq!(table.decode(last), (INDEX_MASK, 1));
        assert_eq!(table.find(last).err(), Some(ZxError::BadHandle));
    }

    #[derive(Clone, Debug)]
    enum Step {
        Add,
        Remove(usize),
        UseStale(usize),
        UseAny(u32),
        Reserve(usize),
        Drain(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            8 => Just(Step::Add),
            6 => any::<usize>().prop_map(Step::Remove),
            2 => any::<usize>().prop_map(Step::UseStale),
            1 => any::<u32>().prop_map(Step::UseAny),
            1 => (0..300usize).prop_map(Step::Reserve),
            1 => (0..5usize).prop_map(Step::Drain),
        ]
    }

    proptest! {
        /// The table says the same as a map from values to objects.
        #[test]
        fn slots_agree_with_a_map(mixer: u32, steps in prop::collection::vec(step(), 1..400)) {
            let mut table = HandleTable::new(mixer);
            let (mut model, mut stale) = (BTreeMap::new(), vec![]);
            for step in steps {
                match step {
                    Step::Add => {
                        let handle = handle();
                        let object = koid(&handle);
                        let value = table.add(handle).unwrap();
                        prop_assert!(model.insert(value, object).is_none(), "a value was given twice");
                        prop_assert!(!stale.contains(&value), "a stale value came back");
                    }
                    Step::Remove(at) if !model.is_empty() => {
                        let value = *model.keys().nth(at % model.len()).unwrap();
                        prop_assert_eq!(Some(koid(&table.remove(value).unwrap())), model.remove(&value));
                        stale.push(value);
                    }
                    Step::UseStale(at) if !stale.is_empty() => {
                        let value = stale[at % stale.len()];
                        prop_assert_eq!(table.find(value).err(), Some(ZxError::BadHandle));
                        prop_assert_eq!(table.remove(value).err(), Some(ZxError::BadHandle));
                    }
                    Step::UseAny(value) => prop_assert_eq!(table.find(value).ok().map(koid), model.get(&value).copied()),
                    Step::Reserve(count) => prop_assert!(table.reserve(count).is_ok()),
                    Step::Drain(limit) => {
                        let drained = table.drain(limit);
                        prop_assert_eq!(drained.len(), limit.min(model.len()));
                        for handle in drained {
                            let value = *model.iter().find(|(_, object)| **object == koid(&handle)).unwrap().0;
                            model.remove(&value);
                            stale.push(value);
                        }
                    }
                    Step::Remove(_) | Step::UseStale(_) => {}
                }
                prop_assert_eq!(table.len(), model.len());
            }
            let listed: BTreeMap<_, _> = table.iter().map(|(value, handle)| (value, koid(handle))).collect();
            prop_assert_eq!(listed, model);
        }
    }
}
