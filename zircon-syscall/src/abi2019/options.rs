//! Options whose bits mean something else in 2019.

use crate::level::ChildRequest;
use zircon_object::vm::{ChildKind, Resizable};
use zx_abi::vm_options::VmoChildOptions2019;
use zx_abi::{Rights, ZxError, ZxResult};

/// Options of `vmo_create`: bit 0 once meant "not resizable" and is ignored.
pub(super) fn vmo(options: u32) -> ZxResult<Resizable> {
    const OLD_NON_RESIZABLE: u32 = 1;
    crate::vmo::options(options & !OLD_NON_RESIZABLE)
}

/// Options of `vmo_create_child`.
///
/// # Errors
/// - `InvalidArgs`: not exactly one kind, or unknown bits; a slice with any other bit.
pub(super) fn vmo_child(options: u32) -> ZxResult<ChildRequest> {
    let options = VmoChildOptions2019::from_bits(options).ok_or(ZxError::InvalidArgs)?;
    let copies = VmoChildOptions2019::COPY_ON_WRITE | VmoChildOptions2019::COPY_ON_WRITE2;
    if options == VmoChildOptions2019::SLICE {
        return Ok(request(ChildKind::Slice, Resizable::No));
    }
    if options.contains(VmoChildOptions2019::SLICE) {
        return Err(ZxError::InvalidArgs);
    }
    let resizable = if options.contains(VmoChildOptions2019::RESIZABLE) {
        Resizable::Yes
    } else {
        Resizable::No
    };
    match options & copies {
        VmoChildOptions2019::COPY_ON_WRITE => Ok(request(ChildKind::LateCopy, resizable)),
        VmoChildOptions2019::COPY_ON_WRITE2 => Ok(request(ChildKind::Snapshot, resizable)),
        _ => Err(ZxError::InvalidArgs),
    }
}

fn request(kind: ChildKind, resizable: Resizable) -> ChildRequest {
    ChildRequest {
        kind,
        resizable,
        without: Rights::empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_are_named_by_the_bits_of_2019() {
        assert_eq!(
            vmo_child(1),
            Ok(request(ChildKind::LateCopy, Resizable::No))
        );
        assert_eq!(vmo_child(3), vmo_child(1));
        assert_eq!(
            vmo_child(8 | 4),
            Ok(request(ChildKind::Snapshot, Resizable::Yes))
        );
        assert_eq!(vmo_child(16), Ok(request(ChildKind::Slice, Resizable::No)));
        for bad in [0, 4, 1 | 8, 16 | 4, 16 | 2, 32 | 1] {
            assert_eq!(vmo_child(bad), Err(ZxError::InvalidArgs), "{bad}");
        }
    }

    #[test]
    fn the_first_bit_of_vmo_create_is_ignored() {
        assert_eq!(vmo(1), Ok(Resizable::No));
        assert_eq!(vmo(3), Ok(Resizable::Yes));
        assert_eq!(vmo(4), Err(ZxError::InvalidArgs));
    }
}
