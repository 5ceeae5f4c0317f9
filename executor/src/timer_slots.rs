//! The slots of a timer queue: a slab that grows in pieces and never moves a slot
//!
//! The lowest piece with room serves first, so that the last pieces run empty when timers become few; then they are given
//! back.
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
/// Room in the list of pieces that is kept in any case once it was there.
const FEW_PIECES: usize = 4;

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

/// Slots, with the list of those that are free.
struct Piece<T> {
    slots: Box<[Slot<T>; PIECE]>,
    first_free: u32,
    used: u32,
}

pub(crate) struct Slots<T> {
    pieces: Vec<Piece<T>>,
    /// No piece before this one has room.
    roomy: usize,
    /// The generation in which the slots of a new piece begin: past those of all pieces that were given back.
    fresh: u32,
}

impl<T> Slots<T> {
    pub(crate) const fn new() -> Self {
        Self {
            pieces: Vec::new(),
            roomy: 0,
            fresh: 0,
        }
    }

    /// Takes a free slot, or makes one.
    ///
    /// # Errors
    /// * `NoMemory`: the heap is exhausted.
    pub(crate) fn register(&mut self) -> Result<TimerId, NoMemory> {
        let has_room = |piece: &Piece<T>| piece.first_free != NIL;
        let skipped = self.pieces[self.roomy..].iter().position(has_room);
        self.roomy = skipped.map_or(self.pieces.len(), |skipped| self.roomy + skipped);
        if self.roomy == self.pieces.len() {
            self.grow()?;
        }
        let piece = &mut self.pieces[self.roomy];
        let index = piece.first_free;
        let slot = &mut piece.slots[index as usize % PIECE];
        slot.generation = slot.generation.wrapping_add(1);
        piece.first_free = slot.right;
        piece.used += 1;
        let generation = slot.generation;
        Ok(TimerId { index, generation })
    }

    /// Frees a slot that is registered and not armed; gives what it always acted with.
    pub(crate) fn unregister(&mut self, index: u32) -> Payload<T> {
        let number = index as usize / PIECE;
        let piece = &mut self.pieces[number];
        let slot = &mut piece.slots[index as usize % PIECE];
        let payload = core::mem::take(&mut slot.payload);
        slot.generation = slot.generation.wrapping_add(1);
        slot.right = piece.first_free;
        piece.first_free = index;
        piece.used -= 1;
        self.roomy = self.roomy.min(number);
        if piece.used == 0 && number + 1 == self.pieces.len() {
            self.give_back();
        }
        payload
    }

    /// Gives the empty pieces at the end back, and the room in the list of pieces as far as there is memory for a shorter one.
    #[cold]
    fn give_back(&mut self) {
        while let Some(piece) = self.pieces.pop_if(|piece| piece.used == 0) {
            let generations = piece.slots.iter().map(|slot| slot.generation);
            self.fresh = generations.fold(self.fresh, u32::max);
        }
        let room = FEW_PIECES.max(self.pieces.len() * 2);
        let mut shorter = Vec::new();
        if self.pieces.capacity() > room && shorter.try_reserve_exact(room).is_ok() {
            shorter.append(&mut self.pieces);
            self.pieces = shorter;
        }
        self.roomy = self.roomy.min(self.pieces.len());
    }

    /// The index behind a name, unless it is stale.
    #[inline]
    pub(crate) fn index_of(&self, id: TimerId) -> Option<u32> {
        let piece = self.pieces.get(id.index as usize / PIECE)?;
        let slot = &piece.slots[id.index as usize % PIECE];
        (slot.generation == id.generation).then_some(id.index)
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
        &self.pieces[index / PIECE].slots[index % PIECE]
    }

    #[inline]
    pub(crate) fn at_mut(&mut self, index: u32) -> &mut Slot<T> {
        let index = index as usize;
        &mut self.pieces[index / PIECE].slots[index % PIECE]
    }

    /// Adds a piece.
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
            generation: self.fresh,
            height: 0,
            payload: Payload::None,
        }));
        let slots = piece.into_boxed_slice().try_into().map_err(|_| NoMemory)?;
        self.pieces.push(Piece {
            slots,
            first_free: first,
            used: 0,
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slab_that_was_large_for_a_moment_gives_its_pieces_back() {
        let mut slots: Slots<()> = Slots::new();
        let kept = slots.register().unwrap();
        for count in [10, 64, 500, 3000_usize] {
            let mut ids: Vec<_> = (0..count).map(|_| slots.register().unwrap()).collect();
            let pieces = (count + 1).div_ceil(PIECE);
            assert_eq!(slots.pieces.len(), pieces);
            // In another order than they came.
            while !ids.is_empty() {
                let id = ids.swap_remove(ids.len() / 3);
                slots.unregister(slots.index_of(id).unwrap());
            }
            assert_eq!(
                (slots.pieces.len(), slots.pieces.capacity()),
                (1, FEW_PIECES)
            );
        }
        assert_eq!(slots.index_of(kept), Some(0));
    }

    #[test]
    fn a_name_stays_stale_when_its_piece_was_given_back_and_made_anew() {
        let mut slots: Slots<()> = Slots::new();
        let mut stale = Vec::new();
        for _ in 0..5 {
            let ids: Vec<_> = (0..2 * PIECE).map(|_| slots.register().unwrap()).collect();
            assert!(stale.iter().all(|id| slots.index_of(*id).is_none()));
            for id in &ids {
                slots.unregister(slots.index_of(*id).unwrap());
            }
            stale.extend(ids);
            assert!(slots.pieces.is_empty());
            assert!(stale.iter().all(|id| slots.index_of(*id).is_none()));
        }
    }

    #[test]
    fn the_lowest_piece_with_room_serves_first() {
        let mut slots: Slots<()> = Slots::new();
        let ids: Vec<_> = (0..3 * PIECE).map(|_| slots.register().unwrap()).collect();
        for place in [70, 5, 130] {
            slots.unregister(slots.index_of(ids[place]).unwrap());
        }
        let next: Vec<_> = (0..3).map(|_| slots.register().unwrap().index).collect();
        assert_eq!(next, [5, 70, 130]);
        assert_eq!(slots.register().unwrap().index as usize, 3 * PIECE);
    }
}
