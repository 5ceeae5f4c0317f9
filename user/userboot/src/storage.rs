//! Finds BOOTFS in the boot image and unpacks it.

use libzx::{Mapping, Vmo};
use ruzstd::decoding::FrameDecoder;
use zerocopy::FromBytes;
use zx_abi::zbi::{
    ZbiHeader, ZbiType, ZBI_CONTAINER_MAGIC, ZBI_FLAG_STORAGE_COMPRESSED, ZBI_FLAG_VERSION,
    ZBI_ITEM_MAGIC,
};

use crate::log::{Failure, Outcome};
use crate::lz4;

const ZSTD_MAGIC: u32 = 0xfd2f_b528;
/// More than any boot image unpacks to; a size beyond it is damage.
const BOOTFS_MAX: u32 = 1 << 30;
const PAGE: u64 = 4096;

/// The BOOTFS item of a boot image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Item<'a> {
    /// Where its header starts.
    offset: usize,
    payload: &'a [u8],
    /// Size when unpacked; None if it is not packed.
    unpacked: Option<u32>,
}

/// Unpacks the first BOOTFS of the boot image into a VMO of its own, marks the item as used, and returns the VMO,
/// executable.
pub(crate) fn unpack_bootfs(zbi: &Vmo) -> Outcome<Vmo> {
    let image =
        Mapping::readable(zbi).map_err(|error| Failure::call("mapping the boot image", error))?;
    let item = find_bootfs(image.as_slice())?;
    let bootfs = match item.unpacked {
        None => copy(item.payload)?,
        Some(size) => unpack(item.payload, size)?,
    };
    // Whoever gets the image next must not unpack it again.
    let kind = ZbiType::Discard.raw().to_le_bytes();
    zbi.write(&kind, item.offset as u64)
        .map_err(|error| Failure::call("vmo_write", error))?;
    let no_resource = libzx::Unowned(0);
    bootfs
        .replace_as_executable(&no_resource)
        .map_err(|error| Failure::call("vmo_replace_as_executable", error))
}

/// Walks the items up to the first BOOTFS. Checksums were the loader's business.
fn find_bootfs(image: &[u8]) -> Outcome<Item<'_>> {
    let container = header(image, 0)?;
    if container.kind != ZbiType::Container.raw() || container.extra != ZBI_CONTAINER_MAGIC {
        return Err(Failure::text(
            "the boot image does not start with a container header",
        ));
    }
    let end = size_of::<ZbiHeader>().saturating_add(container.length as usize);
    let items = image
        .get(..end)
        .ok_or_else(|| Failure::text("the boot image is shorter than its header says"))?;
    let mut offset = size_of::<ZbiHeader>();
    while offset < items.len() {
        let item = header(items, offset)?;
        let start = offset + size_of::<ZbiHeader>();
        let payload = start
            .checked_add(item.length as usize)
            .and_then(|end| items.get(start..end));
        let payload = payload.ok_or_else(|| Failure::text("the boot image ends inside an item"))?;
        if item.kind == ZbiType::StorageBootfs.raw() {
            let is_packed = item.flags & ZBI_FLAG_STORAGE_COMPRESSED != 0;
            return Ok(Item {
                offset,
                payload,
                unpacked: is_packed.then_some(item.extra),
            });
        }
        offset = start + payload.len().next_multiple_of(8);
    }
    Err(Failure::text("no BOOTFS in the boot image"))
}

fn header(image: &[u8], offset: usize) -> Outcome<ZbiHeader> {
    let parsed = image
        .get(offset..)
        .and_then(|bytes| ZbiHeader::read_from_prefix(bytes).ok());
    let (header, _) =
        parsed.ok_or_else(|| Failure::text("the boot image ends inside an item header"))?;
    if header.magic != ZBI_ITEM_MAGIC || header.flags & ZBI_FLAG_VERSION == 0 {
        let mut failure = Failure::text("bad item header in the boot image at ");
        failure.line = failure.line.hex(offset as u64);
        return Err(failure);
    }
    Ok(header)
}

fn copy(payload: &[u8]) -> Outcome<Vmo> {
    let vmo = create_vmo(payload.len() as u64)?;
    vmo.write(payload, 0)
        .map_err(|error| Failure::call("vmo_write", error))?;
    Ok(vmo)
}

fn unpack(payload: &[u8], size: u32) -> Outcome<Vmo> {
    if size == 0 || size > BOOTFS_MAX {
        return Err(Failure::text("BOOTFS announces an impossible size"));
    }
    let vmo = create_vmo(u64::from(size))?;
    let mut mapping =
        Mapping::writable(&vmo).map_err(|error| Failure::call("mapping BOOTFS", error))?;
    let output = mapping
        .as_mut_slice()
        .get_mut(..size as usize)
        .unwrap_or_default();
    unpack_into(payload, output)?;
    Ok(vmo)
}

