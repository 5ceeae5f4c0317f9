//! Calls with plain numbers, for tests and measurements that must pass what typed calls cannot express.

use core::mem;

use zx_abi::syscalls::SyscallId;

use crate::state;

/// The C function type that takes as many registers as any call.
type Function =
    unsafe extern "C" fn(usize, usize, usize, usize, usize, usize, usize, usize) -> usize;

/// The same for calls whose arguments fit into registers.
type Function6 = unsafe extern "C" fn(usize, usize, usize, usize, usize, usize) -> usize;

/// Makes a call with the numbers given (missing ones are 0) and returns the result register, sign and all;
/// NOT_SUPPORTED when the vDSO lacks the call.
///
/// For conformance tests: an address among the numbers is the caller's responsibility as in C. Use addresses of
/// [`Memory`](crate::Mapping)s made for the purpose, never of values that Rust code owns.
#[must_use]
pub fn call(id: SyscallId, args: &[usize]) -> i64 {
    let Some(address) = state::function(id) else {
        return -2;
    };
    let arg = |index: usize| args.get(index).copied().unwrap_or(0);
    // SAFETY: the C convention lets a function ignore arguments.
    let function = unsafe { mem::transmute::<*const (), Function>(address) };
    // SAFETY: by this module's contract.
    let result = unsafe {
        function(
            arg(0),
            arg(1),
            arg(2),
            arg(3),
            arg(4),
            arg(5),
            arg(6),
            arg(7),
        )
    };
    result as i64
}

/// A call looked up once, to be made many times with nothing around it: for measurements.
#[derive(Clone, Copy, Debug)]
pub struct Prepared(Function);

impl Prepared {
    /// Looks the call up; None when the vDSO lacks it.
    #[must_use]
    pub fn new(id: SyscallId) -> Option<Self> {
        let address = state::function(id)?;
        // SAFETY: as in `call`.
        Some(Self(unsafe {
            mem::transmute::<*const (), Function>(address)
        }))
    }

    /// Makes the call without arguments; the contract is that of [`call`].
    #[inline]
    #[must_use]
    pub fn call0(self) -> i64 {
        // SAFETY: the caller's contract is to use it for calls without arguments.
        let function =
            unsafe { mem::transmute::<Function, unsafe extern "C" fn() -> usize>(self.0) };
        // SAFETY: by this module's contract.
        let result = unsafe { function() };
        result as i64
    }

    /// Makes the call with as many arguments as fit into registers; the contract is that of [`call`].
    #[inline]
    #[must_use]
    pub fn call6(self, args: [usize; 6]) -> i64 {
        let [a, b, c, d, e, f] = args;
        // SAFETY: the caller's contract is to use it for calls of at most six arguments.
        let function = unsafe { mem::transmute::<Function, Function6>(self.0) };
        // SAFETY: by this module's contract.
        let result = unsafe { function(a, b, c, d, e, f) };
        result as i64
    }

    /// Makes the call; the contract is that of [`call`].
    #[inline]
    #[must_use]
    pub fn call(self, args: [usize; 8]) -> i64 {
        let [a, b, c, d, e, f, g, h] = args;
        // SAFETY: by this module's contract.
        let result = unsafe { self.0(a, b, c, d, e, f, g, h) };
        result as i64
    }
}

/// [`call`] for calls that return a status.
pub fn status(id: SyscallId, args: &[usize]) -> zx_abi::Status {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a status is the low half of the register"
    )]
    let status = zx_abi::Status(call(id, args) as i32);
    crate::witness::saw(id, status);
    status
}

/// Reads memory as a program does, faults and all; the contract is that of [`call`].
#[inline(never)]
#[must_use]
pub fn peek(address: usize) -> u64 {
    // SAFETY: by this module's contract; the number may lie anywhere in its page.
    unsafe { core::ptr::with_exposed_provenance::<u64>(address).read_volatile() }
}

/// Writes memory as a program does, faults and all; the contract is that of [`call`].
#[inline(never)]
pub fn poke(address: usize, value: u64) {
    // SAFETY: by this module's contract.
    unsafe { core::ptr::with_exposed_provenance_mut::<u64>(address).write_volatile(value) }
}

/// Calls what lies at an address as a function, faults and all; the contract is that of [`call`].
#[inline(never)]
pub fn run(address: usize) {
    let code = core::ptr::with_exposed_provenance::<()>(address);
    // SAFETY: a function pointer may hold any address but null.
    let function = unsafe { mem::transmute::<*const (), unsafe extern "C" fn()>(code) };
    // SAFETY: by this module's contract.
    unsafe { function() }
}

/// Where the vDSO has a call's function; 0 when it lacks the call.
#[must_use]
pub fn address(id: SyscallId) -> usize {
    state::function(id).map_or(0, |function| function.addr())
}
