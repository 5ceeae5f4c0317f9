//! The packets of a port: waits that may fire one day, and packets in the order in which they are to be taken.
//!
//! All of them live in one slab, and the queue links slots of it. A wait's slot becomes its packet's slot, so a wait that
//! fires needs no memory; user packets use slots that were freed before. A slot is named by index and generation together,
//! as a number that an observer list can carry.

use crate::alloc_try::TryPush;
use crate::object::{HandleKey, KernelObject, Koid, ObserverToken};
use alloc::sync::Weak;
use alloc::vec::Vec;
use zx_abi::packet::{PacketSignal, PacketType, PortPacket};
use zx_abi::{Signals, ZxError, ZxResult};

/// A wait that has not fired.
pub(super) struct Armed {
    pub(super) key: u64,
    pub(super) trigger: Signals,
    pub(super) handle: HandleKey,
    pub(super) style: Style,
    /// Where it is registered, so that it can be taken back; known a moment after the slot is made.
    pub(super) place: Option<(Weak<dyn KernelObject>, ObserverToken)>,
}

/// How a wait fires.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Style {
    /// When.
    pub edge: Edge,
    /// What its packet says of the time.
    pub stamp: Stamp,
}

/// When a wait fires.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Edge {
    /// When a wanted signal is set, also when it was already.
    #[default]
    Level,
    /// When a wanted signal becomes set (ZX_WAIT_ASYNC_EDGE).
    Rising,
}

/// Whether a packet tells when it was queued.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Stamp {
    /// It says 0.
    #[default]
    None,
    /// It does (ZX_WAIT_ASYNC_TIMESTAMP).
    Time,
}

/// Where a packet came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Source {
    /// `port_queue`.
    User,
    /// A wait through this handle.
    Wait(HandleKey),
    /// An interrupt or a pager's VMO.
    Object(Koid),
}

enum Slot {
    Free,
    Armed(Armed),
    Queued(PortPacket, Source),
}

struct Cell {
    generation: u32,
    next: u32,
    slot: Slot,
}

const NONE: u32 = u32::MAX;

/// Whether the packet overtakes others.
fn is_first(packet: &PortPacket) -> bool {
    packet.packet_type() == Some(PacketType::Interrupt)
}

/// Waits and packets.
pub(super) struct PacketSlab {
    cells: Vec<Cell>,
    free: u32,
    head: u32,
    tail: u32,
    queued: usize,
    user: usize,
    /// Packets at the head that [`PacketSlab::push_first`] put there.
    first: usize,
}

/// Names a slot; a number that an observer list carries as its item.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct SlotName(pub(super) usize);

impl SlotName {
    fn new(index: u32, generation: u32) -> Self {
        Self((generation as usize) << 32 | index as usize)
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "index and generation are the halves of the number"
    )]
    fn split(self) -> (usize, u32) {
        (self.0 & u32::MAX as usize, (self.0 >> 32) as u32)
    }
}

impl PacketSlab {
    pub(super) const fn new() -> Self {
        Self {
            cells: Vec::new(),
            free: NONE,
            head: NONE,
            tail: NONE,
            queued: 0,
            user: 0,
            first: 0,
        }
    }

    /// Packets in the queue.
    pub(super) fn queued(&self) -> usize {
        self.queued
    }
    /// Packets from `port_queue` in the queue.
    pub(super) fn user(&self) -> usize {
        self.user
    }

    /// Makes a slot for a wait.
    pub(super) fn arm(&mut self, armed: Armed) -> ZxResult<SlotName> {
        let index = self.allocate(Slot::Armed(armed))?;
        Ok(SlotName::new(index, self.cells[index as usize].generation))
    }

    /// The wait in a slot, if it has not fired or been cancelled.
    pub(super) fn armed(&mut self, name: SlotName) -> Option<&mut Armed> {
        let (index, generation) = name.split();
        match self.cells.get_mut(index) {
            Some(Cell {
                generation: current,
                slot: Slot::Armed(armed),
                ..
            }) if *current == generation => Some(armed),
            _ => None,
        }
    }

    /// Frees the slot of a wait that has not fired; whether there was one.
    pub(super) fn disarm(&mut self, name: SlotName) -> bool {
        let found = self.armed(name).is_some();
        if found {
            self.release(name.split().0);
        }
        found
    }

    /// Turns a wait into its packet, at the end of the queue.
    pub(super) fn fire(&mut self, name: SlotName, observed: Signals, count: u64, timestamp: i64) {
        let Some(armed) = self.armed(name) else {
            return;
        };
        let signal = PacketSignal {
            trigger: armed.trigger,
            observed,
            count,
            timestamp: timestamp.cast_unsigned(),
            ..Default::default()
        };
        let (packet, source) = (
            PortPacket::signal_one(armed.key, signal),
            Source::Wait(armed.handle),
        );
        let index = name.split().0;
        self.cells[index].slot = Slot::Queued(packet, source);
        self.append(index);
    }

