//! Streams: a VMO's content as a file that is read and written from a position on.
//!
//! A read or write first fixes its range here, which moves the position and, for a write, the end of the content; the caller
//! copies afterwards. So two appends never overlap, and a copy that faults has moved the position all the same.

use crate::alloc_try::try_arc;
use crate::object::{KernelObject, ObjectBase, TypedObject};
use crate::vm::{Resizable, Vmo};
use alloc::sync::Arc;
use core::ops::Range;
use kernel_hal::sync::Mutex;
use zx_abi::stream::SeekOrigin;
use zx_abi::{ObjectType, Signals, ZxError, ZxResult};

/// A stream.
pub struct Stream {
    base: ObjectBase,
    vmo: Arc<Vmo>,
    options: u32,
    seek: Mutex<u64>,
}

/// Where a read or write begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum At {
    /// At the position, which moves.
    Position,
    /// At the end of the content; the position moves behind what is written.
    End,
    /// There; the position stays.
    Offset(u64),
}

impl Stream {
    /// A stream over `vmo` with its position at `seek`. `options` are told by [`Stream::options`] and nothing else.
    ///
    /// # Errors
    /// - `NoMemory`: the kernel heap is exhausted.
    pub fn create(vmo: Arc<Vmo>, options: u32, seek: u64) -> ZxResult<Arc<Self>> {
        try_arc(Self {
            base: ObjectBase::new(Signals::empty()),
            vmo,
            options,
            seek: Mutex::new(seek),
        })
    }

    /// What it shows.
    pub fn vmo(&self) -> &Arc<Vmo> {
        &self.vmo
    }

    /// The options of its creation.
    pub fn options(&self) -> u32 {
        self.options
    }

    /// The position.
    pub fn position(&self) -> u64 {
        *self.seek.lock()
    }

    /// Where a read or write would begin now.
    pub fn start_of(&self, at: At) -> u64 {
        match at {
            At::Position => self.position(),
            At::End => self.vmo.content_size(),
            At::Offset(offset) => offset,
        }
    }

    /// The bytes that a read of `len` gets: what the content has.
    pub fn begin_read(&self, at: At, len: u64) -> Range<u64> {
        let mut seek = self.seek.lock();
        let content = self.vmo.content_size().min(self.vmo.size());
        let start = match at {
            At::Position => *seek,
            At::End => content,
            At::Offset(offset) => offset,
        };
        if start >= content {
            return start..start;
        }
        let end = start.saturating_add(len).min(content);
        if at == At::Position {
            *seek = end;
        }
        start..end
    }

    /// The bytes to which a write of `len` goes, which are part of the content from now on. What was between the old end and
    /// the start is zero. A VMO that cannot grow takes what fits.
    ///
    /// # Errors
    /// - `FileBig`: the end is beyond all numbers.
    /// - `NoSpace`: the VMO cannot grow and ends before the start.
    /// - `NoMemory`, `OutOfRange`: the VMO cannot become as large.
    pub fn begin_write(&self, at: At, len: u64) -> ZxResult<Range<u64>> {
        let mut zeroed = 0..0;
        loop {
            if let Some(range) = self.try_write(at, len, &mut zeroed)? {
                return Ok(range);
            }
            kernel_hal::cpu::interrupt_window();
        }
    }

    /// As [`Stream::begin_write`]; `None` when more has to be zeroed than goes in one step. `zeroed` begins where the content
    /// ended at the last step and ends where zeroing goes on.
    fn try_write(&self, at: At, len: u64, zeroed: &mut Range<u64>) -> ZxResult<Option<Range<u64>>> {
        let mut seek = self.seek.lock();
        let range = match at {
            At::Position | At::Offset(_) => {
                let start = if let At::Offset(offset) = at {
                    offset
                } else {
                    *seek
                };
                match self.reserve(start, len, zeroed)? {
                    Some(range) => range,
                    None => return Ok(None),
                }
            }
            At::End => loop {
                let end = self.vmo.content_size();
                let range = self.room(end, len)?;
                if self.vmo.move_content_end(end, range.end) {
                    break range;
                }
            },
        };
        if !matches!(at, At::Offset(_)) {
            *seek = range.end;
        }
        Ok(Some(range))
    }

    fn reserve(
        &self,
        start: u64,
        len: u64,
        zeroed: &mut Range<u64>,
    ) -> ZxResult<Option<Range<u64>>> {
        let range = self.room(start, len)?;
        loop {
            let end = self.vmo.content_size();
            if range.is_empty() || range.end <= end {
                return Ok(Some(range));
            }
            if start > end {
                if zeroed.start != end {
                    *zeroed = end..end;
                }
                let from = zeroed.end;
                zeroed.end += self.vmo.zero_step(from, start.saturating_sub(from))?;
                if zeroed.end < start {
                    return Ok(None);
                }
            }
            if self.vmo.move_content_end(end, range.end) {
                return Ok(Some(range));
            }
        }
    }

