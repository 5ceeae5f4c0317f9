//! Compressed payloads: LZ4 frames as Zircon's userboots want them, and Zstandard.
//!
//! The userboots of 2018 and 2019 read only one shape of LZ4 frame: independent blocks of at most 64 KiB, no block
//! checksums, the content size present and equal to the item's `extra` word. [`compress`] writes that shape. Zstandard is
//! what images of 2020 use; the payload's first word tells the two apart.

use std::fmt;
use std::io::{Read, Write};

use lz4_flex::frame::{BlockMode, BlockSize, FrameDecoder, FrameEncoder, FrameInfo};
use ruzstd::decoding::StreamingDecoder;
use ruzstd::encoding::{compress_to_vec, CompressionLevel};

use crate::bytes::u32_at;

/// The first word of an LZ4 frame.
pub const LZ4_MAGIC: u32 = 0x184d_2204;
/// The first word of a Zstandard frame.
pub const ZSTD_MAGIC: u32 = 0xfd2f_b528;

/// How a storage item's payload is compressed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Compression {
    /// An LZ4 frame: what userboots of 2018 and 2019 read.
    Lz4,
    /// A Zstandard frame: what userboots of 2020 read.
    Zstd,
}

impl Compression {
    /// Tells by the first word of a compressed payload.
    #[must_use]
    pub fn of(payload: &[u8]) -> Option<Self> {
        match u32_at(payload, 0) {
            Some(LZ4_MAGIC) => Some(Self::Lz4),
            Some(ZSTD_MAGIC) => Some(Self::Zstd),
            _ => None,
        }
    }
}

impl fmt::Display for Compression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        })
    }
}

/// Why a payload could not be decompressed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The first word belongs to no compression known here.
    Unknown(Option<u32>),
    /// The frame is broken; the text is the decoder's.
    Broken(Compression, String),
    /// The frame holds another number of bytes than the item promises: promised, found.
    WrongSize(u64, u64),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(Some(word)) => {
                write!(f, "unknown compression (payload starts with {word:#010x})")
            }
            Self::Unknown(None) => {
                write!(f, "unknown compression (payload is shorter than a word)")
            }
            Self::Broken(kind, cause) => write!(f, "broken {kind} frame: {cause}"),
            Self::WrongSize(promised, found) => {
                write!(
                    f,
                    "decompresses to {found} bytes where the item promises {promised}"
                )
            }
        }
    }
}

impl std::error::Error for Fault {}

/// Compresses `data` into one frame; `progress` is told how many bytes were taken in, now and then.
///
/// # Errors
/// The LZ4 encoder's own; none is known to happen for data in memory.
pub fn compress(data: &[u8], kind: Compression, progress: &dyn Fn(u64)) -> Result<Vec<u8>, Fault> {
    match kind {
        Compression::Lz4 => {
            lz4_frame(data, progress).map_err(|e| Fault::Broken(kind, e.to_string()))
        }
        Compression::Zstd => {
            let counted = CountedReader { data, progress };
            Ok(compress_to_vec(counted, CompressionLevel::Fastest))
        }
    }
}

/// Decompresses a payload that must hold exactly `size` bytes.
///
/// # Errors
/// A [`Fault`] that says what is wrong with the frame or its size.
pub fn decompress(payload: &[u8], size: u32) -> Result<Vec<u8>, Fault> {
    let kind = Compression::of(payload).ok_or_else(|| Fault::Unknown(u32_at(payload, 0)))?;
    let broken = |cause: String| Fault::Broken(kind, cause);
    // One byte more than promised is enough to know that there is too much. Nothing is reserved on a promise alone.
    let limit = u64::from(size) + 1;
    let mut data = Vec::new();
    match kind {
        Compression::Lz4 => FrameDecoder::new(payload)
            .take(limit)
            .read_to_end(&mut data)
            .map_err(|e| broken(e.to_string()))?,
        Compression::Zstd => {
            let decoder = StreamingDecoder::new(payload).map_err(|e| broken(e.to_string()))?;
            decoder
                .take(limit)
                .read_to_end(&mut data)
                .map_err(|e| broken(e.to_string()))?
        }
    };
    let found = u64::try_from(data.len()).unwrap_or(u64::MAX);
    if found == u64::from(size) {
        Ok(data)
    } else {
        Err(Fault::WrongSize(u64::from(size), found))
    }
}