    /// Puts a packet at the end of the queue.
    #[inline(always)]
    pub(super) fn push(&mut self, packet: PortPacket, source: Source) -> ZxResult {
        let index = self.allocate(Slot::Queued(packet, source))?;
        self.user += usize::from(source == Source::User);
        self.append(index as usize);
        Ok(())
    }

    /// Takes the first packet of the queue.
    #[inline(always)]
    pub(super) fn pop(&mut self) -> Option<(PortPacket, Source)> {
        let index = self.head;
        let cell = self.cells.get_mut(index as usize)?;
        let Slot::Queued(packet, source) = cell.slot else {
            return None;
        };
        self.unlink(NONE, index);
        self.release(index as usize);
        Some((packet, source))
    }

    /// Puts a packet before all that do not come from such a push themselves: those of interrupts overtake the others.
    pub(super) fn push_first(&mut self, packet: PortPacket, source: Source) -> ZxResult {
        let index = self.allocate(Slot::Queued(packet, source))?;
        let mut previous = NONE;
        for _ in 0..self.first {
            previous = self.next_of(previous);
        }
        let next = self.next_of(previous);
        self.cells[index as usize].next = next;
        match self.cells.get_mut(previous as usize) {
            Some(before) => before.next = index,
            None => self.head = index,
        }
        if next == NONE {
            self.tail = index;
        }
        self.queued += 1;
        self.first += 1;
        Ok(())
    }

    /// The packet after this one in the queue; the head after none.
    fn next_of(&self, index: u32) -> u32 {
        self.cells
            .get(index as usize)
            .map_or(self.head, |cell| cell.next)
    }

    /// Whether a packet from `source` is queued.
    pub(super) fn has(&self, source: Source) -> bool {
        let mut index = self.head;
        while let Some(cell) = self.cells.get(index as usize) {
            if matches!(&cell.slot, Slot::Queued(_, from) if *from == source) {
                return true;
            }
            index = cell.next;
        }
        false
    }

    /// Removes packets of waits through `handle` with this key; how many.
    pub(super) fn remove_fired(&mut self, handle: HandleKey, key: u64) -> usize {
        self.remove_where(|packet, source| packet.key == key && source == Source::Wait(handle))
    }

    /// Removes packets for which `matches` says so; how many.
    pub(super) fn remove_where(&mut self, matches: impl Fn(&PortPacket, Source) -> bool) -> usize {
        let (mut previous, mut index, mut removed) = (NONE, self.head, 0);
        while let Some(cell) = self.cells.get(index as usize) {
            let next = cell.next;
            if matches!(&cell.slot, Slot::Queued(packet, source) if matches(packet, *source)) {
                self.unlink(previous, index);
                self.release(index as usize);
                removed += 1;
            } else {
                previous = index;
            }
            index = next;
        }
        removed
    }

    /// Empties the slab. Gives back where waits are still registered.
    pub(super) fn close(
        &mut self,
    ) -> impl Iterator<Item = (Weak<dyn KernelObject>, ObserverToken)> {
        core::mem::replace(self, Self::new())
            .cells
            .into_iter()
            .filter_map(|cell| match cell.slot {
                Slot::Armed(armed) => armed.place,
                Slot::Queued(..) | Slot::Free => None,
            })
    }

    #[inline(always)]
    fn allocate(&mut self, slot: Slot) -> ZxResult<u32> {
        if let Some(cell) = self.cells.get_mut(self.free as usize) {
            let index = core::mem::replace(&mut self.free, cell.next);
            (cell.slot, cell.next) = (slot, NONE);
            return Ok(index);
        }
        let index = u32::try_from(self.cells.len())
            .ok()
            .filter(|index| *index != NONE)
            .ok_or(ZxError::NoMemory)?;
        self.cells.try_push(Cell {
            generation: 0,
            next: NONE,
            slot,
        })?;
        Ok(index)
    }

    #[inline(always)]
    fn append(&mut self, index: usize) {
        self.cells[index].next = NONE;
        // Indexes come from `allocate`, which keeps them below `NONE`.
        let link = u32::try_from(index).unwrap_or(NONE);
        match self.cells.get_mut(self.tail as usize) {
            Some(last) => last.next = link,
            None => self.head = link,
        }
        self.tail = link;
        self.queued += 1;
    }

    #[inline(always)]
    fn unlink(&mut self, previous: u32, index: u32) {
        let cell = &self.cells[index as usize];
        let next = cell.next;
        self.user -= usize::from(matches!(cell.slot, Slot::Queued(_, Source::User)));
        self.first -=
            usize::from(matches!(&cell.slot, Slot::Queued(packet, _) if is_first(packet)));
        match self.cells.get_mut(previous as usize) {
            Some(before) => before.next = next,
            None => self.head = next,
        }
        if self.tail == index {
            self.tail = previous;
        }
        self.queued -= 1;
    }

    #[inline(always)]
    fn release(&mut self, index: usize) {
        let cell = &mut self.cells[index];
        cell.slot = Slot::Free;
        cell.generation = cell.generation.wrapping_add(1);
        cell.next = self.free;
        self.free = u32::try_from(index).unwrap_or(NONE);
    }
}
