//! FIFOs against a model: two queues of elements, and what both ends show after every step
#![cfg(test)]

use proptest::prelude::*;
use std::collections::VecDeque;
use std::sync::Arc;
use zircon_object::ipc::{Fifo, Removed};
use zircon_object::object::{Handle, KernelObject};
use zx_abi::{Signals, ZxError};

#[derive(Clone, Debug)]
enum Op {
    /// An end writes so many elements.
    Write(usize, usize),
    /// An end reads at most so many elements.
    Read(usize, usize),
    /// An end looks at so many elements, is overtaken by another reader of one, and tries to remove them.
    Race(usize, usize),
    /// An end's last handle goes.
    Close(usize),
}

fn op() -> impl Strategy<Value = Op> {
    let end = 0..2usize;
    prop_oneof![
        8 => (end.clone(), 0..12usize).prop_map(|(end, count)| Op::Write(end, count)),
        8 => (end.clone(), 0..12usize).prop_map(|(end, count)| Op::Read(end, count)),
        2 => (end.clone(), 1..4usize).prop_map(|(end, count)| Op::Race(end, count)),
        1 => end.prop_map(Op::Close),
    ]
}

/// What both ends should be: the queue that each reads from, and whether it is open.
struct Model {
    capacity: usize,
    queues: [VecDeque<Vec<u8>>; 2],
    open: [bool; 2],
}

impl Model {
    fn write(&mut self, end: usize, elements: &[Vec<u8>]) -> Result<usize, ZxError> {
        let queue = &mut self.queues[1 - end];
        let count = elements.len().min(self.capacity - queue.len());
        if !self.open[1 - end] {
            Err(ZxError::PeerClosed)
        } else if elements.is_empty() {
            Err(ZxError::OutOfRange)
        } else if count == 0 {
            Err(ZxError::ShouldWait)
        } else {
            queue.extend(elements[..count].iter().cloned());
            Ok(count)
        }
    }

    fn read(&mut self, end: usize, count: usize) -> Result<Vec<u8>, ZxError> {
        let queue = &mut self.queues[end];
        if count == 0 {
            return Err(ZxError::OutOfRange);
        }
        if queue.is_empty() {
            return Err(if self.open[1 - end] {
                ZxError::ShouldWait
            } else {
                ZxError::PeerClosed
            });
        }
        let count = count.min(queue.len());
        Ok(queue.drain(..count).flatten().collect())
    }

    fn signals(&self, end: usize) -> Signals {
        let mut signals = Signals::empty();
        let peer = self.open[1 - end];
        signals.set(Signals::READABLE, !self.queues[end].is_empty());
        signals.set(
            Signals::WRITABLE,
            peer && self.queues[1 - end].len() < self.capacity,
        );
        signals.set(Signals::PEER_CLOSED, !peer);
        signals
    }
}

/// As the syscall does it: what can be written is asked first.
fn write(fifo: &Fifo, size: usize, elements: &[Vec<u8>]) -> Result<usize, ZxError> {
    let bytes = fifo.writable(size, elements.len())?;
    fifo.write(&elements.concat()[..bytes])
}

fn read(fifo: &Fifo, size: usize, count: usize) -> Result<Vec<u8>, ZxError> {
    let mut bytes = vec![0; size * count];
    let seen = fifo.peek(size, count, &mut bytes)?;
    assert_eq!(fifo.remove(seen), Removed::Yes);
    bytes.truncate(seen.bytes);
    Ok(bytes)
}

fn play(capacity: usize, size: usize, ops: Vec<Op>) -> Result<(), TestCaseError> {
    kernel_hal_hosted::init();
    let (first, second) = Fifo::create(capacity, size).unwrap();
    let ends: [Arc<Fifo>; 2] = [first, second];
    let mut handles = ends.clone().map(|end| Some(Handle::new(end).unwrap()));
    let mut model = Model {
        capacity,
        queues: Default::default(),
        open: [true; 2],
    };
    let mut next = 0u8;
    for op in ops {
        let end = match op {
            Op::Write(end, _) | Op::Read(end, _) | Op::Race(end, _) | Op::Close(end) => end,
        };
        if !model.open[end] {
            continue;
        }
        match op {
            Op::Write(_, count) => {
                let elements: Vec<_> = (0..count)
                    .map(|_| {
                        next = next.wrapping_add(1);
                        vec![next; size]
                    })
                    .collect();
                prop_assert_eq!(
                    write(&ends[end], size, &elements),
                    model.write(end, &elements)
                );
                prop_assert_eq!(
                    ends[end].writable(size + 1, count),
                    Err(if model.open[1 - end] {
                        ZxError::OutOfRange
                    } else {
                        ZxError::PeerClosed
                    })
                );
            }
            Op::Read(_, count) => {
                prop_assert_eq!(read(&ends[end], size, count), model.read(end, count));
            }
            Op::Race(_, count) => {
                let mut bytes = vec![0; size * count];
                let seen = ends[end].peek(size, count, &mut bytes);
                let stolen = read(&ends[end], size, 1);
                prop_assert_eq!(seen.is_ok(), stolen.is_ok());
                prop_assert_eq!(stolen, model.read(end, 1));
                if let Ok(seen) = seen {
                    prop_assert_eq!(ends[end].remove(seen), Removed::Overtaken);
                }
            }
            Op::Close(_) => {
                handles[end] = None;
                model.open[end] = false;
                model.queues[end].clear();
            }
        }
        for (end, fifo) in ends.iter().enumerate() {
            let open = model.open[end];
            if open {
                prop_assert_eq!(fifo.base().signals().get(), model.signals(end));
            }
            prop_assert_eq!(fifo.base().handle_count(), u32::from(open));
        }
    }
    drop(handles);
    prop_assert!(ends.iter().all(|end| end.base().handle_count() == 0));
    Ok(())
}

proptest! {
    #[test]
    fn fifos_do_what_two_queues_of_elements_would(
        capacity in prop::sample::select(vec![1usize, 2, 4, 8, 16]),
        size in 1..9usize,
        ops in prop::collection::vec(op(), 1..80),
    ) {
        play(capacity, size, ops)?;
    }
}
