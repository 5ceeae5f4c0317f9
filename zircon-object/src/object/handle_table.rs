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
use zx_abi::{HandleValue, Rights, ZxError, ZxResult};

const CHUNK: usize = 128;
const INDEX_BITS: u32 = 18;
const INDEX_MASK: u32 = (1 << INDEX_BITS) - 1;
const GENERATION_MASK: u32 = 0xfff;
const FIXED_BITS: u32 = 3;
const NO_SLOT: u32 = u32::MAX;

/// Handles by value.
#[derive(Debug)]
pub struct HandleTable {
    chunks: Vec<Box<[Slot]>>,
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
        Self { chunks: Vec::new(), free: NO_SLOT, mixer: mixer & !FIXED_BITS, count: 0 }
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

    /// Takes a handle in and gives it a value.
    ///
    /// # Errors
    /// - `NoMemory`: the table cannot grow; the handle is closed.
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
        let slot = self.chunks.get(index as usize / CHUNK).map(|chunk| &chunk[index as usize % CHUNK]).ok_or(ZxError::BadHandle)?;
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
    pub fn get_with_rights<T: TypedObject>(&self, value: HandleValue) -> ZxResult<(Arc<T>, Rights)> {
        let handle = self.find(value)?;
        Ok((handle.get::<T>(Rights::empty())?, handle.rights()))
    }

    /// The object of any type, when the handle has `rights`, with the identity of the handle for waits.
    ///
    /// # Errors
    /// - `BadHandle`: no such handle.
    /// - `AccessDenied`: a right is missing.
    #[inline(always)]
    pub fn get_object(&self, value: HandleValue, rights: Rights) -> ZxResult<(Arc<dyn KernelObject>, HandleKey)> {
        let handle = self.find(value)?;
        handle.require(rights)?;
        Ok((handle.object().clone(), handle.key()))
    }

    /// All handles with their values, in slot order.
    pub fn iter(&self) -> impl Iterator<Item = (HandleValue, &Handle)> {
        self.chunks.iter().flat_map(|chunk| chunk.iter()).enumerate().filter_map(|(index, slot)| {
            let handle = slot.handle.as_ref()?;
            Some((self.encode(u32::try_from(index).ok()?, slot.generation), handle))
        })
    }

    /// Takes up to `limit` handles out, to be closed by the caller with no lock held; empty when none is left.
    pub fn drain(&mut self, limit: usize) -> Vec<Handle> {
        let mut taken = Vec::new();
        for index in 0..self.chunks.len() * CHUNK {
            if taken.len() == limit || self.count == 0 {
                break;
            }
            let Ok(index) = u32::try_from(index) else { break };
            let free = self.free;
            let Some(slot) = self.slot_mut(index) else { break };
            let Some(handle) = slot.handle.take() else { continue };
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
        chunk.try_reserve_exact(CHUNK).map_err(|_| ZxError::NoMemory)?;
        let mut next = self.free;
        for index in (base..).take(CHUNK) {
            chunk.push(Slot { generation: 1, next_free: if index as usize % CHUNK == CHUNK - 1 { next } else { index + 1 }, handle: None });
        }
        next = base;
        self.chunks.try_push(chunk.into_boxed_slice())?;
        self.free = next;
        Ok(())
    }

    fn slot_mut(&mut self, index: u32) -> Option<&mut Slot> {
        self.chunks.get_mut(index as usize / CHUNK).map(|chunk| &mut chunk[index as usize % CHUNK])
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