    /// The part of a write for which the VMO has room, after growing it.
    fn room(&self, start: u64, len: u64) -> ZxResult<Range<u64>> {
        let end = start.checked_add(len).ok_or(ZxError::FileBig)?;
        if len == 0 || end <= self.vmo.size() {
            return Ok(start..end);
        }
        if self.vmo.resizable() == Resizable::Yes {
            self.vmo.grow(end)?;
            return Ok(start..end);
        }
        let size = self.vmo.size();
        if start >= size {
            return Err(ZxError::NoSpace);
        }
        Ok(start..size)
    }

    /// Moves the position; where it is now.
    ///
    /// # Errors
    /// - `InvalidArgs`: before the start, or beyond all numbers.
    pub fn seek(&self, origin: SeekOrigin, offset: i64) -> ZxResult<u64> {
        let mut seek = self.seek.lock();
        let from = match origin {
            SeekOrigin::Start => 0,
            SeekOrigin::Current => *seek,
            SeekOrigin::End => self.vmo.content_size(),
        };
        *seek = from
            .checked_add_signed(offset)
            .ok_or(ZxError::InvalidArgs)?;
        Ok(*seek)
    }
}

impl KernelObject for Stream {
    fn base(&self) -> &ObjectBase {
        &self.base
    }
    fn object_type(&self) -> ObjectType {
        Self::TYPE
    }
}

impl TypedObject for Stream {
    const TYPE: ObjectType = ObjectType::Stream;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(size: u64, resizable: Resizable, content: u64) -> Arc<Stream> {
        kernel_hal_hosted::init();
        let vmo = Vmo::new(size, resizable).unwrap();
        vmo.set_content_size(content);
        Stream::create(vmo, 3, 0).unwrap()
    }

    #[test]
    fn reads_stop_at_the_end_of_the_content_and_move_the_position() {
        let stream = stream(4096, Resizable::No, 10);
        assert_eq!(stream.begin_read(At::Position, 6), 0..6);
        assert_eq!(stream.begin_read(At::Position, 6), 6..10);
        assert_eq!(stream.begin_read(At::Position, 6), 10..10);
        assert_eq!(stream.begin_read(At::Offset(2), u64::MAX), 2..10);
        assert_eq!(stream.position(), 10);
    }

    #[test]
    fn a_write_behind_the_end_leaves_zeros_between() {
        let stream = stream(4096, Resizable::No, 2);
        stream.vmo().write(0, &[7; 16]).unwrap();
        assert_eq!(stream.begin_write(At::Offset(8), 2), Ok(8..10));
        let mut bytes = [1; 10];
        stream.vmo().read(0, &mut bytes).unwrap();
        assert_eq!(bytes, [7, 7, 0, 0, 0, 0, 0, 0, 7, 7]);
        assert_eq!(stream.vmo().content_size(), 10);
    }

    #[test]
    fn a_vmo_that_can_grow_does_and_another_takes_what_fits() {
        let growing = stream(0, Resizable::Yes, 0);
        assert_eq!(growing.begin_write(At::Position, 5000), Ok(0..5000));
        assert_eq!(growing.vmo().size(), 8192);
        let fixed = stream(4096, Resizable::No, 0);
        assert_eq!(fixed.begin_write(At::Position, 5000), Ok(0..4096));
        assert_eq!(fixed.begin_write(At::Position, 1), Err(ZxError::NoSpace));
        assert_eq!(
            fixed.begin_write(At::Offset(u64::MAX), 1),
            Err(ZxError::FileBig)
        );
    }

    #[test]
    fn appends_of_two_streams_follow_each_other() {
        let first = stream(0, Resizable::Yes, 0);
        let second = Stream::create(first.vmo().clone(), 2, 100).unwrap();
        assert_eq!(first.begin_write(At::End, 3), Ok(0..3));
        assert_eq!(second.begin_write(At::End, 4), Ok(3..7));
        assert_eq!((first.position(), second.position()), (3, 7));
    }

    #[test]
    fn seeking_before_the_start_is_invalid_and_changes_nothing() {
        let stream = stream(4096, Resizable::No, 10);
        assert_eq!(stream.seek(SeekOrigin::End, -4), Ok(6));
        assert_eq!(
            stream.seek(SeekOrigin::Current, -7),
            Err(ZxError::InvalidArgs)
        );
        assert_eq!(stream.seek(SeekOrigin::Current, 1), Ok(7));
        assert_eq!(
            stream
                .seek(SeekOrigin::Start, i64::MAX)
                .and_then(|_| stream.seek(SeekOrigin::Current, i64::MAX)),
            Ok(u64::MAX - 1)
        );
    }
}
