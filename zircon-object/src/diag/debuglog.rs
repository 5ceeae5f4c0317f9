//! The debug log: one ring of records for the whole system, and handles that write to it or read it.
//!
//! What is written appears on the serial console too. The kernel's own lines go in by [`write_kernel`], which may be called
//! with any lock held; readers hear of those lines by [`announce`], which may not.

use super::log_ring::LogRing;
use crate::alloc_try::{try_arc, TryPush};
use crate::object::{KernelObject, Koid, ObjectBase, TypedObject, Wakes};
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt::Write;
use core::sync::atomic::{AtomicBool, Ordering};
use kernel_hal::sync::Mutex;
use zx_abi::debuglog::{DebuglogHeader, DEBUGLOG_DATA_MAX};
use zx_abi::limits::LOG_RECORD_MAX;
use zx_abi::{ObjectType, Signals, ZxError, ZxResult};

static RING: Mutex<LogRing> = Mutex::new(LogRing::new());
static READERS: Mutex<Vec<Arc<DebugLog>>> = Mutex::new(Vec::new());
static UNANNOUNCED: AtomicBool = AtomicBool::new(false);

/// Whether a log handle can read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Reading {
    /// It can (ZX_LOG_FLAG_READABLE).
    Yes,
    /// It only writes.
    No,
}

/// Who wrote a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Writer {
    /// The process.
    pub process: Koid,
    /// The thread.
    pub thread: Koid,
}

/// A way into the log, and the position up to which it has read.
pub struct DebugLog {
    base: ObjectBase,
    position: Option<Mutex<u64>>,
}

impl DebugLog {
    /// A new way into the log; a reader starts at the oldest record.
    ///
    /// # Errors
    /// - `NoMemory`: the kernel heap is exhausted.
    pub fn create(reading: Reading) -> ZxResult<Arc<Self>> {
        let position = (reading == Reading::Yes).then(|| Mutex::new(0));
        let log = try_arc(Self {
            base: ObjectBase::new(Signals::LOG_WRITABLE),
            position,
        })?;
        if reading == Reading::Yes {
            READERS.lock().try_push(log.clone())?;
            if RING.lock().read(0).is_some() {
                log.base
                    .signals()
                    .change(Signals::empty(), Signals::LOG_READABLE)
                    .wake();
            }
        }
        Ok(log)
    }

    /// Takes the next record; how many bytes it has.
    ///
    /// # Errors
    /// - `BadState`: it was not created to read.
    /// - `ShouldWait`: there is none.
    pub fn read(&self, into: &mut [u8; LOG_RECORD_MAX]) -> ZxResult<usize> {
        let position = self.position.as_ref().ok_or(ZxError::BadState)?;
        loop {
            let (record, wakes) = {
                let mut position = position.lock();
                let record = RING.lock().read(*position);
                let wakes = match &record {
                    Some(record) => {
                        *position = record.next;
                        Wakes::none()
                    }
                    None => self
                        .base
                        .signals()
                        .change(Signals::LOG_READABLE, Signals::empty()),
                };
                (record, wakes)
            };
            wakes.wake();
            if let Some(record) = record {
                *into = record.bytes;
                return Ok(record.len);
            }
            // A record that came after the look at the ring and was announced before the signal was cleared would be missed.
            if RING.lock().read(*position.lock()).is_none() {
                return Err(ZxError::ShouldWait);
            }
        }
    }

    /// Appends a record, and shows it on the console. Text beyond 224 bytes is cut.
    pub fn write(&self, flags: u16, text: &[u8], writer: Writer) {
        append(flags, text, writer);
        UNANNOUNCED.store(true, Ordering::Release);
        announce();
    }
}

/// Appends a line of the kernel's own, and shows it on the console.
pub fn write_kernel(text: &[u8]) {
    append(
        0,
        text,
        Writer {
            process: Koid::NONE,
            thread: Koid::NONE,
        },
    );
    UNANNOUNCED.store(true, Ordering::Release);
}

/// Tells readers of records that were appended since the last time. Cheap when there are none. Call with no lock held.
#[inline(always)]
pub fn announce() {
    if UNANNOUNCED.load(Ordering::Relaxed) {
        announce_lines();
    }
}

#[cold]
fn announce_lines() {
    if !UNANNOUNCED.swap(false, Ordering::AcqRel) {
        return;
    }
    let mut wakes = Wakes::none();
    for reader in &*READERS.lock() {
        wakes.append(
            reader
                .base
                .signals()
                .change(Signals::empty(), Signals::LOG_READABLE),
        );
    }
    wakes.wake();
}

fn append(flags: u16, text: &[u8], writer: Writer) {
    let text = &text[..text.len().min(DEBUGLOG_DATA_MAX)];
    let timestamp = kernel_hal::time::now();
    let header = DebuglogHeader {
        flags,
        timestamp,
        pid: writer.process.0,
        tid: writer.thread.0,
        ..Default::default()
    };
    RING.lock().push(header, text);
    echo(&header, text);
}

/// Shows a record on the console: `[00012.345] 01031.01043> text`.
fn echo(header: &DebuglogHeader, text: &[u8]) {
    let mut line = Line {
        bytes: [0; 2 * LOG_RECORD_MAX],
        len: 0,
    };
    let milliseconds = header.timestamp / 1_000_000;
    let (seconds, rest) = (milliseconds / 1000, milliseconds % 1000);
    // A line has room for the longest record, and what did not fit would only be missing on the console.
    let _ = write!(
        line,
        "[{seconds:05}.{rest:03}] {:05}.{:05}> ",
        header.pid, header.tid
    );
    line.push(text);
    if text.last() != Some(&b'\n') {
        line.push(b"\n");
    }
    kernel_hal::console::write(&line.bytes[..line.len]);
}

struct Line {
    bytes: [u8; 2 * LOG_RECORD_MAX],
    len: usize,
}

impl Line {
    fn push(&mut self, text: &[u8]) {
        let room = &mut self.bytes[self.len..];
        let count = text.len().min(room.len());
        room[..count].copy_from_slice(&text[..count]);
        self.len += count;
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        self.push(text.as_bytes());
        Ok(())
    }
}

impl KernelObject for DebugLog {
    fn base(&self) -> &ObjectBase {
        &self.base
    }
    fn object_type(&self) -> ObjectType {
        ObjectType::Log
    }
    fn on_zero_handles(&self) {
        if self.position.is_some() {
            let removed = {
                let mut readers = READERS.lock();
                let index = readers
                    .iter()
                    .position(|reader| reader.base.koid() == self.base.koid());
                index.map(|index| readers.swap_remove(index))
            };
            drop(removed);
        }
    }
}

impl TypedObject for DebugLog {
    const TYPE: ObjectType = ObjectType::Log;
}
