//! The ring that keeps the last log records.
//!
//! Positions count bytes since boot and never wrap; where a byte lies is its position modulo the size. A record is its header
//! and its text, rounded up to 8 bytes, and may run over the end of the ring. New records push the oldest out.

use zerocopy::IntoBytes;
use zx_abi::debuglog::{DebuglogHeader, DEBUGLOG_DATA_MAX};
use zx_abi::limits::LOG_RECORD_MAX;

/// Bytes of records that are kept.
pub(super) const RING_SIZE: usize = 128 << 10;
const HEADER: usize = size_of::<DebuglogHeader>();

/// The records.
pub(super) struct LogRing {
    bytes: [u8; RING_SIZE],
    oldest: u64,
    next: u64,
}

/// A record as programs read it.
pub(super) struct Record {
    pub(super) bytes: [u8; LOG_RECORD_MAX],
    pub(super) len: usize,
    /// Where the record after it begins.
    pub(super) next: u64,
}

impl LogRing {
    pub(super) const fn new() -> Self {
        Self {
            bytes: [0; RING_SIZE],
            oldest: 0,
            next: 0,
        }
    }

    /// Appends a record; text beyond the limit is cut.
    pub(super) fn push(&mut self, mut header: DebuglogHeader, text: &[u8]) {
        let text = &text[..text.len().min(DEBUGLOG_DATA_MAX)];
        header.datalen = u16::try_from(text.len()).unwrap_or(0);
        let end = self.next + footprint(text.len());
        while end - self.oldest > RING_SIZE as u64 {
            self.oldest += footprint(usize::from(self.header_at(self.oldest).datalen));
        }
        self.copy_in(self.next, header.as_bytes());
        self.copy_in(self.next + HEADER as u64, text);
        self.next = end;
    }

    /// The record at `position`, or the oldest one when that is pushed out; `None` at the end.
    pub(super) fn read(&self, position: u64) -> Option<Record> {
        let position = position.max(self.oldest);
        if position >= self.next {
            return None;
        }
        let text_len = usize::from(self.header_at(position).datalen);
        let mut record = Record {
            bytes: [0; LOG_RECORD_MAX],
            len: HEADER + text_len,
            next: position + footprint(text_len),
        };
        self.copy_out(position, &mut record.bytes[..HEADER + text_len]);
        Some(record)
    }

    fn header_at(&self, position: u64) -> DebuglogHeader {
        let mut header = DebuglogHeader::default();
        self.copy_out(position, header.as_mut_bytes());
        header
    }

    fn copy_in(&mut self, position: u64, from: &[u8]) {
        let start = place(position);
        let (head, tail) = from.split_at(from.len().min(RING_SIZE - start));
        self.bytes[start..start + head.len()].copy_from_slice(head);
        self.bytes[..tail.len()].copy_from_slice(tail);
    }

    fn copy_out(&self, position: u64, into: &mut [u8]) {
        let start = place(position);
        let (head, tail) = into.split_at_mut(into.len().min(RING_SIZE - start));
        head.copy_from_slice(&self.bytes[start..start + head.len()]);
        tail.copy_from_slice(&self.bytes[..tail.len()]);
    }
}

fn footprint(text_len: usize) -> u64 {
    (HEADER + text_len).next_multiple_of(8) as u64
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the remainder is smaller than the ring"
)]
fn place(position: u64) -> usize {
    (position % RING_SIZE as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::boxed::Box;

    fn text_of(record: &Record) -> &[u8] {
        &record.bytes[HEADER..record.len]
    }

    #[test]
    fn records_come_out_in_the_order_in_which_they_went_in() {
        let mut ring = Box::new(LogRing::new());
        ring.push(
            DebuglogHeader {
                pid: 7,
                ..Default::default()
            },
            b"one",
        );
        ring.push(DebuglogHeader::default(), b"");
        let one = ring.read(0).unwrap();
        assert_eq!((text_of(&one), one.len), (&b"one"[..], HEADER + 3));
        let two = ring.read(one.next).unwrap();
        assert_eq!(two.len, HEADER);
        assert!(ring.read(two.next).is_none());
    }

    #[test]
    fn a_reader_that_was_overtaken_goes_on_with_the_oldest_record() {
        let mut ring = Box::new(LogRing::new());
        for number in 0..3000_u64 {
            ring.push(
                DebuglogHeader {
                    tid: number,
                    ..Default::default()
                },
                &[b'x'; 101],
            );
        }
        let (mut position, mut seen, mut last) = (0, 0, None);
        while let Some(record) = ring.read(position) {
            let header = ring.header_at(record.next - footprint(101));
            assert!(last.is_none_or(|last| header.tid == last + 1));
            (position, seen, last) = (record.next, seen + 1, Some(header.tid));
        }
        assert_eq!(
            (seen, last),
            (RING_SIZE as u64 / footprint(101), Some(2999))
        );
    }

    #[test]
    fn long_text_is_cut_to_one_record() {
        let mut ring = Box::new(LogRing::new());
        ring.push(DebuglogHeader::default(), &[b'y'; 500]);
        assert_eq!(ring.read(0).unwrap().len, LOG_RECORD_MAX);
    }
}
