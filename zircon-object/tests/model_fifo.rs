//! FIFOs against a model: two queues of elements, and what both ends show after every step
#![cfg(test)]

use proptest::prelude::*;
use std::collections::VecDeque;
use std::sync::Arc;
use zircon_object::ipc::{Failed, Fifo};
use zircon_object::object::{Handle, KernelObject};
use zx_abi::{Signals, ZxError};

#[derive(Clone, Debug)]
enum Op {
    /// An end writes so many elements.
    Write(usize, usize),
    /// An end reads at most so many elements.
    Read(usize, usize),
    /// The program's memory ends within what an end writes.
    WriteInVain(usize, usize),
    /// The program's memory ends within what an end reads.
    ReadInVain(usize, usize),
    /// An end's last handle goes.
    Close(usize),
}

fn op() -> impl Strategy<Value = Op> {
    let end = 0..2usize;
    prop_oneof![
        8 => (end.clone(), 0..12usize).prop_map(|(end, count)| Op::Write(end, count)),
        8 => (end.clone(), 0..12usize).prop_map(|(end, count)| Op::Read(end, count)),
        2 => (end.clone(), 1..12usize).prop_map(|(end, count)| Op::WriteInVain(end, count)),
        2 => (end.clone(), 1..12usize).prop_map(|(end, count)| Op::ReadInVain(end, count)),
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

/// What the program is told: its own memory's end is an error like others.
fn told(result: Result<usize, Failed<()>>) -> Result<usize, ZxError> {
    result.map_err(|failed| match failed {
        Failed::Object(error) => error,
        Failed::Copy(()) => ZxError::InvalidArgs,
    })
}

/// Writes from memory of which only `good` bytes can be read.
fn write(fifo: &Fifo, size: usize, elements: &[Vec<u8>], good: usize) -> Result<usize, ZxError> {
    let bytes = elements.concat();
    told(fifo.write(size, elements.len(), |before, part| {
        let end = before + part.len();
        part[..good.min(end) - good.min(before)]
            .copy_from_slice(&bytes[good.min(before)..good.min(end)]);
        if end > good {
            Err(())
        } else {
            Ok(())
        }
    }))
}

/// Reads into memory of which only `good` bytes can be written.
fn read(fifo: &Fifo, size: usize, count: usize, good: usize) -> Result<Vec<u8>, ZxError> {
    let mut bytes = Vec::new();
    let taken = told(fifo.read(size, count, |before, part| {
        assert_eq!(before, bytes.len());
        bytes.extend_from_slice(part);
        if bytes.len() > good {
            Err(())
        } else {
            Ok(())
        }
    }))?;
    assert_eq!(bytes.len(), taken * size);
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
            Op::Write(end, _)
            | Op::Read(end, _)
            | Op::WriteInVain(end, _)
            | Op::ReadInVain(end, _)
            | Op::Close(end) => end,
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
                    write(&ends[end], size, &elements, usize::MAX),
                    model.write(end, &elements)
                );
                prop_assert_eq!(
                    told(ends[end].write(size + 1, count, |_, _| Ok(()))),
                    Err(if model.open[1 - end] {
                        ZxError::OutOfRange
                    } else {
                        ZxError::PeerClosed
                    })
                );
            }
            Op::Read(_, count) => {
                prop_assert_eq!(
                    read(&ends[end], size, count, usize::MAX),
                    model.read(end, count)
                );
            }
            Op::WriteInVain(_, count) => {
                let elements = vec![vec![0xee; size]; count];
                let error = write(&ends[end], size, &elements, size - 1).unwrap_err();
                // Nothing is written; what stands in the way of any write is told first.
                let expected = if !model.open[1 - end] {
                    ZxError::PeerClosed
                } else if model.queues[1 - end].len() == model.capacity {
                    ZxError::ShouldWait
                } else {
                    ZxError::InvalidArgs
                };
                prop_assert_eq!(error, expected);
            }
            Op::ReadInVain(_, count) => {
                let error = read(&ends[end], size, count, size - 1).unwrap_err();
                let expected = match model.queues[end].is_empty() {
                    true if model.open[1 - end] => ZxError::ShouldWait,
                    true => ZxError::PeerClosed,
                    false => ZxError::InvalidArgs,
                };
                prop_assert_eq!(error, expected);
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
