//! The slots of a timer queue: a slab that grows in pieces and never moves a slot
use alloc::boxed::Box;
use alloc::vec::Vec;

use crate::NoMemory;

/// Names a registered slot. A name that was unregistered is stale for good: every operation ignores it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TimerId {
    index: u32,
    generation: u32,
}

/// No slot.
pub(crate) const NIL: u32 = u32::MAX;

/// Slots are allocated so many at a time, so that growing costs the same however many there are.
const PIECE: usize = 64;

/// A timer: a node of the tree while it is armed.
pub(crate) struct Slot<T> {
    pub(crate) deadline: i64,
    pub(crate) left: u32,
    /// The right child; in a free slot the next free one.
    pub(crate) right: u32,
    pub(crate) parent: u32,
    /// Odd while registered.
    generation: u32,
    /// 0 while not armed.
    pub(crate) height: u8,
    /// What the timer is armed with, or always has.
    pub(crate) payload: Payload<T>,
}

/// What a timer acts with.
#[derive(Debug, Default)]
pub(crate) enum Payload<T> {
    /// Nothing: the timer is not armed.
    #[default]
    None,
    /// What it was armed with, this once.
    Once(T),
    /// What it acts with whenever it is armed.
    Standing(T),
}

pub(crate) struct Slots<T> {
    pieces: Vec<Box<[Slot<T>; PIECE]>>,
    first_free: u32,
}

impl<T> Slots<T> {
    pub(crate) const fn new() -> Self {
        Self {
            pieces: Vec::new(),
            first_free: NIL,
        }
    }

    /// Takes a free slot, or makes one.
    ///
    /// # Errors
    /// * `NoMemory`: the heap is exhausted.
    pub(crate) fn register(&mut self) -> Result<TimerId, NoMemory> {
        if self.first_free == NIL {
            self.grow()?;
        }
        let index = self.first_free;
        let slot = self.at_mut(index);
        slot.generation = slot.generation.wrapping_add(1);
        let generation = slot.generation;
        self.first_free = slot.right;
        Ok(TimerId { index, generation })
    }

    /// Frees a slot that is registered and not armed; gives what it always acted with.
    pub(crate) fn unregister(&mut self, index: u32) -> Payload<T> {
        let first_free = self.first_free;
        let slot = self.at_mut(index);
        let payload = core::mem::take(&mut slot.payload);
        slot.generation = slot.generation.wrapping_add(1);
        slot.right = first_free;
        self.first_free = index;
        payload
    }

    /// The index behind a name, unless it is stale.
    #[inline]
    pub(crate) fn index_of(&self, id: TimerId) -> Option<u32> {
        (self.at(id.index).generation == id.generation).then_some(id.index)
    }

    /// The name of a registered slot.
    #[inline]
    pub(crate) fn id_of(&self, index: u32) -> TimerId {
        TimerId {
            index,
            generation: self.at(index).generation,
        }
    }

    #[inline]
    pub(crate) fn at(&self, index: u32) -> &Slot<T> {
        let index = index as usize;
        &self.pieces[index / PIECE][index % PIECE]
    }

    #[inline]
    pub(crate) fn at_mut(&mut self, index: u32) -> &mut Slot<T> {
        let index = index as usize;
        &mut self.pieces[index / PIECE][index % PIECE]
    }

    /// Adds a piece of slots to the (empty) free list.
    ///
    /// # Errors
    /// * `NoMemory`: the heap is exhausted, or there are no numbers for more.
    fn grow(&mut self) -> Result<(), NoMemory> {
        let first = u32::try_from(self.pieces.len() * PIECE).map_err(|_| NoMemory)?;
        let piece_len = u32::try_from(PIECE).map_err(|_| NoMemory)?;
        let end = first.checked_add(piece_len).ok_or(NoMemory)?;
        self.pieces.try_reserve(1).map_err(|_| NoMemory)?;
        let mut piece = Vec::new();
        piece.try_reserve_exact(PIECE).map_err(|_| NoMemory)?;
        piece.extend((first..end).map(|index| Slot {
            deadline: 0,
            left: NIL,
            right: if index + 1 == end { NIL } else { index + 1 },
            parent: NIL,
            generation: 0,
            height: 0,
            payload: Payload::None,
        }));
        let piece = piece.into_boxed_slice().try_into().map_err(|_| NoMemory)?;
        self.pieces.push(piece);
        self.first_free = first;
        Ok(())
    }
}