/// Unpacks by the magic number in front.
fn unpack_into(payload: &[u8], output: &mut [u8]) -> Outcome {
    let magic = payload
        .first_chunk::<4>()
        .map_or(0, |bytes| u32::from_le_bytes(*bytes));
    match magic {
        lz4::MAGIC => lz4::decompress(payload, output).map_err(|error| match error {
            lz4::Error::Header => Failure::text("BOOTFS: unusable LZ4 frame header"),
            lz4::Error::Truncated => Failure::text("BOOTFS: LZ4 data ends too early"),
            lz4::Error::Corrupt => Failure::text("BOOTFS: corrupt LZ4 data"),
        }),
        ZSTD_MAGIC => match FrameDecoder::new().decode_all(payload, output) {
            Ok(len) if len == output.len() => Ok(()),
            _ => Err(Failure::text("BOOTFS: corrupt Zstandard data")),
        },
        _ => {
            let mut failure = Failure::text("BOOTFS: unknown compression, magic number ");
            failure.line = failure.line.hex(u64::from(magic));
            Err(failure)
        }
    }
}

fn create_vmo(size: u64) -> Outcome<Vmo> {
    Vmo::create(size.next_multiple_of(PAGE), 0)
        .map_err(|error| Failure::call("vmo_create for BOOTFS", error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use zerocopy::IntoBytes;

    fn image(items: &[(ZbiType, u32, u32, &[u8])]) -> Vec<u8> {
        let mut body = Vec::new();
        for &(kind, extra, flags, payload) in items {
            let len = u32::try_from(payload.len()).unwrap();
            body.extend_from_slice(ZbiHeader::new(kind, len, extra, flags).as_bytes());
            body.extend_from_slice(payload);
            body.resize(body.len().next_multiple_of(8), 0);
        }
        let mut image = ZbiHeader::container(u32::try_from(body.len()).unwrap())
            .as_bytes()
            .to_vec();
        image.extend(body);
        image
    }

    fn failure(result: Outcome<Item<'_>>) -> String {
        String::from_utf8(result.unwrap_err().line.bytes().to_vec()).unwrap()
    }

    #[test]
    fn the_first_bootfs_counts() {
        let image = image(&[
            (ZbiType::Cmdline, 0, 0, b"x=1\0"),
            (
                ZbiType::StorageBootfs,
                77,
                ZBI_FLAG_STORAGE_COMPRESSED,
                b"first",
            ),
            (ZbiType::StorageBootfs, 0, 0, b"second"),
        ]);
        let item = find_bootfs(&image).unwrap();
        assert_eq!(
            item,
            Item {
                offset: 72,
                payload: b"first",
                unpacked: Some(77)
            }
        );
    }

    #[test]
    fn an_image_without_bootfs_or_with_damage_is_named() {
        assert_eq!(
            failure(find_bootfs(&image(&[]))),
            "userboot: no BOOTFS in the boot image"
        );
        assert_eq!(
            failure(find_bootfs(&[])),
            "userboot: the boot image ends inside an item header"
        );
        let mut bad = image(&[(ZbiType::StorageBootfs, 0, 0, b"files")]);
        assert_eq!(
            failure(find_bootfs(&bad[..70])),
            "userboot: the boot image is shorter than its header says"
        );
        bad[32 + 24] = 0;
        assert_eq!(
            failure(find_bootfs(&bad)),
            "userboot: bad item header in the boot image at 0x20"
        );
    }

    #[test]
    fn zstandard_is_unpacked_and_anything_else_refused() {
        // "hello" as one raw block of a frame with a one-byte content size.
        let frame = [
            0x28, 0xb5, 0x2f, 0xfd, 0x20, 5, 0x29, 0, 0, b'h', b'e', b'l', b'l', b'o',
        ];
        let mut output = [0; 5];
        unpack_into(&frame, &mut output).unwrap();
        assert_eq!(&output, b"hello");
        let line = |data: &[u8]| {
            String::from_utf8(
                unpack_into(data, &mut [0; 5])
                    .unwrap_err()
                    .line
                    .bytes()
                    .to_vec(),
            )
        };
        assert_eq!(
            line(&frame[..9]).unwrap(),
            "userboot: BOOTFS: corrupt Zstandard data"
        );
        assert_eq!(
            line(b"PK\x03\x04").unwrap(),
            "userboot: BOOTFS: unknown compression, magic number 0x4034b50"
        );
    }
}
