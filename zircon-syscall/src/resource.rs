//! Resources, and the check that privileged calls make.

use crate::Caller;
use kernel_hal::user::{UserIn, UserOut};
use zircon_object::dev::resource::{Extent, Sharing};
use zircon_object::dev::Resource;
use zircon_object::object::Handle;
use zx_abi::device::ResourceKind;
use zx_abi::{HandleValue, Rights, ZxError, ZxResult};

const KIND_MASK: u32 = 0xffff;
const EXCLUSIVE: u32 = 0x1_0000;

impl Caller<'_> {
    /// Whether `handle` is a resource of this kind, or ROOT; no right on it is needed.
    ///
    /// # Errors
    /// - `BadHandle`: no such handle.
    /// - `WrongType`: not a resource, or one of another kind.
    pub(crate) fn check_resource(&self, handle: HandleValue, kind: ResourceKind) -> ZxResult {
        self.get::<Resource>(handle, Rights::empty())?.check(kind)
    }
}

/// `resource_create`
#[expect(clippy::too_many_arguments, reason = "the call has that many")]
pub(crate) fn sys_resource_create(
    caller: &Caller<'_>,
    parent_rsrc: HandleValue,
    options: u32,
    base: u64,
    size: usize,
    name: UserIn<u8>,
    name_size: usize,
    resource_out: UserOut<HandleValue>,
) -> ZxResult {
    let parent = caller.get::<Resource>(parent_rsrc, Rights::WRITE)?;
    let kind = ResourceKind::from_raw(options & KIND_MASK).ok_or(ZxError::InvalidArgs)?;
    let sharing = match options & !KIND_MASK {
        0 => Sharing::Shared,
        EXCLUSIVE => Sharing::Exclusive,
        _ => return Err(ZxError::InvalidArgs),
    };
    let extent = Extent {
        base,
        size: size as u64,
    };
    parent.check_child(kind, sharing, extent)?;
    let (name, len) = if name_size == 0 {
        ([0; 31], 0)
    } else {
        caller.read_name(name, name_size)?
    };
    let resource = Resource::create(kind, sharing, extent, &name[..len])?;
    caller.give(Handle::new(resource)?, resource_out)
}
