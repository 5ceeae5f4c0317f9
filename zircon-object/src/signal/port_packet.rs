//! The packets of a port: waits that may fire one day, and packets in the order in which they are to be taken.
//!
//! All of them live in one slab, and the queue links slots of it. A wait's slot becomes its packet's slot, so a wait that
//! fires needs no memory; user packets use slots that were freed before. A slot is named by index and generation together,
//! as a number that an observer list can carry. What can be taken back is found by its [`Origin`]; a slab of many slots keeps a
//! roster for that.

use crate::alloc_try::TryPush;
use crate::object::roster::{At, Roster, RosterKey};
use crate::object::{HandleKey, KernelObject, Koid, ObserverToken};
use alloc::sync::Weak;
use alloc::vec::Vec;
use zx_abi::packet::{PacketSignal, PortPacket};
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

/// What waits and packets are taken back by; those of programs never are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Origin {
    /// A wait through this handle with this key, fired or not.
    Wait(HandleKey, u64),
    /// An interrupt or a pager's VMO.
    Object(Koid),
}

impl RosterKey for Origin {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "these numbers are as wide as a word, and only spread"
    )]
    fn words(self) -> [usize; 2] {
        match self {
            Self::Wait(handle, key) => [handle.number(), key as usize],
            Self::Object(koid) => [koid.0 as usize, usize::MAX],
        }
    }
}

/// Something that was taken back.
#[derive(Clone, Copy, Debug)]
pub(super) enum Withdrawn {
    /// A packet that was queued.
    Packet,
    /// A wait that had not fired, registered there, or just about to be.
    Wait(Option<ObserverToken>),
}

enum Slot {
    Free,
    Armed(Armed),
    Queued(PortPacket, Source),
}

impl Slot {
    fn origin(&self) -> Option<Origin> {
        match self {
            Self::Armed(armed) => Some(Origin::Wait(armed.handle, armed.key)),
            Self::Queued(packet, Source::Wait(handle)) => Some(Origin::Wait(*handle, packet.key)),
            Self::Queued(_, Source::Object(koid)) => Some(Origin::Object(*koid)),
            Self::Queued(_, Source::User) | Self::Free => None,
        }
    }

    #[inline(always)]
    fn is_of(&self, origin: Origin) -> bool {
        match (self, origin) {
            (Self::Armed(armed), Origin::Wait(handle, key)) => {
                armed.key == key && armed.handle == handle
            }
            (Self::Queued(packet, Source::Wait(from)), Origin::Wait(handle, key)) => {
                packet.key == key && *from == handle
            }
            (Self::Queued(_, Source::Object(from)), Origin::Object(koid)) => *from == koid,
            (Self::Armed(_) | Self::Queued(..) | Self::Free, _) => false,
        }
    }
}

struct Cell {
    generation: u32,
    /// The next of the queue, or of the free ones.
    next: u32,
    /// The one before in the queue.
    previous: u32,
    slot: Slot,
}

const NONE: u32 = u32::MAX;

