//! User memory: an address is an allegation, and bytes are only ever copied.
//!
//! [`UserIn`], [`UserOut`] and [`UserInOut`] carry an address that a program alleges to be good. Nothing is checked when
//! one is made; each access checks the range and copies through the active page table by one routine with a fault table.
//! A page that is not there ends the copy with a [`UserFault`] that says where; the syscall layer asks the address space to
//! resolve it like a fault of the program and tries again, or answers with an error. No object lock may be held.

use crate::addr::{is_user_range, VirtAddr};
use crate::frame::Frame;
use crate::hal::hal_fn;
use core::marker::PhantomData;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Kind of an access that failed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Access {
    /// A load.
    Read,
    /// A store.
    Write,
    /// An instruction fetch.
    Execute,
}

/// A copy stopped at a page that is not there or does not permit the access.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UserFault {
    /// The first byte that could not be accessed; for a range outside user space, its start.
    pub addr: VirtAddr,
    /// What was tried.
    pub access: Access,
    /// Whether the address can ever become good. `Never` for ranges outside user space.
    pub curable: Curable,
}

/// Whether resolving a fault makes sense.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Curable {
    /// The address is in user space: the address space may know how to fill the page.
    Perhaps,
    /// The range is not in user space.
    Never,
}

hal_fn! {
    /// Copies from user memory. The range was checked to lie in user space. On a fault: the address of the first bad byte.
    pub fn raw_read as hal_user_read(from: VirtAddr, into: &mut [u8]) -> Result<(), VirtAddr>;
    /// Copies to user memory. The range was checked to lie in user space. On a fault: the address of the first bad byte.
    pub fn raw_write as hal_user_write(to: VirtAddr, from: &[u8]) -> Result<(), VirtAddr>;
    /// Reads one aligned or unaligned 32-bit word; the short path for handle values and flags.
    pub fn raw_read_u32 as hal_user_read_u32(from: VirtAddr) -> Result<u32, VirtAddr>;
    /// Writes one 32-bit word.
    pub fn raw_write_u32 as hal_user_write_u32(to: VirtAddr, value: u32) -> Result<(), VirtAddr>;
    /// Reads one 64-bit word.
    pub fn raw_read_u64 as hal_user_read_u64(from: VirtAddr) -> Result<u64, VirtAddr>;
    /// Writes one 64-bit word.
    pub fn raw_write_u64 as hal_user_write_u64(to: VirtAddr, value: u64) -> Result<(), VirtAddr>;
    /// Copies from user memory into a frame, without a buffer between. `offset + len` stays inside the page.
    pub fn raw_read_to_frame as hal_user_read_to_frame(from: VirtAddr, frame: &Frame, offset: usize, len: usize) -> Result<(), VirtAddr>;
    /// Copies from a frame to user memory.
    pub fn raw_write_from_frame as hal_user_write_from_frame(to: VirtAddr, frame: &Frame, offset: usize, len: usize) -> Result<(), VirtAddr>;
}

#[inline(always)]
fn check(addr: VirtAddr, len: usize, access: Access) -> Result<(), UserFault> {
    if is_user_range(addr, len) {
        Ok(())
    } else {
        Err(UserFault {
            addr,
            access,
            curable: Curable::Never,
        })
    }
}

#[inline(always)]
fn fault<T>(access: Access) -> impl Fn(VirtAddr) -> Result<T, UserFault> {
    move |addr| {
        Err(UserFault {
            addr,
            access,
            curable: Curable::Perhaps,
        })
    }
}

/// Copies `into.len()` bytes from user memory; an empty copy touches nothing and succeeds with any address.
///
/// # Errors
/// A [`UserFault`] at the first byte that cannot be read.
pub fn read_bytes(from: VirtAddr, into: &mut [u8]) -> Result<(), UserFault> {
    if into.is_empty() {
        return Ok(());
    }
    check(from, into.len(), Access::Read)?;
    raw_read(from, into).or_else(fault(Access::Read))
}

/// Copies bytes to user memory; an empty copy touches nothing and succeeds with any address.
///
/// # Errors
/// A [`UserFault`] at the first byte that cannot be written.
pub fn write_bytes(to: VirtAddr, from: &[u8]) -> Result<(), UserFault> {
    if from.is_empty() {
        return Ok(());
    }
    check(to, from.len(), Access::Write)?;
    raw_write(to, from).or_else(fault(Access::Write))
}

/// Copies from user memory into a frame.
///
/// # Errors
/// A [`UserFault`] at the first byte that cannot be read; the bytes before it are in the frame.
pub fn read_to_frame(
    from: VirtAddr,
    frame: &Frame,
    offset: usize,
    len: usize,
) -> Result<(), UserFault> {
    check(from, len, Access::Read)?;
    raw_read_to_frame(from, frame, offset, len).or_else(fault(Access::Read))
}

