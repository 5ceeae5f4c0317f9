//! Resources, and the check that privileged calls make.

use crate::Caller;
use core::ops::Range;
use kernel_hal::ports::PORTS;
use kernel_hal::user::{UserIn, UserOut};
use zircon_object::dev::resource::{Extent, Sharing};
use zircon_object::dev::Resource;
use zircon_object::object::{Handle, KernelObject, TypedObject};
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

/// Makes a resource under another.
///
/// # Errors
/// - `BadHandle`, `WrongType`, `AccessDenied`: the parent is bad or lacks WRITE.
/// - `InvalidArgs`: no such kind, or unknown flags.
/// - What [`Resource::check_child`] says.
/// - `InvalidArgs`: the name cannot be read.
/// - What [`Resource::create`] says.
/// - `InvalidArgs`: the handle cannot be written; there is none then.
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
    let handle = Handle::first(resource, Resource::DEFAULT_RIGHTS)?;
    caller.give(handle, resource_out)
}

/// Lets the calling process use I/O ports.
///
/// # Errors
/// - `BadHandle`, `WrongType`, `OutOfRange`: the resource does not give the right to them.
/// - `InvalidArgs`: there are no such ports.
/// - `NoMemory`: no memory for the table.
pub(crate) fn sys_ioports_request(
    caller: &Caller<'_>,
    resource: HandleValue,
    io_addr: u16,
    len: u32,
) -> ZxResult {
    let ports = port_range(caller, resource, io_addr, len)?;
    caller
        .process()
        .ports()
        .allow(caller.process().base().koid(), ports)
}

/// Takes I/O ports from the calling process, which need not have them.
///
/// # Errors
/// As [`sys_ioports_request`].
pub(crate) fn sys_ioports_release(
    caller: &Caller<'_>,
    resource: HandleValue,
    io_addr: u16,
    len: u32,
) -> ZxResult {
    let ports = port_range(caller, resource, io_addr, len)?;
    caller.process().ports().deny(ports);
    Ok(())
}

fn port_range(
    caller: &Caller<'_>,
    resource: HandleValue,
    io_addr: u16,
    len: u32,
) -> ZxResult<Range<u32>> {
    let resource = caller.get::<Resource>(resource, Rights::empty())?;
    let extent = Extent {
        base: u64::from(io_addr),
        size: u64::from(len),
    };
    resource.check_range(ResourceKind::Ioport, extent)?;
    let start = u32::from(io_addr);
    match start.checked_add(len) {
        Some(end) if end <= PORTS => Ok(start..end),
        _ => Err(ZxError::InvalidArgs),
    }
}
