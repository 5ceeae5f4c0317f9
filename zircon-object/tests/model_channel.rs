//! Channels against a model: two queues of messages, whose handles are counted
#![cfg(test)]

use proptest::prelude::*;
use std::collections::VecDeque;
use std::sync::Arc;
use zircon_object::ipc::channel::{Read, Unfit};
use zircon_object::ipc::message::Handles;
use zircon_object::ipc::{Channel, Message};
use zircon_object::object::{Handle, KernelObject, Koid};
use zircon_object::signal::Event;
use zx_abi::{Signals, ZxError};

#[derive(Clone, Debug)]
enum Op {
    /// An end sends so many bytes and handles to new events.
    Write(usize, usize, usize),
    /// An end sends on the handles that it has read.
    PassOn(usize),
    /// An end reads with room for so many bytes and handles.
    Read(usize, usize, usize, Unfit),
    /// An end's last handle goes.
    Close(usize),
}

fn op() -> impl Strategy<Value = Op> {
    let end = 0..2usize;
    let unfit = prop_oneof![3 => Just(Unfit::Keep), 1 => Just(Unfit::Discard)];
    prop_oneof![
        10 => (end.clone(), 0..300usize, 0..4usize).prop_map(|(end, bytes, handles)| Op::Write(end, bytes, handles)),
        3 => end.clone().prop_map(Op::PassOn),
        10 => (end.clone(), 0..400usize, 0..5usize, unfit).prop_map(|(end, bytes, handles, unfit)| Op::Read(end, bytes, handles, unfit)),
        1 => end.prop_map(Op::Close),
    ]
}

/// What a message carries: its bytes, and the koids of what its handles lead to.
type Content = (Vec<u8>, Vec<Koid>);

#[derive(Default)]
struct Model {
    queues: [VecDeque<Content>; 2],
    closed: [bool; 2],
}

/// What a read gives.
#[derive(PartialEq, Debug)]
enum Got {
    Message(Content),
    TooSmall(usize, usize),
    Error(ZxError),
}

impl Model {
    fn write(&mut self, end: usize, content: Content) -> Result<(), ZxError> {
        if self.closed[1 - end] {
            return Err(ZxError::PeerClosed);
        }
        self.queues[1 - end].push_back(content);
        Ok(())
    }

    fn read(&mut self, end: usize, bytes: usize, handles: usize, unfit: Unfit) -> Got {
        let queue = &mut self.queues[end];
        let Some((data, koids)) = queue.front() else {
            return Got::Error(if self.closed[1 - end] {
                ZxError::PeerClosed
            } else {
                ZxError::ShouldWait
            });
        };
        let size = (data.len(), koids.len());
        if size.0 <= bytes && size.1 <= handles {
            return Got::Message(queue.pop_front().unwrap());
        }
        if unfit == Unfit::Discard {
            queue.pop_front();
        }
        Got::TooSmall(size.0, size.1)
    }

    fn signals(&self, end: usize) -> Signals {
        let mut signals = Signals::empty();
        signals.set(Signals::READABLE, !self.queues[end].is_empty());
        signals.set(Signals::WRITABLE, !self.closed[1 - end]);
        signals.set(Signals::PEER_CLOSED, self.closed[1 - end]);
        signals
    }

    /// How many handles to an object are on their way.
    fn on_the_way(&self, koid: Koid) -> usize {
        let koids = self.queues.iter().flatten().flat_map(|(_, koids)| koids);
        koids.filter(|&&other| other == koid).count()
    }
}

fn koids(handles: &[Handle]) -> Vec<Koid> {
    handles
        .iter()
        .map(|handle| handle.object().base().koid())
        .collect()
}

fn play(ops: Vec<Op>) -> Result<(), TestCaseError> {
    kernel_hal_hosted::init();
    let (first, second) = Channel::create().unwrap();
    let ends: [Arc<Channel>; 2] = [first, second];
    let mut holders = ends.clone().map(|end| Some(Handle::new(end).unwrap()));
    let mut model = Model::default();
    let mut events: Vec<Arc<Event>> = Vec::new();
    let mut in_hand: [Vec<Handle>; 2] = Default::default();
    let mut next = 0u8;
    for op in ops {
        let (Op::Write(end, ..) | Op::PassOn(end) | Op::Read(end, ..) | Op::Close(end)) = op;
        if model.closed[end] {
            continue;
        }
        match op {
            Op::Write(_, len, count) => {
                next = next.wrapping_add(1);
                let made: Vec<_> = (0..count).map(|_| Event::create().unwrap()).collect();
                events.extend(made.iter().cloned());
                let handles: Vec<_> = made
                    .into_iter()
                    .map(|event| Handle::new(event).unwrap())
                    .collect();
                send(&ends, &mut model, end, vec![next; len], handles)?;
            }
            Op::PassOn(_) => {
                let handles = std::mem::take(&mut in_hand[end]);
                send(&ends, &mut model, end, b"on".to_vec(), handles)?;
            }
            Op::Read(_, bytes, handles, unfit) => {
                let got = match ends[end].read(bytes, handles, unfit) {
                    Ok(Read::Message(mut message)) => {
                        let handles = match message.unload() {
                            Handles::None => Vec::new(),
                            Handles::One(handle) => vec![handle],
                            Handles::Many(handles) => handles,
                        };
                        let data = message.bytes().to_vec();
                        let koids = koids(&handles);
                        in_hand[end].extend(handles);
                        Got::Message((data, koids))
                    }
                    Ok(Read::TooSmall { bytes, handles }) => Got::TooSmall(bytes, handles),
                    Err(error) => Got::Error(error),
                };
                prop_assert_eq!(got, model.read(end, bytes, handles, unfit));
            }
            Op::Close(_) => {
                holders[end] = None;
                model.closed[end] = true;
                model.queues[end].clear();
            }
        }
        for end in (0..2).filter(|&end| !model.closed[end]) {
            prop_assert_eq!(ends[end].base().signals().get(), model.signals(end));
            prop_assert_eq!(ends[end].message_count(), model.queues[end].len());
            prop_assert_eq!(ends[end].peer_is_gone(), model.closed[1 - end]);
        }
        for event in &events {
            let koid = event.base().koid();
            let held = in_hand
                .iter()
                .flatten()
                .filter(|handle| handle.object().base().koid() == koid);
            let expected = held.count() + model.on_the_way(koid);
            prop_assert_eq!(event.base().handle_count() as usize, expected);
        }
    }
    drop((holders, in_hand));
    for event in &events {
        prop_assert_eq!(
            event.base().handle_count(),
            0,
            "unread messages closed theirs"
        );
    }
    prop_assert!(ends.iter().all(|end| end.base().handle_count() == 0));
    Ok(())
}

/// Sends, in both worlds; a message that cannot be sent takes its handles along.
fn send(
    ends: &[Arc<Channel>; 2],
    model: &mut Model,
    end: usize,
    bytes: Vec<u8>,
    handles: Vec<Handle>,
) -> Result<(), TestCaseError> {
    let content = (bytes.clone(), koids(&handles));
    let message = Message::from_kernel(&bytes, handles).unwrap();
    let sent = ends[end].write(message).map(|_| ());
    prop_assert_eq!(sent, model.write(end, content));
    Ok(())
}

proptest! {
    #[test]
    fn channels_do_what_two_queues_of_messages_would(ops in prop::collection::vec(op(), 1..80)) {
        play(ops)?;
    }
}
