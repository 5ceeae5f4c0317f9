//! Registers to typed arguments, and results to the register they return in.
//!
//! Of an argument that is narrower than a register the upper bits are ignored, as Zircon's entry code does
//! (`facts/calls.md`, R11).

use kernel_hal::user::{UserIn, UserInOut, UserOut};
use zx_abi::{Rights, Signals, ZxResult};

/// A type that a syscall argument register holds.
pub(crate) trait FromRegister {
    fn from_register(raw: u64) -> Self;
}

/// The argument in a register.
#[inline(always)]
pub(crate) fn arg<T: FromRegister>(raw: u64) -> T {
    T::from_register(raw)
}

macro_rules! narrow {
    ($($ty:ty),*) => {$(
        impl FromRegister for $ty {
            #[inline(always)]
            #[expect(clippy::cast_possible_truncation, reason = "upper bits of narrow arguments are ignored: calls.md R11")]
            fn from_register(raw: u64) -> Self {
                raw as $ty
            }
        }
    )*};
}
narrow!(u8, u16, u32, usize);

impl FromRegister for i32 {
    #[inline(always)]
    fn from_register(raw: u64) -> Self {
        arg::<u32>(raw).cast_signed()
    }
}

impl FromRegister for i64 {
    #[inline(always)]
    fn from_register(raw: u64) -> Self {
        raw.cast_signed()
    }
}

impl FromRegister for u64 {
    #[inline(always)]
    fn from_register(raw: u64) -> Self {
        raw
    }
}

impl FromRegister for bool {
    #[inline(always)]
    fn from_register(raw: u64) -> Self {
        raw & 0xff != 0
    }
}

impl FromRegister for Rights {
    #[inline(always)]
    fn from_register(raw: u64) -> Self {
        Self::from_bits_retain(arg(raw))
    }
}

impl FromRegister for Signals {
    #[inline(always)]
    fn from_register(raw: u64) -> Self {
        Self::from_bits_retain(arg(raw))
    }
}

macro_rules! pointer {
    ($($ty:ident),*) => {$(
        impl<T> FromRegister for $ty<T> {
            #[inline(always)]
            fn from_register(raw: u64) -> Self {
                Self::new(arg(raw))
            }
        }
    )*};
}
pointer!(UserIn, UserOut, UserInOut);

/// A type that a call returns in rax.
pub(crate) trait IntoRegister {
    fn into_register(self) -> u64;
}

/// The value for rax.
#[inline(always)]
pub(crate) fn result<T: IntoRegister>(value: T) -> u64 {
    value.into_register()
}

impl IntoRegister for ZxResult {
    #[inline(always)]
    fn into_register(self) -> u64 {
        match self {
            Ok(()) => 0,
            Err(error) => i64::from(error as i32).cast_unsigned(),
        }
    }
}

/// The test calls return sums.
impl IntoRegister for i32 {
    #[inline(always)]
    fn into_register(self) -> u64 {
        i64::from(self).into_register()
    }
}

/// Times and ticks.
impl IntoRegister for i64 {
    #[inline(always)]
    fn into_register(self) -> u64 {
        self.cast_unsigned()
    }
}

/// A value that is already as the register holds it.
impl IntoRegister for u64 {
    #[inline(always)]
    fn into_register(self) -> u64 {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zx_abi::ZxError;

    #[test]
    fn upper_bits_of_a_32_bit_argument_are_ignored() {
        assert_eq!(arg::<u32>(0xffff_ffff_0000_0007), 7);
        assert_eq!(arg::<i32>(0x0000_0000_ffff_ffff), -1);
    }

    #[test]
    fn a_status_fills_the_whole_register() {
        assert_eq!(result(Err::<(), _>(ZxError::BadHandle)), (-11_i64) as u64);
        assert_eq!(result(Ok::<(), ZxError>(())), 0);
    }
}
