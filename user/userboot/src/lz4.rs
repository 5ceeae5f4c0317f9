//! LZ4 frames: the container around the blocks that `lz4_flex` unpacks.

use lz4_flex::block::decompress_into_with_dict;

/// First bytes of a frame.
pub(crate) const MAGIC: u32 = 0x184d_2204;

const VERSION_MASK: u8 = 0xc0;
const VERSION: u8 = 0x40;
const BLOCK_CHECKSUM: u8 = 0x10;
const CONTENT_SIZE: u8 = 0x08;
const DICT_ID: u8 = 0x01;
/// Top bit of a block's size: the block is stored as it is.
const STORED: u32 = 1 << 31;
/// How far back a block may refer.
const WINDOW: usize = 64 << 10;

/// What is wrong with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Error {
    /// Not a frame, or of a kind nobody makes for boot images.
    Header,
    /// It ends too early.
    Truncated,
    /// A block does not unpack, or there is more than the size announced.
    Corrupt,
}

/// Unpacks a frame into `output`, which must be exactly filled. Checksums are not verified: the boot image has its own.
pub(crate) fn decompress(frame: &[u8], output: &mut [u8]) -> Result<(), Error> {
    let mut input = frame;
    if take_u32(&mut input)? != MAGIC {
        return Err(Error::Header);
    }
    let flags = take(&mut input, 2)?.first().copied().unwrap_or(0);
    if flags & VERSION_MASK != VERSION || flags & DICT_ID != 0 {
        return Err(Error::Header);
    }
    if flags & CONTENT_SIZE != 0 {
        let size = take(&mut input, 8)?
            .first_chunk::<8>()
            .map_or(0, |bytes| u64::from_le_bytes(*bytes));
        if u64::try_from(output.len()) != Ok(size) {
            return Err(Error::Header);
        }
    }
    take(&mut input, 1)?;
    let mut done = 0;
    loop {
        let size = take_u32(&mut input)?;
        if size == 0 {
            break;
        }
        let block = take(
            &mut input,
            usize::try_from(size & !STORED).map_err(|_| Error::Truncated)?,
        )?;
        let (before, rest) = output.split_at_mut_checked(done).ok_or(Error::Corrupt)?;
        done += if size & STORED != 0 {
            rest.get_mut(..block.len())
                .ok_or(Error::Corrupt)?
                .copy_from_slice(block);
            block.len()
        } else {
            let window = before
                .get(before.len().saturating_sub(WINDOW)..)
                .unwrap_or_default();
            decompress_into_with_dict(block, rest, window).map_err(|_| Error::Corrupt)?
        };
        if flags & BLOCK_CHECKSUM != 0 {
            take(&mut input, 4)?;
        }
    }
    if done == output.len() {
        Ok(())
    } else {
        Err(Error::Corrupt)
    }
}

fn take<'a>(input: &mut &'a [u8], len: usize) -> Result<&'a [u8], Error> {
    let (now, later) = input.split_at_checked(len).ok_or(Error::Truncated)?;
    *input = later;
    Ok(now)
}

fn take_u32(input: &mut &[u8]) -> Result<u32, Error> {
    let bytes = take(input, 4)?.first_chunk::<4>().ok_or(Error::Truncated)?;
    Ok(u32::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 'a' once, then 'a' copied from one byte back: "aaaaaaaaaaaaaaaaaaaa" as one compressed block, then "xyz" stored.
    fn frame() -> Vec<u8> {
        let mut frame = Vec::new();
        frame.extend(MAGIC.to_le_bytes());
        frame.extend([VERSION | 0x20 | CONTENT_SIZE, 0x40]);
        frame.extend(23u64.to_le_bytes());
        frame.push(0);
        let block = [0x1a, b'a', 1, 0, 0x50, b'a', b'a', b'a', b'a', b'a'];
        frame.extend(u32::try_from(block.len()).unwrap().to_le_bytes());
        frame.extend(block);
        frame.extend((3 | STORED).to_le_bytes());
        frame.extend(b"xyz");
        frame.extend([0; 4]);
        frame
    }

    #[test]
    fn compressed_and_stored_blocks_follow_each_other() {
        let mut output = [0; 23];
        decompress(&frame(), &mut output).unwrap();
        assert_eq!(&output, b"aaaaaaaaaaaaaaaaaaaaxyz");
    }

    #[test]
    fn damage_is_an_error_wherever_it_is() {
        let good = frame();
        let mut output = [0; 23];
        for len in 0..good.len() {
            assert!(
                decompress(&good[..len], &mut output).is_err(),
                "cut at {len}"
            );
        }
        assert_eq!(decompress(&good, &mut [0; 22]), Err(Error::Header));
        let mut bad = good.clone();
        bad[0] = 0;
        assert_eq!(decompress(&bad, &mut output), Err(Error::Header));
        let mut bad = good;
        bad[21] = 9;
        assert_eq!(decompress(&bad, &mut output), Err(Error::Corrupt));
    }
}