fn lz4_frame(data: &[u8], progress: &dyn Fn(u64)) -> Result<Vec<u8>, lz4_flex::frame::Error> {
    let size = u64::try_from(data.len()).unwrap_or(u64::MAX);
    let shape = FrameInfo::new()
        .block_mode(BlockMode::Independent)
        .block_size(BlockSize::Max64KB)
        .block_checksums(false)
        .content_checksum(true)
        .content_size(Some(size));
    let mut encoder = FrameEncoder::with_frame_info(shape, Vec::new());
    for chunk in data.chunks(PROGRESS_STEP) {
        encoder.write_all(chunk)?;
        progress(u64::try_from(chunk.len()).unwrap_or(0));
    }
    encoder.finish()
}

/// Bytes between two reports of progress.
const PROGRESS_STEP: usize = 1 << 20;

struct CountedReader<'a> {
    data: &'a [u8],
    progress: &'a dyn Fn(u64),
}

impl Read for CountedReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.data.read(buffer)?;
        (self.progress)(u64::try_from(count).unwrap_or(0));
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(length: usize) -> Vec<u8> {
        // Half repetitive, half not, so that both kinds of block occur.
        let mut state = 1u32;
        (0..length)
            .map(|i| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                if (i / 70_000) % 2 == 0 {
                    state.to_le_bytes()[3]
                } else {
                    b'a'
                }
            })
            .collect()
    }

    fn size_of(data: &[u8]) -> u32 {
        u32::try_from(data.len()).unwrap()
    }

    #[test]
    fn both_kinds_give_back_what_went_in() {
        for length in [0, 1, 4096, 65_536, 65_537, 400_000] {
            let data = sample(length);
            for kind in [Compression::Lz4, Compression::Zstd] {
                let frame = compress(&data, kind, &|_| ()).unwrap();
                assert_eq!(Compression::of(&frame), Some(kind));
                assert_eq!(
                    decompress(&frame, size_of(&data)).unwrap(),
                    data,
                    "{kind}, {length} bytes"
                );
            }
        }
    }

    #[test]
    fn an_lz4_frame_has_the_shape_that_userboots_of_2018_insist_on() {
        let data = sample(300_000);
        let frame = compress(&data, Compression::Lz4, &|_| ()).unwrap();
        // Version 1, independent blocks, no block checksums, content size, content checksum, no dictionary.
        assert_eq!(frame[4], 0b0110_1100);
        // Blocks of at most 64 KiB; all reserved bits 0.
        assert_eq!(frame[5], 0b0100_0000);
        assert_eq!(frame[6..14], 300_000u64.to_le_bytes());
        // No block is larger than it may be.
        let mut at = 15;
        loop {
            let word = u32_at(&frame, at).unwrap();
            if word == 0 {
                break;
            }
            let length = crate::bytes::to_usize(word & 0x7fff_ffff);
            assert!(length <= 65_536);
            at += 4 + length;
        }
        assert_eq!(at + 4 + 4, frame.len());
    }

    #[test]
    fn a_size_that_differs_from_the_promise_is_named() {
        let frame = compress(b"twelve bytes", Compression::Lz4, &|_| ()).unwrap();
        assert_eq!(decompress(&frame, 13), Err(Fault::WrongSize(13, 12)));
        assert_eq!(decompress(&frame, 10), Err(Fault::WrongSize(10, 11)));
    }

    #[test]
    fn an_unknown_first_word_is_named() {
        assert_eq!(
            decompress(b"\x01\x02\x03\x04zzzz", 4),
            Err(Fault::Unknown(Some(0x0403_0201)))
        );
        assert_eq!(decompress(b"", 4), Err(Fault::Unknown(None)));
    }

    #[test]
    fn a_cut_frame_is_broken_and_never_a_panic() {
        let data = sample(100_000);
        for kind in [Compression::Lz4, Compression::Zstd] {
            let frame = compress(&data, kind, &|_| ()).unwrap();
            for cut in (4..frame.len()).step_by(997) {
                assert!(
                    decompress(&frame[..cut], size_of(&data)).is_err(),
                    "{kind} cut at {cut}"
                );
            }
        }
    }

    #[test]
    fn a_flipped_bit_breaks_an_lz4_frame_and_panics_in_neither() {
        let data = sample(100_000);
        for kind in [Compression::Lz4, Compression::Zstd] {
            let frame = compress(&data, kind, &|_| ()).unwrap();
            for at in (4..frame.len()).step_by(1009) {
                let mut flipped = frame.clone();
                flipped[at] ^= 0x40;
                let result = decompress(&flipped, size_of(&data));
                // LZ4 frames end with a checksum of the content; Zstandard's decoder here checks none.
                assert!(
                    result.is_err() || kind == Compression::Zstd,
                    "{kind} flipped at {at}"
                );
            }
        }
    }
}