/// Waits and packets.
pub(super) struct PacketSlab {
    cells: Vec<Cell>,
    free: u32,
    head: u32,
    tail: u32,
    queued: usize,
    user: usize,
    /// The last of those at the head that [`PacketSlab::push_first`] put there.
    last_first: u32,
    /// Of all that have an origin.
    roster: Roster<Origin>,
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
            last_first: NONE,
            roster: Roster::new(),
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
        self.file(index);
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
        self.file(index);
        self.append(index as usize);
        Ok(())
    }

    /// Files a slot that has just come into use.
    #[inline(always)]
    fn file(&mut self, index: u32) {
        if self.roster.is_kept() {
            if let Some(origin) = self.cells[index as usize].slot.origin() {
                self.roster.add(index, origin, At::Back);
            }
        }
    }

    /// Takes the first packet of the queue.
    #[inline(always)]
    pub(super) fn pop(&mut self) -> Option<(PortPacket, Source)> {
        let index = self.head;
        let cell = self.cells.get_mut(index as usize)?;
        let Slot::Queued(packet, source) = cell.slot else {
            return None;
        };
        self.unlink(index);
        self.release(index as usize);
        Some((packet, source))
    }

    /// Puts a packet before all that do not come from such a push themselves: those of interrupts overtake the others.
    pub(super) fn push_first(&mut self, packet: PortPacket, source: Source) -> ZxResult {
        let index = self.allocate(Slot::Queued(packet, source))?;
        self.file(index);
        let previous = core::mem::replace(&mut self.last_first, index);
        let next = match self.cells.get(previous as usize) {
            Some(before) => before.next,
            None => self.head,
        };
        self.link(previous, index, next);
        self.queued += 1;
        Ok(())
    }

    /// Whether something of this origin is there.
    pub(super) fn has(&self, origin: Origin) -> bool {
        self.find(origin).is_some()
    }

    /// Something of this origin, and whether there is more of it.
    #[inline(always)]
    fn find(&self, origin: Origin) -> Option<(u32, bool)> {
        if self.roster.is_kept() {
            let first = self.roster.first(origin)?;
            return Some((first, self.roster.next(first).is_some()));
        }
        let mut cells = self.cells.iter();
        let index = cells.position(|cell| cell.slot.is_of(origin))?;
        let more = cells.any(|cell| cell.slot.is_of(origin));
        Some((u32::try_from(index).ok()?, more))
    }

    /// Takes something of this origin back, and says whether there is more of it.
    #[inline(always)]
    pub(super) fn withdraw(&mut self, origin: Origin) -> Option<(Withdrawn, bool)> {
        let (index, more) = self.find(origin)?;
        let withdrawn = match &self.cells[index as usize].slot {
            Slot::Armed(armed) => Withdrawn::Wait(armed.place.as_ref().map(|(_, token)| *token)),
            Slot::Queued(..) => Withdrawn::Packet,
            Slot::Free => return None,
        };
        if matches!(withdrawn, Withdrawn::Packet) {
            self.unlink(index);
        }
        self.release(index as usize);
        Some((withdrawn, more))
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
            previous: NONE,
            slot: Slot::Free,
        })?;
        let filed = (0..).zip(&self.cells);
        let filed = filed.filter_map(|(index, cell)| Some((index, cell.slot.origin()?, At::Back)));
        self.roster.slab_has_grown(self.cells.len(), filed);
        self.cells[index as usize].slot = slot;
        Ok(index)
    }

    #[inline(always)]
    fn append(&mut self, index: usize) {
        let cell = &mut self.cells[index];
        (cell.previous, cell.next) = (self.tail, NONE);
        // Indexes come from `allocate`, which keeps them below `NONE`.
        let link = u32::try_from(index).unwrap_or(NONE);
        match self.cells.get_mut(self.tail as usize) {
            Some(last) => last.next = link,
            None => self.head = link,
        }
        self.tail = link;
        self.queued += 1;
    }

    /// Puts a slot between two neighbours of the queue.
    #[inline(always)]
    fn link(&mut self, previous: u32, index: u32, next: u32) {
        let cell = &mut self.cells[index as usize];
        (cell.previous, cell.next) = (previous, next);
        self.join(previous, index);
        self.join(index, next);
    }

    /// Makes two slots neighbours; `NONE` is the head's left and the tail's right one.
    #[inline(always)]
    fn join(&mut self, left: u32, right: u32) {
        match self.cells.get_mut(left as usize) {
            Some(cell) => cell.next = right,
            None => self.head = right,
        }
        match self.cells.get_mut(right as usize) {
            Some(cell) => cell.previous = left,
            None => self.tail = left,
        }
    }

    #[inline(always)]
    fn unlink(&mut self, index: u32) {
        let cell = &self.cells[index as usize];
        let (previous, next) = (cell.previous, cell.next);
        self.user -= usize::from(matches!(cell.slot, Slot::Queued(_, Source::User)));
        if self.last_first == index {
            self.last_first = previous;
        }
        self.join(previous, next);
        self.queued -= 1;
    }

    #[inline(always)]
    fn release(&mut self, index: usize) {
        let cell = &mut self.cells[index];
        cell.slot = Slot::Free;
        cell.generation = cell.generation.wrapping_add(1);
        cell.next = self.free;
        self.free = u32::try_from(index).unwrap_or(NONE);
        self.roster.remove(self.free);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::object::Handle;
    use crate::signal::Event;
    use alloc::collections::VecDeque;
    use proptest::prelude::*;
    use zx_abi::Status;

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Arm(usize, u64, usize),
        Fire(usize),
        Disarm(usize),
        PushUser,
        PushOf(u64),
        PushFirst(u64),
        Pop,
        Withdraw(usize, u64),
        WithdrawOf(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        let (handle, key, koid) = (0..3_usize, 0..4_u64, 1..4_u64);
        prop_oneof![
            3 => (handle.clone(), key.clone(), prop_oneof![3 => Just(1_usize), 1 => 1..40_usize])
                .prop_map(|(handle, key, count)| Step::Arm(handle, key, count)),
            3 => any::<usize>().prop_map(Step::Fire),
            1 => any::<usize>().prop_map(Step::Disarm),
            1 => Just(Step::PushUser),
            1 => koid.clone().prop_map(Step::PushOf),
            2 => koid.clone().prop_map(Step::PushFirst),
            3 => Just(Step::Pop),
            2 => (handle, key).prop_map(|(handle, key)| Step::Withdraw(handle, key)),
            1 => koid.prop_map(Step::WithdrawOf),
        ]
    }

    /// What the model knows of a packet.
    type Packet = (Source, u64);

    struct Model {
        slab: PacketSlab,
        armed: Vec<(SlotName, HandleKey, u64)>,
        first: VecDeque<Packet>,
        queue: VecDeque<Packet>,
    }

    impl Model {
        /// Takes everything of an origin back, from the slab and from the model, and says whether they agree.
        fn withdraw(&mut self, origin: Origin) -> bool {
            let count = self.armed.len() + self.first.len() + self.queue.len();
            self.armed
                .retain(|(_, handle, key)| Origin::Wait(*handle, *key) != origin);
            let other = |(source, key): &Packet| match *source {
                Source::User => true,
                Source::Wait(handle) => Origin::Wait(handle, *key) != origin,
                Source::Object(koid) => Origin::Object(koid) != origin,
            };
            self.first.retain(other);
            self.queue.retain(other);
            let gone = count - (self.armed.len() + self.first.len() + self.queue.len());
            let has = self.slab.has(origin);
            let found = core::iter::from_fn(|| self.slab.withdraw(origin)).count();
            found == gone && has == (gone > 0)
        }
    }

    proptest! {
        /// The slab, small and large, says the same as queues that are searched.
        #[test]
        fn a_slab_agrees_with_queues(steps in prop::collection::vec(step(), 1..150)) {
            kernel_hal_hosted::init();
            let event = Event::create().unwrap();
            let handles: [Handle; 3] = core::array::from_fn(|_| Handle::new(event.clone()).unwrap());
            let mut model = Model {
                slab: PacketSlab::new(),
                armed: Vec::new(),
                first: VecDeque::new(),
                queue: VecDeque::new(),
            };
            let packet = |key| PortPacket::user(key, Status::OK, [0; 32]);
            for step in steps {
                match step {
                    Step::Arm(handle, key, count) => for _ in 0..count {
                        let handle = handles[handle].key();
                        let (trigger, style) = (Signals::USER_0, Style::default());
                        let name = model.slab.arm(Armed { key, trigger, handle, style, place: None }).unwrap();
                        model.armed.push((name, handle, key));
                    },
                    Step::Fire(at) if !model.armed.is_empty() => {
                        let (name, handle, key) = model.armed.swap_remove(at % model.armed.len());
                        model.slab.fire(name, Signals::USER_0, 1, 0);
                        model.queue.push_back((Source::Wait(handle), key));
                        prop_assert!(model.slab.armed(name).is_none());
                    }
                    Step::Disarm(at) if !model.armed.is_empty() => {
                        let (name, ..) = model.armed.swap_remove(at % model.armed.len());
                        prop_assert!(model.slab.disarm(name) && !model.slab.disarm(name));
                    }
                    Step::Fire(_) | Step::Disarm(_) => {}
                    Step::PushUser => {
                        model.slab.push(packet(9), Source::User).unwrap();
                        model.queue.push_back((Source::User, 9));
                    }
                    Step::PushOf(koid) => {
                        model.slab.push(packet(8), Source::Object(Koid(koid))).unwrap();
                        model.queue.push_back((Source::Object(Koid(koid)), 8));
                    }
                    Step::PushFirst(koid) => {
                        model.slab.push_first(packet(7), Source::Object(Koid(koid))).unwrap();
                        model.first.push_back((Source::Object(Koid(koid)), 7));
                    }
                    Step::Pop => {
                        let expected = model.first.pop_front().or_else(|| model.queue.pop_front());
                        let popped = model.slab.pop().map(|(packet, source)| (source, packet.key));
                        prop_assert_eq!(popped, expected);
                    }
                    Step::Withdraw(handle, key) => {
                        prop_assert!(model.withdraw(Origin::Wait(handles[handle].key(), key)));
                    }
                    Step::WithdrawOf(koid) => prop_assert!(model.withdraw(Origin::Object(Koid(koid)))),
                }
                prop_assert_eq!(model.slab.queued(), model.first.len() + model.queue.len());
                let user = model.queue.iter().filter(|(source, _)| *source == Source::User).count();
                prop_assert_eq!(model.slab.user(), user);
            }
            let left = core::iter::from_fn(|| model.slab.pop()).map(|(packet, source)| (source, packet.key));
            prop_assert!(left.eq(model.first.into_iter().chain(model.queue)));
        }
    }
}
