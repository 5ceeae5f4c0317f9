//! Memory with known addresses for calls made with plain numbers, and addresses that are no memory.

use core::sync::atomic::{AtomicI32, Ordering};

use libzx::{raw, AsHandle, Mapping, Rights, VmOptions, Vmar, Vmo, ZxResult};
use zerocopy::{FromBytes, IntoBytes};
use zx_abi::syscalls::SyscallId;

pub(crate) const PAGE: usize = 4096;

/// Addresses that no program may pass: null, the first page, beyond the user half, not canonical, the kernel's.
pub(crate) const BAD_ADDRESSES: [usize; 5] = [
    0,
    0x1000,
    0x7fff_ffff_f000,
    0x8000_0000_0000,
    0xffff_ffff_8010_0000,
];

/// Makes a call with plain numbers.
pub(crate) fn call(id: SyscallId, args: &[usize]) -> ZxResult {
    raw::status(id, args).into_result()
}

/// A handle value as an argument.
pub(crate) fn arg(handle: &impl AsHandle) -> usize {
    handle.raw() as usize
}

/// A mapped page of this program's own.
#[derive(Debug)]
pub(crate) struct Scratch(Mapping);

impl Scratch {
    pub(crate) fn new() -> ZxResult<Self> {
        Mapping::writable(&Vmo::create(PAGE as u64, 0)?).map(Self)
    }

    pub(crate) fn address(&self) -> usize {
        self.0.address()
    }

    /// The record at `offset`.
    pub(crate) fn get<T: FromBytes>(&self, offset: usize) -> T {
        let bytes = self.0.as_slice().get(offset..).unwrap_or_default();
        T::read_from_prefix(bytes).map_or_else(|_| T::new_zeroed(), |(value, _)| value)
    }

    pub(crate) fn u32(&self, offset: usize) -> u32 {
        self.get(offset)
    }

    pub(crate) fn put<T: IntoBytes + zerocopy::Immutable>(&mut self, offset: usize, value: &T) {
        let bytes = self.0.as_mut_slice().get_mut(offset..).unwrap_or_default();
        let _ = value.write_to_prefix(bytes);
    }
}

/// Two pages of address space of which only the first is mapped.
#[derive(Debug)]
pub(crate) struct Edge {
    region: Vmar,
    base: usize,
}

impl Edge {
    pub(crate) fn new() -> ZxResult<Self> {
        let flags =
            VmOptions::CAN_MAP_READ | VmOptions::CAN_MAP_WRITE | VmOptions::CAN_MAP_SPECIFIC;
        let (region, base) = root_vmar()?.allocate(flags, 0, 2 * PAGE)?;
        let vmo = Vmo::create(PAGE as u64, 0)?;
        let flags = VmOptions::PERM_READ | VmOptions::PERM_WRITE | VmOptions::SPECIFIC;
        region.map(flags, 0, &vmo, 0, PAGE)?;
        Ok(Self { region, base })
    }

    /// The address `bytes` before the end of the mapped page.
    pub(crate) fn before_end(&self, bytes: usize) -> usize {
        self.base + PAGE - bytes
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        let _ = self.region.destroy();
    }
}

/// An own handle to this program's root VMAR.
pub(crate) fn root_vmar() -> ZxResult<Vmar> {
    libzx::own_root_vmar()
        .duplicate_handle(Rights::SAME_RIGHTS)
        .map(Vmar::from)
}

/// Where a futex is.
pub(crate) fn address_of(futex: &AtomicI32) -> usize {
    core::ptr::from_ref(futex).expose_provenance()
}

/// Waits for a value that another thread will store.
pub(crate) fn wait_for_value(futex: &AtomicI32, value: i32) -> bool {
    let deadline = crate::world::soon();
    while futex.load(Ordering::SeqCst) != value {
        if libzx::time::now() > deadline {
            return false;
        }
        crate::world::sleep_ms(1);
    }
    true
}