/// Copies from a frame to user memory.
///
/// # Errors
/// A [`UserFault`] at the first byte that cannot be written; the bytes before it are written.
pub fn write_from_frame(
    to: VirtAddr,
    frame: &Frame,
    offset: usize,
    len: usize,
) -> Result<(), UserFault> {
    check(to, len, Access::Write)?;
    raw_write_from_frame(to, frame, offset, len).or_else(fault(Access::Write))
}

macro_rules! user_pointer {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        pub struct $name<T> {
            addr: VirtAddr,
            target: PhantomData<fn(T) -> T>,
        }
        impl<T> $name<T> {
            /// An allegation: nothing is checked here.
            #[inline(always)]
            #[must_use]
            pub const fn new(addr: VirtAddr) -> Self {
                Self { addr, target: PhantomData }
            }
            /// The alleged address.
            #[inline(always)]
            #[must_use]
            pub const fn addr(self) -> VirtAddr {
                self.addr
            }
            /// Whether the program passed NULL.
            #[inline(always)]
            #[must_use]
            pub const fn is_null(self) -> bool {
                self.addr == 0
            }
            /// The pointer to element `index` of an array; wraps silently, the access then fails its range check.
            #[inline(always)]
            #[must_use]
            pub const fn element(self, index: usize) -> Self {
                Self::new(self.addr.wrapping_add(index.wrapping_mul(size_of::<T>())))
            }
        }
        impl<T> Clone for $name<T> {
            fn clone(&self) -> Self {
                *self
            }
        }
        impl<T> Copy for $name<T> {}
        impl<T> core::fmt::Debug for $name<T> {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, concat!(stringify!($name), "({:#x})"), self.addr)
            }
        }
    };
}

user_pointer!(
    /// Memory that the kernel reads.
    UserIn
);
user_pointer!(
    /// Memory that the kernel writes.
    UserOut
);
user_pointer!(
    /// Memory that the kernel reads and writes.
    UserInOut
);

impl<T: FromBytes + IntoBytes> UserIn<T> {
    /// Reads one value.
    ///
    /// # Errors
    /// A [`UserFault`] at the first byte that cannot be read.
    #[inline(always)]
    pub fn read(self) -> Result<T, UserFault> {
        let mut value = T::new_zeroed();
        let bytes = value.as_mut_bytes();
        // Words have a shorter way; which one is known when this is compiled.
        if let Ok(word) = <&mut [u8; 4]>::try_from(&mut *bytes) {
            check(self.addr, 4, Access::Read)?;
            *word = raw_read_u32(self.addr)
                .or_else(fault(Access::Read))?
                .to_ne_bytes();
        } else if let Ok(word) = <&mut [u8; 8]>::try_from(&mut *bytes) {
            check(self.addr, 8, Access::Read)?;
            *word = raw_read_u64(self.addr)
                .or_else(fault(Access::Read))?
                .to_ne_bytes();
        } else {
            read_bytes(self.addr, bytes)?;
        }
        Ok(value)
    }
    /// Reads `into.len()` values that lie back to back.
    ///
    /// # Errors
    /// A [`UserFault`] at the first byte that cannot be read.
    #[inline(always)]
    pub fn read_slice(self, into: &mut [T]) -> Result<(), UserFault> {
        read_bytes(self.addr, into.as_mut_bytes())
    }
}

impl<T: IntoBytes + Immutable> UserOut<T> {
    /// Writes one value.
    ///
    /// # Errors
    /// A [`UserFault`] at the first byte that cannot be written.
    #[inline(always)]
    pub fn write(self, value: &T) -> Result<(), UserFault> {
        let bytes = value.as_bytes();
        // Words have a shorter way; which one is known when this is compiled.
        if let Ok(word) = bytes.try_into() {
            check(self.addr, 4, Access::Write)?;
            raw_write_u32(self.addr, u32::from_ne_bytes(word)).or_else(fault(Access::Write))
        } else if let Ok(word) = bytes.try_into() {
            check(self.addr, 8, Access::Write)?;
            raw_write_u64(self.addr, u64::from_ne_bytes(word)).or_else(fault(Access::Write))
        } else {
            write_bytes(self.addr, bytes)
        }
    }
    /// Writes values back to back.
    ///
    /// # Errors
    /// A [`UserFault`] at the first byte that cannot be written.
    #[inline(always)]
    pub fn write_slice(self, values: &[T]) -> Result<(), UserFault> {
        write_bytes(self.addr, values.as_bytes())
    }
}

impl<T> UserInOut<T> {
    /// The same memory, to be read.
    #[must_use]
    pub const fn input(self) -> UserIn<T> {
        UserIn::new(self.addr)
    }
    /// The same memory, to be written.
    #[must_use]
    pub const fn output(self) -> UserOut<T> {
        UserOut::new(self.addr)
    }
}
